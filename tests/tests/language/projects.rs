//! The fixture trees as projects: configuration, refs, facts, targets.

use std::{fs, path::PathBuf, sync::Arc};
use zester_compiler::{
    diagnostic::Diagnostic,
    project::{OpenOptions, Project, TreeKind},
    settings,
    source::{FileId, Span},
    target::{Subject, Target},
    template::{Functions, NoFunctions},
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

fn settings_of(tree: &str) -> (settings::Settings, Arc<Project>) {
    let project = Arc::new(open(tree));
    let functions: Arc<dyn Functions> = Arc::new(NoFunctions);
    let facts = Arc::new(facts(tree, "facts.yaml"));
    let request = settings::Request { facts: &facts, env: None, overrides: &[] };
    let (settings, problems) = settings::resolve(&project, &functions, &request);
    let errors: Vec<&Diagnostic> = problems.iter().filter(|problem| problem.is_error()).collect();
    assert!(errors.is_empty(), "{tree}: {errors:?}");
    (settings, project)
}

#[test]
fn every_tree_gives_its_peel_settings() {
    for tree in ["accounts", "fleet", "patterns", "webserver"] {
        let (settings, project) = settings_of(tree);
        assert!(settings.value.as_map().is_some_and(|map| !map.is_empty()), "{tree}");
        for (key, _) in settings.value.as_map().unwrap() {
            let why = settings.why(key);
            assert!(why.origins.iter().any(|origin| origin.wins), "{tree}: {key}");
            for origin in why.origins {
                let (path, _) = origin.place(project.files());
                assert!(settings.files.iter().any(|file| **file == *path), "{tree}: {path}");
            }
        }
    }
}
