//! OpenRC, of Alpine and Gentoo: `rc-service` and `rc-update`; run levels are directories of links, which are read.

use super::{
    FileKind, files,
    services::{ServiceStatus, Services},
    tool::{failure, run, succeed, tool},
};
use crate::Context;

/// OpenRC.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenRc;

/// Where OpenRC notes what runs, once it has started the machine.
pub(super) const STATE: &str = "/run/openrc";
/// Where its program lies.
pub(super) const PROGRAMS: [&str; 2] = ["/sbin/rc-service", "/usr/bin/rc-service"];

const SCRIPTS: [&str; 2] = ["/etc/init.d", "/usr/local/etc/init.d"];
const LEVELS: &str = "/etc/runlevels";
/// The run level that services are added to.
const DEFAULT_LEVEL: &str = "default";

/// What `rc-service NAME status` ends with when its process is gone without having been stopped.
const CRASHED: i32 = 32;

fn base(name: &str) -> Result<&str, String> {
    let base = name.strip_suffix(".service").unwrap_or(name);
    if base.is_empty() || base.contains('/') || base.starts_with(['.', '-']) {
        return Err(format!("`{name}` is not the name of a service"));
    }
    Ok(base)
}

impl OpenRc {
    fn is_there(cx: &Context, path: &str) -> Result<bool, String> {
        Ok(files::stat(cx, path)?.is_some())
    }

    fn script(cx: &Context, base: &str) -> Result<Option<String>, String> {
        for dir in SCRIPTS {
            let path = format!("{dir}/{base}");
            if files::stat(cx, &path)?.is_some_and(|s| s.kind == FileKind::File && s.mode & 0o111 != 0) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Run levels that start the service.
    fn levels(cx: &Context, base: &str) -> Result<Vec<String>, String> {
        let mut levels = Vec::new();
        for level in cx.machine.files.list(LEVELS).unwrap_or_default() {
            let link = format!("{LEVELS}/{level}/{base}");
            let stat = cx.machine.files.stat(&link, false);
            if stat.map_err(|e| format!("`{link}` could not be read: {e}"))?.is_some() {
                levels.push(level);
            }
        }
        Ok(levels)
    }

    fn act(cx: &Context, verb: &str, name: &str) -> Result<(), String> {
        let base = base(name)?;
        if !Self::is_there(cx, STATE)? {
            let done = if verb == "stop" { "stopped".to_owned() } else { format!("{verb}ed") };
            return Err(format!(
                "`{base}` cannot be {done}: OpenRC is installed but did not start this machine, as in a container; \
                 only what starts at boot can be chosen here"
            ));
        }
        let command = tool("rc-service", ["--nocolor", base, verb]);
        let output = run(cx, command.clone())?;
        if output.success() { Ok(()) } else { Err(failure(&command, &output)) }
    }

    fn state(cx: &Context, base: &str) -> Result<i32, String> {
        if !Self::is_there(cx, STATE)? {
            return Ok(3);
        }
        let command = tool("rc-service", ["--nocolor", base, "status"]);
        let output = run(cx, command.clone())?;
        match output.status {
            // 3: stopped; 4: unknown; 8 and 16: about to be started, or waiting for something.
            0 | 3 | 4 | 8 | 16 | CRASHED => Ok(output.status),
            // Scripts with a `status` of their own may say 1 of what does not run.
            1 | 2 if !output.timed_out => Ok(3),
            _ => Err(failure(&command, &output)),
        }
    }
}

impl Services for OpenRc {
    fn name(&self) -> &'static str {
        "openrc"
    }

    fn status(&self, cx: &Context, name: &str) -> Result<ServiceStatus, String> {
        let base = base(name)?;
        if Self::script(cx, base)?.is_none() {
            return Ok(ServiceStatus { enabled: Some(false), ..ServiceStatus::default() });
        }
        Ok(ServiceStatus {
            available: true,
            running: Self::state(cx, base)? == 0,
            enabled: Some(!Self::levels(cx, base)?.is_empty()),
            masked: false,
        })
    }

    fn all(&self, cx: &Context) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        for dir in SCRIPTS {
            for name in cx.machine.files.list(dir).unwrap_or_default() {
                if name.strip_suffix(".sh").is_none() && Self::script(cx, &name)?.is_some() {
                    names.push(name);
                }
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn can_mask(&self) -> bool {
        false
    }

    fn start(&self, cx: &Context, name: &str) -> Result<(), String> {
        // To OpenRC a crashed service is started: it must be stopped first.
        let crashed = Self::state(cx, base(name)?)? == CRASHED;
        Self::act(cx, if crashed { "restart" } else { "start" }, name)
    }

    fn stop(&self, cx: &Context, name: &str) -> Result<(), String> {
        Self::act(cx, "stop", name)
    }

    fn restart(&self, cx: &Context, name: &str) -> Result<(), String> {
        Self::act(cx, "restart", name)
    }

    fn reload(&self, cx: &Context, name: &str) -> Result<(), String> {
        Self::act(cx, "reload", name)
    }

    fn set_enabled(&self, cx: &Context, name: &str, enabled: bool) -> Result<(), String> {
        let base = base(name)?;
        let levels = Self::levels(cx, base)?;
        if enabled && levels.is_empty() {
            succeed(cx, tool("rc-update", ["add", base, DEFAULT_LEVEL]))?;
        }
        // `rc-update` fails in a level that does not have it, so each is named.
        for level in levels.iter().filter(|_| !enabled) {
            succeed(cx, tool("rc-update", ["del", base, level]))?;
        }
        Ok(())
    }

    fn set_masked(&self, _cx: &Context, name: &str, _masked: bool, _runtime: bool) -> Result<(), String> {
        Err(format!(
            "`{name}` cannot be masked or unmasked: only systemd masks services, and this machine runs OpenRC"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};

    fn machine() -> FakeMachine {
        let machine = FakeMachine::new();
        machine.files.put("/etc/init.d/zt", "#!/sbin/openrc-run\n");
        let files: &dyn crate::provider::FileSystem = &*machine.files;
        files.set_mode("/etc/init.d/zt", 0o755).unwrap();
        machine.files.put("/etc/init.d/functions.sh", "");
        machine.files.put_dir("/etc/runlevels/default");
        machine.files.put_dir("/etc/runlevels/boot");
        machine.files.put_dir(STATE);
        machine
    }

    /// As OpenRC 0.45 prints it.
    fn says(machine: &FakeMachine, status: i32, word: &'static str) {
        machine.commands.on("rc-service --nocolor zt status", move |_, _| Output {
            status,
            stdout: format!(" * status: {word}\n"),
            ..Output::default()
        });
    }

    #[test]
    fn states() {
        let machine = machine();
        let cx = machine.context();
        says(&machine, 3, "stopped");
        let status = OpenRc.status(&cx, "zt").unwrap();
        assert!(status.available && !status.running && status.enabled == Some(false));
        says(&machine, 0, "started");
        machine.files.put("/etc/runlevels/boot/zt", "");
        let status = OpenRc.status(&cx, "zt.service").unwrap();
        assert!(status.running && status.enabled == Some(true));
        assert!(!OpenRc.status(&cx, "nope").unwrap().available);
        assert_eq!(OpenRc.all(&cx).unwrap(), ["zt"]);
        assert!(OpenRc.status(&cx, "../x").is_err());
    }

    #[test]
    fn verbs_and_levels() {
        let machine = machine();
        let cx = machine.context();
        machine.commands.reply("rc-update", 0, " * service zt added to runlevel default\n");
        machine.commands.reply("rc-service --nocolor zt restart", 0, "");
        says(&machine, CRASHED, "crashed");
        OpenRc.start(&cx, "zt").unwrap();
        OpenRc.set_enabled(&cx, "zt", true).unwrap();
        for level in ["default", "boot"] {
            machine.files.put(&format!("/etc/runlevels/{level}/zt"), "");
        }
        OpenRc.set_enabled(&cx, "zt", true).unwrap();
        OpenRc.set_enabled(&cx, "zt", false).unwrap();
        assert_eq!(
            machine.commands.lines(),
            [
                "rc-service --nocolor zt status",
                "rc-service --nocolor zt restart",
                "rc-update add zt default",
                "rc-update del zt boot",
                "rc-update del zt default",
            ]
        );
        machine.commands.on("rc-service --nocolor zt reload", |_, _| Output {
            status: 1,
            stderr: " * zt: cannot `reload' as it has not been started\n".to_owned(),
            ..Output::default()
        });
        let error = OpenRc.reload(&cx, "zt").unwrap_err();
        assert!(
            error.ends_with("exited with 1: * zt: cannot `reload' as it has not been started"),
            "{error}"
        );
    }

    #[test]
    fn where_it_does_not_run_it_says_so() {
        let machine = FakeMachine::new();
        machine.files.put("/etc/init.d/zt", "#!/sbin/openrc-run\n");
        let files: &dyn crate::provider::FileSystem = &*machine.files;
        files.set_mode("/etc/init.d/zt", 0o755).unwrap();
        let cx = machine.context();
        assert!(!OpenRc.status(&cx, "zt").unwrap().running);
        for (verb, word) in [("start", "started"), ("stop", "stopped"), ("reload", "reloaded")] {
            let error = OpenRc::act(&cx, verb, "zt").unwrap_err();
            assert!(
                error.starts_with(&format!("`zt` cannot be {word}: OpenRC is installed but did not start")),
                "{error}"
            );
        }
        assert!(machine.commands.lines().is_empty());
    }
}
