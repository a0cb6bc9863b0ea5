//! Leases: one holder at a time, as far as clocks go. A lease is advice; what must not happen twice is fenced where it happens.
//!
//! The key lives for the lease's time and is renewed by compare-and-set at a third of it. The holder stops at half of it by its own monotonic
//! clock when no renewal was confirmed, so it stops well before anybody else can begin, whatever happens on the way.

use super::{
    codec,
    jetstream::StoreError,
    kv::{CasError, Kv},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::{sync::watch, task::JoinHandle, time::Instant};

/// The shortest lease: the server counts in seconds, and a renewal needs time to go wrong.
const SHORTEST: Duration = Duration::from_secs(3);

/// What a lease's key holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// 1
    pub v: u8,
    /// Who holds it.
    pub holder: String,
    /// New with every write: tells a writer whose answer was lost whether the write was its own.
    pub nonce: String,
}

/// Why there is no lease.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else has it.
    #[error("`{key}` is held by `{holder}`")]
    Held {
        /// The lease.
        key: String,
        /// By whom; itself after a restart under the same name.
        holder: String,
    },
    /// It is not known whether it was taken; if it was, it ends by itself.
    #[error("it is not known whether `{0}` was taken")]
    Unknown(String),
    /// The server or the way to it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The clock of a lease. It knows only this machine's monotonic time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Term {
    ttl: Duration,
    /// When the last confirmed write was *sent*: the server's time began later.
    confirmed: Instant,
}

impl Term {
    /// A term confirmed by a write that was sent at `sent`.
    pub fn new(ttl: Duration, sent: Instant) -> Self {
        Self { ttl, confirmed: sent }
    }

    /// A renewal sent at `sent` was confirmed.
    pub fn confirm(&mut self, sent: Instant) {
        self.confirmed = self.confirmed.max(sent);
    }

    /// When to renew.
    pub fn renew_at(&self) -> Instant {
        self.confirmed + self.ttl / 3
    }

    /// When the holder stops.
    pub fn ends_at(&self) -> Instant {
        self.confirmed + self.ttl / 2
    }

    /// Whether the holder may act.
    pub fn holds(&self, now: Instant) -> bool {
        now < self.ends_at()
    }
}

/// A lease that is renewed until it is dropped or lost.
#[derive(Debug)]
pub struct Lease {
    kv: Kv,
    key: String,
    held: watch::Receiver<Option<(Term, u64)>>,
    renewal: JoinHandle<()>,
}

impl Lease {
    /// Takes the lease `key` for `holder`, if nobody has it. `ttl` is at least 3 s and counted in whole seconds.
    pub async fn acquire(kv: &Kv, key: &str, holder: &str, ttl: Duration) -> Result<Self, LeaseError> {
        let ttl = Duration::from_secs(ttl.max(SHORTEST).as_secs());
        let found = kv.latest_or_deleted(key).await?;
        let expected = match &found {
            Some(entry) if !entry.deleted => {
                let record: Option<LeaseRecord> = codec::decode(&entry.value).ok();
                let holder = record.map_or_else(|| "somebody".to_owned(), |r| r.holder);
                return Err(LeaseError::Held { key: key.to_owned(), holder });
            }
            Some(marker) => marker.revision,
            None => 0,
        };
        let sent = Instant::now();
        let revision =
            write(kv, key, holder, ttl, expected, sent + ttl / 2).await.map_err(|error| match error {
                CasError::Conflict => {
                    LeaseError::Held { key: key.to_owned(), holder: "a faster one".to_owned() }
                }
                CasError::Ambiguous(_) => LeaseError::Unknown(key.to_owned()),
                CasError::Failed(error) => LeaseError::Store(error),
            })?;
        let term = Term::new(ttl, sent);
        let (told, held) = watch::channel(Some((term, revision)));
        let renewal = tokio::spawn(renew(kv.clone(), key.to_owned(), holder.to_owned(), told));
        Ok(Self { kv: kv.clone(), key: key.to_owned(), held, renewal })
    }

    /// Whether the holder may act now. Ask before every act.
    pub fn holds(&self) -> bool {
        self.held.borrow().is_some_and(|(term, _)| term.holds(Instant::now()))
    }

    /// Waits until it is lost.
    pub async fn lost(&self) {
        let mut held = self.held.clone();
        loop {
            let Some((term, _)) = *held.borrow_and_update() else { return };
            tokio::select! {
                changed = held.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(term.ends_at()) => return,
            }
        }
    }

    /// Gives it back, so that another need not wait for its end.
    pub async fn release(self) {
        self.renewal.abort();
        let last = *self.held.borrow();
        if let Some((_, revision)) = last {
            // If this fails it ends by itself.
            let _ = self.kv.delete(&self.key, revision).await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

async fn renew(kv: Kv, key: String, holder: String, told: watch::Sender<Option<(Term, u64)>>) {
    loop {
        let Some((mut term, revision)) = *told.borrow() else { return };
        tokio::time::sleep_until(term.renew_at()).await;
        let sent = Instant::now();
        // After a pause of the whole machine the time may be over already.
        let result = if term.holds(sent) {
            Some(write(&kv, &key, &holder, term.ttl, revision, term.ends_at()).await)
        } else {
            None
        };
        match result {
            Some(Ok(revision)) => {
                term.confirm(sent);
                told.send_replace(Some((term, revision)));
            }
            Some(Err(CasError::Failed(error))) if Instant::now() < term.ends_at() => {
                tracing::warn!(%error, key, "a lease could not be renewed yet");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Some(Err(_)) | None => {
                tracing::warn!(key, "a lease is lost");
                told.send_replace(None);
                return;
            }
        }
    }
}

async fn write(
    kv: &Kv,
    key: &str,
    holder: &str,
    ttl: Duration,
    expected: u64,
    deadline: Instant,
) -> Result<u64, CasError> {
    let record = LeaseRecord { v: 1, holder: holder.to_owned(), nonce: ulid::Ulid::r#gen().to_string() };
    let value = codec::encode(&record).map_err(|e| CasError::Failed(StoreError::answer(key, e)))?;
    kv.cas_settled(key, value, expected, Some(ttl), deadline).await
}

/// Raises the counter `key` by one and gives the new value: an epoch that nobody else gets. Until `deadline`.
pub async fn raise(kv: &Kv, key: &str, deadline: Instant) -> Result<u64, CasError> {
    #[derive(Serialize, Deserialize)]
    struct Counter {
        v: u8,
        value: u64,
        nonce: String,
    }
    loop {
        let found = kv.latest_or_deleted(key).await.map_err(CasError::Failed)?;
        let (revision, last) = match &found {
            None => (0, 0),
            Some(entry) if entry.deleted => (entry.revision, 0),
            Some(entry) => {
                let counter: Counter =
                    codec::decode(&entry.value).map_err(|e| CasError::Failed(StoreError::answer(key, e)))?;
                (entry.revision, counter.value)
            }
        };
        let value = last
            .checked_add(1)
            .ok_or_else(|| CasError::Failed(StoreError::answer(key, "the counter is at its end")))?;
        let counter = Counter { v: 1, value, nonce: ulid::Ulid::r#gen().to_string() };
        let bytes = codec::encode(&counter).map_err(|e| CasError::Failed(StoreError::answer(key, e)))?;
        match kv.cas_settled(key, bytes, revision, None, deadline).await {
            Ok(_) => return Ok(value),
            Err(CasError::Conflict) if Instant::now() < deadline => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_stops_long_before_another_can_begin() {
        let start = Instant::now();
        let ttl = Duration::from_secs(30);
        let mut term = Term::new(ttl, start);
        assert_eq!(term.renew_at(), start + Duration::from_secs(10));
        assert!(term.holds(start + Duration::from_millis(14_999)));
        assert!(!term.holds(start + Duration::from_secs(15)));
        term.confirm(start + Duration::from_secs(10));
        assert!(term.holds(start + Duration::from_secs(24)));
        // A late confirmation of an earlier write takes nothing back.
        term.confirm(start + Duration::from_secs(5));
        assert_eq!(term.ends_at(), start + Duration::from_secs(25));
    }
}
