//! What peels ask for: the jobs that wait for them, new credentials, secrets.

use super::Shared;
use crate::{
    bus::{
        Message, codec,
        id::PeelId,
        subject::{self, Received, Verb},
    },
    job::{
        message::{PeelHello, PendingJobs, ResolveRequest, VERSION},
        store,
    },
};
use serde_bytes::ByteBuf;
use std::{sync::Arc, time::Duration};

/// Envelopes of an answer at most.
const MAX_ENVELOPES: usize = 64;
/// Bytes of an answer at most.
const MAX_BYTES: usize = 512 * 1024;

/// Answers until the end.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        match shared.bus.queue_subscribe(subject::UPWARD, subject::MASTERS).await {
            Ok(mut requests) => loop {
                let message = tokio::select! {
                    message = requests.next() => message,
                    () = shared.stopped() => return,
                };
                let Some(message) = message else { break };
                let (shared, work) = (shared.clone(), shared.bus.work());
                tokio::spawn(async move {
                    answer(&shared, message).await;
                    drop(work);
                });
            },
            Err(error) => tracing::error!(%error, "peels cannot be listened to"),
        }
        if !shared.pause(Duration::from_secs(5)).await {
            return;
        }
    }
}

async fn answer(shared: &Arc<Shared>, message: Message) {
    // Who asks stands in the subject, which the server has checked.
    let Some(Received::Up(peel, verb)) = Received::parse(&message.subject) else { return };
    let Some(reply) = message.reply else { return };
    if !subject::is_inbox_of(&reply, peel.as_str()) {
        tracing::warn!(%peel, %reply, "an answer is asked to somebody else's inbox");
        return;
    }
    let bytes = match verb {
        Verb::Pending => match codec::decode::<PeelHello>(&message.payload) {
            Ok(hello) => match waiting(shared, &peel, &hello).await {
                Ok(waiting) => codec::encode(&waiting),
                Err(error) => {
                    // No answer: the peel asks again, perhaps another master.
                    tracing::warn!(%peel, %error, "what waits for a peel cannot be read");
                    return;
                }
            },
            Err(error) => {
                tracing::warn!(%peel, %error, "a request cannot be read");
                return;
            }
        },
        Verb::Secrets => match codec::decode(&message.payload) {
            Ok(request) => codec::encode(&super::secrets::answer(shared, &peel, &request).await),
            Err(error) => {
                tracing::warn!(%peel, %error, "a request cannot be read");
                return;
            }
        },
        Verb::Renew => codec::encode(&super::enrollment::renew(shared, &peel, &message.payload).await),
        Verb::Resolve => match codec::decode::<ResolveRequest>(&message.payload) {
            Ok(request) => codec::encode(&super::resolve::resolve(shared, &request.expression)),
            Err(error) => {
                tracing::warn!(%peel, %error, "a request cannot be read");
                return;
            }
        },
        // The server knows who is connected; nobody asks yet.
        Verb::Presence => return,
    };
    if let Ok(bytes) = bytes
        && let Err(error) = shared.bus.publish(&reply, bytes).await
    {
        tracing::warn!(%peel, %error, "the answer cannot be sent");
    }
}

async fn waiting(
    shared: &Arc<Shared>,
    peel: &PeelId,
    hello: &PeelHello,
) -> Result<PendingJobs, Box<dyn std::error::Error + Send + Sync>> {
    let (mut envelopes, mut bytes) = (Vec::new(), 0);
    for record in shared.table.runnable(shared.now_ms()) {
        if hello.running.contains(&record.jid)
            || !shared.table.targets(shared, &record).await?.contains(peel)
            || store::job_return(&shared.bus, &record.jid, peel).await?.is_some()
            || store::cancel(&shared.bus, &record.jid).await?.is_some()
        {
            continue;
        }
        if envelopes.len() >= MAX_ENVELOPES || bytes >= MAX_BYTES {
            return Ok(PendingJobs { v: VERSION, envelopes, more: true });
        }
        // In the owner's name: the epoch is his.
        let envelope = shared.options.signer.run(&record, std::slice::from_ref(peel))?;
        bytes += envelope.len();
        envelopes.push(ByteBuf::from(envelope));
    }
    Ok(PendingJobs { v: VERSION, envelopes, more: false })
}
