//! What requisites name: does the state exist, and is it of the kind that is said?

use super::{
    FastHash, computed, kinds, paths,
    pattern::Pattern,
    references::is_written,
    summary::{FunctionDecl, StateDecl, Summary},
    workspace::Workspace,
};
use crate::{
    check::requisites::{self, Candidate},
    diagnostic::{Applicability, Diagnostic, nearest},
    lower::document::{Reference, Target},
    source::Span,
    syntax::{BodyKind, Tree},
    types::Registry,
};
use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::OnceLock,
};

/// A state's function under one of its names.
struct Named<'w> {
    state: &'w StateDecl,
    function: &'w FunctionDecl,
    /// The next one of the name.
    next: Option<usize>,
}

/// All that may be a target, by its names. One is made of a whole project at every check, so it takes few allocations and a quick hash;
/// whoever chooses the names of states slows down no more than the check of his own project.
#[derive(Default)]
pub struct Known<'w> {
    /// The first function of each literal id and name.
    by_name: HashMap<&'w str, usize, FastHash>,
    named: Vec<Named<'w>>,
    /// Ids of all states, those without a known function too.
    ids: HashSet<&'w str, FastHash>,
    /// Functions whose name is computed, at least in part.
    computed: Vec<(&'w StateDecl, &'w FunctionDecl)>,
    /// States that may have more functions than are known.
    open: Vec<&'w StateDecl>,
}

impl<'w> Known<'w> {
    /// Collects the states of some files.
    pub fn of(workspace: &'w Workspace<'_>, files: impl IntoIterator<Item = usize>) -> Self {
        let mut known = Self::default();
        let files: Vec<usize> = files.into_iter().collect();
        let states = files.iter().map(|file| workspace.units[*file].summary.states.len()).sum();
        known.ids.reserve(states);
        known.by_name.reserve(states);
        known.named.reserve(states);
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
                            Some(text) => known.add(text, state, function),
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

    fn add(&mut self, name: &'w str, state: &'w StateDecl, function: &'w FunctionDecl) {
        let next = self.by_name.insert(name, self.named.len());
        self.named.push(Named { state, function, next });
    }

    /// Whatever has exactly this id or name, the last one first.
    fn under(&self, name: &str) -> impl Iterator<Item = (&'w StateDecl, &'w FunctionDecl)> {
        let first = self.by_name.get(name).map(|at| &self.named[*at]);
        std::iter::successors(first, |named| named.next.map(|at| &self.named[at]))
            .map(|named| (named.state, named.function))
    }

    /// States with exactly this id or name, of a kind, in the order of the files.
    pub fn find(&self, name: &str, wanted: &Wanted<'_>) -> Vec<(&'w StateDecl, &'w FunctionDecl)> {
        let mut found: Vec<_> = self.under(name).filter(|(_, f)| wanted.fits(f)).collect();
        found.reverse();
        found
    }

    /// Whether there is a state with exactly this id or name, of a kind.
    fn finds(&self, name: &str, wanted: &Wanted<'_>) -> bool {
        self.under(name).any(|(_, f)| wanted.fits(f))
    }

    pub(super) fn has_id(&self, name: &str) -> bool {
        self.ids.contains(name)
    }

    /// Whether some state has exactly this id or name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.ids.contains(name) || self.by_name.contains_key(name)
    }

    /// All states with their functions; one with several names more than once.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'w StateDecl, &'w FunctionDecl)> {
        self.named.iter().map(|named| (named.state, named.function)).chain(self.computed.iter().copied())
    }

    /// Whether a state whose name is computed could be meant.
    fn may_have(&self, name: &str, wanted: &Wanted<'_>, registry: &Registry) -> bool {
        self.computed.iter().any(|(state, function)| may_be(state, function, name, wanted, registry))
            || self.open.iter().any(|state| state.id.matches(name))
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

/// What the rules about targets know of a whole project. Whatever it takes all files for is collected when it is asked for:
/// after one edit, most of it never is.
pub struct Targets<'w> {
    workspace: &'w Workspace<'w>,
    /// For each file, those that include it.
    includers: OnceLock<Vec<Vec<usize>>>,
    /// Everything in the project.
    everywhere: OnceLock<Known<'w>>,
    /// Modules of all states in the project, known ones and others.
    modules: OnceLock<BTreeSet<&'w str>>,
}

/// What stands in the files that are applied with one for sure or perhaps. Only a target that is nowhere else is
/// looked for here: a tree whose files all hang together has as many of these as files, each as large as the tree.
pub(super) struct Near<'w> {
    pub(super) known: Known<'w>,
    /// What the macros write that those files call.
    pub(super) called: Vec<Summary>,
    /// Whether more files than those may be applied with it.
    pub(super) open: bool,
}

impl Near<'_> {
    /// Whether a macro may write a state of this name.
    fn is_called(&self, name: &str, wanted: &Wanted<'_>, registry: &Registry) -> bool {
        let states = self.called.iter().flat_map(|summary| &summary.states);
        states.into_iter().any(|state| {
            state.open && state.id.matches(name)
                || state.functions.iter().any(|function| may_be(state, function, name, wanted, registry))
        })
    }
}

/// Whether a state's function may be what a name of a kind means.
fn may_be(
    state: &StateDecl,
    function: &FunctionDecl,
    name: &str,
    wanted: &Wanted<'_>,
    registry: &Registry,
) -> bool {
    if !wanted.fits(function) {
        return false;
    }
    // What is written to a path is named by it, and a path begins with a slash; an id beside a name may be anything.
    if paths::cannot_be_named(registry, function, name) {
        return (function.open || !function.names.is_empty()) && state.id.matches(name);
    }
    function.open || state.id.matches(name) || function.names.iter().any(|(n, _)| n.matches(name))
}

/// Whether the targets that a file has for others are the same in a new text.
pub(super) fn are_the_same(old: (&Tree, &Summary), new: (&Tree, &Summary)) -> bool {
    let written = |(tree, _): (&Tree, &Summary), a: Span| tree.text.get(a.range()).map(str::to_owned);
    let same_name =
        |a: &(Pattern, Span), b: &(Pattern, Span)| a.0 == b.0 && written(old, a.1) == written(new, b.1);
    let same_function = |a: &FunctionDecl, b: &FunctionDecl| {
        (&a.name, &a.module, a.open) == (&b.name, &b.module, b.open)
            && a.names.len() == b.names.len()
            && a.names.iter().zip(&b.names).all(|(a, b)| same_name(a, b))
    };
    let same_state = |a: &StateDecl, b: &StateDecl| {
        (&a.id, a.open) == (&b.id, b.open)
            && written(old, a.span) == written(new, b.span)
            && a.functions.len() == b.functions.len()
            && a.functions.iter().zip(&b.functions).all(|(a, b)| same_function(a, b))
    };
    // What macros write is read off their text.
    let writes = |tree: &Tree| tree.bodies.iter().any(|body| body.kind == BodyKind::States);
    if old.1.calls != new.1.calls || (writes(old.0) || writes(new.0)) && old.0.text != new.0.text {
        return false;
    }
    let (a, b) = (&old.1.states, &new.1.states);
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_state(a, b))
}

impl<'w> Targets<'w> {
    /// Of all files. With `soon`, everything will be asked for.
    pub fn of(workspace: &'w Workspace<'_>, soon: bool) -> Self {
        let targets = Self {
            workspace,
            includers: OnceLock::new(),
            everywhere: OnceLock::new(),
            modules: OnceLock::new(),
        };
        if soon {
            targets.everywhere();
        }
        targets
    }

    /// Everything in the project.
    pub(super) fn everywhere(&self) -> &Known<'w> {
        self.everywhere
            .get_or_init(|| Known::of(self.workspace, self.workspace.states().map(|(index, _)| index)))
    }

    /// For each file, those that include it.
    fn includers(&self) -> &[Vec<usize>] {
        self.includers.get_or_init(|| {
            let mut includers: Vec<Vec<usize>> = vec![Vec::new(); self.workspace.units.len()];
            for (from, edges) in self.workspace.includes.iter().enumerate() {
                for edge in edges {
                    includers[edge.to].push(from);
                }
            }
            includers
        })
    }

    /// Whether some state of the project is of a module. Few ask.
    pub(super) fn has_module(&self, module: &str) -> bool {
        let modules = self.modules.get_or_init(|| {
            let functions = self.everywhere().all().map(|(_, f)| f);
            functions
                .filter_map(|f| f.name.as_ref().map(|n| n.module.as_str()).or(f.module.as_deref()))
                .collect()
        });
        modules.contains(module)
    }

    /// The files that are applied with one for sure or perhaps: those that include it, and all that these include.
    fn near(&self, start: usize) -> Near<'w> {
        let workspace = self.workspace;
        let mut above = vec![start];
        let mut seen = HashSet::from([start]);
        let mut next = 0;
        while let Some(at) = above.get(next).copied() {
            next += 1;
            above.extend(self.includers()[at].iter().copied().filter(|from| seen.insert(*from)));
        }
        let files: BTreeSet<usize> = workspace.closure_of(above, false).into_iter().collect();
        let mut called = Vec::new();
        let mut open = false;
        for file in files.iter().filter(|file| workspace.includes_open[**file]) {
            match workspace.states_of_calls(*file).filter(|_| !workspace.is_open_beyond_calls(*file)) {
                Some(summaries) => called.extend(summaries),
                None => open = true,
            }
        }
        Near { known: Known::of(workspace, files), called, open }
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
    let near = OnceCell::new();
    let near = || near.get_or_init(|| targets.near(index));
    let computed = OnceCell::new();
    let computed = || computed.get_or_init(|| computed::Names::of(&workspace.units[index]));
    // Most of what a file names is its own.
    let own = targets.everywhere.get().is_none().then(|| Known::of(targets.workspace, [index]));
    for state in unit.summary.states.iter().chain(&unit.summary.extends) {
        for function in &state.functions {
            for reference in &function.references {
                check_target(
                    workspace,
                    targets,
                    own.as_ref(),
                    index,
                    (&near, &computed),
                    reference,
                    diagnostics,
                );
            }
        }
    }
}

fn check_target<'n, 'w: 'n, 'u: 'n>(
    workspace: &Workspace<'_>,
    targets: &Targets<'w>,
    own: Option<&Known<'w>>,
    index: usize,
    (near, computed): (&dyn Fn() -> &'n Near<'w>, &dyn Fn() -> &'n computed::Names<'u>),
    reference: &Reference,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let unit = &workspace.units[index];
    if let Some(word) = &reference.word
        && (word.colon && kinds::unknown_kind(workspace, targets, word, diagnostics)
            || !word.colon && kinds::missing_colon(workspace, targets, index, reference, word, diagnostics))
    {
        return;
    }
    // A target that a template makes is not known, whatever its pieces say.
    if unit.tree.text.get(reference.span.range()).is_none_or(|t| t.contains("{%") || t.contains("{{")) {
        diagnostics.extend(computed::misspelt(unit, computed(), reference, near));
        return;
    }
    if let Target::Sls(name) = &reference.target {
        // A glob may match nothing on purpose.
        if !is_pattern(name)
            && workspace.resolve(unit.tree_kind, &unit.env, name, &unit.tree_path).is_empty()
            && !near().open
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
    let is_in = |known: &Known<'_>| known.finds(name, &wanted) || is_id && known.has_id(name);
    if own.is_some_and(is_in) || is_in(targets.everywhere()) {
        return;
    }
    let near_by = near();
    let Near { known: near, open, .. } = near_by;
    if is_in(near) {
        return;
    }
    if *open
        || near.may_have(name, &wanted, workspace.registry)
        || near_by.is_called(name, &wanted, workspace.registry)
    {
        // Where more states may come from, none is of a kind that does not exist.
        if let Some(word) = reference.word.as_ref().filter(|word| word.colon) {
            kinds::no_such_kind(workspace, targets, word, diagnostics);
        }
        return;
    }
    // In the order of the names, so that of two that are as near it is always the same one.
    let by_name: BTreeMap<_, _> =
        near.by_name.keys().map(|name| (*name, near.find(name, &Wanted::Any))).collect();
    let other_kind = by_name.get(name).and_then(|found| found.first());
    let fitting = by_name.iter().filter(|(_, found)| found.iter().any(|(_, f)| wanted.fits(f)));
    let typo = nearest(name, fitting.map(|(name, _)| *name));
    // Far from every name, the state may come from a file that is applied beside this one under a computed name.
    let elsewhere = || targets.everywhere().may_have(name, &wanted, workspace.registry);
    if typo.is_none() && other_kind.is_none() && elsewhere() {
        return;
    }
    let candidates = by_name.iter().flat_map(|(name, found)| {
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
        let is = function
            .name
            .as_ref()
            .map(ToString::to_string)
            .or_else(|| function.module.as_ref().map(ToString::to_string));
        diagnostic = diagnostic.label(state.span, format!("`{name}` is `{}`", is.unwrap_or_default()));
    } else if let Some((state, _)) = typo.and_then(|near_name| near.find(near_name, &wanted).first().copied())
    {
        diagnostic = diagnostic.label(state.span, "the nearest name is defined here");
    }
    if let (Some(near), None) = (typo, other_kind)
        && is_written(unit, reference.name_span, name)
    {
        let title = format!("rename to `{near}`");
        diagnostic = diagnostic.fix(title, Applicability::Unsafe, reference.name_span, near);
    }
    diagnostics.push(diagnostic);
}

/// Salt matches globs in requisites.
fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}
