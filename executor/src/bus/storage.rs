//! The table of all buckets and streams, and making a server agree with it.
//!
//! The streams are made by the raw API and not as the client makes buckets: those let whoever may write one key erase the whole bucket with a
//! header. Results and blobs are write-once, which the server enforces. Returns and facts are captured from the subjects that peels publish
//! to, so that they are stored, and confirmed, without a master in between.

use super::{
    client::Bus,
    jetstream::{StoreError, code},
};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{fmt, time::Duration};

const KIB: i64 = 1024;
const MIB: i64 = 1024 * KIB;
const GIB: i64 = 1024 * MIB;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The stream of all that happens to jobs, returns included: `zester.job.>` without progress.
pub const JOB_EVENTS: &str = "job-events";
/// The stream of events: `zester.event.>`.
pub const EVENTS: &str = "events";

/// The key-value buckets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Bucket {
    /// Facts by peel; written by peels on `zester.fact.<peel>`.
    Facts,
    /// Settings files without their secrets, by audience (a peel, or `_all`) and path.
    SettingsFiles,
    /// Sealed values by peel and key.
    Secrets,
    /// What peels share with each other.
    Basket,
    /// Jobs, and their targets.
    Jobs,
    /// Returns by job and peel, write-once; written by peels on `zester.job.<jid>.return.<peel>`.
    JobReturns,
    /// Masters that live.
    MasterHeartbeat,
    /// Published trees: revision and manifest by audience and environment.
    StateFiles,
    /// Contents by hash, write-once.
    Blobs,
    /// Requests for admission and what became of them.
    Enrollments,
    /// Leases and epochs.
    Leases,
}

impl Bucket {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Facts,
        Self::SettingsFiles,
        Self::Secrets,
        Self::Basket,
        Self::Jobs,
        Self::JobReturns,
        Self::MasterHeartbeat,
        Self::StateFiles,
        Self::Blobs,
        Self::Enrollments,
        Self::Leases,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::SettingsFiles => "settings-files",
            Self::Secrets => "secrets",
            Self::Basket => "basket",
            Self::Jobs => "jobs",
            Self::JobReturns => "job-returns",
            Self::MasterHeartbeat => "master-heartbeat",
            Self::StateFiles => "state-files",
            Self::Blobs => "blobs",
            Self::Enrollments => "enrollments",
            Self::Leases => "leases",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|b| b.name() == name)
    }

    /// The stream behind it.
    pub fn stream(self) -> String {
        format!("KV_{}", self.name())
    }

    /// The subject under which a key is kept.
    pub fn subject(self, key: &str) -> String {
        format!("$KV.{}.{key}", self.name())
    }

    /// The subject to publish to for a key to be written.
    pub fn write_subject(self, key: &str) -> String {
        match self {
            Self::Facts => format!("zester.fact.{key}"),
            Self::JobReturns => match key.split_once('.') {
                Some((jid, peel)) => format!("zester.job.{jid}.return.{peel}"),
                // No such key exists; nothing listens there.
                None => self.subject(key),
            },
            _ => self.subject(key),
        }
    }

    /// Whether a key is written once and never again.
    pub const fn is_write_once(self) -> bool {
        matches!(self, Self::JobReturns | Self::Blobs)
    }
}

impl StreamConfig {
    /// Its largest size, in bytes.
    pub(super) fn size(&self) -> u64 {
        u64::try_from(self.max_bytes).unwrap_or_default()
    }
}

/// What differs between installations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Copies of every stream: 1, 3 or 5.
    pub replicas: u8,
    /// Scales all size limits, in percent. At 100 they sum up to 6 GiB, which the server reserves; good for about 10,000 peels.
    pub size_percent: u32,
}

impl Default for Layout {
    fn default() -> Self {
        Self { replicas: 1, size_percent: 100 }
    }
}

/// A stream's configuration: what we care about of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct StreamConfig {
    /// Its name.
    pub name: String,
    subjects: Vec<String>,
    retention: &'static str,
    storage: &'static str,
    discard: &'static str,
    discard_new_per_subject: bool,
    max_msgs_per_subject: i64,
    max_msg_size: i64,
    max_bytes: i64,
    /// Nanoseconds.
    max_age: u64,
    max_consumers: i64,
    num_replicas: u8,
    allow_direct: bool,
    allow_rollup_hdrs: bool,
    deny_delete: bool,
    deny_purge: bool,
    allow_msg_ttl: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_transform: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    republish: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<Value>,
}

/// The streams that an installation has.
pub fn table(layout: Layout) -> Vec<StreamConfig> {
    let mut streams: Vec<StreamConfig> = Bucket::ALL.into_iter().map(|b| bucket(b, layout)).collect();
    streams.push(StreamConfig {
        subjects: ["dispatch", "ack.*", "status", "cancel"].map(|s| format!("zester.job.*.{s}")).to_vec(),
        max_age: nanoseconds(7 * DAY),
        sources: vec![json!({
            "name": Bucket::JobReturns.stream(),
            "subject_transforms": [{
                "src": "$KV.job-returns.*.*",
                "dest": "zester.job.{{wildcard(1)}}.return.{{wildcard(2)}}",
            }],
        })],
        ..log(JOB_EVENTS, MIB, GIB, layout)
    });
    streams.push(StreamConfig {
        subjects: vec!["zester.event.>".to_owned()],
        max_age: nanoseconds(7 * DAY),
        ..log(EVENTS, 64 * KIB, 256 * MIB, layout)
    });
    streams
}

/// A stream that drops its oldest messages when it is full.
fn log(name: &str, message: i64, total: i64, layout: Layout) -> StreamConfig {
    StreamConfig {
        name: name.to_owned(),
        subjects: Vec::new(),
        retention: "limits",
        storage: "file",
        discard: "old",
        discard_new_per_subject: false,
        max_msgs_per_subject: -1,
        max_msg_size: message,
        max_bytes: total.saturating_mul(i64::from(layout.size_percent.max(1))) / 100,
        max_age: 0,
        max_consumers: 1000,
        num_replicas: layout.replicas.max(1),
        allow_direct: true,
        allow_rollup_hdrs: false,
        deny_delete: true,
        deny_purge: true,
        allow_msg_ttl: false,
        subject_transform: None,
        republish: None,
        sources: Vec::new(),
    }
}

fn bucket(bucket: Bucket, layout: Layout) -> StreamConfig {
    // history, bytes of a value, bytes of all
    let (history, message, total) = match bucket {
        Bucket::Facts => (5, 128 * KIB, 512 * MIB),
        Bucket::SettingsFiles => (3, MIB, 256 * MIB),
        Bucket::Secrets => (3, 256 * KIB, 128 * MIB),
        Bucket::Basket => (1, 128 * KIB, 128 * MIB),
        Bucket::Jobs => (10, MIB, 512 * MIB),
        Bucket::JobReturns => (1, MIB, 2 * GIB),
        Bucket::MasterHeartbeat => (1, 256 * KIB, 64 * MIB),
        Bucket::StateFiles => (3, MIB, 128 * MIB),
        Bucket::Blobs => (1, MIB, GIB),
        Bucket::Enrollments => (3, 64 * KIB, 64 * MIB),
        Bucket::Leases => (1, 16 * KIB, 16 * MIB),
    };
    let mut config = log(&bucket.stream(), message, total, layout);
    config.subjects = vec![bucket.subject(">")];
    config.discard = "new";
    config.max_msgs_per_subject = history;
    config.discard_new_per_subject = bucket.is_write_once();
    config.max_age = match bucket {
        Bucket::Jobs | Bucket::JobReturns => nanoseconds(7 * DAY),
        Bucket::MasterHeartbeat => nanoseconds(Duration::from_secs(15)),
        _ => 0,
    };
    config.allow_msg_ttl = matches!(bucket, Bucket::MasterHeartbeat | Bucket::Leases);
    match bucket {
        Bucket::Facts => {
            config.subjects = vec!["zester.fact.*".to_owned()];
            config.subject_transform =
                Some(json!({ "src": "zester.fact.*", "dest": "$KV.facts.{{wildcard(1)}}" }));
        }
        Bucket::JobReturns => {
            config.subjects = vec!["zester.job.*.return.*".to_owned()];
            config.subject_transform = Some(json!({
                "src": "zester.job.*.return.*",
                "dest": "$KV.job-returns.{{wildcard(1)}}.{{wildcard(2)}}",
            }));
        }
        // The first token of their keys is the audience: a peel or `_all`.
        Bucket::SettingsFiles | Bucket::StateFiles => {
            config.republish =
                Some(json!({ "src": bucket.subject(">"), "dest": "zester.notify.>", "headers_only": true }));
        }
        _ => {}
    }
    config
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Where a server does not agree with the table.
#[derive(Clone, PartialEq, Debug)]
pub enum Difference {
    /// The stream is not there.
    Missing {
        /// Its name.
        stream: String,
    },
    /// A field of its configuration has another value.
    Field {
        /// The stream.
        stream: String,
        /// The field, as the server calls it.
        field: String,
        /// What the table says.
        wanted: Value,
        /// What the server says.
        found: Value,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { stream } => write!(f, "the stream `{stream}` is not there"),
            Self::Field { stream, field, wanted, found } => {
                write!(f, "the stream `{stream}` has `{field}` {found}; it should be {wanted}")
            }
        }
    }
}

#[derive(Deserialize)]
struct Info {
    config: Map<String, Value>,
}

/// Makes the streams that are missing and corrects those that differ; says what it found. Several may do so at once.
///
/// Limits of size that an operator has raised stay.
pub async fn ensure(bus: &Bus, layout: Layout) -> Result<Vec<Difference>, StoreError> {
    each(layout, |config| ensure_one(bus, config)).await
}

/// Compares without changing anything.
pub async fn compare(bus: &Bus, layout: Layout) -> Result<Vec<Difference>, StoreError> {
    each(layout, |config| async move {
        Ok(match info(bus, &config.name).await? {
            Some(found) => differences(&config, &found),
            None => vec![Difference::Missing { stream: config.name }],
        })
    })
    .await
}

async fn each<F>(layout: Layout, work: impl Fn(StreamConfig) -> F) -> Result<Vec<Difference>, StoreError>
where
    F: Future<Output = Result<Vec<Difference>, StoreError>>,
{
    // Streams that others are sources of come first.
    let (last, first): (Vec<_>, Vec<_>) = table(layout).into_iter().partition(|s| !s.sources.is_empty());
    let mut found = Vec::new();
    for part in [first, last] {
        let mut results = stream::iter(part.into_iter().map(&work)).buffered(4);
        while let Some(result) = results.next().await {
            found.extend(result?);
        }
    }
    Ok(found)
}

async fn info(bus: &Bus, stream: &str) -> Result<Option<Map<String, Value>>, StoreError> {
    match bus.api::<Info>(&format!("STREAM.INFO.{stream}"), None::<&()>).await {
        Ok(info) => Ok(Some(info.config)),
        Err(error) if error.code() == Some(code::NO_STREAM) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn ensure_one(bus: &Bus, config: StreamConfig) -> Result<Vec<Difference>, StoreError> {
    let stream = config.name.clone();
    let found = match info(bus, &stream).await? {
        Some(found) => found,
        None => match bus.api::<Info>(&format!("STREAM.CREATE.{stream}"), Some(&config)).await {
            Ok(_) => return Ok(vec![Difference::Missing { stream }]),
            // Another was faster.
            Err(error) if error.code() == Some(code::STREAM_EXISTS) => {
                info(bus, &stream).await?.unwrap_or_default()
            }
            Err(error) => return Err(error),
        },
    };
    let differences = differences(&config, &found);
    if !differences.is_empty() {
        // Fields that the table does not name stay as they are.
        let mut wanted = found;
        for difference in &differences {
            if let Difference::Field { field, wanted: value, .. } = difference {
                wanted.insert(field.clone(), value.clone());
            }
        }
        bus.api::<Info>(&format!("STREAM.UPDATE.{stream}"), Some(&wanted)).await?;
    }
    Ok(differences)
}

fn differences(config: &StreamConfig, found: &Map<String, Value>) -> Vec<Difference> {
    let Ok(Value::Object(mut wanted)) = serde_json::to_value(config) else { return Vec::new() };
    // Fields that are left out when they have nothing to say must not be there either.
    for field in ["subject_transform", "republish", "sources", "mirror"] {
        wanted.entry(field).or_insert(Value::Null);
    }
    let differ = wanted.into_iter().filter_map(|(field, wanted)| {
        let found = found.get(&field).cloned().unwrap_or(Value::Null);
        (!agree(&field, &wanted, &found)).then(|| Difference::Field {
            stream: config.name.clone(),
            field,
            wanted,
            found,
        })
    });
    differ.collect()
}

fn agree(field: &str, wanted: &Value, found: &Value) -> bool {
    // The server leaves out what is not set.
    let empty = |v: &Value| match v {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::Array(a) => a.is_empty(),
        Value::String(s) => s.is_empty(),
        Value::Object(_) => false,
    };
    if wanted == found || (empty(wanted) && empty(found)) {
        return true;
    }
    match field {
        // An operator may have more peels than the table reckons with.
        "max_bytes" | "max_consumers" => {
            matches!((wanted.as_i64(), found.as_i64()), (Some(w), Some(f)) if f == -1 || f >= w)
        }
        // Compared as far as the table says something.
        "republish" | "subject_transform" => contains(found, wanted),
        "sources" => match (wanted, found) {
            (Value::Array(w), Value::Array(f)) => {
                w.len() == f.len() && w.iter().zip(f).all(|(w, f)| contains(f, w))
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether all fields of `part` are in `whole`.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(k, p)| whole.get(k).is_some_and(|w| contains(w, p)))
        }
        _ => whole == part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stream_can_be_erased_by_who_may_write_it() {
        let table = table(Layout { replicas: 3, size_percent: 100 });
        for config in &table {
            assert!(config.deny_purge && config.deny_delete && !config.allow_rollup_hdrs, "{}", config.name);
            assert!(config.max_bytes > 0 && config.max_msg_size > 0 && config.max_consumers > 0);
            assert_eq!(config.num_replicas, 3);
        }
        let total: i64 = table.iter().map(|c| c.max_bytes).sum();
        assert!((5 * GIB..=7 * GIB).contains(&total), "{total}");
    }

    #[test]
    fn the_seeds_retention() {
        let days = |n: u64| n * 24 * 60 * 60 * 1_000_000_000;
        let seed = [
            (Bucket::Facts, 0, 5),
            (Bucket::SettingsFiles, 0, 3),
            (Bucket::Secrets, 0, 3),
            (Bucket::Basket, 0, 1),
            (Bucket::Jobs, days(7), 10),
            (Bucket::JobReturns, days(7), 1),
            (Bucket::MasterHeartbeat, 15_000_000_000, 1),
        ];
        for (name, age, history) in seed {
            let config = bucket(name, Layout::default());
            assert_eq!((config.max_age, config.max_msgs_per_subject), (age, history), "{}", name.name());
        }
        let events = table(Layout::default()).into_iter().find(|c| c.name == JOB_EVENTS).unwrap();
        assert_eq!((events.max_age, events.storage), (days(7), "file"));
    }

    #[test]
    fn raised_limits_are_no_difference() {
        let config = bucket(Bucket::Facts, Layout::default());
        let Value::Object(mut found) = serde_json::to_value(&config).unwrap() else { panic!() };
        found.insert("max_bytes".into(), json!(GIB * 100));
        found.insert("metadata".into(), json!({ "by": "the server" }));
        found.remove("allow_rollup_hdrs");
        assert_eq!(differences(&config, &found), []);
        found.insert("allow_rollup_hdrs".into(), json!(true));
        found.insert("republish".into(), json!({ "src": ">", "dest": "elsewhere.>" }));
        let text: Vec<String> = differences(&config, &found).iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 2, "{text:?}");
        assert!(
            text.contains(
                &"the stream `KV_facts` has `allow_rollup_hdrs` true; it should be false".to_owned()
            )
        );
    }
}
