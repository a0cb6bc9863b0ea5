//! Values as text: `str`, `repr`, and what is put into other text.

use super::{
    Run, fault,
    run::Interpreter,
    value::{Key, Text, V},
};
use std::fmt::Write;

/// How deep values are written out; what lies deeper, or in a circle, is `...`.
const MAX_NESTED: usize = 32;

impl Interpreter<'_> {
    /// As `str` gives it.
    pub fn display(&mut self, value: &V) -> Run<String> {
        match value {
            V::Str(text) => {
                self.work(text.len() / 16)?;
                self.heap.afford(text.len())?;
                Ok(text.to_string())
            }
            other => self.repr(other),
        }
    }

    /// As `repr` gives it: text in quotes.
    pub fn repr(&mut self, value: &V) -> Run<String> {
        let mut out = String::new();
        self.write(value, &mut out, 0)?;
        Ok(out)
    }

    fn write(&mut self, value: &V, out: &mut String, depth: usize) -> Run<()> {
        self.work(1)?;
        self.heap.afford(out.len())?;
        match value {
            V::None => out.push_str("None"),
            V::Bool(true) => out.push_str("True"),
            V::Bool(false) => out.push_str("False"),
            V::Int(number) => drop(write!(out, "{number}")),
            V::Float(number) => out.push_str(&float(*number)),
            V::Str(text) => {
                self.work(text.len() / 16)?;
                self.heap.afford(out.len().saturating_add(text.len().saturating_mul(2)))?;
                quote(text, out);
            }
            V::Range(range) => drop(write!(out, "range({}, {}, {})", range.0, range.1, range.2)),
            V::Function(function) => drop(write!(out, "<function {}>", self.closures[*function].name)),
            V::Builtin(name) => drop(write!(out, "<function {name}>")),
            V::Namespace(namespace, Some(member)) => drop(write!(out, "<function {namespace}.{member}>")),
            V::Namespace(namespace, None) => drop(write!(out, "<namespace {namespace}>")),
            _ if depth >= MAX_NESTED => out.push_str("..."),
            V::List(_) => {
                out.push('[');
                self.write_items(value, out, depth)?;
                out.push(']');
            }
            V::Tuple(_) => {
                out.push('(');
                self.write_items(value, out, depth)?;
                out.push_str(if self.length(value) == Some(1) { ",)" } else { ")" });
            }
            V::Dict(dict) => {
                let entries: Vec<(Key, V)> = self.heap.dicts[*dict]
                    .entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                self.work(entries.len() / 8)?;
                out.push('{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { ", " });
                    let key = self.heap.of_key(key)?;
                    self.write(&key, out, depth + 1)?;
                    out.push_str(": ");
                    self.write(value, out, depth + 1)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }

    fn write_items(&mut self, value: &V, out: &mut String, depth: usize) -> Run<()> {
        for (at, item) in self.items(value)?.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { ", " });
            self.write(item, out, depth + 1)?;
        }
        Ok(())
    }

    /// `format % values`
    pub fn percent(&mut self, format: &Text, values: &V) -> Run<V> {
        let given = match values {
            V::Tuple(_) => self.items(values)?,
            other => vec![other.clone()],
        };
        let mut given = given.into_iter();
        let mut next = || given.next().map_or_else(|| fault("The format wants more values"), Ok);
        let mut out = String::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                out.push(letter);
                continue;
            }
            match letters.next() {
                Some('%') => out.push('%'),
                Some('s') => out.push_str(&self.display(&next()?)?),
                Some('r') => out.push_str(&self.repr(&next()?)?),
                Some('d') => match next()? {
                    V::Int(number) => drop(write!(out, "{number}")),
                    V::Float(number) => drop(write!(out, "{}", number.trunc())),
                    other => return fault(format!("`%d` wants a number, and is given a {}", other.kind())),
                },
                Some('x') => match next()? {
                    V::Int(number) => drop(write!(out, "{number:x}")),
                    other => return fault(format!("`%x` wants a number, and is given a {}", other.kind())),
                },
                Some('o') => match next()? {
                    V::Int(number) => drop(write!(out, "{number:o}")),
                    other => return fault(format!("`%o` wants a number, and is given a {}", other.kind())),
                },
                Some(other) => {
                    return fault(format!(
                        "There is no `%{other}`; there are `%s`, `%r`, `%d`, `%x`, `%o` and `%%`"
                    ));
                }
                None => return fault("The format ends with a single `%`"),
            }
            self.heap.afford(out.len())?;
        }
        if given.next().is_some() {
            return fault("The format has fewer places than there are values");
        }
        self.heap.text(out)
    }

    /// `f"…"`: its places in their order.
    pub fn f_string(&mut self, format: &str, values: &[V]) -> Run<V> {
        self.filled(format, values, &[])
    }

    /// `"…".format(…)`
    pub fn filled(&mut self, format: &str, positional: &[V], named: &[(String, V)]) -> Run<V> {
        let mut out = String::new();
        let mut counted = 0;
        let mut rest = format;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                out.push('{');
                rest = after;
                continue;
            }
            if let Some(after) = from.strip_prefix("}}") {
                out.push('}');
                rest = after;
                continue;
            }
            let Some((place, after)) = from.strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
                return fault(
                    "A brace of the format has no other one; write it twice to have it in the text",
                );
            };
            let (name, repr) = match place.split_once('!') {
                Some((name, "r")) => (name, true),
                Some((name, "s")) => (name, false),
                Some((_, other)) => {
                    return fault(format!("There is no conversion `!{other}`; there are `!r` and `!s`"));
                }
                None => (place, false),
            };
            let value = if name.is_empty() {
                counted += 1;
                positional.get(counted - 1)
            } else if let Ok(number) = name.parse::<usize>() {
                positional.get(number)
            } else {
                named.iter().find(|(key, _)| key == name).map(|(_, value)| value)
            };
            let Some(value) = value.cloned() else {
                return fault(format!("The format's place `{{{place}}}` is given no value"));
            };
            out.push_str(&if repr { self.repr(&value)? } else { self.display(&value)? });
            self.heap.afford(out.len())?;
            rest = after;
        }
        out.push_str(rest);
        self.work(out.len() / 16)?;
        self.heap.text(out)
    }
}

/// A number as its author would write it.
pub fn float(number: f64) -> String {
    if number.is_nan() {
        "nan".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "+inf" } else { "-inf" }.to_owned()
    } else if number.fract() == 0.0 && number.abs() < 1e16 {
        format!("{number:.1}")
    } else {
        number.to_string()
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            other => out.push(other),
        }
    }
    out.push('"');
}
