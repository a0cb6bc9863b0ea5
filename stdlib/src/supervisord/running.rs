//! `supervisord.running`

use super::client::{Supervisor, argument, check};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::{Path, User, Value};
use zester_stdlib_derive::Arguments;

/// A program of Supervisor runs. With `watch` it is restarted when what it watches changed.
///
/// ```yaml
/// worker:
///   supervisord.running:
///     - update: true
///     - watch:
///       - file: /etc/supervisor/conf.d/worker.conf
/// ```
#[derive(Arguments)]
#[state("supervisord.running", watches)]
pub(crate) struct Running {
    /// The program; `group:` for all of a group.
    #[arg(primary)]
    name: String,
    /// Whether it is restarted in every run.
    #[arg(default = false)]
    restart: bool,
    /// Whether Supervisor takes over a new configuration.
    #[arg(default = false)]
    update: bool,
    /// User to run as.
    user: Option<User>,
    /// Supervisor's configuration.
    conf_file: Option<Path>,
    /// The `supervisorctl`, or the Python environment that has it.
    bin_env: Option<Path>,
}

impl Running {
    fn supervisor(&self) -> Supervisor<'_> {
        Supervisor {
            bin_env: self.bin_env.as_deref(),
            conf_file: self.conf_file.as_deref(),
            user: self.user.as_deref(),
        }
    }

    /// Starts what does not run, and sees that all of it does.
    fn start(&self, cx: &Context) -> Result<(), Failure> {
        let supervisor = self.supervisor();
        let stands = |states: &[(String, String)]| {
            !states.is_empty()
                && states.iter().all(|(_, state)| matches!(state.as_str(), "RUNNING" | "STARTING"))
        };
        if !stands(&supervisor.find(cx, &self.name)?) {
            supervisor.act(cx, &["start", &argument(&self.name)])?;
        }
        let states = supervisor.find(cx, &self.name)?;
        if stands(&states) {
            return Ok(());
        }
        let states: Vec<String> =
            states.iter().map(|(program, state)| format!("{program} is {state}")).collect();
        Err(Failure::new(match states.as_slice() {
            [] => {
                format!("Supervisor knows no `{}`; `update: true` makes it read its configuration", self.name)
            }
            states => format!("`{}` was started and does not run: {}", self.name, states.join(", ")),
        }))
    }
}

impl State for Running {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check(name)?;
        let supervisor = self.supervisor();
        if !supervisor.is_there(cx) {
            if cx.test {
                let changes = Changes::from_iter([("state".to_owned(), change((), "RUNNING"))]);
                return Ok(Plan::change(
                    changes,
                    format!("would start `{name}`"),
                    |_| Ok(Outcome::default()),
                ));
            }
            return Err(Failure::new("this machine has no `supervisorctl`; install Supervisor before"));
        }
        let states = supervisor.find(cx, name)?;
        let mut changes = Changes::new();
        let pending = if self.update { supervisor.pending(cx, name)? } else { None };
        if let Some(what) = &pending {
            changes.insert("update".to_owned(), what.as_str().into());
        }
        if states.is_empty() && pending.is_none() && !cx.test {
            return Err(Failure::new(if self.update {
                format!("Supervisor knows no `{name}`, and its configuration has none")
            } else {
                format!("Supervisor knows no `{name}`; `update: true` makes it read its configuration")
            }));
        }
        let asleep = states.iter().find(|(_, state)| !matches!(state.as_str(), "RUNNING" | "STARTING"));
        if states.is_empty() || asleep.is_some() {
            changes.insert("state".to_owned(), change(asleep.map(|(_, state)| state.clone()), "RUNNING"));
        } else if self.restart && pending.is_none() {
            changes.insert("restart".to_owned(), Value::Bool(true));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{name}` runs")));
        }
        let restart = changes.contains_key("restart");
        Ok(Plan::change(changes, format!("`{name}` runs from now on"), move |cx| {
            let supervisor = self.supervisor();
            if pending.is_some() {
                let group = self.name.split(':').next().unwrap_or(&self.name);
                supervisor.act(cx, &["update", group])?;
            }
            if restart {
                supervisor.act(cx, &["restart", &argument(&self.name)])?;
            }
            self.start(cx)?;
            Ok(Outcome::default())
        }))
    }

    fn watched(&self, cx: &Context) -> Result<Option<Plan<'_>>, Failure> {
        if !self.supervisor().is_there(cx) {
            return Ok(None);
        }
        let changes = Changes::from_iter([("restart".to_owned(), Value::Bool(true))]);
        Ok(Some(Plan::change(changes, format!("`{}` is restarted", self.name), move |cx| {
            self.supervisor().act(cx, &["restart", &argument(&self.name)])?;
            self.start(cx)?;
            Ok(Outcome::default())
        })))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

    /// A machine whose Supervisor has these programs, and would find `new` in its configuration.
    pub(in super::super) fn machine(programs: &[(&str, &str)]) -> FakeMachine {
        let machine = FakeMachine::new();
        let programs: BTreeMap<String, String> =
            programs.iter().map(|(n, s)| ((*n).to_owned(), (*s).to_owned())).collect();
        let programs = Arc::new(Mutex::new(programs));
        machine.commands.on("supervisorctl", move |_, line| {
            let mut programs = programs.lock().unwrap();
            let words: Vec<&str> = line.split(' ').skip(1).collect();
            let mut set = |pattern: &str, state: &str| {
                let group = pattern.strip_suffix('*');
                for (name, now) in programs.iter_mut() {
                    if name == pattern || group.is_some_and(|g| name.starts_with(g)) {
                        state.clone_into(now);
                    }
                }
            };
            match words.as_slice() {
                ["start" | "restart", "broken"] => {
                    return Output { stdout: "broken: ERROR (spawn error)\n".into(), ..Output::default() };
                }
                ["start" | "restart", pattern] => set(pattern, "RUNNING"),
                ["stop", pattern] => set(pattern, "STOPPED"),
                ["update", name] => drop(programs.insert((*name).to_owned(), "STARTING".to_owned())),
                ["reread"] => {
                    let known = programs.contains_key("new");
                    let stdout = if known { "No config updates to processes\n" } else { "new: available\n" };
                    return Output { stdout: stdout.into(), ..Output::default() };
                }
                ["status"] => {
                    let stdout: Vec<String> =
                        programs.iter().map(|(n, s)| format!("{n:<33}{s:<10}pid 1\n")).collect();
                    return Output { status: 3, stdout: stdout.concat(), ..Output::default() };
                }
                _ => return Output { status: 2, stderr: format!("what is {line}?"), ..Output::default() },
            }
            Output::default()
        });
        machine
    }

    #[test]
    fn started_alone_or_as_a_group() {
        let machine =
            machine(&[("web", "STOPPED"), ("g:a", "RUNNING"), ("g:b", "FATAL"), ("broken", "FATAL")]);
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let outcome = machine.converge::<Running>(&args(r#"{"name": "web"}"#)).unwrap();
        assert_eq!(outcome.changes["state"], change("STOPPED", "RUNNING"));
        assert_eq!(
            machine.converge::<Running>(&args(r#"{"name": "g:"}"#)).unwrap().changes["state"],
            change("FATAL", "RUNNING")
        );
        assert!(machine.commands.lines().contains(&"supervisorctl start g:*".to_owned()));
        let failure = machine.converge::<Running>(&args(r#"{"name": "broken"}"#)).unwrap_err();
        assert!(failure.message.contains("spawn error"), "{}", failure.message);
    }

    #[test]
    fn a_new_configuration_and_a_watch() {
        let machine = machine(&[("web", "RUNNING")]);
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let outcome = machine.converge::<Running>(&args(r#"{"name": "new", "update": true}"#)).unwrap();
        assert_eq!(outcome.changes["update"], "available".into());
        let state =
            <Running as zester_compiler::types::Arguments>::from_values(&args(r#"{"name": "web"}"#)).unwrap();
        let cx = machine.context();
        state.watched(&cx).unwrap().unwrap().apply.unwrap()(&cx).unwrap();
        assert!(machine.commands.lines().contains(&"supervisorctl restart web".to_owned()));
    }
}
