//! Defaults: values that can be told from the text.

use crate::types::{Map, Value};
use starlark_syntax::{
    lexer::TokenInt,
    syntax::ast::{AstExpr, AstLiteral, Expr},
};

/// The value of a literal; `None` where the expression is none.
pub fn read(expr: &AstExpr) -> Option<Value> {
    match &expr.node {
        Expr::Literal(AstLiteral::String(text)) => Some(Value::Str(text.node.clone())),
        Expr::Literal(AstLiteral::Float(number)) => Some(Value::Float(number.node)),
        Expr::Literal(AstLiteral::Int(number)) => match &number.node {
            TokenInt::I32(number) => Some(Value::Int(i64::from(*number))),
            TokenInt::BigInt(number) => number.to_string().parse().ok().map(Value::Int),
        },
        Expr::Minus(inner) => match read(inner)? {
            Value::Int(number) => number.checked_neg().map(Value::Int),
            Value::Float(number) => Some(Value::Float(-number)),
            _ => None,
        },
        Expr::Identifier(name) => match &*name.node.ident {
            "None" => Some(Value::Null),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            _ => None,
        },
        Expr::List(items) | Expr::Tuple(items) => {
            items.iter().map(read).collect::<Option<_>>().map(Value::List)
        }
        Expr::Dict(pairs) => {
            let mut map = Map::new();
            for (key, value) in pairs {
                let Value::Str(key) = read(key)? else { return None };
                map.insert(key, read(value)?);
            }
            Some(Value::Map(map))
        }
        _ => None,
    }
}
