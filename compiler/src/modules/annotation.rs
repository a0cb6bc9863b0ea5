//! Types from annotations.

use super::{UNKNOWN_MODULE_TYPE, place};
use crate::{
    diagnostic::{Applicability, Diagnostic, nearest},
    source::FileId,
    types::Type,
};
use starlark_syntax::syntax::ast::{AstExpr, BinOp, Expr};

/// What an annotation may name.
const NAMES: &[&str] = &["str", "int", "float", "bool", "None", "list", "dict", "secret", "typing.Any"];

/// The type of an annotation; [`Type::Any`] where it is not understood, which is reported.
pub fn read(file: FileId, expr: &AstExpr, found: &mut Vec<Diagnostic>) -> Type {
    match &expr.node {
        Expr::Identifier(name) => match &*name.node.ident {
            "str" => Type::Str,
            "int" => Type::INT,
            "float" => Type::Float,
            "bool" => Type::Bool,
            "None" => Type::Null,
            "list" => Type::List(Box::new(Type::Any)),
            "dict" => Type::Map(Box::new(Type::Any)),
            // Text that is masked wherever it would be shown.
            "secret" => Type::Secret(Box::new(Type::Str)),
            other => unknown(file, expr, Some(other), found),
        },
        Expr::Dot(of, field) if is_name(of, "typing") && field.node == "Any" => Type::Any,
        Expr::Op(left, BinOp::BitOr, right) => read(file, left, found).or(read(file, right, found)),
        Expr::Index(parts) if is_name(&parts.0, "list") => Type::List(Box::new(read(file, &parts.1, found))),
        Expr::Index2(parts) if is_name(&parts.0, "dict") => {
            // Keys are text wherever a map comes from YAML.
            if !is_name(&parts.1, "str") {
                found.push(
                    Diagnostic::new(
                        &UNKNOWN_MODULE_TYPE,
                        place(file, parts.1.span),
                        "The keys of a map are text",
                    )
                    .help("write `dict[str, …]`"),
                );
            }
            Type::Map(Box::new(read(file, &parts.2, found)))
        }
        _ => unknown(file, expr, None, found),
    }
}

fn is_name(expr: &AstExpr, name: &str) -> bool {
    matches!(&expr.node, Expr::Identifier(id) if id.node.ident == name)
}

fn unknown(file: FileId, expr: &AstExpr, name: Option<&str>, found: &mut Vec<Diagnostic>) -> Type {
    let span = place(file, expr.span);
    let diagnostic = match name {
        Some(name) => Diagnostic::new(&UNKNOWN_MODULE_TYPE, span, format!("There is no type `{name}`")),
        None => Diagnostic::new(&UNKNOWN_MODULE_TYPE, span, "This is no type"),
    };
    let meant = name.and_then(|name| match name {
        // What Python and other languages call them.
        "string" | "text" => Some("str"),
        "integer" => Some("int"),
        "boolean" => Some("bool"),
        "map" | "mapping" => Some("dict"),
        "password" => Some("secret"),
        "any" | "Any" | "object" => Some("typing.Any"),
        _ => nearest(name, NAMES.iter().copied()),
    });
    found.push(match meant {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")).fix(
            format!("write `{meant}`"),
            Applicability::Unsafe,
            span,
            meant,
        ),
        None => diagnostic.help(
            "types are `str`, `int`, `float`, `bool`, `None`, `list[T]`, `dict[str, T]`, `secret`, `typing.Any`, and several with `|`",
        ),
    });
    Type::Any
}
