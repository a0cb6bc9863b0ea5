//! `file.keyvalue`

use super::{
    path,
    text::{self, Edit},
};
use crate::{Context, Failure, Plan, State};
use zester_compiler::types::{Map, Path, Value};
use zester_stdlib_derive::Arguments;

/// Sets values of keys in a file of `key = value` lines.
#[derive(Arguments)]
#[state("file.keyvalue", any_of("key", "key_values", "entries"), requires("key", "value"))]
pub(crate) struct KeyValue {
    /// The file's path.
    #[arg(primary, alias = "path")]
    name: Path,
    /// One key.
    key: Option<String>,
    /// Its value.
    value: Option<String>,
    /// Several keys with their values.
    #[arg(alias = "entries")]
    key_values: Map,
    /// What stands between key and value.
    #[arg(default = "=")]
    separator: String,
    /// Whether a key that is not there is put at the end.
    #[arg(default = false)]
    append_if_not_found: bool,
    /// Whether a key that is not there is put at the beginning.
    #[arg(default = false)]
    prepend_if_not_found: bool,
    /// Whether the state only says what differs.
    #[arg(default = false)]
    search_only: bool,
    /// Whether the difference is shown.
    #[arg(default = true)]
    show_changes: bool,
    /// Whether a missing file is no failure.
    #[arg(default = false)]
    ignore_if_missing: bool,
    /// Whether a missing file is made.
    #[arg(default = false)]
    create_if_missing: bool,
    /// Whether lines of other keys are removed.
    #[arg(default = false)]
    prune: bool,
    /// How many lines of one key are changed at most; -1 for all.
    #[arg(default = 1_i64)]
    count: i64,
    /// Comment character: lines of a key behind it count as its lines and lose it.
    uncomment: Option<String>,
    /// Whether upper and lower case are the same in keys.
    #[arg(default = false)]
    key_ignore_case: bool,
    /// Whether upper and lower case are the same in values.
    #[arg(default = false)]
    value_ignore_case: bool,
}

impl State for KeyValue {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let wanted = self.wanted()?;
        if self.separator.is_empty() {
            return Err(Failure::new("`separator` is empty, so keys and values cannot be told apart"));
        }
        let old = match text::read(cx, &target)? {
            Some(old) => old,
            None if self.create_if_missing => String::new(),
            None if self.ignore_if_missing => {
                return Ok(Plan::unchanged(format!("`{target}` does not exist")));
            }
            None => return text::missing(cx, &target),
        };
        let (new, missing) = self.edit(&old, &wanted);
        if self.search_only {
            let said = if new == old && missing.is_empty() { "are as they should be" } else { "differ" };
            return Ok(Plan::unchanged(format!("The keys of `{target}` {said}")));
        }
        let left = missing.len();
        let added: String = missing.iter().flat_map(|(k, v)| [k, &self.separator, v, "\n"]).collect();
        let new = if self.prepend_if_not_found {
            added + &new
        } else if self.append_if_not_found {
            let gap = if new.is_empty() || new.ends_with('\n') { "" } else { "\n" };
            if added.is_empty() { new } else { new + gap + &added }
        } else {
            new
        };
        let names = missing.iter().map(|(k, _)| format!("`{k}`")).collect::<Vec<_>>().join(", ");
        let edit = Edit {
            show_changes: self.show_changes,
            secret: &["value", "key_values"],
            ..Edit::new(target.clone())
        };
        let mut plan = edit.plan(cx, new)?;
        if left > 0 && !self.append_if_not_found && !self.prepend_if_not_found {
            plan.comment.push_str(&format!("; {names} is not in it, and `append_if_not_found` is not set"));
        }
        Ok(plan)
    }
}

impl KeyValue {
    fn wanted(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut wanted: Vec<(String, String)> = Vec::new();
        for (key, value) in &self.key_values {
            if matches!(value, Value::List(_) | Value::Map(_)) {
                return Err(Failure::new(format!(
                    "The value of `{key}` is {}; it can only be text",
                    value.describe()
                )));
            }
            wanted.push((key.clone(), if value.is_null() { String::new() } else { value.to_string() }));
        }
        if let (Some(key), Some(value)) = (&self.key, &self.value) {
            wanted.retain(|(k, _)| k != key);
            wanted.push((key.clone(), value.clone()));
        }
        if wanted.is_empty() {
            return Err(Failure::new("`file.keyvalue` needs `key` and `value`, or `key_values`"));
        }
        Ok(wanted)
    }

    /// The text with the values set, and the keys that are not in it.
    fn edit(&self, old: &str, wanted: &[(String, String)]) -> (String, Vec<(String, String)>) {
        let same = |a: &str, b: &str, ignore: bool| {
            if ignore { a.to_lowercase() == b.to_lowercase() } else { a == b }
        };
        let mut seen = vec![0_i64; wanted.len()];
        // A line that is in force counts before one behind a comment character.
        let mut in_force = vec![false; wanted.len()];
        for line in old.lines() {
            if let Some((key, _)) = line.split_once(&self.separator) {
                for (flag, (k, _)) in in_force.iter_mut().zip(wanted) {
                    *flag |= same(key.trim(), k.trim(), self.key_ignore_case);
                }
            }
        }
        let mut new = String::with_capacity(old.len());
        for full in old.split_inclusive('\n') {
            let line = full.trim_end_matches(['\n', '\r']);
            let end = full.get(line.len()..).unwrap_or_default();
            let mut written = None;
            let commented = self.uncomment.as_deref().filter(|c| !c.is_empty()).and_then(|c| {
                let rest = line.trim_start().strip_prefix(c)?;
                Some(rest.trim_start_matches(c).trim_start())
            });
            let text = commented.unwrap_or(line);
            if let Some((key, value)) = text.split_once(&self.separator) {
                let states = seen.iter_mut().zip(&in_force);
                for ((k, v), (count, in_force)) in wanted.iter().zip(states) {
                    if !same(key.trim(), k.trim(), self.key_ignore_case) || (commented.is_some() && *in_force)
                    {
                        continue;
                    }
                    *count += 1;
                    if self.count >= 0 && *count > self.count {
                        continue;
                    }
                    let right = same(value.trim(), v.trim(), self.value_ignore_case);
                    if !right || commented.is_some() {
                        let blank = value.len() - value.trim_start().len();
                        let blank = if right { "" } else { value.get(..blank).unwrap_or_default() };
                        let value = if right { value } else { v };
                        written = Some(format!("{key}{}{blank}{value}", self.separator));
                    }
                }
            }
            let other = self.prune
                && commented.is_none()
                && !line.trim_start().starts_with('#')
                && line.split_once(&self.separator).is_some_and(|(key, _)| {
                    !wanted.iter().any(|(k, _)| same(key.trim(), k.trim(), self.key_ignore_case))
                });
            if other {
                continue;
            }
            new.push_str(written.as_deref().unwrap_or(line));
            new.push_str(end);
        }
        let missing =
            wanted.iter().zip(&seen).filter(|(_, n)| **n == 0).map(|(pair, _)| pair.clone()).collect();
        (new, missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn values_are_set_and_blanks_kept() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "# PermitRootLogin yes\nPort = 22\nname=x");
        machine
            .converge::<KeyValue>(&args(
                r#"{"name": "/f", "key_values": {"Port": 2222, "new": "y"}, "key": "name", "value": "z", "append_if_not_found": true}"#,
            ))
            .unwrap();
        assert_eq!(machine.files.text("/f"), "# PermitRootLogin yes\nPort = 2222\nname=z\nnew=y\n");
    }

    #[test]
    fn a_commented_key_is_uncommented_unless_it_is_there() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "#PermitRootLogin yes\n#X a\nX b\n");
        machine
            .converge::<KeyValue>(&args(
                r##"{"name": "/f", "key_values": {"permitrootlogin": "no", "X": "c"}, "separator": " ", "uncomment": "#", "key_ignore_case": true}"##,
            ))
            .unwrap();
        assert_eq!(machine.files.text("/f"), "PermitRootLogin no\n#X a\nX c\n");
    }

    #[test]
    fn other_keys_go_when_asked() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "# c=d\na=1\nb=2\nword\n");
        machine
            .converge::<KeyValue>(&args(r#"{"name": "/f", "key": "a", "value": "3", "prune": true}"#))
            .unwrap();
        assert_eq!(machine.files.text("/f"), "# c=d\na=3\nword\n");
    }

    #[test]
    fn a_key_that_is_not_there_is_named() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "a=1\n");
        let done =
            machine.converge::<KeyValue>(&args(r#"{"name": "/f", "key": "b", "value": "2"}"#)).unwrap();
        assert!(done.comment.unwrap().contains("`b` is not in it"));
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "a=1\n").unwrap();
        machine
            .converge::<KeyValue>(&args(&format!(
                r#"{{"name": "{}", "key": "a", "value": "2"}}"#,
                file.display()
            )))
            .unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"a=2\n");
    }
}
