//! `cron.absent`: a command does not run at set times.

use super::{crontab, present::identifier, table::Table};
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Value;

/// A user's crontab has no line of this identifier or command.
#[derive(Arguments)]
#[state("cron.absent")]
pub(crate) struct Absent {
    /// The command.
    #[arg(primary, alias = "command")]
    name: String,
    /// Whose crontab it is.
    #[arg(default = "root")]
    user: String,
    /// What the line is known by; the command when not given.
    #[arg(ty = Type::Union(vec![Type::Bool, Type::Str]))]
    identifier: Option<Value>,
    /// Other schedules of the same command.
    #[arg(inert = "a line is known by its identifier or command alone")]
    special: Option<Value>,
    /// Minute.
    #[arg(inert = "a line is known by its identifier or command alone")]
    minute: Option<Value>,
    /// Hour.
    #[arg(inert = "a line is known by its identifier or command alone")]
    hour: Option<Value>,
    /// Day of the month.
    #[arg(inert = "a line is known by its identifier or command alone")]
    daymonth: Option<Value>,
    /// Month.
    #[arg(inert = "a line is known by its identifier or command alone")]
    month: Option<Value>,
    /// Day of the week.
    #[arg(inert = "a line is known by its identifier or command alone")]
    dayweek: Option<Value>,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let mut table = Table::parse(&crontab::read(cx, &self.user)?);
        let identifier = identifier(self.identifier.as_ref(), &self.name);
        let Some(job) = table.remove(identifier.as_deref(), &self.name) else {
            return Ok(Plan::unchanged(format!("`{}` is not in the crontab of `{}`", self.name, self.user)));
        };
        let line = format!("{} {}", job.schedule, job.command);
        let changes = Changes::from_iter([("job".to_owned(), change(line, ()))]);
        let comment = if cx.test { "would remove" } else { "removed" };
        let comment = format!("{comment} `{}` from the crontab of `{}`", job.command, self.user);
        Ok(Plan::change(changes, comment, move |cx| {
            crontab::write(cx, &self.user, &table.to_string())?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::Map;

    #[test]
    fn by_identifier_or_command() {
        let machine = FakeMachine::new();
        machine.commands.without("crontab");
        let path = "/var/spool/cron/crontabs/root";
        machine.files.put(path, "# SALT_CRON_IDENTIFIER:a\n@daily /bin/a\n1 1 * * * /bin/b\n");
        let args = |name: &str| Map::from_iter([("name".to_owned(), Value::from(name))]);
        machine.converge::<Absent>(&args("/bin/b")).unwrap();
        let by_id =
            Map::from_iter([("name".to_owned(), Value::from("x")), ("identifier".to_owned(), "a".into())]);
        machine.converge::<Absent>(&by_id).unwrap();
        assert_eq!(machine.files.text(path), "");
    }
}
