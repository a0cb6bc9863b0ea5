//! `ini.options_present` and `ini.options_absent`

use super::{File, document::Document, note};
use crate::{Changes, Context, Failure, Plan, State, change};
use zester_compiler::types::{Map, Path, Value};
use zester_stdlib_derive::Arguments;

/// Options have these values in a file of sections. Other options, comments and blanks stay as they are.
///
/// ```yaml
/// /etc/php/8.2/fpm/php.ini:
///   ini.options_present:
///     - sections:
///         PHP:
///           memory_limit: 256M
///           display_errors: "Off"
/// ```
#[derive(Arguments)]
#[state("ini.options_present")]
pub(crate) struct Present {
    /// The file's path. A file that is not there is made.
    #[arg(primary)]
    name: Path,
    /// Sections with their options; an option beside them stands outside of all sections.
    sections: Map,
    /// What stands between an option and its value.
    #[arg(default = "=")]
    separator: String,
    /// Whether everything else is removed.
    #[arg(default = false)]
    strict: bool,
    /// How the file is read; UTF-8.
    encoding: Option<String>,
    /// Whether no blanks stand around the separator.
    #[arg(default = false)]
    no_spaces: bool,
}

/// Options are not in a file of sections.
///
/// ```yaml
/// /etc/php/8.2/fpm/php.ini:
///   ini.options_absent:
///     - sections:
///         PHP:
///           - disable_functions
/// ```
#[derive(Arguments)]
#[state("ini.options_absent")]
pub(crate) struct Absent {
    /// The file's path.
    #[arg(primary)]
    name: Path,
    /// Sections with the names of options; a name beside them stands outside of all sections.
    #[arg(ty = Type::Map(Box::new(Type::Any)).or(Type::List(Box::new(Type::Any))))]
    sections: Option<Value>,
    /// What stands between an option and its value.
    #[arg(default = "=")]
    separator: String,
    /// How the file is read; UTF-8.
    encoding: Option<String>,
}

/// A value as Salt writes it: true and false with capitals.
fn written(key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::Bool(true) => Ok("True".to_owned()),
        Value::Bool(false) => Ok("False".to_owned()),
        Value::Null => Err(format!("option `{key}` has no value; an empty one is `''`")),
        Value::List(_) | Value::Map(_) => {
            Err(format!("the value of option `{key}` is {}, not a text", value.describe()))
        }
        scalar => Ok(scalar.to_string()),
    }
}

impl Present {
    /// Refuses what would be read back as something else.
    fn check(&self, section: Option<&str>, key: &str, value: &str) -> Result<(), String> {
        if let Some(odd) = section.filter(|name| name.is_empty() || name.contains(['\n', '\r'])) {
            return Err(format!("`{}` is not the name of a section", odd.escape_debug()));
        }
        let separator = if self.separator.trim().is_empty() { " " } else { self.separator.trim() };
        if key.trim() != key
            || key.is_empty()
            || key.contains(['\n', '\r'])
            || key.contains(separator)
            || key.starts_with(['#', ';', '['])
        {
            return Err(format!(
                "`{}` is not the name of an option in a file with `{separator}`",
                key.escape_debug()
            ));
        }
        let odd = value
            .trim_end()
            .lines()
            .skip(1)
            .find(|l| l.trim().is_empty() || l.trim_start().starts_with(['#', ';', '[']));
        match odd {
            Some(line) => Err(format!(
                "the value of option `{key}` has the line `{line}`, which would not be read as a part of it"
            )),
            None => Ok(()),
        }
    }

    fn put(
        &self,
        document: &mut Document,
        changes: &mut Changes,
        section: Option<&str>,
        key: &str,
        value: &Value,
    ) -> Result<(), String> {
        let new = written(key, value)?;
        self.check(section, key, &new)?;
        let old = document.get(section, key);
        // Lines that go on with a value are read without the blanks before them.
        let same = |old: &String| old.lines().map(str::trim).eq(new.trim_end().lines().map(str::trim));
        if old.as_ref().is_some_and(same) {
            return Ok(());
        }
        document.set(section, key, new.trim_end(), self.no_spaces);
        note(changes, section, key, change(old, new));
        Ok(())
    }

    /// Removes what the state does not name.
    fn prune(&self, document: &mut Document, changes: &mut Changes) {
        for (key, old) in document.options(None) {
            if self.sections.get(&key).is_none_or(|v| v.as_map().is_some()) {
                document.unset(None, &key);
                note(changes, None, &key, change(old, ()));
            }
        }
        for name in document.names() {
            let Some(wanted) = self.sections.get(&name).and_then(Value::as_map) else {
                document.remove(&name);
                changes.insert(name.clone(), change(name, ()));
                continue;
            };
            for (key, old) in document.options(Some(&name)) {
                if !wanted.contains_key(&key) {
                    document.unset(Some(&name), &key);
                    note(changes, Some(&name), &key, change(old, ()));
                }
            }
        }
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let file = File { name: &self.name, separator: &self.separator, encoding: self.encoding.as_deref() };
        file.edit(cx, |document, changes| {
            if self.strict {
                self.prune(document, changes);
            }
            for (name, value) in &self.sections {
                match value {
                    Value::Map(options) => {
                        for (key, value) in options {
                            self.put(document, changes, Some(name), key, value)?;
                        }
                    }
                    // A section with nothing in it.
                    Value::Null => {}
                    scalar => self.put(document, changes, None, name, scalar)?,
                }
            }
            Ok(())
        })
    }
}

/// The names that a value stands for: a list's items, a map's keys.
fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::List(list) => list.iter().map(Value::to_string).collect(),
        Value::Map(map) => map.keys().cloned().collect(),
        Value::Null => Vec::new(),
        scalar => vec![scalar.to_string()],
    }
}

/// Section (or none) and option, for all that are to go.
fn removed(sections: &Value) -> Vec<(Option<String>, String)> {
    let mut all = Vec::new();
    let mut add_map = |map: &Map| {
        for (name, value) in map {
            match value {
                Value::List(_) | Value::Map(_) => {
                    all.extend(keys(value).into_iter().map(|key| (Some(name.clone()), key)));
                }
                _ => all.push((None, name.clone())),
            }
        }
    };
    match sections {
        Value::Map(map) => add_map(map),
        Value::List(list) => {
            list.iter().filter_map(Value::as_map).for_each(&mut add_map);
            let single = list.iter().filter(|item| item.as_map().is_none());
            all.extend(single.map(|name| (None, name.to_string())));
        }
        _ => {}
    }
    all
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let file = File { name: &self.name, separator: &self.separator, encoding: self.encoding.as_deref() };
        file.edit(cx, |document, changes| {
            for (section, key) in self.sections.as_ref().map(removed).unwrap_or_default() {
                let section = section.as_deref();
                if let Some(old) = document.get(section, &key) {
                    document.unset(section, &key);
                    note(changes, section, &key, change(old, ()));
                }
            }
            Ok(())
        })
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
    fn options_come_and_go() {
        let machine = FakeMachine::new();
        machine.files.put("/etc/app.ini", "; ours\n[main]\nport=80\nold = x\n");
        let wanted = args(
            r#"{"name": "/etc/app.ini", "sections": {"root": "r", "main": {"port": 81, "on": true}, "log": {"level": "info"}}}"#,
        );
        let outcome = machine.converge::<Present>(&wanted).unwrap();
        assert_eq!(outcome.changes["main"].lookup("port", '/'), Some(&change("80", "81")));
        assert_eq!(outcome.changes["root"], change((), "r"));
        assert_eq!(
            machine.files.text("/etc/app.ini"),
            "; ours\nroot = r\n[main]\nport=81\nold = x\non = True\n\n[log]\nlevel = info\n"
        );
        let gone = args(r#"{"name": "/etc/app.ini", "sections": {"main": ["old", "none"], "root": null}}"#);
        assert_eq!(machine.converge::<Absent>(&gone).unwrap().changes.len(), 2);
        assert_eq!(
            machine.files.text("/etc/app.ini"),
            "; ours\n[main]\nport=81\non = True\n\n[log]\nlevel = info\n"
        );
    }

    #[test]
    fn strict_removes_what_is_not_named() {
        let machine = FakeMachine::new();
        machine.files.put("/x", "a = 1\n[s]\nb = 2\nc = 3\n[t]\nd = 4\n");
        let wanted = args(r#"{"name": "/x", "strict": true, "sections": {"s": {"b": 2}}}"#);
        let outcome = machine.converge::<Present>(&wanted).unwrap();
        assert_eq!(outcome.changes.keys().collect::<Vec<_>>(), ["a", "s", "t"]);
        assert_eq!(machine.files.text("/x"), "[s]\nb = 2\n");
    }

    #[test]
    fn a_new_file_values_of_several_lines_and_refusals() {
        let machine = FakeMachine::new();
        machine.files.put_dir("/etc");
        let wanted =
            args(r#"{"name": "/etc/n", "no_spaces": true, "sections": {"s": {"b": "one\n two\n"}}}"#);
        machine.converge::<Present>(&wanted).unwrap();
        assert_eq!(machine.files.text("/etc/n"), "[s]\nb=one\n\t two\n");
        let list = args(r#"{"name": "/etc/n", "sections": {"s": {"b": [1]}}}"#);
        let message = machine.converge::<Present>(&list).unwrap_err().message;
        assert_eq!(message, "the value of option `b` is a list, not a text");
        let odd = args(r#"{"name": "/etc/n", "encoding": "utf-16"}"#);
        assert!(machine.converge::<Present>(&odd).unwrap_err().message.contains("utf-16"));
    }
}
