use super::Managed;
use crate::{
    change,
    provider::{FileSystem, fake::FakeMachine},
};
use zester_compiler::types::{Map, Value};

fn args(json: &str) -> Map {
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_new_file_has_content_owner_and_mode() {
    let machine = FakeMachine::new();
    machine.accounts.put_user("web", 33, 33);
    let done = machine
        .converge::<Managed>(&args(
            r#"{"name": "/etc/app/a.conf", "contents": ["a", "b"], "user": "web", "mode": "0640", "makedirs": true}"#,
        ))
        .unwrap();
    assert_eq!(machine.files.text("/etc/app/a.conf"), "a\nb\n");
    let stat = machine.files.stat("/etc/app/a.conf", true).unwrap().unwrap();
    assert_eq!((stat.uid, stat.mode), (33, 0o640));
    let dir = machine.files.stat("/etc/app", true).unwrap().unwrap();
    assert_eq!((dir.uid, dir.mode), (33, 0o750));
    assert_eq!(done.changes.get("diff"), Some(&Value::from("New file")));
    assert_eq!(done.changes.get("mode"), Some(&change(Value::Null, "0640")));
}

#[test]
fn a_change_is_shown_as_a_diff_and_keeps_mode_and_owner() {
    let machine = FakeMachine::new();
    machine.files.put("/f", "one\ntwo\n");
    machine.files.set_mode("/f", 0o600).unwrap();
    let done = machine.converge::<Managed>(&args(r#"{"name": "/f", "contents": ["one\nzwei"]}"#)).unwrap();
    assert_eq!(
        done.changes.get("diff").and_then(Value::as_str),
        Some("--- \n+++ \n@@ -1,2 +1,2 @@\n one\n-two\n+zwei\n")
    );
    assert_eq!(machine.files.stat("/f", true).unwrap().unwrap().mode, 0o600);
}

#[test]
fn only_attributes_without_content() {
    let machine = FakeMachine::new();
    machine.files.put("/f", "kept");
    let done = machine.converge::<Managed>(&args(r#"{"name": "/f", "mode": "0600"}"#)).unwrap();
    assert_eq!(done.changes.get("mode"), Some(&change("0644", "0600")));
    assert_eq!(machine.files.text("/f"), "kept");
}

#[test]
fn replace_false_writes_only_a_new_file() {
    let machine = FakeMachine::new();
    let wanted = args(r#"{"name": "/f", "contents": ["x"], "replace": false}"#);
    machine.converge::<Managed>(&wanted).unwrap();
    machine.files.put("/f", "by hand");
    assert!(machine.converge::<Managed>(&wanted).unwrap().changes.is_empty());
    assert_eq!(machine.files.text("/f"), "by hand");
    let none = args(r#"{"name": "/g", "contents": ["x"], "create": false}"#);
    assert!(machine.converge::<Managed>(&none).unwrap().changes.is_empty());
}

#[test]
fn the_first_source_that_exists_is_rendered_with_context_over_defaults() {
    let machine = FakeMachine::new();
    machine.tree.put("app/b.conf", "{{ port }} {{ host }}");
    machine
        .converge::<Managed>(&args(
            r#"{"name": "/f", "source": ["salt://app/a.conf", "salt://app/b.conf"], "template": "jinja",
                "context": {"port": 80}, "defaults": {"port": 1, "host": "h"}}"#,
        ))
        .unwrap();
    assert_eq!(machine.files.text("/f"), "80 h");
    let none = machine
        .converge::<Managed>(&args(r#"{"name": "/f", "source": ["salt://x", "zester://y"]}"#))
        .unwrap_err();
    assert_eq!(none.message, "None of the sources exists: `salt://x`, `zester://y`");
}

#[test]
fn content_comes_from_settings_and_facts() {
    let mut machine = FakeMachine::new();
    machine.settings = serde_json::from_str(r#"{"tls": {"key": "KEY\n", "empty": ""}}"#).unwrap();
    machine.facts.grains = args(r#"{"os": "Debian"}"#);
    machine.converge::<Managed>(&args(r#"{"name": "/k", "contents_pillar": "tls:key"}"#)).unwrap();
    machine.converge::<Managed>(&args(r#"{"name": "/g", "contents_grains": "os"}"#)).unwrap();
    assert_eq!(machine.files.text("/k"), "KEY\n");
    assert_eq!(machine.files.text("/g"), "Debian\n");
    let missing = machine.converge::<Managed>(&args(r#"{"name": "/k", "contents_pillar": "tls:cert"}"#));
    assert!(missing.unwrap_err().message.contains("The setting `tls:cert` does not exist"));
    let empty = args(r#"{"name": "/k", "contents_pillar": "tls:empty", "allow_empty": false}"#);
    assert!(machine.converge::<Managed>(&empty).unwrap_err().message.contains("is empty"));
}

#[test]
fn newlines_are_as_salt_makes_them() {
    let text = |parts: &[&str], newline| {
        super::text_of(&parts.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(), newline)
    };
    assert_eq!(text(&["a", "b\nc\n"], true), "a\nb\nc\n");
    assert_eq!(text(&["a"], false), "a");
    assert_eq!(text(&[""], true), "");
}

#[test]
fn secrets_and_hidden_changes_are_not_shown() {
    let machine = FakeMachine::new();
    machine.files.put("/f", "old");
    let done = machine
        .converge::<Managed>(&args(r#"{"name": "/f", "contents": ["pw"], "show_changes": false}"#))
        .unwrap();
    assert_eq!(done.changes.get("diff"), Some(&Value::from("<show_changes=False>")));
}

#[test]
fn a_check_command_that_refuses_leaves_the_old_file() {
    let machine = FakeMachine::new();
    machine.files.put("/f", "old");
    machine.commands.on("visudo", |_, line| crate::provider::Output {
        status: 1,
        stderr: format!("bad: {}\n", line.contains(".tmp'")),
        ..Default::default()
    });
    let wanted =
        args(r#"{"name": "/f", "contents": ["new"], "check_cmd": ["visudo -cf"], "tmp_ext": ".tmp"}"#);
    let failure = machine.converge::<Managed>(&wanted).unwrap_err();
    assert!(
        failure.message.contains("refuses the new content") && failure.message.contains("bad: true"),
        "{failure:?}"
    );
    assert_eq!(machine.files.text("/f"), "old");
    assert_eq!(machine.files.list("/").unwrap(), ["f", "tmp"]);
}

#[test]
fn a_full_disk_leaves_the_old_file_and_says_so() {
    let machine = FakeMachine::new();
    machine.files.put("/f", "old");
    machine.files.fill_up();
    let failure = machine.converge::<Managed>(&args(r#"{"name": "/f", "contents": ["new"]}"#)).unwrap_err();
    assert_eq!(failure.message, "`/f` cannot be written and is left as it was: no space left on device");
    assert_eq!(machine.files.text("/f"), "old");
}

#[test]
fn what_cannot_be_is_refused() {
    let machine = FakeMachine::new();
    machine.files.put_dir("/d");
    let fails = |json: &str| machine.converge::<Managed>(&args(json)).unwrap_err().message;
    assert_eq!(fails(r#"{"name": "/d", "contents": ["x"]}"#), "`/d` is a directory, not a file");
    assert!(fails(r#"{"name": "etc/f", "contents": ["x"]}"#).contains("not an absolute path"));
    assert!(fails(r#"{"name": "/f", "source": ["https://x/y"]}"#).contains("give `source_hash`"));
    assert!(fails(r#"{"name": "/f", "contents": ["x"], "template": "mako"}"#).contains("`template: mako`"));
    assert!(fails(r#"{"name": "/f", "contents": ["ä"], "encoding": "ascii"}"#).contains("`ä`"));
}

#[test]
fn a_backup_is_kept_and_named() {
    let machine = FakeMachine::new();
    machine.files.put("/f", "old");
    let done = machine
        .converge::<Managed>(&args(r#"{"name": "/f", "contents": ["new"], "backup": "minion"}"#))
        .unwrap();
    let copy = done.changes.get("backup").and_then(Value::as_str).unwrap();
    assert_eq!(machine.files.text(copy), "old");
}

#[test]
fn on_a_real_disk() {
    let machine = FakeMachine::on_disk();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a/b/f");
    let json =
        format!(r#"{{"name": "{}", "contents": ["x"], "mode": "0600", "makedirs": true}}"#, file.display());
    machine.converge::<Managed>(&args(&json)).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"x\n");
    machine.converge::<Managed>(&args(&json.replace("\"x\"", "\"y\""))).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"y\n");
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}
