//! From documents to the DAG: include, extend, merge, names, requisites, order.

pub mod attributes;
pub mod document;

/// The rules of this room.
pub(crate) fn rules() -> impl Iterator<Item = &'static crate::diagnostic::Rule> {
    [document::RULES].into_iter().flatten().copied()
}
