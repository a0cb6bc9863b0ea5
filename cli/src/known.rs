//! Peels that are known beforehand: an inventory of facts, and the plans made for it.

use crate::{
    fleet::{access_directory, block_on, connect, failure},
    options::Common,
    output::Failure,
};
use clap::Args;
use std::{collections::BTreeMap, sync::Arc};
use zester_compiler::{
    diagnostic::Diagnostic,
    fleet::{self, Fleet, FleetInput},
    project::{Project, inventory_below},
    source::{DiskSources, FileId, Span},
    target::{Subject, Target},
    types::{Facts, Map, Value},
};
use zester_executor::local::{Local, LocalOptions};
use zester_stdlib::{BoundLibrary, Cancel};

/// Which peels.
#[derive(Args, Clone, Default)]
pub struct Known {
    /// For every known peel: those of the project's `facts` directories, and those of the fleet where there are an
    /// operator's keys. With --facts DIR those of a directory, a file for each peel.
    #[arg(long)]
    pub fleet: bool,
}

impl Known {
    /// Whether peels of an inventory are asked for.
    pub fn asked(&self, common: &Common) -> bool {
        self.fleet || common.facts.as_ref().is_some_and(|path| path.is_dir())
    }

    /// The peels, sorted by id.
    pub fn peels(&self, common: &Common, project: &Project) -> Result<Vec<Arc<Facts>>, Failure> {
        let mut peels: BTreeMap<String, Arc<Facts>> = BTreeMap::new();
        let said = |e: zester_compiler::project::InventoryError| Failure::new(e.to_string());
        let mut known = |found: Vec<zester_compiler::project::KnownPeel>| {
            peels.extend(found.into_iter().map(|peel| (peel.facts.id.clone(), Arc::new(peel.facts))));
        };
        if let Some(directory) = common.facts.as_ref().filter(|path| path.is_dir()) {
            known(inventory_below(&DiskSources::new(directory), "").map_err(said)?);
        } else {
            known(project.inventory().map_err(said)?);
            if let Ok(directory) = access_directory(common) {
                let stored = block_on(async { connect(common).await?.all_facts().await.map_err(failure) });
                match stored {
                    Ok(stored) => peels.extend(stored.into_iter().map(|(id, facts)| (id, Arc::new(facts)))),
                    Err(error) if peels.is_empty() => return Err(error),
                    Err(_) => eprintln!(
                        "zester: the fleet of `{}` cannot be asked; only the project's own inventory is used",
                        directory.display()
                    ),
                }
            }
        }
        if peels.is_empty() {
            return Err(Failure::new(
                "no peels are known: keep their facts in a directory that `facts` in zester.yaml names, give one with --facts DIR, or name an operator's keys with --access DIR",
            ));
        }
        Ok(peels.into_values().collect())
    }
}

/// A project without a machine.
pub fn without_machine(project: Arc<Project>, local: &Local, common: &Common) -> Local {
    let options = LocalOptions { facts: None, ..common.local(true) };
    let local = Local::with_project(project, local.root.clone(), options, Cancel::default());
    local.set_facts(Arc::new(Facts::default()));
    local
}

/// Makes the plans of peels.
pub fn plans(
    local: &Local,
    common: &Common,
    peels: &[Arc<Facts>],
    refs: &[String],
    keep_plans: bool,
) -> Fleet {
    let context = local.context(&Arc::new(Facts::default()), &Arc::new(Value::Map(Map::new())));
    fleet::plans(&FleetInput {
        project: &local.project,
        registry: local.library.registry(),
        functions: Arc::new(BoundLibrary { library: local.library.clone(), context }),
        peels,
        env: common.env.as_deref(),
        refs,
        keep_plans,
    })
}

/// Which of the peels a target matches; their settings are those of their plans.
pub fn matching(
    text: &str,
    project: &Project,
    fleet: &Fleet,
    peels: &[Arc<Facts>],
) -> Result<Vec<bool>, Failure> {
    let (target, found) = Target::parse(text, Span::new(FileId(0), 0..text.len()));
    if let Some(error) = found.iter().find(|d| d.is_error()) {
        return Err(Failure::new(format!("the target `{text}` is malformed: {}", error.message)));
    }
    let class_of = fleet.class_of(peels.len());
    let empty = Value::Map(Map::new());
    peels
        .iter()
        .enumerate()
        .map(|(index, facts)| {
            let class = class_of.get(index).and_then(|class| fleet.classes.get(*class));
            let settings = class.map_or(&empty, |class| &*class.settings);
            let nodegroups = &project.config().nodegroups;
            let subject = Subject { id: &facts.id, facts, settings, nodegroups };
            target.matches(&subject).map_err(|e| Failure::new(e.to_string()))
        })
        .collect()
}

/// The first error of a plan that could not be made, as one line.
pub fn first_error(found: &[Diagnostic], project: &Project) -> String {
    match found.iter().find(|d| d.is_error()).or(found.first()) {
        Some(diagnostic) => {
            let (path, at) = project.files().locate(diagnostic.span);
            format!("{path}:{}:{}: {} [{}]", at.line, at.column, diagnostic.message, diagnostic.rule.code)
        }
        None => "the plan could not be made".to_owned(),
    }
}
