//! `test.check_pillar`

use crate::{Context, Failure, Plan, State};
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// Fails unless settings exist and have the type that is expected.
///
/// Keys of a path are separated by `:`.
#[derive(Arguments)]
#[state("test.check_pillar", never_changes)]
pub(crate) struct CheckPillar {
    /// A name for it.
    #[arg(primary)]
    #[expect(dead_code, reason = "the paths are what is checked")]
    name: String,
    /// Settings that must exist.
    present: Vec<String>,
    /// Settings that must be true or false.
    boolean: Vec<String>,
    /// Settings that must be integers.
    integer: Vec<String>,
    /// Settings that must be text.
    string: Vec<String>,
    /// Settings that must be lists.
    listing: Vec<String>,
    /// Settings that must be maps.
    dictionary: Vec<String>,
    /// Whether a failure is told in detail.
    #[arg(inert = "failures always name each setting and what it is")]
    verbose: Option<bool>,
}

impl State for CheckPillar {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        type Test = fn(&Value) -> bool;
        let expected: [(&[String], &str, Test); 6] = [
            (&self.present, "anything", |_| true),
            (&self.boolean, "a boolean", |v| matches!(v, Value::Bool(_))),
            (&self.integer, "an integer", |v| matches!(v, Value::Int(_))),
            (&self.string, "text", |v| matches!(v, Value::Str(_))),
            (&self.listing, "a list", |v| matches!(v, Value::List(_))),
            (&self.dictionary, "a map", |v| matches!(v, Value::Map(_))),
        ];
        let mut wrong = Vec::new();
        for (paths, what, test) in expected {
            for path in paths {
                match cx.settings.lookup(path, ':') {
                    None => wrong.push(format!("`{path}` does not exist")),
                    Some(value) if !test(value) => {
                        wrong.push(format!("`{path}` is {}, not {what}", value.describe()));
                    }
                    Some(_) => {}
                }
            }
        }
        if wrong.is_empty() {
            return Ok(Plan::unchanged("All settings are as expected"));
        }
        Err(Failure::new(format!("Settings are not as expected: {}", wrong.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    #[test]
    fn each_setting_that_is_wrong_is_named() {
        let mut machine = FakeMachine::new();
        machine.settings = serde_json::from_str(r#"{"a": {"b": 1}, "l": [], "s": "x"}"#).unwrap();
        let args = |json| serde_json::from_str(json).unwrap();
        let good = r#"{"name": "x", "present": ["a:b"], "integer": ["a:b"], "listing": ["l"], "string": ["s"], "dictionary": ["a"]}"#;
        machine.converge::<CheckPillar>(&args(good)).unwrap();
        let bad = machine
            .converge::<CheckPillar>(&args(r#"{"name": "x", "present": ["c"], "boolean": ["a:b"]}"#))
            .unwrap_err();
        assert_eq!(
            bad.message,
            "Settings are not as expected: `c` does not exist, `a:b` is an integer, not a boolean"
        );
    }
}
