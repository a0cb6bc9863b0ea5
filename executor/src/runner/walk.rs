//! The walk over the plan: one state after the other, those that say `parallel` beside them.

use super::{
    gate::{Finished, Occasion, Verdict, judge},
    lock::Lock,
    result::{Counts, Observer, Outcome, Return, SkipReason, StateResult, Status},
    state::{self, Ended},
};
use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    time::{Duration, Instant},
};
use zester_compiler::{
    ir::{Dag, Node, NodeIndex, Requisite},
    settings::Mask,
};
use zester_stdlib::{Context, Failure, ManagedPaths};

/// How a run is run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RunOptions {
    /// Every failure ends the run.
    pub failhard: bool,
    /// What nobody may read in results.
    pub mask: Mask,
    /// The lock that a state which changes this machine holds while it runs, where not the whole run holds it: an
    /// orchestration.
    pub lock: Option<PathBuf>,
}

/// How far a question "would it change?" is passed on along `prereq`, `onchanges` and `onfail`.
const FORECAST_DEPTH: usize = 64;

struct Walk<'a> {
    dag: &'a Dag,
    base: &'a Context,
    observer: &'a dyn Observer,
    finished: HashMap<NodeIndex, Finished>,
    results: Vec<Option<StateResult>>,
    /// The state whose failure ended the run.
    aborted: Option<String>,
    failhard: bool,
    mask: Mask,
    lock: Option<PathBuf>,
}

/// Runs a plan to its end, its failhard, or a cancellation.
pub fn run(dag: &Dag, cx: &Context, options: RunOptions, observer: &dyn Observer) -> Return {
    let started = Instant::now();
    cx.run.set(ManagedPaths::KEY, managed_paths(dag));
    let total = dag.schedule.len();
    let mut walk = Walk {
        dag,
        base: cx,
        observer,
        finished: HashMap::with_capacity(total),
        results: vec![None; total],
        aborted: None,
        failhard: options.failhard,
        mask: options.mask,
        lock: options.lock,
    };
    let mut at = 0;
    while at < total {
        // Neighbours that may run beside each other and do not refer to each other go together.
        let group = walk.parallel_group(at);
        if group > 1 {
            walk.run_group(at, group);
        } else {
            walk.run_one(at);
        }
        at += group;
    }
    walk.listeners();
    let sync = if cx.test { Ok(()) } else { cx.machine.files.sync() };
    let mut states: Vec<StateResult> = walk.results.into_iter().flatten().collect();
    if let Err(error) = sync
        && let Some(last) = states.iter_mut().rev().find(|s| s.result == Outcome::Changed)
    {
        last.result = Outcome::Failed;
        last.comment = format!("{}; the disk did not confirm what was written: {error}", last.comment);
    }
    let mut counts = Counts::default();
    for state in &states {
        counts.add(state.result);
    }
    let status = if cx.cancel.is_cancelled() {
        Status::Cancelled
    } else if counts.failed > 0 {
        Status::Failed
    } else {
        Status::Done
    };
    Return {
        status,
        states,
        counts,
        test: cx.test,
        duration_ms: (started.elapsed().as_secs_f64() * 1e6).round() / 1e3,
    }
}

fn managed_paths(dag: &Dag) -> ManagedPaths {
    let paths: BTreeSet<String> = dag
        .graph
        .node_weights()
        .filter(|n| n.function.module == "file" && n.function.function != "absent")
        .map(|n| n.name.clone())
        .collect();
    ManagedPaths(paths)
}

impl Walk<'_> {
    fn node(&self, at: usize) -> &Node {
        &self.dag.graph[self.dag.schedule[at]]
    }

    fn targets(&self, index: NodeIndex) -> Vec<(Requisite, NodeIndex)> {
        self.dag.requisites(index)
    }

    fn parallel_group(&self, at: usize) -> usize {
        let mut length = 0;
        let mut inside: BTreeSet<NodeIndex> = BTreeSet::new();
        while let Some(index) = self.dag.schedule.get(at + length) {
            let node = &self.dag.graph[*index];
            let refers = self.targets(*index).iter().any(|(_, target)| inside.contains(target));
            let prepares = inside.iter().any(|other| self.targets(*other).iter().any(|(_, t)| t == index));
            if !node.attributes.parallel || refers || prepares || length >= 16 {
                break;
            }
            inside.insert(*index);
            length += 1;
        }
        length.max(1)
    }

    /// What must be decided before a state runs; `Err` when it does not.
    fn decide(&self, at: usize) -> Result<Occasion, (Ended, Option<String>)> {
        if self.base.cancel.is_cancelled() {
            return Err((Ended::skipped(SkipReason::Cancelled, "the run was interrupted"), None));
        }
        if let Some(cause) = &self.aborted {
            let comment = format!("{cause} failed, and a failure there ends the run");
            return Err((Ended::skipped(SkipReason::FailhardAbort, comment), Some(cause.clone())));
        }
        let index = self.dag.schedule[at];
        let targets = self.targets(index);
        let known: Vec<(Requisite, &Finished)> = targets
            .iter()
            .filter(|(kind, _)| !matches!(kind, Requisite::Prereq | Requisite::Listen | Requisite::Order))
            .filter_map(|(kind, target)| Some((*kind, self.finished.get(target)?)))
            .collect();
        let occasion = match judge(&known) {
            Verdict::Run(occasion) => occasion,
            Verdict::Skip { reason, comment } => {
                let cause = known.iter().find(|(_, f)| f.failed()).and_then(|(_, f)| f.cause.clone());
                return Err((Ended::skipped(reason, comment), cause));
            }
        };
        // A state that prepares for others runs before them, and only if one of them would change.
        let prepared: Vec<NodeIndex> =
            targets.iter().filter(|(k, _)| *k == Requisite::Prereq).map(|(_, t)| *t).collect();
        if !prepared.is_empty() {
            // The one that asks is taken to succeed: its targets often require it.
            let mut forecasts = HashMap::from([(index, Finished::done(Outcome::Unchanged))]);
            let would = prepared.iter().any(|t| self.forecast(*t, FORECAST_DEPTH, &mut forecasts).changed());
            if !would {
                let comment = "what it prepares for would not change";
                return Err((Ended::skipped(SkipReason::PrereqNotMet, comment), None));
            }
        }
        // A failed preparation keeps what it prepares for from running.
        for (other, kind) in self.dag.prepared_by(index) {
            if kind == Requisite::Prereq
                && let Some(finished) = self.finished.get(&other)
                && finished.failed()
            {
                let cause = finished.cause.clone();
                let comment =
                    format!("{} failed", cause.clone().unwrap_or_else(|| "its preparation".to_owned()));
                return Err((Ended::skipped(SkipReason::RequireFailed, comment), cause));
            }
        }
        Ok(occasion)
    }

    /// What a state would do that has not run yet: by what is known of the states it names, by the forecast of those
    /// whose changes or failures it waits for, by its guards and its plan.
    fn forecast(
        &self,
        index: NodeIndex,
        depth: usize,
        forecasts: &mut HashMap<NodeIndex, Finished>,
    ) -> Finished {
        if let Some(known) = self.finished.get(&index).or_else(|| forecasts.get(&index)) {
            return known.clone();
        }
        let unchanged = Finished::done(Outcome::Unchanged);
        if depth == 0 {
            return unchanged;
        }
        forecasts.insert(index, unchanged);
        let targets = self.targets(index);
        let mut known = Vec::new();
        let mut prepared = Vec::new();
        for (kind, target) in targets {
            use Requisite::*;
            match kind {
                Order | Listen => {}
                Prereq => prepared.push(target),
                Onchanges | OnchangesAny | Onfail | OnfailAny | OnfailAll => {
                    known.push((kind, self.forecast(target, depth - 1, forecasts)));
                }
                Require | RequireAny | Watch | WatchAny => {
                    known.extend(self.finished.get(&target).map(|f| (kind, f.clone())));
                }
            }
        }
        let judged: Vec<(Requisite, &Finished)> = known.iter().map(|(kind, f)| (*kind, f)).collect();
        let forecast = match judge(&judged) {
            Verdict::Skip { reason, .. } => Finished::skipped(reason),
            Verdict::Run(_) => {
                let needed = prepared.is_empty()
                    || prepared.iter().any(|t| self.forecast(*t, depth - 1, forecasts).changed());
                if needed {
                    let node = &self.dag.graph[index];
                    let ended = state::forecast(node, &state::context(self.base, node));
                    Finished { result: ended.outcome, skipped: ended.skip, cause: None }
                } else {
                    Finished::skipped(SkipReason::PrereqNotMet)
                }
            }
        };
        forecasts.insert(index, forecast.clone());
        forecast
    }

    /// Tells the observer, without secrets.
    fn begins(&self, at: usize, total: usize, node: &Node) {
        let function = self.mask.text(node.function.to_string());
        self.observer.begins(at, total, &self.mask.text(node.id.clone()), &function);
    }

    /// The lock for states that change this machine, if they are to hold one.
    fn hold(&self, states: &[usize]) -> Result<Option<Lock>, String> {
        let Some(path) = self.lock.as_ref().filter(|_| !self.base.test) else { return Ok(None) };
        let registry = self.base.library.registry();
        let changes = states
            .iter()
            .map(|at| &self.node(*at).function)
            .any(|name| name.module != "test" && !registry.is_step(&name.module, &name.function));
        if !changes {
            return Ok(None);
        }
        Lock::take(path, Some(&self.base.cancel)).map(Some).map_err(|e| e.to_string())
    }

    fn run_one(&mut self, at: usize) {
        let total = self.results.len();
        let node = self.node(at);
        self.begins(at, total, node);
        let decision = self.decide(at);
        let started = chrono::Utc::now();
        let clock = Instant::now();
        let node = self.node(at);
        let (ended, cause) = match decision {
            Ok(occasion) => match self.hold(&[at]) {
                Ok(_lock) => (state::run(node, &state::context(self.base, node), occasion), None),
                Err(error) => (Ended::failed(Failure::new(error)), None),
            },
            Err(skipped) => skipped,
        };
        let result = state::report(node, &self.mask, ended, started, clock.elapsed());
        self.finish(at, result, cause);
    }

    fn run_group(&mut self, at: usize, count: usize) {
        let total = self.results.len();
        let mut runs = Vec::with_capacity(count);
        let mut done: Vec<(usize, StateResult, Option<String>)> = Vec::with_capacity(count);
        for n in at..at + count {
            let decision = self.decide(n);
            let node = self.node(n);
            self.begins(n, total, node);
            match decision {
                Ok(occasion) => runs.push((n, occasion)),
                Err((ended, cause)) => {
                    done.push((
                        n,
                        state::report(node, &self.mask, ended, chrono::Utc::now(), Duration::ZERO),
                        cause,
                    ));
                }
            }
        }
        let places: Vec<usize> = runs.iter().map(|(n, _)| *n).collect();
        let _lock = match self.hold(&places) {
            Ok(lock) => lock,
            Err(error) => {
                for (n, _) in std::mem::take(&mut runs) {
                    let ended = Ended::failed(Failure::new(error.clone()));
                    let result =
                        state::report(self.node(n), &self.mask, ended, chrono::Utc::now(), Duration::ZERO);
                    done.push((n, result, None));
                }
                None
            }
        };
        let (dag, base, mask) = (self.dag, self.base, &self.mask);
        std::thread::scope(|scope| {
            let running: Vec<_> = runs
                .into_iter()
                .map(|(n, occasion)| {
                    let work = move || {
                        let node = &dag.graph[dag.schedule[n]];
                        let started = chrono::Utc::now();
                        let clock = Instant::now();
                        let ended = state::run(node, &state::context(base, node), occasion);
                        state::report(node, mask, ended, started, clock.elapsed())
                    };
                    // Without a thread for it the state runs here; it is never left out.
                    let thread = std::thread::Builder::new().spawn_scoped(scope, work);
                    (n, thread.map_err(|_| work()))
                })
                .collect();
            for (n, thread) in running {
                let result = match thread {
                    Ok(thread) => thread.join().unwrap_or_else(|_| {
                        let node = &dag.graph[dag.schedule[n]];
                        state::report(node, mask, Ended::defect(), chrono::Utc::now(), Duration::ZERO)
                    }),
                    Err(result) => result,
                };
                done.push((n, result, None));
            }
        });
        done.sort_by_key(|(n, ..)| *n);
        for (n, result, cause) in done {
            self.finish(n, result, cause);
        }
    }

    fn finish(&mut self, at: usize, result: StateResult, cause: Option<String>) {
        let index = self.dag.schedule[at];
        let finished = Finished::of(&result, cause);
        if result.result == Outcome::Failed && (self.failhard || self.node(at).attributes.failhard) {
            self.aborted.get_or_insert(format!("{} ({})", result.id, result.function));
        }
        self.observer.ended(at, self.results.len(), &result);
        self.finished.insert(index, finished);
        self.results[at] = Some(result);
    }

    /// Runs the reactions of states that listen, each once, in the order of the plan.
    fn listeners(&mut self) {
        for at in 0..self.dag.schedule.len() {
            let index = self.dag.schedule[at];
            let heard = self.targets(index).iter().any(|(kind, target)| {
                *kind == Requisite::Listen
                    && self
                        .finished
                        .get(target)
                        .is_some_and(|f| matches!(f.result, Outcome::Changed | Outcome::WouldChange))
            });
            let own = self.finished.get(&index).is_none_or(Finished::failed);
            if !heard || own || self.base.cancel.is_cancelled() || self.aborted.is_some() {
                continue;
            }
            let node = self.node(at);
            let mut listener = node.clone();
            listener.id = format!("listen: {}", node.id);
            let started = chrono::Utc::now();
            let clock = Instant::now();
            let Some(ended) = state::react(&listener, &state::context(self.base, node)) else { continue };
            let result = state::report(&listener, &self.mask, ended, started, clock.elapsed());
            self.observer.ended(at, self.results.len(), &result);
            self.results.push(Some(result));
        }
    }
}
