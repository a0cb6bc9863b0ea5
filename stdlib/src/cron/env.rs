//! `cron.env_present` and `cron.env_absent`: variables of a crontab.

use super::{crontab, table::Table};
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};

/// A variable stands in a user's crontab, above its jobs.
#[derive(Arguments)]
#[state("cron.env_present")]
pub(crate) struct EnvPresent {
    /// The variable.
    #[arg(primary)]
    name: String,
    /// Its value.
    value: String,
    /// Whose crontab it is.
    #[arg(default = "root")]
    user: String,
}

/// A variable does not stand in a user's crontab.
#[derive(Arguments)]
#[state("cron.env_absent")]
pub(crate) struct EnvAbsent {
    /// The variable.
    #[arg(primary)]
    name: String,
    /// Whose crontab it is.
    #[arg(default = "root")]
    user: String,
}

fn check(name: &str) -> Result<(), Failure> {
    if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Ok(());
    }
    Err(format!("`{name}` is not the name of a variable: it has letters, digits and underscores").into())
}

impl State for EnvPresent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check(&self.name)?;
        if self.value.contains('\n') {
            return Err(format!("the value of `{}` cannot hold a line break", self.name).into());
        }
        let mut table = Table::parse(&crontab::read(cx, &self.user)?);
        let old = table.variable(&self.name).map(str::to_owned);
        if old.as_ref() == Some(&self.value) {
            return Ok(Plan::unchanged(format!("`{}` is in the crontab of `{}`", self.name, self.user)));
        }
        table.set_variable(&self.name, &self.value);
        let changes = Changes::from_iter([(self.name.clone(), change(old, self.value.clone()))]);
        let comment = format!("`{}` in the crontab of `{}`", self.name, self.user);
        Ok(Plan::change(changes, comment, move |cx| {
            crontab::write(cx, &self.user, &table.to_string())?;
            Ok(Outcome::default())
        }))
    }
}

impl State for EnvAbsent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check(&self.name)?;
        let mut table = Table::parse(&crontab::read(cx, &self.user)?);
        let Some(old) = table.variable(&self.name).map(str::to_owned) else {
            return Ok(Plan::unchanged(format!("`{}` is not in the crontab of `{}`", self.name, self.user)));
        };
        table.remove_variable(&self.name);
        let changes = Changes::from_iter([(self.name.clone(), change(old, ()))]);
        let comment = format!("`{}` out of the crontab of `{}`", self.name, self.user);
        Ok(Plan::change(changes, comment, move |cx| {
            crontab::write(cx, &self.user, &table.to_string())?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::sync::{Arc, Mutex};
    use zester_compiler::types::{Map, Value};

    #[test]
    fn through_the_crontab_program() {
        let machine = FakeMachine::new();
        let table = Arc::new(Mutex::new(String::new()));
        let kept = table.clone();
        machine.commands.on("crontab -u root -l", move |_, _| {
            let stdout = kept.lock().unwrap().clone();
            if stdout.is_empty() {
                return Output { status: 1, stderr: "no crontab for root\n".into(), ..Output::default() };
            }
            Output { stdout, ..Output::default() }
        });
        let kept = table.clone();
        machine.commands.on("crontab -u root -", move |command, line| {
            assert!(!line.ends_with("-l"));
            *kept.lock().unwrap() = String::from_utf8(command.stdin.clone().unwrap()).unwrap();
            Output::default()
        });
        // Later rules come first, so listing has to be asked for again.
        let kept = table.clone();
        machine.commands.on("crontab -u root -l", move |_, _| {
            let stdout = kept.lock().unwrap().clone();
            let status = i32::from(stdout.is_empty());
            Output { status, stdout, stderr: "no crontab for root\n".into(), ..Output::default() }
        });
        let set =
            Map::from_iter([("name".to_owned(), Value::from("PATH")), ("value".to_owned(), "/bin".into())]);
        machine.converge::<EnvPresent>(&set).unwrap();
        assert!(table.lock().unwrap().contains("PATH=/bin\n"));
        let unset = Map::from_iter([("name".to_owned(), Value::from("PATH"))]);
        let outcome = machine.converge::<EnvAbsent>(&unset).unwrap();
        assert_eq!(outcome.changes["PATH"], change("/bin", ()));
    }
}
