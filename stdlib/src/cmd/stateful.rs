//! What a stateful command says about itself on its last line: `changed=yes comment='…'`, or JSON.

use crate::Failure;
use zester_compiler::types::{FromValue, Map, Type, Value};

/// `stateful`: whether a command says what it changed, and the command that says so without changing anything.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Stateful {
    /// Whether the output is read.
    pub(super) read: bool,
    /// `test_name`: run in test mode.
    pub(super) test: Option<String>,
}

/// A boolean, `{test_name: …}`, or Salt's list with that map in it.
impl FromValue for Stateful {
    fn ty() -> Type {
        let test = Type::Record(vec![("test_name".to_owned(), Type::Command, true)]);
        Type::Bool.or(test.clone()).or(Type::List(Box::new(test.or(Type::Str))))
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let test_of = |value: &Value| Some(value.as_map()?.get("test_name")?.to_string());
        match value {
            Value::Null => Ok(Self::default()),
            Value::Bool(read) => Ok(Self { read: *read, test: None }),
            Value::Map(_) => Ok(Self { read: true, test: test_of(value) }),
            Value::List(list) => Ok(Self { read: !list.is_empty(), test: list.iter().find_map(test_of) }),
            other => Err(format!("expected true, false or `test_name`, found {}", other.describe())),
        }
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

/// What a command's output says.
#[derive(PartialEq, Debug, Default)]
pub(super) struct Report {
    /// Whether it changed something.
    pub(super) changed: bool,
    /// What it says.
    pub(super) comment: Option<String>,
    /// Everything else it says.
    pub(super) rest: Map,
}

/// Reads the last line that is not empty, or the whole output as JSON.
pub(super) fn report(stdout: &str) -> Result<Report, Failure> {
    let Some(last) = stdout.lines().rev().map(str::trim).find(|l| !l.is_empty()) else {
        // Salt's rule: a stateful command that says nothing has changed nothing.
        return Ok(Report::default());
    };
    let map = [last, stdout.trim()].iter().find_map(|text| serde_json::from_str::<Map>(text).ok());
    let map = match map {
        Some(map) => map,
        None => pairs(last).ok_or_else(|| {
            Failure::new(format!(
                "The last line of a stateful command must be `changed=yes comment='…'` or JSON; it is `{last}`"
            ))
        })?,
    };
    let mut report = Report::default();
    for (key, value) in map {
        match key.as_str() {
            "changed" => report.changed = truth(&value),
            "comment" => report.comment = Some(value.to_string()),
            _ => {
                report.rest.insert(key, value);
            }
        }
    }
    Ok(report)
}

fn truth(value: &Value) -> bool {
    match value {
        Value::Bool(b) => *b,
        Value::Int(i) => *i != 0,
        other => matches!(other.to_string().to_ascii_lowercase().as_str(), "true" | "yes" | "1" | "on"),
    }
}

/// `key=value key='a value'`; `None` when there is no pair at all.
fn pairs(line: &str) -> Option<Map> {
    let mut map = Map::new();
    let mut rest = line.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        if key.is_empty() || key.contains(char::is_whitespace) {
            return None;
        }
        let quote = after.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let (value, tail) = match quote {
            Some(quote) => after.get(1..)?.split_once(quote)?,
            None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        map.insert(key.to_owned(), value.into());
        rest = tail.trim_start();
    }
    (!map.is_empty() && rest.is_empty()).then_some(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let expected = Report { changed: true, comment: Some("all done".into()), rest: Map::new() };
        assert_eq!(report("noise\nchanged=yes comment='all done'\n\n").unwrap(), expected);
        assert_eq!(report("noise\n{\"changed\": true, \"comment\": \"all done\"}").unwrap(), expected);
        let said = report("changed=no old=1").unwrap();
        assert!(!said.changed && said.rest.contains_key("old"));
    }

    #[test]
    fn silence_is_no_change_and_prose_a_failure() {
        assert_eq!(report("").unwrap(), Report::default());
        assert!(report("all went well").unwrap_err().message.contains("`all went well`"));
    }
}
