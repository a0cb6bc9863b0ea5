//! Histories of jobs under faults, each from a seed: masters and peels are the real state machines, the network, the store and the clock are
//! simulated. Messages are lost, doubled and late; answers to writes are lost; masters die and freeze; peels crash and lose what was not synced.
//!
//! `ZESTER_HISTORIES` says how many are tried, `ZESTER_SEED` where to begin; a failure names its seed.

use super::{
    ledger::{Ledger, Record, Verdict},
    message::{
        Call, ExecRequest, ExecVerb, Job, JobOutcome, JobRecord, JobReturn, JobStatus, PeelStatus, Targets,
        VERSION,
    },
    owner::{Effect, Event, Owner, orphans},
};
use crate::bus::id::{AdminId, JobId, MasterId, PeelId};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

/// A small generator: splitmix64. The same seed is the same history everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[derive(Debug)]
enum Happening {
    MasterHears { master: usize, life: u64, jid: JobId, event: Event },
    MasterTicks { master: usize, life: u64 },
    MasterScans { master: usize, life: u64 },
    MasterRestarts(usize),
    PeelGets { peel: usize, request: ExecRequest },
    PeelTicks(usize),
    PeelEnds { peel: usize, life: u64, jid: JobId },
    PeelRestarts(usize),
    Asked { job: Box<Job>, to: usize },
    CancelAsked { jid: JobId },
}

struct Master {
    id: MasterId,
    life: u64,
    up: bool,
    frozen_until: u64,
    owners: BTreeMap<JobId, Owner>,
    alive_before: BTreeSet<MasterId>,
    /// The store has its heartbeat until then.
    heartbeat_until: u64,
}

struct Peel {
    id: PeelId,
    life: u64,
    up: bool,
    ledger: Ledger,
    /// What is on the disk, and how much of it is synced.
    journal: Vec<Record>,
    synced: usize,
    running: Option<JobId>,
}

struct World {
    random: Random,
    now: u64,
    /// No faults after this time.
    calm_at: u64,
    loss: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    serial: u64,
    records: BTreeMap<JobId, (JobRecord, u64)>,
    targets: BTreeMap<JobId, Vec<PeelId>>,
    cancels: BTreeSet<JobId>,
    revision: u64,
    returns: BTreeMap<(JobId, PeelId), JobReturn>,
    masters: Vec<Master>,
    peels: Vec<Peel>,
    executions: BTreeMap<(JobId, PeelId), u64>,
    accepted_epochs: BTreeMap<(JobId, PeelId), u64>,
    log: Vec<String>,
}

const START: u64 = 1_000_000;

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let (masters, peels) = (1 + random.below(3), 1 + random.below(4));
        let loss = [0, 5, 20, 40][random.below(4) as usize];
        let mut world = Self {
            now: START,
            calm_at: START + 60_000,
            loss,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            serial: 0,
            records: BTreeMap::new(),
            targets: BTreeMap::new(),
            cancels: BTreeSet::new(),
            revision: 0,
            returns: BTreeMap::new(),
            masters: Vec::new(),
            peels: Vec::new(),
            executions: BTreeMap::new(),
            accepted_epochs: BTreeMap::new(),
            log: Vec::new(),
            random,
        };
        for n in 0..masters as usize {
            world.masters.push(Master {
                id: MasterId::new(&format!("m{n}-1")).unwrap(),
                life: 1,
                up: true,
                frozen_until: 0,
                owners: BTreeMap::new(),
                alive_before: BTreeSet::new(),
                heartbeat_until: START + 15_000,
            });
            world.at(100, Happening::MasterTicks { master: n, life: 1 });
            world.at(5_000, Happening::MasterScans { master: n, life: 1 });
        }
        for n in 0..peels as usize {
            let id = PeelId::new(&format!("p{n}")).unwrap();
            world.peels.push(Peel {
                ledger: Ledger::new(id.clone()),
                id,
                life: 1,
                up: true,
                journal: Vec::new(),
                synced: 0,
                running: None,
            });
            world.at(50, Happening::PeelTicks(n));
        }
        for n in 0..=world.random.below(3) {
            let jid = JobId::new(&format!("j{n}")).unwrap();
            let job = world.job(&jid);
            let when = world.random.below(20_000);
            // An operator whose answer is lost asks again, perhaps another master.
            for again in 0..=world.random.below(3) {
                let to = world.random.below(masters) as usize;
                world.at(when + again * 3_000, Happening::Asked { job: Box::new(job.clone()), to });
            }
            if world.random.chance(15) {
                let when = when + world.random.below(15_000);
                world.at(when, Happening::CancelAsked { jid });
            }
        }
        for n in 0..masters as usize {
            while world.random.chance(40) {
                let when = world.random.below(50_000);
                world.at(when, Happening::MasterRestarts(n));
            }
        }
        for n in 0..peels as usize {
            while world.random.chance(40) {
                let when = world.random.below(50_000);
                world.at(when, Happening::PeelRestarts(n));
            }
        }
        world
    }

    fn job(&mut self, jid: &JobId) -> Job {
        let peels: Vec<PeelId> = self.peels.iter().map(|p| p.id.clone()).collect();
        let batch = self.random.chance(30).then(|| super::message::Batch {
            size: 1 + self.random.below(2),
            wait_ms: self.random.below(2_000),
            fail_limit: self.random.chance(50).then_some(1),
        });
        Job {
            v: VERSION,
            jid: jid.clone(),
            call: Call { function: "state.apply".into(), ..Call::default() },
            targets: Targets {
                expression: "*".into(),
                count: peels.len() as u64,
                peels,
                digest: String::new(),
            },
            timeout_ms: [5_000, 30_000, 100_000][self.random.below(3) as usize],
            batch,
            created_ms: self.now,
            metadata: indexmap::IndexMap::default(),
        }
    }

    fn at(&mut self, delay: u64, happening: Happening) {
        self.serial += 1;
        self.queue.push(Reverse((self.now + delay, self.serial)));
        self.happenings.insert(self.serial, happening);
    }

    fn faulty(&mut self, percent: u64) -> bool {
        self.now < self.calm_at && self.random.chance(percent)
    }

    fn delay(&mut self) -> u64 {
        match self.random.below(20) {
            0 if self.now < self.calm_at => self.random.below(8_000),
            _ => 1 + self.random.below(40),
        }
    }

    /// Over core NATS: lost, doubled, late.
    fn deliver(&mut self, make: impl Fn() -> Happening) {
        let loss = self.loss;
        if self.faulty(loss) {
            return;
        }
        for _ in 0..=u64::from(self.faulty(15)) {
            let delay = self.delay();
            self.at(delay, make());
        }
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if std::env::var_os("ZESTER_TRACE").is_some() {
            let line = format!("{:>8} {}", self.now - START, text());
            self.log.push(line);
        }
    }

    fn run(&mut self) {
        let end = START + 60_000 + 400_000;
        while let Some(Reverse((time, serial))) = self.queue.pop() {
            if time > end {
                break;
            }
            self.now = time;
            let Some(happening) = self.happenings.remove(&serial) else { continue };
            self.happen(happening, serial);
            self.check_always();
        }
    }

    fn happen(&mut self, happening: Happening, serial: u64) {
        if !matches!(
            happening,
            Happening::MasterTicks { .. } | Happening::PeelTicks(_) | Happening::MasterScans { .. }
        ) {
            self.note(|| format!("{happening:?}"));
        }
        match happening {
            Happening::MasterHears { master, life, .. }
            | Happening::MasterTicks { master, life }
            | Happening::MasterScans { master, life }
                if self.masters[master].life != life || !self.masters[master].up => {}
            Happening::MasterHears { master, .. }
            | Happening::MasterTicks { master, .. }
            | Happening::MasterScans { master, .. }
                if self.masters[master].frozen_until > self.now =>
            {
                // It sees everything at once when it goes on.
                self.queue.push(Reverse((self.masters[master].frozen_until, serial)));
                self.happenings.insert(serial, happening);
            }
            Happening::MasterHears { master, jid, event, .. } => self.tell_owner(master, &jid, event),
            Happening::MasterTicks { master, life } => self.master_tick(master, life),
            Happening::MasterScans { master, life } => self.master_scan(master, life),
            Happening::MasterRestarts(master) => self.master_restart(master),
            Happening::Asked { job, to } => self.asked(&job, to),
            Happening::CancelAsked { jid } => self.cancel_asked(&jid),
            Happening::PeelGets { peel, request } => self.peel_gets(peel, &request),
            Happening::PeelTicks(peel) => self.peel_tick(peel),
            Happening::PeelEnds { peel, life, jid } => self.peel_ends(peel, life, &jid),
            Happening::PeelRestarts(peel) => self.peel_restart(peel),
        }
    }

    // The masters.

    fn asked(&mut self, job: &Job, to: usize) {
        let m = &self.masters[to];
        if !m.up || m.frozen_until > self.now || m.owners.contains_key(&job.jid) {
            return;
        }
        let user = AdminId::new("alice").unwrap();
        let (owner, effects) =
            Owner::claim(m.id.clone(), user, job, job.targets.peels.clone(), None, self.now);
        self.masters[to].owners.insert(job.jid.clone(), owner);
        self.effects(to, &job.jid, effects);
    }

    fn cancel_asked(&mut self, jid: &JobId) {
        // Some master puts it down durably, then tells everybody.
        if !self.masters.iter().any(|m| m.up && m.frozen_until <= self.now) {
            return self.at(1_000, Happening::CancelAsked { jid: jid.clone() });
        }
        self.cancels.insert(jid.clone());
        for master in 0..self.masters.len() {
            let (life, jid) = (self.masters[master].life, jid.clone());
            self.deliver(|| Happening::MasterHears {
                master,
                life,
                jid: jid.clone(),
                event: Event::CancelRequested(None),
            });
        }
    }

    fn tell_owner(&mut self, master: usize, jid: &JobId, event: Event) {
        let now = self.now;
        let Some(owner) = self.masters[master].owners.get_mut(jid) else { return };
        let effects = owner.handle(event, now);
        self.effects(master, jid, effects);
    }

    fn master_tick(&mut self, master: usize, life: u64) {
        let now = self.now;
        let lost = self.faulty(30);
        let m = &mut self.masters[master];
        let renewed = now % 5_000 < 250 && !lost;
        if renewed {
            m.heartbeat_until = now + 15_000;
        }
        let mut all = Vec::new();
        for (jid, owner) in &mut m.owners {
            if renewed {
                owner.confirm(now);
            }
            all.push((jid.clone(), owner.tick(now)));
        }
        m.owners.retain(|_, o| !o.is_over());
        for (jid, effects) in all {
            self.effects(master, &jid, effects);
        }
        // Cancellations that were missed are found again.
        let missed: Vec<JobId> =
            self.masters[master].owners.keys().filter(|j| self.cancels.contains(*j)).cloned().collect();
        for jid in missed {
            self.tell_owner(master, &jid, Event::CancelRequested(None));
        }
        self.at(250, Happening::MasterTicks { master, life });
        if self.faulty(1) {
            self.masters[master].frozen_until = now + self.random.below(40_000);
        }
    }

    fn master_scan(&mut self, master: usize, life: u64) {
        let now = self.now;
        let alive: BTreeSet<MasterId> =
            self.masters.iter().filter(|m| m.up && m.heartbeat_until > now).map(|m| m.id.clone()).collect();
        let before = std::mem::replace(&mut self.masters[master].alive_before, alive.clone());
        let mine = self.masters[master].id.clone();
        let orphaned = orphans(
            self.records.values().map(|(r, _)| r),
            |m| alive.contains(m) || *m == mine,
            |m| before.contains(m) || *m == mine,
        );
        for jid in orphaned {
            let (record, revision) = self.records[&jid].clone();
            if self.masters[master].owners.contains_key(&jid) {
                continue;
            }
            let (owner, effects) =
                Owner::adopt(mine.clone(), record, revision, self.targets[&jid].clone(), now);
            self.masters[master].owners.insert(jid.clone(), owner);
            self.effects(master, &jid, effects);
        }
        self.at(5_000, Happening::MasterScans { master, life });
    }

    fn master_restart(&mut self, master: usize) {
        let m = &mut self.masters[master];
        if m.up {
            m.up = false;
            m.owners.clear();
            let delay = 500 + self.random.below(30_000);
            self.at(delay, Happening::MasterRestarts(master));
        } else {
            m.up = true;
            m.life += 1;
            m.id = MasterId::new(&format!("m{master}-{}", m.life)).unwrap();
            m.heartbeat_until = self.now + 15_000;
            m.alive_before.clear();
            let life = m.life;
            self.at(1, Happening::MasterTicks { master, life });
            self.at(5_000, Happening::MasterScans { master, life });
        }
    }

    fn effects(&mut self, master: usize, jid: &JobId, effects: Vec<Effect>) {
        for effect in effects {
            self.note(|| format!("  m{master} {jid}: {effect:?}"));
            match effect {
                Effect::StoreTargets(chunks) => {
                    let lost = self.faulty(20);
                    if !lost {
                        let peels = chunks.into_iter().flat_map(|c| c.peels).collect();
                        self.targets.entry(jid.clone()).or_insert(peels);
                    }
                    self.answer(master, jid, if lost { Event::Unknown } else { Event::TargetsStored });
                }
                Effect::Create(record) => self.write(master, jid, *record, None),
                Effect::Update(record, revision) => self.write(master, jid, *record, Some(revision)),
                Effect::Read => {
                    let found = self.records.get(jid).map(|(r, v)| (Box::new(r.clone()), *v));
                    let event = if self.faulty(20) { Event::Unknown } else { Event::Record(found) };
                    self.answer(master, jid, event);
                }
                Effect::Subscribe => self.answer(master, jid, Event::Subscribed),
                Effect::Fetch(peels) => {
                    let found = peels
                        .into_iter()
                        .filter_map(|p| {
                            let status = self.returns.get(&(jid.clone(), p.clone()))?.status;
                            Some((p, status))
                        })
                        .collect();
                    let event = if self.faulty(20) { Event::FetchFailed } else { Event::Fetched(found) };
                    self.answer(master, jid, event);
                }
                Effect::Send(peels) => {
                    let record = self.masters[master].owners[jid].record().clone();
                    for id in peels {
                        let request = envelope(&record, &id);
                        let peel = self.peels.iter().position(|p| p.id == id).unwrap();
                        self.deliver(|| Happening::PeelGets { peel, request: request.clone() });
                    }
                }
                Effect::Cancel => {
                    let record = self.masters[master].owners[jid].record().clone();
                    for peel in 0..self.peels.len() {
                        let request = ExecRequest {
                            verb: ExecVerb::Cancel,
                            targets: Vec::new(),
                            ..envelope(&record, &self.peels[peel].id)
                        };
                        self.deliver(|| Happening::PeelGets { peel, request: request.clone() });
                    }
                }
                Effect::Announce(_) => {}
            }
        }
    }

    /// A compare-and-set: it may be lost, and so may its answer.
    fn write(&mut self, master: usize, jid: &JobId, record: JobRecord, expected: Option<u64>) {
        if self.faulty(15) {
            return self.answer(master, jid, Event::Unknown);
        }
        if self.records.get(jid).map(|(_, v)| *v) != expected {
            return self.answer(master, jid, Event::Conflict);
        }
        self.revision += 1;
        self.records.insert(jid.clone(), (record, self.revision));
        let event = if self.faulty(15) { Event::Unknown } else { Event::Written(self.revision) };
        self.answer(master, jid, event);
    }

    fn answer(&mut self, master: usize, jid: &JobId, event: Event) {
        let (delay, life) = (self.delay(), self.masters[master].life);
        self.at(delay, Happening::MasterHears { master, life, jid: jid.clone(), event });
    }

    /// A peel's word reaches every master that owns the job; core NATS may lose it.
    fn report(&mut self, jid: &JobId, event: &Event) {
        for master in 0..self.masters.len() {
            if self.masters[master].up && self.masters[master].owners.contains_key(jid) {
                let life = self.masters[master].life;
                self.deliver(|| Happening::MasterHears {
                    master,
                    life,
                    jid: jid.clone(),
                    event: event.clone(),
                });
            }
        }
    }

    // The peels.

    fn put_down(&mut self, peel: usize, records: &[Record]) {
        let p = &mut self.peels[peel];
        for record in records {
            p.journal.push(record.clone());
            if record.must_sync() {
                p.synced = p.journal.len();
            }
            p.ledger.apply(record);
        }
    }

    fn peel_gets(&mut self, peel: usize, request: &ExecRequest) {
        if !self.peels[peel].up {
            return;
        }
        let id = self.peels[peel].id.clone();
        let verdict = self.peels[peel].ledger.offer(request, self.now);
        self.note(|| format!("  {id}: {verdict:?}"));
        let key = (request.jid.clone(), id.clone());
        match verdict {
            Verdict::Accept(record) => {
                let highest = self.accepted_epochs.get(&key).copied().unwrap_or_default();
                assert!(request.epoch >= highest, "a stale master's job was accepted");
                // What is not put down was never accepted.
                if self.crash_at(peel, 3) {
                    return;
                }
                self.accepted_epochs.insert((request.jid.clone(), id.clone()), request.epoch);
                self.put_down(peel, &[record]);
                self.report(&request.jid, &Event::Ack(id));
            }
            Verdict::Again(record) => {
                self.put_down(peel, record.as_slice());
                self.report(&request.jid, &Event::Ack(id));
            }
            Verdict::Refuse(records) => self.put_down(peel, &records),
            Verdict::Cancel { records, stop } => {
                self.put_down(peel, &records);
                if stop && self.peels[peel].running.take().is_some() {
                    self.finish(peel, &request.jid, PeelStatus::Canceled);
                }
            }
            Verdict::Drop(_) => {}
        }
    }

    fn peel_tick(&mut self, peel: usize) {
        self.at(200, Happening::PeelTicks(peel));
        if !self.peels[peel].up {
            return;
        }
        let now = self.now;
        let next = self.peels[peel].ledger.waiting().next().map(|a| a.jid.clone());
        if let (None, Some(jid)) = (&self.peels[peel].running, next) {
            match self.peels[peel].ledger.begin(&jid, now).unwrap() {
                Err(late) => self.put_down(peel, &[late]),
                Ok(started) => {
                    if self.crash_at(peel, 2) {
                        return;
                    }
                    self.put_down(peel, &[started]);
                    if self.crash_at(peel, 3) {
                        return;
                    }
                    let id = self.peels[peel].id.clone();
                    *self.executions.entry((jid.clone(), id)).or_default() += 1;
                    self.peels[peel].running = Some(jid.clone());
                    let (delay, life) = (self.random.below(6_000), self.peels[peel].life);
                    self.at(delay, Happening::PeelEnds { peel, life, jid });
                }
            }
        }
        // The outbox.
        let unstored: Vec<(JobId, JobReturn)> =
            self.peels[peel].ledger.unstored().map(|(j, r)| (j.clone(), r.clone())).collect();
        for (jid, result) in unstored {
            if self.faulty(20) {
                continue;
            }
            let id = self.peels[peel].id.clone();
            let event = Event::Returned(id.clone(), result.status);
            self.returns.entry((jid.clone(), id)).or_insert(result);
            self.report(&jid, &event);
            // Stored, and the answer may be lost: then it is sent again and found to be there.
            if !self.faulty(20) {
                self.put_down(peel, &[Record::Stored { jid }]);
            }
        }
        // Back, or from time to time: what waits for me?
        if now % 10_000 < 200 {
            self.pending(peel);
        }
        let forgotten = self.peels[peel].ledger.forgettable(now);
        self.put_down(peel, &forgotten);
    }

    fn pending(&mut self, peel: usize) {
        let id = self.peels[peel].id.clone();
        let waiting: Vec<ExecRequest> = self
            .records
            .values()
            .map(|(r, _)| r)
            .filter(|r| {
                !matches!(r.status, JobStatus::Claimed | JobStatus::Canceled) && r.deadline_ms > self.now
            })
            .filter(|r| r.batch.is_none() || r.status.is_final())
            .filter(|r| r.reason.is_none() && self.targets[&r.jid].contains(&id))
            .filter(|r| !self.returns.contains_key(&(r.jid.clone(), id.clone())))
            .map(|r| envelope(r, &id))
            .collect();
        for request in waiting {
            self.deliver(|| Happening::PeelGets { peel, request: request.clone() });
        }
    }

    fn peel_ends(&mut self, peel: usize, life: u64, jid: &JobId) {
        let p = &mut self.peels[peel];
        if p.life == life && p.running.as_ref() == Some(jid) {
            p.running = None;
            let status = if self.random.chance(20) { PeelStatus::Failed } else { PeelStatus::Done };
            self.finish(peel, jid, status);
        }
    }

    fn finish(&mut self, peel: usize, jid: &JobId, status: PeelStatus) {
        if self.crash_at(peel, 3) {
            return;
        }
        let epoch = self.peels[peel].ledger.epoch(jid).unwrap();
        let result = JobReturn {
            v: VERSION,
            status,
            epoch,
            started_ms: Some(self.now),
            finished_ms: self.now,
            outcome: JobOutcome::Nothing,
            error: None,
            truncated: false,
        };
        self.put_down(peel, &[Record::Finished { jid: jid.clone(), result: Box::new(result) }]);
    }

    fn crash_at(&mut self, peel: usize, percent: u64) -> bool {
        let crash = self.faulty(percent);
        if crash {
            self.peel_restart(peel);
        }
        crash
    }

    fn peel_restart(&mut self, peel: usize) {
        let (now, cut) = (self.now, self.random.next());
        let p = &mut self.peels[peel];
        if p.up {
            p.up = false;
            p.life += 1;
            p.running = None;
            // Of what was not synced, any beginning may be left.
            let unsynced = p.journal.len() - p.synced;
            p.journal.truncate(p.synced + (cut % (unsynced as u64 + 1)) as usize);
            p.synced = p.journal.len();
            let delay = 500 + self.random.below(25_000);
            self.at(delay, Happening::PeelRestarts(peel));
        } else {
            p.up = true;
            let mut ledger = Ledger::new(p.id.clone());
            for r in &p.journal {
                ledger.apply(r);
            }
            let recovered = ledger.recover(now);
            // Half of the time it is written anew.
            if cut % 2 == 0 {
                p.journal = ledger.records();
                p.synced = p.journal.len();
            }
            p.ledger = ledger;
            self.put_down(peel, &recovered);
            self.pending(peel);
        }
    }

    // What must hold.

    fn check_always(&self) {
        for (key, times) in &self.executions {
            assert!(*times <= 1, "{key:?} was executed {times} times");
        }
    }

    fn check_at_the_end(&self) {
        for (jid, (record, _)) in &self.records {
            assert!(record.status.is_final(), "{jid} has no end: {record:?}");
            let total: u64 = record.counts.values().sum();
            assert_eq!(total, record.targets, "{record:?}");
            let done = record.counts.get(&PeelStatus::Done).copied().unwrap_or_default();
            let stored =
                self.returns.iter().filter(|((j, _), r)| j == jid && r.status == PeelStatus::Done).count();
            assert!(done <= stored as u64, "{record:?}");
        }
        for (jid, peel) in self.executions.keys() {
            assert!(
                self.returns.contains_key(&(jid.clone(), peel.clone())),
                "{peel} ran {jid} and its return is lost"
            );
            assert!(self.records.contains_key(jid), "{jid} ran and has no record");
        }
        for ((jid, peel), result) in &self.returns {
            let ran = self.executions.contains_key(&(jid.clone(), peel.clone()));
            let says =
                matches!(result.status, PeelStatus::Done | PeelStatus::Failed) && result.error.is_none();
            assert!(ran || !says, "{peel} returns {result:?} for {jid} and did not run it");
        }
        for peel in &self.peels {
            assert_eq!(peel.ledger.unstored().count(), 0);
            assert_eq!(peel.ledger.waiting().count(), 0);
        }
    }
}

fn envelope(record: &JobRecord, peel: &PeelId) -> ExecRequest {
    ExecRequest {
        v: VERSION,
        incarnation: "one".into(),
        epoch: record.epoch,
        master: record.owner.clone().unwrap(),
        jid: record.jid.clone(),
        targets: vec![peel.clone()],
        verb: ExecVerb::Run { call: record.call.clone(), tree: None },
        not_before_ms: record.created_ms,
        expires_ms: record.deadline_ms,
        nonce: String::new(),
    }
}

#[test]
fn no_history_executes_twice_or_loses_a_return() {
    let number = |name: &str| std::env::var(name).ok().and_then(|t| t.parse::<u64>().ok());
    let first = number("ZESTER_SEED").unwrap_or(1);
    let many = number("ZESTER_HISTORIES").unwrap_or(300);
    let (mut executed, mut complete) = (0, 0);
    for seed in first..first + many {
        let mut world = World::new(seed);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            world.run();
            world.check_at_the_end();
        }));
        if let Err(panic) = result {
            for line in &world.log {
                eprintln!("{line}");
            }
            eprintln!("seed {seed} failed; see it with ZESTER_SEED={seed} ZESTER_HISTORIES=1 ZESTER_TRACE=1");
            std::panic::resume_unwind(panic);
        }
        executed += world.executions.len();
        complete += world.records.values().filter(|(r, _)| r.status == JobStatus::Complete).count();
    }
    // The histories are worth something only if jobs do run in them.
    assert!(
        executed as u64 > many && complete as u64 > many / 4,
        "{executed} executions, {complete} complete"
    );
}
