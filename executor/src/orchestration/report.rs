//! What came of a job, as a step sees it.

use crate::{
    job::message::{JobOutcome, JobReturn, PeelStatus},
    operator::Report,
    runner::{Outcome, StateResult},
};
use zester_stdlib::zester::{Done, End, OnPeel};

/// Failed states of a peel that are told in full.
const SHOWN: usize = 3;

/// All peels of a job.
pub fn done(report: &Report) -> Done {
    let peels = report.peels.iter();
    Done {
        jid: report.record.jid.to_string(),
        peels: peels
            .map(|(peel, (status, result))| (peel.to_string(), on(*status, result.as_ref())))
            .collect(),
    }
}

fn on(status: PeelStatus, result: Option<&JobReturn>) -> OnPeel {
    use PeelStatus::{Acked, Canceled, Done, Expired, Failed, Interrupted, Pending, Running, Unreachable};
    let end = match status {
        Done => End::Done,
        Canceled if result.is_none() => End::NotBegun,
        Failed | Expired | Interrupted | Canceled => End::Failed,
        Pending | Acked | Running | Unreachable => End::Unreachable,
    };
    let mut on = OnPeel { end, changed: Vec::new(), value: None, error: String::new() };
    match result.map(|r| &r.outcome) {
        Some(JobOutcome::States(states)) => {
            let changed =
                states.states.iter().filter(|s| matches!(s.result, Outcome::Changed | Outcome::WouldChange));
            on.changed = changed.map(|s| format!("{} {}", s.function, s.name)).collect();
            on.error = failures(&states.states);
        }
        Some(JobOutcome::Value(value)) => on.value = Some(value.clone()),
        Some(JobOutcome::Nothing) | None => {}
    }
    if matches!(end, End::Failed | End::Unreachable) && on.error.is_empty() {
        on.error = match (end, result.and_then(|r| r.error.clone())) {
            (_, Some(error)) => error,
            (End::Unreachable, None) => "did not answer in time".to_owned(),
            (_, None) => status.word().to_owned(),
        };
    }
    on
}

/// The states that failed, each with its place in the tree.
fn failures(states: &[StateResult]) -> String {
    let failed: Vec<&StateResult> = states.iter().filter(|s| s.result == Outcome::Failed).collect();
    let mut lines: Vec<String> = Vec::new();
    for state in failed.iter().take(SHOWN) {
        let origin = &state.origin;
        lines.push(format!("`{}` ({}) failed: {}", state.id, state.function, state.comment));
        lines.push(format!("at {}:{}:{}", origin.file, origin.line, origin.column));
    }
    if failed.len() > SHOWN {
        lines.push(format!("and {} more states failed", failed.len() - SHOWN));
    }
    lines.join("\n")
}
