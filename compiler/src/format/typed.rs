//! The layout while somebody types: the column of a new line, and blanks in a tag that was just closed.
//!
//! A text that is being typed is wrong most of the time, so lines are read for themselves here, and the tree is asked
//! only what a line lies in. Nothing but blanks changes, and none of a line that has its words already, other than in
//! the tag at the cursor.

use super::{STEP, tags};
use crate::{
    diagnostic::Edit,
    source::{Span, floor_char_boundary},
    syntax::{
        Node, NodeKind, ScalarStyle, Tree,
        segment::{Segment, SegmentKind, segments},
        template::BlockKind,
    },
};
use std::ops::Range;

/// The edits that a character asks for that was just typed before a place: a line break, or the brace that closes a tag.
pub fn format_typed(tree: &Tree, offset: usize, typed: char) -> Vec<Edit> {
    let offset = floor_char_boundary(&tree.text, offset);
    match typed {
        '\n' => new_line(tree, offset),
        '}' => closed_tag(tree, offset),
        _ => Vec::new(),
    }
}

fn edit(tree: &Tree, range: Range<usize>, text: impl Into<String>) -> Edit {
    Edit { span: Span::new(tree.file, range), text: text.into() }
}

/// A line of the text.
#[derive(Clone, Copy)]
struct Line<'t> {
    start: usize,
    /// Without its line break.
    text: &'t str,
}

impl<'t> Line<'t> {
    fn at(text: &'t str, start: usize) -> Self {
        let whole = text.get(start..).unwrap_or_default().split('\n').next().unwrap_or_default();
        Self { start, text: whole.strip_suffix('\r').unwrap_or(whole) }
    }

    /// The line above.
    fn above(self, text: &'t str) -> Option<Self> {
        let end = self.start.checked_sub(1)?;
        let start = text.get(..end)?.rfind('\n').map_or(0, |at| at + 1);
        Some(Self::at(text, start))
    }

    /// The line below.
    fn below(self, text: &'t str) -> Option<Self> {
        let next = text.get(self.start..)?.find('\n')? + self.start + 1;
        Some(Self::at(text, next))
    }

    /// Its words, without the blanks around them.
    fn words(self) -> &'t str {
        self.text.trim()
    }

    /// Blanks at its start.
    fn column(self) -> usize {
        self.text.len() - self.text.trim_start_matches(' ').len()
    }

    /// The end of its last word.
    fn end(self) -> usize {
        self.start + self.text.trim_end().len()
    }

    fn is_tag(self) -> bool {
        self.words().starts_with("{%") || self.words().starts_with("{#")
    }

    fn is_comment(self) -> bool {
        self.words().starts_with('#')
    }

    /// What the words are without a comment behind them.
    fn said(self) -> &'t str {
        let words = self.words();
        let (mut quote, mut last) = (None, ' ');
        for (at, c) in words.char_indices() {
            match (quote, c) {
                (None, '#') if last == ' ' => return words.get(..at).unwrap_or_default().trim_end(),
                (None, '\'' | '"') if matches!(last, ' ' | '[' | '{' | ',') => quote = Some(c),
                (Some(q), c) if q == c => quote = None,
                _ => {}
            }
            last = c;
        }
        words
    }

    /// The width of the dashes that it begins with.
    fn dashes(self) -> usize {
        let mut rest = self.words();
        loop {
            rest = match rest.strip_prefix('-') {
                Some("") => "",
                Some(inner) if inner.starts_with(' ') => inner.trim_start_matches(' '),
                _ => return self.words().len() - rest.len(),
            };
        }
    }

    /// Whether it ends with a key whose value is to come.
    fn opens(self) -> bool {
        let said = self.said();
        said.ends_with(':') && !said.ends_with("::") && !self.is_tag() && !self.is_comment()
    }

    /// Whether it ends with the header of a text on the lines below: `key: |-`.
    fn opens_text(self) -> bool {
        let said = self.said();
        let header = said.trim_end_matches(|c: char| matches!(c, '+' | '-') || c.is_ascii_digit());
        let Some(before) = header.strip_suffix(['|', '>']) else { return false };
        said.len() - header.len() <= 2 && (before.ends_with(": ") || before.ends_with("- "))
    }
}

fn new_line(tree: &Tree, offset: usize) -> Vec<Edit> {
    let text: &str = &tree.text;
    let Some(break_at) = text.get(..offset).and_then(|before| before.rfind('\n')) else { return Vec::new() };
    let line = Line::at(text, break_at + 1);
    let Some(previous) = line.above(text) else { return Vec::new() };
    let mut edits = Vec::new();
    let inside = Inside::of(tree, previous, line);
    if let Inside::Elsewhere = inside {
        return edits;
    }
    // Nothing stands behind the last word of a line.
    if let Inside::Document = inside
        && previous.end() < previous.start + previous.text.len()
    {
        edits.push(edit(tree, previous.end()..previous.start + previous.text.len(), ""));
    }
    if previous.words().is_empty() || previous.text.trim_start_matches(' ').starts_with('\t') {
        return edits;
    }
    let column = match inside {
        Inside::Text(column) => Some(column),
        _ => column_below(text, previous, line),
    };
    let Some(column) = column else { return edits };
    // Words that moved down with the line break go where a new line would be only where that is certain.
    let is_free = line.words().is_empty() || previous.opens();
    if is_free && line.column() != column {
        edits.push(edit(tree, line.start..line.start + line.column(), " ".repeat(column)));
    }
    edits
}

/// What a new line lies in.
enum Inside {
    /// The document itself.
    Document,
    /// A text on lines of its own, in this column.
    Text(usize),
    /// Brackets, a value of several lines, a tag: their author's.
    Elsewhere,
}

impl Inside {
    fn of(tree: &Tree, previous: Line<'_>, line: Line<'_>) -> Self {
        let text: &str = &tree.text;
        let of_tag = |s: &Segment| {
            s.kind != SegmentKind::Text && s.range.start < line.start && line.start < s.range.end
        };
        if segments(text).iter().any(of_tag) || previous.said().ends_with([',', '[', '{']) {
            return Inside::Elsewhere;
        }
        if previous.opens_text() {
            // In the column of the text that is there, else below the key.
            let there = line.below(text).filter(|l| !l.words().is_empty() && l.column() > previous.column());
            let key = if previous.dashes() > 0 && previous.said().len() - previous.dashes() > 2 {
                previous.column() + previous.dashes()
            } else {
                previous.column()
            };
            return Inside::Text(there.map_or(key + STEP, Line::column));
        }
        let roots = tree.root.iter().chain(tree.bodies.iter().filter_map(|body| body.root.as_ref()));
        let mut pending: Vec<&Node> = roots.collect();
        while let Some(node) = pending.pop() {
            let around = (node.span.start as usize) < previous.end() && line.start < node.span.end as usize;
            match &node.kind {
                NodeKind::Mapping(map) if map.flow && around => return Inside::Elsewhere,
                NodeKind::Sequence(list) if list.flow && around => return Inside::Elsewhere,
                NodeKind::Mapping(map) => {
                    pending.extend(map.entries.iter().flat_map(|entry| [&entry.key, &entry.value]));
                }
                NodeKind::Sequence(list) => pending.extend(&list.items),
                NodeKind::Choice(all) => pending.extend(all),
                NodeKind::Scalar(scalar) => {
                    let starts_above = (node.span.start as usize) < previous.start;
                    let has_line = previous.start < node.span.end as usize;
                    match scalar.style {
                        ScalarStyle::Literal | ScalarStyle::Folded if starts_above && has_line => {
                            return Inside::Text(previous.column());
                        }
                        ScalarStyle::Literal | ScalarStyle::Folded => {}
                        _ if around => return Inside::Elsewhere,
                        _ => {}
                    }
                }
                NodeKind::Empty | NodeKind::Splice(_) | NodeKind::Error => {}
            }
        }
        Inside::Document
    }
}

/// The column of a new line below another one.
fn column_below(text: &str, previous: Line<'_>, line: Line<'_>) -> Option<usize> {
    if previous.is_tag() {
        // Tags stand where the words around them stand. One at the edge within a body does not.
        let above = std::iter::successors(previous.above(text), |l| l.above(text))
            .find(|l| !l.words().is_empty() && !l.is_tag() && !l.is_comment());
        return Some(match above {
            Some(above) if above.opens() && previous.column() <= above.column() => {
                children(text, above, line)
            }
            _ => previous.column(),
        });
    }
    if previous.opens() {
        return Some(children(text, previous, line));
    }
    let (column, dashes) = (previous.column(), previous.dashes());
    if dashes == 0 {
        return Some(column);
    }
    // The content of an item is still to come.
    if previous.said().len() == dashes {
        return Some(column + dashes.max(STEP));
    }
    // An item that has more keys below goes on.
    let goes_on = next_words(text, line).is_some_and(|l| l.column() == column + dashes && l.dashes() == 0);
    Some(if goes_on { column + dashes } else { column })
}

/// The column of what stands below a key: of what is there already, else two blanks below the key. What is below the
/// only key of an item stands in the key's column.
fn children(text: &str, key: Line<'_>, line: Line<'_>) -> usize {
    let (column, dashes) = (key.column(), key.dashes());
    if line.words().is_empty()
        && let Some(there) = next_words(text, line)
        && (there.column() > column || (dashes == 0 && there.column() == column && there.dashes() > 0))
    {
        return there.column();
    }
    if dashes > 0 { column + dashes } else { column + STEP }
}

/// The next line below that has words of the document.
fn next_words<'t>(text: &'t str, line: Line<'t>) -> Option<Line<'t>> {
    std::iter::successors(line.below(text), |l| l.below(text))
        .find(|l| !l.words().is_empty() && !l.is_tag() && !l.is_comment())
}

fn closed_tag(tree: &Tree, offset: usize) -> Vec<Edit> {
    let text: &str = &tree.text;
    let found = segments(text).into_iter().find(|s| s.range.end == offset && s.closed);
    let Some(tag) = found else { return Vec::new() };
    let mut edits: Vec<Edit> =
        tags::blanks(text, &tag).map(|(range, blanks)| edit(tree, range, blanks)).collect();
    edits.extend(beside_opening(tree, &tag));
    edits
}

/// A tag that goes on with a block, or ends it, stands where the block's first tag stands.
fn beside_opening(tree: &Tree, tag: &Segment) -> Option<Edit> {
    let text: &str = &tree.text;
    let ends_here = |span: Span| span.end as usize == tag.range.end;
    // The blanks before the end of what is captured belong to the captured text.
    let block = tree.template.blocks.iter().find(|block| {
        matches!(block.kind, BlockKind::If | BlockKind::For { .. } | BlockKind::With { .. })
            && (ends_here(block.span) || block.arms.iter().skip(1).any(|arm| ends_here(arm.tag)))
    })?;
    let own_column = |start: usize| {
        let line = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
        let before = text.get(line..start)?;
        before.bytes().all(|b| b == b' ').then_some((line, before.len()))
    };
    let (_, wanted) = own_column(block.span.start as usize)?;
    let (line, column) = own_column(tag.range.start)?;
    let behind = text.get(tag.range.end..)?.split('\n').next()?;
    (column != wanted && behind.trim().is_empty() && tag.range.start > block.span.start as usize)
        .then(|| edit(tree, line..tag.range.start, " ".repeat(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diagnostic::apply, source::FileId, syntax::parse};
    use std::sync::Arc;

    /// The text after the character before the cursor (`|>`) was typed; the cursor stays in the text.
    #[track_caller]
    fn typed(character: char, before: &str, after: &str) {
        let at = before.find("<|>").unwrap();
        let text: Arc<str> = before.replacen("<|>", "", 1).into();
        let tree = parse(FileId(0), &text);
        let mut edits = format_typed(&tree, at, character);
        edits.sort_by_key(|edit| edit.span.start);
        assert_eq!(apply(&text, &edits), after, "{before}");
    }

    #[test]
    fn new_lines_stand_where_they_belong() {
        for (before, after) in [
            ("nginx:\n<|>", "nginx:\n  "),
            ("nginx:\n  pkg.installed:\n  <|>", "nginx:\n  pkg.installed:\n    "),
            ("a:\n  b.c:\n    - require:\n    <|>", "a:\n  b.c:\n    - require:\n      "),
            ("a:\n  b.c:\n    - name: x\n<|>", "a:\n  b.c:\n    - name: x\n    "),
            ("a:\n  b.c:\n    -\n    <|>", "a:\n  b.c:\n    -\n      "),
            // The blank behind the dash goes.
            ("a:\n  b.c:\n    - \n    <|>", "a:\n  b.c:\n    -\n      "),
            ("a:\n  port: 80\n<|>", "a:\n  port: 80\n  "),
            ("a: # why\n<|>", "a: # why\n  "),
            ("# a: b\n  <|>", "# a: b\n"),
            // Where lines are below the key already, they say the column.
            ("include:\n<|>\n- a\n", "include:\n\n- a\n"),
            ("a:\n<|>\n    b: 1\n", "a:\n    \n    b: 1\n"),
            ("a:\n  - b: 1\n  <|>\n    c: 2\n", "a:\n  - b: 1\n    \n    c: 2\n"),
            // Texts on lines of their own.
            ("a:\n  b.c:\n    - contents: |\n<|>", "a:\n  b.c:\n    - contents: |\n        "),
            ("a: |\n<|>", "a: |\n  "),
            ("a: |\n    x\n<|>", "a: |\n    x\n    "),
            // Tags.
            ("a:\n  b.c:\n{% if x %}\n<|>{% endif %}\n", "a:\n  b.c:\n{% if x %}\n{% endif %}\n"),
            ("a:\n  b.c:\n{% if x %}\n<|>", "a:\n  b.c:\n{% if x %}\n    "),
            ("a:\n  b.c:\n    {% if x %}\n<|>", "a:\n  b.c:\n    {% if x %}\n    "),
            ("a:\n  b.c:\n    - x: 1\n{% if x %}\n    <|>", "a:\n  b.c:\n    - x: 1\n{% if x %}\n"),
            // The words behind the cursor move along below a key.
            ("nginx:\n<|>pkg.installed: []\n", "nginx:\n  pkg.installed: []\n"),
            // Blanks that the editor left on an empty line.
            ("a:\n  b: 1\n  \n  <|>", "a:\n  b: 1\n\n  "),
        ] {
            typed('\n', before, after);
        }
    }

    #[test]
    fn what_has_a_layout_of_its_own_keeps_it() {
        for text in [
            "a: [1,\n<|>2]\n",
            "a: {b: 1,\n      <|>\n",
            "a: 'one\n       <|>two'\n",
            "{{ f(\n      <|>) }}\n",
            "{% set x = {\n  <|>\n} %}\n",
            "a: one\n     <|>two\n",
            "<|>\na: 1\n",
        ] {
            typed('\n', text, &text.replacen("<|>", "", 1));
        }
    }

    #[test]
    fn tags_that_are_closed_get_their_blanks() {
        for (before, after) in [
            ("a: {{x}}<|>\n", "a: {{ x }}\n"),
            ("a: {{-  x-}}<|> {{y}}\n", "a: {{- x -}} {{y}}\n"),
            ("{%if x%}<|>\n", "{% if x %}\n"),
            ("a: {{ x }<|>\n", "a: {{ x }\n"),
            ("a: {b: 1}<|>\n", "a: {b: 1}\n"),
            ("a:\n  {% if x %}\n  b: 1\n    {%endif%}<|>\n", "a:\n  {% if x %}\n  b: 1\n  {% endif %}\n"),
            (
                "{% for x in y %}\na: 1\n  {% else %}<|>\n{% endfor %}\n",
                "{% for x in y %}\na: 1\n{% else %}\n{% endfor %}\n",
            ),
            // What is captured keeps its blanks.
            ("{% set x %}a\n  {% endset %}<|>\n", "{% set x %}a\n  {% endset %}\n"),
        ] {
            typed('}', before, after);
        }
    }
}
