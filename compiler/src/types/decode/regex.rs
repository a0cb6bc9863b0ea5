//! Regular expressions: Python's dialect, checked by compiling them.

use super::{DecodeError, rules::MALFORMED_REGEX, word::Word};
use crate::types::{Type, Value};
use std::borrow::Cow;

/// A pattern of Python's dialect as the regex engine here writes it: `\Z` is the very end of the text, and `{` that
/// opens no repetition stands for itself.
pub fn python_regex(pattern: &str) -> Cow<'_, str> {
    if !pattern.contains("\\Z") && !pattern.contains('{') {
        return Cow::Borrowed(pattern);
    }
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let width = c.len_utf8();
        match c {
            '\\' => {
                let escaped = rest[width..].chars().next();
                match escaped {
                    Some('Z') if !in_class => out.push_str("\\z"),
                    Some(e) => {
                        out.push('\\');
                        out.push(e);
                    }
                    None => out.push('\\'),
                }
                rest = &rest[width + escaped.map_or(0, char::len_utf8)..];
                continue;
            }
            '[' if !in_class => in_class = true,
            ']' if in_class && !out.ends_with('[') && !out.ends_with("[^") => in_class = false,
            '{' if !in_class && !opens_repetition(&rest[width..]) => {
                out.push_str("\\{");
                rest = &rest[width..];
                continue;
            }
            _ => {}
        }
        out.push(c);
        rest = &rest[width..];
    }
    Cow::Owned(out)
}

/// `3}`, `3,}`, `,3}`, `3,5}`
fn opens_repetition(rest: &str) -> bool {
    rest.split_once('}').is_some_and(|(body, _)| {
        body.bytes().all(|b| b.is_ascii_digit() || b == b',')
            && body.bytes().filter(|b| *b == b',').count() <= 1
            && body.bytes().any(|b| b.is_ascii_digit())
    })
}

pub(super) fn regex(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    let pattern = python_regex(&word.text);
    let error = match fancy_regex::Regex::new(&pattern) {
        Ok(_) => return Ok(Value::Str(word.text.to_string())),
        Err(error) => error,
    };
    let (message, at) = match error {
        fancy_regex::Error::ParseError(at, problem) => (problem.to_string(), Some(at)),
        // The engine prints the pattern with a marker; its last line says what is wrong.
        other => {
            let text = other.to_string();
            let line = text.lines().last().unwrap_or_default().trim();
            (line.strip_prefix("error: ").unwrap_or(line).to_owned(), None)
        }
    };
    let mut message = message;
    if let Some(first) = message.get(..1) {
        message = first.to_lowercase() + &message[1..];
    }
    let span = match at {
        // A rewritten pattern has other offsets.
        Some(at)
            if matches!(pattern, Cow::Borrowed(_))
                && at < word.text.len()
                && word.text.is_char_boundary(at) =>
        {
            word.part(at, word.text.len())
        }
        _ => word.span,
    };
    Err(DecodeError::new(
        &MALFORMED_REGEX,
        ty,
        span,
        format!("expected a regular expression, found {}: {message}", word.found()),
    )
    .help("put `\\` before a character such as `(`, `[`, `*` or `?` that stands for itself"))
}
