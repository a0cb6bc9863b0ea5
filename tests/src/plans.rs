//! What trees mean: the plan of each of their files, without the places it was written at.

use crate::archive;
use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};
use zester_compiler::{
    ir,
    project::{OpenOptions, Project, TreeKind},
    source::{DiskSources, Sources},
    types::Facts,
};
use zester_executor::local::{Local, LocalOptions};
use zester_stdlib::Cancel;

/// A tree of files with the facts of a machine.
#[derive(Clone)]
pub struct Tree {
    /// Where it comes from.
    pub name: String,
    /// Its files.
    pub files: BTreeMap<String, String>,
    facts: String,
}

/// Every tree among the fixtures: the large ones, those of single rules, those of plans.
pub fn trees() -> Vec<Tree> {
    let fixtures = crate::repository().join("tests/fixtures");
    let entries = |dir: &str| -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> =
            fs::read_dir(fixtures.join(dir)).into_iter().flatten().flatten().map(|e| e.path()).collect();
        found.sort();
        found
    };
    let mut trees = Vec::new();
    for dir in entries("trees").into_iter().chain(entries("demo")) {
        let files = DiskSources::new(&dir).files_below("");
        let text = |path: &String| fs::read_to_string(dir.join(path)).ok();
        let files: BTreeMap<_, _> = files.into_iter().filter_map(|p| Some((p.clone(), text(&p)?))).collect();
        let facts = files.get("facts.yaml").cloned().unwrap_or_default();
        trees.push(Tree { name: dir.display().to_string(), files, facts });
    }
    for path in entries("check").into_iter().chain(entries("lower")) {
        let files: BTreeMap<_, _> =
            archive::files(&fs::read_to_string(&path).unwrap_or_default(), "states/fixture.zy")
                .into_iter()
                .collect();
        let facts = files.get("facts.yaml").cloned().unwrap_or_default();
        trees.push(Tree { name: path.display().to_string(), files, facts });
    }
    trees
}

impl Tree {
    /// The project of the tree; `None` where its configuration is wrong.
    pub fn project(&self) -> Option<Arc<Project>> {
        let files: Vec<_> = self.files.clone().into_iter().collect();
        let sources: Arc<dyn Sources> = Arc::new(archive::sources(&files));
        Project::open(sources, OpenOptions::default()).ok().map(Arc::new)
    }

    /// For each state file, its plan with what it includes, or the rules it breaks.
    pub fn meaning(&self) -> BTreeMap<String, String> {
        self.project().map(|project| meaning(project, &self.facts)).unwrap_or_default()
    }

    /// The facts of its machine.
    pub fn facts(&self) -> &str {
        &self.facts
    }
}

/// For each state file of a project, its plan with what it includes, or the rules it breaks, on a machine with these
/// facts; under `(highstate)` what the top file selects, where there is one.
pub fn meaning(project: Arc<Project>, facts_text: &str) -> BTreeMap<String, String> {
    let refs = project.references(TreeKind::States, "base");
    let has_top = project.top(TreeKind::States, "base").is_some();
    let options = LocalOptions { test: true, ..LocalOptions::default() };
    let local = Local::with_project(project, PathBuf::from("/nonexistent"), options, Cancel::default());
    let mut facts = Facts::default();
    facts.set_id("web-01".to_owned());
    let _ = facts.merge_text(facts_text);
    let facts = Arc::new(facts);
    local.set_facts(facts.clone());
    let settings = match local.settings() {
        Ok((settings, _)) => settings,
        Err(error) => return BTreeMap::from([("settings".to_owned(), error.to_string())]),
    };
    let plan = |refs: &[String]| {
        let lowered = local.lower(refs, &facts, &settings.value);
        match lowered.dag {
            Some(dag) => without_places(&ir::text(&dag)),
            None => {
                let mut rules: Vec<&str> =
                    lowered.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.rule.code).collect();
                rules.sort_unstable();
                format!("wrong: {}", rules.join(" "))
            }
        }
    };
    let mut plans: BTreeMap<String, String> =
        refs.iter().map(|reference| (reference.clone(), plan(std::slice::from_ref(reference)))).collect();
    if has_top {
        plans.insert("(highstate)".to_owned(), plan(&[]));
    }
    plans
}

fn without_places(plan: &str) -> String {
    let line = |line: &str| match line.rsplit_once("  [") {
        Some((words, _)) if !line.starts_with(' ') => format!("{words}\n"),
        _ => format!("{line}\n"),
    };
    plan.lines().map(line).collect()
}
