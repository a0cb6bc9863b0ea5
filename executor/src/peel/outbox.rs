//! Returns on their way to the bucket `job-returns`: sent again until the server says that they are stored, and looked for once more when a
//! server comes back, which may have forgotten its last minutes.

use super::{Shared, jittered, now_ms};
use crate::{
    bus::{ConnectionState, codec, id::JobId, subject},
    job::{
        fit,
        ledger::{Own, Record},
        message::{EventMessage, JobOutcome, JobReturn, VERSION},
        store,
    },
};
use bytes::Bytes;
use futures_util::{StreamExt, stream as futures};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::Instant;
use zester_compiler::types::{Map, Value};

/// Returns on their way at a time.
const AT_ONCE: usize = 16;
/// What a message needs beside its payload, in bytes.
const OVERHEAD: usize = 1_024;
/// How long the last returns are sent when the peel stops.
const LAST: Duration = Duration::from_secs(10);

/// How long a stored return is kept: longer than a server that does not sync each write takes to do it.
const KEPT: Duration = Duration::from_secs(180);
/// Most of what is kept, in bytes and in returns; the oldest goes first. Each costs a question when a server comes back to a whole fleet.
const KEPT_BYTES: usize = 1024 * 1024;
const KEPT_RETURNS: usize = 256;

/// Returns that were stored a moment ago.
#[derive(Default)]
struct Kept {
    returns: VecDeque<Stored>,
    bytes: usize,
}

struct Stored {
    jid: JobId,
    bytes: Bytes,
    at: Instant,
    /// The connection over which the server has said that it has it.
    session: u64,
}

impl Kept {
    fn keep(&mut self, stored: Stored) {
        self.bytes += stored.bytes.len();
        self.returns.push_back(stored);
        while self.bytes > KEPT_BYTES || self.returns.len() > KEPT_RETURNS {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.returns.pop_front() {
            self.bytes -= first.bytes.len();
        }
    }

    /// Sends again what a server that came back has not; says whether it has all of it now.
    async fn confirm(&mut self, shared: &Shared) -> bool {
        let ConnectionState::Connected { session } = *shared.bus.state().borrow() else { return true };
        let asked: Vec<(usize, JobId, Bytes)> = self
            .returns
            .iter()
            .enumerate()
            .filter(|(_, stored)| stored.session != session)
            .map(|(place, stored)| (place, stored.jid.clone(), stored.bytes.clone()))
            .collect();
        let answers: Vec<Option<usize>> = futures::iter(asked)
            .map(|(place, jid, bytes)| async move {
                match store::store_again(&shared.bus, &jid, shared.id(), &bytes).await {
                    Ok(true) => Some(place),
                    Ok(false) => {
                        tracing::warn!(%jid, "the server had forgotten the return; it is stored again");
                        Some(place)
                    }
                    Err(error) => {
                        tracing::debug!(%jid, %error, "whether the return is still stored is not known");
                        None
                    }
                }
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let all = answers.iter().all(Option::is_some);
        for place in answers.into_iter().flatten() {
            if let Some(stored) = self.returns.get_mut(place) {
                stored.session = session;
            }
        }
        // What was there over one connection for so long is on the disk.
        while self.returns.front().is_some_and(|s| s.session == session && s.at.elapsed() >= KEPT) {
            self.forget_first();
        }
        all
    }
}

/// Sends until the end.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut unstored = shared.book.watch_unstored();
    let mut state = shared.bus.state();
    let mut kept = Kept::default();
    let mut pause = Duration::from_millis(100);
    loop {
        state.borrow_and_update();
        let all_stored = send(&shared, &mut kept).await & kept.confirm(&shared).await;
        if all_stored {
            pause = Duration::from_millis(100);
        } else {
            pause = (pause * 2).min(Duration::from_secs(30));
        }
        tokio::select! {
            _ = unstored.changed() => {}
            Ok(()) = state.changed(), if !kept.returns.is_empty() => {}
            () = tokio::time::sleep(jittered(pause)), if !all_stored => {}
            () = tokio::time::sleep(KEPT), if !kept.returns.is_empty() => {}
            () = shared.stopped() => break,
        }
    }
    // The last ones come from what just ended.
    let end = Instant::now() + LAST;
    while !(shared.running().is_empty() && send(&shared, &mut kept).await) {
        if tokio::time::timeout_at(end, tokio::time::sleep(Duration::from_millis(100))).await.is_err() {
            tracing::warn!("returns are left; they are sent at the next start");
            return;
        }
    }
}

/// Sends what is there; says whether all of it is stored.
async fn send(shared: &Shared, kept: &mut Kept) -> bool {
    let unstored = shared.book.unstored();
    if unstored.is_empty() {
        return true;
    }
    let ConnectionState::Connected { session } = *shared.bus.state().borrow() else { return false };
    let results: Vec<Option<Option<Stored>>> = futures::iter(unstored)
        .map(|(jid, result)| async move {
            match put(shared, &jid, &result).await {
                Ok(bytes) => {
                    let book = shared.book.clone();
                    let stored =
                        bytes.map(|bytes| Stored { jid: jid.clone(), bytes, at: Instant::now(), session });
                    let put = tokio::task::spawn_blocking(move || book.put(Record::Stored { jid })).await;
                    matches!(put, Ok(Ok(()))).then_some(stored)
                }
                Err(error) => {
                    tracing::warn!(%jid, %error, "the return is not stored yet");
                    None
                }
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let all = results.iter().all(Option::is_some);
    results.into_iter().flatten().flatten().for_each(|stored| kept.keep(stored));
    all
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

/// Stores a return; gives what is stored, if anything is.
async fn put(
    shared: &Shared,
    jid: &JobId,
    result: &JobReturn,
) -> Result<Option<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
    if let Some(own) = shared.book.own(jid) {
        tell(shared, jid, &own, result).await?;
        if !own.returns {
            return Ok(None);
        }
    }
    let limit = shared.bus.max_payload().saturating_sub(OVERHEAD);
    let bytes = Bytes::from(fit::encode_within(result, limit)?);
    store::write_return(&shared.bus, jid, shared.id(), bytes.clone()).await?;
    Ok(Some(bytes))
}
