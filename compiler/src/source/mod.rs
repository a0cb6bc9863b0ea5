//! Source files, places in them, and where their text comes from.

mod file;
mod provider;

pub use file::{FileId, Files, LineColumn, LineIndex, SourceFile, Span, Spanned};
pub use provider::{DiskSources, MAX_SOURCE_BYTES, MemorySources, SourceError, Sources};
