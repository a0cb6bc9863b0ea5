//! What happens in the fleet, as it happens: events, and what becomes of jobs.

use super::{Operator, OperatorError};
use crate::bus::{Subscription, survey::readable};
use serde_json::Value;

/// Where it is said.
const SUBJECTS: [&str; 4] =
    ["zester.event.>", "zester.job.*.ack.*", "zester.job.*.return.*", "zester.job.*.status"];
/// The longest tag, in bytes.
const MAX_TAG: usize = 200;

/// Something that happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Happened {
    /// Who says so: a peel, an operator, `masters`.
    pub origin: String,
    /// What it is: `deploy.done`, or `job.return.<jid>` and its kin.
    pub tag: String,
    /// The message; of an event, what it says is under `data`.
    pub message: Value,
    /// Bytes of it as it came.
    pub size: usize,
}

/// What happens from now on.
pub struct Events {
    streams: Vec<Subscription>,
}

impl Operator {
    /// Listens to what happens from now on.
    pub async fn events(&self) -> Result<Events, OperatorError> {
        let mut streams = Vec::new();
        for subject in SUBJECTS {
            streams.push(self.bus.subscribe(subject).await?);
        }
        Ok(Events { streams })
    }
}

impl Events {
    /// The next one; nothing when the connection was closed.
    pub async fn next(&mut self) -> Option<Happened> {
        loop {
            let nexts = self.streams.iter_mut().map(|s| Box::pin(s.next()));
            let (message, ..) = futures_util::future::select_all(nexts).await;
            let message = message?;
            let Some((origin, tag)) = place(&message.subject) else { continue };
            let size = message.payload.len();
            let message = readable(&message.payload).unwrap_or(Value::Null);
            return Some(Happened { origin, tag, message, size });
        }
    }
}

/// Refuses what is no tag; the error is a full sentence.
pub fn check_tag(tag: &str) -> Result<(), String> {
    let good = |token: &str| {
        !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    if tag.split('.').all(good) && tag.len() <= MAX_TAG {
        return Ok(());
    }
    Err(format!("`{tag}` is no tag; write letters, digits, `_` and `-`, with single dots between tokens"))
}

/// Origin and tag of a subject: an event's own, or `job.<what>.<jid>` of a peel or the masters.
fn place(subject: &str) -> Option<(String, String)> {
    let rest = subject.strip_prefix("zester.")?;
    if let Some(rest) = rest.strip_prefix("event.") {
        // `_role.name` are two tokens of one origin.
        let mut tokens = rest.splitn(if rest.starts_with('_') { 3 } else { 2 }, '.');
        let first = tokens.next()?;
        let origin = if rest.starts_with('_') { tokens.next()? } else { first };
        return Some((origin.to_owned(), tokens.next()?.to_owned()));
    }
    let mut tokens = rest.strip_prefix("job.")?.split('.');
    let (jid, what) = (tokens.next()?, tokens.next()?);
    Some((tokens.next().unwrap_or("masters").to_owned(), format!("job.{what}.{jid}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_taken_apart() {
        let apart = |subject: &str| place(subject).map(|(o, t)| format!("{o} {t}"));
        assert_eq!(apart("zester.event.web-1.deploy.done").as_deref(), Some("web-1 deploy.done"));
        assert_eq!(apart("zester.event._admin.alice.x").as_deref(), Some("alice x"));
        assert_eq!(apart("zester.job.J.ack.web-1").as_deref(), Some("web-1 job.ack.J"));
        assert_eq!(apart("zester.job.J.status").as_deref(), Some("masters job.status.J"));
        for other in ["zester.event", "zester.event.x", "zester.up.a.b", "x"] {
            assert_eq!(apart(other), None, "{other}");
        }
    }

    #[test]
    fn tags() {
        for good in ["a", "deploy.done", "a-b.c_d.9"] {
            assert_eq!(check_tag(good), Ok(()), "{good}");
        }
        for wrong in ["", "a..b", ".a", "a/b", "a.*", &"a".repeat(201)] {
            assert!(check_tag(wrong).is_err(), "{wrong}");
        }
    }
}
