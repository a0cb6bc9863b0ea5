//! The lanes: changing work one after the other, what changes nothing beside it.

use super::{Shared, call::Ended, now_ms};
use crate::{
    bus::{
        codec,
        id::JobId,
        subject::{self, Report},
    },
    job::{
        ledger::{Accepted, Record},
        message::{JobOutcome, JobReturn, PeelStatus, Progress, VERSION},
    },
    runner::{Observer, StateResult},
};
use std::sync::Arc;
use tokio::{
    sync::{Semaphore, mpsc},
    task::spawn_blocking,
};
use zester_stdlib::Cancel;

/// Calls that change nothing and run at a time.
const BESIDE: usize = 8;
/// Lines of progress that wait to be sent; what comes on top is lost, as it may be.
const PROGRESS: usize = 256;

/// Runs changing work, in the order of its acceptance.
pub(super) async fn ordered(shared: Arc<Shared>) {
    let mut waiting = shared.book.watch_waiting();
    loop {
        let to_begin = shared.clone();
        let next =
            spawn_blocking(move || to_begin.book.begin(|a| !to_begin.host.is_read_only(&a.call), now_ms()))
                .await;
        match next {
            Ok(Ok(Some(accepted))) => {
                run(shared.clone(), accepted).await;
                if shared.is_stopping() {
                    return;
                }
                continue;
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "the journal cannot be written; no job begins");
                if !shared.pause(std::time::Duration::from_secs(5)).await {
                    return;
                }
                continue;
            }
            Err(_) => return,
        }
        tokio::select! {
            _ = waiting.changed() => {}
            () = shared.stopped() => return,
        }
    }
}

/// Runs what changes nothing, several at a time.
pub(super) async fn concurrent(shared: Arc<Shared>) {
    let mut waiting = shared.book.watch_waiting();
    let slots = Arc::new(Semaphore::new(BESIDE));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let to_begin = shared.clone();
        let next =
            spawn_blocking(move || to_begin.book.begin(|a| to_begin.host.is_read_only(&a.call), now_ms()))
                .await;
        if let Ok(Ok(Some(accepted))) = next {
            let shared = shared.clone();
            tokio::spawn(async move {
                run(shared, accepted).await;
                drop(slot);
            });
            continue;
        }
        drop(slot);
        tokio::select! {
            _ = waiting.changed() => {}
            () = shared.stopped() => {
                // What runs ends first.
                let _ = slots.acquire_many(BESIDE as u32).await;
                return;
            }
        }
    }
}

async fn run(shared: Arc<Shared>, accepted: Accepted) {
    let cancel = Cancel::default();
    let (jid, started_ms) = (accepted.jid.clone(), now_ms());
    shared.running().insert(jid.clone(), cancel.clone());
    if shared.is_stopping() {
        cancel.cancel();
    }
    let (progress, lines) = mpsc::channel(PROGRESS);
    let sender = tokio::spawn(send_progress(shared.clone(), jid.clone(), lines));
    let ready = match accepted.tree {
        Some(revision) => super::sync::await_revision(&shared, revision).await,
        None => Ok(()),
    };
    // Those of before are better than none; what is missing then is said where it is needed.
    if let Err(error) = super::secrets::ensure(&shared).await {
        tracing::warn!(peel = %shared.id(), %error, "new secrets cannot be had");
    }
    let in_thread = shared.clone();
    let (call, of) = (accepted.call, jid.clone());
    let ended = spawn_blocking(move || {
        if let Err(error) = ready {
            return Ended { status: PeelStatus::Failed, outcome: JobOutcome::Nothing, error: Some(error) };
        }
        let keeps = !in_thread.host.is_read_only(&call);
        let observer = Follow { shared: in_thread.clone(), jid: of, progress, keeps };
        in_thread.host.run(&call, &cancel, &observer)
    })
    .await;
    let _ = sender.await;
    let (status, outcome, error) = match ended {
        // It stopped because the peel stops, not because somebody canceled it.
        Ok(ended) if ended.status == PeelStatus::Canceled && shared.is_stopping() => {
            let why = ended.error.unwrap_or_else(|| "the peel was stopped".to_owned());
            (PeelStatus::Interrupted, ended.outcome, Some(why))
        }
        Ok(ended) => (ended.status, ended.outcome, ended.error),
        Err(panic) => {
            let why = format!("a defect of zester ended the job: {panic}");
            (PeelStatus::Failed, JobOutcome::Nothing, Some(why))
        }
    };
    shared.running().remove(&jid);
    shared.counts.ended(status);
    let result = JobReturn {
        v: VERSION,
        status,
        epoch: shared.book.epoch(&jid),
        started_ms: Some(started_ms),
        finished_ms: now_ms(),
        outcome,
        error,
        truncated: false,
    };
    let book = shared.book.clone();
    let put = spawn_blocking(move || {
        let mut tried = 0;
        // A full disk: the return waits in memory until there is room.
        while let Err(error) =
            book.put(Record::Finished { jid: jid.clone(), result: Box::new(result.clone()) })
        {
            tracing::error!(%jid, %error, "the return cannot be put down");
            tried += 1;
            if tried > 60 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_secs(5));
        }
    });
    let _ = put.await;
}

async fn send_progress(shared: Arc<Shared>, jid: JobId, mut lines: mpsc::Receiver<Progress>) {
    let subject = subject::report(&jid, Report::Progress, shared.id());
    while let Some(line) = lines.recv().await {
        if let Ok(bytes) = codec::encode(&line) {
            // Lossy by design.
            let _ = shared.bus.publish(&subject, bytes).await;
        }
    }
}

/// Follows a run: progress to who listens, results into the journal.
struct Follow {
    shared: Arc<Shared>,
    jid: JobId,
    progress: mpsc::Sender<Progress>,
    keeps: bool,
}

impl Observer for Follow {
    fn begins(&self, index: usize, total: usize, id: &str, function: &str) {
        let line = Progress {
            v: VERSION,
            index: index as u64,
            total: total as u64,
            id: id.to_owned(),
            function: function.to_owned(),
            result: None,
        };
        let _ = self.progress.try_send(line);
    }

    fn ended(&self, index: usize, total: usize, result: &StateResult) {
        if self.keeps {
            let record = Record::State { jid: self.jid.clone(), result: Box::new(result.clone()) };
            if let Err(error) = self.shared.book.put(record) {
                tracing::warn!(jid = %self.jid, %error, "a state's result cannot be put down");
            }
        }
        let line = Progress {
            v: VERSION,
            index: index as u64,
            total: total as u64,
            id: result.id.clone(),
            function: result.function.clone(),
            result: Some(result.result),
        };
        let _ = self.progress.try_send(line);
    }
}
