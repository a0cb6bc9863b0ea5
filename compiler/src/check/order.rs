//! Requisites that cannot all hold: circles, states that wait for themselves, contradictions.

use super::{
    requisites,
    summary::{Branch, FunctionDecl, StateDecl},
    targets::{Known, Wanted, wanted},
    workspace::Workspace,
};
use crate::{
    diagnostic::Diagnostic,
    ir::Requisite,
    lower::document::{Reference, requisite_name},
    rule,
    source::Span,
    syntax::template::BlockKind,
    types::FunctionKind,
};
use std::{
    cell::OnceCell,
    collections::{BTreeSet, HashMap, HashSet},
};

rule! {
    /// A state has `prereq` on another one that waits with `onchanges` for the first.
    ///
    /// The first runs only if the second would change, and the second changes only if the first did: neither ever
    /// runs.
    ///
    /// ```yaml
    /// stop:
    ///   cmd.run:
    ///     - name: /usr/bin/stop
    ///     - prereq:
    ///       - cmd: deploy
    /// deploy:
    ///   cmd.run:
    ///     - name: /usr/bin/deploy
    ///     - onchanges:
    ///       - cmd: stop
    /// ```
    ///
    /// ```yaml
    /// stop:
    ///   cmd.run:
    ///     - name: /usr/bin/stop
    ///     - prereq:
    ///       - cmd: deploy
    /// deploy:
    ///   cmd.run:
    ///     - name: /usr/bin/deploy
    ///     - creates: /srv/app
    /// ```
    pub PREREQ_LOOP = "Z0308", "prereq-loop", Error;
}

/// A function of a state of a file.
type NodeId = (usize, usize, usize);

struct Node<'w> {
    state: &'w StateDecl,
    function: &'w FunctionDecl,
}

struct Edge {
    from: NodeId,
    to: NodeId,
    span: Span,
    requisite: Requisite,
}

/// Something that is wrong, told once however often it is found.
#[derive(Debug)]
pub struct Finding {
    /// The places it is about.
    about: Vec<Span>,
    diagnostics: Vec<Diagnostic>,
}

/// What is wrong with the requisites of one file, as far as its own text decides.
#[derive(Debug)]
pub struct OfFile {
    found: Vec<Finding>,
    contradictions: Vec<Diagnostic>,
    /// Whether a state waits for changes of others.
    waits_for_changes: bool,
}

impl OfFile {
    /// Checks a file.
    pub fn of(workspace: &Workspace<'_>, index: usize) -> Self {
        let mut own = Self { found: Vec::new(), contradictions: Vec::new(), waits_for_changes: false };
        let functions = || workspace.units[index].summary.states.iter().flat_map(|s| &s.functions);
        if functions().all(|f| f.references.is_empty()) {
            return own;
        }
        let mut branches: BTreeSet<Branch> = BTreeSet::from([Vec::new()]);
        for function in functions() {
            branches.extend(function.references.iter().map(|r| branch_at(workspace, index, r.span)));
            own.waits_for_changes |= function.references.iter().any(waits_for_changes);
            contradictions(workspace, index, function, &mut own.contradictions);
        }
        // Cost is bounded: a file with hundreds of branches is not searched on each of them.
        for branch in branches.into_iter().take(64) {
            check_files(workspace, &[index], &branch, &mut own.found);
        }
        own
    }
}

/// Checks the requisites of files that are applied together.
pub fn of_group(workspace: &Workspace<'_>, files: &[usize]) -> Vec<Finding> {
    let mut found = Vec::new();
    check_files(workspace, files, &Vec::new(), &mut found);
    found
}

/// Reports what is wrong in files and in groups of files, and states that never run.
pub fn report<'f>(
    workspace: &Workspace<'_>,
    files: impl Iterator<Item = (usize, &'f OfFile)>,
    groups: impl Iterator<Item = &'f [Finding]>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut reported: HashSet<&[Span]> = HashSet::new();
    let mut push = |found: &'f [Finding], diagnostics: &mut Vec<Diagnostic>| {
        for finding in found {
            if reported.insert(&finding.about) {
                diagnostics.extend(finding.diagnostics.iter().cloned());
            }
        }
    };
    for (index, own) in files {
        push(&own.found, diagnostics);
        diagnostics.extend(own.contradictions.iter().cloned());
        if own.waits_for_changes {
            waiting_for_nothing(workspace, index, diagnostics);
        }
    }
    for found in groups {
        push(found, diagnostics);
    }
}

/// Reports states of a file that wait for changes of states that never change.
fn waiting_for_nothing(workspace: &Workspace<'_>, index: usize, diagnostics: &mut Vec<Diagnostic>) {
    let near = OnceCell::new();
    let near = || near.get_or_init(|| Known::of(workspace, workspace.closure(index, false)));
    for state in &workspace.units[index].summary.states {
        for function in &state.functions {
            let id = state.id.text().unwrap_or("the state");
            never_changes(workspace, &near, id, function, diagnostics);
        }
    }
}

fn waits_for_changes(reference: &Reference) -> bool {
    !reference.inverted && matches!(reference.requisite, Requisite::Onchanges | Requisite::OnchangesAny)
}

fn branch_at(workspace: &Workspace<'_>, file: usize, span: Span) -> Branch {
    let template = &workspace.units[file].tree.template;
    let mut branch = template.arms_at(span.start);
    branch.retain(|(block, _)| !matches!(template.blocks[*block].kind, BlockKind::Macro { .. }));
    branch
}

fn holds(branch: &Branch, place: &Branch) -> bool {
    place.iter().all(|arm| branch.contains(arm))
}

/// Looks for circles among the states of some files, on one branch.
fn check_files(workspace: &Workspace<'_>, files: &[usize], branch: &Branch, found: &mut Vec<Finding>) {
    let mut nodes: HashMap<NodeId, Node<'_>> = HashMap::new();
    let mut by_name: HashMap<&str, Vec<NodeId>> = HashMap::new();
    for file in files {
        for (s, state) in workspace.units[*file].summary.states.iter().enumerate() {
            if !holds(branch, &state.branch) || state.body.is_some() {
                continue;
            }
            for (f, function) in state.functions.iter().enumerate() {
                if !holds(branch, &function.branch) {
                    continue;
                }
                let id = (*file, s, f);
                nodes.insert(id, Node { state, function });
                for name in std::iter::once(&state.id).chain(function.names.iter().map(|(n, _)| n)) {
                    if let Some(text) = name.text() {
                        let found = by_name.entry(text).or_default();
                        if !found.contains(&id) {
                            found.push(id);
                        }
                    }
                }
            }
        }
    }
    let mut ids: Vec<NodeId> = nodes.keys().copied().collect();
    ids.sort_unstable();
    let mut edges: Vec<Edge> = Vec::new();
    for id in &ids {
        let node = &nodes[id];
        for reference in &node.function.references {
            if !holds(branch, &branch_at(workspace, id.0, reference.span)) {
                continue;
            }
            let Some((name, kind)) = wanted(&reference.target) else { continue };
            let all: Vec<NodeId> = by_name
                .get(name)
                .into_iter()
                .flatten()
                .copied()
                .filter(|t| kind.fits(nodes[t].function) && nodes[t].function.name.is_some())
                .collect();
            if all == [*id] && !matches!(kind, Wanted::Any) {
                let id = node.state.id.text().unwrap_or(name);
                let itself = requisites::itself(reference, id);
                found.push(Finding {
                    about: vec![reference.span],
                    diagnostics: vec![itself.label(node.state.span, "this is the state it names")],
                });
            }
            for target in all.into_iter().filter(|t| t != id) {
                let (from, to) = if reference.inverted { (target, *id) } else { (*id, target) };
                edges.push(Edge { from, to, span: reference.span, requisite: reference.requisite });
            }
        }
    }
    prereq_loops(&edges, &nodes, found);
    circles(&ids, &edges, &nodes, found);
}

fn label(nodes: &HashMap<NodeId, Node<'_>>, id: &NodeId) -> String {
    let Some(node) = nodes.get(id) else { return String::new() };
    let function = node.function.name.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{function}:{}", node.state.id.text().unwrap_or("…"))
}

fn prereq_loops(edges: &[Edge], nodes: &HashMap<NodeId, Node<'_>>, found: &mut Vec<Finding>) {
    for prereq in edges.iter().filter(|e| e.requisite == Requisite::Prereq) {
        let back = edges
            .iter()
            .find(|e| e.requisite == Requisite::Onchanges && e.from == prereq.to && e.to == prereq.from);
        // With a second `onchanges` target the circle has another way out.
        let only =
            edges.iter().filter(|e| e.requisite == Requisite::Onchanges && e.from == prereq.to).count() == 1;
        let Some(back) = back.filter(|_| only) else { continue };
        let diagnostic = Diagnostic::new(
            &PREREQ_LOOP,
            back.span,
            format!(
                "`{}` runs only after a change of `{}`, which runs only before a change of the first",
                label(nodes, &back.from),
                label(nodes, &back.to)
            ),
        )
        .label(prereq.span, "the `prereq` is here")
        .help("remove one of the two");
        found.push(Finding { about: vec![prereq.span, back.span], diagnostics: vec![diagnostic] });
    }
}

/// Finds circles by depth-first search over a stack of its own, and reports each once.
fn circles(ids: &[NodeId], edges: &[Edge], nodes: &HashMap<NodeId, Node<'_>>, found: &mut Vec<Finding>) {
    // What must run first: the target, except that `prereq` puts its own state first. `listen` only reacts later.
    let mut after: HashMap<NodeId, Vec<(NodeId, Span, Requisite)>> = HashMap::new();
    for edge in edges {
        let (from, to) = match edge.requisite {
            Requisite::Listen | Requisite::Order => continue,
            Requisite::Prereq => (edge.to, edge.from),
            _ => (edge.from, edge.to),
        };
        after.entry(from).or_default().push((to, edge.span, edge.requisite));
    }
    let mut done: HashMap<NodeId, bool> = HashMap::new();
    for start in ids {
        if done.contains_key(start) {
            continue;
        }
        done.insert(*start, false);
        let mut path: Vec<(NodeId, usize)> = vec![(*start, 0)];
        while let Some((at, next)) = path.last().copied() {
            let Some((to, ..)) = after.get(&at).and_then(|e| e.get(next)).copied() else {
                done.insert(at, true);
                path.pop();
                continue;
            };
            if let Some(top) = path.last_mut() {
                top.1 += 1;
            }
            match done.get(&to) {
                Some(true) => {}
                None => {
                    done.insert(to, false);
                    path.push((to, 0));
                }
                Some(false) => {
                    let from = path.iter().position(|(id, _)| *id == to).unwrap_or(0);
                    let steps: Vec<(NodeId, Span, Requisite)> = path[from..]
                        .iter()
                        .filter_map(|(id, next)| {
                            let (_, span, requisite) = after.get(id)?.get(next.checked_sub(1)?)?;
                            Some((*id, *span, *requisite))
                        })
                        .collect();
                    found.push(circle(&steps, nodes));
                }
            }
        }
    }
}

fn circle(steps: &[(NodeId, Span, Requisite)], nodes: &HashMap<NodeId, Node<'_>>) -> Finding {
    let mut about: Vec<Span> = steps.iter().map(|(_, span, _)| *span).collect();
    about.sort();
    let names: Vec<String> = steps.iter().map(|(id, ..)| label(nodes, id)).collect();
    let next = names.iter().cycle().skip(1);
    let steps: Vec<requisites::Step> = steps
        .iter()
        .zip(names.iter().zip(next))
        .map(|((_, span, requisite), (from, to))| requisites::Step {
            from: from.clone(),
            word: requisite_name(*requisite),
            to: to.clone(),
            span: *span,
        })
        .collect();
    Finding { about, diagnostics: requisites::cycle(&steps).into_iter().collect() }
}

fn contradictions(
    workspace: &Workspace<'_>,
    file: usize,
    function: &FunctionDecl,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let unconditional =
        |r: &&Reference| !r.inverted && holds(&function.branch, &branch_at(workspace, file, r.span));
    let onfail: Vec<&Reference> = function
        .references
        .iter()
        .filter(|r| {
            !r.inverted
                && matches!(r.requisite, Requisite::Onfail | Requisite::OnfailAny | Requisite::OnfailAll)
        })
        .collect();
    let required: Vec<&Reference> = function
        .references
        .iter()
        .filter(unconditional)
        .filter(|r| matches!(r.requisite, Requisite::Require | Requisite::Watch | Requisite::Onchanges))
        .collect();
    let same = |a: &Reference, b: &Reference| a.target == b.target && wanted(&a.target).is_some();
    // With one more `onfail` target that is not required, the state may still run.
    if function.open || !onfail.iter().all(|f| required.iter().any(|r| same(f, r))) {
        return;
    }
    let Some(fail) = onfail.first() else { return };
    let Some(require) = required.iter().find(|r| same(fail, r)) else { return };
    let (later, earlier) = if fail.span > require.span { (fail, require) } else { (require, fail) };
    diagnostics.push(requisites::contradiction(
        (earlier.requisite, earlier.span),
        (later.requisite, later.span),
        &requisites::describe(&later.target),
    ));
}

fn never_changes<'n, 'w: 'n>(
    workspace: &Workspace<'_>,
    near: &dyn Fn() -> &'n Known<'w>,
    id: &str,
    function: &FunctionDecl,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let onchanges: Vec<&Reference> = function.references.iter().filter(|r| waits_for_changes(r)).collect();
    if onchanges.is_empty() || function.open {
        return;
    }
    let known = near();
    let mut first = None;
    for reference in &onchanges {
        let Some((name, kind)) = wanted(&reference.target) else { return };
        let found = known.find(name, &kind);
        let silent = !found.is_empty()
            && found.iter().all(|(_, f)| {
                f.name.as_ref().is_some_and(|n| {
                    workspace
                        .registry
                        .get(FunctionKind::State, &n.module, &n.function)
                        .is_some_and(|s| s.never_changes)
                }) && !f.open
                    // What reacts to a watched state reports that as a change.
                    && f.references.iter().all(|r| !is_watch(r))
            });
        if !silent || watched_from_elsewhere(workspace, name) {
            return;
        }
        first = first.or_else(|| found.first().map(|(s, f)| (*reference, s.span, f.name.clone())));
    }
    let Some((reference, place, Some(target))) = first else { return };
    diagnostics.push(
        requisites::unreachable(reference.span, id, &[target.to_string()])
            .label(place, "the target is defined here"),
    );
}

fn is_watch(reference: &Reference) -> bool {
    matches!(reference.requisite, Requisite::Watch | Requisite::WatchAny | Requisite::Listen)
}

fn watched_from_elsewhere(workspace: &Workspace<'_>, name: &str) -> bool {
    workspace.states().flat_map(|(_, u)| u.summary.states.iter().chain(&u.summary.extends)).any(|s| {
        s.functions.iter().flat_map(|f| &f.references).any(|r| {
            is_watch(r)
                && (r.inverted && wanted(&r.target).is_none_or(|(n, _)| n == name) || s.id.matches(name))
        })
    })
}
