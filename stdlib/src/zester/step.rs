//! What `zester.state` and `zester.function` have in common: whom they ask, and what of the answers is a failure.

use super::fleet::{Done, End, OnPeel, Order};
use crate::{Changes, Context, Failure};
use zester_compiler::{
    source::{FileId, Span},
    target::{Form, Target},
    types::{Seconds, Value},
};

/// Longest time that a job may have, in seconds.
const LIMIT_S: f64 = 86_400.0;
/// Peels that are told by name in a sentence.
const SHOWN: usize = 8;

/// Whom, and how.
pub(super) struct Step<'s> {
    pub(super) tgt: &'s Value,
    pub(super) tgt_type: Option<&'s str>,
    pub(super) batch: Option<&'s Value>,
    pub(super) batch_wait: Option<Seconds>,
    pub(super) subset: Option<u64>,
    pub(super) timeout: Option<Seconds>,
    pub(super) expect_minions: bool,
    pub(super) fail_minions: &'s [String],
    pub(super) allow_fail: u64,
}

impl Step<'_> {
    /// The target in the target language.
    pub(super) fn target(&self) -> Result<String, Failure> {
        let (form, text) = match (self.tgt, self.tgt_type) {
            (Value::List(items), None | Some("list")) => {
                let names: Vec<String> = items.iter().map(Value::to_string).collect();
                (Form::List, names.join(","))
            }
            (Value::List(_), Some(other)) => {
                return Err(Failure::new(format!(
                    "`tgt` is a list, which `tgt_type: {other}` does not take; leave `tgt_type` out"
                )));
            }
            (text, word) => (word.and_then(Form::of_word).unwrap_or(Form::Compound), text.to_string()),
        };
        let span = Span::new(FileId(0), 0..text.len());
        let (target, found) = match form {
            Form::Compound => Target::parse(&text, span),
            form => Target::parse_as(form, &text, span),
        };
        match found.iter().find(|d| d.is_error()) {
            Some(error) => {
                let help = error.help.as_ref().map(|h| format!("; {h}")).unwrap_or_default();
                Err(Failure::new(format!("the target `{text}` is malformed: {}{help}", error.message)))
            }
            None => Ok(target.to_string()),
        }
    }

    /// The job of a function; `usual_s` is the time it has if nothing is said.
    pub(super) fn order(&self, cx: &Context, function: &str, usual_s: f64) -> Result<Order, Failure> {
        let timeout_s = self.timeout.map_or(usual_s, |t| t.0);
        if timeout_s.is_nan() || timeout_s <= 0.0 || timeout_s > LIMIT_S {
            return Err(Failure::new(format!(
                "`timeout` is {timeout_s} seconds; it must be more than 0 and at most a day"
            )));
        }
        let batch = self.batch.map(Value::to_string);
        if let Some(text) = &batch {
            let number = text.strip_suffix('%').unwrap_or(text).trim();
            let good = if text.ends_with('%') {
                number.parse::<f64>().is_ok_and(|share| share > 0.0 && share <= 100.0)
            } else {
                number.parse::<u64>().is_ok_and(|count| count > 0)
            };
            if !good {
                return Err(Failure::new(format!(
                    "`batch` is `{text}`; write a number of peels, or a share as 10%"
                )));
            }
        }
        if self.subset == Some(0) {
            return Err(Failure::new("`subset` is 0, which leaves nobody; write 1 or more"));
        }
        Ok(Order {
            step: cx.state_id.clone(),
            target: self.target()?,
            function: function.to_owned(),
            args: Vec::new(),
            kwargs: zester_compiler::types::Map::new(),
            test: cx.test,
            timeout_s,
            batch,
            batch_wait_s: self.batch_wait.map_or(0.0, |s| s.0.clamp(0.0, LIMIT_S)),
            // More failures than may be make the step a failure, so that nothing is gained by going on.
            fail_limit: self.expect_minions.then(|| {
                let names = self.fail_minions.iter().flat_map(|list| list.split(',')).count() as u64;
                self.allow_fail.saturating_add(names).saturating_add(1)
            }),
            subset: self.subset,
        })
    }

    /// Fails where more peels failed than may. `changes` are what the others did.
    pub(super) fn judge(&self, done: &Done, changes: Changes) -> Result<(), Failure> {
        let may = |peel: &str| {
            self.fail_minions.iter().flat_map(|list| list.split(',')).any(|name| name.trim() == peel)
        };
        let counts = |end: End| match end {
            End::Done | End::NotBegun => false,
            End::Failed => true,
            End::Unreachable => self.expect_minions,
        };
        let not_begun = done.peels.values().filter(|on| on.end == End::NotBegun).count();
        let failed: Vec<(&String, &OnPeel)> =
            done.peels.iter().filter(|(peel, on)| counts(on.end) && !may(peel)).collect();
        if failed.len() as u64 <= self.allow_fail && not_begun == 0 {
            return Ok(());
        }
        let of = done.peels.len();
        let mut message = if failed.is_empty() {
            format!("the job ended before it was sent to all peels (job {})", done.jid)
        } else {
            format!("{} of {of} {} failed (job {})", failed.len(), plural(of, "peel"), done.jid)
        };
        // Peels that say the same are one paragraph.
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for (peel, on) in &failed {
            let error = if on.error.is_empty() { word(on.end) } else { &on.error };
            if let Some((_, peels)) = groups.iter_mut().find(|(said, _)| *said == error) {
                peels.push(peel);
            } else if groups.len() < SHOWN {
                groups.push((error, vec![peel]));
            }
        }
        for (error, peels) in &groups {
            message.push_str(&format!("\n{}: {}", names(peels), error.trim_end().replace('\n', "\n  ")));
        }
        let told: usize = groups.iter().map(|(_, peels)| peels.len()).sum();
        if failed.len() > told {
            message.push_str(&format!("\nand {} more; zester job show {}", failed.len() - told, done.jid));
        }
        if not_begun > 0 {
            message.push_str(&format!("\n{not_begun} {} not begun", plural(not_begun, "peel")));
        }
        Err(Failure::new(message).with_changes(changes))
    }
}

fn word(end: End) -> &'static str {
    match end {
        End::Done => "done",
        End::Failed => "failed",
        End::Unreachable => "did not answer in time",
        End::NotBegun => "not begun",
    }
}

/// `web-1, web-2 and 7 more`
fn names(peels: &[&str]) -> String {
    let shown = peels.get(..SHOWN).unwrap_or(peels).join(", ");
    match peels.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// `2 peels`
pub(super) fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

/// What peels did, in a sentence: `3 peels: changed web-1, web-2; unchanged web-3 (job …)`.
pub(super) fn sentence(done: &Done, changed: &str, unchanged: &str) -> String {
    let mut parts = Vec::new();
    let mut part = |word: &str, is: &dyn Fn(&OnPeel) -> bool| {
        let peels: Vec<&str> =
            done.peels.iter().filter(|(_, on)| is(on)).map(|(peel, _)| peel.as_str()).collect();
        if !peels.is_empty() {
            parts.push(format!("{word} {}", names(&peels)));
        }
    };
    part(changed, &|on| on.end == End::Done && !on.changed.is_empty());
    part(unchanged, &|on| on.end == End::Done && on.changed.is_empty());
    part("failed", &|on| on.end == End::Failed);
    part("unreachable", &|on| on.end == End::Unreachable);
    part("not begun on", &|on| on.end == End::NotBegun);
    let count = done.peels.len();
    format!("{count} {}: {} (job {})", plural(count, "peel"), parts.join("; "), done.jid)
}

/// The states that changed, by peel.
pub(super) fn changes(done: &Done) -> Changes {
    let changed = done.peels.iter().filter(|(_, on)| !on.changed.is_empty());
    changed
        .map(|(peel, on)| {
            (peel.clone(), Value::List(on.changed.iter().map(|s| Value::from(s.as_str())).collect()))
        })
        .collect()
}
