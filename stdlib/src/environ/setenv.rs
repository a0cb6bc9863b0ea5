//! `environ.setenv`

use super::{Layer, extend, value, variable};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// Variables are set in the environment of the commands that follow in this run.
///
/// The next run begins without them. What a login or a service shall have belongs into a file: `file.managed` of
/// `/etc/environment` or of a unit's drop-in.
///
/// ```yaml
/// proxy:
///   environ.setenv:
///     - value:
///         http_proxy: http://proxy.example.com:3128
///         no_proxy: localhost
/// ```
#[derive(Arguments)]
#[state("environ.setenv")]
pub(crate) struct SetEnv {
    /// The variable, or a label where `value` names several.
    #[arg(primary)]
    name: String,
    /// Its value, or several variables with their values. `false` takes one away if `false_unsets` is set.
    value: Value,
    /// Whether `false` takes a variable away; it is set to nothing otherwise.
    #[arg(default = false)]
    false_unsets: bool,
    /// Whether all other variables are taken away.
    #[arg(
        inert = "commands start with a clean environment anyway: `PATH`, `HOME`, `LC_ALL` and what this state sets"
    )]
    clear_all: Option<bool>,
    /// Whether the peel itself gets them.
    #[arg(inert = "variables last as long as the run; the peel's own environment is its unit's matter")]
    update_minion: Option<bool>,
    /// Windows only.
    #[arg(inert = "it concerns Windows only")]
    permanent: Option<Value>,
}

impl SetEnv {
    fn wanted(&self) -> Result<Layer, String> {
        let one = |name: &str, value: &Value| variable(name, value, self.false_unsets);
        match &self.value {
            Value::Map(map) => map.iter().map(|(name, value)| one(name, value)).collect(),
            value => Ok(Layer::from_iter([one(&self.name, value)?])),
        }
    }
}

impl State for SetEnv {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let mut new = self.wanted()?;
        new.retain(|name, wanted| value(cx, name) != *wanted);
        if new.is_empty() {
            return Ok(Plan::unchanged("set already"));
        }
        let masked = cx.is_secret("value");
        let shown = |text: Option<String>| match text {
            Some(_) if masked => Value::from("***"),
            Some(text) => text.into(),
            None => Value::Null,
        };
        let changes: Changes = new
            .iter()
            .map(|(name, wanted)| (name.clone(), change(shown(value(cx, name)), shown(wanted.clone()))))
            .collect();
        let names = new.keys().cloned().collect::<Vec<_>>().join("`, `");
        let comment = if cx.test { format!("would set `{names}`") } else { format!("set `{names}`") };
        Ok(Plan::change(changes, comment, move |cx| {
            extend(cx, new);
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{
        Output,
        fake::FakeMachine,
        tool::{succeed, tool},
    };
    use zester_compiler::types::Map;

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn commands_that_follow_get_it() {
        let machine = FakeMachine::new();
        machine
            .commands
            .on("show", |command, _| Output { stdout: format!("{:?}", command.env), ..Output::default() });
        let set = args(
            r#"{"name": "x", "value": {"ZT_ONE": 1, "ZT_TWO": "b", "PATH": false}, "false_unsets": true}"#,
        );
        let outcome = machine.converge::<SetEnv>(&set).unwrap();
        assert_eq!(outcome.changes.len(), 3);
        let cx = machine.context();
        let mut command = tool("show", [""; 0]);
        command.env.push(("ZT_TWO".to_owned(), Some("own".to_owned())));
        let said = succeed(&cx, command).unwrap().stdout;
        assert_eq!(
            said,
            r#"[("PATH", None), ("ZT_ONE", Some("1")), ("ZT_TWO", Some("b")), ("ZT_TWO", Some("own"))]"#
        );
        machine.converge::<SetEnv>(&args(r#"{"name": "ZT_ONE", "value": false}"#)).unwrap();
        assert_eq!(value(&cx, "ZT_ONE").as_deref(), Some(""));
    }

    #[test]
    fn what_cannot_be_set_is_said() {
        let machine = FakeMachine::new();
        let Err(failure) = machine.converge::<SetEnv>(&args(r#"{"name": "a=b", "value": "x"}"#)) else {
            panic!()
        };
        assert_eq!(failure.message, "`a=b` is not the name of a variable");
        let Err(failure) = machine.converge::<SetEnv>(&args(r#"{"name": "A", "value": ["x"]}"#)) else {
            panic!()
        };
        assert_eq!(failure.message, "the value of `A` is a text, not a list");
    }
}
