//! Expressions alone on their line: entries, items or a value, told by the lines around them.

use super::{
    flat::{Fate, Flat, Line},
    template::Template,
    tree::Splice,
    yaml::MarkKind,
};
use crate::source::Span;
use std::ops::Range;

/// What an expression alone on its line stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stand {
    /// A whole value, or part of one.
    Value,
    /// Entries of a map, at this column.
    Entry(usize),
    /// Items of a list, at this column.
    Item(usize),
}

/// Lines looked at around one expression. Far lines tell nothing that near ones do not, and the work stays linear.
const REACH: usize = 300;

/// Decides for every such line, and writes what stands for it into the flat text.
pub(super) fn settle(flat: &mut Flat, template: &Template) {
    for index in 0..flat.lines.len() {
        let line = &flat.lines[index];
        if !line.splice || line.text {
            continue;
        }
        let (start, end) = (line.start, line.end);
        let around = Around { flat, index, apart: stands_apart(flat, index) };
        let others = other_arms(flat, template, start);
        // What stands in the same arm tells more than what stands in another: they are never there together.
        let told = around.stand(&others).or_else(|| around.outdented(&others)).or_else(|| around.stand(&[]));
        let stand = told.unwrap_or_else(|| {
            let of_include = flat.marks.iter().any(|m| {
                (start..end).contains(&m.at.start)
                    && matches!(&m.kind, MarkKind::Splice(s) if s.expr.is_none())
            });
            around.bare(&others, of_include, &flat.bytes)
        });
        let first = flat.marks.partition_point(|m| m.at.start < start);
        let last = flat.marks.partition_point(|m| m.at.start < end);
        let file = flat.file;
        for mark in &mut flat.marks[first..last] {
            if let MarkKind::Expr(expr) = &mark.kind {
                let span = Span::new(file, mark.range.clone());
                mark.kind = MarkKind::Splice(Splice { span, expr: Some(expr.clone()) });
            }
        }
        let length = flat.marker.len_utf8();
        match stand {
            Stand::Value => {}
            Stand::Entry(column) => {
                let begin = start + column;
                let Some(from) = flat.marks.get(first).map(|m| m.at.clone()) else { continue };
                let Some(tail) = flat.marks.get(last - 1).map(|m| m.at.clone()) else { continue };
                // Room for the mark and its colon.
                if from.end < begin.max(from.start.min(begin)) + length + 1 || tail.len() < length + 1 {
                    continue;
                }
                move_start(flat, first, start, begin);
                flat.bytes[tail.end - 1] = b':';
            }
            Stand::Item(column) => {
                let begin = start + column;
                let Some(from) = flat.marks.get(first).map(|m| m.at.clone()) else { continue };
                if from.end < begin + 2 + length {
                    continue;
                }
                move_start(flat, first, start, begin + 2);
                flat.bytes[begin] = b'-';
                flat.bytes[begin + 1] = b' ';
            }
        }
    }
}

/// Lets the mark begin at `begin`; what was before it on its line is blank.
fn move_start(flat: &mut Flat, mark: usize, line_start: usize, begin: usize) {
    let at = begin..flat.marks[mark].at.end;
    flat.bytes[line_start..begin.max(line_start)].fill(b' ');
    flat.bytes[at.clone()].fill(b'z');
    let length = flat.marker.len_utf8();
    flat.marker.encode_utf8(&mut flat.bytes[at.start..at.start + length]);
    flat.marks[mark].at = at;
}

/// Whether an empty line of the author's is right above a line in the first column: what it writes begins there,
/// even when items below go on with it (`{{ user('web') }}`, then `    - require:`).
fn stands_apart(flat: &Flat, index: usize) -> bool {
    let (Some(line), Some(above)) =
        (flat.lines.get(index), index.checked_sub(1).and_then(|i| flat.lines.get(i)))
    else {
        return false;
    };
    let filler = flat.fillers.partition_point(|f| f.end < above.start);
    // The line break behind a tag is its last one.
    let of_a_tag = flat.fillers.get(filler).is_some_and(|f| f.start <= above.start);
    line.indent == 0 && above.blank && !of_a_tag
}

/// The bodies of the arms that are never there when the text at `place` is.
fn other_arms(flat: &Flat, template: &Template, place: usize) -> Vec<Range<usize>> {
    let place = place + flat.base;
    let mut others = Vec::new();
    let mut at = template.blocks.partition_point(|b| b.span.start as usize <= place).checked_sub(1);
    while let Some(index) = at.filter(|i| *i >= flat.first_block) {
        let Some(block) = template.blocks.get(index) else { break };
        let visible = flat.fates.get(index - flat.first_block) == Some(&Fate::Visible);
        if visible && block.span.range().contains(&place) {
            others.extend(
                block
                    .arms
                    .iter()
                    .map(|arm| arm.body.range())
                    .filter(|body| !body.contains(&place))
                    .map(|body| body.start.saturating_sub(flat.base)..body.end.saturating_sub(flat.base)),
            );
        }
        at = block.parent.map(|(parent, _)| parent);
    }
    others
}

/// A line and those around it.
struct Around<'f> {
    flat: &'f Flat,
    index: usize,
    apart: bool,
}

/// Whether a line tells anything; none in `hidden` does.
fn tells(line: &Line, hidden: &[Range<usize>]) -> bool {
    !line.comment && !line.splice && !line.text && !hidden.iter().any(|h| h.contains(&line.start))
}

impl Around<'_> {
    fn before(&self, hidden: &[Range<usize>], wanted: impl Fn(&Line) -> bool) -> Option<&Line> {
        let mut lines = self.flat.ink_before(self.index).take(REACH).map(|(_, line)| line);
        lines.find(|line| tells(line, hidden) && wanted(line))
    }

    fn after(&self, hidden: &[Range<usize>]) -> Option<&Line> {
        let mut lines = self.flat.ink_after(self.index).take(REACH).map(|(_, line)| line);
        lines.find(|line| tells(line, hidden))
    }

    /// What the lines around tell; those in `hidden` are not looked at.
    fn stand(&self, hidden: &[Range<usize>]) -> Option<Stand> {
        let column = self.flat.lines[self.index].indent;
        let before = self.before(hidden, |line| levels(line).0 <= column);
        let directly_before = self.before(hidden, |_| true);
        let after = self.after(hidden);
        if let Some(after) = after
            && after.indent > column
            && !self.apart
            && directly_before.is_some_and(|b| b.indent > column || b.key)
            && directly_before.is_some_and(|b| b.indent + 2 >= after.indent || b.indent > column)
        {
            // The text around goes on deeper than the expression stands: what it gives brings its own indentation.
            return Some(if after.dash { Stand::Item(after.indent) } else { Stand::Entry(after.indent) });
        }
        let sibling = |line: &Line| {
            if line.indent == column {
                if line.dash {
                    return Some(Stand::Item(column));
                }
                return line.key.then_some(Stand::Entry(column));
            }
            // `- key: value` has siblings of `key` in the column behind its dash.
            (line.dash && line.key && levels(line).1 == column).then_some(Stand::Entry(column))
        };
        if let Some(before) = before {
            match sibling(before) {
                // A key at the same column may be the parent of a list that is not indented.
                Some(Stand::Entry(_)) if after.is_some_and(|a| a.indent == column && a.dash) => {
                    return Some(Stand::Item(column));
                }
                Some(stand) => return Some(stand),
                // Below a key with nothing behind it, what follows in this column tells.
                None => {}
            }
        }
        match after.filter(|line| line.indent == column) {
            Some(line) if line.dash => return Some(Stand::Item(column)),
            Some(line) if line.key => return Some(Stand::Entry(column)),
            _ => {}
        }
        (column == 0).then_some(Stand::Entry(0))
    }

    /// Nothing above could hold the line and what follows stands further left: it is indented for the eye only, like
    /// the whole states that `  {% include %}` brings within a branch.
    fn outdented(&self, hidden: &[Range<usize>]) -> Option<Stand> {
        let column = self.flat.lines[self.index].indent;
        if self.before(hidden, |line| line.indent < column).is_some() {
            return None;
        }
        let after = self.after(hidden).filter(|line| line.indent < column)?;
        if after.dash {
            return Some(Stand::Item(after.indent));
        }
        after.key.then_some(Stand::Entry(after.indent))
    }

    /// What the line stands for where nothing around it tells.
    fn bare(&self, hidden: &[Range<usize>], of_include: bool, bytes: &[u8]) -> Stand {
        let column = self.flat.lines[self.index].indent;
        let parent = self.before(hidden, |line| line.indent < column);
        match parent {
            None if of_include => match self.after(hidden).filter(|line| line.dash || line.key) {
                Some(line) if line.dash => Stand::Item(line.indent),
                line => Stand::Entry(line.map_or(0, |l| l.indent)),
            },
            Some(parent) if of_include && parent.key => {
                let text = bytes.get(parent.start..parent.end).unwrap_or_default().trim_ascii_end();
                if text.ends_with(b":") { Stand::Value } else { Stand::Entry(levels(parent).1) }
            }
            _ => Stand::Value,
        }
    }
}

/// The column of a line, and of the first key behind its dashes.
fn levels(line: &Line) -> (usize, usize) {
    (line.indent, if line.dash { line.indent + 2 } else { line.indent })
}
