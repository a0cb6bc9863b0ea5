//! The target language: which peels. One language for the command line, both top files, nodegroups and `basket`.
//!
//! A target is parsed once, with spans; what is malformed is a diagnostic, never an empty match.

mod check;
mod glob;
mod lexer;
mod matching;
mod nodegroup;
mod parse;
mod pattern;

pub use check::{MALFORMED_TARGET, UNKNOWN_FACT_IN_TARGET, UNKNOWN_NODEGROUP, UNKNOWN_SETTING_IN_TARGET};
pub use glob::Glob;
pub use matching::{MatchError, Subject};
pub use nodegroup::Nodegroups;
pub use pattern::{Comparison, Condition, Form, Pattern};

use crate::{
    diagnostic::{Diagnostic, Rule},
    source::Span,
};
use std::fmt;

/// A parsed target.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it says.
    pub expr: Expr,
    /// Where all of it stands.
    pub span: Span,
}

/// A target's expression.
#[derive(Clone, Debug)]
pub enum Expr {
    /// One pattern.
    Pattern {
        /// What it matches.
        pattern: Pattern,
        /// Its word.
        span: Span,
    },
    /// `not x`
    Not(Box<Expr>),
    /// `a and b and c`
    And(Vec<Expr>),
    /// `a or b or c`
    Or(Vec<Expr>),
    /// Malformed: the error is among the diagnostics. Matches nothing.
    Error,
}

impl Target {
    /// Parses a target in its full language. `span` is where `text` stands; of a quoted text it may hold the quotes.
    pub fn parse(text: &str, span: Span) -> (Self, Vec<Diagnostic>) {
        parse::compound(text, span)
    }

    /// Parses the text of one form (`-G os:debian`, a top file's `- match: grain`).
    pub fn parse_as(form: Form, text: &str, span: Span) -> (Self, Vec<Diagnostic>) {
        parse::single(form, text, span)
    }

    /// A target that matches every peel.
    pub fn everything(span: Span) -> Self {
        Self { expr: Expr::Pattern { pattern: Pattern::Glob(Glob::everything()), span }, span }
    }

    /// All patterns in it, in the order of the text.
    pub fn patterns(&self) -> Vec<(&Pattern, Span)> {
        let mut found = Vec::new();
        let mut pending = vec![&self.expr];
        while let Some(expr) = pending.pop() {
            match expr {
                Expr::Pattern { pattern, span } => found.push((pattern, *span)),
                Expr::Not(inner) => pending.push(inner),
                Expr::And(parts) | Expr::Or(parts) => pending.extend(parts.iter().rev()),
                Expr::Error => {}
            }
        }
        found
    }

    /// Whether it was understood.
    pub fn is_valid(&self) -> bool {
        let mut pending = vec![&self.expr];
        while let Some(expr) = pending.pop() {
            match expr {
                Expr::Pattern { .. } => {}
                Expr::Not(inner) => pending.push(inner),
                Expr::And(parts) | Expr::Or(parts) => pending.extend(parts),
                Expr::Error => return false,
            }
        }
        true
    }
}

/// In the form it is parsed from; parsing that gives the same target.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.write(f, 0)
    }
}

impl Expr {
    fn write(&self, f: &mut fmt::Formatter<'_>, binding: u8) -> fmt::Result {
        let chain = |f: &mut fmt::Formatter<'_>, parts: &[Expr], word: &str, own: u8| {
            let parentheses = binding > own;
            f.write_str(if parentheses { "(" } else { "" })?;
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                part.write(f, own + 1)?;
            }
            f.write_str(if parentheses { ")" } else { "" })
        };
        match self {
            Expr::Pattern { pattern, .. } => write!(f, "{pattern}"),
            Expr::Not(inner) => {
                f.write_str("not ")?;
                inner.write(f, 3)
            }
            Expr::And(parts) => chain(f, parts, "and", 2),
            Expr::Or(parts) => chain(f, parts, "or", 1),
            Expr::Error => f.write_str("?"),
        }
    }
}

/// The rules of this room.
pub(crate) fn rules() -> impl Iterator<Item = &'static Rule> {
    check::RULES.iter().copied()
}
