//! What a peel knows of its jobs: at most one execution of each, no return lost. A state machine without I/O.
//!
//! Every change is a [`Record`] that the caller first puts into the [journal](super::journal), synced where [`Record::must_sync`] says so, and
//! then [applies](Ledger::apply). A restart applies the same records again and is where it was.

use super::message::{Call, ExecRequest, ExecVerb, JobOutcome, JobReturn, PeelStatus, VERSION};
use crate::{
    bus::{
        codec,
        id::{JobId, MasterId, PeelId},
    },
    runner::{Counts, Return, StateResult, Status},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// How far the clocks of peel and master may be apart, in milliseconds.
pub const CLOCK_TOLERANCE_MS: u64 = 60_000;
/// How long a job is remembered after it has expired and its return is stored, in milliseconds. Longer than the tolerance: what is forgotten
/// is refused by its expiry.
pub const KEEP_MS: u64 = 10 * 60_000;
/// Jobs that a peel remembers at most; beyond, new ones are refused with a reason.
pub const MAX_JOBS: usize = 16_384;
/// Jobs that wait at most.
pub const MAX_WAITING: usize = 256;

/// A line of the journal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The job was accepted and will run.
    Accepted(Box<Accepted>),
    /// The job has a new owner.
    Raised {
        /// The job.
        jid: JobId,
        /// The owner's epoch.
        epoch: u64,
        /// The owner.
        master: MasterId,
    },
    /// Execution begins. From here on the job is never run again.
    Started {
        /// The job.
        jid: JobId,
        /// Unix time in milliseconds.
        time_ms: u64,
    },
    /// A state of it ended.
    State {
        /// The job.
        jid: JobId,
        /// How.
        result: Box<StateResult>,
    },
    /// It ended, or was refused; the return is to be stored.
    Finished {
        /// The job.
        jid: JobId,
        /// What is returned.
        result: Box<JobReturn>,
    },
    /// The return is stored.
    Stored {
        /// The job.
        jid: JobId,
    },
    /// It was canceled before it came; a request that comes later is refused.
    Barred {
        /// The job.
        jid: JobId,
        /// The epoch of the cancellation.
        epoch: u64,
        /// Who canceled.
        master: MasterId,
        /// Until when requests for it are valid, Unix time in milliseconds.
        expires_ms: u64,
    },
    /// It is forgotten.
    Forgotten {
        /// The job.
        jid: JobId,
    },
}

impl Record {
    /// Whether it must be on the disk before anything follows from it.
    pub fn must_sync(&self) -> bool {
        matches!(self, Self::Accepted(_) | Self::Started { .. } | Self::Finished { .. } | Self::Barred { .. })
    }
}

/// An accepted job.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Accepted {
    /// The job.
    pub jid: JobId,
    /// Of the envelope.
    pub epoch: u64,
    /// The owner.
    pub master: MasterId,
    /// SHA-256 of what was asked.
    #[serde(with = "serde_bytes")]
    pub digest: Vec<u8>,
    /// Not to begin after this, Unix time in milliseconds.
    pub expires_ms: u64,
    /// What to run.
    pub call: Call,
    /// The least revision of the tree it may run on.
    #[serde(default)]
    pub tree: Option<u64>,
    /// Nobody sent it: the peel runs it of its own accord.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Own>,
}

/// Why a peel runs something that nobody sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Own {
    /// The entry of its schedule, or `startup`.
    pub entry: String,
    /// Whether the whole return is stored, beside the event that says what came of it.
    #[serde(default)]
    pub returns: bool,
}

/// What becomes of an envelope.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// Put the record down and sync it; then acknowledge and queue the job.
    Accept(Record),
    /// Put the records down and sync them; then the outbox sends a return that says why.
    Refuse(Vec<Record>),
    /// Known: acknowledge again, after putting down the record if there is one.
    Again(Option<Record>),
    /// Stop it: put the records down; where it is running, `stop` says so.
    Cancel {
        /// To put down.
        records: Vec<Record>,
        /// It is running.
        stop: bool,
    },
    /// Nothing follows; the reason is for the log.
    Drop(&'static str),
}

#[derive(Clone, Debug)]
struct Entry {
    epoch: u64,
    master: MasterId,
    digest: Vec<u8>,
    expires_ms: u64,
    own: Option<Own>,
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    Waiting(Box<Accepted>),
    Running { started_ms: u64, states: Vec<StateResult> },
    Finished { result: Box<JobReturn>, stored: bool },
    Barred,
}

/// All jobs of a peel.
#[derive(Clone, Debug)]
pub struct Ledger {
    me: PeelId,
    jobs: BTreeMap<JobId, Entry>,
    /// Accepted ones in the order of their acceptance.
    waiting: Vec<JobId>,
}

impl Ledger {
    /// An empty one.
    pub fn new(me: PeelId) -> Self {
        Self { me, jobs: BTreeMap::new(), waiting: Vec::new() }
    }

    /// Judges a verified envelope at `now_ms` (Unix time). Nothing changes before the records are applied.
    pub fn offer(&self, request: &ExecRequest, now_ms: u64) -> Verdict {
        if !request.targets.is_empty() && !request.targets.contains(&self.me) {
            return Verdict::Drop("it is not for this peel");
        }
        let known = self.jobs.get(&request.jid);
        if let Some(entry) = known {
            if request.epoch < entry.epoch {
                return Verdict::Drop("its epoch is over: the job has another owner");
            }
            if request.epoch == entry.epoch && request.master != entry.master {
                return Verdict::Drop("another master has the same epoch");
            }
        }
        let (call, tree) = match &request.verb {
            ExecVerb::Cancel => return self.cancel(request, known, now_ms),
            ExecVerb::Run { call, tree } => (call, tree),
        };
        let Ok(digest) = digest(call, *tree) else {
            return Verdict::Drop("it cannot be encoded");
        };
        if let Some(entry) = known {
            if matches!(entry.phase, Phase::Barred) {
                return Verdict::Refuse(self.refusal(
                    request,
                    call,
                    digest,
                    now_ms,
                    PeelStatus::Canceled,
                    "it was canceled before it came",
                ));
            }
            if entry.digest != digest {
                return Verdict::Drop("the id belongs to another job");
            }
            let raised = (request.epoch > entry.epoch).then(|| Record::Raised {
                jid: request.jid.clone(),
                epoch: request.epoch,
                master: request.master.clone(),
            });
            return Verdict::Again(raised);
        }
        let refuse = |status, why: &str| {
            Verdict::Refuse(self.refusal(request, call, digest.clone(), now_ms, status, why))
        };
        if now_ms > request.expires_ms {
            return refuse(PeelStatus::Expired, "it came after its time");
        }
        if now_ms.saturating_add(CLOCK_TOLERANCE_MS) < request.not_before_ms {
            return refuse(
                PeelStatus::Failed,
                "by this machine's clock it comes from the future; set the clock",
            );
        }
        if self.jobs.len() >= 2 * MAX_JOBS {
            return Verdict::Drop("the peel remembers too many jobs");
        }
        if self.jobs.len() >= MAX_JOBS {
            return refuse(
                PeelStatus::Failed,
                "the peel remembers too many jobs; its returns are not stored",
            );
        }
        if self.waiting.len() >= MAX_WAITING {
            return refuse(PeelStatus::Failed, "the peel is busy: too many jobs wait");
        }
        Verdict::Accept(Record::Accepted(Box::new(Accepted {
            jid: request.jid.clone(),
            epoch: request.epoch,
            master: request.master.clone(),
            digest,
            expires_ms: request.expires_ms,
            call: call.clone(),
            tree: *tree,
            own: None,
        })))
    }

    /// What follows when this peel takes no work now: a job that it does not know is refused with the reason, all else is judged as ever.
    pub fn refuse(&self, request: &ExecRequest, now_ms: u64, why: &str) -> Verdict {
        match (self.offer(request, now_ms), &request.verb) {
            (Verdict::Accept(_), ExecVerb::Run { call, tree }) => match digest(call, *tree) {
                Ok(digest) => {
                    Verdict::Refuse(self.refusal(request, call, digest, now_ms, PeelStatus::Failed, why))
                }
                Err(_) => Verdict::Drop("it cannot be encoded"),
            },
            (verdict, _) => verdict,
        }
    }

    /// The record of something that this peel runs of its own accord; the error says why it cannot now.
    pub fn own(&self, own: Own, call: &Call, tree: Option<u64>, expires_ms: u64) -> Result<Record, String> {
        if self.waiting.len() >= MAX_WAITING || self.jobs.len() >= MAX_JOBS {
            return Err("the peel is busy: too many jobs wait".to_owned());
        }
        Ok(Record::Accepted(Box::new(Accepted {
            jid: JobId::generate(),
            epoch: 0,
            // No master is called so: theirs have a time in their names.
            master: MasterId::new("own").map_err(|e| e.to_string())?,
            digest: digest(call, tree).map_err(|e| e.to_string())?,
            expires_ms,
            call: call.clone(),
            tree,
            own: Some(own),
        })))
    }

    /// Why the peel runs a job that nobody sent.
    pub fn own_of(&self, jid: &JobId) -> Option<&Own> {
        self.jobs.get(jid)?.own.as_ref()
    }

    /// Whether the job waits or runs.
    pub fn is_open(&self, jid: &JobId) -> bool {
        self.jobs.get(jid).is_some_and(|e| matches!(e.phase, Phase::Waiting(_) | Phase::Running { .. }))
    }

    /// Whether the job has ended with states, as far as it is not forgotten.
    pub fn ran_states(&self, jid: &JobId) -> bool {
        match self.jobs.get(jid).map(|e| &e.phase) {
            Some(Phase::Finished { result, stored }) => {
                *stored || result.status != PeelStatus::Failed || result.outcome != JobOutcome::Nothing
            }
            _ => true,
        }
    }

    /// How many wait.
    pub fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    fn cancel(&self, request: &ExecRequest, known: Option<&Entry>, now_ms: u64) -> Verdict {
        let jid = request.jid.clone();
        match known.map(|e| &e.phase) {
            Some(Phase::Waiting(_)) => {
                let result = result(request.epoch, PeelStatus::Canceled, None, now_ms, "it was canceled");
                Verdict::Cancel {
                    records: vec![Record::Finished { jid, result: Box::new(result) }],
                    stop: false,
                }
            }
            Some(Phase::Running { .. }) => Verdict::Cancel { records: Vec::new(), stop: true },
            Some(Phase::Finished { .. } | Phase::Barred) => Verdict::Drop("it has ended"),
            None if now_ms > request.expires_ms.saturating_add(CLOCK_TOLERANCE_MS) => {
                Verdict::Drop("the cancellation came after its time")
            }
            None if self.jobs.len() >= MAX_JOBS => Verdict::Drop("the peel remembers too many jobs"),
            None => Verdict::Cancel {
                records: vec![Record::Barred {
                    jid,
                    epoch: request.epoch,
                    master: request.master.clone(),
                    expires_ms: request.expires_ms,
                }],
                stop: false,
            },
        }
    }

    /// A refused job is put down like an accepted one that ended at once.
    fn refusal(
        &self,
        request: &ExecRequest,
        call: &Call,
        digest: Vec<u8>,
        now_ms: u64,
        status: PeelStatus,
        why: &str,
    ) -> Vec<Record> {
        let jid = request.jid.clone();
        let accepted = Accepted {
            jid: jid.clone(),
            epoch: request.epoch,
            master: request.master.clone(),
            digest,
            expires_ms: request.expires_ms,
            // What is not run need not be kept.
            call: Call { function: call.function.clone(), args: Vec::new(), ..call.clone() },
            tree: None,
            own: None,
        };
        let result = result(request.epoch, status, None, now_ms, why);
        vec![Record::Accepted(Box::new(accepted)), Record::Finished { jid, result: Box::new(result) }]
    }

    /// Applies a record that is in the journal. One that does not fit, in a journal that somebody changed, changes nothing.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Accepted(accepted) => {
                let ended = self.jobs.get(&accepted.jid).is_some_and(|e| !matches!(e.phase, Phase::Barred));
                if ended {
                    return;
                }
                self.jobs.insert(
                    accepted.jid.clone(),
                    Entry {
                        epoch: accepted.epoch,
                        master: accepted.master.clone(),
                        digest: accepted.digest.clone(),
                        expires_ms: accepted.expires_ms,
                        own: accepted.own.clone(),
                        phase: Phase::Waiting(accepted.clone()),
                    },
                );
                self.waiting.push(accepted.jid.clone());
            }
            Record::Raised { jid, epoch, master } => {
                if let Some(entry) = self.jobs.get_mut(jid)
                    && *epoch > entry.epoch
                {
                    entry.epoch = *epoch;
                    entry.master = master.clone();
                }
            }
            Record::Started { jid, time_ms } => {
                self.waiting.retain(|w| w != jid);
                if let Some(entry) = self.jobs.get_mut(jid)
                    && matches!(entry.phase, Phase::Waiting(_))
                {
                    entry.phase = Phase::Running { started_ms: *time_ms, states: Vec::new() };
                }
            }
            Record::State { jid, result } => {
                if let Some(Entry { phase: Phase::Running { states, .. }, .. }) = self.jobs.get_mut(jid) {
                    states.push((**result).clone());
                }
            }
            Record::Finished { jid, result } => {
                self.waiting.retain(|w| w != jid);
                if let Some(entry) = self.jobs.get_mut(jid)
                    && !matches!(entry.phase, Phase::Finished { .. })
                {
                    entry.phase = Phase::Finished { result: result.clone(), stored: false };
                }
            }
            Record::Stored { jid } => {
                if let Some(Entry { phase: Phase::Finished { result, stored }, .. }) = self.jobs.get_mut(jid)
                {
                    *stored = true;
                    // It can be read where it is stored.
                    result.outcome = JobOutcome::Nothing;
                }
            }
            Record::Barred { jid, epoch, master, expires_ms } => {
                self.jobs.entry(jid.clone()).or_insert_with(|| Entry {
                    epoch: *epoch,
                    master: master.clone(),
                    digest: Vec::new(),
                    expires_ms: *expires_ms,
                    own: None,
                    phase: Phase::Barred,
                });
            }
            Record::Forgotten { jid } => {
                self.jobs.remove(jid);
                self.waiting.retain(|w| w != jid);
            }
        }
    }

    /// The accepted jobs, the one to run next first.
    pub fn waiting(&self) -> impl Iterator<Item = &Accepted> {
        self.waiting.iter().filter_map(|jid| match &self.jobs.get(jid)?.phase {
            Phase::Waiting(accepted) => Some(&**accepted),
            _ => None,
        })
    }

    /// The epoch of a job's present owner.
    pub fn epoch(&self, jid: &JobId) -> Option<u64> {
        self.jobs.get(jid).map(|e| e.epoch)
    }

    /// Returns that are not stored yet: the outbox.
    pub fn unstored(&self) -> impl Iterator<Item = (&JobId, &JobReturn)> {
        self.jobs.iter().filter_map(|(jid, entry)| match &entry.phase {
            Phase::Finished { result, stored: false } => Some((jid, &**result)),
            _ => None,
        })
    }

    /// Whether the job runs now.
    pub fn is_running(&self, jid: &JobId) -> bool {
        self.jobs.get(jid).is_some_and(|e| matches!(e.phase, Phase::Running { .. }))
    }

    /// Jobs that are running.
    pub fn running(&self) -> impl Iterator<Item = &JobId> {
        self.jobs.iter().filter(|(_, e)| matches!(e.phase, Phase::Running { .. })).map(|(jid, _)| jid)
    }

    /// How many jobs are remembered.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Asks before a job begins: the record to put down and sync, or, if it waited too long, the one that ends it.
    pub fn begin(&self, jid: &JobId, now_ms: u64) -> Option<Result<Record, Record>> {
        let entry = self.jobs.get(jid)?;
        if !matches!(entry.phase, Phase::Waiting(_)) {
            return None;
        }
        Some(if now_ms > entry.expires_ms {
            let late = "its time was over before the jobs before it ended";
            let result = result(entry.epoch, PeelStatus::Expired, None, now_ms, late);
            Err(Record::Finished { jid: jid.clone(), result: Box::new(result) })
        } else {
            Ok(Record::Started { jid: jid.clone(), time_ms: now_ms })
        })
    }

    /// After a restart: what was in the middle is over, and its return says how far it was.
    pub fn recover(&self, now_ms: u64) -> Vec<Record> {
        self.jobs
            .iter()
            .filter_map(|(jid, entry)| match &entry.phase {
                Phase::Running { started_ms, states } => {
                    let why = format!("the peel stopped in the middle, after {} states", states.len());
                    let mut result =
                        result(entry.epoch, PeelStatus::Interrupted, Some(*started_ms), now_ms, &why);
                    if !states.is_empty() {
                        result.outcome =
                            JobOutcome::States(partial(states, now_ms.saturating_sub(*started_ms)));
                    }
                    Some(Record::Finished { jid: jid.clone(), result: Box::new(result) })
                }
                _ => None,
            })
            .collect()
    }

    /// Jobs that nothing can bring back: their time is over and their returns are stored.
    pub fn forgettable(&self, now_ms: u64) -> Vec<Record> {
        let over = |entry: &Entry| {
            let ended = match &entry.phase {
                Phase::Finished { result, stored: true } => result.finished_ms,
                Phase::Barred => 0,
                _ => return false,
            };
            now_ms > entry.expires_ms.max(ended).saturating_add(KEEP_MS)
        };
        self.jobs
            .iter()
            .filter(|(_, e)| over(e))
            .map(|(jid, _)| Record::Forgotten { jid: jid.clone() })
            .collect()
    }

    /// The records that lead to this state: a journal written anew.
    pub fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let waiting = self.waiting.iter();
        let others = self.jobs.keys().filter(|jid| !self.waiting.contains(jid));
        for jid in waiting.chain(others) {
            let Some(entry) = self.jobs.get(jid) else { continue };
            let jid = jid.clone();
            let accepted = |call| {
                Record::Accepted(Box::new(Accepted {
                    jid: jid.clone(),
                    epoch: entry.epoch,
                    master: entry.master.clone(),
                    digest: entry.digest.clone(),
                    expires_ms: entry.expires_ms,
                    call,
                    tree: None,
                    own: entry.own.clone(),
                }))
            };
            match &entry.phase {
                Phase::Waiting(a) => {
                    let mut accepted = a.clone();
                    accepted.epoch = entry.epoch;
                    accepted.master = entry.master.clone();
                    records.push(Record::Accepted(accepted));
                }
                Phase::Running { started_ms, states } => {
                    records.push(accepted(Call::default()));
                    records.push(Record::Started { jid: jid.clone(), time_ms: *started_ms });
                    records.extend(
                        states
                            .iter()
                            .map(|s| Record::State { jid: jid.clone(), result: Box::new(s.clone()) }),
                    );
                }
                Phase::Finished { result, stored } => {
                    records.push(accepted(Call::default()));
                    records.push(Record::Finished { jid: jid.clone(), result: result.clone() });
                    records.extend(stored.then(|| Record::Stored { jid: jid.clone() }));
                }
                Phase::Barred => records.push(Record::Barred {
                    jid: jid.clone(),
                    epoch: entry.epoch,
                    master: entry.master.clone(),
                    expires_ms: entry.expires_ms,
                }),
            }
        }
        records
    }
}

/// SHA-256 of what is asked.
fn digest(call: &Call, tree: Option<u64>) -> Result<Vec<u8>, codec::CodecError> {
    let mut hash = Sha256::new();
    hash.update(codec::encode(call)?);
    hash.update(tree.unwrap_or_default().to_le_bytes());
    Ok(hash.finalize().to_vec())
}

fn result(epoch: u64, status: PeelStatus, started_ms: Option<u64>, now_ms: u64, why: &str) -> JobReturn {
    JobReturn {
        v: VERSION,
        status,
        epoch,
        started_ms,
        finished_ms: now_ms,
        outcome: JobOutcome::Nothing,
        error: Some(why.to_owned()),
        truncated: false,
    }
}

/// The states that ended before the rest was cut off.
fn partial(states: &[StateResult], duration_ms: u64) -> Return {
    let mut counts = Counts::default();
    for state in states {
        counts.add(state.result);
    }
    Return {
        status: Status::Cancelled,
        states: states.to_vec(),
        counts,
        test: false,
        duration_ms: duration_ms as f64,
    }
}

#[cfg(test)]
mod tests;
