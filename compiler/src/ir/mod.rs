//! The lowered form: one peel's states, typed, ordered, with the places they came from.

mod dag;
mod encode;
mod graph;
mod json;
mod text;

pub use dag::{Attributes, Dag, Edge, Frame, Guard, Node, Origin, Requisite, Retry};
pub use encode::{DecodeDagError, FORMAT};
pub use graph::{dot, mermaid};
pub use json::json;
pub use text::text;

pub use petgraph::stable_graph::NodeIndex;
