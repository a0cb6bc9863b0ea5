//! Rendering: minijinja with Salt's environment, and the way back from rendered text to the author's words.
//!
//! A file is [rewritten](rewrite) (Salt's tags, mutable literals, marks in macro bodies), rendered by minijinja with
//! the values its expressions gave [recorded](render), and its output [traced](provenance) to the source byte by
//! byte.

mod budget;
mod data;
mod environment;
mod filter;
mod global;
mod mutable;
mod provenance;
mod python;
mod regex;
mod render;
mod rewrite;
#[cfg(test)]
mod tests;

pub use data::data_functions;
pub use environment::{Environment, TemplateFiles};
pub use filter::{known_filters, known_tests};
pub(crate) use global::is_method;
pub use global::known_globals;
pub use provenance::{Place, Provenance};
pub(crate) use render::emits_yaml;
pub use render::{RENDER_FAILURE, RenderInput, Rendered};

use crate::types::{Effect, Map, Value};

/// The rules this room declares.
pub fn rules() -> impl Iterator<Item = &'static crate::diagnostic::Rule> {
    render::RULES.iter().copied()
}

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
