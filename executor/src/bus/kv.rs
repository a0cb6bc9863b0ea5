//! Keys and values over the raw API.
//!
//! Two ways to read: [`Kv::get`] asks any replica and may see the past, for showing and for what never changes; [`Kv::latest`] asks the
//! leader, for decisions. One way to decide: [`Kv::cas`]. A write whose answer is lost may have been done; [`Kv::cas_settled`] finds out by
//! comparing what is stored with what was to be written, so values need something that no other writer writes: a nonce.

use super::{
    client::Bus,
    error::BusError,
    jetstream::{StoreError, code, header, number, time_ms},
    storage::Bucket,
};
use async_nats::{HeaderMap, Message, StatusCode};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// Keys per request of [`Kv::get_many`]; the server refuses above 1,024.
const BATCH: usize = 512;

/// The longest key in bytes.
const MAX_KEY_BYTES: usize = 512;

/// A stored value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// The value; empty for a delete marker.
    pub value: Bytes,
    /// Its sequence in the bucket's stream.
    pub revision: u64,
    /// When it was stored, in milliseconds of Unix time by the server's clock.
    pub created_ms: u64,
    /// Whether it says that the key was deleted.
    pub deleted: bool,
}

/// Why a compare-and-set gave no revision.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CasError {
    /// Another was there before: read again and decide anew. Nothing was written.
    #[error("another writer was faster")]
    Conflict,
    /// The answer was lost; it may or may not have been written.
    #[error("it is not known whether the write was done: {0}")]
    Ambiguous(BusError),
    /// Nothing was written, for another reason than a conflict.
    #[error(transparent)]
    Failed(StoreError),
}

/// What became of a value that is written once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Once {
    /// It is stored now.
    Stored(u64),
    /// It had been stored before, the very same bytes.
    Same(u64),
    /// Something else is stored under the key.
    Other(Entry),
}

/// A bucket.
#[derive(Clone, Debug)]
pub struct Kv {
    bus: Bus,
    bucket: Bucket,
}

impl Bus {
    /// A bucket.
    pub fn kv(&self, bucket: Bucket) -> Kv {
        Kv { bus: self.clone(), bucket }
    }
}

impl Kv {
    /// Which it is.
    pub fn bucket(&self) -> Bucket {
        self.bucket
    }

    /// The connection it works over.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// A value as some replica knows it; nothing for keys that are not there or deleted.
    pub async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        check_key(key)?;
        let subject = format!("$JS.API.DIRECT.GET.{}.{}", self.bucket.stream(), self.bucket.subject(key));
        let message = self.bus.request(&subject, Bytes::new()).await?;
        Ok(self.direct(message)?.filter(|entry| !entry.deleted))
    }

    /// A value as the leader knows it; nothing for keys that are not there or deleted.
    pub async fn latest(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        Ok(self.latest_or_deleted(key).await?.filter(|entry| !entry.deleted))
    }

    /// What the leader has under a key, a delete marker included: its revision is what a compare-and-set has to name.
    pub async fn latest_or_deleted(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            message: Raw,
        }
        #[derive(Deserialize)]
        struct Raw {
            seq: u64,
            #[serde(default)]
            data: String,
            #[serde(default)]
            hdrs: String,
            #[serde(default)]
            time: String,
        }
        check_key(key)?;
        let call = format!("STREAM.MSG.GET.{}", self.bucket.stream());
        let body = json!({ "last_by_subj": self.bucket.subject(key) });
        let raw = match self.bus.api::<Answer>(&call, Some(&body)).await {
            Ok(answer) => answer.message,
            Err(error) if error.code() == Some(code::NO_MESSAGE) => return Ok(None),
            Err(error) => return Err(error),
        };
        let decode = |text: &str| STANDARD.decode(text).map_err(|e| StoreError::answer(&call, e));
        let headers = decode(&raw.hdrs)?;
        Ok(Some(Entry {
            key: key.to_owned(),
            value: decode(&raw.data)?.into(),
            revision: raw.seq,
            created_ms: time_ms(&raw.time).unwrap_or_default(),
            deleted: is_marker(&String::from_utf8_lossy(&headers)),
        }))
    }

    /// Values of many keys, as some replica knows them, in no particular order; keys that are not there are left out.
    pub async fn get_many(&self, keys: &[String]) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::with_capacity(keys.len());
        for part in keys.chunks(BATCH) {
            self.get_part(part, &mut entries).await?;
        }
        Ok(entries)
    }

    async fn get_part(&self, keys: &[String], entries: &mut Vec<Entry>) -> Result<(), StoreError> {
        keys.iter().try_for_each(|key| check_key(key))?;
        let name = self.bucket.stream();
        let subject = format!("$JS.API.DIRECT.GET.{name}");
        let subjects: Vec<String> = keys.iter().map(|key| self.bucket.subject(key)).collect();
        let inbox = self.bus.new_inbox();
        let mut answers = self.bus.subscribe(&inbox).await?;
        let body = json!({ "multi_last": subjects }).to_string();
        self.bus.publish_with_reply(&subject, &inbox, body).await?;
        let timeout = self.bus.options().request_timeout;
        loop {
            let lost = || BusError::TimedOut { subject: subject.clone(), after: timeout };
            let answer = tokio::select! {
                answer = tokio::time::timeout(timeout, answers.next()) => answer.map_err(|_| lost())?,
                () = self.bus.disconnected() => return Err(BusError::Disconnected.into()),
            };
            let message = answer.ok_or(BusError::Closed)?;
            match message.status.as_ref().map(StatusCode::as_u16) {
                // The end of the batch, or none of the keys.
                Some(204 | 404) => return Ok(()),
                Some(503) => return Err(BusError::NoResponders { subject }.into()),
                Some(other) => return Err(StoreError::answer(&name, format!("status {other}"))),
                None => entries.extend(self.direct(message)?.filter(|entry| !entry.deleted)),
            }
        }
    }

    fn direct(&self, message: Message) -> Result<Option<Entry>, StoreError> {
        let name = self.bucket.name();
        match message.status.as_ref().map(StatusCode::as_u16) {
            None => {}
            Some(404) => return Ok(None),
            Some(status) => {
                let said = message.description.as_deref().unwrap_or_default();
                return Err(StoreError::answer(name, format!("status {status} {said}")));
            }
        }
        let prefix = self.bucket.subject("");
        let key = header(&message, "Nats-Subject").and_then(|s| s.strip_prefix(&prefix));
        let (Some(key), Some(revision)) = (key, number(&message, "Nats-Sequence")) else {
            return Err(StoreError::answer(name, "a message without subject and sequence"));
        };
        Ok(Some(Entry {
            key: key.to_owned(),
            revision,
            created_ms: header(&message, "Nats-Time-Stamp").and_then(time_ms).unwrap_or_default(),
            deleted: marks_deletion(&message),
            value: message.payload,
        }))
    }

    /// The keys that fit a pattern of tokens, unordered, at most `limit`. Unlike [`Kv::keys`] it needs no consumer, and deleted keys are
    /// among them while their markers last.
    pub async fn names(&self, pattern: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        #[derive(Deserialize)]
        struct Info {
            #[serde(default)]
            state: State,
        }
        #[derive(Deserialize, Default)]
        struct State {
            #[serde(default)]
            num_subjects: usize,
            #[serde(default)]
            subjects: Option<std::collections::HashMap<String, u64>>,
        }
        let call = format!("STREAM.INFO.{}", self.bucket.stream());
        let (mut found, mut offset) = (Vec::new(), 0_usize);
        loop {
            let body = json!({ "subjects_filter": self.bucket.subject(pattern), "offset": offset });
            let info = self.bus.api::<Info>(&call, Some(&body)).await?;
            let page = info.state.subjects.unwrap_or_default();
            offset += page.len();
            let last = page.is_empty() || offset >= info.state.num_subjects;
            let prefix = self.bucket.subject("");
            found.extend(page.into_keys().filter_map(|s| s.strip_prefix(&prefix).map(str::to_owned)));
            if found.len() > limit {
                return Err(StoreError::TooMany { name: self.bucket.name().to_owned(), limit });
            }
            if last {
                return Ok(found);
            }
        }
    }

    /// Writes whatever is there; gives the revision.
    pub async fn put(&self, key: &str, value: impl Into<Bytes>) -> Result<u64, StoreError> {
        self.write(key, HeaderMap::new(), value.into()).await
    }

    /// Writes a value that the server removes after `ttl` (whole seconds, at least one). The bucket must allow that.
    pub async fn put_for(
        &self,
        key: &str,
        value: impl Into<Bytes>,
        ttl: Duration,
    ) -> Result<u64, StoreError> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-TTL", seconds(ttl));
        self.write(key, headers, value.into()).await
    }

    /// Writes into a write-once bucket. That it is there already is no error: what matters is whether it is the same.
    pub async fn put_once(&self, key: &str, value: impl Into<Bytes>) -> Result<Once, StoreError> {
        let value = value.into();
        match self.write(key, HeaderMap::new(), value.clone()).await {
            Ok(revision) => Ok(Once::Stored(revision)),
            Err(error) if error.code() == Some(code::LIMIT) => match self.get(key).await? {
                Some(entry) if entry.value == value => Ok(Once::Same(entry.revision)),
                Some(entry) => Ok(Once::Other(entry)),
                // The bucket is full, or a replica is behind: the caller tries again.
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Writes if the key's last revision is `expected`; 0 where there must be none.
    pub async fn cas(&self, key: &str, value: impl Into<Bytes>, expected: u64) -> Result<u64, CasError> {
        self.write_if(key, value.into(), expected, None, false).await
    }

    /// Writes as [`Kv::cas`] does, a value that the server removes after `ttl` (whole seconds, at least one).
    pub async fn cas_for(
        &self,
        key: &str,
        value: impl Into<Bytes>,
        expected: u64,
        ttl: Duration,
    ) -> Result<u64, CasError> {
        self.write_if(key, value.into(), expected, Some(ttl), false).await
    }

    /// Writes as [`Kv::cas`] does, and finds out what became of it when the answer is lost, until `deadline`.
    ///
    /// `value` must differ from what all other writers write. With an `Ambiguous` result nothing is known even then.
    pub async fn cas_settled(
        &self,
        key: &str,
        value: impl Into<Bytes>,
        expected: u64,
        ttl: Option<Duration>,
        deadline: Instant,
    ) -> Result<u64, CasError> {
        let value: Bytes = value.into();
        let mut doubt: Option<BusError> = None;
        loop {
            let attempt = self.write_if(key, value.clone(), expected, ttl, false);
            let result = match (timeout_at(deadline, attempt).await, &doubt) {
                (Ok(result), _) => result,
                (Err(_), Some(doubt)) => return Err(CasError::Ambiguous(doubt.clone())),
                (Err(_), None) => {
                    let subject = self.bucket.write_subject(key);
                    let after = self.bus.options().request_timeout;
                    return Err(CasError::Ambiguous(BusError::TimedOut { subject, after }));
                }
            };
            match (result, &doubt) {
                (Err(CasError::Ambiguous(error)), _) => doubt = Some(error),
                // After a doubt the one who was faster may be we ourselves.
                (Err(CasError::Conflict), Some(error)) => {
                    match timeout_at(deadline, self.latest_or_deleted(key)).await {
                        Ok(Ok(Some(entry))) if entry.value == value && !entry.deleted => {
                            return Ok(entry.revision);
                        }
                        Ok(Ok(_)) => return Err(CasError::Conflict),
                        Ok(Err(_)) => {}
                        Err(_) => return Err(CasError::Ambiguous(error.clone())),
                    }
                }
                // The second attempt's failure says nothing of the first.
                (Err(CasError::Failed(_)), Some(_)) => {}
                (result, _) => return result,
            }
            if Instant::now() >= deadline {
                return Err(CasError::Ambiguous(doubt.unwrap_or(BusError::Disconnected)));
            }
            // Asking again is safe: the same value on the same revision can be written only once.
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Writes a key that must not be there; one that was deleted counts as not there.
    pub async fn create(&self, key: &str, value: impl Into<Bytes>) -> Result<u64, CasError> {
        let value = value.into();
        match self.cas(key, value.clone(), 0).await {
            Err(CasError::Conflict) => match self.latest_or_deleted(key).await {
                Ok(Some(entry)) if entry.deleted => self.cas(key, value, entry.revision).await,
                // It went in between: the next try finds the place free.
                Ok(None) => self.cas(key, value, 0).await,
                Ok(Some(_)) => Err(CasError::Conflict),
                Err(error) => Err(CasError::Failed(error)),
            },
            other => other,
        }
    }

    /// Marks a key as deleted if its last revision is `expected`.
    pub async fn delete(&self, key: &str, expected: u64) -> Result<u64, CasError> {
        self.write_if(key, Bytes::new(), expected, None, true).await
    }

    async fn write_if(
        &self,
        key: &str,
        value: Bytes,
        expected: u64,
        ttl: Option<Duration>,
        delete: bool,
    ) -> Result<u64, CasError> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Expected-Last-Subject-Sequence", expected.to_string());
        if let Some(ttl) = ttl {
            headers.insert("Nats-TTL", seconds(ttl));
        }
        if delete {
            headers.insert("KV-Operation", "DEL");
        }
        self.write(key, headers, value).await.map_err(|error| match error {
            StoreError::Bus(error) if error.is_ambiguous() => CasError::Ambiguous(error),
            error if error.code() == Some(code::WRONG_LAST_SEQUENCE) => CasError::Conflict,
            error => CasError::Failed(error),
        })
    }

    async fn write(&self, key: &str, headers: HeaderMap, value: Bytes) -> Result<u64, StoreError> {
        check_key(key)?;
        let headers = (!headers.is_empty()).then_some(headers);
        let stored = self.bus.store(&self.bucket.write_subject(key), headers, value).await?;
        if stored.stream == self.bucket.stream() {
            Ok(stored.sequence)
        } else {
            Err(StoreError::answer(self.bucket.name(), format!("it was stored in `{}`", stored.stream)))
        }
    }
}

/// Whole seconds, never none: the server refuses fractions, and takes 0 for "never".
fn seconds(ttl: Duration) -> String {
    format!("{}s", ttl.as_secs().max(1))
}

/// Holds a key against the grammar: tokens of letters, digits and `-_=/`, with dots between them.
pub fn check_key(key: &str) -> Result<(), StoreError> {
    let token = |t: &str| {
        !t.is_empty()
            && t.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'=' | b'/'))
    };
    if key.len() <= MAX_KEY_BYTES && key.split('.').all(token) {
        Ok(())
    } else {
        Err(StoreError::Key(key.chars().take(80).collect()))
    }
}

/// Whether a message says that its key is gone.
pub(super) fn marks_deletion(message: &Message) -> bool {
    matches!(header(message, "KV-Operation"), Some("DEL" | "PURGE"))
        || header(message, "Nats-Marker-Reason").is_some()
}

fn is_marker(headers: &str) -> bool {
    headers.lines().any(|line| {
        let (name, value) = line.split_once(':').unwrap_or_default();
        (name.eq_ignore_ascii_case("KV-Operation") && matches!(value.trim(), "DEL" | "PURGE"))
            || name.eq_ignore_ascii_case("Nats-Marker-Reason")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_in_their_namespace() {
        for bad in ["", "*", ">", "a.>", "a..b", ".a", "a.", "a b", "a\r\n", "ü", &"a".repeat(513)] {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
        for good in ["web-1", "01J.web-1", "_all.base/top=1"] {
            assert!(check_key(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn lifetimes_are_whole_seconds() {
        assert_eq!(seconds(Duration::from_millis(500)), "1s");
        assert_eq!(seconds(Duration::from_millis(15_900)), "15s");
    }

    #[test]
    fn markers_are_recognised() {
        assert!(is_marker("NATS/1.0\r\nKV-Operation: DEL\r\n\r\n"));
        assert!(is_marker("NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\n\r\n"));
        assert!(!is_marker("NATS/1.0\r\nX: KV-Operation: DEL\r\n\r\n") && !is_marker(""));
    }
}
