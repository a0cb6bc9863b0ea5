//! What this master knows of all jobs: their records as they are written, for adoption, for peels that were away, for late returns.

use super::Shared;
use crate::{
    bus::{
        codec,
        id::{JobId, PeelId},
        storage::Bucket,
        watch::{WatchOptions, Watched},
    },
    job::{
        message::{JobRecord, PeelStatus},
        owner,
        store::{self, JobStoreError},
    },
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};
use tokio::sync::watch;

/// Between two rounds of forgetting.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// Lists of targets that are remembered.
const MAX_TARGETS: usize = 256;
/// Late returns of a job are counted together, after so long.
const GATHER: Duration = Duration::from_secs(2);

/// Records of jobs that have not ended or whose time is not over.
pub(super) struct Table {
    jobs: Mutex<HashMap<JobId, JobRecord>>,
    targets: Mutex<HashMap<JobId, Arc<HashSet<PeelId>>>>,
    late: Mutex<HashSet<JobId>>,
    ready: watch::Sender<bool>,
    /// When this master's heartbeat was last stored; 0 before.
    pub(super) confirmed: AtomicU64,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            jobs: Mutex::default(),
            targets: Mutex::default(),
            late: Mutex::default(),
            ready: watch::Sender::new(false),
            confirmed: AtomicU64::new(0),
        }
    }
}

impl Table {
    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, JobRecord>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the first look.
    pub(super) async fn ready(&self) {
        let _ = self.ready.subscribe().wait_for(|r| *r).await;
    }

    /// Enters a record, unless a newer one is known.
    pub(super) fn enter(&self, record: JobRecord) {
        let mut jobs = self.jobs();
        match jobs.get(&record.jid) {
            Some(known)
                if (known.epoch, known.status.is_final()) > (record.epoch, record.status.is_final()) => {}
            _ => {
                jobs.insert(record.jid.clone(), record);
            }
        }
    }

    /// Forgets a job.
    pub(super) fn forget(&self, jid: &JobId) {
        self.jobs().remove(jid);
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).remove(jid);
    }

    /// A job's record.
    pub(super) fn get(&self, jid: &JobId) -> Option<JobRecord> {
        self.jobs().get(jid).cloned()
    }

    /// Those that have not ended.
    pub(super) fn open(&self) -> Vec<JobRecord> {
        self.jobs().values().filter(|r| !r.status.is_final()).cloned().collect()
    }

    /// Those that a peel which was away may still run, oldest first.
    pub(super) fn runnable(&self, now_ms: u64) -> Vec<JobRecord> {
        let away = |r: &JobRecord| {
            r.counts.get(&PeelStatus::Unreachable).is_some_and(|n| *n > 0) && r.reason.is_none()
        };
        let mut found: Vec<JobRecord> = self
            .jobs()
            .values()
            .filter(|r| r.deadline_ms > now_ms && r.owner.is_some())
            // The peels of a portion to come are not asked yet.
            .filter(|r| if r.status.is_final() { away(r) } else { r.batch.is_none() })
            .cloned()
            .collect();
        found.sort_by(|a, b| a.jid.cmp(&b.jid));
        found
    }

    /// The peels of a job, read once.
    pub(super) async fn targets(
        &self,
        shared: &Shared,
        record: &JobRecord,
    ) -> Result<Arc<HashSet<PeelId>>, JobStoreError> {
        let known = || self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peels) = known().get(&record.jid) {
            return Ok(peels.clone());
        }
        let peels = Arc::new(store::targets(&shared.bus, record).await?.into_iter().collect::<HashSet<_>>());
        let mut known = known();
        if known.len() >= MAX_TARGETS {
            known.clear();
        }
        known.insert(record.jid.clone(), peels.clone());
        Ok(peels)
    }

    /// Drops what nobody will ask for.
    fn tidy(&self, now_ms: u64) {
        self.jobs().retain(|_, r| !r.status.is_final() || r.deadline_ms > now_ms);
        let known: HashSet<JobId> = self.jobs().keys().cloned().collect();
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).retain(|jid, _| known.contains(jid));
    }
}

/// Follows the records until the end.
pub(super) async fn run(shared: Arc<Shared>) {
    // Lists of targets and cancellations have longer keys.
    let options = WatchOptions { keys: "*".to_owned(), ..WatchOptions::default() };
    let mut tidy = tokio::time::interval(TIDY_EVERY);
    loop {
        match shared.bus.kv(Bucket::Jobs).watch(options.clone()) {
            Ok(mut watch) => loop {
                let told = tokio::select! {
                    told = watch.next() => told,
                    _ = tidy.tick() => {
                        shared.table.tidy(shared.now_ms());
                        continue;
                    }
                    () = shared.stopped() => return,
                };
                match told {
                    Ok(Watched::Entry(entry)) => match codec::decode::<JobRecord>(&entry.value) {
                        Ok(record) => shared.table.enter(record),
                        Err(error) if entry.deleted => {
                            tracing::debug!(key = entry.key, %error, "a job is deleted");
                        }
                        Err(error) => {
                            tracing::warn!(key = entry.key, %error, "a job's record cannot be read");
                        }
                    },
                    Ok(Watched::Current) => {
                        shared.table.tidy(shared.now_ms());
                        shared.table.ready.send_replace(true);
                    }
                    Ok(Watched::Restarted) => shared.table.jobs().clear(),
                    Err(error) => {
                        tracing::error!(%error, "the records of jobs cannot be followed");
                        break;
                    }
                }
            },
            Err(error) => tracing::error!(%error, "the records of jobs cannot be followed"),
        }
        if !shared.pause(Duration::from_secs(5)).await {
            return;
        }
    }
}

/// A return of a job that no task here waits for: if the job has ended, its record is corrected, by the master that ended it.
pub(super) fn late(shared: &Arc<Shared>, jid: JobId) {
    let mine = |r: &JobRecord| r.status.is_final() && r.owner.as_ref() == Some(shared.id());
    if !shared.table.get(&jid).is_some_and(|r| mine(&r)) {
        return;
    }
    if !shared.table.late.lock().unwrap_or_else(PoisonError::into_inner).insert(jid.clone()) {
        return;
    }
    let shared = shared.clone();
    tokio::spawn(async move {
        if shared.pause(GATHER).await {
            shared.table.late.lock().unwrap_or_else(PoisonError::into_inner).remove(&jid);
            if let Err(error) = recount(&shared, &jid).await {
                tracing::warn!(%jid, %error, "the record cannot be corrected");
            }
        }
    });
}

/// Counts the stored returns of an ended job anew.
async fn recount(shared: &Arc<Shared>, jid: &JobId) -> Result<(), JobStoreError> {
    let Some((mut record, revision)) = store::record(&shared.bus, jid).await? else { return Ok(()) };
    if !record.status.is_final() {
        return Ok(());
    }
    let peels = shared.table.targets(shared, &record).await?;
    let mut counts = indexmap::IndexMap::new();
    for result in store::returns(&shared.bus, jid, peels.iter()).await?.values() {
        *counts.entry(result.status).or_insert(0) += 1;
    }
    // Who has not returned is what he was.
    let mut missing = record.targets.saturating_sub(counts.values().sum());
    for (status, known) in &record.counts {
        if missing > 0
            && (!status.is_final() || matches!(status, PeelStatus::Unreachable | PeelStatus::Canceled))
        {
            let part = missing.min(*known);
            *counts.entry(*status).or_insert(0) += part;
            missing -= part;
        }
    }
    if counts == record.counts {
        return Ok(());
    }
    let canceled = record.status == crate::job::message::JobStatus::Canceled;
    record.status = owner::status(&counts, canceled);
    record.counts = counts;
    record.updated_ms = shared.now_ms();
    record.nonce = ulid::Ulid::r#gen().to_string();
    store::write_record(&shared.bus, &record, Some(revision)).await?;
    Ok(())
}
