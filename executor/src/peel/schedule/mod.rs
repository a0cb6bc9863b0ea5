//! What a peel does by itself: the entries of its own configuration and those of its settings, with a network or without.
//!
//! A run goes through the book and the lanes like a job that was sent: it waits for its turn, it is executed once, and what came of it is an
//! event that leaves the outbox when the server has stored it.

pub mod entry;

use super::{Shared, call::Host, now_ms};
use crate::{
    auth::private::{self, Mode},
    bus::id::JobId,
    job::ledger::Own,
};
use entry::Entry;
use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use zester_compiler::types::{Map, Value};

/// The longest sleep: clocks are set, machines are suspended.
const LOOK_MS: u64 = 60_000;
/// Between two readings of the settings when no new tree comes: facts change too.
const READ_MS: u64 = 600_000;
/// A run that waits longer than this for its turn is left out, in milliseconds.
const PATIENCE_MS: u64 = 3_600_000;

/// Runs what is due until the end.
pub(super) async fn run(shared: Arc<Shared>) {
    let started = now_ms();
    let mut enforced = shared.enforced.subscribe();
    let mut refresh = shared.host.refresh.subscribe();
    let mut last = Last::read(&shared);
    let mut open: HashMap<String, Vec<JobId>> = HashMap::new();
    let (mut entries, mut said) = (Vec::new(), Vec::new());
    let mut read_at = None;
    loop {
        let now = now_ms();
        if read_at.is_none_or(|at: u64| now.abs_diff(at) >= READ_MS) {
            let in_thread = shared.clone();
            let read = tokio::task::spawn_blocking(move || {
                entries_of(&in_thread.host, &in_thread.options.daemon.schedule)
            });
            let Ok((found, problems)) = read.await else { return };
            for problem in problems.iter().filter(|p| !said.contains(*p)) {
                tracing::warn!(peel = %shared.id(), %problem, "a part of the schedule is without effect");
            }
            (entries, said) = (found, problems);
            read_at = Some(now);
        }
        let mut sleep = LOOK_MS;
        for entry in &entries {
            let Some(due) = entry.due_ms(last.of(&entry.name), started, now, shared.id().as_str()) else {
                continue;
            };
            if due > now {
                sleep = sleep.min(due - now);
                continue;
            }
            let runs = open.entry(entry.name.clone()).or_default();
            runs.retain(|jid| shared.book.is_open(jid));
            // First what must not happen twice: a crash now leaves this time out.
            last.set(&shared, &entry.name, now).await;
            sleep = sleep.min(1_000);
            if runs.len() >= entry.max_running {
                tracing::warn!(peel = %shared.id(), entry = entry.name, "the run before has not ended: this time is left out");
                continue;
            }
            if let Some(jid) = begin(&shared, entry).await {
                runs.push(jid);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(sleep.max(50))) => {}
            _ = enforced.changed() => read_at = None,
            _ = refresh.changed() => read_at = None,
            () = shared.stopped() => return,
        }
    }
}

async fn begin(shared: &Arc<Shared>, entry: &Entry) -> Option<JobId> {
    let own = Own { entry: entry.name.clone(), returns: entry.returns };
    let (book, call) = (shared.book.clone(), entry.call.clone());
    let expires = now_ms().saturating_add(PATIENCE_MS);
    let begun = tokio::task::spawn_blocking(move || book.run_own(own, &call, None, expires)).await.ok()?;
    match begun {
        Ok(jid) => {
            tracing::info!(peel = %shared.id(), entry = entry.name, %jid, "it is time");
            Some(jid)
        }
        Err(error) => {
            tracing::warn!(peel = %shared.id(), entry = entry.name, %error, "a run of the schedule is left out");
            None
        }
    }
}

/// The entries of the peel's own configuration and those of its settings, which win.
fn entries_of(host: &Host, own: &Value) -> (Vec<Entry>, Vec<String>) {
    let mut all = own.as_map().cloned().unwrap_or_default();
    let mut problems = Vec::new();
    // Without a tree there are no settings, and the peel's own schedule holds.
    if host.trees.revision().is_some() {
        match host.settings() {
            Ok((settings, _)) => match settings.as_map().and_then(|m| m.get("schedule")) {
                Some(Value::Map(map)) => all.extend(map.iter().map(|(k, v)| (k.clone(), v.clone()))),
                None | Some(Value::Null) => {}
                Some(other) => problems.extend(entry::read(other).1),
            },
            Err(error) => problems.push(format!("the settings cannot be read: {error}")),
        }
    }
    let (entries, wrong) = entry::read(&Value::Map(all));
    problems.extend(wrong);
    (entries, problems)
}

/// When each entry last began; on the disk, so that a restart neither repeats nor forgets.
struct Last {
    path: PathBuf,
    times: BTreeMap<String, u64>,
}

impl Last {
    fn read(shared: &Shared) -> Self {
        let path = shared.options.directory.join("schedule.json");
        let times = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { path, times: times.unwrap_or_default() }
    }

    fn of(&self, entry: &str) -> Option<u64> {
        self.times.get(entry).copied()
    }

    async fn set(&mut self, shared: &Shared, entry: &str, now_ms: u64) {
        self.times.insert(entry.to_owned(), now_ms);
        let (path, text) = (self.path.clone(), serde_json::to_string(&self.times).unwrap_or_default());
        let written = tokio::task::spawn_blocking(move || private::replace(&path, Mode::Secret, text)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(peel = %shared.id(), %error, "the times of the schedule cannot be put down");
        }
    }
}

/// The settings' `schedule` and a peel's own are maps by name.
pub(super) fn none() -> Value {
    Value::Map(Map::new())
}
