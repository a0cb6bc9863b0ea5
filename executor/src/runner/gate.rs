//! Requisites: whether a state may run, given what the states it names did.

use super::result::{Outcome, SkipReason, StateResult};
use zester_compiler::ir::Requisite;

/// What a state's requisites say.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// It runs.
    Run(Occasion),
    /// It does not run.
    Skip {
        /// Why.
        reason: SkipReason,
        /// In words, with the first cause.
        comment: String,
    },
}

/// What makes a state run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// Its turn.
    Turn,
    /// A change that it waited for with `onchanges`.
    Change,
    /// A change of a watched state.
    Watched,
}

/// A finished state, and where its failure began.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its result.
    pub result: Outcome,
    /// Why it was skipped.
    pub skipped: Option<SkipReason>,
    /// Id and function of the state whose failure was the first in the chain; its own when it failed itself.
    pub cause: Option<String>,
}

impl Finished {
    /// What followers need to know of a result.
    pub fn of(result: &StateResult, cause: Option<String>) -> Self {
        let own = || format!("{} ({})", result.id, result.function);
        let cause = match result.result {
            Outcome::Failed => Some(own()),
            Outcome::Skipped => cause,
            _ => None,
        };
        Self { result: result.result, skipped: result.skip_reason, cause }
    }

    /// A state that ended so.
    pub fn done(result: Outcome) -> Self {
        Self { result, skipped: None, cause: None }
    }

    /// A state that did not run.
    pub fn skipped(reason: SkipReason) -> Self {
        Self { result: Outcome::Skipped, skipped: Some(reason), cause: None }
    }

    /// Failed, or not run because something before it failed.
    pub fn failed(&self) -> bool {
        self.result == Outcome::Failed
            || matches!(
                self.skipped,
                Some(SkipReason::RequireFailed | SkipReason::FailhardAbort | SkipReason::Cancelled)
            )
    }

    /// Changed something, or would have.
    pub fn changed(&self) -> bool {
        matches!(self.result, Outcome::Changed | Outcome::WouldChange)
    }
}

/// Decides. `targets` are the finished states this one names; listeners and prereqs are judged elsewhere.
pub fn judge(targets: &[(Requisite, &Finished)]) -> Verdict {
    use Requisite::*;
    let of = |kinds: &[Requisite]| -> Vec<&Finished> {
        targets.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, f)| *f).collect()
    };
    let cause = |states: &[&Finished]| {
        states
            .iter()
            .find(|f| f.failed())
            .and_then(|f| f.cause.clone())
            .unwrap_or_else(|| "a required state".to_owned())
    };
    let failed = |comment: String| Verdict::Skip { reason: SkipReason::RequireFailed, comment };

    let required = of(&[Require, Watch, Onchanges, Prereq]);
    if required.iter().any(|f| f.failed()) {
        return failed(format!("{} failed", cause(&required)));
    }
    for any in [&[RequireAny][..], &[WatchAny], &[OnchangesAny]] {
        let states = of(any);
        if !states.is_empty() && states.iter().all(|f| f.failed()) {
            return failed(format!("all of the alternatives failed; the first was {}", cause(&states)));
        }
    }
    let onfail = of(&[Onfail, OnfailAny]);
    let onfail_all = of(&[OnfailAll]);
    // As in Salt, a state that could not run because of a failure counts as failed here too.
    let any_failed = onfail.iter().any(|f| f.failed());
    let all_failed = !onfail_all.is_empty() && onfail_all.iter().all(|f| f.failed());
    if (!onfail.is_empty() && !any_failed) || (!onfail_all.is_empty() && !all_failed) {
        return Verdict::Skip {
            reason: SkipReason::OnfailNotMet,
            comment: "nothing it waits for failed".to_owned(),
        };
    }
    let onchanges = of(&[Onchanges]);
    let onchanges_any = of(&[OnchangesAny]);
    let waits = |states: &[&Finished]| !states.is_empty() && !states.iter().any(|f| f.changed());
    if waits(&onchanges) || waits(&onchanges_any) {
        return Verdict::Skip {
            reason: SkipReason::OnchangesNotMet,
            comment: "nothing it waits for changed".to_owned(),
        };
    }
    Verdict::Run(if of(&[Watch, WatchAny]).iter().any(|f| f.changed()) {
        Occasion::Watched
    } else if onchanges.is_empty() && onchanges_any.is_empty() {
        Occasion::Turn
    } else {
        Occasion::Change
    })
}
