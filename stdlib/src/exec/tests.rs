//! Exec functions called as templates and the command line call them.

use crate::provider::{
    Output, ServiceStatus,
    fake::{FakeMachine, FakePackages, FakeServices},
};
use std::sync::Arc;
use zester_compiler::types::{Effect, FunctionKind, Value};

pub(super) fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// Calls with arguments in JSON: a list of positional ones, a map of named ones.
pub(super) fn call(machine: &FakeMachine, name: &str, args: &str, kwargs: &str) -> Result<Value, String> {
    let library = Arc::new(crate::library());
    let mut cx = machine.context();
    cx.library = library.clone();
    let (Value::List(args), Value::Map(kwargs)) = (value(args), value(kwargs)) else {
        panic!("{args} {kwargs}")
    };
    library.call(name, &args, &kwargs, &cx)
}

#[track_caller]
pub(super) fn gives(machine: &FakeMachine, name: &str, args: &str, expected: &str) {
    assert_eq!(call(machine, name, args, "{}"), Ok(value(expected)), "{name}{args}");
}

#[test]
fn what_templates_ask_of_files() {
    let machine = FakeMachine::new();
    machine.files.put("/etc/a.conf", "one\ntwo = 2\n");
    machine.files.put("/etc/sub/b.conf", "x");
    gives(&machine, "file.file_exists", r#"["/etc/a.conf"]"#, "true");
    gives(&machine, "file.file_exists", r#"["/etc"]"#, "false");
    gives(&machine, "file.file_exists", r#"["/etc/a.conf/x"]"#, "false");
    gives(&machine, "file.directory_exists", r#"["/etc"]"#, "true");
    gives(&machine, "file.dirname", r#"["/a/b/c"]"#, r#""/a/b""#);
    gives(&machine, "file.dirname", r#"["/a"]"#, r#""/""#);
    gives(&machine, "file.dirname", r#"["a"]"#, r#""""#);
    gives(&machine, "file.basename", r#"["/a/b.c"]"#, r#""b.c""#);
    gives(&machine, "file.join", r#"["/a", "b", "c"]"#, r#""/a/b/c""#);
    gives(&machine, "file.join", r#"["/a", "/b"]"#, r#""/b""#);
    gives(&machine, "file.normpath", r#"["/a/../b//./c/"]"#, r#""/b/c""#);
    gives(&machine, "file.read", r#"["/etc/sub/b.conf"]"#, r#""x""#);
    gives(
        &machine,
        "file.get_hash",
        r#"["/etc/sub/b.conf", "md5"]"#,
        r#""9dd4e461268c8034f5c8564e155c67a6""#,
    );
    gives(&machine, "file.contains", r#"["/etc/a.conf", "two"]"#, "true");
    gives(&machine, "file.contains_regex", r#"["/etc/a.conf", "^two\\s*="]"#, "true");
    gives(&machine, "file.search", r#"["/etc/a.conf", "^three"]"#, "false");
    gives(&machine, "file.path_exists_glob", r#"["/etc/*.conf"]"#, "true");
    gives(&machine, "file.path_exists_glob", r#"["/etc/*.cfg"]"#, "false");
    gives(&machine, "file.get_mode", r#"["/etc/a.conf"]"#, r#""0644""#);
    gives(&machine, "file.get_user", r#"["/etc/a.conf"]"#, r#""root""#);
    let found = call(&machine, "file.find", r#"["/etc"]"#, r#"{"type": "f", "name": "*.conf"}"#);
    assert_eq!(found, Ok(value(r#"["/etc/a.conf", "/etc/sub/b.conf"]"#)));
    let found = call(&machine, "file.find", r#"["/etc"]"#, r#"{"type": "f", "maxdepth": 1, "size": "+5"}"#);
    assert_eq!(found, Ok(value(r#"["/etc/a.conf"]"#)));
    let stats = call(&machine, "file.stats", r#"["/etc/a.conf"]"#, "{}").unwrap();
    assert_eq!(stats.lookup("size", ':'), Some(&Value::Int(12)));
    gives(&machine, "file.stats", r#"["/gone"]"#, "{}");
    assert!(
        call(&machine, "file.read", r#"["/gone"]"#, "{}").unwrap_err().contains("`/gone` could not be read")
    );
}

#[test]
fn changes_of_files() {
    let machine = FakeMachine::new();
    gives(&machine, "file.mkdir", r#"["/srv/a/b"]"#, "true");
    call(&machine, "file.write", r#"["/srv/a/f", "x", "y"]"#, "{}").unwrap();
    call(&machine, "file.append", r#"["/srv/a/f", "z"]"#, "{}").unwrap();
    assert_eq!(machine.files.text("/srv/a/f"), "x\ny\nz\n");
    gives(&machine, "file.copy", r#"["/srv/a/f", "/srv/a/g"]"#, "true");
    gives(&machine, "file.remove", r#"["/srv/a"]"#, "true");
    gives(&machine, "file.remove", r#"["/srv/a"]"#, "false");
    assert!(call(&machine, "file.remove", r#"["/"]"#, "{}").unwrap_err().contains("is not removed"));
}

#[test]
fn accounts() {
    let machine = FakeMachine::new();
    machine.accounts.put_group("web", 50);
    machine.accounts.put_user("alice", 1000, 50);
    let info = call(&machine, "user.info", r#"["alice"]"#, "{}").unwrap();
    assert_eq!(info.lookup("groups", ':'), Some(&value(r#"["web"]"#)));
    assert_eq!(info.lookup("home", ':'), Some(&value(r#""/home/alice""#)));
    gives(&machine, "user.info", r#"["nobody"]"#, "{}");
    gives(&machine, "user.list_users", "[]", r#"["alice", "root"]"#);
    gives(&machine, "user.primary_group", r#"["alice"]"#, r#""web""#);
    gives(
        &machine,
        "group.info",
        r#"["web"]"#,
        r#"{"name": "web", "passwd": "x", "gid": 50, "members": []}"#,
    );
}

#[test]
fn packages_and_services() {
    let mut machine = FakeMachine::new();
    let packages = Arc::new(FakePackages::default());
    packages.put("bash", "5.2-1");
    packages.index("bash", &["5.2-1", "5.2-2"]);
    packages.set_age(1.0);
    let services = Arc::new(FakeServices::default());
    services.put("ssh", ServiceStatus { running: true, ..ServiceStatus::default() });
    machine.packages = Some(packages.clone());
    machine.services = Some(services.clone());
    gives(&machine, "pkg.version", r#"["bash"]"#, r#""5.2-1""#);
    gives(&machine, "pkg.version", r#"["gone"]"#, r#""""#);
    gives(&machine, "pkg.version", r#"["bash", "gone"]"#, r#"{"bash": "5.2-1", "gone": ""}"#);
    gives(&machine, "pkg.version_cmp", r#"["1.10", "1.9"]"#, "1");
    gives(&machine, "pkg.latest_version", r#"["bash"]"#, r#""5.2-2""#);
    gives(&machine, "pkg.upgrade_available", r#"["bash"]"#, "true");
    let done = call(&machine, "pkg.install", r#"["bash"]"#, "{}").unwrap();
    assert_eq!(done, value(r#"{"bash": {"old": "5.2-1", "new": "5.2-2"}}"#));
    gives(&machine, "pkg.remove", r#"["gone"]"#, "{}");
    gives(&machine, "service.status", r#"["ssh"]"#, "true");
    gives(&machine, "service.available", r#"["gone"]"#, "false");
    services.put("dbus", ServiceStatus { enabled: None, ..ServiceStatus::default() });
    services.put("cron", ServiceStatus { enabled: Some(true), ..ServiceStatus::default() });
    services.put("rpc", ServiceStatus { enabled: Some(false), masked: true, ..ServiceStatus::default() });
    gives(&machine, "service.get_enabled", "[]", r#"["cron"]"#);
    gives(&machine, "service.get_disabled", "[]", "[]");
    gives(&machine, "service.get_static", "[]", r#"["dbus", "ssh"]"#);
    gives(&machine, "service.get_running", "[]", r#"["ssh"]"#);
    assert!(call(&machine, "service.show", r#"["ssh"]"#, "{}").unwrap_err().contains("systemd does"));
    gives(&machine, "service.restart", r#"["ssh"]"#, "true");
    assert_eq!(services.log(), ["restart ssh"]);
}

#[test]
fn commands() {
    let machine = FakeMachine::new();
    machine.commands.on("echo", |_, _| Output {
        stdout: "out\n".into(),
        stderr: "err\n".into(),
        status: 3,
        ..Output::default()
    });
    gives(&machine, "cmd.run", r#"["echo x"]"#, r#""out\nerr""#);
    gives(&machine, "cmd.run_stdout", r#"["echo x"]"#, r#""out""#);
    gives(&machine, "cmd.retcode", r#"["echo x"]"#, "3");
    machine.commands.without("nosuch");
    gives(&machine, "cmd.has_exec", r#"["nosuch"]"#, "false");
    gives(&machine, "cmd.which", r#"["sh"]"#, r#""/usr/bin/sh""#);
    call(&machine, "cmd.run", r#"["echo 'a b'"]"#, r#"{"python_shell": false, "env": {"A": 1}}"#).unwrap();
    let last = machine.commands.calls().pop().unwrap();
    assert_eq!(last.program, crate::provider::Program::Direct("echo".into(), vec!["a b".into()]));
    assert_eq!(last.env, [("A".to_owned(), Some("1".to_owned()))]);
}

#[test]
fn addresses_come_from_the_facts() {
    let mut machine = FakeMachine::new();
    let grains = value(
        r#"{"ip4_interfaces": {"lo": ["127.0.0.1"], "eth0": ["10.1.2.3"], "eth1": ["192.0.2.9"]},
            "hwaddr_interfaces": {"eth0": "02:00:00:00:00:01"}}"#,
    );
    machine.facts.grains = grains.as_map().unwrap().clone();
    gives(&machine, "network.ip_addrs", "[]", r#"["10.1.2.3", "192.0.2.9"]"#);
    gives(&machine, "network.ip_addrs", r#"["eth1"]"#, r#"["192.0.2.9"]"#);
    let cidr = call(&machine, "network.ip_addrs", "[]", r#"{"cidr": "10.0.0.0/8"}"#);
    assert_eq!(cidr, Ok(value(r#"["10.1.2.3"]"#)));
    gives(&machine, "network.interface_ip", r#"["eth0"]"#, r#""10.1.2.3""#);
    gives(&machine, "network.hw_addr", r#"["eth0"]"#, r#""02:00:00:00:00:01""#);
    gives(&machine, "network.in_subnet", r#"["192.0.2.0/24"]"#, "true");
    assert!(call(&machine, "network.interface", r#"["eth9"]"#, "{}").unwrap_err().contains("there are eth0"));
    assert!(
        call(&machine, "network.ip_addrs", "[]", r#"{"cidr": "x"}"#).unwrap_err().contains("not a network")
    );
}

#[test]
fn texts_and_data() {
    let mut machine = FakeMachine::new();
    machine.settings = value(r#"{"a": {"b": 1}}"#);
    machine.tree.put("web/init.zy", "");
    machine.tree.put("web/files/x", "text");
    gives(&machine, "hashutil.base64_b64encode", r#"["äb"]"#, r#""w6Ri""#);
    gives(&machine, "hashutil.base64_b64decode", r#"["w6Ri"]"#, r#""äb""#);
    gives(&machine, "hashutil.digest", r#"["x", "md5"]"#, r#""9dd4e461268c8034f5c8564e155c67a6""#);
    gives(&machine, "pillar.get", r#"["a:b"]"#, "1");
    gives(&machine, "pillar.get", r#"["a:c", "none"]"#, r#""none""#);
    gives(&machine, "cp.get_file_str", r#"["zester://web/files/x"]"#, r#""text""#);
    gives(&machine, "test.arg", r#"[1, "x"]"#, r#"{"args": [1, "x"], "kwargs": {}}"#);
    gives(&machine, "mine.get", r#"["*", "network.ip_addrs"]"#, "{}");
    let drawn = call(&machine, "random.get_str", "[12]", r#"{"chars": "ab"}"#).unwrap().to_string();
    assert!(drawn.len() == 12 && drawn.chars().all(|c| c == 'a' || c == 'b'), "{drawn}");
    gives(&machine, "random.rand_int", "[4, 4]", "4");
    let doc = call(&machine, "sys.argspec", r#"["file.join"]"#, "{}").unwrap();
    assert_eq!(doc.as_map().unwrap()["file.join"].lookup("args", ':'), Some(&value(r#"["parts"]"#)));
}

/// While rendering only what changes nothing may be called: the effects are a promise.
#[test]
fn effects_are_declared() {
    let library = crate::library();
    let effect = |name: &str| {
        let (module, function) = name.split_once('.').unwrap();
        library.registry().get(FunctionKind::Exec, module, function).map(|s| s.effect)
    };
    for name in ["file.remove", "pkg.install", "service.restart", "user.info", "cmd.run", "file.join"] {
        let expected = match name {
            "user.info" => Effect::Probe,
            "cmd.run" => Effect::Command,
            "file.join" => Effect::Pure,
            _ => Effect::Mutating,
        };
        assert_eq!(effect(name), Some(expected), "{name}");
    }
    assert!(library.registry().signatures(FunctionKind::Exec).all(|s| !s.doc.is_empty()));
    let undocumented = library.registry().signatures(FunctionKind::State).flat_map(|s| {
        let name = s.name();
        s.params.iter().filter(|p| p.doc.is_empty()).map(move |p| format!("{name} {}", p.name))
    });
    assert_eq!(undocumented.collect::<Vec<_>>(), Vec::<String>::new());
}
