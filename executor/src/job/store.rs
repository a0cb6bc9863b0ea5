//! Jobs in NATS: records, lists of targets, cancellations, returns. Writes are compare-and-set, decisions read the leader.

use super::message::{JobRecord, JobReturn, TARGETS_PER_CHUNK, TargetChunk};
use crate::bus::{
    Bus,
    codec::{self, CodecError},
    id::{JobId, PeelId},
    jetstream::StoreError,
    kv::{CasError, Once},
    storage::Bucket,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use std::collections::BTreeMap;

/// Questions to the leader at a time.
const QUESTIONS: usize = 32;

/// Why a job cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JobStoreError {
    /// The bucket.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The write.
    #[error(transparent)]
    Cas(#[from] CasError),
    /// What is stored cannot be read.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A part of a job is not there.
    #[error("`{0}` is missing in the bucket `jobs`")]
    Missing(String),
}

/// A job's record from the leader, with its revision.
pub async fn record(bus: &Bus, jid: &JobId) -> Result<Option<(JobRecord, u64)>, JobStoreError> {
    let Some(entry) = bus.kv(Bucket::Jobs).latest(jid.as_str()).await? else { return Ok(None) };
    Ok(Some((codec::decode(&entry.value)?, entry.revision)))
}

/// Writes a job's record if its revision is `expected`; nothing for a new one.
pub async fn write_record(
    bus: &Bus,
    record: &JobRecord,
    expected: Option<u64>,
) -> Result<u64, JobStoreError> {
    let bytes = codec::encode(record)?;
    Ok(bus.kv(Bucket::Jobs).cas(record.jid.as_str(), bytes, expected.unwrap_or(0)).await?)
}

/// Stores a job's list of targets.
pub async fn write_targets(bus: &Bus, jid: &JobId, chunks: &[TargetChunk]) -> Result<(), JobStoreError> {
    let jobs = bus.kv(Bucket::Jobs);
    for (number, chunk) in chunks.iter().enumerate() {
        match jobs.cas(&format!("{jid}.targets.{number}"), codec::encode(chunk)?, 0).await {
            // The same list: it is named by the job, and written once.
            Ok(_) | Err(CasError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A job's list of targets, sorted.
pub async fn targets(bus: &Bus, record: &JobRecord) -> Result<Vec<PeelId>, JobStoreError> {
    let jobs = bus.kv(Bucket::Jobs);
    let mut peels = Vec::new();
    for number in 0..(record.targets as usize).div_ceil(TARGETS_PER_CHUNK) {
        let key = format!("{}.targets.{number}", record.jid);
        let entry = jobs.latest(&key).await?.ok_or(JobStoreError::Missing(key))?;
        let chunk: TargetChunk = codec::decode(&entry.value)?;
        peels.extend(chunk.peels);
    }
    Ok(peels)
}

/// A job's list of targets as some replica knows it, for showing.
pub async fn glance_targets(bus: &Bus, record: &JobRecord) -> Result<Vec<PeelId>, JobStoreError> {
    let jobs = bus.kv(Bucket::Jobs);
    let mut peels = Vec::new();
    for number in 0..(record.targets as usize).div_ceil(TARGETS_PER_CHUNK) {
        let key = format!("{}.targets.{number}", record.jid);
        let entry = jobs.get(&key).await?.ok_or(JobStoreError::Missing(key))?;
        let chunk: TargetChunk = codec::decode(&entry.value)?;
        peels.extend(chunk.peels);
    }
    Ok(peels)
}

/// Puts down that a job is to stop, for whoever owns it now or later.
pub async fn write_cancel(bus: &Bus, jid: &JobId, reason: &str) -> Result<(), JobStoreError> {
    bus.kv(Bucket::Jobs).put(&format!("{jid}.cancel"), reason.to_owned()).await?;
    Ok(())
}

/// Why a job is to stop, if it is.
pub async fn cancel(bus: &Bus, jid: &JobId) -> Result<Option<String>, JobStoreError> {
    let entry = bus.kv(Bucket::Jobs).latest(&format!("{jid}.cancel")).await?;
    Ok(entry.map(|e| String::from_utf8_lossy(&e.value).into_owned()))
}

/// Stores a peel's own return; after an error it is sent again.
///
/// That the server refuses a second one does not mean that there is a first: it refuses for one that is still on its way to the other
/// servers too, and that one is lost when this server dies; and for a full bucket. Only a return that can be read is stored.
pub async fn write_return(
    bus: &Bus,
    jid: &JobId,
    peel: &PeelId,
    bytes: impl Into<Bytes>,
) -> Result<(), StoreError> {
    match bus.kv(Bucket::JobReturns).put_once(&format!("{jid}.{peel}"), bytes).await? {
        Once::Stored(_) | Once::Same(_) => {}
        // Shortened to another size; or somebody uses these credentials too.
        Once::Other(_) => tracing::debug!(%jid, %peel, "another return is stored already"),
    }
    Ok(())
}

/// Stores a return that was stored before, if it is there no more. Whether it was there.
pub async fn store_again(bus: &Bus, jid: &JobId, peel: &PeelId, bytes: &Bytes) -> Result<bool, StoreError> {
    if bus.kv(Bucket::JobReturns).get(&format!("{jid}.{peel}")).await?.is_some() {
        return Ok(true);
    }
    write_return(bus, jid, peel, bytes.clone()).await?;
    Ok(false)
}

/// The stored return of a peel. Returns are written once, so a replica that has it has the only one.
pub async fn job_return(bus: &Bus, jid: &JobId, peel: &PeelId) -> Result<Option<JobReturn>, JobStoreError> {
    match bus.kv(Bucket::JobReturns).get(&format!("{jid}.{peel}")).await? {
        Some(entry) => Ok(Some(codec::decode(&entry.value)?)),
        None => Ok(None),
    }
}

/// The stored returns of these peels as some replica knows them, for showing while a job goes on.
pub async fn glance_returns<'p>(
    bus: &Bus,
    jid: &JobId,
    peels: impl IntoIterator<Item = &'p PeelId>,
) -> Result<BTreeMap<PeelId, JobReturn>, JobStoreError> {
    let keys: Vec<String> = peels.into_iter().map(|p| format!("{jid}.{p}")).collect();
    let mut found = BTreeMap::new();
    for entry in bus.kv(Bucket::JobReturns).get_many(&keys).await? {
        if let Some(peel) = entry.key.split_once('.').and_then(|(_, p)| PeelId::new(p).ok()) {
            found.insert(peel, codec::decode(&entry.value)?);
        }
    }
    Ok(found)
}

/// The stored returns of these peels. Returns are written once, so those a replica has are right; for the others the leader is asked, because
/// a replica that is behind has none of a job's and answers like one that is not.
pub async fn returns<'p>(
    bus: &Bus,
    jid: &JobId,
    peels: impl IntoIterator<Item = &'p PeelId>,
) -> Result<BTreeMap<PeelId, JobReturn>, JobStoreError> {
    let mut missing: BTreeMap<String, PeelId> =
        peels.into_iter().map(|p| (format!("{jid}.{p}"), p.clone())).collect();
    let mut found = glance_returns(bus, jid, missing.values()).await?;
    missing.retain(|_, peel| !found.contains_key(peel));
    let bucket = bus.kv(Bucket::JobReturns);
    let asked = missing.keys().cloned().map(|key| {
        let bucket = bucket.clone();
        async move { bucket.latest(&key).await }
    });
    let mut answers = futures_util::stream::iter(asked).buffer_unordered(QUESTIONS);
    while let Some(entry) = answers.try_next().await? {
        if let Some((peel, entry)) = entry.and_then(|e| Some((missing.get(&e.key)?, e))) {
            found.insert(peel.clone(), codec::decode(&entry.value)?);
        }
    }
    Ok(found)
}
