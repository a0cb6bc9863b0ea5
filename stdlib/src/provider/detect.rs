//! Which package manager and which service manager a machine has. Asked once per process.

use super::{
    apk::Apk,
    apt::Apt,
    brew::Brew,
    commands::Commands,
    dnf::{Dnf, Generation},
    files::{FileKind, FileSystem},
    openrc::{self, OpenRc},
    packages::Packages,
    pacman::Pacman,
    services::Services,
    systemd::Systemd,
    sysv::SysV,
    zypper::Zypper,
};
use std::sync::Arc;

/// The package manager. A machine that has programs of several, as Debian may have `dnf`, is managed by the one that comes first here.
pub fn packages(commands: &dyn Commands) -> Result<Arc<dyn Packages>, String> {
    let has = |program: &str| commands.find(program).is_some();
    Ok(if has("apt-get") && has("dpkg") {
        Arc::new(Apt)
    } else if has("zypper") {
        // Before dnf, which SUSE's distributions offer beside it.
        Arc::new(Zypper)
    } else if has("dnf") {
        // `dnf` is one or the other; the first generation is also called by its Python's version.
        let fifth = has("dnf5") && !has("dnf-3");
        Arc::new(Dnf(if fifth { Generation::Dnf5 } else { Generation::Dnf4 }))
    } else if has("yum") {
        Arc::new(Dnf(Generation::Yum))
    } else if has("pacman") && has("pacman-conf") {
        // Debian has a game of that name.
        Arc::new(Pacman)
    } else if has("apk") {
        Arc::new(Apk)
    } else if has("brew") {
        Arc::new(Brew)
    } else {
        return Err("this machine has no package manager that is known (looked for apt-get, zypper, dnf, yum, pacman, \
                    apk, brew)"
            .to_owned());
    })
}

/// The service manager: systemd or OpenRC where it runs, OpenRC where it is installed, else the scripts of `/etc/init.d`.
pub fn services(files: &dyn FileSystem) -> Result<Arc<dyn Services>, String> {
    let kind = |path: &str| {
        let stat = files.stat(path, true).map_err(|e| format!("`{path}` could not be read: {e}"))?;
        Ok::<_, String>(stat.map(|s| s.kind))
    };
    if kind("/run/systemd/system")? == Some(FileKind::Directory) {
        return Ok(Arc::new(Systemd));
    }
    let mut is_openrc = kind(openrc::STATE)?.is_some();
    for program in openrc::PROGRAMS {
        is_openrc = is_openrc || kind(program)?.is_some();
    }
    if is_openrc {
        return Ok(Arc::new(OpenRc));
    }
    if kind("/etc/init.d")? == Some(FileKind::Directory) {
        return Ok(Arc::new(SysV));
    }
    let mut container = false;
    for mark in ["/.dockerenv", "/run/.containerenv"] {
        container = container || kind(mark)?.is_some();
    }
    let place = if container { "this container" } else { "this machine" };
    Err(format!(
        "{place} has no service manager: systemd does not run, OpenRC is not installed and there is no `/etc/init.d`, so no service can be \
         started, stopped or enabled here"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::{FakeCommands, FakeFiles};

    fn found(programs: &[&str]) -> Result<&'static str, String> {
        let commands = FakeCommands::new();
        let all = [
            "apt-get",
            "dpkg",
            "zypper",
            "dnf",
            "dnf5",
            "dnf-3",
            "yum",
            "pacman",
            "pacman-conf",
            "apk",
            "brew",
        ];
        for program in all.iter().filter(|program| !programs.contains(program)) {
            commands.without(program);
        }
        packages(&commands).map(|packages| packages.name())
    }

    #[test]
    fn the_package_manager_of_a_machine() {
        assert_eq!(found(&["apt-get", "dpkg", "dnf", "zypper"]).as_deref(), Ok("apt"));
        assert_eq!(found(&["zypper", "dnf"]).as_deref(), Ok("zypper"));
        assert_eq!(found(&["dnf", "yum", "dnf5"]).as_deref(), Ok("dnf"));
        assert_eq!(found(&["yum"]).as_deref(), Ok("yum"));
        assert_eq!(found(&["pacman", "pacman-conf"]).as_deref(), Ok("pacman"));
        assert_eq!(found(&["apk"]).as_deref(), Ok("apk"));
        assert_eq!(found(&["brew"]).as_deref(), Ok("brew"));
        assert!(found(&["pacman"]).unwrap_err().contains("looked for apt-get, zypper"));
    }

    #[test]
    fn the_service_manager_of_a_machine() {
        let files = FakeFiles::default();
        let name = |files: &FakeFiles| services(files).map(|services| services.name());
        files.put("/.dockerenv", "");
        assert!(
            name(&files)
                .unwrap_err()
                .starts_with("this container has no service manager: systemd does not run")
        );
        files.put_dir("/etc/init.d");
        assert_eq!(name(&files), Ok("sysv"));
        files.put("/sbin/rc-service", "");
        assert_eq!(name(&files), Ok("openrc"));
        files.put_dir("/run/systemd/system");
        assert_eq!(name(&files), Ok("systemd"));
    }
}
