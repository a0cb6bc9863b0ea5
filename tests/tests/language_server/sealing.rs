//! A secret is sealed from an editor: with the real server, the real library and a real key.

use serde_json::json;
use std::fs;
use zester_tests::{
    command::{Scratch, zester},
    editor::Editor,
};

const PLAIN: &str = "db:\n  user: app\n  password: hunter2 # of the application\n";

/// The settings file after the action at its secret; nothing where none is offered.
fn sealed(dir: &std::path::Path, arguments: &[&str]) -> Option<String> {
    let mut editor = Editor::start_with(zester(), dir, arguments);
    editor.open("settings/db.zy", PLAIN);
    let at = json!({ "line": 2, "character": 14 });
    let mut params = editor.at("settings/db.zy", PLAIN.find("hunter2").unwrap());
    params["range"] = json!({ "start": at, "end": at });
    params["context"] = json!({ "diagnostics": [] });
    let found = editor.ask("textDocument/codeAction", &params).unwrap();
    let all = found.as_array().unwrap();
    let action = all.iter().find(|a| a["title"].as_str().unwrap().starts_with("Seal"));
    let text = action.map(|action| {
        assert!(!action.to_string().contains("hunter2"), "{action}");
        let edits = action["edit"]["changes"].as_object().unwrap().values().next().unwrap();
        let edit = &edits[0];
        let offset = |at: &serde_json::Value| {
            let line = usize::try_from(at["line"].as_u64().unwrap()).unwrap();
            let start: usize = PLAIN.split_inclusive('\n').take(line).map(str::len).sum();
            start + usize::try_from(at["character"].as_u64().unwrap()).unwrap()
        };
        let (start, end) = (offset(&edit["range"]["start"]), offset(&edit["range"]["end"]));
        format!("{}{}{}", &PLAIN[..start], edit["newText"].as_str().unwrap(), &PLAIN[end..])
    });
    assert_eq!(editor.stop(), 0);
    text
}

#[test]
fn a_secret_is_sealed_and_opens_again() {
    let tree = Scratch::new(&[("settings/db.zy", PLAIN), ("states/a.zy", "a:\n  test.nop: []\n")]);
    let dir = tree.project();
    let (seed, none) = (dir.join("seed"), dir.join("none"));
    let (seed, none) = (seed.to_str().unwrap(), none.to_str().unwrap());
    tree.run(&["secret", "keygen", seed]).exits(0);
    // Without a key nothing is offered.
    assert_eq!(sealed(&dir, &["--access", none]), None);
    let text = sealed(&dir, &["--secret-key", seed]).unwrap();
    assert!(text.starts_with("db:\n  user: app\n  password: !encrypted \"ENC[nkey,X"), "{text}");
    assert!(text.ends_with("]\" # of the application\n"), "{text}");
    let file = dir.join("settings/db.zy");
    fs::write(&file, &text).unwrap();
    let opened = tree.run(&["secret", "open", file.to_str().unwrap(), "--key", seed]).exits(0);
    assert_eq!(opened.stdout, PLAIN.replace("hunter2", "!encrypted \"hunter2\""), "{opened:?}");
    // From now on the project says itself for whom.
    fs::write(dir.join("settings/other.zy"), &text).unwrap();
    assert!(sealed(&dir, &["--access", none]).is_some());
}
