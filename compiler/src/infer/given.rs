//! The types of what states give to the files that they render: the keys of `context` and `defaults`.
//!
//! Nothing is reported by these types. They are for whoever writes the file, and a state that is edited may give others.

use super::{
    Engine, World,
    data::of_node,
    ty::{Openness, Ty},
};
use crate::{
    check::{
        scope::{GLOBALS, OF_EVENTS},
        summary::Summary,
        workspace::{UnitKind, Workspace},
    },
    project::TreeKind,
    source::Span,
    syntax::{Entry, Node, NodeKind, Tree, expression::Expr},
};
use indexmap::IndexMap;
use std::sync::Arc;

/// Files whose states are looked at for one that they render.
const MAX_RENDERERS: usize = 40;

/// The variables that a file is given by the states that render it, with what they can be.
#[derive(Clone, Default, Debug)]
pub struct Given(pub(super) IndexMap<Arc<str>, Ty>);

/// A file whose states render another: its number, and the places where they name it.
pub type Renderer = (usize, Vec<Span>);

/// Whether a file is one that states may render.
pub fn may_be_given(kind: UnitKind, tree: TreeKind) -> bool {
    matches!(kind, UnitKind::Template | UnitKind::Data) && tree == TreeKind::States
}

/// The places where a file's states name a file of the tree that they render, or may.
pub fn places(summary: &Summary, tree_path: &str) -> Vec<Span> {
    let names = summary.sources.iter().filter(|source| source.may_be(tree_path));
    names.map(|source| source.span).collect()
}

/// What states give to a file, by those who render it.
pub fn given(world: &World<'_>, renderers: impl IntoIterator<Item = Renderer>) -> Given {
    let mut states: Vec<State> = Vec::new();
    for (number, places) in renderers.into_iter().take(MAX_RENDERERS) {
        let Some(file) = world.around.file(number) else { continue };
        let mut engine = Engine::new(world, number, file);
        engine.quiet = 1;
        engine.run_file();
        let typed = |expr: &Arc<Expr>| engine.roots.get(&expr.span.start).cloned().unwrap_or(Ty::GAP);
        for place in places {
            states.extend(State::of(file.tree, place, &typed));
        }
    }
    let mut all: IndexMap<Arc<str>, Ty> = IndexMap::new();
    for name in states.iter().flat_map(|state| state.variables.keys()) {
        if !all.contains_key(name) && (!GLOBALS.contains(&&**name) || OF_EVENTS.contains(&&**name)) {
            // Who may give more may give this, too.
            let of_state = |state: &State| match state.variables.get(name) {
                Some(ty) => Some(ty.clone()),
                None => state.open.then_some(Ty::DYNAMIC),
            };
            all.insert(name.clone(), Ty::union(states.iter().filter_map(of_state)));
        }
    }
    if !states.is_empty() {
        for name in ["name", "source"] {
            all.entry(name.into()).or_insert(Ty::STR);
        }
    }
    Given(all)
}

/// As [`given`], for a file of a check.
pub(super) fn given_in(world: &World<'_>, workspace: &Workspace<'_>, index: usize) -> Given {
    let Some(unit) = workspace.units.get(index).filter(|unit| may_be_given(unit.kind, unit.tree_kind)) else {
        return Given::default();
    };
    let named = workspace.project.find(TreeKind::States, &unit.env, &unit.tree_path);
    if named.is_none_or(|file| *file.path != *unit.path) {
        return Given::default();
    }
    let others = workspace.units.iter().enumerate();
    let of_env = others.filter(|(_, other)| other.tree_kind == TreeKind::States && other.env == unit.env);
    let places = of_env.map(|(number, other)| (number, places(&other.summary, &unit.tree_path)));
    given(world, places.filter(|(_, places)| !places.is_empty()))
}

/// What one state gives.
struct State {
    variables: IndexMap<Arc<str>, Ty>,
    /// Whether it may give more.
    open: bool,
}

impl State {
    /// The one that names a source at a place.
    fn of(tree: &Tree, place: Span, typed: &dyn Fn(&Arc<Expr>) -> Ty) -> Option<Self> {
        let (entries, open) = arguments(tree, place)?;
        let named = |wanted: &'static str| {
            entries.iter().filter(move |e| e.key.text().as_deref() == Some(wanted)).map(|e| &e.value)
        };
        let open = open || entries.iter().any(|e| e.key.text().is_none());
        let mut state = Self { variables: IndexMap::new(), open };
        let around = tree.template.arms_at(place.start).len();
        for value in named("defaults").chain(named("context")) {
            let mut found = Vec::new();
            state.open |= !variables(value, typed, &mut found);
            for (name, ty, at) in found {
                // A key that stands in a branch leaves what is there without it.
                let below = at.filter(|at| tree.template.arms_at(at.start).len() > around);
                let below = below.and_then(|_| state.variables.get(&name).cloned());
                state.variables.insert(name, below.map_or(ty.clone(), |below| below.or(ty)));
            }
        }
        Some(state)
    }
}

/// Collects the variables of a map, or of a list of maps, with the places of their keys; whether those are all.
fn variables(
    node: &Node,
    typed: &dyn Fn(&Arc<Expr>) -> Ty,
    found: &mut Vec<(Arc<str>, Ty, Option<Span>)>,
) -> bool {
    match &node.kind {
        NodeKind::Empty => true,
        NodeKind::Mapping(map) => {
            let mut all = map.splices.is_empty();
            for entry in &map.entries {
                let Some(key) = entry.key.text().filter(|key| key != "<<") else {
                    all = false;
                    continue;
                };
                let ty = of_node(&entry.value, typed);
                // A literal is a switch that somebody turns by hand: it stands for its like.
                let ty = if entry.value.text().is_some() { ty.widened() } else { ty };
                found.push((key.as_ref().into(), ty, Some(entry.key.span)));
            }
            all
        }
        NodeKind::Sequence(list) => {
            list.items.iter().fold(list.splices.is_empty(), |all, item| variables(item, typed, found) && all)
        }
        NodeKind::Choice(nodes) => {
            let mut all = true;
            for node in nodes {
                all &= variables(node, typed, found);
            }
            all
        }
        // A map that an expression gives.
        NodeKind::Scalar(scalar) => match scalar.only_expr().map(typed) {
            Some(Ty::Record(record)) => {
                for (name, field) in &record.fields {
                    found.push((name.clone(), field.ty.clone(), None));
                }
                record.openness == Openness::Closed && record.fields.values().all(|field| !field.optional)
            }
            _ => false,
        },
        NodeKind::Splice(_) | NodeKind::Error => false,
    }
}

/// The arguments among which a source stands, and whether there may be more of them.
fn arguments(tree: &Tree, source: Span) -> Option<(Vec<&Entry>, bool)> {
    let is_source = |entry: &&Entry| {
        matches!(entry.key.text().as_deref(), Some("source" | "sources")) && entry.value.span.contains(source)
    };
    let bodies = tree.bodies.iter().filter_map(|body| body.root.as_ref());
    let mut pending: Vec<&Node> = tree.root.iter().chain(bodies).collect();
    while let Some(node) = pending.pop() {
        let (entries, open): (Vec<&Entry>, bool) = match &node.kind {
            NodeKind::Choice(nodes) => {
                pending.extend(nodes);
                continue;
            }
            NodeKind::Mapping(map) => (map.entries.iter().collect(), !map.splices.is_empty()),
            NodeKind::Sequence(list) => {
                let maps = || list.items.iter().filter_map(Node::as_mapping);
                let unknown = |item: &Node| matches!(item.kind, NodeKind::Choice(_) | NodeKind::Splice(_));
                let open = !list.splices.is_empty()
                    || list.items.iter().any(unknown)
                    || maps().any(|map| !map.splices.is_empty());
                (maps().flat_map(|map| &map.entries).collect(), open)
            }
            _ => continue,
        };
        if entries.iter().any(is_source) {
            return Some((entries, open));
        }
        match &node.kind {
            NodeKind::Sequence(list) => pending.extend(&list.items),
            _ => pending.extend(entries.iter().map(|entry| &entry.value)),
        }
    }
    None
}
