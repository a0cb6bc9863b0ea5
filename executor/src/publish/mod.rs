//! State and settings trees on their way to peels: what a revision holds, and a peel's copy of it.
//!
//! Contents are named by their SHA-256, so a new revision costs what changed. A signed head names the manifest, and is replaced last: peels see
//! the old tree or the new one, never a mixture. What a peel has fetched it keeps, and goes on with when nobody is there.

pub mod cache;
pub mod fetch;
pub mod manifest;
pub mod secrets;
pub mod send;
pub mod source;
pub mod tree;

pub use cache::{CacheError, TreeCache};
pub use manifest::{Entry, HEAD_KEY, Hash, Head, Manifest, PIECE_BYTES, piece_key};
pub use send::{SendError, Sent};
pub use tree::{PublishError, Tree};
