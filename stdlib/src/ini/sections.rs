//! `ini.sections_present` and `ini.sections_absent`

use super::File;
use crate::{Changes, Context, Failure, Plan, State, change};
use zester_compiler::types::{Path, Value};
use zester_stdlib_derive::Arguments;

/// Sections are in a file; what is in them is left alone. `ini.options_present` gives them options.
///
/// ```yaml
/// /etc/app.ini:
///   ini.sections_present:
///     - sections:
///         - main
///         - log
/// ```
#[derive(Arguments)]
#[state("ini.sections_present")]
pub(crate) struct Present {
    /// The file's path. A file that is not there is made.
    #[arg(primary)]
    name: Path,
    /// Names of sections.
    #[arg(ty = Type::List(Box::new(Type::Any)).or(Type::Map(Box::new(Type::Any))))]
    sections: Option<Value>,
    /// What stands between an option and its value.
    #[arg(default = "=")]
    separator: String,
    /// How the file is read; UTF-8.
    encoding: Option<String>,
}

/// Sections are not in a file, nor is what was in them.
///
/// ```yaml
/// /etc/app.ini:
///   ini.sections_absent:
///     - sections:
///         - debug
/// ```
#[derive(Arguments)]
#[state("ini.sections_absent")]
pub(crate) struct Absent {
    /// The file's path.
    #[arg(primary)]
    name: Path,
    /// Names of sections.
    #[arg(ty = Type::List(Box::new(Type::Any)).or(Type::Map(Box::new(Type::Any))))]
    sections: Option<Value>,
    /// What stands between an option and its value.
    #[arg(default = "=")]
    separator: String,
    /// How the file is read; UTF-8.
    encoding: Option<String>,
}

/// The names that are given: a list's items (of a map in it the keys), a map's keys.
fn names(sections: Option<&Value>) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    match sections {
        Some(Value::List(list)) => {
            for item in list {
                match item {
                    Value::Map(map) => names.extend(map.keys().cloned()),
                    scalar => names.push(scalar.to_string()),
                }
            }
        }
        Some(Value::Map(map)) => names.extend(map.keys().cloned()),
        None | Some(Value::Null) => {}
        Some(single) => names.push(single.to_string()),
    }
    match names.iter().find(|name| name.is_empty() || name.contains(['\n', '\r'])) {
        Some(odd) => Err(format!("`{}` is not the name of a section", odd.escape_debug())),
        None => Ok(names),
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let file = File { name: &self.name, separator: &self.separator, encoding: self.encoding.as_deref() };
        let names = names(self.sections.as_ref())?;
        file.edit(cx, |document, changes: &mut Changes| {
            for name in names {
                if !document.has(&name) {
                    document.add(&name);
                    changes.insert(name.clone(), change((), name));
                }
            }
            Ok(())
        })
    }
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let file = File { name: &self.name, separator: &self.separator, encoding: self.encoding.as_deref() };
        let names = names(self.sections.as_ref())?;
        file.edit(cx, |document, changes: &mut Changes| {
            for name in names {
                if document.has(&name) {
                    let options = document.options(Some(&name)).into_iter();
                    let old: Changes = options.map(|(key, value)| (key, value.into())).collect();
                    document.remove(&name);
                    changes.insert(name, change(old, ()));
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

    #[test]
    fn sections_come_and_go() {
        let machine = FakeMachine::new();
        machine.files.put("/x", "[a]\nb = 1\n");
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let both = args(r#"{"name": "/x", "sections": ["a", "c"]}"#);
        assert_eq!(machine.converge::<Present>(&both).unwrap().changes.len(), 1);
        assert_eq!(machine.files.text("/x"), "[a]\nb = 1\n\n[c]\n");
        let first = args(r#"{"name": "/x", "sections": {"a": null}}"#);
        let outcome = machine.converge::<Absent>(&first).unwrap();
        assert_eq!(outcome.changes["a"].lookup("old/b", '/'), Some(&"1".into()));
        assert_eq!(machine.files.text("/x"), "[c]\n");
    }
}
