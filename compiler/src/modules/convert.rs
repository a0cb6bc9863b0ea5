//! Values and the types of annotations.

use crate::types::{Map, Type, Value};

/// Whether a value has a type, as it is.
pub fn fits(value: &Value, ty: &Type) -> bool {
    match (ty, value) {
        (Type::Any, _)
        | (Type::Null, Value::Null)
        | (Type::Bool, Value::Bool(_))
        | (Type::Int { .. }, Value::Int(_))
        | (Type::Float, Value::Float(_))
        | (Type::Str, Value::Str(_)) => true,
        (Type::List(inner), Value::List(items)) => items.iter().all(|item| fits(item, inner)),
        (Type::Map(inner), Value::Map(map)) => map.iter().all(|(_, item)| fits(item, inner)),
        (Type::Secret(inner), value) => fits(value, inner),
        (Type::Union(members), value) => members.iter().any(|member| fits(value, member)),
        _ => false,
    }
}

/// A value that a template or the command line gave, as a type wants it: a number where text is wanted is its text, one
/// value is a list of one, and digits are a number. The error says what was expected.
pub fn coerce(value: &Value, ty: &Type) -> Result<Value, String> {
    if fits(value, ty) {
        return Ok(value.clone());
    }
    let wrong = || Err(format!("expected `{ty}`, found {}", value.describe()));
    match (ty, value) {
        (Type::Str, Value::Bool(_) | Value::Int(_) | Value::Float(_)) => Ok(Value::Str(value.to_string())),
        (Type::Float, Value::Int(number)) => Ok(Value::Float(*number as f64)),
        (Type::Int { .. }, Value::Str(text)) => text.trim().parse().map(Value::Int).or_else(|_| wrong()),
        (Type::Float, Value::Str(text)) => text.trim().parse().map(Value::Float).or_else(|_| wrong()),
        (Type::Bool, Value::Str(text)) => match &*text.to_ascii_lowercase() {
            "true" | "yes" | "on" => Ok(Value::Bool(true)),
            "false" | "no" | "off" => Ok(Value::Bool(false)),
            _ => wrong(),
        },
        (Type::List(inner), Value::List(items)) => {
            items.iter().map(|item| coerce(item, inner)).collect::<Result<_, _>>().map(Value::List)
        }
        (Type::List(inner), Value::Str(_) | Value::Bool(_) | Value::Int(_) | Value::Float(_)) => {
            Ok(Value::List(vec![coerce(value, inner)?]))
        }
        (Type::Map(inner), Value::Map(map)) => map
            .iter()
            .map(|(key, item)| Ok((key.clone(), coerce(item, inner)?)))
            .collect::<Result<Map, String>>()
            .map(Value::Map),
        (Type::Secret(inner), _) => coerce(value, inner),
        (Type::Union(members), _) => {
            members.iter().find_map(|member| coerce(value, member).ok()).map_or_else(wrong, Ok)
        }
        _ => wrong(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_templates_give_is_taken_as_meant() {
        let good = |value: Value, ty: Type, expected: Value| assert_eq!(coerce(&value, &ty), Ok(expected));
        good(Value::Int(80), Type::Str, "80".into());
        good("80".into(), Type::INT, Value::Int(80));
        good("a".into(), Type::List(Box::new(Type::Str)), vec!["a"].into());
        good(Value::Null, Type::Str.or(Type::Null), Value::Null);
        let wrong = coerce(&Value::List(Vec::new()), &Type::Str);
        assert_eq!(wrong, Err("expected `str`, found a list".to_owned()));
        assert!(coerce(&"x".into(), &Type::INT).is_err());
    }
}
