//! Refusals of single subjects. The server tells of them apart from any request; here they find theirs.

use std::{collections::VecDeque, time::SystemTime};

/// How many are remembered.
const REMEMBERED: usize = 64;

/// What was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// Publishing to the subject.
    Publish,
    /// Publishing with this reply subject.
    Reply,
    /// Subscribing to the subject.
    Subscribe,
}

/// A refusal by the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// What was refused.
    pub attempt: Attempt,
    /// The subject.
    pub subject: String,
    /// The queue group, for subscriptions that named one.
    pub queue: Option<String>,
    /// When it was heard of.
    pub at: SystemTime,
}

impl Violation {
    /// Reads the server's words: `Permissions Violation for Publish to "a.b"`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("ermissions Violation for ")?;
        let (attempt, rest) = [
            ("Publish to ", Attempt::Publish),
            ("Publish with Reply of ", Attempt::Reply),
            ("Subscription to ", Attempt::Subscribe),
        ]
        .into_iter()
        .find_map(|(words, attempt)| Some((attempt, rest.strip_prefix(words)?)))?;
        let mut quoted = rest.split('"');
        let subject = quoted.nth(1)?.to_owned();
        let queue = quoted.nth(1).map(str::to_owned);
        Some(Self { attempt, subject, queue, at: SystemTime::now() })
    }
}

/// The last refusals, and how many there were.
#[derive(Default, Debug)]
pub(super) struct Violations {
    last: VecDeque<Violation>,
    count: u64,
}

impl Violations {
    pub(super) fn add(&mut self, violation: Violation) {
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back(violation);
        self.count = self.count.saturating_add(1);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn last(&self) -> Vec<Violation> {
        self.last.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_words_are_read() {
        let read = |text| Violation::parse(text).map(|v| (v.attempt, v.subject, v.queue));
        assert_eq!(
            read("Permissions Violation for Publish to \"zester.cmd.Web-1\""),
            Some((Attempt::Publish, "zester.cmd.Web-1".into(), None))
        );
        assert_eq!(
            read("Permissions Violation for Publish with Reply of \"a\""),
            Some((Attempt::Reply, "a".into(), None))
        );
        assert_eq!(
            read("Permissions Violation for Subscription to \"zester.dispatch\" using queue \"other\""),
            Some((Attempt::Subscribe, "zester.dispatch".into(), Some("other".into())))
        );
        for other in
            ["", "Slow Consumer", "Permissions Violation for ", "Permissions Violation for Publish to x"]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn only_the_last_are_kept() {
        let mut violations = Violations::default();
        for n in 0..100 {
            let text = format!("Permissions Violation for Publish to \"s{n}\"");
            violations.add(Violation::parse(&text).unwrap());
        }
        assert_eq!((violations.count(), violations.last().len()), (100, REMEMBERED));
        assert_eq!(violations.last()[0].subject, "s36");
    }
}
