//! Custom modules with the real command: `docs/custom-modules.md` is true, and what a module does is bounded and masked.

use zester_tests::{command::Scratch, repository};

/// The blocks of the page that are files, with the machine's directory replaced by one of the test.
fn page() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(repository().join("docs/custom-modules.md")).unwrap();
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some((_, path)) = line.strip_prefix("```").and_then(|info| info.split_once(' ')) else {
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        found.push((path.to_owned(), format!("{}\n", body.join("\n")).replace("/srv/vhosts", "ROOT/vhosts")));
    }
    found
}

#[test]
fn the_page_of_custom_modules_is_true() {
    let files = page();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    let tree = Scratch::new(&files);
    tree.run(&["check"]).exits(0);
    let plan = tree.run(&["plan", "site"]).exits(0);
    assert!(plan.stdout.contains("http://example.org:8080/"), "{plan:#?}");
    // Test mode is exact, and touches nothing.
    let test = tree.run(&["apply", "site", "--test", "--detailed-exitcode"]).exits(10);
    assert!(test.stdout.contains("example.org is written"), "{test:#?}");
    assert_eq!(tree.made("vhosts/example.org"), None);
    let first = tree.apply(&["site"]).exits(0);
    assert!(first.stdout.contains("1 changed"), "{first:#?}");
    assert_eq!(tree.made("vhosts/example.org").as_deref(), Some("host example.org 8080 www.example.org\n"));
    let second = tree.apply(&["site"]).exits(0);
    assert!(second.stdout.starts_with("2 unchanged in"), "{second:#?}");
    tree.run(&["apply", "site", "--test", "--detailed-exitcode"]).exits(0);
    // The docs are the signature's.
    let doc = tree.run(&["doc", "vhost.present"]).exits(0).stdout;
    for part in [
        "vhost.present\n",
        "Keeps a virtual host.",
        "port (int; default 80)",
        "Where it listens.",
        "aliases (list<str>",
    ] {
        assert!(doc.contains(part), "{part}: {doc}");
    }
    assert!(tree.run(&["doc", "vhost"]).exits(0).stdout.contains("exec   vhost.address"));
    let near = tree.run(&["doc", "vhost.presnt"]).exits(2);
    assert!(near.stderr.contains("did you mean `vhost.present`?"), "{near:#?}");
}

#[test]
fn a_call_is_checked_at_the_authors_line() {
    let mut files = page();
    files[1].1 = "example.org:\n  vhost.present:\n    - port: many\n    - alias: [x]\n".to_owned();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let tree = Scratch::new(&files);
    for command in [&["check", "--format", "short"][..], &["apply", "site"]] {
        let found = tree.run(command);
        let text = format!("{}{}", found.stdout, found.stderr);
        assert_ne!(found.status, 0, "{found:#?}");
        for part in ["states/site.zy:3:13", "Z0204", "states/site.zy:4:7", "Z0203"] {
            assert!(text.contains(part), "{part}: {found:#?}");
        }
    }
}

#[test]
fn what_does_not_end_is_ended() {
    let module = "def loops() -> dict:\n    for x in range(1 << 60):\n        pass\n    return {}\n\ndef eats() -> dict:\n    text = \"x\"\n    for x in range(100):\n        text = text + text\n    return {}\n\ndef hangs() -> dict:\n    cmd_run(\"sleep\", [\"600\"])\n    return {}\n";
    let states = "loops:\n  hog.loops: []\neats:\n  hog.eats: []\nhangs:\n  hog.hangs:\n    - timeout: 1\nafter:\n  test.nop: []\n";
    let tree = Scratch::new(&[("states/_modules/hog.star", module), ("states/hog.zy", states)]);
    let applied = tree.apply(&["hog"]).exits(1);
    for part in [
        "`hog.loops` failed at states/_modules/hog.star:3:9: The module takes more than 20000000 steps",
        "`hog.eats` failed at states/_modules/hog.star:9:16: The module needs more than 128 MiB of memory",
        "`hog.hangs` failed at states/_modules/hog.star:13:5: `sleep` took too long and was ended",
        "states/hog.zy:2:3",
        "1 unchanged",
    ] {
        assert!(applied.stdout.contains(part), "{part}: {applied:#?}");
    }
}

#[test]
fn secrets_do_not_show() {
    let module = "def put(name: str, token: secret, other: str = \"\") -> dict:\n    file_write(name, token)\n    log.info(token)\n    if other:\n        fail(\"with \" + settings[\"token\"])\n    return {\"changes\": {\"token\": {\"old\": None, \"new\": token}}, \"comment\": \"put \" + token}\n";
    let states = "ROOT/token:\n  site.put:\n    - token: {{ settings.token }}\nfails:\n  site.put:\n    - name: ROOT/other\n    - token: {{ settings.token }}\n    - other: x\n";
    let tree = Scratch::new(&[
        ("states/_modules/site.star", module),
        ("states/site.zy", states),
        ("settings/top.zy", "base:\n  '*': [token]\n"),
        ("settings/token.zy", "token: !encrypted unmistakable-hunter\n"),
    ]);
    tree.run(&["check"]).exits(0);
    for args in [
        &["plan", "site"][..],
        &["apply", "--wait", "site"],
        &["apply", "--wait", "site", "--output", "json"],
    ] {
        let said = tree.run(args);
        let text = format!("{}{}", said.stdout, said.stderr);
        assert!(!text.contains("hunter"), "{args:?}: {said:#?}");
        assert!(text.contains("***"), "{args:?}: {said:#?}");
    }
    assert_eq!(tree.made("token").as_deref(), Some("unmistakable-hunter"));
}

#[test]
fn a_module_that_is_wrong_is_reported_where_it_is_wrong() {
    let tree = Scratch::new(&[
        ("states/_modules/site.star", "def configured(name: str -> dict:\n    return {}\n"),
        ("states/site.zy", "a:\n  site.configured: []\n"),
    ]);
    let checked = tree.run(&["check", "--format", "short"]).exits(1);
    assert!(checked.stdout.contains("states/_modules/site.star:1:26"), "{checked:#?}");
    // Modules are files like others where some are asked for.
    let one = tree.run(&["check", "--format", "short", "states/_modules/site.star"]).exits(1);
    assert_eq!(one.stdout, checked.stdout);
    tree.write("states/other.zy", "a:\n  test.nop: []\n");
    tree.run(&["check", "states/other.zy"]).exits(0);
    let applied = tree.apply(&["site"]);
    assert_eq!(applied.status, 1, "{applied:#?}");
    assert!(applied.stdout.contains("is not valid, states/_modules/site.star:1:26"), "{applied:#?}");
}
