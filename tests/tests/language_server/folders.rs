//! Several folders and several projects in one: each file belongs to the nearest, and is said of once.

use serde_json::{Value, json};
use std::{fs, path::Path};
use zester_tests::{
    command::zester,
    editor::{Editor, Manner},
};

/// A state with one mistake, which names another file.
const WRONG: &str = "include:\n  - common\na:\n  pkg.instaled: []\n";

fn project(root: &Path, name: &str, declared: bool) {
    let write = |path: &str, text: &str| {
        let path = root.join(name).join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("states/a.zy", WRONG);
    write("states/common.zy", "common:\n  test.nop: []\n");
    if declared {
        write("zester.yaml", "{}\n");
    }
}

/// Codes of the findings that were pushed last for a file.
fn pushed(editor: &Editor, path: &str) -> Vec<String> {
    let found = editor.pushed.get(path).map(|(_, found)| found.clone()).unwrap_or_default();
    found.iter().map(|d| d["code"].as_str().unwrap().to_owned()).collect()
}

/// Waits until everything was checked.
fn rest(editor: &mut Editor) {
    editor.ask("workspace/diagnostic", &json!({ "previousResultIds": [] })).unwrap();
}

fn folders_changed(editor: &mut Editor, added: &[&str], removed: &[&str]) {
    let of = |names: &[&str]| -> Value {
        names.iter().map(|name| json!({ "uri": editor.uri(name), "name": name })).collect()
    };
    let event = json!({ "event": { "added": of(added), "removed": of(removed) } });
    editor.tell("workspace/didChangeWorkspaceFolders", &event);
}

#[test]
fn folders_whose_names_begin_alike_do_not_disturb_each_other() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["web", "web-old"] {
        project(dir.path(), name, true);
    }
    let manner = Manner { folders: &["web", "web-old"], ..Manner::default() };
    let mut editor = Editor::start_as(zester(), dir.path(), &manner);
    rest(&mut editor);
    let (one, other) = ("web/states/a.zy", "web-old/states/a.zy");
    for round in 0..4 {
        let text = format!("{WRONG}# {round}\n");
        editor.open(one, &text);
        editor.findings(one);
        assert_eq!((pushed(&editor, one).len(), pushed(&editor, other).len()), (1, 1), "{round}");
    }
    assert_eq!(editor.stop(), 0);
}

#[test]
fn projects_inside_of_a_folder_are_found() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["infra", "sites/lab"] {
        project(dir.path(), name, true);
    }
    fs::write(dir.path().join("README.md"), "").unwrap();
    let mut editor = Editor::start(zester(), dir.path());
    editor.hear(0, |m| m["params"]["uri"].as_str().is_some_and(|uri| uri.ends_with("lab/states/a.zy")));
    rest(&mut editor);
    // Without anything being open: the mistake, and no more, since each ref leads into its own project.
    for path in ["infra/states/a.zy", "sites/lab/states/a.zy"] {
        assert_eq!(pushed(&editor, path), ["Z0202"]);
    }
    let path = "infra/states/a.zy";
    editor.open(path, WRONG);
    let at = editor.at(path, WRONG.find("common").unwrap());
    let found = editor.ask("textDocument/definition", &at).unwrap();
    assert!(found[0]["uri"].as_str().unwrap().ends_with("/infra/states/common.zy"), "{found}");
    assert_eq!(editor.findings(path).len(), 1);
    // A configuration makes a project of where it appears.
    project(dir.path(), "new", false);
    let path = "new/states/a.zy";
    editor.open(path, WRONG);
    let before = editor.findings(path);
    fs::write(dir.path().join("new/zester.yaml"), "{}\n").unwrap();
    let change = json!({ "changes": [{ "uri": editor.uri("new/zester.yaml"), "type": 1 }] });
    editor.tell("workspace/didChangeWatchedFiles", &change);
    let after = editor.findings(path);
    assert_eq!(after.len(), 1, "{after:?}, before {before:?}");
    rest(&mut editor);
    assert_eq!(pushed(&editor, path), ["Z0202"]);
    assert_eq!(editor.stop(), 0);
}

#[test]
fn a_folder_that_is_closed_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        project(dir.path(), name, true);
    }
    let manner = Manner { folders: &["one", "two"], ..Manner::default() };
    let mut editor = Editor::start_as(zester(), dir.path(), &manner);
    rest(&mut editor);
    assert_eq!((pushed(&editor, "one/states/a.zy").len(), pushed(&editor, "two/states/a.zy").len()), (1, 1));
    folders_changed(&mut editor, &[], &["two"]);
    let found = editor.ask("workspace/diagnostic", &json!({ "previousResultIds": [] })).unwrap();
    assert_eq!((pushed(&editor, "one/states/a.zy").len(), pushed(&editor, "two/states/a.zy").len()), (1, 0));
    assert!(!found.to_string().contains("/two/"), "{found}");
    // A document of it is served all the same, and so is the folder when it comes back.
    editor.open("two/states/a.zy", WRONG);
    assert_eq!(editor.findings("two/states/a.zy").len(), 1);
    folders_changed(&mut editor, &["two"], &["one"]);
    rest(&mut editor);
    assert_eq!((pushed(&editor, "one/states/a.zy").len(), pushed(&editor, "two/states/a.zy").len()), (0, 1));
    let length = WRONG.len();
    editor.edit("two/states/a.zy", 0..length, "a:\n  test.nop: []\n");
    assert_eq!(editor.findings("two/states/a.zy"), []);
    assert_eq!(editor.stop(), 0);
}

#[test]
fn a_folder_is_closed_and_opened_any_number_of_times() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["one", "two", "three"] {
        project(dir.path(), name, true);
    }
    let manner = Manner { folders: &["one"], ..Manner::default() };
    let mut editor = Editor::start_as(zester(), dir.path(), &manner);
    let path = "two/states/a.zy";
    // In the middle of the check, whose findings are then nobody's.
    for _ in 0..20 {
        folders_changed(&mut editor, &["two"], &["three"]);
        folders_changed(&mut editor, &["three"], &["two"]);
    }
    rest(&mut editor);
    let count = |editor: &Editor, path: &str| pushed(editor, path).len();
    assert_eq!(
        (count(&editor, "one/states/a.zy"), count(&editor, path), count(&editor, "three/states/a.zy")),
        (1, 0, 1)
    );
    folders_changed(&mut editor, &["two"], &[]);
    editor.open(path, WRONG);
    assert_eq!(editor.findings(path).len(), 1);
    editor.edit(path, 0..WRONG.len(), "a:\n  test.nop: []\n");
    assert_eq!(editor.findings(path), []);
    rest(&mut editor);
    assert_eq!(
        (count(&editor, "one/states/a.zy"), count(&editor, path), count(&editor, "three/states/a.zy")),
        (1, 0, 1)
    );
    assert_eq!(editor.stop(), 0);
}

#[test]
fn files_below_a_directory_that_is_named_target_are_read_again() {
    let dir = tempfile::tempdir().unwrap();
    project(dir.path(), ".", true);
    let file = dir.path().join("states/target/b.zy");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "b:\n  test.nop: []\n").unwrap();
    let mut editor = Editor::start(zester(), dir.path());
    assert_eq!(editor.findings("states/target/b.zy"), []);
    fs::write(&file, "b:\n  test.noop: []\n").unwrap();
    let change = json!({ "changes": [{ "uri": editor.uri("states/target/b.zy"), "type": 2 }] });
    editor.tell("workspace/didChangeWatchedFiles", &change);
    assert_eq!(editor.findings("states/target/b.zy").len(), 1);
    assert_eq!(editor.stop(), 0);
}
