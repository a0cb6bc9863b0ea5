//! Returns on their way to the bucket `job-returns`: sent again until the server says that they are stored.

use super::{Shared, jittered, now_ms};
use crate::{
    bus::{codec, id::JobId, subject},
    job::{
        fit,
        ledger::{Own, Record},
        message::{EventMessage, JobOutcome, JobReturn, VERSION},
        store,
    },
};
use futures_util::{StreamExt, stream as futures};
use std::{sync::Arc, time::Duration};
use zester_compiler::types::{Map, Value};

/// Returns on their way at a time.
const AT_ONCE: usize = 16;
/// What a message needs beside its payload, in bytes.
const OVERHEAD: usize = 1_024;
/// How long the last returns are sent when the peel stops.
const LAST: Duration = Duration::from_secs(10);

/// Sends until the end.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut unstored = shared.book.watch_unstored();
    let mut pause = Duration::from_millis(100);
    loop {
        let all_stored = send(&shared).await;
        if all_stored {
            pause = Duration::from_millis(100);
        } else {
            pause = (pause * 2).min(Duration::from_secs(30));
        }
        tokio::select! {
            _ = unstored.changed() => {}
            () = tokio::time::sleep(jittered(pause)), if !all_stored => {}
            () = shared.stopped() => break,
        }
    }
    // The last ones come from what just ended.
    let end = tokio::time::Instant::now() + LAST;
    while !(shared.running().is_empty() && send(&shared).await) {
        if tokio::time::timeout_at(end, tokio::time::sleep(Duration::from_millis(100))).await.is_err() {
            tracing::warn!("returns are left; they are sent at the next start");
            return;
        }
    }
}

/// Sends what is there; says whether all of it is stored.
async fn send(shared: &Shared) -> bool {
    let unstored = shared.book.unstored();
    if unstored.is_empty() {
        return true;
    }
    if !shared.bus.state().borrow().is_connected() {
        return false;
    }
    let stored: Vec<bool> = futures::iter(unstored)
        .map(|(jid, result)| async move {
            match put(shared, &jid, &result).await {
                Ok(()) => {
                    let book = shared.book.clone();
                    let put = tokio::task::spawn_blocking(move || book.put(Record::Stored { jid })).await;
                    matches!(put, Ok(Ok(())))
                }
                Err(error) => {
                    tracing::warn!(%jid, %error, "the return is not stored yet");
                    false
                }
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    stored.into_iter().all(|s| s)
}

/// What came of something that nobody sent: an event `schedule.<entry>`.
async fn tell(
    shared: &Shared,
    jid: &JobId,
    own: &Own,
    result: &JobReturn,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut data = Map::new();
    data.insert("entry".to_owned(), Value::from(own.entry.as_str()));
    data.insert("jid".to_owned(), Value::from(jid.as_str()));
    data.insert("status".to_owned(), Value::from(result.status.word()));
    if let JobOutcome::States(states) = &result.outcome {
        for (name, count) in [
            ("changed", states.counts.changed),
            ("unchanged", states.counts.unchanged),
            ("failed", states.counts.failed),
            ("skipped", states.counts.skipped),
        ] {
            data.insert(name.to_owned(), Value::from(count as i64));
        }
    }
    if let Some(error) = &result.error {
        data.insert("error".to_owned(), Value::from(error.chars().take(2_000).collect::<String>()));
    }
    for (name, time) in [("started_ms", result.started_ms), ("finished_ms", Some(result.finished_ms))] {
        if let Some(time) = time.and_then(|t| i64::try_from(t).ok()) {
            data.insert(name.to_owned(), Value::from(time));
        }
    }
    let event = EventMessage { v: VERSION, time_ms: now_ms(), data };
    // A tag is made of tokens; the entry's own name is in the data.
    let tag: String = own
        .entry
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .take(64)
        .collect();
    let subject = subject::event(shared.id().as_str(), &format!("schedule.{tag}"));
    // After a lost answer it is there twice; the job's id says that it is one.
    shared.bus.store(&subject, None, codec::encode(&event)?).await?;
    Ok(())
}

async fn put(
    shared: &Shared,
    jid: &JobId,
    result: &JobReturn,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if let Some(own) = shared.book.own(jid) {
        tell(shared, jid, &own, result).await?;
        if !own.returns {
            return Ok(());
        }
    }
    let limit = shared.bus.max_payload().saturating_sub(OVERHEAD);
    let bytes = fit::encode_within(result, limit)?;
    store::write_return(&shared.bus, jid, shared.id(), bytes).await?;
    Ok(())
}
