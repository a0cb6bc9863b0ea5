//! `logrotate.set`

use super::document::Document;
use crate::{
    Context, Failure, Plan, State,
    file::{path, text},
};
use zester_compiler::types::{Path, Value};
use zester_stdlib_derive::Arguments;

/// A directive of logrotate's configuration is set: for all files, or with `setting` for those of the block `key`.
///
/// ```yaml
/// keep eight weeks:
///   logrotate.set:
///     - key: rotate
///     - value: 8
///
/// logins:
///   logrotate.set:
///     - key: /var/log/wtmp
///     - setting: rotate
///     - value: 2
/// ```
#[derive(Arguments)]
#[state("logrotate.set")]
pub(crate) struct Set {
    /// A name for the state.
    #[arg(primary)]
    name: String,
    /// The directive; with `setting` a file that is rotated.
    key: String,
    /// What it says; `true` where the directive stands alone, `false` takes it out.
    #[arg(ty = Type::Bool.or(Type::INT).or(Type::Str))]
    value: Value,
    /// The directive of a file's block.
    setting: Option<String>,
    /// The configuration.
    #[arg(default = "/etc/logrotate.conf")]
    conf_file: Path,
}

fn check(word: &str) -> Result<(), Failure> {
    let good = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if word.is_empty() || !word.chars().all(good) {
        return Err(Failure::new(format!(
            "`{}` is no directive of logrotate, such as `rotate`",
            word.escape_debug()
        )));
    }
    Ok(())
}

impl State for Set {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let (file, directive) = match &self.setting {
            Some(setting) => (Some(self.key.as_str()), setting.as_str()),
            None => (None, self.key.as_str()),
        };
        check(directive)?;
        if let Some(file) = file.filter(|file| file.contains(['\n', '{', '}']) || file.trim().is_empty()) {
            return Err(Failure::new(format!("`{}` is no file that is rotated", file.escape_debug())));
        }
        let value = match &self.value {
            Value::Bool(false) | Value::Null => None,
            Value::Bool(true) => Some(String::new()),
            other => Some(other.to_string()),
        };
        if value.as_ref().is_some_and(|value| value.contains('\n')) {
            return Err(Failure::new(format!("the value of `{directive}` has several lines; it is one")));
        }
        let conf = path::absolute(cx, &self.conf_file)?;
        let Some(old) = text::read(cx, &conf)? else { return text::missing(cx, &conf) };
        let mut document = Document::read(&old);
        // Blanks between words do not matter.
        let same = |have: &str, want: &str| have.split_whitespace().eq(want.split_whitespace());
        let is = match (document.get(file, directive), &value) {
            (Some(have), Some(want)) => same(&have, want),
            (None, None) => true,
            _ => false,
        };
        if is {
            return Ok(Plan::unchanged(format!("`{}`: `{directive}` is as it should be", self.name)));
        }
        document.set(file, directive, value.as_deref());
        text::Edit::new(conf).plan(cx, document.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    #[test]
    fn directives_are_set_and_taken_out() {
        let machine = FakeMachine::new();
        machine.files.put("/etc/logrotate.conf", "weekly\nrotate   4\n/var/log/wtmp {\n\trotate 1\n}\n");
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let set = |json: &str| machine.converge::<Set>(&args(json)).unwrap().changes.len();
        assert_eq!(set(r#"{"name": "x", "key": "rotate", "value": 4}"#), 0);
        assert_eq!(set(r#"{"name": "x", "key": "rotate", "value": "8"}"#), 1);
        assert_eq!(set(r#"{"name": "x", "key": "compress", "value": true}"#), 1);
        assert_eq!(set(r#"{"name": "x", "key": "weekly", "value": false}"#), 1);
        assert_eq!(set(r#"{"name": "x", "key": "/var/log/wtmp", "setting": "rotate", "value": 2}"#), 1);
        assert_eq!(
            machine.files.text("/etc/logrotate.conf"),
            "rotate 8\ncompress\n/var/log/wtmp {\n\trotate 2\n}\n"
        );
        let wrong = |json: &str| machine.converge::<Set>(&args(json)).unwrap_err().message;
        assert!(wrong(r#"{"name": "x", "key": "a b", "value": true}"#).contains("no directive of logrotate"));
        assert!(wrong(r#"{"name": "x", "key": "size", "value": "1\n2"}"#).contains("several lines"));
    }
}
