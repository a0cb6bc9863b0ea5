//! What is different between two plans: states that come, go or change, and how.

use super::{Dag, Node, NodeIndex, text};
use crate::types::Value;
use indexmap::IndexMap;
use petgraph::{Direction, visit::EdgeRef};
use serde::Serialize;
use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write,
};

/// What happens to a state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It says something else.
    Changed,
}

/// A value before and after; `None` where it is not given.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Difference {
    /// The argument or attribute.
    pub name: String,
    /// Before.
    pub old: Option<Value>,
    /// After.
    pub new: Option<Value>,
}

/// One state's difference.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct StateChange {
    /// What happens to it.
    pub fate: Fate,
    /// Its id.
    pub id: String,
    /// Its function.
    pub function: String,
    /// Its name.
    pub name: String,
    /// Where it stands: in the new plan, or in the old one when it is gone.
    pub origin: super::Origin,
    /// Arguments that differ; all of a state that comes.
    pub arguments: Vec<Difference>,
    /// Attributes that differ.
    pub attributes: Vec<Difference>,
    /// Requisites that come, as `require: pkg.installed nginx`.
    pub requisites_added: Vec<String>,
    /// Requisites that go.
    pub requisites_removed: Vec<String>,
}

/// The difference of two plans.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct PlanDiff {
    /// States, in the order of the new plan; those that are gone last.
    pub states: Vec<StateChange>,
    /// Whether states that both plans have run in another order.
    pub reordered: bool,
}

/// A plan with what may be shown of it: the same graph, with secrets masked.
#[derive(Clone, Copy)]
pub struct Shown<'d> {
    /// What is compared.
    pub plan: &'d Dag,
    /// What is shown; states have the same indices.
    pub shown: &'d Dag,
}

/// Two states are the same one when id, function and name are; where those are given several times, in order.
type Key<'d> = (&'d str, String, &'d str, usize);

impl PlanDiff {
    /// Compares two plans.
    pub fn of(old: Shown<'_>, new: Shown<'_>) -> Self {
        let (before, after) = (keyed(old.plan), keyed(new.plan));
        let mut states = Vec::new();
        for (key, index) in &after {
            let change = match before.get(key) {
                None => whole(new, *index, Fate::Added),
                Some(earlier) => changed(old, *earlier, new, *index),
            };
            states.extend(change);
        }
        for (key, index) in &before {
            if !after.contains_key(key) {
                states.extend(whole(old, *index, Fate::Removed));
            }
        }
        let common = |these: &IndexMap<Key<'_>, NodeIndex>, those: &IndexMap<Key<'_>, NodeIndex>| {
            these
                .keys()
                .filter(|key| those.contains_key(*key))
                .map(|(id, function, name, at)| format!("{id}\0{function}\0{name}\0{at}"))
                .collect::<Vec<_>>()
        };
        let reordered = common(&before, &after) != common(&after, &before);
        Self { states, reordered }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && !self.reordered
    }

    /// For people: `+` comes, `-` goes, `~` changes.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for state in &self.states {
            let sign = match state.fate {
                Fate::Added => '+',
                Fate::Removed => '-',
                Fate::Changed => '~',
            };
            let name = if state.id == state.name {
                String::new()
            } else {
                format!(" ({})", state.name.replace('\n', " "))
            };
            let origin = &state.origin;
            let _ = writeln!(
                out,
                "{sign} {} {}{name}  [{}:{}:{}]",
                state.function, state.id, origin.file, origin.line, origin.column
            );
            for difference in state.arguments.iter().chain(&state.attributes) {
                let shown = |value: &Option<Value>| value.as_ref().map(text::scalar);
                let _ = match (shown(&difference.old), shown(&difference.new)) {
                    (Some(old), Some(new)) => writeln!(out, "    ~ {}: {old} → {new}", difference.name),
                    (None, Some(new)) => writeln!(out, "    + {}: {new}", difference.name),
                    (Some(old), None) => writeln!(out, "    - {}: {old}", difference.name),
                    (None, None) => Ok(()),
                };
            }
            for requisite in &state.requisites_added {
                let _ = writeln!(out, "    + {requisite}");
            }
            for requisite in &state.requisites_removed {
                let _ = writeln!(out, "    - {requisite}");
            }
        }
        if self.reordered {
            out.push_str("~ states run in another order\n");
        }
        out
    }
}

fn keyed(dag: &Dag) -> IndexMap<Key<'_>, NodeIndex> {
    let mut counts: HashMap<(&str, String, &str), usize> = HashMap::new();
    let mut found = IndexMap::new();
    for index in &dag.schedule {
        let Some(node) = dag.graph.node_weight(*index) else { continue };
        let key = (node.id.as_str(), node.function.to_string(), node.name.as_str());
        let count = counts.entry(key.clone()).or_default();
        found.insert((key.0, key.1, key.2, *count), *index);
        *count += 1;
    }
    found
}

fn empty(node: &Node, fate: Fate) -> StateChange {
    StateChange {
        fate,
        id: node.id.clone(),
        function: node.function.to_string(),
        name: node.name.clone(),
        origin: node.origin.clone(),
        arguments: Vec::new(),
        attributes: Vec::new(),
        requisites_added: Vec::new(),
        requisites_removed: Vec::new(),
    }
}

fn whole(of: Shown<'_>, index: NodeIndex, fate: Fate) -> Option<StateChange> {
    let node = of.shown.graph.node_weight(index)?;
    let mut change = empty(node, fate);
    if fate == Fate::Added {
        change.arguments = node
            .args
            .iter()
            .filter(|(name, value)| *name != "name" || value.as_str() != Some(node.name.as_str()))
            .map(|(name, value)| Difference {
                name: name.clone(),
                old: None,
                new: Some(shown(node, name, value)),
            })
            .collect();
        change.requisites_added = requisites(of.plan, index).into_iter().collect();
    }
    Some(change)
}

fn changed(old: Shown<'_>, before: NodeIndex, new: Shown<'_>, after: NodeIndex) -> Option<StateChange> {
    let (was, is) = (old.plan.graph.node_weight(before)?, new.plan.graph.node_weight(after)?);
    let (was_shown, is_shown) = (old.shown.graph.node_weight(before)?, new.shown.graph.node_weight(after)?);
    let mut change = empty(is_shown, Fate::Changed);
    let names: BTreeSet<&String> = was.args.keys().chain(is.args.keys()).collect();
    for name in names {
        if was.args.get(name) == is.args.get(name) {
            continue;
        }
        let of = |node: &Node| node.args.get(name).map(|value| shown(node, name, value));
        change.arguments.push(Difference { name: name.clone(), old: of(was_shown), new: of(is_shown) });
    }
    if was.attributes != is.attributes {
        let of = |node: &Node| {
            let mut found: IndexMap<&'static str, Vec<String>> = IndexMap::new();
            for (name, value) in text::attributes(&node.attributes) {
                found.entry(name).or_default().push(value);
            }
            found
        };
        let (was, is) = (of(was_shown), of(is_shown));
        let names: BTreeSet<&str> = was.keys().chain(is.keys()).copied().collect();
        for name in names {
            let value = |side: &IndexMap<&'static str, Vec<String>>| {
                side.get(name).map(|values| Value::from(values.join(", ").as_str()))
            };
            let (old, new) = (value(&was), value(&is));
            if old != new {
                change.attributes.push(Difference { name: name.to_owned(), old, new });
            }
        }
    }
    let (had, has) = (requisites(old.plan, before), requisites(new.plan, after));
    change.requisites_added = has.difference(&had).cloned().collect();
    change.requisites_removed = had.difference(&has).cloned().collect();
    let same = change.arguments.is_empty()
        && change.attributes.is_empty()
        && change.requisites_added.is_empty()
        && change.requisites_removed.is_empty();
    (!same).then_some(change)
}

fn shown(node: &Node, name: &String, value: &Value) -> Value {
    if node.secret.contains(name) { Value::from(crate::settings::MASK) } else { value.clone() }
}

fn requisites(dag: &Dag, index: NodeIndex) -> BTreeSet<String> {
    dag.graph
        .edges_directed(index, Direction::Outgoing)
        .filter(|e| e.weight().origin.is_some())
        .filter_map(|e| {
            let target = dag.graph.node_weight(e.target())?;
            let word = crate::lower::document::requisite_name(e.weight().requisite);
            Some(format!("{word}: {}", text::label(target)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::encode::tests::sample, *};

    fn diff(old: &Dag, new: &Dag) -> PlanDiff {
        PlanDiff::of(Shown { plan: old, shown: old }, Shown { plan: new, shown: new })
    }

    #[test]
    fn equal_plans_have_no_difference() {
        assert!(diff(&sample(), &sample()).is_empty());
    }

    #[test]
    fn arguments_states_and_secrets() {
        let (old, mut new) = (sample(), sample());
        let (first, second) = (new.schedule[0], new.schedule[1]);
        new.graph[first].args.insert("version".to_owned(), "1.10".into());
        new.graph[first].args.insert("key".to_owned(), "hunter2".into());
        new.graph[first].secret.push("key".to_owned());
        new.graph[second].id = "other".to_owned();
        let origin = new.graph[first].origin.clone();
        new.graph.edge_weights_mut().for_each(|edge| edge.origin = Some(origin.clone()));
        let text = diff(&old, &new).text();
        assert!(text.contains("~ pkg.installed nginx"), "{text}");
        assert!(text.contains("    + version: \"1.10\"\n"), "{text}");
        assert!(text.contains("    + key: \"***\"\n") && !text.contains("hunter2"), "{text}");
        assert!(text.contains("+ service.running other (nginx)"), "{text}");
        assert!(text.contains("    + require: pkg.installed nginx\n"), "{text}");
        assert!(text.contains("- service.running nginx"), "{text}");
    }

    #[test]
    fn another_order_is_a_difference() {
        let (old, mut new) = (sample(), sample());
        new.schedule.reverse();
        assert!(diff(&old, &new).reordered);
    }
}
