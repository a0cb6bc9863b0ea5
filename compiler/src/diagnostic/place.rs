//! Places as people and programs read them: paths, lines and columns from 1, columns in characters.

use crate::source::{Files, Span};
use serde::Serialize;

/// A point of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Point {
    /// Line from 1.
    pub line: u32,
    /// Column from 1, in Unicode characters.
    pub column: u32,
    /// Byte offset from 0.
    pub offset: u32,
}

/// A range of a file; its end is exclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Range {
    /// First character.
    pub start: Point,
    /// One past the last character.
    pub end: Point,
}

/// The path and range of a span.
pub fn locate(files: &Files, span: Span) -> (String, Range) {
    let file = files.get(span.file);
    let point = |offset: u32| {
        let position = file.position(offset as usize);
        Point { line: position.line, column: position.column, offset: offset.min(file.text.len() as u32) }
    };
    (file.path.to_string(), Range { start: point(span.start), end: point(span.end) })
}
