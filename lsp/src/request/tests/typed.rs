//! Types in hovers and in completion.

use super::{Editor, PROJECT};
use serde_json::json;

/// The project with another first file of states, in which things of all kinds have types.
fn with(states: &str) -> String {
    let settings = "nginx:\n  port: 8080\n";
    assert!(PROJECT.contains(settings));
    let more = "users:\n  - {name: alice, uid: 1000}\n  - {name: bob, uid: 1001, shell: /bin/zsh}\nsecret_key: !encrypted hunter2\nnginx:\n  port: 8080\n";
    format!("{}-- states/typed.zy\n{states}", PROJECT.replacen(settings, more, 1))
}

fn hover(states: &str) -> String {
    let mut editor = Editor::open(&with(states));
    let found = editor.at_cursor("textDocument/hover", &json!({})).unwrap();
    found["contents"]["value"].as_str().unwrap_or("nothing").to_owned()
}

/// Labels with their details.
fn items(states: &str) -> Vec<String> {
    let mut editor = Editor::open(&with(states));
    let found = editor.at_cursor("textDocument/completion", &json!({})).unwrap();
    let item = |i: &serde_json::Value| {
        format!("{}: {}", i["label"].as_str().unwrap(), i["detail"].as_str().unwrap_or_default())
    };
    found["items"].as_array().unwrap().iter().map(item).collect()
}

#[test]
fn hovers_have_types() {
    let map = "{% from 'web/map.jinja' import nginx, site %}\n";
    for (states, wanted) in [
        // Variables, where they are set and where they are used.
        ("{% set po<|>rt = settings.nginx.port %}\n", "port: int\n"),
        ("{% set a = 'x' if b else 1 %}\n{{ <|>a }}\n", "a: \"x\" | 1\n"),
        ("{% for u<|>ser in settings.users %}{% endfor %}\n", "user: {name: str, uid: int, shell?: str}\n"),
        ("{% for k, <|>v in {'a': 1}.items() %}{% endfor %}\n", "v: 1\n"),
        (&format!("{map}{{{{ ngi<|>nx.package }}}}\n"), "nginx: {package: \"nginx\"}\n"),
        // Any expression.
        ("{{ (1 <|>+ 2) }}\n", "(1 + 2): int\n"),
        ("{{ 'a,b'.sp<|>lit(',') }}\n", "'a,b'.split(','): list<str>\n"),
        (&format!("{map}{{{{ nginx.pack<|>age }}}}\n"), "nginx.package: \"nginx\"\n"),
        // Filters say what they take and give.
        ("{{ settings.users | len<|>gth }}\n", "shell?: str}> | length: int\n"),
        ("{{ settings.nginx.port | str<|>ing }}\n", "int | string: str\n"),
        // Settings and facts, those above others too.
        ("{{ settings.nginx.po<|>rt }}\n", "settings.nginx.port: int\n"),
        ("{{ settings.ngi<|>nx }}\n", "settings.nginx: {port: int, workers: int, tls: {enabled: bool}}\n"),
        ("{{ facts.o<|>s.family }}\n", "facts.os:\n  "),
        ("{{ facts.o<|>s.family }}\n", "\n  family: str\n"),
        ("{{ salt['pillar.g<|>et']('nginx:port') }}\n", "Here it gives `int`."),
        // A secret's type says so, and nothing says more.
        ("{% set k<|>ey = settings.secret_key %}\n", "key: secret<str>\n"),
        // The macro, and its parameters from its default and from calls in all files.
        (&format!("{map}{{{{ si<|>te('a') }}}}\n"), "site: macro(name, port=)\n"),
        (
            "{% macro m(na<|>me, port=80) %}{{ name }}{% endmacro %}\n{{ m('a') }}{{ m(port=1, name='b') }}\n",
            "name: str\n```\n\n2 calls give it; it has no default.",
        ),
        (
            "{% macro m(name, port=80) %}{{ po<|>rt }}{% endmacro %}\n{{ m('a') }}\n",
            "port: int\n```\n\nNo call in the project gives it; it has a default.",
        ),
    ] {
        let found = hover(states);
        assert!(found.contains(wanted), "{states}: expected {wanted:?} in {found}");
        assert!(!found.contains("hunter2"), "{found}");
    }
    // A literal says itself what it is, and of what is not known nothing is said.
    for states in ["{{ 'lit<|>eral' }}\n", "{{ 8<|>0 }}\n", "{{ opts[<|>x] }}\n"] {
        let found = hover(states);
        assert!(!found.contains("```yaml"), "{states}: {found}");
    }
    // Calls in other files count.
    let tree = PROJECT.replacen("{% macro site(name, port=80) %}", "{% macro site(na<|>me, port=80) %}", 1);
    let mut editor = Editor::open(&tree);
    let found = editor.at_cursor("textDocument/hover", &json!({})).unwrap();
    let text = found["contents"]["value"].as_str().unwrap();
    assert!(text.contains("name: str\n```\n\nOne call gives it; it has no default."), "{text}");
}

#[test]
fn keys_of_known_values_are_offered() {
    let first = |states: &str, wanted: &str| {
        let found = items(states);
        assert_eq!(found.first().map(String::as_str), Some(wanted), "{states}: {found:?}");
    };
    let map = "{% from 'web/map.jinja' import nginx with context %}\n";
    first("{% for user in settings.users %}{{ user.<|> }}{% endfor %}\n", "name: str");
    first("{% for user in settings.users %}{{ user['sh<|>'] }}{% endfor %}\n", "shell: str, may be missing");
    first("{% for user in settings.users %}{{ user.get('u<|>') }}{% endfor %}\n", "uid: int");
    first("{% set site = {'port': 80, 'name': 'a'} %}\n{{ site.<|> }}\n", "port: 80");
    first("{% set site = {'port': 80, 'a-b': 'a'} %}\n{{ site['<|>\n", "port: 80");
    first("{% set site = {'in': {'port': 80}} %}\n{{ site.in.<|>\n", "port: 80");
    first("{% set site = {'in': {'port': 80}} %}\n{% if site.in.<|> and x %}{% endif %}\n", "port: 80");
    first(&format!("{map}{{{{ nginx.<|> }}}}\n"), "package: \"nginx\"");
    first("{{ settings.users[0].<|> }}\n", "name: str");
    first("{{ settings.nginx.<|> }}\n", "port: int = 8080");
    first("{% set ns = namespace(found=false) %}{{ ns.<|> }}\n", "found: any");
    // Values that it can have.
    first("{% set kind = 'a' if x else 'b' %}{% if kind == '<|>' %}{% endif %}\n", "a: ");
    first("{% if grains.os_family == 'Red<|>' %}{% endif %}\n", "RedHat: ");
    // Parameters of a macro.
    first("{% macro m(alpha, beta) %}{% endmacro %}{{ m(bet<|>) }}\n", "beta=: parameter of the macro");
}

#[test]
fn methods_fit_the_type() {
    let labels = |states: &str| -> Vec<String> {
        items(states).iter().map(|i| i.split(':').next().unwrap().to_owned()).collect()
    };
    let found = labels("{{ 'a'.<|> }}\n");
    assert!(found.contains(&"split".into()) && !found.contains(&"append".into()), "{found:?}");
    let found = labels("{% set x = [1] %}{% do x.<|> %}\n");
    assert_eq!(found.first().map(String::as_str), Some("append"), "{found:?}");
    assert!(!found.contains(&"split".into()) && !found.contains(&"items".into()), "{found:?}");
    let found = labels("{{ settings.nginx.<|> }}\n");
    assert!(found.contains(&"items".into()) && !found.contains(&"split".into()), "{found:?}");
    // Numbers have none; of what is not known the usual ones are offered.
    assert_eq!(labels("{{ settings.nginx.port.<|> }}\n"), Vec::<String>::new());
    let found = labels("{{ opts.a.<|> }}\n");
    assert!(found.contains(&"split".into()) && found.contains(&"items".into()), "{found:?}");
}
