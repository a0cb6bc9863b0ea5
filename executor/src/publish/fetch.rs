//! Contents of a published tree, out of the buckets.

use super::manifest::{Hash, PIECE_BYTES, piece_key};
use crate::bus::{Bucket, Bus, StoreError};

/// Why a content cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A bucket.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is not there.
    #[error("the content {0} is not published")]
    Missing(Hash),
    /// It is not what its name says.
    #[error("the content {0} is damaged")]
    Damaged(Hash),
}

/// The content with this name and size, from the settings' bucket or the other one.
pub async fn content(bus: &Bus, hash: Hash, size: u64, settings: bool) -> Result<Vec<u8>, FetchError> {
    let kv = bus.kv(if settings { Bucket::SettingsFiles } else { Bucket::Blobs });
    let mut whole = Vec::with_capacity(usize::try_from(size).unwrap_or_default().min(64 << 20));
    for piece in 0..size.div_ceil(PIECE_BYTES as u64).max(1) {
        let entry = kv.get(&piece_key(hash, piece)).await?;
        whole.extend_from_slice(&entry.ok_or(FetchError::Missing(hash))?.value);
    }
    if Hash::of(&whole) == hash { Ok(whole) } else { Err(FetchError::Damaged(hash)) }
}
