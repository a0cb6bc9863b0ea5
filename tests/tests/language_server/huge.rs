//! Directories that are no project, or are more than that: the server says so and serves the files that are open.

use serde_json::{Value, json};
use std::fs;
use zester_tests::{
    command::zester,
    editor::{Editor, Manner},
};

fn messages<'e>(editor: &'e Editor, method: &str) -> Vec<&'e str> {
    let told = editor.told.iter().filter(|message| message["method"] == method);
    told.map(|message| message["params"]["message"].as_str().unwrap()).collect()
}

#[test]
fn a_directory_with_too_many_files_is_not_read_and_its_open_files_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for number in 0..60 {
        write(&format!("photos/{number}.jpg"), "");
    }
    // The ways through links and through what is no part of a tree do not count.
    for number in 0..200 {
        write(&format!("node_modules/{number}.js"), "");
    }
    std::os::unix::fs::symlink("..", dir.path().join("photos/up")).unwrap();
    write("other.zy", "b:\n  pkg.instaled: []\n");
    write("a.zy", "");
    let options = json!({ "maxFiles": 40 });
    let mut editor = Editor::start_as(zester(), dir.path(), &Manner { options, ..Manner::default() });
    editor.open("a.zy", "a:\n  pkg.instaled: []\n");
    assert_eq!(editor.findings("a.zy").len(), 1);
    let length = editor.text("a.zy").len();
    editor.edit("a.zy", 0..length, "a:\n  pkg.installed: []\n");
    assert_eq!(editor.findings("a.zy"), []);
    // What is not open is not read, also when it changes.
    let changed = |path: &str| json!({ "changes": [{ "uri": format!("file://{}/{path}", dir.path().canonicalize().unwrap().display()), "type": 1 }] });
    editor.tell("workspace/didChangeWatchedFiles", &changed("other.zy"));
    assert_eq!(editor.findings("other.zy"), []);
    // It is said once, to the user and in the log.
    let shown = messages(&editor, "window/showMessage");
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0].contains("has more than 40 files, so that only open files are checked"), "{shown:?}");
    assert!(shown[0].contains("put a `zester.yaml` at its top"), "{shown:?}");
    assert_eq!(messages(&editor, "window/logMessage"), shown);
    // Other requests answer.
    let place = editor.at("a.zy", 6);
    assert_ne!(editor.ask("textDocument/hover", &place).unwrap(), Value::Null);
    editor.ask("workspace/symbol", &json!({ "query": "a" })).unwrap();
    // Files that are no longer in the way end it, once the configuration says what the directory is.
    fs::remove_dir_all(dir.path().join("photos")).unwrap();
    write("zester.yaml", "states: [.]\n");
    editor.tell("workspace/didChangeWatchedFiles", &changed("zester.yaml"));
    assert_eq!(editor.findings("other.zy").len(), 1);
    assert_eq!(messages(&editor, "window/showMessage").len(), 1);
    assert_eq!(editor.stop(), 0);
}

#[test]
fn directories_full_of_links_to_each_other_are_read_to_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..12).map(|number| format!("d{number}")).collect();
    for name in &names {
        fs::create_dir(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("a.zy"), "a:\n  test.nop: []\n").unwrap();
        for other in &names {
            std::os::unix::fs::symlink(format!("../{other}"), dir.path().join(name).join(other)).unwrap();
        }
    }
    let mut editor = Editor::start(zester(), dir.path());
    editor.open("d0/a.zy", "a:\n  pkg.instaled: []\n");
    assert!(
        editor.findings("d0/a.zy").iter().any(|(code, ..)| code == "Z0202"),
        "{:?}",
        editor.findings("d0/a.zy")
    );
    assert_eq!(editor.stop(), 0);
}
