//! `kmod.present`

use super::{DIRECTORY, OLD_LIST, OWN_LIST, is_loaded, lists, names, normal, persistent, write};
use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    file::{path, text},
    provider::tool::{succeed, tool},
};
use zester_stdlib_derive::Arguments;

/// Modules of the kernel are loaded.
///
/// ```yaml
/// br_netfilter:
///   kmod.present:
///     - persist: true
/// ```
#[derive(Arguments)]
#[state("kmod.present")]
pub(crate) struct Present {
    /// The module.
    #[arg(primary)]
    name: String,
    /// Whether they are loaded at boot, too.
    #[arg(default = false)]
    persist: bool,
    /// Several modules, in place of `name`.
    mods: Vec<String>,
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let names = names(&self.name, &self.mods)?;
        let mut load = Vec::new();
        for name in &names {
            if !is_loaded(cx, name)? {
                load.push(name.clone());
            }
        }
        let kept = persistent(&lists(cx)?);
        let keep: Vec<String> =
            names.iter().filter(|name| self.persist && !kept.contains(&normal(name))).cloned().collect();
        let mut changes = Changes::new();
        for name in &load {
            changes.insert(name.clone(), change((), "loaded"));
        }
        if !keep.is_empty() {
            changes.insert("persist".to_owned(), change((), keep.clone()));
        }
        let shown = names.join("`, `");
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{shown}`: loaded")));
        }
        Ok(Plan::change(changes, format!("`{shown}`: loaded from now on"), move |cx| {
            let mut done = Changes::new();
            for name in &load {
                succeed(cx, tool("modprobe", [name.as_str()]))
                    .map_err(|e| Failure::new(e).with_changes(done.clone()))?;
                done.insert(name.clone(), change((), "loaded"));
            }
            if !keep.is_empty() {
                let file = if path::is_directory(cx, DIRECTORY)? { OWN_LIST } else { OLD_LIST };
                let mut text = text::read(cx, file)?.unwrap_or_default();
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                for name in &keep {
                    text.push_str(name);
                    text.push('\n');
                }
                write(cx, file, &text).map_err(|e| e.with_changes(done))?;
            }
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::machine, *};

    #[test]
    fn loaded_now_and_at_boot() {
        let machine = machine(&["loop"]);
        machine.files.put("/etc/modules", "# boot\nloop");
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let both = args(r#"{"name": "x", "mods": ["loop", "ip-vs"], "persist": true}"#);
        let outcome = machine.converge::<Present>(&both).unwrap();
        assert_eq!(outcome.changes.keys().collect::<Vec<_>>(), ["ip-vs", "persist"]);
        assert_eq!(machine.files.text("/etc/modules"), "# boot\nloop\nip-vs\n");
        machine.files.put_dir("/etc/modules-load.d");
        machine.converge::<Present>(&args(r#"{"name": "dummy", "persist": true}"#)).unwrap();
        assert_eq!(machine.files.text("/etc/modules-load.d/zester.conf"), "dummy\n");
        machine.commands.reply("modprobe none", 1, "modprobe: FATAL: Module none not found\n");
        let failure = machine.converge::<Present>(&args(r#"{"name": "none"}"#)).unwrap_err();
        assert!(failure.message.contains("Module none not found"), "{}", failure.message);
    }
}
