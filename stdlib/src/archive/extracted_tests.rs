use super::Extracted;
use crate::provider::{FileSystem, Output, fake::FakeMachine};
use std::{path::Path, process::Command};
use zester_compiler::types::{Map, Value};

fn args(json: &str) -> Map {
    serde_json::from_str(json).unwrap()
}

/// A machine with an archive of `app/bin/x` and `app/conf` and a `tar` that opens it.
fn machine() -> FakeMachine {
    let machine = FakeMachine::new();
    machine.files.put("/src/app.tar.gz", "archive");
    machine.accounts.put_user("web", 33, 33);
    machine.commands.reply("tar --list", 0, "app/\napp/bin/\napp/bin/x\napp/conf\n");
    let files = machine.files.clone();
    machine.commands.on("tar -x", move |_, line| {
        let into = line.rsplit(' ').next().unwrap().to_owned();
        let top = if line.contains("--strip-components=1") { into } else { format!("{into}/app") };
        files.put(&format!("{top}/bin/x"), "x");
        files.put(&format!("{top}/conf"), "c");
        Output::default()
    });
    machine
}

#[test]
fn it_is_extracted_once_and_owned() {
    let machine = machine();
    let wanted = args(r#"{"name": "/opt", "source": ["/src/app.tar.gz"], "user": "web"}"#);
    machine.converge::<Extracted>(&wanted).unwrap();
    assert_eq!(machine.files.text("/opt/app/bin/x"), "x");
    assert_eq!(machine.files.stat("/opt/app/conf", false).unwrap().unwrap().uid, 33);
    assert_eq!(machine.files.list("/").unwrap(), ["opt", "src", "tmp"]);
    machine.files.remove_file("/opt/app/conf").unwrap();
    let done = machine.converge::<Extracted>(&wanted).unwrap();
    assert_eq!(done.changes.get("extracted_files"), Some(&Value::from(vec!["app/conf"])));
}

#[test]
fn stripped_names_are_looked_for_where_they_land() {
    let machine = machine();
    machine
        .converge::<Extracted>(&args(
            r#"{"name": "/opt/app", "source": ["/src/app.tar.gz"], "options": "--strip-components=1"}"#,
        ))
        .unwrap();
    assert_eq!(machine.files.text("/opt/app/conf"), "c");
}

#[test]
fn another_archive_is_extracted_over_the_old_one_when_asked() {
    let machine = machine();
    let wanted = args(r#"{"name": "/opt", "source": ["/src/app.tar.gz"], "overwrite": true}"#);
    machine.converge::<Extracted>(&wanted).unwrap();
    machine.files.put("/src/app.tar.gz", "another");
    let done = machine.converge::<Extracted>(&wanted).unwrap();
    assert!(!done.changes.is_empty());
}

#[test]
fn a_wrong_checksum_extracts_nothing() {
    let machine = machine();
    let json =
        format!(r#"{{"name": "/opt", "source": ["/src/app.tar.gz"], "source_hash": "{}"}}"#, "0".repeat(64));
    let failure = machine.converge::<Extracted>(&args(&json)).unwrap_err();
    assert!(failure.message.contains("has the checksum"), "{}", failure.message);
    assert!(machine.commands.lines().is_empty());
}

#[test]
fn a_failure_leaves_no_directory() {
    let machine = machine();
    machine.commands.on("tar -x", |_, _| Output {
        status: 2,
        stderr: "tar: disk full\n".into(),
        ..Output::default()
    });
    let failure = machine
        .converge::<Extracted>(&args(r#"{"name": "/opt", "source": ["/src/app.tar.gz"]}"#))
        .unwrap_err();
    assert!(failure.message.contains("disk full"), "{}", failure.message);
    assert_eq!(machine.files.list("/").unwrap(), ["src", "tmp"]);
}

#[test]
fn several_entries_at_the_top_need_a_word() {
    let machine = machine();
    machine.commands.reply("tar --list", 0, "a\nb/c\n");
    let failure = machine
        .converge::<Extracted>(&args(r#"{"name": "/opt", "source": ["/src/app.tar.gz"]}"#))
        .unwrap_err();
    assert!(failure.message.contains("`enforce_toplevel: false`"), "{}", failure.message);
}

#[test]
fn if_missing_ends_it_early() {
    let machine = machine();
    machine
        .converge::<Extracted>(&args(
            r#"{"name": "/opt", "source": ["/no.tar"], "if_missing": "/src/app.tar.gz"}"#,
        ))
        .unwrap();
    assert!(machine.commands.lines().is_empty());
}

fn tar(dir: &Path) {
    std::fs::create_dir_all(dir.join("app/bin")).unwrap();
    std::fs::write(dir.join("app/bin/x"), "x").unwrap();
    let status =
        Command::new("tar").arg("-czf").arg(dir.join("a.tgz")).arg("-C").arg(dir).arg("app").status();
    assert!(status.unwrap().success());
}

#[test]
fn a_real_archive() {
    let dir = tempfile::tempdir().unwrap();
    tar(dir.path());
    let machine = FakeMachine::real();
    let target = dir.path().join("out/deep");
    let json = format!(
        r#"{{"name": "{}", "source": ["{}"]}}"#,
        target.display(),
        dir.path().join("a.tgz").display()
    );
    machine.converge::<Extracted>(&args(&json)).unwrap();
    assert_eq!(std::fs::read(target.join("app/bin/x")).unwrap(), b"x");
    assert_eq!(std::fs::read_dir(dir.path().join("out")).unwrap().count(), 1);
}

#[test]
fn a_real_archive_with_a_way_out_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x"), "x").unwrap();
    let archive = dir.path().join("evil.tar");
    let status = Command::new("tar")
        .arg("-cPf")
        .arg(&archive)
        .args(["--transform", "s,^,../../,", "-C"])
        .arg(dir.path())
        .arg("x")
        .status();
    assert!(status.unwrap().success());
    let target = dir.path().join("out");
    let json = format!(
        r#"{{"name": "{}", "source": ["{}"], "enforce_toplevel": false}}"#,
        target.display(),
        archive.display()
    );
    let failure = FakeMachine::real().converge::<Extracted>(&args(&json)).unwrap_err();
    assert!(failure.message.contains("outside the target"), "{}", failure.message);
}
