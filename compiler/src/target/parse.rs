//! From a target's words to its expression: `or` binds least, then `and`, then `not`.

use super::{
    Comparison, Condition, Expr, Form, Glob, MALFORMED_TARGET, Pattern, Target,
    lexer::{Token, TokenKind, tokens},
    pattern::{Order, Regexp},
};
use crate::{diagnostic::Diagnostic, source::Span};
use fancy_regex::RegexBuilder;
use ipnet::IpNet;
use std::{net::IpAddr, ops::Range};

/// Deepest nesting of parentheses and `not`.
const MAX_DEPTH: usize = 64;

/// Longest target in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Steps a regular expression may take back before it is given up.
const MAX_BACKTRACKS: usize = 200_000;

pub(super) fn compound(text: &str, span: Span) -> (Target, Vec<Diagnostic>) {
    let mut parser = Parser::new(text, span);
    if !parser.fits() {
        return parser.finish(Expr::Error);
    }
    parser.tokens = tokens(text);
    if parser.tokens.is_empty() {
        parser.error(0..text.len(), "the target is empty", "`*` matches every peel");
        return parser.finish(Expr::Error);
    }
    let expr = parser.or(0);
    if !parser.stopped
        && let Some(token) = parser.tokens.get(parser.at)
    {
        let range = token.range.clone();
        if token.kind == TokenKind::Close {
            parser.stop(range, "this `)` has no `(`", "remove it, or add the `(` it belongs to");
        } else {
            parser.adjacent(range);
        }
    }
    let expr = if parser.stopped { Expr::Error } else { expr };
    parser.finish(expr)
}

pub(super) fn single(form: Form, text: &str, span: Span) -> (Target, Vec<Diagnostic>) {
    if form == Form::Compound {
        return compound(text, span);
    }
    let mut parser = Parser::new(text, span);
    if !parser.fits() {
        return parser.finish(Expr::Error);
    }
    let expr = parser.pattern(form, text.trim(), 0..text.len());
    parser.finish(expr)
}

struct Parser<'t> {
    text: &'t str,
    span: Span,
    tokens: Vec<Token>,
    at: usize,
    /// After an error in the structure nothing that follows is judged.
    stopped: bool,
    diagnostics: Vec<Diagnostic>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, span: Span) -> Self {
        Self { text, span, tokens: Vec::new(), at: 0, stopped: false, diagnostics: Vec::new() }
    }

    fn finish(self, expr: Expr) -> (Target, Vec<Diagnostic>) {
        (Target { expr, span: self.span }, self.diagnostics)
    }

    fn fits(&mut self) -> bool {
        if self.text.len() > MAX_BYTES {
            let message = format!("the target has {} bytes; at most {MAX_BYTES} are read", self.text.len());
            self.error(0..self.text.len(), message, "use a nodegroup, or a fact that the peels share");
            return false;
        }
        true
    }

    /// The place of a range of the text. Where the text is not written out as it is (escapes), all of it. Folded lines may be two bytes longer
    /// by chance, as quotes are: then the place is a letter off, which only text of one-byte letters survives.
    fn place(&self, range: Range<usize>) -> Span {
        let written = self.span.range().len();
        let start = self.span.start as usize;
        if written == self.text.len() {
            Span::new(self.span.file, start + range.start..start + range.end)
        } else if written == self.text.len() + 2 && self.text.is_ascii() {
            Span::new(self.span.file, start + 1 + range.start..start + 1 + range.end)
        } else {
            self.span
        }
    }

    fn error(&mut self, range: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let diagnostic = Diagnostic::new(&MALFORMED_TARGET, self.place(range), message).help(help);
        self.diagnostics.push(diagnostic);
    }

    fn stop(&mut self, range: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Expr {
        if !self.stopped {
            self.error(range, message, help);
            self.stopped = true;
        }
        Expr::Error
    }

    fn adjacent(&mut self, range: Range<usize>) {
        let word = &self.text[range.clone()];
        let message = format!("expected `and` or `or` before `{word}`");
        let before = self.tokens[..self.at].iter().rev().find_map(|token| match &token.kind {
            TokenKind::Word { text, .. } => Some(text.as_str()),
            _ => None,
        });
        let help = match before {
            Some(before) if before.contains(':') => {
                let (path, value) = before.split_once(':').unwrap_or((before, ""));
                format!("a value with spaces is quoted: `{path}:\"{value} {word}\"`")
            }
            _ => "write an operator between two patterns".to_owned(),
        };
        self.stop(range, message, help);
    }

    fn or(&mut self, depth: usize) -> Expr {
        self.chain(depth, &TokenKind::Or, Self::and, Expr::Or)
    }

    fn and(&mut self, depth: usize) -> Expr {
        self.chain(depth, &TokenKind::And, Self::not, Expr::And)
    }

    fn chain(
        &mut self,
        depth: usize,
        operator: &TokenKind,
        operand: fn(&mut Self, usize) -> Expr,
        join: fn(Vec<Expr>) -> Expr,
    ) -> Expr {
        let first = operand(self, depth);
        let mut parts = vec![first];
        while !self.stopped && self.tokens.get(self.at).is_some_and(|t| t.kind == *operator) {
            self.at += 1;
            parts.push(operand(self, depth));
        }
        if parts.len() > 1 { join(parts) } else { parts.pop().unwrap_or(Expr::Error) }
    }

    fn not(&mut self, depth: usize) -> Expr {
        let mut negations = 0usize;
        while self.tokens.get(self.at).is_some_and(|t| t.kind == TokenKind::Not) {
            self.at += 1;
            negations += 1;
        }
        let mut expr = self.primary(depth);
        // Two negations are none, so a long row of them makes no deep tree.
        if negations % 2 == 1 {
            expr = Expr::Not(Box::new(expr));
        }
        expr
    }

    fn primary(&mut self, depth: usize) -> Expr {
        let end = self.text.len();
        let Some(token) = self.tokens.get(self.at).cloned() else {
            let last = self.tokens.last().map_or(0..end, |t| t.range.clone());
            let word = self.text[last.clone()].to_owned();
            return self.stop(
                last,
                format!("expected a pattern after `{word}`"),
                "write what is matched: an id such as `web*`, or `G@os.family:debian`",
            );
        };
        self.at += 1;
        match token.kind {
            TokenKind::Open if depth >= MAX_DEPTH => self.stop(
                token.range,
                format!("parentheses are nested more than {MAX_DEPTH} deep"),
                "name the inner part as a nodegroup",
            ),
            TokenKind::Open => {
                let inner = self.or(depth + 1);
                if self.stopped {
                    return inner;
                }
                match self.tokens.get(self.at).cloned() {
                    Some(Token { kind: TokenKind::Close, .. }) => {
                        self.at += 1;
                        inner
                    }
                    Some(other) => {
                        self.adjacent(other.range);
                        Expr::Error
                    }
                    None => self.stop(token.range, "this `(` is never closed", "add the `)`"),
                }
            }
            TokenKind::Close => self.stop(
                token.range,
                "expected a pattern, found `)`",
                "write what is matched before it, or remove it",
            ),
            TokenKind::And | TokenKind::Or | TokenKind::Not => {
                let word = self.text[token.range.clone()].to_owned();
                self.stop(
                    token.range,
                    format!("expected a pattern, found `{word}`"),
                    format!("write a pattern on both sides of `{word}`"),
                )
            }
            TokenKind::UnclosedQuote(quote) => self.stop(
                token.range,
                format!("this `{quote}` is never closed"),
                format!("add the `{quote}`"),
            ),
            TokenKind::Word { text, quoted } => self.word(&text, quoted, token.range),
        }
    }

    fn word(&mut self, text: &str, quoted: bool, range: Range<usize>) -> Expr {
        let mut chars = text.chars();
        if let (Some(letter), Some('@')) = (chars.next(), chars.next())
            && letter.is_ascii_alphabetic()
        {
            let Some(form) = Form::of_letter(letter) else {
                let upper = letter.to_ascii_uppercase();
                let help = match (letter, Form::of_letter(upper)) {
                    (_, Some(_)) => format!("write `{upper}@`"),
                    ('R', _) => "ranges are not read; list the ids with `L@a,b,c`".to_owned(),
                    _ => "the forms are E@ L@ G@ P@ I@ J@ S@ N@, and a glob without one".to_owned(),
                };
                self.error(range, format!("there is no form `{letter}@`"), help);
                return Expr::Error;
            };
            return self.pattern(form, chars.as_str(), range);
        }
        // An id has no colon, so this would silently match nothing.
        if !quoted
            && let Some((path, _)) = text.split_once(':')
            && !path.is_empty()
        {
            self.error(
                range,
                format!("`{text}` is read as a glob on the peel's id, which never has a `:`"),
                format!("write `G@{text}` for a fact, `I@{text}` for a setting"),
            );
            return Expr::Error;
        }
        self.pattern(Form::Glob, text, range)
    }

    fn pattern(&mut self, form: Form, text: &str, range: Range<usize>) -> Expr {
        let span = self.place(range.clone());
        if text.is_empty() {
            let message = match form.prefix() {
                "" => "the pattern is empty".to_owned(),
                prefix => format!("nothing follows `{prefix}`"),
            };
            self.error(range, message, format!("write it as {}", example(form)));
            return Expr::Error;
        }
        let pattern = match form {
            Form::Compound | Form::Glob => Glob::new(text).map(Pattern::Glob),
            Form::Pcre => regexp(text, false).map(|regexp| Pattern::Pcre(Box::new(regexp))),
            Form::List => Ok(Pattern::List(
                text.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect(),
            )),
            Form::Fact => conditions(text, false).map(Pattern::Fact),
            Form::FactPcre => conditions(text, true).map(Pattern::Fact),
            Form::Setting => conditions(text, false).map(Pattern::Setting),
            Form::SettingPcre => conditions(text, true).map(Pattern::Setting),
            Form::Subnet => subnet(text).map(Pattern::Subnet),
            Form::Nodegroup => Ok(Pattern::Nodegroup(text.to_owned())),
        };
        match pattern {
            Ok(Pattern::List(ids)) if ids.is_empty() => {
                self.error(range, "the list has no ids", format!("write it as {}", example(form)));
                Expr::Error
            }
            Ok(pattern) => Expr::Pattern { pattern, span },
            Err(message) => {
                self.error(range, message, format!("write it as {}", example(form)));
                Expr::Error
            }
        }
    }
}

fn example(form: Form) -> &'static str {
    match form {
        Form::Compound | Form::Glob => "`web*` or `web-[0-9]`",
        Form::Pcre => "`E@web-(a|b)\\d+`",
        Form::List => "`L@web-01,web-02`",
        Form::Fact => "`G@os.family:debian`, `G@mem_total:>=4096` or `G@role:*`",
        Form::FactPcre => "`P@os:(Debian|Ubuntu)`",
        Form::Setting => "`I@role:web`",
        Form::SettingPcre => "`J@role:^w`",
        Form::Subnet => "`S@10.0.0.0/24` or `S@10.0.0.7`",
        Form::Nodegroup => "`N@web`",
    }
}

fn regexp(text: &str, ignore_case: bool) -> Result<Regexp, String> {
    // Salt matches from the start. The group keeps alternatives together.
    let flags = if ignore_case { "(?i)" } else { "" };
    RegexBuilder::new(&format!("{flags}\\A(?:{text})"))
        .backtrack_limit(MAX_BACKTRACKS)
        .build()
        .map(|regex| Regexp { source: text.to_owned(), regex })
        .map_err(|error| format!("`{text}` is not a regular expression: {}", reason(&error)))
}

/// The last line of a regular expression's error: those before it draw the pattern.
fn reason(error: &fancy_regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// The ways to split `path:value`: values may hold colons too.
fn conditions(text: &str, regex: bool) -> Result<Vec<Condition>, String> {
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() < 2 {
        return Err(format!("`{text}` has no value to compare with"));
    }
    let mut conditions = Vec::new();
    let mut problem = None;
    for split in 1..parts.len().min(16) {
        let path: Vec<String> = parts[..split].iter().map(|part| (*part).to_owned()).collect();
        if path.iter().any(String::is_empty) {
            break;
        }
        let value = parts[split..].join(":");
        let comparison = if regex {
            match regexp(&value, true) {
                Ok(regexp) => Comparison::Pcre(Box::new(regexp)),
                Err(message) => {
                    problem = Some(message);
                    continue;
                }
            }
        } else {
            comparison(&value)
        };
        conditions.push(Condition { path, comparison });
    }
    match (conditions.is_empty(), problem) {
        (false, _) => Ok(conditions),
        (true, Some(problem)) => Err(problem),
        (true, None) => Err(format!("`{text}` has no name before its `:`")),
    }
}

fn comparison(text: &str) -> Comparison {
    let ordered = |order, value: &str| Comparison::Ordered(order, value.trim().to_owned());
    let glob = |value: &str| Glob::lenient(value);
    if let Some(value) = text.strip_prefix("!=") {
        Comparison::NotEqual(glob(value))
    } else if let Some(value) = text.strip_prefix("<=") {
        ordered(Order::LessOrEqual, value)
    } else if let Some(value) = text.strip_prefix(">=") {
        ordered(Order::GreaterOrEqual, value)
    } else if let Some(value) = text.strip_prefix('<') {
        ordered(Order::Less, value)
    } else if let Some(value) = text.strip_prefix('>') {
        ordered(Order::Greater, value)
    } else if let Some(value) = text.strip_prefix("==").or_else(|| text.strip_prefix('=')) {
        Comparison::Equal(glob(value))
    } else {
        Comparison::Equal(glob(text))
    }
}

fn subnet(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    text.parse::<IpNet>()
        .map(|net| net.trunc())
        .map_err(|_| format!("`{text}` is neither a network nor an address"))
}
