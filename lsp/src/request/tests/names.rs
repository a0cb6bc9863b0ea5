use super::{Editor, PROJECT};
use serde_json::json;

fn with(line: &str, by: &str) -> String {
    assert!(PROJECT.contains(line), "{line}");
    PROJECT.replacen(line, by, 1)
}

fn hover(tree: &str) -> String {
    let mut editor = Editor::open(tree);
    let found = editor.at_cursor("textDocument/hover", &json!({})).unwrap();
    found["contents"]["value"].as_str().unwrap_or("nothing").to_owned()
}

fn definition(tree: &str) -> Vec<String> {
    let mut editor = Editor::open(tree);
    let found = editor.at_cursor("textDocument/definition", &json!({})).unwrap();
    editor.places(&found)
}

fn references(tree: &str) -> Vec<String> {
    let mut editor = Editor::open(tree);
    let found =
        editor.at_cursor("textDocument/references", &json!({ "context": { "includeDeclaration": true } }));
    editor.places(&found.unwrap())
}

#[test]
fn hovers_say_what_a_name_is() {
    for (line, by, wanted) in [
        ("  service.running:", "  service.run<|>ning:", "enable"),
        ("    - enable: true", "    - en<|>able: true", "enable: bool"),
        ("    - require:", "    - req<|>uire:", "only if they succeeded"),
        ("      - pkg: nginx", "      - pkg: ng<|>inx", "`pkg.installed` at states/web/init.zy:6"),
        ("  - common", "  - com<|>mon", "What every machine has."),
        ("settings.nginx.port %}", "settings.nginx.po<|>rt %}", "`8080` at settings/nginx.zy:2"),
        ("{{ nginx.package }}", "{{ facts.os.fam<|>ily }}", "Salt's grain `os_family`"),
        ("{{ nginx.package }}", "{{ ngi<|>nx.package }}", "{% set nginx = {'package': 'nginx'} %}"),
        ("{{ nginx.package }}", "{{ sett<|>ings.nginx.port }}", "The peel's settings."),
        ("{{ site('example', port) }}", "{{ si<|>te('example', port) }}", "{% macro site(name, port=80) %}"),
        ("  N@web:", "  N@w<|>eb:", "1 of 1 known peels: `web-01`"),
        ("  N@web:", "  I@role:w<|>eb:", "The target `I@role:web`\n"),
        ("base:\n  N@web:\n    - web\n  '*':", "base:\n  N@web:\n    - web\n  '<|>*':", "1 of 1 known peels"),
    ] {
        let found = hover(&with(line, by));
        assert!(found.contains(wanted), "{by}: expected {wanted:?} in {found}");
    }
}

#[test]
fn a_chosen_peel_gives_values() {
    let tree = with("settings.nginx.port %}", "settings.nginx.po<|>rt %}");
    let mut editor = Editor::with(&tree, &json!({ "peel": "web-01" }));
    let found = editor.at_cursor("textDocument/hover", &json!({})).unwrap();
    let text = found["contents"]["value"].as_str().unwrap();
    assert!(text.contains("On `web-01`: `8080`, from settings/nginx.zy:2"), "{text}");
    let whole =
        json!({ "range": { "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } } });
    let hints = editor.at_cursor("textDocument/inlayHint", &whole).unwrap();
    assert_eq!(hints[0]["label"], "= 8080", "{hints}");
}

#[test]
fn steps_of_orchestrations_name_files() {
    let tree = format!(
        "{PROJECT}-- states/orch.zy\nfirst:\n  zester.state:\n    - tgt: '*'\n    - sls: [web, com<|>mon]\n"
    );
    assert_eq!(definition(&tree), ["states/common.zy:1 []"]);
    assert!(references(&tree).iter().any(|place| place.starts_with("states/orch.zy:4 ")));
}

#[test]
fn definitions() {
    for (line, by, wanted) in [
        ("      - pkg: nginx", "      - pkg: ng<|>inx", "states/web/init.zy:5 [nginx]"),
        ("  - common", "  - com<|>mon", "states/common.zy:1 []"),
        ("settings.nginx.port %}", "settings.nginx.po<|>rt %}", "settings/nginx.zy:2 [port]"),
        ("import nginx, site", "import nginx, si<|>te", "states/web/map.jinja:2 [site]"),
        ("'web/map.jinja'", "'web/map<|>.jinja'", "states/web/map.jinja:1 []"),
        ("{{ site('example', port) }}", "{{ site('example', po<|>rt) }}", "states/web/init.zy:4 [port]"),
        ("    - comment: {{ port }}", "    - comment: {{ po<|>rt }}", "states/web/map.jinja:2 [port]"),
        (
            "zester://web/files/nginx.conf",
            "zester://web/files/ngi<|>nx.conf",
            "states/web/files/nginx.conf:1 []",
        ),
        ("  N@web:", "  N@w<|>eb:", "zester.yaml:2 [web]"),
        ("    - web\n", "    - w<|>eb\n", "states/web/init.zy:1 []"),
    ] {
        assert_eq!(definition(&with(line, by)), [wanted], "{by}");
    }
}

#[test]
fn references_and_highlights() {
    assert_eq!(
        references(&with("nginx:\n  pkg.installed:", "ng<|>inx:\n  pkg.installed:")),
        ["states/web/init.zy:11 [nginx]", "states/web/init.zy:18 [nginx]", "states/web/init.zy:5 [nginx]"]
    );
    assert_eq!(
        references(&with("  port: 8080", "  po<|>rt: 8080")),
        ["settings/nginx.zy:2 [port]", "states/web/files/nginx.conf:1 [port]", "states/web/init.zy:4 [port]"]
    );
    assert_eq!(
        references(&with("{% macro site(", "{% macro si<|>te(")),
        ["states/web/init.zy:19 [site]", "states/web/init.zy:3 [site]", "states/web/map.jinja:2 [site]"]
    );
    let mut editor = Editor::open(&with("nginx:\n  pkg.installed:", "ng<|>inx:\n  pkg.installed:"));
    let found = editor.at_cursor("textDocument/documentHighlight", &json!({})).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 3);
}

fn rename(tree: &str, new: &str) -> Result<String, String> {
    let mut editor = Editor::open(tree);
    let edit = editor.at_cursor("textDocument/rename", &json!({ "newName": new }))?;
    let mut changes = String::new();
    for (path, text) in editor.edited(&edit) {
        let before = &editor.files[&path];
        for line in text.lines().filter(|l| !before.lines().any(|b| b == *l)) {
            changes.push_str(&format!("{path}: {line}\n"));
        }
    }
    Ok(changes)
}

#[test]
fn renames_reach_every_place() {
    // The service keeps its name, which was the id.
    assert_eq!(
        rename(&with("nginx:\n  pkg.installed:", "ng<|>inx:\n  pkg.installed:"), "webserver").unwrap(),
        "states/web/init.zy: webserver:\n\
         states/web/init.zy:     - name: nginx\n\
         states/web/init.zy:       - pkg: webserver\n\
         states/web/init.zy:       - service: webserver\n"
    );
    assert_eq!(
        rename(&with("{% macro site(", "{% macro si<|>te("), "vhost").unwrap(),
        "states/web/init.zy: {% from 'web/map.jinja' import nginx, vhost with context %}\n\
         states/web/init.zy: {{ vhost('example', port) }}\n\
         states/web/map.jinja: {% macro vhost(name, port=80) %}\n"
    );
    assert_eq!(
        rename(&with("  port: 8080", "  po<|>rt: 8080"), "listen_port").unwrap(),
        "settings/nginx.zy:   listen_port: 8080\n\
         states/web/files/nginx.conf: listen {{ settings.nginx.listen_port }};\n\
         states/web/init.zy: {% set port = settings.nginx.listen_port %}\n"
    );
    assert_eq!(
        rename(&with("  N@web:", "  N@w<|>eb:"), "front").unwrap(),
        "states/top.zy:   N@front:\nzester.yaml:   front: web*\n"
    );
}

#[test]
fn renames_are_refused_with_the_reason() {
    for (line, by, new, wanted) in [
        (
            "nginx:\n  pkg.installed:",
            "ng<|>inx:\n  pkg.installed:",
            "tools",
            "there is a state `tools` already",
        ),
        ("  service.running:", "  service.run<|>ning:", "x", "is a function of the library"),
        ("{% macro site(", "{% macro si<|>te(", "1x", "is not a name"),
        ("{% macro site(", "{% macro si<|>te(", "settings", "every template sees"),
        ("  port: 8080", "  po<|>rt: 8080", "workers", "there is a setting `nginx.workers` already"),
        (
            "      - pkg: nginx\n",
            "      - pkg: ng<|>inx\n      - pkg: 'ng{{ port }}'\n",
            "web",
            "is computed, and may mean",
        ),
        (
            "  port: 8080",
            "  po<|>rt: 8080\n-- states/more.zy\n{% for k in settings.nginx %}{% endfor %}\n",
            "other",
            "used as a whole",
        ),
    ] {
        let error = rename(&with(line, by), new).unwrap_err();
        assert!(error.contains(wanted), "{by}: {error}");
    }
}

#[test]
fn files_that_move_take_their_refs_along() {
    let mut editor = Editor::open(&with("# What", "<|># What"));
    let files =
        json!([{ "oldUri": editor.uri("states/common.zy"), "newUri": editor.uri("states/base/tools.zy") }]);
    let edit = editor.ask("workspace/willRenameFiles", json!({ "files": files })).unwrap();
    let edited = editor.edited(&edit);
    assert!(edited["states/web/init.zy"].contains("  - base.tools\n"), "{edited:?}");
    assert!(edited["states/top.zy"].contains("    - base.tools\n"), "{edited:?}");
    let files =
        json!([{ "oldUri": editor.uri("states/web/files"), "newUri": editor.uri("states/web/conf") }]);
    let edit = editor.ask("workspace/willRenameFiles", json!({ "files": files })).unwrap();
    assert!(editor.edited(&edit)["states/web/init.zy"].contains("zester://web/conf/nginx.conf"));
}
