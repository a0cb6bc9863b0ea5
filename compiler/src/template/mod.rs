//! Rendering: minijinja with Salt's environment, and the way back from rendered text to the author's words.

use crate::types::{Effect, Map, Value};

/// Exec functions as templates call them (`salt['pkg.version']('nginx')`). Data functions that need only facts and
/// settings (`pillar.get`, `grains.filter_by`, …) are the environment's own and never reach it.
pub trait Functions: Send + Sync {
    /// What calling `name` does; `None` when there is no such function.
    fn effect(&self, name: &str) -> Option<Effect>;

    /// Names of all functions, for near misses.
    fn names(&self) -> Vec<String>;

    /// Calls it. The error is a full sentence.
    fn call(&self, name: &str, args: &[Value], kwargs: &Map) -> Result<Value, String>;
}

/// No functions at all.
pub struct NoFunctions;

impl Functions for NoFunctions {
    fn effect(&self, _name: &str) -> Option<Effect> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn call(&self, name: &str, _args: &[Value], _kwargs: &Map) -> Result<Value, String> {
        Err(format!("there is no function `{name}` here"))
    }
}
