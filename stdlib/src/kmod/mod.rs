//! `kmod.*`: modules of the kernel.

mod absent;
mod present;

use crate::{
    Context, Failure, Library,
    file::{path, text},
    provider::{FileKind, Ownership},
};
use std::collections::BTreeSet;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<present::Present>().state::<absent::Absent>();
}

/// The list of modules for the boot, where there is no directory of such lists.
const OLD_LIST: &str = "/etc/modules";

/// The directory of such lists.
const DIRECTORY: &str = "/etc/modules-load.d";

/// Ours in it.
const OWN_LIST: &str = "/etc/modules-load.d/zester.conf";

/// `-` and `_` are the same in names of modules.
fn normal(name: &str) -> String {
    name.replace('-', "_")
}

/// The modules that a state names.
fn names(name: &str, mods: &[String]) -> Result<Vec<String>, Failure> {
    let names = if mods.is_empty() { vec![name.to_owned()] } else { mods.to_vec() };
    let odd = |name: &String| {
        name.is_empty()
            || name.starts_with('-')
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
    };
    match names.iter().find(|name| odd(name) || name.contains("..")) {
        Some(odd) => {
            Err(Failure::new(format!("`{}` is not the name of a module of the kernel", odd.escape_debug())))
        }
        None => Ok(names),
    }
}

/// Whether a module is loaded, or built into the kernel.
pub(crate) fn is_loaded(cx: &Context, name: &str) -> Result<bool, Failure> {
    path::is_directory(cx, &format!("/sys/module/{}", normal(name)))
}

fn module_of(line: &str) -> Option<String> {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return None;
    }
    line.split_whitespace().next().map(normal)
}

/// The files that name modules for the boot, with their texts.
fn lists(cx: &Context) -> Result<Vec<(String, String)>, Failure> {
    let mut files = vec![OLD_LIST.to_owned()];
    if path::is_directory(cx, DIRECTORY)? {
        let names = cx.machine.files.list(DIRECTORY).map_err(|e| path::unreadable(DIRECTORY, &e))?;
        files.extend(
            names.iter().filter(|n| n.strip_suffix(".conf").is_some()).map(|n| path::join(DIRECTORY, n)),
        );
    }
    let mut lists = Vec::new();
    for file in files {
        // Debian's directory has a link to the old list.
        let link = path::stat(cx, &file, false)?.is_some_and(|s| s.kind == FileKind::Symlink);
        if !link && let Some(text) = text::read(cx, &file)? {
            lists.push((file, text));
        }
    }
    Ok(lists)
}

/// The modules that are loaded at boot.
fn persistent(lists: &[(String, String)]) -> BTreeSet<String> {
    lists.iter().flat_map(|(_, text)| text.lines().filter_map(module_of)).collect()
}

/// The modules that are loaded at each start of the machine.
pub(crate) fn at_start(cx: &Context) -> Result<BTreeSet<String>, Failure> {
    Ok(persistent(&lists(cx)?))
}

fn write(cx: &Context, file: &str, text: &str) -> Result<(), Failure> {
    cx.machine
        .files
        .write(file, text.as_bytes(), Ownership::default(), true)
        .map_err(|e| Failure::new(format!("`{file}` could not be written: {e}")))
}

#[cfg(test)]
mod tests {
    use crate::provider::{Output, fake::FakeMachine};

    /// A machine whose `modprobe` keeps `/sys/module`.
    pub(super) fn machine(loaded: &[&str]) -> FakeMachine {
        let machine = FakeMachine::new();
        machine.files.put_dir("/sys/module");
        for name in loaded {
            machine.files.put_dir(&format!("/sys/module/{name}"));
        }
        let files = machine.files.clone();
        machine.commands.on("modprobe", move |_, line| {
            use crate::provider::FileSystem;
            match line.strip_prefix("modprobe -r ") {
                Some(name) => files.remove_dir_all(&format!("/sys/module/{}", super::normal(name))).unwrap(),
                None => {
                    let name = line.strip_prefix("modprobe ").unwrap();
                    files.put_dir(&format!("/sys/module/{}", super::normal(name)));
                }
            }
            Output::default()
        });
        machine
    }

    #[test]
    fn names_are_names() {
        assert!(super::names("x", &["../../etc".to_owned()]).is_err());
        assert_eq!(super::names("br_netfilter", &[]).unwrap(), ["br_netfilter"]);
    }
}
