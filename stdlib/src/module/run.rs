//! `module.run`

use super::call::{self, Call};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::{Map, Value};
use zester_stdlib_derive::Arguments;

/// Calls exec functions.
///
/// Either each function is a key with its arguments below it (`- service.restart: [{name: nginx}]`), or `name` is the
/// function and the other parameters are its arguments; `m_name` then stands for an argument called `name`.
/// It is called each time; say `onchanges`, or use `module.wait`, where that is too often.
#[derive(Arguments)]
#[state("module.run", watches)]
pub(crate) struct Run {
    /// The function, where it is not a key.
    #[arg(primary)]
    name: String,
    /// The function, where the state has another name.
    func: Option<String>,
    /// Positional arguments.
    #[arg(ty = Type::List(Box::new(Type::Any)))]
    args: Vec<Value>,
    /// Named arguments.
    kwargs: Map,
    /// Where results are sent.
    #[arg(inert = "results are part of the state's own result")]
    returner: Option<String>,
    /// Functions with their arguments, or further arguments.
    #[arg(rest)]
    rest: Map,
}

impl Run {
    /// The calls, and making them.
    pub(super) fn planned(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let calls = call::calls(&self.name, self.func.as_deref(), &self.args, &self.kwargs, &self.rest);
        for call in &calls {
            call.check(cx)?;
        }
        let secret = !cx.secret.is_empty();
        let shown = |call: &Call| if secret { format!("{}(***)", call.function) } else { call.shown() };
        let changes: Changes =
            calls.iter().map(|call| (call.function.clone(), change(Value::Null, shown(call)))).collect();
        let all = calls.iter().map(|c| format!("`{}`", c.function)).collect::<Vec<_>>().join(", ");
        Ok(Plan::change(changes, format!("{all} is called"), move |cx| {
            let mut results = Changes::new();
            for call in &calls {
                match call.run(cx) {
                    Ok(result) => results.insert(call.function.clone(), result),
                    Err(failure) => return Err(failure.with_changes(results)),
                };
            }
            Ok(Outcome { changes: results, comment: Some(format!("{all} was called")), ..Outcome::default() })
        }))
    }
}

impl State for Run {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        self.planned(cx)
    }

    fn watched(&self, cx: &Context) -> Result<Option<Plan<'_>>, Failure> {
        self.planned(cx).map(Some)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{Exec, Library, provider::fake::FakeMachine};
    use std::sync::Arc;
    use zester_compiler::types::Arguments;

    /// Gives back what it is given; fails when told to.
    #[derive(Arguments)]
    #[exec("echo.back", pure)]
    struct Back {
        /// The text.
        text: String,
        /// Whether it fails.
        #[arg(default = false)]
        fail: bool,
    }

    impl Exec for Back {
        fn call(&self, _cx: &Context) -> Result<Value, String> {
            if self.fail { Err("it was told to".to_owned()) } else { Ok(self.text.as_str().into()) }
        }
    }

    pub(crate) fn context() -> Context {
        let mut library = Library::new();
        library.exec::<Back>();
        Context { library: Arc::new(library), ..FakeMachine::new().context() }
    }

    fn run(json: &str) -> Result<Outcome, Failure> {
        let cx = context();
        let state = Run::from_values(&serde_json::from_str(json).unwrap()).unwrap();
        let plan = state.plan(&cx)?;
        (plan.apply.unwrap())(&cx)
    }

    #[test]
    fn both_shapes_are_called() {
        for json in [
            r#"{"name": "id", "echo.back": ["hello"]}"#,
            r#"{"name": "id", "echo.back": [{"text": "hello"}]}"#,
            r#"{"name": "echo.back", "text": "hello"}"#,
            r#"{"name": "id", "func": "echo.back", "kwargs": {"text": "hello"}}"#,
        ] {
            let done = run(json).unwrap();
            assert_eq!(done.changes.get("echo.back"), Some(&Value::from("hello")), "{json}");
        }
    }

    #[test]
    fn failures_name_the_function() {
        let message = |json| run(json).unwrap_err().message;
        assert_eq!(
            message(r#"{"name": "echo.back", "text": "x", "fail": true}"#),
            "`echo.back` failed: it was told to"
        );
        assert_eq!(
            message(r#"{"name": "echo.bakc"}"#),
            "There is no function `echo.bakc`; did you mean `echo.back`?"
        );
        assert!(message(r#"{"name": "restart it"}"#).contains("is not a function"));
    }
}
