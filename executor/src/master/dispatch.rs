//! Operators' requests: verified, answered when the claim is stored.

use super::{Shared, Verified, jobs, jobs::Claim, resolve};
use crate::{
    auth::signed::Signed,
    bus::{
        Bucket, Message, codec,
        id::{AdminId, JobId, MasterId},
        subject,
    },
    job::{
        message::{Ask, Dispatched, Job, OperatorRequest, Targets, VERSION},
        owner::{Event, Owner},
        store,
    },
    publish::{HEAD_KEY, Head},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// A request older than this, or so much ahead, is refused, in milliseconds.
const FRESH_MS: u64 = 120_000;
/// How long the claim may take.
const CLAIM: Duration = Duration::from_secs(10);
/// The longest a job may take, in milliseconds: what its return is kept.
const MAX_TIMEOUT_MS: u64 = 7 * 24 * 3_600_000;

/// Takes requests until the end.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        match shared.bus.queue_subscribe(subject::DISPATCH, subject::MASTERS).await {
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
            Err(error) => tracing::error!(%error, "requests cannot be listened to"),
        }
        if !shared.pause(Duration::from_secs(5)).await {
            return;
        }
    }
}

async fn answer(shared: &Arc<Shared>, message: Message) {
    let Some(reply) = message.reply else { return };
    let answer = match (shared.options.verifier)(&message.payload) {
        Ok(Verified { who, inbox, request }) => {
            // The server does not check where an answer is asked to.
            if !subject::is_inbox_of(&reply, &inbox) {
                tracing::warn!(%who, %reply, "an answer is asked to somebody else's inbox");
                return;
            }
            ask(shared, who, request).await
        }
        Err(error) => refusal(None, error),
    };
    if let Some(error) = &answer.error {
        tracing::warn!(%error, "a request is refused");
    }
    if let Ok(bytes) = codec::encode(&answer)
        && let Err(error) = shared.bus.publish(&reply, bytes).await
    {
        tracing::warn!(%error, "the answer cannot be sent");
    }
}

fn refusal(jid: Option<JobId>, error: String) -> Dispatched {
    Dispatched { v: VERSION, jid, master: None, error: Some(error), revoked: Vec::new() }
}

fn accepted(jid: JobId, outcome: Result<Option<MasterId>, String>) -> Dispatched {
    match outcome {
        Ok(master) => Dispatched { v: VERSION, jid: Some(jid), master, error: None, revoked: Vec::new() },
        Err(error) => refusal(Some(jid), error),
    }
}

async fn ask(shared: &Arc<Shared>, who: AdminId, request: OperatorRequest) -> Dispatched {
    let now = crate::peel::now_ms();
    if now.abs_diff(request.time_ms) > FRESH_MS {
        let off = now.abs_diff(request.time_ms) / 1000;
        return refusal(None, format!("the request is {off} s off this master's clock; set the clocks"));
    }
    match request.ask {
        Ask::Run(job) => {
            let jid = job.jid.clone();
            accepted(jid, run_job(shared, who, *job).await)
        }
        Ask::Cancel { jid, reason } => {
            let reason = reason.unwrap_or_else(|| format!("canceled by {who}"));
            let outcome = cancel(shared, &jid, reason).await;
            accepted(jid, outcome)
        }
        Ask::Enroll { id, decision } => {
            tracing::info!(%who, %id, ?decision, "a decision about a machine");
            match super::enrollment::decide(shared, &who, &id, decision).await {
                Ok(revoked) => Dispatched {
                    v: VERSION,
                    jid: None,
                    master: Some(shared.id().clone()),
                    error: None,
                    revoked,
                },
                Err(error) => refusal(None, error),
            }
        }
    }
}

async fn run_job(shared: &Arc<Shared>, who: AdminId, job: Job) -> Result<Option<MasterId>, String> {
    if job.timeout_ms == 0 || job.timeout_ms > MAX_TIMEOUT_MS {
        return Err(format!("a job's time is between 1 and {MAX_TIMEOUT_MS} ms"));
    }
    let peels = if job.targets.peels.is_empty() {
        let resolved = resolve::peels(shared, &job.targets.expression)?;
        let now = Targets::of(&job.targets.expression, resolved.clone());
        if now.digest != job.targets.digest {
            return Err("the target matches other peels than a moment ago; ask again".to_owned());
        }
        resolved
    } else {
        job.targets.peels.clone()
    };
    if peels.is_empty() {
        return Err("the job has no peels".to_owned());
    }
    if !shared.jobs.owns(&job.jid) {
        // Who asks after a publication gets what was published.
        let tree = if job.call.function.starts_with("state.") { head(shared).await? } else { None };
        let (sender, claimed) = oneshot::channel();
        let (owner, effects) = Owner::claim(shared.id().clone(), who, &job, peels, tree, shared.now_ms());
        jobs::spawn(shared, owner, effects, Some(sender));
        match tokio::time::timeout(CLAIM, claimed).await {
            Ok(Ok(Claim::Owned)) => {}
            Ok(Ok(Claim::Taken)) => {
                let found = store::record(&shared.bus, &job.jid).await.map_err(|e| e.to_string())?;
                return Ok(found.and_then(|(r, _)| r.owner));
            }
            // Dropped: it was asked for twice at once, and the other one goes on.
            Ok(Err(_)) if shared.jobs.owns(&job.jid) => {}
            Ok(Err(_)) => return Err("the job could not be claimed".to_owned()),
            Err(_) => {
                return Err(format!(
                    "the job's record could not be stored within {} s; it may still be, look with `zester job show {}`",
                    CLAIM.as_secs(),
                    job.jid
                ));
            }
        }
    }
    Ok(Some(shared.id().clone()))
}

/// The newest revision of the published tree.
async fn head(shared: &Shared) -> Result<Option<u64>, String> {
    let entry = shared.bus.kv(Bucket::StateFiles).latest(HEAD_KEY).await.map_err(|e| e.to_string())?;
    let Some(entry) = entry else { return Ok(None) };
    let head: Head = Signed::decode(&entry.value)
        .map_err(|e| e.to_string())
        .and_then(|s| codec::decode(&s.body).map_err(|e| e.to_string()))?;
    Ok(Some(head.revision))
}

async fn cancel(shared: &Arc<Shared>, jid: &JobId, reason: String) -> Result<Option<MasterId>, String> {
    let found = store::record(&shared.bus, jid).await.map_err(|e| e.to_string())?;
    let Some((record, _)) = found else { return Err(format!("there is no job `{jid}`")) };
    if record.status.is_final() {
        return Err(format!("the job `{jid}` has ended"));
    }
    // Durably first: whoever owns it later finds it.
    store::write_cancel(&shared.bus, jid, &reason).await.map_err(|e| e.to_string())?;
    if !shared.jobs.tell(jid, Event::CancelRequested(Some(reason))).await {
        // The owner hears the signed cancellation, as the peels do.
        let bytes = shared.options.signer.cancel(&record).map_err(|e| e.to_string())?;
        let subject = subject::job(jid, subject::Record::Cancel);
        shared.out.publish(&subject, bytes).await.map_err(|e| e.to_string())?;
    }
    Ok(record.owner)
}
