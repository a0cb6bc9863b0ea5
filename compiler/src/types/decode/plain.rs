//! Values where no type is asked for: what Salt's loader makes of them, with a hint where that may surprise.

use super::{rules::AMBIGUOUS_VALUE, word::Word};
use crate::{
    diagnostic::{Applicability, Diagnostic},
    types::{Value, resolve_plain},
};

pub(super) fn any(word: &Word<'_>, hints: &mut Vec<Diagnostic>) -> Value {
    if let Some(value) = word.value {
        return value.clone();
    }
    if !word.plain {
        return Value::Str(word.text.to_string());
    }
    let value = resolve_plain(&word.text);
    if let Some(message) = ambiguity(&word.text, &value) {
        hints.push(
            Diagnostic::new(&AMBIGUOUS_VALUE, word.span, message).help("quotes make it text everywhere").fix(
                "put it in quotes",
                Applicability::Unsafe,
                word.span,
                format!("\"{}\"", word.text),
            ),
        );
    }
    value
}

/// What a reader may take the text for, where that is not what it is.
fn ambiguity(text: &str, value: &Value) -> Option<String> {
    match value {
        Value::Str(_) if is_sexagesimal(text) => {
            Some(format!("`{text}` is text here, and a number in base 60 for other readers of YAML"))
        }
        Value::Int(i)
            if text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()) =>
        {
            Some(format!("`{text}` is the number {i}: its leading zeros are lost"))
        }
        Value::Float(x) if text.ends_with('0') && text.contains('.') && !text.ends_with(".0") => {
            Some(format!("`{text}` is the number {x}: its last zero is lost"))
        }
        _ => None,
    }
}

fn is_sexagesimal(text: &str) -> bool {
    let mut parts = text.trim_start_matches(['-', '+']).split(':');
    let first = parts.next().unwrap_or_default();
    let mut count = 0;
    let rest = parts.all(|p| {
        count += 1;
        (1..=2).contains(&p.len())
            && p.bytes().all(|b| b.is_ascii_digit())
            && p.parse::<u8>().is_ok_and(|n| n < 60)
    });
    count > 0 && rest && !first.is_empty() && first.bytes().all(|b| b.is_ascii_digit())
}
