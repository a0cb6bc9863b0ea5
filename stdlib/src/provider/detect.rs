//! Which package manager and which service manager a machine has. Asked once per process.

use super::{
    apt::Apt,
    commands::Commands,
    files::{FileKind, FileSystem},
    packages::Packages,
    services::Services,
    systemd::Systemd,
    sysv::SysV,
};
use std::sync::Arc;

/// The package manager.
pub fn packages(commands: &dyn Commands) -> Result<Arc<dyn Packages>, String> {
    if commands.find("apt-get").is_some() && commands.find("dpkg").is_some() {
        return Ok(Arc::new(Apt));
    }
    let others = ["dnf", "yum", "zypper", "pacman", "apk", "brew"];
    match others.iter().find(|program| commands.find(program).is_some()) {
        Some(program) => {
            Err(format!("packages of `{program}` are not supported yet; use `cmd.run` with a guard"))
        }
        None => Err(format!(
            "this machine has no package manager that is known (looked for apt-get, {})",
            others.join(", ")
        )),
    }
}

/// The service manager: systemd where it runs, else the scripts of `/etc/init.d`.
pub fn services(files: &dyn FileSystem) -> Result<Arc<dyn Services>, String> {
    let is_dir = |path: &str| {
        files
            .stat(path, true)
            .map(|stat| stat.is_some_and(|s| s.kind == FileKind::Directory))
            .map_err(|e| format!("`{path}` could not be read: {e}"))
    };
    if is_dir("/run/systemd/system")? {
        return Ok(Arc::new(Systemd));
    }
    if is_dir("/etc/init.d")? {
        return Ok(Arc::new(SysV));
    }
    Err("this machine has no service manager that is known: systemd does not run and there is no `/etc/init.d`"
        .to_owned())
}
