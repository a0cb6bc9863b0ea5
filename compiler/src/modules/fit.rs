//! Whether a call inside of a module fits the function that it names: its own functions, and those of the host.

use super::{HOST_FUNCTIONS, WRONG_MODULE_CALL, place};
use crate::{
    diagnostic::{Diagnostic, nearest},
    source::FileId,
};
use starlark_syntax::syntax::ast::{Argument, AstArgument, AstExpr, AstParameter, AstStmt, Parameter, Stmt};
use std::collections::HashMap;

/// What a function takes.
struct Takes<'a> {
    /// Parameters in their order, with whether each must be given and can be given by its place.
    params: Vec<(&'a str, bool, bool)>,
    /// Whether it takes any further arguments without a name, or with one.
    rest: (bool, bool),
}

/// The functions at the top of a module that have one definition each.
#[derive(Default)]
pub struct Functions<'a>(HashMap<&'a str, Option<&'a [AstParameter]>>);

impl<'a> Functions<'a> {
    /// Reads them.
    pub fn of(statement: &'a AstStmt) -> Self {
        let mut functions = Self::default();
        functions.collect(statement);
        functions
    }

    fn collect(&mut self, statement: &'a AstStmt) {
        match &statement.node {
            Stmt::Statements(inner) => inner.iter().for_each(|statement| self.collect(statement)),
            Stmt::Def(def) => {
                let before = self.0.insert(&def.name.node.ident, Some(&def.params));
                if before.is_some() {
                    self.0.insert(&def.name.node.ident, None);
                }
            }
            _ => {
                // What is bound in another way, too, is not surely the function.
                for name in super::names::bound_by(statement) {
                    self.0.insert(name, None);
                }
            }
        }
    }

    fn takes(&self, name: &str) -> Option<Takes<'a>> {
        match self.0.get(name) {
            Some(params) => Some(of_parameters((*params)?)),
            None => {
                let host = HOST_FUNCTIONS.iter().find(|f| f.name == name)?;
                let params =
                    host.params.iter().enumerate().map(|(at, name)| (*name, at < host.required, true));
                Some(Takes { params: params.collect(), rest: (false, false) })
            }
        }
    }

    /// Reports a call of a function by its name that cannot succeed.
    pub fn check(
        &self,
        file: FileId,
        callee: &AstExpr,
        name: &str,
        arguments: &[AstArgument],
        found: &mut Vec<Diagnostic>,
    ) {
        let Some(takes) = self.takes(name) else { return };
        if arguments.iter().any(|a| matches!(a.node, Argument::Args(_) | Argument::KwArgs(_))) {
            return;
        }
        let mut report = |diagnostic: Diagnostic| found.push(diagnostic);
        let by_place: Vec<&str> = takes.params.iter().filter(|p| p.2).map(|p| p.0).collect();
        let mut given: Vec<&str> = Vec::new();
        let mut positional = 0;
        for argument in arguments {
            match &argument.node {
                Argument::Positional(value) => {
                    if let Some(param) = by_place.get(positional) {
                        given.push(param);
                    } else if !takes.rest.0 {
                        let message = format!("`{name}` takes {} arguments without a name", by_place.len());
                        report(Diagnostic::new(&WRONG_MODULE_CALL, place(file, value.span), message));
                        return;
                    }
                    positional += 1;
                }
                Argument::Named(word, _) => {
                    let span = place(file, word.span);
                    let known = takes.params.iter().map(|p| p.0).find(|known| *known == word.node);
                    match known {
                        Some(known) if given.contains(&known) => {
                            let message = format!("`{name}` is given `{known}` twice");
                            report(Diagnostic::new(&WRONG_MODULE_CALL, span, message));
                        }
                        Some(known) => given.push(known),
                        None if takes.rest.1 => {}
                        None => {
                            let message = format!("`{name}` has no argument `{}`", word.node);
                            let diagnostic = Diagnostic::new(&WRONG_MODULE_CALL, span, message);
                            let names = takes.params.iter().map(|p| p.0);
                            report(match nearest(&word.node, names.clone()) {
                                Some(near) => diagnostic.did_you_mean(near),
                                None => diagnostic
                                    .help(format!("it takes `{}`", names.collect::<Vec<_>>().join("`, `"))),
                            });
                        }
                    }
                }
                Argument::Args(_) | Argument::KwArgs(_) => {}
            }
        }
        if let Some((missing, ..)) = takes.params.iter().find(|p| p.1 && !given.contains(&p.0)) {
            let message = format!("`{name}` needs the argument `{missing}`");
            report(Diagnostic::new(&WRONG_MODULE_CALL, place(file, callee.span), message));
        }
    }
}

fn of_parameters(written: &[AstParameter]) -> Takes<'_> {
    let mut takes = Takes { params: Vec::new(), rest: (false, false) };
    let mut by_place = true;
    for param in written {
        match &param.node {
            Parameter::Normal(name, _, default) => {
                takes.params.push((&name.node.ident, default.is_none(), by_place));
            }
            Parameter::NoArgs => by_place = false,
            Parameter::Args(..) => {
                by_place = false;
                takes.rest.0 = true;
            }
            Parameter::KwArgs(..) => takes.rest.1 = true,
            Parameter::Slash => {}
        }
    }
    takes
}
