//! `cmd.wait`

use super::run::Run;
use crate::{Context, Failure, Plan, State};
use zester_compiler::types::{Arguments, Map, Signature};

/// Runs a command line when a state it watches changed, and only then.
///
/// The parameters are those of `cmd.run`.
pub(crate) struct Wait(Run);

// The same parameters under another name: written by hand, so that the two cannot drift apart.
impl Arguments for Wait {
    fn signature() -> Signature {
        Signature {
            function: "wait".into(),
            doc: "Runs a command line when a state it watches changed, and only then.\n\nThe parameters are those of `cmd.run`.".into(),
            ..Run::signature()
        }
    }

    fn from_values(values: &Map) -> Result<Self, String> {
        Run::from_values(values).map(Self)
    }
}

impl State for Wait {
    fn plan(&self, _cx: &Context) -> Result<Plan<'_>, Failure> {
        Ok(Plan::unchanged("It runs only when a state it watches changes"))
    }

    fn watched(&self, cx: &Context) -> Result<Option<Plan<'_>>, Failure> {
        self.0.planned(cx).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    #[test]
    fn it_waits_until_something_changed() {
        let machine = FakeMachine::new();
        machine.commands.reply("systemctl daemon-reload", 0, "");
        let args = serde_json::from_str(r#"{"name": "systemctl daemon-reload"}"#).unwrap();
        machine.converge::<Wait>(&args).unwrap();
        assert!(machine.commands.lines().is_empty());
        let cx = machine.context();
        let state = Wait::from_values(&args).unwrap();
        let plan = state.watched(&cx).unwrap().unwrap();
        (plan.apply.unwrap())(&cx).unwrap();
        assert_eq!(machine.commands.lines(), ["systemctl daemon-reload"]);
    }
}
