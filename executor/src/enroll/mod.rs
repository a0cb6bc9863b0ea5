//! Enrollment: how a machine that knows only a master's address becomes a peel.
//!
//! The machine makes its keys, asks a master over HTTPS for a nonce, and signs it together with its id, its key for secrets and its key for
//! TLS. The masters keep that as a [record](record); an operator, or a [rule](rule), approves a key for the id. The next time the machine asks
//! it gets its credentials: a token and a certificate for some days, the authority's roots, what to trust, and where NATS is. Nothing in the
//! answer is secret: it is worth nothing without the keys, which never left the machine.

pub mod client;
pub mod identity;
pub mod limit;
pub mod message;
pub mod nonce;
pub mod record;
pub mod rule;
pub mod server;
pub mod service;
pub mod store;
pub mod trust;
