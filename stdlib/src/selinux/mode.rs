//! `selinux.mode`

use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    file::text,
    provider::{
        Ownership,
        tool::{succeed, tool},
    },
};
use zester_stdlib_derive::Arguments;

/// What says it at boot.
const FILE: &str = "/etc/selinux/config";

/// SELinux enforces its rules, only notes what they would forbid, or is off.
///
/// Between off and on lies a boot: then the state changes the file and says so.
///
/// ```yaml
/// enforcing:
///   selinux.mode: []
/// ```
#[derive(Arguments)]
#[state("selinux.mode")]
pub(crate) struct ModeOf {
    /// The mode.
    #[arg(primary, one_of("enforcing", "permissive", "disabled", "Enforcing", "Permissive", "Disabled"))]
    name: String,
}

fn setting(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("SELINUX=").map(str::trim)
}

impl State for ModeOf {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let wanted = self.name.to_ascii_lowercase();
        if !["enforcing", "permissive", "disabled"].contains(&wanted.as_str()) {
            return Err(Failure::new(format!("`{}` is none of enforcing, permissive, disabled", self.name)));
        }
        if cx.machine.commands.find("getenforce").is_none() && !cx.test {
            return Err(Failure::new("this machine has no SELinux: there is no `getenforce`"));
        }
        let running = match cx.machine.commands.find("getenforce") {
            Some(_) => succeed(cx, tool("getenforce", [""; 0]))?.stdout.trim().to_ascii_lowercase(),
            None => "disabled".to_owned(),
        };
        let text = text::read(cx, FILE)?.unwrap_or_default();
        let kept = text.lines().find_map(setting).map(str::to_ascii_lowercase);
        let mut changes = Changes::new();
        // The kernel switches between the two that are on; off and on need a boot.
        let switch = running != wanted && running != "disabled" && wanted != "disabled";
        if switch {
            changes.insert("running".to_owned(), change(running.as_str(), wanted.as_str()));
        }
        let write = kept.as_ref() != Some(&wanted);
        if write {
            changes.insert("config".to_owned(), change(kept, wanted.as_str()));
        }
        let boot = running != wanted && !switch;
        let later = if boot { format!("; it is {running} until the next boot") } else { String::new() };
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("SELinux is {wanted}{later}")));
        }
        Ok(Plan::change(changes, format!("SELinux becomes {wanted}{later}"), move |cx| {
            if switch {
                let number = if wanted == "enforcing" { "1" } else { "0" };
                succeed(cx, tool("setenforce", [number]))?;
            }
            if write {
                let mut new: String = text
                    .lines()
                    .map(|line| match setting(line) {
                        Some(_) => format!("SELINUX={wanted}\n"),
                        None => format!("{line}\n"),
                    })
                    .collect();
                if !text.lines().any(|line| setting(line).is_some()) {
                    new.push_str(&format!("SELINUX={wanted}\n"));
                }
                cx.machine
                    .files
                    .write(FILE, new.as_bytes(), Ownership::default(), true)
                    .map_err(|e| Failure::new(format!("`{FILE}` could not be written: {e}")))?;
            }
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::sync::{Arc, Mutex};

    #[test]
    fn now_and_at_boot() {
        let machine = FakeMachine::new();
        machine.files.put(FILE, "# x\nSELINUX=enforcing\nSELINUXTYPE=targeted\n");
        let mode = Arc::new(Mutex::new("Enforcing"));
        let asked = mode.clone();
        machine.commands.on("getenforce", move |_, _| Output {
            stdout: format!("{}\n", asked.lock().unwrap()),
            ..Output::default()
        });
        machine.commands.on("setenforce 0", move |_, _| {
            *mode.lock().unwrap() = "Permissive";
            Output::default()
        });
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let outcome = machine.converge::<ModeOf>(&args(r#"{"name": "Permissive"}"#)).unwrap();
        assert_eq!(outcome.changes["running"], change("enforcing", "permissive"));
        let outcome = machine.converge::<ModeOf>(&args(r#"{"name": "disabled"}"#)).unwrap();
        assert_eq!(
            outcome.comment.as_deref(),
            Some("SELinux becomes disabled; it is permissive until the next boot")
        );
        assert_eq!(machine.files.text(FILE), "# x\nSELINUX=disabled\nSELINUXTYPE=targeted\n");
    }
}
