//! Template expressions as trees with a span on every node.

use super::{
    grammar::{self, Grammar, Wanted},
    token::{Token, TokenKind, tokens},
};
use crate::{
    diagnostic::Diagnostic,
    source::{FileId, Span},
    types::Value,
};
use std::{ops::Range, sync::Arc};

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

crate::rule! {
    /// A template expression cannot be read.
    ///
    /// Wrong:
    ///
    /// ```jinja
    /// {{ pillar['port' }}
    /// ```
    ///
    /// Right:
    ///
    /// ```jinja
    /// {{ pillar['port'] }}
    /// ```
    pub BAD_EXPRESSION = "Z0012", "bad-expression", Error;
}

/// How deep brackets may nest.
const MAX_DEPTH: usize = 64;

/// How many operators, calls, attributes and filters a tree may have from its root to a leaf: who walks it descends as often.
const MAX_LINKS: usize = 200;

/// Parses the bytes `range` of `text`. Always gives a tree; what could not be read is an error node in it.
pub fn parse_expr(file: FileId, text: &str, range: Range<usize>) -> (Expr, Vec<Diagnostic>) {
    let words = tokens(text, range.clone());
    let grammar = Grammar::new();
    let mut parser = Parser::new(file, &grammar, &words, range.end);
    let expr = parser.whole();
    (expr, parser.diagnostics)
}

/// A cursor over the tokens of a tag: [`blocks`](super::blocks) takes words, expressions are read by the [grammar].
pub(super) struct Parser<'g, 't> {
    file: FileId,
    grammar: &'g Grammar<'t>,
    tokens: &'t [Token],
    at: usize,
    end: usize,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl<'g, 't> Parser<'g, 't> {
    /// A cursor at the first token; `end` is where the text ends.
    pub(super) fn new(file: FileId, grammar: &'g Grammar<'t>, tokens: &'t [Token], end: usize) -> Self {
        let mut parser = Self { file, grammar, tokens, at: 0, end, diagnostics: Vec::new() };
        if let Some(deep) = too_deep(tokens) {
            let start = tokens.get(deep).map_or(end, |t| t.range.start);
            let message = format!(
                "the expression is too deep: at most {MAX_DEPTH} brackets within each other, and {MAX_LINKS} operators and calls in a row"
            );
            parser.error(start..end, message);
            parser.tokens = &[];
        }
        parser
    }

    /// An expression that takes all tokens.
    pub(super) fn whole(&mut self) -> Expr {
        let expr = self.read(Wanted::Tuple);
        self.expect_end();
        expr
    }

    /// A single expression.
    pub(super) fn expression(&mut self) -> Expr {
        self.read(Wanted::Single)
    }

    /// An expression that leaves `if` to the statement it stands in (`for x in y if z`).
    pub(super) fn expression_without_condition(&mut self) -> Expr {
        self.read(Wanted::WithoutCondition)
    }

    /// A chain of filters without a value, of a filter block or a block set.
    pub(super) fn filters(&mut self) -> Expr {
        self.read(Wanted::Filters)
    }

    /// A single expression of a list, up to the comma or bracket behind it. What is further behind is not looked at, so that long lists are
    /// read in linear time.
    pub(super) fn item(&mut self) -> Expr {
        let mut depth = 0_usize;
        let rest = self.tokens.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|token| match &token.kind {
            TokenKind::Op("(" | "[" | "{") => {
                depth += 1;
                false
            }
            TokenKind::Op(")" | "]" | "}") if depth > 0 => {
                depth -= 1;
                false
            }
            TokenKind::Op("," | ")" | "]" | "}") => depth == 0,
            _ => false,
        });
        let whole = self.tokens;
        if let Some(length) = length {
            // One more, for what is said to be there instead.
            self.tokens = whole.get(..=self.at + length).unwrap_or(whole);
        }
        let expr = self.read(Wanted::Single);
        self.tokens = whole;
        expr
    }

    fn read(&mut self, wanted: Wanted) -> Expr {
        let rest = self.tokens.get(self.at..).unwrap_or_default();
        let parsed = self.grammar.parse(self.file, rest, self.end, wanted);
        self.at += parsed.taken;
        if let Some(problem) = parsed.problem {
            self.error(problem.range, problem.message);
        }
        parsed.expr
    }

    /// Reports what is left over.
    pub(super) fn expect_end(&mut self) {
        if let Some(token) = self.peek().cloned() {
            let word = grammar::described(&token);
            self.error(token.range, format!("expected the end of the expression, found {word}"));
            self.at = self.tokens.len();
        }
    }

    pub(super) fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    /// Byte offset of the next token, or of the end.
    pub(super) fn offset(&self) -> usize {
        self.peek().map_or(self.end, |t| t.range.start)
    }

    pub(super) fn error(&mut self, range: Range<usize>, message: impl Into<String>) {
        // One mistake, one report: what follows from it would only confuse.
        if self.diagnostics.is_empty() {
            let advice = advice(self.tokens, range.start);
            let mut found = Diagnostic::new(&BAD_EXPRESSION, Span::new(self.file, range), message);
            found.help = advice.map(str::to_owned);
            self.diagnostics.push(found);
        }
    }

    /// Takes an operator.
    pub(super) fn op(&mut self, op: &str) -> bool {
        let found = matches!(self.peek(), Some(Token { kind: TokenKind::Op(o), .. }) if *o == op);
        self.at += usize::from(found);
        found
    }

    /// Takes a keyword.
    pub(super) fn keyword(&mut self, word: &str) -> bool {
        let found = self.is_keyword(word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn is_keyword(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token { kind: TokenKind::Name(n), .. }) if n == word)
    }

    /// Takes a name.
    pub(super) fn name(&mut self) -> Option<(String, Span)> {
        match self.peek() {
            Some(Token { kind: TokenKind::Name(name), range }) => {
                self.at += 1;
                Some((name.clone(), Span::new(self.file, range.clone())))
            }
            _ => None,
        }
    }
}

/// What to write for an operator of other languages, or for a tag within a tag; `offset` is where it was not expected.
fn advice(tokens: &[Token], offset: usize) -> Option<&'static str> {
    let at = tokens.iter().position(|token| token.range.start == offset)?;
    let next_to = |other: usize, kind: &TokenKind| {
        tokens.get(other).is_some_and(|token| {
            let touches =
                token.range.start == tokens[at].range.end || token.range.end == tokens[at].range.start;
            touches && token.kind == *kind
        })
    };
    let twice = |kind: &TokenKind| {
        next_to(at + 1, kind) || at.checked_sub(1).is_some_and(|other| next_to(other, kind))
    };
    let is_nested = tokens.windows(2).take(at).any(|pair| {
        pair.iter().all(|token| token.kind == TokenKind::Op("{")) && pair[0].range.end == pair[1].range.start
    });
    match &tokens[at].kind {
        TokenKind::Op("}" | "{") if is_nested => Some("a tag holds its expression without further `{{ }}`"),
        TokenKind::Op("=") => Some("write `==` to compare"),
        TokenKind::Op("|") if twice(&TokenKind::Op("|")) => Some("write `or`"),
        TokenKind::Unknown('&') if twice(&TokenKind::Unknown('&')) => Some("write `and`"),
        TokenKind::Unknown('!') => Some("write `not`"),
        TokenKind::Unknown('?') => Some("write `A if CONDITION else B`"),
        TokenKind::Unknown('$') => Some("a variable is its name alone"),
        _ => None,
    }
}

/// The token at which the tree would become too deep, by brackets or by operators in a row. Counted before anything descends.
fn too_deep(tokens: &[Token]) -> Option<usize> {
    // Operators so far in each open bracket.
    let mut levels = vec![0_usize];
    let mut links = 0;
    for (at, token) in tokens.iter().enumerate() {
        match &token.kind {
            TokenKind::Op("(" | "[" | "{") => {
                levels.push(1);
                links += 1;
            }
            TokenKind::Op(")" | "]" | "}") => {
                if levels.len() > 1 {
                    links -= levels.pop().unwrap_or_default();
                }
                // What was called or indexed is an operand of what follows.
                *levels.last_mut()? += 1;
                links += 1;
            }
            TokenKind::Op("," | ":" | "=") => {
                links -= std::mem::take(levels.last_mut()?);
            }
            TokenKind::Op(_) => {
                *levels.last_mut()? += 1;
                links += 1;
            }
            TokenKind::Name(word) if matches!(word.as_str(), "if" | "and" | "or" | "not" | "in" | "is") => {
                *levels.last_mut()? += 1;
                links += 1;
            }
            _ => {}
        }
        if levels.len() > MAX_DEPTH || links > MAX_LINKS {
            return Some(at);
        }
    }
    None
}
