//! The project as the last check saw it, for questions across files.

use super::{Mention, settings::SettingsTree, symbols::FileSymbols};
use crate::{
    check::{
        fold::Constants,
        functions::CustomModules,
        summary::Summary,
        workspace::{UnitKind, Workspace},
    },
    infer::{Data, Given},
    project::{Project, TreeKind},
    source::Span,
    syntax::Tree,
    types::{FunctionKind, FunctionName, Registry},
};
use compact_str::CompactString;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
};

/// A file of an [`Index`].
pub struct IndexedFile {
    /// Path relative to the project's root.
    pub path: String,
    /// Where it stands, and what it is.
    pub context: Context,
    /// What it says.
    pub tree: Arc<Tree>,
    pub(crate) summary: Arc<Summary>,
    mentions: OnceLock<Vec<Mention>>,
    pub(super) symbols: OnceLock<FileSymbols>,
}

/// Where a file stands in the project's trees, and what it is read as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Context {
    /// Path relative to the project's root.
    pub path: String,
    /// States or settings.
    pub tree_kind: TreeKind,
    /// The environment of its tree.
    pub env: String,
    /// Path in its tree.
    pub tree_path: String,
    /// What it is read as.
    pub kind: UnitKind,
}

/// All files of a project with what they mean to each other.
pub struct Index {
    /// The project.
    pub project: Arc<Project>,
    /// The functions.
    pub registry: Arc<Registry>,
    pub(super) files: Vec<Arc<IndexedFile>>,
    by_path: HashMap<String, usize>,
    /// For each file, what it includes.
    pub(super) includes: Vec<Vec<usize>>,
    /// For each file, those that include it. Worked out when first asked for.
    pub(super) includers: OnceLock<Vec<Vec<usize>>>,
    settings: OnceLock<Arc<SettingsTree>>,
    usage: OnceLock<Usage>,
    /// What states give to the templates that they render, by path. Worked out when first asked for.
    pub(super) given: Mutex<HashMap<String, Arc<Given>>>,
    /// Facts and settings as types; nothing where nothing was checked.
    pub(super) data: Option<Arc<Data>>,
    /// The site's own modules.
    pub(super) custom: CustomModules,
}

/// How often a project uses what can be written.
#[derive(Clone, Default)]
pub struct Usage {
    /// State functions.
    pub functions: HashMap<FunctionName, u32>,
    /// Parameters of state functions.
    pub parameters: HashMap<FunctionName, HashMap<CompactString, u32>>,
    /// Values of parameters, where literal.
    pub values: HashMap<CompactString, HashMap<CompactString, u32>>,
}

/// Longest value that is counted, in bytes.
const MAX_COUNTED: usize = 120;

impl Usage {
    /// Adds a file's uses, or takes them away.
    fn count(&mut self, summary: &Summary, add: bool) {
        let change = |count: &mut u32| *count = if add { *count + 1 } else { count.saturating_sub(1) };
        for function in summary.states.iter().chain(&summary.extends).flat_map(|s| &s.functions) {
            let Some(name) = &function.name else { continue };
            change(self.functions.entry(name.clone()).or_default());
            let parameters = self.parameters.entry(name.clone()).or_default();
            for argument in &function.arguments {
                change(parameters.entry(argument.name.clone()).or_default());
                let values = self.values.entry(argument.name.clone()).or_default();
                for text in argument.values.iter().filter_map(|(value, _)| value.text()) {
                    if text.len() <= MAX_COUNTED {
                        change(values.entry(text.into()).or_default());
                    }
                }
            }
        }
    }
}

impl Index {
    /// An index without files.
    pub fn empty(project: Arc<Project>, registry: Arc<Registry>) -> Self {
        Self {
            project,
            registry,
            files: Vec::new(),
            by_path: HashMap::new(),
            includes: Vec::new(),
            includers: OnceLock::new(),
            settings: OnceLock::new(),
            usage: OnceLock::new(),
            given: Mutex::default(),
            data: None,
            custom: CustomModules::default(),
        }
    }

    /// What a workspace knows. What `previous` worked out for a file is kept where its text is the same.
    pub(crate) fn of(
        project: Arc<Project>,
        registry: Arc<Registry>,
        workspace: &Workspace<'_>,
        data: Arc<Data>,
        previous: Option<&Index>,
    ) -> Self {
        let mut settings_are_the_same = true;
        let (mut gone, mut fresh): (Vec<Arc<Summary>>, Vec<Arc<Summary>>) = (Vec::new(), Vec::new());
        let files: Vec<Arc<IndexedFile>> = workspace
            .units
            .iter()
            .map(|unit| {
                let known = previous.and_then(|index| index.file(&unit.path)).filter(|file| {
                    Arc::ptr_eq(&file.tree, &unit.tree) && Arc::ptr_eq(&file.summary, &unit.summary)
                });
                if let Some(file) = known {
                    return file.clone();
                }
                settings_are_the_same &= unit.kind != UnitKind::Settings;
                gone.extend(
                    previous.and_then(|index| index.file(&unit.path)).map(|file| file.summary.clone()),
                );
                fresh.push(unit.summary.clone());
                Arc::new(IndexedFile {
                    path: unit.path.to_string(),
                    context: Context {
                        path: unit.path.to_string(),
                        tree_kind: unit.tree_kind,
                        env: unit.env.to_string(),
                        tree_path: unit.tree_path.to_string(),
                        kind: unit.kind,
                    },
                    tree: unit.tree.clone(),
                    summary: unit.summary.clone(),
                    mentions: OnceLock::new(),
                    symbols: OnceLock::new(),
                })
            })
            .collect();
        if let Some(previous) = previous {
            let now: std::collections::HashSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
            let left = previous.files.iter().filter(|f| !now.contains(f.path.as_str()));
            gone.extend(left.map(|f| f.summary.clone()));
        }
        let by_path = files.iter().enumerate().map(|(at, file)| (file.path.clone(), at)).collect();
        let includes = workspace.includes.iter().map(|edges| edges.iter().map(|e| e.to).collect()).collect();
        let settings = OnceLock::new();
        let usage = OnceLock::new();
        if let Some(known) = previous.and_then(|previous| previous.usage.get()) {
            let mut known = known.clone();
            for summary in &gone {
                known.count(summary, false);
            }
            for summary in &fresh {
                known.count(summary, true);
            }
            let _ = usage.set(known);
        }
        if let Some(previous) = previous
            && settings_are_the_same
            && previous.files.len() == files.len()
            && let Some(known) = previous.settings.get()
        {
            let _ = settings.set(known.clone());
        }
        let custom = workspace.custom.clone();
        let registry = if custom.is_empty() { registry } else { Arc::new(workspace.registry.clone()) };
        Self {
            project,
            registry,
            files,
            by_path,
            includes,
            includers: OnceLock::new(),
            settings,
            usage,
            given: Mutex::default(),
            data: Some(data),
            custom,
        }
    }

    /// All files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = &Arc<IndexedFile>> {
        self.files.iter()
    }

    /// The file of a path.
    pub fn file(&self, path: &str) -> Option<&Arc<IndexedFile>> {
        self.files.get(*self.by_path.get(path)?)
    }

    /// The number of a file among all.
    pub(super) fn number(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// The file of a number.
    pub(super) fn numbered(&self, number: usize) -> Option<&IndexedFile> {
        self.files.get(number).map(|file| &**file)
    }

    /// What a path is: as the check read it, else as its place and name say.
    pub fn context(&self, path: &str) -> Context {
        if let Some(file) = self.file(path) {
            return file.context.clone();
        }
        let located = self.project.locate(path).map(|(kind, env, inner)| (kind, env.to_owned(), inner));
        let (tree_kind, env, tree_path) =
            located.unwrap_or((TreeKind::States, "base".to_owned(), path.to_owned()));
        let name = tree_path.rsplit('/').next().unwrap_or_default();
        let extension = name.rsplit_once('.').map_or("", |(_, e)| e);
        let kind = if !matches!(extension, "zy" | "sls") {
            UnitKind::Template
        } else if tree_path.strip_suffix(extension) == Some("top.") {
            UnitKind::Top(tree_kind)
        } else if tree_kind == TreeKind::Settings && tree_path == format!("schema.{extension}") {
            UnitKind::Schema
        } else if tree_kind == TreeKind::Settings {
            UnitKind::Settings
        } else {
            UnitKind::States
        };
        Context { path: path.to_owned(), tree_kind, env, tree_path, kind }
    }

    /// Where settings are defined, in all settings files.
    pub fn settings(&self) -> &SettingsTree {
        self.settings.get_or_init(|| {
            let mut tree = SettingsTree::default();
            for file in self.files.iter().filter(|f| f.context.kind == UnitKind::Settings) {
                tree.add(&file.tree);
            }
            Arc::new(tree)
        })
    }

    /// Where a custom module has a function, or a parameter of it: the file's path and the place.
    pub fn custom_place(
        &self,
        kind: FunctionKind,
        function: &FunctionName,
        param: Option<&str>,
    ) -> Option<(String, Span)> {
        let FunctionName { module, function } = function;
        if !self.registry.is_custom(kind, module, function) {
            return None;
        }
        let span = self.custom.place(kind, module, function, param)?;
        Some((self.project.files().get(span.file).path.to_string(), span))
    }

    /// What the project uses, and how often.
    pub fn usage(&self) -> &Usage {
        self.usage.get_or_init(|| {
            let mut usage = Usage::default();
            self.files.iter().for_each(|file| usage.count(&file.summary, true));
            usage
        })
    }

    /// Paths of the files that a file includes.
    pub fn includes(&self, path: &str) -> impl Iterator<Item = &Arc<IndexedFile>> {
        let found = self.by_path.get(path).and_then(|at| self.includes.get(*at));
        found.into_iter().flatten().filter_map(|to| self.files.get(*to))
    }

    /// Everything a file of the index names, in the order of the text. Worked out when first asked for.
    pub fn mentions<'i>(&self, file: &'i IndexedFile) -> &'i [Mention] {
        file.mentions.get_or_init(|| super::mention::mentions(self, &file.context, &file.tree))
    }

    /// Everything a tree that is newer than the index names.
    pub fn mentions_of(&self, context: &Context, tree: &Tree) -> Vec<Mention> {
        super::mention::mentions(self, context, tree)
    }

    pub(super) fn constants(context: &Context, tree: &Tree) -> Constants {
        Constants::of(tree, &context.tree_path)
    }
}
