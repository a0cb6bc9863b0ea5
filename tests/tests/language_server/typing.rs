//! Whatever is edited, every request is answered, nothing panics, and at rest the findings are those of `zester check`.

use super::letters::{checked, fixtures, sources};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};
use zester_tests::{command, editor::Editor};

/// Requests about a place, in turn.
pub const AT_PLACE: &[&str] = &[
    "textDocument/completion",
    "textDocument/hover",
    "textDocument/definition",
    "textDocument/signatureHelp",
    "textDocument/documentHighlight",
    "textDocument/prepareCallHierarchy",
];
/// Requests about a document.
pub const OF_DOCUMENT: &[&str] = &[
    "textDocument/documentSymbol",
    "textDocument/foldingRange",
    "textDocument/documentLink",
    "textDocument/semanticTokens/full",
    "textDocument/codeLens",
];
/// A request that is refused with a reason.
const REQUEST_FAILED: i64 = -32803;

pub fn of_document(place: &Value) -> Value {
    let options = json!({ "tabSize": 2, "insertSpaces": true });
    json!({ "textDocument": place["textDocument"], "options": options })
}

fn ask(editor: &mut Editor, method: &str, params: &Value, about: &str) {
    if let Err((code, message)) = editor.ask(method, params) {
        assert_eq!(code, REQUEST_FAILED, "{method} {about}: {message}");
    }
}

/// A few words that mean something somewhere.
const WORDS: &[&str] = &[
    "{{",
    "}}",
    "{%",
    "%}",
    "{# ",
    "#}",
    "{% if x %}",
    "{% endif %}",
    "{% for a in b %}",
    "{% endfor %}",
    ":",
    "- ",
    "\n",
    "\n  ",
    "'",
    "\"",
    "[",
    "]",
    "{",
    "}",
    "|",
    "ä",
    "\u{1f600}",
    "\t",
    "include:\n  - ",
    "extend:\n",
    "pkg.installed:",
    "require:\n",
    "settings.",
    "salt['",
    "zester://",
    "!encrypted ",
    "\r\n",
    "&a ",
    "*a",
    "? ",
    "---\n",
    "# ",
];

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }
}

#[test]
fn random_edits_are_survived() {
    let seed = std::env::var("ZESTER_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(5);
    let rounds = std::env::var("ZESTER_CASES").ok().and_then(|s| s.parse().ok()).unwrap_or(240);
    let mut dice = Dice(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15) | 1);
    for (name, dir, is_tree) in fixtures() {
        // The small ones are many.
        let rounds = if is_tree { rounds } else { rounds / 20 };
        let expected = checked(dir.path());
        let mut editor = Editor::start(command::zester(), dir.path());
        let paths = sources(dir.path());
        let texts: BTreeMap<String, String> =
            paths.iter().map(|p| (p.clone(), fs::read_to_string(dir.path().join(p)).unwrap())).collect();
        for path in &paths {
            editor.open(path, &texts[path]);
        }
        for round in 0..rounds {
            let path = &paths[dice.roll(paths.len())];
            let text = editor.text(path).to_owned();
            let boundary =
                |at: usize| (at..=text.len()).find(|a| text.is_char_boundary(*a)).unwrap_or(text.len());
            let start = boundary(dice.roll(text.len() + 1));
            let end =
                if dice.roll(3) == 0 { boundary((start + dice.roll(30)).min(text.len())) } else { start };
            let new = if dice.roll(4) == 0 { "" } else { WORDS[dice.roll(WORDS.len())] };
            editor.edit(path, start..end, new);
            let at = start + new.len();
            let mut params = editor.at(path, at);
            let about =
                format!("{name}, round {round} of seed {seed}, {path} at {at}: {:?}", editor.text(path));
            match dice.roll(9) {
                0 => {
                    params["newName"] = json!("other");
                    ask(&mut editor, "textDocument/rename", &params, &about);
                }
                1 => {
                    params["context"] = json!({ "includeDeclaration": true });
                    ask(&mut editor, "textDocument/references", &params, &about);
                }
                2 => {
                    // A place that is nowhere.
                    params["position"] = json!({ "line": dice.roll(9000), "character": dice.roll(9000) });
                    ask(&mut editor, AT_PLACE[round % AT_PLACE.len()], &params, &about);
                }
                3 => {
                    let place = params["position"].clone();
                    params["range"] = json!({ "start": place, "end": place });
                    params["context"] = json!({ "diagnostics": [] });
                    ask(&mut editor, "textDocument/codeAction", &params, &about);
                    ask(&mut editor, "textDocument/inlayHint", &params, &about);
                    ask(&mut editor, "textDocument/semanticTokens/range", &params, &about);
                }
                4 => {
                    params["positions"] = json!([params["position"]]);
                    ask(&mut editor, "textDocument/selectionRange", &params, &about);
                    ask(&mut editor, "workspace/symbol", &json!({ "query": "a" }), &about);
                }
                5 => {
                    let method = OF_DOCUMENT[round % OF_DOCUMENT.len()];
                    ask(&mut editor, method, &of_document(&params), &about);
                }
                _ => ask(&mut editor, AT_PLACE[round % AT_PLACE.len()], &params, &about),
            }
            // Mistakes must not pile up until nothing is understood any more.
            if dice.roll(12) == 0 {
                let length = editor.text(path).len();
                editor.edit(path, 0..length, &texts[path]);
            }
        }
        for path in &paths {
            let length = editor.text(path).len();
            editor.edit(path, 0..length, &texts[path]);
        }
        for path in &paths {
            assert_eq!(
                editor.findings(path),
                expected.get(path).cloned().unwrap_or_default(),
                "{name}: {path}, seed {seed}"
            );
        }
        assert_eq!(editor.stop(), 0);
    }
}

#[test]
fn what_is_wrong_in_a_message_is_said_and_survived() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("states")).unwrap();
    fs::write(dir.path().join("states/a.zy"), "a:\n  pkg.instaled: []\n").unwrap();
    let mut editor = Editor::start(command::zester(), dir.path());
    let (code, message) = editor.ask("textDocument/noSuch", &json!({})).unwrap_err();
    assert_eq!((code, message.as_str()), (-32601, "`textDocument/noSuch` is not a request of this server"));
    let (code, _) = editor.ask("textDocument/hover", &json!({ "position": 3 })).unwrap_err();
    assert_eq!(code, -32602);
    let elsewhere =
        json!({ "textDocument": { "uri": "untitled:x" }, "position": { "line": 0, "character": 0 } });
    assert_eq!(editor.ask("textDocument/hover", &elsewhere).unwrap_err().0, -32602);
    editor.tell("textDocument/didChange", &json!({ "textDocument": 1 }));
    editor.tell("$/noSuch", &json!(null));
    editor.open("states/a.zy", "a:\n  pkg.instaled: []\n");
    // A cancelled request is answered, one way or the other.
    let place = editor.at("states/a.zy", 6);
    let id = editor.request("textDocument/references", &{
        let mut params = place.clone();
        params["context"] = json!({ "includeDeclaration": true });
        params
    });
    editor.tell("$/cancelRequest", &json!({ "id": id }));
    match editor.answer(id) {
        Ok(_) => {}
        Err((code, _)) => assert_eq!(code, -32800),
    }
    assert_eq!(editor.findings("states/a.zy").len(), 1);
    // Files that change on the disk are read again when the client says so.
    fs::write(dir.path().join("states/b.zy"), "b:\n  pkg.installd: []\n").unwrap();
    let change = json!({ "changes": [{ "uri": editor.uri("states/b.zy"), "type": 1 }] });
    editor.tell("workspace/didChangeWatchedFiles", &change);
    assert_eq!(editor.findings("states/b.zy").len(), 1);
    // A configuration that is wrong is said at its place, and repaired without a restart.
    editor.open("zester.yaml", "nodegroup: {}\n");
    assert_eq!(editor.findings("zester.yaml")[0].0, "Z0590");
    let length = editor.text("zester.yaml").len();
    editor.edit("zester.yaml", 0..length, "nodegroups: {}\n");
    assert_eq!(editor.findings("zester.yaml"), []);
    assert_eq!(editor.findings("states/a.zy").len(), 1);
    assert_eq!(editor.vanish(), 0);
}
