//! `mount.unmounted`

use super::{active, fstab::Table};
use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    file::path,
    provider::tool::{succeed, tool},
};
use zester_compiler::types::Path;
use zester_stdlib_derive::Arguments;

/// Nothing is mounted at a place.
///
/// ```yaml
/// /mnt/old:
///   mount.unmounted:
///     - persist: true
/// ```
#[derive(Arguments)]
#[state("mount.unmounted")]
pub(crate) struct Unmounted {
    /// The place.
    #[arg(primary)]
    name: Path,
    /// Only what is on this device is unmounted.
    device: Option<String>,
    /// The table of file systems.
    #[arg(default = "/etc/fstab")]
    config: Path,
    /// Whether it is taken out of the table, too.
    #[arg(default = false)]
    persist: bool,
    /// The user who unmounts it.
    user: Option<String>,
}

impl State for Unmounted {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let point = path::absolute(cx, &self.name)?;
        let wanted = self.device.as_ref().map(|name| active::device(cx, name));
        let is_device = |name: &str| wanted.as_ref().is_none_or(|w| active::device(cx, name) == *w);
        let mut changes = Changes::new();
        let all = active::all(cx)?;
        let found = active::at(&all, &point).filter(|mount| is_device(&mount.device));
        if let Some(mount) = found {
            changes.insert("mount".to_owned(), change(mount.device.as_str(), ()));
        }
        // Several may lie on each other.
        let depth = all.iter().filter(|m| m.point == point && is_device(&m.device)).count();
        let table = Table::read(cx, &self.config)?;
        let same = |at: &str| at.trim_end_matches('/') == point.trim_end_matches('/');
        let entry = table.entries().into_iter().find(|e| same(&e.point) && is_device(&e.device));
        let entry = entry.filter(|_| self.persist);
        if let Some(entry) = &entry {
            changes.insert("persist".to_owned(), change(entry.line(), ()));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("nothing is mounted at `{point}`")));
        }
        let unmount = found.is_some();
        Ok(Plan::change(changes, format!("`{point}` is unmounted"), move |cx| {
            for _ in 0..if unmount { depth } else { 0 } {
                let mut command = tool("umount", [point.as_str()]);
                command.runas = self.user.clone().or_else(|| cx.runas.as_ref().map(|r| r.to_string()));
                succeed(cx, command)?;
            }
            if let Some(gone) = &entry {
                table.remove(cx, |e| e.point == gone.point && e.device == gone.device)?;
            }
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::mounted::tests::machine, *};

    #[test]
    fn unmounted_and_taken_out() {
        let machine = machine();
        let list = machine.files.text("/proc/self/mountinfo");
        machine
            .files
            .put("/proc/self/mountinfo", format!("{list}40 22 8:17 / /mnt/old rw - xfs /dev/sdb1 rw\n"));
        machine.files.put("/etc/fstab", "/dev/sdb1 /mnt/old xfs defaults 0 0\n# end\n");
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let other = args(r#"{"name": "/mnt/old", "device": "/dev/sdc1"}"#);
        assert!(machine.converge::<Unmounted>(&other).unwrap().changes.is_empty());
        let outcome =
            machine.converge::<Unmounted>(&args(r#"{"name": "/mnt/old", "persist": true}"#)).unwrap();
        assert_eq!(outcome.changes.len(), 2);
        assert_eq!(machine.files.text("/etc/fstab"), "# end\n");
    }
}
