//! Public functions and their parameters.

use super::{Module, UNUSABLE_SIGNATURE, WRONG_DEFAULT, annotation, convert, docstring, literal, place};
use crate::{
    diagnostic::Diagnostic,
    lower::document::requisite_of_key,
    source::{FileId, Span},
    types::{Type, Value},
};
use starlark_syntax::syntax::ast::{
    AstLiteral, AstNoPayload, AstParameter, AstStmt, DefP, Expr, Parameter as Written, Stmt,
};

/// Words of every state that are no requisites.
const RESERVED: &[&str] = &["names", "use", "use_in"];

/// A public function of a custom module.
#[derive(Clone, PartialEq, Debug)]
pub struct Function {
    /// Its name in the module.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Its parameters, in the order in which positional arguments bind.
    pub params: Vec<Parameter>,
    /// Accepts any further named argument (`**rest`).
    pub open: bool,
    /// What it gives; [`Type::Any`] without an annotation.
    pub returns: Type,
    /// Where that is said.
    pub returns_span: Option<Span>,
    /// Its docstring without what it says of parameters. Empty without one.
    pub doc: String,
}

/// A parameter of a custom function.
#[derive(Clone, PartialEq, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Its type; [`Type::Any`] without an annotation.
    pub ty: Type,
    /// What it is when not given; without one it is required.
    pub default: Option<Value>,
    /// Whether it can be given by name only.
    pub named_only: bool,
    /// What the docstring says of it.
    pub doc: String,
}

impl Parameter {
    /// Whether it must be given.
    pub fn is_required(&self) -> bool {
        self.default.is_none()
    }
}

/// Reads the public functions of a module.
pub fn read(file: FileId, statement: &AstStmt, module: &mut Module) {
    match &statement.node {
        Stmt::Statements(inner) => inner.iter().for_each(|statement| read(file, statement, module)),
        Stmt::Def(def) if !def.name.node.ident.starts_with('_') => {
            let function = function(file, def, &mut module.diagnostics);
            // The later one of two is the one that is called.
            module.functions.retain(|other| other.name != function.name);
            module.functions.push(function);
        }
        _ => {}
    }
}

fn function(file: FileId, def: &DefP<AstNoPayload>, found: &mut Vec<Diagnostic>) -> Function {
    let documented = docstring(&def.body).map(docstring::read).unwrap_or_default();
    let mut function = Function {
        name: def.name.node.ident.clone(),
        span: place(file, def.name.span),
        params: Vec::new(),
        open: false,
        returns: Type::Any,
        returns_span: None,
        doc: documented.text,
    };
    let mut named_only = false;
    for written in &def.params {
        match &written.node {
            Written::Normal(..) => function.params.extend(parameter(file, written, named_only, found)),
            Written::NoArgs => named_only = true,
            Written::KwArgs(..) => function.open = true,
            Written::Args(name, _) => {
                named_only = true;
                let message = format!(
                    "`*{}` cannot be given: the arguments of `{}` come by name",
                    name.node.ident, function.name
                );
                found.push(
                    Diagnostic::new(&UNUSABLE_SIGNATURE, place(file, written.span), message)
                        .help(format!("take a list: `{}: list`", name.node.ident)),
                );
            }
            // The dialect has no `/`, so the parser refuses it.
            Written::Slash => {}
        }
    }
    for (name, doc) in documented.params {
        if let Some(param) = function.params.iter_mut().find(|p| p.name == name) {
            param.doc = doc;
        }
    }
    if let Some(returns) = &def.return_type {
        function.returns_span = Some(place(file, returns.span));
        function.returns = annotation::read(file, &returns.node.expr, found);
    }
    function
}

fn parameter(
    file: FileId,
    written: &AstParameter,
    named_only: bool,
    found: &mut Vec<Diagnostic>,
) -> Option<Parameter> {
    let Written::Normal(name, ty, default) = &written.node else { return None };
    let mut parameter = Parameter {
        name: name.node.ident.clone(),
        span: place(file, name.span),
        ty: ty.as_ref().map_or(Type::Any, |ty| annotation::read(file, &ty.node.expr, found)),
        default: None,
        named_only,
        doc: String::new(),
    };
    if requisite_of_key(&parameter.name).is_some() || RESERVED.contains(&&*parameter.name) {
        let message =
            format!("`{}` is said of every state, so no parameter can be called so", parameter.name);
        found
            .push(Diagnostic::new(&UNUSABLE_SIGNATURE, parameter.span, message).help("give it another name"));
    }
    let Some(default) = default else { return Some(parameter) };
    let span = place(file, default.span);
    let Some(value) = literal::read(default) else {
        let message =
            format!("The default of `{}` is computed, so the signature does not tell it", parameter.name);
        found.push(
            Diagnostic::new(&UNUSABLE_SIGNATURE, span, message)
                .help("write a literal, or `None` and compute it in the function"),
        );
        parameter.default = Some(Value::Null);
        return Some(parameter);
    };
    if !convert::fits(&value, &parameter.ty) {
        let message = format!(
            "The default of `{}` is {}, and its type is `{}`",
            parameter.name,
            value.describe(),
            parameter.ty
        );
        let diagnostic = Diagnostic::new(&WRONG_DEFAULT, span, message);
        found.push(match value {
            Value::Null => diagnostic.help("add `| None` to the type"),
            _ => diagnostic.help("change the default, or the type"),
        });
    }
    parameter.default = Some(value);
    Some(parameter)
}

/// The text that a function's body begins with.
fn docstring(body: &AstStmt) -> Option<&str> {
    match &body.node {
        Stmt::Statements(inner) => inner.first().and_then(docstring),
        Stmt::Expression(expr) => match &expr.node {
            Expr::Literal(AstLiteral::String(text)) => Some(&text.node),
            _ => None,
        },
        _ => None,
    }
}
