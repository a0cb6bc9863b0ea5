//! Which line slipped, where columns do not agree: the parser stops at the first line that fits nothing, but it is often an earlier one that
//! stands a space off, and those behind it are right among themselves.

use super::problem::{Line, content, indentation, line_before};
use crate::{diagnostic::Diagnostic, source::Span};
use std::ops::Range;

/// Lines looked at, each way.
const REACH: usize = 500;

/// The finding about a line at a column that belongs to nothing: at that line, or at the one that has slipped before it.
pub(super) fn misplaced(text: &str, line: &Line, span: &dyn Fn(Range<usize>) -> Span) -> Diagnostic {
    let Some(slipped) = slipped(text, line) else { return indentation(span(content(text, line))) };
    indentation(span(content(text, &slipped)))
        .label(span(content(text, line)), "this line stands beside it, in another column")
}

fn slipped(text: &str, line: &Line) -> Option<Line> {
    let column = line.indent;
    let above: Vec<Line> = lines_above(text, line.range.start);
    // What stands between the line and the nearest one above that is not deeper.
    let inner = above.iter().position(|l| l.indent <= column).unwrap_or(above.len());
    let (between, outer) = above.split_at(inner);
    let together = columns_below(text, line.range.end).take_while(|c| *c >= column).any(|c| c == column);
    // One space off, where either the columns of the others agree, or its own is odd as nobody means it. An odd column tells nothing against an
    // even one.
    let off = |other: usize| {
        let (odd, even) = (!other.is_multiple_of(2), column.is_multiple_of(2));
        other.abs_diff(column) == 1 && (together && (odd || even) || odd && even)
    };
    if outer.first().is_some_and(|l| l.indent == column) {
        return None;
    }
    // Too deep: it is the first below its parent, and its column is nobody else's.
    if let Some(first) = between.last()
        && off(first.indent)
        && between.iter().filter(|l| l.indent <= first.indent).count() == 1
    {
        return Some(first.clone());
    }
    // Not deep enough: it is alone in its column between its parent and here.
    let (first, rest) = outer.split_first()?;
    let parent = rest.iter().find(|l| l.indent <= first.indent);
    let alone = parent.is_none_or(|l| l.indent < first.indent) && first.indent > 0;
    (alone && off(first.indent) && !between.is_empty()).then(|| first.clone())
}

fn lines_above(text: &str, start: usize) -> Vec<Line> {
    std::iter::successors(line_before(text, start), |l| line_before(text, l.range.start))
        .take(REACH)
        .collect()
}

/// Columns of the lines behind `end` that hold something.
fn columns_below(text: &str, end: usize) -> impl Iterator<Item = usize> {
    let lines = text.get(end..).unwrap_or_default().lines().skip(1).take(REACH);
    let lines = lines.filter(|l| !l.trim().is_empty() && !l.trim_start().starts_with('#'));
    lines.map(|l| l.len() - l.trim_start_matches(' ').len())
}

#[cfg(test)]
mod tests {
    use crate::source::FileId;

    /// The lines that are reported, from 1.
    fn reported(text: &str) -> Vec<usize> {
        let tree = crate::syntax::parse(FileId(0), &text.into());
        tree.diagnostics.iter().map(|d| text[..d.span.start as usize].matches('\n').count() + 1).collect()
    }

    #[test]
    fn the_line_that_is_off_is_named_once() {
        assert_eq!(reported(" a:\n  b: 1\nc:\n  d: 1\ne: 1\n"), [1]);
        assert_eq!(reported("x:\n   a:\n    b: 1\n  c:\n    d: 1\n  e: 1\n"), [2]);
        assert_eq!(reported("x:\n a:\n    b: 1\n  c:\n    d: 1\n  e: 1\n"), [2]);
        assert_eq!(reported("x:\n  a: 1\n  b: 1\n c: 1\n  d: 1\n"), [4]);
        assert_eq!(reported("x:\n  a: 1\n   b: 1\n  c: 1\n"), [3]);
        assert_eq!(reported("x:\n  a: 1\n y:\n  b: 1\n z:\n  c: 1\n"), [3, 5]);
    }

    #[test]
    fn what_leaves_a_block_text_is_told_from_a_key_without_a_colon() {
        let text = "a:\n  - b: |\n      x=1\n    y=2\n      z=3\n";
        assert_eq!(reported(text), [4]);
        let tree = crate::syntax::parse(FileId(0), &text.into());
        assert_eq!(tree.diagnostics[0].help.as_deref(), Some("Indent it by 6 spaces, as the text"));
    }

    #[test]
    fn a_quote_that_is_not_closed_is_named_where_it_opens() {
        assert_eq!(reported("a:\n  - b: 'x\n  - c: 'y'\n  - d: 1\n"), [2]);
        assert_eq!(reported("a: 'x' y\n"), [1]);
    }
}
