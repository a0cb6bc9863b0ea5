//! Filters of text: cases, regular expressions, hashes, encodings, dates.

use super::{failure, flag};
use crate::template::{environment::plain_text, mutable, python, regex};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone, Utc};
use minijinja::{
    Environment, Error, Value,
    value::{Kwargs, Rest, ValueKind},
};
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

fn groups(found: Option<fancy_regex::Captures<'_>>) -> Value {
    match found {
        None => Value::from(()),
        Some(captures) => {
            let groups = (1..captures.len())
                .map(|n| captures.get(n).map_or_else(|| Value::from(()), |m| Value::from(m.as_str())))
                .collect::<Vec<_>>();
            Value::from(minijinja::value::Tuple::from(groups))
        }
    }
}

fn engine(error: fancy_regex::Error) -> Error {
    failure(format!("the regular expression gave up: {error}"))
}

pub(super) fn register(env: &mut Environment<'static>) {
    env.add_filter("string", |v: &Value| plain_text(v));
    env.add_filter("lower", |v: &Value| python::text(v).to_lowercase());
    env.add_filter("upper", |v: &Value| python::text(v).to_uppercase());
    env.add_filter("capitalize", |v: &Value| {
        let text = plain_text(v);
        let mut chars = text.chars();
        chars
            .next()
            .map_or(String::new(), |c| c.to_uppercase().collect::<String>() + &chars.as_str().to_lowercase())
    });
    env.add_filter("trim", |v: &Value, chars: Option<String>| {
        let text = python::text(v);
        match chars {
            Some(chars) => text.trim_matches(|c| chars.contains(c)).to_owned(),
            None => text.trim().to_owned(),
        }
    });
    env.add_filter("strip", |v: &Value| python::text(v).trim().to_owned());
    env.add_filter("replace", |v: &Value, old: &Value, new: &Value, count: Option<usize>| {
        let (text, old, new) = (python::text(v), python::text(old), python::text(new));
        match count {
            Some(count) => text.replacen(&old, &new, count),
            None => text.replace(&old, &new),
        }
    });
    env.add_filter(
        "indent",
        |v: &Value,
         width: Option<Value>,
         first: Option<Value>,
         blank: Option<Value>,
         named: Kwargs|
         -> Result<String, Error> {
            let width = width.or(named.get("width")?);
            let first = flag(first.or(named.get("first")?).or(named.get("indentfirst")?), false);
            let blank = flag(blank.or(named.get("blank")?), false);
            named.assert_all_used()?;
            let pad = match width {
                None => " ".repeat(4),
                Some(w) if w.kind() == ValueKind::String => plain_text(&w),
                Some(w) => " ".repeat(w.as_i64().unwrap_or(4).clamp(0, 1000) as usize),
            };
            let text = python::text(v);
            let mut out = String::with_capacity(text.len() + 64);
            for (index, line) in text.split('\n').enumerate() {
                if index > 0 {
                    out.push('\n');
                }
                if (index > 0 || first) && (blank || index == 0 || !line.is_empty()) {
                    out.push_str(&pad);
                }
                out.push_str(line);
            }
            Ok(out)
        },
    );
    env.add_filter("format", |v: &Value, args: Rest<Value>| {
        let args = Value::from(minijinja::value::Tuple::from(args.0));
        python::percent(&plain_text(v), &args)
    });
    env.add_filter(
        "truncate",
        |v: &Value, length: Option<usize>, kill: Option<bool>, end: Option<String>| {
            let text = plain_text(v);
            let (length, end) = (length.unwrap_or(255), end.unwrap_or_else(|| "...".to_owned()));
            if text.chars().count() <= length {
                return text;
            }
            let cut: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
            if kill == Some(true) {
                cut + &end
            } else {
                cut.rsplit_once(' ').map_or(cut.as_str(), |c| c.0).to_owned() + &end
            }
        },
    );
    env.add_filter("center", |v: &Value, width: Option<usize>| {
        format!("{:^1$}", plain_text(v), width.unwrap_or(80).min(1000))
    });
    env.add_filter("wordcount", |v: &Value| plain_text(v).split_whitespace().count());
    env.add_filter("striptags", |v: &Value| {
        let mut inside = false;
        plain_text(v)
            .chars()
            .filter(|c| {
                let keep = !inside && *c != '<';
                inside = (inside || *c == '<') && *c != '>';
                keep
            })
            .collect::<String>()
    });
    env.add_filter("to_snake_case", |v: &Value| {
        let mut out = String::new();
        for c in plain_text(v).chars() {
            if c.is_uppercase() && !out.is_empty() {
                out.push('_');
            }
            out.extend(c.to_lowercase());
        }
        out
    });
    env.add_filter("to_camelcase", |v: &Value| {
        let text = plain_text(v);
        let mut words = text.split('_');
        let mut out = words.next().unwrap_or("").to_owned();
        for word in words {
            let mut chars = word.chars();
            out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
            out.push_str(chars.as_str());
        }
        out
    });
    env.add_filter("contains_whitespace", |v: &Value| plain_text(v).contains(char::is_whitespace));
    env.add_filter("quote", |v: &Value| {
        let text = plain_text(v);
        let safe =
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c));
        if safe { text } else { format!("'{}'", text.replace('\'', "'\"'\"'")) }
    });
    env.add_filter("regex_escape", |v: &Value| fancy_regex::escape(&plain_text(v)).into_owned());
    env.add_filter("regex_match", |v: &Value, pattern: &str, i: Option<bool>, m: Option<bool>| {
        let regex = regex::compile(
            &format!("\\A(?:{pattern})"),
            flag(i.map(Value::from), false),
            flag(m.map(Value::from), false),
        )?;
        regex.captures(&plain_text(v)).map(groups).map_err(engine)
    });
    env.add_filter("regex_search", |v: &Value, pattern: &str, i: Option<bool>, m: Option<bool>| {
        let regex = regex::compile(pattern, i.unwrap_or(false), m.unwrap_or(false))?;
        regex.captures(&plain_text(v)).map(groups).map_err(engine)
    });
    env.add_filter(
        "regex_replace",
        |v: &Value, pattern: &str, new: &str, i: Option<bool>, m: Option<bool>| -> Result<String, Error> {
            let regex = regex::compile(pattern, i.unwrap_or(false), m.unwrap_or(false))?;
            let text = plain_text(v);
            let replaced = regex.try_replacen(&text, 0, regex::replacement(new).as_str()).map_err(engine)?;
            Ok(replaced.into_owned())
        },
    );
    env.add_test("match", |v: &Value, pattern: &str, i: Option<bool>, m: Option<bool>| {
        let regex = regex::compile(&format!("\\A(?:{pattern})"), i.unwrap_or(false), m.unwrap_or(false))?;
        regex.is_match(&plain_text(v)).map_err(engine)
    });
    env.add_filter("md5", |v: &Value| hex(&md5::Md5::digest(plain_text(v))));
    env.add_filter("sha1", |v: &Value| hex(&Sha1::digest(plain_text(v))));
    env.add_filter("sha256", |v: &Value| hex(&Sha256::digest(plain_text(v))));
    env.add_filter("sha512", |v: &Value| hex(&Sha512::digest(plain_text(v))));
    for name in ["base64_encode", "b64encode"] {
        env.add_filter(name, |v: &Value| STANDARD.encode(plain_text(v)));
    }
    for name in ["base64_decode", "b64decode"] {
        env.add_filter(name, |v: &Value| -> Result<String, Error> {
            let bytes = STANDARD
                .decode(plain_text(v).trim())
                .map_err(|e| failure(format!("this is not base64: {e}")))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        });
    }
    // Salt's `uuid` is the version 5 one in a name space of its own; same text, same id.
    env.add_filter("uuid", |v: &Value| {
        const NAMESPACE: [u8; 16] =
            [0x91, 0x63, 0x30, 0xb0, 0x4c, 0xbe, 0x5c, 0x43, 0xb0, 0x52, 0x5d, 0x74, 0x5a, 0x4f, 0x8f, 0x84];
        let mut hash = Sha1::new();
        hash.update(NAMESPACE);
        hash.update(plain_text(v));
        let mut bytes = hash.finalize();
        bytes[6] = bytes[6] & 0x0f | 0x50;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let text = hex(&bytes[..16]);
        format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
    });
    env.add_filter("to_bool", |v: &Value| match v.kind() {
        ValueKind::String => matches!(plain_text(v).to_lowercase().as_str(), "yes" | "1" | "true"),
        _ => v.is_true(),
    });
    for name in ["strftime", "date_format"] {
        env.add_filter(name, |v: &Value, format: Option<String>| -> Result<String, Error> {
            let format = format.unwrap_or_else(|| "%Y-%m-%d".to_owned());
            let date = date(v).ok_or_else(|| failure(format!("`{}` is no date", plain_text(v))))?;
            let mut out = String::new();
            use std::fmt::Write as _;
            write!(out, "{}", date.format(&format))
                .map_err(|_| failure(format!("`{format}` is no date format")))?;
            Ok(out)
        });
    }
    env.add_filter(
        "int",
        |v: &Value, default: Option<Value>, base: Option<u32>, named: Kwargs| -> Result<Value, Error> {
            let default = default.or(named.get("default")?).unwrap_or_else(|| Value::from(0));
            let base: u32 = base.or(named.get("base")?).unwrap_or(10);
            named.assert_all_used()?;
            if !(2..=36).contains(&base) {
                return Err(failure("`int` takes a base from 2 to 36"));
            }
            let text = plain_text(v).trim().replace('_', "");
            let number = match v.kind() {
                ValueKind::Bool => Some(i64::from(v.is_true())),
                ValueKind::Number => v
                    .as_i64()
                    .filter(|_| v.is_integer())
                    .or_else(|| f64::try_from(v.clone()).ok().map(|x| x as i64)),
                _ => i64::from_str_radix(text.trim_start_matches("0x").trim_start_matches("0o"), base)
                    .ok()
                    .or_else(|| text.parse::<f64>().ok().filter(|_| base == 10).map(|x| x as i64)),
            };
            Ok(number.map_or(default, Value::from))
        },
    );
    env.add_filter("float", |v: &Value, default: Option<Value>| {
        let number = f64::try_from(v.clone()).ok().or_else(|| plain_text(v).trim().parse().ok());
        number.map_or_else(|| default.unwrap_or_else(|| Value::from(0.0)), Value::from)
    });
    for name in ["to_num", "str_to_num"] {
        env.add_filter(name, |v: &Value| {
            let text = plain_text(v);
            let text = text.trim();
            text.parse::<i64>()
                .map(Value::from)
                .or_else(|_| text.parse::<f64>().map(Value::from))
                .unwrap_or_else(|_| Value::from(text))
        });
    }
    env.add_filter("is_hex", |v: &Value| {
        let text = plain_text(v);
        i128::from_str_radix(text.trim_start_matches("0x"), 16).is_ok()
    });
    env.add_filter("human_to_bytes", |v: &Value| -> Result<i64, Error> {
        let text = plain_text(v);
        let digits: String = text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let unit = text[digits.len()..].trim().to_uppercase();
        let decimal = unit.ends_with('B') && unit.len() == 2 && !unit.contains('I');
        let step: f64 = if decimal { 1000.0 } else { 1024.0 };
        let power = "KMGTP".find(unit.chars().next().unwrap_or('B')).map_or(0, |n| n as i32 + 1);
        let number: f64 = digits.parse().map_err(|_| failure(format!("`{text}` is no size")))?;
        Ok((number * step.powi(power)) as i64)
    });
    env.add_filter("dirname", |v: &Value| {
        plain_text(v)
            .rsplit_once('/')
            .map_or(String::new(), |p| if p.0.is_empty() { "/".into() } else { p.0.to_owned() })
    });
    env.add_filter("basename", |v: &Value| plain_text(v).rsplit('/').next().unwrap_or("").to_owned());
    env.add_filter("path_join", |v: &Value, more: Rest<Value>| {
        let mut path = plain_text(v);
        for part in more.iter().map(plain_text) {
            let part = part.trim_start_matches('/');
            path = format!("{}/{part}", path.trim_end_matches('/'));
        }
        path
    });
    env.add_filter("lines", |v: &Value| mutable::list(plain_text(v).lines().map(Value::from).collect()));
    env.add_filter("split", |v: &Value, separator: Option<String>, count: Option<usize>| {
        let text = plain_text(v);
        let parts: Vec<Value> = match (separator, count) {
            (None, _) => text.split_whitespace().map(Value::from).collect(),
            (Some(s), Some(n)) => text.splitn(n + 1, s.as_str()).map(Value::from).collect(),
            (Some(s), None) => text.split(s.as_str()).map(Value::from).collect(),
        };
        mutable::list(parts)
    });
}

fn date(value: &Value) -> Option<DateTime<Utc>> {
    if let Ok(seconds) = f64::try_from(value.clone())
        && value.kind() == ValueKind::Number
    {
        return Utc.timestamp_opt(seconds as i64, 0).single();
    }
    let text = plain_text(value);
    if let Ok(seconds) = text.parse::<i64>() {
        return Utc.timestamp_opt(seconds, 0).single();
    }
    let formats = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"];
    DateTime::parse_from_rfc3339(&text).map(|d| d.to_utc()).ok().or_else(|| {
        formats
            .iter()
            .find_map(|f| NaiveDateTime::parse_from_str(&text, f).ok())
            .or_else(|| NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
            .map(|d| d.and_utc())
    })
}
