//! Asking and running `firewall-cmd`.

use crate::{
    Changes, Context, Failure, change,
    provider::tool::{failure, run, succeed, tool},
};
use std::collections::BTreeSet;

/// Exit status of a question whose answer is no.
const NO: i32 = 1;

fn words<'w>(what: &'w str, rest: &'w [String]) -> impl Iterator<Item = String> + 'w {
    what.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).chain(rest.iter().cloned())
}

/// What the daemon says. Where a package of this run may bring it, a test run hears nothing.
pub(super) fn ask(cx: &Context, what: &str, rest: &[String]) -> Result<String, Failure> {
    if cx.machine.commands.find("firewall-cmd").is_none() {
        return if cx.test {
            Ok(String::new())
        } else {
            Err(Failure::new(
                "this machine has no `firewall-cmd`; install `firewalld` before its zones are set",
            ))
        };
    }
    Ok(succeed(cx, tool("firewall-cmd", words(what, rest)))?.stdout)
}

/// Whether the daemon says yes.
pub(super) fn holds(cx: &Context, what: &str, rest: &[String]) -> Result<bool, Failure> {
    if cx.test && cx.machine.commands.find("firewall-cmd").is_none() {
        return Ok(false);
    }
    let command = tool("firewall-cmd", words(what, rest));
    let output = run(cx, command.clone())?;
    match output.status {
        0 => Ok(true),
        NO => Ok(false),
        _ => Err(Failure::new(failure(&command, &output))),
    }
}

/// Does it.
pub(super) fn act(cx: &Context, what: &str, rest: &[String]) -> Result<(), Failure> {
    succeed(cx, tool("firewall-cmd", words(what, rest)))?;
    Ok(())
}

/// Something of which a zone or a service has several.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// Its name in changes.
    pub(super) name: &'static str,
    /// The option that lists them.
    pub(super) list: &'static str,
    /// The option that adds one.
    pub(super) add: &'static str,
    /// The option that removes one.
    pub(super) remove: &'static str,
    /// Whether each stands on a line of its own; otherwise blanks are between them.
    pub(super) lines: bool,
}

/// What becomes of the things of a kind.
pub(super) struct Difference {
    kind: Kind,
    add: Vec<String>,
    remove: Vec<String>,
}

impl Difference {
    /// From what there is to what is wanted; others stay unless they are pruned.
    pub(super) fn of(kind: Kind, have: &BTreeSet<String>, wanted: &[String], prune: bool) -> Self {
        let keep: BTreeSet<&String> = wanted.iter().collect();
        let mut add: Vec<String> = Vec::new();
        for one in wanted.iter().filter(|one| !have.contains(*one)) {
            if !add.contains(one) {
                add.push(one.clone());
            }
        }
        let remove = have.iter().filter(|one| prune && !keep.contains(one)).cloned().collect();
        Self { kind, add, remove }
    }

    /// Adds what changes, if anything does.
    pub(super) fn note(&self, have: &BTreeSet<String>, changes: &mut Changes) {
        if self.add.is_empty() && self.remove.is_empty() {
            return;
        }
        let mut new: BTreeSet<String> =
            have.iter().filter(|one| !self.remove.contains(one)).cloned().collect();
        new.extend(self.add.iter().cloned());
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<String>>();
        changes.insert(self.kind.name.to_owned(), change(list(have), list(&new)));
    }

    /// Makes it so; `of` names the zone or the service.
    pub(super) fn apply(&self, cx: &Context, of: &str) -> Result<(), Failure> {
        let one = |option: &str, value: &String| {
            act(cx, "--permanent", &[of.to_owned(), format!("{option}={value}")])
        };
        self.remove.iter().try_for_each(|value| one(self.kind.remove, value))?;
        self.add.iter().try_for_each(|value| one(self.kind.add, value))
    }
}

/// The things of a kind that a zone or a service has.
pub(super) fn list(cx: &Context, of: &str, kind: Kind) -> Result<BTreeSet<String>, Failure> {
    let text = ask(cx, "--permanent", &[of.to_owned(), kind.list.to_owned()])?;
    Ok(if kind.lines {
        text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect()
    } else {
        text.split_whitespace().map(str::to_owned).collect()
    })
}

/// Refuses what is no name of a zone or a service.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), Failure> {
    let good = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty() || !name.chars().all(good) {
        return Err(Failure::new(format!("`{}` is not the name of a {what}", name.escape_debug())));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use crate::provider::{Output, fake::FakeMachine};
    use std::{
        collections::{BTreeMap, BTreeSet},
        sync::{Arc, Mutex},
    };

    /// A machine whose daemon has a zone `public` with `ssh`, and the service `ssh` with its port.
    pub(in super::super) fn machine() -> FakeMachine {
        let machine = FakeMachine::new();
        let mut have: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        have.entry("--zone=public service".to_owned()).or_default().insert("ssh".to_owned());
        have.entry("--service=ssh port".to_owned()).or_default().insert("22/tcp".to_owned());
        let known = BTreeSet::from(["--zone=public".to_owned(), "--service=ssh".to_owned()]);
        let state = Arc::new(Mutex::new((known, have, "public".to_owned())));
        machine.commands.on("firewall-cmd", move |_, line| {
            let (known, have, default) = &mut *state.lock().unwrap();
            let said = |stdout: String| Output { stdout: stdout + "\n", ..Output::default() };
            let line = line.strip_prefix("firewall-cmd ").unwrap();
            let names = |known: &BTreeSet<String>, prefix: &str| {
                known.iter().filter_map(|k| k.strip_prefix(prefix)).collect::<Vec<_>>().join(" ")
            };
            let one = line.strip_prefix("--permanent ").unwrap_or(line);
            if one == "--reload" {
                return said("success".to_owned());
            } else if one == "--get-zones" {
                return said(names(known, "--zone="));
            } else if one == "--get-services" {
                return said(names(known, "--service="));
            } else if one == "--get-default-zone" {
                return said(default.clone());
            } else if let Some(zone) = one.strip_prefix("--set-default-zone=") {
                *default = zone.to_owned();
                return said("success".to_owned());
            } else if let Some(new) = one.strip_prefix("--new-") {
                known.insert(format!("--{new}"));
                return said("success".to_owned());
            }
            let (of, what) = one.split_once(' ').unwrap();
            assert!(known.contains(of), "{line}");
            let plural = |kind: &str| format!("{of} {}", kind.strip_suffix('s').unwrap_or(kind));
            if let Some(kind) = what.strip_prefix("--list-").or_else(|| what.strip_prefix("--get-")) {
                let all: Vec<String> =
                    have.get(&plural(kind)).into_iter().flatten().map(String::clone).collect();
                return said(all.join(if kind.contains("rule") || kind.contains("forward") {
                    "\n"
                } else {
                    " "
                }));
            } else if what == "--query-masquerade" {
                let yes = have.contains_key(&format!("{of} masquerade"));
                return Output { status: i32::from(!yes), ..Output::default() };
            } else if what == "--add-masquerade" {
                have.insert(format!("{of} masquerade"), BTreeSet::new());
            } else if what == "--remove-masquerade" {
                have.remove(&format!("{of} masquerade"));
            } else if let Some((kind, value)) = what
                .strip_prefix("--add-")
                .or_else(|| what.strip_prefix("--change-"))
                .and_then(|w| w.split_once('='))
            {
                if value == "nonsense" {
                    let stderr = "Error: INVALID_SERVICE: nonsense\n".to_owned();
                    return Output { status: 101, stderr, ..Output::default() };
                }
                have.entry(format!("{of} {kind}")).or_default().insert(value.to_owned());
            } else if let Some((kind, value)) = what.strip_prefix("--remove-").and_then(|w| w.split_once('='))
            {
                have.get_mut(&format!("{of} {kind}")).map(|all| all.remove(value));
            } else {
                panic!("{line}");
            }
            said("success".to_owned())
        });
        machine
    }
}
