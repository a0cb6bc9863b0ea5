//! What goes over NATS, and how: [names](id), [subjects](subject), the [codec], and the [connection](client).

pub mod client;
pub mod codec;
pub mod connect;
pub mod drain;
pub mod error;
pub mod id;
pub mod jetstream;
pub mod kv;
pub mod lease;
pub mod notice;
pub mod reconnect;
pub mod storage;
pub mod subject;
pub mod subscription;
pub mod survey;
pub mod tls;
pub mod violation;
mod waiters;
pub mod watch;

pub use async_nats::{HeaderMap, Message};
pub use client::{Bus, BusCounters, ConnectionState};
pub use connect::{BusOptions, Credentials};
pub use error::{BusError, Refusal};
pub use jetstream::StoreError;
pub use kv::{CasError, Entry, Kv, Once};
pub use storage::Bucket;
pub use subscription::{Subscription, Work};
