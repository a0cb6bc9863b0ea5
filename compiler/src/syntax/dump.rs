//! A compact text of a tree, for tests.

use super::tree::{Node, NodeKind, Part, Scalar};

/// `{a: [b, <x>], …}`: expressions in angle brackets, splices as `+…`, alternatives with `|`.
pub fn dump(node: &Node, source: &str) -> String {
    match &node.kind {
        NodeKind::Empty => "_".to_owned(),
        NodeKind::Error => "!".to_owned(),
        NodeKind::Scalar(scalar) => dump_scalar(scalar, source),
        NodeKind::Splice(splice) => format!("+{}", &source[splice.span.range()]),
        NodeKind::Choice(nodes) => nodes.iter().map(|n| dump(n, source)).collect::<Vec<_>>().join("|"),
        NodeKind::Sequence(sequence) => {
            let mut parts: Vec<(u32, String)> =
                sequence.items.iter().map(|n| (n.span.start, dump(n, source))).collect();
            parts.extend(
                sequence.splices.iter().map(|s| (s.span.start, format!("+{}", &source[s.span.range()]))),
            );
            parts.sort_by_key(|p| p.0);
            format!("[{}]", parts.into_iter().map(|p| p.1).collect::<Vec<_>>().join(", "))
        }
        NodeKind::Mapping(mapping) => {
            let mut parts: Vec<(u32, String)> = mapping
                .entries
                .iter()
                .map(|e| (e.key.span.start, format!("{}: {}", dump(&e.key, source), dump(&e.value, source))))
                .collect();
            parts.extend(
                mapping.splices.iter().map(|s| (s.span.start, format!("+{}", &source[s.span.range()]))),
            );
            parts.sort_by_key(|p| p.0);
            format!("{{{}}}", parts.into_iter().map(|p| p.1).collect::<Vec<_>>().join(", "))
        }
    }
}

fn dump_scalar(scalar: &Scalar, source: &str) -> String {
    scalar
        .parts
        .iter()
        .map(|part| match part {
            Part::Text { text, .. } => text.to_string(),
            Part::Expr { span, .. } | Part::Block { span, .. } => format!("<{}>", &source[span.range()]),
            Part::Value { text, .. } => format!("={text}"),
        })
        .collect()
}
