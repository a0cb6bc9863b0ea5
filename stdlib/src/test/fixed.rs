//! States with a fixed result: `test.nop`, `succeed_*`, `fail_*`, `show_notification`.

use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Map;
use zester_stdlib_derive::Arguments;

/// What the states that pretend to change something report.
pub(super) fn pretended() -> Changes {
    Changes::from_iter([("testing".to_owned(), change("Unchanged", "Something pretended to change"))])
}

/// Does nothing and succeeds; any parameter is accepted.
#[derive(Arguments)]
#[state("test.nop", never_changes)]
pub(crate) struct Nop {
    /// A name for it.
    #[arg(primary)]
    name: String,
    /// Whatever else is given.
    #[arg(rest)]
    rest: Map,
}

impl State for Nop {
    fn plan(&self, _cx: &Context) -> Result<Plan<'_>, Failure> {
        let ignored = if self.rest.is_empty() { "" } else { "; its parameters mean nothing" };
        Ok(Plan::unchanged(format!("`{}` does nothing{ignored}", self.name)))
    }
}

/// Succeeds without changes.
#[derive(Arguments)]
#[state("test.ping", never_changes)]
pub(crate) struct Ping {
    /// A name for it.
    #[arg(primary)]
    name: String,
}

impl State for Ping {
    fn plan(&self, _cx: &Context) -> Result<Plan<'_>, Failure> {
        Ok(Plan::unchanged(format!("`{}` answers", self.name)))
    }
}

/// Shows a text in the result, without changes.
#[derive(Arguments)]
#[state("test.show_notification", never_changes)]
pub(crate) struct ShowNotification {
    /// A name for it.
    #[arg(primary)]
    #[expect(dead_code, reason = "the text is all there is to show")]
    name: String,
    /// The text.
    text: String,
}

impl State for ShowNotification {
    fn plan(&self, _cx: &Context) -> Result<Plan<'_>, Failure> {
        Ok(Plan::unchanged(self.text.clone()))
    }
}

/// Succeeds without changes.
#[derive(Arguments)]
#[state("test.succeed_without_changes", never_changes)]
pub(crate) struct SucceedWithoutChanges {
    /// A name for it.
    #[arg(primary)]
    name: String,
    /// The comment of the result.
    comment: Option<String>,
}

impl State for SucceedWithoutChanges {
    fn plan(&self, _cx: &Context) -> Result<Plan<'_>, Failure> {
        let comment = self.comment.clone();
        Ok(Plan::unchanged(comment.unwrap_or_else(|| format!("`{}` succeeds without changes", self.name))))
    }
}

/// Succeeds and reports a change that it did not make.
#[derive(Arguments)]
#[state("test.succeed_with_changes")]
pub(crate) struct SucceedWithChanges {
    /// A name for it.
    #[arg(primary)]
    name: String,
    /// The comment of the result.
    comment: Option<String>,
}

impl State for SucceedWithChanges {
    fn plan(&self, _cx: &Context) -> Result<Plan<'_>, Failure> {
        let comment = self.comment.clone();
        let comment = comment.unwrap_or_else(|| format!("`{}` pretends to change something", self.name));
        Ok(Plan::change(pretended(), comment, |_| Ok(Outcome::default())))
    }
}

/// Fails without changes.
#[derive(Arguments)]
#[state("test.fail_without_changes", never_changes)]
pub(crate) struct FailWithoutChanges {
    /// A name for it.
    #[arg(primary)]
    name: String,
    /// The comment of the result.
    comment: Option<String>,
}

impl State for FailWithoutChanges {
    fn plan(&self, _cx: &Context) -> Result<Plan<'_>, Failure> {
        let comment = self.comment.clone();
        Err(Failure::new(comment.unwrap_or_else(|| format!("`{}` fails, as it was told to", self.name))))
    }
}

/// Fails and reports a change that it did not make.
#[derive(Arguments)]
#[state("test.fail_with_changes")]
pub(crate) struct FailWithChanges {
    /// A name for it.
    #[arg(primary)]
    name: String,
    /// The comment of the result.
    comment: Option<String>,
}

impl State for FailWithChanges {
    fn plan(&self, _cx: &Context) -> Result<Plan<'_>, Failure> {
        let comment = self.comment.clone();
        let comment = comment.unwrap_or_else(|| format!("`{}` fails, as it was told to", self.name));
        let message = comment.clone();
        Ok(Plan::change(pretended(), comment, |_| Err(Failure::new(message).with_changes(pretended()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::Arguments;

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn those_that_do_nothing() {
        let machine = FakeMachine::new();
        let nop = machine.converge::<Nop>(&args(r#"{"name": "a", "whatever": 1}"#)).unwrap();
        assert_eq!(nop.comment.as_deref(), Some("`a` does nothing; its parameters mean nothing"));
        let shown = machine.converge::<ShowNotification>(&args(r#"{"name": "a", "text": "look"}"#)).unwrap();
        assert_eq!(shown.comment.as_deref(), Some("look"));
        assert!(machine.converge::<Ping>(&args(r#"{"name": "a"}"#)).unwrap().changes.is_empty());
        assert!(
            machine.converge::<SucceedWithoutChanges>(&args(r#"{"name": "a"}"#)).unwrap().changes.is_empty()
        );
    }

    #[test]
    fn those_that_fail_or_change() {
        let machine = FakeMachine::new();
        let failure =
            machine.converge::<FailWithoutChanges>(&args(r#"{"name": "a", "comment": "no"}"#)).unwrap_err();
        assert_eq!((failure.message.as_str(), failure.changes.len()), ("no", 0));
        let failure = machine.converge::<FailWithChanges>(&args(r#"{"name": "a"}"#)).unwrap_err();
        assert_eq!(failure.changes, pretended());
        let cx = machine.context();
        let state = SucceedWithChanges::from_values(&args(r#"{"name": "a"}"#)).unwrap();
        let plan = state.plan(&cx).unwrap();
        assert_eq!(plan.changes, pretended());
        assert!((plan.apply.unwrap())(&cx).is_ok());
    }
}
