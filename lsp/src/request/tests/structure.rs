use super::{Editor, PROJECT};
use serde_json::{Value, json};

fn opened(line: &str, by: &str) -> Editor {
    assert!(PROJECT.contains(line), "{line}");
    Editor::open(&PROJECT.replacen(line, by, 1))
}

fn init() -> Editor {
    opened("nginx:\n  pkg.installed:", "<|>nginx:\n  pkg.installed:")
}

#[test]
fn symbols() {
    let mut editor = init();
    let found = editor.at_cursor("textDocument/documentSymbol", &json!({})).unwrap();
    let names: Vec<&str> = found.as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["include", "port", "nginx", "/etc/nginx/nginx.conf"]);
    assert_eq!(found[2]["children"][1]["name"], "service.running");
    let found = editor.ask("workspace/symbol", json!({ "query": "wrk" })).unwrap();
    assert_eq!(found[0]["name"], "workers", "{found}");
    assert_eq!(found[0]["containerName"], "nginx");
}

#[test]
fn folds_links_and_selections() {
    let mut editor = init();
    let folds = editor.at_cursor("textDocument/foldingRange", &json!({})).unwrap();
    let lines: Vec<(u64, u64)> = folds
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["startLine"].as_u64().unwrap(), f["endLine"].as_u64().unwrap()))
        .collect();
    for wanted in [(0, 1), (4, 10), (7, 10), (11, 17)] {
        assert!(lines.contains(&wanted), "{wanted:?} in {lines:?}");
    }
    let links = editor.at_cursor("textDocument/documentLink", &json!({})).unwrap();
    let targets: Vec<&str> =
        links.as_array().unwrap().iter().map(|l| l["tooltip"].as_str().unwrap()).collect();
    assert_eq!(targets, ["states/common.zy", "states/web/map.jinja", "states/web/files/nginx.conf"]);
    let mut editor = opened("      - pkg: nginx", "      - pkg: ng<|>inx");
    let position = json!({ "line": 10, "character": 13 });
    let found = editor.at_cursor("textDocument/selectionRange", &json!({ "positions": [position] })).unwrap();
    let mut texts = Vec::new();
    let mut at = &found[0];
    while at.is_object() {
        texts.push(editor.text("states/web/init.zy", &at["range"]));
        at = &at["parent"];
    }
    assert_eq!(&texts[..3], ["nginx", "pkg: nginx", "- pkg: nginx"], "{texts:?}");
    assert_eq!(texts.last(), Some(&editor.files["states/web/init.zy"]));
}

#[test]
fn semantic_tokens_say_what_each_word_is() {
    let mut editor = init();
    let found = editor.at_cursor("textDocument/semanticTokens/full", &json!({})).unwrap();
    let data: Vec<u64> = found["data"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    let text = &editor.files["states/web/init.zy"];
    let lines: Vec<&str> = text.lines().collect();
    let (mut line, mut start) = (0, 0);
    let mut words = Vec::new();
    for token in data.chunks(5) {
        line += token[0] as usize;
        start = if token[0] == 0 { start + token[1] as usize } else { token[1] as usize };
        words.push((&lines[line][start..start + token[2] as usize], token[3]));
    }
    for wanted in
        [("common", 0), ("from", 7), ("nginx", 13), ("installed", 1), ("enable", 4), ("port", 3), ("site", 5)]
    {
        assert!(words.contains(&wanted), "{wanted:?} in {words:?}");
    }
    // A change is a small difference.
    let id = found["resultId"].clone();
    let text = text.replace("    - enable: true\n", "");
    editor.write(&text);
    let params = json!({ "previousResultId": id });
    let delta = editor.at_cursor("textDocument/semanticTokens/full/delta", &params).unwrap();
    let edit = &delta["edits"][0];
    let mut patched = data.clone();
    let at = edit["start"].as_u64().unwrap() as usize;
    let count = edit["deleteCount"].as_u64().unwrap() as usize;
    let new: Vec<u64> = edit["data"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    assert!(new.len() < 40, "{delta}");
    patched.splice(at..at + count, new);
    let full = editor.at_cursor("textDocument/semanticTokens/full", &json!({})).unwrap();
    assert_eq!(json!(patched), full["data"]);
}

#[test]
fn signatures_of_calls() {
    let mut editor = opened("{{ nginx.package }}", "{{ salt['pkg.version']('nginx', <|>) }}");
    let found = editor.at_cursor("textDocument/signatureHelp", &json!({})).unwrap();
    assert!(found["signatures"][0]["label"].as_str().unwrap().starts_with("pkg.version("), "{found}");
    let mut editor = opened("{{ site('example', port) }}", "{{ site('example', <|>port) }}");
    let found = editor.at_cursor("textDocument/signatureHelp", &json!({})).unwrap();
    assert_eq!(found["signatures"][0]["label"], "site(name, port)");
    assert_eq!(found["activeParameter"], 1);
}

#[test]
fn lenses_and_hierarchies() {
    let mut editor = init();
    let found = editor.at_cursor("textDocument/codeLens", &json!({})).unwrap();
    let titles: Vec<&str> =
        found.as_array().unwrap().iter().map(|l| l["command"]["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["for web-01", "named in 1 place", "named in 2 places"]);
    let mut editor = opened("  - common", "  - com<|>mon");
    let item = editor.at_cursor("textDocument/prepareCallHierarchy", &json!({})).unwrap()[0].clone();
    assert_eq!(item["name"], "common");
    let found = editor.ask("callHierarchy/incomingCalls", json!({ "item": item })).unwrap();
    let mut names: Vec<&str> =
        found.as_array().unwrap().iter().map(|c| c["from"]["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["top", "web"]);
}

#[test]
fn lenses_say_which_peels_get_a_file() {
    let title = |tree: &str| {
        let mut editor = Editor::open(tree);
        let found = editor.at_cursor("textDocument/codeLens", &json!({})).unwrap();
        let titles =
            found.as_array().unwrap().iter().map(|l| l["command"]["title"].as_str().unwrap().to_owned());
        titles.filter(|title| title.starts_with("for ")).collect::<Vec<_>>().join("; ")
    };
    let more = "-- facts/db-01.yaml\nos: {family: redhat}\n-- facts/db-02.yaml\nos: {family: redhat}\n";
    let tree = |cursor: &str| format!("{}{more}", PROJECT.replacen(cursor, &format!("<|>{cursor}"), 1));
    assert_eq!(title(&tree("nginx:\n  pkg.installed:")), "for web-01 of 3 known peels");
    // What includes it brings it along, too.
    assert_eq!(title(&tree("# What every machine has.")), "for all 3 known peels");
    let common = tree("# What every machine has.");
    let facts = common.replace("  '*':\n    - common\n", "  G@os.family:suse:\n    - common\n");
    assert_eq!(title(&facts), "for web-01 of 3 known peels");
    let none = tree("nginx:\n  pkg.installed:").replace("  N@web:", "  x*:");
    assert_eq!(title(&none), "");
    // An include that is computed may bring it along.
    let computed = |name: &str| {
        let text = format!("-- states/all.zy\ninclude:\n  - {name}{{{{ settings.role }}}}\n");
        title(&format!("{}{text}", tree("nginx:\n  pkg.installed:")))
    };
    assert_eq!((computed("w"), computed("x")), (String::new(), "for web-01 of 3 known peels".to_owned()));
    // What settings or templates decide is not said.
    assert_eq!(title(&common.replace("  '*':\n    - common\n", "  I@role:x:\n    - common\n")), "");
    assert_eq!(title(&common.replace("  '*':\n    - common\n", "  '{{ x }}':\n    - common\n")), "");
}

#[test]
fn previews_for_a_peel() {
    let mut editor = init();
    let uri = editor.uri("states/web/init.zy");
    let run = |editor: &mut Editor, command: &str, argument: Value| {
        editor.ask("workspace/executeCommand", json!({ "command": command, "arguments": [argument] }))
    };
    assert_eq!(run(&mut editor, "zester.peels", json!({ "uri": uri })).unwrap(), json!(["web-01"]));
    let found = run(&mut editor, "zester.render", json!({ "uri": uri })).unwrap();
    assert_eq!(found["peel"], "web-01");
    let text = found["text"].as_str().unwrap();
    assert!(text.contains("- comment: 8080"), "{text}");
    let line = text.lines().position(|l| l.contains("- comment: 8080")).unwrap();
    assert!(found["origins"][line]["uri"].as_str().unwrap().ends_with("map.jinja"), "{found}");
    let found = run(&mut editor, "zester.plan", json!({ "uri": uri })).unwrap();
    assert!(found["text"].as_str().unwrap().contains("service.running"), "{found}");
    let found = run(&mut editor, "zester.graph", json!({})).unwrap();
    assert!(
        found["text"].as_str().unwrap().starts_with("flowchart")
            || found["text"].as_str().unwrap().starts_with("graph"),
        "{found}"
    );
    let error = run(&mut editor, "zester.render", json!({ "uri": uri, "peel": "db-01" })).unwrap_err();
    assert!(error.contains("no facts are known of `db-01`") && error.contains("web-01"), "{error}");
}

#[test]
fn a_file_of_facts_is_read_to_a_bound() {
    let mut editor = init();
    let dir = tempfile::tempdir().unwrap();
    let uri = editor.uri("states/web/init.zy");
    let mut render = |name: &str, bytes: Option<&[u8]>| {
        let path = dir.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        let argument = json!({ "uri": uri, "peel": "x", "facts": path });
        editor.ask("workspace/executeCommand", json!({ "command": "zester.render", "arguments": [argument] }))
    };
    assert_eq!(render("small.yaml", Some(b"os: {family: debian}\n")).unwrap()["peel"], "x");
    let large = [b"#".repeat(4 << 20).as_slice(), b"\nos: {family: debian}\n"].concat();
    for (name, bytes, why) in [
        ("large.yaml", Some(large.as_slice()), "large.yaml` has more than 4 MiB"),
        ("bytes.yaml", Some(&[0xff, 0xfe][..]), "bytes.yaml` is not UTF-8 text"),
        ("none.yaml", None, "none.yaml` cannot be read"),
        // A directory; a device would be refused alike.
        ("", None, "` is no regular file"),
    ] {
        let error = render(name, bytes).unwrap_err();
        assert!(error.contains(why), "{name}: {error}");
    }
}

/// The document of the cursor after what was typed before it has been laid out.
fn laid_out(line: &str, by: &str, typed: &str) -> String {
    let mut editor = opened(line, by);
    let options = json!({ "ch": typed, "options": { "tabSize": 2, "insertSpaces": true } });
    let edits = editor.at_cursor("textDocument/onTypeFormatting", &options).unwrap();
    let (path, uri) = (editor.cursor.0.clone(), editor.uri(&editor.cursor.0));
    let edits = edits.as_array().cloned().unwrap_or_default();
    let edit = json!({ "changes": { uri: edits } });
    editor.edited(&edit).remove(&path).unwrap_or_else(|| editor.files[&path].clone())
}

#[test]
fn lines_and_tags_are_laid_out_while_they_are_typed() {
    let text = laid_out("    - require:\n", "    - require:\n<|>\n", "\n");
    assert!(text.contains("    - require:\n      \n      - pkg: nginx\n"), "{text}");
    let text = laid_out("{{ nginx.package }}", "{{nginx.package}}<|>", "}");
    assert!(text.contains("    - name: {{ nginx.package }}\n"), "{text}");
    // What a template emits may have any layout.
    let text = laid_out("{% set nginx = ", "{%set x = 1%}<|>{% set nginx = ", "}");
    assert!(text.contains("{%set x = 1%}"), "{text}");
}
