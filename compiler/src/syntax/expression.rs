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

use super::token::{Token, TokenKind, tokens};
use crate::{diagnostic::Diagnostic, source::FileId};
use std::ops::Range;

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

/// How deep expressions may nest; deeper ones are reported and not descended into.
const MAX_DEPTH: usize = 64;

/// Parses the bytes `range` of `text`. Always gives a tree; what could not be read is an error node in it.
pub fn parse_expr(file: FileId, text: &str, range: Range<usize>) -> (Expr, Vec<Diagnostic>) {
    let words = tokens(text, range.clone());
    let mut parser = Parser::new(file, &words, range.end);
    let expr = parser.whole();
    (expr, parser.diagnostics)
}

/// A cursor over tokens: expressions here, statements in [`blocks`](super::blocks).
pub(super) struct Parser<'t> {
    file: FileId,
    tokens: &'t [Token],
    at: usize,
    end: usize,
    depth: usize,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl<'t> Parser<'t> {
    /// A cursor at the first token; `end` is where the text ends.
    pub(super) fn new(file: FileId, tokens: &'t [Token], end: usize) -> Self {
        Self { file, tokens, at: 0, end, depth: 0, diagnostics: Vec::new() }
    }

    /// An expression that takes all tokens.
    pub(super) fn whole(&mut self) -> Expr {
        let expr = self.tuple_or_expr();
        self.expect_end();
        expr
    }

    /// Reports what is left over.
    pub(super) fn expect_end(&mut self) {
        if let Some(token) = self.peek().cloned() {
            let word = describe(&token.kind);
            self.error(token.range, format!("expected the end of the expression, found {word}"));
            self.at = self.tokens.len();
        }
    }

    pub(super) fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    fn peek_second(&self) -> Option<&'t Token> {
        self.tokens.get(self.at + 1)
    }

    pub(super) fn is_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// Byte offset of the next token, or of the end.
    pub(super) fn offset(&self) -> usize {
        self.peek().map_or(self.end, |t| t.range.start)
    }

    fn last_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(self.offset(), |t| t.range.end)
    }

    pub(super) fn span(&self, start: usize) -> Span {
        Span::new(self.file, start..self.last_end().max(start))
    }

    pub(super) fn error(&mut self, range: Range<usize>, message: impl Into<String>) {
        // One mistake, one report: what follows from it would only confuse.
        if self.diagnostics.is_empty() {
            self.diagnostics.push(Diagnostic::new(&BAD_EXPRESSION, Span::new(self.file, range), message));
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

    fn expect(&mut self, op: &'static str, opened: usize) {
        if !self.op(op) {
            let (range, found) = match self.peek() {
                Some(token) => (token.range.clone(), describe(&token.kind)),
                None => (opened..opened + 1, "the end".to_owned()),
            };
            self.error(range, format!("expected `{op}`, found {found}"));
        }
    }

    fn make(&self, start: usize, kind: ExprKind) -> Expr {
        Expr { kind, span: self.span(start) }
    }

    fn missing(&mut self, what: &str) -> Expr {
        let at = self.offset();
        let (range, found) = match self.peek() {
            Some(token) => (token.range.clone(), describe(&token.kind)),
            None => (self.last_end().saturating_sub(1)..self.last_end(), "the end".to_owned()),
        };
        self.error(range, format!("expected {what}, found {found}"));
        Expr { kind: ExprKind::Error, span: Span::at(self.file, at) }
    }

    /// `a, b` without parentheses, or a single expression.
    pub(super) fn tuple_or_expr(&mut self) -> Expr {
        let start = self.offset();
        let first = self.expression();
        if !matches!(self.peek(), Some(Token { kind: TokenKind::Op(","), .. })) {
            return first;
        }
        let mut items = vec![Arc::new(first)];
        while self.op(",") && !self.is_end() {
            items.push(Arc::new(self.expression()));
        }
        self.make(start, ExprKind::Tuple(items))
    }

    /// A conditional expression, the loosest level.
    pub(super) fn expression(&mut self) -> Expr {
        self.nested(|parser| {
            let start = parser.offset();
            let mut value = parser.or();
            while parser.keyword("if") {
                let condition = Arc::new(parser.or());
                let otherwise = parser.keyword("else").then(|| Arc::new(parser.expression()));
                value =
                    parser.make(start, ExprKind::Conditional { condition, then: Arc::new(value), otherwise });
            }
            value
        })
    }

    /// An expression that leaves `if` to the statement it stands in (`for x in y if z`).
    pub(super) fn expression_without_condition(&mut self) -> Expr {
        let start = self.offset();
        let first = self.nested(Self::or);
        if !matches!(self.peek(), Some(Token { kind: TokenKind::Op(","), .. })) {
            return first;
        }
        let mut items = vec![Arc::new(first)];
        while self.op(",") && !self.is_end() {
            items.push(Arc::new(self.nested(Self::or)));
        }
        self.make(start, ExprKind::Tuple(items))
    }

    fn nested(&mut self, parse: impl FnOnce(&mut Self) -> Expr) -> Expr {
        if self.depth >= MAX_DEPTH {
            let at = self.offset();
            self.error(at..self.end, format!("the expression nests more than {MAX_DEPTH} levels deep"));
            self.at = self.tokens.len();
            return Expr { kind: ExprKind::Error, span: Span::at(self.file, at) };
        }
        self.depth += 1;
        let expr = parse(self);
        self.depth -= 1;
        expr
    }

    fn binary(&self, start: usize, operator: &'static str, left: Expr, right: Expr) -> Expr {
        self.make(start, ExprKind::Binary { operator, left: Arc::new(left), right: Arc::new(right) })
    }

    fn or(&mut self) -> Expr {
        let start = self.offset();
        let mut left = self.and();
        while self.keyword("or") {
            let right = self.and();
            left = self.binary(start, "or", left, right);
        }
        left
    }

    fn and(&mut self) -> Expr {
        let start = self.offset();
        let mut left = self.not();
        while self.keyword("and") {
            let right = self.not();
            left = self.binary(start, "and", left, right);
        }
        left
    }

    fn not(&mut self) -> Expr {
        let start = self.offset();
        if self.keyword("not") {
            let operand = Arc::new(self.nested(Self::not));
            return self.make(start, ExprKind::Unary { operator: "not", operand });
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Expr {
        let start = self.offset();
        let mut left = self.sum();
        loop {
            let operator =
                if let Some(op) = ["==", "!=", "<=", ">=", "<", ">"].into_iter().find(|op| self.op(op)) {
                    op
                } else if self.keyword("in") {
                    "in"
                } else if self.is_keyword("not")
                    && matches!(self.peek_second(), Some(Token { kind: TokenKind::Name(n), .. }) if n == "in")
                {
                    self.at += 2;
                    "not in"
                } else {
                    return left;
                };
            let right = self.sum();
            left = self.binary(start, operator, left, right);
        }
    }

    fn level(&mut self, operators: &[&'static str], next: fn(&mut Self) -> Expr) -> Expr {
        let start = self.offset();
        let mut left = next(self);
        while let Some(operator) = operators.iter().copied().find(|op| self.op(op)) {
            let right = next(self);
            left = self.binary(start, operator, left, right);
        }
        left
    }

    fn sum(&mut self) -> Expr {
        self.level(&["+", "-"], Self::concatenation)
    }

    fn concatenation(&mut self) -> Expr {
        self.level(&["~"], Self::product)
    }

    fn product(&mut self) -> Expr {
        self.level(&["//", "*", "/", "%"], Self::power)
    }

    fn power(&mut self) -> Expr {
        self.level(&["**"], |parser| parser.unary(true))
    }

    fn unary(&mut self, filters: bool) -> Expr {
        let start = self.offset();
        let mut expr = match ["-", "+"].into_iter().find(|op| self.op(op)) {
            Some(operator) => {
                let operand = Arc::new(self.nested(|parser| parser.unary(false)));
                self.make(start, ExprKind::Unary { operator, operand })
            }
            None => self.primary(),
        };
        expr = self.postfix(start, expr);
        if filters { self.filters(start, Some(expr)) } else { expr }
    }

    fn postfix(&mut self, start: usize, mut expr: Expr) -> Expr {
        loop {
            let opened = self.offset();
            if self.op(".") {
                let (name, name_span) = match self.peek() {
                    Some(Token { kind: TokenKind::Int(index), range }) => {
                        // `x.0` is an index in Jinja.
                        self.at += 1;
                        (index.to_string(), Span::new(self.file, range.clone()))
                    }
                    _ => self.name().unwrap_or_else(|| {
                        self.missing("a name after `.`");
                        (String::new(), Span::at(self.file, opened + 1))
                    }),
                };
                expr = self.make(start, ExprKind::Attribute { object: Arc::new(expr), name, name_span });
            } else if self.op("[") {
                expr = self.subscript(start, opened, expr);
            } else if self.op("(") {
                let args = self.arguments(opened);
                expr = self.make(start, ExprKind::Call { callee: Arc::new(expr), args });
            } else {
                return expr;
            }
        }
    }

    fn subscript(&mut self, start: usize, opened: usize, object: Expr) -> Expr {
        let object = Arc::new(object);
        let mut bounds = [None, None, None];
        let mut colons = 0;
        loop {
            if self.op(":") {
                colons += 1;
                if colons > 2 {
                    break;
                }
            } else if self.op("]") || self.is_end() {
                if self.is_end()
                    && !matches!(self.tokens.last(), Some(Token { kind: TokenKind::Op("]"), .. }))
                {
                    self.error(opened..opened + 1, "`[` is never closed");
                }
                break;
            } else if bounds[colons].is_none() {
                let index = if colons == 0 { self.tuple_or_expr() } else { self.expression() };
                bounds[colons] = Some(Arc::new(index));
            } else {
                self.expect("]", opened);
                break;
            }
        }
        if colons > 0 {
            return self.make(start, ExprKind::Slice { object, bounds });
        }
        let [index, ..] = bounds;
        let index = index.unwrap_or_else(|| Arc::new(self.missing("an index")));
        self.make(start, ExprKind::Index { object, index })
    }

    fn arguments(&mut self, opened: usize) -> Vec<Argument> {
        let mut args = Vec::new();
        loop {
            if self.op(")") {
                return args;
            }
            if self.is_end() {
                self.error(opened..opened + 1, "`(` is never closed");
                return args;
            }
            let before = self.at;
            let spread = self.op("**") || self.op("*");
            let named = matches!(self.peek_second(), Some(Token { kind: TokenKind::Op("="), .. }));
            let name = if named { self.name() } else { None };
            if name.is_some() {
                self.at += 1;
            }
            let value = Arc::new(self.expression());
            args.push(Argument { name, value, spread });
            if !self.op(",") && !matches!(self.peek(), Some(Token { kind: TokenKind::Op(")"), .. }) | None) {
                self.expect(")", opened);
                if self.at == before {
                    self.at += 1;
                }
                return args;
            }
        }
    }

    /// A chain of filters and tests; without a value for a filter block's own chain.
    pub(super) fn filters(&mut self, start: usize, mut value: Option<Expr>) -> Expr {
        let bare = value.is_none();
        loop {
            if self.op("|") || (bare && value.is_none()) {
                let Some((name, name_span)) = self.dotted_name() else {
                    return self.missing("the name of a filter after `|`");
                };
                let opened = self.offset();
                let args = if self.op("(") { self.arguments(opened) } else { Vec::new() };
                let kind = ExprKind::Filter { value: value.map(Arc::new), name, name_span, args };
                value = Some(self.make(start, kind));
            } else if let Some(expr) = value.take_if(|_| self.is_keyword("is")) {
                self.at += 1;
                value = Some(self.test(start, expr));
            } else if let Some(expr) = value.take() {
                let opened = self.offset();
                if matches!(expr.kind, ExprKind::Filter { .. }) && self.op("(") {
                    let args = self.arguments(opened);
                    value = Some(self.make(start, ExprKind::Call { callee: Arc::new(expr), args }));
                    continue;
                }
                return expr;
            }
        }
    }

    fn dotted_name(&mut self) -> Option<(String, Span)> {
        let (mut name, mut span) = self.name()?;
        while matches!(self.peek(), Some(Token { kind: TokenKind::Op("."), .. })) {
            self.at += 1;
            let (rest, rest_span) = self.name()?;
            name = format!("{name}.{rest}");
            span = span.to(rest_span);
        }
        Some((name, span))
    }

    fn test(&mut self, start: usize, value: Expr) -> Expr {
        let negated = self.keyword("not");
        let Some((name, name_span)) = self.dotted_name() else {
            return self.missing("the name of a test after `is`");
        };
        let opened = self.offset();
        let args = if self.op("(") {
            self.arguments(opened)
        } else if self.starts_operand() {
            let operand_start = self.offset();
            let operand = self.primary();
            let operand = self.postfix(operand_start, operand);
            vec![Argument { name: None, value: Arc::new(operand), spread: false }]
        } else {
            Vec::new()
        };
        self.make(start, ExprKind::Test { value: Arc::new(value), name, name_span, args, negated })
    }

    /// Whether the next token can be a test's bare operand (`is divisibleby 3`).
    fn starts_operand(&self) -> bool {
        match self.peek().map(|t| &t.kind) {
            Some(TokenKind::Name(n)) => {
                !matches!(n.as_str(), "else" | "or" | "and" | "is" | "if" | "in" | "not" | "recursive")
            }
            Some(
                TokenKind::Int(_) | TokenKind::Float(_) | TokenKind::Str { .. } | TokenKind::Op("[" | "{"),
            ) => true,
            _ => false,
        }
    }

    fn primary(&mut self) -> Expr {
        let start = self.offset();
        let Some(token) = self.peek() else { return self.missing("an expression") };
        let literal = |parser: &mut Self, value: Value| {
            parser.at += 1;
            parser.make(start, ExprKind::Literal(value))
        };
        match &token.kind {
            TokenKind::Name(name) => match name.as_str() {
                "true" | "True" => literal(self, Value::Bool(true)),
                "false" | "False" => literal(self, Value::Bool(false)),
                "none" | "None" => literal(self, Value::Null),
                "else" | "if" | "and" | "or" | "in" | "is" => self.missing("an expression"),
                _ => {
                    self.at += 1;
                    self.make(start, ExprKind::Name(name.clone()))
                }
            },
            TokenKind::Int(int) => literal(self, Value::Int(*int)),
            TokenKind::Float(float) => literal(self, Value::Float(*float)),
            TokenKind::Str { .. } => self.strings(start),
            TokenKind::Op("(") => self.parenthesis(start),
            TokenKind::Op("[") => self.list(start),
            TokenKind::Op("{") => self.dict(start),
            _ => {
                let error = self.missing("an expression");
                self.at += 1;
                error
            }
        }
    }

    /// Adjacent string literals are one.
    fn strings(&mut self, start: usize) -> Expr {
        let mut whole = String::new();
        while let Some(Token { kind: TokenKind::Str { text, closed }, range }) = self.peek() {
            whole.push_str(text);
            if !closed {
                self.error(range.start..range.start + 1, "the quote is never closed");
            }
            self.at += 1;
        }
        self.make(start, ExprKind::Literal(Value::Str(whole)))
    }

    fn parenthesis(&mut self, start: usize) -> Expr {
        self.at += 1;
        if self.op(")") {
            return self.make(start, ExprKind::Tuple(Vec::new()));
        }
        let inner = self.expression();
        if matches!(self.peek(), Some(Token { kind: TokenKind::Op(","), .. })) {
            let mut items = vec![Arc::new(inner)];
            while self.op(",") && !matches!(self.peek(), Some(Token { kind: TokenKind::Op(")"), .. }) | None)
            {
                items.push(Arc::new(self.expression()));
            }
            self.expect(")", start);
            return self.make(start, ExprKind::Tuple(items));
        }
        self.expect(")", start);
        Expr { span: self.span(start), ..inner }
    }

    fn list(&mut self, start: usize) -> Expr {
        self.at += 1;
        let mut items = Vec::new();
        while !matches!(self.peek(), Some(Token { kind: TokenKind::Op("]"), .. }) | None) {
            items.push(Arc::new(self.expression()));
            if !self.op(",") {
                break;
            }
        }
        self.expect("]", start);
        self.make(start, ExprKind::List(items))
    }

    fn dict(&mut self, start: usize) -> Expr {
        self.at += 1;
        let mut entries = Vec::new();
        while !matches!(self.peek(), Some(Token { kind: TokenKind::Op("}"), .. }) | None) {
            let key = Arc::new(self.expression());
            let value = if self.op(":") { self.expression() } else { self.missing("`:` and a value") };
            entries.push((key, Arc::new(value)));
            if !self.op(",") {
                break;
            }
        }
        self.expect("}", start);
        self.make(start, ExprKind::Dict(entries))
    }
}

fn describe(kind: &TokenKind) -> String {
    match kind {
        TokenKind::Name(name) => format!("`{name}`"),
        TokenKind::Int(int) => format!("`{int}`"),
        TokenKind::Float(float) => format!("`{float}`"),
        TokenKind::Str { .. } => "a string".to_owned(),
        TokenKind::Op(op) => format!("`{op}`"),
        TokenKind::Unknown(c) => format!("`{c}`"),
    }
}
