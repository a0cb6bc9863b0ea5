//! Rendered text to a document: the same YAML layer, with the values that expressions gave kept as values.

use super::{
    merge,
    shadow::{MARK, block_scalar_lines},
    template::Template,
    tree::{Entry, Mapping, Node, NodeKind, Part, Scalar, ScalarStyle, Sequence},
    yaml::{self, Insert},
};
use crate::{
    diagnostic::Diagnostic,
    source::{FileId, LineIndex, Span},
    types::Value,
};
use std::ops::Range;

crate::rule! {
    /// Text from an expression would become YAML structure: a key, an item, a comment.
    ///
    /// Wrong (when `name` is `a: b`):
    ///
    /// ```yaml
    /// x:
    ///   test.nop:
    ///     - name: prefix {{ name }}
    /// ```
    ///
    /// Right:
    ///
    /// ```yaml
    /// x:
    ///   test.nop:
    ///     - name: "prefix {{ name }}"
    /// ```
    pub STRUCTURE_INJECTION = "Z0440", "structure-injection", Error;
}

/// What an expression put into rendered text.
#[derive(Clone, PartialEq, Debug)]
pub struct Hole {
    /// Its bytes in the rendered text.
    pub range: Range<usize>,
    /// The value.
    pub value: Value,
    /// Its text is meant as YAML: the output of `json`, `yaml`, a macro. It is parsed, not kept.
    pub text_is_yaml: bool,
}

/// A parsed rendered text. Spans are offsets of that text.
pub struct Document {
    /// The document; `None` when the text is empty.
    pub root: Option<Node>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses rendered text. A plain scalar that is exactly one hole keeps the hole's value; a value's text cannot
/// change the structure around it.
pub fn parse_rendered(file: FileId, text: &str, holes: &[Hole]) -> Document {
    let index = LineIndex::new(text);
    let in_scalar = block_scalar_lines(text);
    let mut bytes = text.as_bytes().to_vec();
    let mut inserts = Vec::new();
    for hole in holes {
        let range = hole.range.clone();
        let Some(written) = text.get(range.clone()) else { continue };
        let line = index.line(range.start);
        if hole.text_is_yaml || range.is_empty() || in_scalar.get(line).copied().unwrap_or(false) {
            continue;
        }
        let line_start = index.start(line);
        let line_end = text[range.end..].find('\n').map_or(text.len(), |n| range.end + n);
        let before = &text[line_start..range.start];
        let after = &text[range.end..line_end];
        if before.trim().is_empty() && after.trim().is_empty() {
            // Alone on its line: its text is structure by intent.
            continue;
        }
        let part = Part::Value {
            value: hole.value.clone(),
            text: written.to_owned(),
            span: Span::new(file, range.clone()),
        };
        let marked = range.len() >= 3;
        if marked {
            let mut encoded = [0; 3];
            MARK.encode_utf8(&mut encoded);
            for (at, b) in bytes[range.clone()].iter_mut().enumerate() {
                *b = encoded.get(at).copied().unwrap_or(b'z');
            }
        } else if before.ends_with(' ')
            && after.trim().is_empty()
            && !written.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            bytes[range.clone()].fill(b'z');
        }
        inserts.push(Insert { range, part, marked });
    }
    let shadow = String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned());
    let parsed = yaml::parse(file, &shadow, &inserts);
    let mut diagnostics: Vec<Diagnostic> = parsed
        .errors
        .into_iter()
        .map(|error| {
            let mut diagnostic =
                Diagnostic::new(&super::parse::BAD_YAML, Span::new(file, error.range), error.message);
            diagnostic.help = error.help;
            diagnostic
        })
        .collect();
    let mut root = parsed.root;
    if let Some(root) = &mut root {
        merge::duplicates(root, &Template::default(), &mut diagnostics);
        unfold(root, &mut diagnostics);
    }
    Document { root, diagnostics }
}

/// Lists and maps that are a scalar's whole value become nodes; text that would have broken the structure is reported.
fn unfold(node: &mut Node, diagnostics: &mut Vec<Diagnostic>) {
    match &mut node.kind {
        NodeKind::Mapping(mapping) => {
            for entry in &mut mapping.entries {
                unfold(&mut entry.key, diagnostics);
                unfold(&mut entry.value, diagnostics);
            }
        }
        NodeKind::Sequence(sequence) => sequence.items.iter_mut().for_each(|n| unfold(n, diagnostics)),
        NodeKind::Scalar(scalar) if scalar.style == ScalarStyle::Plain => match scalar.parts.as_slice() {
            [Part::Value { value: value @ (Value::List(_) | Value::Map(_)), span, .. }] => {
                node.kind = value_kind(value, *span);
            }
            [_] | [] => {}
            parts => {
                for part in parts {
                    let Part::Value { text, span, .. } = part else { continue };
                    let found = if text.contains('\n') {
                        "a line break"
                    } else if text.contains(": ") {
                        "`: `, which would begin a value"
                    } else if text.contains(" #") {
                        "` #`, which would begin a comment"
                    } else {
                        continue;
                    };
                    diagnostics.push(
                        Diagnostic::new(
                            &STRUCTURE_INJECTION,
                            *span,
                            format!("this expression gives text with {found}"),
                        )
                        .help("put quotes around the whole value"),
                    );
                }
            }
        },
        _ => {}
    }
}

fn value_kind(value: &Value, span: Span) -> NodeKind {
    let node = |value: &Value| Node { span, kind: value_kind(value, span), tag: None };
    match value {
        Value::Null => NodeKind::Empty,
        Value::List(list) => NodeKind::Sequence(Sequence {
            items: list.iter().map(node).collect(),
            splices: Vec::new(),
            flow: true,
        }),
        Value::Map(map) => NodeKind::Mapping(Mapping {
            entries: map
                .iter()
                .map(|(k, v)| Entry { key: node(&Value::Str(k.clone())), value: node(v) })
                .collect(),
            splices: Vec::new(),
            flow: true,
        }),
        scalar => NodeKind::Scalar(Scalar {
            style: ScalarStyle::Plain,
            parts: vec![Part::Value { value: scalar.clone(), text: scalar.to_string(), span }],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::node_to_value;

    fn parse(text: &str, holes: &[(&str, Value)]) -> (Option<Value>, Vec<String>) {
        let mut from = 0;
        let holes: Vec<Hole> = holes
            .iter()
            .map(|(written, value)| {
                let start = text[from..].find(written).unwrap() + from;
                from = start + written.len();
                Hole { range: start..from, value: value.clone(), text_is_yaml: false }
            })
            .collect();
        let document = parse_rendered(FileId(0), text, &holes);
        let value = document.root.as_ref().and_then(node_to_value);
        (value, document.diagnostics.into_iter().map(|d| d.message).collect())
    }

    #[test]
    fn a_whole_value_keeps_its_type() {
        let (value, errors) = parse(
            "a: yes\nb: ['x', 'y']\nc: 80\n",
            &[
                ("yes", Value::from("yes")),
                ("['x', 'y']", Value::from(vec!["x", "y"])),
                ("80", Value::Int(80)),
            ],
        );
        assert!(errors.is_empty());
        assert_eq!(value.unwrap().to_string(), r#"{"a":"yes","b":["x","y"],"c":80}"#);
    }

    #[test]
    fn text_cannot_become_structure() {
        let (value, errors) = parse("a: x: y # z\nb: 1\n", &[("x: y # z", Value::from("x: y # z"))]);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(value.unwrap().to_string(), r#"{"a":"x: y # z","b":1}"#);
        let (_, errors) = parse("a: prefix x: y\n", &[("x: y", Value::from("x: y"))]);
        assert_eq!(errors.len(), 1);
    }

    #[test]
    fn an_expression_alone_on_its_line_is_structure() {
        let (value, errors) = parse("a:\n- one\n- two\n", &[("- two", Value::from("- two"))]);
        assert!(errors.is_empty());
        assert_eq!(value.unwrap().to_string(), r#"{"a":["one","two"]}"#);
    }
}
