//! Source text as it may be shown: what `!encrypted` marks is covered.
//!
//! It looks at the text alone, since what is shown is often broken, and covers rather too much than too little.

use crate::source::Span;
use std::borrow::Cow;

/// How the tag begins that marks a secret: what is behind a tag that is written wrong was meant to be one too.
const TAG: &str = "!enc";

/// What stands for each character of a secret.
const COVER: char = '*';

/// The text with every secret covered; it has the same lines, each with as many characters.
pub fn veiled<'t>(text: &'t str, also: &[Span]) -> Cow<'t, str> {
    let mut ranges: Vec<std::ops::Range<usize>> = also.iter().map(|span| span.range()).collect();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(TAG)).map(|at| from + at) {
        let behind = text.get(at + TAG.len()..).unwrap_or_default();
        let start =
            at + TAG.len() + behind.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(behind.len());
        let end = end_of_value(text, at, start);
        ranges.push(start..end);
        from = end.max(start);
    }
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    ranges.sort_by_key(|range| range.start);
    let mut ranges = ranges.into_iter().peekable();
    let mut covered_to = 0;
    let shown = text.char_indices().map(|(offset, c)| {
        while let Some(range) = ranges.next_if(|range| range.start <= offset) {
            covered_to = covered_to.max(range.end);
        }
        if offset < covered_to && !c.is_whitespace() { COVER } else { c }
    });
    Cow::Owned(shown.collect())
}

/// Where the value behind a tag ends: with its quotes, its line, or the lines that are indented below it.
fn end_of_value(text: &str, tag: usize, start: usize) -> usize {
    let line_end =
        |from: usize| text.get(from..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| from + at);
    let rest = text.get(start..).unwrap_or_default();
    let value = start + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
    if let Some(quote) = text.get(value..).and_then(|v| v.chars().next()).filter(|c| matches!(c, '"' | '\''))
        && let Some(end) = end_of_quotes(text, value + 1, quote)
        && text.get(end..line_end(end)).is_some_and(|behind| {
            behind.trim().is_empty() || behind.trim_start().starts_with(['#', ',', '}', ']'])
        })
    {
        return end;
    }
    let line_start = text.get(..tag).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let own = own_indent(text.get(line_start..tag).unwrap_or_default());
    let mut end = line_end(start);
    while end < text.len() {
        let next = line_end(end + 1);
        let line = text.get(end + 1..next).unwrap_or_default();
        if !line.trim().is_empty() && indent(line) <= own {
            break;
        }
        end = next;
    }
    end
}

/// The column of the key that a value belongs to, or of the dash of its item. `lead` is the line before its tag.
fn own_indent(lead: &str) -> usize {
    let (mut column, mut item) = (0, 0);
    let mut rest = lead;
    loop {
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        column += blanks;
        rest = rest.get(blanks..).unwrap_or_default();
        match rest.strip_prefix("- ") {
            Some(behind) => {
                item = column;
                // The dash and a blank.
                column += 2;
                rest = behind;
            }
            None if rest.is_empty() => return item,
            None => return column,
        }
    }
}

fn end_of_quotes(text: &str, from: usize, quote: char) -> Option<usize> {
    let mut rest = text.get(from..)?.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '\\' if quote == '"' => {
                rest.next();
            }
            '\'' if quote == '\'' && rest.peek().is_some_and(|(_, next)| *next == '\'') => {
                rest.next();
            }
            c if c == quote => return Some(from + at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_covered_and_nothing_moves() {
        let text = "a: !encrypted s3cret # s3cret\nb:\n  - !encrypted \"s3cret \\\" s3cret\n    s3cret\"\n  - c: !encrypted |\n      s3cret\n\n      s3cret\n    d: 1\n\
                    e: {f: !encrypted 's3''cret', g: 2}\nh: !encrypted\n  s3cret\ni: !encrypted s3cret\n  s3cret\nj: 2\nk: !encrypted \"x\" s3cret\nl: !encrypted \"s3cret\n";
        let shown = veiled(text, &[]);
        assert!(!shown.contains("s3") && !shown.contains("cret"), "{shown}");
        for kept in ["    d: 1\n", ", g: 2}", "j: 2\n", "a: !encrypted ****** * ******\n"] {
            assert!(shown.contains(kept), "{shown}");
        }
        let lengths = |text: &str| text.lines().map(|l| l.chars().count()).collect::<Vec<_>>();
        assert_eq!(lengths(&shown), lengths(text));
        // A tag that is written wrong.
        assert_eq!(veiled("a: !encrypt \"x\"\n", &[]), "a: !encrypt ***\n");
        assert!(matches!(veiled("a: b\n", &[]), Cow::Borrowed(_)));
    }
}
