//! `test.configurable_test_state`

use super::fixed::pretended;
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::{FromValue, Type, Value};
use zester_stdlib_derive::Arguments;

/// True, false, or one of both by chance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Choice {
    Yes,
    No,
    Random,
}

impl FromValue for Choice {
    fn ty() -> Type {
        Type::Bool.or(Type::Enum(vec!["Random".to_owned(), "random".to_owned()]))
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::Bool(true) => Ok(Self::Yes),
            Value::Bool(false) => Ok(Self::No),
            Value::Str(text) if text.eq_ignore_ascii_case("random") => Ok(Self::Random),
            other => Err(format!("expected true, false or `Random`, found {}", other.describe())),
        }
    }

    fn absent() -> Option<Self> {
        Some(Self::Yes)
    }
}

impl Choice {
    fn decide(self) -> bool {
        match self {
            Self::Yes => true,
            Self::No => false,
            Self::Random => {
                // Without a random number it is decided for success.
                crate::random::bytes(1).map_or(true, |b| b.first().is_some_and(|b| b & 1 == 0))
            }
        }
    }
}

/// Succeeds or fails, with or without changes, as it is told to.
#[derive(Arguments)]
#[state("test.configurable_test_state")]
pub(crate) struct ConfigurableTestState {
    /// A name for it.
    #[arg(primary)]
    name: String,
    /// Whether it reports a change; `Random` leaves it to chance.
    changes: Choice,
    /// Whether it succeeds; `Random` leaves it to chance.
    result: Choice,
    /// The comment of the result.
    comment: Option<String>,
    /// Warnings to report.
    warnings: Vec<String>,
    /// Whether a test run fails too, where `result` says so.
    #[arg(default = false)]
    allow_test_mode_failure: bool,
}

impl State for ConfigurableTestState {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let mut comment =
            self.comment.clone().unwrap_or_else(|| format!("`{}` does as it is told", self.name));
        for warning in &self.warnings {
            comment.push_str("; warning: ");
            comment.push_str(warning);
        }
        let fails = !self.result.decide();
        if cx.test && fails && self.allow_test_mode_failure {
            return Err(Failure::new(comment));
        }
        let succeeds = cx.test || !fails;
        if !self.changes.decide() {
            return if succeeds { Ok(Plan::unchanged(comment)) } else { Err(Failure::new(comment)) };
        }
        let message = comment.clone();
        Ok(Plan::change(pretended(), comment, move |_| {
            if succeeds {
                Ok(Outcome::default())
            } else {
                Err(Failure::new(message).with_changes(pretended()))
            }
        }))
    }

    /// As Salt's: a watched change is a change of its own.
    fn watched(&self, _cx: &Context) -> Result<Option<Plan<'_>>, Failure> {
        let changes =
            Changes::from_iter([("requisites".to_owned(), change("Unchanged", "A watched state changed"))]);
        Ok(Some(Plan::change(changes, "A watched state changed", |_| Ok(Outcome::default()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::Arguments;

    #[test]
    fn all_four_ways() {
        let cx = FakeMachine::new().context();
        for (changes, succeeds) in [(true, true), (true, false), (false, true), (false, false)] {
            let json = format!(r#"{{"name": "a", "changes": {changes}, "result": {succeeds}}}"#);
            let state = ConfigurableTestState::from_values(&serde_json::from_str(&json).unwrap()).unwrap();
            let result = state.plan(&cx).and_then(|plan| match plan.apply {
                Some(apply) => apply(&cx).map(|_| true),
                None => Ok(false),
            });
            match result {
                Ok(changed) => assert!(succeeds && changed == changes, "{json}"),
                Err(failure) => assert!(!succeeds && failure.changes.is_empty() != changes, "{json}"),
            }
        }
    }

    #[test]
    fn a_test_run_fails_only_if_told_to() {
        let mut cx = FakeMachine::new().context();
        cx.test = true;
        for (allowed, fails) in [("", false), (r#", "allow_test_mode_failure": true"#, true)] {
            let json = format!(r#"{{"name": "a", "changes": false, "result": false{allowed}}}"#);
            let state = ConfigurableTestState::from_values(&serde_json::from_str(&json).unwrap()).unwrap();
            assert_eq!(state.plan(&cx).is_err(), fails, "{json}");
        }
    }
}
