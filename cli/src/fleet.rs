//! What the commands of the fleet share: the connection, the runtime, and the presentation of a job.

use crate::{
    options::{Common, Output},
    output::{Exit, Failure, print},
};
use serde_json::{Map as JsonMap, Value as Json, json};
use std::{collections::BTreeMap, fmt::Write as _, future::Future, net::SocketAddr, path::PathBuf};
use zester_executor::{
    auth::installation::Access,
    bus::{Bus, id::AdminId},
    health::{Health, Look},
    job::message::{JobOutcome, JobRecord, JobReturn, JobStatus, PeelStatus},
    operator::{Operator, OperatorError, Peels, Report},
    runner::{Counts, Outcome},
};

/// A runtime for a command.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::new(format!("no threads: {e}")))
}

/// Runs a command's future on a runtime of its own.
pub fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime()?.block_on(future)
}

/// The directory of an operator's keys: `--access`, `ZESTER_ACCESS`, or `~/.config/zester`.
pub fn access_directory(common: &Common) -> Result<PathBuf, Failure> {
    if let Some(directory) = &common.access {
        return Ok(directory.clone());
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let config =
        std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| home.map(|h| h.join(".config")));
    let directory = config.map(|c| c.join("zester"));
    match directory {
        Some(directory) if directory.join("installation.json").is_file() => Ok(directory),
        _ => Err(Failure::new(
            "there are no keys for a fleet: name their directory with --access DIR or ZESTER_ACCESS; `zester init` makes them",
        )),
    }
}

/// Connects as the operator whose keys these are.
pub async fn connect(common: &Common) -> Result<Operator, Failure> {
    let directory = access_directory(common)?;
    let access = Access::load(&directory).map_err(|e| Failure::new(e.to_string()))?;
    let name = AdminId::new(&access.claims.name).map_err(|e| Failure::new(e.to_string()))?;
    let bus = Bus::connect(access.bus_options()).await.map_err(|e| Failure::new(e.to_string()))?;
    Operator::new(bus, name, &access.credentials.seed, &access.credentials.jwt).map_err(failure)
}

/// An operator's error as a failure.
pub fn failure(error: OperatorError) -> Failure {
    Failure::new(error.to_string())
}

/// How the process ends after a job.
pub fn exit(report: &Report, detailed: bool) -> Exit {
    let has = |wanted: &[PeelStatus]| report.peels.values().any(|(s, _)| wanted.contains(s));
    use PeelStatus::{Acked, Canceled, Expired, Failed, Interrupted, Pending, Running, Unreachable};
    if report.peels.is_empty() {
        Exit::NoPeel
    } else if has(&[Failed, Expired, Interrupted, Canceled]) {
        Exit::SomeFailed
    } else if has(&[Unreachable, Pending, Acked, Running]) {
        Exit::SomeUnreachable
    } else if detailed && report.peels.values().any(|(_, r)| pending(r.as_ref()) > 0) {
        Exit::Pending
    } else {
        Exit::Fine
    }
}

fn pending(result: Option<&JobReturn>) -> usize {
    counts(result).map_or(0, |c| c.would_change)
}

fn counts(result: Option<&JobReturn>) -> Option<Counts> {
    match &result?.outcome {
        JobOutcome::States(states) => Some(states.counts),
        _ => None,
    }
}

/// A job's status in a word.
pub fn status_word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Pending => "pending",
        JobStatus::Claimed => "claimed",
        JobStatus::Running => "running",
        JobStatus::Complete => "complete",
        JobStatus::Failed => "failed",
        JobStatus::Partial => "partial",
        JobStatus::Timeout => "timeout",
        JobStatus::Canceled => "canceled",
    }
}

/// The job as one document.
pub fn document(record: &JobRecord, peels: &Peels) -> Json {
    let mut all = JsonMap::new();
    for (peel, (status, result)) in peels {
        let mut entry = JsonMap::new();
        entry.insert("status".to_owned(), json!(status.word()));
        match result.as_ref().map(|r| &r.outcome) {
            Some(JobOutcome::States(states)) => {
                entry.insert("states".to_owned(), json!(states.states));
                entry.insert("counts".to_owned(), json!(states.counts));
                entry.insert("duration_ms".to_owned(), json!(states.duration_ms));
            }
            Some(JobOutcome::Value(value)) => {
                entry.insert("value".to_owned(), json!(value));
            }
            _ => {}
        }
        if result.as_ref().is_some_and(|r| r.truncated) {
            entry.insert("truncated".to_owned(), json!(true));
        }
        entry.insert("error".to_owned(), json!(result.as_ref().and_then(|r| r.error.clone())));
        all.insert(peel.to_string(), Json::Object(entry));
    }
    let count = |wanted: &[PeelStatus]| peels.values().filter(|(s, _)| wanted.contains(s)).count();
    use PeelStatus::{Canceled, Done, Expired, Failed, Interrupted, Unreachable};
    json!({
        "format_version": "1.0", "jid": record.jid, "status": status_word(record.status), "test": record.call.test,
        "function": record.call.function, "target": record.expression, "user": record.user, "reason": record.reason,
        "peels": all,
        "counts": {"peels": peels.len(), "done": count(&[Done]), "failed": count(&[Failed, Expired, Interrupted, Canceled]),
            "unreachable": count(&[Unreachable])},
    })
}

/// Shows what came of a job.
pub fn show(common: &Common, report: &Report) -> Result<(), Failure> {
    let document = || document(&report.record, &report.peels);
    match common.output {
        Output::Json => print(&format!("{}\n", document())),
        Output::Jsonl => {
            let mut end = document();
            if let Some(map) = end.as_object_mut() {
                map.insert("event".to_owned(), json!("end"));
            }
            print(&format!("{end}\n"));
        }
        Output::Yaml => {
            let text = serde_yaml::to_string(&document()).map_err(|e| Failure::new(e.to_string()))?;
            print(&text);
        }
        Output::Text => print(&text(&report.record, &report.peels, common)),
    }
    Ok(())
}

/// The report for people: peels grouped by what came of them, failures last.
fn text(record: &JobRecord, peels: &Peels, common: &Common) -> String {
    use std::io::IsTerminal;
    let color = common.colored(std::io::stdout().is_terminal());
    let mut out = String::new();
    // Peels that say the same are one paragraph.
    let mut groups: BTreeMap<(u8, String), Vec<&str>> = BTreeMap::new();
    for (peel, (status, result)) in peels {
        let (rank, paragraph) = paragraph(*status, result.as_ref(), common, color);
        groups.entry((rank, paragraph)).or_default().push(peel.as_str());
    }
    for ((rank, paragraph), names) in &groups {
        if *rank == 0 && common.quiet {
            continue;
        }
        let shown: Vec<&str> = names.iter().take(8).copied().collect();
        let more = names.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(out, "{}{more}: {paragraph}", shown.join(", "));
    }
    let mut parts = Vec::new();
    for status in [
        PeelStatus::Done,
        PeelStatus::Running,
        PeelStatus::Acked,
        PeelStatus::Canceled,
        PeelStatus::Expired,
        PeelStatus::Interrupted,
        PeelStatus::Unreachable,
        PeelStatus::Failed,
    ] {
        let count = peels.values().filter(|(s, _)| *s == status).count();
        if count > 0 {
            parts.push(format!("{count} {}", status.word()));
        }
    }
    let reason = record.reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default();
    let _ = writeln!(out, "job {}: {}{reason}; {}", record.jid, status_word(record.status), parts.join(", "));
    out
}

fn paragraph(status: PeelStatus, result: Option<&JobReturn>, common: &Common, color: bool) -> (u8, String) {
    let error = result.and_then(|r| r.error.as_deref()).unwrap_or_default().replace('\n', "\n    ");
    let mut rank = u8::from(status != PeelStatus::Done);
    let text = match result.map(|r| &r.outcome) {
        Some(JobOutcome::States(states)) => {
            let changed =
                states.states.iter().any(|s| !matches!(s.result, Outcome::Unchanged | Outcome::Skipped));
            rank += u8::from(changed);
            let report = crate::command::apply::timeless(states, common.verbose, common.quiet, color);
            let report = report.trim_end().replace('\n', "\n    ");
            if report.contains('\n') { format!("\n    {report}") } else { report }
        }
        Some(JobOutcome::Value(value)) if status == PeelStatus::Done => {
            let text = match value {
                zester_compiler::types::Value::Str(text) => text.clone(),
                zester_compiler::types::Value::Map(_) | zester_compiler::types::Value::List(_) => {
                    serde_yaml::to_string(value).unwrap_or_else(|_| value.to_string())
                }
                other => other.to_string(),
            };
            let text = text.trim_end().replace('\n', "\n    ");
            if text.contains('\n') { format!("\n    {text}") } else { text }
        }
        _ if status == PeelStatus::Unreachable => {
            "unreachable; it gets the job when it is back in time".to_owned()
        }
        _ if error.is_empty() => status.word().to_owned(),
        _ => format!("{}: {error}", status.word()),
    };
    (rank, text)
}

/// Logs of daemons go to stderr; `ZESTER_LOG` is error, warn, info, debug or trace.
pub fn logging() {
    let level = std::env::var("ZESTER_LOG").ok().and_then(|l| l.parse().ok()).unwrap_or(tracing::Level::INFO);
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}

/// Answers `/healthz`, `/readyz` and `/metrics` at `said`, or at `usual`; `none` is nowhere. Where the usual place is taken, the log says so.
pub async fn health(said: Option<&str>, usual: &str, look: Look) -> Result<Option<Health>, Failure> {
    let text = said.unwrap_or(usual);
    if text == "none" {
        return Ok(None);
    }
    let address: SocketAddr = text.parse().map_err(|_| {
        Failure::new(format!("`{text}` is not an address for health, like {usual}, nor `none`"))
    })?;
    match Health::listen(address, look).await {
        Ok(health) => Ok(Some(health)),
        Err(error) if said.is_none() => {
            tracing::warn!(%address, %error, "health is answered nowhere; name another address with --health");
            Ok(None)
        }
        Err(error) => Err(Failure::new(format!("health cannot be answered at {address}: {error}"))),
    }
}

/// Completes with the number of the signal that asks for the end.
pub fn termination() -> Result<impl Future<Output = u8>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|e| Failure::new(format!("signals cannot be listened to: {e}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => 2,
            _ = terminate.recv() => 15,
        }
    })
}
