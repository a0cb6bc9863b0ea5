//! The facts of all peels, followed, and answers to who matches a target.

use super::Shared;
use crate::{
    bus::{
        codec,
        id::PeelId,
        storage::Bucket,
        subject,
        watch::{WatchOptions, Watched},
    },
    job::message::{ResolveRequest, ResolveResponse, Targets, VERSION},
};
use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};
use zester_compiler::{
    source::{Files, Span},
    target::Target,
    types::Facts,
};

/// The longest target, in bytes.
const MAX_TARGET: usize = 64 * 1024;

/// Answers until the end.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        match shared.bus.queue_subscribe(subject::RESOLVE, subject::MASTERS).await {
            Ok(mut requests) => loop {
                let message = tokio::select! {
                    message = requests.next() => message,
                    () = shared.stopped() => return,
                };
                let Some(message) = message else { break };
                let Some(reply) = message.reply else { continue };
                // Only to inboxes: whatever else an asker may name is not his.
                if !reply.starts_with("_INBOX.") {
                    continue;
                }
                let answer = match codec::decode::<ResolveRequest>(&message.payload) {
                    Ok(request) => resolve(&shared, &request.expression),
                    Err(error) => ResolveResponse {
                        v: VERSION,
                        error: Some(error.to_string()),
                        ..ResolveResponse::default()
                    },
                };
                if let Ok(bytes) = codec::encode(&answer)
                    && let Err(error) = shared.bus.publish(&reply, bytes).await
                {
                    tracing::warn!(%error, "the answer cannot be sent");
                }
            },
            Err(error) => tracing::error!(%error, "questions for targets cannot be listened to"),
        }
        if !shared.pause(Duration::from_secs(5)).await {
            return;
        }
    }
}

/// Whom a target matches, or why that cannot be said.
pub(super) fn resolve(shared: &Shared, expression: &str) -> ResolveResponse {
    let known = shared.index.read().unwrap_or_else(PoisonError::into_inner).len() as u64;
    match peels(shared, expression) {
        Ok(peels) => {
            ResolveResponse { v: VERSION, targets: Some(Targets::of(expression, peels)), known, error: None }
        }
        Err(error) => ResolveResponse { v: VERSION, targets: None, known, error: Some(error) },
    }
}

/// The peels that match, sorted.
pub(super) fn peels(shared: &Shared, expression: &str) -> Result<Vec<PeelId>, String> {
    if expression.len() > MAX_TARGET {
        return Err(format!("the target has {} bytes; at most {MAX_TARGET} are read", expression.len()));
    }
    let id = Files::default().add("target", expression);
    let (target, wrong) = Target::parse(expression, Span::new(id, 0..expression.len()));
    if let Some(wrong) = wrong.first() {
        return Err(wrong.message.clone());
    }
    if super::index::asks_settings(&target) {
        return Err("a target cannot ask for settings here: only peels know theirs; ask for facts".to_owned());
    }
    let index = shared.index.read().unwrap_or_else(PoisonError::into_inner);
    let groups = shared.nodegroups.read().unwrap_or_else(PoisonError::into_inner);
    index.resolve(&target, &groups).map_err(|e| e.to_string())
}

/// Follows the facts until the end.
pub(super) async fn follow(shared: Arc<Shared>) {
    loop {
        match shared.bus.kv(Bucket::Facts).watch(WatchOptions::default()) {
            Ok(mut watch) => loop {
                let told = tokio::select! {
                    told = watch.next() => told,
                    () = shared.stopped() => return,
                };
                let index = || shared.index.write().unwrap_or_else(PoisonError::into_inner);
                match told {
                    Ok(Watched::Entry(entry)) if entry.deleted => {
                        if let Ok(peel) = PeelId::new(&entry.key) {
                            index().remove(&peel);
                        }
                    }
                    Ok(Watched::Entry(entry)) => enter(&shared, &entry.key, &entry.value),
                    Ok(Watched::Restarted) => *index() = super::index::FactsIndex::default(),
                    Ok(Watched::Current) => {
                        shared.index_ready.send_replace(true);
                    }
                    Err(error) => {
                        tracing::error!(%error, "facts cannot be followed");
                        break;
                    }
                }
            },
            Err(error) => tracing::error!(%error, "facts cannot be followed"),
        }
        if !shared.pause(Duration::from_secs(5)).await {
            return;
        }
    }
}

fn enter(shared: &Shared, peel: &str, bytes: &[u8]) {
    let (Ok(id), Ok(mut facts)) = (PeelId::new(peel), codec::decode::<Facts>(bytes)) else {
        tracing::warn!(peel, "facts cannot be read");
        return;
    };
    // Who it is says the subject, not the peel.
    facts.set_id(id.as_str());
    if let Err(error) = shared.index.write().unwrap_or_else(PoisonError::into_inner).insert(&id, &facts) {
        tracing::warn!(peel, %error, "facts cannot be kept");
    }
}
