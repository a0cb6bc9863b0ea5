//! systemd, through `systemctl`.

use super::{
    services::{ServiceStatus, Services},
    tool::{failure, run, succeed, tool},
};
use crate::Context;

/// systemd.
#[derive(Clone, Copy, Debug, Default)]
pub struct Systemd;

/// A name without a suffix is a service; `foo.timer`, `foo.socket` and the like are themselves.
fn unit(name: &str) -> String {
    const KINDS: [&str; 11] = [
        ".service",
        ".socket",
        ".device",
        ".mount",
        ".automount",
        ".swap",
        ".target",
        ".path",
        ".timer",
        ".slice",
        ".scope",
    ];
    if KINDS.iter().any(|kind| name.ends_with(kind)) { name.to_owned() } else { format!("{name}.service") }
}

fn systemctl(cx: &Context, args: &[&str]) -> Result<String, String> {
    Ok(succeed(cx, tool("systemctl", args.iter().copied()))?.stdout)
}

/// What the state of a unit file means; `None` where it cannot be chosen.
fn starts_at_boot(state: &str) -> Option<bool> {
    match state {
        "enabled" | "enabled-runtime" | "alias" | "linked" | "linked-runtime" => Some(true),
        "static" | "indirect" | "generated" | "transient" => None,
        _ => Some(false),
    }
}

/// A line of `systemctl list-unit-files`: the service and what its file says.
fn parse_unit_file(line: &str) -> Option<(String, ServiceStatus)> {
    let mut words = line.split_ascii_whitespace();
    let (unit, state) = (words.next()?, words.next()?);
    let status = ServiceStatus {
        available: true,
        running: false,
        enabled: starts_at_boot(state),
        masked: state.starts_with("masked"),
    };
    Some((unit.strip_suffix(".service").unwrap_or(unit).to_owned(), status))
}

/// What `systemctl show` says about one unit.
fn parse_show(text: &str) -> ServiceStatus {
    let property = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map_or("", str::trim)
            .to_owned()
    };
    let (load, file) = (property("LoadState"), property("UnitFileState"));
    let masked = load == "masked" || file.starts_with("masked");
    ServiceStatus {
        available: !matches!(load.as_str(), "not-found" | "error" | "bad-setting" | ""),
        // A unit that is reloading or being started is on; one that waits for its restart is not.
        running: matches!(property("ActiveState").as_str(), "active" | "reloading" | "refreshing"),
        enabled: starts_at_boot(&file),
        masked,
    }
}

impl Systemd {
    /// `daemon-reload`, once a unit file has changed under a running systemd.
    fn reload_units_if_needed(cx: &Context, unit: &str) -> Result<(), String> {
        let stale = systemctl(cx, &["show", "--property=NeedDaemonReload", "--", unit])?;
        if stale.trim() == "NeedDaemonReload=yes" {
            systemctl(cx, &["daemon-reload"])?;
        }
        Ok(())
    }

    /// Runs a verb on a unit. On failure the last words of its journal are added: `systemctl` itself says only
    /// where to look.
    fn act(cx: &Context, verb: &str, name: &str) -> Result<(), String> {
        let unit = unit(name);
        Self::reload_units_if_needed(cx, &unit)?;
        let command = tool("systemctl", [verb, "--no-ask-password", "--", unit.as_str()]);
        let output = run(cx, command.clone())?;
        if output.success() {
            return Ok(());
        }
        let mut message = failure(&command, &output);
        let journal = tool("journalctl", ["-u", unit.as_str(), "-n", "5", "--no-pager", "-o", "cat"]);
        if let Ok(journal) = run(cx, journal)
            && journal.success()
            && !journal.stdout.trim().is_empty()
        {
            message.push_str("; its journal ends with: ");
            message.push_str(&journal.stdout.trim().replace('\n', "; "));
        }
        Err(message)
    }
}

impl Services for Systemd {
    fn name(&self) -> &'static str {
        "systemd"
    }

    fn status(&self, cx: &Context, name: &str) -> Result<ServiceStatus, String> {
        let unit = unit(name);
        let text = systemctl(
            cx,
            &["show", "--property=LoadState,ActiveState,SubState,UnitFileState", "--", unit.as_str()],
        )?;
        let status = parse_show(&text);
        if status.available {
            return Ok(status);
        }
        // A unit file written in this run is not known before a reload.
        let list = systemctl(cx, &["list-unit-files", "--no-legend", "--no-pager", "--", unit.as_str()])?;
        if list.trim().is_empty() {
            return Ok(status);
        }
        systemctl(cx, &["daemon-reload"])?;
        let text = systemctl(
            cx,
            &["show", "--property=LoadState,ActiveState,SubState,UnitFileState", "--", unit.as_str()],
        )?;
        Ok(parse_show(&text))
    }

    fn all(&self, cx: &Context) -> Result<Vec<String>, String> {
        let text =
            systemctl(cx, &["list-unit-files", "--type=service", "--no-legend", "--no-pager", "--full"])?;
        let mut names: Vec<String> = text
            .lines()
            .filter_map(|line| line.split_ascii_whitespace().next())
            .map(|unit| unit.strip_suffix(".service").unwrap_or(unit).to_owned())
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn overview(&self, cx: &Context) -> Result<Vec<(String, ServiceStatus)>, String> {
        let text =
            systemctl(cx, &["list-unit-files", "--type=service", "--no-legend", "--no-pager", "--full"])?;
        Ok(text.lines().filter_map(parse_unit_file).collect())
    }

    fn running_now(&self, cx: &Context) -> Result<Vec<String>, String> {
        let wanted = ["--type=service", "--state=running", "--no-legend", "--no-pager", "--full", "--plain"];
        let text = systemctl(cx, &[&["list-units"], &wanted[..]].concat())?;
        let units = text.lines().filter_map(|line| line.split_ascii_whitespace().next());
        Ok(units.map(|unit| unit.strip_suffix(".service").unwrap_or(unit).to_owned()).collect())
    }

    fn properties(&self, cx: &Context, name: &str) -> Result<Vec<(String, String)>, String> {
        let text = systemctl(cx, &["show", "--", &unit(name)])?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    fn can_mask(&self) -> bool {
        true
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
        Self::act(cx, if enabled { "enable" } else { "disable" }, name)
    }

    fn set_masked(&self, cx: &Context, name: &str, masked: bool, runtime: bool) -> Result<(), String> {
        let unit = unit(name);
        let mut args = vec![if masked { "mask" } else { "unmask" }];
        if runtime {
            args.push("--runtime");
        }
        args.extend(["--", unit.as_str()]);
        systemctl(cx, &args).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn show_output() {
        let on = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n";
        assert_eq!(
            parse_show(on),
            ServiceStatus { available: true, running: true, enabled: Some(true), masked: false }
        );
        let none = "LoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\n";
        assert_eq!(parse_show(none), ServiceStatus { enabled: Some(false), ..ServiceStatus::default() });
        let masked = "LoadState=masked\nActiveState=inactive\nSubState=dead\nUnitFileState=masked\n";
        assert!(parse_show(masked).masked && parse_show(masked).available);
        let fixed = "LoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=static\n";
        assert_eq!(parse_show(fixed).enabled, None);
    }

    #[test]
    fn lines_of_unit_files() {
        let line = |text: &str| parse_unit_file(text).map(|(name, s)| (name, s.enabled, s.masked));
        assert_eq!(line("ssh.service enabled enabled"), Some(("ssh".to_owned(), Some(true), false)));
        assert_eq!(line("getty@.service static -"), Some(("getty@".to_owned(), None, false)));
        assert_eq!(line("x.service masked enabled"), Some(("x".to_owned(), Some(false), true)));
        assert_eq!(line(""), None);
    }

    #[test]
    fn names_are_units() {
        assert_eq!(unit("nginx"), "nginx.service");
        assert_eq!(unit("apt-daily.timer"), "apt-daily.timer");
        assert_eq!(unit("php8.2-fpm"), "php8.2-fpm.service");
    }

    #[test]
    fn changed_unit_files_are_read_before_a_verb() {
        let machine = crate::provider::fake::FakeMachine::new();
        machine.commands.reply("systemctl", 0, "");
        machine.commands.reply(
            "systemctl show --property=NeedDaemonReload -- a.service",
            0,
            "NeedDaemonReload=yes\n",
        );
        machine.commands.reply(
            "systemctl show --property=NeedDaemonReload -- b.service",
            0,
            "NeedDaemonReload=no\n",
        );
        let cx = machine.context();
        Systemd.restart(&cx, "a").unwrap();
        Systemd.reload(&cx, "b").unwrap();
        assert_eq!(
            machine.commands.lines(),
            [
                "systemctl show --property=NeedDaemonReload -- a.service",
                "systemctl daemon-reload",
                "systemctl restart --no-ask-password -- a.service",
                "systemctl show --property=NeedDaemonReload -- b.service",
                "systemctl reload --no-ask-password -- b.service",
            ]
        );
    }
}
