//! The jobs of this master: each a task that does what its [`Owner`] says.

use super::Shared;
use crate::{
    bus::kv::CasError,
    bus::{
        Subscription, codec,
        id::{JobId, PeelId},
        subject::{self, Received, Record, Report},
    },
    job::{
        message::{JobRecord, PeelStatus},
        owner::{Effect, Event, Owner},
        store::{self, JobStoreError},
    },
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(250);
/// Peels that share an envelope: their names are in each copy.
const PER_ENVELOPE: usize = 32;
/// Events that wait for a job's task, beside two for each peel.
const EVENTS: usize = 256;

/// The jobs that this master owns.
#[derive(Default)]
pub(super) struct Jobs(Mutex<HashMap<JobId, mpsc::Sender<Event>>>);

/// What became of a claim.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Claim {
    /// It is ours.
    Owned,
    /// Another master has it.
    Taken,
}

impl Jobs {
    fn table(&self) -> MutexGuard<'_, HashMap<JobId, mpsc::Sender<Event>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this master owns the job.
    pub(super) fn owns(&self, jid: &JobId) -> bool {
        self.table().contains_key(jid)
    }

    /// All of them.
    pub(super) fn ids(&self) -> Vec<JobId> {
        self.table().keys().cloned().collect()
    }

    fn sender(&self, jid: &JobId) -> Option<mpsc::Sender<Event>> {
        self.table().get(jid).cloned()
    }

    /// Tells a job's task, if it is here.
    pub(super) async fn tell(&self, jid: &JobId, event: Event) -> bool {
        match self.sender(jid) {
            Some(sender) => sender.send(event).await.is_ok(),
            None => false,
        }
    }

    /// Tells all jobs' tasks.
    pub(super) async fn tell_all(&self, event: Event) {
        let senders: Vec<_> = self.table().values().cloned().collect();
        for sender in senders {
            let _ = sender.send(event.clone()).await;
        }
    }
}

/// Runs a job to its end; `claimed` hears what became of the claim.
pub(super) fn spawn(
    shared: &Arc<Shared>,
    owner: Owner,
    effects: Vec<Effect>,
    claimed: Option<oneshot::Sender<Claim>>,
) {
    let (sender, events) = mpsc::channel(EVENTS + 2 * owner.record().targets as usize);
    let jid = owner.record().jid.clone();
    {
        let mut table = shared.jobs.table();
        if table.contains_key(&jid) {
            return;
        }
        table.insert(jid, sender);
    }
    tokio::spawn(run(shared.clone(), owner, effects, events, claimed));
}

async fn run(
    shared: Arc<Shared>,
    mut owner: Owner,
    effects: Vec<Effect>,
    mut events: mpsc::Receiver<Event>,
    mut claimed: Option<oneshot::Sender<Claim>>,
) {
    let jid = owner.record().jid.clone();
    let mut going: FuturesUnordered<BoxFuture<'static, Option<Event>>> = FuturesUnordered::new();
    for effect in effects {
        going.push(perform(&shared, &owner, effect));
    }
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut looked_for_cancel = false;
    while !(owner.is_over() && going.is_empty()) {
        let effects = tokio::select! {
            event = events.recv() => match event {
                Some(event) => owner.handle(event, shared.now_ms()),
                None => break,
            },
            Some(event) = going.next(), if !going.is_empty() => match event {
                Some(event) => owner.handle(event, shared.now_ms()),
                None => continue,
            },
            _ = tick.tick() => {
                if let Some(at) = super::beat::confirmed(&shared) {
                    owner.confirm(at);
                }
                owner.tick(shared.now_ms())
            }
            () = shared.stopped() => break,
        };
        for effect in effects {
            going.push(perform(&shared, &owner, effect));
        }
        if owner.is_claimed() || owner.is_over() {
            if let Some(claimed) = claimed.take() {
                let _ = claimed.send(if owner.is_superseded() { Claim::Taken } else { Claim::Owned });
            }
            // A cancellation may have come while nobody owned it.
            if !looked_for_cancel && owner.record().epoch > 1 {
                looked_for_cancel = true;
                let (shared, jid) = (shared.clone(), jid.clone());
                going.push(
                    async move {
                        let reason = store::cancel(&shared.bus, &jid).await.ok().flatten()?;
                        Some(Event::CancelRequested((!reason.is_empty()).then_some(reason)))
                    }
                    .boxed(),
                );
            }
        }
    }
    shared.jobs.table().remove(&jid);
}

/// Does what the owner says; the outcome is the next event.
fn perform(shared: &Arc<Shared>, owner: &Owner, effect: Effect) -> BoxFuture<'static, Option<Event>> {
    let (shared, record) = (shared.clone(), owner.record().clone());
    match effect {
        Effect::StoreTargets(chunks) => async move {
            Some(match store::write_targets(&shared.bus, &record.jid, &chunks).await {
                Ok(()) => Event::TargetsStored,
                Err(error) => unknown(&record.jid, &error),
            })
        }
        .boxed(),
        Effect::Create(record) => write(shared, record, None).boxed(),
        Effect::Update(record, revision) => write(shared, record, Some(revision)).boxed(),
        Effect::Read => async move {
            Some(match store::record(&shared.bus, &record.jid).await {
                Ok(found) => Event::Record(found.map(|(r, v)| (Box::new(r), v))),
                Err(error) => unknown(&record.jid, &error),
            })
        }
        .boxed(),
        // Answers of all jobs are listened to since the start.
        Effect::Subscribe => async { Some(Event::Subscribed) }.boxed(),
        Effect::Send(peels) => async move {
            send(&shared, &record, &peels).await;
            None
        }
        .boxed(),
        Effect::Fetch(peels) => async move { Some(fetch(&shared, &record.jid, peels).await) }.boxed(),
        Effect::Announce(kind) => async move {
            if let Ok(bytes) = codec::encode(&record) {
                let subject = subject::job(&record.jid, kind);
                if let Err(error) = shared.bus.publish(&subject, bytes).await {
                    tracing::warn!(jid = %record.jid, %error, "the event is not recorded");
                }
            }
            None
        }
        .boxed(),
        Effect::Cancel => async move {
            match shared.options.signer.cancel(&record) {
                Ok(bytes) => {
                    let subject = subject::job(&record.jid, Record::Cancel);
                    if let Err(error) = shared.out.publish(&subject, bytes).await {
                        tracing::warn!(jid = %record.jid, %error, "the cancellation cannot be sent");
                    }
                }
                Err(error) => tracing::error!(jid = %record.jid, %error, "the cancellation cannot be signed"),
            }
            None
        }
        .boxed(),
    }
}

fn unknown(jid: &JobId, error: &JobStoreError) -> Event {
    tracing::warn!(%jid, %error, "the record cannot be reached");
    Event::Unknown
}

async fn write(shared: Arc<Shared>, record: Box<JobRecord>, expected: Option<u64>) -> Option<Event> {
    Some(match store::write_record(&shared.bus, &record, expected).await {
        Ok(revision) => Event::Written(revision),
        Err(JobStoreError::Cas(CasError::Conflict)) => Event::Conflict,
        Err(error) => unknown(&record.jid, &error),
    })
}

/// Signs and sends; a few peels share a signature.
async fn send(shared: &Shared, record: &JobRecord, peels: &[PeelId]) {
    for group in peels.chunks(PER_ENVELOPE) {
        let envelope = match shared.options.signer.run(record, group) {
            Ok(envelope) => bytes::Bytes::from(envelope),
            Err(error) => {
                tracing::error!(jid = %record.jid, %error, "the job cannot be signed");
                return;
            }
        };
        for peel in group {
            if let Err(error) = shared.out.publish(&subject::command(peel), envelope.clone()).await {
                // It is sent again; a peel that was away asks.
                tracing::warn!(jid = %record.jid, %peel, %error, "the job cannot be sent");
            }
        }
    }
}

async fn fetch(shared: &Arc<Shared>, jid: &JobId, peels: Vec<PeelId>) -> Event {
    match store::returns(&shared.bus, jid, &peels).await {
        Ok(found) => Event::Fetched(found.into_iter().map(|(peel, r)| (peel, r.status)).collect()),
        Err(error) => {
            tracing::warn!(%jid, %error, "stored returns cannot be looked up");
            Event::FetchFailed
        }
    }
}

/// Hears acknowledgements and returns of all jobs, and hands them to those that are here.
pub(super) async fn listen(shared: Arc<Shared>, mut acks: Subscription, mut returns: Subscription) {
    let mut dropped = shared.bus.dropped();
    let mut session = shared.bus.connected().await.unwrap_or(0);
    loop {
        tokio::select! {
            message = acks.next() => {
                let Some(message) = message else { return };
                if let Some(Received::Report(jid, Report::Ack, peel)) = Received::parse(&message.subject) {
                    shared.jobs.tell(&jid, Event::Ack(peel)).await;
                }
            }
            message = returns.next() => {
                let Some(message) = message else { return };
                if let Some(Received::Report(jid, Report::Return, peel)) = Received::parse(&message.subject) {
                    returned(&shared, jid, peel, &message.payload).await;
                }
            }
            // What was missed is in the bucket.
            changed = dropped.changed() => {
                if changed.is_err() { return }
                shared.jobs.tell_all(Event::Reconnected).await;
            }
            connected = shared.bus.reconnected(session) => match connected {
                Ok(now) => {
                    session = now;
                    shared.jobs.tell_all(Event::Reconnected).await;
                }
                Err(_) => return,
            },
            () = shared.stopped() => return,
        }
    }
}

async fn returned(shared: &Arc<Shared>, jid: JobId, peel: PeelId, payload: &[u8]) {
    #[derive(Deserialize)]
    struct Ends {
        status: PeelStatus,
    }
    match codec::decode::<Ends>(payload) {
        Ok(Ends { status }) if status.is_final() => {
            if !shared.jobs.tell(&jid, Event::Returned(peel, status)).await {
                super::table::late(shared, jid);
            }
        }
        Ok(_) => tracing::warn!(%jid, %peel, "a return that says it is none is ignored"),
        Err(error) => tracing::warn!(%jid, %peel, %error, "a return cannot be read"),
    }
}
