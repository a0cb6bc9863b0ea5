//! Whether two texts say the same: nothing but blanks and line breaks differ, and the trees are alike.

use crate::{
    source::Span,
    syntax::{
        Body, Node, NodeKind, Part, Splice, Tree,
        segment::{Segment, SegmentKind, segments},
        template::{BlockKind, Template},
    },
};

/// Compares.
pub(super) fn same(a: &Tree, b: &Tree) -> bool {
    let words = |text: &'_ str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    words(&a.text) == words(&b.text)
        && a.opaque.is_some() == b.opaque.is_some()
        && a.diagnostics.iter().map(|d| d.rule.code).eq(b.diagnostics.iter().map(|d| d.rule.code))
        && tags(a, b)
        && captured(&a.template, &a.text) == captured(&b.template, &b.text)
        && roots(a, b)
}

/// Whether the documents say the same, whatever comments and blanks are around them.
pub(crate) fn roots(a: &Tree, b: &Tree) -> bool {
    let mut pairs: Vec<(&Node, &Node)> = Vec::new();
    let body = |(a, b): (&Body, &Body)| {
        a.block == b.block && a.kind == b.kind && a.root.is_some() == b.root.is_some()
    };
    if a.root.is_some() != b.root.is_some()
        || a.bodies.len() != b.bodies.len()
        || !a.bodies.iter().zip(&b.bodies).all(body)
    {
        return false;
    }
    pairs.extend(a.root.iter().zip(&b.root));
    pairs.extend(a.bodies.iter().flat_map(|x| &x.root).zip(b.bodies.iter().flat_map(|x| &x.root)));
    let texts = (&*a.text, &*b.text);
    // A list of its own: documents may be deep.
    while let Some((a, b)) = pairs.pop() {
        if a.tag.as_ref().map(|t| &t.0) != b.tag.as_ref().map(|t| &t.0) {
            return false;
        }
        let alike = match (&a.kind, &b.kind) {
            (NodeKind::Empty, NodeKind::Empty) | (NodeKind::Error, NodeKind::Error) => true,
            (NodeKind::Scalar(x), NodeKind::Scalar(y)) => {
                x.style == y.style
                    && x.parts.len() == y.parts.len()
                    && x.parts.iter().zip(&y.parts).all(|(x, y)| parts(x, y, texts))
            }
            (NodeKind::Sequence(x), NodeKind::Sequence(y)) => {
                pairs.extend(x.items.iter().zip(&y.items));
                x.flow == y.flow && x.items.len() == y.items.len() && splices(&x.splices, &y.splices, texts)
            }
            (NodeKind::Mapping(x), NodeKind::Mapping(y)) => {
                pairs.extend(x.entries.iter().zip(&y.entries).map(|(x, y)| (&x.key, &y.key)));
                pairs.extend(x.entries.iter().zip(&y.entries).map(|(x, y)| (&x.value, &y.value)));
                x.flow == y.flow
                    && x.entries.len() == y.entries.len()
                    && splices(&x.splices, &y.splices, texts)
            }
            (NodeKind::Splice(x), NodeKind::Splice(y)) => tag(x.span, y.span, texts),
            (NodeKind::Choice(x), NodeKind::Choice(y)) => {
                pairs.extend(x.iter().zip(y));
                x.len() == y.len()
            }
            _ => false,
        };
        if !alike {
            return false;
        }
    }
    true
}

fn parts(a: &Part, b: &Part, texts: (&str, &str)) -> bool {
    match (a, b) {
        (Part::Text { text: x, .. }, Part::Text { text: y, .. }) => x == y,
        (Part::Expr { span: x, .. }, Part::Expr { span: y, .. }) => tag(*x, *y, texts),
        (Part::Block { block: x, .. }, Part::Block { block: y, .. }) => x == y,
        (Part::Value { value: x, .. }, Part::Value { value: y, .. }) => x == y,
        _ => false,
    }
}

fn splices(a: &[Splice], b: &[Splice], texts: (&str, &str)) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| tag(a.span, b.span, texts))
}

/// Whether two tags differ in the blanks inside their braces alone.
fn tag(a: Span, b: Span, (one, other): (&str, &str)) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<String>();
    match (one.get(a.range()), other.get(b.range())) {
        (Some(a), Some(b)) => a == b || words(a) == words(b),
        _ => false,
    }
}

/// All tags, with their marks.
fn tags(a: &Tree, b: &Tree) -> bool {
    let of = |segments: Vec<Segment>, text: &str| -> Vec<(SegmentKind, String, String)> {
        segments
            .into_iter()
            .filter(|s| s.kind != SegmentKind::Text)
            .map(|s| {
                let inner = text[s.inner.clone()].trim().to_owned();
                let marks =
                    format!("{}{}", &text[s.range.start..s.inner.start], &text[s.inner.end..s.range.end]);
                (s.kind, inner, marks)
            })
            .collect()
    };
    of(segments(&a.text), &a.text) == of(segments(&b.text), &b.text)
}

/// The texts that are captured, with the tags in them spaced alike.
fn captured(template: &Template, text: &str) -> Vec<String> {
    let bodies = template.blocks.iter().filter(|block| {
        matches!(
            block.kind,
            BlockKind::Macro { .. }
                | BlockKind::Set { .. }
                | BlockKind::Load { .. }
                | BlockKind::Call { .. }
                | BlockKind::Filter { .. }
                | BlockKind::Raw
        )
    });
    bodies
        .filter_map(|block| text.get(block.arms.first()?.body.range()))
        .map(|body| {
            let mut out = String::with_capacity(body.len());
            for segment in segments(body) {
                match segment.kind {
                    SegmentKind::Expression | SegmentKind::Statement if segment.closed => {
                        out.push_str(&body[segment.range.start..segment.inner.start]);
                        out.push_str(body[segment.inner.clone()].trim());
                        out.push_str(&body[segment.inner.end..segment.range.end]);
                    }
                    _ => out.push_str(&body[segment.range]),
                }
            }
            out
        })
        .collect()
}
