//! Values as Python shows and reads them, and the way between minijinja's values and ours.

use super::{budget, mutable};
use crate::types::{Map, Value as Data};
use minijinja::{Error, ErrorKind, Value, value::ValueKind};

/// Deepest nesting that is printed or converted.
const MAX_DEPTH: usize = 64;

/// `str(value)`.
pub fn text(value: &Value) -> String {
    match value.kind() {
        ValueKind::String => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        ValueKind::Undefined => String::new(),
        _ => repr(value),
    }
}

/// `repr(value)`.
pub fn repr(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out, 0);
    out
}

fn write(value: &Value, out: &mut String, depth: usize) {
    if depth > MAX_DEPTH || !budget::spend(4) {
        out.push('…');
        return;
    }
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::String => quote(value.as_str().unwrap_or_default(), out),
        ValueKind::Number => out.push_str(&value.to_string()),
        ValueKind::Seq | ValueKind::Iterable => {
            let tuple = value.is_tuple();
            out.push(if tuple { '(' } else { '[' });
            let mut count = 0;
            for item in value.try_iter().into_iter().flatten() {
                if count > 0 {
                    out.push_str(", ");
                }
                write(&item, out, depth + 1);
                count += 1;
            }
            if tuple && count == 1 {
                out.push(',');
            }
            out.push(if tuple { ')' } else { ']' });
        }
        ValueKind::Map => {
            out.push('{');
            for (index, (key, item)) in entries(value).unwrap_or_default().into_iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write(&key, out, depth + 1);
                out.push_str(": ");
                write(&item, out, depth + 1);
            }
            out.push('}');
        }
        _ => out.push_str(&value.to_string()),
    }
}

fn quote(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// The items of anything that can be iterated.
pub fn items(value: &Value) -> Result<Vec<Value>, Error> {
    Ok(value.try_iter()?.collect())
}

/// The entries of a map, or of a list of pairs.
pub fn entries(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    if value.kind() == ValueKind::Map {
        return value.try_iter()?.map(|key| Ok((key.clone(), value.get_item(&key)?))).collect();
    }
    if value.is_none() {
        return Err(Error::new(ErrorKind::InvalidOperation, "expected a dict, found None"));
    }
    items(value)?
        .into_iter()
        .map(|pair| {
            let pair = items(&pair)?;
            match pair.as_slice() {
                [key, item] => Ok((key.clone(), item.clone())),
                _ => Err(Error::new(ErrorKind::InvalidOperation, "expected a dict or a list of pairs")),
            }
        })
        .collect()
}

/// Our value to a template's; its lists and dicts can be changed.
pub fn to_template(value: &Data) -> Value {
    match value {
        Data::Null => Value::from(()),
        Data::Bool(b) => Value::from(*b),
        Data::Int(i) => Value::from(*i),
        Data::Float(x) => Value::from(*x),
        Data::Str(s) => Value::from(s.as_str()),
        Data::List(list) => mutable::list(list.iter().map(to_template).collect()),
        Data::Map(map) => mutable::dict(map.iter().map(|(k, v)| (Value::from(k.as_str()), to_template(v)))),
    }
}

/// A template's value to ours. Undefined is null; what is neither data nor text becomes its text.
pub fn from_template(value: &Value) -> Data {
    convert(value, 0)
}

fn convert(value: &Value, depth: usize) -> Data {
    if depth > MAX_DEPTH || !budget::spend(4) {
        return Data::Null;
    }
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => Data::Null,
        ValueKind::Bool => Data::Bool(value.is_true()),
        ValueKind::Number => match value.as_i64() {
            Some(int) if value.is_integer() => Data::Int(int),
            _ => f64::try_from(value.clone()).map_or(Data::Null, Data::Float),
        },
        ValueKind::Seq | ValueKind::Iterable => {
            Data::List(value.try_iter().into_iter().flatten().map(|v| convert(&v, depth + 1)).collect())
        }
        ValueKind::Map => Data::Map(
            entries(value)
                .unwrap_or_default()
                .into_iter()
                .map(|(k, v)| (text(&k), convert(&v, depth + 1)))
                .collect::<Map>(),
        ),
        _ => Data::Str(text(value)),
    }
}

/// `'…' % value`, as far as templates use it: `%s %d %i %f %.2f %05d %x %r %%` and `%(name)s`.
pub fn percent(format: &str, value: &Value) -> Result<String, Error> {
    let args = if value.is_tuple() { items(value)? } else { vec![value.clone()] };
    let bad = |why: &str| Error::new(ErrorKind::InvalidOperation, why.to_owned());
    let mut out = String::new();
    let mut next = 0;
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut name = None;
        if chars.next_if_eq(&'(').is_some() {
            name = Some(chars.by_ref().take_while(|c| *c != ')').collect::<String>());
        }
        let mut flags = String::new();
        while let Some(flag) = chars.next_if(|c| "-+ #0".contains(*c)) {
            flags.push(flag);
        }
        let mut width = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            width.push(digit);
        }
        let mut precision = None;
        if chars.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            precision = Some(digits.parse().unwrap_or(0usize).min(100));
        }
        let kind = chars.next().ok_or_else(|| bad("the format ends after `%`"))?;
        if kind == '%' {
            out.push('%');
            continue;
        }
        let argument = match name {
            Some(name) => value.get_attr(&name)?,
            None => {
                next += 1;
                args.get(next - 1).cloned().ok_or_else(|| bad("the format wants more values than it got"))?
            }
        };
        let number = || f64::try_from(argument.clone()).map_err(|_| bad("the format wants a number"));
        let mut piece = match kind {
            's' => text(&argument).chars().take(precision.unwrap_or(usize::MAX)).collect(),
            'r' => repr(&argument),
            'd' | 'i' | 'u' => format!("{}", number()?.trunc() as i64),
            'x' => format!("{:x}", number()?.trunc() as i64),
            'X' => format!("{:X}", number()?.trunc() as i64),
            'o' => format!("{:o}", number()?.trunc() as i64),
            'f' | 'F' => format!("{:.*}", precision.unwrap_or(6), number()?),
            'e' => format!("{:.*e}", precision.unwrap_or(6), number()?),
            'g' => format!("{}", number()?),
            _ => return Err(bad("the format has a letter that is not known after `%`")),
        };
        if flags.contains('+') && !piece.starts_with('-') && kind != 's' {
            piece.insert(0, '+');
        }
        let width = width.parse().unwrap_or(0usize).min(1000);
        let missing = width.saturating_sub(piece.chars().count());
        if flags.contains('-') {
            piece.push_str(&" ".repeat(missing));
        } else if flags.contains('0') && kind != 's' {
            let sign = usize::from(piece.starts_with(['-', '+']));
            piece.insert_str(sign, &"0".repeat(missing));
        } else {
            piece.insert_str(0, &" ".repeat(missing));
        }
        out.push_str(&piece);
    }
    if next < args.len() && value.is_tuple() {
        return Err(bad("the format wants fewer values than it got"));
    }
    Ok(out)
}
