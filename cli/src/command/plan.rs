//! `zester plan`

use crate::{
    options::{Common, Output},
    output::{Exit, Failure, findings, print},
};
use clap::{Args, ValueEnum};
use std::{io::IsTerminal, path::PathBuf};
use zester_compiler::{
    ir::{self, Dag},
    project::TreeKind,
};
use zester_executor::local::Local;

/// What would run, in which order, from which lines? Prints the plan of this machine.
#[derive(Args)]
pub struct PlanArgs {
    /// Refs of state files; the highstate without any.
    pub refs: Vec<String>,
    /// As a graph.
    #[arg(long, value_enum)]
    pub graph: Option<Graph>,
    /// Saves the plan, to be applied exactly as it is: apply --plan FILE.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
}

/// Languages of graphs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Graph {
    /// Mermaid
    Mermaid,
    /// Graphviz
    Dot,
}

/// Runs the command.
pub fn run(common: &Common, args: &PlanArgs) -> Result<Exit, Failure> {
    let local = Local::open(common.local(true), zester_stdlib::Cancel::default())?;
    let color = common.colored(std::io::stderr().is_terminal());
    let Some((dag, _)) = make(&local, &args.refs, common.quiet, color)? else { return Ok(Exit::Problems) };
    if let Some(path) = &args.save {
        std::fs::write(path, dag.encode())
            .map_err(|e| Failure::new(format!("`{}` cannot be written: {e}", path.display())))?;
        eprintln!("saved {} states, digest {}", dag.schedule.len(), dag.digest());
        return Ok(Exit::Fine);
    }
    let text = match (args.graph, common.output) {
        (Some(Graph::Mermaid), _) => ir::mermaid(&dag),
        (Some(Graph::Dot), _) => ir::dot(&dag),
        (None, Output::Text | Output::Yaml) => ir::text(&dag),
        (None, _) => ir::json(&dag) + "\n",
    };
    print(&text);
    Ok(Exit::Fine)
}

/// What a plan was made with.
pub struct With {
    /// Facts.
    pub facts: std::sync::Arc<zester_compiler::types::Facts>,
    /// Settings.
    pub settings: std::sync::Arc<zester_compiler::types::Value>,
}

/// Makes this machine's plan; findings go to stderr. `None` when there are errors.
pub fn make(
    local: &Local,
    refs: &[String],
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
    let mut dag = None;
    if !diagnostics.iter().any(|d| d.is_error()) {
        let lowered = local.lower(refs, &facts, &settings.value);
        diagnostics.extend(lowered.diagnostics);
        dag = lowered.dag;
    }
    diagnostics.retain(|d| d.is_error() || !quiet);
    findings(&diagnostics, local.project.files(), color);
    if refs.is_empty() && dag.as_ref().is_some_and(|d| d.schedule.is_empty()) {
        return Err(Failure::new(format!("the top file selects no states for `{}`", facts.id)));
    }
    Ok(dag.map(|dag| (dag, With { facts, settings: settings.value })))
}
