//! The bus against a real nats-server.

#[path = "bus/connection.rs"]
mod connection;
#[path = "bus/coordination.rs"]
mod coordination;
#[path = "bus/identity.rs"]
mod identity;
#[path = "bus/storage.rs"]
mod storage;
