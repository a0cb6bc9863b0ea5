//! `zester apply`

use super::{
    plan::{Purpose, make},
    run::Sending,
};
use crate::{
    options::{Common, Output},
    output::{Exit, Failure, findings, print},
};
use clap::Args;
use serde_json::{Value as Json, json};
use std::{
    collections::BTreeSet,
    io::{IsTerminal, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use zester_compiler::{
    check::{CheckOptions, check},
    ir::Dag,
    types::{Map, Value},
};
use zester_executor::{
    job::message::Call,
    local::Local,
    runner::{self, Lock, LockError, Observer, Outcome, Return, RunOptions, Silent, StateResult, Status},
};
use zester_stdlib::Cancel;

/// Make it so, on this machine. Without a ref the highstate: what the top file selects.
///
/// The files of the run are checked first; with an error there nothing is touched. SIGINT and SIGTERM let the running
/// state finish, then the report is printed.
#[derive(Args)]
pub struct ApplyArgs {
    /// Refs of state files; the highstate without any.
    pub refs: Vec<String>,
    /// Says what would change, and changes nothing.
    #[arg(long)]
    pub test: bool,
    /// With --test: exit status 10 when changes are pending.
    #[arg(long, requires = "test")]
    pub detailed_exitcode: bool,
    /// Applies a plan saved by `zester plan --save`, exactly as it is.
    #[arg(long, value_name = "FILE", conflicts_with = "refs")]
    pub plan: Option<PathBuf>,
    /// The digest the saved plan must have.
    #[arg(long, value_name = "DIGEST", requires = "plan")]
    pub digest: Option<String>,
    /// Every failure ends the run.
    #[arg(long)]
    pub failhard: bool,
    /// Waits while another apply runs on this machine, instead of giving up.
    #[arg(long)]
    pub wait: bool,
    /// Applies the published tree on the peels that match, not here.
    #[arg(short = 't', long, value_name = "TARGET", conflicts_with_all = ["plan", "wait"])]
    pub target: Option<String>,
    #[command(flatten)]
    pub sending: Sending,
}

/// On the peels that match: the published tree, not the one of this directory.
fn on_fleet(common: &Common, args: &ApplyArgs, target: &str) -> Result<Exit, Failure> {
    let mut kwargs = Map::new();
    if let Some(env) = &common.env {
        kwargs.insert("env".to_owned(), Value::Str(env.clone()));
    }
    if args.failhard {
        kwargs.insert("failhard".to_owned(), Value::Bool(true));
    }
    let mut settings = Map::new();
    for text in &common.set {
        let Some((path, value)) = text.split_once('=') else {
            return Err(Failure::new(format!("`--set {text}` has no `=`; write --set path=value")));
        };
        let value = zester_compiler::project::read_yaml(value).map_err(Failure::new)?;
        settings.insert(path.to_owned(), value);
    }
    if !settings.is_empty() {
        kwargs.insert("settings".to_owned(), Value::Map(settings));
    }
    let call = Call {
        function: "state.apply".to_owned(),
        args: args.refs.iter().map(|r| Value::Str(r.clone())).collect(),
        kwargs,
        test: args.test,
    };
    super::run::send(common, target, call, &args.sending, args.detailed_exitcode)
}

/// Runs the command.
pub fn run(common: &Common, args: &ApplyArgs) -> Result<Exit, Failure> {
    if let Some(target) = &args.target {
        return on_fleet(common, args, target);
    }
    let cancel = Cancel::default();
    let signal = signals(&cancel)?;
    let local = Local::open(common.local_with_secrets(args.test)?, cancel.clone())?;
    let color = common.colored(std::io::stderr().is_terminal());
    let made = match &args.plan {
        Some(path) => {
            let dag = saved(path, args.digest.as_deref())?;
            let facts = local.facts()?;
            let (settings, mut diagnostics) = local.settings()?;
            settings.mask().diagnostics(&mut diagnostics);
            findings(&diagnostics, local.project.files(), color);
            if diagnostics.iter().any(|d| d.is_error()) {
                None
            } else {
                let mask = settings.mask();
                Some((dag, super::plan::With { facts, settings: settings.value, mask }))
            }
        }
        None => match make(&local, &args.refs, Purpose::Apply, common.quiet, color)? {
            Some((dag, with)) => checked(&local, &dag, color)?.then_some((dag, with)),
            None => None,
        },
    };
    let Some((dag, with)) = made else {
        if common.json() {
            let document = json!({"format_version": "1.0", "jid": null, "test": args.test,
                "peels": {}, "counts": {"peels": 0, "done": 0, "failed": 0, "unreachable": 0},
                "error": "the tree has errors; nothing was touched"});
            print(&format!("{document}\n"));
        } else {
            eprintln!("zester: the tree has errors; nothing was touched");
        }
        return Ok(Exit::Problems);
    };
    // A test run changes nothing, so it may look on while another applies.
    let _lock = if args.test {
        None
    } else {
        match Lock::take(&Lock::default_path(), args.wait.then_some(&cancel)) {
            Ok(lock) => Some(lock),
            Err(error @ LockError::Cancelled) => {
                Failure::new(error.to_string()).print(common.json());
                return Ok(Exit::Signal(signal.load(Ordering::SeqCst) as u8));
            }
            Err(error) => return Err(Failure::new(error.to_string())),
        }
    };
    let context = local.context(&with.facts, &with.settings);
    let observer: Box<dyn Observer> = match common.output {
        Output::Jsonl => Box::new(Lines { id: with.facts.id.clone() }),
        Output::Text if !common.no_progress && !common.quiet && std::io::stderr().is_terminal() => {
            Box::new(Live)
        }
        _ => Box::new(Silent),
    };
    let result = runner::run(
        &dag,
        &context,
        RunOptions { failhard: args.failhard, mask: with.mask, lock: None },
        observer.as_ref(),
    );
    match common.output {
        Output::Text => {
            let color = common.colored(std::io::stdout().is_terminal());
            print(&states(&result, common.verbose, common.quiet, color));
        }
        Output::Yaml => {
            let text = serde_yaml::to_string(&document(&result, &with.facts.id))
                .map_err(|e| Failure::new(e.to_string()))?;
            print(&text);
        }
        Output::Json => print(&format!("{}\n", document(&result, &with.facts.id))),
        Output::Jsonl => {
            let mut end = document(&result, &with.facts.id);
            if let Some(map) = end.as_object_mut() {
                map.insert("event".to_owned(), json!("end"));
            }
            print(&format!("{end}\n"));
        }
    }
    let signal = signal.load(Ordering::SeqCst);
    Ok(exit(&result, signal, args.detailed_exitcode))
}

/// How a run ends the process: `signal` is the one that ended it, or 0.
pub(super) fn exit(result: &Return, signal: usize, detailed: bool) -> Exit {
    match result.status {
        Status::Cancelled if signal != 0 => Exit::Signal(signal as u8),
        Status::Cancelled | Status::Failed => Exit::Problems,
        Status::Done if detailed && result.counts.would_change > 0 => Exit::Pending,
        Status::Done => Exit::Fine,
    }
}

/// Asks the run to end on SIGINT and SIGTERM; the first one is remembered.
pub(super) fn signals(cancel: &Cancel) -> Result<Arc<AtomicUsize>, Failure> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let seen = Arc::new(AtomicUsize::new(0));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_usize(signal, seen.clone(), signal as usize)
            .and_then(|_| signal_hook::flag::register(signal, cancel.flag()))
            .map_err(|e| Failure::new(format!("signals cannot be listened to: {e}")))?;
    }
    Ok(seen)
}

/// Checks the files the run uses; with an error in them nothing is touched.
pub(super) fn checked(local: &Local, dag: &Dag, color: bool) -> Result<bool, Failure> {
    let used: BTreeSet<&str> = dag.graph.node_weights().map(|n| &*n.origin.file).collect();
    let paths: Vec<String> = used.into_iter().map(str::to_owned).collect();
    if paths.is_empty() {
        return Ok(true);
    }
    let options = CheckOptions { paths, ..CheckOptions::default() };
    let report =
        check(&local.project, local.library.registry(), &options).map_err(|e| Failure::new(e.to_string()))?;
    let errors: Vec<_> = report.diagnostics.into_iter().filter(|d| d.is_error()).collect();
    findings(&errors, local.project.files(), color);
    Ok(errors.is_empty())
}

fn saved(path: &PathBuf, digest: Option<&str>) -> Result<Dag, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|e| Failure::new(format!("the plan `{}` cannot be read: {e}", path.display())))?;
    let dag = Dag::decode(&bytes)
        .map_err(|e| Failure::new(format!("`{}` is no plan that can be applied: {e}", path.display())))?;
    if let Some(digest) = digest
        && dag.digest() != digest
    {
        return Err(Failure::new(format!(
            "the plan's digest is {}, not the one that was asked for",
            dag.digest()
        )));
    }
    Ok(dag)
}

/// One line that is rewritten: the state that runs.
struct Live;

impl Observer for Live {
    fn begins(&self, index: usize, total: usize, id: &str, function: &str) {
        let name: String = id.chars().filter(|c| !c.is_control()).take(60).collect();
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K{}/{total} {function}: {name}", index + 1);
    }

    fn ended(&self, index: usize, total: usize, _: &StateResult) {
        if index + 1 >= total {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

/// One JSON object per finished state.
struct Lines {
    id: String,
}

impl Observer for Lines {
    fn ended(&self, index: usize, total: usize, result: &StateResult) {
        let line = json!({"format_version": "1.0", "event": "state", "peel": self.id, "index": index, "total": total, "state": result});
        print(&format!("{line}\n"));
    }
}

fn document(result: &Return, id: &str) -> Json {
    let status = match result.status {
        Status::Done => "done",
        Status::Failed => "failed",
        Status::Cancelled => "canceled",
    };
    let failed = usize::from(result.status != Status::Done);
    json!({
        "format_version": "1.0", "jid": null, "test": result.test,
        "peels": {id: {"status": status, "states": result.states, "counts": result.counts, "duration_ms": result.duration_ms, "error": null}},
        "counts": {"peels": 1, "done": 1 - failed, "failed": failed, "unreachable": 0},
    })
}

fn paint(text: &str, code: &str, color: bool) -> String {
    if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// The report for people: changes with their diffs, then failures, then the counts.
pub fn states(result: &Return, verbose: bool, quiet: bool, color: bool) -> String {
    let (mut out, counts) = parts(result, verbose, quiet, color);
    if !quiet || result.counts.failed > 0 {
        out.push_str(&format!("{counts} in {:.2} s{}\n", result.duration_ms / 1000.0, interrupted(result)));
    }
    out
}

fn interrupted(result: &Return) -> &'static str {
    if result.status == Status::Cancelled { "; interrupted" } else { "" }
}

/// The same without the time it took, so that peels with the same outcome say the same.
pub fn timeless(result: &Return, verbose: bool, quiet: bool, color: bool) -> String {
    let (out, counts) = parts(result, verbose, quiet, color);
    format!("{out}{counts}{}", interrupted(result))
}

/// The states worth a line, and the counts.
fn parts(result: &Return, verbose: bool, quiet: bool, color: bool) -> (String, String) {
    let mut out = String::new();
    let shown = |outcome: Outcome| match outcome {
        Outcome::Failed => true,
        Outcome::Changed | Outcome::WouldChange => !quiet,
        Outcome::Unchanged | Outcome::Skipped => verbose && !quiet,
    };
    // Failures stand last, where the eye is when the run ends.
    let (failed, others): (Vec<_>, Vec<_>) = result.states.iter().partition(|s| s.result == Outcome::Failed);
    for state in others.into_iter().chain(failed).filter(|s| shown(s.result)) {
        let (word, code) = match state.result {
            Outcome::Changed => ("changed", "32"),
            Outcome::WouldChange => ("would change", "33"),
            Outcome::Failed => ("failed", "31"),
            Outcome::Unchanged => ("unchanged", "2"),
            Outcome::Skipped => ("skipped", "2"),
        };
        let name =
            if state.name == state.id { state.id.clone() } else { format!("{} ({})", state.id, state.name) };
        out.push_str(&format!("{} {} {name}\n", paint(word, code, color), state.function));
        if !state.comment.is_empty() {
            out.push_str(&format!("    {}\n", state.comment.replace('\n', "\n    ")));
        }
        if matches!(state.result, Outcome::Failed) || verbose {
            let origin = &state.origin;
            out.push_str(&format!("    at {}:{}:{}\n", origin.file, origin.line, origin.column));
            for frame in &origin.via {
                out.push_str(&format!("    {} {}:{}:{}\n", frame.what, frame.file, frame.line, frame.column));
            }
        }
        out.push_str(&changes(state, color));
    }
    let counts = &result.counts;
    let mut parts = Vec::new();
    for (count, word, code) in [
        (counts.changed, "changed", "32"),
        (counts.would_change, "would change", "33"),
        (counts.unchanged, "unchanged", "0"),
        (counts.skipped, "skipped", "0"),
        (counts.failed, "failed", "31"),
    ] {
        if count > 0 {
            parts.push(paint(&format!("{count} {word}"), code, color));
        }
    }
    if parts.is_empty() {
        parts.push("no states".to_owned());
    }
    (out, parts.join(", "))
}

fn changes(state: &StateResult, color: bool) -> String {
    let mut out = String::new();
    for (key, value) in &state.changes {
        if key == "diff"
            && let Some(diff) = value.as_str()
        {
            for line in diff.lines() {
                let code = match line.as_bytes().first() {
                    Some(b'+') => "32",
                    Some(b'-') => "31",
                    _ => "2",
                };
                out.push_str(&format!("    {}\n", paint(line, code, color)));
            }
            continue;
        }
        // A command that went well has nothing to say with these.
        let silent = match key.as_str() {
            "pid" => true,
            "retcode" => *value == Value::Int(0),
            "stdout" | "stderr" => value.as_str() == Some(""),
            _ => false,
        };
        if silent {
            continue;
        }
        let text = match (value.lookup("old", '\0'), value.lookup("new", '\0')) {
            (Some(old), Some(new)) => format!("{old} → {new}"),
            _ => value.to_string(),
        };
        out.push_str(&format!("    {key}: {}\n", text.replace('\n', "\n        ")));
    }
    out
}
