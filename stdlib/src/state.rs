//! What a state function promises: one plan of the difference, then its application.

use crate::Context;
use zester_compiler::types::{Arguments, Map, Value};

/// What changes, as data: attribute → `{"old": …, "new": …}`; for text files also `"diff"`: a unified diff.
/// Secrets are masked before they get here.
pub type Changes = Map;

/// One attribute's change.
pub fn change(old: impl Into<Value>, new: impl Into<Value>) -> Value {
    Value::Map(Map::from_iter([("old".to_owned(), old.into()), ("new".to_owned(), new.into())]))
}

/// Why a state failed: a sentence that names the thing, and what had changed before it failed.
#[derive(Clone, PartialEq, Debug)]
pub struct Failure {
    /// A full sentence without a final period; contains the system's or the command's own words.
    pub message: String,
    /// What was changed before the failure.
    pub changes: Changes,
}

impl Failure {
    /// A failure that changed nothing.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), changes: Changes::new() }
    }

    /// Adds what had changed already.
    pub fn with_changes(mut self, changes: Changes) -> Self {
        self.changes = changes;
        self
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// What an application did, where it knows more than its plan (a command's output, a package's version).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outcome {
    /// Replaces the plan's changes when not empty.
    pub changes: Changes,
    /// Replaces the plan's comment when given.
    pub comment: Option<String>,
    /// It turned out that nothing had to change (a stateful command said so): the result is `unchanged`.
    pub unchanged: bool,
}

type Application<'a> = Box<dyn FnOnce(&Context) -> Result<Outcome, Failure> + 'a>;

/// The difference between what is and what should be, and how to remove it. Test mode reports it; apply runs it.
pub struct Plan<'a> {
    /// What would change; empty when nothing would.
    pub changes: Changes,
    /// One line for people.
    pub comment: String,
    /// Removes the difference; `None` when there is none.
    pub apply: Option<Application<'a>>,
    /// Set by functions whose result is a failure that even test mode reports.
    pub failure: Option<Failure>,
}

impl<'a> Plan<'a> {
    /// Nothing to do.
    pub fn unchanged(comment: impl Into<String>) -> Self {
        Self { changes: Changes::new(), comment: comment.into(), apply: None, failure: None }
    }

    /// Something to do.
    pub fn change(
        changes: Changes,
        comment: impl Into<String>,
        apply: impl FnOnce(&Context) -> Result<Outcome, Failure> + 'a,
    ) -> Self {
        Self { changes, comment: comment.into(), apply: Some(Box::new(apply)), failure: None }
    }

    /// Something goes, if it is there; `what` it is stands before its name, as in "the user `ada`".
    pub(crate) fn removal(
        (what, name): (&str, &str),
        is_there: bool,
        remove: impl FnOnce(&Context) -> Result<(), Failure> + 'a,
    ) -> Self {
        if !is_there {
            return Self::unchanged(format!("there is no {what} `{name}`"));
        }
        let changes = Changes::from_iter([(name.to_owned(), change(format!("a {what}"), ()))]);
        Self::change(changes, format!("the {what} `{name}` is removed"), move |cx| {
            remove(cx)?;
            Ok(Outcome::default())
        })
    }

    /// It cannot work; known without trying.
    pub fn failed(failure: impl Into<Failure>) -> Self {
        Self { changes: Changes::new(), comment: String::new(), apply: None, failure: Some(failure.into()) }
    }
}

/// A state function: arguments that can plan.
pub trait State: Arguments + Send + Sync {
    /// Compares what is with what should be. Reads the machine, never changes it.
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure>;

    /// The reaction to a change of a watched state, run when the state itself had nothing to change: restart,
    /// reload, run again. `None` when there is none.
    fn watched(&self, _cx: &Context) -> Result<Option<Plan<'_>>, Failure> {
        Ok(None)
    }

    /// Whether a change that the state waited for with `onchanges` counts as a watched one: for functions whose use is to act then, and
    /// that would otherwise find nothing to do.
    fn reacts_to_onchanges(&self) -> bool {
        false
    }
}
