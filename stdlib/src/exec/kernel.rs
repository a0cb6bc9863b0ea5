//! `sysctl.*` and `kmod.*` functions: the running kernel's parameters and modules.

use crate::{
    Context, Library,
    exec::file_read::text,
    kmod,
    provider::{
        FileKind, files,
        tool::{succeed, tool},
    },
    sysctl,
};
use std::collections::BTreeSet;
use zester_compiler::types::{Map, Path, Value};

/// Where the kernel shows its parameters.
const PARAMETERS: &str = "/proc/sys";

exec! {
    /// Parameters of the running kernel with their values; with `config_file` those that a file sets.
    "sysctl.show" probe Show {
        /// The file.
        config_file: Option<Path>,
    } |it, cx| {
        let mut all = Map::new();
        match &it.config_file {
            Some(path) => {
                let assignments = text(cx, path)?;
                let lines = assignments.lines().map(str::trim).filter(|l| !l.starts_with(['#', ';']));
                for (name, value) in lines.filter_map(|l| l.split_once('=')) {
                    all.insert(name.trim().trim_start_matches('-').to_owned(), value.trim().into());
                }
            }
            None => walk(cx, PARAMETERS, &mut all),
        }
        Ok(all.into())
    }
}

/// What cannot be read (some parameters are only written) is left out.
fn walk(cx: &Context, directory: &str, all: &mut Map) {
    for name in cx.machine.files.list(directory).unwrap_or_default() {
        let path = format!("{directory}/{name}");
        match cx.machine.files.stat(&path, false) {
            Ok(Some(stat)) if stat.kind == FileKind::Directory => walk(cx, &path, all),
            Ok(Some(_)) => {
                let Ok(Some(value)) = files::text(cx, &path) else { continue };
                let name = path.trim_start_matches(PARAMETERS).trim_start_matches('/');
                // A dot inside a part is written as a slash, as `sysctl` itself does.
                let name: String = name
                    .chars()
                    .map(|c| match c {
                        '/' => '.',
                        '.' => '/',
                        c => c,
                    })
                    .collect();
                all.insert(name, value.trim().into());
            }
            _ => {}
        }
    }
}

exec! {
    /// Sets a parameter of the running kernel; it is lost at the next start, unlike with `sysctl.present`.
    "sysctl.assign" mutating Assign {
        /// The parameter.
        name: String,
        /// Its value.
        value: String,
    } |it, cx| {
        if sysctl::read(cx, &it.name)?.is_none() {
            return Err(format!("the kernel has no parameter `{}`", it.name));
        }
        succeed(cx, tool("sysctl", ["-w", &format!("{}={}", it.name, it.value)]))?;
        Ok(Value::Map(Map::from_iter([(it.name.clone(), it.value.as_str().into())])))
    }
}

/// A line of `/proc/modules`: name, size, and who uses it.
fn loaded(line: &str) -> Option<(&str, i64, Vec<&str>)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let users = words.get(3).unwrap_or(&"-").split(',').filter(|w| !w.is_empty() && *w != "-");
    Some((words.first()?, words.get(1)?.parse().ok()?, users.collect()))
}

exec! {
    /// Modules that are loaded: name, size, and which others use them.
    "kmod.lsmod" probe Lsmod {} |_, cx| {
        let modules = files::text(cx, "/proc/modules")?.unwrap_or_default();
        Ok(Value::List(modules.lines().filter_map(loaded).map(|(name, size, users)| {
            Value::Map(Map::from_iter([
                ("module".to_owned(), Value::from(name)),
                ("size".to_owned(), size.to_string().into()),
                ("depcount".to_owned(), users.len().to_string().into()),
                ("deps".to_owned(), users.into()),
            ]))
        }).collect()))
    }
}

exec! {
    /// Names of the modules that are loaded, or only of those that are loaded at each start.
    "kmod.mod_list" probe ModList {
        /// Whether only what is loaded at each start is given.
        #[arg(default = false)]
        only_persist: bool,
    } |it, cx| {
        if it.only_persist {
            return Ok(kmod::at_start(cx).map_err(|f| f.message)?.into_iter().collect::<Vec<_>>().into());
        }
        let modules = files::text(cx, "/proc/modules")?.unwrap_or_default();
        let names: BTreeSet<String> =
            modules.lines().filter_map(loaded).map(|(name, ..)| name.to_owned()).collect();
        Ok(names.into_iter().collect::<Vec<_>>().into())
    }
}

exec! {
    /// Whether a module is loaded, or built into the kernel.
    "kmod.is_loaded" probe IsLoaded {
        /// The module.
        #[arg(name = "mod")]
        module: String,
    } |it, cx| kmod::is_loaded(cx, &it.module).map(Value::Bool).map_err(|f| f.message)
}

/// Modules that the running kernel could load, and those built into it.
fn available(cx: &Context) -> Result<BTreeSet<String>, String> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut names = BTreeSet::new();
    for list in ["modules.dep", "modules.builtin"] {
        let text = files::text(cx, &format!("/lib/modules/{release}/{list}"))?.unwrap_or_default();
        for line in text.lines() {
            let path = line.split(':').next().unwrap_or_default();
            let file = path.rsplit('/').next().unwrap_or_default();
            if let Some((name, _)) = file.split_once(".ko") {
                names.insert(name.replace('-', "_"));
            }
        }
    }
    Ok(names)
}

exec! {
    /// Names of the modules that the running kernel could load, and of those built into it.
    "kmod.available" probe Available {} |_, cx| Ok(available(cx)?.into_iter().collect::<Vec<_>>().into())
}

exec! {
    /// Whether the running kernel could load a module, or has it built in.
    "kmod.check_available" probe CheckAvailable {
        /// The module.
        #[arg(name = "mod")]
        module: String,
    } |it, cx| Ok(Value::Bool(available(cx)?.contains(&it.module.replace('-', "_"))))
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Show>()
        .exec::<Assign>()
        .exec::<Lsmod>()
        .exec::<ModList>()
        .exec::<IsLoaded>()
        .exec::<Available>()
        .exec::<CheckAvailable>();
}

#[cfg(test)]
mod tests {
    use crate::{exec::tests::gives, provider::fake::FakeMachine};

    #[test]
    fn modules_and_parameters() {
        let machine = FakeMachine::new();
        machine
            .files
            .put("/proc/modules", "nf_tables 1234 2 nft_ct,nft_log, Live 0x0\nloop 99 0 - Live 0x0\n");
        machine.files.put("/proc/sys/net/ipv4/conf/eth0.1/forwarding", "1\n");
        machine.files.put("/etc/sysctl.d/a.conf", "# note\n-vm.swappiness = 10\n");
        gives(
            &machine,
            "kmod.lsmod",
            "[]",
            r#"[{"module": "nf_tables", "size": "1234", "depcount": "2", "deps": ["nft_ct", "nft_log"]},
                {"module": "loop", "size": "99", "depcount": "0", "deps": []}]"#,
        );
        gives(&machine, "kmod.mod_list", "[]", r#"["loop", "nf_tables"]"#);
        gives(&machine, "sysctl.show", "[]", r#"{"net.ipv4.conf.eth0/1.forwarding": "1"}"#);
        gives(&machine, "sysctl.show", r#"["/etc/sysctl.d/a.conf"]"#, r#"{"vm.swappiness": "10"}"#);
    }
}
