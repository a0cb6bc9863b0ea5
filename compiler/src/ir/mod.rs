//! The lowered form: one peel's states, typed, ordered, with the places they came from.

mod dag;
mod diff;
mod encode;
mod graph;
mod json;
mod text;

pub use dag::{Attributes, Dag, Edge, Frame, Guard, Node, Origin, Requisite, Retry};
pub use diff::{Difference, Fate, PlanDiff, Shown, StateChange};
pub use encode::{DecodeDagError, FORMAT};
pub use graph::Picture;
pub use json::json;
pub use text::text;

pub use petgraph::stable_graph::NodeIndex;
