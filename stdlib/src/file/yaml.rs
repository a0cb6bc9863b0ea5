//! Data as YAML that readers of YAML 1.1 and 1.2 understand alike.
//!
//! Crates write for YAML 1.2, where `yes` and `0644` are what they look like; the programs that read configuration
//! files are, more often than not, of the older kind. So a text is quoted as soon as either would take it for
//! something else.

use zester_compiler::types::{Map, Value, resolve_plain};

/// Deepest nesting that is written; deeper data is cut off rather than the stack.
const MAX_DEPTH: usize = 100;

/// Block style; ends with a newline.
pub(super) fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Map(map) if !map.is_empty() => write_map(&mut out, map, 0, 0),
        Value::List(list) if !list.is_empty() => write_list(&mut out, list, 0, 0),
        scalar => {
            write_scalar(&mut out, scalar, 0);
            out.push('\n');
        }
    }
    out
}

fn indent(out: &mut String, columns: usize) {
    out.extend(std::iter::repeat_n(' ', columns));
}

fn write_map(out: &mut String, map: &Map, column: usize, depth: usize) {
    for (index, (key, value)) in map.iter().enumerate() {
        // The first key of a map in a list stands behind its dash.
        if index > 0 || column == 0 || out.ends_with('\n') {
            indent(out, column);
        }
        write_text(out, key, column, true);
        out.push(':');
        match value {
            _ if depth >= MAX_DEPTH => out.push_str(" null\n"),
            Value::Map(inner) if !inner.is_empty() => {
                out.push('\n');
                write_map(out, inner, column + 2, depth + 1);
            }
            Value::List(list) if !list.is_empty() => {
                out.push('\n');
                write_list(out, list, column, depth + 1);
            }
            scalar => {
                out.push(' ');
                write_scalar(out, scalar, column + 2);
                out.push('\n');
            }
        }
    }
}

fn write_list(out: &mut String, list: &[Value], column: usize, depth: usize) {
    for item in list {
        indent(out, column);
        out.push_str("- ");
        match item {
            _ if depth >= MAX_DEPTH => out.push_str("null\n"),
            Value::Map(map) if !map.is_empty() => write_map(out, map, column + 2, depth + 1),
            Value::List(inner) if !inner.is_empty() => {
                out.pop();
                out.push('\n');
                write_list(out, inner, column + 2, depth + 1);
            }
            scalar => {
                write_scalar(out, scalar, column + 2);
                out.push('\n');
            }
        }
    }
}

fn write_scalar(out: &mut String, value: &Value, column: usize) {
    match value {
        Value::Str(text) => write_text(out, text, column, false),
        Value::Map(_) => out.push_str("{}"),
        Value::List(_) => out.push_str("[]"),
        Value::Float(x) if x.is_nan() => out.push_str(".nan"),
        Value::Float(x) if x.is_infinite() => out.push_str(if *x > 0.0 { ".inf" } else { "-.inf" }),
        other => out.push_str(&other.to_string()),
    }
}

fn write_text(out: &mut String, text: &str, column: usize, key: bool) {
    if !key && text.contains('\n') && is_block(text) {
        out.push_str(match text.ends_with('\n') {
            true if text.ends_with("\n\n") => "|+",
            true => "|",
            false => "|-",
        });
        for line in text.lines() {
            out.push('\n');
            if !line.is_empty() {
                indent(out, column.max(2));
                out.push_str(line);
            }
        }
        return;
    }
    // A map's keys are text to us, whatever they were; whole numbers are most likely numbers.
    let number = key && text.parse::<i64>().is_ok_and(|n| n.to_string() == text);
    if number || is_plain(text) {
        out.push_str(text);
    } else if text.chars().all(|c| !c.is_control()) {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        // JSON's escapes are YAML's.
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}

/// Whether a text can stand as a literal block.
fn is_block(text: &str) -> bool {
    !text.starts_with([' ', '\n', '\t']) && text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control())
}

/// Whether a text means itself without quotes.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let starts_well = !first.is_whitespace()
        && (!"-?:,[]{}#&*!|>'\"%@`=<".contains(first)
            || ("-?:".contains(first)
                && text.chars().nth(1).is_some_and(|c| !c.is_whitespace())
                && !text.starts_with("---")));
    let plain_inside = !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && !text.ends_with(char::is_whitespace)
        && text.chars().all(|c| !c.is_control());
    // `22:22` is a number in base 60 to some; dates and numbers with a leading zero are whatever a reader likes.
    let looks_like_number = text.chars().any(|c| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_hexdigit() || "+-.:_xoTZ ".contains(c));
    starts_well && plain_inside && !looks_like_number && resolve_plain(text) == Value::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zester_compiler::syntax::load_yaml;

    #[test]
    fn what_older_readers_would_mistake_is_quoted() {
        for text in [
            "yes",
            "No",
            "on",
            "~",
            "null",
            "0644",
            "1.10",
            "22:22",
            "2024-01-01",
            "1e3",
            "",
            " x",
            "a: b",
            "- x",
            "#x",
            "*a",
            "é: ",
        ] {
            assert!(!is_plain(text), "{text}");
        }
        for text in ["a", "a:b", "-x", "http://x/y", "a#b", "10.0.0.1/24x", "ä ö"] {
            assert!(is_plain(text), "{text}");
        }
    }

    #[test]
    fn everything_comes_back_as_it_was() {
        let json = r#"{"a": [1, "1", [true, "true"], {"x": null, "y": {}}, [[]]], "text": "one\ntwo\n", "more": "a\n\nb",
            "quoted": "it's: \"x\"", "yes": "on", "tab": "a\tb\u0007", "keep": "a\n\n", "n": -2.5, "lead": "  x\ny"}"#;
        let value: Value = serde_json::from_str(json).unwrap();
        let text = write(&value);
        assert_eq!(load_yaml(&text).unwrap(), value, "{text}");
    }
}
