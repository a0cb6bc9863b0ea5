//! What a run returns: a result per state, counts, how it ended.

use serde::{Deserialize, Serialize};
use zester_compiler::{ir::Origin, types::Map};

/// The result of a state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Something was changed.
    Changed,
    /// All was as wanted.
    Unchanged,
    /// A test run found something to change.
    WouldChange,
    /// It failed.
    Failed,
    /// It did not run; the reason says why.
    Skipped,
}

/// Why a state did not run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// A state it requires failed, or was itself skipped for that.
    RequireFailed,
    /// Nothing that it waits for changed.
    OnchangesNotMet,
    /// Nothing that it waits for failed.
    OnfailNotMet,
    /// What it prepares for would not change.
    PrereqNotMet,
    /// `onlyif`, `unless` or `creates` says no.
    GuardNotMet,
    /// A state with `failhard` failed before.
    FailhardAbort,
    /// The run was interrupted before.
    Cancelled,
}

/// The result of one state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StateResult {
    /// The id the author wrote.
    pub id: String,
    /// `module.function`
    pub function: String,
    /// The name it manages.
    pub name: String,
    /// How it ended.
    pub result: Outcome,
    /// What changed, or would.
    pub changes: Map,
    /// One line for people.
    pub comment: String,
    /// RFC 3339 with milliseconds, UTC; empty when it did not run.
    pub started: String,
    /// Milliseconds.
    pub duration_ms: f64,
    /// Why it did not run.
    pub skip_reason: Option<SkipReason>,
    /// Where it was written.
    pub origin: Origin,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing failed.
    Done,
    /// Some state failed.
    Failed,
    /// It was interrupted.
    Cancelled,
}

/// States by result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Changed.
    pub changed: usize,
    /// As wanted.
    pub unchanged: usize,
    /// Would change.
    pub would_change: usize,
    /// Failed.
    pub failed: usize,
    /// Did not run.
    pub skipped: usize,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Changed => self.changed += 1,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::WouldChange => self.would_change += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Skipped => self.skipped += 1,
        }
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.changed + self.unchanged + self.would_change + self.failed + self.skipped
    }
}

/// What a run returns.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Return {
    /// How it ended.
    pub status: Status,
    /// A result per state, in the order of execution.
    pub states: Vec<StateResult>,
    /// By result.
    pub counts: Counts,
    /// Whether it was a test run.
    pub test: bool,
    /// Milliseconds.
    pub duration_ms: f64,
}

/// Watches a run.
pub trait Observer: Send + Sync {
    /// A state begins: its place in the order from 0, how many there are, its id and function.
    fn begins(&self, _index: usize, _total: usize, _id: &str, _function: &str) {}

    /// A state ended.
    fn ended(&self, _index: usize, _total: usize, _result: &StateResult) {}
}

/// Watches nothing.
pub struct Silent;

impl Observer for Silent {}
