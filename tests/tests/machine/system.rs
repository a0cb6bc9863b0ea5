//! Packages, services, accounts and crontabs on a real machine: each state applied, applied again, undone.
//!
//! They change the machine they run on, so they run only as root of a Debian-like system with `/etc/init.d` and say
//! why when they do not; they remove what they made. Packages need a reachable repository. Locks of the tools they
//! use make them wait for each other, so they take one lock of their own.

use crate::host::Host;
use std::{
    fs,
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
};
use zester_compiler::types::{Map, Value};

static LOCK: Mutex<()> = Mutex::new(());

/// This machine, for one test at a time, or `None` with the reason printed.
fn host(test: &str) -> Option<Host> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let missing = match (is_root, Path::new("/etc/debian_version").exists()) {
        (false, _) => Some("not root"),
        (_, false) => Some("not a Debian-like system"),
        _ => None,
    };
    if let Some(why) = missing {
        eprintln!("{test}: skipped: {why}");
        return None;
    }
    let guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    Some(Host::guarded(guard))
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|o| o.status.success())
}

#[test]
fn a_user_comes_changes_and_goes() {
    let Some(host) = host("users") else { return };
    let (user, group) = ("zester-t1", "zester-g1");
    let clean = || {
        let _ = succeeds("userdel", &["--remove", user]);
        let _ = succeeds("groupdel", &[group]);
    };
    clean();
    let members = format!(r#"{{"name": "{group}", "gid": 54321}}"#);
    assert_eq!(host.converge("group.present", &members).unwrap().len(), 2);
    let wanted = format!(
        r#"{{"name": "{user}", "uid": 54322, "shell": "/bin/sh", "groups": ["{group}"], "fullname": "Test User",
            "home": "/tmp/{user}", "password": "geheim", "hash_password": true, "maxdays": 90}}"#
    );
    let changes = host.converge("user.present", &wanted).unwrap();
    assert!(changes.contains_key("user") && !format!("{changes:?}").contains("geheim"));
    assert!(Path::new("/tmp/zester-t1").is_dir());
    let info = host.call("user.info", &[user]);
    assert_eq!(info.lookup("uid", ':'), Some(&Value::Int(54322)));
    assert_eq!(info.lookup("fullname", ':'), Some(&Value::from("Test User")));
    let fewer = format!(r#"{{"name": "{user}", "groups": [], "shell": "/bin/bash"}}"#);
    let changes = host.converge("user.present", &fewer).unwrap();
    assert_eq!(changes.keys().collect::<Vec<_>>(), ["groups", "shell"]);
    let more = format!(r#"{{"name": "{group}", "members": ["{user}"]}}"#);
    host.converge("group.present", &more).unwrap();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me";
    host.converge("ssh_auth.present", &format!(r#"{{"name": "{key}", "user": "{user}"}}"#)).unwrap();
    assert_eq!(fs::read_to_string("/tmp/zester-t1/.ssh/authorized_keys").unwrap(), format!("{key}\n"));
    host.converge("user.absent", &format!(r#"{{"name": "{user}", "purge": true}}"#)).unwrap();
    assert!(!Path::new("/tmp/zester-t1").exists());
    host.converge("group.absent", &format!(r#"{{"name": "{group}"}}"#)).unwrap();
    clean();
}

#[test]
fn a_package_comes_and_goes() {
    let Some(host) = host("packages") else { return };
    let unknown = r#"{"name": "zester-no-such-package", "refresh": false}"#;
    let message = host.converge("pkg.installed", unknown).unwrap_err();
    assert!(message.contains("Unable to locate package zester-no-such-package"), "{message}");
    let Some(package) = ["sl", "tree", "hostname"].into_iter().find(|name| !succeeds("dpkg", &["-s", name]))
    else {
        eprintln!("packages: skipped: all small packages are installed already");
        return;
    };
    let args = format!(r#"{{"name": "x", "pkgs": ["{package}"], "refresh": false}}"#);
    let changes = match host.converge("pkg.installed", &args) {
        Ok(changes) => changes,
        Err(message) if ["Unable to locate", "Failed to fetch"].iter().any(|w| message.contains(w)) => {
            eprintln!("packages: skipped: no repository can be reached: {message}");
            return;
        }
        Err(message) => panic!("{message}"),
    };
    let version = changes[package].lookup("new", ':').unwrap().to_string();
    assert_eq!(host.call("pkg.version", &[package]).to_string(), version);
    let same = format!(r#"{{"name": "{package}", "version": "{version}", "hold": true}}"#);
    assert_eq!(host.converge("pkg.installed", &same).unwrap().len(), 1);
    host.converge("pkg.unheld", &format!(r#"{{"name": "{package}"}}"#)).unwrap();
    let pattern = format!(r#"{{"name": "{package}", "version": "{}*"}}"#, &version[..1]);
    assert!(host.converge("pkg.installed", &pattern).unwrap().is_empty());
    let changes = host.converge("pkg.purged", &format!(r#"{{"name": "{package}"}}"#)).unwrap();
    assert_eq!(changes[package].lookup("old", ':').unwrap().to_string(), version);
}

#[test]
fn a_service_of_init_scripts() {
    let Some(host) = host("services") else { return };
    if Path::new("/run/systemd/system").exists() {
        eprintln!("services: skipped: systemd runs here; its units are not touched by tests");
        return;
    }
    let name = "zester-test-service";
    let script = format!("/etc/init.d/{name}");
    let clean = || {
        let _ = succeeds(&script, &["stop"]);
        let _ = fs::remove_file(&script);
        let _ = succeeds("update-rc.d", &[name, "remove"]);
        let _ = fs::remove_file(format!("/run/{name}.pid"));
        let _ = fs::remove_file(format!("/run/{name}.reloads"));
    };
    clean();
    let text = format!(
        "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: {name}\n# Required-Start:\n# Required-Stop:\n\
         # Default-Start: 2 3 4 5\n# Default-Stop: 0 1 6\n### END INIT INFO\nP=/run/{name}.pid\n\
         case \"$1\" in\nstart) sleep 300 >/dev/null 2>&1 </dev/null & echo $! > $P;;\n\
         stop) [ -f $P ] && kill $(cat $P); rm -f $P;;\nrestart) $0 stop; $0 start;;\n\
         reload) echo x >> /run/{name}.reloads;;\n*) echo Usage: >&2; exit 3;;\nesac\n"
    );
    fs::write(&script, text).unwrap();
    assert!(succeeds("chmod", &["755", &script]));
    let wanted = format!(r#"{{"name": "{name}", "enable": true}}"#);
    let changes = host.converge("service.running", &wanted).unwrap();
    assert_eq!(changes.keys().collect::<Vec<_>>(), ["running", "enabled"]);
    assert_eq!(host.call("service.status", &[name]), Value::Bool(true));

    let args: Map = serde_json::from_str(&format!(r#"{{"name": "{name}", "reload": true}}"#)).unwrap();
    let state = host.library.build("service.running", &args).unwrap();
    let reaction = state.watched(&host.cx).unwrap().unwrap();
    reaction.apply.unwrap()(&host.cx).unwrap();
    assert_eq!(fs::read_to_string(format!("/run/{name}.reloads")).unwrap(), "x\n");

    let changes =
        host.converge("service.dead", &format!(r#"{{"name": "{name}", "enable": false}}"#)).unwrap();
    assert_eq!(changes.len(), 2);
    let message = host.converge("service.masked", &format!(r#"{{"name": "{name}"}}"#)).unwrap_err();
    assert!(message.contains("only systemd masks services"), "{message}");
    clean();
}

#[test]
fn a_line_of_a_crontab() {
    let Some(host) = host("cron") else { return };
    let spool = Path::new("/var/spool/cron/crontabs");
    let has_program = succeeds("sh", &["-c", "command -v crontab"]);
    let made = !has_program && !spool.exists();
    if made {
        fs::create_dir_all(spool).unwrap();
    }
    let before = fs::read_to_string(spool.join("root")).ok();
    let wanted =
        r#"{"name": "/bin/true zester-test", "identifier": "zester-test", "minute": "7", "hour": "*/3"}"#;
    assert!(host.converge("cron.present", wanted).unwrap().contains_key("schedule"));
    let text = fs::read_to_string(spool.join("root")).unwrap();
    assert!(
        text.contains("# SALT_CRON_IDENTIFIER:zester-test\n7 */3 * * * /bin/true zester-test\n"),
        "{text}"
    );
    host.converge("cron.absent", r#"{"name": "x", "identifier": "zester-test"}"#).unwrap();
    let after = fs::read_to_string(spool.join("root")).unwrap_or_default();
    assert_eq!(after, before.clone().unwrap_or_default());
    if before.is_none() {
        let _ = fs::remove_file(spool.join("root"));
    }
    if made {
        let _ = fs::remove_dir_all("/var/spool/cron/crontabs");
    }
}

#[test]
fn what_the_machine_says_of_itself() {
    let Some(host) = host("exec") else { return };
    assert_eq!(host.call("user.primary_group", &["root"]), Value::from("root"));
    assert_eq!(host.call("file.directory_exists", &["/etc"]), Value::Bool(true));
    assert!(!host.call("pkg.version", &["dpkg"]).to_string().is_empty());
    assert!(host.call("disk.usage", &[]).as_map().is_some_and(|m| m.contains_key("/")));
    assert!(host.call("status.meminfo", &[]).lookup("MemTotal:value", ':').is_some());
    assert_eq!(host.call("cmd.run_stdout", &["echo $((6 * 7))"]), Value::from("42"));
    assert_eq!(host.call("pkg.owner", &["/usr/bin/dpkg"]), Value::from("dpkg"));
    assert!(host.call("pkg.file_list", &["dpkg"]).to_string().contains("/usr/bin/dpkg"));
    let dpkg = host.call("pkg.info_installed", &["dpkg"]);
    assert_eq!(dpkg.lookup("dpkg:name", ':'), Some(&Value::from("dpkg")));
    assert!(host.call("pkg.list_repos", &[]).as_map().is_some());
    assert_eq!(host.call("mount.is_mounted", &["/proc"]), Value::Bool(true));
    assert_eq!(host.call("mount.active", &[]).lookup("/proc|fstype", '|'), Some(&Value::from("proc")));
    assert!(host.call("status.cpustats", &[]).lookup("cpu:user", ':').is_some());
    assert!(host.call("status.netdev", &[]).lookup("lo:rx_bytes", ':').is_some());
    assert!(host.call("status.procs", &[]).as_map().is_some_and(|all| all.contains_key("1")));
    assert!(host.call("status.diskusage", &["/"]).lookup("/|total", '|').is_some());
    assert!(host.call("sysctl.show", &[]).as_map().is_some_and(|all| all.contains_key("kernel.ostype")));
    assert_eq!(host.call("sysctl.get", &["kernel.ostype"]), Value::from("Linux"));
    assert!(host.call("network.netstat", &[]).as_list().is_some());
    assert!(host.call("hosts.list_hosts", &[]).as_map().is_some());
    assert!(host.call("locale.list_avail", &[]).to_string().contains("POSIX"));
    assert!(host.call("file.statvfs", &["/"]).lookup("f_blocks", ':').is_some());
    assert_eq!(
        host.call_with("file.seek_read", &["/proc/sys/kernel/ostype".into(), 3.into(), 2.into()]),
        Value::from("nux")
    );
}

#[test]
fn accounts_are_changed_by_calls() {
    let Some(host) = host("users") else { return };
    let (user, group) = ("zester-t2", "zester-g2");
    let clean = || {
        let _ = succeeds("userdel", &["--remove", user]);
        let _ = succeeds("groupdel", &[group]);
    };
    clean();
    let done = Value::Bool(true);
    assert_eq!(host.call_with("group.add", &[group.into(), 54331.into()]), done);
    assert_eq!(host.call_with("user.add", &[user.into(), 54332.into(), group.into()]), done);
    assert_eq!(host.call("user.chshell", &[user, "/bin/sh"]), done);
    assert_eq!(host.call("user.chfullname", &[user, "Test User"]), done);
    assert_eq!(host.call("user.chhome", &[user, "/tmp/zester-t2"]), done);
    assert_eq!(host.call("group.adduser", &[group, user]), done);
    assert_eq!(host.call("group.info", &[group]).lookup("members:0", ':'), Some(&Value::from(user)));
    assert_eq!(host.call("group.deluser", &[group, user]), done);
    let info = host.call("user.info", &[user]);
    for (name, expected) in [("shell", "/bin/sh"), ("fullname", "Test User"), ("home", "/tmp/zester-t2")] {
        assert_eq!(info.lookup(name, ':'), Some(&Value::from(expected)));
    }
    assert_eq!(host.call("user.primary_group", &[user]), Value::from(group));
    assert_eq!(host.call("user.delete", &[user]), done);
    assert_eq!(host.call("group.delete", &[group]), done);
    assert_eq!(host.call("user.info", &[user]).as_map().map(|m| m.len()), Some(0));
    clean();
}

#[test]
fn an_alternative_is_registered_chosen_and_removed() {
    let Some(host) = host("alternatives") else { return };
    if !succeeds("update-alternatives", &["--version"]) {
        eprintln!("alternatives: skipped: there is no update-alternatives");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_str().unwrap();
    let name = "zester-test-editor";
    let clean = || {
        let _ = succeeds("update-alternatives", &["--remove-all", name]);
    };
    clean();
    for (program, priority) in [("one", 10), ("two", 20)] {
        fs::write(directory.path().join(program), "").unwrap();
        let args = format!(
            r#"{{"name": "{name}", "link": "{root}/link", "path": "{root}/{program}", "priority": {priority}}}"#
        );
        assert_eq!(host.converge("alternatives.install", &args).unwrap().len(), 2);
    }
    let one = format!(r#"{{"name": "{name}", "path": "{root}/one"}}"#);
    let changes = host.converge("alternatives.set", &one).unwrap();
    assert_eq!(changes["path"].lookup("old", ':'), Some(&Value::from(format!("{root}/two"))));
    let other = format!(r#"{{"name": "{name}", "path": "{root}/three"}}"#);
    let message = host.converge("alternatives.set", &other).unwrap_err();
    assert!(message.contains("is not registered"), "{message}");
    host.converge("alternatives.auto", &format!(r#"{{"name": "{name}"}}"#)).unwrap();
    for program in ["one", "two"] {
        let args = format!(r#"{{"name": "{name}", "path": "{root}/{program}"}}"#);
        assert_eq!(host.converge("alternatives.remove", &args).unwrap().len(), 1);
    }
    clean();
}

#[test]
fn answers_of_debconf() {
    let Some(host) = host("debconf") else { return };
    if !succeeds("which", &["debconf-set-selections"]) {
        eprintln!("debconf: skipped: there is no debconf-set-selections");
        return;
    }
    let clean = || {
        let line = "printf 'PURGE\\n' | debconf-communicate zester-test";
        assert!(succeeds("sh", &["-c", line]));
    };
    clean();
    let args = |city: &str| {
        format!(
            r#"{{"name": "zester-test", "data": {{"zester-test/city": {{"type": "string", "value": "{city}"}},
                "zester-test/key": {{"type": "password", "value": "geheim"}}}}}}"#
        )
    };
    let changes = host.converge("debconf.set", &args("Wien")).unwrap();
    assert!(changes.len() == 2 && !format!("{changes:?}").contains("geheim"), "{changes:?}");
    assert_eq!(
        host.converge("debconf.set", &args("Graz")).unwrap().keys().collect::<Vec<_>>(),
        ["zester-test/city"]
    );
    clean();
}

#[test]
fn what_is_mounted_is_seen() {
    let Some(host) = host("mounts") else { return };
    let here = r#"{"name": "/proc", "device": "proc", "fstype": "proc", "persist": false}"#;
    assert!(host.converge("mount.mounted", here).unwrap().is_empty());
    let nothing = r#"{"name": "/srv/zester-nothing-here"}"#;
    assert!(host.converge("mount.unmounted", nothing).unwrap().is_empty());
}
