//! `zester check`: exit statuses and the JSON document.

use serde_json::{Value, json};
use std::{io::Write, process::Stdio};
use zester_tests::command::Scratch;

const WRONG: &str = "nginx:\n  pkg.installed:\n    - versoin: 1.24\n";

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_right_tree_and_a_wrong_one() {
    let tree = Scratch::new(&[("states/web.zy", "nginx:\n  pkg.installed: []\n")]);
    let right = tree.run(&["check"]).exits(0);
    assert_eq!((right.stdout.as_str(), right.stderr.as_str()), ("nothing to report in 1 file\n", ""));
    tree.write("states/web.zy", WRONG);
    let wrong = tree.run(&["check"]).exits(1);
    assert!(wrong.stdout.contains("states/web.zy:3:7"), "{wrong:#?}");
    assert!(wrong.stdout.contains(" 3 │     - versoin: 1.24"), "{wrong:#?}");
    // The given files only.
    tree.write("states/fine.zy", "a:\n  test.nop: []\n");
    tree.run(&["check", "states/fine.zy"]).exits(0);
    tree.run(&["check", "states/web.zy"]).exits(1);
}

#[test]
fn the_document_has_the_promised_fields() {
    let tree = Scratch::new(&[("states/web.zy", WRONG)]);
    for args in [["check", "--format", "json"], ["check", "--output", "json"]] {
        let document = tree.run(&args).exits(1).json();
        assert_eq!(
            keys(&document),
            ["format_version", "errors", "warnings", "hints", "files", "structural", "diagnostics"]
        );
        assert_eq!(document["format_version"], "1.0");
        assert_eq!((&document["errors"], &document["files"]), (&json!(1), &json!(1)));
        let found = &document["diagnostics"][0];
        assert_eq!(
            keys(found),
            ["code", "name", "severity", "message", "help", "file", "range", "labels", "fixes", "peels"]
        );
        assert_eq!(found["name"], "unknown-parameter");
        assert_eq!(found["severity"], "error");
        assert_eq!(found["file"], "states/web.zy");
        assert_eq!(
            found["range"],
            json!({"start": {"line": 3, "column": 7, "offset": 30}, "end": {"line": 3, "column": 14, "offset": 37}})
        );
    }
}

#[test]
fn columns_are_characters() {
    let tree = Scratch::new(&[("states/web.zy", "größe:\n  cmd.run: [{name: 'äöü', nmae: x}]\n")]);
    let document = tree.run(&["check", "--format", "json"]).exits(1).json();
    let start = &document["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .find(|d| d["severity"] == "error")
        .unwrap()["range"]["start"];
    assert_eq!(start, &json!({"line": 2, "column": 27, "offset": 38}));
}

#[test]
fn bad_usage_and_configuration_are_status_2_with_a_document() {
    let tree = Scratch::new(&[("states/web.zy", WRONG), ("zester.yaml", "stats: [states]\n")]);
    let text = tree.run(&["check"]).exits(2);
    assert!(text.stdout.is_empty() && text.stderr.contains("zester.yaml:1:1"), "{text:#?}");
    let document = tree.run(&["check", "--format", "json"]).exits(2).json();
    assert_eq!(keys(&document), ["format_version", "error"]);
    assert_eq!(document["error"]["file"], "zester.yaml");
    assert_eq!(document["error"]["range"]["start"]["line"], 1);

    for args in [
        &["check", "--format", "json", "--nonsense"][..],
        &["check", "--output=json", "nowhere.zy"],
        &["apply", "--output", "json", "-C", "/nowhere"],
        &["check", "--output", "json", "--level", "Z0101"],
    ] {
        let finished = tree.run(args).exits(2);
        let document = finished.json();
        assert_eq!(keys(&document), ["format_version", "error"], "{finished:#?}");
        assert!(document["error"]["message"].as_str().is_some_and(|m| !m.is_empty()), "{finished:#?}");
    }
    tree.run(&["chekc"]).exits(2);
    tree.run(&["--help"]).exits(0);
    tree.run(&["--version"]).exits(0);
}

#[test]
fn text_from_stdin_stands_for_a_file() {
    let tree = Scratch::new(&[("states/web.zy", "a:\n  test.nop: []\n")]);
    let mut child = tree
        .command(&["check", "-", "--stdin-filename", "states/web.zy", "--format", "short"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(WRONG.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("states/web.zy:3:7"));
}

#[test]
fn levels_and_colours() {
    let tree = Scratch::new(&[("states/web.zy", WRONG)]);
    tree.run(&["check", "--level", "unknown-parameter=warn"]).exits(0);
    tree.run(&["check", "--level", "Z0203=allow"]).exits(0);
    assert!(tree.run(&["check", "--color", "always"]).stdout.contains('\u{1b}'));
    // Not a terminal, and then NO_COLOR.
    assert!(!tree.run(&["check"]).stdout.contains('\u{1b}'));
    let output = tree.command(&["check"]).env("NO_COLOR", "1").output().unwrap();
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn other_formats() {
    let tree = Scratch::new(&[("states/web.zy", WRONG)]);
    assert_eq!(tree.run(&["check", "--format", "sarif"]).exits(1).json()["version"], "2.1.0");
    let github = tree.run(&["check", "--format", "github"]).exits(1).stdout;
    assert!(github.starts_with("::error file=states/web.zy,line=3,"), "{github}");
}
