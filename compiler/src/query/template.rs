//! Calls in templates, read off the words before a place: what is typed there is rarely whole.

use crate::{
    syntax::{
        segment::{Segment, SegmentKind, segments},
        token::{Token, TokenKind, tokens},
    },
    types::FunctionName,
};

/// A call that a place lies in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExecCall {
    /// `salt['module.function'](…)`; `None` for a macro or other function.
    pub function: Option<FunctionName>,
    /// A macro's or other function's name, with the module it is behind: `m.macro`.
    pub name: Option<String>,
    /// How many arguments stand before the place.
    pub position: usize,
    /// The named argument that the place lies in.
    pub argument: Option<String>,
}

/// The tag that a place lies in; places at its delimiters are outside.
pub(super) fn tag_at(text: &str, offset: usize) -> Option<Segment> {
    segments(text).into_iter().find(|s| {
        matches!(s.kind, SegmentKind::Expression | SegmentKind::Statement | SegmentKind::Comment)
            && s.inner.start <= offset
            && offset <= s.inner.end
    })
}

/// The innermost call that a place of a file lies in.
pub fn exec_call_at(text: &str, offset: usize) -> Option<ExecCall> {
    let tag = tag_at(text, offset).filter(|t| t.kind != SegmentKind::Comment)?;
    call_before(&tokens(text, tag.inner.start..offset))
}

/// The innermost call that is open at the end of some tokens.
pub(super) fn call_before(words: &[Token]) -> Option<ExecCall> {
    let open = open_bracket(words)?;
    if words.get(open)?.kind != TokenKind::Op("(") {
        return None;
    }
    let inside = words.get(open + 1..)?;
    let mut position = 0;
    let mut depth = 0_usize;
    let mut last_start = 0;
    for (at, token) in inside.iter().enumerate() {
        match &token.kind {
            TokenKind::Op("(" | "[" | "{") => depth += 1,
            TokenKind::Op(")" | "]" | "}") => depth = depth.saturating_sub(1),
            TokenKind::Op(",") if depth == 0 => {
                position += 1;
                last_start = at + 1;
            }
            _ => {}
        }
    }
    let argument = match inside.get(last_start..) {
        Some([Token { kind: TokenKind::Name(name), .. }, Token { kind: TokenKind::Op("="), .. }, ..]) => {
            Some(name.clone())
        }
        _ => None,
    };
    let before = words.get(..open)?;
    let function = exec_before(before);
    let name = if function.is_some() { None } else { dotted_before(before) };
    (function.is_some() || name.is_some()).then_some(ExecCall { function, name, position, argument })
}

/// The index of the innermost bracket that is open at the end.
pub(super) fn open_bracket(words: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in words.iter().enumerate().rev() {
        match &token.kind {
            TokenKind::Op(")" | "]" | "}") => depth += 1,
            TokenKind::Op("(" | "[" | "{") => {
                if depth == 0 {
                    return Some(at);
                }
                depth -= 1;
            }
            _ => {}
        }
    }
    None
}

/// `salt['a.b']` or `salt.a.b` at the end of some tokens.
fn exec_before(words: &[Token]) -> Option<FunctionName> {
    let is_accessor = |t: &Token| matches!(&t.kind, TokenKind::Name(n) if n == "salt" || n == "zester");
    match words {
        [.., salt, open, name, close]
            if is_accessor(salt) && open.kind == TokenKind::Op("[") && close.kind == TokenKind::Op("]") =>
        {
            match &name.kind {
                TokenKind::Str { text, .. } => FunctionName::parse(text),
                _ => None,
            }
        }
        [.., salt, dot, module, point, function]
            if is_accessor(salt) && dot.kind == TokenKind::Op(".") && point.kind == TokenKind::Op(".") =>
        {
            match (&module.kind, &function.kind) {
                (TokenKind::Name(module), TokenKind::Name(function)) => {
                    Some(FunctionName { module: module.into(), function: function.into() })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// `a.b` at the end of some tokens.
fn dotted_before(words: &[Token]) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    let mut rest = words;
    while let [before @ .., Token { kind: TokenKind::Name(name), .. }] = rest {
        names.push(name);
        match before {
            [more @ .., Token { kind: TokenKind::Op("."), .. }] => rest = more,
            _ => break,
        }
    }
    names.reverse();
    (!names.is_empty()).then(|| names.join("."))
}
