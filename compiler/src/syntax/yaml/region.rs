//! Where block texts (`|`, `>`) stand, by their lines alone: before YAML is parsed it decides how template
//! constructs inside are treated, for within a text nothing is structure.

use std::ops::Range;

/// The lines of one block text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::syntax) struct Region {
    /// From the line behind the header to the end of the last line that belongs to the text.
    pub range: Range<usize>,
    /// Column of the key or dash it belongs to; its lines are indented deeper.
    pub parent: usize,
    /// Column of its text; `parent + 1` or more.
    pub indent: usize,
}

/// Finds the block texts of `text`. `stays` tells of a line (by its start and the column of the key) that belongs to a text whatever its
/// indentation: an expression that indents its own output.
pub(in crate::syntax) fn regions(text: &str, stays: &dyn Fn(usize, usize) -> bool) -> Vec<Region> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = line_end(text, at);
        let Some(parent) = text.get(at..end).and_then(header) else {
            at = end + 1;
            continue;
        };
        let start = (end + 1).min(text.len());
        let mut last = start;
        let mut indent = None;
        at = end + 1;
        while at < text.len() {
            let end = line_end(text, at);
            let line = text.get(at..end).unwrap_or_default();
            let column = line.bytes().take_while(|b| *b == b' ').count();
            if !line.trim().is_empty() {
                let kept = column > parent;
                if !kept && !stays(at, parent) {
                    break;
                }
                if kept {
                    indent = Some(indent.map_or(column, |i: usize| i.min(column)));
                }
                last = (end + 1).min(text.len());
            }
            at = end + 1;
        }
        if last > start {
            found.push(Region { range: start..last, parent, indent: indent.unwrap_or(parent + 2) });
        }
    }
    found
}

fn line_end(text: &str, start: usize) -> usize {
    text.as_bytes()[start..].iter().position(|b| *b == b'\n').map_or(text.len(), |i| start + i)
}

/// The column of the key or dash whose value is a block text that begins on the next line.
fn header(line: &str) -> Option<usize> {
    // Most lines end otherwise; the cheap test first.
    if !line.bytes().any(|b| b == b'|' || b == b'>') {
        return None;
    }
    let mut line = line.trim_end();
    if let Some(comment) = line.rfind(" #") {
        let before = line[..comment].trim_end();
        if indicator(before).is_some() {
            line = before;
        }
    }
    let mut before = indicator(line)?;
    // `key: !tag &anchor |`
    while let Some(word) = before.rsplit(' ').next().filter(|w| w.starts_with(['!', '&'])) {
        before = before[..before.len() - word.len()].trim_end();
    }
    let trimmed = before.trim_start();
    if trimmed.starts_with('#') || !(before.ends_with(':') || trimmed == "-" || before.ends_with(" -")) {
        return None;
    }
    let mut column = line.len() - line.trim_start().len();
    let mut rest = line.trim_start();
    let mut dash = column;
    while let Some(after) = rest.strip_prefix('-').filter(|r| r.starts_with(' ')) {
        dash = column;
        let next = after.trim_start();
        column += rest.len() - next.len();
        rest = next;
    }
    Some(if rest.starts_with(['|', '>', '!', '&']) && !before.ends_with(':') { dash } else { column })
}

/// What stands before a block text's indicator (`|`, `>-`, `|2+`) at the end of a line.
fn indicator(line: &str) -> Option<&str> {
    let at = line.rfind(['|', '>'])?;
    let modifiers = &line[at + 1..];
    if modifiers.len() > 2 || !modifiers.bytes().all(|b| matches!(b, b'+' | b'-' | b'1'..=b'9')) {
        return None;
    }
    line[..at].strip_suffix([' ', '\t']).map(str::trim_end)
}

/// The region that holds `offset`.
pub(in crate::syntax) fn region_at(regions: &[Region], offset: usize) -> Option<&Region> {
    let index = regions.partition_point(|r| r.range.start <= offset).checked_sub(1)?;
    regions.get(index).filter(|r| offset < r.range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, usize, usize)> {
        regions(text, &|_, _| false).into_iter().map(|r| (&text[r.range], r.parent, r.indent)).collect()
    }

    #[test]
    fn block_texts_are_found_by_their_headers() {
        assert_eq!(found("a: |\n  x\n\n  y\nb: c\n"), [("  x\n\n  y\n", 0, 2)]);
        assert_eq!(found("  - contents: >-  # why\n      x\n    y: |\n"), [("      x\n", 4, 6)]);
        assert_eq!(found("- |\n  x\n- y\n"), [("  x\n", 0, 2)]);
        assert_eq!(found("a: !enc |2\n   x\n"), [("   x\n", 0, 3)]);
    }

    #[test]
    fn pipes_elsewhere_open_nothing() {
        assert!(found("a: b |\n  x\n# c: |\n  y\nd: 'x: |'\n  z\n").is_empty());
    }
}
