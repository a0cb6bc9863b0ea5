//! Ids: each function of an id once, and `extend` only of what exists.

use super::{
    summary::{Branch, StateDecl},
    workspace::{Unit, Workspace},
};
use crate::{
    diagnostic::{Diagnostic, nearest},
    rule,
    source::Span,
    syntax::{expression::ExprKind, template::BlockKind},
    types::{FunctionName, Value},
};
use std::collections::{BTreeMap, HashMap};

rule! {
    /// Two states have one id: twice in a file, or with the same function in two files that are applied together.
    ///
    /// Nothing says which one is meant, so a run fails before any state is applied. Ids of branches that exclude each
    /// other do not collide.
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed: []
    /// nginx:
    ///   service.running: []
    /// ```
    ///
    /// Write both functions under one id, or give the second an id of its own and a `name`:
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed: []
    ///   service.running: []
    /// ```
    ///
    /// To change a state of an included file, use `extend`.
    pub DUPLICATE_ID = "Z0221", "duplicate-id", Error;

    /// `extend` names an id or a function that does not exist in the file or what it includes.
    ///
    /// There is nothing to extend, and a run fails before any state is applied.
    ///
    /// ```yaml
    /// -- states/a.zy --
    /// include: [b]
    /// extend:
    ///   nginx:
    ///     pkg.latest:
    ///       - refresh: true
    /// -- states/b.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// Name the function that the id has, and include the file that defines it:
    ///
    /// ```yaml
    /// -- states/a.zy --
    /// include: [b]
    /// extend:
    ///   nginx:
    ///     pkg.installed:
    ///       - refresh: true
    /// -- states/b.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub UNKNOWN_EXTEND = "Z0109", "unknown-extend", Error;
}

/// Whether one of two places is always there when the other is: the branches of one are around the other too.
fn together(a: &Branch, b: &Branch) -> bool {
    a.iter().all(|arm| b.contains(arm)) || b.iter().all(|arm| a.contains(arm))
}

/// Reports ids that stand twice in a file.
pub fn duplicates_in_file(unit: &Unit, diagnostics: &mut Vec<Diagnostic>) {
    let mut by_id: BTreeMap<(Option<usize>, &str), Vec<&StateDecl>> = BTreeMap::new();
    for state in &unit.summary.states {
        if let Some(id) = state.id.text() {
            by_id.entry((state.body, id)).or_default().push(state);
        }
    }
    for ((_, id), mut states) in by_id {
        states.sort_by_key(|s| s.span);
        for (index, later) in states.iter().enumerate() {
            let earlier =
                states[..index].iter().find(|s| s.span != later.span && together(&s.branch, &later.branch));
            if let Some(earlier) = earlier {
                diagnostics.push(
                    Diagnostic::new(&DUPLICATE_ID, later.span, format!("The id `{id}` is defined twice"))
                        .label(earlier.span, "it is defined here first")
                        .help("write the functions of both under one id, or give one another id and say `name:`"),
                );
            }
        }
        // In a loop, one place is many states.
        if let Some(state) = states.first()
            && let Some(count) = repeated(unit, state)
        {
            diagnostics.push(
                Diagnostic::new(
                    &DUPLICATE_ID,
                    state.span,
                    format!("The id `{id}` is defined {count} times: the loop around it runs {count} times"),
                )
                .help("put the loop's variable into the id"),
            );
        }
    }
}

/// How often a loop over a literal list repeats an id that is the same each time.
fn repeated(unit: &Unit, state: &StateDecl) -> Option<usize> {
    let template = &unit.tree.template;
    let (block, 0) = state.branch.last().copied()? else { return None };
    let block = &template.blocks[block];
    let BlockKind::For { iterable, filter: None, .. } = &block.kind else { return None };
    let count = match &iterable.kind {
        ExprKind::List(items) | ExprKind::Tuple(items) => items.len(),
        ExprKind::Literal(Value::List(items)) => items.len(),
        ExprKind::Dict(entries) => entries.len(),
        _ => return None,
    };
    // `break` and `continue` may leave one round only.
    let controlled = template.statements.iter().any(|s| {
        block.span.contains(s.span)
            && matches!(s.kind, crate::syntax::template::StatementKind::LoopControl(_))
    });
    (count > 1 && !controlled && template.arms_at(state.span.start).len() == state.branch.len())
        .then_some(count)
}

/// An id that two files define.
#[derive(Debug)]
pub struct Duplicate {
    /// Where it stands first, and where again.
    pub places: (Span, Span),
    /// The report.
    pub diagnostic: Diagnostic,
}

/// Ids that two of some files define with the same function. The files are applied together: what one top entry names,
/// or one file, with what they include.
pub fn duplicates_across(workspace: &Workspace<'_>, files: &[usize]) -> Vec<Duplicate> {
    let mut found = Vec::new();
    let excludes = files.iter().any(|f| {
        let summary = &workspace.units[*f].summary;
        !summary.excluded_ids.is_empty() || !summary.excluded_refs.is_empty()
    });
    if excludes {
        return found;
    }
    let mut first: HashMap<(&str, &FunctionName), (usize, &StateDecl)> = HashMap::new();
    for file in files {
        for state in &workspace.units[*file].summary.states {
            let (Some(id), true, None) = (state.id.text(), state.branch.is_empty(), state.body) else {
                continue;
            };
            for function in &state.functions {
                let (Some(name), true) = (&function.name, function.branch.is_empty()) else { continue };
                let Some((other, earlier)) = first.get(&(id, name)) else {
                    first.insert((id, name), (*file, state));
                    continue;
                };
                if other == file {
                    continue;
                }
                let other = &workspace.units[*other].tree_path;
                let diagnostic = Diagnostic::new(
                    &DUPLICATE_ID,
                    state.span,
                    format!("The id `{id}` with `{name}` is defined in `{other}` too, and both files are applied together"),
                )
                .label(earlier.span, "it is defined here first")
                .help("rename one and say `name:`, or change the first through `extend`");
                found.push(Duplicate { places: (earlier.span, state.span), diagnostic });
            }
        }
    }
    found
}

/// Reports `extend` of what does not exist.
pub fn unknown_extends(workspace: &Workspace<'_>, index: usize, diagnostics: &mut Vec<Diagnostic>) {
    let unit = &workspace.units[index];
    if unit.summary.extends.is_empty() {
        return;
    }
    // The id may come from any file of the run; what is not known may bring it.
    let files = workspace.closure(index, false);
    let open = files.iter().any(|f| workspace.includes_open[*f]);
    let all = || workspace.states().flat_map(|(_, u)| &u.summary.states);
    for extend in &unit.summary.extends {
        let Some(id) = extend.id.text() else { continue };
        let named = |state: &&StateDecl| {
            state.id.matches(id) || state.functions.iter().any(|f| f.names.iter().any(|(n, _)| n.matches(id)))
        };
        let near: Vec<&StateDecl> =
            files.iter().flat_map(|f| &workspace.units[*f].summary.states).filter(named).collect();
        if near.is_empty() {
            if open || all().any(|s| named(&s)) {
                continue;
            }
            let ids: Vec<&str> = files
                .iter()
                .flat_map(|f| &workspace.units[*f].summary.states)
                .filter_map(|s| s.id.text())
                .collect();
            let mut diagnostic =
                Diagnostic::new(&UNKNOWN_EXTEND, extend.span, format!("There is no state `{id}` to extend"));
            diagnostic = match nearest(id, ids) {
                Some(near) => diagnostic.did_you_mean(near),
                None => diagnostic.help("include the file that defines it"),
            };
            diagnostics.push(diagnostic);
            continue;
        }
        if near.iter().any(|s| s.open || s.id.text().is_none()) {
            continue;
        }
        for function in &extend.functions {
            let has = |f: &super::summary::FunctionDecl| match (
                &function.name,
                &function.module,
                &f.name,
                &f.module,
            ) {
                (Some(a), _, Some(b), _) => a == b,
                (None, Some(m), Some(b), _) => *m == b.module,
                (_, Some(m), None, Some(n)) => m == n,
                (Some(a), _, None, Some(n)) => a.module == *n,
                _ => true,
            };
            if near.iter().flat_map(|s| &s.functions).any(has) {
                continue;
            }
            let Some(wanted) = function
                .name
                .as_ref()
                .map(ToString::to_string)
                .or(function.module.as_ref().map(ToString::to_string))
            else {
                continue;
            };
            // Another file may add the function to the same id.
            if all().filter(named).flat_map(|s| &s.functions).any(has) {
                continue;
            }
            let have: Vec<String> = near
                .iter()
                .flat_map(|s| &s.functions)
                .filter_map(|f| f.name.as_ref().map(|n| format!("`{n}`")))
                .collect();
            let mut diagnostic = Diagnostic::new(
                &UNKNOWN_EXTEND,
                function.span,
                format!("The state `{id}` has no `{wanted}` to extend"),
            )
            .help(format!("it has {}", have.join(", ")));
            if let Some(state) = near.first() {
                diagnostic = diagnostic.label(state.span, "the state is defined here");
            }
            diagnostics.push(diagnostic);
        }
    }
}
