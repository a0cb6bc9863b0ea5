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

#[test]
fn the_fixture_trees_have_no_errors() {
    let trees = zester_tests::repository().join("tests/fixtures/trees");
    let mut count = 0;
    for tree in std::fs::read_dir(trees).unwrap() {
        let path = tree.unwrap().path();
        let checked = Scratch::new(&[]).run(&["check", "-C", &path.to_string_lossy(), "--format", "short"]);
        assert_eq!(checked.status, 0, "{}: {}", path.display(), checked.stdout);
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn a_body_that_a_macro_writes_in_the_first_column() {
    let body = "{% macro body() %}\n  test.nop: []\n{% endmacro %}\n";
    let tree =
        Scratch::new(&[("states/web.zy", &format!("{body}a:\n{{{{ body() }}}}\nb:\n  test.nop: []\n"))]);
    tree.run(&["check"]).exits(0);
    tree.write("states/web.zy", &format!("{body}a:\nb:\n{{{{ body() }}}}\n"));
    let wrong = tree.run(&["check", "--format", "short"]).exits(1).stdout;
    assert!(wrong.starts_with("states/web.zy:4:1: error[Z0219]") && wrong.lines().count() == 1, "{wrong}");
}

#[test]
fn a_salt_tree_is_checked_as_it_is() {
    let tree = Scratch::new(&[("web/init.sls", WRONG), ("other/fine.zy", "a:\n  test.nop: []\n")]);
    // A directory that is named says which files are meant.
    let named = tree.run(&["check", "web"]).exits(1);
    assert!(named.stdout.contains("web/init.sls:3:7"), "{named:#?}");
    // Beside .zy files, the others are not guessed at.
    tree.run(&["check"]).exits(0);
    std::fs::remove_file(tree.project().join("other/fine.zy")).unwrap();
    let bare = tree.run(&["check"]).exits(1);
    assert!(bare.stdout.contains("web/init.sls:3:7"), "{bare:#?}");
    // The configuration has the last word.
    tree.write("zester.yaml", "extensions: [zy]\n");
    let nothing = tree.run(&["check"]).exits(2);
    assert!(nothing.stderr.contains("there is nothing to check in"), "{nothing:#?}");
}

#[test]
fn a_directory_that_is_no_project_is_not_read_to_its_end() {
    let home = Scratch::new(&[("web/init.zy", "a:\n  test.nop: []\n"), ("wrong.zy", WRONG)]);
    let many = home.project().join("many");
    std::fs::create_dir(&many).unwrap();
    for n in 0..4_000 {
        std::fs::write(many.join(n.to_string()), "").unwrap();
    }
    // Linked directories are read as if they were there, up to 64 of one.
    for n in 0..60 {
        std::os::unix::fs::symlink("many", home.project().join(format!("link{n}"))).unwrap();
    }
    for arguments in [&["check"][..], &["check", "--fix"], &["check", "--watch"], &["check", "wrong.zy"]] {
        let found = home.run(arguments).exits(2);
        assert!(found.stderr.contains("has more than 200000 files"), "{arguments:?}: {found:#?}");
        assert!(found.stderr.contains("--project DIR") && found.stdout.is_empty(), "{found:#?}");
    }
    home.run(&["check", "--project", "web"]).exits(0);
    home.write("zester.yaml", "");
    home.run(&["check", "web"]).exits(0);
}

#[test]
fn a_tree_elsewhere_is_its_own_project() {
    let here = Scratch::new(&[("states/web.zy", "a:\n  test.nop: []\n")]);
    let there = Scratch::new(&[("web/init.sls", WRONG), ("web/config.sls", "include: [web]\n")]);
    let found = here.run(&["check", there.project().to_str().unwrap()]).exits(1);
    assert!(found.stdout.contains("web/init.sls:3:7"), "{found:#?}");
    assert!(!found.stdout.contains("unresolved-reference"), "{found:#?}");
}

/// Pillar files lie beside the states in most of Salt's repositories; they include each other, and are no states.
#[test]
fn pillars_are_no_states() {
    let tree = Scratch::new(&[
        ("salt/top.sls", "base:\n  '*': [web]\n"),
        ("salt/web/init.sls", "include:\n  - web.config\nnginx:\n  pkg.instaled: []\n"),
        ("salt/web/config.sls", "include:\n  - web\na: test.nop\n"),
        ("pillar/top.sls", "base:\n  '*': [users, app]\n"),
        (
            "pillar/users/init.sls",
            "include:\n  - app\nusers:\n  ada: {uid: 1000, groups: [adm, sudo]}\n  bob:\n    absent: true\nenabled: yes\nports:\n  - 80\nempty:\nnginx: 1.2\n",
        ),
        (
            "pillar/app.sls",
            "#!yaml|gpg\napp:\n  password: |\n    -----BEGIN PGP MESSAGE-----\n\n    hQIMA5x/Y1Xb\n    -----END PGP MESSAGE-----\n  {% if grains.os == 'Debian' %}\n  pkg: a\n  {% endif %}\n",
        ),
    ]);
    let found = tree.run(&["check", ".", "--format", "short"]).exits(1);
    assert!(found.stdout.contains("salt/web/init.sls:4:7: error[Z0202]"), "{found:#?}");
    assert!(!found.stdout.contains("pillar/"), "{found:#?}");
}

/// Beside other directories, in one that is no project, a tree is told by what stands at its top.
#[test]
fn a_tree_below_is_its_own_project() {
    let here = Scratch::new(&[
        ("formula/top.sls", "base:\n  '*': [web]\n"),
        ("formula/web/init.sls", "include: [web.config]\n"),
        ("formula/web/config.sls", WRONG),
        ("other/web.zy", WRONG),
    ]);
    let found = here.run(&["check", "formula", "--format", "short"]).exits(1);
    assert!(found.stdout.starts_with("web/config.sls:3:7: error[Z0203]"), "{found:#?}");
    let found = here.run(&["check", "formula/web/config.sls", "--format", "short"]).exits(1);
    assert!(found.stdout.starts_with("web/config.sls:3:7: error[Z0203]"), "{found:#?}");
}

#[test]
fn a_wrong_configuration_is_a_finding_for_programs_that_read_findings() {
    let files = [("zester.yaml", "nodegroup: {web: 'L@a'}\n"), ("states/web.zy", "a:\n  test.nop: []\n")];
    let tree = Scratch::new(&files);
    let short = tree.run(&["check", "--format", "short"]).exits(2);
    assert_eq!(short.stdout, "zester.yaml:1:1: error[Z0590] `zester.yaml` has no key `nodegroup`\n");
    let github = tree.run(&["check", "--format", "github"]).exits(2);
    assert!(github.stdout.starts_with("::error file=zester.yaml,line=1"), "{github:#?}");
    let sarif = tree.run(&["check", "--format", "sarif"]).exits(2).json();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "Z0590");
    let json = tree.run(&["check", "--format", "json"]).exits(2).json();
    assert_eq!(json["error"]["help"], "did you mean `nodegroups`?");
}
