//! Words of template expressions, with their places.

use std::ops::Range;

/// A token of an expression.
#[derive(Clone, PartialEq, Debug)]
pub enum TokenKind {
    /// A name or keyword.
    Name(String),
    /// An integer.
    Int(i64),
    /// A number with a fraction or exponent.
    Float(f64),
    /// Text, unescaped; `closed` tells whether its quote ends.
    Str {
        /// The text.
        text: String,
        /// Whether the closing quote is there.
        closed: bool,
    },
    /// An operator or bracket.
    Op(&'static str),
    /// A byte sequence that is none of these.
    Unknown(char),
}

/// A token and its byte range in the file.
#[derive(Clone, PartialEq, Debug)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands.
    pub range: Range<usize>,
}

const OPERATORS: [&str; 26] = [
    "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "|", ".", ",", ":", "(",
    ")", "[", "]", "{", "}", ";",
];

/// Cuts the bytes `range` of `text` into tokens.
pub fn tokens(text: &str, range: Range<usize>) -> Vec<Token> {
    let mut found = Vec::new();
    let mut at = range.start;
    while let Some(c) = text[at..range.end].chars().next() {
        let start = at;
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let rest = &text[at..range.end];
        let kind = if c.is_alphabetic() || c == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            at += end;
            TokenKind::Name(rest[..end].to_owned())
        } else if c.is_ascii_digit() {
            let (kind, length) = number(rest);
            at += length;
            kind
        } else if c == '\'' || c == '"' {
            let (kind, length) = string(rest, c);
            at += length;
            kind
        } else if let Some(op) = OPERATORS.iter().find(|op| rest.starts_with(**op)) {
            at += op.len();
            TokenKind::Op(op)
        } else {
            at += c.len_utf8();
            TokenKind::Unknown(c)
        };
        found.push(Token { kind, range: start..at });
    }
    found
}

fn number(rest: &str) -> (TokenKind, usize) {
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        let Some(digits) = rest.get(..2).filter(|p| p.eq_ignore_ascii_case(prefix)).and(rest.get(2..)) else {
            continue;
        };
        let length = digits.bytes().take_while(|b| char::from(*b).is_digit(radix) || *b == b'_').count();
        if let Ok(int) = i64::from_str_radix(&digits[..length].replace('_', ""), radix) {
            return (TokenKind::Int(int), length + 2);
        }
    }
    let digits =
        |from: usize| rest[from..].bytes().take_while(|b| b.is_ascii_digit() || *b == b'_').count() + from;
    let mut end = digits(0);
    let bytes = rest.as_bytes();
    let mut float = false;
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end = digits(end + 1);
        float = true;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            end = digits(end + 1 + sign);
            float = true;
        }
    }
    let plain = rest[..end].replace('_', "");
    let kind = match plain.parse() {
        Ok(int) if !float => TokenKind::Int(int),
        _ => TokenKind::Float(plain.parse().unwrap_or(f64::NAN)),
    };
    (kind, end)
}

fn string(rest: &str, quote: char) -> (TokenKind, usize) {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return (TokenKind::Str { text, closed: true }, at + 1);
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some((_, 'n')) => text.push('\n'),
            Some((_, 't')) => text.push('\t'),
            Some((_, 'r')) => text.push('\r'),
            Some((_, '0')) => text.push('\0'),
            Some((_, escaped @ ('\\' | '\'' | '"'))) => text.push(escaped),
            // Python keeps a backslash that escapes nothing: regular expressions rely on it.
            Some((_, other)) => {
                text.push('\\');
                text.push(other);
            }
            None => {}
        }
    }
    (TokenKind::Str { text, closed: false }, rest.len())
}
