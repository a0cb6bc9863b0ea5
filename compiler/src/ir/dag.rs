//! The DAG of states: what `plan` prints, what travels, what the runner executes.

use crate::types::{FunctionName, Map, Value};
use indexmap::IndexMap;
use petgraph::{
    Direction,
    stable_graph::{NodeIndex, StableDiGraph},
    visit::EdgeRef,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A place in a source file, as kept in plans and results: lines and columns from 1, columns in characters.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Origin {
    /// Path relative to the project's root.
    pub file: Arc<str>,
    /// Line from 1.
    pub line: u32,
    /// Column from 1, in characters.
    pub column: u32,
    /// How control got there: macro calls, imports and includes, innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<Frame>,
}

/// One step on the way to a place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Frame {
    /// Path relative to the project's root.
    pub file: Arc<str>,
    /// Line from 1.
    pub line: u32,
    /// Column from 1.
    pub column: u32,
    /// What happens there: "called from here", "included from here".
    pub what: String,
}

/// The kinds of requisite, from the side of the state that has it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requisite {
    /// All of them must have succeeded.
    Require,
    /// At least one of them must have succeeded.
    RequireAny,
    /// As `require`, and react when one changed.
    Watch,
    /// As `require_any`, and react when one changed.
    WatchAny,
    /// Run only if one of them changed, and all succeeded.
    Onchanges,
    /// Run only if one of them changed.
    OnchangesAny,
    /// Run only if one of them failed.
    Onfail,
    /// As `onfail`.
    OnfailAny,
    /// Run only if all of them failed.
    OnfailAll,
    /// Run before them, and only if one of them would change.
    Prereq,
    /// React once at the end of the run when one changed.
    Listen,
    /// Only order: from file order or `order`.
    Order,
}

/// A guard of `onlyif` or `unless`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// A shell command; its exit status decides.
    Command(String),
    /// An exec function; the truth of its result decides (`fun: pkg.version`, `args`, `get_return`).
    Call {
        /// `module.function`
        function: String,
        /// Positional arguments.
        args: Vec<Value>,
        /// Named arguments.
        kwargs: Map,
    },
}

/// `retry`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Retry {
    /// Runs in all, at least one.
    pub attempts: u32,
    /// The result that ends the attempts.
    pub until: bool,
    /// Seconds between two attempts.
    pub interval: f64,
    /// At most so many seconds more, at random.
    pub splay: f64,
}

/// What every state may say besides its function's own parameters.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// All must hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub onlyif: Vec<Guard>,
    /// None may hold. (Salt's rule for a list: the state runs unless all of them succeed.)
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<Guard>,
    /// Paths; the state does not run when all of them exist.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub creates: Vec<String>,
    /// Commands that must succeed after a change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub check_cmd: Vec<String>,
    /// Repetition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// A failure ends the run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failhard: bool,
    /// May run beside others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub parallel: bool,
    /// User that commands (and guards) run as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runas: Option<String>,
    /// Seconds a command of the state may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// Four octal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<String>,
    /// Event tag to send with the result; `true` for the default tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fire_event: Option<Value>,
    /// `order`; states without one run in order of definition between `first` and `last`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<i64>,
}

/// A state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Node {
    /// The id the author wrote.
    pub id: String,
    /// Its function.
    pub function: FunctionName,
    /// The value of the primary parameter: the id unless `name` (or `names`) says otherwise.
    pub name: String,
    /// Arguments by parameter name, decoded by the signature; defaults are not filled in.
    pub args: Map,
    /// Parameters whose values must be masked everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret: Vec<String>,
    /// Generic attributes.
    pub attributes: Attributes,
    /// The ref of the file it came from (`web.config`).
    pub sls: String,
    /// Environment of that file.
    pub env: String,
    /// Where its function stands.
    pub origin: Origin,
    /// Where each argument stands.
    #[serde(default)]
    pub arg_origins: IndexMap<String, Origin>,
}

/// From a state to one that it refers to: `source` runs after `target`, except for `prereq`, which is stored in
/// the same direction (the state that has it → its target) and executed the other way round.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Edge {
    /// The requisite.
    pub requisite: Requisite,
    /// Where it was written; `None` for edges that only order.
    pub origin: Option<Origin>,
}

/// One peel's plan.
#[derive(Clone, Debug, Default)]
pub struct Dag {
    /// States and requisites; edges point from the state that has the requisite to its target.
    pub graph: StableDiGraph<Node, Edge>,
    /// Order of execution: topological over the requisites, then `order`, then definition. Lowering fills it.
    pub schedule: Vec<NodeIndex>,
}

impl Dag {
    /// The requisites of a state, in the order they were written: kind and target.
    pub fn requisites(&self, index: NodeIndex) -> Vec<(Requisite, NodeIndex)> {
        let mut found: Vec<_> =
            self.graph.edges(index).map(|e| (e.id(), e.weight().requisite, e.target())).collect();
        found.sort_by_key(|(id, ..)| *id);
        found.into_iter().map(|(_, requisite, target)| (requisite, target)).collect()
    }

    /// The states that refer to one, with the kind of their requisite.
    pub fn prepared_by(&self, index: NodeIndex) -> Vec<(NodeIndex, Requisite)> {
        self.graph
            .edges_directed(index, Direction::Incoming)
            .map(|e| (e.source(), e.weight().requisite))
            .collect()
    }
}
