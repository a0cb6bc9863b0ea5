//! A tree on its way into the buckets: contents first, what names them last.

use super::{
    manifest::{HEAD_KEY, Hash, Head, PIECE_BYTES, piece_key},
    secrets::{self, SecretsError},
    tree::Tree,
};
use crate::{
    auth::signed::{Purpose, SignatureError, Signed},
    bus::{
        Bucket, Bus, StoreError,
        codec::{self, CodecError},
        kv::CasError,
    },
    master::sign::Signer,
    peel::now_ms,
};
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use nkeys::XKey;
use std::{collections::BTreeSet, sync::Arc};

/// Pieces on their way at a time.
const AT_ONCE: usize = 16;
/// How often the head is tried again when another publisher is faster.
const ATTEMPTS: usize = 5;

/// Why a tree could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// A bucket.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The head.
    #[error(transparent)]
    Cas(#[from] CasError),
    /// The secrets cannot be stored.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The head cannot be signed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The head that is there cannot be read.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// What was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// The revision in force.
    pub revision: u64,
    /// Whether it is a new one; nothing has changed otherwise.
    pub new: bool,
    /// Contents that were not there before.
    pub contents: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl Tree {
    /// Sends what is not there yet, then puts the tree in force. Its secrets are sealed for the masters, who own `sealer`.
    pub async fn send(&self, bus: &Bus, signer: &Signer, sealer: &XKey) -> Result<Sent, SendError> {
        let heads = bus.kv(Bucket::StateFiles);
        let sealed = bus.kv(Bucket::Secrets);
        let mut found = heads.latest(HEAD_KEY).await?;
        let (mut contents, mut bytes, mut sent) = (0, 0, false);
        for attempt in 0..ATTEMPTS {
            let (revision, expected) = match &found {
                Some(entry) => {
                    let known: Head = codec::decode(&Signed::decode(&entry.value)?.body)?;
                    let ours = known.incarnation == signer.incarnation();
                    // A secret's name says nothing of its value: a new value is a new revision of the same files.
                    if ours
                        && known.manifest == self.manifest_hash
                        && secrets::of_masters(&sealed, sealer, &known, now_ms()).await.ok().as_ref()
                            == Some(&self.secrets)
                    {
                        return Ok(Sent { revision: known.revision, new: false, contents, bytes });
                    }
                    (if ours { known.revision + 1 } else { 1 }, entry.revision)
                }
                None => (1, 0),
            };
            if !sent {
                (contents, bytes) = self.send_contents(bus).await?;
                sent = true;
            }
            if !self.secrets.is_empty() {
                secrets::for_masters(&sealed, sealer, revision, self.secrets.clone()).await?;
            }
            let head = Head {
                v: 1,
                revision,
                incarnation: signer.incarnation().to_owned(),
                manifest: self.manifest_hash,
                bytes: self.contents.get(&self.manifest_hash).map_or(0, |c| c.len() as u64),
                published_ms: now_ms(),
                secrets: self.secrets.len() as u64,
            };
            let signed = signer.sign(Purpose::Tree, &head)?;
            let deadline = tokio::time::Instant::now() + bus.options().request_timeout * 3;
            match heads.cas_settled(HEAD_KEY, signed, expected, None, deadline).await {
                Ok(_) => {
                    if let Err(error) = secrets::forget(&sealed, revision).await {
                        tracing::warn!(%error, "old secrets are not removed");
                    }
                    return Ok(Sent { revision, new: true, contents, bytes });
                }
                Err(CasError::Conflict) if attempt + 1 < ATTEMPTS => found = heads.latest(HEAD_KEY).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(CasError::Conflict.into())
    }

    async fn send_contents(&self, bus: &Bus) -> Result<(usize, u64), SendError> {
        let settings: BTreeSet<Hash> =
            self.manifest.files.iter().filter(|f| f.settings).map(|f| f.hash).collect();
        let others: BTreeSet<Hash> =
            self.manifest.files.iter().filter(|f| !f.settings).map(|f| f.hash).collect();
        let mut ways = Vec::new();
        for (hash, bytes) in &self.contents {
            if settings.contains(hash) {
                ways.push((Bucket::SettingsFiles, *hash, bytes.clone()));
            }
            if !settings.contains(hash) || others.contains(hash) {
                ways.push((Bucket::Blobs, *hash, bytes.clone()));
            }
        }
        let sent: Vec<u64> = stream::iter(ways.into_iter().map(Ok::<_, SendError>))
            .map_ok(|(bucket, hash, bytes)| send_content(bus, bucket, hash, bytes))
            .try_buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        Ok((sent.iter().filter(|n| **n > 0).count(), sent.iter().sum()))
    }
}

/// Sends a content that is not there yet; gives the bytes that were sent.
async fn send_content(bus: &Bus, bucket: Bucket, hash: Hash, bytes: Arc<[u8]>) -> Result<u64, SendError> {
    let kv = bus.kv(bucket);
    let pieces = bytes.len().div_ceil(PIECE_BYTES).max(1);
    // The last piece is written last: where it is, all are.
    if kv.get(&piece_key(hash, pieces as u64 - 1)).await?.is_some() {
        return Ok(0);
    }
    for piece in 0..pieces {
        let start = piece * PIECE_BYTES;
        let end = (start + PIECE_BYTES).min(bytes.len());
        let value = Bytes::copy_from_slice(bytes.get(start..end).unwrap_or_default());
        let key = piece_key(hash, piece as u64);
        if bucket.is_write_once() {
            // Somebody may have sent it at the same time; its name says what it is.
            kv.put_once(&key, value).await?;
        } else {
            kv.put(&key, value).await?;
        }
    }
    Ok(bytes.len().max(1) as u64)
}
