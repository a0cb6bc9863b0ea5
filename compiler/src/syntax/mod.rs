//! `.zy` text to one lossless tree, on all branches at once.
//!
//! The way there: [segments](segment) → [template blocks](template) with [expressions](expression) in them →
//! [shadows](shadow), one text of the source's length per choice of branches → [YAML](yaml) events → one
//! [`Tree`]. It cannot fail: what is wrong becomes diagnostics beside the tree.
//!
//! Invariants: every offset in the tree is an offset of the source; the work is linear in the text; nothing in
//! here panics, whatever the bytes.

pub mod expression;
pub mod template;
pub mod tree;

pub use tree::{Entry, Mapping, Node, NodeKind, Part, Scalar, ScalarStyle, Sequence, Splice, Tree};
