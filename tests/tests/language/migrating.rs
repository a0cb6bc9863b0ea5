//! A migrated tree means what the Salt tree meant: the same plans, for every machine.

use std::{collections::BTreeMap, sync::Arc};
use zester_compiler::{
    migrate::{MigrateError, Migration, NoteKind, migrate},
    project::{OpenOptions, Project, Root},
    source::{DiskSources, MemorySources, Sources},
};
use zester_tests::{
    plans::{meaning, trees},
    repository,
};

const MACHINES: [&str; 4] = [
    "id: web-01\nos_family: Debian\nos: Debian\n",
    "id: web-02\nos_family: RedHat\nos: CentOS\n",
    "id: db-01\nos_family: Debian\nos: Ubuntu\n",
    "id: db-02\nos_family: RedHat\nos: Fedora\n",
];

fn as_salt(sources: Arc<dyn Sources>, states: &str, settings: &str) -> Arc<Project> {
    let root = |path: &str| if sources.is_dir(path) { vec![Root::inside(path)] } else { Vec::new() };
    let options = OpenOptions {
        states: root(states),
        settings: root(settings),
        extensions: vec!["sls".to_owned()],
        ..OpenOptions::default()
    };
    Arc::new(Project::open(sources, options).unwrap())
}

fn migrated(project: &Arc<Project>) -> Result<Migration, MigrateError> {
    migrate(project, &Arc::new(zester_stdlib::library().registry().clone()))
}

/// The new tree, read from its texts as a stranger would read it.
fn fresh(old: &Project, migration: &Migration) -> Arc<Project> {
    let mut sources = MemorySources::new();
    for file in &migration.files {
        match &file.change {
            Some((_, text)) => sources.insert(&*file.to, text),
            None => sources.insert(&*file.to, old.read(&file.from).unwrap()),
        }
    }
    Arc::new(Project::open(Arc::new(sources), OpenOptions::default()).unwrap())
}

fn site() -> Arc<Project> {
    let root = repository().join("tests/fixtures/salt/site");
    as_salt(Arc::new(DiskSources::new(root)), "salt", "pillar")
}

#[test]
fn the_plans_of_a_site_stay_for_every_machine() {
    let old = site();
    let migration = migrated(&old).unwrap();
    let new = fresh(&old, &migration);
    let mut different = std::collections::BTreeSet::new();
    for machine in MACHINES {
        let mut before = meaning(old.clone(), machine);
        let after = meaning(new.clone(), machine);
        // What is kept under its name is no state file any more.
        before.retain(|reference, _| !reference.starts_with("reactor."));
        // A source that was renamed is named by its new name.
        let before: BTreeMap<_, _> =
            before.into_iter().map(|(r, plan)| (r, plan.replace(".sls", ".zy"))).collect();
        assert_eq!(before, after, "{machine}");
        assert!(!after["(highstate)"].starts_with("wrong"), "{}", after["(highstate)"]);
        different.insert(after["(highstate)"].clone());
    }
    assert_eq!(different.len(), MACHINES.len(), "the machines are told apart");
}

#[test]
fn names_are_changed_and_nothing_else() {
    let old = site();
    let migration = migrated(&old).unwrap();
    assert!(!migration.report.has_errors(), "{:#?}", migration.report.diagnostics);
    let file = |to: &str| {
        let found = migration.files.iter().find(|f| f.to == to);
        found.unwrap_or_else(|| panic!("no {to} among {:#?}", migration.files))
    };
    let (before, after) = file("states/common/init.zy").change.clone().unwrap();
    let lines: Vec<(&str, &str)> = before.lines().zip(after.lines()).filter(|(a, b)| a != b).collect();
    assert_eq!(before.lines().count(), after.lines().count());
    assert_eq!(
        lines[..2],
        [
            (
                "{%- from \"common/map.sls\" import common with context %}",
                "{%- from \"common/map.zy\" import common with context %}"
            ),
            (
                "    - source:  salt://common/motd.sls   # a text, whatever its name",
                "    - source:  salt://common/motd.zy   # a text, whatever its name"
            ),
        ]
    );
    assert!(file("states/web/config.zy").change.as_ref().unwrap().1.contains("\"web/defaults.zy\""));
    assert!(file("settings/roles/web.zy").change.is_none());
    assert_eq!(file("states/web/files/nginx.conf").from, "salt/web/files/nginx.conf");
    let notes: Vec<(NoteKind, &str, u32)> =
        migration.notes.iter().map(|n| (n.kind, n.file.as_str(), n.line)).collect();
    assert_eq!(
        notes,
        [
            (NoteKind::Reactor, "states/reactor/start.sls", 2),
            (NoteKind::Python, "states/_modules/answers.py", 1),
        ]
    );
}

#[test]
fn what_is_not_proven_is_left_to_a_person() {
    let sources = MemorySources::new()
        .with("salt/a.sls", "{% set name = 'b' %}\nx:\n  file.managed:\n    - name: /x\n    - source: salt://{{ name }}.sls\n")
        .with("salt/b.sls", "{{ tplfile }}:\n  test.nop\n")
        .with("salt/c.sls", "#!py\ndef run():\n    return {}\n")
        .with("salt/d.sls", "x: test.nop\n")
        .with("salt/d.zy", "y: test.nop\n")
        // Targets are no functions.
        .with("salt/top.sls", "base:\n  salt.state: [a]\n  local.web.example: [a]\n")
        .with("salt/g.sls", "x:\n  salt:\n    - wheel\n    - name: key.list\n")
        // `f.sls` is a ref here: the file `sls` in the directory `a`.
        .with("salt/e.sls", "include:\n  - f.sls\n")
        .with("salt/f/sls.sls", "z: test.nop\n")
        .with("pillar/top.sls", "base:\n  '*': [secret]\n")
        .with("pillar/secret.sls", "#!yaml|gpg\npassword: |\n  -----BEGIN PGP MESSAGE-----\n  x\n");
    let old = as_salt(Arc::new(sources), "salt", "pillar");
    let migration = migrated(&old).unwrap();
    let notes: Vec<(NoteKind, String)> =
        migration.notes.iter().map(|n| (n.kind, format!("{}:{}:{}", n.file, n.line, n.column))).collect();
    let expected = [
        (NoteKind::Renderer, "states/c.sls:1:1"),
        (NoteKind::Orchestration, "states/g.sls:3:7"),
        (NoteKind::Gpg, "settings/secret.zy:3:3"),
        (NoteKind::ComputedReference, "states/a.zy:5:32"),
        (NoteKind::OwnName, "states/b.zy:1:4"),
        (NoteKind::NameTaken, "states/d.sls:1:1"),
    ];
    assert_eq!(notes, expected.map(|(kind, place)| (kind, place.to_owned())));
    let e = migration.files.iter().find(|f| f.to == "states/e.zy").unwrap();
    assert_eq!(e.change, None);
}

#[test]
fn a_configured_layout_stays() {
    let sources = MemorySources::new()
        .with("zester.yaml", "# Ours.\nstates: [tree]\nextensions:\n  - zy\n  - sls\n")
        .with("tree/a.sls", "x: test.nop\n");
    let old = as_salt(Arc::new(sources), "nowhere", "nowhere");
    let migration = migrated(&old).unwrap();
    let to: Vec<&str> = migration.files.iter().map(|f| f.to.as_str()).collect();
    assert_eq!(to, ["tree/a.zy", "zester.yaml"]);
    let new = fresh(&old, &migration);
    assert_eq!(new.extensions(), ["zy"]);
    assert_eq!(meaning(old, ""), meaning(new, ""));
    let nothing = MemorySources::new().with("salt/a.zy", "x: test.nop\n");
    let refused = migrated(&as_salt(Arc::new(nothing), "salt", "pillar"));
    assert!(matches!(refused, Err(MigrateError::Nothing)));
}

/// The fixture trees with Salt's names, migrated, mean what they meant under Salt's names.
#[test]
fn every_fixture_tree_migrates_to_its_own_meaning() {
    let mut migrated_trees = 0;
    for tree in trees() {
        if tree.files.contains_key("zester.yaml") {
            continue;
        }
        let mut sources = MemorySources::new();
        for (path, text) in &tree.files {
            sources.insert(
                path.strip_suffix(".zy")
                    .filter(|s| !s.ends_with("schema"))
                    .map_or(path.clone(), |stem| format!("{stem}.sls")),
                text,
            );
        }
        let old = as_salt(Arc::new(sources), "states", "settings");
        let Ok(migration) = migrated(&old) else { continue };
        let before = meaning(old.clone(), tree.facts());
        let after = meaning(fresh(&old, &migration), tree.facts());
        let kept = |reference: &str| {
            let stem = format!("states/{}", reference.replace('.', "/"));
            migration
                .notes
                .iter()
                .any(|n| n.file == format!("{stem}.sls") || n.file == format!("{stem}/init.sls"))
        };
        for (reference, plan) in before.iter().filter(|(r, plan)| !plan.starts_with("wrong") && !kept(r)) {
            assert_eq!(
                Some(&plan.replace(".sls", ".zy")),
                after.get(reference),
                "{}: {reference}",
                tree.name
            );
        }
        migrated_trees += 1;
    }
    assert!(migrated_trees > 60, "{migrated_trees}");
}
