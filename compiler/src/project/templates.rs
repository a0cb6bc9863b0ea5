//! A tree's files as its templates import them.

use super::{Project, TreeKind};
use crate::{syntax::Tree, template::TemplateFiles};
use std::sync::Arc;

/// The files of one kind of tree.
pub struct ProjectTemplates {
    /// The project.
    pub project: Arc<Project>,
    /// States or settings.
    pub kind: TreeKind,
}

impl TemplateFiles for ProjectTemplates {
    fn tree(&self, env: &str, path: &str) -> Option<Arc<Tree>> {
        let file = self.project.find(self.kind, env, path)?;
        self.project.tree(&file.path).ok()
    }

    fn paths(&self, env: &str) -> Vec<String> {
        self.project.files_below(self.kind, env, "").into_iter().map(|f| f.tree_path).collect()
    }
}
