//! `env` as authors write it.

use crate::Failure;
use zester_compiler::types::Value;

/// A map, a list of one-key maps, or a list of `NAME=value`. `false` removes a variable, as in Salt.
pub fn variables(env: &Value) -> Result<Vec<(String, Option<String>)>, Failure> {
    let mut variables = Vec::new();
    collect(env, &mut variables)?;
    Ok(variables)
}

fn collect(env: &Value, into: &mut Vec<(String, Option<String>)>) -> Result<(), Failure> {
    match env {
        Value::Null => {}
        Value::Map(map) => {
            for (name, value) in map {
                if name.is_empty() || name.contains(['=', '\0']) {
                    return Err(Failure::new(format!("`{name}` is no name of an environment variable")));
                }
                into.push((name.clone(), text(name, value)?));
            }
        }
        Value::List(list) => {
            for item in list {
                match item {
                    Value::Str(pair) => match pair.split_once('=') {
                        Some((name, value)) => into.push((name.to_owned(), Some(value.to_owned()))),
                        None => {
                            return Err(Failure::new(format!(
                                "`env` has the entry `{pair}`; write `{pair}: value`"
                            )));
                        }
                    },
                    nested => collect(nested, into)?,
                }
            }
        }
        Value::Str(pair) if pair.contains('=') => {
            collect(&Value::List(vec![env.clone()]), into)?;
        }
        other => {
            return Err(Failure::new(format!("`env` is a map of names to values, not {}", other.describe())));
        }
    }
    Ok(())
}

fn text(name: &str, value: &Value) -> Result<Option<String>, Failure> {
    Ok(match value {
        Value::Bool(false) => None,
        Value::Null => Some(String::new()),
        Value::List(_) | Value::Map(_) => {
            return Err(Failure::new(format!(
                "The environment variable `{name}` is {}; it can only be text",
                value.describe()
            )));
        }
        scalar => Some(scalar.to_string()).filter(|s| !s.contains('\0')),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shapes_mean_the_same() {
        for json in
            [r#"{"A": 1, "B": false}"#, r#"[{"A": "1"}, {"B": false}]"#, r#"[{"A": "1", "B": false}]"#]
        {
            let env: Value = serde_json::from_str(json).unwrap();
            let expected = [("A".to_owned(), Some("1".to_owned())), ("B".to_owned(), None)];
            assert_eq!(variables(&env).unwrap(), expected, "{json}");
        }
        assert_eq!(variables(&"A=b=c".into()).unwrap(), [("A".to_owned(), Some("b=c".to_owned()))]);
        assert!(variables(&serde_json::from_str(r#"{"A": {"B": 1}}"#).unwrap()).is_err());
    }
}
