//! `zester lsp`

use crate::{
    fleet::access_directory,
    options::Common,
    output::{Exit, Failure},
};
use clap::Args;
use std::{collections::BTreeSet, sync::Arc};
use zester_compiler::settings::Seal;
use zester_executor::auth::{
    installation::Installation,
    sealed_text::{recipient, seal_text},
};
use zester_lsp::Helpers;

/// Serves an editor: the language server, over stdin and stdout. `lsp/editors/` has what editors need to start it.
///
/// Secrets of settings files can be sealed from the editor: for --secret-key's key, else for the one key that the
/// project's sealed texts are sealed for, else for the installation's.
#[derive(Args)]
pub struct LspArgs {
    /// Accepted for editors that say so; there is no other way.
    #[arg(long)]
    pub stdio: bool,
}

/// Runs the command.
pub fn run(common: &Common, _: &LspArgs) -> Result<Exit, Failure> {
    let named = match common.keyring() {
        Ok(ring) => ring.map(|ring| ring.public_key()),
        // An editor without sealing is better than none.
        Err(error) => {
            error.print(false);
            None
        }
    };
    let installation = access_directory(common).ok().and_then(|dir| Installation::load(&dir).ok());
    let sealer = Sealer { named, installation: installation.map(|i| i.description.sealer) };
    let helpers = Helpers { seal: Some(Arc::new(sealer)) };
    zester_lsp::run_stdio(helpers).map_err(|e| Failure::new(e.to_string()))?;
    Ok(Exit::Fine)
}

/// Seals with the library that `zester secret seal` uses.
#[derive(Debug)]
struct Sealer {
    /// The public key of `--secret-key`.
    named: Option<String>,
    /// That of the installation.
    installation: Option<String>,
}

impl Seal for Sealer {
    fn recipient(&self, sealed: &[&str]) -> Option<String> {
        if let Some(key) = &self.named {
            return Some(key.clone());
        }
        let mut keys: BTreeSet<String> = sealed.iter().filter_map(|text| recipient(text).ok()).collect();
        match keys.len() {
            0 => self.installation.clone(),
            1 => keys.pop_first(),
            // In the middle of a change of keys somebody has to say which.
            _ => None,
        }
    }

    fn seal(&self, recipient: &str, text: &str) -> Result<String, String> {
        seal_text(recipient, text).map_err(|error| error.to_string())
    }
}
