//! Generic attributes: what every state may say besides its function's own parameters.

use crate::{
    diagnostic::Diagnostic,
    ir::{Attributes, Guard, Retry},
    syntax::{Node, NodeKind},
    types::{
        Map, Type, Value,
        decode::{DecodeError, decode},
    },
};

use super::document::requisite_of_key;

/// Names of the generic keys that are no requisites.
pub const GENERIC: [&str; 21] = [
    "name",
    "names",
    "use",
    "use_in",
    "onlyif",
    "unless",
    "creates",
    "check_cmd",
    "order",
    "retry",
    "failhard",
    "parallel",
    "runas",
    "timeout",
    "umask",
    "fire_event",
    "reload_modules",
    "reload_grains",
    "reload_pillar",
    "aggregate",
    "saltenv",
];

/// Names of all requisites and generic keys, for near misses.
pub const REQUISITES: [&str; 17] = [
    "require",
    "require_in",
    "require_any",
    "watch",
    "watch_in",
    "watch_any",
    "onchanges",
    "onchanges_in",
    "onchanges_any",
    "onfail",
    "onfail_in",
    "onfail_any",
    "onfail_all",
    "prereq",
    "prereq_in",
    "listen",
    "listen_in",
];

/// `order: first`
pub const ORDER_FIRST: i64 = -1_000_000;
/// `order: last`
pub const ORDER_LAST: i64 = 1_000_000;

/// Salt's defaults of `retry`.
const RETRY: Retry = Retry { attempts: 2, until: true, interval: 30.0, splay: 0.0 };

/// Whether every function accepts `key`.
pub fn is_generic(key: &str) -> bool {
    GENERIC.contains(&key) || requisite_of_key(key).is_some()
}

/// Why a generic key has no effect, where it has none.
pub fn inert(key: &str) -> Option<&'static str> {
    match key {
        "reload_modules" | "reload_grains" | "reload_pillar" => {
            Some("functions, facts and settings are read afresh where they are used")
        }
        "aggregate" => Some("states run one by one, in their order"),
        _ => None,
    }
}

/// The type of a generic key with a value of its own; `None` for names, requisites and guards.
pub fn type_of(key: &str) -> Option<Type> {
    let list = |ty| Type::List(Box::new(ty));
    Some(match key {
        "creates" => list(Type::Path),
        "check_cmd" => list(Type::Command),
        "order" => Type::INT.or(Type::Enum(vec!["first".to_owned(), "last".to_owned()])),
        "retry" => Type::Int { min: 1, max: 10_000 }.or(Type::Bool).or(Type::Record(vec![
            ("attempts".to_owned(), Type::Int { min: 1, max: 10_000 }, true),
            ("until".to_owned(), Type::Bool, true),
            ("interval".to_owned(), Type::Duration, true),
            ("splay".to_owned(), Type::Duration, true),
        ])),
        "failhard" | "parallel" | "reload_modules" | "reload_grains" | "reload_pillar" => Type::Bool,
        "aggregate" => Type::Any,
        "runas" => Type::User,
        "timeout" => Type::Duration,
        "umask" => Type::Mode,
        "fire_event" => Type::Bool.or(Type::Str),
        "saltenv" => Type::Str,
        _ => return None,
    })
}

/// Reads a generic key into `attributes`. What cannot be known yet is left out.
pub fn read_attribute(
    attributes: &mut Attributes,
    key: &str,
    node: &Node,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), DecodeError> {
    if matches!(key, "onlyif" | "unless") {
        let guards = read_guards(key, node, diagnostics)?;
        let side = if key == "onlyif" { &mut attributes.onlyif } else { &mut attributes.unless };
        side.extend(guards);
        return Ok(());
    }
    let Some(ty) = type_of(key) else { return Ok(()) };
    let decoded = decode(&ty, node)?;
    diagnostics.extend(decoded.hints);
    let Some(value) = decoded.value else { return Ok(()) };
    if value.is_null() {
        return Ok(());
    }
    match key {
        "creates" => attributes.creates = texts(value),
        "check_cmd" => attributes.check_cmd = texts(value),
        "order" => {
            attributes.order = match &value {
                Value::Int(order) => Some(*order),
                Value::Str(word) if word == "first" => Some(ORDER_FIRST),
                _ => Some(ORDER_LAST),
            }
        }
        "retry" => attributes.retry = retry(&value),
        "failhard" => attributes.failhard = value == Value::Bool(true),
        "parallel" => attributes.parallel = value == Value::Bool(true),
        "runas" => attributes.runas = Some(value.to_string()),
        "timeout" => attributes.timeout = number(&value),
        "umask" => attributes.umask = Some(value.to_string()),
        "fire_event" => attributes.fire_event = (value != Value::Bool(false)).then_some(value),
        _ => {}
    }
    Ok(())
}

fn texts(value: Value) -> Vec<String> {
    match value {
        Value::List(list) => list.iter().map(ToString::to_string).collect(),
        single => vec![single.to_string()],
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(x) => Some(*x),
        Value::Int(i) => Some(*i as f64),
        _ => None,
    }
}

fn retry(value: &Value) -> Option<Retry> {
    let count = |value: &Value| value.as_int().and_then(|i| u32::try_from(i).ok());
    match value {
        Value::Bool(true) => Some(RETRY),
        Value::Int(_) => Some(Retry { attempts: count(value)?, ..RETRY }),
        Value::Map(map) => Some(Retry {
            attempts: map.get("attempts").and_then(count).unwrap_or(RETRY.attempts),
            until: map.get("until").and_then(Value::as_bool).unwrap_or(RETRY.until),
            interval: map.get("interval").and_then(number).unwrap_or(RETRY.interval),
            splay: map.get("splay").and_then(number).unwrap_or(RETRY.splay),
        }),
        _ => None,
    }
}

/// `onlyif` and `unless`: commands, truth values, and `fun:` calls, alone or in a list.
fn read_guards(key: &str, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Result<Vec<Guard>, DecodeError> {
    let item = Type::Bool.or(Type::Command).or(Type::Map(Box::new(Type::Any)));
    match &node.kind {
        NodeKind::Choice(alternatives) => {
            for alternative in alternatives {
                read_guards(key, alternative, diagnostics)?;
            }
            return Ok(Vec::new());
        }
        // One call written as a list of its keys: `- fun: file.exists`, `- args: […]`.
        NodeKind::Sequence(sequence) if sequence.splices.is_empty() => {
            let mut guards = Vec::new();
            for item_node in &sequence.items {
                let decoded = decode(&item, item_node)?;
                diagnostics.extend(decoded.hints);
                guards.extend(match decoded.value {
                    Some(value) => guard(key, &value, item_node)?,
                    None => None,
                });
            }
            return Ok(guards);
        }
        NodeKind::Sequence(_) => return Ok(Vec::new()),
        _ => {}
    }
    let decoded = decode(&item, node)?;
    diagnostics.extend(decoded.hints);
    Ok(match decoded.value {
        Some(value) => guard(key, &value, node)?.into_iter().collect(),
        None => Vec::new(),
    })
}

fn guard(key: &str, value: &Value, node: &Node) -> Result<Option<Guard>, DecodeError> {
    Ok(match value {
        // A template that leaves nothing guards nothing.
        Value::Null => None,
        // As Salt runs them: the commands `true` and `false`.
        Value::Bool(truth) => Some(Guard::Command(truth.to_string())),
        Value::Map(map) => {
            let Some(function) = map.get("fun").and_then(Value::as_str) else {
                return Err(DecodeError {
                    rule: &crate::types::decode::WRONG_TYPE,
                    message: format!("a map in `{key}` calls a function, and this one names none"),
                    span: node.span,
                    help: Some(
                        "write `- fun: module.function` with its `args`, or a command as text".to_owned(),
                    ),
                    expected: "a command or a call".to_owned(),
                    replacement: None,
                });
            };
            let args = match map.get("args") {
                Some(Value::List(list)) => list.clone(),
                Some(Value::Null) | None => Vec::new(),
                Some(single) => vec![single.clone()],
            };
            let mut kwargs: Map = match map.get("kwargs") {
                Some(Value::Map(kwargs)) => kwargs.clone(),
                _ => Map::new(),
            };
            for (name, value) in map {
                if !matches!(name.as_str(), "fun" | "args" | "kwargs") {
                    kwargs.insert(name.clone(), value.clone());
                }
            }
            Some(Guard::Call { function: function.to_owned(), args, kwargs })
        }
        text => Some(Guard::Command(text.to_string())),
    })
}
