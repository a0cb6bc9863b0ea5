//! `network.system`

use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    file::text,
    provider::{
        Ownership,
        tool::{succeed, tool},
    },
};
use zester_stdlib_derive::Arguments;

/// The name that the machine gets at its start.
const FILE: &str = "/etc/hostname";
/// The name that it has.
const NOW: &str = "/proc/sys/kernel/hostname";

/// The machine has this name: from its next start on, and with `apply_hostname` at once.
///
/// ```yaml
/// system:
///   network.system:
///     - hostname: web-1.example.com
///     - apply_hostname: true
/// ```
#[derive(Arguments)]
#[state("network.system")]
pub(crate) struct System {
    /// A name for the state.
    #[arg(primary)]
    name: String,
    /// The machine's name.
    #[arg(ty = Type::Hostname)]
    hostname: String,
    /// Whether it has the name at once.
    #[arg(default = false)]
    apply_hostname: bool,
    /// Whether the network is brought up.
    #[arg(inert = "the machine's own network service decides that")]
    enabled: Option<bool>,
    /// Whether other settings stay.
    #[arg(inert = "nothing else is changed")]
    retain_settings: Option<bool>,
    /// Whether a start is needed.
    #[arg(inert = "nothing here starts the machine anew")]
    require_reboot: Option<bool>,
}

/// The name in the file: its first line that is no comment.
fn named(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))
}

impl State for System {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let wanted = &self.hostname;
        let text = text::read(cx, FILE)?;
        let kept = text.as_deref().and_then(named).map(str::to_owned);
        let mut changes = Changes::new();
        let write = kept.as_ref() != Some(wanted);
        if write {
            changes.insert("hostname".to_owned(), change(kept, wanted.as_str()));
        }
        let has = if self.apply_hostname { text::read(cx, NOW)? } else { None };
        let has = has.as_deref().and_then(named).map(str::to_owned);
        let apply = self.apply_hostname && has.as_ref() != Some(wanted);
        if apply {
            changes.insert("now".to_owned(), change(has, wanted.as_str()));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{}`: the machine's name is `{wanted}`", self.name)));
        }
        let comment = format!("`{}`: the machine's name becomes `{wanted}`", self.name);
        Ok(Plan::change(changes, comment, move |cx| {
            if write {
                cx.machine
                    .files
                    .write(FILE, format!("{wanted}\n").as_bytes(), Ownership::default(), true)
                    .map_err(|e| Failure::new(format!("`{FILE}` could not be written: {e}")))?;
            }
            if apply {
                succeed(cx, tool("hostname", [wanted.as_str()]))?;
            }
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};

    #[test]
    fn now_and_at_the_next_start() {
        let machine = FakeMachine::new();
        machine.files.put("/etc/hostname", "# ours\nold\n");
        machine.files.put("/proc/sys/kernel/hostname", "old\n");
        let files = machine.files.clone();
        machine.commands.on("hostname ", move |_, line| {
            files.put("/proc/sys/kernel/hostname", line.strip_prefix("hostname ").unwrap());
            Output::default()
        });
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let later = machine.converge::<System>(&args(r#"{"name": "x", "hostname": "web-1"}"#)).unwrap();
        assert_eq!(later.changes["hostname"], change("old", "web-1"));
        assert_eq!(machine.files.text("/etc/hostname"), "web-1\n");
        assert!(machine.commands.lines().is_empty());
        let now = args(r#"{"name": "x", "hostname": "web-1", "apply_hostname": true}"#);
        let now = machine.converge::<System>(&now).unwrap();
        assert_eq!(now.changes.keys().collect::<Vec<_>>(), ["now"]);
        machine.commands.reply("hostname ", 1, "hostname: you must be root to change the host name\n");
        let refused = args(r#"{"name": "x", "hostname": "web-2", "apply_hostname": true}"#);
        let failure = machine.converge::<System>(&refused).unwrap_err();
        assert!(failure.message.contains("you must be root"), "{}", failure.message);
    }
}
