//! Variables that states give to the templates they render.

use super::Editor;
use serde_json::{Value, json};

/// A state that renders a template; `CONTEXT` is the text below its `context`.
const TREE: &str = "\
-- states/web/init.zy
{% set files = tpldir ~ '/files' %}
/etc/nginx.conf:
  file.managed:
    - source: zester://{{ files }}/nginx.conf
    - template: jinja
    - defaults:
        workers: 2
    - context:
CONTEXT-- states/web/files/nginx.conf
{% set tls = settings.nginx.tls %}
{% include 'web/files/log.conf' %}
listen {{ port }} {{ port }};
{% for name in site.names %}{{ name }} {{ site.get('root') }} {{ site.names.items() }}{% endfor %}
{% if tls %}{{ cert | default('none') }}{% endif %}
{{ workers }} {{ facts.os.family }} {{ grains.id }} {{ data }}
-- states/web/files/log.conf
log {{ level }} {{ tls }}
-- settings/nginx.zy
nginx: {tls: true}
";

fn with(context: &str) -> String {
    TREE.replace("CONTEXT", context)
}

fn items(tree: &str) -> Vec<Value> {
    let mut editor = Editor::open(tree);
    let found = editor.at_cursor("textDocument/completion", &json!({})).unwrap();
    found["items"].as_array().unwrap().clone()
}

fn labels(tree: &str) -> Vec<String> {
    items(tree).iter().map(|i| i["label"].as_str().unwrap().to_owned()).collect()
}

fn hover(tree: &str) -> String {
    let mut editor = Editor::open(tree);
    let found = editor.at_cursor("textDocument/hover", &json!({})).unwrap();
    found["contents"]["value"].as_str().unwrap_or("nothing").to_owned()
}

fn places(tree: &str, method: &str) -> Vec<String> {
    let mut editor = Editor::open(tree);
    let params = json!({ "context": { "includeDeclaration": true } });
    let found = editor.at_cursor(method, &params).unwrap();
    editor.places(&found)
}

#[test]
fn the_variables_of_a_template_are_offered_below_context() {
    // What it needs first, the most read first; then what has a default, in the template or in the state.
    let all = ["site", "port", "data", "level", "cert", "workers"];
    assert_eq!(labels(&with("        <|>\n")), all);
    assert_eq!(labels(&with("        <|>: 1\n")), all);
    assert_eq!(
        labels(&with("        port: 80\n        <|>\n")),
        ["site", "data", "level", "cert", "workers"]
    );
    assert_eq!(labels(&with("        po<|>: 80\n"))[0], "port");
    // In the column that an editor puts the cursor at, too.
    assert_eq!(labels(&with("      lev<|>\n"))[0], "level");
    // Keys below a variable are known.
    assert_eq!(labels(&with("        site:\n          <|>\n")), ["names", "root"]);
    let found = items(&with("        <|>\n"));
    assert_eq!(found[0]["detail"], "read in nginx.conf");
    assert_eq!(found[0]["textEdit"]["newText"], "site: ");
    assert_eq!(found[5]["detail"], "read in nginx.conf, given already");
    let mut editor = Editor::open(&with("        <|>\n"));
    let found = editor.at_cursor("textDocument/completion", &json!({})).unwrap();
    let item = editor.ask("completionItem/resolve", found["items"][1].clone()).unwrap();
    let text = item["documentation"]["value"].as_str().unwrap().to_owned();
    assert!(text.contains("- `listen {{ port }} {{ port }};` at states/web/files/nginx.conf:3"), "{text}");
    // Nothing is known of a file that is not there, or of a state that renders nothing.
    let tree = with("        <|>\n");
    assert_eq!(labels(&tree.replace("}}/nginx.conf\n", "}}/other.conf\n")), Vec::<String>::new());
    // All files of a directory.
    let tree =
        tree.replace("file.managed", "file.recurse").replace("{{ files }}/nginx.conf\n", "{{ files }}\n");
    assert_eq!(labels(&tree), all);
}

#[test]
fn the_variables_that_states_give_are_offered_in_the_template() {
    let tree = with("        port: 80\n        site: {root: /srv}\n")
        .replace("listen {{ port }}", "listen {{ <|> }}");
    let found = items(&tree);
    for name in ["port", "site", "workers"] {
        let item = found.iter().find(|i| i["label"] == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(item["detail"], "given in web");
    }
}

#[test]
fn keys_and_uses_know_each_other() {
    let context = "        po<|>rt: {{ settings.nginx.port }}\n";
    let text = hover(&with(context));
    assert!(text.starts_with("The variable `port` of `states/web/files/nginx.conf`, read by\n"), "{text}");
    assert!(text.contains("at states/web/files/nginx.conf:3"), "{text}");
    let text = hover(&with("        prot<|>: 80\n"));
    assert!(text.contains("which does not read it"), "{text}");
    let all = [
        "states/web/files/nginx.conf:3 [port]",
        "states/web/files/nginx.conf:3 [port]",
        "states/web/init.zy:9 [port]",
    ];
    let used = with("        port: 80\n").replace("listen {{ port", "listen {{ po<|>rt");
    assert_eq!(places(&with(context), "textDocument/references"), all);
    assert_eq!(places(&used, "textDocument/references"), all);
    assert_eq!(places(&used, "textDocument/definition"), ["states/web/init.zy:9 [port]"]);
    let text = hover(&used);
    assert!(text.contains("The variable `port`, given by\n\n- `port: 80` at states/web/init.zy:9"), "{text}");
    // Several templates of one state.
    let both = with("        le<|>vel: 1\n")
        .replace("file.managed", "file.recurse")
        .replace("}}/nginx.conf\n", "}}\n");
    assert_eq!(
        places(&both, "textDocument/references"),
        ["states/web/files/log.conf:1 [level]", "states/web/init.zy:9 [level]"]
    );
}

#[test]
fn a_variable_is_renamed_with_the_keys_that_give_it() {
    let rename = |tree: &str, new: &str| {
        let mut editor = Editor::open(tree);
        let edit = editor.at_cursor("textDocument/rename", &json!({ "newName": new }))?;
        Ok::<_, String>(editor.edited(&edit))
    };
    let tree = with("        po<|>rt: 80\n").replace("{% include 'web/files/log.conf' %}\n", "");
    let edited = rename(&tree, "listen_port").unwrap();
    assert!(edited["states/web/init.zy"].contains("        listen_port: 80\n"), "{edited:?}");
    let template = &edited["states/web/files/nginx.conf"];
    assert!(template.contains("listen {{ listen_port }} {{ listen_port }};"), "{template}");
    for (tree, new, why) in [
        (&tree, "site", "`site` is used already, at states/web/files/nginx.conf:3"),
        (&tree, "workers", "is given `workers` already, at states/web/init.zy:7"),
        (&tree, "settings", "every template sees"),
        (
            &with("        po<|>rt: 80\n"),
            "other",
            "shares its variables with another file, at states/web/files/nginx.conf:2",
        ),
        (
            &format!(
                "{tree}-- states/b.zy\nb:\n  file.managed:\n    - source: zester://web/files/{{{{ x }}}}.conf\n    - context: {{port: 1}}\n"
            ),
            "other",
            "which template is given `port` at states/b.zy:4 is computed",
        ),
        (
            &format!(
                "{tree}-- states/b.zy\nb:\n  file.managed:\n    - source: zester://web/files/nginx.conf\n    - context: {{{{ x }}}}\n"
            ),
            "other",
            "what a template is given at states/b.zy:4 is computed, and may be `port`",
        ),
    ] {
        let error = rename(tree, new).unwrap_err();
        assert!(error.contains(why), "{new}: {error}");
    }
    let tree = with("").replace("listen {{ port", "listen {{ po<|>rt").replace("    - context:\n", "");
    let error = rename(&tree, "other").unwrap_err();
    assert!(error.contains("no state gives `port` to `states/web/files/nginx.conf`"), "{error}");
}

/// The project of these tests with states that give values of known types, and another one that renders the same file.
fn typed(line: &str, by: &str) -> String {
    let context = "        port: 80\n        site: {root: /srv, names: [a, b]}\n        cert: {{ settings.nginx.key }}\n";
    let other = "-- states/other.zy\n/etc/other.conf:\n  file.managed:\n    - source: zester://web/files/nginx.conf\n    - template: jinja\n    - context:\n        port: {{ 'ssh' if facts.os.family == 'debian' else none }}\n        site: {}\n";
    let tree = with(context).replace("nginx: {tls: true}", "nginx: {tls: true, key: !encrypted hunter2}");
    assert!(tree.contains(line), "{line}");
    format!("{}{other}", tree.replacen(line, by, 1))
}

#[test]
fn variables_have_the_types_that_states_give_them() {
    for (line, by, wanted) in [
        // All states that render the file count.
        ("listen {{ port }}", "listen {{ po<|>rt }}", "port: \"ssh\" | null | int\n"),
        ("{{ workers }}", "{{ wor<|>kers }}", "workers: int\n"),
        ("site.get('root')", "si<|>te.get('root')", "site: {root?: \"/srv\", names?: list<\"a\" | \"b\">}\n"),
        ("site.get('root')", "site.g<|>et('root')", "site.get('root'): "),
        ("{{ name }}", "{{ na<|>me }}", "name: \"a\" | \"b\"\n"),
        ("{{ cert |", "{{ ce<|>rt |", "cert: secret<str>\n"),
        // What its own text makes of them.
        ("{{ data }}", "{% set p = port %}{{ <|>p }}", "p: \"ssh\" | null | int\n"),
    ] {
        let found = hover(&typed(line, by));
        assert!(found.contains(wanted), "{by}: expected {wanted:?} in {found}");
        assert!(!found.contains("hunter2"), "{found}");
    }
    // Where they are given stays said, below the type.
    let found = hover(&typed("listen {{ port }}", "listen {{ po<|>rt }}"));
    assert!(found.contains("```\n\nThe variable `port`, given by\n\n- `"), "{found}");
    assert!(found.contains("- `port: 80` at states/web/init.zy:9"), "{found}");
    // What a state may give beside what it names is not known.
    let open = typed("listen {{ port }}", "listen {{ po<|>rt }}")
        .replace("        port: 80\n", "        {{ more }}\n");
    assert!(hover(&open).starts_with("The variable"), "{}", hover(&open));
    // A file that nobody renders is given nothing.
    let none =
        typed("listen {{ port }}", "listen {{ po<|>rt }}").replace("template: jinja", "template: null");
    assert!(hover(&none).starts_with("The variable"), "{}", hover(&none));
}

#[test]
fn keys_and_methods_of_given_variables_are_offered() {
    assert_eq!(labels(&typed("site.get('root')", "site.<|>"))[..2], ["root", "names"]);
    assert_eq!(labels(&typed("site.get('root')", "site['na<|>']"))[0], "names");
    assert_eq!(labels(&typed("{{ cert |", "{{ cert.spl<|> |"))[0], "split");
}

#[test]
fn hints_say_the_types_of_given_variables() {
    let hints = |tree: &str, options: &Value| {
        let mut editor = Editor::with(tree, options);
        let whole = json!({ "range": { "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } } });
        let found = editor.at_cursor("textDocument/inlayHint", &whole).unwrap();
        let hint = |hint: &Value| {
            let (line, column) = (&hint["position"]["line"], &hint["position"]["character"]);
            format!("{line}:{column}{}", hint["label"].as_str().unwrap())
        };
        found.as_array().unwrap().iter().map(hint).collect::<Vec<_>>()
    };
    let tree = typed("listen {{", "<|>listen {{");
    // Once each, where it is read first; nothing of what is not known.
    assert_eq!(
        hints(&tree, &json!({})),
        [
            "2:14: \"ssh\" | null | int",
            "3:19: {root?: \"/srv\", names?: list<\"a\" | \"b\">}",
            "4:19: secret<str>",
            "5:10: int",
        ]
    );
    assert_eq!(hints(&tree, &json!({ "inlayHints": false })), Vec::<String>::new());
}
