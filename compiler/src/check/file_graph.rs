//! How the files of a project hang together: what top files select, what files include, import and read.

use super::{
    CheckError, CheckOptions,
    memory::Memory,
    summary::UseKind,
    top,
    workspace::{UnitKind, Workspace},
};
use crate::{ir::Picture, modules::CustomModules, project::Project, types::Registry};
use std::collections::BTreeSet;

/// The files of a project as a picture. With paths, only those files and what they reach.
pub fn file_graph(
    project: &Project,
    registry: &Registry,
    options: &CheckOptions,
) -> Result<Picture, CheckError> {
    let mut memory = Memory::default();
    let custom = CustomModules::read(project);
    let registry = custom.add_to(registry);
    let (workspace, _) = Workspace::open(project, &registry, &custom, options, &mut memory)?;
    let mut arrows: BTreeSet<(usize, usize, &'static str)> = BTreeSet::new();
    for (index, unit) in workspace.units.iter().enumerate() {
        if let UnitKind::Top(kind) = unit.kind {
            let files = top::check_top(&workspace, unit, kind, &mut Vec::new());
            arrows.extend(files.groups.into_iter().flatten().map(|to| (index, to, "selects")));
        }
        for edge in &workspace.includes[index] {
            arrows.insert((index, edge.to, if edge.certain { "includes" } else { "may include" }));
        }
        for (used, file) in unit.summary.uses.iter().zip(workspace.templates(index)) {
            let word = match used.kind {
                UseKind::Include(_) => "includes the text of",
                UseKind::Data | UseKind::Text => "reads",
                _ => "imports",
            };
            let to = file.as_ref().and_then(|file| workspace.by_path.get(file.path.as_str()));
            arrows.extend(to.map(|to| (index, *to, word)));
        }
    }
    // Given files, and all that they lead to.
    let mut kept: BTreeSet<usize> = (0..workspace.units.len()).collect();
    if !options.paths.is_empty() {
        let mut pending: Vec<usize> = kept.iter().copied().filter(|i| workspace.units[*i].wanted).collect();
        kept = BTreeSet::new();
        while let Some(index) = pending.pop() {
            if kept.insert(index) {
                pending.extend(arrows.iter().filter(|(from, ..)| *from == index).map(|(_, to, _)| *to));
            }
        }
    }
    let kept: Vec<usize> = kept.into_iter().collect();
    let place = |index: usize| kept.binary_search(&index).ok();
    Ok(Picture {
        boxes: kept.iter().map(|index| workspace.units[*index].path.to_string()).collect(),
        arrows: arrows
            .into_iter()
            .filter_map(|(from, to, word)| Some((place(from)?, place(to)?, word)))
            .collect(),
    })
}
