//! What several files must be known for: refs, targets of requisites, order, ids that meet.
//!
//! A change of one file leaves most of it as it was, so what was found in a file or in a group of files is kept for as long as
//! their summaries are the same.

use super::{
    ids,
    memory::{KeptTop, Memory},
    orchestration, order, references,
    summary::Summary,
    targets,
    top::{self, TopFiles},
    workspace::{Unit, UnitKind, Workspace, in_parallel},
};
use crate::{diagnostic::Diagnostic, infer, project::TreeKind};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// What is wrong among files that are applied together.
pub struct Group {
    /// Their summaries: as long as they live, their addresses are theirs alone.
    _summaries: Vec<Arc<Summary>>,
    order: Vec<order::Finding>,
    duplicates: Vec<ids::Duplicate>,
}

/// Groups of an earlier check, by the addresses of their files' summaries.
pub type Groups = HashMap<Vec<usize>, Arc<Group>>;

/// Checks everything that needs more than one file.
pub fn check_together(
    workspace: &mut Workspace<'_>,
    data: &infer::Data,
    memory: &mut Memory,
    found: &mut Vec<Diagnostic>,
) {
    let mut starts: Vec<Vec<usize>> = Vec::new();
    let mut tops: Vec<Option<Vec<usize>>> = Vec::new();
    let mut selected: Vec<usize> = Vec::new();
    let same = |(path, unit): (&Arc<str>, &Unit)| Arc::ptr_eq(path, &unit.path) || *path == unit.path;
    let same_files =
        memory.paths.len() == workspace.units.len() && memory.paths.iter().zip(&workspace.units).all(same);
    if !same_files {
        memory.tops.clear();
        memory.paths = workspace.units.iter().map(|unit| unit.path.clone()).collect();
    }
    for unit in &workspace.units {
        // Those of the settings have been read for what is inferred.
        if unit.kind != UnitKind::Top(TreeKind::States) {
            continue;
        }
        let files = top_files(workspace, unit, memory, found);
        found.extend(files.selections.iter().flat_map(|s| infer::judge_target(data, &s.target)));
        let all: Vec<usize> = files.groups.iter().flatten().copied().collect();
        selected.extend(&all);
        tops.push((!files.open).then_some(all));
        starts.extend(files.groups.iter().cloned());
    }
    for (_, target) in workspace.project.config().nodegroups.iter() {
        found.extend(target.check_facts());
        found.extend(infer::judge_target(data, target));
    }
    found.extend(data.inferred.top_findings.iter().cloned());
    found.extend(data.inferred.selections.iter().flat_map(|s| infer::judge_target(data, &s.target)));
    // Each file is applied with what it includes, whoever applies it.
    starts
        .extend(workspace.states().filter(|(i, _)| !workspace.includes[*i].is_empty()).map(|(i, _)| vec![i]));
    check_refs(workspace, found);
    check_targets(workspace, found);
    orchestration::check_orchestrations(workspace, data, selected, found);
    references::include_cycles(workspace, found);
    references::unreachable(workspace, &tops, found);
    let files = order_of_files(workspace);
    let groups = groups(workspace, starts, memory);
    order::report(
        workspace,
        files.iter().map(|(index, own)| (*index, &**own)),
        groups.iter().map(|group| &*group.order),
        found,
    );
    let mut reported = HashSet::new();
    for duplicate in groups.iter().flat_map(|group| &group.duplicates) {
        if reported.insert(duplicate.places) {
            found.push(duplicate.diagnostic.clone());
        }
    }
}

/// What a top file names. Its refs are looked up again only when its text or the files changed.
fn top_files(
    workspace: &Workspace<'_>,
    unit: &Unit,
    memory: &mut Memory,
    found: &mut Vec<Diagnostic>,
) -> Arc<TopFiles> {
    if let Some(known) = memory.tops.get(&unit.path).filter(|known| Arc::ptr_eq(&known.tree, &unit.tree)) {
        found.extend(known.found.iter().cloned());
        return known.files.clone();
    }
    let mut own = Vec::new();
    let files = Arc::new(top::check_top(workspace, unit, TreeKind::States, &mut own));
    found.extend(own.iter().cloned());
    let kept = KeptTop { tree: unit.tree.clone(), files: files.clone(), found: own.into() };
    memory.tops.insert(unit.path.clone(), kept);
    files
}

/// Files of states that are understood.
fn understood(workspace: &Workspace<'_>) -> Vec<usize> {
    workspace
        .states()
        .filter(|(_, unit)| unit.tree.opaque.is_none() && !unit.foreign)
        .map(|(index, _)| index)
        .collect()
}

/// What files include and exclude.
fn check_refs(workspace: &mut Workspace<'_>, found: &mut Vec<Diagnostic>) {
    let mut open = understood(workspace);
    open.retain(|index| !workspace.kept[*index].refs_are_right);
    let of_files = in_parallel(&open, |index| {
        let mut found = Vec::new();
        references::check_references(workspace, *index, &mut found);
        found
    });
    for (index, of_file) in open.into_iter().zip(of_files) {
        // Ids that are excluded are looked for in all files.
        let alone = workspace.units[index].summary.excluded_ids.is_empty();
        workspace.kept[index].refs_are_right = alone && of_file.is_empty();
        found.extend(of_file);
    }
}

/// What requisites and `extend` name.
fn check_targets(workspace: &mut Workspace<'_>, found: &mut Vec<Diagnostic>) {
    let mut open = understood(workspace);
    open.retain(|index| !workspace.kept[*index].targets_are_right);
    // One pass over all states pays off where many files ask.
    let targets = targets::Targets::of(workspace, open.len() > 64);
    let of_files = in_parallel(&open, |index| {
        let mut found = Vec::new();
        ids::unknown_extends(workspace, *index, &mut found);
        targets::unknown_targets(workspace, &targets, *index, &mut found);
        found
    });
    drop(targets);
    for (index, of_file) in open.into_iter().zip(of_files) {
        workspace.kept[index].targets_are_right = of_file.is_empty();
        found.extend(of_file);
    }
}

/// The order of states in each file.
fn order_of_files(workspace: &mut Workspace<'_>) -> Vec<(usize, Arc<order::OfFile>)> {
    let states: Vec<usize> = workspace.states().map(|(index, _)| index).collect();
    let of_files = in_parallel(&states, |index| {
        let known = workspace.kept[*index].order.clone();
        known.unwrap_or_else(|| Arc::new(order::OfFile::of(workspace, *index)))
    });
    let of_files: Vec<_> = states.into_iter().zip(of_files).collect();
    for (index, own) in &of_files {
        workspace.kept[*index].order = Some(own.clone());
    }
    of_files
}

/// What is wrong in each group of files that are applied together.
fn groups(workspace: &Workspace<'_>, starts: Vec<Vec<usize>>, memory: &mut Memory) -> Vec<Arc<Group>> {
    let known = std::mem::take(&mut memory.groups);
    let found: Vec<(Vec<usize>, Arc<Group>)> = in_parallel(&starts, |start| {
        let mut files = workspace.closure_of(start.clone(), true);
        if files.len() < 2 {
            return None;
        }
        files.sort_unstable();
        let summary = |file: &usize| &workspace.units[*file].summary;
        let key: Vec<usize> = files.iter().map(|file| Arc::as_ptr(summary(file)).addr()).collect();
        let group = known.get(&key).cloned().unwrap_or_else(|| {
            Arc::new(Group {
                _summaries: files.iter().map(|file| summary(file).clone()).collect(),
                order: order::of_group(workspace, &files),
                duplicates: ids::duplicates_across(workspace, &files),
            })
        });
        Some((key, group))
    })
    .into_iter()
    .flatten()
    .collect();
    let groups = found.iter().map(|(_, group)| group.clone()).collect();
    memory.groups = found.into_iter().collect();
    groups
}
