//! Peels by the thousand in one process: the real protocol over connections of their own, without disk, lanes and states.
//!
//! Envelopes are verified, judged by the peel's own [`Ledger`], acknowledged and answered as a peel does. What a job asks for is not done:
//! every function returns `true`. A job's return is sent until it is stored.

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream, stream::FuturesUnordered};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;
use zester_compiler::types::{Facts, Value};
use zester_executor::{
    auth::signed::Anchor,
    bus::{
        Bus, BusOptions, codec,
        id::{JobId, PeelId},
        subject::{self, Report, Verb},
    },
    job::{
        ledger::{Ledger, Record, Verdict},
        message::{Ack, JobOutcome, JobReturn, PeelHello, PeelStatus, PendingJobs, VERSION},
        store,
    },
    peel::{now_ms, verify},
};

/// Connections that are made at a time.
const AT_ONCE: usize = 64;
/// Between two attempts of a return.
const AGAIN: Duration = Duration::from_millis(500);
/// Where a peel answers whoever asks, for what plain NATS takes: `floor.<peel>`.
pub const FLOOR: &str = "floor";

/// Simulated peels.
pub struct Crowd {
    peels: Vec<Arc<Simulated>>,
    tasks: JoinSet<()>,
}

/// One of them.
struct Simulated {
    id: PeelId,
    bus: Bus,
    anchor: Anchor,
    facts: Arc<Facts>,
    ledger: Mutex<Ledger>,
    /// How often each job was executed.
    executed: Mutex<HashMap<JobId, u64>>,
    /// The session in which it has sent its facts and asked for what waits.
    current: AtomicU64,
}

impl Crowd {
    /// Starts `count` peels with these names: `<prefix>-1`, …
    ///
    /// # Panics
    /// When a name is no id, or the options of the connection are wrong.
    pub async fn start(
        prefix: &str,
        count: usize,
        anchor: &Anchor,
        facts: &Facts,
        options: &(dyn Fn(&str) -> BusOptions + Sync),
    ) -> Self {
        let facts = Arc::new(facts.clone());
        let peels: Vec<_> = stream::iter(1..=count)
            .map(|n| {
                let (name, facts) = (format!("{prefix}-{n}"), facts.clone());
                async move {
                    let id = PeelId::new(&name).expect("an id");
                    let mut options = options(&name);
                    options.subscription_capacity = 1_024;
                    let bus = Bus::open(options).await.expect("a connection");
                    bus.connected().await.expect("it is not closed");
                    Arc::new(Simulated {
                        ledger: Mutex::new(Ledger::new(id.clone())),
                        id,
                        bus,
                        anchor: anchor.clone(),
                        facts,
                        executed: Mutex::default(),
                        current: AtomicU64::new(0),
                    })
                }
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut tasks = JoinSet::new();
        for peel in &peels {
            tasks.spawn(live(peel.clone()));
        }
        Self { peels, tasks }
    }

    /// How many have told their facts and asked for what waits since their connection number `session`.
    pub fn current(&self, session: u64) -> usize {
        self.peels.iter().filter(|p| p.current.load(Ordering::Relaxed) >= session).count()
    }

    /// All executions of all jobs: how often each peel has executed each job.
    pub fn executed(&self) -> HashMap<(JobId, PeelId), u64> {
        let mut found = HashMap::new();
        for peel in &self.peels {
            for (jid, times) in lock(&peel.executed).iter() {
                found.insert((jid.clone(), peel.id.clone()), *times);
            }
        }
        found
    }

    /// Lets all peels tell their facts again.
    pub async fn tell_facts(&self) {
        stream::iter(&self.peels)
            .for_each_concurrent(None, |peel| async move {
                while !peel.tell_facts().await {
                    tokio::time::sleep(AGAIN).await;
                }
            })
            .await;
    }

    /// Ends all of them.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        stream::iter(self.peels)
            .for_each_concurrent(AT_ONCE, |peel| async move {
                peel.bus.drain().await;
            })
            .await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Work = FuturesUnordered<BoxFuture<'static, ()>>;

async fn live(peel: Arc<Simulated>) {
    let own = subject::command(&peel.id);
    let floor = format!("{FLOOR}.{}", peel.id);
    let (mut commands, mut all, mut cancels, mut asked) = loop {
        let subscribed = tokio::try_join!(
            peel.bus.subscribe(&own),
            peel.bus.subscribe(subject::COMMAND_ALL),
            peel.bus.subscribe(subject::CANCELS),
            peel.bus.subscribe(&floor),
        );
        if let Ok(subscribed) = subscribed {
            break subscribed;
        }
        tokio::time::sleep(AGAIN).await;
    };
    let mut work: Work = FuturesUnordered::new();
    let (mut state, mut session) = (peel.bus.state(), 0);
    state.mark_changed();
    loop {
        let message = tokio::select! {
            message = commands.next() => message,
            message = all.next() => message,
            message = cancels.next() => message,
            Some(message) = asked.next() => {
                work.push(answer(peel.clone(), message.reply.map(|r| r.to_string()), message.payload.to_vec()).boxed());
                continue;
            }
            Some(()) = work.next(), if !work.is_empty() => continue,
            changed = state.changed() => {
                if changed.is_err() {
                    return;
                }
                if let zester_executor::bus::ConnectionState::Connected { session: now } = *state.borrow_and_update()
                    && now > session
                {
                    session = now;
                    work.push(catch_up(peel.clone(), now).boxed());
                }
                continue;
            }
        };
        let Some(message) = message else { return };
        if let Some(more) = peel.take(&message.payload) {
            work.push(carry_out(peel.clone(), more).boxed());
        }
    }
}

/// After an envelope: what is to be sent.
struct Due {
    jid: JobId,
    ack: Option<u64>,
}

/// Acknowledges, runs what waits, and sends what is not stored.
async fn carry_out(peel: Arc<Simulated>, due: Due) {
    if let Some(epoch) = due.ack
        && let Ok(bytes) = codec::encode(&Ack { v: VERSION, epoch, time_ms: now_ms() })
    {
        let _ = peel.bus.publish(&subject::report(&due.jid, Report::Ack, &peel.id), bytes).await;
    }
    let Some(result) = peel.execute(&due.jid) else { return };
    let Ok(bytes) = codec::encode(&result) else { return };
    peel.store(&due.jid, &bytes).await;
    lock(&peel.ledger).apply(&Record::Stored { jid: due.jid });
}

/// Tells the facts and takes what waits.
async fn catch_up(peel: Arc<Simulated>, session: u64) {
    let subject = subject::up(&peel.id, Verb::Pending);
    let mut pause = Duration::from_millis(200);
    let mut told = false;
    loop {
        told = told || peel.tell_facts().await;
        if told && let Some(waiting) = peel.pending(&subject).await {
            let more = waiting.more && !waiting.envelopes.is_empty();
            for envelope in &waiting.envelopes {
                if let Some(due) = peel.take(envelope) {
                    carry_out(peel.clone(), due).await;
                }
            }
            if !more {
                peel.current.fetch_max(session, Ordering::Relaxed);
                return;
            }
        }
        if peel.bus.connected().await.is_ok_and(|now| now > session) {
            // The next session's turn.
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(10));
    }
}

/// Answers at once; where a job is named, when a return of it is stored.
async fn answer(peel: Arc<Simulated>, reply: Option<String>, payload: Vec<u8>) {
    if let Some(reply) = reply {
        let _ = peel.bus.publish(&reply, payload).await;
    } else if let Some(jid) = std::str::from_utf8(&payload).ok().and_then(|t| JobId::new(t).ok()) {
        peel.store(&jid, &[0; 120]).await;
        let _ = peel.bus.publish(&subject::report(&jid, Report::Progress, &peel.id), "").await;
    }
}

impl Simulated {
    /// Judges an envelope; what follows is to be done.
    fn take(&self, payload: &[u8]) -> Option<Due> {
        let request = verify(&self.anchor, payload, now_ms()).ok()?;
        let mut ledger = lock(&self.ledger);
        let verdict = ledger.offer(&request, now_ms());
        let (records, ack) = match verdict {
            Verdict::Accept(record) | Verdict::Again(Some(record)) => (vec![record], true),
            Verdict::Again(None) => (Vec::new(), true),
            Verdict::Refuse(records) | Verdict::Cancel { records, .. } => (records, false),
            Verdict::Drop(_) => return None,
        };
        for record in &records {
            ledger.apply(record);
        }
        Some(Due { jid: request.jid, ack: ack.then_some(request.epoch) })
    }

    /// The job's return, if there is one to send.
    fn execute(&self, jid: &JobId) -> Option<JobReturn> {
        let now = now_ms();
        let mut ledger = lock(&self.ledger);
        match ledger.begin(jid, now) {
            Some(Ok(started)) => {
                ledger.apply(&started);
                *lock(&self.executed).entry(jid.clone()).or_default() += 1;
                let result = JobReturn {
                    v: VERSION,
                    status: PeelStatus::Done,
                    epoch: ledger.epoch(jid).unwrap_or_default(),
                    started_ms: Some(now),
                    finished_ms: now_ms(),
                    outcome: JobOutcome::Value(Value::Bool(true)),
                    error: None,
                    truncated: false,
                };
                ledger.apply(&Record::Finished { jid: jid.clone(), result: Box::new(result) });
            }
            Some(Err(expired)) => ledger.apply(&expired),
            None => {}
        }
        ledger.unstored().find(|(of, _)| *of == jid).map(|(_, result)| result.clone())
    }

    /// Sends a return until it is stored.
    async fn store(&self, jid: &JobId, bytes: &[u8]) {
        while store::write_return(&self.bus, jid, &self.id, bytes.to_vec()).await.is_err() {
            let _ = self.bus.connected().await;
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn tell_facts(&self) -> bool {
        let mut facts = (*self.facts).clone();
        facts.set_id(self.id.to_string());
        let Ok(bytes) = codec::encode(&facts) else { return true };
        self.bus.store(&subject::fact(&self.id), None, bytes).await.is_ok()
    }

    async fn pending(&self, subject: &str) -> Option<PendingJobs> {
        let hello = PeelHello {
            v: VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.id.to_string(),
            running: lock(&self.ledger).running().cloned().collect(),
            time_ms: now_ms(),
        };
        let answer = self.bus.request(subject, codec::encode(&hello).ok()?).await.ok()?;
        codec::decode(&answer.payload).ok()
    }
}
