//! Notices: buckets republish the headers of what is stored, and a peel reads again what it may have missed. No consumer, no watch.
//!
//! A notice can get lost. So everything is read again after a new session, a dropped message or a gap in a key's revisions, and now and then
//! without any reason. All re-reads of a fleet are spread over a window.

use super::{
    client::{Bus, ConnectionState},
    error::BusError,
    id::PeelId,
    jetstream::{header, number},
    kv::marks_deletion,
    storage::Bucket,
    subject,
    subscription::Subscription,
};
use async_nats::Message;
use rand::RngExt;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Keys whose revision is remembered; beyond that the oldest knowledge is given up, which costs a re-read at most.
const REMEMBERED: usize = 10_000;

/// What to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reread {
    /// One key has a new revision.
    Key {
        /// Where.
        bucket: Bucket,
        /// Which.
        key: String,
        /// The revision that was announced: a replica that gives an older one is behind.
        revision: u64,
        /// Whether it was deleted.
        deleted: bool,
    },
    /// Everything.
    All(Reason),
}

/// Why everything has to be read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// The beginning.
    Start,
    /// Another session: what was announced in between is not known.
    Reconnected,
    /// A key's announced predecessor was never seen.
    Gap,
    /// A subscription of this connection was full.
    Dropped,
    /// It is time.
    Periodic,
}

/// How re-reads are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spread {
    /// A re-read begins anywhere within this time; larger fleets need more.
    pub window: Duration,
    /// Everything is read again this often, give or take a fifth.
    pub period: Duration,
}

impl Default for Spread {
    fn default() -> Self {
        Self { window: Duration::from_secs(5), period: Duration::from_secs(15 * 60) }
    }
}

/// What is due, and when: what to do with notices, without any input or output.
#[derive(Debug)]
struct Agenda {
    spread: Spread,
    seen: HashMap<(Bucket, String), u64>,
    keys: BTreeMap<(Instant, u64), Reread>,
    order: u64,
    all: Option<(Instant, Reason)>,
    periodic: Instant,
}

impl Agenda {
    fn new(spread: Spread, now: Instant) -> Self {
        let mut agenda = Self {
            spread,
            seen: HashMap::new(),
            keys: BTreeMap::new(),
            order: 0,
            // The first reading waits for nobody.
            all: Some((now, Reason::Start)),
            periodic: now,
        };
        agenda.plan_periodic(now);
        agenda
    }

    fn plan_periodic(&mut self, now: Instant) {
        self.periodic = now + self.spread.period.mul_f64(rand::rng().random_range(0.8..1.2));
    }

    fn jitter(&self) -> Duration {
        self.spread.window.mul_f64(rand::rng().random_range(0.0..1.0))
    }

    fn all(&mut self, reason: Reason, now: Instant) {
        // One reading that lies ahead serves all reasons.
        if self.all.is_none() {
            self.all = Some((now + self.jitter(), reason));
        }
    }

    /// `everybody`: the whole fleet got it in this moment.
    fn notice(&mut self, key: Reread, previous: Option<u64>, everybody: bool, now: Instant) {
        let Reread::Key { bucket, key: name, revision, .. } = &key else { return };
        let (place, revision) = ((*bucket, name.clone()), *revision);
        let seen = self.seen.get(&place).copied();
        if seen.is_some_and(|seen| revision <= seen) {
            // Again, or late.
            return;
        }
        if let (Some(seen), Some(previous)) = (seen, previous)
            && previous > seen
        {
            self.all(Reason::Gap, now);
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        self.seen.insert(place, revision);
        if self.keys.len() >= REMEMBERED {
            self.keys.clear();
            self.all(Reason::Dropped, now);
            return;
        }
        let due = if everybody { now + self.jitter() } else { now };
        self.order += 1;
        self.keys.insert((due, self.order), key);
    }

    fn next_due(&self) -> Instant {
        let key = self.keys.first_key_value().map(|((due, _), _)| *due);
        [key, self.all.map(|(due, _)| due)].into_iter().flatten().fold(self.periodic, Instant::min)
    }

    fn due(&mut self, now: Instant) -> Option<Reread> {
        if self.periodic <= now {
            self.plan_periodic(now);
            self.all.get_or_insert((now, Reason::Periodic));
        }
        if let Some((due, reason)) = self.all
            && due <= now
        {
            self.all = None;
            // The keys announced so far are part of it.
            self.keys.clear();
            self.plan_periodic(now);
            return Some(Reread::All(reason));
        }
        let (at, _) = self.keys.first_key_value()?;
        let at = *at;
        if at.0 <= now { self.keys.remove(&at) } else { None }
    }
}

/// The notices for a peel.
#[derive(Debug)]
pub struct Notices {
    own: Subscription,
    everybody: Subscription,
    state: watch::Receiver<ConnectionState>,
    dropped: watch::Receiver<u64>,
    session: u64,
    agenda: Agenda,
}

impl Notices {
    /// Listens to what is announced to `peel` and to all. The first thing told is to read everything: subscribed first, read then.
    pub async fn subscribe(bus: &Bus, peel: &PeelId, spread: Spread) -> Result<Self, BusError> {
        let own = bus.subscribe(&subject::notices(peel)).await?;
        let everybody = bus.subscribe(subject::NOTICES_ALL).await?;
        let (mut state, dropped) = (bus.state(), bus.dropped());
        let session = match *state.borrow_and_update() {
            ConnectionState::Connected { session } => session,
            _ => 0,
        };
        Ok(Self { own, everybody, state, dropped, session, agenda: Agenda::new(spread, Instant::now()) })
    }

    /// What to read next. Nothing more after the connection was closed or a subscription refused.
    ///
    /// Can be dropped before its end without loss.
    pub async fn next(&mut self) -> Option<Reread> {
        loop {
            if let Some(reread) = self.agenda.due(Instant::now()) {
                return Some(reread);
            }
            tokio::select! {
                message = self.own.next() => self.take(&message?, false),
                message = self.everybody.next() => self.take(&message?, true),
                changed = self.state.changed() => {
                    changed.ok()?;
                    self.changed()?;
                }
                changed = self.dropped.changed() => {
                    changed.ok()?;
                    self.agenda.all(Reason::Dropped, Instant::now());
                }
                () = sleep_until(self.agenda.next_due()) => {}
            }
        }
    }

    fn changed(&mut self) -> Option<()> {
        match *self.state.borrow_and_update() {
            ConnectionState::Connected { session } if session != self.session => {
                self.session = session;
                self.agenda.all(Reason::Reconnected, Instant::now());
            }
            ConnectionState::Closed => return None,
            _ => {}
        }
        Some(())
    }

    fn take(&mut self, message: &Message, everybody: bool) {
        let now = Instant::now();
        match read(message) {
            Some((key, previous)) => self.agenda.notice(key, previous, everybody, now),
            // Something was announced that cannot be read: better once too often.
            None => self.agenda.all(Reason::Gap, now),
        }
    }
}

/// Reads the headers that the server puts on a republished message.
fn read(message: &Message) -> Option<(Reread, Option<u64>)> {
    let bucket = Bucket::from_name(header(message, "Nats-Stream")?.strip_prefix("KV_")?)?;
    let key = header(message, "Nats-Subject")?.strip_prefix(&bucket.subject(""))?.to_owned();
    let revision = number(message, "Nats-Sequence")?;
    let reread = Reread::Key { bucket, key, revision, deleted: marks_deletion(message) };
    Some((reread, number(message, "Nats-Last-Sequence")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, revision: u64) -> Reread {
        Reread::Key { bucket: Bucket::SettingsFiles, key: name.into(), revision, deleted: false }
    }

    fn started(now: Instant) -> Agenda {
        let mut agenda = Agenda::new(Spread::default(), now);
        assert_eq!(agenda.due(now), Some(Reread::All(Reason::Start)));
        assert_eq!(agenda.due(now), None);
        agenda
    }

    #[test]
    fn a_notice_is_read_once_and_a_gap_reads_all() {
        let now = Instant::now();
        let mut agenda = started(now);
        agenda.notice(key("a", 5), Some(0), false, now);
        agenda.notice(key("a", 5), Some(0), false, now);
        assert_eq!(agenda.due(now), Some(key("a", 5)));
        agenda.notice(key("a", 4), Some(0), false, now);
        assert_eq!(agenda.due(now), None, "late ones are nothing new");
        agenda.notice(key("a", 9), Some(5), false, now);
        assert_eq!(agenda.due(now), Some(key("a", 9)));
        // 12 was never seen.
        agenda.notice(key("a", 15), Some(12), false, now);
        assert_eq!(agenda.due(now), Some(key("a", 15)));
        assert_eq!(agenda.due(now + Duration::from_secs(5)), Some(Reread::All(Reason::Gap)));
    }

    #[test]
    fn what_concerns_all_is_spread() {
        let now = Instant::now();
        let spread = Spread::default();
        let dues: Vec<Instant> = (0..50)
            .map(|_| {
                let mut agenda = started(now);
                agenda.notice(key("_all.a", 5), None, true, now);
                agenda.next_due()
            })
            .collect();
        assert!(dues.iter().all(|due| (now..=now + spread.window).contains(due)));
        assert!(dues.iter().min() != dues.iter().max());
    }

    #[test]
    fn everything_is_read_now_and_then() {
        let now = Instant::now();
        let mut agenda = started(now);
        let due = agenda.next_due();
        assert!((now + Duration::from_secs(12 * 60)..=now + Duration::from_secs(18 * 60)).contains(&due));
        assert_eq!(agenda.due(due), Some(Reread::All(Reason::Periodic)));
        assert!(agenda.next_due() > due);
    }

    #[test]
    fn a_flood_is_bounded() {
        let now = Instant::now();
        let mut agenda = started(now);
        for n in 0..30_000 {
            agenda.notice(key(&format!("k{n}"), n + 1), None, false, now);
        }
        assert!(agenda.keys.len() <= REMEMBERED && agenda.seen.len() <= REMEMBERED);
        let mut all = false;
        while let Some(reread) = agenda.due(now + Duration::from_secs(10)) {
            all |= matches!(reread, Reread::All(_));
        }
        assert!(all);
    }
}
