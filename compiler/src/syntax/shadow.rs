//! Shadows: texts of the source's length in which templates are gone and only YAML is left.
//!
//! Every offset in a shadow is an offset in the source. One shadow takes one arm of every block; as many are made as
//! it takes for each arm to be in one of them.

use super::{
    segment::{Segment, SegmentKind},
    template::{BlockKind, Template},
};
use std::ops::Range;

/// Stands for the first three bytes of an expression, so that its place is found again in a scalar's text.
pub const MARK: char = '\u{E000}';

/// Most shadows made of one text; an `elif` chain longer than this keeps its last arms unread.
const MAX_SHADOWS: usize = 48;

/// What an expression alone on its line stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stand {
    /// A part of a scalar, or a whole value.
    Value,
    /// Entries of a map.
    Entry,
    /// Items of a list.
    Item,
    /// More of what is open around it; the line is blank in the shadow.
    Blank,
}

/// How a text is to be shadowed.
pub struct Plan<'t> {
    text: &'t str,
    segments: &'t [Segment],
    template: &'t Template,
    /// The part of the text that is a document; everything else is blank.
    region: Range<usize>,
    /// Blocks in the region with no block of the region around them.
    roots: Vec<usize>,
    children: Vec<Vec<usize>>,
    cover: Vec<usize>,
}

/// One shadow, and what the expressions alone on their lines stand for in it.
pub struct Shadow {
    /// The text.
    pub text: String,
    /// Offset of each such expression (or include, or `call` block) and what it stands for.
    pub stands: Vec<(Range<usize>, Stand)>,
}

/// Whether a block's text goes somewhere else than into the document around it.
pub fn is_captured(kind: &BlockKind) -> bool {
    matches!(kind, BlockKind::Macro { .. } | BlockKind::Set { .. } | BlockKind::Load { .. })
}

/// Whether a block emits text of its own making: its body is a document of its own, its place a splice.
pub fn is_splice(kind: &BlockKind) -> bool {
    matches!(kind, BlockKind::Call { .. } | BlockKind::Filter { .. })
}

impl<'t> Plan<'t> {
    /// A plan for `region` of the text; `within` is the block whose body it is.
    pub fn new(
        text: &'t str,
        segments: &'t [Segment],
        template: &'t Template,
        region: Range<usize>,
        within: Option<usize>,
    ) -> Self {
        let count = template.blocks.len();
        let mut children = vec![Vec::new(); count];
        let mut roots = Vec::new();
        for (index, block) in template.blocks.iter().enumerate() {
            match block.parent {
                Some((parent, _)) if Some(parent) != within => children[parent].push(index),
                _ if region.start <= block.span.start as usize && block.span.end as usize <= region.end => {
                    roots.push(index);
                }
                _ => {}
            }
        }
        let mut cover = vec![1; count];
        // Children stand behind their parents, so one pass from the back knows them.
        for index in (0..count).rev() {
            let block = &template.blocks[index];
            if is_captured(&block.kind) || is_splice(&block.kind) {
                continue;
            }
            cover[index] = (0..block.arms.len())
                .map(|arm| {
                    let inner =
                        children[index].iter().filter(|c| template.blocks[**c].parent == Some((index, arm)));
                    inner.map(|c| cover[*c]).max().unwrap_or(1)
                })
                .sum::<usize>()
                .clamp(1, MAX_SHADOWS);
        }
        Self { text, segments, template, region, roots, children, cover }
    }

    /// How many shadows take every arm.
    pub fn count(&self) -> usize {
        self.roots.iter().map(|b| self.cover[*b]).max().unwrap_or(1)
    }

    /// The shadow of one choice. With `sparse`, blocks that may be left out are.
    pub fn shadow(&self, choice: usize, sparse: bool) -> Shadow {
        let mut bytes = vec![b' '; self.text.len()];
        for (at, b) in self.text.bytes().enumerate() {
            if b == b'\n' || self.region.contains(&at) {
                bytes[at] = b;
            }
        }
        let mut splices = Vec::new();
        for root in &self.roots {
            self.choose(*root, choice, sparse, &mut bytes, &mut splices);
        }
        for segment in self.segments_in(self.region.clone()) {
            match segment.kind {
                SegmentKind::Text | SegmentKind::Raw => {}
                // Gone with the arm or block it lies in, or marked as a splice already.
                _ if bytes[segment.range.start] != b'{' => {}
                SegmentKind::Comment => fill(&mut bytes, segment.range.clone(), b' '),
                SegmentKind::Statement => {
                    let include = self.text[segment.inner.clone()].trim_start().starts_with("include");
                    if include {
                        mark(&mut bytes, segment.range.clone());
                        splices.push(segment.range.clone());
                    } else {
                        fill(&mut bytes, segment.range.clone(), b' ');
                    }
                }
                SegmentKind::Expression => {
                    mark(&mut bytes, segment.range.clone());
                    splices.push(segment.range.clone());
                }
            }
        }
        splices.sort_by_key(|r| r.start);
        let stands = settle(&mut bytes, self.text.as_bytes(), &splices);
        // Only ASCII and whole `MARK`s were written over whole segments, so this cannot fail.
        let text =
            String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        Shadow { text, stands }
    }

    fn segments_in(&self, range: Range<usize>) -> &'t [Segment] {
        let start = self.segments.partition_point(|s| s.range.start < range.start);
        let end = self.segments.partition_point(|s| s.range.start < range.end);
        &self.segments[start..end.max(start)]
    }

    fn choose(
        &self,
        index: usize,
        choice: usize,
        sparse: bool,
        bytes: &mut [u8],
        splices: &mut Vec<Range<usize>>,
    ) {
        let block = &self.template.blocks[index];
        let whole = block.span.range();
        if is_captured(&block.kind) {
            return fill(bytes, whole, b' ');
        }
        if is_splice(&block.kind) {
            fill(bytes, whole.clone(), b' ');
            let end = block.arms.first().map_or(whole.end, |a| a.tag.end as usize);
            mark(bytes, whole.start..end);
            // The rest of the block, its line breaks too, is part of the splice.
            for b in &mut bytes[end..whole.end] {
                if *b != b'\n' {
                    *b = b' ';
                }
            }
            splices.push(whole.start..end);
            return;
        }
        let optional = matches!(block.kind, BlockKind::If) && !block.exhaustive;
        let mut left = choice.min(self.cover[index].saturating_sub(1));
        let mut taken = false;
        for (arm_index, arm) in block.arms.iter().enumerate() {
            let inner: Vec<usize> = self.children[index]
                .iter()
                .copied()
                .filter(|c| self.template.blocks[*c].parent == Some((index, arm_index)))
                .collect();
            let cover = inner.iter().map(|c| self.cover[*c]).max().unwrap_or(1);
            if !taken && left < cover && !(sparse && optional) {
                taken = true;
                for child in inner {
                    self.choose(child, left, sparse, bytes, splices);
                }
            } else {
                fill(bytes, arm.body.range(), b' ');
                left = left.saturating_sub(if taken { 0 } else { cover });
            }
        }
    }
}

/// Blanks a range; line breaks inside text stay, those inside tags go with their tag.
fn fill(bytes: &mut [u8], range: Range<usize>, with: u8) {
    for b in &mut bytes[range] {
        if *b != b'\n' {
            *b = with;
        }
    }
}

/// Writes a name of the same length over an expression.
fn mark(bytes: &mut [u8], range: Range<usize>) {
    let mut encoded = [0; 3];
    // `{{` at the end of a half-typed file has no room for the mark, and no text may grow.
    let marks = if range.len() < encoded.len() { &[][..] } else { MARK.encode_utf8(&mut encoded).as_bytes() };
    for (at, b) in bytes[range].iter_mut().enumerate() {
        *b = marks.get(at).copied().unwrap_or(b'z');
    }
}

struct Line {
    start: usize,
    end: usize,
    indent: usize,
    blank: bool,
    comment: bool,
    /// Nothing but marks.
    splice: bool,
    dash: bool,
    key: bool,
}

/// Blanks lines that held only tags, and decides what expressions alone on their lines stand for.
fn settle(bytes: &mut [u8], source: &[u8], splices: &[Range<usize>]) -> Vec<(Range<usize>, Stand)> {
    let lines = lines(bytes, splices);
    for line in &lines {
        if line.blank && source[line.start..line.end].iter().any(|b| !b.is_ascii_whitespace()) {
            // A blank line of line breaks is legal everywhere; one of spaces is not at the head of a literal block.
            bytes[line.start..line.end].fill(b'\n');
        }
    }
    let scalars = scalar_lines(bytes, &lines);
    let mut stands = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if !line.splice {
            continue;
        }
        let first = splices.partition_point(|r| r.start < line.start);
        let here: Vec<Range<usize>> =
            splices[first..].iter().take_while(|r| r.start < line.end).cloned().collect();
        let Some(range) = here.first().cloned() else { continue };
        let stand = if scalars[index] { Stand::Value } else { stand(&lines, &scalars, index) };
        let body = line.start + line.indent..line.end;
        match stand {
            Stand::Value => {}
            Stand::Blank => bytes[line.start..line.end].fill(b'\n'),
            Stand::Entry => {
                let end = bytes[body.clone()]
                    .iter()
                    .rposition(|b| !b.is_ascii_whitespace())
                    .map_or(body.end, |n| body.start + n + 1);
                bytes[end - 1] = b':';
            }
            Stand::Item => {
                bytes[body.start..body.end].fill(b'z');
                bytes[body.start] = b'-';
                bytes[body.start + 1] = b' ';
            }
        }
        if stand == Stand::Value && scalars[index] {
            continue;
        }
        stands.push((range, stand));
    }
    stands
}

fn lines(bytes: &[u8], splices: &[Range<usize>]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut next_splice = 0;
    while start <= bytes.len() {
        let end = bytes[start..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| start + n);
        let text = &bytes[start..end];
        let indent = text.iter().take_while(|b| **b == b' ').count();
        let body = text[indent..].trim_ascii();
        while next_splice < splices.len() && splices[next_splice].start < start {
            next_splice += 1;
        }
        let mut covered = 0;
        let mut at = next_splice;
        while at < splices.len() && splices[at].start < end {
            covered += splices[at].len();
            at += 1;
        }
        let ink = body.iter().filter(|b| !b.is_ascii_whitespace()).count();
        lines.push(Line {
            start,
            end,
            indent,
            blank: body.is_empty(),
            comment: body.first() == Some(&b'#'),
            splice: covered > 0 && ink == covered,
            dash: body == b"-" || body.starts_with(b"- "),
            key: body.ends_with(b":") || body.windows(2).any(|w| w == b": "),
        });
        start = end + 1;
    }
    lines
}

/// What a line of nothing but expressions stands for, told by the lines around it.
fn stand(lines: &[Line], scalars: &[bool], index: usize) -> Stand {
    let column = lines[index].indent;
    let ink = |line: &Line, at: usize| !line.blank && !line.comment && !line.splice && !scalars[at];
    // Far lines tell nothing that near ones do not; the bound keeps the work linear.
    let before = (0..index).rev().take(400).find(|at| ink(&lines[*at], *at) && lines[*at].indent <= column);
    let directly_before = (0..index).rev().take(400).find(|at| ink(&lines[*at], *at));
    let after = (index + 1..lines.len()).take(400).find(|at| ink(&lines[*at], *at));
    if let Some(after) = after
        && lines[after].indent > column
        && directly_before.is_some_and(|b| lines[b].indent > column || lines[b].key)
    {
        // The text of what is open around it goes on below: the expression adds to it.
        return Stand::Blank;
    }
    let sibling = |at: usize| {
        let line = &lines[at];
        if line.indent != column {
            None
        } else if line.dash {
            Some(Stand::Item)
        } else if line.key {
            Some(Stand::Entry)
        } else {
            None
        }
    };
    if let Some(stand) = before.and_then(sibling) {
        // `key:` above at the same column may be the parent of a list that is not indented.
        if stand == Stand::Entry && after.is_some_and(|a| lines[a].indent == column && lines[a].dash) {
            return Stand::Item;
        }
        return stand;
    }
    if let Some(stand) = after.and_then(sibling) {
        return stand;
    }
    if column == 0 { Stand::Entry } else { Stand::Value }
}

/// Which lines of a text without templates are text of a block scalar.
pub fn block_scalar_lines(text: &str) -> Vec<bool> {
    scalar_lines(text.as_bytes(), &lines(text.as_bytes(), &[]))
}

/// Which lines are text of a block scalar.
fn scalar_lines(bytes: &[u8], lines: &[Line]) -> Vec<bool> {
    let mut inside = vec![false; lines.len()];
    let mut index = 0;
    while index < lines.len() {
        let line = &lines[index];
        index += 1;
        let Some(parent) = scalar_header(&bytes[line.start..line.end]) else { continue };
        while index < lines.len() {
            let text = &lines[index];
            if !text.blank && text.indent as isize <= parent {
                // An expression further left brings its own indentation, if text follows it.
                let follows = text.splice
                    && lines[index + 1..]
                        .iter()
                        .find(|l| !l.blank && !l.splice)
                        .is_some_and(|l| l.indent as isize > parent);
                if !follows {
                    break;
                }
            }
            inside[index] = true;
            index += 1;
        }
    }
    inside
}

/// The indentation that the text of a block scalar must exceed, when this line opens one.
fn scalar_header(line: &[u8]) -> Option<isize> {
    let text = String::from_utf8_lossy(line);
    let mut body = text.trim_end();
    if let Some(comment) = body.find(" #") {
        body = body[..comment].trim_end();
    }
    let head = body.trim_end_matches(|c: char| c.is_ascii_digit() || c == '+' || c == '-');
    let before = head.strip_suffix(['|', '>'])?;
    if head.len() + 2 < body.len() {
        return None;
    }
    let mut column = before.len() - before.trim_start().len();
    let mut rest = before.trim_start();
    let mut dash = None;
    while let Some(inner) = rest.strip_prefix("- ") {
        dash = Some(column);
        column += rest.len() - inner.trim_start().len();
        rest = inner.trim_start();
    }
    let without_tag = match rest.rfind('!') {
        Some(at) if !rest[at..].trim_end().contains(' ') => rest[..at].trim_end(),
        _ => rest.trim_end(),
    };
    if without_tag.is_empty() {
        // `- |`, or a document that is one scalar.
        return Some(dash.map_or(-1, |d| d as isize));
    }
    (without_tag.ends_with(':') && before.ends_with([' ', ':'])).then_some(column as isize)
}
