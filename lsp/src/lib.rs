//! The Zester language server.
//!
//! Two layers: `ide` answers questions with plain data over the compiler's trees (byte ranges, no protocol), `request`
//! translates one request of the protocol in each file. `server` keeps the documents, runs checks in the background
//! and hands requests out. What the language is, only the compiler knows.

mod ide;
mod request;
mod server;

pub use server::{Helpers, ServerError, run, run_stdio};
