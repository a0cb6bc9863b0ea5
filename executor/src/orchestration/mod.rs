//! Orchestrations: states whose steps ask the fleet, run by an operator's machine through the same runner as any other plan.
//!
//! *Invariants:* a step's job is an operator's job like any other, signed and recorded; a step ends by its own time; when the
//! run is interrupted the job that is on its way is told to stop; a test run sends test jobs and nothing else.

mod conductor;
mod mailbox;
mod report;
mod runners;

pub use conductor::{Conductor, Hear, StepJob};

use crate::{
    local::{Local, LocalError},
    runner::{self, Lock, Observer, Return, RunOptions},
};
use std::sync::Arc;
use zester_compiler::{
    diagnostic::Diagnostic,
    ir::Dag,
    settings::Mask,
    types::{Facts, Value},
};

/// An orchestration that is ready to run.
pub struct Plan {
    /// Its steps.
    pub dag: Dag,
    /// Facts of this machine.
    pub facts: Arc<Facts>,
    /// Its settings.
    pub settings: Arc<Value>,
    /// What hides their secrets.
    pub mask: Mask,
}

/// Makes the plan of refs; there is none where a finding is an error.
pub fn plan(local: &Local, refs: &[String]) -> Result<(Option<Plan>, Vec<Diagnostic>), LocalError> {
    let facts = local.facts()?;
    let (settings, mut diagnostics) = local.settings()?;
    let mask = settings.mask();
    let mut dag = None;
    if !diagnostics.iter().any(Diagnostic::is_error) {
        let lowered = local.lower_orchestration(refs, &facts, &settings.value);
        diagnostics.extend(lowered.diagnostics);
        dag = lowered.dag;
    }
    mask.diagnostics(&mut diagnostics);
    Ok((dag.map(|dag| Plan { dag, facts, settings: settings.value, mask }), diagnostics))
}

impl Plan {
    /// Whether a step waits for events.
    pub fn waits(&self) -> bool {
        self.dag.graph.node_weights().any(|node| node.function.function == "wait_for_event")
    }

    /// Runs it. States that change this machine hold its lock while they run, and only then: a step may well apply
    /// states on this machine's own peel.
    pub fn run(&self, local: &Local, failhard: bool, observer: &dyn Observer) -> Return {
        let context = local.context(&self.facts, &self.settings);
        let options = RunOptions { failhard, mask: self.mask.clone(), lock: Some(Lock::default_path()) };
        runner::run(&self.dag, &context, options, observer)
    }

    /// Whether it has a step at all, beside states of this machine.
    pub fn has_steps(&self, local: &Local) -> bool {
        let registry = local.library.registry();
        self.dag
            .graph
            .node_weights()
            .any(|node| registry.is_step(&node.function.module, &node.function.function))
    }
}
