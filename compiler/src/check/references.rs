//! Refs between files: includes, excludes, and files nothing refers to.

use super::{
    orchestration,
    summary::RefDecl,
    workspace::{Unit, UnitKind, Workspace},
};
use crate::{
    diagnostic::{Diagnostic, Severity},
    project::{ResolveError, TreeKind},
    rule,
    settings::MISSING_SETTINGS_FILE,
    source::Span,
};
use std::collections::{HashMap, HashSet};

rule! {
    /// A ref names no file: in `include`, in a top file, in `exclude`.
    ///
    /// A run that reaches it fails before any state is applied.
    ///
    /// ```yaml
    /// -- states/web/init.zy --
    /// include:
    ///   - web.ngnix
    /// -- states/web/nginx.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// A ref is a path in the tree with dots: `web.nginx` is `web/nginx.zy` or `web/nginx/init.zy`, and `.nginx`
    /// starts at the file's own directory.
    ///
    /// ```yaml
    /// -- states/web/init.zy --
    /// include:
    ///   - .nginx
    /// -- states/web/nginx.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub UNRESOLVED_REFERENCE = "Z0101", "unresolved-reference", Error;

    /// A ref could mean two files: `web` with both `web.zy` and `web/init.zy`.
    ///
    /// The plain file wins, and the other one is never read.
    ///
    /// ```yaml
    /// -- states/top.zy --
    /// base:
    ///   '*': [web]
    /// -- states/web.zy --
    /// nginx:
    ///   pkg.installed: []
    /// -- states/web/init.zy --
    /// apache2:
    ///   pkg.installed: []
    /// ```
    ///
    /// Rename one of them:
    ///
    /// ```yaml
    /// -- states/top.zy --
    /// base:
    ///   '*': [web]
    /// -- states/web/init.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub AMBIGUOUS_REFERENCE = "Z0102", "ambiguous-reference", Warning;

    /// Files include each other in a circle.
    ///
    /// No order exists in which each file comes after those it includes.
    ///
    /// ```yaml
    /// -- states/a.zy --
    /// include: [b]
    /// -- states/b.zy --
    /// include: [a]
    /// ```
    ///
    /// Move what both need into a third file that both include:
    ///
    /// ```yaml
    /// -- states/a.zy --
    /// include: [c]
    /// -- states/b.zy --
    /// include: [c]
    /// -- states/c.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub INCLUDE_CYCLE = "Z0103", "include-cycle", Error;

    /// No top file and no include leads to a state file.
    ///
    /// The highstate never applies it. It may be meant to be applied by name only.
    ///
    /// ```yaml
    /// -- states/top.zy --
    /// base:
    ///   '*': [web]
    /// -- states/web.zy --
    /// nginx:
    ///   pkg.installed: []
    /// -- states/old.zy --
    /// apache2:
    ///   pkg.installed: []
    /// ```
    ///
    /// Add it to `top.zy`, include it, or remove it:
    ///
    /// ```yaml
    /// -- states/top.zy --
    /// base:
    ///   '*': [web, old]
    /// -- states/web.zy --
    /// nginx:
    ///   pkg.installed: []
    /// -- states/old.zy --
    /// apache2:
    ///   pkg.installed: []
    /// ```
    pub UNREACHABLE_FILE = "Z0108", "unreachable-file", Warning;

    /// `exclude` names an id or a file that is not there.
    ///
    /// It excludes nothing, so what was meant runs.
    ///
    /// ```yaml
    /// -- states/a.zy --
    /// include: [b]
    /// exclude:
    ///   - id: ngnix
    /// -- states/b.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// ```yaml
    /// -- states/a.zy --
    /// include: [b]
    /// exclude:
    ///   - id: nginx
    /// -- states/b.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub UNKNOWN_EXCLUDE = "Z0110", "unknown-exclude", Error;
}

/// Checks all refs of a file.
pub fn check_references(workspace: &Workspace<'_>, index: usize, diagnostics: &mut Vec<Diagnostic>) {
    let unit = &workspace.units[index];
    for include in &unit.summary.includes {
        check_ref(workspace, unit, unit.tree_kind, include, diagnostics);
    }
    for excluded in &unit.summary.excluded_refs {
        check_ref(workspace, unit, unit.tree_kind, excluded, diagnostics);
    }
    for excluded in &unit.summary.excluded_ids {
        check_excluded_id(workspace, index, excluded, diagnostics);
    }
}

/// Checks one ref of a file.
pub fn check_ref(
    workspace: &Workspace<'_>,
    unit: &Unit,
    kind: TreeKind,
    reference: &RefDecl,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let env = match &reference.env {
        None => unit.env.to_string(),
        Some(Some(env)) => env.clone(),
        Some(None) => return,
    };
    let Some(name) = reference.name.text() else { return };
    check_name(workspace, unit, kind, &env, name, reference.span, diagnostics);
}

/// Checks that a ref names a file.
pub fn check_name(
    workspace: &Workspace<'_>,
    unit: &Unit,
    kind: TreeKind,
    env: &str,
    name: &str,
    span: Span,
    diagnostics: &mut Vec<Diagnostic>,
) {
    match workspace.project.resolve_all(kind, env, name, Some(&unit.tree_path)) {
        Ok(found) => {
            for reference in found {
                let Some(shadowed) = &reference.shadowed else { continue };
                diagnostics.push(
                    Diagnostic::new(
                        &AMBIGUOUS_REFERENCE,
                        span,
                        format!("`{name}` can mean `{}` and `{}`", reference.file.path, shadowed.path),
                    )
                    .help(format!("`{}` is taken; rename or remove one of the two", reference.file.path)),
                );
            }
        }
        // A top file names environments that may be configured elsewhere.
        Err(ResolveError::Environment { .. }) if matches!(unit.kind, UnitKind::Top(_)) => {}
        Err(error) => {
            if !workspace.resolve(kind, env, name, &unit.tree_path).is_empty() {
                return;
            }
            let rule = match kind {
                TreeKind::States => &UNRESOLVED_REFERENCE,
                TreeKind::Settings => &MISSING_SETTINGS_FILE,
            };
            let mut diagnostic = Diagnostic::new(rule, span, capitalised(&error.to_string()));
            diagnostic = match &error {
                ResolveError::Missing { near, .. } if near.len() == 1 && is_written(unit, span, name) => {
                    diagnostic.did_you_mean(&near[0])
                }
                _ => match error.help() {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic,
                },
            };
            let is_typo = matches!(&error, ResolveError::Missing { near, .. } if !near.is_empty());
            if workspace.is_foreign(unit) && !is_typo {
                diagnostic.severity = Severity::Warning;
            }
            diagnostics.push(diagnostic);
        }
    }
}

/// Whether a text stands at a place as it is, perhaps in quotes, rather than being computed there.
pub(super) fn is_written(unit: &Unit, span: Span, text: &str) -> bool {
    unit.tree.text.get(span.range()).is_some_and(|written| written.trim_matches(['\'', '"']) == text)
}

pub(crate) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

fn check_excluded_id(
    workspace: &Workspace<'_>,
    index: usize,
    excluded: &RefDecl,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some(name) = excluded.name.text() else { return };
    // Who includes this file may bring the id.
    let mut ids = HashSet::new();
    for (_, unit) in workspace.states() {
        for state in &unit.summary.states {
            match state.id.text() {
                Some(id) => ids.insert(id),
                None if state.id.matches(name) => return,
                None => false,
            };
        }
        if unit.summary.open.is_some() {
            return;
        }
    }
    if ids.contains(name) || workspace.includes_open[index] {
        return;
    }
    let mut diagnostic = Diagnostic::new(
        &UNKNOWN_EXCLUDE,
        excluded.span,
        format!("No state has the id `{name}` that is excluded here"),
    );
    if let Some(near) = crate::diagnostic::nearest(name, ids.iter().copied()) {
        diagnostic = diagnostic.did_you_mean(near);
    } else {
        diagnostic = diagnostic.help("remove the item, or write `sls: …` if a file is meant");
    }
    diagnostics.push(diagnostic);
}

/// Reports circles of includes, each once, at the include that closes it.
pub fn include_cycles(workspace: &Workspace<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let mut state: HashMap<usize, bool> = HashMap::new(); // false: on the way; true: done
    for (start, _) in workspace.states() {
        // A stack of its own: chains of includes may be long.
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        if state.contains_key(&start) {
            continue;
        }
        state.insert(start, false);
        while let Some((at, edge_index)) = path.last().copied() {
            let Some(edge) = workspace.includes[at].get(edge_index) else {
                state.insert(at, true);
                path.pop();
                continue;
            };
            if let Some(top) = path.last_mut() {
                top.1 += 1;
            }
            if !edge.certain {
                continue;
            }
            match state.get(&edge.to) {
                Some(true) => {}
                Some(false) => {
                    let from = path.iter().position(|(unit, _)| *unit == edge.to).unwrap_or(0);
                    report_cycle(workspace, &path[from..], edge.span, diagnostics);
                }
                None => {
                    state.insert(edge.to, false);
                    path.push((edge.to, 0));
                }
            }
        }
    }
}

fn report_cycle(
    workspace: &Workspace<'_>,
    path: &[(usize, usize)],
    closing: Span,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut names: Vec<&str> = path.iter().map(|(unit, _)| &*workspace.units[*unit].tree_path).collect();
    if let [only] = names.as_slice() {
        diagnostics.push(
            Diagnostic::new(&INCLUDE_CYCLE, closing, format!("`{only}` includes itself"))
                .help("remove the item"),
        );
        return;
    }
    names.extend(path.first().map(|(unit, _)| &*workspace.units[*unit].tree_path));
    let foreign = path.iter().any(|(unit, _)| workspace.is_foreign(&workspace.units[*unit]));
    let mut diagnostic = Diagnostic::new(
        &INCLUDE_CYCLE,
        closing,
        format!("Files include each other in a circle: {}", names.join(" → ")),
    )
    .help("move what both sides need into a file that both include");
    if foreign {
        // Salt reads each file once and goes on.
        diagnostic.severity = Severity::Warning;
    }
    for pair in path.windows(2) {
        let [(from, _), (to, _)] = pair else { continue };
        if let Some(edge) = workspace.includes[*from].iter().find(|e| e.to == *to && e.certain) {
            diagnostic =
                diagnostic.label(edge.span, format!("`{}` is included here", workspace.units[*to].tree_path));
        }
    }
    diagnostics.push(diagnostic);
}

/// Reports state files that no top file leads to. `tops` gives the files each top file names; `None` when it may
/// name more than is known.
pub fn unreachable(
    workspace: &Workspace<'_>,
    tops: &[Option<Vec<usize>>],
    diagnostics: &mut Vec<Diagnostic>,
) {
    if tops.is_empty() {
        return;
    }
    let (mut named, open) = orchestration::applied(workspace);
    if open {
        return;
    }
    for top in tops {
        let Some(top) = top else { return };
        named.extend(top);
    }
    let closure = workspace.closure_of(named, false);
    if closure
        .iter()
        .any(|unit| workspace.includes_open[*unit] && workspace.units[*unit].summary.includes_open)
    {
        return;
    }
    let computed =
        |unit: &usize| workspace.units[*unit].summary.includes.iter().any(|i| i.name.text().is_none());
    if closure.iter().any(computed) {
        return;
    }
    // What others include on their own (applied by name, or by orchestration) is a group of its own: its root is told.
    let mut reached = vec![false; workspace.units.len()];
    for unit in closure {
        reached[unit] = true;
    }
    for (from, edges) in workspace.includes.iter().enumerate() {
        for edge in edges.iter().filter(|edge| edge.to != from) {
            reached[edge.to] = true;
        }
    }
    for (index, unit) in workspace.states() {
        if reached[index]
            || unit.tree_kind != TreeKind::States
            || workspace.used_as_template.contains_key(&*unit.path)
            || unit.summary.states.is_empty()
            || is_orchestration(unit)
        {
            continue;
        }
        let Some(first) = unit.summary.states.first() else { continue };
        diagnostics.push(
            Diagnostic::new(
                &UNREACHABLE_FILE,
                first.span,
                format!("No top file and no include leads to `{}`", unit.tree_path),
            )
            .help("add it to `top.zy` or include it, unless it is only ever applied by name"),
        );
    }
}

/// Whether a file is for the master: orchestration and reactors are applied by name.
pub fn is_orchestration(unit: &Unit) -> bool {
    unit.kind == UnitKind::States
        && unit.summary.states.iter().flat_map(|s| &s.functions).any(|f| {
            f.name.as_ref().is_some_and(|n| {
                matches!(n.module.as_str(), "salt" | "zester" | "local" | "runner" | "wheel" | "caller")
            })
        })
}
