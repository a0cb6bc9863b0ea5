//! Known peels: `check --facts DIR`, `plan -t`, `diff` between git's revisions, `graph`.

use std::{path::Path, process::Command};
use zester_tests::command::Scratch;

const TOP: &str = "base:\n  '*':\n    - common\n  'web-*':\n    - web\n  'mail-*':\n    - web\n";
const COMMON: &str = "motd:\n  test.nop:\n    - note: {{ grains.os_family }}\n";
const WEB: &str = "include: [common]\nnginx:\n  test.nop:\n    - port: {{ settings.port }}\n    - require:\n      - test: motd\n";

fn tree(more: &[(&str, &str)]) -> Scratch {
    let mut files = vec![
        ("zester.yaml", "facts: [facts]\n"),
        ("states/top.zy", TOP),
        ("states/common.zy", COMMON),
        ("states/web.zy", WEB),
        ("settings/top.zy", "base:\n  '*':\n    - all\n"),
        ("settings/all.zy", "port: 80\n"),
        ("facts/web-01.yaml", "os: {family: debian}\n"),
        ("facts/web-02.json", "{\"os\": {\"family\": \"debian\"}}\n"),
        ("facts/db-01.yaml", "os: {family: redhat}\n"),
    ];
    files.retain(|(path, _)| more.iter().all(|(other, _)| other != path));
    files.extend(more);
    Scratch::new(&files)
}

#[test]
fn the_plans_of_all_peels_are_checked() {
    let found = tree(&[]).run(&["check", "--fleet", "--format", "json"]).exits(0);
    assert!(found.stderr.contains("3 peels, 2 different plans"), "{found:#?}");
    let found = found.json();
    let codes: Vec<&str> =
        found["diagnostics"].as_array().unwrap().iter().filter_map(|d| d["code"].as_str()).collect();
    assert_eq!(codes, ["Z0604"], "{found:#}");
    let wrong = "{% if grains.os_family == 'Debian' %}{{ settings.gone }}{% endif %}\nmotd: test.nop\n";
    let tree = tree(&[("states/common.zy", wrong)]);
    let found = tree.run(&["check", "--fleet", "--format", "json"]).exits(1).json();
    let diagnostics = found["diagnostics"].as_array().unwrap();
    let of_peels: Vec<_> = diagnostics.iter().filter(|d| d["code"] == "Z0411").collect();
    if !of_peels.is_empty() {
        assert_eq!(of_peels[0]["peels"], serde_json::json!(["web-01", "web-02"]), "{found:#}");
        assert!(of_peels[0]["message"].as_str().unwrap().starts_with("2 of 3 peels (web-01, web-02): "));
    } else {
        // What is wrong on every branch is found without any peel, and said once.
        assert!(!diagnostics.is_empty());
    }
    let none = tree.run(&["check", "--facts", "states"]).exits(2);
    assert!(none.stderr.contains("no peels are known"), "{none:#?}");
}

#[test]
fn the_plan_of_known_peels_is_shown_once() {
    let tree = tree(&[]);
    let plan = tree.run(&["plan", "-t", "web-*"]).exits(0).stdout;
    assert!(plan.starts_with("# 2 peels (web-01, web-02)\n"), "{plan}");
    assert_eq!(plan.matches("test.nop nginx").count(), 1, "{plan}");
    let plans = tree.run(&["plan", "-t", "G@os.family:redhat or web-01", "--output", "json"]).exits(0).json();
    assert_eq!(plans["plans"].as_array().unwrap().len(), 2, "{plans:#}");
    assert_eq!(plans["plans"][0]["peels"], serde_json::json!(["db-01"]));
    tree.run(&["plan", "-t", "nobody*"]).exits(5);
}

fn git(directory: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .current_dir(directory)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_difference_is_shown_by_groups_of_peels() {
    let tree = tree(&[]);
    let project = &tree.project();
    git(project, &["init", "-q"]);
    git(project, &["add", "-A"]);
    git(project, &["commit", "-q", "-m", "one"]);
    let same = tree.run(&["diff", "HEAD", "--exit-code"]).exits(0).stdout;
    assert!(same.contains("the plans of 3 peels are the same"), "{same}");
    std::fs::write(project.join("settings/all.zy"), "port: 8080\n").unwrap();
    std::fs::write(project.join("states/common.zy"), format!("{COMMON}extra: test.nop\n")).unwrap();
    let diff = tree.run(&["diff", "HEAD", "--exit-code"]).exits(1).stdout;
    assert!(diff.contains("1 peel (db-01)\n  + test.nop extra  [states/common.zy:4:8]\n"), "{diff}");
    assert!(diff.contains("2 peels (web-01, web-02)\n"), "{diff}");
    assert!(diff.contains("~ test.nop nginx  [states/web.zy:3:3]\n      ~ port: 80 → 8080\n"), "{diff}");
    git(project, &["commit", "-qam", "two"]);
    std::fs::write(project.join("states/common.zy"), "broken: [\n").unwrap();
    let document = tree.run(&["diff", "HEAD~1", "HEAD", "--output", "json"]).exits(0).json();
    assert_eq!((document["peels"].as_u64(), document["changed"].as_u64()), (Some(3), Some(3)));
    assert_eq!(document["groups"][0]["states"][0]["fate"], "added", "{document:#}");
    let broken = tree.run(&["diff", "HEAD"]).exits(0).stdout;
    assert!(broken.contains("! no plan in the files as they are: states/common.zy:1"), "{broken}");
    let wrong = tree.run(&["diff", "nowhere"]).exits(2);
    assert!(wrong.stderr.contains("there is no revision `nowhere`"), "{wrong:#?}");
}

#[test]
fn files_and_states_are_drawn() {
    let tree = tree(&[]);
    let text = tree.run(&["graph", "files"]).exits(0).stdout;
    assert!(
        text.contains("states/top.zy\n    selects: states/common.zy\n    selects: states/web.zy\n"),
        "{text}"
    );
    assert!(text.contains("states/web.zy\n    includes: states/common.zy\n"), "{text}");
    let dot = tree.run(&["graph", "files", "states/web.zy", "--format", "dot"]).exits(0).stdout;
    assert_eq!(dot.matches("[label=\"states/").count(), 2, "{dot}");
    let states = tree.run(&["graph", "states", "web", "--format", "mermaid"]).exits(0).stdout;
    assert!(states.contains("s1 -->|require| s0"), "{states}");
}
