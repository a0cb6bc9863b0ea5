//! What an expression must give, where the text alone decides it: paths of imports and includes.
//!
//! Real trees compute them (`tplroot ~ "/map.jinja"`, with `tplroot = tpldir.split('/')[0]`), so a checker that
//! reads literals only sees a third less of the tree.

use crate::{
    syntax::{
        Tree,
        expression::{Expr, ExprKind},
        template::{StatementKind, Template},
    },
    types::Value,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

const MAX_DEPTH: usize = 32;

/// Names with a known value in one file.
pub struct Constants {
    /// What the file sets once.
    values: HashMap<String, Value>,
    /// Its path in the tree, which decides what [`Self::of_place`] gives.
    tree_path: Box<str>,
    /// Names of its place that it binds itself.
    hidden: Vec<&'static str>,
}

/// Names whose values the file's place in the tree decides.
const OF_PLACE: [&str; 7] = ["tpldir", "tplfile", "sls", "slspath", "sls_path", "slsdotpath", "slscolonpath"];

impl Constants {
    /// The constants of a file: what its place in the tree decides, and what it sets once, outside of every block.
    /// `tree_path` is its path in the tree (`web/init.zy`).
    pub fn of(tree: &Tree, tree_path: &str) -> Self {
        Self::of_template(&tree.template, tree_path)
    }

    /// As [`Self::of`], of a file's template.
    pub fn of_template(template: &Template, tree_path: &str) -> Self {
        let mut constants = Self { values: HashMap::new(), tree_path: tree_path.into(), hidden: Vec::new() };
        let mut seen = HashSet::new();
        let mut twice = HashSet::new();
        for binding in super::walk::bindings(template) {
            if !seen.insert(binding.name) {
                twice.insert(binding.name);
            }
            constants.hidden.extend(OF_PLACE.iter().filter(|name| **name == binding.name));
        }
        for statement in &template.statements {
            let StatementKind::Set { targets, value } = &statement.kind else { continue };
            let [(name, _)] = targets.as_slice() else { continue };
            if statement.parent.is_none()
                && !twice.contains(name.as_str())
                && !name.contains('.')
                && let Some(value) = constants.fold(value)
            {
                constants.values.insert(name.clone(), value);
            }
        }
        constants
    }

    /// What a name means by the file's place in the tree.
    fn of_place(&self, name: &str) -> Option<Value> {
        if !OF_PLACE.contains(&name) || self.hidden.contains(&name) {
            return None;
        }
        let dir = self.tree_path.rsplit_once('/').map_or("", |(dir, _)| dir);
        Some(match name {
            "tpldir" => (if dir.is_empty() { "." } else { dir }).into(),
            "tplfile" => (*self.tree_path).into(),
            "sls" => {
                let stem = self.tree_path.rsplit_once('.').map_or(&*self.tree_path, |(stem, _)| stem);
                Value::Str(stem.strip_suffix("/init").unwrap_or(stem).replace('/', "."))
            }
            "slspath" => dir.into(),
            "sls_path" => Value::Str(dir.replace('/', "_")),
            "slsdotpath" => Value::Str(dir.replace('/', ".")),
            _ => Value::Str(dir.replace('/', ":")),
        })
    }

    /// The value of an expression, where it is certain.
    pub fn fold(&self, expr: &Arc<Expr>) -> Option<Value> {
        self.eval(expr, 0)
    }

    /// The text of an expression, where it is certain.
    pub fn text(&self, expr: &Arc<Expr>) -> Option<String> {
        match self.fold(expr)? {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    fn eval(&self, expr: &Expr, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        let eval = |e: &Expr| self.eval(e, depth + 1);
        match &expr.kind {
            ExprKind::Literal(value) => Some(value.clone()),
            ExprKind::Name(name) => self.values.get(name).cloned().or_else(|| self.of_place(name)),
            ExprKind::Binary { operator: "~", left, right } => {
                Some(Value::Str(format!("{}{}", eval(left)?, eval(right)?)))
            }
            ExprKind::Binary { operator: "+", left, right } => match (eval(left)?, eval(right)?) {
                (Value::Str(a), Value::Str(b)) => Some(Value::Str(a + &b)),
                (Value::Int(a), Value::Int(b)) => a.checked_add(b).map(Value::Int),
                _ => None,
            },
            ExprKind::List(items) | ExprKind::Tuple(items) => {
                items.iter().map(|i| eval(i)).collect::<Option<Vec<_>>>().map(Value::List)
            }
            ExprKind::Unary { operator: "-", operand } => match eval(operand)? {
                Value::Int(i) => i.checked_neg().map(Value::Int),
                _ => None,
            },
            ExprKind::Index { object, index } => match (eval(object)?, eval(index)?) {
                (Value::List(list), Value::Int(i)) => {
                    let index = if i < 0 { list.len().checked_add_signed(i as isize)? } else { i as usize };
                    list.get(index).cloned()
                }
                _ => None,
            },
            ExprKind::Filter { value: Some(value), name, args, .. } => {
                let value = eval(value)?;
                let args = self.arguments(args, depth)?;
                match (name.as_str(), value, args.as_slice()) {
                    ("replace", Value::Str(s), [Value::Str(a), Value::Str(b)]) => {
                        Some(Value::Str(s.replace(a, b)))
                    }
                    ("first", Value::List(list), []) => list.first().cloned(),
                    ("last", Value::List(list), []) => list.last().cloned(),
                    ("join", Value::List(list), [Value::Str(by)]) => Some(Value::Str(joined(&list, by))),
                    ("lower", Value::Str(s), []) => Some(Value::Str(s.to_lowercase())),
                    ("upper", Value::Str(s), []) => Some(Value::Str(s.to_uppercase())),
                    ("string", value, []) => Some(Value::Str(value.to_string())),
                    _ => None,
                }
            }
            ExprKind::Call { callee, args } => {
                let ExprKind::Attribute { object, name, .. } = &callee.kind else { return None };
                let object = eval(object)?;
                let args = self.arguments(args, depth)?;
                match (object, name.as_str(), args.as_slice()) {
                    (Value::Str(s), "split", [Value::Str(by)]) if !by.is_empty() => {
                        Some(Value::List(s.split(by.as_str()).map(Value::from).collect()))
                    }
                    (Value::Str(s), "replace", [Value::Str(a), Value::Str(b)]) => {
                        Some(Value::Str(s.replace(a, b)))
                    }
                    (Value::Str(by), "join", [Value::List(list)]) => Some(Value::Str(joined(list, &by))),
                    (Value::Str(s), "strip", []) => Some(Value::Str(s.trim().to_owned())),
                    (Value::Str(s), "format", values) if !s.contains("{{") => {
                        let mut pieces = s.split("{}");
                        let mut out = pieces.next()?.to_owned();
                        for value in values {
                            out.push_str(&value.to_string());
                            out.push_str(pieces.next()?);
                        }
                        (pieces.next().is_none() && !out.contains('{')).then_some(Value::Str(out))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn arguments(&self, args: &[crate::syntax::expression::Argument], depth: usize) -> Option<Vec<Value>> {
        args.iter()
            .map(|a| if a.name.is_some() || a.spread { None } else { self.eval(&a.value, depth + 1) })
            .collect()
    }

    /// The literal text that a path begins and ends with, where only its middle is computed.
    pub fn frame(&self, expr: &Arc<Expr>) -> (String, String) {
        if let Some(text) = self.text(expr) {
            return (text.clone(), text);
        }
        let mut pieces = Vec::new();
        flatten(expr, &mut pieces, 0);
        let text = |piece: Option<&&Arc<Expr>>| piece.and_then(|p| self.text(p)).unwrap_or_default();
        (text(pieces.first()), text(pieces.last()))
    }
}

fn flatten<'e>(expr: &'e Arc<Expr>, pieces: &mut Vec<&'e Arc<Expr>>, depth: usize) {
    match &expr.kind {
        ExprKind::Binary { operator: "~" | "+", left, right } if depth < MAX_DEPTH => {
            flatten(left, pieces, depth + 1);
            flatten(right, pieces, depth + 1);
        }
        _ => pieces.push(expr),
    }
}

fn joined(list: &[Value], by: &str) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(by)
}
