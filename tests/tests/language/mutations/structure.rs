//! Mistakes in structure: a space, a colon, a quote or a tag too few or too many, a thing said twice.

use super::{Mistake, names::line_of, visit};
use zester_compiler::{
    source::Span,
    syntax::{
        NodeKind, ScalarStyle, Tree,
        segment::{SegmentKind, segments},
        template::BlockKind,
    },
};

struct Places<'t> {
    tree: &'t Tree,
    path: &'t str,
    found: Vec<Mistake>,
}

impl Places<'_> {
    fn push(
        &mut self,
        kind: &'static str,
        rules: &'static [&'static str],
        range: std::ops::Range<usize>,
        by: &str,
        lines: Vec<usize>,
    ) {
        self.found.push(Mistake {
            kind,
            path: self.path.to_owned(),
            range,
            text: by.to_owned(),
            lines,
            rules,
            says: None,
            must_fail: true,
        });
    }

    /// Whether tags decide what a line belongs to: it is text of a macro, which may be put anywhere, or a tag or an expression stands on a line of
    /// its own beside it.
    fn by_tags(&self, line: usize) -> bool {
        let text = &self.tree.text;
        let lines: Vec<&str> = text.lines().collect();
        let start = lines.iter().take(line).map(|l| l.len() + 1).sum::<usize>();
        let captured = self.tree.template.blocks.iter().any(|b| {
            let emitted = matches!(b.kind, BlockKind::If | BlockKind::For { .. } | BlockKind::With { .. });
            !emitted && b.span.range().contains(&start)
        });
        let is_tag = |l: &&str| ["{%", "{{", "{#", "# {%"].iter().any(|tag| l.trim_start().starts_with(tag));
        let inked = |l: &&&str| !l.trim().is_empty();
        let before = lines[..line.min(lines.len())].iter().rev().find(inked);
        let after = lines.get(line + 1..).unwrap_or_default().iter().find(inked);
        captured || [before, lines.get(line), after].into_iter().flatten().any(is_tag)
    }

    fn line(&self, offset: usize) -> usize {
        line_of(&self.tree.text, offset)
    }
}

/// The mistakes that can be made in a file's structure.
pub fn all(tree: &Tree, path: &str) -> Vec<Mistake> {
    let mut places = Places { tree, path, found: Vec::new() };
    indentation(&mut places);
    colons(&mut places);
    quotes(&mut places);
    brackets(&mut places);
    tags(&mut places);
    if path.starts_with("states/") && !path.contains("/top.") {
        twice(&mut places);
    }
    places.found
}

fn indentation(places: &mut Places<'_>) {
    // A line that moves under its neighbour is read as a part of it: then the neighbour is what is wrong.
    const RULES: &[&str] = &[
        "bad-indentation",
        "misindented-argument",
        "malformed-state",
        "invalid-yaml",
        "missing-function",
        "malformed-requisite",
        "missing-colon",
        "malformed-include",
        "unresolved-reference",
        "unknown-module",
    ];
    let tree = places.tree;
    let is_text =
        |line: &str| line.trim_start().starts_with(|c: char| c.is_alphanumeric() || "-\"'/".contains(c));
    let lines: Vec<&str> = tree.text.split_inclusive('\n').collect();
    let mut start = 0;
    for (index, line) in lines.iter().enumerate() {
        if is_text(line) {
            // Tags between two lines of text are none to YAML.
            let before = (0..index).rev().find(|at| is_text(lines[*at]));
            let after = (index + 1..lines.len()).find(|at| is_text(lines[*at]));
            let kind = if places.by_tags(index) { "indentation by tags" } else { "indentation" };
            let around: Vec<usize> = [before, Some(index), after].into_iter().flatten().collect();
            places.push(kind, RULES, start..start, " ", around.clone());
            if line.starts_with(' ') {
                places.push(kind, RULES, start..start + 1, "", around);
            }
        }
        start += line.len();
    }
}

fn colons(places: &mut Places<'_>) {
    // `context {role: x}` is a parameter of that name, `reload False` a function: each says what it was read as.
    const RULES: &[&str] = &[
        "missing-colon",
        "malformed-state",
        "invalid-yaml",
        "missing-function",
        "top-shape",
        "unknown-parameter",
        "unknown-function",
        "unknown-requisite",
        "malformed-requisite",
        "unclosed-bracket",
        "wrong-type",
    ];
    let tree = places.tree;
    for node in visit::nodes(tree) {
        for entry in node.as_mapping().filter(|m| !m.flow).into_iter().flat_map(|m| &m.entries) {
            let end = entry.key.span.end as usize;
            if tree.text.get(end..=end) == Some(":") {
                let line = places.line(end);
                let kind = if places.by_tags(line) { "colon by tags" } else { "colon" };
                places.push(kind, RULES, end..end + 1, "", vec![line]);
            }
        }
    }
}

fn quotes(places: &mut Places<'_>) {
    let tree = places.tree;
    for node in visit::nodes(tree) {
        let NodeKind::Scalar(scalar) = &node.kind else { continue };
        let quote = match scalar.style {
            ScalarStyle::SingleQuoted => "'",
            ScalarStyle::DoubleQuoted => "\"",
            _ => continue,
        };
        let (start, end) = (node.span.start as usize, node.span.end as usize);
        if end > start + 1 && tree.text.get(end - 1..end) == Some(quote) {
            let line = places.line(start);
            places.push("quote", &["unclosed-quote"], end - 1..end, "", vec![line]);
        }
    }
}

fn brackets(places: &mut Places<'_>) {
    let tree = places.tree;
    for node in visit::nodes(tree) {
        let flow = node.as_mapping().is_some_and(|m| m.flow) || node.as_sequence().is_some_and(|s| s.flow);
        let (start, end) = (node.span.start as usize, node.span.end as usize);
        if flow && end > start + 1 && tree.text.get(end - 1..end).is_some_and(|c| c == "]" || c == "}") {
            let line = places.line(start);
            places.push("bracket", &["unclosed-bracket"], end - 1..end, "", vec![line]);
        }
    }
}

fn tags(places: &mut Places<'_>) {
    let tree = places.tree;
    for segment in segments(&tree.text) {
        if !segment.closed || matches!(segment.kind, SegmentKind::Text | SegmentKind::Raw) {
            continue;
        }
        let lines = vec![places.line(segment.range.start)];
        const RULES: &[&str] = &["unclosed-tag"];
        places.push("tag", RULES, segment.inner.end..segment.range.end, "", lines);
        let words = tree.text.get(segment.inner.clone()).unwrap_or_default().trim();
        if segment.kind == SegmentKind::Statement && words.starts_with("end") {
            let mut closed = tree.template.blocks.iter().filter(|b| b.span.end as usize == segment.range.end);
            let Some(block) = closed.next_back() else { continue };
            // Of blocks of one kind in each other, any may be the one that lost its end.
            let around = tree.template.blocks.iter().filter(|b| {
                b.span.contains(block.span)
                    && std::mem::discriminant::<BlockKind>(&b.kind) == std::mem::discriminant(&block.kind)
            });
            let lines = around.map(|b| places.line(b.span.start as usize)).collect();
            places.push("block", &["unclosed-block"], segment.range.clone(), "", lines);
        }
    }
}

fn twice(places: &mut Places<'_>) {
    let tree = places.tree;
    let text = &tree.text;
    for function in visit::functions(tree) {
        let (Some(id), Some(word)) = (function.id.text(), function.word.text()) else { continue };
        let always = |span: Span| tree.template.arms_at(span.start).is_empty();
        if !always(function.id.span)
            || function.extends
            || !word.contains('.')
            || function.id.span == function.word.span
        {
            continue;
        }
        let end = text.len();
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        let last = places.line(end) + usize::from(!newline.is_empty());
        let first = places.line(function.id.span.start as usize);
        let copy = format!("{newline}{:?}:\n  {word}: []\n", &*id);
        places.push("id", &["duplicate-id", "duplicate-key"], end..end, &copy, vec![first, last]);
        for parameter in &function.parameters {
            let (key, value) = (parameter.key.span, parameter.value.span);
            let whole = text.get(key.start as usize..value.end as usize).unwrap_or_default();
            let before = text[..key.start as usize].rsplit('\n').next().unwrap_or_default();
            // `- key: value` on a line of its own.
            if whole.contains('\n') || whole.contains('{') || before.trim() != "-" || !always(key) {
                continue;
            }
            let line = places.line(key.start as usize);
            let copy = format!("{whole}\n{before}");
            let rules = &["duplicate-parameter", "duplicate-key"];
            places.push(
                "parameter twice",
                rules,
                key.start as usize..key.start as usize,
                &copy,
                vec![line, line + 1],
            );
        }
    }
}
