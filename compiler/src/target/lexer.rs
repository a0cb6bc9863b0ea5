//! The words of a target, with their places.

use super::Form;
use std::ops::Range;

/// A word, parenthesis or operator.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Token {
    pub kind: TokenKind,
    /// Byte range in the text.
    pub range: Range<usize>,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum TokenKind {
    Open,
    Close,
    And,
    Or,
    Not,
    /// A pattern, without its quotes; whether it had some.
    Word {
        text: String,
        quoted: bool,
    },
    /// A quote without its end.
    UnclosedQuote(char),
}

/// Splits a target into tokens. Spaces, and parentheses outside of quotes and of regular expressions, end a word.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let single = |kind| Token { kind, range: at..at + 1 };
        match c {
            c if c.is_whitespace() => at += c.len_utf8(),
            '(' => {
                tokens.push(single(TokenKind::Open));
                at += 1;
            }
            ')' => {
                tokens.push(single(TokenKind::Close));
                at += 1;
            }
            _ => {
                let token = word(text, at);
                at = token.range.end;
                tokens.push(token);
            }
        }
    }
    tokens
}

fn word(text: &str, start: usize) -> Token {
    let regex = {
        let mut chars = text[start..].chars();
        let letter = chars.next();
        chars.next() == Some('@') && letter.and_then(Form::of_letter).is_some_and(Form::is_regex)
    };
    let mut word = String::new();
    let mut quoted = false;
    // Open parentheses and a bracket of a regular expression.
    let (mut depth, mut class) = (0u32, false);
    let mut chars = text[start..].char_indices();
    let mut end = text.len();
    while let Some((offset, c)) = chars.next() {
        match c {
            '"' | '\'' => {
                quoted = true;
                if !quote(&mut chars, c, &mut word) {
                    return Token { kind: TokenKind::UnclosedQuote(c), range: start + offset..text.len() };
                }
            }
            c if c.is_whitespace() => {
                end = start + offset;
                break;
            }
            '\\' if regex => {
                word.push(c);
                // What is escaped is no parenthesis; a space would still end the word.
                match text[start + offset + 1..].chars().next() {
                    Some(next) if !next.is_whitespace() => {
                        chars.next();
                        word.push(next);
                    }
                    _ => {}
                }
            }
            '[' if regex => {
                class = true;
                word.push(c);
            }
            ']' if regex => {
                class = false;
                word.push(c);
            }
            '(' if regex && !class => {
                depth += 1;
                word.push(c);
            }
            ')' if regex && !class && depth > 0 => {
                depth -= 1;
                word.push(c);
            }
            '(' | ')' if !(regex && class) => {
                end = start + offset;
                break;
            }
            c => word.push(c),
        }
    }
    let kind = match word.to_ascii_lowercase().as_str() {
        "and" if !quoted => TokenKind::And,
        "or" if !quoted => TokenKind::Or,
        "not" if !quoted => TokenKind::Not,
        _ => TokenKind::Word { text: word, quoted },
    };
    Token { kind, range: start..end }
}

/// Takes the rest of a quoted part; false when it has no end. `\"` and `\\` are escapes, other backslashes stay.
fn quote(chars: &mut std::str::CharIndices<'_>, quote: char, word: &mut String) -> bool {
    while let Some((_, c)) = chars.next() {
        match c {
            c if c == quote => return true,
            '\\' => match chars.next() {
                Some((_, next)) if next == quote || next == '\\' => word.push(next),
                Some((_, next)) => word.extend(['\\', next]),
                None => return false,
            },
            c => word.push(c),
        }
    }
    false
}
