//! What a state file says, read off its tree: includes, extends, states, arguments.
//!
//! The checker reads it off the source tree (all branches at once), lowering off the rendered text; the shapes and
//! the rules of reading are the same.

use crate::{
    diagnostic::Diagnostic,
    ir::Requisite,
    source::Span,
    syntax::{Node, Splice},
    types::FunctionName,
};

/// A state file's statements, in source order.
#[derive(Debug, Default)]
pub struct StateFile<'t> {
    /// `include`
    pub includes: Vec<Include<'t>>,
    /// `extend`
    pub extends: Vec<State<'t>>,
    /// `exclude`
    pub excludes: Vec<Exclude<'t>>,
    /// The states, one per id; ids of exclusive branches stand beside each other.
    pub states: Vec<State<'t>>,
    /// Expressions alone on their line at the top level: each adds states that are not known here.
    pub splices: Vec<&'t Splice>,
    /// What is wrong with the shapes.
    pub diagnostics: Vec<Diagnostic>,
}

/// An item of `include`.
#[derive(Debug)]
pub struct Include<'t> {
    /// The ref; a scalar, perhaps with expressions in it.
    pub reference: &'t Node,
    /// Environment (`- env: ref`), where one is named.
    pub env: Option<&'t Node>,
}

/// An item of `exclude`.
#[derive(Debug)]
pub struct Exclude<'t> {
    /// `sls` rather than `id`.
    pub sls: bool,
    /// The id or ref.
    pub name: &'t Node,
}

/// An id with its functions.
#[derive(Debug)]
pub struct State<'t> {
    /// The key.
    pub id: &'t Node,
    /// Its functions.
    pub functions: Vec<Function<'t>>,
    /// Expressions alone on their line among the functions: functions that are not known here.
    pub splices: Vec<&'t Splice>,
}

/// A function with its arguments.
#[derive(Debug)]
pub struct Function<'t> {
    /// Its name where it is literal; for an `extend` entry the function may be absent (`service:`).
    pub name: Option<FunctionName>,
    /// The module alone (`pkg` in `pkg: [installed]` of an extend), when no function is named.
    pub module: Option<String>,
    /// Where the name stands (for the split form: the module's key).
    pub span: Span,
    /// Where the function's own word stands in the split form (`- installed`).
    pub function_span: Option<Span>,
    /// All arguments, generic keys and requisites included, in source order.
    pub arguments: Vec<Argument<'t>>,
    /// Expressions alone on their line among the arguments: the list is not complete.
    pub splices: Vec<&'t Splice>,
}

/// One `key: value` of a function's body.
#[derive(Debug)]
pub struct Argument<'t> {
    /// The key.
    pub key: &'t Node,
    /// The value.
    pub value: &'t Node,
}

/// A reference to a state in a requisite.
#[derive(Clone, PartialEq, Debug)]
pub struct Reference {
    /// Which requisite it stands in.
    pub requisite: Requisite,
    /// `require_in` and its kin.
    pub inverted: bool,
    /// What it names.
    pub target: Target,
    /// The whole item.
    pub span: Span,
}

/// What a requisite names.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// `{module: x}`: any function of the module with that id or name.
    Module {
        /// `pkg`
        module: String,
        /// Id or name.
        name: String,
    },
    /// `{module.function: x}` or the string `module.function:x`.
    Function {
        /// `pkg.installed`
        function: FunctionName,
        /// Id or name.
        name: String,
    },
    /// `{sls: ref}`: all states of a file.
    Sls(String),
    /// `{id: x}` or a bare string: all states of that id.
    Id(String),
    /// Not known here: it has an expression in it.
    Unknown,
}
