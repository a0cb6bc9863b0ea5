//! Expressions alone on their line: entries, items or a value, told by the lines around them.

use super::{
    flat::{Flat, Line},
    tree::Splice,
    yaml::MarkKind,
};
use crate::source::Span;

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
pub(super) fn settle(flat: &mut Flat) {
    for index in 0..flat.lines.len() {
        let line = &flat.lines[index];
        if !line.splice || line.text {
            continue;
        }
        let (start, end) = (line.start, line.end);
        let stand = stand(&flat.lines, index);
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

fn stand(lines: &[Line], index: usize) -> Stand {
    let column = lines[index].indent;
    let ink = |at: &usize| {
        let line = &lines[*at];
        !line.blank && !line.comment && !line.splice && !line.text
    };
    let before = (0..index).rev().take(REACH).find(|at| ink(at) && levels(&lines[*at]).0 <= column);
    let directly_before = (0..index).rev().take(REACH).find(ink);
    let after = (index + 1..lines.len()).take(REACH).find(ink);
    if let Some(after) = after.map(|at| &lines[at])
        && after.indent > column
        && directly_before.is_some_and(|b| lines[b].indent > column || lines[b].key)
        && directly_before.is_some_and(|b| lines[b].indent + 2 >= after.indent || lines[b].indent > column)
    {
        // The text around goes on deeper than the expression stands: what it gives brings its own indentation.
        return if after.dash { Stand::Item(after.indent) } else { Stand::Entry(after.indent) };
    }
    let sibling = |at: usize| {
        let line = &lines[at];
        if line.indent == column {
            if line.dash {
                return Some(Stand::Item(column));
            }
            return line.key.then_some(Stand::Entry(column));
        }
        // `- key: value` has siblings of `key` in the column behind its dash.
        (line.dash && line.key && levels(line).1 == column).then_some(Stand::Entry(column))
    };
    if let Some(at) = before {
        match sibling(at) {
            // A key at the same column may be the parent of a list that is not indented.
            Some(Stand::Entry(_)) if after.is_some_and(|a| lines[a].indent == column && lines[a].dash) => {
                return Stand::Item(column);
            }
            Some(stand) => return stand,
            // Below a key with nothing behind it, what follows in this column tells.
            None => {}
        }
    }
    match after.map(|at| &lines[at]).filter(|line| line.indent == column) {
        Some(line) if line.dash => return Stand::Item(column),
        Some(line) if line.key => return Stand::Entry(column),
        _ => {}
    }
    if column == 0 { Stand::Entry(0) } else { Stand::Value }
}

/// The column of a line, and of the first key behind its dashes.
fn levels(line: &Line) -> (usize, usize) {
    (line.indent, if line.dash { line.indent + 2 } else { line.indent })
}
