//! The published tree on its way to this peel: the head when it changes, then what is missing of its contents.

use super::{Shared, jittered, now_ms, trees::HeadError};
use crate::{
    bus::{
        notice::{Notices, Spread},
        storage::Bucket,
    },
    publish::{Entry, HEAD_KEY, Hash, Head, fetch},
};
use futures_util::{TryStreamExt, stream};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How long a job waits for the tree that it needs.
const WAIT: Duration = Duration::from_secs(60);
/// Contents on their way at a time.
const AT_ONCE: usize = 8;

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Follows the published tree until the end.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut look = shared.look.subscribe();
    loop {
        match Notices::subscribe(&shared.bus, shared.id(), Spread::default()).await {
            Ok(mut notices) => loop {
                let reread = tokio::select! {
                    reread = notices.next() => reread.is_some(),
                    // A job that needs the newest tree waits for nobody else's turn.
                    changed = look.changed() => changed.is_ok(),
                    () = shared.stopped() => return,
                };
                if !reread {
                    break;
                }
                // Whatever changed, the head says what follows from it.
                let mut pause = Duration::from_millis(500);
                while let Err(error) = take(&shared).await {
                    tracing::warn!(peel = %shared.id(), %error, "the published tree cannot be fetched");
                    pause = (pause * 2).min(Duration::from_secs(60));
                    if !shared.bus.state().borrow().is_connected() {
                        // The next connection begins with a look.
                        break;
                    }
                    if !shared.pause(jittered(pause)).await {
                        return;
                    }
                }
            },
            Err(error) => tracing::error!(%error, "notices cannot be listened to"),
        }
        if !shared.pause(Duration::from_secs(5)).await {
            return;
        }
    }
}

async fn take(shared: &Arc<Shared>) -> Result<(), Problem> {
    let trees = &shared.host.trees;
    let Some(entry) = shared.bus.kv(Bucket::StateFiles).get(HEAD_KEY).await? else {
        shared.looked.send_replace(true);
        return Ok(());
    };
    let bytes = entry.value;
    let head = match trees.verify(&bytes, now_ms()) {
        // A replica that is behind: nothing to do until it has caught up.
        Err(HeadError::Old { .. }) => return Ok(()),
        verified => verified?,
    };
    if trees.revision() != Some(head.revision) {
        contents(shared, &head).await?;
        let revision = head.revision;
        let in_thread = shared.clone();
        tokio::task::spawn_blocking(move || in_thread.host.trees.enforce(head, &bytes)).await??;
        shared.enforced.send_replace(());
        tracing::info!(revision, "a new tree is in force");
        // Before the first job asks for them: the masters may be gone by then.
        if let Err(error) = super::secrets::ensure(shared).await {
            tracing::warn!(peel = %shared.id(), %error, "the secrets of the new tree are not here yet");
        }
    }
    shared.looked.send_replace(true);
    Ok(())
}

/// Waits until the tree has at least this revision.
pub(super) async fn await_revision(shared: &Shared, revision: u64) -> Result<(), String> {
    let mut enforced = shared.enforced.subscribe();
    let end = tokio::time::Instant::now() + WAIT;
    while shared.host.trees.revision().is_none_or(|have| have < revision) {
        shared.look.send_replace(());
        let again = end.min(tokio::time::Instant::now() + Duration::from_secs(2));
        let _ = tokio::time::timeout_at(again, enforced.changed()).await;
        if tokio::time::Instant::now() >= end {
            let have = shared.host.trees.revision().map_or("none".to_owned(), |r| format!("revision {r}"));
            return Err(format!(
                "the tree's revision {revision} could not be fetched within {} s; this peel has {have}",
                WAIT.as_secs()
            ));
        }
    }
    Ok(())
}

/// Fetches what is missing of a revision.
async fn contents(shared: &Arc<Shared>, head: &Head) -> Result<(), Problem> {
    let cache = shared.host.trees.cache().clone();
    if !cache.has(head.manifest) {
        content(shared, head.manifest, head.bytes, false).await?;
    }
    let manifest = cache.manifest(head)?;
    // A content that several files share is fetched once.
    let missing: BTreeMap<Hash, &Entry> =
        manifest.files.iter().filter(|f| !cache.has(f.hash)).map(|f| (f.hash, f)).collect();
    stream::iter(missing.into_values().map(Ok))
        .try_for_each_concurrent(AT_ONCE, |entry| async move {
            content(shared, entry.hash, entry.bytes, entry.settings).await
        })
        .await
}

async fn content(shared: &Arc<Shared>, hash: Hash, size: u64, settings: bool) -> Result<(), Problem> {
    let whole = fetch::content(&shared.bus, hash, size, settings).await?;
    let cache = shared.host.trees.cache().clone();
    tokio::task::spawn_blocking(move || cache.put(hash, &whole)).await??;
    Ok(())
}
