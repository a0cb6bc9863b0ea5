//! `explain`, `doc`, `settings`, `facts`, `render`, `completions`.

use serde_json::json;
use zester_tests::command::Scratch;

#[test]
fn explain_knows_codes_and_names() {
    let tree = Scratch::new(&[]);
    let by_code = tree.run(&["explain", "Z0203"]).exits(0).stdout;
    assert!(by_code.contains("unknown-parameter") && by_code.contains("```yaml"), "{by_code}");
    assert_eq!(by_code, tree.run(&["explain", "unknown-parameter"]).exits(0).stdout);
    let wrong = tree.run(&["explain", "unknown-paramter"]).exits(2);
    assert!(wrong.stderr.contains("`unknown-parameter`"), "{wrong:#?}");
    assert!(tree.run(&["explain"]).exits(0).stdout.lines().count() > 20);
}

#[test]
fn doc_describes_functions() {
    let tree = Scratch::new(&[]);
    let page = tree.run(&["doc", "file.managed"]).exits(0).stdout;
    for word in ["contents", "mode", "source", "template"] {
        assert!(page.contains(word), "{word}: {page}");
    }
    let wrong = tree.run(&["doc", "file.manged"]).exits(2);
    assert!(wrong.stderr.contains("`file.managed`"), "{wrong:#?}");
}

#[test]
fn settings_say_where_they_come_from() {
    let tree = Scratch::new(&[
        ("states/app.zy", "a:\n  test.nop: []\n"),
        ("settings/top.zy", "base:\n  '*':\n    - common\n    - web\n"),
        ("settings/common.zy", "nginx:\n  port: 80\n  user: www\n"),
        ("settings/web.zy", "nginx:\n  port: 8080\n"),
    ]);
    assert_eq!(tree.run(&["settings", "get", "nginx.port"]).exits(0).stdout.trim(), "8080");
    assert_eq!(
        tree.run(&["settings", "get", "--output", "json"]).exits(0).json(),
        json!({"nginx": {"port": 8080, "user": "www"}})
    );
    let why = tree.run(&["settings", "get", "nginx.port", "--why"]).exits(0).stdout;
    assert!(why.contains("* settings/web.zy:2:") && why.contains("  settings/common.zy:2:"), "{why}");
    let set = tree.run(&["settings", "get", "nginx.port", "--set", "nginx.port=1"]).exits(0);
    assert_eq!(set.stdout.trim(), "1");
    let missing = tree.run(&["settings", "get", "nginx.prot", "--output", "json"]).exits(2);
    assert!(missing.json()["error"]["message"].as_str().unwrap().contains("nginx.prot"));
}

#[test]
fn facts_of_this_machine_and_made_up_ones() {
    let tree = Scratch::new(&[("facts.yaml", "role: web\n"), ("states/a.zy", "a:\n  test.nop: []\n")]);
    let facts = tree.run(&["facts", "--facts", "facts.yaml", "--output", "json"]).exits(0).json();
    assert_eq!(facts["role"], "web");
    assert!(facts["os"].is_object());
    assert_eq!(tree.run(&["facts", "id", "--id", "web-01"]).exits(0).stdout, "web-01\n");
    assert!(tree.run(&["facts", "os_famly"]).exits(2).stderr.contains("`os_family`"));
}

#[test]
fn render_shows_the_text_of_a_file() {
    let tree =
        Scratch::new(&[("states/a.zy", "{% for n in [1, 2] %}s{{ n }}:\n  test.nop: []\n{% endfor %}")]);
    let text = tree.run(&["render", "states/a.zy"]).exits(0).stdout;
    assert_eq!(text.trim_end(), "s1:\n  test.nop: []\ns2:\n  test.nop: []");
    tree.write("states/a.zy", "a: {{ nothing }}\n");
    tree.run(&["render", "states/a.zy"]).exits(1);
}

#[test]
fn completions_for_every_shell() {
    let tree = Scratch::new(&[]);
    for shell in ["bash", "zsh", "fish"] {
        assert!(tree.run(&["completions", shell]).exits(0).stdout.contains("apply"), "{shell}");
    }
}

#[test]
fn a_rotation_waits_until_peels_have_renewed() {
    let tree = Scratch::new(&[]);
    tree.run(&["init", "fleet"]).exits(0);
    // Nothing is under way: certificates are made anew whenever that is wanted.
    tree.run(&["ca", "reissue", "fleet"]).exits(0);
    tree.run(&["ca", "rotate", "fleet", "authority"]).exits(0);
    for command in [&["ca", "reissue", "fleet"][..], &["ca", "retire", "fleet", "authority"]] {
        let early = tree.run(command).exits(2).stderr;
        assert!(early.contains("good for 7 days") && early.contains("Wait 7 days more"), "{early}");
        let forced: Vec<&str> = command.iter().copied().chain(["--force"]).collect();
        tree.run(&forced).exits(0);
    }
    tree.run(&["ca", "retire", "fleet", "authority"]).exits(0);
    // What masters make good for less needs less time.
    let config = tree.project().join("fleet/master/master.yaml");
    std::fs::write(config, "enrollment:\n  lifetime: 10s\n").unwrap();
    tree.run(&["ca", "rotate", "fleet", "authority"]).exits(0);
    assert!(tree.run(&["ca", "reissue", "fleet"]).exits(2).stderr.contains("good for 10 seconds"));
}
