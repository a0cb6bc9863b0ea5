//! Two machines with one identity: a disk was copied, or keys were stolen. Each hears the other, says so, and takes no work.
//!
//! A peel says now and then, signed with its own key, which run of which program it is, on a subject in its own inbox: nobody else can listen
//! there, and nobody without the key can say it. Who hears another instance than its own knows.

use super::{Enrolled, Shared, jittered, now_ms};
use crate::{
    auth::signed::{Purpose, Signed},
    bus::{codec, subject},
    job::message::{EventMessage, PeelHello, VERSION},
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::Instant;
use zester_compiler::types::{Map, Value};

/// Between two signs of life.
const EVERY: Duration = Duration::from_secs(300);
/// A sign is good for so long, in milliseconds: clocks of one network are nearer than this.
const FRESH_MS: u64 = 120_000;
/// So long after it was last heard, in milliseconds, the other one is thought to be there: while there are two they answer each other.
const HEARD_MS: u64 = 60_000;
/// Between an own sign and the answer to the other one's.
const ANSWER: Duration = Duration::from_secs(5);
/// Between two events about it, in milliseconds.
const TELL_MS: u64 = 3_600_000;

/// Why no work is taken, if another machine with this identity was heard lately.
pub(super) fn refuses(shared: &Shared) -> Option<&'static str> {
    let heard = shared.twin_ms.load(Ordering::SeqCst);
    (heard > 0 && now_ms().saturating_sub(heard) < HEARD_MS).then_some(
        "another machine uses this peel's identity at the same time, so neither takes work; stop one of them and enroll it under its own id",
    )
}

/// Speaks and listens until the end.
pub(super) async fn run(shared: Arc<Shared>, enrolled: Enrolled) {
    let subject = format!("{}.twin", subject::inbox(shared.id().as_str()));
    let Ok(mut heard) = shared.bus.subscribe(&subject).await else {
        tracing::error!(%subject, "cannot listen");
        return;
    };
    let (mut session, mut told) = (0, 0);
    let mut spoke = Instant::now();
    let mut next = spoke + jittered(EVERY);
    loop {
        let mut speak = false;
        tokio::select! {
            message = heard.next() => {
                let Some(message) = message else { return };
                if is_another(&shared, &enrolled, &message.payload) {
                    let now = now_ms();
                    if shared.twin_ms.swap(now, Ordering::SeqCst) == 0 || now.saturating_sub(told) > TELL_MS {
                        told = now;
                        tracing::error!(peel = %shared.id(), "another machine uses this peel's identity; neither takes work until one is stopped");
                        tell(&shared).await;
                    }
                    // The other one may have come after our last sign.
                    next = next.min(spoke + ANSWER);
                }
            }
            connected = shared.bus.reconnected(session) => match connected {
                Ok(now) => { session = now; speak = true; }
                Err(_) => return,
            },
            () = tokio::time::sleep_until(next) => speak = true,
            () = shared.stopped() => return,
        }
        if speak {
            spoke = Instant::now();
            next = spoke + jittered(EVERY);
            match enrolled.identity.sign(Purpose::Presence, &shared.hello()) {
                Ok(bytes) => {
                    if let Err(error) = shared.bus.publish(&subject, bytes).await {
                        tracing::debug!(%error, "the sign of life is not sent");
                    }
                }
                Err(error) => tracing::error!(%error, "the sign of life cannot be signed"),
            }
        }
    }
}

/// Whether it is a fresh sign of another instance, signed with this peel's key.
fn is_another(shared: &Shared, enrolled: &Enrolled, payload: &[u8]) -> bool {
    let hello = Signed::decode(payload)
        .and_then(|s| s.open_by::<PeelHello>(&enrolled.identity.key(), Purpose::Presence));
    match hello {
        Ok(hello) => hello.instance != shared.instance && now_ms().abs_diff(hello.time_ms) < FRESH_MS,
        Err(error) => {
            tracing::warn!(peel = %shared.id(), %error, "a sign of life that is not ours is ignored");
            false
        }
    }
}

async fn tell(shared: &Shared) {
    let data = Map::from_iter([("instance".to_owned(), Value::from(shared.instance.as_str()))]);
    let event = EventMessage { v: VERSION, time_ms: now_ms(), data };
    if let Ok(bytes) = codec::encode(&event) {
        let _ = shared.bus.store(&subject::event(shared.id().as_str(), "peel.twin"), None, bytes).await;
    }
}
