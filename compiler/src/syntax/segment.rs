//! The first cut: a file's text into plain text, `{{ }}`, `{% %}` and `{# #}`, every byte in exactly one segment.

use std::ops::Range;

/// What a segment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SegmentKind {
    /// YAML (or whatever the file is made of).
    Text,
    /// Text between `{% raw %}` and `{% endraw %}`: braces in it mean nothing.
    Raw,
    /// `{{ … }}`
    Expression,
    /// `{% … %}`
    Statement,
    /// `{# … #}`
    Comment,
}

/// A piece of the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// What it is.
    pub kind: SegmentKind,
    /// All its bytes, delimiters and whitespace marks included.
    pub range: Range<usize>,
    /// The bytes between the delimiters and marks; for text the same as `range`.
    pub inner: Range<usize>,
    /// Whether the closing delimiter is there.
    pub closed: bool,
}

/// Cuts `text` into segments. Never fails: an unclosed tag ends with its line.
pub fn segments(text: &str) -> Vec<Segment> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut text_start = 0;
    let mut at = 0;
    // Where one comment is never closed, none after it is: looked for once.
    let mut comments_close = true;
    while let Some(offset) = find_open(bytes, at) {
        let (kind, close) = match bytes[offset + 1] {
            b'{' => (SegmentKind::Expression, b"}}"),
            b'%' => (SegmentKind::Statement, b"%}"),
            _ => (SegmentKind::Comment, b"#}"),
        };
        if offset > text_start {
            found.push(plain(SegmentKind::Text, text_start..offset));
        }
        let segment = match kind {
            SegmentKind::Comment if !comments_close => unclosed(bytes, offset, kind),
            _ => tag(bytes, offset, kind, close),
        };
        comments_close &= segment.closed || kind != SegmentKind::Comment;
        at = segment.range.end;
        text_start = at;
        let raw = kind == SegmentKind::Statement && text[segment.inner.clone()].trim() == "raw";
        found.push(segment);
        if raw {
            let end = end_of_raw(text, at);
            if end > at {
                found.push(plain(SegmentKind::Raw, at..end));
            }
            at = end;
            text_start = end;
        }
    }
    if text_start < bytes.len() {
        found.push(plain(SegmentKind::Text, text_start..bytes.len()));
    }
    found
}

fn plain(kind: SegmentKind, range: Range<usize>) -> Segment {
    Segment { kind, inner: range.clone(), range, closed: true }
}

fn find_open(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at + 1 < bytes.len() {
        if bytes[at] == b'{' && matches!(bytes[at + 1], b'{' | b'%' | b'#') {
            return Some(at);
        }
        at += 1;
    }
    None
}

fn tag(bytes: &[u8], start: usize, kind: SegmentKind, close: &[u8; 2]) -> Segment {
    let mut inner_start = start + 2;
    if matches!(bytes.get(inner_start), Some(b'-' | b'+')) {
        inner_start += 1;
    }
    let found = match kind {
        SegmentKind::Comment => find(bytes, inner_start, close),
        _ => find_close(bytes, inner_start, close).or_else(|| find_in_paragraph(bytes, inner_start, close)),
    };
    match found {
        Some(end) => {
            let marked = end > inner_start && matches!(bytes[end - 1], b'-' | b'+');
            Segment {
                kind,
                range: start..end + 2,
                inner: inner_start..end - usize::from(marked),
                closed: true,
            }
        }
        None => unclosed(bytes, start, kind),
    }
}

/// A tag that is never closed ends with its line.
fn unclosed(bytes: &[u8], start: usize, kind: SegmentKind) -> Segment {
    let marked = matches!(bytes.get(start + 2), Some(b'-' | b'+'));
    let inner_start = start + 2 + usize::from(marked);
    let end = line_end(bytes, start);
    Segment { kind, range: start..end, inner: inner_start.min(end)..end, closed: false }
}

/// The closing delimiter, strings and nested braces skipped.
fn find_close(bytes: &[u8], from: usize, close: &[u8; 2]) -> Option<usize> {
    let mut at = from;
    let mut depth = 0usize;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'\'' | b'"') => at = string_end(bytes, at, quote)?,
            b'{' if close == b"}}" => {
                // A new tag inside a tag: the first one was never closed. (A map is no key, so `{{` opens no map.)
                if matches!(bytes.get(at + 1), Some(b'%' | b'#' | b'{')) {
                    return None;
                }
                depth += 1;
            }
            b'{' if bytes.get(at + 1) == Some(&b'%') => return None,
            b'}' if close == b"}}" && depth > 0 => depth -= 1,
            _ if bytes[at..].starts_with(close) => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The closing delimiter regardless of quotes, before the next tag opens: an unclosed quote must not swallow the file.
fn find_in_paragraph(bytes: &[u8], from: usize, close: &[u8; 2]) -> Option<usize> {
    // No further than that: many unclosed tags would else each read the whole file.
    let next = find_open(bytes, from).unwrap_or(bytes.len());
    find(bytes.get(..next)?, from, close)
}

fn find(bytes: &[u8], from: usize, needle: &[u8; 2]) -> Option<usize> {
    (from..bytes.len().saturating_sub(1)).find(|at| bytes[*at] == needle[0] && bytes[*at + 1] == needle[1])
}

fn string_end(bytes: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b if b == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

fn end_of_raw(text: &str, from: usize) -> usize {
    let mut at = from;
    while let Some(found) = text[at..].find("{%") {
        let start = at + found;
        let word = text[start + 2..].trim_start_matches(['-', '+']).trim_start();
        if word.starts_with("endraw") {
            return start;
        }
        at = start + 2;
    }
    text.len()
}

/// Offset of the line break (or end of text) at or after `from`.
pub fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| from + n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<(SegmentKind, &str)> {
        segments(text).iter().map(|s| (s.kind, &text[s.inner.clone()])).collect()
    }

    #[test]
    fn every_byte_is_in_one_segment() {
        let text = "a {{ {'k': {}} }} b {%- if x -%}\n{# }} #}{% raw %}{{ x }}{% endraw %}\n";
        let parts = segments(text);
        assert_eq!(parts.first().unwrap().range.start, 0);
        assert_eq!(parts.last().unwrap().range.end, text.len());
        assert!(parts.windows(2).all(|w| w[0].range.end == w[1].range.start));
        assert_eq!(shape(text)[1], (SegmentKind::Expression, " {'k': {}} "));
        assert_eq!(shape(text)[3], (SegmentKind::Statement, " if x "));
        assert!(shape(text).contains(&(SegmentKind::Raw, "{{ x }}")));
    }

    #[test]
    fn unclosed_tags_end_with_their_line() {
        assert_eq!(
            shape("a: {{ x\nb: 1"),
            [(SegmentKind::Text, "a: "), (SegmentKind::Expression, " x"), (SegmentKind::Text, "\nb: 1")]
        );
        assert_eq!(shape("{% if 'x %}\nb")[0], (SegmentKind::Statement, " if 'x "));
    }
}
