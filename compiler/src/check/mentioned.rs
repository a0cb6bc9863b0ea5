//! What the templates of a whole project can read of a peel's facts.

use super::{CheckOptions, memory::Memory, summary::TemplateUse, workspace::Workspace};
use crate::{fleet::Mentions, project::Project, types::Registry};

/// What the templates of a project can read of a peel's facts.
pub fn mentions(project: &Project, registry: &Registry, options: &CheckOptions) -> Mentions {
    let mut mentions = Mentions::default();
    let mut memory = Memory::default();
    let Ok((workspace, unreadable)) = Workspace::open(project, registry, options, &mut memory) else {
        return Mentions::everything();
    };
    if !unreadable.is_empty() {
        return Mentions::everything();
    }
    for unit in &workspace.units {
        // A template whose path is not known at all may be any file.
        let unknown = |u: &TemplateUse| u.path.is_none() && u.frame.0.is_empty() && u.frame.1.is_empty();
        if unit.summary.uses.iter().any(unknown) {
            return Mentions::everything();
        }
        mentions.add(&unit.tree);
    }
    mentions
}
