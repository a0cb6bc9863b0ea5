//! The fixture trees, written in the manner of real ones: each is right, and lowers to the plan beside it (`UPDATE=1` writes it anew).

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use zester_compiler::{
    check::{CheckOptions, check},
    ir,
    project::TreeKind,
    source::Files,
    syntax::{self, segment::SegmentKind},
    types::Facts,
};
use zester_executor::local::{Local, LocalOptions};
use zester_stdlib::Cancel;

fn trees() -> Vec<PathBuf> {
    let directory = zester_tests::repository().join("tests/fixtures/trees");
    let mut found: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    assert!(found.len() >= 4);
    found
}

/// The tree on the machine that its `facts.yaml` describes.
fn open(tree: &Path) -> Local {
    let options = LocalOptions { project: Some(tree.to_owned()), test: true, ..LocalOptions::default() };
    let local = Local::open(options, Cancel::default()).unwrap_or_else(|e| panic!("{}: {e}", tree.display()));
    let mut facts = Facts::default();
    facts.merge_text(&fs::read_to_string(tree.join("facts.yaml")).unwrap()).unwrap();
    local.set_facts(Arc::new(facts));
    local
}

#[test]
fn each_is_right_and_has_its_plan() {
    let mut wrong = String::new();
    for tree in trees() {
        let local = open(&tree);
        let report = check(&local.project, local.library.registry(), &CheckOptions::default()).unwrap();
        for diagnostic in report.diagnostics.iter().filter(|d| d.is_error()) {
            let (path, at) = local.project.files().locate(diagnostic.span);
            wrong.push_str(&format!("{}/{path}:{}: {}\n", tree.display(), at.line, diagnostic.message));
        }
        let facts = local.facts().unwrap();
        let (settings, mut diagnostics) = local.settings().unwrap();
        let lowered = local.lower(&[], &facts, &settings.value);
        diagnostics.extend(lowered.diagnostics);
        for diagnostic in diagnostics.iter().filter(|d| d.is_error()) {
            let (path, at) = local.project.files().locate(diagnostic.span);
            wrong.push_str(&format!("{}/{path}:{}: {}\n", tree.display(), at.line, diagnostic.message));
        }
        let Some(dag) = lowered.dag else { continue };
        assert!(!dag.schedule.is_empty(), "{} plans nothing", tree.display());
        let plan = ir::text(&dag);
        let expected = tree.join("expected-plan.txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&expected, &plan).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != plan {
            wrong.push_str(&format!("{} has another plan; UPDATE=1 if that is meant\n", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn cut_anywhere_the_beginning_is_still_a_tree() {
    let mut tried = 0;
    for tree in trees() {
        let local = open(&tree);
        for kind in [TreeKind::States, TreeKind::Settings] {
            for file in local.project.files_below(kind, "base", "") {
                let Ok((_, text)) = local.project.read_text(&file.path) else { continue };
                let tags: Vec<_> = syntax::segment::segments(&text)
                    .into_iter()
                    .filter(|s| !matches!(s.kind, SegmentKind::Text | SegmentKind::Raw))
                    .map(|s| s.range)
                    .collect();
                for (at, _) in text.char_indices().step_by(7) {
                    let files = Files::default();
                    let id = files.add(&file.path, &text[..at]);
                    let parsed = syntax::parse(id, &files.get(id).text);
                    assert_eq!(&*parsed.text, &text[..at]);
                    // Each open block is reported, and beside them one or two mistakes; behind a tag that is cut in the middle of its lines
                    // each line may be one.
                    let cut_tag = tags.iter().find(|t| t.start < at && at < t.end);
                    let lines = cut_tag.map_or(0, |t| text[t.start..at].lines().count());
                    let open = parsed.template.blocks.iter().filter(|b| b.span.end as usize == at).count();
                    let found: Vec<_> = parsed.diagnostics.iter().map(|d| &d.message).collect();
                    assert!(found.len() <= open + 2 + lines, "{}: cut at {at}: {found:?}", file.path);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 1_000, "{tried}");
}
