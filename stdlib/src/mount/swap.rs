//! `mount.swap`

use super::{
    active::{device, unescape},
    fstab::{Entry, Table},
};
use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    file::path,
    provider::tool::{succeed, tool},
};
use zester_compiler::types::Path;
use zester_stdlib_derive::Arguments;

const LIST: &str = "/proc/swaps";

/// A device or file is used as swap, now and after the next boot.
///
/// ```yaml
/// /swapfile:
///   mount.swap: []
/// ```
#[derive(Arguments)]
#[state("mount.swap")]
pub(crate) struct Swap {
    /// The device or file, made with `mkswap` before.
    #[arg(primary)]
    name: String,
    /// Whether it is written into the table.
    #[arg(default = true)]
    persist: bool,
    /// The table of file systems.
    #[arg(default = "/etc/fstab")]
    config: Path,
}

impl State for Swap {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let text = cx.machine.files.read(LIST).map_err(|e| path::unreadable(LIST, &e))?;
        let text = String::from_utf8_lossy(&text);
        let wanted = device(cx, &self.name);
        if !wanted.starts_with('/') {
            return Err(Failure::new(format!("`{}` is not a device or a file's absolute path", self.name)));
        }
        let active = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
        let mut active = active.map(unescape);
        let mut changes = Changes::new();
        let on = !active.any(|name| device(cx, &name) == wanted);
        if on {
            changes.insert("swap".to_owned(), change(false, true));
        }
        let entry = Entry {
            device: self.name.clone(),
            point: "none".to_owned(),
            kind: "swap".to_owned(),
            options: "defaults".to_owned(),
            dump: 0,
            pass: 0,
        };
        entry.check()?;
        let table = Table::read(cx, &self.config)?;
        // Options that somebody gave the line are kept.
        let known = table.entries().into_iter().any(|e| e.kind == "swap" && device(cx, &e.device) == wanted);
        let write = self.persist && !known;
        if write {
            changes.insert("persist".to_owned(), change((), entry.line()));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{}` is used as swap", self.name)));
        }
        Ok(Plan::change(changes, format!("`{}` is used as swap from now on", self.name), move |cx| {
            if on {
                succeed(cx, tool("swapon", [wanted.as_str()]))?;
            }
            if write {
                table.put(cx, &entry)?;
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
    fn on_and_written_down() {
        let machine = FakeMachine::new();
        machine.files.put(LIST, "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 1 0 -2\n");
        machine.files.put("/etc/fstab", "/dev/sda2 none swap sw 0 0\n");
        let files = machine.files.clone();
        machine.commands.on("swapon /swapfile", move |_, _| {
            files.put(LIST, "Filename\n/swapfile file 1 0 -3\n/dev/sda2 partition 1 0 -2\n");
            Output::default()
        });
        let args = |json: &str| serde_json::from_str(json).unwrap();
        assert!(machine.converge::<Swap>(&args(r#"{"name": "/dev/sda2"}"#)).unwrap().changes.is_empty());
        assert_eq!(machine.converge::<Swap>(&args(r#"{"name": "/swapfile"}"#)).unwrap().changes.len(), 2);
        assert!(machine.files.text("/etc/fstab").ends_with("/swapfile\tnone\tswap\tdefaults\t0 0\n"));
    }
}
