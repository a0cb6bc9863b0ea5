//! What masters send: verified before it is decoded, put down before it is acknowledged.

use super::{Shared, jittered, now_ms};
use crate::{
    auth::signed::{Anchor, Purpose, Signed},
    bus::{
        codec,
        subject::{self, Report, Verb},
    },
    job::{
        ledger::Verdict,
        message::{Ack, ExecRequest, PendingJobs, VERSION},
    },
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Between two questions for waiting jobs when nothing happens.
const ASK_EVERY: Duration = Duration::from_secs(300);
/// The largest envelope that is looked at, in bytes.
const MAX_ENVELOPE: usize = 1 << 20;

/// Listens for the envelopes of a subject until the end.
pub(super) async fn listen(shared: Arc<Shared>, subject: String) {
    loop {
        match shared.bus.subscribe(&subject).await {
            Ok(mut subscription) => loop {
                let message = tokio::select! {
                    message = subscription.next() => message,
                    () = shared.stopped() => return,
                };
                let Some(message) = message else {
                    tracing::error!(%subject, "the subscription has ended");
                    break;
                };
                take(&shared, &message.payload).await;
            },
            Err(error) => tracing::error!(%subject, %error, "cannot listen"),
        }
        if !shared.pause(Duration::from_secs(5)).await {
            return;
        }
    }
}

/// Asks for waiting jobs: at the start, after every reconnect, and now and then.
pub(super) async fn ask_pending(shared: Arc<Shared>) {
    let subject = subject::up(shared.id(), Verb::Pending);
    let mut session = 0;
    loop {
        tokio::select! {
            connected = shared.bus.reconnected(session) => match connected {
                Ok(now) => session = now,
                Err(_) => return,
            },
            () = tokio::time::sleep(jittered(ASK_EVERY)) => {}
            () = shared.stopped() => return,
        }
        // Masters restart too: ask again until one answers.
        let mut pause = Duration::from_millis(200);
        loop {
            match pending(&shared, &subject).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::debug!(%error, "no master says what waits");
                    pause = (pause * 2).min(Duration::from_secs(60));
                }
            }
            if !shared.pause(jittered(pause)).await {
                return;
            }
        }
    }
}

/// Takes what waits; says whether there is more.
async fn pending(shared: &Shared, subject: &str) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    let answer = shared.bus.request(subject, codec::encode(&shared.hello())?).await?;
    let waiting: PendingJobs = codec::decode(&answer.payload)?;
    for envelope in &waiting.envelopes {
        take(shared, envelope).await;
    }
    Ok(waiting.more && !waiting.envelopes.is_empty())
}

async fn take(shared: &Shared, payload: &[u8]) {
    let request = match verify(&shared.options.anchor, payload, now_ms()) {
        Ok(request) => request,
        Err(error) => {
            // Hostile or stale: contained, and visible.
            tracing::warn!(peel = %shared.id(), %error, "an envelope is refused");
            shared.counts.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
    };
    let jid = request.jid.clone();
    let (book, now, refuses) = (shared.book.clone(), now_ms(), super::twin::refuses(shared));
    let judged = tokio::task::spawn_blocking(move || {
        let verdict = book.offer(&request, now, refuses);
        (verdict, request.epoch)
    })
    .await;
    let (verdict, epoch) = match judged {
        Ok((Ok(verdict), epoch)) => (verdict, epoch),
        Ok((Err(error), _)) => {
            // Not acknowledged: the master counts this peel as unreachable and says so.
            tracing::error!(%jid, %error, "the job cannot be put down and is not accepted");
            return;
        }
        Err(_) => return,
    };
    match verdict {
        Verdict::Accept(_) | Verdict::Again(_) => {
            let ack = Ack { v: VERSION, epoch, time_ms: now_ms() };
            let subject = subject::report(&jid, Report::Ack, shared.id());
            if let Ok(bytes) = codec::encode(&ack)
                && let Err(error) = shared.bus.publish(&subject, bytes).await
            {
                tracing::warn!(%jid, %error, "the acknowledgement cannot be sent");
            }
        }
        Verdict::Cancel { stop: true, .. } => {
            if let Some(cancel) = shared.running().get(&jid) {
                cancel.cancel();
            }
        }
        Verdict::Cancel { .. } | Verdict::Refuse(_) => {}
        Verdict::Drop(reason) => tracing::warn!(%jid, reason, "an envelope is dropped"),
    }
}

/// The request in an envelope, if `anchor` vouches for it; the error is a sentence.
pub fn verify(anchor: &Anchor, payload: &[u8], now_ms: u64) -> Result<ExecRequest, String> {
    if payload.len() > MAX_ENVELOPE {
        return Err(format!("it has {} bytes; at most {MAX_ENVELOPE} are read", payload.len()));
    }
    let request: ExecRequest = Signed::decode(payload)
        .and_then(|signed| signed.open(anchor, Purpose::Dispatch, now_ms))
        .map_err(|e| e.to_string())?;
    if request.incarnation != anchor.incarnation {
        return Err(format!("it is of incarnation `{}`", request.incarnation));
    }
    Ok(request)
}
