//! A job from what an operator says of it: whom it matches now, in which portions.

use super::{Operator, OperatorError};
use crate::{
    bus::id::JobId,
    job::message::{Batch, Call, Job, Targets, VERSION},
    peel::now_ms,
};
use indexmap::IndexMap;
use rand::seq::SliceRandom;

/// Time for states if nothing is said, in milliseconds: a peel that is back within it still gets them.
const STATES_MS: u64 = 3_600_000;
/// Time for functions if nothing is said, in milliseconds.
const FUNCTION_MS: u64 = 300_000;

/// How a job is sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sending {
    /// How long peels have, in milliseconds; an hour for states and five minutes for functions if nothing is said.
    pub timeout_ms: Option<u64>,
    /// So many peels at a time: a number, or a share as `10%`.
    pub batch: Option<String>,
    /// The pause after each portion, in milliseconds.
    pub batch_wait_ms: u64,
    /// No further portion after so many failures.
    pub fail_limit: Option<u64>,
    /// Only so many of the peels that match, by chance.
    pub subset: Option<u64>,
}

impl Operator {
    /// The job of a call on the peels that match now; nothing where none does.
    pub async fn prepare(
        &self,
        target: &str,
        call: Call,
        sending: &Sending,
    ) -> Result<Option<Job>, OperatorError> {
        let (mut targets, _) = self.resolve(target).await?;
        if targets.count == 0 {
            return Ok(None);
        }
        if let Some(subset) = sending.subset {
            if targets.peels.is_empty() {
                return Err(OperatorError::Refused(
                    "a subset of so many peels cannot be taken; name a narrower target".to_owned(),
                ));
            }
            let mut peels = targets.peels.clone();
            peels.shuffle(&mut rand::rng());
            peels.truncate(usize::try_from(subset.max(1)).unwrap_or(usize::MAX));
            targets = Targets::of(target, peels);
        }
        let batch = match &sending.batch {
            None => None,
            Some(text) => Some(Batch {
                size: portion(text, targets.count).ok_or_else(|| {
                    OperatorError::Refused(format!(
                        "`{text}` is no portion; write a number of peels, or a share as 10%"
                    ))
                })?,
                wait_ms: sending.batch_wait_ms,
                fail_limit: sending.fail_limit,
            }),
        };
        let usual = if call.function.starts_with("state.") { STATES_MS } else { FUNCTION_MS };
        Ok(Some(Job {
            v: VERSION,
            jid: JobId::generate(),
            call,
            targets,
            timeout_ms: sending.timeout_ms.unwrap_or(usual),
            batch,
            created_ms: now_ms(),
            metadata: IndexMap::new(),
        }))
    }
}

/// How many of `count` peels a portion is.
fn portion(text: &str, count: u64) -> Option<u64> {
    let size = match text.strip_suffix('%') {
        Some(share) => {
            let share: f64 = share.trim().parse().ok()?;
            if !(0.0..=100.0).contains(&share) || share == 0.0 {
                return None;
            }
            (count as f64 * share / 100.0).ceil() as u64
        }
        None => text.trim().parse().ok()?,
    };
    (size > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions() {
        for (text, size) in [("3", Some(3)), ("10%", Some(1)), ("25 %", Some(2)), ("100%", Some(7))] {
            assert_eq!(portion(text, 7), size, "{text}");
        }
        for wrong in ["0", "0%", "101%", "-1", "many", "", "%", "nan%"] {
            assert_eq!(portion(wrong, 7), None, "{wrong}");
        }
    }
}
