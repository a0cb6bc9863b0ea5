//! What requisites name: does the state exist, and is it of the kind that is said?

use super::{
    summary::{FunctionDecl, StateDecl},
    workspace::Workspace,
};
use crate::{
    check::requisites::{self, Candidate},
    diagnostic::{Diagnostic, nearest},
    lower::document::{Reference, Target},
};
use std::collections::{BTreeMap, BTreeSet};

/// All that may be a target, by its names.
#[derive(Default)]
pub struct Known<'w> {
    /// Literal ids and names, with the functions they have.
    by_name: BTreeMap<&'w str, Vec<(&'w StateDecl, &'w FunctionDecl)>>,
    /// Ids of all states, those without a known function too.
    ids: BTreeSet<&'w str>,
    /// Functions whose name is computed, at least in part.
    computed: Vec<(&'w StateDecl, &'w FunctionDecl)>,
    /// States that may have more functions than are known.
    open: Vec<&'w StateDecl>,
}

impl<'w> Known<'w> {
    /// Collects the states of some files.
    pub fn of(workspace: &'w Workspace<'_>, files: impl IntoIterator<Item = usize>) -> Self {
        let mut known = Self::default();
        for file in files {
            for state in &workspace.units[file].summary.states {
                known.ids.extend(state.id.text());
                if state.open || state.id.text().is_none() && state.functions.is_empty() {
                    known.open.push(state);
                }
                for function in &state.functions {
                    let names = function.names.iter().map(|(n, _)| n);
                    let mut computed = function.open;
                    for name in std::iter::once(&state.id).chain(names) {
                        match name.text() {
                            Some(text) => known.by_name.entry(text).or_default().push((state, function)),
                            None => computed = true,
                        }
                    }
                    if computed || function.name.is_none() && function.module.is_none() {
                        known.computed.push((state, function));
                    }
                }
            }
        }
        known
    }

    /// States with exactly this id or name, of a kind.
    pub fn find(&self, name: &str, wanted: &Wanted<'_>) -> Vec<(&'w StateDecl, &'w FunctionDecl)> {
        self.by_name.get(name).into_iter().flatten().filter(|(_, f)| wanted.fits(f)).copied().collect()
    }

    fn has_id(&self, name: &str) -> bool {
        self.ids.contains(name)
    }

    /// Whether a state whose name is computed could be meant.
    fn may_have(&self, name: &str, wanted: &Wanted<'_>) -> bool {
        self.computed.iter().any(|(state, function)| {
            wanted.fits(function)
                && (function.open
                    || state.id.matches(name)
                    || function.names.iter().any(|(n, _)| n.matches(name)))
        }) || self.open.iter().any(|state| state.id.matches(name))
    }

    /// Whether some state of the kind has a name of which nothing at all is known.
    fn has_wildcard(&self, wanted: &Wanted<'_>) -> bool {
        self.computed.iter().any(|(state, function)| {
            wanted.fits(function)
                && (function.open || state.id.is_any() || function.names.iter().any(|(n, _)| n.is_any()))
        })
    }
}

/// The kind of state a target asks for.
pub enum Wanted<'r> {
    /// Any function of a module.
    Module(&'r str),
    /// One function.
    Function(&'r crate::types::FunctionName),
    /// Any state.
    Any,
}

impl Wanted<'_> {
    /// Whether a function is of the kind, or may be.
    pub fn fits(&self, function: &FunctionDecl) -> bool {
        match (self, &function.name, &function.module) {
            (Wanted::Any, ..) | (_, None, None) => true,
            (Wanted::Module(m), Some(name), _) => name.module == *m,
            (Wanted::Module(m), None, Some(module)) => module == m,
            (Wanted::Function(f), Some(name), _) => *name == **f,
            (Wanted::Function(f), None, Some(module)) => *module == f.module,
        }
    }
}

/// The name and kind a target asks for; `None` for files and for what is not known.
pub fn wanted(target: &Target) -> Option<(&str, Wanted<'_>)> {
    Some(match target {
        Target::Module { module, name } => (name, Wanted::Module(module)),
        Target::Function { function, name } => (name, Wanted::Function(function)),
        Target::Id(name) => (name, Wanted::Any),
        Target::Sls(_) | Target::Unknown => return None,
    })
}

/// What the rules about targets know of a whole project.
pub struct Targets<'w> {
    /// For each file, the files that are applied with it for sure or perhaps.
    near: Vec<Vec<usize>>,
    /// For each file, whether more than those may be.
    near_open: Vec<bool>,
    /// Everything in the project.
    everywhere: Known<'w>,
}

impl<'w> Targets<'w> {
    /// Collects.
    pub fn of(workspace: &'w Workspace<'_>) -> Self {
        let count = workspace.units.len();
        let mut includers: Vec<Vec<usize>> = vec![Vec::new(); count];
        for (from, edges) in workspace.includes.iter().enumerate() {
            for edge in edges {
                includers[edge.to].push(from);
            }
        }
        let near: Vec<Vec<usize>> = (0..count)
            .map(|start| {
                // Those that include it, and all that these include.
                let mut above = vec![start];
                let mut next = 0;
                while let Some(at) = above.get(next).copied() {
                    next += 1;
                    for from in &includers[at] {
                        if !above.contains(from) {
                            above.push(*from);
                        }
                    }
                }
                let mut all: Vec<usize> = above.iter().flat_map(|f| workspace.closure(*f, false)).collect();
                all.sort_unstable();
                all.dedup();
                all
            })
            .collect();
        let near_open = near.iter().map(|files| files.iter().any(|f| workspace.includes_open[*f])).collect();
        let everywhere = Known::of(workspace, workspace.states().map(|(i, _)| i));
        Self { near, near_open, everywhere }
    }
}

/// Reports requisites whose target does not exist.
pub fn unknown_targets(
    workspace: &Workspace<'_>,
    targets: &Targets<'_>,
    index: usize,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let unit = &workspace.units[index];
    let has_references = unit
        .summary
        .states
        .iter()
        .chain(&unit.summary.extends)
        .flat_map(|s| &s.functions)
        .any(|f| !f.references.is_empty());
    if !has_references {
        return;
    }
    let near = Known::of(workspace, targets.near[index].iter().copied());
    for state in unit.summary.states.iter().chain(&unit.summary.extends) {
        for function in &state.functions {
            for reference in &function.references {
                check_target(workspace, targets, index, &near, reference, diagnostics);
            }
        }
    }
}

fn check_target(
    workspace: &Workspace<'_>,
    targets: &Targets<'_>,
    index: usize,
    near: &Known<'_>,
    reference: &Reference,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let unit = &workspace.units[index];
    // A target that a template makes is not known, whatever its pieces say.
    if unit.tree.text.get(reference.span.range()).is_none_or(|t| t.contains("{%") || t.contains("{{")) {
        return;
    }
    if let Target::Sls(name) = &reference.target {
        // A glob may match nothing on purpose.
        if !is_pattern(name)
            && !targets.near_open[index]
            && workspace.resolve(unit.tree_kind, &unit.env, name, &unit.tree_path).is_empty()
        {
            let refs = workspace.project.references(unit.tree_kind, &unit.env);
            diagnostics.push(requisites::unknown(
                reference,
                std::iter::empty::<Candidate<'_>>(),
                refs.iter().map(String::as_str),
            ));
        }
        return;
    }
    let Some((name, wanted)) = wanted(&reference.target) else { return };
    if name.is_empty() || is_pattern(name) {
        return;
    }
    let is_id = matches!(wanted, Wanted::Any);
    for known in [near, &targets.everywhere] {
        if !known.find(name, &wanted).is_empty() || is_id && known.has_id(name) {
            return;
        }
    }
    if near.may_have(name, &wanted) || targets.near_open[index] {
        return;
    }
    let other_kind = near.by_name.get(name).and_then(|found| found.first());
    let fitting = near.by_name.iter().filter(|(_, found)| found.iter().any(|(_, f)| wanted.fits(f)));
    let typo = nearest(name, fitting.map(|(name, _)| *name));
    // Far from every name, the state may come from a file that is applied beside this one under a computed name.
    if typo.is_none() && other_kind.is_none() && targets.everywhere.has_wildcard(&wanted) {
        return;
    }
    let candidates = near.by_name.iter().flat_map(|(name, found)| {
        found.iter().filter_map(|(_, f)| f.name.as_ref()).map(|function| Candidate {
            id: name,
            name,
            function,
        })
    });
    let mut diagnostic = requisites::unknown(reference, candidates, std::iter::empty());
    if let Some((state, function)) = other_kind {
        // The name is right; the item as a whole is wrong.
        diagnostic.span = reference.span;
        let is = function.name.as_ref().map(ToString::to_string).or_else(|| function.module.clone());
        diagnostic = diagnostic.label(state.span, format!("`{name}` is `{}`", is.unwrap_or_default()));
    } else if let Some((state, _)) = typo.and_then(|near_name| near.find(near_name, &wanted).first().copied())
    {
        diagnostic = diagnostic.label(state.span, "the nearest name is defined here");
    }
    diagnostics.push(diagnostic);
}

/// Salt matches globs in requisites.
fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}
