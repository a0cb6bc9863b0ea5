//! All expressions of a template, in the order of the text, with the names that each introduces.

use crate::{
    source::Span,
    syntax::{
        expression::{Argument, Expr, ExprKind},
        template::{BlockKind, StatementKind, Template},
    },
};
use std::sync::Arc;

/// Direct parts of an expression.
pub fn parts(expr: &Expr) -> Vec<&Arc<Expr>> {
    let mut found = Vec::new();
    let arguments = |found: &mut Vec<_>, args| found.extend(values(args));
    match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Name(_) | ExprKind::Error => {}
        ExprKind::Attribute { object, .. } => found.push(object),
        ExprKind::Index { object, index } => found.extend([object, index]),
        ExprKind::Slice { object, bounds } => {
            found.push(object);
            found.extend(bounds.iter().flatten());
        }
        ExprKind::Call { callee, args } => {
            found.push(callee);
            arguments(&mut found, args);
        }
        ExprKind::Filter { value, args, .. } => {
            found.extend(value);
            arguments(&mut found, args);
        }
        ExprKind::Test { value, args, .. } => {
            found.push(value);
            arguments(&mut found, args);
        }
        ExprKind::Unary { operand, .. } => found.push(operand),
        ExprKind::Binary { left, right, .. } => found.extend([left, right]),
        ExprKind::Conditional { condition, then, otherwise } => {
            found.extend([condition, then]);
            found.extend(otherwise);
        }
        ExprKind::List(items) | ExprKind::Tuple(items) => found.extend(items),
        ExprKind::Dict(entries) => found.extend(entries.iter().flat_map(|(k, v)| [k, v])),
    }
    found
}

fn values(args: &[Argument]) -> impl Iterator<Item = &Arc<Expr>> {
    args.iter().map(|a| &a.value)
}

/// Visits an expression and all its parts, the outer ones first. Keeps its own stack, so depth is no danger.
pub fn visit<'e>(expr: &'e Arc<Expr>, see: &mut impl FnMut(&'e Arc<Expr>)) {
    let mut pending = vec![expr];
    while let Some(expr) = pending.pop() {
        see(expr);
        let mut inner = parts(expr);
        inner.reverse();
        pending.extend(inner);
    }
}

/// The expressions at the top of each tag: conditions, iterables, values, `{{ … }}`.
pub fn roots(template: &Template) -> Vec<&Arc<Expr>> {
    let mut found: Vec<&Arc<Expr>> = Vec::new();
    for block in &template.blocks {
        found.extend(block.arms.iter().filter_map(|arm| arm.condition.as_ref()));
        match &block.kind {
            BlockKind::For { iterable, filter, .. } => {
                found.push(iterable);
                found.extend(filter);
            }
            BlockKind::Macro { params, .. } => found.extend(params.iter().filter_map(|(.., d)| d.as_ref())),
            BlockKind::Set { filters, .. } => found.extend(filters),
            BlockKind::Call { call, params } => {
                found.push(call);
                found.extend(params.iter().filter_map(|(.., d)| d.as_ref()));
            }
            BlockKind::Filter { filters } => found.push(filters),
            BlockKind::With { assignments } => found.extend(assignments.iter().map(|(.., v)| v)),
            BlockKind::If
            | BlockKind::Load { .. }
            | BlockKind::Raw
            | BlockKind::Named { .. }
            | BlockKind::Unknown => {}
        }
    }
    for statement in &template.statements {
        match &statement.kind {
            StatementKind::Set { value, .. } | StatementKind::Do(value) | StatementKind::Extends(value) => {
                found.push(value);
            }
            StatementKind::Include { path, .. }
            | StatementKind::Import { path, .. }
            | StatementKind::FromImport { path, .. }
            | StatementKind::ImportData { path, .. } => found.push(path),
            StatementKind::LoopControl(_) | StatementKind::Unknown => {}
        }
    }
    found.extend(template.expressions.iter().map(|(_, expr)| expr));
    found.sort_by_key(|e| (e.span.start, e.span.end));
    // `if` conditions of one block may be kept both with the block and with its arm.
    found.dedup_by(|a, b| Arc::ptr_eq(a, b));
    found
}

/// A name that a template binds.
pub struct Binding<'t> {
    /// The name.
    pub name: &'t str,
    /// Where it is bound.
    pub span: Span,
    /// Where in the text it can be seen: the body of the loop, macro or `with` that binds it; else nothing, and it
    /// belongs to the scope around it.
    pub within: Option<Span>,
}

/// All names a template binds, in no particular order.
pub fn bindings(template: &Template) -> Vec<Binding<'_>> {
    let mut found = Vec::new();
    for block in &template.blocks {
        let inner = Some(block.span);
        match &block.kind {
            BlockKind::For { targets, .. } => {
                found.extend(targets.iter().map(|(name, span)| Binding { name, span: *span, within: inner }));
            }
            BlockKind::Macro { name, params } => {
                found.push(Binding { name: &name.0, span: name.1, within: None });
                found.extend(params.iter().map(|(name, span, _)| Binding {
                    name,
                    span: *span,
                    within: inner,
                }));
            }
            BlockKind::Call { params, .. } => {
                found.extend(params.iter().map(|(name, span, _)| Binding {
                    name,
                    span: *span,
                    within: inner,
                }));
            }
            BlockKind::Set { name, .. } | BlockKind::Load { name, .. } | BlockKind::Named { name } => {
                found.push(Binding { name: &name.0, span: name.1, within: None });
            }
            BlockKind::With { assignments } => {
                let names =
                    assignments.iter().map(|(name, span, _)| Binding { name, span: *span, within: inner });
                found.extend(names);
            }
            BlockKind::If | BlockKind::Filter { .. } | BlockKind::Raw | BlockKind::Unknown => {}
        }
    }
    for statement in &template.statements {
        match &statement.kind {
            StatementKind::Set { targets, .. } => {
                found.extend(
                    targets.iter().filter(|(name, _)| !name.contains('.')).map(|(name, span)| Binding {
                        name,
                        span: *span,
                        within: None,
                    }),
                );
            }
            StatementKind::Import { name, .. } | StatementKind::ImportData { name, .. } => {
                found.push(Binding { name: &name.0, span: name.1, within: None });
            }
            StatementKind::FromImport { names, .. } => {
                found.extend(names.iter().map(|(_, span, local)| Binding {
                    name: local,
                    span: *span,
                    within: None,
                }));
            }
            _ => {}
        }
    }
    found
}
