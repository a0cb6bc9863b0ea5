//! What a stateful command says about itself on its last line: `changed=yes comment='…'`, or JSON.

use crate::Failure;
use zester_compiler::types::{Map, Value};

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
