//! `pip.removed`: Python packages are not there.

use super::{client::Pip, installed::differences, requirement::Requirement};
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change, provider::tool::succeed};
use zester_compiler::types::{Path, User, Value};

/// Python packages are not installed.
#[derive(Arguments)]
#[state("pip.removed")]
pub(crate) struct Removed {
    /// The package.
    #[arg(primary)]
    name: String,
    /// Several packages instead of `name`.
    pkgs: Option<Vec<String>>,
    /// The environment: its directory, or its `pip`.
    #[arg(alias = "bin")]
    bin_env: Option<String>,
    /// User to run as.
    user: Option<User>,
    /// Directory.
    cwd: Option<Path>,
    /// Whether the machine's own packages may be changed although its distribution forbids it.
    #[arg(default = false)]
    break_system_packages: bool,
    /// A file of requirements.
    #[arg(inert = "name the packages with `pkgs`")]
    requirements: Option<Value>,
    /// The proxy.
    #[arg(inert = "a removal asks nobody")]
    proxy: Option<Value>,
    /// Seconds to wait for an answer.
    #[arg(inert = "a removal asks nobody")]
    timeout: Option<Value>,
    /// Where a log is written.
    #[arg(inert = "what went wrong is in the state's result")]
    log: Option<Value>,
}

impl State for Removed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let names = self.pkgs.clone().unwrap_or_else(|| vec![self.name.clone()]);
        let pip = match Pip::find(cx, self.bin_env.as_deref(), self.user.as_deref()) {
            Ok(pip) => pip.in_dir(self.cwd.as_deref()),
            Err(_) => return Ok(Plan::unchanged(format!("not installed: {}", names.join(", ")))),
        };
        let have = pip.list(cx)?;
        let mut targets = Vec::new();
        for text in &names {
            let wanted = Requirement::parse(text)?;
            if let Some((name, version)) = wanted.name.as_ref().and_then(|n| have.get_key_value(n))
                && wanted.satisfied_by(version)
            {
                targets.push((name.clone(), version.clone()));
            }
        }
        if targets.is_empty() {
            return Ok(Plan::unchanged(format!("not installed: {}", names.join(", "))));
        }
        let changes: Changes = targets.iter().map(|(n, v)| (n.clone(), change(v.clone(), ""))).collect();
        let comment = if cx.test { "would remove" } else { "removed" };
        Ok(Plan::change(changes, format!("{comment} {}", names.join(", ")), move |cx| {
            let mut args = vec!["uninstall".to_owned(), "--quiet".to_owned(), "--yes".to_owned()];
            if self.break_system_packages {
                args.push("--break-system-packages".to_owned());
            }
            args.extend(targets.into_iter().map(|(name, _)| name));
            let outcome = succeed(cx, pip.command(args));
            let changes = differences(&have, &pip.list(cx)?);
            outcome.map_err(|message| Failure::new(message).with_changes(changes.clone()))?;
            Ok(Outcome { changes, ..Outcome::default() })
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use zester_compiler::types::Map;

    #[test]
    fn what_is_there_goes() {
        let machine = FakeMachine::new();
        let gone = Arc::new(AtomicBool::new(false));
        let seen = gone.clone();
        machine.commands.on("/usr/bin/pip3 list", move |_, _| {
            let rest =
                if seen.load(Ordering::SeqCst) { "" } else { r#",{"name": "My_Tool", "version": "2"}"# };
            Output { stdout: format!(r#"[{{"name": "x", "version": "1"}}{rest}]"#), ..Output::default() }
        });
        machine.commands.on("/usr/bin/pip3 uninstall --quiet --yes my-tool", move |_, _| {
            gone.store(true, Ordering::SeqCst);
            Output::default()
        });
        let args = Map::from_iter([("name".to_owned(), Value::from("my.tool"))]);
        let outcome = machine.converge::<Removed>(&args).unwrap();
        assert_eq!(outcome.changes["my-tool"], change("2", ""));
    }
}
