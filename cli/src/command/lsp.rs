//! `zester lsp`

use crate::output::{Exit, Failure};
use clap::Args;

/// Serves an editor: the language server, over stdin and stdout. `lsp/editors/` has what editors need to start it.
#[derive(Args)]
pub struct LspArgs {
    /// Accepted for editors that say so; there is no other way.
    #[arg(long)]
    pub stdio: bool,
}

/// Runs the command.
pub fn run(_: &LspArgs) -> Result<Exit, Failure> {
    zester_lsp::run_stdio().map_err(|e| Failure::new(e.to_string()))?;
    Ok(Exit::Fine)
}
