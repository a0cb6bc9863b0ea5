//! A look at what is stored: the streams as the server has them, and any value in a form that people read.

use super::{
    client::Bus,
    codec,
    jetstream::{StoreError, code},
    storage::{Bucket, Layout, table},
};
use data_encoding::BASE64;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use std::{fmt, time::Duration};

/// A stream as the server has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Overview {
    /// The bucket; nothing for a log.
    pub bucket: Option<Bucket>,
    /// The stream's name.
    pub stream: String,
    /// Values of a key that are kept; nothing where nothing limits them.
    pub history: Option<u64>,
    /// How long a value is kept; nothing for ever.
    pub age: Option<Duration>,
    /// The largest size of all, in bytes.
    pub limit: Option<u64>,
    /// Copies.
    pub replicas: u64,
    /// `file` or `memory`.
    pub storage: String,
    /// Messages now.
    pub messages: u64,
    /// Bytes now.
    pub bytes: u64,
}

impl Overview {
    /// The bucket's name, or the stream's.
    pub fn name(&self) -> &str {
        self.stream.strip_prefix("KV_").unwrap_or(&self.stream)
    }
}

#[derive(Deserialize)]
struct Info {
    config: Config,
    state: State,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    max_msgs_per_subject: i64,
    #[serde(default)]
    max_age: u64,
    #[serde(default)]
    max_bytes: i64,
    #[serde(default)]
    num_replicas: u64,
    #[serde(default)]
    storage: String,
}

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    messages: u64,
    #[serde(default)]
    bytes: u64,
}

/// The streams of the installation, in the order of the table; missing ones are left out.
pub async fn survey(bus: &Bus) -> Result<Vec<Overview>, StoreError> {
    let all = stream::iter(table(Layout::default()).into_iter().map(|s| s.name))
        .map(|name| look(bus, name))
        .buffered(8)
        .try_collect::<Vec<_>>()
        .await?;
    Ok(all.into_iter().flatten().collect())
}

async fn look(bus: &Bus, stream: String) -> Result<Option<Overview>, StoreError> {
    let info = match bus.api::<Info>(&format!("STREAM.INFO.{stream}"), None::<&()>).await {
        Ok(info) => info,
        Err(error) if error.code() == Some(code::NO_STREAM) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(Overview {
        bucket: stream.strip_prefix("KV_").and_then(Bucket::from_name),
        stream,
        history: u64::try_from(info.config.max_msgs_per_subject).ok().filter(|n| *n > 0),
        age: Some(Duration::from_nanos(info.config.max_age)).filter(|a| !a.is_zero()),
        limit: u64::try_from(info.config.max_bytes).ok(),
        replicas: info.config.num_replicas,
        storage: info.config.storage,
        messages: info.state.messages,
        bytes: info.state.bytes,
    }))
}

/// The layout that a server's streams were made with, as far as it can be seen.
pub async fn layout(bus: &Bus) -> Result<Layout, StoreError> {
    let found = look(bus, Bucket::Facts.stream()).await?;
    let whole = table(Layout::default()).into_iter().find(|s| s.name == Bucket::Facts.stream());
    let whole = whole.map_or(0, |s| s.size());
    Ok(match found {
        Some(found) => Layout {
            replicas: u8::try_from(found.replicas).unwrap_or(1),
            size_percent: found
                .limit
                .and_then(|l| l.saturating_mul(100).saturating_add(whole / 2).checked_div(whole))
                .and_then(|p| u32::try_from(p).ok())
                .map_or(100, |p| p.clamp(1, 100)),
        },
        None => Layout::default(),
    })
}

/// A stored value in the form of JSON: MessagePack decoded, signed bodies within it too, other bytes as base64; nothing for what is no
/// MessagePack.
pub fn readable(bytes: &[u8]) -> Option<Value> {
    let shown: Shown = codec::decode_any(bytes).ok()?;
    Some(shown.0)
}

/// Any value of MessagePack as JSON.
struct Shown(Value);

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Show)
    }
}

struct Show;

impl<'de> Visitor<'de> for Show {
    type Value = Shown;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Shown, E> {
        Ok(Shown(v.into()))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Shown, E> {
        Ok(Shown(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Shown, E> {
        Ok(Shown(v.into()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Shown, E> {
        Ok(Shown(v.into()))
    }

    fn visit_str<E>(self, v: &str) -> Result<Shown, E> {
        Ok(Shown(v.into()))
    }

    fn visit_unit<E>(self) -> Result<Shown, E> {
        Ok(Shown(Value::Null))
    }

    fn visit_bytes<E>(self, v: &[u8]) -> Result<Shown, E> {
        // What is signed is a document of its own; anything else that happens to be MessagePack is a small number.
        Ok(Shown(match readable(v) {
            Some(inner @ Value::Object(_)) => inner,
            _ => BASE64.encode(v).into(),
        }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shown, A::Error> {
        let mut all = Vec::new();
        while let Some(Shown(value)) = seq.next_element()? {
            all.push(value);
        }
        Ok(Shown(Value::Array(all)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shown, A::Error> {
        let mut all = Map::new();
        while let Some((Shown(key), Shown(value))) = map.next_entry()? {
            let key = match key {
                Value::String(text) => text,
                other => other.to_string(),
            };
            all.insert(key, value);
        }
        Ok(Shown(Value::Object(all)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stored_values_are_readable() {
        #[derive(serde::Serialize)]
        struct Signed {
            v: u8,
            #[serde(with = "serde_bytes")]
            body: Vec<u8>,
            #[serde(with = "serde_bytes")]
            signature: Vec<u8>,
        }
        let body = rmp_serde::to_vec_named(&json!({"revision": 3, "name": "x"})).unwrap();
        let bytes = rmp_serde::to_vec_named(&Signed { v: 1, body, signature: vec![5, 6] }).unwrap();
        let shown = readable(&bytes).unwrap();
        assert_eq!(shown, json!({"v": 1, "body": {"revision": 3, "name": "x"}, "signature": "BQY="}));
        assert_eq!(readable(&[0xc1]), None);
        assert_eq!(readable(&[]), None);
        // Arrays in arrays without an end are refused, not followed.
        assert_eq!(readable(&vec![0x91; 1 << 20]), None);
    }
}
