//! Runs all rules over a project and puts their findings in order.

use super::{
    CheckError, CheckOptions, OpaqueFile, Report,
    allow::Allows,
    calls, functions, ids, imports, order, parameters, references, resources, scope, targets, top, whole,
    workspace::{Unit, UnitKind, Workspace, in_parallel},
};
use crate::{
    diagnostic::{Diagnostic, FileCounts, Severity},
    project::{Project, TreeKind},
    source::FileId,
    types::Registry,
};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Checks a project: all its files, or the given ones with what they reach.
pub fn check(project: &Project, registry: &Registry, options: &CheckOptions) -> Result<Report, CheckError> {
    let (workspace, unreadable) = Workspace::open(project, registry, options)?;
    let mut diagnostics: Vec<Diagnostic> =
        unreadable.iter().map(|file| whole::unreadable(project.files(), file)).collect();

    let custom = calls::Custom { modules: &workspace.custom, filters: false };
    let local = in_parallel(&workspace.units, |unit| {
        let mut found = Vec::new();
        check_unit(&workspace, unit, &custom, &mut found);
        found
    });
    diagnostics.extend(local.into_iter().flatten());
    check_together(&workspace, &mut diagnostics);

    let wanted: HashMap<FileId, &Unit> =
        workspace.units.iter().filter(|u| u.wanted).map(|u| (u.tree.file, u)).collect();
    let unreadable_ids: HashSet<FileId> =
        unreadable.iter().filter_map(|f| project.files().by_path(&f.path)).map(|f| f.id).collect();
    diagnostics.retain(|d| wanted.contains_key(&d.span.file) || unreadable_ids.contains(&d.span.file));

    let allows: HashMap<FileId, Allows> = workspace
        .units
        .iter()
        .filter(|u| u.wanted)
        .map(|u| (u.tree.file, Allows::of(u.tree.file, &u.tree.text, &mut diagnostics)))
        .collect();
    diagnostics.retain(|d| {
        let file = project.files().get(d.span.file);
        !allows.get(&d.span.file).is_some_and(|a| a.allow(d, &file.lines))
    });
    let levels = &project.config().levels;
    let mut diagnostics: Vec<Diagnostic> = diagnostics
        .into_iter()
        .filter_map(|d| {
            let adjusted = options.levels.adjust(d.rule).or_else(|| levels.adjust(d.rule));
            let severity = adjusted.unwrap_or(d.severity);
            (severity != Severity::Allow).then_some(Diagnostic { severity, ..d })
        })
        .collect();
    arrange(project, &mut diagnostics);

    let opaque: Vec<OpaqueFile> = workspace
        .units
        .iter()
        .filter(|u| u.wanted)
        .filter_map(|u| {
            let opaque = u.tree.opaque.as_ref()?;
            Some(OpaqueFile { path: u.path.clone(), span: opaque.span, reason: opaque.reason.clone() })
        })
        .filter(|o| wanted.get(&o.span.file).is_some_and(|u| u.kind != UnitKind::Template))
        .collect();
    let counts = FileCounts { files: wanted.len(), structural: wanted.len() - opaque.len() };
    Ok(Report { diagnostics, counts, opaque })
}

/// What a file's own text is enough for.
fn check_unit(
    workspace: &Workspace<'_>,
    unit: &Unit,
    custom: &calls::Custom<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let text_is_foreign = whole::foreign_renderer(unit.tree.file, &unit.tree.text).is_some();
    if unit.kind == UnitKind::Template {
        found.extend(unit.tree.diagnostics.iter().filter(|d| is_about_templates(d)).cloned());
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
    calls::check_calls(&unit.tree, workspace.registry, custom, found);
    scope::set_in_loop(&unit.tree, found);
    imports::check_imports(workspace, unit, found);
    let sees_others = workspace.used_as_template.get(&unit.path).copied().unwrap_or(false);
    if matches!(unit.kind, UnitKind::States | UnitKind::Settings | UnitKind::Top(_)) && !sees_others {
        scope::undefined(&unit.tree, found);
    }
    // What was read off a structure that is not understood would be guesses.
    if unit.kind != UnitKind::States || unit.tree.opaque.is_some() {
        return;
    }
    found.extend(unit.summary.diagnostics.iter().cloned());
    ids::duplicates_in_file(unit, found);
    resources::managed_twice(unit, found);
    resources::not_idempotent(unit, found);
    resources::missing_sources(workspace, unit, found);
    for function in unit.summary.states.iter().chain(&unit.summary.extends).flat_map(|s| &s.functions) {
        // What is missing may come from an `extend` in another file.
        let extended =
            |d: &&Diagnostic| *d.rule == parameters::MISSING_PARAMETER && workspace.is_extended(function);
        found.extend(function.diagnostics.iter().filter(|d| !extended(d)).cloned());
        let Some(name) = &function.name else { continue };
        // Files for the master name functions of its own kinds, with further dots.
        if matches!(name.module.as_str(), "local" | "runner" | "wheel" | "caller")
            || name.function.contains('.')
        {
            continue;
        }
        let (module, word) = function.words;
        functions::check_function(name, module, word, workspace.registry, &workspace.custom, found);
    }
}

/// What several files must be known for.
fn check_together(workspace: &Workspace<'_>, found: &mut Vec<Diagnostic>) {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut tops: Vec<Option<Vec<usize>>> = Vec::new();
    for unit in &workspace.units {
        let UnitKind::Top(kind) = unit.kind else { continue };
        let files = top::check_top(workspace, unit, kind, found);
        if kind == TreeKind::States {
            let all = files.groups.iter().flatten().copied().collect();
            tops.push((!files.open).then_some(all));
            groups.extend(files.groups);
        }
    }
    // Each file is applied with what it includes, whoever applies it.
    groups
        .extend(workspace.states().filter(|(i, _)| !workspace.includes[*i].is_empty()).map(|(i, _)| vec![i]));
    let targets = targets::Targets::of(workspace);
    for (index, unit) in workspace.units.iter().enumerate() {
        let foreign = whole::foreign_renderer(unit.tree.file, &unit.tree.text).is_some();
        if unit.kind == UnitKind::States && unit.tree.opaque.is_none() && !foreign {
            references::check_references(workspace, index, found);
            ids::unknown_extends(workspace, index, found);
            targets::unknown_targets(workspace, &targets, index, found);
        }
    }
    references::include_cycles(workspace, found);
    references::unreachable(workspace, &tops, found);
    ids::duplicates_across(workspace, &groups, found);
    order::check_order(workspace, &groups, found);
}

/// Whether a finding of the syntax layer is about template tags rather than about YAML.
fn is_about_templates(diagnostic: &Diagnostic) -> bool {
    // The syntax layer numbers its rules about YAML below those about templates.
    diagnostic.rule.code >= "Z0010" && diagnostic.rule.name != "live-tag-in-comment"
}

/// Sorts findings by file and place, and keeps one of each.
fn arrange(project: &Project, diagnostics: &mut Vec<Diagnostic>) {
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
