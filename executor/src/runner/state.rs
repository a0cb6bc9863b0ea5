//! One state: guards, plan, application, check, retries.

use super::{
    gate::Occasion,
    guard,
    result::{Outcome, SkipReason, StateResult},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};
use zester_compiler::{ir::Node, settings::Mask, types::Map};
use zester_stdlib::{Changes, Context, Failure, Plan, StateFunction};

/// A result without its place in the run.
pub struct Ended {
    pub outcome: Outcome,
    pub changes: Changes,
    pub comment: String,
    pub skip: Option<SkipReason>,
}

impl Ended {
    pub fn skipped(reason: SkipReason, comment: impl Into<String>) -> Self {
        Self { outcome: Outcome::Skipped, changes: Map::new(), comment: comment.into(), skip: Some(reason) }
    }

    /// A state whose result was lost to a defect of ours.
    pub fn defect() -> Self {
        Self::failed(Failure::new("the state ended in a bug of ours; please report it"))
    }

    pub fn failed(failure: Failure) -> Self {
        Self { outcome: Outcome::Failed, changes: failure.changes, comment: failure.message, skip: None }
    }
}

/// The context a node runs in.
pub fn context(base: &Context, node: &Node) -> Context {
    let mut cx = base.clone();
    cx.env = node.env.as_str().into();
    cx.state_id = node.id.as_str().into();
    cx.runas = node.attributes.runas.as_deref().map(Into::into);
    cx.timeout = node.attributes.timeout;
    cx.umask = node.attributes.umask.as_deref().and_then(|u| u32::from_str_radix(u, 8).ok());
    cx.secret = node.secret.clone().into();
    cx
}

/// Runs a state: guards first, then its function, again while `retry` asks for it.
pub fn run(node: &Node, cx: &Context, occasion: Occasion) -> Ended {
    match guarded(node, cx) {
        Ok(None) => {}
        Ok(Some(comment)) => return Ended::skipped(SkipReason::GuardNotMet, comment),
        Err(message) => return Ended::failed(Failure::new(message)),
    }
    let retry = node.attributes.retry.as_ref().filter(|_| !cx.test);
    let attempts = retry.map_or(1, |r| r.attempts.max(1));
    let mut ended = attempt(node, cx, occasion);
    for round in 1..attempts {
        let Some(retry) = retry else { break };
        let good = ended.outcome != Outcome::Failed;
        if good == retry.until || cx.cancel.is_cancelled() {
            break;
        }
        // A spread by the state's own name keeps machines apart and runs repeatable.
        let spread = if retry.splay > 0.0 { retry.splay * fraction(&node.id, round) } else { 0.0 };
        if !wait(retry.interval + spread, cx) {
            break;
        }
        ended = attempt(node, cx, occasion);
        ended.comment = format!("{} (attempt {})", ended.comment, round + 1);
    }
    ended
}

/// What applying would do: what `prereq` asks. Guards are looked at; nothing is applied.
pub fn forecast(node: &Node, cx: &Context) -> Ended {
    let mut cx = cx.clone();
    cx.test = true;
    match guarded(node, &cx) {
        Ok(None) => attempt(node, &cx, Occasion::Turn),
        Ok(Some(comment)) => Ended::skipped(SkipReason::GuardNotMet, comment),
        Err(message) => Ended::failed(Failure::new(message)),
    }
}

fn guarded(node: &Node, cx: &Context) -> Result<Option<String>, String> {
    catch_unwind(AssertUnwindSafe(|| guard::unmet(node, cx)))
        .unwrap_or_else(|_| Err("a guard ended in a bug of ours; please report it".to_owned()))
}

fn fraction(id: &str, round: u32) -> f64 {
    let hash = id.bytes().fold(u64::from(round), |h, b| h.wrapping_mul(1_099_511_628_211) ^ u64::from(b));
    (hash % 1000) as f64 / 1000.0
}

/// Sleeps; `false` when the end was asked for.
fn wait(seconds: f64, cx: &Context) -> bool {
    let end = Instant::now() + Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0));
    while Instant::now() < end {
        if cx.cancel.is_cancelled() {
            return false;
        }
        let left = end.saturating_duration_since(Instant::now());
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
    true
}

fn attempt(node: &Node, cx: &Context, occasion: Occasion) -> Ended {
    let function = match cx.library.build(&node.function.to_string(), &node.args) {
        Ok(function) => function,
        Err(message) => return Ended::failed(Failure::new(message)),
    };
    // A defect in one function must not take the run, nor the report of what was done, with it.
    let ended = catch_unwind(AssertUnwindSafe(|| perform(node, function.as_ref(), cx, occasion)));
    ended.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        let text = text.unwrap_or_default();
        Ended::failed(Failure::new(format!(
            "`{}` ended in a bug of ours, please report it: {text}",
            node.function
        )))
    })
}

fn perform(node: &Node, function: &dyn StateFunction, cx: &Context, occasion: Occasion) -> Ended {
    let plan = match function.plan(cx) {
        Ok(plan) => plan,
        Err(failure) => return Ended::failed(failure),
    };
    let ended = apply(plan, cx);
    // The reaction to a watched change comes when the state itself had nothing to change, as in Salt.
    let reacts = match occasion {
        Occasion::Turn => false,
        Occasion::Change => function.reacts_to_onchanges(),
        Occasion::Watched => true,
    };
    if reacts && ended.outcome == Outcome::Unchanged {
        match function.watched(cx) {
            Ok(Some(reaction)) => return checked(node, apply(reaction, cx), cx),
            Ok(None) => {}
            Err(failure) => return Ended::failed(failure),
        }
    }
    checked(node, ended, cx)
}

fn apply(plan: Plan<'_>, cx: &Context) -> Ended {
    let Plan { changes, comment, apply, failure } = plan;
    if let Some(failure) = failure {
        return Ended::failed(failure);
    }
    let Some(apply) = apply else {
        return Ended { outcome: Outcome::Unchanged, changes, comment, skip: None };
    };
    if cx.test {
        return Ended { outcome: Outcome::WouldChange, changes, comment, skip: None };
    }
    match apply(cx) {
        Ok(outcome) => Ended {
            outcome: if outcome.unchanged { Outcome::Unchanged } else { Outcome::Changed },
            changes: if outcome.unchanged {
                outcome.changes
            } else if outcome.changes.is_empty() {
                changes
            } else {
                outcome.changes
            },
            comment: outcome.comment.unwrap_or(comment),
            skip: None,
        },
        Err(failure) => Ended::failed(failure),
    }
}

/// The reaction of a state that listens; `None` when its function has none.
pub fn react(node: &Node, cx: &Context) -> Option<Ended> {
    match guarded(node, cx) {
        Ok(None) => {}
        Ok(Some(_)) => return None,
        Err(message) => return Some(Ended::failed(Failure::new(message))),
    }
    let function = match cx.library.build(&node.function.to_string(), &node.args) {
        Ok(function) => function,
        Err(message) => return Some(Ended::failed(Failure::new(message))),
    };
    let reaction = catch_unwind(AssertUnwindSafe(|| match function.watched(cx) {
        Ok(Some(reaction)) => Some(apply(reaction, cx)),
        Ok(None) => None,
        Err(failure) => Some(Ended::failed(failure)),
    }));
    reaction.unwrap_or_else(|_| {
        Some(Ended::failed(Failure::new("the reaction ended in a bug of ours; please report it")))
    })
}

/// `check_cmd` judges what was changed.
fn checked(node: &Node, ended: Ended, cx: &Context) -> Ended {
    if cx.test
        || !matches!(ended.outcome, Outcome::Changed | Outcome::Failed)
        || node.attributes.check_cmd.is_empty()
    {
        return ended;
    }
    for line in &node.attributes.check_cmd {
        let problem = match guard::run(line, node, cx) {
            Ok(output) if output.success() => continue,
            Ok(output) => {
                let words = if output.stderr.trim().is_empty() { output.stdout } else { output.stderr };
                format!("check_cmd `{line}` exited with {}: {}", output.status, words.trim())
            }
            Err(message) => message,
        };
        return Ended { outcome: Outcome::Failed, changes: ended.changes, comment: problem, skip: None };
    }
    // As in Salt, the command's word counts: it can also make good what the function took for a failure.
    if ended.outcome == Outcome::Failed {
        return Ended {
            outcome: Outcome::Changed,
            comment: format!("{} (check_cmd succeeded)", ended.comment),
            ..ended
        };
    }
    ended
}

/// A finished state as it is reported.
pub fn report(
    node: &Node,
    mask: &Mask,
    ended: Ended,
    started: chrono::DateTime<chrono::Utc>,
    took: Duration,
) -> StateResult {
    let ran = ended.outcome != Outcome::Skipped;
    let mask = mask.with(node);
    StateResult {
        id: mask.text(node.id.clone()),
        function: mask.text(node.function.to_string()),
        name: mask.text(node.name.clone()),
        result: ended.outcome,
        changes: mask.changes(ended.changes),
        comment: mask.text(ended.comment),
        started: if ran {
            started.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
        } else {
            String::new()
        },
        duration_ms: (took.as_secs_f64() * 1e6).round() / 1e3,
        skip_reason: ended.skip,
        origin: node.origin.clone(),
    }
}
