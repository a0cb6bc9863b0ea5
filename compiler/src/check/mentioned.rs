//! What templates can read of a peel's facts, file by file.

use super::{
    CheckOptions,
    memory::Memory,
    summary::{TemplateUse, UseKind},
    workspace::{UnitKind, Workspace},
};
use crate::{
    fleet::Mentions,
    modules::CustomModules,
    project::{Project, TreeKind},
    types::Registry,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// What the templates of a project can read of a peel's facts.
#[derive(Default)]
pub struct Mentioned {
    /// Those of the settings.
    pub settings: Mentions,
    /// Those of the states.
    pub states: Mentions,
    /// Files of the states by path, each with all that it imports and includes as text. A file that is not here can
    /// read anything.
    pub files: HashMap<Arc<str>, Mentions>,
}

impl Mentioned {
    fn everything() -> Self {
        Self { settings: Mentions::everything(), states: Mentions::everything(), files: HashMap::new() }
    }
}

/// Reads off a project what its templates mention.
pub fn mentioned(project: &Project, registry: &Registry) -> Mentioned {
    let mut memory = Memory::default();
    let options = CheckOptions::default();
    let custom = CustomModules::read(project);
    let registry = custom.add_to(registry);
    let Ok((workspace, unreadable)) = Workspace::open(project, &registry, &custom, &options, &mut memory)
    else {
        return Mentioned::everything();
    };
    if !unreadable.is_empty() {
        return Mentioned::everything();
    }
    let mut found = Mentioned::default();
    let mut own = Vec::with_capacity(workspace.units.len());
    for unit in &workspace.units {
        // A template whose path is not known at all may be any file.
        let unknown = |u: &TemplateUse| u.path.is_none() && u.frame.0.is_empty() && u.frame.1.is_empty();
        if unit.summary.uses.iter().any(unknown) {
            return Mentioned::everything();
        }
        let mut mentions = Mentions::default();
        mentions.add(&unit.tree);
        let side = match unit.tree_kind {
            TreeKind::States => &mut found.states,
            TreeKind::Settings => &mut found.settings,
        };
        side.merge(&mentions);
        own.push(mentions);
    }
    let by_path: HashMap<&str, usize> =
        workspace.units.iter().enumerate().map(|(index, unit)| (&*unit.path, index)).collect();
    for (index, unit) in workspace.units.iter().enumerate() {
        let rendered = matches!(unit.kind, UnitKind::States | UnitKind::Top(_));
        if rendered
            && unit.tree_kind == TreeKind::States
            && let Some(mentions) = with_used(index, &workspace, &by_path, &own)
        {
            found.files.insert(unit.path.clone(), mentions);
        }
    }
    found
}

/// What a file and all that it uses mention; `None` where some of that is not known.
fn with_used(
    index: usize,
    workspace: &Workspace<'_>,
    by_path: &HashMap<&str, usize>,
    own: &[Mentions],
) -> Option<Mentions> {
    let mut mentions = Mentions::default();
    let mut seen = HashSet::from([index]);
    let mut pending = vec![index];
    while let Some(unit) = pending.pop() {
        mentions.merge(&own[unit]);
        let uses = &workspace.units[unit].summary.uses;
        let files = workspace.templates(unit);
        if uses.len() != files.len() {
            return None;
        }
        for (used, file) in uses.iter().zip(files) {
            // A file of data says the same to every peel.
            if matches!(used.kind, UseKind::Data | UseKind::Text) && used.path.is_some() {
                continue;
            }
            let used = *by_path.get(file.as_ref()?.path.as_str())?;
            if seen.insert(used) {
                pending.push(used);
            }
        }
    }
    Some(mentions)
}
