//! Identity of a file, byte spans in it, and the way from a byte offset to a line and column.

use std::{
    collections::HashMap,
    fmt,
    ops::Range,
    sync::{Arc, RwLock},
};

/// A file known to a [`Files`] table. Cheap to copy; meaningless without its table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FileId(pub u32);

/// A half-open byte range of one file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file the offsets belong to.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte; never less than `start`.
    pub end: u32,
}

impl Span {
    /// A span over `range` of `file`.
    pub fn new(file: FileId, range: Range<usize>) -> Self {
        let start = range.start as u32;
        Self { file, start, end: (range.end as u32).max(start) }
    }

    /// The empty span at `offset`.
    pub fn at(file: FileId, offset: usize) -> Self {
        Self::new(file, offset..offset)
    }

    /// The byte range.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Whether nothing lies in the span.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The smallest span that holds both; `self` when the files differ.
    pub fn to(self, other: Span) -> Span {
        if self.file != other.file {
            return self;
        }
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Whether `other` lies inside.
    pub fn contains(self, other: Span) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}..{}", self.file.0, self.start, self.end)
    }
}

/// A value with the place it was written at.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Attaches a place to a value.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// A line and column, both from 1; columns count Unicode scalar values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LineColumn {
    /// Line from 1.
    pub line: u32,
    /// Column from 1, in characters.
    pub column: u32,
}

/// Byte offsets of the line starts of a text.
#[derive(Debug)]
pub struct LineIndex {
    starts: Vec<u32>,
}

impl LineIndex {
    /// Indexes `text` in one pass.
    pub fn new(text: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i as u32 + 1));
        Self { starts }
    }

    /// Zero-based line that holds `offset`.
    pub fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|s| *s as usize <= offset).saturating_sub(1)
    }

    /// Byte offset at which zero-based `line` starts; the last line's start when there is none such.
    pub fn start(&self, line: usize) -> usize {
        self.starts.get(line).or(self.starts.last()).copied().unwrap_or(0) as usize
    }

    /// Number of lines; a final line break opens an empty last line.
    pub fn count(&self) -> usize {
        self.starts.len()
    }
}

/// One file's path and text.
pub struct SourceFile {
    /// Identity in its table.
    pub id: FileId,
    /// Path as shown to people: relative to the project's root (`states/web/init.zy`).
    pub path: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
    /// Line starts of `text`.
    pub lines: LineIndex,
}

impl SourceFile {
    /// Line and column (from 1, in characters) of a byte offset; offsets past the end give the end.
    pub fn position(&self, offset: usize) -> LineColumn {
        let offset = floor_char_boundary(&self.text, offset);
        let line = self.lines.line(offset);
        let start = self.lines.start(line);
        let column = self.text[start..offset].chars().count() as u32 + 1;
        LineColumn { line: line as u32 + 1, column }
    }
}

/// The start of the character that `offset` lies in, or the end of the text.
pub(crate) fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// The end of the character that `offset` lies in, `offset` itself where one begins, or the end of the text.
pub(crate) fn ceil_char_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset += 1;
    }
    offset
}

#[derive(Default)]
struct Table {
    files: Vec<Arc<SourceFile>>,
    by_path: HashMap<Arc<str>, FileId>,
}

/// The table of all files a compilation has seen. Shared between threads; files are only ever added.
#[derive(Default)]
pub struct Files {
    table: RwLock<Table>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table.read().unwrap_or_else(|e| e.into_inner());
        write!(f, "Files({})", table.files.len())
    }
}

impl Files {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `text` under `path`. The same path with the same text keeps its id; a changed text gets a new one,
    /// so spans of earlier diagnostics stay true.
    pub fn add(&self, path: &str, text: impl Into<Arc<str>>) -> FileId {
        let text = text.into();
        let known = |table: &Table| {
            let id = table.by_path.get(path).copied()?;
            (*table.files.get(id.0 as usize)?.text == *text).then_some(id)
        };
        if let Some(id) = known(&self.table.read().unwrap_or_else(|e| e.into_inner())) {
            return id;
        }
        // Others need not wait while the lines are counted.
        let lines = LineIndex::new(&text);
        let mut table = self.table.write().unwrap_or_else(|e| e.into_inner());
        if let Some(id) = known(&table) {
            return id;
        }
        let id = FileId(table.files.len() as u32);
        let path: Arc<str> = path.into();
        table.files.push(Arc::new(SourceFile { id, path: path.clone(), text, lines }));
        table.by_path.insert(path, id);
        id
    }

    /// The file behind an id of this table.
    ///
    /// # Panics
    /// When `id` comes from another table: a defect of ours, never of the input.
    pub fn get(&self, id: FileId) -> Arc<SourceFile> {
        let table = self.table.read().unwrap_or_else(|e| e.into_inner());
        table.files[id.0 as usize].clone()
    }

    /// Lets go of the text of a file whose path has another text since. Its places are then those of an empty text.
    /// The latest text of a path is kept.
    pub fn release(&self, id: FileId) {
        let mut table = self.table.write().unwrap_or_else(|e| e.into_inner());
        let Some(file) = table.files.get(id.0 as usize) else { return };
        if table.by_path.get(&file.path) == Some(&id) {
            return;
        }
        let empty = SourceFile { id, path: file.path.clone(), text: "".into(), lines: LineIndex::new("") };
        if let Some(slot) = table.files.get_mut(id.0 as usize) {
            *slot = Arc::new(empty);
        }
    }

    /// The latest file added under `path`.
    pub fn by_path(&self, path: &str) -> Option<Arc<SourceFile>> {
        let table = self.table.read().unwrap_or_else(|e| e.into_inner());
        table.by_path.get(path).map(|id| table.files[id.0 as usize].clone())
    }

    /// Path, line and column of a span's start.
    pub fn locate(&self, span: Span) -> (Arc<str>, LineColumn) {
        let file = self.get(span.file);
        (file.path.clone(), file.position(span.start as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters() {
        let files = Files::new();
        let id = files.add("a.zy", "ä: b\nc");
        let file = files.get(id);
        assert_eq!(file.position(3), LineColumn { line: 1, column: 3 });
        assert_eq!(file.position(6), LineColumn { line: 2, column: 1 });
        assert_eq!(file.position(99), LineColumn { line: 2, column: 2 });
    }

    #[test]
    fn a_changed_text_gets_a_new_id() {
        let files = Files::new();
        let a = files.add("a.zy", "x");
        assert_eq!(files.add("a.zy", "x"), a);
        let b = files.add("a.zy", "y");
        assert_ne!(a, b);
        assert_eq!(&*files.get(a).text, "x");
        assert_eq!(files.by_path("a.zy").unwrap().id, b);
        files.release(a);
        files.release(b);
        assert_eq!((&*files.get(a).text, &*files.get(b).text), ("", "y"));
        assert_ne!(files.add("a.zy", "x"), a, "a released id is not used again");
    }
}
