//! `zester kv`

use crate::{
    fleet::{block_on, connect},
    options::Common,
    output::{Exit, Failure, print},
};
use clap::Args;
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use zester_compiler::diagnostic::nearest;
use zester_executor::bus::{
    Bucket, Bus,
    survey::{Overview, readable, survey},
};

/// Keys that are listed at most.
const MAX_KEYS: usize = 1_000_000;

/// What the fleet has stored: all buckets and streams, the keys of one, or a value. Reads only.
#[derive(Args)]
pub struct KvArgs {
    /// A bucket: facts, jobs, state-files …
    pub bucket: Option<String>,
    /// A key; one with `*` lists the keys that fit.
    pub key: Option<String>,
}

/// Runs the command.
pub fn run(common: &Common, args: &KvArgs) -> Result<Exit, Failure> {
    block_on(async {
        let operator = connect(common).await?;
        let bus = operator.bus();
        match (&args.bucket, &args.key) {
            (None, _) => table(common, bus).await,
            (Some(name), None) => keys(common, bus, bucket(name)?, ">").await,
            (Some(name), Some(key)) if key.contains(['*', '>']) => {
                keys(common, bus, bucket(name)?, key).await
            }
            (Some(name), Some(key)) => value(common, bus, bucket(name)?, key).await,
        }
    })
}

fn bucket(name: &str) -> Result<Bucket, Failure> {
    Bucket::from_name(name).ok_or_else(|| {
        let names = Bucket::ALL.map(Bucket::name);
        let hint = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names.join(", ")),
        };
        Failure::new(format!("there is no bucket `{name}`; {hint}"))
    })
}

fn wrong(error: impl ToString) -> Failure {
    Failure::new(error.to_string())
}

async fn table(common: &Common, bus: &Bus) -> Result<Exit, Failure> {
    let all = survey(bus).await.map_err(wrong)?;
    if common.json() {
        let rows: Vec<Json> = all.iter().map(row).collect();
        print(&format!("{}\n", json!({"format_version": "1.0", "streams": rows})));
        return Ok(Exit::Fine);
    }
    let mut out = format!(
        "{:<18} {:<9} {:>8} {:>8} {:>9} {:>10} {:>9}\n",
        "NAME", "KIND", "HISTORY", "KEPT", "COPIES", "MESSAGES", "BYTES"
    );
    for one in &all {
        let name = one.name();
        let kind = match one.bucket {
            Some(bucket) if bucket.is_write_once() => "KV once",
            Some(_) => "KV",
            None => "stream",
        };
        let history = one.history.map_or("-".to_owned(), |n| n.to_string());
        let kept = one.age.map_or("ever".to_owned(), |age| match age.as_secs() {
            days if days % 86_400 == 0 => format!("{} d", days / 86_400),
            seconds => format!("{seconds} s"),
        });
        let _ = writeln!(
            out,
            "{name:<18} {kind:<9} {history:>8} {kept:>8} {:>9} {:>10} {:>9}",
            format!("{} {}", one.replicas, one.storage),
            one.messages,
            one.bytes
        );
    }
    print(&out);
    Ok(Exit::Fine)
}

fn row(one: &Overview) -> Json {
    json!({"name": one.name(), "stream": one.stream,
        "kind": if one.bucket.is_some() { "kv" } else { "stream" },
        "write_once": one.bucket.is_some_and(Bucket::is_write_once),
        "history": one.history, "max_age_s": one.age.map(|a| a.as_secs()), "max_bytes": one.limit, "replicas": one.replicas,
        "storage": one.storage, "messages": one.messages, "bytes": one.bytes})
}

async fn keys(common: &Common, bus: &Bus, bucket: Bucket, pattern: &str) -> Result<Exit, Failure> {
    let mut names = bus.kv(bucket).names(pattern, MAX_KEYS).await.map_err(wrong)?;
    names.sort_unstable();
    if common.json() {
        print(&format!("{}\n", json!({"format_version": "1.0", "bucket": bucket.name(), "keys": names})));
    } else {
        names.push(String::new());
        print(&names.join("\n"));
    }
    Ok(Exit::Fine)
}

async fn value(common: &Common, bus: &Bus, bucket: Bucket, key: &str) -> Result<Exit, Failure> {
    let found = bus.kv(bucket).get(key).await.map_err(wrong)?;
    let Some(entry) = found else {
        return Err(Failure::new(format!(
            "there is no `{key}` in `{}`; `zester kv {}` lists its keys",
            bucket.name(),
            bucket.name()
        )));
    };
    let value = readable(&entry.value);
    if common.json() {
        let document = json!({"format_version": "1.0", "bucket": bucket.name(), "key": key, "revision": entry.revision,
            "created_ms": entry.created_ms, "bytes": entry.value.len(), "value": value});
        print(&format!("{document}\n"));
    } else {
        eprintln!("revision {}, {} bytes", entry.revision, entry.value.len());
        match value {
            Some(value) => print(&serde_yaml::to_string(&value).map_err(wrong)?),
            None => print(&format!("{}\n", String::from_utf8_lossy(&entry.value))),
        }
    }
    Ok(Exit::Fine)
}
