//! Booleans, numbers, durations, sizes and modes.

use super::{DecodeError, MALFORMED_VALUE, OUT_OF_RANGE, name_of, rules::AMBIGUOUS_MODE, word::Word};
use crate::{
    diagnostic::{Applicability, Diagnostic},
    types::{Type, Value, resolve_plain},
};

pub(super) fn boolean(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    let lower = word.text.trim().to_ascii_lowercase();
    match lower.as_str() {
        "true" | "yes" | "on" | "1" => Ok(Value::Bool(true)),
        "false" | "no" | "off" | "0" => Ok(Value::Bool(false)),
        _ => Err(DecodeError::wrong(ty, &word.found(), word.span).help("write `true` or `false`")),
    }
}

fn number_of(word: &Word<'_>) -> Option<Value> {
    if let Some(value @ (Value::Int(_) | Value::Float(_))) = word.value {
        return Some(value.clone());
    }
    match resolve_plain(word.text.trim()) {
        value @ (Value::Int(_) | Value::Float(_)) => Some(value),
        _ => None,
    }
}

pub(super) fn integer(ty: &Type, word: &Word<'_>, min: i64, max: i64) -> Result<Value, DecodeError> {
    let int = match number_of(word) {
        Some(Value::Int(i)) => i,
        // A division in a template gives 5.0 where 5 is meant.
        Some(Value::Float(x)) if x.fract() == 0.0 && x.abs() < 9e15 && !word.written() => x as i64,
        _ => return Err(DecodeError::wrong(ty, &word.found(), word.span)),
    };
    if int < min || int > max {
        let message = format!("expected {}, found `{int}`", name_of(ty));
        return Err(DecodeError::new(&OUT_OF_RANGE, ty, word.span, message));
    }
    Ok(Value::Int(int))
}

pub(super) fn float(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    match number_of(word) {
        Some(Value::Int(i)) => Ok(Value::Float(i as f64)),
        Some(Value::Float(x)) if x.is_finite() => Ok(Value::Float(x)),
        _ => Err(DecodeError::wrong(ty, &word.found(), word.span)),
    }
}

/// Splits `10s`, `1h30m`, `2.5M` into numbers with their units.
fn amounts(text: &str) -> Option<Vec<(f64, &str)>> {
    let mut rest = text.trim();
    let mut amounts = Vec::new();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?.trim_start();
        let unit = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        amounts.push((number, rest.get(..unit)?));
        rest = rest.get(unit..)?.trim_start();
    }
    (!amounts.is_empty()).then_some(amounts)
}

pub(super) fn duration(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    let error = || {
        let message = format!("expected a duration, found {}", word.found());
        DecodeError::new(&MALFORMED_VALUE, ty, word.span, message)
            .help("write a number of seconds, or `500ms`, `10s`, `5m`, `2h`, `1d`, `1h30m`")
    };
    let amounts = amounts(&word.text).ok_or_else(error)?;
    let several = amounts.len() > 1;
    let mut seconds = 0.0;
    for (number, unit) in amounts {
        let factor = match unit {
            "" if several => return Err(error()),
            "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "ms" => 0.001,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86400.0,
            "w" | "week" | "weeks" => 604_800.0,
            _ => return Err(error()),
        };
        seconds += number * factor;
    }
    Ok(Value::Float(seconds))
}

pub(super) fn size(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    let error = || {
        let message = format!("expected a size, found {}", word.found());
        DecodeError::new(&MALFORMED_VALUE, ty, word.span, message)
            .help("write a number of bytes, or `512K`, `10M`, `1G`, `2T`")
    };
    let amounts = amounts(&word.text).ok_or_else(error)?;
    let [(number, unit)] = amounts.as_slice() else { return Err(error()) };
    let power = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return Err(error()),
    };
    let bytes = number * 1024f64.powi(power);
    if bytes.fract() != 0.0 || bytes > 9e15 {
        return Err(error());
    }
    Ok(Value::Int(bytes as i64))
}

pub(super) fn mode(ty: &Type, word: &Word<'_>, hints: &mut Vec<Diagnostic>) -> Result<Value, DecodeError> {
    let text = word.text.trim();
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let error = || {
        let message = format!("expected a mode of octal digits, found {}", word.found());
        DecodeError::new(&MALFORMED_VALUE, ty, word.span, message)
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        let error = error();
        return Err(if text == "keep" {
            error.help("there is no source here whose mode could be kept; write the digits, such as \"0644\"")
        } else if text.contains(['=', '+', 'r', 'w']) {
            error.help("symbolic modes are not accepted; write the digits, such as \"0644\"")
        } else {
            error.help("write four octal digits in quotes, such as \"0644\"")
        });
    }
    if let Some(index) = digits.bytes().position(|b| b > b'7') {
        let offset = word.text.len() - word.text.trim_start().len() + (text.len() - digits.len()) + index;
        let mut error = error();
        error.span = word.part(offset, offset + 1);
        return Err(error.help("octal digits are 0 to 7"));
    }
    let bits = u32::from_str_radix(digits, 8).ok().filter(|bits| *bits <= 0o7777).ok_or_else(|| {
        let message = format!("expected a mode of at most `7777`, found {}", word.found());
        DecodeError::new(&OUT_OF_RANGE, ty, word.span, message)
    })?;
    let canonical = format!("{bits:04o}");
    if word.plain && word.written() && !text.starts_with('0') && word.verbatim.is_some() {
        let quoted = format!("\"{canonical}\"");
        hints.push(
            Diagnostic::new(
                &AMBIGUOUS_MODE,
                word.span,
                format!("The mode `{text}` is a decimal number for other readers of YAML"),
            )
            .help(format!("write {quoted}"))
            .fix(format!("write {quoted}"), Applicability::Safe, word.span, quoted),
        );
    }
    Ok(Value::Str(canonical))
}
