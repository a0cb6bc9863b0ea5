//! The raw JetStream API: requests with JSON bodies, publishing with the server's word that it is stored, and what goes wrong there.

use super::{client::Bus, error::BusError};
use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;

/// For requests to the API: a stream's creation syncs to disk on every replica.
const API_TIMEOUT: Duration = Duration::from_secs(10);

/// Error codes of the server that mean something here.
pub mod code {
    /// A compare-and-set on another revision.
    pub const WRONG_LAST_SEQUENCE: u64 = 10071;
    /// A limit of the stream: its size, or the one message a write-once subject may have.
    pub const LIMIT: u64 = 10077;
    /// No message under this subject.
    pub const NO_MESSAGE: u64 = 10037;
    /// No such stream.
    pub const NO_STREAM: u64 = 10059;
    /// A stream of this name with another configuration.
    pub const STREAM_EXISTS: u64 = 10058;
    /// A header that would erase messages.
    pub const ROLLUP_REFUSED: u64 = 10111;
}

/// The server's answer to a request that it refuses.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, thiserror::Error)]
#[error("{description} ({err_code})")]
pub struct ApiError {
    /// In the manner of HTTP.
    pub code: u16,
    /// See [`code`].
    #[serde(default)]
    pub err_code: u64,
    /// In words.
    #[serde(default)]
    pub description: String,
}

/// Why something could not be stored or read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// On the way.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The server refused.
    #[error("`{name}` refuses: {error}")]
    Api {
        /// The stream, bucket or API call.
        name: String,
        /// Why.
        error: ApiError,
    },
    /// The server answered something else than expected.
    #[error("the answer of `{name}` cannot be read: {reason}")]
    Answer {
        /// The stream, bucket or API call.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key outside the grammar, which would land in another's namespace.
    #[error(
        "`{0}` is not a key: it needs tokens of letters, digits, `_`, `-`, `=` and `/`, with single dots between them"
    )]
    Key(String),
    /// More results than the caller allows.
    #[error("`{name}` has more than {limit} entries")]
    TooMany {
        /// The bucket.
        name: String,
        /// The caller's limit.
        limit: usize,
    },
}

impl StoreError {
    /// The server's error code, if it refused.
    pub fn code(&self) -> Option<u64> {
        match self {
            Self::Api { error, .. } => Some(error.err_code),
            _ => None,
        }
    }

    pub(super) fn answer(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::Answer { name: name.to_owned(), reason: reason.to_string() }
    }
}

/// The server has stored a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Where.
    pub stream: String,
    /// Its place there; a key's revision.
    pub sequence: u64,
}

#[derive(Deserialize)]
struct Answer<T> {
    error: Option<ApiError>,
    #[serde(flatten)]
    answer: Option<T>,
}

impl Bus {
    /// Publishes to a stream and waits until it is stored.
    pub async fn store(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        payload: impl Into<Bytes>,
    ) -> Result<Stored, StoreError> {
        #[derive(Deserialize)]
        struct Ack {
            #[serde(default)]
            stream: String,
            #[serde(default)]
            seq: u64,
            error: Option<ApiError>,
        }
        let message = self.request_with(subject, headers, payload, API_TIMEOUT).await?;
        let ack: Ack =
            serde_json::from_slice(&message.payload).map_err(|e| StoreError::answer(subject, e))?;
        match ack.error {
            Some(error) => Err(StoreError::Api { name: subject.to_owned(), error }),
            // Somebody other than a stream has answered.
            None if ack.stream.is_empty() || ack.seq == 0 => {
                Err(StoreError::answer(subject, "no stream has confirmed the message"))
            }
            None => Ok(Stored { stream: ack.stream, sequence: ack.seq }),
        }
    }

    /// A call of the JetStream API: `STREAM.INFO.KV_jobs`.
    pub(super) async fn api<T: DeserializeOwned>(
        &self,
        call: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, StoreError> {
        let payload = match body {
            Some(body) => serde_json::to_vec(body).map_err(|e| StoreError::answer(call, e))?,
            None => Vec::new(),
        };
        let message = self.request_with(&format!("$JS.API.{call}"), None, payload, API_TIMEOUT).await?;
        let answer: Answer<T> =
            serde_json::from_slice(&message.payload).map_err(|e| StoreError::answer(call, e))?;
        match answer {
            Answer { error: Some(error), .. } => Err(StoreError::Api { name: call.to_owned(), error }),
            Answer { answer: Some(answer), .. } => Ok(answer),
            Answer { answer: None, .. } => Err(StoreError::answer(call, "it has not the expected fields")),
        }
    }
}

/// A header's text.
pub(super) fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.headers.as_ref()?.get(name).map(|value| value.as_str())
}

/// A header's number.
pub(super) fn number(message: &Message, name: &str) -> Option<u64> {
    header(message, name)?.parse().ok()
}

/// A header's time in milliseconds of Unix time.
pub(super) fn time_ms(text: &str) -> Option<u64> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(time.timestamp_millis()).ok()
}
