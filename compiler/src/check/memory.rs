//! What a session keeps of each file between checks, and for how long it is true.

use super::{
    FastHash,
    allow::Allows,
    fold::Constants,
    functions::CustomModules,
    library,
    order::OfFile,
    selection::Selection,
    summary::Summary,
    together::Groups,
    top::TopFiles,
    unused::SettingsRead,
    view::Noted,
    whole,
    workspace::{Parts, UnitKind},
};
use crate::{
    diagnostic::Diagnostic,
    project::{Project, TreeFile},
    source::Span,
    syntax::Tree,
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

/// What is known of all files of the last check, by path. A file is read again only when its own text changed; what
/// was found in it is found again only when something changed that was looked at.
#[derive(Default)]
pub struct Memory {
    /// By project path.
    pub files: HashMap<Arc<str>, Kept, FastHash>,
    /// Which files there were.
    pub selection: Option<Selection>,
    /// The project's list of files that `templates`, `includes` and `sources_of` were looked up in.
    pub generation: Option<u64>,
    /// The site's own modules; names of functions depend on them.
    pub custom: CustomModules,
    /// How many files give each name to others; only once it was asked for.
    pub names: Option<HashMap<String, usize>>,
    /// What facts and settings there were, with the texts that they were read from.
    pub data: Option<Arc<crate::infer::Seen>>,
    /// What was found in files that are applied together.
    pub groups: Groups,
    /// What top files of states name, by path. Depends on the list of files.
    pub tops: HashMap<Arc<str>, KeptTop>,
    /// The files of the last check: their numbers, in `tops`, mean these.
    pub paths: Vec<Arc<str>>,
    /// Names that files of the last check gave and no longer give.
    pub gone: Vec<Arc<HashSet<String>>>,
    /// Whether some file could not be read.
    pub unreadable: bool,
    /// The files of the last check as it left them; `files` and `names` are empty meanwhile.
    pub last: Option<Parts>,
    /// The types of facts and settings that it had.
    pub types: Option<Arc<crate::infer::Data>>,
    /// What was found in files that were read again since the last check that came to its end.
    pub replaced: HashMap<Arc<str>, Arc<[Diagnostic]>>,
}

impl Memory {
    /// Whether the last check had all files of a project as it is now, with the same modules of the site.
    pub fn has_the_files_of(&self, project: &Project, custom: &CustomModules) -> bool {
        let generation = project.generation();
        let Some(selection) = &self.selection else { return false };
        generation.is_some()
            && selection.generation == generation
            && !self.unreadable
            && self.custom == selection.with_opaque(custom)
    }

    /// Notes what a file said until now: what was found in it, and the names it gave.
    pub fn leave(&mut self, path: &Arc<str>, old: &Kept) {
        if let Some(local) = &old.local {
            self.replaced.entry(path.clone()).or_insert_with(|| local.found.clone());
        }
        if old.counted {
            self.gone.push(old.names().clone());
        }
    }

    /// Takes the last check's files apart for the next one.
    pub fn unpack(&mut self) {
        if let Some(parts) = self.last.take() {
            let (files, names) = parts.into_files();
            self.files.extend(files);
            self.names = names;
        }
    }

    /// Forgets what is no longer true under a new list of files and new modules of the site.
    pub fn begin(&mut self, generation: Option<u64>, custom: &CustomModules) {
        if generation.is_none() || self.generation != generation {
            for kept in self.files.values_mut() {
                kept.templates = None;
                kept.includes = None;
                kept.refs_are_right = false;
                if kept.local.as_ref().is_some_and(|local| local.noted.listing) {
                    kept.local = None;
                }
            }
            self.tops.clear();
            self.generation = generation;
        }
        if self.custom != *custom {
            for kept in self.files.values_mut() {
                kept.reading = None;
                kept.local = None;
            }
            // What their functions give is in the types of settings.
            self.data = None;
            self.custom.clone_from(custom);
        }
    }

    /// The counts of names with the files of this check; `None` where nobody has asked for any yet. What is left in
    /// memory is of files that are gone.
    pub fn names_after<'k>(
        &mut self,
        current: impl Iterator<Item = &'k Kept>,
    ) -> Option<HashMap<String, usize>> {
        let left = std::mem::take(&mut self.files);
        let mut gone = std::mem::take(&mut self.gone);
        let mut names = self.names.take()?;
        gone.extend(left.values().filter(|kept| kept.counted).map(|kept| kept.names().clone()));
        for name in gone.iter().flat_map(|names| names.iter()) {
            if let Some(count) = names.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    names.remove(name);
                }
            }
        }
        // What was read for the first time has not been counted.
        for name in current.filter(|kept| !kept.counted).flat_map(|kept| kept.names().iter()) {
            *names.entry(name.clone()).or_default() += 1;
        }
        Some(names)
    }
}

/// How many files give each name.
pub fn count_names(files: &[Kept]) -> HashMap<String, usize> {
    let mut names = HashMap::new();
    for name in files.iter().flat_map(|kept| kept.names().iter()) {
        *names.entry(name.clone()).or_default() += 1;
    }
    names
}

/// What a top file names, and what is wrong with it.
pub struct KeptTop {
    /// What it says.
    pub tree: Arc<Tree>,
    /// What it names.
    pub files: Arc<TopFiles>,
    /// The findings.
    pub found: Arc<[Diagnostic]>,
}

/// What is known of one file.
pub struct Kept {
    /// Its tree; everything else here was read off it.
    pub tree: Arc<Tree>,
    /// The names with a known value.
    pub constants: Arc<Constants>,
    /// What it is as a template alone.
    pub template: Arc<Summary>,
    /// For each template it uses, the file. Depends on the list of files.
    pub templates: Option<Arc<[Option<TreeFile>]>>,
    /// What it was read as.
    pub reading: Option<Reading>,
    /// Files that its includes name. Depends on the list of files.
    pub includes: Option<Arc<Includes>>,
    /// Its findings.
    pub local: Option<Local>,
    /// That there is nothing wrong with its refs. Depends on the list of files.
    pub refs_are_right: bool,
    /// That everything its requisites and `extend` name is there. Depends on what other files have, and on what all include.
    pub targets_are_right: bool,
    /// What is wrong with the order of its states.
    pub order: Option<Arc<OfFile>>,
    /// Whether its first line names another renderer.
    pub foreign: bool,
    /// Its allow comments, with what is wrong with them.
    pub allows: Arc<(Allows, Vec<Diagnostic>)>,
    names: OnceLock<Arc<HashSet<String>>>,
    settings_read: OnceLock<SettingsRead>,
    /// Whether its names are among the counted ones.
    pub counted: bool,
}

/// How other files use a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Used {
    /// None does.
    No,
    /// As data alone.
    Data,
    /// As a template.
    Template,
}

/// What a file was read as, given how others use it.
#[derive(Clone)]
pub struct Reading {
    /// How other files use it.
    pub used: Used,
    /// The kind.
    pub kind: UnitKind,
    /// Its summary as that kind.
    pub summary: Arc<Summary>,
}

/// The files that a file's includes name.
pub struct Includes {
    /// For each ref: paths, the ref's place, and whether it holds on every peel.
    pub refs: Vec<(Vec<String>, Span, bool)>,
    /// Whether it may include more.
    pub open: bool,
}

/// What was found in one file.
#[derive(Clone)]
pub struct Local {
    /// What it was read as.
    pub kind: UnitKind,
    /// Whether others use it as a template, and whether it then sees their variables.
    pub used: Option<bool>,
    /// What the rules looked at outside of the file.
    pub noted: Arc<Noted>,
    /// The findings.
    pub found: Arc<[Diagnostic]>,
}

impl Kept {
    /// Reads what the text alone decides.
    pub fn of(tree: Arc<Tree>, tree_path: &str) -> Self {
        let constants = Constants::of(&tree, tree_path);
        let template = Summary::of_template(&tree, &constants);
        let mut wrong = Vec::new();
        let allows = Allows::of(tree.file, &tree.text, &mut wrong);
        Self {
            constants: Arc::new(constants),
            template: Arc::new(template),
            templates: None,
            reading: None,
            includes: None,
            local: None,
            refs_are_right: false,
            targets_are_right: false,
            order: None,
            foreign: whole::foreign_renderer(tree.file, &tree.text).is_some(),
            allows: Arc::new((allows, wrong)),
            names: OnceLock::new(),
            settings_read: OnceLock::new(),
            counted: false,
            tree,
        }
    }

    /// The settings that it reads.
    pub fn settings_read(&self) -> &SettingsRead {
        self.settings_read.get_or_init(|| SettingsRead::of(&self.tree))
    }

    /// Every name it gives to other files.
    pub fn names(&self) -> &Arc<HashSet<String>> {
        self.names.get_or_init(|| {
            let mut names = HashSet::new();
            library::names_of(&self.tree, &mut names);
            Arc::new(names)
        })
    }
}
