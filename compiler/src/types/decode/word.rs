//! A scalar whose text is known.

use crate::{
    source::Span,
    syntax::{Node, NodeKind, Part, Scalar, ScalarStyle},
    types::Value,
};
use std::borrow::Cow;

/// The text of a scalar, with what is known of where it came from.
pub(super) struct Word<'n> {
    /// The text, unquoted.
    pub text: Cow<'n, str>,
    /// Its place.
    pub span: Span,
    /// Unquoted, so that `yes` and `5` may mean more than their letters.
    pub plain: bool,
    /// The value, where an expression gave all of it.
    pub value: Option<&'n Value>,
    /// Where the text starts when each of its bytes stands in the source as it is.
    pub verbatim: Option<u32>,
}

/// Whether a node is written in quotes or as a block.
pub(super) fn is_quoted(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Scalar(scalar) => match scalar.parts.as_slice() {
            [Part::Value { value, .. }] if scalar.style == ScalarStyle::Plain => {
                matches!(**value, Value::Str(_))
            }
            _ => scalar.style != ScalarStyle::Plain,
        },
        _ => false,
    }
}

impl<'n> Word<'n> {
    /// `None` when an expression keeps the text from being known.
    pub(super) fn of(node: &Node, scalar: &'n Scalar) -> Option<Self> {
        let text = scalar.literal()?;
        let plain = scalar.style == ScalarStyle::Plain;
        if plain && let [Part::Value { value, .. }] = scalar.parts.as_slice() {
            let plain = !matches!(**value, Value::Str(_));
            return Some(Self { text, span: node.span, plain, value: Some(value), verbatim: None });
        }
        let quotes = match scalar.style {
            ScalarStyle::Plain => Some(0),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Some(1),
            ScalarStyle::Literal | ScalarStyle::Folded => None,
        };
        let width = (node.span.end - node.span.start) as usize;
        let verbatim = quotes
            .filter(|q| width == text.len() + 2 * *q as usize && scalar.parts.len() == 1)
            .map(|q: u32| node.span.start + q);
        // `!!str 5` is text.
        let text_tag = node.tag.as_deref().is_some_and(|(tag, _)| tag == "!!str");
        Some(Self { text, span: node.span, plain: plain && !text_tag, value: None, verbatim })
    }

    /// Whether the author wrote it, rather than an expression.
    pub(super) fn written(&self) -> bool {
        self.value.is_none()
    }

    pub(super) fn is_null(&self) -> bool {
        match self.value {
            Some(value) => value.is_null(),
            None => self.plain && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL"),
        }
    }

    /// The place of a part of the text, where it can be told; else of all of it.
    pub(super) fn part(&self, start: usize, end: usize) -> Span {
        match self.verbatim {
            Some(base) if end <= self.text.len() && start <= end => {
                Span { file: self.span.file, start: base + start as u32, end: base + end as u32 }
            }
            _ => self.span,
        }
    }

    /// What it is, for messages.
    pub(super) fn found(&self) -> String {
        if self.text.chars().count() > 60 || self.text.contains('\n') {
            "other text".to_owned()
        } else if self.text.is_empty() {
            "empty text".to_owned()
        } else {
            format!("`{}`", self.text)
        }
    }
}
