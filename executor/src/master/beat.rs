//! This master's heartbeat, those of the others, and the adoption of what a dead one leaves.

use super::{Shared, jobs};
use crate::{
    bus::{codec, id::MasterId, kv::CasError, storage::Bucket},
    job::{
        message::{MasterHeartbeat, VERSION},
        owner::{Owner, orphans},
        store::{self, JobStoreError},
    },
};
use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// How long a heartbeat lives.
const TTL: Duration = Duration::from_secs(15);
/// Masters at most.
const MAX_MASTERS: usize = 1_000;

/// When this master's heartbeat was last stored, by its own clock.
pub(super) fn confirmed(shared: &Shared) -> Option<u64> {
    match shared.table.confirmed.load(Ordering::SeqCst) {
        0 => None,
        at => Some(at),
    }
}

/// Beats and looks after the others until the end.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut revision = 0;
    let mut before: HashSet<MasterId> = HashSet::new();
    let mut first = true;
    loop {
        // The time before the write counts: the answer may take long.
        let began = shared.now_ms();
        match beat(&shared, revision).await {
            Ok(now) => {
                revision = now;
                shared.table.confirmed.store(began, Ordering::SeqCst);
            }
            Err(JobStoreError::Cas(CasError::Conflict)) => {
                // A write whose answer was lost, or the end of its time.
                let kv = shared.bus.kv(Bucket::MasterHeartbeat);
                let found = kv.latest_or_deleted(shared.id().as_str()).await;
                revision = found.ok().flatten().map_or(0, |e| e.revision);
                if !shared.pause(Duration::from_millis(200)).await {
                    return;
                }
                continue;
            }
            Err(error) => tracing::warn!(%error, "the heartbeat is not stored"),
        }
        match alive(&shared).await {
            Ok(alive) => {
                // Absent at two looks, and the first look of a new master proves nothing.
                if !first {
                    adopt(&shared, &alive, &before).await;
                }
                first = false;
                before = alive;
            }
            Err(error) => tracing::warn!(%error, "the other masters' heartbeats cannot be read"),
        }
        if !shared.pause(shared.options.heartbeat).await {
            return;
        }
    }
}

async fn beat(shared: &Shared, revision: u64) -> Result<u64, JobStoreError> {
    let beat = MasterHeartbeat {
        v: VERSION,
        jobs: shared.jobs.ids(),
        time_ms: shared.now_ms(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let bytes = codec::encode(&beat)?;
    Ok(shared.bus.kv(Bucket::MasterHeartbeat).cas_for(shared.id().as_str(), bytes, revision, TTL).await?)
}

/// The masters whose heartbeat is there.
async fn alive(shared: &Shared) -> Result<HashSet<MasterId>, JobStoreError> {
    let keys = shared.bus.kv(Bucket::MasterHeartbeat).keys("*", MAX_MASTERS).await?;
    Ok(keys.into_iter().filter_map(|(key, _)| MasterId::new(&key).ok()).collect())
}

async fn adopt(shared: &Arc<Shared>, alive: &HashSet<MasterId>, before: &HashSet<MasterId>) {
    let me = shared.id();
    let records = shared.table.open();
    let gone = orphans(&records, |m| alive.contains(m) || m == me, |m| before.contains(m) || m == me);
    for jid in gone {
        if shared.jobs.owns(&jid) {
            continue;
        }
        // What the table says may be old; the leader decides.
        let found = match store::record(&shared.bus, &jid).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                shared.table.forget(&jid);
                continue;
            }
            Err(error) => {
                tracing::warn!(%jid, %error, "a job without a master cannot be read");
                continue;
            }
        };
        let (record, revision) = found;
        shared.table.enter(record.clone());
        if record.status.is_final() || record.owner.as_ref().is_some_and(|o| alive.contains(o)) {
            continue;
        }
        match store::targets(&shared.bus, &record).await {
            Ok(peels) => {
                tracing::warn!(%jid, former = ?record.owner, "a job without a master is adopted");
                let (owner, effects) = Owner::adopt(me.clone(), record, revision, peels, shared.now_ms());
                jobs::spawn(shared, owner, effects, None);
            }
            Err(error) => tracing::warn!(%jid, %error, "the targets of a job cannot be read"),
        }
    }
}
