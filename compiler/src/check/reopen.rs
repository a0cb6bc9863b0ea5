//! The next check of the same files, of which only some say something else: what the last check linked stays as it is.

use super::{
    CheckOptions,
    functions::CustomModules,
    memory::{Includes, Kept, Memory, Reading},
    summary::UseKind,
    targets,
    workspace::{Workspace, in_parallel, read_again},
};
use crate::{project::Project, syntax::Tree, types::Registry};
use std::sync::Arc;

/// The workspace of the last check with what changed since. `None`, with nothing done, where more may have changed than the
/// texts of some files: then all files are looked at again.
pub(super) fn reopen<'a>(
    project: &'a Project,
    registry: &'a Registry,
    custom: &CustomModules,
    options: &CheckOptions,
    memory: &mut Memory,
) -> Option<Workspace<'a>> {
    if !options.paths.is_empty() || !memory.has_the_files_of(project, custom) {
        return None;
    }
    let mut workspace = Workspace::of_parts(project, registry, memory.last.take()?);
    let same = |(index, kept, _): &(usize, Kept, Reading)| uses_the_same(&workspace.kept[*index], kept);
    let Some(changed) = read_changed(&workspace).filter(|changed| changed.iter().all(same)) else {
        workspace.into_memory(memory);
        return None;
    };
    take_in(&mut workspace, changed, memory);
    Some(workspace)
}

/// The files with another text, read. `None` when one is no longer readable.
fn read_changed(workspace: &Workspace<'_>) -> Option<Vec<(usize, Kept, Reading)>> {
    let trees = in_parallel(&workspace.units, |unit| workspace.project.tree(&unit.path).ok());
    let mut changed: Vec<(usize, Arc<Tree>)> = Vec::new();
    for (index, (tree, unit)) in trees.into_iter().zip(&workspace.units).enumerate() {
        let tree = tree?;
        if !Arc::ptr_eq(&tree, &unit.tree) {
            changed.push((index, tree));
        }
    }
    let read = in_parallel(&changed, |(index, tree)| read_again(workspace, *index, tree.clone()));
    Some(changed.into_iter().zip(read).map(|((index, _), (kept, reading))| (index, kept, reading)).collect())
}

/// Whether a file uses the same templates in the same way, so that all others are what they were.
fn uses_the_same(old: &Kept, new: &Kept) -> bool {
    let uses = |kept: &Kept| {
        let uses = kept.template.uses.iter();
        uses.map(|used| {
            let data = (matches!(used.kind, UseKind::Data), matches!(used.kind, UseKind::Text));
            (used.path.clone(), used.frame.clone(), used.with_context, data)
        })
        .collect::<Vec<_>>()
    };
    let sources =
        |kept: &Kept| kept.template.sources.iter().map(|s| (s.path.clone(), s.partial)).collect::<Vec<_>>();
    old.templates == new.templates && uses(old) == uses(new) && sources(old) == sources(new)
}

/// Puts what was read in the place of what was there, and links it.
fn take_in(workspace: &mut Workspace<'_>, changed: Vec<(usize, Kept, Reading)>, memory: &mut Memory) {
    let mut indices = Vec::with_capacity(changed.len());
    let mut targets_are_the_same = true;
    let mut old_includes = Vec::with_capacity(changed.len());
    for (index, mut kept, reading) in changed {
        let unit = &workspace.units[index];
        let (tree, summary) = (kept.tree.clone(), reading.summary.clone());
        targets_are_the_same &= unit.kind == reading.kind
            && targets::are_the_same((&unit.tree, &unit.summary), (&tree, &summary));
        let (foreign, kind) = (kept.foreign, reading.kind);
        kept.reading = Some(reading);
        let path = unit.path.clone();
        let (.., old) = workspace.replace(index, tree, summary, foreign, kept);
        workspace.units[index].kind = kind;
        old_includes.push(old.includes.clone());
        memory.leave(&path, &old);
        indices.push(index);
    }
    for (index, old) in indices.iter().zip(old_includes) {
        let new = workspace.relink(*index);
        targets_are_the_same &= old.is_some_and(|old| leads_to_the_same(&old, &new));
    }
    if !targets_are_the_same {
        workspace.kept.iter_mut().for_each(|kept| kept.targets_are_right = false);
    }
    memory.names = workspace.take_names();
    let names = memory.names_after(indices.iter().map(|index| &workspace.kept[*index]));
    workspace.set_names(names);
    for index in indices {
        workspace.kept[index].counted = true;
    }
}

/// Whether two files' includes lead to the same files, wherever they stand.
fn leads_to_the_same(old: &Includes, new: &Includes) -> bool {
    let refs = |of: &Includes| -> Vec<(Vec<String>, bool)> {
        of.refs.iter().map(|(paths, _, certain)| (paths.clone(), *certain)).collect()
    };
    old.open == new.open && refs(old) == refs(new)
}
