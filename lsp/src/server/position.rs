//! Byte offsets to the protocol's positions and back, in the three encodings clients may choose.

use gen_lsp_types::{Position, PositionEncodingKind, Range};
use zester_compiler::source::LineIndex;

/// What a position's character counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 units: the protocol's default.
    Utf16,
    /// Unicode scalar values.
    Utf32,
}

impl Encoding {
    pub fn kind(self) -> PositionEncodingKind {
        match self {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
            Encoding::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    fn width(self, c: char) -> usize {
        match self {
            Encoding::Utf8 => c.len_utf8(),
            Encoding::Utf16 => c.len_utf16(),
            Encoding::Utf32 => 1,
        }
    }
}

/// A text with its lines.
pub(crate) struct Lines<'t> {
    text: &'t str,
    index: &'t LineIndex,
    encoding: Encoding,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str, index: &'t LineIndex, encoding: Encoding) -> Self {
        Self { text, index, encoding }
    }

    /// The position of a byte offset; past the end, the end.
    pub fn position(&self, offset: usize) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.index.line(offset);
        let start = self.index.start(line);
        let before = self.text.get(start..offset).unwrap_or_default();
        let character = match self.encoding {
            Encoding::Utf8 => before.len(),
            encoding => before.chars().map(|c| encoding.width(c)).sum(),
        };
        Position { line: line as u32, character: character as u32 }
    }

    /// The range of bytes.
    pub fn range(&self, range: std::ops::Range<usize>) -> Range {
        Range { start: self.position(range.start), end: self.position(range.end) }
    }

    /// The byte offset of a position. A character past the line's end is its end, a line past the text's the text's;
    /// one within a character is its beginning.
    pub fn offset(&self, position: Position) -> usize {
        let line = position.line as usize;
        if line >= self.index.count() {
            return self.text.len();
        }
        let start = self.index.start(line);
        let rest = self.text.get(start..).unwrap_or_default();
        let rest = rest.split('\n').next().unwrap_or_default();
        let rest = rest.strip_suffix('\r').unwrap_or(rest);
        let mut units = 0;
        for (at, c) in rest.char_indices() {
            units += self.encoding.width(c);
            if units > position.character as usize {
                return start + at;
            }
        }
        start + rest.len()
    }

    /// The byte range of a range; empty where its end lies before its start.
    pub fn bytes(&self, range: Range) -> std::ops::Range<usize> {
        let start = self.offset(range.start);
        start..self.offset(range.end).max(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_go_there_and_back_in_every_encoding() {
        let text = "a\u{e4}\u{1f600}b\r\nsecond\n";
        let index = LineIndex::new(text);
        for (encoding, b) in [(Encoding::Utf8, 7), (Encoding::Utf16, 4), (Encoding::Utf32, 3)] {
            let lines = Lines::new(text, &index, encoding);
            let at = text.find('b').unwrap();
            assert_eq!(lines.position(at), Position { line: 0, character: b });
            assert_eq!(lines.offset(Position { line: 0, character: b }), at);
            assert_eq!(lines.offset(Position { line: 0, character: 99 }), at + 1);
            assert_eq!(lines.offset(Position { line: 9, character: 0 }), text.len());
            for (offset, _) in text.char_indices().filter(|(_, c)| *c != '\r' && *c != '\n') {
                assert_eq!(lines.offset(lines.position(offset)), offset, "{encoding:?}");
            }
        }
        // The middle of a surrogate pair is the character's beginning.
        let lines = Lines::new(text, &index, Encoding::Utf16);
        assert_eq!(lines.offset(Position { line: 0, character: 3 }), 3);
    }
}
