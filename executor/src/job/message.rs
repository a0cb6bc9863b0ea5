//! What travels: jobs, requests to peels, their answers. MessagePack maps, evolved by addition, each with its version `v`.
//!
//! Times are milliseconds of Unix time, durations milliseconds.

use crate::{
    bus::id::{AdminId, JobId, MasterId, PeelId},
    runner,
};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use zester_compiler::types::{Map, Value};

/// The version of every struct here.
pub const VERSION: u8 = 1;

/// What an operator asks the masters: the body of a request on `zester.dispatch`, signed for [`Purpose::Request`](crate::auth::signed::Purpose).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OperatorRequest {
    /// [`VERSION`]
    pub v: u8,
    /// When it was signed; an old one is refused.
    pub time_ms: u64,
    /// New with every request.
    pub nonce: String,
    /// What is asked.
    pub ask: Ask,
}

/// What an [`OperatorRequest`] asks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Run a job.
    Run(Box<Job>),
    /// Stop a job.
    Cancel {
        /// Which.
        jid: JobId,
        /// Why, for the record.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Decide about a machine that wants to be a peel.
    Enroll {
        /// Who it wants to be.
        id: PeelId,
        /// What becomes of it.
        decision: Decision,
    },
}

/// What an operator decides about an id.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// A key is the peel from now on; another one that was it is revoked.
    Approve {
        /// The key's fingerprint or its beginning, where several ask.
        #[serde(default)]
        which: Option<String>,
        /// Groups of the peel.
        #[serde(default)]
        groups: Vec<String>,
        /// Though the machine saw another authority than ours.
        #[serde(default)]
        force: bool,
    },
    /// A key that waits gets nothing.
    Reject {
        /// The key's fingerprint or its beginning, where several ask.
        #[serde(default)]
        which: Option<String>,
        /// Why, for the machine to read.
        #[serde(default)]
        reason: Option<String>,
    },
    /// The peel gets no new credentials.
    Revoke {
        /// Why.
        #[serde(default)]
        reason: Option<String>,
    },
}

/// A job as an operator asks for it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Job {
    /// [`VERSION`]
    pub v: u8,
    /// Made by the operator's side, so that a repeated request is the same job.
    pub jid: JobId,
    /// What to run.
    pub call: Call,
    /// Where.
    pub targets: Targets,
    /// How long peels have to begin and end.
    pub timeout_ms: u64,
    /// In which portions.
    #[serde(default)]
    pub batch: Option<Batch>,
    /// When it was asked for.
    pub created_ms: u64,
    /// Whatever the operator's side wants to keep with it.
    #[serde(default)]
    pub metadata: IndexMap<String, String>,
}

/// A function with its arguments.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Call {
    /// `module.function`; `state.apply` runs states.
    pub function: String,
    /// Positional arguments.
    #[serde(default)]
    pub args: Vec<Value>,
    /// Named arguments.
    #[serde(default)]
    pub kwargs: Map,
    /// A test run: say what would change.
    #[serde(default)]
    pub test: bool,
}

/// The peels of a job.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Targets {
    /// What the operator wrote.
    pub expression: String,
    /// Whom it matched when the operator's side resolved it; empty where the list would not fit a message, see `digest`.
    #[serde(default)]
    pub peels: Vec<PeelId>,
    /// How many.
    pub count: u64,
    /// SHA-256 in hex over the sorted ids, each with a newline: the master resolves again and goes on only if this agrees.
    #[serde(default)]
    pub digest: String,
}

impl Targets {
    /// Ids that a message holds at most; above, the [digest](Self::digest) stands for them.
    pub const MAX_LISTED: usize = 20_000;

    /// Of these peels, sorted.
    pub fn of(expression: &str, mut peels: Vec<PeelId>) -> Self {
        use sha2::{Digest, Sha256};
        peels.sort_unstable();
        peels.dedup();
        let mut hash = Sha256::new();
        for peel in &peels {
            hash.update(peel.as_str());
            hash.update("\n");
        }
        let digest = hash.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let count = peels.len() as u64;
        if peels.len() > Self::MAX_LISTED {
            peels = Vec::new();
        }
        Self { expression: expression.to_owned(), peels, count, digest }
    }
}

/// Portions of a job.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Batch {
    /// Peels at a time.
    pub size: u64,
    /// Pause after each portion.
    #[serde(default)]
    pub wait_ms: u64,
    /// After so many failures no further portion begins.
    #[serde(default)]
    pub fail_limit: Option<u64>,
}

/// What a master answers to a [`Job`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Dispatched {
    /// [`VERSION`]
    pub v: u8,
    /// The job; nothing if the request could not be read.
    #[serde(default)]
    pub jid: Option<JobId>,
    /// Who owns it; nothing if it was refused.
    #[serde(default)]
    pub master: Option<MasterId>,
    /// Why it was refused.
    #[serde(default)]
    pub error: Option<String>,
    /// Users' keys that the servers have to refuse from now on, because of a decision.
    #[serde(default)]
    pub revoked: Vec<String>,
}

/// Where a job stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Recorded, owned by nobody.
    Pending,
    /// Owned; nothing was sent out.
    Claimed,
    /// Sent out, at least in part.
    Running,
    /// Every peel is done.
    Complete,
    /// Every peel failed, or it could not be sent out.
    Failed,
    /// Some peels are done, others not.
    Partial,
    /// Its time is over and no peel answered.
    Timeout,
    /// Stopped by an operator.
    Canceled,
}

impl JobStatus {
    /// Whether nothing more is expected of it.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Claimed | Self::Running)
    }
}

/// Where a peel stands in a job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeelStatus {
    /// Not sent to it, or not heard of.
    Pending,
    /// It has accepted the job.
    Acked,
    /// It is at it.
    Running,
    /// It succeeded.
    Done,
    /// It failed, or refused for the reason that the return gives.
    Failed,
    /// It did not answer in time.
    Unreachable,
    /// It got the job too late.
    Expired,
    /// It was stopped in the middle, by a crash or a shutdown; the return says how far it was.
    Interrupted,
    /// Stopped by an operator.
    Canceled,
}

impl PeelStatus {
    /// As JSON and events have it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Acked => "acked",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
            Self::Expired => "expired",
            Self::Interrupted => "interrupted",
            Self::Canceled => "canceled",
        }
    }

    /// Whether nothing more is expected of it.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Acked | Self::Running)
    }
}

/// The record of a job in the bucket `jobs`, under its id. Changed by compare-and-set only.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct JobRecord {
    /// [`VERSION`]
    pub v: u8,
    /// The job.
    pub jid: JobId,
    /// What to run.
    pub call: Call,
    /// What the operator wrote.
    pub expression: String,
    /// The newest revision of the published tree when it was asked for.
    #[serde(default)]
    pub tree: Option<u64>,
    /// How many peels; their ids are in `jobs` under `<jid>.targets.<n>`, [`TARGETS_PER_CHUNK`] each.
    pub targets: u64,
    /// In which portions.
    #[serde(default)]
    pub batch: Option<Batch>,
    /// Who asked, as the server and the signature say.
    pub user: AdminId,
    /// Where it stands.
    pub status: JobStatus,
    /// Who owns it.
    #[serde(default)]
    pub owner: Option<MasterId>,
    /// Raised by one with every change of owner; peels refuse lower ones.
    pub epoch: u64,
    /// When it was asked for.
    pub created_ms: u64,
    /// Of this record.
    pub updated_ms: u64,
    /// Peels do not begin after this.
    pub deadline_ms: u64,
    /// Peels by status, at the last change.
    #[serde(default)]
    pub counts: IndexMap<PeelStatus, u64>,
    /// Why it failed or was canceled.
    #[serde(default)]
    pub reason: Option<String>,
    /// To how many peels it was sent, in the order of their ids, where it ended before it was sent to all.
    #[serde(default)]
    pub sent: Option<u64>,
    /// New with every write: tells a writer whose answer was lost whether the write was its own.
    pub nonce: String,
    /// Kept with it.
    #[serde(default)]
    pub metadata: IndexMap<String, String>,
}

impl JobRecord {
    /// What a peel is of which nothing was heard, by its place among the job's peels in the order of their ids.
    pub fn unheard(&self, place: usize) -> PeelStatus {
        if !self.status.is_final() {
            PeelStatus::Pending
        } else if self.sent.is_some_and(|sent| place as u64 >= sent) {
            PeelStatus::Canceled
        } else {
            PeelStatus::Unreachable
        }
    }
}

/// Peel ids per chunk of a job's targets.
pub const TARGETS_PER_CHUNK: usize = 4096;

/// A chunk of a job's targets in the bucket `jobs`, under `<jid>.targets.<n>`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TargetChunk {
    /// [`VERSION`]
    pub v: u8,
    /// Sorted.
    pub peels: Vec<PeelId>,
}

/// What a master sends to peels, signed for [`Purpose::Dispatch`](crate::auth::signed::Purpose).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ExecRequest {
    /// [`VERSION`]
    pub v: u8,
    /// The life of the installation.
    pub incarnation: String,
    /// Of the job.
    pub epoch: u64,
    /// The job's owner.
    pub master: MasterId,
    /// The job.
    pub jid: JobId,
    /// The peels this envelope is for; all, where empty (signals only).
    #[serde(default)]
    pub targets: Vec<PeelId>,
    /// What to do.
    pub verb: ExecVerb,
    /// Not before.
    pub not_before_ms: u64,
    /// Not after: a peel that gets it later refuses and says so.
    pub expires_ms: u64,
    /// New with every envelope.
    pub nonce: String,
}

/// What an [`ExecRequest`] asks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecVerb {
    /// Run a function.
    Run {
        /// Which, with what.
        call: Call,
        /// The newest revision of the published tree when it was asked for: the peel fetches it before it runs.
        #[serde(default)]
        tree: Option<u64>,
    },
    /// Stop the job.
    Cancel,
}

/// A peel has accepted a job and put it down in its journal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ack {
    /// [`VERSION`]
    pub v: u8,
    /// The epoch of the envelope that was accepted.
    pub epoch: u64,
    /// When.
    pub time_ms: u64,
}

/// A state begins or ended. Lost without harm.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// [`VERSION`]
    pub v: u8,
    /// Its place in the order, from 0.
    pub index: u64,
    /// How many there are.
    pub total: u64,
    /// The state's id.
    pub id: String,
    /// `module.function`
    pub function: String,
    /// How it ended; nothing when it begins.
    #[serde(default)]
    pub result: Option<runner::Outcome>,
}

/// How a job ended on a peel. Written once under `<jid>.<peel>` in the bucket `job-returns`. Peel and job stand in the subject.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct JobReturn {
    /// [`VERSION`]
    pub v: u8,
    /// Final.
    pub status: PeelStatus,
    /// Of the envelope that was run.
    pub epoch: u64,
    /// When it began; nothing when it never did.
    #[serde(default)]
    pub started_ms: Option<u64>,
    /// When it ended.
    pub finished_ms: u64,
    /// What came out.
    pub outcome: JobOutcome,
    /// What went wrong.
    #[serde(default)]
    pub error: Option<String>,
    /// Whether something was left out to fit a message.
    #[serde(default)]
    pub truncated: bool,
}

/// What came out of a job on a peel.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobOutcome {
    /// Nothing: it was refused, or ended before there was anything.
    Nothing,
    /// A run of states.
    States(runner::Return),
    /// What a function returned.
    Value(Value),
}

/// A master is alive: in the bucket `master-heartbeat` under its id.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MasterHeartbeat {
    /// [`VERSION`]
    pub v: u8,
    /// The jobs it owns.
    pub jobs: Vec<JobId>,
    /// When.
    pub time_ms: u64,
    /// The program's version.
    pub version: String,
}

/// Which peels does a target match? On `zester.target.resolve`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ResolveRequest {
    /// [`VERSION`]
    pub v: u8,
    /// The target, as written.
    pub expression: String,
}

/// The answer to a [`ResolveRequest`].
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ResolveResponse {
    /// [`VERSION`]
    pub v: u8,
    /// Whom it matches.
    #[serde(default)]
    pub targets: Option<Targets>,
    /// How many peels are known.
    #[serde(default)]
    pub known: u64,
    /// Why it could not be said.
    #[serde(default)]
    pub error: Option<String>,
}

/// What a peel says on `zester.up.<peel>.secrets`: its settings have names of secrets that it does not hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SecretsRequest {
    /// [`VERSION`]
    pub v: u8,
    /// The revision of its tree.
    pub revision: u64,
}

/// The answer to a [`SecretsRequest`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SecretsResponse {
    /// [`VERSION`]
    pub v: u8,
    /// The revision whose secrets now lie sealed in the bucket `secrets` under the peel's id.
    #[serde(default)]
    pub revision: Option<u64>,
    /// Why they do not.
    #[serde(default)]
    pub error: Option<String>,
}

/// Something has happened: on `zester.event.<origin>.<tag>`, kept for some days.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EventMessage {
    /// [`VERSION`]
    pub v: u8,
    /// When.
    pub time_ms: u64,
    /// What its tag is about.
    pub data: Map,
}

/// What a peel says on `zester.up.<peel>.presence` and `.pending`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PeelHello {
    /// [`VERSION`]
    pub v: u8,
    /// The program's version.
    pub version: String,
    /// New at each start: two of them at once are a copied machine.
    pub instance: String,
    /// Jobs that are running.
    #[serde(default)]
    pub running: Vec<JobId>,
    /// When.
    pub time_ms: u64,
}

/// The answer to `pending`: signed envelopes of jobs that wait for the peel.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PendingJobs {
    /// [`VERSION`]
    pub v: u8,
    /// Encoded [`Signed`](crate::auth::signed::Signed) [`ExecRequest`]s, oldest first.
    pub envelopes: Vec<serde_bytes::ByteBuf>,
    /// There are more: ask again when these are done.
    #[serde(default)]
    pub more: bool,
}
