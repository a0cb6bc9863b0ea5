//! Ways through a document's nodes.

use crate::{
    source::Span,
    syntax::{Node, NodeKind, Part, Scalar, ScalarStyle, Tree},
};

/// Visits a node and all below it, keys included.
pub(super) fn visit<'t>(root: &'t Node, see: &mut impl FnMut(&'t Node)) {
    let mut pending = vec![root];
    while let Some(node) = pending.pop() {
        see(node);
        match &node.kind {
            NodeKind::Mapping(mapping) => {
                pending.extend(mapping.entries.iter().flat_map(|e| [&e.key, &e.value]));
            }
            NodeKind::Sequence(sequence) => pending.extend(&sequence.items),
            NodeKind::Choice(nodes) => pending.extend(nodes),
            _ => {}
        }
    }
}

/// Entries of a map, of all branches.
pub(super) fn entries(node: &Node) -> Vec<(&Node, &Node)> {
    match &node.kind {
        NodeKind::Mapping(mapping) => mapping.entries.iter().map(|e| (&e.key, &e.value)).collect(),
        NodeKind::Choice(nodes) => nodes.iter().flat_map(entries).collect(),
        _ => Vec::new(),
    }
}

/// Items of a list, of all branches; a single value is its own only item.
pub(super) fn items(node: &Node) -> Vec<&Node> {
    match &node.kind {
        NodeKind::Sequence(sequence) => sequence.items.iter().flat_map(choices).collect(),
        NodeKind::Choice(nodes) => nodes.iter().flat_map(items).collect(),
        NodeKind::Empty | NodeKind::Error | NodeKind::Splice(_) => Vec::new(),
        _ => vec![node],
    }
}

/// The alternatives of a node.
pub(super) fn choices(node: &Node) -> Vec<&Node> {
    match &node.kind {
        NodeKind::Choice(nodes) => nodes.iter().flat_map(choices).collect(),
        _ => vec![node],
    }
}

/// The place of a literal scalar's text without its quotes; `None` where the text is not written as it is (escapes,
/// folded lines) or has expressions in it.
pub fn literal_span(tree: &Tree, node: &Node) -> Option<Span> {
    let NodeKind::Scalar(scalar) = &node.kind else { return None };
    let text = scalar.literal()?;
    let quote = match scalar.style {
        ScalarStyle::Plain => 0,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => 1,
        ScalarStyle::Literal | ScalarStyle::Folded => return None,
    };
    let span = match scalar.parts.as_slice() {
        [Part::Text { .. }] => node.span,
        _ => return None,
    };
    let inner = Span { start: span.start + quote, end: span.end.saturating_sub(quote), ..span };
    (tree.text.get(inner.range()) == Some(text.as_ref())).then_some(inner)
}

/// A scalar's style and whether a cursor in it stands in running text.
pub(super) fn is_block_text(scalar: &Scalar) -> bool {
    matches!(scalar.style, ScalarStyle::Literal | ScalarStyle::Folded)
}

/// The nodes that a place lies in, the outermost first.
pub fn node_chain(root: &Node, offset: u32) -> Vec<&Node> {
    let mut chain = Vec::new();
    let mut next = Some(root);
    while let Some(node) = next {
        chain.push(node);
        let inside = |n: &&Node| n.span.start <= offset && offset <= n.span.end;
        next = match &node.kind {
            NodeKind::Mapping(mapping) => {
                mapping.entries.iter().flat_map(|e| [&e.key, &e.value]).find(inside)
            }
            NodeKind::Sequence(sequence) => sequence.items.iter().find(inside),
            NodeKind::Choice(nodes) => nodes.iter().find(inside),
            _ => None,
        };
    }
    chain
}
