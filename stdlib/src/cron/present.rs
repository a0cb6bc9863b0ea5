//! `cron.present`: a command runs at set times.

use super::{
    crontab,
    table::{Job, Table},
};
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Value;

/// A user's crontab runs a command at set times.
///
/// The line is known by `identifier`, by default the command itself: with an `identifier` of its own a command can be
/// changed later.
#[derive(Arguments)]
#[state("cron.present")]
pub(crate) struct Present {
    /// The command.
    #[arg(primary, alias = "command")]
    name: String,
    /// Whose crontab it is.
    #[arg(default = "root")]
    user: String,
    /// Minute; `random` takes one and keeps it.
    #[arg(default = "*", ty = field_type(0, 59))]
    minute: String,
    /// Hour; `random` takes one and keeps it.
    #[arg(default = "*", ty = field_type(0, 23))]
    hour: String,
    /// Day of the month; `random` takes one and keeps it.
    #[arg(default = "*", ty = field_type(1, 31))]
    daymonth: String,
    /// Month; `random` takes one and keeps it.
    #[arg(default = "*", ty = field_type(1, 12))]
    month: String,
    /// Day of the week, 0 or 7 is Sunday; `random` takes one and keeps it.
    #[arg(default = "*", ty = field_type(0, 7))]
    dayweek: String,
    /// `@daily` and its like, in place of the five fields.
    special: Option<String>,
    /// What the line is known by; `false` for nothing.
    #[arg(ty = Type::Union(vec![Type::Bool, Type::Str]))]
    identifier: Option<Value>,
    /// A remark above the line.
    comment: Option<String>,
    /// Whether the line is commented out.
    #[arg(default = false)]
    commented: bool,
}

/// A field of a crontab, or `random`.
fn field_type(min: u8, max: u8) -> zester_compiler::types::Type {
    use zester_compiler::types::Type;
    Type::Union(vec![Type::CronField { min, max }, Type::Enum(vec!["random".to_owned()])])
}

/// The identifier that a parameter means: by default the command itself, none when it is `false`.
pub(super) fn identifier(parameter: Option<&Value>, command: &str) -> Option<String> {
    match parameter {
        Some(Value::Bool(false)) => None,
        None | Some(Value::Bool(true) | Value::Null) => Some(command.to_owned()),
        Some(text) => Some(text.to_string()),
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        if let Some(odd) = [&self.name, &self.user].into_iter().find(|t| t.contains('\n')) {
            return Err(format!(
                "a line of a crontab cannot hold a line break: `{}`",
                odd.replace('\n', "\\n")
            )
            .into());
        }
        let old_text = crontab::read(cx, &self.user)?;
        let mut table = Table::parse(&old_text);
        let identifier = identifier(self.identifier.as_ref(), &self.name);
        let old = table.job(identifier.as_deref(), &self.name).cloned();
        let new = Job {
            schedule: self.schedule(old.as_ref())?,
            command: self.name.clone(),
            identifier,
            comment: self.comment.as_ref().map(|c| c.trim().to_owned()).filter(|c| !c.is_empty()),
            commented: self.commented,
        };
        if old.as_ref() == Some(&new) {
            return Ok(Plan::unchanged(format!("`{}` is in the crontab of `{}`", self.name, self.user)));
        }
        let changes = differences(old.as_ref(), &new);
        table.put(new);
        let comment = match (cx.test, old.is_some()) {
            (true, true) => "would change",
            (true, false) => "would add",
            (false, true) => "changed",
            (false, false) => "added",
        };
        let comment = format!("{comment} `{}` in the crontab of `{}`", self.name, self.user);
        Ok(Plan::change(changes, comment, move |cx| {
            crontab::write(cx, &self.user, &table.to_string())?;
            Ok(Outcome::default())
        }))
    }
}

fn differences(old: Option<&Job>, new: &Job) -> Changes {
    let mut changes = Changes::new();
    let mut add = |name: &str, old: Option<Value>, new: Value| {
        if old.as_ref() != Some(&new) {
            changes.insert(name.to_owned(), change(old, new));
        }
    };
    add("command", old.map(|o| o.command.as_str().into()), new.command.as_str().into());
    add("schedule", old.map(|o| o.schedule.as_str().into()), new.schedule.as_str().into());
    if old.map(|o| &o.identifier) != Some(&new.identifier) {
        add("identifier", old.map(|o| o.identifier.clone().into()), new.identifier.clone().into());
    }
    if old.map_or(&None, |o| &o.comment) != &new.comment {
        add("comment", old.map(|o| o.comment.clone().into()), new.comment.clone().into());
    }
    if old.is_some_and(|o| o.commented) != new.commented {
        add("commented", old.map(|o| o.commented.into()), new.commented.into());
    }
    changes
}

impl Present {
    /// The schedule's text. A `random` field keeps the number that is there.
    fn schedule(&self, old: Option<&Job>) -> Result<String, Failure> {
        if let Some(special) = &self.special {
            const SPECIALS: [&str; 8] =
                ["@reboot", "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"];
            let special = if special.starts_with('@') { special.clone() } else { format!("@{special}") };
            if !SPECIALS.contains(&special.as_str()) {
                return Err(format!("`{special}` is none of {}", SPECIALS.join(", ")).into());
            }
            return Ok(special);
        }
        let before: Vec<&str> = old.map(|o| o.schedule.split(' ').collect()).unwrap_or_default();
        let fields = [
            (&self.minute, 0, 59),
            (&self.hour, 0, 23),
            (&self.daymonth, 1, 28),
            (&self.month, 1, 12),
            (&self.dayweek, 0, 6),
        ];
        let mut schedule = Vec::with_capacity(5);
        for (at, (field, min, max)) in fields.into_iter().enumerate() {
            let kept = before.get(at).filter(|f| before.len() == 5 && f.parse::<u8>().is_ok());
            schedule.push(match (field.eq_ignore_ascii_case("random"), kept) {
                (true, Some(kept)) => (*kept).to_owned(),
                (true, None) => {
                    // The same command gets the same number on every plan of a run, and on every machine another.
                    (min + self.seed()? % (max - min + 1)).to_string()
                }
                (false, _) => field.split_whitespace().collect::<String>(),
            });
        }
        Ok(schedule.join(" "))
    }

    /// A number that depends on the machine and the command.
    fn seed(&self) -> Result<u8, Failure> {
        let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
        let hash =
            <sha2::Sha256 as sha2::Digest>::digest([machine.as_slice(), self.name.as_bytes()].concat());
        hash.first().copied().ok_or_else(|| Failure::new("no hash could be made"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::Map;

    fn machine() -> FakeMachine {
        let machine = FakeMachine::new();
        machine.commands.without("crontab");
        machine.files.put("/var/spool/cron/crontabs/root", "MAILTO=ops\n7 7 * * * /bin/own\n");
        machine
    }

    fn args(pairs: &[(&str, Value)]) -> Map {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
    }

    fn root_table(machine: &FakeMachine) -> String {
        machine.files.text("/var/spool/cron/crontabs/root")
    }

    #[test]
    fn a_line_is_added_changed_and_known_again() {
        let machine = machine();
        let first = args(&[
            ("name", "/bin/backup".into()),
            ("identifier", "backup".into()),
            ("minute", "5".into()),
            ("hour", "*/2".into()),
        ]);
        let outcome = machine.converge::<Present>(&first).unwrap();
        assert_eq!(outcome.changes["schedule"], change((), "5 */2 * * *"));
        let second = args(&[
            ("name", "/bin/backup --all".into()),
            ("identifier", "backup".into()),
            ("special", "@daily".into()),
            ("comment", "nightly".into()),
        ]);
        let outcome = machine.converge::<Present>(&second).unwrap();
        assert_eq!(outcome.changes["command"], change("/bin/backup", "/bin/backup --all"));
        assert_eq!(
            root_table(&machine),
            "MAILTO=ops\n7 7 * * * /bin/own\n# nightly SALT_CRON_IDENTIFIER:backup\n@daily /bin/backup --all\n"
        );
    }

    #[test]
    fn random_fields_stay_as_they_are() {
        let machine = machine();
        let random = args(&[("name", "x".into()), ("minute", "random".into()), ("hour", "3".into())]);
        machine.converge::<Present>(&random).unwrap();
        let moved = root_table(&machine);
        machine.converge::<Present>(&random).unwrap();
        assert_eq!(root_table(&machine), moved);
    }

    #[test]
    fn a_missing_user_and_a_missing_cron_are_said() {
        let machine = FakeMachine::new();
        machine.commands.without("crontab");
        let nobody = args(&[("name", "x".into()), ("user", "gone".into())]);
        let state: Present = zester_compiler::types::Arguments::from_values(&nobody).unwrap();
        let Err(failure) = state.plan(&machine.context()) else { panic!("there is no such user") };
        assert!(failure.message.contains("no user `gone`"), "{}", failure.message);
        let failure = machine.converge::<Present>(&args(&[("name", "x".into())])).unwrap_err();
        assert!(failure.message.contains("no cron on this machine"), "{}", failure.message);
    }
}
