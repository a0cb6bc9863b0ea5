//! What types hang on besides a file's own text: the other files, the functions, the nodegroups.
//!
//! A check has it from its workspace; an editor from the last check, with the text that is being typed laid over it.

use crate::{
    check::{
        summary::Summary,
        workspace::{UnitKind, Workspace},
    },
    syntax::Tree,
    target::Nodegroups,
    types::Registry,
};

/// A file as types see it.
#[derive(Clone, Copy)]
pub struct SeenFile<'f> {
    /// Path relative to the project's root.
    pub path: &'f str,
    /// Path in its tree.
    pub tree_path: &'f str,
    /// What it is read as.
    pub kind: UnitKind,
    /// What it says.
    pub tree: &'f Tree,
    /// What it means to the others.
    pub summary: &'f Summary,
}

/// The files of a project, by number, and what all of them see.
pub trait Around: Sync {
    /// A file.
    fn file(&self, index: usize) -> Option<SeenFile<'_>>;
    /// The file that the n-th use of a template in a file names.
    fn template(&self, index: usize, nth: usize) -> Option<usize>;
    /// Whether other files use a file as a template.
    fn is_used(&self, path: &str) -> bool;
    /// Whether a module of functions is the site's own.
    fn is_custom(&self, module: &str) -> bool;
    /// The functions.
    fn registry(&self) -> &Registry;
    /// The named targets.
    fn nodegroups(&self) -> &Nodegroups;
}

impl Around for Workspace<'_> {
    fn file(&self, index: usize) -> Option<SeenFile<'_>> {
        let unit = self.units.get(index)?;
        Some(SeenFile {
            path: &unit.path,
            tree_path: &unit.tree_path,
            kind: unit.kind,
            tree: &unit.tree,
            summary: &unit.summary,
        })
    }

    fn template(&self, index: usize, nth: usize) -> Option<usize> {
        let file = self.templates(index).get(nth)?.as_ref()?;
        self.by_path.get(file.path.as_str()).copied()
    }

    fn is_used(&self, path: &str) -> bool {
        self.used_as_template.contains_key(path)
    }

    fn is_custom(&self, module: &str) -> bool {
        self.custom.contains(module)
    }

    fn registry(&self) -> &Registry {
        self.registry
    }

    fn nodegroups(&self) -> &Nodegroups {
        &self.project.config().nodegroups
    }
}
