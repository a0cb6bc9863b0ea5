//! A Salt tree as a `.zy` tree: `zester migrate`.
//!
//! Files get their new names, what names them is changed with them, fixes that cannot change a meaning are applied,
//! and what is left to a person is told with its place. The author's text stays as it is everywhere else: the new
//! tree is the old one, not a translation of it, and so has the same plan.

mod kept;
mod moved;
mod references;

use crate::{
    check::{CheckError, CheckOptions, Report, Session, repair},
    diagnostic::{Applicability, apply},
    project::{CONFIG_FILE, ConfigError, OpenOptions, Project, TreeFile, TreeKind},
    source::{FileId, Overlay, Span},
    syntax::NodeKind,
    types::Registry,
};
use moved::Moved;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Why a place is left to a person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum NoteKind {
    /// A file for another renderer: a program, `stateconf`.
    Renderer,
    /// A reaction to events.
    Reactor,
    /// States that Salt's master runs.
    Orchestration,
    /// Python that Salt loads.
    Python,
    /// A message for GnuPG.
    Gpg,
    /// The name of a renamed file may be put together here.
    ComputedReference,
    /// A template uses its own file's name.
    OwnName,
    /// The new name is another file's.
    NameTaken,
}

impl NoteKind {
    /// Its name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Renderer => "renderer",
            Self::Reactor => "reactor",
            Self::Orchestration => "orchestration",
            Self::Python => "python",
            Self::Gpg => "gpg",
            Self::ComputedReference => "computed-reference",
            Self::OwnName => "own-name",
            Self::NameTaken => "name-taken",
        }
    }

    /// What all of a kind have in common.
    pub fn title(self) -> &'static str {
        match self {
            Self::Renderer => "Files for renderers that are not there",
            Self::Reactor => "Reactions to events",
            Self::Orchestration => "Orchestration",
            Self::Python => "Python that Salt loads",
            Self::Gpg => "Messages for GnuPG",
            Self::ComputedReference => "Names of renamed files that may be computed",
            Self::OwnName => "Templates that use their own file's name",
            Self::NameTaken => "Files whose new name is taken",
        }
    }

    /// What a person is to do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Renderer => {
                "write the states or settings as YAML with templates, in a file that ends in `.zy`"
            }
            Self::Reactor => "the file is kept under its name and not read; find another way to what it does",
            Self::Orchestration => {
                "the file is kept under its name and not read; write its steps as `zester.state`, `zester.function` and `zester.runner`"
            }
            Self::Python => {
                "it is not run: use functions that `zester doc` lists; facts of your own go to `facts.d`"
            }
            Self::Gpg => {
                "it stays a text here: put the plain text behind `!encrypted` and run `zester secret seal`"
            }
            Self::ComputedReference => "see whether it names a file that is called `.zy` now, and change it",
            Self::OwnName => "its value ends in `.zy` now; see whether something depends on that",
            Self::NameTaken => "merge the two files, or give one of them another name",
        }
    }
}

/// Something for a person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Note {
    /// Why.
    pub kind: NoteKind,
    /// The file's path in the new tree.
    pub file: String,
    /// Line, from 1, in the author's text.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
    /// What is there: a full sentence without its period.
    pub message: String,
}

/// A file of the new tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MigratedFile {
    /// Its path in the old project.
    pub from: String,
    /// Its path in the new one.
    pub to: String,
    /// The old and the new text, where they differ; otherwise the file is the same to the byte.
    pub change: Option<(Arc<str>, String)>,
}

/// What became of a tree.
pub struct Migration {
    /// All files, by their new paths.
    pub files: Vec<MigratedFile>,
    /// What is left to a person, by kind and place.
    pub notes: Vec<Note>,
    /// References that were changed.
    pub references: usize,
    /// Fixes that were applied.
    pub fixes: usize,
    /// The new project, for the places of the report.
    pub project: Arc<Project>,
    /// What a check of the new project finds.
    pub report: Report,
}

/// Why a tree cannot be migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A root lies outside of the project.
    #[error("`{0}` lies outside of the project; migrate it by itself")]
    Outside(String),
    /// There is nothing to do.
    #[error("there is no `.sls` file in the trees of the project")]
    Nothing,
    /// The old project cannot be checked.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The new project's configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// The extension of Salt's files, with its dot.
const OLD: &str = ".sls";
/// Ours.
const NEW: &str = ".zy";

/// A file of the old project on its way.
struct Way {
    file: TreeFile,
    kind: TreeKind,
    to: String,
}

/// Makes the new tree; nothing is written. `project` is the old one, opened so that it reads `.sls` files.
pub fn migrate(project: &Arc<Project>, registry: &Arc<Registry>) -> Result<Migration, MigrateError> {
    let mut notes = Vec::new();
    let mut ways = ways(project)?;
    rename(project, &mut ways, &mut notes);
    let renamed: references::Renamed<'_> = ways
        .iter()
        .filter(|way| way.file.path.ends_with(OLD) && way.to.ends_with(NEW))
        .map(|way| way.file.path.as_str())
        .collect();
    let (_, index) =
        Session::new().check_indexed(project, registry, &CheckOptions::default(), None, &|| false)?;
    let mut contents = BTreeMap::new();
    let mut references = 0;
    for way in &ways {
        let edits = references::edits(&index, way, &renamed, &mut notes);
        references += edits.len();
        let text = (!edits.is_empty())
            .then(|| project.read_text(&way.file.path).ok())
            .flatten()
            .map(|(_, text)| apply(&text, &edits));
        contents.insert(way.to.clone(), (way.file.path.clone(), text));
    }
    if let Some(text) = config(project) {
        contents.insert(CONFIG_FILE.to_owned(), (CONFIG_FILE.to_owned(), Some(text)));
    }
    let overlay = Arc::new(Overlay::new(Arc::new(Moved::new(project.clone(), contents.clone()))));
    let new = Arc::new(Project::open(overlay.clone(), OpenOptions::default())?);
    let repaired = repair(&new, &overlay, registry, &CheckOptions::default(), Applicability::Safe)?;
    let files = contents
        .into_iter()
        .map(|(to, (from, text))| {
            let text = repaired.texts.get(&to).cloned().or(text);
            let old = text.as_ref().and_then(|_| project.read_text(&from).ok()).map(|(_, old)| old);
            let change = old.zip(text).filter(|(old, new)| **old != **new);
            MigratedFile { from, to, change }
        })
        .collect();
    notes.sort();
    notes.dedup();
    Ok(Migration { files, notes, references, fixes: repaired.applied, project: new, report: repaired.report })
}

/// All files of the trees, under the directories they go to.
fn ways(project: &Project) -> Result<Vec<Way>, MigrateError> {
    if let Some(outside) = project.outside().first().filter(|_| configured(project)) {
        return Err(MigrateError::Outside((*outside).to_owned()));
    }
    let mut ways: BTreeMap<String, Way> = BTreeMap::new();
    let environments: Vec<String> = project.environments().map(str::to_owned).collect();
    for env in &environments {
        for (kind, directory) in [(TreeKind::States, "states"), (TreeKind::Settings, "settings")] {
            for file in project.files_below(kind, env, "") {
                // A configured layout is the author's own; elsewhere the defaults need no configuration.
                let to = if configured(project) {
                    file.path.clone()
                } else {
                    format!("{directory}/{}", file.tree_path)
                };
                ways.entry(file.path.clone()).or_insert(Way { file, kind, to });
            }
        }
    }
    if !ways.keys().any(|path| path.ends_with(OLD)) {
        return Err(MigrateError::Nothing);
    }
    Ok(ways.into_values().collect())
}

fn configured(project: &Project) -> bool {
    project.sources().is_file(CONFIG_FILE)
}

/// Gives `.sls` files their new names, but those that are no states or settings.
fn rename(project: &Project, ways: &mut [Way], notes: &mut Vec<Note>) {
    let taken: BTreeSet<String> = ways.iter().map(|way| way.to.clone()).collect();
    for way in ways {
        if let Some(note) = kept::code(way) {
            notes.push(note);
            continue;
        }
        let hidden = way.file.tree_path.split('/').any(|segment| segment.starts_with('.'));
        let Some(stem) = way.to.strip_suffix(OLD).filter(|_| !hidden) else { continue };
        let new = format!("{stem}{NEW}");
        let is_schema = way.kind == TreeKind::Settings && way.file.tree_path == "schema.sls";
        if is_schema || taken.contains(&new) {
            let message = if is_schema {
                format!("`{new}` would declare the types of settings")
            } else {
                format!("`{new}` is there already, and is what is read")
            };
            notes.push(Note { kind: NoteKind::NameTaken, file: way.to.clone(), line: 1, column: 1, message });
        } else if let Some(note) = kept::note(project, way) {
            notes.push(note);
        } else {
            way.to = new;
        }
    }
}

/// The configuration without `sls` among its extensions; `None` where it says nothing of them, or is not there.
fn config(project: &Project) -> Option<String> {
    if !configured(project) {
        return None;
    }
    let tree = project.tree(CONFIG_FILE).ok()?;
    let mut text = tree.text.to_string();
    if let Some(NodeKind::Mapping(mapping)) = tree.root.as_ref().map(|root| &root.kind)
        && let Some(entry) = mapping.entries.iter().find(|e| e.key.text().as_deref() == Some("extensions"))
    {
        text.replace_range(entry.value.span.range(), "[zy]");
    }
    Some(text)
}

/// A note at a place of the old text.
fn note_at(project: &Project, way: &Way, kind: NoteKind, span: Span, message: String) -> Note {
    let at = position(project, span.file, span.start);
    Note { kind, file: way.to.clone(), line: at.0, column: at.1, message }
}

fn position(project: &Project, file: FileId, offset: u32) -> (u32, u32) {
    let at = project.files().get(file).position(offset as usize);
    (at.line, at.column)
}
