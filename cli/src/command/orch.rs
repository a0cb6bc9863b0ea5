//! `zester orch`

use super::apply::{checked, signals, states};
use crate::{
    fleet::{self, connect, runtime},
    options::{Common, Output},
    output::{Exit, Failure, findings, print},
};
use clap::Args;
use serde_json::{Value as Json, json};
use std::{
    io::{IsTerminal, Write},
    sync::{Arc, atomic::Ordering},
};
use zester_compiler::types::{Map, Value};
use zester_executor::{
    job::message::PeelStatus,
    local::{Local, LocalOptions},
    operator::Heard,
    orchestration::{self, Conductor, Hear},
    runner::{Observer, Outcome, Return, StateResult, Status},
};
use zester_stdlib::Cancel;

/// Runs an orchestration: states in their order across the fleet, as `zester orch orch.deploy`.
///
/// An orchestration is a state file whose states are zester.state, zester.function, zester.wait_for_event and
/// zester.runner: each asks the peels that match its target, and requisites decide what comes next. It is read from the
/// project here; the peels apply the published tree. Other states in it run on this machine.
///
/// The files are checked first; with an error in them nothing is sent. SIGINT and SIGTERM stop the job that is on its way, then
/// the report is printed. Exit status: 0, or 1 where a step failed.
#[derive(Args)]
pub struct OrchArgs {
    /// Refs of orchestrations.
    #[arg(required = true)]
    pub refs: Vec<String>,
    /// Says what would change, and changes nothing: peels get test runs, functions are not called.
    #[arg(long)]
    pub test: bool,
    /// With --test: exit status 10 when changes are pending.
    #[arg(long, requires = "test")]
    pub detailed_exitcode: bool,
    /// Settings for this run, as a YAML map; the same as --set for each key. Repeatable.
    #[arg(long, value_name = "MAP")]
    pub pillar: Vec<String>,
    /// Every failure ends the run.
    #[arg(long)]
    pub failhard: bool,
}

/// Runs the command.
pub fn run(common: &Common, args: &OrchArgs) -> Result<Exit, Failure> {
    let mut set = common.set.clone();
    for text in &args.pillar {
        set.extend(overrides(text)?);
    }
    let cancel = Cancel::default();
    let signal = signals(&cancel)?;
    let options = LocalOptions { test: args.test, set, ..common.local_without_secrets()? };
    let local = Local::open(options, cancel)?;
    let color = common.colored(std::io::stderr().is_terminal());
    let (plan, mut found) = orchestration::plan(&local, &args.refs)?;
    local.report_problems();
    found.retain(|d| d.is_error() || !common.quiet);
    findings(&found, local.project.files(), color);
    let plan = match plan {
        Some(plan) if checked(&local, &plan.dag, color)? => plan,
        _ => {
            let error = "the tree has errors; nothing was sent";
            if common.json() {
                print(&format!(
                    "{}\n",
                    json!({"format_version": "1.0", "orchestration": args.refs, "error": error})
                ));
            } else {
                eprintln!("zester: {error}");
            }
            return Ok(Exit::Problems);
        }
    };
    if !plan.has_steps(&local) {
        return Err(Failure::new(format!(
            "`{}` has no step for the fleet; on this machine states are applied with `zester apply {}`",
            args.refs.join(" "),
            args.refs.join(" ")
        )));
    }
    let runtime = runtime()?;
    let operator = runtime.block_on(connect(common))?;
    let conductor = Arc::new(Conductor::new(
        operator.clone(),
        runtime.handle().clone(),
        &local,
        plan.facts.clone(),
        args.refs.join(","),
        hear(common),
    ));
    conductor.hide(plan.mask.clone());
    if plan.waits() {
        conductor.listen().map_err(fleet::failure)?;
    }
    local.set_fleet(conductor.clone());
    let result = plan.run(&local, args.failhard, &Steps::of(common));
    show(common, args, &result, &conductor)?;
    let _ = runtime.block_on(operator.bus().drain());
    runtime.shutdown_background();
    let signal = signal.load(Ordering::SeqCst);
    Ok(super::apply::exit(&result, signal, args.detailed_exitcode))
}

/// `--pillar`, as `--set` has it.
fn overrides(text: &str) -> Result<Vec<String>, Failure> {
    let map: Map = match zester_compiler::project::read_yaml(text).map_err(Failure::new)? {
        Value::Map(map) => map,
        Value::Null => Map::new(),
        other => {
            return Err(Failure::new(format!(
                "`--pillar {text}` is {}; write a map, as --pillar '{{version: 7}}'",
                other.describe()
            )));
        }
    };
    let one = |(key, value): (&String, &Value)| {
        let value = serde_json::to_string(value).map_err(|e| Failure::new(e.to_string()))?;
        Ok(format!("{key}={value}"))
    };
    map.iter().map(one).collect()
}

fn show(common: &Common, args: &OrchArgs, result: &Return, conductor: &Conductor) -> Result<(), Failure> {
    let document = || document(args, result, conductor);
    match common.output {
        Output::Text => {
            let color = common.colored(std::io::stdout().is_terminal());
            print(&states(result, common.verbose, common.quiet, color));
        }
        Output::Yaml => {
            print(&serde_yaml::to_string(&document()).map_err(|e| Failure::new(e.to_string()))?);
        }
        Output::Json => print(&format!("{}\n", document())),
        Output::Jsonl => {
            let mut end = document();
            if let Some(map) = end.as_object_mut() {
                map.insert("event".to_owned(), json!("end"));
            }
            print(&format!("{end}\n"));
        }
    }
    Ok(())
}

/// The run as one document: its steps as `apply` has states, and the jobs that they sent as `job show` has them.
fn document(args: &OrchArgs, result: &Return, conductor: &Conductor) -> Json {
    let status = match result.status {
        Status::Done => "done",
        Status::Failed => "failed",
        Status::Cancelled => "canceled",
    };
    let jobs: Vec<Json> = conductor
        .jobs()
        .into_iter()
        .map(|job| {
            let mut document = fleet::document(&job.report.record, &job.report.peels);
            if let Some(map) = document.as_object_mut() {
                map.remove("format_version");
                map.insert("step".to_owned(), json!(job.step));
            }
            document
        })
        .collect();
    json!({
        "format_version": "1.0", "orchestration": args.refs, "test": result.test, "status": status,
        "states": result.states, "counts": result.counts, "duration_ms": result.duration_ms, "jobs": jobs, "error": null,
    })
}

/// What is told of a job while it runs.
fn hear(common: &Common) -> Box<Hear> {
    let lines = common.output == Output::Jsonl;
    let live = is_live(common);
    let returned = std::sync::Mutex::new((String::new(), 0_u64));
    Box::new(move |step, count, heard| {
        if lines {
            let line = match heard {
                Heard::Acked(peel) => json!({"event": "ack", "step": step, "peel": peel}),
                Heard::Progress(peel, p) => {
                    json!({"event": "progress", "step": step, "peel": peel, "progress": p})
                }
                Heard::Returned(peel, r) => {
                    json!({"event": "return", "step": step, "peel": peel, "return": r})
                }
            };
            print(&format!("{line}\n"));
        }
        let Heard::Returned(peel, result) = heard else { return };
        let mut of_step = returned.lock().unwrap_or_else(|e| e.into_inner());
        if of_step.0 != step {
            *of_step = (step.to_owned(), 0);
        }
        of_step.1 += 1;
        if live {
            let word = if result.status == PeelStatus::Done { "" } else { " failed" };
            let step: String = step.chars().filter(|c| !c.is_control()).take(40).collect();
            let told = of_step.1;
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K{step}: {told}/{count} returned, {peel}{word}");
        }
    })
}

fn is_live(common: &Common) -> bool {
    common.output == Output::Text && !common.no_progress && !common.quiet && std::io::stderr().is_terminal()
}

/// Tells of each step when it begins and when it ended: an orchestration may take hours.
struct Steps {
    live: bool,
    lines: bool,
    told: bool,
}

impl Steps {
    fn of(common: &Common) -> Self {
        let text = common.output == Output::Text;
        Self {
            live: is_live(common),
            lines: common.output == Output::Jsonl,
            told: text && !common.no_progress && !common.quiet,
        }
    }
}

impl Observer for Steps {
    fn begins(&self, index: usize, total: usize, id: &str, function: &str) {
        if self.live {
            let name: String = id.chars().filter(|c| !c.is_control()).take(60).collect();
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K{}/{total} {function}: {name}", index + 1);
        }
    }

    fn ended(&self, index: usize, total: usize, result: &StateResult) {
        if self.lines {
            let line = json!({"format_version": "1.0", "event": "state", "index": index, "total": total, "state": result});
            print(&format!("{line}\n"));
        }
        if !self.told {
            return;
        }
        let word = match result.result {
            Outcome::Changed => "changed",
            Outcome::Unchanged => "unchanged",
            Outcome::WouldChange => "would change",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
        };
        let clear = if self.live { "\r\x1b[K" } else { "" };
        let name: String = result.id.chars().filter(|c| !c.is_control()).collect();
        let seconds = result.duration_ms / 1000.0;
        let at = (index + 1).min(total);
        let _ = writeln!(
            std::io::stderr().lock(),
            "{clear}{at}/{total} {} {name}: {word} ({seconds:.1} s)",
            result.function
        );
    }
}
