//! Runs functions of custom modules.
//!
//! The grammar is the `starlark_syntax` crate's; running is done here, since what a module may use must be bounded
//! exactly: every step is counted, and memory is paid for before it is taken. Integers have 64 bits.
//!
//! *Invariants:* a call ends, within its [`Limits`]; nothing of it is left when it has ended; the machine is reached
//! through the [`Host`] alone.

mod builtin;
mod convert;
mod expression;
mod method;
mod operate;
mod run;
mod text;
mod value;

#[cfg(test)]
mod tests;

use super::{CustomModules, HOST_FUNCTIONS};
use crate::{
    source::Span,
    types::{Map, Value},
};
use run::Interpreter;

/// What a call may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Steps: expressions, statements, and what bulk operations go through.
    pub steps: u64,
    /// Bytes of values that live at a time; lists, maps and tuples count until the call ends.
    pub memory_bytes: usize,
    /// How deep calls and expressions are nested.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 20_000_000, memory_bytes: 128 * 1024 * 1024, depth: 2_000 }
    }
}

/// Stack of a call: enough for [`Limits::depth`] in an unoptimised build.
const STACK_BYTES: usize = 192 * 1024 * 1024;

/// What a module reaches beyond itself.
pub trait Host {
    /// Calls one of [`HOST_FUNCTIONS`]; what was not given is absent. The error is a sentence.
    fn call(&self, name: &str, arguments: &Map) -> Result<Value, String>;

    /// The peel's facts, or its settings.
    fn data(&self, what: Data) -> Value;

    /// Takes a line of `log.info` and its kin.
    fn log(&self, level: &'static str, line: String);

    /// Why the call must end now, if it must. Asked every thousand steps.
    fn stop(&self) -> Option<String>;
}

/// Data that a module may read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data {
    /// `facts`
    Facts,
    /// `settings`
    Settings,
}

/// Why a call failed.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    /// A sentence.
    pub message: String,
    /// Where, in the module's text.
    pub span: Option<Span>,
}

type Run<T> = Result<T, Box<Fault>>;

fn fault<T>(message: impl Into<String>) -> Run<T> {
    Err(Box::new(Fault { message: message.into(), span: None }))
}

/// Calls a function of a module with named arguments.
pub fn call(
    set: &CustomModules,
    module: usize,
    function: &str,
    arguments: &Map,
    host: &dyn Host,
    limits: Limits,
) -> Result<Value, Fault> {
    stacker::grow(STACK_BYTES, || {
        let mut interpreter = Interpreter::new(set, host, limits);
        interpreter.entry(module, function, arguments).map_err(|fault| *fault)
    })
}

/// Functions of the language.
const BUILTINS: &[&str] = &[
    "abs",
    "all",
    "any",
    "base64_decode",
    "base64_encode",
    "bool",
    "dict",
    "enumerate",
    "fail",
    "float",
    "hash_sha256",
    "int",
    "len",
    "list",
    "max",
    "min",
    "print",
    "range",
    "repr",
    "reversed",
    "sorted",
    "str",
    "tuple",
    "type",
    "zip",
];

/// Words of the language that are values, and the data of the peel.
const WORDS: &[&str] = &["None", "True", "False", "facts", "settings"];

/// Namespaces with what they have.
const NAMESPACES: &[(&str, &[&str])] =
    &[("json", &["decode", "encode"]), ("log", &["error", "info", "warn"])];

/// What a namespace has.
pub(super) fn members(namespace: &str) -> Option<&'static [&'static str]> {
    NAMESPACES.iter().find(|(name, _)| *name == namespace).map(|(_, members)| *members)
}

/// All names that every module has.
pub(super) fn known_names() -> impl Iterator<Item = &'static str> {
    let host = HOST_FUNCTIONS.iter().map(|f| f.name);
    let words = BUILTINS.iter().chain(WORDS).copied();
    words.chain(host).chain(NAMESPACES.iter().map(|(name, _)| *name))
}

/// Whether every module has a name.
pub(super) fn is_known(name: &str) -> bool {
    known_names().any(|known| known == name)
}
