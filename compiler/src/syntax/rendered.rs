//! Rendered text to a document: plain YAML in which the values that expressions gave keep their types and cannot
//! change the structure.

use super::{
    merge,
    template::Template,
    tree::{Entry, Mapping, Node, NodeKind, Part, Scalar, ScalarStyle, Sequence},
    yaml::{self, Anchors, Layer, Mark, MarkKind, marker_for, region},
};
use crate::{
    diagnostic::Diagnostic,
    rule,
    source::{FileId, Span},
    types::Value,
};
use std::ops::Range;
use thin_vec::ThinVec;

rule! {
    /// What an expression gave would add or change YAML structure.
    ///
    /// An expression within a value is a value: its text may not open a new key, begin a comment or leave the block
    /// text it stands in. Otherwise data could become states.
    ///
    /// ```yaml
    /// {% set who = "world\n  user: root" %}
    /// greeting:
    ///   cmd.run:
    ///     - name: echo hello {{ who }}      # would add a key
    /// ```
    ///
    /// Quote the value (`"echo hello {{ who }}"`), pass it through `| yaml_dquote` or `| indent(8)` as the place
    /// needs, or put an expression that is meant to give entries on a line of its own.
    pub STRUCTURE_INJECTION = "Z0440", "structure-injection", Error;
}

/// What an expression gave, at its place in the rendered text.
#[derive(Clone, Debug)]
pub struct Hole {
    /// Its text in the rendered text.
    pub range: Range<usize>,
    /// The value, typed.
    pub value: Value,
    /// Whether its text is meant to be read as YAML: output of the `json`, `yaml` and `tojson` filters, of macros
    /// and includes.
    pub text_is_yaml: bool,
}

/// Rendered text, parsed. Spans are offsets of the rendered text; the caller maps them to the author's.
#[derive(Debug, Default)]
pub struct Document {
    /// The document; `None` when the text holds none.
    pub root: Option<Node>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses rendered text. `holes` are the places that expressions filled, in any order.
pub fn parse_rendered(file: FileId, text: &str, holes: &[Hole]) -> Document {
    let mut diagnostics = Vec::new();
    let regions = region::regions(text, &|_, _| false);
    let marker = marker_for(text);
    let mut marks = Vec::with_capacity(holes.len());
    let mut shifts = Vec::with_capacity(holes.len() * 2);
    let mut values = Vec::with_capacity(holes.len());
    let mut flat = String::with_capacity(text.len());
    let mut done = 0;
    let mut sorted: Vec<&Hole> = holes.iter().collect();
    sorted.sort_by_key(|h| h.range.start);
    for hole in sorted {
        let range = hole.range.clone();
        let Some(own) = text.get(range.clone()) else { continue };
        if own.is_empty() || range.start < done || hole.text_is_yaml {
            continue;
        }
        if let Some(region) = region::region_at(&regions, range.start) {
            let Some(line) = leaving_line(own, region.parent) else { continue };
            diagnostics.push(
                injection(
                    file,
                    range.clone(),
                    &format!("leaves the block text it stands in with the line `{line}`"),
                )
                .help(format!("Indent it as the text around it: `| indent({})`", region.indent)),
            );
        } else if matches!(hole.value, Value::Str(_)) && alone_on_its_lines(text, &range) {
            continue;
        }
        flat.push_str(text.get(done..range.start).unwrap_or_default());
        let at = flat.len();
        flat.push(marker);
        let length = marker.len_utf8();
        // Positions within the mark all mean the hole; from its end on the texts run alike again.
        shifts.push((at, range.start));
        shifts.push((at + length, range.end));
        let kind = MarkKind::Value(values.len());
        values.push((&hole.value, own));
        marks.push(Mark { range: range.clone(), at: at..at + length, kind });
        done = range.end;
    }
    flat.push_str(text.get(done..).unwrap_or_default());

    let layer = Layer {
        file,
        origin: text,
        text: &flat,
        base: 0,
        marks: &marks,
        marker,
        shifts: &shifts,
        fillers: &[],
        values: &values,
    };
    let recovered = yaml::parse_recovering(&layer, &mut Anchors::default());
    diagnostics.extend(recovered.diagnostics);
    let mut root = recovered.root;
    if let Some(root) = &mut root {
        unfold(root);
        injections(root, &mut diagnostics);
        merge::duplicates(root, &Template::default(), &mut diagnostics);
    }
    diagnostics.sort_by_key(|d| d.span.start);
    Document { root, diagnostics }
}

/// The first line after the first that would stand outside a block text whose key is at column `parent`.
fn leaving_line(own: &str, parent: usize) -> Option<&str> {
    own.lines()
        .skip(1)
        .find(|line| !line.trim().is_empty() && line.bytes().take_while(|b| *b == b' ').count() <= parent)
        .map(str::trim)
}

/// Whether nothing but blanks stands beside a hole on its first and last line.
fn alone_on_its_lines(text: &str, range: &Range<usize>) -> bool {
    let blank = |s: &str| s.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\r'));
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    blank(before.rsplit('\n').next().unwrap_or_default())
        && blank(after.split('\n').next().unwrap_or_default())
}

fn injection(file: FileId, range: Range<usize>, what: &str) -> Diagnostic {
    Diagnostic::new(&STRUCTURE_INJECTION, Span::new(file, range), format!("What this expression gave {what}"))
}

/// Finds values whose text would have changed the structure had it been plain text, as it is in Salt.
fn injections(root: &Node, found: &mut Vec<Diagnostic>) {
    let mut pending = vec![(root, false)];
    while let Some((node, flow)) = pending.pop() {
        match &node.kind {
            NodeKind::Scalar(scalar) if scalar.style == ScalarStyle::Plain => of_scalar(scalar, flow, found),
            NodeKind::Sequence(list) => pending.extend(list.items.iter().map(|n| (n, flow || list.flow))),
            NodeKind::Mapping(map) => {
                for entry in &map.entries {
                    pending.push((&entry.key, flow || map.flow));
                    pending.push((&entry.value, flow || map.flow));
                }
            }
            _ => {}
        }
    }
}

fn of_scalar(scalar: &Scalar, flow: bool, found: &mut Vec<Diagnostic>) {
    let alone = scalar.parts.len() == 1;
    for (index, part) in scalar.parts.iter().enumerate() {
        let Part::Value { value, text, span } = part else { continue };
        if !matches!(**value, Value::Str(_)) {
            continue;
        }
        let next = scalar.parts.get(index + 1);
        let ends_open = text.ends_with(':')
            && match next {
                None => true,
                Some(Part::Text { text, .. }) => text.starts_with(' '),
                Some(_) => false,
            };
        let comment_before = index > 0
            && text.starts_with('#')
            && matches!(scalar.parts.get(index - 1), Some(Part::Text { text, .. }) if text.ends_with(' '));
        let what = if flow && text.contains([',', '[', ']', '{', '}']) {
            "holds a character that separates the list or map in brackets it stands in"
        } else if alone {
            continue;
        } else if text.trim_end_matches('\n').contains('\n') {
            "has several lines, which would become lines of the document"
        } else if text.contains(": ") || ends_open {
            "holds a colon followed by a space, which would make it a key"
        } else if text.contains(" #") || comment_before {
            "holds a `#` behind a space, from where on it would be a comment"
        } else {
            continue;
        };
        let help = "Put the whole value in quotes, or pass the expression through `| yaml_dquote`";
        found.push(injection(span.file, span.range(), what).help(help));
    }
}

/// Lists and maps that are a scalar's whole value become nodes.
fn unfold(root: &mut Node) {
    let mut pending = vec![root];
    while let Some(node) = pending.pop() {
        if let NodeKind::Scalar(Scalar { style: ScalarStyle::Plain, parts }) = &node.kind
            && let [Part::Value { value, span, .. }] = parts.as_slice()
            && matches!(**value, Value::List(_) | Value::Map(_))
        {
            node.kind = value_kind(value, *span);
            continue;
        }
        match &mut node.kind {
            NodeKind::Mapping(mapping) => {
                for entry in &mut mapping.entries {
                    pending.push(&mut entry.key);
                    pending.push(&mut entry.value);
                }
            }
            NodeKind::Sequence(sequence) => pending.extend(&mut sequence.items),
            _ => {}
        }
    }
}

fn value_kind(value: &Value, span: Span) -> NodeKind {
    let node = |value: &Value| Node { span, kind: value_kind(value, span), tag: None };
    match value {
        Value::Null => NodeKind::Empty,
        Value::List(list) => NodeKind::Sequence(Sequence {
            items: list.iter().map(node).collect(),
            splices: ThinVec::new(),
            flow: true,
        }),
        Value::Map(map) => NodeKind::Mapping(Mapping {
            entries: map
                .iter()
                .map(|(k, v)| Entry { key: node(&Value::Str(k.clone())), value: node(v) })
                .collect(),
            splices: ThinVec::new(),
            flow: true,
        }),
        scalar => NodeKind::Scalar(Scalar {
            style: ScalarStyle::Plain,
            parts: vec![Part::Value {
                value: Box::new(scalar.clone()),
                text: scalar.to_string().into(),
                span,
            }],
        }),
    }
}

#[cfg(test)]
mod tests;
