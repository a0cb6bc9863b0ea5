//! Every fixture, typed letter by letter: every request is answered, nothing panics, and whenever the typing rests the
//! findings are those of `zester check`.

use super::typing::{AT_PLACE, OF_DOCUMENT, of_document};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};
use tempfile::TempDir;
use zester_tests::{archive, command, editor::Editor, repository};

/// Letters between two requests.
const STRIDE: usize = 17;

/// Copies of all fixtures that are read as projects, with their names, and whether each is a whole tree.
pub fn fixtures() -> Vec<(String, TempDir, bool)> {
    let below = |dir: &str| {
        let dir = repository().join("tests/fixtures").join(dir);
        let mut found: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
        found.sort();
        found
    };
    let mut all = Vec::new();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    for tree in ["trees", "demo"].into_iter().flat_map(below).filter(|path| path.is_dir()) {
        let dir = tempfile::tempdir().unwrap();
        zester_tests::editor::copy(&tree, dir.path(), &[]);
        all.push((name(&tree), dir, true));
    }
    assert!(all.len() >= 6);
    for file in ["check", "lower"].into_iter().flat_map(below) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in archive::files(&fs::read_to_string(&file).unwrap(), "states/fixture.zy") {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        all.push((name(&file), dir, false));
    }
    assert!(all.len() >= 120);
    all
}

fn is(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|e| e == extension)
}

/// The files of a directory that somebody types.
pub fn sources(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
            let path = entry.strip_prefix(root).unwrap().to_str().unwrap_or_default().to_owned();
            if entry.is_dir() {
                pending.push(entry);
            } else if !is(&path, "txt") && fs::read_to_string(&entry).is_ok() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What `zester check` finds, by file.
pub fn checked(root: &Path) -> BTreeMap<String, Vec<(String, u64, String)>> {
    let output = std::process::Command::new(command::zester())
        .args(["check", "--output", "json"])
        .current_dir(root)
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found: BTreeMap<String, Vec<(String, u64, String)>> = BTreeMap::new();
    for d in document["diagnostics"].as_array().unwrap() {
        let text = |key: &str| d[key].as_str().unwrap().to_owned();
        let line = d["range"]["start"]["line"].as_u64().unwrap();
        found.entry(text("file")).or_default().push((text("code"), line, text("message")));
    }
    for f in found.values_mut() {
        f.sort();
    }
    found
}

/// What the server finds, by file.
fn found(editor: &mut Editor, paths: &[String]) -> BTreeMap<String, Vec<(String, u64, String)>> {
    let mut found = BTreeMap::new();
    for path in paths {
        let findings = editor.findings(path);
        if !findings.is_empty() {
            found.insert(path.clone(), findings);
        }
    }
    found
}

/// Types a file. In its middle and at its end the typing rests.
fn type_file(editor: &mut Editor, name: &str, root: &Path, paths: &[String], path: &str, turn: &mut usize) {
    let text = fs::read_to_string(root.join(path)).unwrap();
    // What a configuration means while it is half-written, only its end says.
    let is_config = is(path, "yaml");
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    editor.open(path, "");
    for (at, c) in text.char_indices() {
        if at == middle && at > 0 && !is_config {
            fs::write(root.join(path), &text[..at]).unwrap();
            assert_eq!(found(editor, paths), checked(root), "{name}: {path} at {at}");
            fs::write(root.join(path), &text).unwrap();
        }
        editor.edit(path, at..at, c.encode_utf8(&mut [0; 4]));
        *turn += 1;
        if !turn.is_multiple_of(STRIDE) {
            continue;
        }
        let line = text[..at].rfind('\n').map_or(0, |n| n + 1);
        let about = format!("{name}: {path} after {:?}", &text[line..at]);
        let place = editor.at(path, at + c.len_utf8());
        let round = *turn / STRIDE;
        let mut ask = |method: &str, params: &Value| {
            if let Err((code, message)) = editor.ask(method, params) {
                panic!("{method} {about}: {code} {message}");
            }
        };
        ask(AT_PLACE[round % AT_PLACE.len()], &place);
        if round.is_multiple_of(5) {
            ask(OF_DOCUMENT[round / 5 % OF_DOCUMENT.len()], &of_document(&place));
        }
        if round.is_multiple_of(7) {
            let mut params = place.clone();
            params["range"] = json!({ "start": place["position"], "end": place["position"] });
            params["context"] = json!({ "diagnostics": [] });
            ask("textDocument/codeAction", &params);
        }
    }
    assert_eq!(editor.text(path), text);
}

fn type_all(wanted: impl Fn(usize, bool) -> bool) {
    let mut turn = 0;
    for (at, (name, dir, is_tree)) in fixtures().into_iter().enumerate() {
        if !wanted(at, is_tree) {
            continue;
        }
        let root = dir.path();
        let expected = checked(root);
        let mut editor = Editor::start(command::zester(), root);
        let paths = sources(root);
        for path in &paths {
            type_file(&mut editor, &name, root, &paths, path, &mut turn);
            assert_eq!(found(&mut editor, &paths), expected, "{name} after {path}");
        }
        for path in &paths {
            // What was pushed last says the same, of the text as it is.
            let (version, pushed) = editor.pushed.get(path).cloned().unwrap_or_default();
            assert_eq!(pushed.len(), expected.get(path).map_or(0, Vec::len), "{name}: {path}");
            if let Some(version) = version {
                assert_eq!(version, editor.open[path].0, "{name}: {path}");
            }
        }
        let defects =
            editor.told.iter().filter(|m| m["method"] == "window/logMessage" && m["params"]["type"] == 1);
        assert_eq!(defects.count(), 0, "{name}");
        assert_eq!(editor.stop(), 0);
    }
}

#[test]
fn each_tree_can_be_typed() {
    type_all(|_, is_tree| is_tree);
}

#[test]
fn half_of_the_small_fixtures_can_be_typed() {
    type_all(|at, is_tree| !is_tree && at % 2 == 0);
}

#[test]
fn the_other_half_of_them_can_be_typed() {
    type_all(|at, is_tree| !is_tree && at % 2 == 1);
}
