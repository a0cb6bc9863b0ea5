//! The lines of a file, what each is, and how it is written anew.

use crate::{
    diagnostic::Edit,
    source::{FileId, LineIndex, Span},
    syntax::{
        NodeKind, ScalarStyle, Tree,
        segment::{Segment, SegmentKind, segments},
        template::BlockKind,
        tree::Node,
    },
};
use std::ops::Range;

/// What a line begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Nothing but blanks.
    Blank,
    /// A YAML comment.
    Comment,
    /// A statement or a template comment.
    Tag,
    /// Words.
    Content,
}

/// A line.
#[derive(Debug)]
pub(crate) struct Line {
    /// Its bytes, without the line break.
    pub range: Range<usize>,
    /// Its line break: `\n`, `\r\n`, nothing at the end of the file.
    pub ending: Range<usize>,
    /// Bytes of blanks at its start.
    pub indent: usize,
    /// What it begins with.
    pub kind: Kind,
    /// It lies in text that is not the document's (a macro's body, a tag of several lines): nothing in it is changed.
    pub frozen: bool,
    /// It continues a scalar, or a list or map in brackets: it moves with its first line, and is not changed otherwise.
    pub tail: bool,
}

/// All lines of a file.
pub(crate) struct Lines<'t> {
    pub text: &'t str,
    pub index: LineIndex,
    pub all: Vec<Line>,
    pub segments: Vec<Segment>,
}

impl<'t> Lines<'t> {
    /// Tells the lines apart.
    pub fn of(tree: &'t Tree) -> Self {
        let text: &str = &tree.text;
        let index = LineIndex::new(text);
        let segments = segments(text);
        let mut all = Vec::with_capacity(index.count());
        for number in 0..index.count() {
            let start = index.start(number);
            let next = if number + 1 < index.count() { index.start(number + 1) } else { text.len() };
            let whole = &text[start..next];
            let content = whole.trim_end_matches(['\n', '\r']);
            let indent = content.len() - content.trim_start_matches(' ').len();
            let word = content.trim_start_matches([' ', '\t', '\u{feff}']);
            let kind = match word {
                "" => Kind::Blank,
                _ if word.starts_with('#') => Kind::Comment,
                _ if word.starts_with("{%") || word.starts_with("{#") => Kind::Tag,
                _ => Kind::Content,
            };
            let end = start + content.len();
            all.push(Line { range: start..end, ending: end..next, indent, kind, frozen: false, tail: false });
        }
        // A line break at the end opens no line that could be written.
        if all.last().is_some_and(|line| line.range.is_empty() && line.range.start == text.len()) {
            all.pop();
        }
        let mut lines = Self { text, index, all, segments };
        lines.freeze(tree);
        lines.find_tails(tree);
        lines
    }

    /// The number of the line that holds an offset.
    pub fn at(&self, offset: usize) -> usize {
        self.index.line(offset).min(self.all.len().saturating_sub(1))
    }

    /// Offset of the first word of a line.
    pub fn word(&self, line: usize) -> usize {
        self.all.get(line).map_or(0, |line| line.range.start + line.indent)
    }

    /// The last line that a range has a word in.
    pub fn last_of(&self, range: Range<usize>) -> usize {
        let text = self.text.get(range.clone()).unwrap_or_default();
        let words = text.trim_end().len();
        self.at(range.start + words.saturating_sub(1))
    }

    fn freeze(&mut self, tree: &Tree) {
        for block in &tree.template.blocks {
            let captured = matches!(
                block.kind,
                BlockKind::Macro { .. }
                    | BlockKind::Set { .. }
                    | BlockKind::Load { .. }
                    | BlockKind::Call { .. }
                    | BlockKind::Filter { .. }
                    | BlockKind::Raw
                    | BlockKind::Unknown
            );
            let Some(arm) = block.arms.first().filter(|_| captured) else { continue };
            let (first, last) = (self.at(arm.body.start as usize), self.at(block.span.end as usize - 1));
            let whole =
                matches!(block.kind, BlockKind::Call { .. } | BlockKind::Filter { .. } | BlockKind::Raw);
            // What stands before the closing tag belongs to the body.
            self.freeze_lines(first + usize::from(!whole && first < last), last);
        }
        for segment in self.segments.clone() {
            let (first, last) = (self.at(segment.range.start), self.at(segment.range.end.saturating_sub(1)));
            match segment.kind {
                SegmentKind::Raw => self.freeze_lines(first, last),
                SegmentKind::Text => {}
                _ => self.freeze_lines(first + 1, last),
            }
        }
    }

    fn freeze_lines(&mut self, first: usize, last: usize) {
        for line in self.all.iter_mut().take(last + 1).skip(first) {
            line.frozen = true;
        }
    }

    fn find_tails(&mut self, tree: &Tree) {
        let mut pending: Vec<&Node> = tree.root.iter().collect();
        while let Some(node) = pending.pop() {
            let whole = match &node.kind {
                NodeKind::Scalar(scalar) => {
                    let kept = matches!(scalar.style, ScalarStyle::Literal | ScalarStyle::Folded)
                        && self.header(node.span).contains('+');
                    Some((node.span.range(), kept))
                }
                NodeKind::Mapping(map) if map.flow => Some((node.span.range(), false)),
                NodeKind::Sequence(list) if list.flow => Some((node.span.range(), false)),
                NodeKind::Mapping(map) => {
                    pending.extend(map.entries.iter().flat_map(|e| [&e.key, &e.value]));
                    None
                }
                NodeKind::Sequence(list) => {
                    pending.extend(&list.items);
                    None
                }
                NodeKind::Choice(all) => {
                    pending.extend(all);
                    None
                }
                NodeKind::Empty | NodeKind::Splice(_) | NodeKind::Error => None,
            };
            let Some((range, kept)) = whole else { continue };
            let first = self.at(range.start);
            let mut last = self.last_of(range);
            // Line breaks at the end of a text belong to it only where it says so.
            while kept && self.all.get(last + 1).is_some_and(|line| line.kind == Kind::Blank) {
                last += 1;
            }
            for line in self.all.iter_mut().take(last + 1).skip(first + 1) {
                line.tail = true;
            }
        }
    }

    /// The first line of a block's text: `|+`, `>2`.
    pub fn header(&self, span: Span) -> &'t str {
        let rest = self.text.get(span.range()).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        line.split('#').next().unwrap_or_default()
    }
}

/// The lines as they will be.
pub(super) struct Written<'l, 't> {
    lines: &'l Lines<'t>,
    /// The indentation of each line.
    pub indents: Vec<usize>,
    /// Whether a line is left out.
    pub dropped: Vec<bool>,
    /// Whether a blank line stands before a line.
    pub parted: Vec<bool>,
    /// Replacements within lines, in the order of the text.
    pub inner: Vec<(Range<usize>, &'static str)>,
    /// Whether blanks at the ends of lines go.
    pub trimmed: bool,
    /// Whether the text ends with a line break that it did not have.
    pub ended: bool,
}

impl<'l, 't> Written<'l, 't> {
    /// The lines as they are.
    pub fn of(lines: &'l Lines<'t>) -> Self {
        let count = lines.all.len();
        Self {
            lines,
            indents: lines.all.iter().map(|line| line.indent).collect(),
            dropped: vec![false; count],
            parted: vec![false; count],
            inner: Vec::new(),
            trimmed: false,
            ended: false,
        }
    }

    /// The edits that write them: one for each run of lines that change.
    pub fn edits(self, file: FileId) -> Vec<Edit> {
        let ending = self.lines.all.first().map_or("\n", |line| &self.lines.text[line.ending.clone()]);
        let ending = if ending.is_empty() { "\n" } else { ending };
        let mut edits: Vec<Edit> = Vec::new();
        let mut inner = self.inner.iter().peekable();
        let last = self.lines.all.len().saturating_sub(1);
        for (number, line) in self.lines.all.iter().enumerate() {
            let old = &self.lines.text[line.range.start..line.ending.end];
            let mut new = String::with_capacity(old.len() + 8);
            if self.parted[number] {
                new.push_str(ending);
            }
            let mut at = line.range.start + line.indent;
            if !line.frozen {
                new.extend(std::iter::repeat_n(' ', self.indents[number]));
            } else {
                at = line.range.start;
            }
            while let Some((range, text)) = inner.next_if(|(range, _)| range.start < line.ending.end) {
                if range.start >= at {
                    new.push_str(&self.lines.text[at..range.start]);
                    new.push_str(text);
                    at = range.end;
                }
            }
            new.push_str(&self.lines.text[at..line.range.end]);
            if self.trimmed && !line.frozen && !line.tail {
                // A line that a text continues on keeps what stands at its end.
                let continued = self.lines.all.get(number + 1).is_some_and(|next| next.tail || next.frozen);
                if !continued || line.kind == Kind::Blank {
                    new.truncate(new.trim_end_matches([' ', '\t']).len());
                    if self.parted[number] && new.is_empty() {
                        new.push_str(ending);
                    }
                }
            }
            let old_ending = &self.lines.text[line.ending.clone()];
            new.push_str(match old_ending {
                "" if self.ended && number == last => ending,
                "" => "",
                _ if line.frozen || !self.trimmed => old_ending,
                _ => ending,
            });
            if self.dropped[number] {
                new.clear();
            }
            if new != old {
                let span = Span::new(file, line.range.start..line.ending.end);
                edits.push(Edit { span, text: new });
            }
        }
        edits
    }
}
