//! `zester auth`

use crate::{
    options::Common,
    output::{Exit, Failure, print},
};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};
use zester_executor::{
    auth::{
        creds,
        installation::Installation,
        jwt::{Account, Claims},
        lint::lint,
        permission::Role,
    },
    peel::now_ms,
};

/// Credentials: what they allow, held against what they should.
#[derive(Args)]
pub struct AuthArgs {
    #[command(subcommand)]
    pub what: What,
}

/// What to do.
#[derive(Subcommand)]
pub enum What {
    /// Compares the credentials of an installation with what their roles should have. Needs no server.
    Lint {
        /// The directory that `zester init` made.
        directory: PathBuf,
        /// Further credentials: files that end in .creds.
        files: Vec<PathBuf>,
    },
}

/// Runs the command.
pub fn run(common: &Common, args: &AuthArgs) -> Result<Exit, Failure> {
    let What::Lint { directory, files } = &args.what;
    let wrong = |e: String| Failure::new(e);
    let installation = Installation::load(directory).map_err(|e| wrong(e.to_string()))?;
    let token = installation.tokens().map_err(|e| wrong(e.to_string()))?.account.1;
    let account = Claims::<Account>::decode(&token).map_err(|e| wrong(e.to_string()))?;
    let own = [
        (installation.admin().join("admin.creds"), Role::Admin),
        (installation.master().join("master.creds"), Role::Master),
        (installation.master().join("dispatcher.creds"), Role::Dispatcher),
        (installation.operator("provisioner.creds"), Role::Provisioner),
        (installation.root().join("enroll/enroll.creds"), Role::Enroll),
    ];
    let mut all = Vec::new();
    for (path, role) in own.iter().map(|(p, r)| (p, Some(*r))).chain(files.iter().map(|f| (f, None))) {
        // Parts of an installation are elsewhere: that is what they are apart for.
        if role.is_some() && !path.exists() {
            continue;
        }
        all.push((path.clone(), findings(path, role, &account)?));
    }
    let clean = all.iter().all(|(_, found)| found.is_empty());
    if common.json() {
        let files: Vec<_> =
            all.iter().map(|(path, found)| json!({"file": path, "findings": found})).collect();
        print(&format!("{}\n", json!({"format_version": "1.0", "ok": clean, "files": files})));
    } else {
        for (path, found) in &all {
            let mark = if found.is_empty() { "ok" } else { "!!" };
            print(&format!("{mark}  {}\n", path.display()));
            for finding in found {
                print(&format!("      {finding}\n"));
            }
        }
    }
    Ok(if clean { Exit::Fine } else { Exit::Problems })
}

fn findings(path: &Path, role: Option<Role>, account: &Claims<Account>) -> Result<Vec<String>, Failure> {
    let wrong = |e: String| Failure::new(e);
    let (credentials, _) = creds::load(path).map_err(|e| wrong(e.to_string()))?;
    let found = lint(&credentials.jwt, account, role, now_ms() / 1000)
        .map_err(|e| wrong(format!("`{}`: {e}", path.display())))?;
    Ok(found.iter().map(ToString::to_string).collect())
}
