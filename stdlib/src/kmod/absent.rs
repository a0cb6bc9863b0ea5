//! `kmod.absent`

use super::{is_loaded, lists, module_of, names, normal, persistent, write};
use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    provider::tool::{succeed, tool},
};
use zester_stdlib_derive::Arguments;

/// Modules of the kernel are not loaded.
///
/// ```yaml
/// floppy:
///   kmod.absent:
///     - persist: true
/// ```
#[derive(Arguments)]
#[state("kmod.absent")]
pub(crate) struct Absent {
    /// The module.
    #[arg(primary)]
    name: String,
    /// Whether they are taken out of the lists for the boot, too.
    #[arg(default = false)]
    persist: bool,
    /// Whether their lines there become comments instead of going.
    #[arg(default = true)]
    comment: bool,
    /// Several modules, in place of `name`.
    mods: Vec<String>,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let names = names(&self.name, &self.mods)?;
        let mut unload = Vec::new();
        for name in &names {
            if is_loaded(cx, name)? {
                unload.push(name.clone());
            }
        }
        let lists = if self.persist { lists(cx)? } else { Vec::new() };
        let kept = persistent(&lists);
        let gone: Vec<String> = names.iter().map(|n| normal(n)).filter(|n| kept.contains(n)).collect();
        let mut changes = Changes::new();
        for name in &unload {
            changes.insert(name.clone(), change("loaded", ()));
        }
        if !gone.is_empty() {
            changes.insert("persist".to_owned(), change(gone.clone(), ()));
        }
        let shown = names.join("`, `");
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{shown}`: not loaded")));
        }
        Ok(Plan::change(changes, format!("`{shown}`: no longer loaded"), move |cx| {
            let mut done = Changes::new();
            for name in &unload {
                succeed(cx, tool("modprobe", ["-r", name.as_str()]))
                    .map_err(|e| Failure::new(e).with_changes(done.clone()))?;
                done.insert(name.clone(), change("loaded", ()));
            }
            for (file, text) in &lists {
                let mut new = String::new();
                for line in text.lines() {
                    let goes = module_of(line).is_some_and(|module| gone.contains(&module));
                    if goes && !self.comment {
                        continue;
                    }
                    new.push_str(if goes { "#" } else { "" });
                    new.push_str(line);
                    new.push('\n');
                }
                if text.lines().any(|line| module_of(line).is_some_and(|module| gone.contains(&module))) {
                    write(cx, file, &new).map_err(|e| e.with_changes(done.clone()))?;
                }
            }
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::machine, *};

    #[test]
    fn unloaded_and_out_of_the_lists() {
        let machine = machine(&["floppy", "loop"]);
        machine.files.put("/etc/modules", "loop\nfloppy\n");
        machine.files.put("/etc/modules-load.d/a.conf", "floppy\n");
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let floppy = args(r#"{"name": "floppy", "persist": true}"#);
        assert_eq!(machine.converge::<Absent>(&floppy).unwrap().changes.len(), 2);
        assert_eq!(machine.files.text("/etc/modules"), "loop\n#floppy\n");
        let gone = args(r#"{"name": "loop", "persist": true, "comment": false}"#);
        machine.converge::<Absent>(&gone).unwrap();
        assert_eq!(machine.files.text("/etc/modules"), "#floppy\n");
    }
}
