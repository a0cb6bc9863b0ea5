//! Orchestrations: steps that ask the fleet, and the files, targets and functions that they name.

use super::{
    calls::{UNKNOWN_ARGUMENT, unknown_argument, unknown_exec},
    references::{check_name, is_written},
    summary::{ArgumentDecl, FunctionDecl, StateDecl},
    workspace::{Unit, Workspace},
};
use crate::{
    check::functions::NOT_PROVIDED,
    diagnostic::{Diagnostic, Severity},
    infer,
    lower::attributes::is_generic,
    project::TreeKind,
    rule,
    source::Span,
    target::{Form, Target},
    types::{FunctionKind, Registry, Signature, decode::UNKNOWN_VALUE},
};
use std::collections::HashSet;

rule! {
    /// A step of an orchestration stands among the states of a peel.
    ///
    /// `zester.state`, `zester.function`, `zester.runner` and `zester.wait_for_event` ask the fleet: other peels and
    /// the masters. A peel may not do that, so a run that has one of them is refused before anything is touched.
    ///
    /// ```yaml
    /// -- states/top.zy --
    /// base:
    ///   'web-1': [rollout]
    /// -- states/rollout.zy --
    /// databases first:
    ///   zester.state:
    ///     - tgt: 'db-*'
    ///     - highstate: true
    /// ```
    ///
    /// Leave the file out of the top file and run it with `zester orch rollout`:
    ///
    /// ```yaml
    /// -- states/rollout.zy --
    /// databases first:
    ///   zester.state:
    ///     - tgt: 'db-*'
    ///     - highstate: true
    /// ```
    pub ORCHESTRATION_ON_PEEL = "Z0229", "orchestration-on-peel", Error;
}

/// The finding about a step in a plan of a peel.
pub fn not_on_a_peel(function: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        &ORCHESTRATION_ON_PEEL,
        span,
        format!("`{function}` asks the fleet, which no peel may do"),
    )
    .help("run the file as an orchestration, from an operator's machine: `zester orch REF`")
}

/// Functions that run states, which peels know by themselves.
const RUN_STATES: [&str; 3] = ["state.apply", "state.highstate", "state.sls"];

/// In a Salt tree that is read as it is, a name that is near to none here is likely one of Salt's, or of the site's own.
pub fn soften(finding: &mut Diagnostic) {
    let is_typo = finding.help.as_ref().is_some_and(|help| help.starts_with("did you mean"));
    if !is_typo && (finding.rule == &UNKNOWN_VALUE || finding.rule == &UNKNOWN_ARGUMENT) {
        finding.severity = Severity::Warning;
    }
}

/// Whether a function is a step.
pub fn is_step(registry: &Registry, function: &FunctionDecl) -> bool {
    function.name.as_ref().is_some_and(|name| registry.is_step(&name.module, &name.function))
}

/// All steps of orchestrations.
fn steps<'w>(
    workspace: &'w Workspace<'w>,
) -> impl Iterator<Item = (usize, &'w Unit, &'w StateDecl, &'w FunctionDecl)> {
    let with_steps = workspace.states().filter(|(_, unit)| unit.summary.has_steps);
    with_steps.flat_map(move |(index, unit)| {
        unit.summary.states.iter().flat_map(move |state| {
            let functions = state.functions.iter().filter(|f| is_step(workspace.registry, f));
            functions.map(move |function| (index, unit, state, function))
        })
    })
}

fn argument<'f>(function: &'f FunctionDecl, name: &str) -> Option<&'f ArgumentDecl> {
    function.arguments.iter().find(|a| a.name == name)
}

/// The only text that an argument can be; nothing where it is computed or depends on a branch.
fn only<'f>(function: &'f FunctionDecl, name: &str) -> Option<&'f str> {
    match argument(function, name)?.values.as_slice() {
        [(value, _)] => value.text(),
        _ => None,
    }
}

/// Files that orchestrations apply on peels; and whether there may be more.
pub fn applied(workspace: &Workspace<'_>) -> (Vec<usize>, bool) {
    let (mut files, mut open) = (Vec::new(), false);
    for (_, unit, _, function) in steps(workspace) {
        open |= function.open;
        for (name, _) in argument(function, "sls").into_iter().flat_map(|a| &a.values) {
            let Some(text) = name.text() else {
                open = true;
                continue;
            };
            for name in text.split(',') {
                files.extend(workspace.resolve(TreeKind::States, &unit.env, name.trim(), &unit.tree_path));
            }
        }
    }
    (files, open)
}

/// Checks what steps name. `selected` are the files that top files give to peels.
pub fn check_orchestrations(
    workspace: &Workspace<'_>,
    data: &infer::Data,
    selected: Vec<usize>,
    found: &mut Vec<Diagnostic>,
) {
    let mut on_peels: Option<HashSet<usize>> = None;
    for (index, unit, state, function) in steps(workspace) {
        let on_peels = on_peels
            .get_or_insert_with(|| workspace.closure_of(selected.clone(), true).into_iter().collect());
        if on_peels.contains(&index)
            && let Some(name) = &function.name
        {
            let mut finding = not_on_a_peel(&name.to_string(), function.span);
            finding.message = format!("{}, and the top file gives this file to peels", finding.message);
            found.push(finding);
        }
        if unit.tree.opaque.is_some() {
            continue;
        }
        let before = found.len();
        check_target(workspace, data, unit, function, found);
        check_refs(workspace, unit, function, found);
        match function.name.as_ref().map(|name| name.function.as_str()) {
            Some("function") => check_called(workspace, unit, state, function, found),
            Some("runner") => check_runner(workspace, state, function, found),
            _ => {}
        }
        if workspace.is_foreign(unit) {
            found.iter_mut().skip(before).for_each(soften);
        }
    }
}

fn check_target(
    workspace: &Workspace<'_>,
    data: &infer::Data,
    unit: &Unit,
    function: &FunctionDecl,
    found: &mut Vec<Diagnostic>,
) {
    let Some(targets) = argument(function, "tgt") else { return };
    let form = match argument(function, "tgt_type") {
        None => Some(Form::Compound),
        Some(_) => only(function, "tgt_type").and_then(Form::of_word),
    };
    let Some(form) = form else { return };
    let nodegroups = &workspace.project.config().nodegroups;
    for (value, span) in &targets.values {
        let Some(text) = value.text().filter(|text| is_written(unit, *span, text)) else { continue };
        let (target, mut problems) = match form {
            Form::Compound => Target::parse(text, *span),
            form => Target::parse_as(form, text, *span),
        };
        let mut groups = target.check_groups(nodegroups);
        if nodegroups.names().next().is_none() && workspace.is_foreign(unit) {
            // A Salt tree: its groups are in the master's configuration.
            for group in &mut groups {
                group.severity = Severity::Warning;
            }
        }
        problems.append(&mut groups);
        problems.extend(target.check_facts());
        problems.extend(infer::judge_target(data, &target));
        found.append(&mut problems);
    }
}

/// `sls`: files of the tree that is published.
fn check_refs(workspace: &Workspace<'_>, unit: &Unit, function: &FunctionDecl, found: &mut Vec<Diagnostic>) {
    let Some(refs) = argument(function, "sls") else { return };
    let env = match argument(function, "saltenv") {
        None => Some(&*unit.env),
        Some(_) => only(function, "saltenv"),
    };
    let Some(env) = env else { return };
    for (name, span) in &refs.values {
        let Some(text) = name.text().filter(|text| !text.contains(',')) else { continue };
        check_name(workspace, unit, TreeKind::States, env, text, *span, found);
    }
}

/// The function of a `zester.function`.
fn check_called(
    workspace: &Workspace<'_>,
    unit: &Unit,
    state: &StateDecl,
    function: &FunctionDecl,
    found: &mut Vec<Diagnostic>,
) {
    let own = [(state.id.clone(), state.span)];
    let names = if function.names.is_empty() { &own[..] } else { &function.names };
    for (name, span) in names {
        let Some(text) = name.text() else { continue };
        let Some((module, word)) = text.split_once('.') else { continue };
        let registry = workspace.registry;
        if RUN_STATES.contains(&text) || workspace.custom.contains(module) {
            continue;
        }
        if let Some(signature) = registry.get(FunctionKind::Exec, module, word) {
            check_arguments(function, signature, found);
            continue;
        }
        if registry.exists_elsewhere(FunctionKind::Exec, module, word) {
            let message = format!("`{text}` is a function of Salt that is not provided here");
            found.push(
                Diagnostic::new(&NOT_PROVIDED, *span, message)
                    .help("`zester doc --exec` lists the functions that peels have"),
            );
            continue;
        }
        let mut unknown = unknown_exec(text, *span, registry);
        unknown.fixes.retain(|_| is_written(unit, *span, text));
        found.push(unknown);
    }
}

/// The keys of `kwarg`, by the signature of the function that gets them.
fn check_arguments(function: &FunctionDecl, signature: &Signature, found: &mut Vec<Diagnostic>) {
    let named = argument(function, "kwarg").or_else(|| argument(function, "kwargs"));
    let names: Vec<&str> = signature.params.iter().map(|p| &*p.name).collect();
    for (key, span) in named.into_iter().flat_map(|a| &a.values) {
        let Some(key) = key.text() else { continue };
        if signature.open || signature.param(key).is_some() || key == "test" {
            continue;
        }
        found.push(unknown_argument(&signature.name(), key, *span, &names));
    }
}

/// The arguments of a runner: beside `name`, and in `kwarg`.
fn check_runner(
    workspace: &Workspace<'_>,
    state: &StateDecl,
    function: &FunctionDecl,
    found: &mut Vec<Diagnostic>,
) {
    let own = state.id.text().filter(|_| argument(function, "name").is_none());
    let Some(name) = own.or_else(|| only(function, "name")) else { return };
    let Some(params) = workspace.registry.runner(name) else { return };
    let taken = ["name", "names", "arg", "args", "kwarg", "kwargs"];
    let beside = function.arguments.iter().filter_map(|a| {
        let own = !taken.contains(&a.name.as_str()) && !is_generic(&a.name) && !a.name.starts_with("__");
        own.then_some((a.name.as_str(), a.span))
    });
    let within = ["kwarg", "kwargs"].into_iter().filter_map(|name| argument(function, name));
    let within = within.flat_map(|a| &a.values).filter_map(|(key, span)| Some((key.text()?, *span)));
    for (key, span) in beside.chain(within) {
        if !params.contains(&key) {
            found.push(unknown_argument(name, key, span, params));
        }
    }
}
