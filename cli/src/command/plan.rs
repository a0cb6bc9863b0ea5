//! `zester plan`

use crate::{
    command::graph::Language,
    known::{self, Known},
    options::{Common, Output},
    output::{Exit, Failure, findings, print},
};
use clap::Args;
use std::{io::IsTerminal, path::PathBuf};
use zester_compiler::{
    fleet::named,
    ir::{self, Dag, Picture},
    project::TreeKind,
    settings::Mask,
};
use zester_executor::{
    auth::private::{self, Mode},
    local::{Local, LocalOptions},
};

/// What would run, in which order, from which lines? Prints the plan of this machine.
#[derive(Args)]
pub struct PlanArgs {
    /// Refs of state files; the highstate without any.
    pub refs: Vec<String>,
    /// As a graph.
    #[arg(long, value_enum)]
    pub graph: Option<Language>,
    /// The plans of known peels that match, instead of this machine's: peels of the project's inventory, of --facts DIR,
    /// or of the fleet.
    #[arg(short, long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Saves the plan, to be applied exactly as it is: apply --plan FILE.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
}

/// Runs the command.
pub fn run(common: &Common, args: &PlanArgs) -> Result<Exit, Failure> {
    if let Some(target) = &args.target {
        return of_known(common, args, target);
    }
    // A saved plan is one to be applied: it holds the secrets.
    let options = match args.save {
        Some(_) => common.local_with_secrets(true)?,
        None => common.local_without_secrets()?,
    };
    let local = Local::open(options, zester_stdlib::Cancel::default())?;
    let color = common.colored(std::io::stderr().is_terminal());
    // What is saved may be applied here; an orchestration is only looked at.
    let request = if args.save.is_some() { Purpose::Apply } else { Purpose::Look };
    let made = make(&local, &args.refs, request, common.quiet, color)?;
    let Some((dag, with)) = made else { return Ok(Exit::Problems) };
    if let Some(path) = &args.save {
        // It holds what the states hold, secrets among it.
        private::replace(path, Mode::Secret, dag.encode()).map_err(|e| Failure::new(e.to_string()))?;
        eprintln!("saved {} states, digest {}", dag.schedule.len(), dag.digest());
        return Ok(Exit::Fine);
    }
    let shown = with.mask.dag(&dag);
    let text = match (args.graph, common.output) {
        (Some(language), _) => language.draw(&Picture::of_plan(&shown)),
        (None, Output::Text | Output::Yaml) => ir::text(&shown),
        (None, _) => ir::json(&shown) + "\n",
    };
    print(&text);
    Ok(Exit::Fine)
}

/// The plans of known peels; those that are the same are shown once.
fn of_known(common: &Common, args: &PlanArgs, target: &str) -> Result<Exit, Failure> {
    if args.save.is_some() {
        return Err(Failure::new("--save keeps the plan of this machine; it does not go with --target"));
    }
    let options = LocalOptions { facts: None, ..common.local_without_secrets()? };
    let here = Local::open(options, zester_stdlib::Cancel::default())?;
    let peels = Known { fleet: true }.peels(common, &here.project)?;
    let local = known::without_machine(here.project.clone(), &here, common);
    let fleet = known::plans(&local, common, &peels, &args.refs, true);
    if args.refs.is_empty() && !fleet.has_top {
        return Err(Failure::new(
            "there is no top file; name what to use, or write a `top.zy` in the state tree",
        ));
    }
    let wanted = known::matching(target, &local.project, &fleet, &peels)?;
    let mut shown = Vec::new();
    let mut exit = Exit::Fine;
    for class in &fleet.classes {
        let of = class.peels.iter().filter(|peel| wanted.get(**peel) == Some(&true));
        let ids: Vec<&str> = of.filter_map(|peel| peels.get(*peel)).map(|f| f.id.as_str()).collect();
        if ids.is_empty() {
            continue;
        }
        let plan = match &class.plan {
            Some(plan) => Ok(class.mask.dag(plan)),
            None => {
                exit = Exit::Problems;
                Err(known::first_error(&class.diagnostics, &local.project))
            }
        };
        shown.push((ids, plan));
    }
    if shown.is_empty() {
        eprintln!("zester: no known peel matches `{target}`");
        return Ok(Exit::NoPeel);
    }
    if common.json() {
        let plans: Vec<String> = shown
            .iter()
            .map(|(ids, plan)| {
                let ids = serde_json::json!(ids);
                match plan {
                    Ok(plan) => format!("{{\"peels\":{ids},\"plan\":{}}}", ir::json(plan)),
                    Err(error) => serde_json::json!({"peels": ids, "error": error}).to_string(),
                }
            })
            .collect();
        print(&format!("{{\"format_version\":\"1.0\",\"plans\":[{}]}}\n", plans.join(",")));
        return Ok(exit);
    }
    if args.graph.is_some() && shown.len() > 1 {
        return Err(Failure::new(format!(
            "the matching peels have {} different plans; name fewer peels to draw one",
            shown.len()
        )));
    }
    for (ids, plan) in &shown {
        let text = match (plan, args.graph) {
            (Ok(plan), Some(language)) => language.draw(&Picture::of_plan(plan)),
            (Ok(plan), None) => {
                let word = if ids.len() == 1 { "peel" } else { "peels" };
                format!("# {} {word} ({})\n{}\n", ids.len(), named(ids), ir::text(plan))
            }
            (Err(error), _) => format!("# {} ({})\n! {error}\n\n", ids.len(), named(ids)),
        };
        print(&text);
    }
    Ok(exit)
}

/// What a plan was made with.
pub struct With {
    /// Facts.
    pub facts: std::sync::Arc<zester_compiler::types::Facts>,
    /// Settings.
    pub settings: std::sync::Arc<zester_compiler::types::Value>,
    /// What hides their secrets.
    pub mask: Mask,
}

/// What a plan is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// To be applied on this machine.
    Apply,
    /// To be looked at: steps of an orchestration may be in it.
    Look,
}

/// Makes this machine's plan; findings go to stderr. `None` when there are errors.
pub fn make(
    local: &Local,
    refs: &[String],
    purpose: Purpose,
    quiet: bool,
    color: bool,
) -> Result<Option<(Dag, With)>, Failure> {
    let project = &local.project;
    if refs.is_empty() && project.environments().all(|env| project.top(TreeKind::States, env).is_none()) {
        return Err(Failure::new(
            "there is no top file; name what to use, or write a `top.zy` in the state tree",
        ));
    }
    let facts = local.facts()?;
    let (settings, mut diagnostics) = local.settings()?;
    local.report_problems();
    let (mut dag, mask) = (None, settings.mask());
    if !diagnostics.iter().any(|d| d.is_error()) {
        let lowered = if purpose == Purpose::Look && !refs.is_empty() {
            local.lower_orchestration(refs, &facts, &settings.value)
        } else {
            local.lower(refs, &facts, &settings.value)
        };
        diagnostics.extend(lowered.diagnostics);
        dag = lowered.dag;
    }
    diagnostics.retain(|d| d.is_error() || !quiet);
    mask.diagnostics(&mut diagnostics);
    findings(&diagnostics, local.project.files(), color);
    if refs.is_empty() && dag.as_ref().is_some_and(|d| d.schedule.is_empty()) {
        return Err(Failure::new(format!("the top file selects no states for `{}`", facts.id)));
    }
    Ok(dag.map(|dag| (dag, With { facts, settings: settings.value, mask })))
}
