//! State functions on the machine that the tests run on.

use std::sync::{Arc, MutexGuard};
use zester_compiler::types::{Map, Value};
use zester_stdlib::{Context, Library, Machine, provider::Commands, provider::fake::FakeMachine};

/// A machine that may be changed.
pub(crate) struct Host {
    /// What functions run on.
    pub(crate) cx: Context,
    /// All functions.
    pub(crate) library: Library,
    /// Keeps other tests away.
    _guard: Option<MutexGuard<'static, ()>>,
}

impl Host {
    /// This machine.
    pub(crate) fn new() -> Self {
        let mut cx = FakeMachine::new().context();
        cx.machine = Arc::new(Machine::local());
        Self { cx, library: zester_stdlib::library(), _guard: None }
    }

    /// This machine, for as long as this is held.
    pub(crate) fn guarded(guard: MutexGuard<'static, ()>) -> Self {
        Self { _guard: Some(guard), ..Self::new() }
    }

    /// This machine with other programs.
    pub(crate) fn with_programs(programs: Arc<dyn Commands>) -> Self {
        let mut host = Self::new();
        host.cx.machine = Arc::new(Machine { commands: programs, ..Machine::local() });
        host
    }

    /// Test mode, apply, and a second run that must have nothing to do; gives the changes of the apply.
    #[track_caller]
    pub(crate) fn converge(&self, function: &str, json: &str) -> Result<Map, String> {
        let args: Map = serde_json::from_str(json).unwrap();
        let state = self.library.build(function, &args)?;
        let test = Context { test: true, ..self.cx.clone() };
        let foretold = state.plan(&test).map_err(|e| e.message)?;
        let plan = state.plan(&self.cx).map_err(|e| e.message)?;
        assert_eq!(foretold.changes, plan.changes, "{function}: test mode and apply differ");
        let mut changes = plan.changes;
        if let Some(apply) = plan.apply {
            let outcome = apply(&self.cx).map_err(|e| e.message)?;
            if !outcome.changes.is_empty() {
                assert_eq!(outcome.changes, changes, "{function}: what happened is not what was foretold");
                changes = outcome.changes;
            }
        }
        let again = state.plan(&self.cx).map_err(|e| e.message)?;
        assert!(again.apply.is_none(), "{function}: the second run would change again: {:?}", again.changes);
        Ok(changes)
    }

    /// What an exec function answers.
    pub(crate) fn call(&self, function: &str, args: &[&str]) -> Value {
        let args: Vec<Value> = args.iter().map(|a| Value::from(*a)).collect();
        self.call_with(function, &args)
    }

    /// Calls an exec function with values of any type.
    pub(crate) fn call_with(&self, function: &str, args: &[Value]) -> Value {
        self.library.call(function, args, &Map::new(), &self.cx).unwrap()
    }
}
