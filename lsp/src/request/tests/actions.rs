use super::{Editor, PROJECT};
use crate::server::Helpers;
use serde_json::{Value, json};
use std::sync::Arc;
use zester_compiler::settings::Seal;

fn actions(editor: &mut Editor, only: Option<&str>) -> Vec<Value> {
    let at = json!({ "line": 0, "character": 0 });
    let text = editor.files[&editor.cursor.0].clone();
    let before = &text[..editor.cursor.1];
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let at = if editor.cursor.1 == 0 {
        at
    } else {
        json!({ "line": before.matches('\n').count(), "character": editor.cursor.1 - start })
    };
    let mut context = json!({ "diagnostics": [] });
    if let Some(only) = only {
        context["only"] = json!([only]);
    }
    let params = json!({ "range": { "start": at, "end": at }, "context": context });
    editor.at_cursor("textDocument/codeAction", &params).unwrap().as_array().unwrap().clone()
}

fn applied(tree: &str, title: &str) -> String {
    let mut editor = Editor::open(tree);
    let found = actions(&mut editor, None);
    let titles: Vec<&str> = found.iter().map(|a| a["title"].as_str().unwrap()).collect();
    let action = found.iter().find(|a| a["title"].as_str().unwrap().contains(title));
    let action = action.unwrap_or_else(|| panic!("`{title}` is not among {titles:?}"));
    let edited = editor.edited(&action["edit"]);
    edited.iter().fold(String::new(), |whole, (path, text)| whole + "-- " + path + "\n" + text)
}

#[test]
fn fixes_of_findings() {
    let tree = "-- states/a.zy\nnginx:\n  pkg.inst<|>aled: []\n";
    assert_eq!(applied(tree, "Rename to `installed`"), "-- states/a.zy\nnginx:\n  pkg.installed: []\n");
}

#[test]
fn bodies_change_their_form() {
    let list = "-- states/a.zy\nngi<|>nx:\n  service.running:\n    - enable: true\n    - require:\n      - pkg: nginx\n  pkg.installed: []\n";
    let map = "-- states/a.zy\nnginx:\n  service.running:\n    enable: true\n    require:\n      - pkg: nginx\n  pkg.installed: []\n";
    assert_eq!(applied(list, "as a map"), map);
    let map = map.replacen("nginx:", "ngi<|>nx:", 1);
    let back = applied(&map, "as a list");
    assert!(back.contains("    - enable: true\n    - require:\n        - pkg: nginx\n"), "{back}");
    let short = "-- states/a.zy\nngi<|>nx: pkg.installed\n";
    assert_eq!(applied(short, "on a line of its own"), "-- states/a.zy\nnginx:\n  pkg.installed: []\n");
}

#[test]
fn a_missing_requisite_is_added() {
    let tree = "-- states/a.zy\nnginx:\n  pkg.installed: []\n  service.run<|>ning:\n    - enable: true\n";
    assert_eq!(
        applied(tree, "Require `pkg: nginx`"),
        "-- states/a.zy\nnginx:\n  pkg.installed: []\n  service.running:\n    - require:\n      - pkg: nginx\n    - enable: true\n"
    );
}

#[test]
fn a_value_becomes_a_setting() {
    let tree = "-- states/top.zy\nbase: {'*': [web]}\n-- states/web.zy\nnginx:\n  pkg.installed:\n    - version: 1.<|>24\n-- settings/top.zy\nbase:\n  '*': [web]\n-- settings/web.zy\nweb:\n  port: 80\n";
    let found = applied(tree, "Extract to the setting `web.version`");
    assert!(found.contains("    - version: {{ settings.web.version }}\n"), "{found}");
    assert!(found.contains("web:\n  version: 1.24\n  port: 80\n"), "{found}");
}

#[test]
fn diagnostics_are_pushed_and_pulled() {
    let tree = PROJECT.replacen("  service.running:", "  service.run<|>ing:", 1);
    let mut editor = Editor::open(&tree);
    let pulled = editor.at_cursor("textDocument/diagnostic", &json!({})).unwrap();
    let item = &pulled["items"][0];
    assert_eq!(item["code"], "Z0202", "{pulled}");
    assert!(item["codeDescription"]["href"].as_str().unwrap().ends_with("Z0202.md"));
    assert_eq!(editor.text("states/web/init.zy", &item["range"]), "runing");
    assert_eq!(editor.diagnostics["states/web/init.zy"][0]["code"], "Z0202");
    let text = editor.files["states/web/init.zy"].replace("runing", "running");
    editor.write(&text);
    let pulled = editor.at_cursor("textDocument/diagnostic", &json!({})).unwrap();
    assert_eq!(pulled["items"], json!([]));
    assert_eq!(editor.diagnostics["states/web/init.zy"], Vec::<Value>::new());
    let whole = editor.ask("workspace/diagnostic", json!({ "previousResultIds": [] })).unwrap();
    assert!(
        whole["items"].as_array().unwrap().iter().all(|i| i["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|d| d["severity"] != 1)),
        "{whole}"
    );
}

/// Stands for a key: what it seals shows for whom, and how long the text is.
#[derive(Debug)]
struct Lock;

impl Seal for Lock {
    fn recipient(&self, sealed: &[&str]) -> Option<String> {
        sealed.first().map(|text| text.split(',').nth(1).unwrap().to_owned())
    }

    fn seal(&self, recipient: &str, text: &str) -> Result<String, String> {
        Ok(format!("ENC[nkey,{recipient},{}]", text.len()))
    }
}

#[test]
fn secrets_are_sealed_where_there_is_a_key() {
    let helpers = || Helpers { seal: Some(Arc::new(Lock)) };
    let sealing = |tree: &str, helpers: Helpers| {
        let mut editor = Editor::helped(tree, &json!({}), helpers);
        let all = actions(&mut editor, None);
        let found = all.iter().find(|a| a["title"].as_str().unwrap().starts_with("Seal"))?;
        assert!(!found.to_string().contains("hunter2"), "{found}");
        let text = editor.edited(&found["edit"]).remove(&editor.cursor.0)?;
        Some((found["title"].as_str()?.to_owned(), text))
    };
    let key =
        "-- states/a.zy\na:\n  test.nop: []\n-- settings/a.zy\nkey: !encrypted ENC[nkey,XABCDEFGHIJK,1]\n";
    // By its name, by its mark, by what another file says of it.
    for (line, title, sealed) in [
        (
            "db:\n  pass<|>word: hunter2\n",
            "`db.password`",
            "db:\n  password: !encrypted \"ENC[nkey,XABCDEFGHIJK,7]\"\n",
        ),
        ("pin: !encrypted hunter2<|>\n", "`pin`", "pin: !encrypted \"ENC[nkey,XABCDEFGHIJK,7]\"\n"),
        ("key: hun<|>ter2\n", "`key`", "key: !encrypted \"ENC[nkey,XABCDEFGHIJK,7]\"\n"),
    ] {
        let tree = format!("{key}-- settings/b.zy\n{line}");
        let found = sealing(&tree, helpers()).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(found, (format!("Seal {title} for the key XABCDEFG…"), sealed.to_owned()));
        assert_eq!(sealing(&tree, Helpers::default()), None);
    }
    // No key to seal for; no secret; a state file.
    assert_eq!(sealing("-- settings/b.zy\npassword: hunt<|>er2\n", helpers()), None);
    assert_eq!(sealing(&format!("{key}-- settings/b.zy\nuser: al<|>ice\n"), helpers()), None);
    assert_eq!(sealing(&format!("{key}-- states/b.zy\npassword: hunt<|>er2\n"), helpers()), None);
}
