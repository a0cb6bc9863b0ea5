//! The plan for programs.

use super::{Dag, Origin, Requisite};
use crate::types::{Map, Value};
use petgraph::{Direction, graph::NodeIndex, visit::EdgeRef};
use serde::Serialize;
use std::collections::HashMap;

#[derive(Serialize)]
struct Plan<'d> {
    format_version: &'static str,
    digest: String,
    states: Vec<State<'d>>,
}

#[derive(Serialize)]
struct State<'d> {
    /// Position in the order of execution, from 0; requisites refer to it.
    index: usize,
    id: &'d str,
    function: String,
    name: &'d str,
    args: Map,
    attributes: &'d super::Attributes,
    sls: &'d str,
    env: &'d str,
    origin: &'d Origin,
    arg_origins: &'d indexmap::IndexMap<String, Origin>,
    requisites: Vec<Requirement<'d>>,
}

#[derive(Serialize)]
struct Requirement<'d> {
    kind: Requisite,
    index: usize,
    id: &'d str,
    function: String,
    origin: Option<&'d Origin>,
}

/// The plan as one JSON document; states stand in order of execution, secrets are masked.
pub fn json(dag: &Dag) -> String {
    let turn: HashMap<NodeIndex, usize> = dag.schedule.iter().enumerate().map(|(i, n)| (*n, i)).collect();
    let states = dag
        .schedule
        .iter()
        .enumerate()
        .filter_map(|(index, at)| {
            let node = dag.graph.node_weight(*at)?;
            let mut requisites: Vec<Requirement<'_>> = dag
                .graph
                .edges_directed(*at, Direction::Outgoing)
                .filter_map(|e| {
                    let target = dag.graph.node_weight(e.target())?;
                    Some(Requirement {
                        kind: e.weight().requisite,
                        index: turn.get(&e.target()).copied()?,
                        id: &target.id,
                        function: target.function.to_string(),
                        origin: e.weight().origin.as_ref(),
                    })
                })
                .collect();
            requisites.sort_by_key(|r| (r.kind, r.index));
            let mut args = node.args.clone();
            for name in &node.secret {
                args.insert(name.clone(), Value::from("***"));
            }
            Some(State {
                index,
                id: &node.id,
                function: node.function.to_string(),
                name: &node.name,
                args,
                attributes: &node.attributes,
                sls: &node.sls,
                env: &node.env,
                origin: &node.origin,
                arg_origins: &node.arg_origins,
                requisites,
            })
        })
        .collect();
    let plan = Plan { format_version: "1.0", digest: dag.digest(), states };
    serde_json::to_string_pretty(&plan).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::encode::tests::sample;

    #[test]
    fn requisites_refer_to_states_by_position() {
        let mut dag = sample();
        for index in dag.schedule.clone() {
            dag.graph[index].args.insert("password".to_owned(), "hunter2".into());
            dag.graph[index].secret.push("password".to_owned());
        }
        let text = super::json(&dag);
        assert!(!text.contains("hunter2"));
        let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(plan["states"][0]["function"], "pkg.installed");
        assert_eq!(plan["states"][1]["requisites"][0]["index"], 0);
        assert_eq!(plan["states"][1]["requisites"][0]["kind"], "require");
        assert_eq!(plan["states"][1]["origin"]["line"], 2);
    }
}
