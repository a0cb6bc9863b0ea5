//! Services where no init system runs, or a SysV one: `/etc/init.d` scripts and `rc?.d` links. Containers live here.

use super::{
    Command,
    services::{ServiceStatus, Services},
    tool::{failure, run, succeed, tool},
};
use crate::Context;

/// Scripts of `/etc/init.d`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SysV;

const SCRIPTS: &str = "/etc/init.d";
const START_LEVELS: [&str; 4] = ["2", "3", "4", "5"];
const STOP_LEVELS: [&str; 3] = ["0", "1", "6"];

/// The script of a service. Names of systemd's kind mean the script of the same base name.
fn script(name: &str) -> Result<String, String> {
    let base = name.strip_suffix(".service").unwrap_or(name);
    if base.is_empty() || base.contains('/') || base.starts_with('.') {
        return Err(format!("`{name}` is not the name of a service"));
    }
    Ok(format!("{SCRIPTS}/{base}"))
}

fn base(name: &str) -> &str {
    name.strip_suffix(".service").unwrap_or(name)
}

fn missing(name: &str) -> String {
    format!(
        "there is no service `{name}`: no init system runs here and `{SCRIPTS}/{}` does not exist",
        base(name)
    )
}

impl SysV {
    fn exists(cx: &Context, path: &str) -> Result<bool, String> {
        let stat =
            cx.machine.files.stat(path, true).map_err(|e| format!("`{path}` could not be read: {e}"))?;
        Ok(stat.is_some_and(|s| s.mode & 0o111 != 0))
    }

    fn command(path: &str, verb: &str) -> Command {
        let mut command = tool(path, [verb]);
        // A script must not hand the work to a systemd that is not there.
        command.env.push(("SYSTEMCTL_SKIP_REDIRECT".to_owned(), Some("1".to_owned())));
        command.env.push(("_SYSTEMCTL_SKIP_REDIRECT".to_owned(), Some("true".to_owned())));
        command
    }

    fn act(cx: &Context, verb: &str, name: &str) -> Result<(), String> {
        let path = script(name)?;
        if !Self::exists(cx, &path)? {
            return Err(missing(name));
        }
        let command = Self::command(&path, verb);
        let output = run(cx, command.clone())?;
        if output.success() { Ok(()) } else { Err(failure(&command, &output)) }
    }

    /// Whether it runs: the script's own answer (LSB: 0 runs, 1 to 3 does not), else its pid file.
    fn is_running(cx: &Context, path: &str, name: &str) -> Result<bool, String> {
        let output = run(cx, Self::command(path, "status"))?;
        let knows = !output.stderr.contains("Usage") && !output.stdout.contains("Usage");
        match output.status {
            0 if knows => Ok(true),
            1..=3 if knows => Ok(false),
            _ => Self::pid_lives(cx, base(name)),
        }
    }

    fn pid_lives(cx: &Context, name: &str) -> Result<bool, String> {
        for path in [format!("/run/{name}.pid"), format!("/run/{name}/{name}.pid")] {
            let Ok(text) = cx.machine.files.read(&path) else { continue };
            let text = String::from_utf8_lossy(&text);
            let pid = text.trim();
            if !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit()) {
                let proc = format!("/proc/{pid}");
                let alive = cx
                    .machine
                    .files
                    .stat(&proc, false)
                    .map_err(|e| format!("`{proc}` could not be read: {e}"))?;
                if alive.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Links of a service in one run level: `S01name`, `K01name`.
    fn links(cx: &Context, level: &str, name: &str) -> Vec<String> {
        let dir = format!("/etc/rc{level}.d");
        let names = cx.machine.files.list(&dir).unwrap_or_default();
        names
            .into_iter()
            .filter(|link| link.len() > 3 && link.get(3..) == Some(base(name)))
            .map(|link| format!("{dir}/{link}"))
            .collect()
    }

    fn starts_at_boot(cx: &Context, name: &str) -> bool {
        START_LEVELS.iter().any(|level| {
            Self::links(cx, level, name).iter().any(|path| path.contains(&format!("/rc{level}.d/S")))
        })
    }

    /// What `update-rc.d` would do, where there is none.
    fn link(cx: &Context, name: &str, enabled: bool) -> Result<(), String> {
        let files = &cx.machine.files;
        let failed = |path: &str, e: std::io::Error| format!("`{path}` could not be changed: {e}");
        for level in START_LEVELS.iter().chain(&STOP_LEVELS) {
            for path in Self::links(cx, level, name) {
                files.remove_file(&path).map_err(|e| failed(&path, e))?;
            }
            let dir = format!("/etc/rc{level}.d");
            if files.stat(&dir, true).map_err(|e| failed(&dir, e))?.is_none() {
                files.create_dir(&dir, 0o755).map_err(|e| failed(&dir, e))?;
            }
            let letter = if enabled && START_LEVELS.contains(level) { 'S' } else { 'K' };
            let path = format!("{dir}/{letter}01{}", base(name));
            files.symlink(&format!("../init.d/{}", base(name)), &path).map_err(|e| failed(&path, e))?;
        }
        Ok(())
    }
}

impl Services for SysV {
    fn name(&self) -> &'static str {
        "sysv"
    }

    fn status(&self, cx: &Context, name: &str) -> Result<ServiceStatus, String> {
        let path = script(name)?;
        if !Self::exists(cx, &path)? {
            return Ok(ServiceStatus { enabled: Some(false), ..ServiceStatus::default() });
        }
        Ok(ServiceStatus {
            available: true,
            running: Self::is_running(cx, &path, name)?,
            enabled: Some(Self::starts_at_boot(cx, name)),
            masked: false,
        })
    }

    fn all(&self, cx: &Context) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        for name in cx.machine.files.list(SCRIPTS).unwrap_or_default() {
            if !name.starts_with('.') && name != "README" && Self::exists(cx, &format!("{SCRIPTS}/{name}"))? {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn can_mask(&self) -> bool {
        false
    }

    fn start(&self, cx: &Context, name: &str) -> Result<(), String> {
        Self::act(cx, "start", name)
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
        if !Self::exists(cx, &script(name)?)? {
            return Err(missing(name));
        }
        if cx.machine.commands.find("update-rc.d").is_none() {
            return Self::link(cx, name, enabled);
        }
        // `defaults` makes the links where there are none; it leaves those that are there alone.
        succeed(cx, tool("update-rc.d", [base(name), "defaults"]))?;
        let verb = if enabled { "enable" } else { "disable" };
        succeed(cx, tool("update-rc.d", [base(name), verb])).map(drop)
    }

    fn set_masked(&self, _cx: &Context, name: &str, _masked: bool, _runtime: bool) -> Result<(), String> {
        Err(format!(
            "`{name}` cannot be masked or unmasked: only systemd masks services, and it does not run here"
        ))
    }
}
