//! Calls of `state.*`: states of the published tree are applied, tried, or shown.

use super::call::{Ended, Host, fails};
use crate::{
    job::message::{Call, JobOutcome, PeelStatus},
    local::Local,
    runner::{self, Lock, LockError, Observer, Outcome, RunOptions, Status},
};
use std::{collections::HashSet, sync::Arc};
use zester_compiler::{
    diagnostic::nearest,
    ir::{self, Dag, Requisite},
    lower::Lowered,
    types::{Facts, Map, Value},
};
use zester_stdlib::Cancel;

/// Arguments of every call that has states.
const COMMON: [&str; 5] = ["env", "saltenv", "pillar", "settings", "exclude"];

/// Whether a function of `state` only shows something, or only says what it would do.
pub(super) fn changes_nothing(function: &str) -> bool {
    function == "test" || function.starts_with("show_")
}

/// What a call asks for.
struct Asked {
    /// Refs of state files; none for the highstate.
    refs: Vec<String>,
    /// The only id that is wanted, with what it needs.
    id: Option<String>,
}

impl Host {
    /// Runs one of [`zester_stdlib::STATE_FUNCTIONS`] to its end.
    pub(super) fn states(&self, call: &Call, cancel: &Cancel, observer: &dyn Observer) -> Ended {
        self.try_states(call, cancel, observer).unwrap_or_else(Ended::failed)
    }

    fn try_states(&self, call: &Call, cancel: &Cancel, observer: &dyn Observer) -> Result<Ended, String> {
        let function = call.function.strip_prefix("state.").unwrap_or(&call.function);
        let mut call = call.clone();
        call.test |= function == "test" || matches!(call.kwargs.get("test"), Some(Value::Bool(true)));
        let single = (function == "single").then(|| single(&mut call)).transpose()?;
        let runs = !function.starts_with("show_");
        for name in call.kwargs.keys().map(String::as_str) {
            let is_known = COMMON.contains(&name) || runs && matches!(name, "test" | "failhard");
            if !is_known {
                let takes = if runs { ", test and failhard" } else { "" };
                return Err(format!(
                    "`{}` has no argument `{name}`; it takes env, settings, exclude{takes}",
                    call.function
                ));
            }
        }
        let local = self.local(&call, cancel)?;
        let facts = local.facts().map_err(|e| e.to_string())?;
        let (mut settings, found) = local.settings().map_err(|e| e.to_string())?;
        fails(&local, &found)?;
        self.trees.reveal(&mut settings)?;
        let mask = settings.mask();
        let is_selection = matches!(function, "show_top" | "show_states");
        if is_selection && !call.args.is_empty() {
            return Err(format!("`{}` takes no refs: it shows what the top file selects", call.function));
        }
        if function == "show_top" {
            return Ok(shown(mask.value(selected(&local, &facts, &settings.value)?)));
        }
        let mut dag = match &single {
            Some((name, args)) => {
                let id = args.get("name").and_then(Value::as_str).unwrap_or(name);
                let lowered = local
                    .lower_single(id, name, args, &facts, &settings.value)
                    .map_err(|e| mask.text(e.to_string()))?;
                let error = lowered.diagnostics.into_iter().find(|d| d.is_error());
                // Nobody wrote the text it was read from, so no place of it is said.
                match (lowered.dag, error) {
                    (Some(dag), None) => dag,
                    (_, error) => return Err(mask.text(error.map_or_else(nothing, |e| sentence(&e)))),
                }
            }
            None => {
                let asked = asked(function, &call)?;
                let mut lowered = local.lower(&asked.refs, &facts, &settings.value);
                mask.diagnostics(&mut lowered.diagnostics);
                fails(&local, &lowered.diagnostics)?;
                let Lowered { dag, files, .. } = lowered;
                let mut dag = dag.ok_or_else(nothing)?;
                if function == "show_states" {
                    return Ok(shown(files.into_iter().map(Value::from).collect::<Vec<_>>().into()));
                }
                if asked.refs.is_empty() && dag.schedule.is_empty() {
                    return Err(format!("the top file selects no states for `{}`", self.id));
                }
                if let Some(id) = &asked.id {
                    keep(&mut dag, id)?;
                }
                dag
            }
        };
        exclude(&mut dag, call.kwargs.get("exclude"))?;
        if !runs {
            return Ok(shown(mask.value(plan(&dag, function)?)));
        }
        let _lock = if call.test {
            None
        } else {
            match Lock::take(&self.lock, Some(cancel)) {
                Ok(lock) => Some(lock),
                Err(LockError::Cancelled) => {
                    return Ok(Ended {
                        status: PeelStatus::Canceled,
                        outcome: JobOutcome::Nothing,
                        error: Some("canceled while another apply ran on this machine".to_owned()),
                    });
                }
                Err(error) => return Err(error.to_string()),
            }
        };
        let context = local.context(&facts, &settings.value);
        let failhard = matches!(call.kwargs.get("failhard"), Some(Value::Bool(true)));
        let result = runner::run(&dag, &context, RunOptions { failhard, mask, lock: None }, observer);
        let first = result.states.iter().find(|s| s.result == Outcome::Failed);
        let (status, error) = match result.status {
            Status::Done => (PeelStatus::Done, None),
            Status::Cancelled => (PeelStatus::Canceled, None),
            Status::Failed => {
                (PeelStatus::Failed, first.map(|s| format!("`{}` failed: {}", s.id, s.comment)))
            }
        };
        Ok(Ended { status, outcome: JobOutcome::States(result), error })
    }
}

fn nothing() -> String {
    "the tree has errors; nothing was touched".to_owned()
}

fn shown(value: Value) -> Ended {
    Ended { status: PeelStatus::Done, outcome: JobOutcome::Value(value), error: None }
}

fn sentence(diagnostic: &zester_compiler::diagnostic::Diagnostic) -> String {
    match &diagnostic.help {
        Some(help) => format!("{} [{}]; {help}", diagnostic.message, diagnostic.rule.code),
        None => format!("{} [{}]", diagnostic.message, diagnostic.rule.code),
    }
}

/// The refs of a call, and the id of `state.sls_id`.
fn asked(function: &str, call: &Call) -> Result<Asked, String> {
    let mut args = call.args.as_slice();
    let mut id = None;
    if function == "sls_id" {
        let Some((Value::Str(first), rest)) = args.split_first().filter(|(_, rest)| !rest.is_empty()) else {
            return Err("`state.sls_id` takes an id and the refs of the files it stands in".to_owned());
        };
        id = Some(first.clone());
        args = rest;
    }
    let refs = texts(args, "ref of a state file")?;
    match function {
        "highstate" | "show_highstate" | "show_lowstate" | "show_states" if !refs.is_empty() => {
            let other = if function == "highstate" { "state.apply" } else { "state.show_sls" };
            Err(format!("`{}` takes no refs; use `{other}`", call.function))
        }
        "show_sls" | "show_low_sls" if refs.is_empty() => {
            Err(format!("`{}` takes the refs of the files to be shown", call.function))
        }
        _ => Ok(Asked { refs, id }),
    }
}

/// Texts, each of which may be several with commas between them, or a list.
fn texts(values: &[Value], what: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for value in values {
        match value {
            Value::Str(text) => {
                found.extend(text.split(',').map(str::trim).filter(|r| !r.is_empty()).map(str::to_owned));
            }
            Value::List(items) => found.extend(texts(items, what)?),
            other => return Err(format!("{} is no {what}", other.describe())),
        }
    }
    Ok(found)
}

/// The function of `state.single` and its arguments, which are taken out of the call.
fn single(call: &mut Call) -> Result<(String, Map), String> {
    let usage = "`state.single` takes a state function and its arguments, as `pkg.installed name=vim`";
    let [Value::Str(function), names @ ..] = call.args.as_slice() else { return Err(usage.to_owned()) };
    let (own, mut args): (Map, Map) = std::mem::take(&mut call.kwargs)
        .into_iter()
        .partition(|(name, _)| matches!(name.as_str(), "env" | "saltenv" | "pillar" | "settings" | "test"));
    match names {
        [] => {}
        [name] if !args.contains_key("name") => {
            args.insert("name".to_owned(), name.clone());
        }
        _ => return Err(usage.to_owned()),
    }
    let function = function.clone();
    call.kwargs = own;
    call.args.clear();
    Ok((function, args))
}

/// What the top file selects, by environment.
fn selected(local: &Local, facts: &Arc<Facts>, settings: &Arc<Value>) -> Result<Value, String> {
    let (selected, found) = local.selection(facts, settings);
    fails(local, &found)?;
    let mut by_env = Map::new();
    for (env, name) in selected {
        if let Value::List(refs) = by_env.entry(env).or_insert_with(|| Value::List(Vec::new())) {
            refs.push(Value::from(name));
        }
    }
    Ok(Value::Map(by_env))
}

/// The plan as a value: the document of `zester plan --format json`, or its states alone.
fn plan(dag: &Dag, function: &str) -> Result<Value, String> {
    let plan: Value = serde_json::from_str(&ir::json(dag)).map_err(|e| e.to_string())?;
    match plan {
        Value::Map(mut document) if function.starts_with("show_low") => {
            Ok(document.swap_remove("states").unwrap_or_default())
        }
        plan => Ok(plan),
    }
}

/// Leaves only the states of an id and what they need, as their requisites say.
fn keep(dag: &mut Dag, id: &str) -> Result<(), String> {
    let mut pending: Vec<_> = dag.schedule.iter().copied().filter(|n| dag.graph[*n].id == id).collect();
    if pending.is_empty() {
        let near = nearest(id, dag.graph.node_weights().map(|node| node.id.as_str()));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(format!("no state of these files has the id `{id}`{hint}"));
    }
    let mut kept: HashSet<_> = pending.iter().copied().collect();
    while let Some(node) = pending.pop() {
        for (requisite, target) in dag.requisites(node) {
            if requisite != Requisite::Order && kept.insert(target) {
                pending.push(target);
            }
        }
    }
    remove(dag, |node, _| !kept.contains(&node));
    Ok(())
}

/// Takes out what the call excludes: refs, `{sls: REF}`, `{id: ID}`. What remains may not need any of it.
fn exclude(dag: &mut Dag, excluded: Option<&Value>) -> Result<(), String> {
    let Some(excluded) = excluded else { return Ok(()) };
    let items = match excluded {
        Value::List(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let (mut files, mut ids) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Value::Map(map) => {
                for (key, value) in map {
                    let into = match key.as_str() {
                        "sls" => &mut files,
                        "id" => &mut ids,
                        _ => return Err(format!("`exclude` names an `id` or an `sls`, not `{key}`")),
                    };
                    into.push(value.as_str().ok_or("`exclude` names texts")?.to_owned());
                }
            }
            other => files.extend(texts(std::slice::from_ref(other), "ref of a state file")?),
        }
    }
    let nodes = || dag.graph.node_weights();
    if let Some(file) = files.iter().find(|file| nodes().all(|node| node.sls != **file)) {
        let near = nearest(file, nodes().map(|node| node.sls.as_str()));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(format!("`exclude`: no file of this run is `{file}`{hint}"));
    }
    if let Some(id) = ids.iter().find(|id| nodes().all(|node| node.id != **id)) {
        let near = nearest(id, nodes().map(|node| node.id.as_str()));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(format!("`exclude`: no state of this run has the id `{id}`{hint}"));
    }
    let is_excluded = |node: &ir::Node| files.contains(&node.sls) || ids.contains(&node.id);
    for node in dag.schedule.iter().filter(|node| !is_excluded(&dag.graph[**node])) {
        for (requisite, target) in dag.requisites(*node) {
            if requisite != Requisite::Order && is_excluded(&dag.graph[target]) {
                let (id, target) = (&dag.graph[*node].id, &dag.graph[target].id);
                return Err(format!("`{target}` is excluded, and `{id}` needs it"));
            }
        }
    }
    remove(dag, |_, node| is_excluded(node));
    Ok(())
}

/// Removes states and what points to them.
fn remove(dag: &mut Dag, is_gone: impl Fn(ir::NodeIndex, &ir::Node) -> bool) {
    let graph = &dag.graph;
    let gone: Vec<_> = dag.schedule.iter().copied().filter(|n| is_gone(*n, &graph[*n])).collect();
    let set: HashSet<_> = gone.iter().copied().collect();
    dag.schedule.retain(|node| !set.contains(node));
    for node in gone {
        dag.graph.remove_node(node);
    }
}
