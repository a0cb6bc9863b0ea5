//! The peel's facts: looked at now and then, sent when they changed.

use super::{Shared, jittered};
use crate::bus::{StoreError, codec, subject};
use std::{sync::Arc, time::Duration};
use zester_compiler::types::{Facts, Map};

/// Facts that change all the time and are not worth a message each.
const VOLATILE: &[&str] = &["uptime", "load", "time", "free", "used", "available"];

/// The first and the longest pause after facts could not be stored: a full bucket is not stormed by a whole fleet.
const AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(120));

/// Sends facts until the end.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut sent: Option<Vec<u8>> = None;
    let mut refresh = shared.host.refresh.subscribe();
    let mut session = 0;
    let mut pause = AGAIN.0;
    loop {
        let host = shared.clone();
        let collected = tokio::task::spawn_blocking(move || host.host.collect_facts()).await;
        let mut again = jittered(shared.options.facts_interval);
        match collected {
            Ok(Ok(facts)) => {
                let facts = steady(&facts);
                match codec::encode(&facts) {
                    Ok(bytes) if sent.as_ref() != Some(&bytes) => {
                        match shared.bus.store(&subject::fact(shared.id()), None, bytes.clone()).await {
                            Ok(_) => {
                                sent = Some(bytes);
                                pause = AGAIN.0;
                            }
                            Err(error) => {
                                match &error {
                                    StoreError::Bus(_) => {
                                        tracing::debug!(%error, "the facts are not stored yet");
                                    }
                                    // The server says no: somebody has to look.
                                    _ => {
                                        tracing::warn!(peel = %shared.id(), %error, "the facts cannot be stored");
                                    }
                                }
                                again = jittered(pause);
                                pause = (pause * 2).min(AGAIN.1);
                            }
                        }
                    }
                    Ok(_) => {}
                    Err(error) => tracing::error!(%error, "the facts cannot be encoded"),
                }
            }
            Ok(Err(error)) => tracing::error!(%error, "the facts cannot be collected"),
            Err(_) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(again) => {}
            _ = refresh.changed() => {}
            connected = shared.bus.reconnected(session) => match connected {
                // A bucket that was lost is filled again.
                Ok(now) => { session = now; pause = AGAIN.0; if now > 1 { sent = None; } }
                Err(_) => return,
            },
            () = shared.stopped() => return,
        }
    }
}

/// The facts without what changes all the time.
fn steady(facts: &Facts) -> Facts {
    fn strip(map: &Map, depth: usize) -> Map {
        let keep = |key: &str| depth == 0 || !VOLATILE.contains(&key);
        map.iter()
            .filter(|(key, _)| keep(key))
            .map(|(key, value)| {
                let value = match value {
                    zester_compiler::types::Value::Map(inner) if depth < 8 => {
                        zester_compiler::types::Value::Map(strip(inner, depth + 1))
                    }
                    other => other.clone(),
                };
                (key.clone(), value)
            })
            .collect()
    }
    Facts { id: facts.id.clone(), values: strip(&facts.values, 0), grains: facts.grains.clone() }
}
