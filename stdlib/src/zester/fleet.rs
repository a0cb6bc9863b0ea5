//! What the steps of an orchestration ask of the fleet.

use crate::Cancel;
use std::{collections::BTreeMap, sync::Arc};
use zester_compiler::types::{Map, Value};

/// The fleet as an orchestration sees it. All of it may take long, has an end, and ends early when `cancel` says so:
/// jobs that are on their way are then stopped.
pub trait Fleet: Send + Sync {
    /// The peels that a target of the target language matches now. The error is a full sentence.
    fn matching(&self, target: &str) -> Result<Vec<String>, String>;

    /// Runs a job to its end. The error is a full sentence: nothing ran, or nobody knows what did.
    fn run(&self, order: &Order, cancel: &Cancel) -> Result<Done, String>;

    /// Waits for events. The error is a full sentence: those that did not come.
    fn wait(&self, wait: &Wait, cancel: &Cancel) -> Result<Vec<Event>, String>;

    /// Calls a runner by its [own name](super::runners::Runner::name), with arguments bound by its parameters.
    fn call(&self, runner: &str, args: &Map, test: bool, cancel: &Cancel) -> Result<Answer, String>;
}

/// A job as a step orders it.
#[derive(Clone, PartialEq, Debug)]
pub struct Order {
    /// The step's id, for the record.
    pub step: Arc<str>,
    /// Which peels: an expression of the target language.
    pub target: String,
    /// `module.function`
    pub function: String,
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Named arguments.
    pub kwargs: Map,
    /// Whether peels only say what would change.
    pub test: bool,
    /// How long peels have, in seconds.
    pub timeout_s: f64,
    /// In which portions: peels at a time, or a share as `10%`.
    pub batch: Option<String>,
    /// The pause after each portion, in seconds.
    pub batch_wait_s: f64,
    /// With portions: no further one begins after so many failures.
    pub fail_limit: Option<u64>,
    /// Only so many of the peels, by chance.
    pub subset: Option<u64>,
}

/// What came of a job.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Done {
    /// Its id.
    pub jid: String,
    /// Each of its peels.
    pub peels: BTreeMap<String, OnPeel>,
}

/// What came of a job on one peel.
#[derive(Clone, PartialEq, Debug)]
pub struct OnPeel {
    /// How it ended there.
    pub end: End,
    /// States that changed something, or would: `module.function name`.
    pub changed: Vec<String>,
    /// What a function returned.
    pub value: Option<Value>,
    /// What went wrong, with the place in the tree where there is one.
    pub error: String,
}

/// How a job ended on a peel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It succeeded.
    Done,
    /// It failed, or was stopped.
    Failed,
    /// The peel did not answer in time.
    Unreachable,
    /// The job had ended before it was sent there.
    NotBegun,
}

/// Events that are waited for.
#[derive(Clone, PartialEq, Debug)]
pub struct Wait {
    /// A tag, in which `*`, `?` and `[…]` stand for what they do in a glob.
    pub tag: String,
    /// The ids of which an event each has to come; without any one event is enough.
    pub ids: Vec<String>,
    /// Where an event's id is: `id` is who sent it, anything else a key of its data.
    pub id_key: String,
    /// How long, in seconds.
    pub timeout_s: f64,
}

/// An event that came.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Who sent it, as the server says.
    pub origin: String,
    /// Its tag.
    pub tag: String,
    /// What it says.
    pub data: Map,
}

/// What a runner answers.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answer {
    /// The answer.
    pub value: Value,
    /// Whether something was changed, or would be.
    pub changed: bool,
    /// In a sentence, where the value does not say it.
    pub comment: Option<String>,
}
