//! What the rules on one file see: the file, and the project through questions that are noted.
//!
//! A session keeps the findings of a file for as long as the noted answers stay the same, so a rule on one file must
//! learn whatever it wants to know about others here. (`tests/tests/language/sessions.rs` holds sessions against fresh checks.)

use super::{
    functions::CustomModules,
    sources::Source,
    summary::{FunctionDecl, StateDecl, TemplateUse},
    workspace::{Unit, Workspace},
};
use crate::{
    project::{TreeFile, TreeKind},
    source::FileId,
    types::Registry,
};
use std::cell::RefCell;

/// One file and its way to the others.
pub struct View<'w> {
    workspace: &'w Workspace<'w>,
    index: usize,
    noted: RefCell<Noted>,
}

/// What was asked.
#[derive(Clone, Default, Debug)]
pub struct Noted {
    /// Other files that were looked at, by path, with the text they had; `None` for one that is not there.
    pub files: Vec<(String, Option<FileId>)>,
    /// Which files there are.
    pub listing: bool,
    /// The types of facts and settings.
    pub data: bool,
    /// Names, and whether any file binds them.
    pub names: Vec<(String, bool)>,
    /// Everything: the findings are not kept.
    pub everything: bool,
}

impl Noted {
    /// Whether the answers would be the same again. A new list of files has been dealt with before.
    pub fn holds(&self, workspace: &Workspace<'_>) -> bool {
        let same = |(path, text): &(String, Option<FileId>)| {
            workspace.by_path.get(path.as_str()).map(|index| workspace.units[*index].tree.file) == *text
        };
        !self.everything
            && self.files.iter().all(same)
            && self.names.iter().all(|(name, bound)| workspace.binds(name) == *bound)
    }
}

impl<'w> View<'w> {
    /// The view from a file.
    pub fn new(workspace: &'w Workspace<'w>, index: usize) -> Self {
        Self { workspace, index, noted: RefCell::default() }
    }

    /// What was asked so far.
    pub fn into_noted(self) -> Noted {
        self.noted.into_inner()
    }

    /// The file.
    pub fn unit(&self) -> &'w Unit {
        &self.workspace.units[self.index]
    }

    /// The file's index among the workspace's.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Notes that the findings depend on what facts and settings there are.
    pub fn note_data(&self) {
        self.noted.borrow_mut().data = true;
    }

    /// The functions.
    pub fn registry(&self) -> &'w Registry {
        self.workspace.registry
    }

    /// The site's own modules.
    pub fn custom(&self) -> &'w CustomModules {
        &self.workspace.custom
    }

    /// Whether other files use this one as a template.
    pub fn is_used(&self) -> bool {
        self.workspace.used_as_template.contains_key(&*self.unit().path)
    }

    /// Whether it sees the variables of files that use it.
    pub fn sees_others(&self) -> bool {
        self.workspace.used_as_template.get(&*self.unit().path).copied().unwrap_or(false)
    }

    /// Whether the file is of a Salt tree that is read as it is.
    pub fn is_foreign(&self) -> bool {
        self.workspace.is_foreign(self.unit())
    }

    /// The templates that the file uses, each with the file it names.
    pub fn uses(&self) -> impl Iterator<Item = (&'w TemplateUse, Option<&'w TreeFile>)> {
        self.noted.borrow_mut().listing = true;
        let files = self.workspace.templates(self.index);
        self.unit().summary.uses.iter().zip(files.iter().map(Option::as_ref))
    }

    /// The file at a project path.
    pub fn other(&self, path: &str) -> Option<&'w Unit> {
        let found = self.workspace.by_path.get(path).map(|index| &self.workspace.units[*index]);
        self.noted.borrow_mut().files.push((path.to_owned(), found.map(|unit| unit.tree.file)));
        found
    }

    /// All files.
    pub fn everything(&self) -> &'w [Unit] {
        self.noted.borrow_mut().everything = true;
        &self.workspace.units
    }

    /// Whether any file of the project binds a name, for itself or for others.
    pub fn binds(&self, name: &str) -> bool {
        let bound = self.workspace.binds(name);
        self.noted.borrow_mut().names.push((name.to_owned(), bound));
        bound
    }

    /// Whether a path of the state tree is a file or a directory.
    pub fn source_exists(&self, path: &str) -> bool {
        self.noted.borrow_mut().listing = true;
        let unit = self.unit();
        self.workspace.source_exists(&unit.env, path, &unit.tree_path)
    }

    /// The files that a state renders.
    pub fn rendered(&self, source: &Source) -> Vec<&'w Unit> {
        self.noted.borrow_mut().listing = true;
        let files = source.files(self.workspace.project, &self.unit().env);
        files.into_iter().filter_map(|file| self.other(&file.path)).collect()
    }

    /// Tree paths of all files below a directory of the state tree.
    pub fn files_below(&self, dir: &str) -> Vec<String> {
        self.noted.borrow_mut().listing = true;
        let files = self.workspace.project.files_below(TreeKind::States, &self.unit().env, dir);
        files.into_iter().map(|file| file.tree_path).collect()
    }

    /// Whether some file extends a state in a way that may reach one of its functions.
    pub fn is_extended(&self, state: &StateDecl, function: &FunctionDecl) -> bool {
        if function.arguments.iter().any(|a| a.name == "use") {
            return true;
        }
        self.noted.borrow_mut().everything = true;
        self.workspace.is_extended(state, function)
    }
}
