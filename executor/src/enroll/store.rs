//! Where records are kept: in the bucket `enrollments`, or in memory for tests.

use super::record::Record;
use crate::bus::{
    StoreError,
    codec::{self, CodecError},
    id::PeelId,
    kv::{CasError, Kv},
};
use futures_util::{FutureExt, future::BoxFuture};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Records that are listed at most.
pub const MAX_RECORDS: usize = 200_000;

/// Why a record cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// Another writer was faster: read again.
    #[error("another writer was faster")]
    Conflict,
    /// The bucket.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record is not readable.
    #[error("the record of `{id}` cannot be read: {source}")]
    Record {
        /// The id.
        id: String,
        /// What is wrong.
        source: CodecError,
    },
}

/// Keeps records. Reads for decisions, so never from a replica that may be behind.
pub trait Records: Send + Sync + 'static {
    /// A record with its revision.
    fn get<'a>(&'a self, id: &'a PeelId) -> BoxFuture<'a, Result<Option<(Record, u64)>, RecordsError>>;
    /// Writes a record if its revision is still `expected`, 0 for a new one.
    fn put<'a>(&'a self, record: &'a Record, expected: u64) -> BoxFuture<'a, Result<(), RecordsError>>;
    /// All of them, by id.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Record>, RecordsError>>;
}

fn read(id: &str, bytes: &[u8]) -> Result<Record, RecordsError> {
    codec::decode(bytes).map_err(|source| RecordsError::Record { id: id.to_owned(), source })
}

impl Records for Kv {
    fn get<'a>(&'a self, id: &'a PeelId) -> BoxFuture<'a, Result<Option<(Record, u64)>, RecordsError>> {
        async move {
            match self.latest_or_deleted(id.as_str()).await? {
                Some(entry) if entry.deleted => Ok(Some((Record::new(id.clone()), entry.revision))),
                Some(entry) => Ok(Some((read(id.as_str(), &entry.value)?, entry.revision))),
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn put<'a>(&'a self, record: &'a Record, expected: u64) -> BoxFuture<'a, Result<(), RecordsError>> {
        async move {
            let id = record.id.as_str();
            let bytes =
                codec::encode(record).map_err(|source| RecordsError::Record { id: id.to_owned(), source })?;
            let deadline = tokio::time::Instant::now() + self.bus().options().request_timeout;
            match self.cas_settled(id, bytes, expected, None, deadline).await {
                Ok(_) => Ok(()),
                Err(CasError::Conflict) => Err(RecordsError::Conflict),
                Err(CasError::Ambiguous(error)) => Err(RecordsError::Store(error.into())),
                Err(CasError::Failed(error)) => Err(RecordsError::Store(error)),
            }
        }
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Record>, RecordsError>> {
        async move {
            let mut names = self.names("*", MAX_RECORDS).await?;
            names.sort_unstable();
            let entries = self.get_many(&names).await?;
            let mut records =
                entries.iter().map(|e| read(&e.key, &e.value)).collect::<Result<Vec<_>, _>>()?;
            records.sort_by(|a, b| a.id.cmp(&b.id));
            Ok(records)
        }
        .boxed()
    }
}

/// Records in memory.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<PeelId, (Record, u64)>>);

impl Records for Memory {
    fn get<'a>(&'a self, id: &'a PeelId) -> BoxFuture<'a, Result<Option<(Record, u64)>, RecordsError>> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        // Others get their turn between reading and writing, as with a real store.
        async move {
            tokio::task::yield_now().await;
            Ok(found)
        }
        .boxed()
    }

    fn put<'a>(&'a self, record: &'a Record, expected: u64) -> BoxFuture<'a, Result<(), RecordsError>> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = records.get(&record.id).map_or(0, |(_, revision)| *revision);
        let result = if now == expected {
            records.insert(record.id.clone(), (record.clone(), now + 1));
            Ok(())
        } else {
            Err(RecordsError::Conflict)
        };
        async move { result }.boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Record>, RecordsError>> {
        let all =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).values().map(|(r, _)| r.clone()).collect();
        async move { Ok(all) }.boxed()
    }
}
