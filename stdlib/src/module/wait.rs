//! `module.wait`

use super::run::Run;
use crate::{Context, Failure, Plan, State};
use zester_compiler::types::{Arguments, Map, Signature};

/// Calls exec functions when a state it watches changed, and only then. The parameters are those of `module.run`.
pub(crate) struct Wait(Run);

impl Arguments for Wait {
    fn signature() -> Signature {
        Signature {
            function: "wait".into(),
            doc: "Calls exec functions when a state it watches changed, and only then.\n\nThe parameters are those of `module.run`.".into(),
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

    #[test]
    fn it_waits_until_something_changed() {
        let cx = crate::module::run::tests::context();
        let args = serde_json::from_str(r#"{"name": "echo.back", "text": "x"}"#).unwrap();
        let state = Wait::from_values(&args).unwrap();
        assert!(state.plan(&cx).unwrap().apply.is_none());
        let plan = state.watched(&cx).unwrap().unwrap();
        assert_eq!((plan.apply.unwrap())(&cx).unwrap().changes.len(), 1);
    }
}
