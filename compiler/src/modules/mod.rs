//! Custom modules: what `_modules/NAME.star` and `_states/NAME.star` declare and do.
//!
//! A signature is read off the text alone. Nothing of a module runs for that, so what cannot be told without running
//! it (a default that is computed, a type that is a variable) is refused where it stands. [`eval`] runs functions; it
//! reaches the machine through its [`Host`](eval::Host) only.
//!
//! *Invariants:* reading never fails as a whole and never panics; size and nesting of a module are bounded before
//! anything else looks at it.

mod annotation;
mod convert;
mod docstring;
pub mod eval;
mod fit;
mod host;
mod literal;
mod names;
mod nesting;
mod rules;
mod set;
mod signature;

pub use convert::coerce;
pub use host::{HOST_FUNCTIONS, HostFunction};
pub(crate) use rules::RULES;
pub use rules::{
    CHECK_THAT_CHANGES, MODULE_SYNTAX, SHADOWS_BUILT_IN, UNKNOWN_LOAD, UNKNOWN_MODULE_TYPE, UNKNOWN_NAME,
    UNUSABLE_SIGNATURE, WRONG_DEFAULT, WRONG_MODULE_CALL,
};
pub(crate) use set::is_module;
pub use set::{CustomModule, CustomModules, Registered};
pub use signature::{Function, Parameter};

use crate::{
    diagnostic::Diagnostic,
    source::{FileId, Span},
};
use names::Names;
use starlark_syntax::{
    codemap,
    syntax::{AstModule, Dialect, DialectTypes, ast::AstStmt, module::AstModuleFields},
};
use std::sync::Arc;

/// Largest module that is read.
pub const MAX_BYTES: usize = 128 * 1024;

/// Stack for the parser and for taking its tree apart: a chain of operators is as deep as it is long.
const STACK_BYTES: usize = 256 * 1024 * 1024;

/// The language of custom modules: functions, types and keyword-only parameters, and no statements that run when a
/// module is loaded.
pub const DIALECT: Dialect = Dialect {
    enable_keyword_only_arguments: true,
    enable_types: DialectTypes::Enable,
    enable_load_reexport: false,
    enable_f_strings: true,
    ..Dialect::Standard
};

/// The suffix of companions: `configured_check` tells what `configured` would change.
pub const CHECK_SUFFIX: &str = "_check";

/// A custom module as its text declares it.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Its public functions, in the order of the text.
    pub functions: Vec<Function>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
    /// What it does; `None` where its syntax is wrong.
    program: Option<Arc<Program>>,
    /// What its functions name.
    names: Names,
}

/// A module's tree; no deeper than [`nesting::MAX_TREE_DEPTH`], so that it can be walked on any stack.
#[derive(Debug)]
struct Program {
    statement: AstStmt,
}

impl Module {
    /// Reads a module. Where its syntax is wrong it has no functions.
    pub fn read(file: FileId, text: &str) -> Self {
        let mut module = Self::default();
        if text.len() > MAX_BYTES {
            let message = format!("The module is {} bytes long; the limit is {MAX_BYTES}", text.len());
            module.refuse(Span::at(file, 0), message, "split it into several modules");
            return module;
        }
        if let Some(at) = nesting::too_deep(text) {
            let message = format!("Brackets are nested more than {} deep", nesting::MAX_DEPTH);
            module.refuse(Span::new(file, at..at + 1), message, "give the inner parts names of their own");
            return module;
        }
        stacker::grow(STACK_BYTES, || match AstModule::parse("", text.to_owned(), &DIALECT) {
            Ok(ast) => module.take(file, ast.into_parts().1),
            Err(error) => {
                let span = error.span().map_or(Span::at(file, 0), |s| place(file, s.span));
                let message = error.without_diagnostic().to_string();
                let message = crate::check::references::capitalised(message.trim_end_matches('.'));
                module.diagnostics.push(Diagnostic::new(&MODULE_SYNTAX, span, message));
            }
        });
        module
    }

    fn take(&mut self, file: FileId, statement: AstStmt) {
        if let Some(at) = nesting::too_deep_tree(&statement) {
            let message = format!("What stands here is nested more than {} deep", nesting::MAX_TREE_DEPTH);
            self.refuse(place(file, at), message, "give the inner parts names of their own");
            return;
        }
        signature::read(file, &statement, self);
        self.names = Names::of(file, &statement, &mut self.diagnostics);
        self.program = Some(Arc::new(Program { statement }));
    }

    fn refuse(&mut self, span: Span, message: String, help: &str) {
        self.diagnostics.push(Diagnostic::new(&MODULE_SYNTAX, span, message).help(help));
    }
}

/// The parser's span as ours; both are byte offsets of the author's text.
fn place(file: FileId, span: codemap::Span) -> Span {
    Span::new(file, span.begin().get() as usize..span.end().get() as usize)
}

#[cfg(test)]
mod tests;
