//! Runs all rules over a project and puts their findings in order.

use super::{
    CheckError, CheckOptions, FastHash, OpaqueFile, Report, calls, ids, imports, library,
    memory::{Local, Memory},
    modules, names, orchestration, parameters, paths, references, removal, reserved, resources, scope,
    secrets, settings, settings_files, shapes, sources, together, unused, values,
    view::{Noted, View},
    whole,
    workspace::{UnitKind, Unreadable, Workspace, in_parallel},
};
use crate::{
    diagnostic::{Diagnostic, FileCounts, Rule, Severity},
    infer,
    modules::{CustomModules, is_module},
    project::{CONFIG_FILE, Project, TreeKind},
    settings::{Inferred, Schema},
    source::FileId,
    types::Registry,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Checks a project: all its files, or the given ones with what they reach.
pub fn check(project: &Project, registry: &Registry, options: &CheckOptions) -> Result<Report, CheckError> {
    let mut memory = Memory::default();
    let report = check_with(project, registry, options, &mut memory, &mut |_, _| {}, &|| false);
    // Taking thousands of trees apart need not delay the answer; without a thread it is done here.
    let _ = std::thread::Builder::new().spawn(move || drop(memory));
    report
}

/// Checks a project, with what is known of it from an earlier check. `see` is shown all files, linked, and their data.
/// `interrupted` is asked now and then whether the answer is still wanted.
pub fn check_with(
    project: &Project,
    registry: &Registry,
    options: &CheckOptions,
    memory: &mut Memory,
    see: &mut dyn FnMut(&Workspace<'_>, &Arc<infer::Data>),
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Result<Report, CheckError> {
    let built_in = registry;
    let custom = CustomModules::read(project);
    let registry = custom.add_to(built_in);
    let (mut workspace, unreadable) = Workspace::open(project, &registry, &custom, options, memory)?;
    let world = Around { built_in, custom: &custom, unreadable: &unreadable, options };
    let result = check_workspace(&mut workspace, &world, memory, see, interrupted);
    workspace.into_memory(memory);
    let (report, data) = result.ok_or(CheckError::Interrupted)?;
    memory.types = Some(data);
    memory.replaced.clear();
    Ok(report)
}

/// What a check knows beside the files.
struct Around<'a> {
    built_in: &'a Registry,
    custom: &'a CustomModules,
    unreadable: &'a [Unreadable],
    options: &'a CheckOptions,
}

/// Checks the files that were read. `None` when nobody waits for the answer any more; what was found out is kept.
fn check_workspace(
    workspace: &mut Workspace<'_>,
    around: &Around<'_>,
    memory: &mut Memory,
    see: &mut dyn FnMut(&Workspace<'_>, &Arc<infer::Data>),
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Option<(Report, Arc<infer::Data>)> {
    let Around { built_in, custom, unreadable, options } = *around;
    let project = workspace.project;
    let go_on = || (!interrupted()).then_some(());
    go_on()?;
    let seen = memory.data.clone();
    let mut diagnostics: Vec<Diagnostic> =
        unreadable.iter().map(|file| whole::unreadable(project.files(), file)).collect();
    let data = Arc::new(infer::Data::of(workspace, memory));
    if !check_apart(workspace, &data, interrupted, &mut diagnostics) {
        // The findings that are kept are those of the data before.
        memory.data = seen;
        return None;
    }
    together::check_together(workspace, &data, memory, &mut diagnostics);
    go_on()?;
    let levels = &project.config().levels;
    let is_on = |rule: &Rule| {
        let adjusted = options.levels.adjust(rule).or_else(|| levels.adjust(rule));
        adjusted.unwrap_or(rule.severity) != Severity::Allow
    };
    check_all_settings(workspace, &data.inferred, &is_on, &mut diagnostics);
    let facts = reserved::check_facts(workspace, &mut diagnostics);
    let modules = modules::check_modules(project, custom, built_in, options, &mut diagnostics);
    go_on()?;
    see(workspace, &data);

    let wanted: HashMap<FileId, usize, FastHash> = workspace
        .units
        .iter()
        .enumerate()
        .filter(|(_, u)| u.wanted)
        .map(|(index, u)| (u.tree.file, index))
        .collect();
    let unreadable_ids: HashSet<FileId> =
        unreadable.iter().filter_map(|f| project.files().by_path(&f.path)).map(|f| f.id).collect();
    let config = project.files().by_path(CONFIG_FILE).map(|file| file.id);
    let others = |file: &FileId| {
        unreadable_ids.contains(file)
            || modules.contains_key(file)
            || (options.paths.is_empty() && (facts.contains(file) || config == Some(*file)))
    };
    diagnostics.retain(|d| wanted.contains_key(&d.span.file) || others(&d.span.file));
    for index in wanted.values() {
        diagnostics.extend(workspace.kept[*index].allows.1.iter().cloned());
    }
    diagnostics.retain(|d| {
        let of_unit = wanted.get(&d.span.file).map(|index| &workspace.kept[*index].allows.0);
        let Some(allows) = of_unit.or_else(|| modules.get(&d.span.file)) else { return true };
        allows.is_empty() || !allows.allow(d, &project.files().get(d.span.file).lines)
    });
    let mut diagnostics: Vec<Diagnostic> = diagnostics
        .into_iter()
        .filter_map(|d| {
            let adjusted = options.levels.adjust(d.rule).or_else(|| levels.adjust(d.rule));
            let severity = adjusted.unwrap_or(d.severity);
            (severity != Severity::Allow).then_some(Diagnostic { severity, ..d })
        })
        .collect();
    arrange(project, &mut diagnostics);
    infer::once_per_project(&mut diagnostics);
    removal::keep_all_quotes(project, &mut diagnostics);

    let opaque: Vec<OpaqueFile> = workspace
        .units
        .iter()
        .filter(|u| u.wanted && u.kind != UnitKind::Template)
        .filter_map(|u| {
            let opaque = u.tree.opaque.as_ref()?;
            Some(OpaqueFile { path: u.path.to_string(), span: opaque.span, reason: opaque.reason.clone() })
        })
        .collect();
    let files = wanted.len() + modules.keys().filter(|file| !wanted.contains_key(file)).count();
    let counts = FileCounts { files, structural: files - opaque.len() };
    Some((Report { diagnostics, counts, opaque }, data))
}

/// Runs the rules on single files, on those where something may have changed. Whether it came to its end.
fn check_apart(
    workspace: &mut Workspace<'_>,
    data: &infer::Data,
    interrupted: &(dyn Fn() -> bool + Sync),
    diagnostics: &mut Vec<Diagnostic>,
) -> bool {
    let indices: Vec<usize> = (0..workspace.units.len()).collect();
    let locals = {
        let workspace = &*workspace;
        let world = infer::World::new(workspace, data);
        in_parallel(&indices, |index| {
            let unit = &workspace.units[*index];
            let used = workspace.used_as_template.get(&*unit.path).copied();
            let kept = workspace.kept[*index].local.as_ref();
            let same = |local: &&Local| {
                local.kind == unit.kind
                    && local.used == used
                    && (!local.noted.data || data_is_the_same(workspace, *index, &local.noted, data))
                    && local.noted.holds(workspace)
            };
            if let Some(local) = kept.filter(same) {
                return Some(local.clone());
            }
            if interrupted() {
                return None;
            }
            let mut found = Vec::new();
            let view = View::new(workspace, *index);
            check_unit(&view, &world, &mut found);
            removal::complete(&unit.tree, &mut found);
            Some(Local { kind: unit.kind, used, noted: Arc::new(view.into_noted()), found: found.into() })
        })
    };
    if locals.iter().any(Option::is_none) {
        return false;
    }
    let files = workspace.units.iter().zip(&mut workspace.kept);
    for (local, (unit, kept)) in locals.into_iter().flatten().zip(files) {
        if unit.wanted {
            diagnostics.extend(local.found.iter().cloned());
        }
        kept.local = Some(local);
    }
    true
}

/// Whether a change of the data is none to a file and to those whose names it uses.
fn data_is_the_same(workspace: &Workspace<'_>, index: usize, noted: &Noted, data: &infer::Data) -> bool {
    let (keys, names) = match &data.change {
        infer::Change::Nothing => return true,
        infer::Change::Everything => return false,
        infer::Change::Keys { keys, names } => (keys, *names),
    };
    let others = noted.files.iter().filter_map(|(path, _)| workspace.by_path.get(&**path).copied());
    others.chain([index]).all(|unit| {
        let read = workspace.kept[unit].settings_read();
        !read.reads_any(keys) && (!names || read.all_are(|key| data.inferred.root.children.contains_key(key)))
    })
}

/// What a file's own text is enough for.
pub(super) fn check_unit(view: &View<'_>, world: &infer::World<'_>, found: &mut Vec<Diagnostic>) {
    let unit = view.unit();
    // Named by somebody, and no template: what is wrong with a module is found with all modules.
    if unit.tree_kind == TreeKind::States && is_module(&unit.tree_path) {
        return;
    }
    let text_is_foreign = unit.foreign;
    if unit.kind == UnitKind::Template {
        found.extend(unit.tree.diagnostics.iter().filter(|d| scope::is_about_templates(d)).cloned());
    } else {
        whole::check_whole(unit, found);
        if text_is_foreign {
            return;
        }
        found.extend(unit.tree.diagnostics.iter().cloned());
    }
    if text_is_foreign {
        return;
    }
    let custom = calls::Custom { modules: view.custom(), filters: false };
    calls::check_calls(&unit.tree, view.registry(), &custom, found);
    scope::set_in_loop(&unit.tree, found);
    infer::check_unit(world, view, found);
    let meant = imports::check_imports(view, found);
    let is_entry = matches!(unit.kind, UnitKind::States | UnitKind::Settings | UnitKind::Top(_));
    if is_entry && !view.sees_others() {
        // A settings file gets variables from those that include it.
        let given = |name: &str| {
            unit.kind == UnitKind::Settings && view.binds(&format!("{}{name}", library::DEFAULT))
        };
        scope::undefined(&unit.tree, &|name| meant.iter().any(|other| other == name) || given(name), found);
    }
    if unit.kind == UnitKind::Template {
        library::check_library(view, found);
    }
    if unit.kind == UnitKind::Schema {
        found.extend(Schema::read(&unit.tree, &unit.env).diagnostics);
    }
    // What was read off a structure that is not understood would be guesses.
    if unit.kind != UnitKind::States || unit.tree.opaque.is_some() {
        return;
    }
    found.extend(unit.summary.diagnostics.iter().cloned());
    ids::duplicates_in_file(unit, found);
    resources::managed_twice(unit, found);
    resources::not_idempotent(unit, found);
    resources::missing_sources(view, found);
    values::check_values(unit, found);
    shapes::check_shapes(unit, found);
    paths::relative(view, found);
    names::check_ids(view, found);
    sources::check_given(view, found);
    for state in unit.summary.states.iter().chain(&unit.summary.extends) {
        for function in &state.functions {
            // What is missing may come from an `extend` in another file.
            let extended = |d: &&Diagnostic| {
                *d.rule == parameters::MISSING_PARAMETER && view.is_extended(state, function)
            };
            let before = found.len();
            found.extend(function.diagnostics.iter().filter(|d| !extended(d)).cloned());
            if view.is_foreign() && orchestration::is_step(view.registry(), function) {
                found.iter_mut().skip(before).for_each(orchestration::soften);
            }
            library::check_name(view, function, found);
        }
    }
}

/// What is wrong with the settings, and with the secrets in them.
fn check_all_settings(
    workspace: &Workspace<'_>,
    inferred: &Inferred,
    is_on: &dyn Fn(&Rule) -> bool,
    found: &mut Vec<Diagnostic>,
) {
    let of_files = in_parallel(&workspace.units, |unit| {
        let mut found = Vec::new();
        settings_files::check_file(workspace, unit, &mut found);
        found
    });
    found.extend(of_files.into_iter().flatten());
    settings::check_settings(workspace, inferred, is_on, found);
    settings_files::include_cycles(workspace, inferred, found);
    secrets::check_secrets(workspace, inferred, found);
    reserved::check_reserved(workspace, inferred, found);
    if is_on(&unused::UNUSED_SETTING) {
        unused::unused(workspace, inferred, found);
    }
}

/// Sorts findings by file and place, and keeps one of each.
pub(super) fn arrange(project: &Project, diagnostics: &mut Vec<Diagnostic>) {
    let files = project.files();
    let duplicate_ids: BTreeSet<_> = diagnostics
        .iter()
        .filter(|d| *d.rule == ids::DUPLICATE_ID)
        .map(|d| (d.span.file, d.span.start))
        .collect();
    // A key that stands twice is an id that stands twice, said better.
    diagnostics
        .retain(|d| d.rule.name != "duplicate-key" || !duplicate_ids.contains(&(d.span.file, d.span.start)));
    diagnostics.sort_by_cached_key(|d| {
        (
            files.get(d.span.file).path.clone(),
            d.span.start,
            d.span.end,
            d.severity,
            d.rule.code,
            d.message.clone(),
        )
    });
    diagnostics.dedup_by(|a, b| a.rule == b.rule && a.span == b.span && a.message == b.message);
    for diagnostic in diagnostics {
        if diagnostic.message.starts_with(|c: char| c.is_ascii_lowercase()) {
            diagnostic.message = references::capitalised(&diagnostic.message);
        }
    }
}
