//! A master that publishes by itself what its directory or its git remote holds, and the nodegroups of what is published.
//!
//! Several masters may have the same source: a lease says whose turn it is. It is advice only; what is written is the same, and the head is
//! replaced by compare-and-set.

use super::{Shared, secrets};
use crate::{
    auth::sealed_text::Keyring,
    bus::{
        Bucket,
        lease::{Lease, LeaseError},
        watch::{WatchOptions, Watched},
    },
    publish::{
        HEAD_KEY,
        source::{Source, SourceError, collect},
    },
};
use std::{
    path::PathBuf,
    sync::{Arc, PoisonError},
    time::Duration,
};
use zester_compiler::target::Nodegroups;
use zester_stdlib::Cancel;

/// The lease of who publishes.
const LEASE: &str = "publisher";
const TTL: Duration = Duration::from_secs(15);
/// Between two attempts to get the lease.
const AGAIN: Duration = Duration::from_secs(5);

/// Publishes what changes until the end.
pub(super) async fn run(shared: Arc<Shared>, source: Source, cache: PathBuf) {
    let kv = shared.bus.kv(Bucket::Leases);
    loop {
        match Lease::acquire(&kv, LEASE, shared.id().as_str(), TTL).await {
            Ok(lease) => {
                tracing::info!(?source, "this master publishes");
                let cancel = Cancel::default();
                tokio::select! {
                    () = publish(&shared, &source, &cache, &cancel) => {}
                    () = lease.lost() => tracing::warn!("another master may publish now"),
                    () = shared.stopped() => {}
                }
                cancel.cancel();
                lease.release().await;
            }
            Err(LeaseError::Held { .. }) => {}
            Err(error) => tracing::warn!(%error, "it is not known who publishes"),
        }
        if !shared.pause(AGAIN).await {
            return;
        }
    }
}

async fn publish(shared: &Arc<Shared>, source: &Source, cache: &std::path::Path, cancel: &Cancel) {
    let Some(enrollment) = shared.enrollment.as_ref() else {
        tracing::error!("this master has no keys to seal secrets with; nothing is published");
        return;
    };
    let (mut before, mut said) = (None, String::new());
    loop {
        let (from, copy, stop, known) = (source.clone(), cache.to_owned(), cancel.clone(), before.clone());
        // Masters hold the secrets: what is sealed in a repository is sealed for their key.
        let opener = Arc::new(Keyring::default().and(enrollment.service.keys().sealer.clone()));
        let looked = tokio::task::spawn_blocking(move || {
            let (directory, now) = from.fetch(&copy, &stop)?;
            if known.as_ref() == Some(&now) {
                return Ok(None);
            }
            collect(&directory, opener, &stop).map(|tree| Some((tree, now)))
        })
        .await;
        let Ok(looked) = looked else { return };
        let outcome = match looked {
            Ok(None) => Ok(()),
            Ok(Some((tree, now))) => {
                let sealer = &enrollment.service.keys().sealer;
                match tree.send(&shared.bus, &shared.options.signer, sealer).await {
                    Ok(sent) => {
                        before = Some(now);
                        if sent.new {
                            tracing::info!(
                                revision = sent.revision,
                                files = tree.manifest.files.len(),
                                "a tree is published"
                            );
                        }
                        Ok(())
                    }
                    Err(error) => Err(SourceError::Source(error.to_string())),
                }
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => said.clear(),
            Err(error) => {
                let text = error.to_string();
                // Once, until it is another.
                if text != said {
                    tracing::error!(error = %text, "nothing is published");
                    said = text;
                }
            }
        }
        if !shared.pause(source.every()).await {
            return;
        }
    }
}

/// Follows the published tree for its nodegroups until the end.
pub(super) async fn nodegroups(shared: Arc<Shared>) {
    let options = WatchOptions { keys: HEAD_KEY.to_owned(), ..WatchOptions::default() };
    loop {
        match shared.bus.kv(Bucket::StateFiles).watch(options.clone()) {
            Ok(mut watch) => loop {
                let told = tokio::select! {
                    told = watch.next() => told,
                    () = shared.stopped() => return,
                };
                match told {
                    Ok(Watched::Entry(entry)) if !entry.deleted => match secrets::nodegroups(&shared).await {
                        Ok(groups) => set(&shared, groups),
                        Err(error) => {
                            tracing::warn!(%error, "the nodegroups of the published tree are not known");
                        }
                    },
                    Ok(_) => {}
                    Err(error) => {
                        tracing::error!(%error, "the published tree cannot be followed");
                        break;
                    }
                }
            },
            Err(error) => tracing::error!(%error, "the published tree cannot be followed"),
        }
        if !shared.pause(AGAIN).await {
            return;
        }
    }
}

fn set(shared: &Shared, groups: Nodegroups) {
    *shared.nodegroups.write().unwrap_or_else(PoisonError::into_inner) = groups;
}
