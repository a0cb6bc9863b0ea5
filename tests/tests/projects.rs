//! The fixture trees as projects: configuration, refs, facts, targets.

use std::{fs, path::PathBuf};
use zester_compiler::{
    project::{OpenOptions, Project, TreeKind},
    source::{FileId, Span},
    target::{Subject, Target},
    types::{Facts, Value},
};

fn trees() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/trees")
}

fn open(tree: &str) -> Project {
    Project::open_dir(&trees().join(tree), OpenOptions::default())
        .unwrap_or_else(|error| panic!("{tree}: {error}"))
}

fn facts(tree: &str, path: &str) -> Facts {
    let mut facts = Facts::default();
    facts.merge_text(&fs::read_to_string(trees().join(tree).join(path)).unwrap()).unwrap();
    facts
}

#[test]
fn every_file_has_one_ref_that_leads_back_to_it() {
    let mut files = 0;
    for entry in fs::read_dir(trees()).unwrap() {
        let tree = entry.unwrap().file_name().into_string().unwrap();
        let project = open(&tree);
        for kind in [TreeKind::States, TreeKind::Settings] {
            for env in project.environments().collect::<Vec<_>>() {
                for name in project.references(kind, env) {
                    let found = project.resolve(kind, env, &name, None).unwrap();
                    assert_eq!(found.name, name, "{tree}");
                    assert_eq!(found.shadowed, None, "{tree}: {name}");
                    assert!(project.locate(&found.file.path).is_some(), "{tree}: {}", found.file.path);
                    files += 1;
                }
            }
        }
    }
    assert!(files > 40, "the fixtures have many files: {files}");
}

#[test]
fn peels_match_the_targets_of_the_fleet() {
    let project = open("fleet");
    let peels = project.inventory().unwrap();
    assert!(peels.iter().any(|peel| peel.facts.id == "web-01"));
    let db = facts("fleet", "facts.yaml");
    let web = &peels.iter().find(|peel| peel.facts.id == "web-01").unwrap().facts;
    let matches = |text: &str, facts: &Facts| {
        let (target, problems) = Target::parse(text, Span::new(FileId(0), 0..text.len()));
        assert!(problems.is_empty(), "{text}");
        let nodegroups = &project.config().nodegroups;
        let settings = Value::Null;
        target.matches(&Subject { id: &facts.id, facts, settings: &settings, nodegroups }).unwrap()
    };
    for (text, on_db, on_web) in [
        ("N@databases", true, false),
        ("N@internal", false, true),
        ("G@roles:database", true, false),
        ("G@os_family:RedHat and G@roles:web", false, true),
        ("G@os:Rocky or G@osfinger:Debian-12", true, true),
        ("G@mem_total:>=16384", true, false),
        ("S@10.0.0.5", true, false),
        ("E@(web|app)-\\d+", false, true),
    ] {
        assert_eq!((matches(text, &db), matches(text, web)), (on_db, on_web), "{text}");
    }
}
