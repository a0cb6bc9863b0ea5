//! Runs functions of custom modules.
//!
//! The grammar is the `starlark_syntax` crate's; running is done here. What a module may use must be bounded exactly:
//! every step is counted, and memory is paid for before it is taken. The `starlark` crate looks at both now and then,
//! after the fact (its `"x" * n` takes all that is there), and turns on `serde_json/arbitrary_precision` for the whole
//! program, under which a number with a fraction is read as a map wherever a value can be anything. Integers have 64
//! bits.
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

/// Stack of a call. Where it does not suffice for [`Limits::depth`], calls are nested too deep all the same.
const STACK_BYTES: usize = if cfg!(debug_assertions) { 192 << 20 } else { 48 << 20 };

/// Most bytes of a message.
const MESSAGE_BYTES: usize = 4_000;

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
        interpreter
            .entry(module, function, arguments)
            .map_err(|fault| Fault { message: cut(fault.message, MESSAGE_BYTES), ..*fault })
    })
}

/// A text of at most so many bytes.
fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
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
