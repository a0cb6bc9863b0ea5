//! `at.absent`

use super::queue::{Job, check_tag, jobs};
use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    provider::tool::{succeed, tool},
};
use zester_compiler::types::User;
use zester_stdlib_derive::Arguments;

/// No such command waits for its time: that of a number, those of a tag, or with `limit: all` none at all.
///
/// ```yaml
/// rebuild:
///   at.absent:
///     - tag: rebuild
/// ```
#[derive(Arguments)]
#[state("at.absent", at_most_one_of("jobid", "tag", "limit"))]
pub(crate) struct Absent {
    /// The command, where nothing else says which job.
    #[arg(primary)]
    name: String,
    /// The job's number.
    jobid: Option<u64>,
    /// The jobs' tag.
    tag: Option<String>,
    /// `all`: every job that may be seen.
    #[arg(one_of("all"))]
    limit: Option<String>,
    /// Only jobs of this user.
    #[arg(alias = "runas")]
    user: Option<User>,
}

impl Absent {
    fn is_meant(&self, job: &Job) -> bool {
        match (&self.jobid, &self.tag, &self.limit) {
            (Some(id), ..) => job.id == id.to_string(),
            (_, Some(tag), _) => job.tag.as_ref() == Some(tag),
            (.., Some(_)) => true,
            _ => job.runs(&self.name),
        }
    }
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check_tag(self.tag.as_deref())?;
        // Without `at` nothing waits.
        if cx.machine.commands.find("atq").is_none() {
            return Ok(Plan::unchanged(format!("`{}`: nothing waits", self.name)));
        }
        let mut found = jobs(cx, self.user.as_deref())?;
        found.retain(|job| self.is_meant(job));
        if found.is_empty() {
            return Ok(Plan::unchanged(format!("`{}`: no such job waits", self.name)));
        }
        let changes: Changes =
            found.iter().map(|job| (job.id.clone(), change(job.when.as_str(), ()))).collect();
        Ok(Plan::change(changes, format!("`{}` waits no longer", self.name), move |cx| {
            for job in &found {
                succeed(cx, tool("atrm", [job.id.as_str()]))?;
            }
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::queue::tests::machine, *};

    #[test]
    fn jobs_go_by_number_tag_or_command() {
        let of = |json: &str| {
            let jobs =
                [("ada", "### SALT: build\nmake all\n"), ("bob", "make all\n"), ("bob", "make clean\n")];
            let machine = machine(&jobs);
            let changes = machine.converge::<Absent>(&serde_json::from_str(json).unwrap()).unwrap().changes;
            changes.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(of(r#"{"name": "x", "jobid": 2}"#), ["2"]);
        assert_eq!(of(r#"{"name": "x", "tag": "build"}"#), ["1"]);
        assert_eq!(of(r#"{"name": "make all"}"#), ["1", "2"]);
        assert_eq!(of(r#"{"name": "make all", "user": "bob"}"#), ["2"]);
        assert_eq!(of(r#"{"name": "x", "limit": "all"}"#), ["1", "2", "3"]);
        assert!(of(r#"{"name": "x"}"#).is_empty());
    }
}
