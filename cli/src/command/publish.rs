//! `zester publish`

use crate::{
    fleet::{block_on, termination},
    options::Common,
    output::{Exit, Failure, findings, print},
};
use clap::Args;
use serde_json::json;
use std::{io::IsTerminal, path::PathBuf, sync::Arc, time::Duration};
use zester_compiler::{
    check::{CheckOptions, check},
    project::Project,
};
use zester_executor::{
    auth::installation::MasterKeys,
    bus::Bus,
    local::{Local, LocalOptions},
    master::sign::Signer,
    publish::{
        PublishError, Sent, Tree,
        source::{Source, SourceError, collect},
    },
};

/// Publishes the project's tree to the fleet, if it checks. Peels fetch what changed.
///
/// Needs a master's keys: the tree is signed, and peels take no other. A master can do this by itself: `publish` in its `master.yaml`.
#[derive(Args)]
pub struct PublishArgs {
    /// A master's directory of keys.
    #[arg(long, value_name = "DIR", env = "ZESTER_MASTER")]
    pub keys: PathBuf,
    /// Goes on, and publishes whatever changes and checks.
    #[arg(long)]
    pub watch: bool,
    /// The tree of a git repository instead of a directory's; `-C` names the project's directory in it.
    #[arg(long, value_name = "URL")]
    pub git: Option<String>,
    /// Its branch or tag; the remote's own head without one.
    #[arg(long, value_name = "NAME", requires = "git")]
    pub branch: Option<String>,
    /// Where the copy of the repository lies; a directory that is kept makes the next fetch short.
    #[arg(long, value_name = "DIR", default_value = ".zester-repository")]
    pub cache: PathBuf,
    /// Between two looks while watching: 2s for a directory, 60s for a repository.
    #[arg(long, value_name = "TIME", value_parser = super::run::duration, requires = "watch")]
    pub every: Option<u64>,
}

/// Runs the command.
pub fn run(common: &Common, args: &PublishArgs) -> Result<Exit, Failure> {
    if args.watch || args.git.is_some() {
        return follow(common, args);
    }
    let keys = MasterKeys::load(&args.keys).map_err(|e| Failure::new(e.to_string()))?;
    // Masters hold the secrets: what is sealed in the repository is sealed for their key.
    let opener = common.keyring()?.unwrap_or_default().and(keys.sealer.clone());
    let options = LocalOptions { unseal: Some(Arc::new(opener)), ..common.local(true) };
    let local = Local::open(options, zester_stdlib::Cancel::default())?;
    let color = common.colored(std::io::stderr().is_terminal());
    let files = local.project.files();
    let report = check(&local.project, local.library.registry(), &CheckOptions::default())
        .map_err(|e| Failure::new(e.to_string()))?;
    let errors: Vec<_> = report.diagnostics.into_iter().filter(|d| d.is_error()).collect();
    if !errors.is_empty() {
        findings(&errors, files, color);
        eprintln!("zester: the tree has errors; nothing is published");
        return Ok(Exit::Problems);
    }
    let tree = match Tree::collect(&local.project, &local.root) {
        Ok(tree) => tree,
        Err(PublishError::Secrets(found)) => {
            findings(&found, files, color);
            eprintln!("zester: not every secret can be taken out; nothing is published");
            return Ok(Exit::Problems);
        }
        Err(error) => return Err(Failure::new(error.to_string())),
    };
    block_on(async {
        let wrong = |e: String| Failure::new(e);
        let signer = Signer::of(&keys).map_err(|e| wrong(e.to_string()))?;
        let bus = Bus::connect(keys.responder.bus_options()).await.map_err(|e| wrong(e.to_string()))?;
        let sent = tree.send(&bus, &signer, &keys.sealer).await.map_err(|e| wrong(e.to_string()))?;
        say(common, &tree, &sent);
        let _ = bus.drain().await;
        Ok(Exit::Fine)
    })
}

fn say(common: &Common, tree: &Tree, sent: &Sent) {
    if common.json() {
        let document = json!({"format_version": "1.0", "revision": sent.revision, "new": sent.new,
            "files": tree.manifest.files.len(), "contents": sent.contents, "bytes": sent.bytes});
        print(&format!("{document}\n"));
    } else if sent.new {
        print(&format!(
            "revision {}: {} files, {} new contents ({} bytes)\n",
            sent.revision,
            tree.manifest.files.len(),
            sent.contents,
            sent.bytes
        ));
    } else {
        print(&format!("revision {} has it already\n", sent.revision));
    }
}

/// From a repository, or again and again.
fn follow(common: &Common, args: &PublishArgs) -> Result<Exit, Failure> {
    let wrong = |e: String| Failure::new(e);
    let every = args.every.map(Duration::from_millis);
    let source = match &args.git {
        Some(url) => {
            let directory = common.project.as_ref().map(|d| d.to_string_lossy().into_owned());
            Source::new(None, Some(url.clone()), args.branch.clone(), directory, every)
        }
        None => {
            let here = std::env::current_dir().map_err(|e| wrong(e.to_string()))?;
            let root = common.project.clone().unwrap_or_else(|| Project::find_root(&here));
            Source::new(Some(root), None, None, None, every)
        }
    };
    let source = source.map_err(wrong)?;
    let cache = std::path::absolute(&args.cache).map_err(|e| wrong(e.to_string()))?;
    let keys = MasterKeys::load(&args.keys).map_err(|e| wrong(e.to_string()))?;
    let opener = Arc::new(common.keyring()?.unwrap_or_default().and(keys.sealer.clone()));
    let signer = Signer::of(&keys).map_err(|e| wrong(e.to_string()))?;
    block_on(async {
        let stop = termination()?;
        tokio::pin!(stop);
        let bus = Bus::connect(keys.responder.bus_options()).await.map_err(|e| wrong(e.to_string()))?;
        let cancel = zester_stdlib::Cancel::default();
        let (mut before, mut said) = (None, String::new());
        loop {
            let (from, copy, cancelled, known) =
                (source.clone(), cache.clone(), cancel.clone(), before.clone());
            let opener = opener.clone();
            let looking = tokio::task::spawn_blocking(move || {
                let (directory, now) = from.fetch(&copy, &cancelled)?;
                if known.as_ref() == Some(&now) {
                    return Ok(None);
                }
                collect(&directory, opener, &cancelled).map(|tree| Some((tree, now)))
            });
            let looked = tokio::select! {
                looked = looking => looked.map_err(|e| wrong(format!("a defect of zester: {e}")))?,
                signal = &mut stop => {
                    cancel.cancel();
                    return Ok(Exit::Signal(signal));
                }
            };
            let outcome = match looked {
                Ok(None) => Ok(()),
                Ok(Some((tree, now))) => match tree.send(&bus, &signer, &keys.sealer).await {
                    Ok(sent) => {
                        before = Some(now);
                        say(common, &tree, &sent);
                        Ok(())
                    }
                    Err(error) => Err((Exit::Usage, error.to_string())),
                },
                Err(error @ SourceError::Errors { .. }) => Err((Exit::Problems, error.to_string())),
                Err(error) => Err((Exit::Usage, error.to_string())),
            };
            match outcome {
                Ok(()) => said.clear(),
                Err((exit, text)) => {
                    // Once, until it is another.
                    if text != said {
                        eprintln!("zester: {text}");
                        said = text;
                    }
                    if !args.watch {
                        return Ok(exit);
                    }
                }
            }
            if !args.watch {
                let _ = bus.drain().await;
                return Ok(Exit::Fine);
            }
            tokio::select! {
                () = tokio::time::sleep(source.every()) => {}
                signal = &mut stop => return Ok(Exit::Signal(signal)),
            }
        }
    })
}
