//! Collections that expressions gave become nodes, so that one way of reading serves them and the author's own.

use crate::{
    syntax::{Node, NodeKind, Part, ScalarStyle},
    types::{Value, decode::value_node},
};

/// Replaces each scalar that is wholly a list or a map (`pkg.installed: {{ arguments }}`) by nodes of that shape. All
/// of their nodes stand at the expression.
pub fn expand_values(node: &mut Node) {
    match &mut node.kind {
        NodeKind::Scalar(scalar) => {
            if scalar.style == ScalarStyle::Plain
                && let [Part::Value { value, .. }] = scalar.parts.as_mut_slice()
                && matches!(**value, Value::List(_) | Value::Map(_))
            {
                let value = std::mem::take(&mut **value);
                node.kind = value_node(value, node.span).kind;
            }
        }
        NodeKind::Sequence(sequence) => sequence.items.iter_mut().for_each(expand_values),
        NodeKind::Mapping(mapping) => mapping.entries.iter_mut().for_each(|e| expand_values(&mut e.value)),
        NodeKind::Choice(alternatives) => alternatives.iter_mut().for_each(expand_values),
        NodeKind::Empty | NodeKind::Splice(_) | NodeKind::Error => {}
    }
}
