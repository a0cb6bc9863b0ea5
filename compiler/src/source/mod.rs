//! Source files, places in them, and where their text comes from.

mod file;
mod overlay;
mod provider;
mod snapshot;

pub use file::{FileId, Files, LineColumn, LineIndex, SourceFile, Span, Spanned};
pub(crate) use file::{ceil_char_boundary, floor_char_boundary};
pub use overlay::Overlay;
pub use provider::{
    DiskSources, MAX_SOURCE_BYTES, MAX_UNDECLARED_FILES, MemorySources, SourceError, Sources, is_foreign,
};
pub use snapshot::Snapshot;
