//! Template expressions as trees with a span on every node.

use crate::{source::Span, types::Value};
use std::sync::Arc;

/// An expression. Every part has its place; what could not be read is [`ExprKind::Error`].
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// From its first to its last token.
    pub span: Span,
}

/// Kinds of expression.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A literal: text, number, `true`, `none`.
    Literal(Value),
    /// A variable.
    Name(String),
    /// `x.attr`
    Attribute {
        /// The object.
        object: Arc<Expr>,
        /// The attribute; empty while it is being typed.
        name: String,
        /// Its place.
        name_span: Span,
    },
    /// `x[index]`
    Index {
        /// The object.
        object: Arc<Expr>,
        /// The index.
        index: Arc<Expr>,
    },
    /// `x[start:stop:step]`
    Slice {
        /// The object.
        object: Arc<Expr>,
        /// Start, stop, step.
        bounds: [Option<Arc<Expr>>; 3],
    },
    /// `f(a, b=c)`
    Call {
        /// What is called.
        callee: Arc<Expr>,
        /// The arguments.
        args: Vec<Argument>,
    },
    /// `x | name(args)`; a filter block's or block set's own filter has no value.
    Filter {
        /// What is filtered.
        value: Option<Arc<Expr>>,
        /// The filter.
        name: String,
        /// Its place.
        name_span: Span,
        /// The arguments.
        args: Vec<Argument>,
    },
    /// `x is [not] name(args)`
    Test {
        /// What is tested.
        value: Arc<Expr>,
        /// The test.
        name: String,
        /// Its place.
        name_span: Span,
        /// The arguments.
        args: Vec<Argument>,
        /// `is not`
        negated: bool,
    },
    /// `not x`, `-x`, `+x`
    Unary {
        /// `not`, `-`, `+`
        operator: &'static str,
        /// The operand.
        operand: Arc<Expr>,
    },
    /// `a op b`: arithmetic, `~`, comparison, `and`, `or`, `in`, `not in`
    Binary {
        /// As written.
        operator: &'static str,
        /// Left operand.
        left: Arc<Expr>,
        /// Right operand.
        right: Arc<Expr>,
    },
    /// `a if condition else b`
    Conditional {
        /// The condition.
        condition: Arc<Expr>,
        /// Value when it holds.
        then: Arc<Expr>,
        /// Value otherwise; undefined when absent.
        otherwise: Option<Arc<Expr>>,
    },
    /// `[a, b]`
    List(Vec<Arc<Expr>>),
    /// `(a, b)`
    Tuple(Vec<Arc<Expr>>),
    /// `{k: v}`
    Dict(Vec<(Arc<Expr>, Arc<Expr>)>),
    /// Could not be read.
    Error,
}

/// An argument of a call.
#[derive(Clone, Debug)]
pub struct Argument {
    /// `name=`, with its place.
    pub name: Option<(String, Span)>,
    /// The value.
    pub value: Arc<Expr>,
    /// `*value` or `**value`.
    pub spread: bool,
}
