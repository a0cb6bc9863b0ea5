//! Filters that write and read YAML and JSON.

use super::{failure, flag};
use crate::{
    template::{environment::plain_text, global, python},
    types::{Value as Data, resolve_plain},
};
use minijinja::{Environment, Error, Value, value::Kwargs};

pub(super) fn register(env: &mut Environment<'static>) {
    for name in ["json", "tojson"] {
        env.add_filter(
            name,
            |v: &Value, sort: Option<Value>, indent: Option<Value>, named: Kwargs| -> Result<String, Error> {
                let sort = flag(sort.or(named.get("sort_keys")?), false);
                let indent = indent.or(named.get("indent")?).and_then(|i| i.as_i64());
                let mut data = python::from_template(v);
                if sort {
                    sort_keys(&mut data, 0);
                }
                match indent {
                    Some(width) => pretty(&data, width.clamp(0, 16) as usize),
                    None => Ok(python_json(&data)),
                }
            },
        );
    }
    env.add_filter("yaml", |v: &Value, flow: Option<Value>, named: Kwargs| -> Result<String, Error> {
        let flow = flag(flow.or(named.get("flow_style")?), true);
        let data = python::from_template(v);
        if flow {
            let mut out = String::new();
            write_flow(&data, &mut out, 0);
            return Ok(out);
        }
        let mut out = String::new();
        write_block(&data, 0, &mut out);
        Ok(out.trim_end_matches('\n').to_owned())
    });
    env.add_filter("yaml_encode", |v: &Value| -> Result<String, Error> {
        match python::from_template(v) {
            Data::List(_) | Data::Map(_) => {
                Err(failure("`yaml_encode` takes a scalar; write `yaml` for lists and dicts"))
            }
            Data::Str(s) => Ok(double_quoted(&s)),
            scalar => Ok(scalar.to_string()),
        }
    });
    env.add_filter("yaml_dquote", |v: &Value| double_quoted(&plain_text(v)));
    env.add_filter("yaml_squote", |v: &Value| format!("'{}'", plain_text(v).replace('\'', "''")));
    for (name, format) in [("load_yaml", "yaml"), ("load_json", "json"), ("load_text", "text")] {
        env.add_filter(name, move |v: &Value| global::load(format, &plain_text(v)));
    }
    env.add_filter("dict_to_sls_yaml_params", |v: &Value| -> Result<String, Error> {
        let data = python::from_template(v);
        let Data::Map(map) = data else { return Err(failure("`dict_to_sls_yaml_params` takes a dict")) };
        let list =
            Data::List(map.into_iter().map(|(k, v)| Data::Map([(k, v)].into_iter().collect())).collect());
        let mut out = String::new();
        write_block(&list, 0, &mut out);
        Ok(out.trim_end_matches('\n').to_owned())
    });
}

fn sort_keys(data: &mut Data, depth: usize) {
    match data {
        Data::Map(map) if depth < 64 => {
            map.sort_keys();
            map.values_mut().for_each(|v| sort_keys(v, depth + 1));
        }
        Data::List(list) if depth < 64 => list.iter_mut().for_each(|v| sort_keys(v, depth + 1)),
        _ => {}
    }
}

/// JSON as Python prints it: a blank after `,` and `:`.
fn python_json(data: &Data) -> String {
    match data {
        Data::List(list) => format!("[{}]", list.iter().map(python_json).collect::<Vec<_>>().join(", ")),
        Data::Map(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{}: {}", python_json(&Data::Str(k.clone())), python_json(v)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        scalar => serde_json::to_string(scalar).unwrap_or_default(),
    }
}

fn pretty(data: &Data, width: usize) -> Result<String, Error> {
    let indent = " ".repeat(width);
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    serde::Serialize::serialize(data, &mut serializer).map_err(|e| failure(e.to_string()))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn double_quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Whether a text read back without quotes would be the same text.
fn is_plain(text: &str) -> bool {
    let starts_safe = text.starts_with(|c: char| c.is_alphanumeric() || "/_.".contains(c));
    starts_safe
        && matches!(resolve_plain(text), Data::Str(_))
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && !text.contains(['\n', '\t', '{', '}', '[', ']', ',', '\'', '"', '\r'])
        // YAML 1.1 readers take these for dates and numbers to the base of 60.
        && !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'-' | b'.'))
}

fn scalar(data: &Data) -> String {
    match data {
        Data::Null => "null".to_owned(),
        Data::Str(s) if is_plain(s) => s.clone(),
        Data::Str(s) if s.contains(['\n', '\r', '\t']) => double_quoted(s),
        Data::Str(s) => format!("'{}'", s.replace('\'', "''")),
        other => other.to_string(),
    }
}

fn write_flow(data: &Data, out: &mut String, depth: usize) {
    match data {
        Data::List(list) if depth < 64 => {
            out.push('[');
            for (index, item) in list.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_flow(item, out, depth + 1);
            }
            out.push(']');
        }
        Data::Map(map) if depth < 64 => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                out.push_str(&scalar(&Data::Str(key.clone())));
                out.push_str(": ");
                write_flow(value, out, depth + 1);
            }
            out.push('}');
        }
        other => out.push_str(&scalar(other)),
    }
}

/// Block style with two blanks, lists not indented below their keys, as PyYAML prints.
fn write_block(data: &Data, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent.min(200));
    match data {
        Data::List(list) if !list.is_empty() && indent < 200 => {
            for item in list {
                out.push_str(&pad);
                out.push_str("- ");
                nested(item, indent + 2, out);
            }
        }
        Data::Map(map) if !map.is_empty() && indent < 200 => {
            for (key, value) in map {
                out.push_str(&pad);
                out.push_str(&scalar(&Data::Str(key.clone())));
                out.push(':');
                match value {
                    Data::List(list) if !list.is_empty() => {
                        out.push('\n');
                        write_block(value, indent, out);
                    }
                    Data::Map(map) if !map.is_empty() => {
                        out.push('\n');
                        write_block(value, indent + 2, out);
                    }
                    _ => {
                        out.push(' ');
                        write_flow(value, out, 0);
                        out.push('\n');
                    }
                }
            }
        }
        other => {
            write_flow(other, out, 0);
            out.push('\n');
        }
    }
}

/// An item behind its dash: its first line stands on the dash's.
fn nested(item: &Data, indent: usize, out: &mut String) {
    let mut inner = String::new();
    write_block(item, indent, &mut inner);
    out.push_str(inner.trim_start_matches(' '));
}
