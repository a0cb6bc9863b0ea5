//! Fixes do what they promise: the finding is gone, nothing new is wrong, and a safe one leaves the plan as it was.

use std::{collections::BTreeMap, sync::Arc};
use zester_compiler::{
    check::{CheckOptions, Report, check, repair},
    diagnostic::{Applicability, Diagnostic, Severity, apply},
    project::{OpenOptions, Project},
    source::Overlay,
};
use zester_tests::{archive, plans::Tree, plans::trees};

fn library() -> &'static zester_stdlib::Library {
    static LIBRARY: std::sync::OnceLock<zester_stdlib::Library> = std::sync::OnceLock::new();
    LIBRARY.get_or_init(zester_stdlib::library)
}

fn checked(tree: &Tree) -> Option<(Arc<Project>, Report)> {
    let project = tree.project()?;
    let report = check(&project, library().registry(), &CheckOptions::default()).ok()?;
    Some((project, report))
}

/// How often each rule says each thing.
fn counts(report: &Report, errors: bool) -> BTreeMap<(&'static str, &str), usize> {
    let mut counts = BTreeMap::new();
    for d in report.diagnostics.iter().filter(|d| !errors || d.is_error()) {
        *counts.entry((d.rule.code, d.message.as_str())).or_default() += 1;
    }
    counts
}

/// The tree with one fix of a finding.
fn fixed(tree: &Tree, project: &Project, diagnostic: &Diagnostic, fix: usize) -> Tree {
    let mut tree = tree.clone();
    let file = project.files().get(diagnostic.span.file);
    tree.files.insert(file.path.to_string(), apply(&file.text, &diagnostic.fixes[fix].edits));
    tree
}

#[test]
fn each_fix_repairs_its_finding() {
    let (mut safe, mut others) = (BTreeMap::<&str, usize>::new(), BTreeMap::<&str, usize>::new());
    for tree in trees() {
        let Some((project, report)) = checked(&tree) else { continue };
        let meaning = tree.meaning();
        for diagnostic in &report.diagnostics {
            for (index, fix) in diagnostic.fixes.iter().enumerate() {
                let after = fixed(&tree, &project, diagnostic, index);
                let path = &project.files().get(diagnostic.span.file).path;
                let story = || {
                    format!(
                        "{}: {} {} ({}):\n{}",
                        tree.name, diagnostic.rule.code, diagnostic.message, fix.title, after.files[&**path]
                    )
                };
                let (after_project, now) = checked(&after).unwrap();
                let key = (diagnostic.rule.code, diagnostic.message.as_str());
                let (was, is) = (counts(&report, false)[&key], counts(&now, false).get(&key).copied());
                // The same mistake elsewhere may be told only now.
                let place = |project: &Project, d: &Diagnostic| project.files().locate(d.span);
                let at = place(&project, diagnostic);
                let again = now
                    .diagnostics
                    .iter()
                    .any(|d| (d.rule.code, d.message.as_str()) == key && place(&after_project, d) == at);
                assert!(is.unwrap_or(0) < was || !again, "not repaired: {}", story());
                if fix.applicability == Applicability::Unsafe {
                    *others.entry(diagnostic.rule.name).or_default() += 1;
                    continue;
                }
                *safe.entry(diagnostic.rule.name).or_default() += 1;
                assert!(
                    now.count(Severity::Error) <= report.count(Severity::Error),
                    "new errors: {}\n{:?}",
                    story(),
                    counts(&now, true)
                );
                let plans = after.meaning();
                for (reference, plan) in meaning.iter().filter(|(_, plan)| !plan.starts_with("wrong")) {
                    assert_eq!(plan, &plans[reference], "another plan: {}", story());
                }
            }
        }
    }
    println!("safe: {safe:?}\nothers: {others:?}");
    assert!(safe.len() >= 4, "{safe:?}");
    assert!(others.len() >= 12, "{others:?}");
}

#[test]
fn repairing_ends_and_never_makes_it_worse() {
    for tree in trees() {
        for least in [Applicability::Safe, Applicability::Unsafe] {
            let files: Vec<_> = tree.files.clone().into_iter().collect();
            let overlay = Arc::new(Overlay::new(Arc::new(archive::sources(&files))));
            let Ok(project) = Project::open(overlay.clone(), OpenOptions::default()) else { continue };
            let registry = library().registry();
            let before = check(&project, registry, &CheckOptions::default()).unwrap();
            let repaired = repair(&project, &overlay, registry, &CheckOptions::default(), least).unwrap();
            assert!(repaired.report.count(Severity::Error) <= before.count(Severity::Error), "{}", tree.name);
            // What is left to be fixed would have made it worse.
            let left = repaired.report.diagnostics.iter().flat_map(|d| &d.fixes);
            let may = |a: Applicability| least == Applicability::Unsafe || a == Applicability::Safe;
            let left = left.filter(|fix| may(fix.applicability)).count();
            assert!(left == 0 || least == Applicability::Unsafe, "{}: {left} fixes are left", tree.name);
            // The texts are those that were checked.
            let mut after = tree.clone();
            after.files.extend(repaired.texts);
            let (_, again) = checked(&after).unwrap();
            assert_eq!(counts(&again, false), counts(&repaired.report, false), "{}", tree.name);
        }
    }
}
