//! The server: one thread takes messages in their order, one for each project checks, a few answer requests.
//!
//! Edits are applied at once and in order. A request is answered from what was known when it came: the documents'
//! texts of that moment and the newest index; those that look across files wait for the check of the latest edit.
//! Whatever happens in a request is that request's error, never the server's end.

mod capabilities;
mod checker;
mod client;
mod dispatch;
mod documents;
mod extent;
mod files;
mod folder;
mod folders;
mod position;
mod publish;
mod routes;
mod state;

pub(crate) use client::Client;
pub(crate) use dispatch::{Answer, Ask};
pub(crate) use documents::Document;
pub(crate) use extent::files;
pub(crate) use files::{path_of, uri_of};
use folder::Folder;

pub(crate) use position::{Encoding, Lines};
pub(crate) use publish::to_protocol;
pub(crate) use state::Seen;

use lsp_server::Connection;
use std::sync::Arc;
use zester_compiler::settings::Seal;

/// Why the server ended otherwise than by the client's wish.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The client broke the protocol.
    #[error("the client broke the protocol: {0}")]
    Protocol(#[from] lsp_server::ProtocolError),
    /// The pipe to the client broke.
    #[error("the connection to the client failed: {0}")]
    Io(#[from] std::io::Error),
}

/// What the server does with the help of whoever starts it.
#[derive(Clone, Default, Debug)]
pub struct Helpers {
    /// Seals secrets; without it none are offered to be sealed.
    pub seal: Option<Arc<dyn Seal>>,
}

/// Serves one client over stdin and stdout until it says goodbye or goes away.
pub fn run_stdio(helpers: Helpers) -> Result<(), ServerError> {
    let (connection, threads) = Connection::stdio();
    run(&connection, helpers)?;
    drop(connection);
    threads.join()?;
    Ok(())
}

/// Serves one client over a connection.
pub fn run(connection: &Connection, helpers: Helpers) -> Result<(), ServerError> {
    let (id, params) = match connection.initialize_start() {
        Ok(found) => found,
        // A client that goes away before it has begun is no failure of ours.
        Err(error) if error.channel_is_disconnected() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let client = Client::of(&params);
    let result = serde_json::json!({
        "capabilities": capabilities::of(&client),
        "serverInfo": { "name": "zester", "version": env!("CARGO_PKG_VERSION") },
    });
    connection.initialize_finish(id, result)?;
    state::State::new(connection, client, helpers).serve()
}
