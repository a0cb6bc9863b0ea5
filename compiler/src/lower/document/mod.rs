//! What a state file says, read off its tree: includes, extends, states, arguments.
//!
//! The checker reads it off the source tree (all branches at once), lowering off the rendered text; the shapes and
//! the rules of reading are the same.

mod body;
mod expand;
mod requisite;
mod rules;
mod statements;

pub use body::read_arguments;
pub use expand::expand_values;
pub use requisite::{read_requisites, requisite_name, requisite_of_key};
pub(crate) use rules::RULES;
pub use rules::{
    DUPLICATE_PARAMETER, MALFORMED_INCLUDE, MALFORMED_REQUISITE, MALFORMED_STATE, MISINDENTED_ARGUMENT,
    MISSING_FUNCTION,
};

use crate::{
    diagnostic::Diagnostic,
    ir::Requisite,
    source::Span,
    syntax::{Entry, Mapping, Node, NodeKind, Splice},
    types::FunctionName,
};
use std::borrow::Cow;

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
    /// Some refs of `include` are not known here.
    pub includes_open: bool,
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
    /// The arguments are not all known here: splices, computed items or keys.
    pub open: bool,
}

/// One `key: value` of a function's body.
#[derive(Debug)]
pub struct Argument<'t> {
    /// The key.
    pub key: &'t Node,
    /// The value.
    pub value: &'t Node,
    /// The keys that stand in the same column as a `context:` without value, and are meant to be its value.
    pub misindented: &'t [Entry],
}

impl Function<'_> {
    /// Places of the module's and the function's words: those of `pkg` and `installed` in `pkg.installed`.
    pub fn word_spans(&self) -> (Span, Span) {
        if let Some(function) = self.function_span {
            return (self.span, function);
        }
        let Some(name) = &self.name else { return (self.span, self.span) };
        // Quotes around the name leave the words where they are, one further to the right.
        let whole = (self.span.end - self.span.start) as usize;
        let text = name.module.len() + 1 + name.function.len();
        let quote = u32::from(whole == text + 2);
        if whole != text && quote == 0 {
            return (self.span, self.span);
        }
        let start = self.span.start + quote;
        let dot = start + name.module.len() as u32;
        (
            Span { start, end: dot, ..self.span },
            Span { start: dot + 1, end: dot + 1 + name.function.len() as u32, ..self.span },
        )
    }

    /// All of the name: from the module's to the function's word.
    pub fn name_span(&self) -> Span {
        match self.function_span {
            Some(function) => self.span.to(function),
            None => self.span,
        }
    }
}

impl<'t> Argument<'t> {
    /// The value as it is meant: of the mis-indented shape, the map of the keys that follow.
    pub fn meant(&self) -> Cow<'t, Node> {
        let [first, .., last] = self.misindented else {
            return match self.misindented {
                [only] => Cow::Owned(map_of(std::slice::from_ref(only), only.key.span.to(only.value.span))),
                _ => Cow::Borrowed(self.value),
            };
        };
        Cow::Owned(map_of(self.misindented, first.key.span.to(last.value.span)))
    }

    /// The key and value together.
    pub fn span(&self) -> Span {
        self.key.span.to(self.value.span)
    }
}

fn map_of(entries: &[Entry], span: Span) -> Node {
    let mapping = Mapping { entries: entries.into(), ..Mapping::default() };
    Node { span, kind: NodeKind::Mapping(mapping), tag: None }
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
    /// The id or name in it.
    pub name_span: Span,
    /// The kind of state as written.
    pub word: Option<KindWord>,
}

/// The word before a requisite's target: `file` of `- file: /etc/hosts`.
#[derive(Clone, PartialEq, Debug)]
pub struct KindWord {
    /// The word.
    pub text: String,
    /// Where it stands.
    pub span: Span,
    /// Whether a colon follows. Without one it is the first of several words of text, and the colon may have been forgotten.
    pub colon: bool,
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
