//! The glance: what an edited file's findings are is shown before the project is checked again.

use serde_json::{Value, json};
use std::fs;
use zester_tests::{
    command::zester,
    editor::{Editor, Manner},
};

/// A file that another one names, right and wrong: as `b.zy` sees it, and in itself.
const RIGHT: &str = "first:\n  pkg.installed:\n    - version: 1\n";
const WRONG: &str = "other:\n  pkg.installed:\n    - versoin: 1\n";

fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("states")).unwrap();
    fs::write(dir.path().join("states/a.zy"), RIGHT).unwrap();
    let names = "include:\n  - a\nsecond:\n  test.nop:\n    - require:\n      - pkg: first\n";
    fs::write(dir.path().join("states/b.zy"), names).unwrap();
    dir
}

fn replace(editor: &mut Editor, text: &str) -> i64 {
    let length = editor.text("states/a.zy").len();
    editor.edit("states/a.zy", 0..length, text);
    editor.open["states/a.zy"].0
}

fn published(message: &Value, file: &str) -> bool {
    message["method"] == "textDocument/publishDiagnostics"
        && message["params"]["uri"].as_str().is_some_and(|uri| uri.ends_with(file))
}

#[test]
fn the_edited_file_comes_before_those_that_hang_on_it() {
    let dir = project();
    let mut editor = Editor::start(zester(), dir.path());
    editor.open("states/a.zy", RIGHT);
    assert_eq!(editor.findings("states/a.zy"), []);
    // Often enough that chance cannot have put them in this order.
    for round in 0..12 {
        let (text, wrong) = if round % 2 == 0 { (WRONG, 1) } else { (RIGHT, 0) };
        let before = editor.told.len();
        let version = replace(&mut editor, text);
        let (own, message) =
            editor.hear(before, |m| published(m, "/a.zy") && m["params"]["version"] == version);
        let found = message["params"]["diagnostics"].as_array().unwrap();
        assert_eq!(found.len(), wrong, "round {round}: {message}");
        let (other, message) = editor.hear(before, |m| published(m, "/b.zy"));
        assert!(own < other, "round {round}");
        assert_eq!(
            message["params"]["diagnostics"].as_array().unwrap().len(),
            wrong,
            "round {round}: {message}"
        );
        // The check says of the edited file what the glance said, so it is not said again.
        assert_eq!(editor.findings("states/a.zy").len(), wrong);
        assert_eq!(
            editor.told[before..].iter().filter(|m| published(m, "/a.zy")).count(),
            1,
            "round {round}"
        );
    }
    assert_eq!(editor.stop(), 0);
}

#[test]
fn letters_that_come_without_a_pause_are_looked_at_all_the_same() {
    let dir = project();
    let mut editor = Editor::start(zester(), dir.path());
    editor.open("states/a.zy", RIGHT);
    assert_eq!(editor.findings("states/a.zy"), []);
    let before = editor.told.len();
    let first = replace(&mut editor, WRONG);
    for _ in 0..60 {
        let end = editor.text("states/a.zy").len();
        editor.edit("states/a.zy", end..end, "#");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let last = editor.open["states/a.zy"].0;
    editor.findings("states/b.zy");
    let versions: Vec<i64> = editor.told[before..]
        .iter()
        .filter(|m| published(m, "/a.zy"))
        .map(|m| m["params"]["version"].as_i64().unwrap())
        .collect();
    assert!(versions.is_sorted(), "{versions:?}");
    assert!(versions.iter().any(|v| (first..last).contains(v)), "{versions:?}");
    assert_eq!(versions.last(), Some(&last));
    assert_eq!(editor.stop(), 0);
}

#[test]
fn clients_that_ask_get_the_glance_where_they_can_be_told_to_ask_again() {
    for refreshes in [true, false] {
        let dir = project();
        let capabilities = json!({
            "textDocument": { "diagnostic": {} },
            "workspace": { "diagnostics": { "refreshSupport": refreshes } },
        });
        let mut editor =
            Editor::start_as(zester(), dir.path(), &Manner { capabilities, ..Manner::default() });
        editor.open("states/a.zy", RIGHT);
        editor.open("states/b.zy", &fs::read_to_string(dir.path().join("states/b.zy")).unwrap());
        assert_eq!(editor.findings("states/a.zy"), []);
        assert_eq!(editor.findings("states/b.zy"), []);
        let refresh = |m: &Value| m["method"] == "workspace/diagnostic/refresh";
        let before = editor.told.len();
        replace(&mut editor, WRONG);
        assert_eq!(editor.findings("states/a.zy").len(), 1, "{refreshes}");
        if refreshes {
            editor.hear(before, refresh);
        }
        assert_eq!(editor.findings("states/b.zy").len(), 1, "{refreshes}");
        assert_eq!(editor.told.iter().any(refresh), refreshes);
        // Who asks is told nothing.
        assert!(editor.told.iter().all(|m| m["method"] != "textDocument/publishDiagnostics"));
        assert_eq!(editor.stop(), 0);
    }
}

#[test]
fn the_first_check_is_shown_as_progress() {
    let dir = project();
    let capabilities = json!({ "window": { "workDoneProgress": true } });
    let mut editor = Editor::start_as(zester(), dir.path(), &Manner { capabilities, ..Manner::default() });
    let (create, asked) = editor.hear(0, |m| m["method"] == "window/workDoneProgress/create");
    let is = |kind: &'static str| {
        let token = asked["params"]["token"].clone();
        move |m: &Value| {
            m["method"] == "$/progress"
                && m["params"]["token"] == token
                && m["params"]["value"]["kind"] == kind
        }
    };
    let (begin, _) = editor.hear(0, is("begin"));
    let (end, message) = editor.hear(0, is("end"));
    assert!(create < begin && begin < end);
    assert!(message["params"]["value"]["message"].as_str().unwrap().starts_with("2 files in "), "{message}");
    // Later checks are too short to be shown.
    editor.open("states/a.zy", WRONG);
    assert_eq!(editor.findings("states/a.zy").len(), 1);
    assert_eq!(editor.told.iter().filter(|m| m["method"] == "$/progress").count(), 2);
    assert_eq!(editor.stop(), 0);
}

#[test]
fn lenses_and_hints_are_asked_for_again_when_another_file_changed_what_they_say() {
    let dir = project();
    let capabilities = json!({
        "workspace": { "codeLens": { "refreshSupport": true }, "inlayHint": { "refreshSupport": true } },
    });
    let mut editor = Editor::start_as(zester(), dir.path(), &Manner { capabilities, ..Manner::default() });
    editor.open("states/a.zy", RIGHT);
    editor.findings("states/a.zy");
    let asked =
        |editor: &Editor| editor.told.iter().filter(|m| m["method"] == "workspace/codeLens/refresh").count();
    // Of the document that is edited the client knows it.
    replace(&mut editor, WRONG);
    editor.findings("states/a.zy");
    assert_eq!(asked(&editor), 0);
    let other = fs::read_to_string(dir.path().join("states/b.zy")).unwrap();
    editor.open("states/b.zy", &other);
    editor.findings("states/b.zy");
    let before = editor.told.len();
    replace(&mut editor, RIGHT);
    editor.hear(before, |m| m["method"] == "workspace/codeLens/refresh");
    editor.hear(before, |m| m["method"] == "workspace/inlayHint/refresh");
    // Another peel has other values.
    let before = editor.told.len();
    editor
        .tell("workspace/didChangeConfiguration", &json!({ "settings": { "zester": { "peel": "web-01" } } }));
    editor.hear(before, |m| m["method"] == "workspace/inlayHint/refresh");
    assert_eq!(editor.stop(), 0);
}
