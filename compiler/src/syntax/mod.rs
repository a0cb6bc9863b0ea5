//! `.zy` text to one lossless tree, on all branches at once.
//!
//! The way there: segments → template blocks with expressions in them → the flat text without its tags →
//! shadows, one text of the source's length per choice of branches → YAML events → one [`Tree`], merged. It cannot fail: what is wrong becomes diagnostics beside the tree.
//!
//! Invariants: every offset in the tree is an offset of the source; the work is linear in the text; nothing in
//! here panics, whatever the bytes.

pub mod blocks;
#[cfg(test)]
pub(crate) mod dump;
pub mod expression;
mod flat;
mod grammar;
mod merge;
mod parse;
mod rendered;
pub mod segment;
mod shadow;
mod stand;
pub mod template;
pub mod token;
pub mod tree;
mod yaml;

pub use expression::parse_expr;
pub use parse::parse;
pub use rendered::{Document, Hole, parse_rendered};
pub use tree::{
    Body, BodyKind, Entry, Mapping, Node, NodeKind, Opaque, Part, Scalar, ScalarStyle, Sequence, Splice, Tree,
};
pub use yaml::{YamlError, load_yaml, node_to_value};

/// The rules this room declares.
pub fn rules() -> impl Iterator<Item = &'static crate::diagnostic::Rule> {
    [expression::RULES, blocks::RULES, merge::RULES, parse::RULES, rendered::RULES, yaml::RULES]
        .into_iter()
        .flatten()
        .copied()
}
