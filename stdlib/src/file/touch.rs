//! `file.touch`

use super::path;
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, provider::Ownership};
use std::time::{SystemTime, UNIX_EPOCH};
use zester_compiler::types::{Path, Value};
use zester_stdlib_derive::Arguments;

/// Makes sure that a file exists, and sets its times where they are given.
///
/// Without times an existing file is left alone, so that a second run has nothing to do; when a state it watches, or waits
/// for with `onchanges`, changed, its times become the present.
#[derive(Arguments)]
#[state("file.touch", watches)]
pub(crate) struct Touch {
    /// The file's path.
    #[arg(primary, alias = "path")]
    name: Path,
    /// Access time: seconds since the epoch, or a date.
    #[arg(ty = Type::Str)]
    atime: Option<Value>,
    /// Modification time: seconds since the epoch, or a date.
    #[arg(ty = Type::Str)]
    mtime: Option<Value>,
    /// Whether missing parents are made.
    #[arg(default = false)]
    makedirs: bool,
}

/// Seconds since the epoch of a number or a date (`2024-05-01`, `2024-05-01 12:00:00`, RFC 3339).
fn seconds(parameter: &str, value: &Value) -> Result<i64, Failure> {
    let text = value.to_string();
    if let Ok(number) = text.parse::<f64>() {
        return Ok(number as i64);
    }
    if let Ok(date) = chrono::DateTime::parse_from_rfc3339(&text) {
        return Ok(date.timestamp());
    }
    let local = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| chrono::NaiveDateTime::parse_from_str(&text, format).ok())
        .or_else(|| chrono::NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0));
    local
        .and_then(|date| date.and_local_timezone(chrono::Local).earliest())
        .map(|date| date.timestamp())
        .ok_or_else(|| {
            Failure::new(format!("`{parameter}: {text}` is neither a number of seconds nor a date"))
        })
}

impl Touch {
    fn set(
        &self,
        path: String,
        parents: Vec<String>,
        changes: Changes,
        new: bool,
        times: (Option<i64>, Option<i64>),
    ) -> Plan<'_> {
        let comment =
            if new { format!("`{path}` is made") } else { format!("The times of `{path}` are set") };
        Plan::change(changes, comment, move |cx| {
            let files = &cx.machine.files;
            if new {
                path::make_directories(cx, &parents, &super::attributes::Attributes::mode(0o755))?;
                files
                    .write(&path, b"", Ownership::default(), true)
                    .map_err(|e| Failure::new(format!("`{path}` cannot be made: {e}")))?;
            }
            if times != (None, None) {
                files
                    .set_times(&path, times.0, times.1)
                    .map_err(|e| Failure::new(format!("The times of `{path}` cannot be set: {e}")))?;
            }
            Ok(Outcome::default())
        })
    }
}

impl State for Touch {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let atime = self.atime.as_ref().map(|t| seconds("atime", t)).transpose()?;
        let mtime = self.mtime.as_ref().map(|t| seconds("mtime", t)).transpose()?;
        let Some(stat) = path::stat(cx, &target, true)? else {
            let parents = path::missing_parents(cx, &target, self.makedirs)?;
            let changes = Changes::from_iter([("file".to_owned(), change(Value::Null, target.as_str()))]);
            return Ok(self.set(target, parents, changes, true, (atime, mtime)));
        };
        let mut changes = Changes::new();
        for (name, wanted, is) in [("atime", atime, stat.accessed.0), ("mtime", mtime, stat.modified.0)] {
            if let Some(wanted) = wanted.filter(|w| *w != is) {
                changes.insert(name.to_owned(), change(is, wanted));
            }
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{target}` exists")));
        }
        Ok(self.set(target, Vec::new(), changes, false, (atime, mtime)))
    }

    fn watched(&self, cx: &Context) -> Result<Option<Plan<'_>>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let Some(stat) = path::stat(cx, &target, true)? else { return self.plan(cx).map(Some) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
        let changes = Changes::from_iter([("mtime".to_owned(), change(stat.modified.0, now))]);
        Ok(Some(self.set(target, Vec::new(), changes, false, (Some(now), Some(now)))))
    }

    fn reacts_to_onchanges(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{FileSystem, fake::FakeMachine};
    use zester_compiler::types::{Arguments, Map};

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_missing_file_is_made_once() {
        let machine = FakeMachine::new();
        machine.converge::<Touch>(&args(r#"{"name": "/d/f", "makedirs": true, "mtime": "1000"}"#)).unwrap();
        assert_eq!(machine.files.stat("/d/f", true).unwrap().unwrap().modified.0, 1000);
    }

    #[test]
    fn a_watched_change_sets_the_time() {
        let machine = FakeMachine::new();
        machine.files.put("/f", "kept");
        let cx = machine.context();
        let before = machine.files.stat("/f", true).unwrap().unwrap().modified.0;
        let state = Touch::from_values(&args(r#"{"name": "/f"}"#)).unwrap();
        (state.watched(&cx).unwrap().unwrap().apply.unwrap())(&cx).unwrap();
        assert!(machine.files.stat("/f", true).unwrap().unwrap().modified.0 > before);
        assert_eq!(machine.files.text("/f"), "kept");
    }

    #[test]
    fn dates_and_nonsense() {
        assert_eq!(seconds("mtime", &Value::from("1970-01-02T00:00:00Z")).unwrap(), 86_400);
        assert!(seconds("mtime", &Value::from("soon")).unwrap_err().message.contains("`mtime: soon`"));
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        machine
            .converge::<Touch>(&args(&format!(
                r#"{{"name": "{}", "mtime": "86400", "atime": 7}}"#,
                file.display()
            )))
            .unwrap();
        assert_eq!(
            std::fs::metadata(&file).unwrap().modified().unwrap(),
            UNIX_EPOCH + std::time::Duration::from_secs(86_400)
        );
    }
}
