//! Watching a bucket, for masters: what is there, a word when that was all, then every change. Peels read notices instead.
//!
//! A named pull consumer is made for it and made again, from the last revision on, after a loss, a gap or a silence. The client's own watch
//! replays the bucket after some losses, says nothing at the end of an empty one, and needs the right to make consumers of any name.

use super::{
    client::{Bus, ConnectionState},
    error::BusError,
    jetstream::StoreError,
    kv::{Entry, Kv, check_key, marks_deletion},
    subscription::Subscription,
};
use async_nats::{Message, StatusCode};
use rand::RngExt;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::VecDeque, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// Messages per pull.
const BATCH: u64 = 256;
/// How long a pull lasts.
const PULL: Duration = Duration::from_secs(30);
/// The server's sign of life while a pull waits.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A consumer that nobody pulls from is removed by the server after this.
const INACTIVE: Duration = Duration::from_secs(60);

/// What a watch tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Watched {
    /// A value, or a delete marker.
    Entry(Entry),
    /// Everything that was there at the beginning has been told. Once.
    Current,
    /// The bucket is another one than before, made new or put back from a backup: forget everything, it is told from the beginning.
    Restarted,
}

/// What to watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchOptions {
    /// Keys: `>` for all, `web-1.>`, `*.revision`.
    pub keys: String,
    /// Begin with what was stored after this revision; 0 for the last value of every key.
    pub after: u64,
    /// Keys and revisions only.
    pub headers_only: bool,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { keys: ">".to_owned(), after: 0, headers_only: false }
    }
}

/// A watch. Ask it for the [`next`](Self::next) thing until an error; it survives losses of the connection by itself.
#[derive(Debug)]
pub struct Watch {
    kv: Kv,
    options: WatchOptions,
    /// The last revision told.
    last: u64,
    current: bool,
    consumer: Option<Consumer>,
    told: VecDeque<Watched>,
    failures: u32,
}

#[derive(Debug)]
struct Consumer {
    name: String,
    session: u64,
    inbox: String,
    messages: Subscription,
    /// The number of the next message.
    next: u64,
    /// Messages that the running pull still owes.
    owed: u64,
    /// When the last sign of life came.
    heard: Instant,
}

#[derive(Deserialize)]
struct Made {
    #[serde(default)]
    num_pending: u64,
}

#[derive(Deserialize)]
struct Info {
    state: State,
}

#[derive(Deserialize)]
struct State {
    last_seq: u64,
}

/// What a message says of its place.
struct Place {
    sequence: u64,
    number: u64,
    pending: u64,
    time_ms: u64,
}

impl Kv {
    /// Watches keys.
    pub fn watch(&self, options: WatchOptions) -> Result<Watch, StoreError> {
        let tokens = options.keys.split('.').filter(|t| *t != "*").collect::<Vec<_>>();
        let (last, rest) = tokens.split_last().map_or((">", &[][..]), |(l, r)| (*l, r));
        for token in rest.iter().copied().chain((last != ">").then_some(last)) {
            check_key(token)?;
        }
        Ok(Watch {
            kv: self.clone(),
            last: options.after,
            options,
            current: false,
            consumer: None,
            told: VecDeque::new(),
            failures: 0,
        })
    }

    /// The keys that are there, with their revisions, at most `limit`.
    pub async fn keys(&self, keys: &str, limit: usize) -> Result<Vec<(String, u64)>, StoreError> {
        let mut watch =
            self.watch(WatchOptions { keys: keys.to_owned(), headers_only: true, ..Default::default() })?;
        let mut found = indexmap::IndexMap::new();
        loop {
            match watch.next().await? {
                Watched::Entry(entry) if entry.deleted => {
                    found.shift_remove(&entry.key);
                }
                Watched::Entry(entry) => {
                    found.insert(entry.key, entry.revision);
                    if found.len() > limit {
                        watch.end().await;
                        return Err(StoreError::TooMany { name: self.bucket().name().to_owned(), limit });
                    }
                }
                Watched::Restarted => found.clear(),
                Watched::Current => {
                    watch.end().await;
                    return Ok(found.into_iter().collect());
                }
            }
        }
    }
}

impl Watch {
    /// The last revision that was told: where another watch can go on.
    pub fn revision(&self) -> u64 {
        self.last
    }

    /// The next thing. Waits as long as it takes; an error is one that trying again does not cure: no right, no such bucket, a closed
    /// connection.
    pub async fn next(&mut self) -> Result<Watched, StoreError> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Ok(told);
            }
            if self.consumer.is_some() {
                self.receive().await?;
                continue;
            }
            match self.establish().await {
                Ok(()) => self.failures = 0,
                Err(error) if !is_passing(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(bucket = self.kv.bucket().name(), %error, "the watch cannot be made yet");
                    self.failures = self.failures.saturating_add(1);
                    let wait = Duration::from_millis(100).saturating_mul(1 << self.failures.min(8));
                    let jitter = rand::rng().random_range(0.5..1.0);
                    sleep(wait.mul_f64(jitter)).await;
                }
            }
        }
    }

    /// Removes the consumer at once; the server does so by itself after a while.
    pub async fn end(mut self) {
        if let Some(consumer) = self.consumer.take() {
            let call = format!("CONSUMER.DELETE.{}.{}", self.kv.bucket().stream(), consumer.name);
            let _ = self.kv.bus().api::<Value>(&call, None::<&()>).await;
        }
    }

    /// Makes a consumer that goes on after the last revision.
    async fn establish(&mut self) -> Result<(), StoreError> {
        let bus = self.kv.bus().clone();
        let session = bus.connected().await?;
        let stream = self.kv.bucket().stream();
        if self.last > 0 {
            let info: Info = bus.api(&format!("STREAM.INFO.{stream}"), None::<&()>).await?;
            if info.state.last_seq < self.last {
                // Revisions that were told are in its future: nothing would come until it got there.
                tracing::warn!(bucket = self.kv.bucket().name(), "the bucket is not the one it was");
                (self.last, self.current) = (0, false);
                self.told.push_back(Watched::Restarted);
            }
        }
        let inbox = bus.new_inbox();
        let messages = bus.subscribe(&inbox).await?;
        // Part of the subject, so that a permission can name it.
        let name = format!("watch-{}", ulid::Ulid::r#gen());
        let filter = self.kv.bucket().subject(&self.options.keys);
        let mut config = json!({
            "name": name,
            "filter_subject": filter,
            "ack_policy": "none",
            "replay_policy": "instant",
            "mem_storage": true,
            "num_replicas": 1,
            "inactive_threshold": nanoseconds(INACTIVE),
            "headers_only": self.options.headers_only,
            "deliver_policy": "last_per_subject",
        });
        if self.last > 0 {
            config["deliver_policy"] = "by_start_sequence".into();
            config["opt_start_seq"] = self.last.saturating_add(1).into();
        }
        let call = format!("CONSUMER.CREATE.{stream}.{name}.{filter}");
        let body = json!({ "stream_name": stream, "config": config, "action": "create" });
        let made: Made = bus.api(&call, Some(&body)).await?;
        if made.num_pending == 0 {
            self.is_current();
        }
        self.consumer =
            Some(Consumer { name, session, inbox, messages, next: 1, owed: 0, heard: Instant::now() });
        Ok(())
    }

    /// Waits for a message; anything wrong costs the consumer, and the next one goes on where it was.
    async fn receive(&mut self) -> Result<(), StoreError> {
        let bus = self.kv.bus().clone();
        let Some(consumer) = &mut self.consumer else { return Ok(()) };
        if consumer.owed == 0 {
            let stream = self.kv.bucket().stream();
            let call = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{}", consumer.name);
            let pull = json!({
                "batch": BATCH,
                "expires": nanoseconds(PULL),
                "idle_heartbeat": nanoseconds(HEARTBEAT),
            });
            if bus.publish_with_reply(&call, &consumer.inbox, pull.to_string()).await.is_err() {
                self.consumer = None;
                return Ok(());
            }
            (consumer.owed, consumer.heard) = (BATCH, Instant::now());
        }
        let patience = (consumer.heard + HEARTBEAT * 2).saturating_duration_since(Instant::now());
        let message = tokio::select! {
            biased;
            message = timeout(patience, consumer.messages.next()) => message,
            () = other_session(&bus, consumer.session) => Ok(None),
        };
        match message {
            Ok(Some(message)) => self.take(message),
            Ok(None) => match consumer.messages.refusal() {
                Some(error) => return Err(error.into()),
                None => self.consumer = None,
            },
            // Two signs of life did not come.
            Err(_) => self.consumer = None,
        }
        Ok(())
    }

    fn take(&mut self, message: Message) {
        let Some(consumer) = &mut self.consumer else { return };
        consumer.heard = Instant::now();
        match message.status.as_ref().map(StatusCode::as_u16) {
            None => {}
            // A sign of life.
            Some(100) => return,
            // The pull is over: ask again.
            Some(404 | 408) => {
                consumer.owed = 0;
                return;
            }
            // The consumer is gone, or its leader is another.
            Some(_) => {
                self.consumer = None;
                return;
            }
        }
        let place = message.reply.as_deref().and_then(Place::parse);
        let prefix = self.kv.bucket().subject("");
        let (Some(place), Some(key)) = (place, message.subject.strip_prefix(&prefix)) else { return };
        if place.number != consumer.next {
            tracing::warn!(bucket = self.kv.bucket().name(), "the watch missed a message and is made again");
            self.consumer = None;
            return;
        }
        consumer.next = consumer.next.saturating_add(1);
        consumer.owed = consumer.owed.saturating_sub(1);
        self.last = place.sequence;
        self.told.push_back(Watched::Entry(Entry {
            key: key.to_owned(),
            revision: place.sequence,
            created_ms: place.time_ms,
            deleted: marks_deletion(&message),
            value: message.payload,
        }));
        if place.pending == 0 {
            self.is_current();
        }
    }

    fn is_current(&mut self) {
        if !std::mem::replace(&mut self.current, true) {
            self.told.push_back(Watched::Current);
        }
    }
}

/// Waits until the session is over.
async fn other_session(bus: &Bus, session: u64) {
    let _ = bus.state().wait_for(|state| *state != ConnectionState::Connected { session }).await;
}

/// Whether trying again may help.
fn is_passing(error: &StoreError) -> bool {
    match error {
        StoreError::Bus(error) => !matches!(
            error,
            BusError::Denied { .. } | BusError::Closed | BusError::Subject(_) | BusError::Options(_)
        ),
        StoreError::Api { error, .. } => error.code >= 500,
        _ => false,
    }
}

impl Place {
    /// Reads a reply subject: `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<number>.<time>.<pending>`, with domain and account
    /// before the stream in the longer form.
    fn parse(reply: &str) -> Option<Self> {
        let tokens: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
        let from = match tokens.len() {
            7 => 3,
            9.. => 5,
            _ => return None,
        };
        let at = |n: usize| tokens.get(from + n)?.parse::<u64>().ok();
        Some(Self { sequence: at(0)?, number: at(1)?, time_ms: at(2)? / 1_000_000, pending: at(3)? })
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_in_both_forms() {
        let short = "$JS.ACK.KV_facts.watch-x.1.77.3.1760000000000000000.9";
        let long = "$JS.ACK.hub.HASH.KV_facts.watch-x.1.77.3.1760000000000000000.9.random";
        for reply in [short, long] {
            let place = Place::parse(reply).unwrap();
            let read = (place.sequence, place.number, place.time_ms, place.pending);
            assert_eq!(read, (77, 3, 1_760_000_000_000, 9));
        }
        assert!(Place::parse("_INBOX.x.y").is_none() && Place::parse("$JS.ACK.a.b.c").is_none());
    }
}
