//! `docker_container.stopped`, `docker_container.absent`

use super::client::{act, check_name, inspect, stop, text};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Seconds;
use zester_stdlib_derive::Arguments;

/// A container does not run.
///
/// ```yaml
/// web:
///   docker_container.stopped:
///     - shutdown_timeout: 30
/// ```
#[derive(Arguments)]
#[state("docker_container.stopped")]
pub(crate) struct Stopped {
    /// The container.
    #[arg(primary)]
    name: String,
    /// Containers; the one that `name` says if there are none.
    containers: Vec<String>,
    /// How long it may take to end before it is ended.
    shutdown_timeout: Option<Seconds>,
    /// Whether one that is paused goes on, in order to end.
    #[arg(default = false)]
    unpause: bool,
    /// Whether it is an error that there is none.
    #[arg(default = true)]
    error_on_absent: bool,
}

impl State for Stopped {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let one = [self.name.clone()];
        let names = if self.containers.is_empty() { &one } else { self.containers.as_slice() };
        let mut changes = Changes::new();
        let mut stops: Vec<(String, bool)> = Vec::new();
        for name in names {
            check_name("container", name)?;
            let Some(container) = inspect(cx, "container", name)? else {
                if self.error_on_absent && !cx.test {
                    return Err(Failure::new(format!(
                        "there is no container `{name}`; `error_on_absent: false` takes that for stopped"
                    )));
                }
                continue;
            };
            let status = text(&container, "/State/Status").to_owned();
            let paused = status == "paused";
            if paused && !self.unpause {
                return Err(Failure::new(format!(
                    "the container `{name}` is paused; `unpause: true` lets it end"
                )));
            }
            if paused || matches!(status.as_str(), "running" | "restarting") {
                changes.insert(name.clone(), change(status, "stopped"));
                stops.push((name.clone(), paused));
            }
        }
        let all: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let all = all.join(", ");
        if stops.is_empty() {
            return Ok(Plan::unchanged(format!("{all} does not run")));
        }
        Ok(Plan::change(changes, format!("{all} is stopped"), move |cx| {
            for (name, paused) in stops {
                if paused {
                    act(cx, ["unpause", &name])?;
                }
                stop(cx, &name, self.shutdown_timeout)?;
            }
            Ok(Outcome::default())
        }))
    }
}

/// There is no such container.
///
/// ```yaml
/// web:
///   docker_container.absent:
///     - force: true
/// ```
#[derive(Arguments)]
#[state("docker_container.absent")]
pub(crate) struct Absent {
    /// The container.
    #[arg(primary)]
    name: String,
    /// Whether one that runs is removed, too.
    #[arg(default = false)]
    force: bool,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("container", name)?;
        let Some(container) = inspect(cx, "container", name)? else {
            return Ok(Plan::unchanged(format!("there is no container `{name}`")));
        };
        let status = text(&container, "/State/Status").to_owned();
        if matches!(status.as_str(), "running" | "restarting" | "paused") && !self.force {
            return Err(Failure::new(format!(
                "the container `{name}` is {status}; `force: true` removes it all the same"
            )));
        }
        let changes = Changes::from_iter([(name.clone(), change(status, ()))]);
        Ok(Plan::change(changes, format!("the container `{name}` is removed"), move |cx| {
            let force = self.force.then_some("--force");
            act(cx, ["rm"].into_iter().chain(force).chain([self.name.as_str()]))?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};
    use crate::provider::fake::FakeMachine;
    use serde_json::json;

    fn daemon(status: &str) -> FakeMachine {
        machine(&[("container web", json!({"State": {"Status": status}}))], |line, things| {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["stop", .., name] => {
                    things.insert(format!("container {name}"), json!({"State": {"Status": "exited"}}));
                }
                ["unpause", _] => {}
                ["rm", .., name] => drop(things.remove(&format!("container {name}"))),
                _ => return Err(format!("what is {line}?")),
            }
            Ok(())
        })
    }

    fn args(json: &str) -> zester_compiler::types::Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn stopped_in_its_time() {
        let machine = daemon("running");
        let wanted = args(r#"{"name": "x", "containers": ["web"], "shutdown_timeout": 2.5}"#);
        assert_eq!(
            machine.converge::<Stopped>(&wanted).unwrap().changes["web"],
            change("running", "stopped")
        );
        assert!(machine.commands.lines().contains(&"docker stop -t=3 web".to_owned()));
        let state = args(r#"{"name": "none", "error_on_absent": false}"#);
        assert!(machine.converge::<Stopped>(&state).unwrap().changes.is_empty());
        let paused = daemon("paused");
        let failure = paused.converge::<Stopped>(&args(r#"{"name": "web"}"#)).unwrap_err().message;
        assert!(failure.contains("`unpause: true`"), "{failure}");
        paused.converge::<Stopped>(&args(r#"{"name": "web", "unpause": true}"#)).unwrap();
        assert!(paused.commands.lines().contains(&"docker unpause web".to_owned()));
    }

    #[test]
    fn removed_when_it_does_not_run_or_by_force() {
        let failure = daemon("running").converge::<Absent>(&args(r#"{"name": "web"}"#)).unwrap_err().message;
        assert_eq!(failure, "the container `web` is running; `force: true` removes it all the same");
        let machine = daemon("running");
        let gone = machine.converge::<Absent>(&args(r#"{"name": "web", "force": true}"#)).unwrap();
        assert_eq!(gone.changes["web"], change("running", ()));
        assert!(machine.commands.lines().contains(&"docker rm --force web".to_owned()));
    }
}
