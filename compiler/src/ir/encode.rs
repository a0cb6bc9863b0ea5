//! The Dag as bytes: canonical MessagePack, so that a plan can be stored, hashed, compared, signed and sent.

use super::{Dag, Edge, Node, Origin, Requisite};
use petgraph::{
    graph::NodeIndex,
    visit::{EdgeRef, IntoEdgeReferences},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, fmt::Write};

/// Version of the encoding. A reader refuses others.
pub const FORMAT: u32 = 1;

/// Most states and requisites an encoded plan may have.
const MAX_NODES: usize = 10_000_000;

/// Why bytes are no plan.
#[derive(Debug, thiserror::Error)]
pub enum DecodeDagError {
    /// They are not MessagePack of this shape.
    #[error("these bytes are not a plan: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
    /// Written by a later version.
    #[error("this plan has format {found}; this version reads format {FORMAT}")]
    Version {
        /// The format it has.
        found: u32,
    },
    /// Its parts contradict each other.
    #[error("this plan is damaged: {0}")]
    Inconsistent(String),
}

#[derive(Serialize, Deserialize)]
struct Envelope<N> {
    v: u32,
    states: Vec<N>,
    requisites: Vec<WireEdge>,
    schedule: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct WireEdge {
    from: u32,
    to: u32,
    requisite: Requisite,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

impl Dag {
    /// The canonical bytes: the same plan gives the same bytes. States are in order of definition, requisites sorted
    /// by the state that has them, the state they name, and their kind.
    pub fn encode(&self) -> Vec<u8> {
        let position: HashMap<NodeIndex, u32> =
            self.graph.node_indices().enumerate().map(|(i, n)| (n, i as u32)).collect();
        let mut requisites: Vec<WireEdge> = self
            .graph
            .edge_references()
            .map(|e| WireEdge {
                from: position[&e.source()],
                to: position[&e.target()],
                requisite: e.weight().requisite,
                origin: e.weight().origin.clone(),
            })
            .collect();
        requisites.sort_by_key(|e| (e.from, e.to, e.requisite));
        let envelope = Envelope::<&Node> {
            v: FORMAT,
            states: self.graph.node_weights().collect(),
            requisites,
            schedule: self.schedule.iter().filter_map(|n| position.get(n).copied()).collect(),
        };
        // Writing into memory cannot fail, and every type in a plan has an encoding.
        rmp_serde::to_vec_named(&envelope).unwrap_or_default()
    }

    /// Reads a plan. All of it is checked: what refers to what, and that the order satisfies the requisites.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeDagError> {
        let Version { v } = rmp_serde::from_slice(bytes)?;
        if v != FORMAT {
            return Err(DecodeDagError::Version { found: v });
        }
        let envelope: Envelope<Node> = rmp_serde::from_slice(bytes)?;
        let wrong = |what: &str| Err(DecodeDagError::Inconsistent(what.to_owned()));
        if envelope.states.len() > MAX_NODES || envelope.requisites.len() > MAX_NODES {
            return wrong("it has too many states");
        }
        let mut dag = Dag::default();
        let nodes: Vec<NodeIndex> = envelope.states.into_iter().map(|n| dag.graph.add_node(n)).collect();
        let mut turn: Vec<Option<usize>> = vec![None; nodes.len()];
        for (at, state) in envelope.schedule.iter().enumerate() {
            match turn.get_mut(*state as usize) {
                Some(slot @ None) => *slot = Some(at),
                Some(Some(_)) => return wrong("a state is scheduled twice"),
                None => return wrong("its order names a state that it does not have"),
            }
        }
        if turn.contains(&None) {
            return wrong("a state is not scheduled");
        }
        for edge in envelope.requisites {
            let (from, to) = (edge.from as usize, edge.to as usize);
            let (Some(source), Some(target)) = (nodes.get(from), nodes.get(to)) else {
                return wrong("a requisite names a state that it does not have");
            };
            let satisfied = match edge.requisite {
                Requisite::Listen => true,
                Requisite::Prereq => turn[from] < turn[to],
                _ => turn[to] < turn[from],
            };
            if !satisfied {
                return wrong("its order does not satisfy its requisites");
            }
            dag.graph.add_edge(*source, *target, Edge { requisite: edge.requisite, origin: edge.origin });
        }
        dag.schedule = envelope.schedule.iter().filter_map(|i| nodes.get(*i as usize).copied()).collect();
        Ok(dag)
    }

    /// SHA-256 of the canonical bytes, in hexadecimal.
    pub fn digest(&self) -> String {
        Sha256::digest(self.encode()).iter().fold(String::with_capacity(64), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{ir::Attributes, types::FunctionName};

    pub fn sample() -> Dag {
        let node = |id: &str, function: &str| Node {
            id: id.to_owned(),
            function: FunctionName::parse(function).unwrap(),
            name: id.to_owned(),
            args: [("name".to_owned(), id.into())].into_iter().collect(),
            secret: Vec::new(),
            attributes: Attributes::default(),
            sls: "web".to_owned(),
            env: "base".to_owned(),
            origin: Origin { file: "states/web.zy".into(), line: 2, column: 3, via: Vec::new() },
            arg_origins: indexmap::IndexMap::new(),
        };
        let mut dag = Dag::default();
        let service = dag.graph.add_node(node("nginx", "service.running"));
        let package = dag.graph.add_node(node("nginx", "pkg.installed"));
        dag.graph.add_edge(service, package, Edge { requisite: Requisite::Require, origin: None });
        dag.schedule = vec![package, service];
        dag
    }

    #[test]
    fn the_encoding_is_stable() {
        // A change of these bytes is a change of the format: raise `FORMAT`.
        assert_eq!(sample().digest(), "05d2d28da3d0895cf3955b856fd6fe4a2faeb4f9bf7d688502bf53fdfff505c3");
    }

    #[test]
    fn what_is_written_is_read() {
        let dag = sample();
        let back = Dag::decode(&dag.encode()).unwrap();
        assert_eq!(back.encode(), dag.encode());
        assert_eq!(back.schedule.len(), 2);
    }

    #[test]
    fn damaged_plans_are_refused() {
        let bytes = sample().encode();
        for length in 0..bytes.len() {
            assert!(Dag::decode(&bytes[..length]).is_err(), "{length}");
        }
        let mut dag = sample();
        dag.schedule.reverse();
        assert!(matches!(Dag::decode(&dag.encode()), Err(DecodeDagError::Inconsistent(_))));
        dag.schedule.pop();
        assert!(matches!(Dag::decode(&dag.encode()), Err(DecodeDagError::Inconsistent(_))));
        let later = rmp_serde::to_vec_named(&serde_json::json!({"v": 2, "states": 5})).unwrap();
        assert!(matches!(Dag::decode(&later), Err(DecodeDagError::Version { found: 2 })));
    }
}
