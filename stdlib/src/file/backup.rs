//! Copies of files before they are replaced.

use super::path;
use crate::{Context, Failure, provider::Ownership};
use zester_compiler::types::{FromValue, Type, Value};

/// Where a copy of the old file is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Backup {
    /// Nowhere.
    #[default]
    None,
    /// Below the backup directory, with path and time in its name.
    Cache,
    /// Beside the file, with this suffix.
    Beside(String),
}

/// Directory of backups on the machine.
const BACKUP_DIR: &str = "/var/cache/zester/backup";

/// `minion`, `master`, `both` and `true` keep a copy; `false`, `null` and the empty text do not; a text that begins
/// with a dot is a suffix.
impl FromValue for Backup {
    fn ty() -> Type {
        Type::Str.or(Type::Bool)
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::Null | Value::Bool(false) => Self::None,
            Value::Bool(true) => Self::Cache,
            other => match other.to_string().as_str() {
                "" | "false" | "False" | "no" => Self::None,
                "minion" | "peel" | "master" | "both" | "true" | "True" | "yes" => Self::Cache,
                suffix if suffix.starts_with('.') || suffix.starts_with('~') => {
                    Self::Beside(suffix.to_owned())
                }
                other => {
                    return Err(format!(
                        "expected `minion` (a copy below {BACKUP_DIR}) or a suffix such as `.bak`, found `{other}`"
                    ));
                }
            },
        })
    }

    fn absent() -> Option<Self> {
        Some(Self::None)
    }
}

impl Backup {
    /// Where the copy will be, if that is known before it is made: in the backup directory its name has the time in it.
    pub(crate) fn beside(&self, path: &str) -> Option<String> {
        match self {
            Self::Beside(suffix) => Some(format!("{path}{suffix}")),
            Self::None | Self::Cache => None,
        }
    }

    /// Keeps a copy of `content`, which is about to be replaced at `path`. Gives the copy's path.
    pub(crate) fn keep(&self, cx: &Context, path: &str, content: &[u8]) -> Result<Option<String>, Failure> {
        let copy = match self {
            Self::None => return Ok(None),
            Self::Beside(suffix) => format!("{path}{suffix}"),
            Self::Cache => {
                let time = chrono::Local::now().format("%Y-%m-%dT%H-%M-%S%.6f");
                format!("{BACKUP_DIR}{path}_{time}")
            }
        };
        let parents = path::missing_parents(cx, &copy, true)?;
        let private = super::attributes::Attributes::mode(0o700);
        path::make_directories(cx, &parents, &private)?;
        let stat = path::stat(cx, path, true)?;
        let ownership = stat.map_or(Ownership::default(), |s| Ownership {
            uid: Some(s.uid),
            gid: Some(s.gid),
            mode: Some(s.mode),
        });
        cx.machine.files.write(&copy, content, ownership, false).map_err(|e| {
            Failure::new(format!("The backup `{copy}` cannot be written, so `{path}` is left as it is: {e}"))
        })?;
        Ok(Some(copy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    #[test]
    fn a_copy_is_kept_where_it_was_asked_for() {
        let machine = FakeMachine::new();
        let cx = machine.context();
        machine.files.put("/etc/a", "old");
        let copy = Backup::Cache.keep(&cx, "/etc/a", b"old").unwrap().unwrap();
        assert!(copy.starts_with("/var/cache/zester/backup/etc/a_"));
        assert_eq!(machine.files.text(&copy), "old");
        Backup::from_value(&".bak".into()).unwrap().keep(&cx, "/etc/a", b"old").unwrap();
        assert_eq!(machine.files.text("/etc/a.bak"), "old");
        assert!(Backup::from_value(&"somewhere".into()).is_err());
    }
}
