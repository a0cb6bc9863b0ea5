//! `docker_volume.present`, `docker_volume.absent`

use super::{
    client::{act, check_name, inspect, text},
    rows::strings,
    text::{Named, pairs},
};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_stdlib_derive::Arguments;

/// A volume exists. One with another driver or other options keeps its data, and the state fails, unless `force` says to make it anew.
///
/// ```yaml
/// data:
///   docker_volume.present:
///     - driver: local
///     - driver_opts: {type: nfs, device: ":/export", o: addr=10.0.0.1}
/// ```
#[derive(Arguments)]
#[state("docker_volume.present")]
pub(crate) struct Present {
    /// The volume.
    #[arg(primary)]
    name: String,
    /// Its driver; `local` for a new one if nothing is said.
    driver: Option<String>,
    /// The driver's options, as a map or as `name=value`. `docker` takes them on its command line alone; a password belongs into a file that the driver
    /// reads.
    driver_opts: Named,
    /// Whether one that differs is removed, with its data, and made anew.
    #[arg(default = false)]
    force: bool,
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("volume", name)?;
        let options = pairs("driver_opts", &self.driver_opts, '=')?;
        let have = inspect(cx, "volume", name)?;
        let mut changes = Changes::new();
        if let Some(have) = &have {
            let driver = text(have, "/Driver");
            if let Some(wanted) = self.driver.as_deref().filter(|wanted| *wanted != driver) {
                changes.insert("driver".to_owned(), change(driver, wanted));
            }
            let old = strings(have.get("Options"));
            for (option, value) in options.iter().filter(|(option, value)| old.get(*option) != Some(value)) {
                // What it was may be a password of an earlier state, which nobody tells any more.
                let old = old.get(option).map(|_| "***");
                changes.insert(option.clone(), change(old, value.as_str()));
            }
            if changes.is_empty() {
                return Ok(Plan::unchanged(format!("the volume `{name}` is there")));
            }
            if !self.force {
                let names: Vec<&str> = changes.keys().map(String::as_str).collect();
                return Err(Failure::new(format!(
                    "the volume `{name}` differs in {}; `force: true` removes it, with its data, and makes it anew",
                    names.join(", ")
                )));
            }
        } else {
            changes.insert(name.clone(), change((), "a volume"));
        }
        let anew = have.is_some();
        Ok(Plan::change(changes, format!("the volume `{name}` is made"), move |cx| {
            if anew {
                act(cx, ["volume", "rm", &self.name])?;
            }
            let mut words = vec!["volume".to_owned(), "create".to_owned()];
            words.extend(self.driver.iter().map(|driver| format!("--driver={driver}")));
            words.extend(options.iter().map(|(option, value)| format!("--opt={option}={value}")));
            words.push(self.name.clone());
            act(cx, words)?;
            Ok(Outcome::default())
        }))
    }
}

/// There is no such volume. One that a container uses stays, and the daemon says which.
///
/// ```yaml
/// data:
///   docker_volume.absent: []
/// ```
#[derive(Arguments)]
#[state("docker_volume.absent")]
pub(crate) struct Absent {
    /// The volume.
    #[arg(primary)]
    name: String,
    /// Its driver.
    #[arg(inert = "a name is one volume, whatever its driver")]
    driver: Option<String>,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("volume", name)?;
        let is_there = inspect(cx, "volume", name)?.is_some();
        Ok(Plan::removal(("volume", name), is_there, move |cx| act(cx, ["volume", "rm", &self.name])))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};
    use crate::provider::fake::FakeMachine;
    use serde_json::json;

    fn daemon() -> FakeMachine {
        machine(
            &[("volume data", json!({"Name": "data", "Driver": "local", "Options": null}))],
            |line, things| {
                match line.split(' ').collect::<Vec<_>>()[..] {
                    ["volume", "rm", name] => drop(things.remove(&format!("volume {name}"))),
                    ["volume", "create", ref options @ .., name] => {
                        let options: serde_json::Map<_, _> = options
                            .iter()
                            .filter_map(|option| option.strip_prefix("--opt=")?.split_once('='))
                            .map(|(option, value)| (option.to_owned(), value.into()))
                            .collect();
                        things
                            .insert(format!("volume {name}"), json!({"Driver": "local", "Options": options}));
                    }
                    _ => return Err(format!("what is {line}?")),
                }
                Ok(())
            },
        )
    }

    fn args(json: &str) -> zester_compiler::types::Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn made_once_and_anew_by_force_alone() {
        let machine = daemon();
        assert!(machine.converge::<Present>(&args(r#"{"name": "data"}"#)).unwrap().changes.is_empty());
        let new = args(
            r#"{"name": "cache", "driver": "local", "driver_opts": ["type=tmpfs", {"device": "tmpfs"}]}"#,
        );
        machine.converge::<Present>(&new).unwrap();
        let line = "docker volume create --driver=local --opt=device=tmpfs --opt=type=tmpfs cache".to_owned();
        assert!(machine.commands.lines().contains(&line));
        let failure = machine
            .converge::<Present>(&args(r#"{"name": "data", "driver_opts": {"type": "nfs"}}"#))
            .unwrap_err()
            .message;
        assert!(failure.starts_with("the volume `data` differs in type; `force: true`"), "{failure}");
        let forced = args(r#"{"name": "data", "driver_opts": {"type": "nfs"}, "force": true}"#);
        assert_eq!(machine.converge::<Present>(&forced).unwrap().changes["type"], change((), "nfs"));
    }

    #[test]
    fn removed_once() {
        let machine = daemon();
        let gone = machine.converge::<Absent>(&args(r#"{"name": "data"}"#)).unwrap();
        assert_eq!(gone.changes["data"], change("a volume", ()));
    }
}
