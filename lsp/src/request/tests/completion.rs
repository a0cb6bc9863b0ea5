use super::{Editor, PROJECT};
use serde_json::{Value, json};

/// Replaces a line of the project by one with the cursor.
fn with(line: &str, by: &str) -> String {
    assert!(PROJECT.contains(line), "{line}");
    PROJECT.replacen(line, by, 1)
}

fn items(tree: &str) -> Vec<Value> {
    let mut editor = Editor::open(tree);
    let found = editor.at_cursor("textDocument/completion", &json!({})).unwrap();
    found["items"].as_array().unwrap().clone()
}

fn labels(tree: &str) -> Vec<String> {
    items(tree).iter().map(|i| i["label"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn first(tree: &str, wanted: &str) {
    let found = labels(tree);
    assert_eq!(
        found.first().map(String::as_str),
        Some(wanted),
        "{:?}",
        found.iter().take(8).collect::<Vec<_>>()
    );
}

#[track_caller]
fn among(tree: &str, wanted: &[&str]) {
    let found = labels(tree);
    for word in wanted {
        assert!(found.iter().any(|l| l == word), "{word}: {:?}", found.iter().take(40).collect::<Vec<_>>());
    }
}

#[test]
fn functions_of_a_state() {
    first(&with("  service.running:", "  ser<|>"), "service.running");
    first(&with("  service.running:", "  service.ru<|>:"), "service.running");
    first(&with("  file.managed:\n", "  <|>\n"), "file.managed");
    // The body is written with the function.
    let found = items(&with("tools:\n  pkg.installed:\n    - pkgs: [curl, git]\n", "link:\n  file.sy<|>\n"));
    let text = found[0]["textEdit"]["newText"].as_str().unwrap();
    assert_eq!(text, "file.symlink:\n    - target: ${1}");
}

#[test]
fn parameters_of_a_function() {
    first(&with("    - enable: true\n", "    - en<|>\n"), "enable");
    first(&with("    - source: zester://web/files/nginx.conf\n", "    - <|>\n"), "source");
    among(&with("    - enable: true\n", "    - <|>\n"), &["enable", "watch", "onlyif"]);
    // What is there is not offered again; what needs a dash gets one.
    let found = labels(&with("    - enable: true\n", "    - <|>\n    - enable: true\n"));
    assert!(!found.contains(&"enable".to_owned()) && !found.contains(&"require".to_owned()));
    let found = items(&with(
        "tools:\n  pkg.installed:\n    - pkgs: [curl, git]\n",
        "tools:\n  pkg.installed:\n    ref<|>\n",
    ));
    assert!(found[0]["textEdit"]["newText"].as_str().unwrap().starts_with("- refresh: "), "{}", found[0]);
}

#[test]
fn words_fit_what_is_written_around_them() {
    // The parameters below say which function it is, whatever is used more.
    let link = |body: &str| format!("-- states/a.zy\n/etc/a:\n  fi<|>:\n{body}");
    first(&link("    - target: /etc/b\n"), "file.symlink");
    first(&link("    - pattern: a\n    - repl: b\n"), "file.replace");
    // What is about is the name, where there is one.
    first("-- states/a.zy\na:\n  <|>:\n    - name: /etc/a\n    - source: zester://a\n", "file.managed");
    // The value behind a parameter says which it is.
    first(
        &with("    - pkgs: [curl, git]\n", "    - pkgs: [curl, git]\n    - re<|>:\n      - pkg: nginx\n"),
        "require",
    );
    first(&with("    - enable: true\n", "    - re<|>: true\n"), "reload");
    // A key of another branch can be written in this one.
    first(
        "-- states/a.zy\nx:\n  user.present:\n    {% if grains.os == 'Debian' %}\n    - shell: /bin/sh\n    {% else %}\n    - sh<|>: /bin/dash\n    {% endif %}\n",
        "shell",
    );
}

#[test]
fn values_of_a_parameter() {
    among(&with("    - enable: true\n", "    - enable: <|>\n"), &["true", "false"]);
    among(&with("    - mode: '0644'\n", "    - mode: <|>\n"), &["0644", "0755"]);
    first(&with("    - template: jinja\n", "    - template: <|>\n"), "jinja");
    first(&with("zester://web/files/nginx.conf", "zester://web/<|>"), "web/files/nginx.conf");
    among(
        &with("    - source: zester://web/files/nginx.conf\n", "    - source: <|>\n"),
        &["zester://web/files/nginx.conf"],
    );
}

#[test]
fn requisites_and_their_targets() {
    first(&with("      - pkg: nginx\n", "      - pkg: <|>\n"), "nginx");
    first(&with("      - service: nginx\n", "      - service: <|>\n"), "nginx");
    among(&with("      - pkg: nginx\n", "      - <|>\n"), &["pkg", "file", "sls", "id"]);
    first(&with("      - pkg: nginx\n", "      - fil<|>\n"), "file");
    among(&with("      - pkg: nginx\n", "      - pkg: <|>\n"), &["nginx", "tools"]);
}

#[test]
fn refs_of_files() {
    among(&with("include:\n  - common\n", "include:\n  - <|>\n"), &["common"]);
    first(&with("    - web\n", "    - w<|>\n"), "web");
    first(&with("  '*':\n    - nginx\n", "  '*':\n    - <|>\n"), "nginx");
    first(&with("import nginx, site", "import nginx, <|>"), "site");
    first(&with("'web/map.jinja'", "'web/<|>'"), "web/map.jinja");
}

#[test]
fn steps_of_orchestrations() {
    let with =
        |line: &str| format!("{PROJECT}-- states/orch.zy\nfirst:\n  zester.state:\n    - tgt: N@web\n{line}");
    among(&with("    - sls: [common, w<|>]\n"), &["web"]);
    among(&with("    - sls:\n      - <|>\n"), &["common", "web"]);
    among(&with("second:\n  salt.state:\n    - tgt: N@<|>\n"), &["N@web"]);
    among(&with("ping:\n  zester.function:\n    - name: test.pi<|>\n"), &["test.ping"]);
    among(&with("ask:\n  zester.runner:\n    - name: <|>\n"), &["peel.up", "manage.up"]);
}

#[test]
fn top_files() {
    among(&with("  N@web:", "  N@<|>:"), &["N@web"]);
    among(&with("base:\n  N@web:", "<|>:\n  N@web:"), &["base"]);
}

#[test]
fn expressions() {
    first(&with("settings.nginx.port %}", "settings.nginx.<|> %}"), "port");
    first(&with("settings.nginx.port %}", "settings.<|> %}"), "nginx");
    first(&with("settings.nginx.port %}", "set<|> %}"), "settings");
    first(&with("{{ nginx.package }}", "{{ facts.os.fam<|> }}"), "family");
    first(&with("{{ nginx.package }}", "{{ facts.os.<|>"), "family");
    first(&with("{{ nginx.package }}", "{{ grains['os_f<|>'] }}"), "os_family");
    first(&with("{{ nginx.package }}", "{{ nginx.package | def<|> }}"), "default");
    first(&with("{{ nginx.package }}", "{{ nginx.package is def<|> }}"), "defined");
    first(&with("{{ nginx.package }}", "{{ salt['pil<|>'] }}"), "pillar.get");
    first(&with("{{ nginx.package }}", "{{ salt['pillar.get']('nginx:wo<|>') }}"), "workers");
    first(&with("{{ nginx.package }}", "{{ settings.get('ng<|>') }}"), "nginx");
    among(&with("{{ nginx.package }}", "{{ <|> }}"), &["nginx", "site", "port", "settings", "facts", "salt"]);
    first(&with("{{ nginx.package }}", "{{ facts.os.family == 'deb<|>' }}"), "debian");
    first(&with("{% set port", "{% s<|>"), "set");
    // An alias of a path is the path.
    let tree = PROJECT.replacen(
        "{% set port = settings.nginx.port %}",
        "{% set ng = settings.nginx %}{{ ng.<|> }}",
        1,
    );
    among(&tree, &["port", "workers", "tls"]);
}

#[test]
fn settings_files() {
    let tree = format!("{PROJECT}-- settings/other.zy\nnginx:\n  po<|>\n");
    first(&tree, "port");
    let tree = format!("{PROJECT}-- settings/other.zy\nnginx:\n  port: <|>\n");
    first(&tree, "8080");
}

#[test]
fn nothing_where_text_is_free() {
    for tree in [
        with("# What every machine has.", "# What <|>every machine has."),
        with("{% set port =", "{% set po<|> ="),
        with("listen {{ settings.nginx.port }};", "listen {# <|> #};"),
    ] {
        assert_eq!(labels(&tree), Vec::<String>::new());
    }
}

#[test]
fn documentation_comes_when_it_is_asked_for() {
    let mut editor = Editor::open(&with("  service.running:", "  service.ru<|>:"));
    let found = editor.at_cursor("textDocument/completion", &json!({})).unwrap();
    let item = found["items"][0].clone();
    assert_eq!(item["documentation"], Value::Null);
    let item = editor.ask("completionItem/resolve", item).unwrap();
    assert!(item["documentation"]["value"].as_str().unwrap().contains("enable"), "{item}");
}
