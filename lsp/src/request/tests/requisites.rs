//! Targets of requisites in files that are not included yet.

use super::Editor;
use serde_json::{Value, json};

/// Other files of the project, one in a directory beside `web`.
const OTHERS: &str = "\
-- states/common.zy
tools:
  pkg.installed: []
-- states/db/init.zy
include:
  - common
mariadb:
  pkg.installed:
    - name: mariadb-server
  service.running: []
-- states/db/tuned.zy
mariadb-tuned:
  pkg.installed: []
-- states/web/tls.zy
openssl:
  pkg.installed: []
-- states/all.zy
include: [web, web.logs]
-- states/web/logs.zy
rsyslog:
  pkg.installed: []
";

/// A project whose file `web` has this text.
fn with(text: &str) -> String {
    format!("{OTHERS}-- states/web/init.zy\n{text}")
}

fn items(tree: &str) -> Vec<Value> {
    let mut editor = Editor::open(tree);
    let found = editor.at_cursor("textDocument/completion", &json!({})).unwrap();
    assert_eq!(found["isIncomplete"], false);
    found["items"].as_array().unwrap().clone()
}

/// `label: detail` of all items.
fn shown(tree: &str) -> Vec<String> {
    let shown =
        |i: &Value| format!("{}: {}", i["label"].as_str().unwrap(), i["detail"].as_str().unwrap_or_default());
    items(tree).iter().map(shown).collect()
}

/// The document after an item was inserted.
#[track_caller]
fn inserted(tree: &str, label: &str) -> String {
    let mut editor = Editor::open(tree);
    let found = editor.at_cursor("textDocument/completion", &json!({})).unwrap();
    let items = found["items"].as_array().unwrap();
    let item = items.iter().find(|i| i["label"] == label).unwrap_or_else(|| panic!("{label}: {found}"));
    let mut edits = vec![item["textEdit"].clone()];
    edits.extend(item["additionalTextEdits"].as_array().into_iter().flatten().cloned());
    let path = editor.cursor.0.clone();
    let edit = json!({ "changes": { editor.uri(&path): edits } });
    editor.edited(&edit).remove(&path).unwrap()
}

/// The text above the state when a target of `db` was inserted into one below it.
#[track_caller]
fn included(above: &str) -> String {
    let state = "nginx:\n  service.running:\n    - require:\n      - pkg: ";
    let text = inserted(&with(&format!("{above}{state}maria<|>\n")), "mariadb");
    assert!(text.contains("      - pkg: mariadb\n"), "{text}");
    text.split("nginx:\n").next().unwrap().to_owned()
}

#[test]
fn states_that_are_not_included_come_last() {
    let tree = with(
        "include:\n  - common\nnginx:\n  pkg.installed: []\n  service.running:\n    - require:\n      - pkg: <|>\n",
    );
    assert_eq!(
        shown(&tree),
        [
            "nginx: pkg.installed",
            "tools: pkg.installed",
            // What `all` includes beside this file is there without an include.
            "rsyslog: pkg.installed",
            "openssl: pkg.installed in web.tls, to be included",
            "mariadb: pkg.installed in db, to be included",
            "mariadb-server: pkg.installed in db, to be included",
            "mariadb-tuned: pkg.installed in db.tuned, to be included",
        ]
    );
    // Of the kind that is asked for.
    assert_eq!(
        shown(&tree.replace("- pkg: <|>", "- service: m<|>")),
        ["mariadb: service.running in db, to be included"]
    );
    // What includes this file is applied with it, and is never included.
    let tree = tree.replace("include: [web, web.logs]\n", "include: [web]\nall:\n  pkg.installed: []\n");
    let found = shown(&tree);
    assert!(found.contains(&"all: pkg.installed".to_owned()), "{found:?}");
    // Another environment's files are no files of this one.
    let dev = "-- zester.yaml\nenvironments: {dev: {states: [dev]}}\n-- dev/other.zy\nother:\n  pkg.installed: []\n";
    assert!(!shown(&format!("{dev}{tree}")).iter().any(|line| line.starts_with("other:")));
    // One name in two files is two things to include.
    let twice = format!("{tree}-- states/db/two.zy\nmariadb:\n  pkg.installed: []\n");
    let found = shown(&twice);
    for file in ["db", "db.two"] {
        assert!(found.contains(&format!("mariadb: pkg.installed in {file}, to be included")), "{found:?}");
    }
}

#[test]
fn the_file_of_an_inserted_target_is_included() {
    // A list that is there, in all its forms.
    assert_eq!(included("include:\n  - common\n\n"), "include:\n  - common\n  - db\n\n");
    assert_eq!(included("include:\n- common # tools\n"), "include:\n- common # tools\n- db\n");
    assert_eq!(included("include: [common, web.tls]\n"), "include: [common, web.tls, db]\n");
    assert_eq!(included("include: []\n"), "include: [db]\n");
    assert_eq!(included("include: common\n"), "include: [common, db]\n");
    assert_eq!(included("include:\n"), "include:\n  - db\n");
    let some = "include:\n  - common\n  {% if grains.os == 'Debian' %}\n  - web.tls\n  {% endif %}\n";
    assert_eq!(included(some), some.replace("  - common\n", "  - common\n  - db\n"));
    // Refs that are relative stay so where they can.
    assert_eq!(included("include:\n  - ..common\n"), "include:\n  - ..common\n  - ..db\n");
    let text = inserted(
        &with("include:\n  - .logs\na:\n  test.nop:\n    - require:\n      - pkg: open<|>\n"),
        "openssl",
    );
    assert!(text.starts_with("include:\n  - .logs\n  - .tls\na:\n"), "{text}");
    let text = inserted(
        &with("include:\n  - .logs\na:\n  test.nop:\n    - require:\n      - pkg: maria<|>\n"),
        "mariadb",
    );
    assert!(text.starts_with("include:\n  - .logs\n  - db\na:\n"), "{text}");
    // No list yet: before the first state, with its comment, below what the file sets and says of itself.
    assert_eq!(included(""), "include:\n  - db\n\n");
    assert_eq!(included("# The web.\n"), "# The web.\ninclude:\n  - db\n\n");
    assert_eq!(included("#!jinja|yaml\n"), "#!jinja|yaml\ninclude:\n  - db\n\n");
    let set = "{% set port = 80 %}\n\n";
    assert_eq!(included(&format!("{set}# Serves.\n")), format!("{set}include:\n  - db\n\n# Serves.\n"));
    let block = "{% if grains.os == 'Debian' %}\na:\n  test.nop: []\n{% endif %}\n";
    assert_eq!(included(block), format!("include:\n  - db\n\n{block}"));
}

#[test]
fn what_is_included_is_what_the_text_says_now() {
    let tree = with("include:\n  - common\na:\n  test.nop:\n    - require:\n      - pkg: maria<|>\n");
    let mut editor = Editor::open(&tree);
    editor.at_cursor("textDocument/completion", &json!({})).unwrap();
    let text = editor.files[&editor.cursor.0].replace("  - common\n", "  - db    \n");
    editor.write(&text);
    let found = editor.at_cursor("textDocument/completion", &json!({})).unwrap();
    let item = found["items"].as_array().unwrap().iter().find(|i| i["label"] == "mariadb").unwrap().clone();
    assert_eq!((&item["detail"], &item["additionalTextEdits"]), (&json!("pkg.installed"), &Value::Null));
}

#[test]
fn nothing_is_included_where_it_may_be_wrong() {
    let state = "nginx:\n  service.running:\n    - require:\n      - pkg: maria<|>\n";
    for text in [
        // A template decides whether the state is there.
        format!("{{% if grains.os == 'Debian' %}}\n{state}{{% endif %}}\n"),
        format!("include:\n  - common\n{{% for x in [1, 2] %}}\n{state}{{% endfor %}}\n"),
        format!("{{% macro m() %}}\n{state}{{% endmacro %}}\n"),
        // Whether there is an include, and what of, a template decides.
        format!("{{% if grains.os == 'Debian' %}}\ninclude:\n  - common\n{{% endif %}}\n{state}"),
        format!("include: {{{{ files }}}}\n{state}"),
        format!("include:\n  - d{{{{ x }}}}\n{state}"),
        format!("{{% include 'head.jinja' %}}\n{state}"),
        format!("{{{{ head() }}}}\n{state}"),
        // Nobody here knows what the text becomes.
        format!("#!py\n{state}"),
    ] {
        for item in items(&with(&text)) {
            assert_eq!(item["additionalTextEdits"], Value::Null, "{text}: {item}");
        }
    }
    // The name is still there to be written, with its file.
    let found = shown(&with(&format!("{{% if grains.os == 'Debian' %}}\n{state}{{% endif %}}\n")));
    assert_eq!(found[0], "mariadb: pkg.installed in db");
}

#[test]
fn of_many_targets_the_nearest_are_sent() {
    let mut tree = with("nginx:\n  service.running:\n    - require:\n      - pkg: <|>\n");
    for file in 0..40 {
        tree.push_str(&format!("-- states/far/file{file}.zy\n"));
        for state in 0..10 {
            tree.push_str(&format!("package-{file}-{state}:\n  pkg.installed: []\n"));
        }
    }
    let mut editor = Editor::open(&tree);
    let found = editor.at_cursor("textDocument/completion", &json!({})).unwrap();
    assert_eq!(found["isIncomplete"], true);
    let items = found["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["label"]), (250, &json!("rsyslog")));
    // Letters find what was cut.
    let text = editor.files[&editor.cursor.0].replace("- pkg: ", "- pkg: package-39-9");
    editor.write(&text);
    editor.cursor.1 += "package-39-9".len();
    let found = editor.at_cursor("textDocument/completion", &json!({})).unwrap();
    assert_eq!(
        (&found["isIncomplete"], &found["items"][0]["label"]),
        (&json!(false), &json!("package-39-9"))
    );
}
