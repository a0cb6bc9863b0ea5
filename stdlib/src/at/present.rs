//! `at.present`

use super::queue::{check_tag, jobs, script};
use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    provider::tool::{succeed, tool},
};
use zester_compiler::types::User;
use zester_stdlib_derive::Arguments;

/// A command waits for its time. It waits once: where a job of this tag, or of this command, is there already, it stays as it is.
///
/// ```yaml
/// nightly rebuild:
///   at.present:
///     - job: /usr/local/bin/rebuild
///     - timespec: 02:30 tomorrow
///     - tag: rebuild
/// ```
#[derive(Arguments)]
#[state("at.present")]
pub(crate) struct Present {
    /// The command, where `job` does not name it.
    #[arg(primary)]
    name: String,
    /// When, in the words of `at`: `02:30 tomorrow`, `now + 1 hour`.
    timespec: String,
    /// The command.
    #[arg(ty = Type::Command)]
    job: Option<String>,
    /// A name by which the job is found again.
    tag: Option<String>,
    /// User to run as.
    user: Option<User>,
    /// Whether it waits once.
    #[arg(inert = "a job waits once in any case")]
    unique_tag: Option<bool>,
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check_tag(self.tag.as_deref())?;
        let when: Vec<String> = self.timespec.split_whitespace().map(str::to_owned).collect();
        if when.is_empty() || when.iter().any(|word| word.starts_with('-')) {
            return Err(Failure::new(format!(
                "`{}` is no time of `at`, such as `02:30 tomorrow`",
                self.timespec.escape_debug()
            )));
        }
        let command = self.job.as_deref().unwrap_or(&self.name);
        let found = jobs(cx, self.user.as_deref())?;
        let same = found.iter().find(|job| match &self.tag {
            Some(tag) => job.tag.as_ref() == Some(tag),
            None => job.runs(command),
        });
        if let Some(job) = same {
            return Ok(Plan::unchanged(format!("`{}` waits as job {} ({})", self.name, job.id, job.when)));
        }
        let mut changes = Changes::from_iter([
            ("job".to_owned(), change((), command)),
            ("timespec".to_owned(), change((), self.timespec.as_str())),
        ]);
        if let Some(tag) = &self.tag {
            changes.insert("tag".to_owned(), change((), tag.as_str()));
        }
        Ok(Plan::change(changes, format!("`{}` waits from now on", self.name), move |cx| {
            let mut at = tool("at", when.clone());
            at.stdin = Some(script(self.tag.as_deref(), command).into_bytes());
            at.runas =
                self.user.as_ref().map(|u| u.0.clone()).or_else(|| cx.runas.as_ref().map(|r| r.to_string()));
            succeed(cx, at)?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::queue::tests::machine, *};
    use zester_compiler::types::Arguments;

    #[test]
    fn a_command_waits_once() {
        let machine = machine(&[("ada", "make all\n")]);
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let same = args(r#"{"name": "x", "job": "make all", "timespec": "noon"}"#);
        assert!(machine.converge::<Present>(&same).unwrap().changes.is_empty());
        // Another user's is another job.
        let other = args(r#"{"name": "make all", "timespec": "noon", "user": "bob"}"#);
        assert_eq!(machine.converge::<Present>(&other).unwrap().changes.len(), 2);
        let tagged = args(r#"{"name": "make all", "timespec": "now + 1 hour", "tag": "build"}"#);
        let changes = machine.converge::<Present>(&tagged).unwrap().changes;
        assert_eq!(changes["tag"], change((), "build"));
        assert!(machine.commands.lines().contains(&"at now + 1 hour".to_owned()));
        let stdin = machine.commands.calls().into_iter().filter_map(|c| c.stdin).next_back().unwrap();
        assert_eq!(String::from_utf8(stdin).unwrap(), "### SALT: build\nmake all\n");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let machine = machine(&[]);
        let wrong = |json: &str| {
            machine.converge::<Present>(&serde_json::from_str(json).unwrap()).unwrap_err().message
        };
        assert!(wrong(r#"{"name": "x", "timespec": "-f /etc/shadow now"}"#).contains("no time of `at`"));
        assert!(wrong(r#"{"name": "x", "timespec": "noon", "tag": "a\nb"}"#).contains("of one line"));
        assert!(wrong(r#"{"name": "x", "timespec": "never"}"#).contains("Garbled time"));
        machine.commands.without("atq");
        let args = serde_json::from_str(r#"{"name": "x", "timespec": "noon"}"#).unwrap();
        let failure = Present::from_values(&args).unwrap().plan(&machine.context()).err().unwrap();
        assert_eq!(failure.message, "this machine has no `at`; install it before its jobs");
    }
}
