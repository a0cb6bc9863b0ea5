//! What `docs/integrations/` gives to other programs runs as it stands there.

use std::{fs, process::Command};
use zester_compiler::{project::read_yaml, types::Value};
use zester_tests::{command::Scratch, command::zester, repository};

fn integration(name: &str) -> Value {
    read_yaml(&fs::read_to_string(repository().join("docs/integrations").join(name)).unwrap()).unwrap()
}

fn of<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Map(map) => map.get(key),
        _ => None,
    }
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    of(value, key).and_then(Value::as_str)
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    match of(value, key) {
        Some(Value::List(items)) => items,
        other => panic!("`{key}` is {other:?}"),
    }
}

/// A line of a shell, in a project, with `zester` on the PATH.
fn shell(tree: &Scratch, line: &str) -> Option<i32> {
    let dir = zester().parent().unwrap().display().to_string();
    let path = format!("{dir}:{}", std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", line]).env("PATH", path).current_dir(tree.project());
    command.output().unwrap().status.code()
}

const RIGHT: &str = "nginx:\n  pkg.installed: []\n";
const UNTIDY: &str = "nginx:\n    pkg.installed: []\n";
const WRONG: &str = "nginx:\n  pkg.instaled: []\n";

#[test]
fn the_hooks_of_pre_commit() {
    let config = integration("pre-commit-config.yaml");
    let hooks = list(&list(&config, "repos")[0], "hooks");
    assert_eq!(hooks.len(), 2);
    for hook in hooks {
        let entry = text(hook, "entry").unwrap();
        let files = of(hook, "pass_filenames").is_none();
        let line = if files { format!("{entry} states/a.zy") } else { entry.to_owned() };
        let tree = Scratch::new(&[("states/a.zy", RIGHT)]);
        assert_eq!(shell(&tree, &line), Some(0), "{line}");
        match text(hook, "id") {
            // pre-commit fails where a hook changes a file.
            Some("zester-fmt") => {
                tree.write("states/a.zy", UNTIDY);
                assert_eq!(shell(&tree, &line), Some(0), "{line}");
                assert_eq!(fs::read_to_string(tree.project().join("states/a.zy")).unwrap(), RIGHT);
            }
            _ => {
                tree.write("states/a.zy", WRONG);
                assert_eq!(shell(&tree, &line), Some(1), "{line}");
            }
        }
    }
}

#[test]
fn the_steps_of_the_workflow() {
    let workflow = integration("github-workflow.yml");
    let steps = list(of(&workflow, "jobs").and_then(|jobs| of(jobs, "check")).unwrap(), "steps");
    let lines: Vec<&str> =
        steps.iter().filter_map(|s| text(s, "run")).filter(|l| l.starts_with("zester")).collect();
    assert_eq!(lines.len(), 3);
    for (text, wanted) in [(RIGHT, [0, 0, 0]), (UNTIDY, [1, 0, 0]), (WRONG, [0, 1, 0])] {
        let tree = Scratch::new(&[("states/a.zy", text)]);
        let found: Vec<i32> = lines.iter().map(|line| shell(&tree, line).unwrap()).collect();
        assert_eq!(found, wanted, "{text}");
        let sarif = fs::read_to_string(tree.project().join("zester.sarif")).unwrap();
        let sarif: serde_json::Value = serde_json::from_str(&sarif).unwrap();
        assert_eq!(sarif["version"], "2.1.0");
    }
}
