//! What each role may do, tried on a real nats-server with TLS and tokens: every role against every kind of subject, and ways around.

mod matrix;
mod revocation;
mod steering;
