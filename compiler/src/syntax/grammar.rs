//! The grammar of template expressions, in chumsky over tokens.
//!
//! It never fails: where something is missing it says so and goes on with an error node, so that half an expression is still a tree. Levels are
//! those of Jinja: filters and tests bind tighter than arithmetic, a sign tighter than a filter, `not` looser than a comparison.

use super::{
    expression::{Argument, Expr, ExprKind},
    token::{Token, TokenKind},
};
use crate::{
    source::{FileId, Span},
    types::Value,
};
use chumsky::{
    error::LabelError,
    extra::{Full, SimpleState},
    input::{Emitter, MapExtra},
    pratt::{infix, left},
    prelude::*,
    util::MaybeRef,
};
use std::{ops::Range, sync::Arc};

/// A mistake: where, and in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Problem {
    /// Bytes of the file.
    pub range: Range<usize>,
    /// What was expected and what was found.
    pub message: String,
}

/// What an expression stands for in its tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// `a, b` without parentheses, or a single expression.
    Tuple,
    /// A single expression.
    Single,
    /// As [`Wanted::Tuple`], but `if` belongs to the statement (`for x in y if z`).
    WithoutCondition,
    /// The chain of a filter block: `upper | trim`.
    Filters,
}

/// What was read.
pub(super) struct Parsed {
    /// The tree.
    pub expr: Expr,
    /// How many tokens it took.
    pub taken: usize,
    /// The first mistake; what follows from one would only confuse.
    pub problem: Option<Problem>,
}

/// The grammar, made once for all expressions of a file.
pub(super) struct Grammar<'t> {
    tuple: Rule<'t, (Expr, usize)>,
    single: Rule<'t, (Expr, usize)>,
    without_condition: Rule<'t, (Expr, usize)>,
    filters: Rule<'t, (Expr, usize)>,
}

impl<'t> Grammar<'t> {
    /// For tokens that live so long.
    pub(super) fn new() -> Self {
        let Levels { expression, disjunction, filters } = levels();
        Self {
            tuple: beginning(tuple(expression.clone())),
            single: beginning(expression),
            without_condition: beginning(tuple(disjunction)),
            filters: beginning(filters),
        }
    }

    /// Reads an expression from the beginning of `tokens`, before the byte `end` of the file.
    pub(super) fn parse(&self, file: FileId, tokens: &'t [Token], end: usize, wanted: Wanted) -> Parsed {
        let rule = match wanted {
            Wanted::Tuple => &self.tuple,
            Wanted::Single => &self.single,
            Wanted::WithoutCondition => &self.without_condition,
            Wanted::Filters => &self.filters,
        };
        let result = rule.parse_with_state(tokens, &mut SimpleState(Place { file, tokens, end }));
        let (output, problems) = result.into_output_errors();
        let (expr, taken) = output.unwrap_or_else(|| {
            let at = tokens.first().map_or(end, |t| t.range.start);
            (Expr { kind: ExprKind::Error, span: Span::at(file, at) }, 0)
        });
        Parsed { expr, taken, problem: problems.into_iter().next() }
    }
}

/// What a rule reads, and how many tokens that were; the others are left.
fn beginning<'t>(rule: impl Parser<'t, Input<'t>, Expr, Rules<'t>> + 't) -> Rule<'t, (Expr, usize)> {
    rule.map_with(|expr, e| (expr, e.span().end)).then_ignore(any_ref().repeated()).boxed()
}

/// What nodes and messages need to know of their surroundings.
struct Place<'t> {
    file: FileId,
    tokens: &'t [Token],
    end: usize,
}

impl Place<'_> {
    /// The bytes of tokens, by their numbers.
    fn bytes(&self, tokens: Range<usize>) -> Range<usize> {
        let start = self.tokens.get(tokens.start).map_or(self.end, |t| t.range.start);
        let last = tokens.end.checked_sub(1).filter(|last| *last >= tokens.start);
        start..last.and_then(|last| self.tokens.get(last)).map_or(start, |t| t.range.end)
    }

    /// Where to say that something is missing at the end: the last character, where it is known to be one byte; else the last token.
    fn last(&self) -> Range<usize> {
        match self.tokens.last() {
            Some(Token { kind: TokenKind::Op(_) | TokenKind::Int(_) | TokenKind::Float(_), range }) => {
                range.end - 1..range.end
            }
            Some(Token { range, .. }) => range.clone(),
            None => self.end..self.end,
        }
    }
}

type Input<'t> = &'t [Token];
type Rules<'t> = Full<Problem, SimpleState<Place<'t>>, ()>;
type Extra<'t, 'b> = MapExtra<'t, 'b, Input<'t>, Rules<'t>>;
type Rule<'t, O> = Boxed<'t, 't, Input<'t>, O, Rules<'t>>;

impl<'t> chumsky::error::Error<'t, Input<'t>> for Problem {}

impl<'t, L> LabelError<'t, Input<'t>, L> for Problem {
    // Alternatives that did not fit: what is said of the mistake comes from the rules that replace what is missing.
    fn expected_found<I: IntoIterator<Item = L>>(
        _: I,
        _: Option<MaybeRef<'t, Token>>,
        span: SimpleSpan<usize>,
    ) -> Self {
        Self { range: span.start..span.end, message: String::new() }
    }
}

/// The rules that others are made of.
struct Levels<'t> {
    expression: Rule<'t, Expr>,
    disjunction: Rule<'t, Expr>,
    filters: Rule<'t, Expr>,
}

fn levels<'t>() -> Levels<'t> {
    let mut others = None;
    // Within itself it is known weakly: rules that held each other would never be freed.
    let expression = recursive(|expression| {
        let (conditional, disjunction, filters) = rules(expression);
        others = Some((disjunction, filters));
        conditional
    })
    .boxed();
    let (disjunction, filters) = others.unwrap_or_else(|| (expression.clone(), expression.clone()));
    Levels { expression, disjunction, filters }
}

/// A conditional, a disjunction and the chain of a filter block, made from whatever an expression is.
fn rules<'t>(
    expression: impl Parser<'t, Input<'t>, Expr, Rules<'t>> + Clone + 't,
) -> (Rule<'t, Expr>, Rule<'t, Expr>, Rule<'t, Expr>) {
    let arguments = arguments(expression.clone()).boxed();
    let operand = postfixed(expression.clone(), arguments.clone()).boxed();
    let signed = choice((op("-"), op("+")))
        .repeated()
        .foldr_with(operand.clone(), |operator, operand, e| {
            node(e, ExprKind::Unary { operator, operand: Arc::new(operand) })
        })
        .boxed();
    let links = choice((filter(arguments.clone()), test(operand, arguments.clone()))).boxed();
    let filtered = signed.foldl_with(links.clone().repeated(), link);
    let comparison = arithmetic(filtered.or(missing("an expression"))).boxed();
    let negation = keyword("not").repeated().foldr_with(comparison, |(), operand, e| {
        node(e, ExprKind::Unary { operator: "not", operand: Arc::new(operand) })
    });
    let disjunction = negation
        .pratt((
            infix(left(2), keyword("and").to("and"), binary),
            infix(left(1), keyword("or").to("or"), binary),
        ))
        .boxed();
    let conditional = conditional(disjunction.clone()).boxed();
    let named = dotted().then(arguments.or_not()).map_with(|((name, name_span), args), e| {
        node(e, ExprKind::Filter { value: None, name, name_span, args: args.unwrap_or_default() })
    });
    let filters =
        named.or(missing("the name of a filter after `|`")).foldl_with(links.repeated(), link).boxed();
    (conditional, disjunction, filters)
}

fn node(e: &mut Extra<'_, '_>, kind: ExprKind) -> Expr {
    let tokens: SimpleSpan<usize> = e.span();
    let place = &e.state().0;
    Expr { kind, span: Span::new(place.file, place.bytes(tokens.start..tokens.end)) }
}

fn span(e: &mut Extra<'_, '_>) -> Span {
    let tokens: SimpleSpan<usize> = e.span();
    let place = &e.state().0;
    Span::new(place.file, place.bytes(tokens.start..tokens.end))
}

fn is_op(token: &Token, op: &str) -> bool {
    matches!(&token.kind, TokenKind::Op(o) if *o == op)
}

fn op<'t>(op: &'static str) -> impl Parser<'t, Input<'t>, &'static str, Rules<'t>> + Clone {
    any_ref().filter(move |token: &&Token| is_op(token, op)).to(op)
}

fn keyword<'t>(word: &'static str) -> impl Parser<'t, Input<'t>, (), Rules<'t>> + Clone {
    any_ref().filter(move |token: &&Token| matches!(&token.kind, TokenKind::Name(n) if n == word)).ignored()
}

fn name<'t>() -> impl Parser<'t, Input<'t>, (String, Span), Rules<'t>> + Clone {
    select_ref! { Token { kind: TokenKind::Name(name), .. } => name.clone() }
        .map_with(|name, e| (name, span(e)))
}

/// The next token, which stays where it is.
fn next<'t>() -> impl Parser<'t, Input<'t>, Option<&'t Token>, Rules<'t>> + Clone {
    any_ref().or_not().rewind()
}

fn describe(found: Option<&Token>) -> String {
    match found.map(|t| &t.kind) {
        Some(TokenKind::Name(name)) => format!("`{name}`"),
        Some(TokenKind::Int(int)) => format!("`{int}`"),
        Some(TokenKind::Float(float)) => format!("`{float}`"),
        Some(TokenKind::Str { .. }) => "a string".to_owned(),
        Some(TokenKind::Op(op)) => format!("`{op}`"),
        Some(TokenKind::Unknown(c)) => format!("`{c}`"),
        None => "the end".to_owned(),
    }
}

/// A token as messages call it.
pub(super) fn described(token: &Token) -> String {
    describe(Some(token))
}

/// Takes nothing, says what is missing, and stands for it.
fn missing<'t>(what: &'static str) -> impl Parser<'t, Input<'t>, Expr, Rules<'t>> + Clone {
    next().validate(move |found, e, emitter: &mut Emitter<Problem>| {
        let place = &e.state().0;
        let range = found.map_or_else(|| place.last(), |t| t.range.clone());
        let at = found.map_or(place.end, |t| t.range.start);
        let file = place.file;
        emitter.emit(Problem { range, message: format!("expected {what}, found {}", describe(found)) });
        Expr { kind: ExprKind::Error, span: Span::at(file, at) }
    })
}

/// `open inner close`; a missing end is said at the next token, or at the opening where the text ends.
fn bracketed<'t, O: 't>(
    [open, close]: [&'static str; 2],
    inner: impl Parser<'t, Input<'t>, O, Rules<'t>> + Clone,
    unclosed: &'static str,
) -> impl Parser<'t, Input<'t>, O, Rules<'t>> + Clone {
    let end = choice((op(close).to(None), next().map(Some)));
    op(open).ignore_then(inner).then(end).validate(move |(inner, wrong), e, emitter| {
        if let Some(found) = wrong {
            let tokens: SimpleSpan<usize> = e.span();
            let opened = e.state().0.bytes(tokens.start..tokens.start).start;
            emitter.emit(match found {
                Some(token) => Problem {
                    range: token.range.clone(),
                    message: format!("expected `{close}`, found {}", describe(found)),
                },
                None => Problem { range: opened..opened + 1, message: unclosed.to_owned() },
            });
        }
        inner
    })
}

/// Items with commas between them, up to a closing bracket.
fn items<'t, O: 't>(
    item: impl Parser<'t, Input<'t>, O, Rules<'t>> + Clone,
    close: &'static str,
) -> impl Parser<'t, Input<'t>, Vec<O>, Rules<'t>> + Clone {
    unless(close).ignore_then(item).separated_by(op(",")).allow_trailing().collect()
}

/// Takes nothing; there is a token, and it is not this one.
fn unless<'t>(close: &'static str) -> impl Parser<'t, Input<'t>, (), Rules<'t>> + Clone {
    any_ref().filter(move |token: &&Token| !is_op(token, close)).ignored().rewind()
}

fn tuple(item: Rule<'_, Expr>) -> impl Parser<'_, Input<'_>, Expr, Rules<'_>> + Clone {
    let more = op(",").ignore_then(any_ref().rewind().ignore_then(item.clone()).or_not());
    item.then(more.repeated().collect::<Vec<_>>()).map_with(|(first, more), e| {
        if more.is_empty() {
            return first;
        }
        let items = std::iter::once(first).chain(more.into_iter().flatten());
        node(e, ExprKind::Tuple(items.map(Arc::new).collect()))
    })
}

/// `(a, b=c, *d)`
fn arguments<'t>(
    value: impl Parser<'t, Input<'t>, Expr, Rules<'t>> + Clone,
) -> impl Parser<'t, Input<'t>, Vec<Argument>, Rules<'t>> + Clone {
    let spread = choice((op("**"), op("*"))).or_not();
    let argument = spread
        .then(name().then_ignore(op("=")).or_not())
        .then(value)
        .map(|((spread, name), value)| Argument { name, value: Arc::new(value), spread: spread.is_some() });
    bracketed(["(", ")"], items(argument, ")"), "`(` is never closed")
}

/// What stands behind an operand.
#[derive(Clone)]
enum Postfix {
    Attribute(String, Span),
    Subscript([Option<Arc<Expr>>; 3], bool),
    Call(Vec<Argument>),
}

/// A literal, name or bracket with attributes, subscripts and calls.
fn postfixed<'t>(
    expression: impl Parser<'t, Input<'t>, Expr, Rules<'t>> + Clone + 't,
    arguments: Rule<'t, Vec<Argument>>,
) -> impl Parser<'t, Input<'t>, Expr, Rules<'t>> + Clone {
    // `x.0` is an index in Jinja.
    let index = select_ref! { Token { kind: TokenKind::Int(index), .. } => index.to_string() }
        .map_with(|index, e| (index, span(e)));
    let unnamed = missing("a name after `.`").map(|error| (String::new(), error.span));
    let attribute = op(".")
        .ignore_then(choice((name(), index, unnamed)))
        .map(|(name, span)| Postfix::Attribute(name, span));
    let bound = unless("]")
        .ignore_then(unless(":"))
        .ignore_then(tuple(expression.clone().boxed()))
        .map(Arc::new)
        .or_not();
    let further = op(":").ignore_then(bound.clone());
    let bounds =
        bound.then(further.clone().then(further.or_not()).or_not()).map(|(start, rest)| match rest {
            None => ([start, None, None], false),
            Some((stop, step)) => ([start, stop, step.flatten()], true),
        });
    let subscript =
        bracketed(["[", "]"], bounds, "`[` is never closed").validate(|(mut bounds, slice), e, emitter| {
            if !slice && bounds[0].is_none() {
                let range = span(e);
                let file = e.state().0.file;
                emitter.emit(Problem {
                    range: range.range(),
                    message: "expected an index, found `]`".to_owned(),
                });
                bounds[0] = Some(Arc::new(Expr {
                    kind: ExprKind::Error,
                    span: Span::at(file, range.range().start + 1),
                }));
            }
            Postfix::Subscript(bounds, slice)
        });
    let postfix = choice((attribute, subscript, arguments.map(Postfix::Call)));
    primary(expression).foldl_with(postfix.repeated(), |object, postfix, e| {
        let object = Arc::new(object);
        let kind = match postfix {
            Postfix::Attribute(name, name_span) => ExprKind::Attribute { object, name, name_span },
            Postfix::Subscript(bounds, true) => ExprKind::Slice { object, bounds },
            Postfix::Subscript([Some(index), ..], false) => ExprKind::Index { object, index },
            Postfix::Subscript(..) => ExprKind::Error,
            Postfix::Call(args) => ExprKind::Call { callee: object, args },
        };
        node(e, kind)
    })
}

fn primary<'t>(
    expression: impl Parser<'t, Input<'t>, Expr, Rules<'t>> + Clone + 't,
) -> impl Parser<'t, Input<'t>, Expr, Rules<'t>> + Clone {
    let word = any_ref().try_map(|token: &Token, span| {
        word(token).ok_or_else(|| Problem::expected_found([] as [(); 0], None, span))
    });
    let text = select_ref! { Token { kind: TokenKind::Str { text, closed }, range } => (text.as_str(), *closed, range.start) };
    // Adjacent string literals are one.
    let texts = text.repeated().at_least(1).collect::<Vec<_>>().validate(|texts, _, emitter| {
        if let Some((_, _, at)) = texts.iter().find(|(_, closed, _)| !closed) {
            emitter.emit(Problem { range: *at..at + 1, message: "the quote is never closed".to_owned() });
        }
        ExprKind::Literal(Value::Str(texts.into_iter().map(|(text, ..)| text).collect()))
    });
    let comma = op(",").or_not();
    let parenthesis = items_with_comma(expression.clone(), comma);
    let parenthesis = bracketed(["(", ")"], parenthesis, "expected `)`, found the end");
    let list =
        items(expression.clone(), "]").map(|items| ExprKind::List(items.into_iter().map(Arc::new).collect()));
    let list = bracketed(["[", "]"], list, "expected `]`, found the end");
    let value = op(":").ignore_then(expression.clone()).or(missing("`:` and a value"));
    let entry = expression.then(value).map(|(key, value)| (Arc::new(key), Arc::new(value)));
    let dict = bracketed(["{", "}"], items(entry, "}").map(ExprKind::Dict), "expected `}`, found the end");
    choice((word, texts, list, dict)).map_with(|kind, e| node(e, kind)).or(parenthesis.map_with(
        |inner, e| match inner {
            Ok(inner) => Expr { span: span(e), ..inner },
            Err(items) => node(e, ExprKind::Tuple(items)),
        },
    ))
}

/// What is in parentheses: one expression without a comma, or the items of a tuple.
fn items_with_comma<'t>(
    expression: impl Parser<'t, Input<'t>, Expr, Rules<'t>> + Clone + 't,
    comma: impl Parser<'t, Input<'t>, Option<&'static str>, Rules<'t>> + Clone + 't,
) -> impl Parser<'t, Input<'t>, Result<Expr, Vec<Arc<Expr>>>, Rules<'t>> + Clone {
    // Behind the last comma there need be nothing: `(1,)`.
    let rest = op(",").ignore_then(unless(")").ignore_then(expression.clone()));
    let items = unless(")")
        .ignore_then(expression.then(rest.repeated().collect::<Vec<_>>()))
        .then(comma)
        .map(|((first, rest), comma)| (std::iter::once(first).chain(rest).collect::<Vec<_>>(), comma));
    items.or_not().map(|items| match items {
        None => Err(Vec::new()),
        Some((mut items, None)) if items.len() == 1 => items.pop().ok_or_else(Vec::new),
        Some((items, _)) => Err(items.into_iter().map(Arc::new).collect()),
    })
}

/// Names and numbers; nothing for words that only stand between operands.
fn word(token: &Token) -> Option<ExprKind> {
    Some(match &token.kind {
        TokenKind::Name(name) => match name.as_str() {
            "true" | "True" => ExprKind::Literal(Value::Bool(true)),
            "false" | "False" => ExprKind::Literal(Value::Bool(false)),
            "none" | "None" => ExprKind::Literal(Value::Null),
            "else" | "if" | "and" | "or" | "in" | "is" => return None,
            _ => ExprKind::Name(name.clone()),
        },
        TokenKind::Int(int) => ExprKind::Literal(Value::Int(*int)),
        TokenKind::Float(float) => ExprKind::Literal(Value::Float(*float)),
        _ => return None,
    })
}

/// A step of a chain of filters and tests.
#[derive(Clone)]
enum Link {
    /// `| name(args)`, and calls of what it gives.
    Filter { name: String, name_span: Span, args: Vec<Argument>, calls: Vec<Vec<Argument>> },
    /// `is [not] name(args)`
    Test { name: String, name_span: Span, args: Vec<Argument>, negated: bool },
    /// A name is missing.
    Error(Expr),
}

fn link(value: Expr, link: Link, e: &mut Extra<'_, '_>) -> Expr {
    match link {
        Link::Filter { name, name_span, args, calls } => {
            let value = Some(Arc::new(value));
            let filtered = node(e, ExprKind::Filter { value, name, name_span, args });
            calls
                .into_iter()
                .fold(filtered, |callee, args| node(e, ExprKind::Call { callee: Arc::new(callee), args }))
        }
        Link::Test { name, name_span, args, negated } => {
            node(e, ExprKind::Test { value: Arc::new(value), name, name_span, args, negated })
        }
        Link::Error(error) => error,
    }
}

fn filter(arguments: Rule<'_, Vec<Argument>>) -> impl Parser<'_, Input<'_>, Link, Rules<'_>> + Clone {
    let named = dotted().then(arguments.clone().or_not()).then(arguments.repeated().collect()).map(
        |(((name, name_span), args), calls)| Link::Filter {
            name,
            name_span,
            args: args.unwrap_or_default(),
            calls,
        },
    );
    op("|").ignore_then(named.or(missing("the name of a filter after `|`").map(Link::Error)))
}

fn test<'t>(
    operand: Rule<'t, Expr>,
    arguments: Rule<'t, Vec<Argument>>,
) -> impl Parser<'t, Input<'t>, Link, Rules<'t>> + Clone {
    let bare = any_ref()
        .filter(|token: &&Token| starts_operand(token))
        .rewind()
        .ignore_then(operand)
        .map(|value| vec![Argument { name: None, value: Arc::new(value), spread: false }]);
    let negated = keyword("not").or_not().map(|not| not.is_some());
    let named = negated.then(dotted()).then(arguments.or(bare).or_not()).map(
        |((negated, (name, name_span)), args)| Link::Test {
            name,
            name_span,
            args: args.unwrap_or_default(),
            negated,
        },
    );
    keyword("is").ignore_then(named.or(missing("the name of a test after `is`").map(Link::Error)))
}

/// Whether a token can be a test's bare operand (`is divisibleby 3`).
fn starts_operand(token: &Token) -> bool {
    match &token.kind {
        TokenKind::Name(n) => {
            !matches!(n.as_str(), "else" | "or" | "and" | "is" | "if" | "in" | "not" | "recursive")
        }
        TokenKind::Int(_) | TokenKind::Float(_) | TokenKind::Str { .. } | TokenKind::Op("[" | "{") => true,
        _ => false,
    }
}

/// `a.b`, as filters are called that belong to a namespace.
fn dotted<'t>() -> impl Parser<'t, Input<'t>, (String, Span), Rules<'t>> + Clone {
    let parts = op(".").ignore_then(name());
    name().foldl(parts.repeated(), |(name, span), (rest, rest_span)| {
        (format!("{name}.{rest}"), span.to(rest_span))
    })
}

fn binary(left: Expr, operator: &'static str, right: Expr, e: &mut Extra<'_, '_>) -> Expr {
    node(e, ExprKind::Binary { operator, left: Arc::new(left), right: Arc::new(right) })
}

/// Comparisons and arithmetic.
fn arithmetic<'t>(
    operand: impl Parser<'t, Input<'t>, Expr, Rules<'t>> + Clone,
) -> impl Parser<'t, Input<'t>, Expr, Rules<'t>> + Clone {
    let compare = choice((op("=="), op("!="), op("<="), op(">="), op("<"), op(">")));
    let within = choice((keyword("in").to("in"), keyword("not").ignore_then(keyword("in")).to("not in")));
    operand.pratt((
        infix(left(5), op("**"), binary),
        infix(left(4), choice((op("//"), op("*"), op("/"), op("%"))), binary),
        infix(left(3), op("~"), binary),
        infix(left(2), choice((op("+"), op("-"))), binary),
        infix(left(1), choice((compare, within)), binary),
    ))
}

/// `a if b else c`: to the right after an `else`, to the left without one.
fn conditional(level: Rule<'_, Expr>) -> impl Parser<'_, Input<'_>, Expr, Rules<'_>> + Clone {
    let otherwise = keyword("else").ignore_then(level.clone()).or_not();
    let branch = keyword("if").ignore_then(level.clone()).then(otherwise);
    level.then(branch.repeated().collect::<Vec<_>>()).map(|(first, branches)| {
        // Each value waits for what follows its `else`.
        let mut open: Vec<(Expr, Expr)> = Vec::new();
        let mut value = first;
        for (condition, otherwise) in branches {
            match otherwise {
                Some(next) => open.push((std::mem::replace(&mut value, next), condition)),
                None => value = choose(value, condition, None),
            }
        }
        while let Some((then, condition)) = open.pop() {
            value = choose(then, condition, Some(value));
        }
        value
    })
}

fn choose(then: Expr, condition: Expr, otherwise: Option<Expr>) -> Expr {
    let end = otherwise.as_ref().map_or(condition.span, |o| o.span);
    let span = then.span.to(end);
    let (then, condition) = (Arc::new(then), Arc::new(condition));
    Expr { kind: ExprKind::Conditional { condition, then, otherwise: otherwise.map(Arc::new) }, span }
}
