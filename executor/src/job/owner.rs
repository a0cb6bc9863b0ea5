//! A job that this master owns, from the claim to its final record. A state machine without I/O: events and time in, effects out.
//!
//! Nothing is sent before the claim is stored and the answers are listened to. Every write is a compare-and-set with a nonce of its own; one
//! whose answer is lost is looked up, never assumed. A master whose heartbeat is not confirmed stops sending by its own clock.

use super::message::{Batch, Job, JobRecord, JobStatus, PeelStatus, TARGETS_PER_CHUNK, TargetChunk, VERSION};
use crate::bus::{
    id::{AdminId, JobId, MasterId, PeelId},
    subject::Record,
};
use indexmap::IndexMap;

/// A peel that has not acknowledged so long after the last sending, or after the last peel's first answer, counts as unreachable, in
/// milliseconds.
pub const ACK_WAIT_MS: u64 = 10_000;
/// When to send again to peels that have not acknowledged, in milliseconds after the first sending or the last peel's first answer.
const RESEND_MS: [u64; 2] = [1_000, 4_000];
/// How long after the deadline returns are waited for, in milliseconds.
const GRACE_MS: u64 = 2_000;
/// How long peels have to confirm a cancellation, in milliseconds. They give a program that runs ten seconds before they end it.
const CANCEL_WAIT_MS: u64 = 20_000;
/// Without a confirmed heartbeat for so long, in milliseconds, a master sends nothing more: half of what its heartbeat lives.
pub const CONFIRMED_FOR_MS: u64 = 7_500;
/// The first and the longest pause between attempts of a write, in milliseconds.
const RETRY_MS: (u64, u64) = (100, 5_000);

/// What the master is to do for the job.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Store the lists of targets; those that are there already are the same.
    StoreTargets(Vec<TargetChunk>),
    /// Create the record.
    Create(Box<JobRecord>),
    /// Replace the record of this revision.
    Update(Box<JobRecord>, u64),
    /// Read the record from the leader.
    Read,
    /// Listen to acknowledgements and returns, confirmed by the server.
    Subscribe,
    /// Sign and send to these peels.
    Send(Vec<PeelId>),
    /// Look up the stored returns of these peels.
    Fetch(Vec<PeelId>),
    /// Publish the record to the stream of job events.
    Announce(Record),
    /// Sign and publish the cancellation.
    Cancel,
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The lists of targets are stored.
    TargetsStored,
    /// The record is stored, with this revision.
    Written(u64),
    /// Somebody else wrote before.
    Conflict,
    /// No answer, or an error that says nothing of the write.
    Unknown,
    /// The record and its revision.
    Record(Option<(Box<JobRecord>, u64)>),
    /// Answers are listened to.
    Subscribed,
    /// A peel has accepted.
    Ack(PeelId),
    /// A peel is at it.
    Running(PeelId),
    /// A peel has ended.
    Returned(PeelId, PeelStatus),
    /// What is stored, of those that were asked for.
    Fetched(Vec<(PeelId, PeelStatus)>),
    /// Looking up failed.
    FetchFailed,
    /// An operator wants it stopped.
    CancelRequested(Option<String>),
    /// The connection was lost for a while: answers may have been missed.
    Reconnected,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// Target lists are being stored.
    Targets,
    /// The claim is being written.
    Claiming,
    /// Being subscribed.
    Subscribing,
    /// Sent out, answers come in.
    Collecting,
    /// The last look at stored returns.
    Checking,
    /// The final record is being written.
    Finishing,
    /// All is said.
    Done,
    /// Another master has it.
    Superseded,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Write {
    Idle,
    InFlight,
    /// The answer was lost; the record is being read.
    Verifying,
    /// To be tried again at this time.
    Waiting(u64),
}

/// A job and where it stands.
#[derive(Clone, Debug)]
pub struct Owner {
    me: MasterId,
    record: JobRecord,
    /// Of the stored record; nothing before the claim.
    revision: Option<u64>,
    peels: Vec<PeelId>,
    states: Vec<PeelStatus>,
    counts: IndexMap<PeelStatus, u64>,
    step: Step,
    write: Write,
    /// A record to be written as soon as nothing is in flight.
    dirty: bool,
    attempts: u32,
    nonces: u64,
    /// Peels before this place were sent to.
    sent_to: usize,
    /// Where the present portion begins.
    portion: usize,
    sent_ms: u64,
    /// When a peel last answered for the first time.
    answered_ms: u64,
    resends: usize,
    /// The portion was over at this time.
    portion_over_ms: Option<u64>,
    fetching: bool,
    fetch_again_ms: Option<u64>,
    canceled_ms: Option<u64>,
    confirmed_ms: u64,
}

impl Owner {
    /// Takes a new job: the first effects store its targets. `peels` is whom the target matched, `tree` the newest
    /// revision of the published tree.
    pub fn claim(
        me: MasterId,
        user: AdminId,
        job: &Job,
        mut peels: Vec<PeelId>,
        tree: Option<u64>,
        now_ms: u64,
    ) -> (Self, Vec<Effect>) {
        peels.sort_unstable();
        peels.dedup();
        let record = JobRecord {
            v: VERSION,
            jid: job.jid.clone(),
            call: job.call.clone(),
            expression: job.targets.expression.clone(),
            tree,
            targets: peels.len() as u64,
            batch: job.batch.clone(),
            user,
            status: JobStatus::Claimed,
            owner: Some(me.clone()),
            epoch: 1,
            created_ms: job.created_ms,
            updated_ms: now_ms,
            deadline_ms: now_ms.saturating_add(job.timeout_ms),
            counts: IndexMap::new(),
            reason: None,
            sent: None,
            nonce: String::new(),
            metadata: job.metadata.clone(),
        };
        let chunks =
            peels.chunks(TARGETS_PER_CHUNK).map(|c| TargetChunk { v: VERSION, peels: c.to_vec() }).collect();
        (Self::new(me, record, None, peels, Step::Targets, now_ms), vec![Effect::StoreTargets(chunks)])
    }

    /// Takes over a job whose owner is gone.
    pub fn adopt(
        me: MasterId,
        record: JobRecord,
        revision: u64,
        peels: Vec<PeelId>,
        now_ms: u64,
    ) -> (Self, Vec<Effect>) {
        let mut owner = Self::new(me, record, Some(revision), peels, Step::Claiming, now_ms);
        owner.record.epoch += 1;
        owner.record.owner = Some(owner.me.clone());
        owner.record.status = JobStatus::Running;
        let effects = owner.store(now_ms);
        (owner, effects)
    }

    fn new(
        me: MasterId,
        record: JobRecord,
        revision: Option<u64>,
        peels: Vec<PeelId>,
        step: Step,
        now_ms: u64,
    ) -> Self {
        let counts = IndexMap::from([(PeelStatus::Pending, peels.len() as u64)]);
        Self {
            states: vec![PeelStatus::Pending; peels.len()],
            me,
            record,
            revision,
            peels,
            counts,
            step,
            write: Write::Idle,
            dirty: false,
            attempts: 0,
            nonces: 0,
            sent_to: 0,
            portion: 0,
            sent_ms: now_ms,
            answered_ms: 0,
            resends: 0,
            portion_over_ms: None,
            fetching: false,
            fetch_again_ms: None,
            canceled_ms: None,
            confirmed_ms: now_ms,
        }
    }

    /// The record as this master has it.
    pub fn record(&self) -> &JobRecord {
        &self.record
    }

    /// Its peels, sorted, each with its status.
    pub fn peels(&self) -> impl Iterator<Item = (&PeelId, PeelStatus)> {
        self.peels.iter().zip(self.states.iter().copied())
    }

    /// Whether nothing more will follow.
    pub fn is_over(&self) -> bool {
        matches!(self.step, Step::Done | Step::Superseded)
    }

    /// Whether the claim is stored.
    pub fn is_claimed(&self) -> bool {
        self.revision.is_some()
    }

    /// Whether another master has taken it.
    pub fn is_superseded(&self) -> bool {
        self.step == Step::Superseded
    }

    /// The master's heartbeat is stored, at this time of its own clock.
    pub fn confirm(&mut self, now_ms: u64) {
        self.confirmed_ms = self.confirmed_ms.max(now_ms);
    }

    /// Something happened.
    pub fn handle(&mut self, event: Event, now_ms: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::TargetsStored if self.step == Step::Targets => {
                self.step = Step::Claiming;
                effects.extend(self.store(now_ms));
            }
            Event::Written(revision) => self.written(revision, &mut effects, now_ms),
            Event::Conflict if self.write == Write::InFlight => {
                self.write = Write::Verifying;
                effects.push(Effect::Read);
            }
            Event::Unknown => match (self.step, self.write) {
                (Step::Targets, _) => self.write = self.pause(now_ms),
                (_, Write::InFlight) => {
                    self.write = Write::Verifying;
                    effects.push(Effect::Read);
                }
                // The look-up failed too.
                (_, Write::Verifying) => self.write = self.pause(now_ms),
                _ => {}
            },
            Event::Record(found) if self.write == Write::Verifying => {
                self.verified(found, &mut effects, now_ms);
            }
            Event::Subscribed if self.step == Step::Subscribing => {
                self.step = Step::Collecting;
                if self.record.epoch > 1 {
                    // Who has answered the former owner is stored.
                    self.fetch(&mut effects);
                } else if self.may_send(now_ms) {
                    self.send_portion(&mut effects, now_ms);
                }
                if self.record.status != JobStatus::Running {
                    self.record.status = JobStatus::Running;
                    effects.extend(self.store(now_ms));
                }
            }
            Event::Ack(peel) => self.answered(&peel, PeelStatus::Acked, now_ms),
            Event::Running(peel) => self.answered(&peel, PeelStatus::Running, now_ms),
            Event::Returned(peel, status) => self.answered(&peel, status, now_ms),
            Event::Fetched(found) => {
                self.fetching = false;
                for (peel, status) in &found {
                    self.heard(peel, *status);
                }
                match self.step {
                    Step::Checking => effects.extend(self.finish(now_ms)),
                    Step::Collecting if self.sent_to == 0 && self.may_send(now_ms) => {
                        self.send_portion(&mut effects, now_ms);
                    }
                    _ => {}
                }
            }
            Event::FetchFailed => {
                self.fetching = false;
                self.fetch_again_ms = Some(now_ms + 1_000);
            }
            Event::CancelRequested(reason) if !self.is_over() && self.canceled_ms.is_none() => {
                self.record.reason = reason.or_else(|| Some("canceled by an operator".to_owned()));
                self.canceled_ms = Some(now_ms);
                effects.push(Effect::Cancel);
            }
            Event::Reconnected if matches!(self.step, Step::Collecting) => self.fetch(&mut effects),
            _ => {}
        }
        effects.extend(self.advance(now_ms));
        effects
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ms: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Write::Waiting(at) = self.write
            && now_ms >= at
        {
            self.write = Write::Idle;
            match (self.step, self.revision) {
                (Step::Targets, _) => {
                    let chunks = self.peels.chunks(TARGETS_PER_CHUNK);
                    effects.push(Effect::StoreTargets(
                        chunks.map(|c| TargetChunk { v: VERSION, peels: c.to_vec() }).collect(),
                    ));
                }
                // It may have been stored after all: look before writing again.
                _ => {
                    self.write = Write::Verifying;
                    effects.push(Effect::Read);
                }
            }
        }
        if self.fetch_again_ms.is_some_and(|at| now_ms >= at) {
            self.fetch_again_ms = None;
            self.fetch(&mut effects);
        }
        effects.extend(self.advance(now_ms));
        effects
    }

    fn written(&mut self, revision: u64, effects: &mut Vec<Effect>, now_ms: u64) {
        if !matches!(self.write, Write::InFlight | Write::Verifying) {
            return;
        }
        self.revision = Some(revision);
        self.write = Write::Idle;
        self.attempts = 0;
        match self.step {
            // What was written is not the newest.
            _ if self.dirty => effects.extend(self.store(now_ms)),
            Step::Claiming => {
                self.step = Step::Subscribing;
                effects.push(Effect::Subscribe);
                effects.push(Effect::Announce(Record::Dispatch));
            }
            Step::Finishing => {
                self.step = Step::Done;
                effects.push(Effect::Announce(Record::Status));
            }
            _ => {}
        }
    }

    /// A write's answer was lost, or somebody wrote before: the record tells.
    fn verified(&mut self, found: Option<(Box<JobRecord>, u64)>, effects: &mut Vec<Effect>, now_ms: u64) {
        match found {
            Some((record, revision)) if record.nonce == self.record.nonce => {
                self.written(revision, effects, now_ms);
            }
            // Still what it was before: the write was lost.
            Some((_, revision)) if Some(revision) == self.revision => self.write_again(effects),
            // An older write of ours that came late.
            Some((record, revision))
                if record.owner.as_ref() == Some(&self.me)
                    && record.epoch == self.record.epoch
                    && !record.status.is_final() =>
            {
                self.revision = Some(revision);
                self.write_again(effects);
            }
            Some(_) => {
                self.step = Step::Superseded;
                self.write = Write::Idle;
            }
            None if self.revision.is_none() => self.write_again(effects),
            // It was there and is gone: past its time, or removed. Nobody waits for it.
            None => {
                self.step = Step::Superseded;
                self.write = Write::Idle;
            }
        }
    }

    /// Writes the record, or remembers to.
    fn store(&mut self, now_ms: u64) -> Vec<Effect> {
        if self.write != Write::Idle {
            self.dirty = true;
            return Vec::new();
        }
        self.dirty = false;
        self.nonces += 1;
        self.record.nonce = format!("{}.{}.{}", self.me, self.record.epoch, self.nonces);
        self.record.updated_ms = now_ms;
        let mut effects = Vec::new();
        self.write_again(&mut effects);
        effects
    }

    fn write_again(&mut self, effects: &mut Vec<Effect>) {
        self.write = Write::InFlight;
        let record = Box::new(self.record.clone());
        effects.push(match self.revision {
            Some(revision) => Effect::Update(record, revision),
            None => Effect::Create(record),
        });
    }

    fn pause(&mut self, now_ms: u64) -> Write {
        let pause = RETRY_MS.0.saturating_mul(1 << self.attempts.min(10)).min(RETRY_MS.1);
        self.attempts += 1;
        Write::Waiting(now_ms + pause)
    }

    /// What a peel says.
    fn answered(&mut self, peel: &PeelId, status: PeelStatus, now_ms: u64) {
        if self.heard(peel, status) == Some(PeelStatus::Pending) {
            self.answered_ms = now_ms;
        }
    }

    /// A peel's status, if it is news: a final one stays, and none goes back. Gives the one before.
    fn heard(&mut self, peel: &PeelId, status: PeelStatus) -> Option<PeelStatus> {
        let place = self.peels.binary_search(peel).ok()?;
        let known = self.states.get_mut(place)?;
        if known.is_final() || (!status.is_final() && status <= *known) {
            return None;
        }
        let before = *known;
        if let Some(count) = self.counts.get_mut(known) {
            *count -= 1;
        }
        *known = status;
        *self.counts.entry(status).or_default() += 1;
        Some(before)
    }

    /// Whether this master may send now: not canceled, and its heartbeat confirmed lately.
    fn may_send(&self, now_ms: u64) -> bool {
        self.canceled_ms.is_none() && now_ms.saturating_sub(self.confirmed_ms) < CONFIRMED_FOR_MS
    }

    fn count(&self, status: PeelStatus) -> u64 {
        self.counts.get(&status).copied().unwrap_or_default()
    }

    fn failures(&self) -> u64 {
        use PeelStatus::{Expired, Failed, Interrupted, Unreachable};
        [Failed, Expired, Interrupted, Unreachable].map(|s| self.count(s)).iter().sum()
    }

    /// Looks up the stored returns of peels that have not ended.
    fn fetch(&mut self, effects: &mut Vec<Effect>) {
        if self.fetching {
            return;
        }
        let missing: Vec<PeelId> =
            self.peels().filter(|(_, s)| !s.is_final()).map(|(p, _)| p.clone()).collect();
        self.fetching = true;
        effects.push(Effect::Fetch(missing));
    }

    /// Sends to the next portion.
    fn send_portion(&mut self, effects: &mut Vec<Effect>, now_ms: u64) {
        let size = self.record.batch.as_ref().map_or(u64::MAX, |b| b.size.max(1));
        let end =
            self.sent_to.saturating_add(usize::try_from(size).unwrap_or(usize::MAX)).min(self.peels.len());
        self.portion = self.sent_to;
        self.sent_to = end;
        self.portion_over_ms = None;
        self.sent_ms = now_ms;
        self.resends = 0;
        self.send(effects);
    }

    /// Sends to those of the present portion that have neither acknowledged nor ended.
    fn send(&self, effects: &mut Vec<Effect>) {
        let portion = self.peels.iter().zip(&self.states).take(self.sent_to).skip(self.portion);
        let to: Vec<PeelId> =
            portion.filter(|(_, s)| **s == PeelStatus::Pending).map(|(p, _)| p.clone()).collect();
        if !to.is_empty() {
            effects.push(Effect::Send(to));
        }
    }

    /// What follows from where the job stands.
    fn advance(&mut self, now_ms: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.step != Step::Collecting || self.fetching && self.sent_to == 0 {
            return effects;
        }
        let ended: u64 = self.counts.iter().filter(|(s, _)| s.is_final()).map(|(_, n)| n).sum();
        if ended == self.peels.len() as u64 {
            effects.extend(self.finish(now_ms));
            return effects;
        }
        // A former owner may have sent to any of them.
        let asked = if self.record.epoch > 1 { self.peels.len() } else { self.sent_to };
        let canceled = self.canceled_ms.is_some_and(|at| {
            now_ms >= at + CANCEL_WAIT_MS || self.states.iter().take(asked).all(|s| s.is_final())
        });
        if canceled || now_ms >= self.record.deadline_ms.saturating_add(GRACE_MS) {
            self.check(&mut effects);
            return effects;
        }
        if self.canceled_ms.is_some() {
            return effects;
        }
        let confirmed = self.may_send(now_ms);
        let (waiting, silent) = if self.portion == 0 && self.sent_to == self.peels.len() {
            (self.peels.len() - ended as usize, self.count(PeelStatus::Pending) as usize)
        } else {
            let portion = self.states.get(self.portion..self.sent_to).unwrap_or_default();
            let count = |is: fn(&PeelStatus) -> bool| portion.iter().filter(|s| is(s)).count();
            (count(|s| !s.is_final()), count(|s| *s == PeelStatus::Pending))
        };
        // As long as peels answer for the first time, the others have not had their turn: thousands take seconds.
        let since = now_ms.saturating_sub(self.sent_ms.max(self.answered_ms));
        if silent > 0
            && confirmed
            && RESEND_MS.get(self.resends).is_some_and(|&after| since >= after && since < ACK_WAIT_MS)
        {
            self.resends += 1;
            self.send(&mut effects);
        }
        let given_up = silent > 0 && since >= ACK_WAIT_MS;
        let over = waiting == 0 || (given_up && silent == waiting);
        if !over {
            return effects;
        }
        if self.sent_to >= self.peels.len() {
            // Only silent ones are left; perhaps an answer was missed.
            self.check(&mut effects);
            return effects;
        }
        let limit = self.record.batch.as_ref().and_then(|b| b.fail_limit);
        if limit.is_some_and(|l| self.failures() + silent as u64 >= l) {
            self.record.reason = Some(format!(
                "stopped after {} failures: {} peels were not sent to",
                self.failures() + silent as u64,
                self.peels.len() - self.sent_to
            ));
            self.record.sent = Some(self.sent_to as u64);
            for place in self.sent_to..self.peels.len() {
                if let Some(peel) = self.peels.get(place).cloned() {
                    self.heard(&peel, PeelStatus::Canceled);
                }
            }
            self.sent_to = self.peels.len();
            self.check(&mut effects);
            return effects;
        }
        let over_ms = *self.portion_over_ms.get_or_insert(now_ms);
        let wait = self.record.batch.as_ref().map_or(0, |Batch { wait_ms, .. }| *wait_ms);
        if confirmed && now_ms >= over_ms.saturating_add(wait) {
            self.send_portion(&mut effects, now_ms);
        }
        effects
    }

    /// One more look at what is stored, then the end.
    fn check(&mut self, effects: &mut Vec<Effect>) {
        self.step = Step::Checking;
        self.fetching = false;
        self.fetch(effects);
    }

    fn finish(&mut self, now_ms: u64) -> Vec<Effect> {
        for place in 0..self.peels.len() {
            if self.states.get(place) == Some(&PeelStatus::Pending)
                && let Some(peel) = self.peels.get(place).cloned()
            {
                let sent = place < self.sent_to;
                self.heard(&peel, if sent { PeelStatus::Unreachable } else { PeelStatus::Canceled });
            }
        }
        if self.sent_to < self.peels.len() {
            self.record.sent = Some(self.sent_to as u64);
        }
        self.step = Step::Finishing;
        self.record.counts = self.counts.iter().filter(|(_, n)| **n > 0).map(|(s, n)| (*s, *n)).collect();
        self.record.status = status(&self.record.counts, self.canceled_ms.is_some());
        self.store(now_ms)
    }
}

/// A job's status from its peels' statuses.
pub fn status(counts: &IndexMap<PeelStatus, u64>, canceled: bool) -> JobStatus {
    let count = |status| counts.get(&status).copied().unwrap_or_default();
    let total: u64 = counts.values().sum();
    let (done, open) = (count(PeelStatus::Done), [PeelStatus::Acked, PeelStatus::Running].map(count));
    let silent = count(PeelStatus::Unreachable) + count(PeelStatus::Pending) + open.iter().sum::<u64>();
    if canceled {
        JobStatus::Canceled
    } else if done == total {
        JobStatus::Complete
    } else if silent == total {
        JobStatus::Timeout
    } else if done == 0 && silent == 0 {
        JobStatus::Failed
    } else {
        JobStatus::Partial
    }
}

/// Which jobs to adopt: not ended, and their owner was missing at this look and at the last one.
pub fn orphans<'r>(
    records: impl IntoIterator<Item = &'r JobRecord>,
    is_alive: impl Fn(&MasterId) -> bool,
    was_alive: impl Fn(&MasterId) -> bool,
) -> Vec<JobId> {
    let gone = |owner: &MasterId| !is_alive(owner) && !was_alive(owner);
    records
        .into_iter()
        .filter(|r| !r.status.is_final() && r.owner.as_ref().is_none_or(gone))
        .map(|r| r.jid.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bus::id::AdminId,
        job::message::{Call, Targets},
    };

    #[test]
    fn silent_peels_are_asked_again_when_no_other_answers_any_more() {
        let peels: Vec<PeelId> = ["a", "b", "c"].iter().map(|name| PeelId::new(name).unwrap()).collect();
        let job = Job {
            v: VERSION,
            jid: JobId::generate(),
            call: Call::default(),
            targets: Targets {
                expression: "*".into(),
                peels: peels.clone(),
                count: 3,
                digest: String::new(),
            },
            timeout_ms: 60_000,
            batch: None,
            created_ms: 0,
            metadata: IndexMap::new(),
        };
        let alice = AdminId::new("alice").unwrap();
        let (mut owner, _) = Owner::claim(MasterId::generate(), alice, &job, peels.clone(), None, 0);
        for event in [Event::TargetsStored, Event::Written(1)] {
            owner.handle(event, 0);
        }
        let sent = |effects: Vec<Effect>| {
            effects.into_iter().find_map(|e| if let Effect::Send(to) = e { Some(to) } else { None })
        };
        assert_eq!(sent(owner.handle(Event::Subscribed, 0)), Some(peels.clone()));
        assert_eq!(sent(owner.handle(Event::Ack(peels[0].clone()), 900)), None);
        assert_eq!(sent(owner.tick(1_500)), None, "the first one has answered a moment ago");
        // What is known already is no sign of life.
        assert_eq!(sent(owner.handle(Event::Ack(peels[0].clone()), 1_800)), None);
        assert_eq!(sent(owner.tick(1_900)), Some(peels[1..].to_vec()));
        assert_eq!(sent(owner.handle(Event::Ack(peels[1].clone()), 2_000)), None);
        owner.confirm(6_000);
        assert_eq!(sent(owner.tick(6_000)), Some(peels[2..].to_vec()));
        assert_eq!(sent(owner.tick(9_000)), None);
        let peel_c_is_given_up = |effects: Vec<Effect>| effects.iter().any(|e| matches!(e, Effect::Fetch(_)));
        for (answered, peel) in [(11_000, &peels[0]), (11_500, &peels[1])] {
            owner.handle(Event::Returned(peel.clone(), PeelStatus::Done), answered);
        }
        assert!(!peel_c_is_given_up(owner.tick(11_999)), "ten seconds after the last answer");
        assert!(peel_c_is_given_up(owner.tick(12_000)));
    }
}
