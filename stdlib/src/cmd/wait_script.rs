//! `cmd.wait_script`

use super::script::Script;
use crate::{Context, Failure, Plan, State};
use zester_compiler::types::{Arguments, Map, Signature};

/// Runs a script when a state it watches changed, and only then. The parameters are those of `cmd.script`.
pub(crate) struct WaitScript(Script);

impl Arguments for WaitScript {
    fn signature() -> Signature {
        Signature {
            function: "wait_script".into(),
            doc: "Runs a script when a state it watches changed, and only then.\n\nThe parameters are those of `cmd.script`.".into(),
            ..Script::signature()
        }
    }

    fn from_values(values: &Map) -> Result<Self, String> {
        Script::from_values(values).map(Self)
    }
}

impl State for WaitScript {
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
    fn it_waits_and_has_the_parameters_of_script() {
        let machine = FakeMachine::new();
        let args = serde_json::from_str(r#"{"name": "salt://no.sh"}"#).unwrap();
        machine.converge::<WaitScript>(&args).unwrap();
        assert!(WaitScript::signature().param("source_hash").is_some());
        assert_eq!(WaitScript::signature().name(), "cmd.wait_script");
    }
}
