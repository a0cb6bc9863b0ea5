//! What a plain scalar means where no signature says: Salt's loader, without its sexagesimal numbers.

use super::Value;

/// Resolves an unquoted scalar. `yes/no/on/off` are booleans, leading zeros of integers are stripped, dates stay
/// text, and so does `22:22`, which YAML 1.1 would read in base 60.
pub fn resolve_plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    integer(text).or_else(|| float(text)).unwrap_or_else(|| Value::Str(text.to_owned()))
}

fn integer(text: &str) -> Option<Value> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let first = *digits.as_bytes().first()?;
    if !first.is_ascii_digit()
        || !digits.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_' || b == b'x' || b == b'o')
    {
        return None;
    }
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    let magnitude = if let Some(hex) = plain.strip_prefix("0x") {
        i64::from_str_radix(hex, 16).ok()?
    } else if let Some(binary) = plain.strip_prefix("0b") {
        i64::from_str_radix(binary, 2).ok()?
    } else if plain.bytes().all(|b| b.is_ascii_digit()) {
        // Salt reads `0644` as 644, so that modes survive; so do we.
        plain.parse().ok()?
    } else {
        return None;
    };
    Some(Value::Int(sign * magnitude))
}

fn float(text: &str) -> Option<Value> {
    // YAML 1.1 wants a dot; `1e3` is text there, and version-like words must not become numbers.
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let starts = unsigned.starts_with(|c: char| c.is_ascii_digit())
        || unsigned.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let allowed =
        unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-' | b'_'));
    if !starts || !allowed || !unsigned.contains('.') || unsigned.matches('.').count() > 1 {
        return None;
    }
    text.replace('_', "").parse().ok().map(Value::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_salt_reads() {
        assert_eq!(resolve_plain("0644"), Value::Int(644));
        assert_eq!(resolve_plain("yes"), Value::Bool(true));
        assert_eq!(resolve_plain("1.10"), Value::Float(1.1));
        assert_eq!(resolve_plain("22:22"), Value::from("22:22"));
        assert_eq!(resolve_plain("2024-01-01"), Value::from("2024-01-01"));
        assert_eq!(resolve_plain("1.2.3"), Value::from("1.2.3"));
        assert_eq!(resolve_plain("0x1f"), Value::Int(31));
        assert_eq!(resolve_plain("-5"), Value::Int(-5));
        assert_eq!(resolve_plain("9f"), Value::from("9f"));
        assert_eq!(resolve_plain("~"), Value::Null);
    }
}
