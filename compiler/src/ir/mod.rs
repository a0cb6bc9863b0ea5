//! The lowered form: one peel's states, typed, ordered, with the places they came from.

mod dag;

pub use dag::{Attributes, Dag, Edge, Frame, Guard, Node, Origin, Requisite, Retry};
