//! Content that somebody may have written on purpose: bombs in YAML, templates that do not end, data that would be code, paths that lead out.

use std::{fs, path::PathBuf, sync::Arc};
use zester_compiler::{
    diagnostic::Diagnostic,
    project::{OpenOptions, Project, TreeKind, read_yaml},
    source::{Files, MAX_SOURCE_BYTES, Span},
    syntax,
    target::{MatchError, Nodegroups, Subject, Target},
    types::{Facts, Value},
};
use zester_executor::local::{Local, LocalOptions};
use zester_stdlib::Cancel;
use zester_tests::archive;

fn local(files: &str) -> Local {
    let files = archive::files(files, "states/a.zy");
    let project = Project::open(Arc::new(archive::sources(&files)), OpenOptions::default()).unwrap();
    let options = LocalOptions { test: true, ..LocalOptions::default() };
    let local = Local::with_project(Arc::new(project), PathBuf::new(), options, Cancel::default());
    let mut facts = Facts::default();
    facts
        .merge_text(
            "{id: web-01, os: {family: debian}, evil: \"{{ 7 * 7 }}\", lines: \"x\\n    - user: root\"}",
        )
        .unwrap();
    local.set_facts(Arc::new(facts));
    local
}

/// What comes out of `states/a.zy`, or the rules that stopped it.
fn render(files: &str) -> Result<String, Vec<String>> {
    let local = local(files);
    let facts = local.facts().unwrap();
    let (settings, _) = local.settings().unwrap();
    let rendered = local.render("states/a.zy", &facts, &settings.value);
    rendered.map(|r| r.text).map_err(|found| found.into_iter().map(|d| d.rule.name.to_owned()).collect())
}

/// The rules that stop a run.
fn errors(files: &str) -> Vec<&'static str> {
    let local = local(files);
    let facts = local.facts().unwrap();
    let (settings, mut found) = local.settings().unwrap();
    let lowered = local.lower(&["a".to_owned()], &facts, &settings.value);
    assert_eq!(lowered.dag.is_none(), lowered.diagnostics.iter().any(Diagnostic::is_error));
    found.extend(lowered.diagnostics);
    found.into_iter().filter(Diagnostic::is_error).map(|d| d.rule.name).collect()
}

#[test]
fn yaml_bombs_are_no_bombs() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..40 {
        let items = vec![format!("*a{}", n - 1); 9].join(", ");
        bomb.push_str(&format!("a{n}: &a{n} [{items}]\n"));
    }
    let mut merges = "m0: &m0 {x: 1}\n".to_owned();
    for n in 1..200 {
        merges.push_str(&format!("m{n}: &m{n} {{<<: [*m{0}, *m{0}], k{n}: 1}}\n", n - 1));
    }
    let itself = "a: &a {<<: *a, b: *a}\n";
    for text in [bomb, merges, itself.to_owned(), "[".repeat(100_000), "- ".repeat(100_000)] {
        let _ = read_yaml(&text);
        let files = Files::default();
        let id = files.add("states/a.zy", text.as_str());
        let tree = syntax::parse(id, &files.get(id).text);
        assert_eq!(*tree.text, *text);
    }
}

#[test]
fn yaml_means_what_it_says() {
    let value = read_yaml(
        "country: NO\nzero: 010\ntime: 22:22\nkey: !!python/object/apply:os.system ['id']\n1: one\n",
    );
    // A tag calls nothing, whatever it names.
    assert!(!format!("{value:?}").contains("uid="));
    assert!(read_yaml("a: 1\na: 2\n").is_err(), "a key that stands twice");
    let long = format!("a: {}", "x".repeat(MAX_SOURCE_BYTES as usize));
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("states")).unwrap();
    fs::write(dir.path().join("states/big.zy"), long).unwrap();
    let project = Project::open_dir(dir.path(), OpenOptions::default()).unwrap();
    assert!(project.read_text("states/big.zy").is_err());
}

#[test]
fn templates_come_to_an_end() {
    let loops =
        "{% for a in range(90000) %}{% for b in range(90000) %}{% set c = a * b %}{% endfor %}{% endfor %}";
    let text = "{% set ns = namespace(x='0123456789') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}";
    let list = "{% set l = [1] %}{% for i in range(60) %}{% do l.extend(l) %}{% endfor %}";
    let shared = "{% set ns = namespace(y={}) %}{% for i in range(60) %}{% set ns.y = {'a': ns.y, 'b': ns.y} %}{% endfor %}{{ ns.y | json }}";
    let printed = "{% set ns = namespace(y={}) %}{% for i in range(60) %}{% set ns.y = {'a': ns.y, 'b': ns.y} %}{% endfor %}{{ ns.y }}";
    let deep = "{% set ns = namespace(x=[]) %}{% for i in range(900) %}{% for j in range(900) %}{% set ns.x = [ns.x] %}{% endfor %}{% endfor %}";
    let recursion = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}";
    let tree = "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% else %}x{% endif %}{% endmacro %}{{ m(60) }}";
    let repeated = "{{ 'x' * 99999999999 }}";
    for file in [loops, text, list, shared, printed, deep, recursion, tree, repeated] {
        let stopped = render(file).expect_err(file);
        assert!(
            stopped.iter().all(|rule| rule == "render-limit" || rule == "render-failure"),
            "{file}: {stopped:?}"
        );
    }
    let circle = "{% include 'b.jinja' %}\n-- states/b.jinja --\n{% include 'a.zy' %}\n";
    assert!(render(circle).is_err());
}

#[test]
fn a_list_does_not_hold_itself() {
    for file in [
        "{% set l = [] %}{% do l.append(l) %}",
        "{% set l = [] %}{% set m = [l] %}{% do l.append(m) %}",
        "{% set d = {} %}{% do d.update({'d': d}) %}",
        "{% set d = {} %}{% set l = [d] %}{% do d.update(l=l) %}",
        "{% set d = {} %}{% do d.setdefault('d', d) %}",
        "{% set l = [1] %}{% do l.insert(0, [[l]]) %}",
    ] {
        assert_eq!(render(file).unwrap_err(), ["render-failure"], "{file}");
    }
    let fine = "{% set a = [2, 1] %}{% set b = [a, a] %}{% do b.append(a) %}{% do b.sort() %}{{ b.index(a) }}{{ b.count(a) }}";
    assert_eq!(render(fine).unwrap(), "03");
}

/// What a peel says of itself is data: it is not rendered again, and it changes no structure.
#[test]
fn facts_are_never_code() {
    assert_eq!(render("{{ facts.evil }}").unwrap(), "{{ 7 * 7 }}");
    let injected = "a:\n  cmd.run:\n    - name: echo {{ facts.lines }}\n    - creates: /x\n";
    assert_eq!(errors(injected), ["structure-injection"]);
    let quoted = "a:\n  cmd.run:\n    - name: {{ facts.evil | yaml_dquote }}\n    - creates: /x\n";
    assert_eq!(errors(quoted), [""; 0]);
}

#[test]
fn templates_see_the_tree_and_nothing_else() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.txt"), "geheim").unwrap();
    let path = outside.path().join("secret.txt");
    let path = path.to_str().unwrap();
    for file in [
        format!("{{% include '{path}' %}}"),
        format!("{{% include '../../../../../../../..{path}' %}}"),
        format!("{{% import_text '{path}' as x %}}{{{{ x }}}}"),
        format!("{{% import_text './../../../..{path}' as x %}}{{{{ x }}}}"),
        format!("{{% include 'zester://../../..{path}' %}}"),
        "{{ ''.__class__.__mro__ }}".to_owned(),
        "{{ self.__init__.__globals__ }}".to_owned(),
        "{{ environ.HOME }}{{ env.HOME }}".to_owned(),
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}".to_owned(),
    ] {
        match render(&file) {
            Ok(text) => assert!(!text.contains("geheim") && !text.contains("uid="), "{file}: {text}"),
            Err(rules) => assert!(!rules.is_empty()),
        }
    }
}

#[test]
fn references_and_sources_stay_in_the_tree() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("evil.zy"), "evil: test.nop\n").unwrap();
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("states")).unwrap();
    fs::write(root.path().join("states/a.zy"), "a: test.nop\n").unwrap();
    std::os::unix::fs::symlink(outside.path(), root.path().join("states/link")).unwrap();
    let project = Project::open_dir(root.path(), OpenOptions::default()).unwrap();
    let up = "../".repeat(12);
    let evil = outside.path().join("evil");
    let evil = evil.to_str().unwrap();
    for reference in [
        format!("{up}{evil}"),
        evil.to_owned(),
        "....evil".into(),
        "a/../../evil".into(),
        "a\0".into(),
        "..\\evil".into(),
        "%2e%2e.evil".into(),
    ] {
        assert!(project.resolve(TreeKind::States, "base", &reference, Some("a.zy")).is_err(), "{reference}");
        let path = format!("{reference}.zy");
        assert!(project.read_file(TreeKind::States, "base", &path).is_err(), "{path}");
        assert!(project.find(TreeKind::States, "base", &path).is_none(), "{path}");
    }
}

#[test]
fn targets_are_bounded_and_never_match_by_accident() {
    let files = Files::default();
    let parse = |text: &str| Target::parse(text, Span::at(files.add("t", text), 0));
    let facts = {
        let mut facts = Facts::default();
        facts.set_id("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        facts
    };
    let (settings, nodegroups) = (Value::Null, Nodegroups::new());
    let subject = Subject { id: &facts.id, facts: &facts, settings: &settings, nodegroups: &nodegroups };
    let (slow, _) = parse(r"E@(?=(a+)+$)(a|aa)+\1b");
    assert!(matches!(slow.matches(&subject), Ok(false) | Err(MatchError::Regex { .. })));
    for text in [
        "x or ".repeat(1 << 18),
        "(".repeat(100_000),
        "not ".repeat(20_001),
        format!("L@{}", "a,".repeat(1 << 19)),
    ] {
        let (target, found) = parse(&text);
        assert!(!target.is_valid() && !found.is_empty(), "{} bytes are taken", text.len());
        assert_eq!(target.matches(&subject), Err(MatchError::Malformed));
    }
    // Names are compared letter by letter: no folding of case or of letters that look alike.
    for text in ["AAAA*", "а*", "L@A", "a*\u{200b}"] {
        assert!(!parse(text).0.matches(&subject).unwrap_or(false), "{text}");
    }
}

/// A value that is only for one peel is in no other peel's settings.
#[test]
fn settings_are_of_those_they_are_for() {
    let files = "-- states/a.zy --\na: test.nop\n-- settings/top.zy --\nbase:\n  'web-01': [mine]\n  'web-02 or E@web-0[3-9]': [theirs]\n  'G@os.family:redhat': [theirs]\n  'L@web-011,xweb-01': [theirs]\n-- settings/mine.zy --\nmine: yes\n-- settings/theirs.zy --\nsecret: not for web-01\n";
    let local = local(files);
    let (settings, found) = local.settings().unwrap();
    assert!(found.is_empty(), "{found:?}");
    assert!(settings.get("mine").is_some());
    assert!(!format!("{:?}", settings.value).contains("not for web-01"));
    assert_eq!(settings.files, ["settings/mine.zy"]);
}

/// Whoever looks at any moment finds no file that others may read.
#[test]
fn a_secret_file_is_its_owners_at_every_instant() {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicBool, Ordering};
    use zester_compiler::types::Map;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    let done = AtomicBool::new(false);
    let writer = || {
        let cx = zester_stdlib::provider::fake::FakeMachine::on_disk().context();
        let library = zester_stdlib::library();
        for round in 0..400 {
            let args = Map::from_iter([
                ("name".to_owned(), Value::from(path.to_str().unwrap())),
                ("contents".to_owned(), Value::from(format!("secret {round}"))),
                ("mode".to_owned(), Value::from("0600")),
            ]);
            let state = library.build("file.managed", &args).unwrap();
            let plan = state.plan(&cx).unwrap();
            plan.apply.unwrap()(&cx).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    };
    let watcher = || {
        let mut seen = 0;
        while !done.load(Ordering::Relaxed) {
            for entry in fs::read_dir(directory.path()).unwrap().flatten() {
                // Temporary files go away while one looks.
                let Ok(metadata) = entry.metadata() else { continue };
                let mode = metadata.permissions().mode() & 0o777;
                assert_eq!(mode & 0o077, 0, "{} has the mode {mode:o}", entry.path().display());
                seen += 1;
            }
        }
        seen
    };
    let seen = std::thread::scope(|scope| {
        let watching = scope.spawn(watcher);
        writer();
        watching.join().unwrap()
    });
    assert!(seen > 0, "nobody has looked");
}

#[test]
fn secrets_are_not_shown_by_debug() {
    use nkeys::KeyPair;
    use zester_executor::bus::Credentials;
    let key = KeyPair::new_user();
    let credentials = Credentials { jwt: "header.claims.signature".into(), seed: key.seed().unwrap() };
    let shown = format!("{credentials:?} {:#?}", Some(&credentials));
    assert!(!shown.contains(&credentials.seed) && !shown.contains("signature"), "{shown}");
    // What holds an opened secret is not printed, and not stored by accident.
    for (path, head) in [
        ("executor/src/auth/seal.rs", "pub struct Opened"),
        ("executor/src/bus/connect.rs", "pub struct Credentials"),
    ] {
        let text = fs::read_to_string(zester_tests::repository().join(path)).unwrap();
        let at = text.find(head).unwrap_or_else(|| panic!("{path} has no `{head}`"));
        let above = text[..at].lines().rev().take_while(|line| !line.is_empty());
        let derived: String = above.filter(|line| line.starts_with("#[derive")).collect();
        assert!(!derived.contains("Debug") && !derived.contains("Serialize"), "{path}: {derived}");
    }
}
