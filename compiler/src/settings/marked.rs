//! What `!encrypted` marks in the text of a settings file: exactly located, or nothing is done with it.

use super::SETTINGS_FILE_SHAPE;
use crate::{
    diagnostic::Diagnostic,
    source::Span,
    syntax::{Node, NodeKind, Tree},
};
use std::ops::Range;

/// The tag that marks a secret.
const TAG: &str = "!encrypted";

/// A secret in the text of a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Marked {
    /// The bytes from the tag's end to the value's, the blank between them among it.
    pub value: Range<usize>,
    /// Where the value stands.
    pub span: Span,
    /// What is written: plain text, or sealed.
    pub text: String,
}

impl std::fmt::Debug for Marked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Marked").field("value", &self.value).finish_non_exhaustive()
    }
}

/// All secrets of a file in the order of the text. Where one cannot be located exactly, the reasons; `done` is what is
/// then not done with the file: "published".
pub fn marked(tree: &Tree, done: &str) -> Result<Vec<Marked>, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let roots = tree.root.iter().chain(tree.bodies.iter().filter_map(|b| b.root.as_ref()));
    for root in roots {
        collect(root, &mut found);
    }
    found.sort_by_key(|(tag, _)| tag.start);
    found.dedup_by_key(|(tag, _)| tag.start);
    let mut wrong = Vec::new();
    for (at, _) in tree.text.match_indices(TAG) {
        if !found.iter().any(|(tag, _)| tag.start as usize == at) {
            let span = Span::new(tree.file, at..at + TAG.len());
            let message =
                format!("what this `!encrypted` marks cannot be located, so the file cannot be {done}");
            wrong.push(
                Diagnostic::new(&SETTINGS_FILE_SHAPE, span, message)
                .help("write the secret as a whole value, `key: !encrypted \"…\"`; not in a comment, not within a template"),
            );
        }
    }
    // Where the text is wrong, its structure is a guess, and with it where a secret ends.
    if let (Some((tag, _)), Some(error)) = (found.first(), tree.diagnostics.iter().find(|d| d.is_error())) {
        let message = format!("this file has secrets and cannot be read for certain, so it cannot be {done}");
        wrong.push(
            Diagnostic::new(&SETTINGS_FILE_SHAPE, error.span, message)
                .label(*tag, "a secret")
                .help("correct the file first; `zester check` says what is wrong"),
        );
    }
    let (mut secrets, mut end) = (Vec::new(), 0);
    for (tag, node) in found {
        let literal = match &node.kind {
            NodeKind::Scalar(scalar) => scalar.literal(),
            _ => None,
        };
        let range = value_range(&tree.text, tag, node);
        let (Some(literal), Some(value), true) = (literal, range, tag.start as usize >= end) else {
            let message =
                format!("`!encrypted` marks {}, where text without templates is expected", node.describe());
            wrong.push(
                Diagnostic::new(&SETTINGS_FILE_SHAPE, node.span, message)
                    .help("write the secret itself here; choose between secrets by marking each one"),
            );
            continue;
        };
        end = value.end;
        secrets.push(Marked { value, span: node.span, text: literal.into_owned() });
    }
    if wrong.is_empty() { Ok(secrets) } else { Err(wrong) }
}

/// The file's text with other texts in the places of its secrets, in their order; `None` leaves one as it is.
pub fn with_secrets(tree: &Tree, marked: &[Marked], new: &[Option<String>]) -> String {
    let (mut text, mut end) = (String::with_capacity(tree.text.len()), 0);
    for (secret, new) in marked.iter().zip(new) {
        let Some(new) = new else { continue };
        text.push_str(tree.text.get(end..secret.value.start).unwrap_or_default());
        text.push(' ');
        text.push_str(&quoted(new));
        end = secret.value.end;
    }
    text.push_str(tree.text.get(end..).unwrap_or_default());
    text
}

/// A text as YAML between double quotes, in which nothing is a template.
fn quoted(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '{' if rest.peek().is_some_and(|next| matches!(next, '{' | '%' | '#')) => out.push_str("\\x7b"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The bytes from the tag's end to the end of the value, without the line's end.
fn value_range(text: &str, tag: Span, node: &Node) -> Option<Range<usize>> {
    let (start, end) = (tag.end as usize, node.span.end as usize);
    let mut value = text.get(start..end)?;
    // Tags are blank lines to YAML, and blank lines behind a block of text belong to it.
    if let Some(at) = ["{%", "{#", "{{"].iter().filter_map(|open| value.find(open)).min() {
        let line = value.get(..at)?.rfind('\n')?;
        if !value.get(line..at)?.trim().is_empty() {
            return None;
        }
        value = value.get(..line)?;
    }
    (!value.trim().is_empty()).then(|| start..start + value.trim_end().len())
}

fn collect<'t>(node: &'t Node, found: &mut Vec<(Span, &'t Node)>) {
    if let Some((tag, span)) = node.tag.as_deref()
        && tag == TAG
    {
        found.push((*span, node));
    }
    match &node.kind {
        NodeKind::Sequence(sequence) => sequence.items.iter().for_each(|item| collect(item, found)),
        NodeKind::Mapping(mapping) => {
            for entry in &mapping.entries {
                collect(&entry.key, found);
                collect(&entry.value, found);
            }
        }
        NodeKind::Choice(nodes) => nodes.iter().for_each(|node| collect(node, found)),
        NodeKind::Empty | NodeKind::Scalar(_) | NodeKind::Splice(_) | NodeKind::Error => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{source::Files, syntax};

    fn tree(text: &str) -> Tree {
        let files = Files::default();
        let id = files.add("settings/web.zy", text);
        syntax::parse(id, &files.get(id).text)
    }

    #[test]
    fn tags_behind_a_block_of_text_are_not_its_own() {
        let text = "db:\n  pem: !encrypted |\n    x\n    y\n{% if z %}\n  url: !encrypted u\n{% endif %}\n";
        let old = tree(text);
        let secrets = marked(&old, "sealed").unwrap();
        let written = with_secrets(&old, &secrets, &[Some("1".to_owned()), Some("2".to_owned())]);
        assert_eq!(
            written,
            "db:\n  pem: !encrypted \"1\"\n{% if z %}\n  url: !encrypted \"2\"\n{% endif %}\n"
        );
    }

    #[test]
    fn only_the_secrets_change() {
        let text = "# head\na: !encrypted one # why\nb:\n  - !encrypted \"two\"\n  - {c: !encrypted 'three', d: 4}\npem: !encrypted |\n  x\n  y\n{% if z %}\ne: !encrypted five\n{% endif %}\n";
        let old = tree(text);
        let secrets = marked(&old, "sealed").unwrap();
        let texts: Vec<&str> = secrets.iter().map(|s| s.text.as_str()).collect();
        assert_eq!(texts, ["one", "two", "three", "x\ny\n", "five"]);
        assert_eq!(with_secrets(&old, &secrets, &[const { None }; 5]), text);
        let new: Vec<Option<String>> =
            ["{{ 1 }}\n", "\"\\", "ENC[nkey,a,b,c==]", "\u{1}\t", "{%"].map(|t| Some(t.to_owned())).into();
        let written = with_secrets(&old, &secrets, &new);
        assert_eq!(
            written,
            "# head\na: !encrypted \"\\x7b{ 1 }}\\n\" # why\nb:\n  - !encrypted \"\\\"\\\\\"\n  - {c: !encrypted \"ENC[nkey,a,b,c==]\", d: 4}\npem: !encrypted \"\\u0001\\t\"\n{% if z %}\ne: !encrypted \"\\x7b%\"\n{% endif %}\n"
        );
        let again = marked(&tree(&written), "sealed").unwrap();
        assert_eq!(again.len(), secrets.len());
        assert_eq!(again.into_iter().map(|s| Some(s.text)).collect::<Vec<_>>(), new);
    }
}
