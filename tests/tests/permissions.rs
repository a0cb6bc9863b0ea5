//! What each role may do, tried on a real nats-server with TLS and tokens: every role against every kind of subject, and ways around.

#[path = "permissions/matrix.rs"]
mod matrix;
#[path = "permissions/revocation.rs"]
mod revocation;
#[path = "permissions/steering.rs"]
mod steering;
