//! `zester migrate`: a new directory, whole or not at all.

use zester_tests::command::Scratch;

fn site() -> Scratch {
    Scratch::new(&[
        ("old/salt/top.sls", "base:\n  '*': [web]\n"),
        (
            "old/salt/web/init.sls",
            "{% from 'web/map.sls' import user %}\n# Kept.\nROOT/who:\n  file.managed:\n    - contents: {{ user }} {{ pillar['port'] }}\n",
        ),
        ("old/salt/web/map.sls", "{% set user = 'www' %}\n"),
        ("old/pillar/top.sls", "base:\n  '*': [web]\n"),
        ("old/pillar/web.sls", "port: 80\n"),
    ])
}

#[test]
fn a_migrated_tree_checks_and_applies() {
    let tree = site();
    std::fs::write(tree.project().join("old/salt/web/logo.png"), b"\xff\x00").unwrap();
    let run = tree.run(&["migrate", "old", "new"]).exits(0);
    assert!(
        run.stdout
            .starts_with("migrated 6 files to new: 4 renamed, 1 changed (1 reference, 0 fixes), 1 copied\n"),
        "{run:#?}"
    );
    assert!(run.stdout.ends_with("the new tree passes `zester check`\n"), "{run:#?}");
    tree.run(&["-C", "new", "check"]).exits(0);
    tree.apply(&["-C", "new"]).exits(0);
    assert_eq!(tree.made("who").as_deref(), Some("www 80\n"));
    assert_eq!(std::fs::read(tree.project().join("new/states/web/logo.png")).unwrap(), b"\xff\x00");
    // Nothing is written over, and nothing is left beside it.
    let again = tree.run(&["migrate", "old", "new"]).exits(2);
    assert!(again.stderr.contains("`new` is there already"), "{again:#?}");
    let beside: Vec<_> = std::fs::read_dir(tree.project()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(beside.len(), 2, "{beside:?}");
    tree.run(&["migrate", "old", "old/new"]).exits(2);
    tree.run(&["migrate", "nowhere", "other"]).exits(2);
}

#[test]
fn a_dry_run_shows_the_difference() {
    let tree = site();
    let run = tree.run(&["migrate", "old", "--dry-run"]).exits(0);
    assert!(run.stdout.contains("rename from salt/web/map.sls\nrename to states/web/map.zy\n"), "{run:#?}");
    assert!(
        run.stdout.contains("-{% from 'web/map.sls' import user %}\n+{% from 'web/map.zy' import user %}\n"),
        "{run:#?}"
    );
    assert!(run.stderr.starts_with("would migrate 5 files: "), "{run:#?}");
    assert_eq!(std::fs::read_dir(tree.project()).unwrap().count(), 1);
}

#[test]
fn what_is_left_is_in_the_document() {
    let tree = site();
    tree.write("old/salt/orch.sls", "go:\n  salt.parallel_runners:\n    - runners: {}\n");
    tree.write("old/salt/wrong.sls", "x:\n  file.managed:\n    - sosurce: salt://x\n");
    let document = tree.run(&["migrate", "old", "new", "--output", "json"]).exits(1).json();
    assert_eq!(document["references"], 1);
    assert!(document["errors"].as_u64().unwrap() >= 1, "{document:#}");
    let left = document["left"].as_array().unwrap();
    assert_eq!(left[0]["kind"], "orchestration");
    assert_eq!((&left[0]["file"], &left[0]["line"]), (&"states/orch.sls".into(), &2.into()));
    assert!(
        left.iter().any(|l| l["name"] == "unknown-parameter" && l["file"] == "states/wrong.zy"),
        "{document:#}"
    );
}
