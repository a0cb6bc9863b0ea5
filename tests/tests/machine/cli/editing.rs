//! `zester fmt`, `check --fix`, `--add-allow`, `--statistics`, `--watch`: what is written into files, and what is not.

use serde_json::json;
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    process::Stdio,
    time::{Duration, Instant},
};
use zester_tests::command::Scratch;

fn read(tree: &Scratch, path: &str) -> String {
    fs::read_to_string(tree.project().join(path)).unwrap()
}

const UNTIDY: &str = "nginx:\n    pkg.installed:\n    - version: {{settings.v}}  # why\nb:\n  test.nop: []";
const TIDY: &str = "nginx:\n  pkg.installed:\n    - version: {{ settings.v }}  # why\n\nb:\n  test.nop: []\n";

#[test]
fn files_are_brought_into_their_layout() {
    let tree = Scratch::new(&[
        ("states/web.zy", UNTIDY),
        ("states/fine.zy", TIDY),
        ("states/wrong.zy", "a:\n  b: [\n"),
        ("settings/top.zy", "base:\n  '*':\n  - a\n"),
    ]);
    let path = tree.project().join("states/web.zy");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let shown = tree.run(&["fmt", "--check"]).exits(1);
    assert_eq!(shown.stdout, "settings/top.zy\nstates/web.zy\n");
    assert!(shown.stderr.contains("states/wrong.zy:2:6: left as it is: "), "{shown:#?}");
    let diff = tree.run(&["fmt", "--diff", "states/web.zy"]).exits(0);
    assert!(
        diff.stdout.contains("-    pkg.installed:\n") && diff.stdout.contains("+  pkg.installed:\n"),
        "{diff:#?}"
    );
    assert_eq!(read(&tree, "states/web.zy"), UNTIDY);
    // The wrong file is named, and the others are done.
    tree.run(&["fmt"]).exits(1);
    assert_eq!(read(&tree, "states/web.zy"), TIDY);
    assert_eq!(read(&tree, "settings/top.zy"), "base:\n  '*':\n    - a\n");
    assert_eq!(read(&tree, "states/wrong.zy"), "a:\n  b: [\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    tree.run(&["fmt", "--check", "states/web.zy", "states/fine.zy"]).exits(0);
    let document = tree.run(&["fmt", "--check", "--output", "json"]).exits(1).json();
    assert_eq!(document["changed"], json!([]));
    assert_eq!(document["untouched"][0]["file"], "states/wrong.zy");
    tree.run(&["fmt", "states/nowhere.zy"]).exits(2);
}

#[test]
fn stdin_is_formatted_to_stdout() {
    let tree = Scratch::new(&[("states/a.zy", "")]);
    let formatted = |args: &[&str], text: &str| {
        let mut child = tree
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(formatted(&["fmt", "-"], UNTIDY), (Some(0), TIDY.to_owned()));
    assert_eq!(formatted(&["fmt", "-", "--check"], UNTIDY), (Some(1), "stdin.zy\n".to_owned()));
    // What is wrong comes back as it was, so that an editor loses nothing.
    assert_eq!(formatted(&["fmt", "-"], "a: [\n"), (Some(1), "a: [\n".to_owned()));
    let settings = ["fmt", "-", "--stdin-filename", "states/top.zy"];
    assert_eq!(formatted(&settings, "a:\n  b: c\nd:\n  e: f\n").1, "a:\n  b: c\nd:\n  e: f\n");
}

#[test]
fn fixes_are_applied_to_files() {
    let text = "/etc/a:\n  file.managed:\n    - mode: 644\n    - contents: x\n    - usre: root\n";
    let tree = Scratch::new(&[("states/web.zy", text)]);
    let fixed = tree.run(&["check", "--fix"]).exits(1);
    assert!(fixed.stdout.contains("applied 1 fix in 1 file\n"), "{fixed:#?}");
    assert_eq!(read(&tree, "states/web.zy"), text.replace("644", "\"0644\""));
    let document = tree.run(&["check", "--fix", "--unsafe", "--format", "json"]).exits(0).json();
    assert_eq!((&document["fixed"], &document["errors"]), (&json!(1), &json!(0)));
    assert!(read(&tree, "states/web.zy").contains("- user: root\n"));
    tree.run(&["check", "--unsafe"]).exits(2);
}

#[test]
fn findings_are_allowed_where_they_stand() {
    let text = "{% set x = 'ls' -%}\na:\n  cmd.run:\n    - name: {{ x }}\nb:\n  pkg.instaled: []\n";
    let tree = Scratch::new(&[("states/web.zy", text)]);
    let allowed = tree.run(&["check", "--add-allow"]).exits(0);
    assert!(allowed.stdout.contains("allowed 2 findings in 1 file\n"), "{allowed:#?}");
    assert_eq!(
        read(&tree, "states/web.zy"),
        "{% set x = 'ls' -%}\na:\n  # zester: allow(Z0223)\n  cmd.run:\n    - name: {{ x }}\nb:\n  # zester: allow(Z0202)\n  pkg.instaled: []\n"
    );
    tree.run(&["check"]).exits(0);
}

#[test]
fn statistics_say_what_can_be_fixed() {
    let text =
        "/etc/a:\n  file.managed:\n    - mode: 644\n    - contents: x\n    - usre: root\n    - gruop: root\n";
    let tree = Scratch::new(&[("states/web.zy", text)]);
    let shown = tree.run(&["check", "--statistics"]).exits(1);
    assert!(
        shown.stdout.contains("     2      0         2  error    Z0203  unknown-parameter\n"),
        "{shown:#?}"
    );
    assert!(shown.stdout.contains("     1      1         1  hint     Z0216  ambiguous-mode\n"), "{shown:#?}");
    let document = tree.run(&["check", "--statistics", "--format", "json"]).exits(1).json();
    assert_eq!(
        document["statistics"][0],
        json!({"code": "Z0203", "name": "unknown-parameter", "severity": "error", "count": 2, "fixable_safe": 0, "fixable": 2})
    );
}

#[test]
fn watching_checks_after_each_change() {
    let tree = Scratch::new(&[("states/web.zy", "nginx:\n  pkg.installed: []\n")]);
    let mut child = tree
        .command(&["check", "--watch", "--format", "short"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut waits = || {
        let mut line = String::new();
        while !line.contains("waiting for changes") {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "the watcher has ended");
        }
        line
    };
    assert!(waits().starts_with("checked 1 files in "));
    tree.write("states/web.zy", "nginx:\n  pkg.instaled: []\n");
    waits();
    // A file that comes, and one that goes.
    tree.write("states/new/init.zy", "include: [web]\n");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !waits().starts_with("checked 2 files") {
        assert!(Instant::now() < deadline);
    }
    fs::remove_file(tree.project().join("states/web.zy")).unwrap();
    while !waits().starts_with("checked 1 files") {
        assert!(Instant::now() < deadline);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut found = String::new();
    child.stdout.take().unwrap().read_to_string(&mut found).unwrap();
    assert!(found.contains("states/web.zy:2:3: error[Z0202]") || found.contains("error[Z0202]"), "{found}");
    assert!(found.contains("states/new/init.zy:1:11: error[Z0101]"), "{found}");
}
