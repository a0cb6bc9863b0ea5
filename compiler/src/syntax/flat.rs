//! A document's text with its template constructs taken out: statements and comments are blank, expressions are
//! marks. All branches are still in it; [`shadow`](super::shadow) takes one arm of each.
//!
//! The text keeps the source's length, so every offset stays an offset of the source.

use super::{
    segment::{Segment, SegmentKind},
    template::{BlockKind, StatementKind, Template},
    tree::Splice,
    yaml::{Mark, MarkKind, region::Region, region::regions},
};
use crate::source::{FileId, Span};
use std::{ops::Range, sync::Arc};

/// What became of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// Its arms are in the text; shadows choose among them.
    Visible,
    /// Gone, or one mark: with all that is in it.
    Closed,
}

/// One line of the flat text.
#[derive(Debug)]
pub(super) struct Line {
    pub start: usize,
    pub end: usize,
    pub indent: usize,
    pub blank: bool,
    pub comment: bool,
    /// Nothing but marks of expressions.
    pub splice: bool,
    /// Begins with `- `.
    pub dash: bool,
    /// Has a key.
    pub key: bool,
    /// Text of a block scalar.
    pub text: bool,
}

/// A document of a file, flattened. All offsets in it count from `base`.
pub(super) struct Flat {
    pub file: FileId,
    pub base: usize,
    pub bytes: Vec<u8>,
    pub marks: Vec<Mark>,
    pub marker: char,
    pub lines: Vec<Line>,
    /// The lines with something on them. (A line of tags has become as many empty ones as it has bytes.)
    pub ink: Vec<usize>,
    /// First block of the template that may lie in the document.
    pub first_block: usize,
    /// The fate of each block from `first_block` on.
    pub fates: Vec<Fate>,
    /// Lines of tags that were turned into line breaks.
    pub fillers: Vec<Range<usize>>,
    /// Tags behind a `#`.
    pub commented: Vec<Range<usize>>,
}

/// Whether a block's text goes somewhere else than into the document around it.
pub(super) fn is_captured(kind: &BlockKind) -> bool {
    matches!(kind, BlockKind::Macro { .. } | BlockKind::Set { .. } | BlockKind::Load { .. })
}

/// What a file is flattened from.
#[derive(Clone, Copy)]
pub(super) struct Source<'t> {
    pub file: FileId,
    pub text: &'t str,
    pub segments: &'t [Segment],
    pub template: &'t Template,
    pub marker: char,
}

impl Flat {
    /// Flattens the part `range` of a file; `within` is the block whose body it is.
    pub(super) fn new(source: Source<'_>, range: Range<usize>, within: Option<usize>) -> Self {
        let blocks = &source.template.blocks;
        let first_block = blocks.partition_point(|b| (b.span.start as usize) < range.start);
        let mut flat = Self {
            file: source.file,
            base: range.start,
            bytes: source.text.as_bytes().get(range.clone()).unwrap_or_default().to_vec(),
            marks: Vec::new(),
            marker: source.marker,
            lines: Vec::new(),
            ink: Vec::new(),
            first_block,
            fates: Vec::new(),
            fillers: Vec::new(),
            commented: Vec::new(),
        };
        let closed = flat.close_blocks(source, &range, within);
        flat.take_out_tags(source, &range, &closed);
        flat.blank_lines(source.text.as_bytes());
        flat.find_lines();
        let regions = flat.regions(source.text);
        flat.settle_regions(source, &regions);
        flat.marks.sort_by_key(|m| m.range.start);
        flat
    }

    /// The block of the template behind `fates[index]`.
    pub(super) fn block(&self, index: usize) -> usize {
        self.first_block + index
    }

    fn local(&self, range: Range<usize>) -> Range<usize> {
        range.start.saturating_sub(self.base).min(self.bytes.len())
            ..range.end.saturating_sub(self.base).min(self.bytes.len())
    }

    fn blank(&mut self, range: Range<usize>) {
        let range = self.local(range);
        self.bytes[range].fill(b' ');
    }

    /// Writes a mark over `at` (local); false where there is no room.
    fn write_mark(&mut self, at: Range<usize>) -> bool {
        let length = self.marker.len_utf8();
        if at.end > self.bytes.len() || at.len() < length {
            return false;
        }
        self.bytes[at.clone()].fill(b'z');
        self.marker.encode_utf8(&mut self.bytes[at.start..at.start + length]);
        true
    }

    fn mark(&mut self, range: Range<usize>, kind: MarkKind) {
        let at = self.local(range.clone());
        if self.write_mark(at.clone()) {
            self.marks.push(Mark { range, at, kind });
        } else {
            // `{{` at the end of a half-typed file.
            self.bytes[at].fill(b' ');
        }
    }

    /// Takes out blocks that are captured, emit text of their own, or stand inside one scalar. Gives their spans.
    fn close_blocks(
        &mut self,
        source: Source<'_>,
        range: &Range<usize>,
        within: Option<usize>,
    ) -> Vec<Range<usize>> {
        let mut closed: Vec<Range<usize>> = Vec::new();
        for (index, block) in source.template.blocks.iter().enumerate().skip(self.first_block) {
            let span = block.span.range();
            if span.start >= range.end {
                break;
            }
            let hidden = closed.last().is_some_and(|c| span.start < c.end);
            if hidden || Some(index) == within || span.end > range.end {
                self.fates.push(if hidden { Fate::Closed } else { Fate::Visible });
                continue;
            }
            let tag = block.arms.first().map_or(span.clone(), |a| a.tag.range());
            let taken = match &block.kind {
                kind if is_captured(kind) => {
                    self.blank(span.clone());
                    true
                }
                BlockKind::Call { .. } | BlockKind::Filter { .. } => {
                    self.blank(span.clone());
                    let expr = match &block.kind {
                        BlockKind::Call { call, .. } => Some(call.clone()),
                        _ => None,
                    };
                    let splice = Splice { span: Span::new(self.file, tag.clone()), expr };
                    self.mark(tag, MarkKind::Splice(splice));
                    true
                }
                BlockKind::Raw if stands_in_a_line(source.text, &span) => {
                    let body = block.arms.first().map_or(span.clone(), |a| a.body.range());
                    let text = source.text.get(body).unwrap_or_default().to_owned();
                    self.mark(span.clone(), MarkKind::Raw(text));
                    true
                }
                BlockKind::If | BlockKind::For { .. } if is_part_of_a_scalar(source.text, block) => {
                    self.mark(span.clone(), MarkKind::Block(index));
                    true
                }
                _ => false,
            };
            if taken {
                closed.push(span);
            }
            self.fates.push(if taken { Fate::Closed } else { Fate::Visible });
        }
        closed
    }

    fn take_out_tags(&mut self, source: Source<'_>, range: &Range<usize>, closed: &[Range<usize>]) {
        let from = source.segments.partition_point(|s| s.range.start < range.start);
        let mut next_closed = 0;
        let statements = &source.template.statements;
        for segment in source.segments.iter().skip(from).take_while(|s| s.range.start < range.end) {
            while closed.get(next_closed).is_some_and(|c| c.end <= segment.range.start) {
                next_closed += 1;
            }
            if closed.get(next_closed).is_some_and(|c| c.start <= segment.range.start) {
                continue;
            }
            match segment.kind {
                SegmentKind::Text | SegmentKind::Raw => {}
                SegmentKind::Comment => self.blank(segment.range.clone()),
                SegmentKind::Statement => {
                    let at = statements.partition_point(|s| (s.span.start as usize) < segment.range.start);
                    let include = statements.get(at).filter(|s| {
                        s.span.start as usize == segment.range.start
                            && matches!(s.kind, StatementKind::Include { .. })
                    });
                    match include {
                        Some(statement) => {
                            let splice = Splice { span: statement.span, expr: None };
                            self.mark(segment.range.clone(), MarkKind::Splice(splice));
                        }
                        None => self.blank(segment.range.clone()),
                    }
                }
                SegmentKind::Expression => {
                    let expressions = &source.template.expressions;
                    let at = expressions.partition_point(|(s, _)| (s.start as usize) < segment.range.start);
                    match expressions.get(at).filter(|(s, _)| s.start as usize == segment.range.start) {
                        Some((_, expr)) => {
                            self.mark(segment.range.clone(), MarkKind::Expr(Arc::clone(expr)));
                        }
                        None => self.blank(segment.range.clone()),
                    }
                }
            }
        }
        self.marks.sort_by_key(|m| m.range.start);
    }

    /// Lines of which only blanks are left become line breaks: those are legal everywhere, blanks are not.
    fn blank_lines(&mut self, source: &[u8]) {
        let mut start = 0;
        while start < self.bytes.len() {
            let end =
                self.bytes[start..].iter().position(|b| *b == b'\n').map_or(self.bytes.len(), |n| start + n);
            let left = self.bytes[start..end].trim_ascii();
            let hash = left.iter().all(|b| matches!(b, b'#' | b' '));
            if hash {
                let original = source.get(self.base + start..self.base + end).unwrap_or_default();
                let had_tag = !left.is_empty() && original.windows(2).any(|w| w == b"{%");
                if had_tag {
                    self.commented.push(self.base + start..self.base + end);
                }
                if had_tag || (left.is_empty() && !original.trim_ascii().is_empty()) {
                    self.bytes[start..end].fill(b'\n');
                    self.fillers.push(start..end);
                }
            }
            start = end + 1;
        }
    }

    fn find_lines(&mut self) {
        let mut lines = Vec::new();
        let mut start = 0;
        let mut next_mark = 0;
        while start < self.bytes.len() {
            let end =
                self.bytes[start..].iter().position(|b| *b == b'\n').map_or(self.bytes.len(), |n| start + n);
            let text = &self.bytes[start..end];
            let indent = text.iter().take_while(|b| **b == b' ').count();
            let body = text[indent..].trim_ascii();
            while self.marks.get(next_mark).is_some_and(|m| m.at.start < start) {
                next_mark += 1;
            }
            let mut covered = 0;
            while let Some(mark) = self.marks.get(next_mark).filter(|m| m.at.start < end) {
                if matches!(mark.kind, MarkKind::Expr(_) | MarkKind::Splice(_)) {
                    covered += mark.at.len();
                }
                next_mark += 1;
            }
            let ink = if covered == 0 { 0 } else { body.iter().filter(|b| !b.is_ascii_whitespace()).count() };
            lines.push(Line {
                start,
                end,
                indent,
                blank: body.is_empty(),
                comment: body.first() == Some(&b'#'),
                splice: covered > 0 && ink == covered,
                dash: body == b"-" || body.starts_with(b"- "),
                key: has_key(body),
                text: false,
            });
            start = end + 1;
        }
        self.ink = (0..lines.len()).filter(|at| !lines[*at].blank).collect();
        self.lines = lines;
    }

    /// The lines with something on them behind a line, from there on.
    pub(super) fn ink_after(&self, line: usize) -> impl Iterator<Item = (usize, &Line)> {
        let from = self.ink.partition_point(|at| *at <= line);
        self.ink.get(from..).unwrap_or_default().iter().filter_map(|at| Some((*at, self.lines.get(*at)?)))
    }

    /// The lines with something on them before a line, the nearest first.
    pub(super) fn ink_before(&self, line: usize) -> impl Iterator<Item = (usize, &Line)> {
        let to = self.ink.partition_point(|at| *at < line);
        self.ink.get(..to).unwrap_or_default().iter().rev().filter_map(|at| Some((*at, self.lines.get(*at)?)))
    }

    /// The line that holds a local offset.
    pub(super) fn line_at(&self, offset: usize) -> usize {
        self.lines.partition_point(|l| l.start <= offset).saturating_sub(1)
    }

    fn regions(&self, source: &str) -> Vec<Region> {
        let text = String::from_utf8_lossy(&self.bytes);
        if text.len() != self.bytes.len() {
            return Vec::new();
        }
        regions(&text, &|start, parent| {
            let index = self.line_at(start);
            let Some(line) = self.lines.get(index).filter(|l| l.splice) else { return false };
            // `{{ text | indent(8, true) }}` at the margin brings its own indentation.
            let own = source.get(self.base + line.start..self.base + line.end).unwrap_or_default();
            own.contains("indent(")
                || self
                    .ink_after(index)
                    .take(400)
                    .find(|(_, l)| !l.splice)
                    .is_some_and(|(_, l)| l.indent > parent && !l.dash && !l.key)
        })
    }

    /// Within block texts, blocks are parts of the text, and expressions stand in the text's column.
    fn settle_regions(&mut self, source: Source<'_>, regions: &[Region]) {
        if regions.is_empty() {
            return;
        }
        let mut inside: Vec<(usize, Range<usize>)> = Vec::new();
        for region in regions {
            let first = self.lines.partition_point(|l| l.start < region.range.start);
            let mut last = first;
            while let Some(line) = self.lines.get_mut(last).filter(|l| l.start < region.range.end) {
                line.text = true;
                last += 1;
            }
            // Tags behind the last line of the text close blocks that began in it.
            let ink = self.lines[last..].iter().find(|l| !l.blank).map_or(self.bytes.len(), |l| l.start);
            let bounds = self.base + region.range.start..self.base + ink.max(region.range.end);
            let mut hidden = 0;
            let from = source
                .template
                .blocks
                .partition_point(|b| (b.span.start as usize) < bounds.start)
                .max(self.first_block);
            for (index, block) in source.template.blocks.iter().enumerate().skip(from) {
                let span = block.span.range();
                if span.start >= self.base + region.range.end {
                    break;
                }
                let Some(fate) = self.fates.get_mut(index - self.first_block) else { break };
                if *fate == Fate::Closed {
                    continue;
                }
                if span.start < hidden {
                    *fate = Fate::Closed;
                } else if span.end <= bounds.end {
                    *fate = Fate::Closed;
                    hidden = span.end;
                    inside.push((index, self.place_in_text(&span, region)));
                }
            }
            self.move_expressions(first..last, region);
        }
        // Marks inside such a block are part of it now.
        let spans: Vec<Range<usize>> =
            inside.iter().map(|(i, _)| source.template.blocks[*i].span.range()).collect();
        self.marks.retain(|mark| {
            let at = spans.partition_point(|s| s.start <= mark.range.start);
            at.checked_sub(1).and_then(|i| spans.get(i)).is_none_or(|s| mark.range.start >= s.end)
        });
        for (block, at) in inside {
            let range = source.template.blocks[block].span.range();
            if self.write_mark(at.clone()) {
                self.marks.push(Mark { range, at, kind: MarkKind::Block(block) });
            } else {
                self.bytes[at].fill(b'\n');
            }
        }
    }

    /// Where the mark of a block goes: at its own place within a line, in the text's column on its own line.
    fn place_in_text(&mut self, span: &Range<usize>, region: &Region) -> Range<usize> {
        let span = self.local(span.clone());
        // Tag lines were turned into line breaks, so the line is looked for in the text before the block.
        let line_start = self.bytes[..span.start].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
        let begins_line = self.bytes[line_start..span.start].iter().all(|b| *b == b' ');
        if !begins_line {
            return span;
        }
        // The blanked line is longer than what is left of it; its column counts from the last real line break.
        let column = region.indent;
        let start = (line_start + column).min(span.end);
        if span.end.saturating_sub(start) < self.marker.len_utf8() {
            return span.end..span.end;
        }
        self.bytes[line_start..start].fill(b' ');
        start..span.end
    }

    /// Expressions left of the text's column are moved into it.
    fn move_expressions(&mut self, lines: Range<usize>, region: &Region) {
        for index in lines {
            let Some(line) = self.lines.get(index) else { return };
            if !line.splice || line.indent > region.parent {
                continue;
            }
            let (start, end) = (line.start, line.end);
            let at = self.marks.partition_point(|m| m.at.start < start);
            let Some(mark) = self.marks.get(at).filter(|m| m.at.start < end) else { continue };
            let moved = start + region.indent..mark.at.end;
            if moved.len() < self.marker.len_utf8() || moved.start > moved.end {
                continue;
            }
            self.bytes[start..moved.start].fill(b' ');
            self.write_mark(moved.clone());
            if let Some(mark) = self.marks.get_mut(at) {
                mark.at = moved;
            }
        }
    }
}

/// Whether a line's text has a key: `a: b`, `- a:`, `"a": b`.
fn has_key(body: &[u8]) -> bool {
    body.ends_with(b":") || body.windows(2).any(|w| w == b": ")
}

fn line_around<'t>(text: &'t str, span: &Range<usize>) -> (&'t str, &'t str) {
    let before = text.get(..span.start).unwrap_or_default();
    let after = text.get(span.end..).unwrap_or_default();
    (before.rsplit('\n').next().unwrap_or_default(), after.split('\n').next().unwrap_or_default())
}

/// Whether a construct lies within one line and something else stands there too.
fn stands_in_a_line(text: &str, span: &Range<usize>) -> bool {
    let (before, after) = line_around(text, span);
    let own = text.get(span.clone()).unwrap_or_default();
    let alone = before.trim().is_empty() && after.trim().is_empty();
    !alone && !own.contains('\n')
}

/// Whether a block is a piece of one scalar, rather than a whole value, key or line.
fn is_part_of_a_scalar(text: &str, block: &super::template::Block) -> bool {
    let span = block.span.range();
    if block.arms.iter().any(|arm| text.get(arm.body.range()).is_none_or(|body| body.contains('\n'))) {
        return false;
    }
    let (before, after) = line_around(text, &span);
    let (before, after) = (before.trim(), after.trim());
    if before.starts_with('#') {
        return false;
    }
    if before.is_empty() && after.is_empty() {
        return false;
    }
    if matches!(block.kind, BlockKind::For { .. }) {
        return !before.is_empty();
    }
    let whole_value = before.ends_with(':') || before.ends_with('-') || before.is_empty();
    let ends = after.is_empty() || after.starts_with(": ") || after == ":" || after.starts_with('#');
    // `{% if a %}- b{% endif %}{% if c %}…`: several tags make up the line; none of them is a scalar's part.
    let tags_only = before.ends_with("%}") || after.starts_with("{%");
    !(whole_value && ends) && !(tags_only && (before.is_empty() || before.starts_with("{%")))
}
