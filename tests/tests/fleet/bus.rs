//! The bus against a real nats-server.

mod connection;
mod coordination;
mod identity;
mod limits;
mod storage;
