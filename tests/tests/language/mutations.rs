//! What a person gets wrong, made at every place of every fixture tree where it can be made: `check` has to say so, at the line, by the rule's
//! name. `--nocapture` prints the rate of each kind and what was missed; every fifth mistake is made, all with `ZESTER_CASES=1`.
//!
//! A slip in a name is always a mistake. A slip in the structure is one where the tree no longer gives the plan that it gave before; where the
//! plan is the same, or is another one without any error, the tree means what it says and nobody can know better. Slips beside tags are counted
//! apart: what a macro's text is put into, and what an expression on its own line gives, is known after rendering only; keys and methods of values
//! that only a run knows are among them.

mod names;
mod structure;
mod visit;

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::AtomicUsize, atomic::Ordering},
};
use zester_compiler::{
    check::{CheckOptions, check},
    diagnostic::Diagnostic,
    project::{OpenOptions, Project, TreeKind},
    types::Facts,
};
use zester_executor::local::{Local, LocalOptions};
use zester_stdlib::Cancel;

/// One mistake in one file.
pub struct Mistake {
    kind: &'static str,
    path: String,
    /// What is replaced.
    range: Range<usize>,
    text: String,
    /// Zero-based lines of the changed file, one of which is to be named.
    lines: Vec<usize>,
    /// Rules, one of which is to find it.
    rules: &'static [&'static str],
    /// A word that the finding has to say.
    says: Option<String>,
    /// Only a mistake if the run fails.
    must_fail: bool,
}

type Tree = Vec<(String, String)>;

fn read(root: &Path) -> Tree {
    fn walk(directory: &Path, root: &Path, found: &mut Tree) {
        for path in fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Tree::new();
    walk(root, root, &mut found);
    found.sort();
    found
}

fn open(tree: &Tree) -> Arc<Project> {
    let sources = zester_tests::archive::sources(tree);
    Arc::new(Project::open(Arc::new(sources), OpenOptions::default()).unwrap())
}

fn findings(project: &Project) -> Vec<Diagnostic> {
    let library = zester_executor::local::library();
    check(project, library.registry(), &CheckOptions::default()).unwrap().diagnostics
}

/// The digest of the plan, or nothing where the run fails.
fn plan(tree: &Tree) -> Option<String> {
    let options = LocalOptions { test: true, ..LocalOptions::default() };
    let local = Local::with_project(open(tree), PathBuf::new(), options, Cancel::default());
    let mut facts = Facts::default();
    let text = tree.iter().find(|(path, _)| path == "facts.yaml").map(|(_, text)| text).unwrap();
    facts.merge_text(text).unwrap();
    local.set_facts(Arc::new(facts));
    let facts = local.facts().unwrap();
    let (settings, found) = local.settings().unwrap();
    if found.iter().any(Diagnostic::is_error) {
        return None;
    }
    local.lower(&[], &facts, &settings.value).dag.map(|dag| dag.digest())
}

/// How it went with one mistake.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Harmless,
    Found,
    /// Something was said, but elsewhere, or by another name.
    Otherwise,
    Silent,
}

fn judge(tree: &Tree, before: &HashSet<String>, mistake: &Mistake) -> (Outcome, String) {
    let mut changed = tree.clone();
    let (_, text) = changed.iter_mut().find(|(path, _)| *path == mistake.path).unwrap();
    text.replace_range(mistake.range.clone(), &mistake.text);
    if mistake.must_fail && plan(&changed).is_some() {
        return (Outcome::Harmless, String::new());
    }
    let project = open(&changed);
    let mut said = String::new();
    let mut outcome = Outcome::Silent;
    for finding in findings(&project) {
        if before.contains(&finding.message) {
            continue;
        }
        let (path, at) = project.files().locate(finding.span);
        said.push_str(&format!("    {path}:{}: {} {}\n", at.line, finding.rule.name, finding.message));
        let right = *path == *mistake.path
            && mistake.lines.contains(&(at.line as usize - 1))
            && mistake.rules.contains(&finding.rule.name)
            && mistake.says.as_ref().is_none_or(|word| finding.message.contains(word.as_str()));
        outcome = if right {
            Outcome::Found
        } else if outcome == Outcome::Silent {
            Outcome::Otherwise
        } else {
            outcome
        };
        if right {
            break;
        }
    }
    (outcome, said)
}

fn mistakes(tree: &Tree) -> Vec<Mistake> {
    let project = open(tree);
    let library = zester_executor::local::library();
    let references: HashSet<String> = [TreeKind::States, TreeKind::Settings]
        .into_iter()
        .flat_map(|kind| project.environments().map(|env| (kind, env.to_owned())).collect::<Vec<_>>())
        .flat_map(|(kind, env)| project.references(kind, &env))
        .collect();
    let mut found = Vec::new();
    for (path, _) in tree {
        let is_source = [".zy", ".sls", ".jinja"].iter().any(|end| path.ends_with(end));
        // What a template for a machine's file says is not known before it is rendered with its context.
        if !is_source || path.contains("/files/") {
            continue;
        }
        let parsed = project.tree(path).unwrap();
        found.extend(names::all(&parsed, path, library.registry(), &|name| references.contains(name)));
        found.extend(structure::all(&parsed, path));
    }
    found
}

#[derive(Default)]
struct Rate {
    found: usize,
    otherwise: usize,
    silent: usize,
}

#[test]
fn what_a_person_gets_wrong_is_found() {
    let directory = zester_tests::repository().join("tests/fixtures/trees");
    let mut trees: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    trees.sort();
    let rates: Mutex<BTreeMap<&str, Rate>> = Mutex::default();
    for root in &trees {
        let tree = read(root);
        let before: HashSet<String> = findings(&open(&tree)).into_iter().map(|d| d.message).collect();
        assert!(plan(&tree).is_some(), "{} has no plan", root.display());
        // All of them take minutes.
        let step = if std::env::var_os("ZESTER_CASES").is_some() { 1 } else { 5 };
        let mistakes: Vec<Mistake> = mistakes(&tree).into_iter().step_by(step).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(mistake) = mistakes.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (outcome, said) = judge(&tree, &before, mistake);
                let mut rates = rates.lock().unwrap();
                let rate = rates.entry(mistake.kind).or_default();
                match outcome {
                    Outcome::Harmless => continue,
                    Outcome::Found => rate.found += 1,
                    Outcome::Otherwise => rate.otherwise += 1,
                    Outcome::Silent => rate.silent += 1,
                }
                if outcome != Outcome::Found {
                    let text = &tree.iter().find(|(path, _)| *path == mistake.path).unwrap().1;
                    let line = names::line_of(text, mistake.range.start);
                    println!(
                        "{} {}/{}:{}: {:?} becomes {:?} in {:?}\n{said}",
                        mistake.kind,
                        root.file_name().unwrap().to_string_lossy(),
                        mistake.path,
                        line + 1,
                        &text[mistake.range.clone()],
                        mistake.text,
                        text.lines().nth(line).unwrap_or_default(),
                    );
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
    }
    let rates = rates.into_inner().unwrap();
    let (mut found, mut all, mut plain_found, mut plain_all) = (0, 0, 0, 0);
    println!("{:<24}{:>7}{:>7}{:>10}{:>8}{:>8}", "mistake", "made", "found", "otherwise", "silent", "rate");
    for (kind, rate) in &rates {
        let made = rate.found + rate.otherwise + rate.silent;
        (found, all) = (found + rate.found, all + made);
        if !kind.ends_with(" by tags") {
            (plain_found, plain_all) = (plain_found + rate.found, plain_all + made);
        }
        let percent = 100.0 * rate.found as f64 / made.max(1) as f64;
        println!(
            "{kind:<24}{made:>7}{:>7}{:>10}{:>8}{percent:>7.1}%",
            rate.found, rate.otherwise, rate.silent
        );
    }
    println!("{plain_found} of {plain_all}; with what is decided by tags {found} of {all}");
    assert!(plain_all > 500, "only {plain_all} mistakes were made");
    assert!(plain_found * 100 >= plain_all * 96, "only {plain_found} of {plain_all} are found");
    assert!(found * 100 >= all * 88, "only {found} of {all} are found");
}
