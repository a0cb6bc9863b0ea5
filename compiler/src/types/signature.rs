//! The signature of a state or exec function: the single source of its checks, docs, completion and decoding.

use super::{Type, Value};
use std::borrow::Cow;

/// What calling a function does. `check` calls only [`Effect::Pure`] ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Depends on its arguments, facts and settings alone.
    Pure,
    /// Reads the machine.
    Probe,
    /// Runs a command of the author's choice.
    Command,
    /// Changes the machine; not allowed while rendering.
    Mutating,
}

/// Where a function may be written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum FunctionKind {
    /// In a state file.
    State,
    /// In `salt[…]`, `module.run` and on the command line.
    Exec,
}

/// A parameter.
#[derive(Clone, PartialEq, Debug)]
pub struct Param {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Other names for it, accepted without remark.
    pub aliases: &'static [&'static str],
    /// Its type.
    pub ty: Type,
    /// Value when it is not given; `None` when there is none (it is then absent, or required).
    pub default: Option<Value>,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it falls back to the state's id (and `name`).
    pub primary: bool,
    /// One paragraph of documentation.
    pub doc: Cow<'static, str>,
    /// Why it has no effect, where it is accepted for the sake of existing trees only.
    pub inert: Option<&'static str>,
}

/// A rule between parameters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Constraint {
    /// At least one of them must be given.
    AnyOf(&'static [&'static str]),
    /// Exactly one of them must be given.
    ExactlyOneOf(&'static [&'static str]),
    /// At most one of them may be given.
    AtMostOneOf(&'static [&'static str]),
    /// The first needs the second.
    Requires(&'static str, &'static str),
}

/// A function's signature.
#[derive(Clone, PartialEq, Debug)]
pub struct Signature {
    /// `file`
    pub module: Cow<'static, str>,
    /// `managed`
    pub function: Cow<'static, str>,
    /// State or exec function.
    pub kind: FunctionKind,
    /// First line: what it does. The rest: Markdown.
    pub doc: Cow<'static, str>,
    /// Parameters, in the order in which positional arguments bind.
    pub params: Vec<Param>,
    /// Rules between them.
    pub constraints: Vec<Constraint>,
    /// What an exec function of a custom module gives; [`Type::Any`] where nothing is said of it.
    pub returns: Type,
    /// Accepts any further named argument (`module.run`, `test.configurable_test_state`).
    pub open: bool,
    /// What calling it does; state functions are [`Effect::Mutating`].
    pub effect: Effect,
    /// Whether it reacts to `watch` by more than a normal run (restart, reload, run again).
    pub watches: bool,
    /// It never reports changes, so `onchanges` on it can never be met.
    pub never_changes: bool,
    /// It is a step of an orchestration: it asks the fleet, and no peel can run it.
    pub fleet: bool,
    /// `os.family` values it works on; empty for all.
    pub platforms: &'static [&'static str],
}

impl Signature {
    /// `file.managed`
    pub fn name(&self) -> String {
        format!("{}.{}", self.module, self.function)
    }

    /// The parameter of this name or alias.
    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|p| p.name == name || p.aliases.contains(&name))
    }

    /// The parameter that falls back to the id.
    pub fn primary(&self) -> Option<&Param> {
        self.params.iter().find(|p| p.primary)
    }
}
