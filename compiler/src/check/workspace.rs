//! All files of a check with their summaries, and how they hang together.

use super::{
    CheckError, CheckOptions, FastHash,
    functions::CustomModules,
    glance::Replaced,
    memory::{Includes, Kept, Memory, Reading, Used},
    reopen::reopen,
    selection::{Candidate, Selection},
    summary::{FunctionDecl, StateDecl, Summary, UseKind},
};
use crate::{
    project::{Project, Reference, TreeFile, TreeKind},
    settings::SCHEMA_FILE,
    source::Span,
    syntax::{self, BodyKind, Tree, template::BlockKind},
    types::{FunctionKind, Registry},
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// What a file is read as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnitKind {
    /// States.
    States,
    /// Settings.
    Settings,
    /// `schema.zy` of the settings.
    Schema,
    /// `top.zy` of a tree.
    Top(TreeKind),
    /// A template: macros, maps, text that others include.
    Template,
    /// A state file by its name that holds data: only its syntax is looked at.
    Data,
}

/// A file of the check.
pub struct Unit {
    /// Path relative to the project's root.
    pub path: Arc<str>,
    /// Its tree: states or settings.
    pub tree_kind: TreeKind,
    /// Environment of its tree.
    pub env: Arc<str>,
    /// Path in its tree.
    pub tree_path: Arc<str>,
    /// What it is read as.
    pub kind: UnitKind,
    /// What it says.
    pub tree: Arc<Tree>,
    /// What it means to the others.
    pub summary: Arc<Summary>,
    /// Whether its own findings are wanted, or it is only there for the others.
    pub wanted: bool,
    /// Whether its first line names another renderer, whose words nobody here understands.
    pub foreign: bool,
}

/// An include with the file it names.
pub struct IncludeEdge {
    /// The file: index into the units.
    pub to: usize,
    /// Where the ref stands.
    pub span: Span,
    /// Whether it holds on every peel.
    pub certain: bool,
}

/// All files of a check.
pub struct Workspace<'a> {
    /// The project.
    pub project: &'a Project,
    /// The functions.
    pub registry: &'a Registry,
    /// The files, sorted by path.
    pub units: Vec<Unit>,
    /// Index of each path.
    pub by_path: HashMap<Arc<str>, usize, FastHash>,
    /// For each file, what it includes.
    pub includes: Vec<Vec<IncludeEdge>>,
    /// For each file, whether it may include more than is known.
    pub includes_open: Vec<bool>,
    /// Modules the project brings itself: exec and state functions.
    pub custom: CustomModules,
    /// Files that others include as text or import, by path, with or without their context.
    pub used_as_template: HashMap<String, bool, FastHash>,
    /// What is known of each file; some of it for the next check.
    pub kept: Vec<Kept>,
    names: OnceLock<HashMap<String, usize>>,
}

/// A workspace without what it borrows.
pub struct Parts {
    units: Vec<Unit>,
    by_path: HashMap<Arc<str>, usize, FastHash>,
    includes: Vec<Vec<IncludeEdge>>,
    includes_open: Vec<bool>,
    custom: CustomModules,
    used_as_template: HashMap<String, bool, FastHash>,
    kept: Vec<Kept>,
    names: Option<HashMap<String, usize>>,
}

impl Parts {
    /// What is known of each file, by path, and the counts of names.
    pub fn into_files(self) -> (impl Iterator<Item = (Arc<str>, Kept)>, Option<HashMap<String, usize>>) {
        (self.units.into_iter().map(|unit| unit.path).zip(self.kept), self.names)
    }
}

/// A file that could not be read, with the system's words.
pub struct Unreadable {
    /// Its path.
    pub path: String,
    /// Why.
    pub reason: String,
}

impl Unit {
    /// Whether it is a settings file whose structure is understood.
    pub fn is_settings(&self) -> bool {
        self.kind == UnitKind::Settings && self.tree.opaque.is_none() && !self.foreign
    }
}

impl<'a> Workspace<'a> {
    /// Reads the files of a check; what `memory` has of them is taken from it.
    pub fn open(
        project: &'a Project,
        registry: &'a Registry,
        custom: &CustomModules,
        options: &CheckOptions,
        memory: &mut Memory,
    ) -> Result<(Self, Vec<Unreadable>), CheckError> {
        if let Some(workspace) = reopen(project, registry, custom, options, memory) {
            return Ok((workspace, Vec::new()));
        }
        memory.unpack();
        let generation = project.generation();
        let known = memory.selection.take().filter(|known| {
            generation.is_some() && known.generation == generation && options.paths.is_empty()
        });
        let Selection { candidates, opaque, .. } = match known {
            Some(known) => known,
            None => Selection::of(project, options)?,
        };
        let custom = custom.with_opaque(&opaque);
        memory.begin(generation, &custom);
        if options.paths.is_empty() {
            memory.selection = Some(Selection { generation, candidates: candidates.clone(), opaque });
        }
        let mut unreadable = Vec::new();
        let mut parsed: Vec<(Candidate, Kept)> = Vec::with_capacity(candidates.len());
        let mut seen: HashSet<Arc<str>, FastHash> = candidates.iter().map(|c| c.path.clone()).collect();
        let mut pending = candidates;
        let mut used_as_template: HashMap<String, bool, FastHash> = HashMap::default();
        // Those of them that are more than data to somebody.
        let mut templates: HashSet<String, FastHash> = HashSet::default();
        let mut frames: BTreeSet<(String, String)> = BTreeSet::new();
        // What the files reach as templates comes in rounds: each round's files name the next one's.
        while !pending.is_empty() {
            let read = read_round(project, std::mem::take(&mut pending), memory);
            for (candidate, kept) in read {
                let kept = match kept {
                    Ok(kept) => kept,
                    // Among files that are rendered, those with NUL characters are copied as they are.
                    Err(_)
                        if used_as_template.contains_key(&*candidate.path)
                            && project.read(&candidate.path).is_ok_and(|bytes| bytes.contains(&0)) =>
                    {
                        continue;
                    }
                    Err(reason) => {
                        unreadable.push(Unreadable { path: candidate.path.to_string(), reason });
                        continue;
                    }
                };
                for (used, file) in kept.template.uses.iter().zip(kept.templates.iter().flat_map(|t| &**t)) {
                    if used.path.is_none() && used.frame.0.len() + used.frame.1.len() > 1 {
                        frames.insert(used.frame.clone());
                    }
                    let Some(file) = file else { continue };
                    match used_as_template.get_mut(&file.path) {
                        Some(context) => *context |= used.with_context,
                        None => drop(used_as_template.insert(file.path.clone(), used.with_context)),
                    }
                    if !matches!(used.kind, UseKind::Data) {
                        templates.insert(file.path.clone());
                    }
                    if !matches!(used.kind, UseKind::Text) && !seen.contains(&*file.path) {
                        seen.insert(file.path.as_str().into());
                        pending.push(Candidate {
                            path: file.path.as_str().into(),
                            tree_kind: TreeKind::States,
                            env: candidate.env.clone(),
                            tree_path: file.tree_path.as_str().into(),
                            wanted: candidate.wanted,
                        });
                    }
                }
                for file in kept.template.sources.iter().flat_map(|s| s.files(project, &candidate.env)) {
                    // Whoever renders it gives it variables.
                    templates.insert(file.path.clone());
                    used_as_template.insert(file.path.clone(), true);
                    if !seen.contains(&*file.path) {
                        seen.insert(file.path.as_str().into());
                        pending.push(Candidate {
                            path: file.path.into(),
                            tree_kind: TreeKind::States,
                            env: candidate.env.clone(),
                            tree_path: file.tree_path.into(),
                            wanted: candidate.wanted,
                        });
                    }
                }
                parsed.push((candidate, kept));
            }
        }
        memory.unreadable = !unreadable.is_empty();
        let names = memory.names_after(parsed.iter().map(|(_, kept)| kept));
        parsed.sort_by(|a, b| a.0.path.cmp(&b.0.path));
        let readings = in_parallel(&parsed, |(candidate, kept)| {
            let framed = frames.iter().any(|(start, end)| {
                candidate.tree_path.starts_with(start.trim_start_matches("./"))
                    && candidate.tree_path.ends_with(end.as_str())
                    && !end.is_empty()
            });
            let used = match used_as_template.contains_key(&*candidate.path) {
                _ if framed || templates.contains(&*candidate.path) => Used::Template,
                true => Used::Data,
                false => Used::No,
            };
            match &kept.reading {
                Some(reading) if reading.used == used => reading.clone(),
                _ => read_as(project, registry, &custom, candidate, kept, used),
            }
        });
        let mut units: Vec<Unit> = Vec::with_capacity(parsed.len());
        let mut kept_all: Vec<Kept> = Vec::with_capacity(parsed.len());
        for ((candidate, mut kept), reading) in parsed.into_iter().zip(readings) {
            let Candidate { path, tree_kind, env, tree_path, wanted } = candidate;
            if kept.reading.as_ref().is_none_or(|r| !Arc::ptr_eq(&r.summary, &reading.summary)) {
                kept.includes = None;
                kept.local = None;
                kept.refs_are_right = false;
                kept.order = None;
            }
            kept.targets_are_right = false;
            let Reading { kind, ref summary, .. } = reading;
            let (tree, summary) = (kept.tree.clone(), summary.clone());
            let foreign = kept.foreign;
            units.push(Unit { path, tree_kind, env, tree_path, kind, tree, summary, wanted, foreign });
            kept.reading = Some(reading);
            kept_all.push(kept);
        }
        let by_path: HashMap<Arc<str>, usize, FastHash> =
            units.iter().enumerate().map(|(index, unit)| (unit.path.clone(), index)).collect();
        let mut workspace = Self {
            project,
            registry,
            units,
            by_path,
            includes: Vec::new(),
            includes_open: Vec::new(),
            custom,
            used_as_template,
            kept: kept_all,
            names: OnceLock::new(),
        };
        workspace.set_names(names);
        workspace.link();
        workspace.narrow(options);
        Ok((workspace, unreadable))
    }

    /// Gives back what is worth keeping.
    pub fn into_memory(mut self, memory: &mut Memory) {
        let counted = self.names.get().is_some();
        self.kept.iter_mut().for_each(|kept| kept.counted = counted);
        memory.names = self.names.into_inner();
        memory.last = Some(Parts {
            units: self.units,
            by_path: self.by_path,
            includes: self.includes,
            includes_open: self.includes_open,
            custom: self.custom,
            used_as_template: self.used_as_template,
            kept: self.kept,
            names: memory.names.take(),
        });
    }

    /// The workspace that [`Self::into_memory`] gave away.
    pub fn of_parts(project: &'a Project, registry: &'a Registry, parts: Parts) -> Self {
        Self {
            project,
            registry,
            units: parts.units,
            by_path: parts.by_path,
            includes: parts.includes,
            includes_open: parts.includes_open,
            custom: parts.custom,
            used_as_template: parts.used_as_template,
            kept: parts.kept,
            names: parts.names.map_or_else(OnceLock::new, OnceLock::from),
        }
    }

    /// Replaces what a file says, and gives what it said before.
    pub(super) fn replace(
        &mut self,
        index: usize,
        tree: Arc<Tree>,
        summary: Arc<Summary>,
        foreign: bool,
        kept: Kept,
    ) -> Replaced {
        let unit = &mut self.units[index];
        (
            std::mem::replace(&mut unit.tree, tree),
            std::mem::replace(&mut unit.summary, summary),
            std::mem::replace(&mut unit.foreign, foreign),
            std::mem::replace(&mut self.kept[index], kept),
        )
    }

    /// For each template that a file uses, the file it names.
    pub fn templates(&self, index: usize) -> &[Option<TreeFile>] {
        self.kept[index].templates.as_deref().unwrap_or_default()
    }

    /// Whether some file of the project binds a name, for itself or for others.
    pub fn binds(&self, name: &str) -> bool {
        let names = self.names.get_or_init(|| super::memory::count_names(&self.kept));
        names.contains_key(name)
    }

    /// The counts of names, where somebody has asked for them.
    pub(super) fn take_names(&mut self) -> Option<HashMap<String, usize>> {
        self.names.take()
    }

    /// Puts counts of names in.
    pub(super) fn set_names(&mut self, names: Option<HashMap<String, usize>>) {
        self.names = names.map_or_else(OnceLock::new, OnceLock::from);
    }

    fn link(&mut self) {
        // Refs are looked up on the disk.
        let indices: Vec<usize> = (0..self.units.len()).collect();
        let linked = in_parallel(&indices, |index| match &self.kept[*index].includes {
            Some(includes) => includes.clone(),
            None => Arc::new(self.includes_of(&self.units[*index])),
        });
        for (index, includes) in linked.into_iter().enumerate() {
            let (edges, open) = self.edges_of(&includes);
            self.includes.push(edges);
            self.includes_open.push(open);
            self.kept[index].includes = Some(includes);
        }
    }

    /// Looks up again what one file includes.
    pub(super) fn relink(&mut self, index: usize) -> Arc<Includes> {
        let includes = Arc::new(self.includes_of(&self.units[index]));
        (self.includes[index], self.includes_open[index]) = self.edges_of(&includes);
        self.kept[index].includes = Some(includes.clone());
        includes
    }

    /// The files behind a file's includes, and whether there may be more.
    fn edges_of(&self, includes: &Includes) -> (Vec<IncludeEdge>, bool) {
        let mut edges = Vec::new();
        let mut open = includes.open;
        for (paths, span, certain) in &includes.refs {
            let before = edges.len();
            let found = paths.iter().filter_map(|path| self.by_path.get(path.as_str()));
            edges.extend(found.map(|to| IncludeEdge { to: *to, span: *span, certain: *certain }));
            open |= edges.len() == before;
        }
        (edges, open)
    }

    /// Whether a file may include, or have, more than is known, apart from what the macros write that it calls.
    pub fn is_open_beyond_calls(&self, index: usize) -> bool {
        let unit = &self.units[index];
        if unit.summary.open_beyond_calls {
            return true;
        }
        let mut includes = self.includes_of(unit);
        // Calls alone have opened it, unless a ref is computed: those are left out.
        includes.open &= unit.summary.includes_open || includes.refs.len() < unit.summary.includes.len();
        self.edges_of(&includes).1
    }

    /// What a file has from the macros that it calls; `None` where that is not known.
    pub fn states_of_calls(&self, index: usize) -> Option<Vec<Summary>> {
        let unit = &self.units[index];
        let mut found = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        for call in unit.summary.calls.iter().filter(|call| seen.insert(call.as_str())) {
            if let Some(macros) = macro_of(&unit.tree, call) {
                // What its own macros write is among its states.
                is_plain_body(&unit.tree, macros).then_some(())?;
                continue;
            }
            let (nth, name) =
                unit.summary.uses.iter().enumerate().find_map(|(nth, used)| match &used.kind {
                    UseKind::From(names) => {
                        names.iter().find(|(.., here)| here == call).map(|(there, ..)| (nth, there.as_str()))
                    }
                    _ => None,
                })?;
            let file = self.templates(index).get(nth)?.as_ref()?;
            let library = *self.by_path.get(file.path.as_str())?;
            let tree = &self.units[library].tree;
            let block = macro_of(tree, name).filter(|block| is_plain_body(tree, *block))?;
            let is_function = |module: &str, function: &str| {
                is_state_function(self.registry, &self.custom, module, function)
            };
            let mut summary =
                Summary::of_parts(tree, &self.kept[library].constants, self.registry, &is_function);
            summary.states.retain(|state| state.body == Some(block));
            found.push(summary);
        }
        Some(found)
    }

    fn includes_of(&self, unit: &Unit) -> Includes {
        let mut refs = Vec::new();
        let mut open = unit.summary.includes_open || unit.summary.open.is_some();
        for include in &unit.summary.includes {
            let env = match &include.env {
                None => Some(&*unit.env),
                Some(env) => env.as_deref(),
            };
            let (Some(reference), Some(env)) = (include.name.text(), env) else {
                open = true;
                continue;
            };
            let found = self.resolve_paths(unit.tree_kind, env, reference, &unit.tree_path);
            refs.push((found, include.span, include.branch.is_empty()));
        }
        Includes { refs, open }
    }

    /// The files a ref names, seen from a file of the tree; none when it names no file.
    pub fn resolve(&self, kind: TreeKind, env: &str, reference: &str, from: &str) -> Vec<usize> {
        let paths = self.resolve_paths(kind, env, reference, from);
        paths.iter().filter_map(|path| self.by_path.get(path.as_str()).copied()).collect()
    }

    fn resolve_paths(&self, kind: TreeKind, env: &str, reference: &str, from: &str) -> Vec<String> {
        let paths = |found: Vec<Reference>| found.into_iter().map(|f| f.file.path).collect();
        if let Ok(found) = self.project.resolve_all(kind, env, reference, Some(from)) {
            return paths(found);
        }
        if self.project.config().states.is_some() || reference.starts_with('.') {
            return Vec::new();
        }
        // Nobody said where the tree's root is. When the ref is right seen from a directory above the file, that
        // directory is the real root, and the ref is not wrong.
        let mut dir = from;
        while let Some((above, _)) = dir.rsplit_once('/') {
            dir = above;
            let below = format!("{}.{reference}", dir.replace('/', "."));
            if let Ok(found) = self.project.resolve_all(kind, env, &below, None) {
                return paths(found);
            }
        }
        Vec::new()
    }

    /// Whether a path of the state tree is a file (or, for sources, a directory).
    pub fn source_exists(&self, env: &str, path: &str, from: &str) -> bool {
        let there = |path: &str| {
            self.project.find(TreeKind::States, env, path).is_some()
                || self.project.is_dir(TreeKind::States, env, path)
        };
        if there(path) {
            return true;
        }
        if self.project.config().states.is_some() {
            return false;
        }
        let mut dir = from;
        while let Some((above, _)) = dir.rsplit_once('/') {
            dir = above;
            if there(&format!("{dir}/{path}")) {
                return true;
            }
        }
        false
    }

    /// All files reached from one through includes, itself first. Only those that hold on every peel when `certain`.
    pub fn closure(&self, start: usize, certain: bool) -> Vec<usize> {
        self.closure_of(vec![start], certain)
    }

    /// As [`Self::closure`], from several files; each file once.
    pub fn closure_of(&self, starts: Vec<usize>, certain: bool) -> Vec<usize> {
        let mut seen: HashSet<usize, FastHash> = HashSet::default();
        let mut found = starts;
        found.retain(|start| seen.insert(*start));
        let mut next = 0;
        while let Some(at) = found.get(next).copied() {
            next += 1;
            for edge in &self.includes[at] {
                if (edge.certain || !certain) && seen.insert(edge.to) {
                    found.push(edge.to);
                }
            }
        }
        found
    }

    /// Keeps the findings of given paths, and of what they reach, only.
    fn narrow(&mut self, options: &CheckOptions) {
        if options.paths.is_empty() {
            return;
        }
        let wanted: Vec<usize> = (0..self.units.len()).filter(|i| self.units[*i].wanted).collect();
        for index in self.closure_of(wanted, false) {
            self.units[index].wanted = true;
        }
    }

    /// Whether some file extends a state, or may, so that it reaches one of its functions.
    pub fn is_extended(&self, state: &StateDecl, function: &FunctionDecl) -> bool {
        self.states().flat_map(|(_, u)| &u.summary.extends).any(|extend| {
            extend.id.text().is_none_or(|id| state.id.matches(id))
                || function.names.iter().any(|(n, _)| extend.id.text().is_some_and(|id| n.matches(id)))
        })
    }

    /// Whether a file is of a Salt tree that is read as it is. Its master may serve further roots, so a ref or source
    /// that is not here may be there.
    pub fn is_foreign(&self, unit: &Unit) -> bool {
        is_salt(&unit.tree_path)
    }

    /// Files of states.
    pub fn states(&self) -> impl Iterator<Item = (usize, &Unit)> {
        self.units.iter().enumerate().filter(|(_, u)| u.kind == UnitKind::States)
    }
}

/// Reads some files, those that changed in parallel. The error is the system's words.
fn read_round(
    project: &Project,
    candidates: Vec<Candidate>,
    memory: &mut Memory,
) -> Vec<(Candidate, Result<Kept, String>)> {
    let known: Vec<(Candidate, Option<Kept>)> = candidates
        .into_iter()
        .map(|candidate| {
            let kept = memory.files.remove(&candidate.path);
            (candidate, kept)
        })
        .collect();
    let read = in_parallel(&known, |(candidate, kept)| {
        let tree = project.tree(&candidate.path).map_err(|error| error.to_string())?;
        let same = kept.as_ref().is_some_and(|kept| Arc::ptr_eq(&kept.tree, &tree));
        let fresh = (!same).then(|| Kept::of(tree, &candidate.tree_path));
        let templates = match kept.as_ref().filter(|_| same).and_then(|kept| kept.templates.clone()) {
            Some(templates) => templates,
            None => {
                let summary = fresh.as_ref().or(kept.as_ref()).map(|kept| kept.template.clone());
                let uses = summary.iter().flat_map(|summary| summary.uses.iter());
                let file = |path: &String| find_template(project, &candidate.env, path, &candidate.tree_path);
                uses.map(|used| used.path.as_ref().and_then(file)).collect()
            }
        };
        Ok((fresh, templates))
    });
    let mut merged = Vec::with_capacity(known.len());
    for ((candidate, old), read) in known.into_iter().zip(read) {
        let (current, previous) = match read {
            Ok((Some(fresh), templates)) => (Ok((fresh, templates)), old),
            Ok((None, templates)) => match old {
                Some(same) => (Ok((same, templates)), None),
                None => continue,
            },
            Err(error) => (Err(error), old),
        };
        if let Some(previous) = &previous {
            memory.leave(&candidate.path, previous);
        }
        let kept = current.map(|(mut kept, templates)| {
            kept.templates = Some(templates);
            kept
        });
        merged.push((candidate, kept));
    }
    merged
}

/// Reads the new text of a file that is used as it was.
pub(super) fn read_again(workspace: &Workspace<'_>, index: usize, tree: Arc<Tree>) -> (Kept, Reading) {
    let (unit, project) = (&workspace.units[index], workspace.project);
    let mut kept = Kept::of(tree, &unit.tree_path);
    let file = |path: &String| find_template(project, &unit.env, path, &unit.tree_path);
    let uses = kept.template.uses.iter();
    kept.templates = Some(uses.map(|used| used.path.as_ref().and_then(file)).collect());
    let candidate = Candidate {
        path: unit.path.clone(),
        tree_kind: unit.tree_kind,
        env: unit.env.clone(),
        tree_path: unit.tree_path.clone(),
        wanted: unit.wanted,
    };
    let used = workspace.kept[index].reading.as_ref().map_or(Used::No, |reading| reading.used);
    let reading = read_as(project, workspace.registry, &workspace.custom, &candidate, &kept, used);
    (kept, reading)
}

/// What a file is, given how others use it.
fn read_as(
    project: &Project,
    registry: &Registry,
    custom: &CustomModules,
    candidate: &Candidate,
    kept: &Kept,
    used: Used,
) -> Reading {
    let is_function = |module: &str, function: &str| is_state_function(registry, custom, module, function);
    let tree = &kept.tree;
    let kind = kind_of(project, candidate, used, tree);
    let as_template = |kind| Reading { used, kind, summary: kept.template.clone() };
    if kind != UnitKind::States {
        return as_template(kind);
    }
    let summary = Summary::of(tree, &kept.template, &kept.constants, registry, &is_function);
    // A used file that has no states of its own is text for others; one far from looking like states is data that
    // lies in the state tree.
    if used != Used::No && !summary.looks_like_states {
        return as_template(UnitKind::Template);
    }
    let path = &candidate.tree_path;
    // Pillar files include each other too; in one of Salt's trees they may lie among the states.
    let is_pillar = is_salt(path) && summary.looks_like_data;
    if is_pillar || (!summary.looks_like_states && (holds_data(path, tree) || is_salt(path))) {
        return as_template(UnitKind::Data);
    }
    Reading { used, kind, summary: Arc::new(summary) }
}

fn is_state_function(registry: &Registry, custom: &CustomModules, module: &str, function: &str) -> bool {
    registry.get(FunctionKind::State, module, function).is_some()
        || registry.exists_elsewhere(FunctionKind::State, module, function)
        || custom.contains(module)
}

/// The block of the macro of a name: index into the template's blocks.
fn macro_of(tree: &Tree, wanted: &str) -> Option<usize> {
    tree.template
        .blocks
        .iter()
        .position(|block| matches!(&block.kind, BlockKind::Macro { name, .. } if name.0 == wanted))
}

/// Whether a macro writes states, all of which are known.
fn is_plain_body(tree: &Tree, block: usize) -> bool {
    let body = tree.bodies.iter().find(|body| body.block == block && body.kind == BodyKind::States);
    let root = body.and_then(|body| body.root.as_ref()).and_then(syntax::Node::as_mapping);
    tree.opaque.is_none() && root.is_some_and(|root| root.splices.is_empty())
}

/// Whether a path names a file of Salt's.
fn is_salt(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| extension == "sls")
}

/// The file that an import, include or `import_yaml` names.
pub fn find_template(project: &Project, env: &str, path: &str, from: &str) -> Option<TreeFile> {
    let path = path.strip_prefix("zester://").or_else(|| path.strip_prefix("salt://")).unwrap_or(path);
    let dir = from.rsplit_once('/').map_or("", |(dir, _)| dir);
    let joined = if path.starts_with("./") || path.starts_with("../") {
        format!("{dir}/{path}")
    } else {
        path.to_owned()
    };
    let mut segments: Vec<&str> = Vec::new();
    for segment in joined.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            segment => segments.push(segment),
        }
    }
    let plain = segments.join("/");
    for kind in [TreeKind::States, TreeKind::Settings] {
        if let Some(file) = project.find(kind, env, &plain) {
            return Some(file);
        }
    }
    if project.config().states.is_some() {
        return None;
    }
    let mut above = from;
    while let Some((dir, _)) = above.rsplit_once('/') {
        above = dir;
        if let Some(file) = project.find(TreeKind::States, env, &format!("{dir}/{plain}")) {
            return Some(file);
        }
    }
    None
}

fn kind_of(project: &Project, candidate: &Candidate, used: Used, tree: &Tree) -> UnitKind {
    let extension = candidate.tree_path.rsplit_once('.').map_or("", |(_, e)| e);
    let is_state_file =
        project.extensions().iter().any(|e| e == extension) || extension == "zy" || extension == "sls";
    if used == Used::Data && matches!(extension, "yaml" | "yml") {
        return UnitKind::Data;
    }
    if !is_state_file || candidate.tree_path.split('/').any(|s| s.starts_with('_')) {
        return UnitKind::Template;
    }
    let stem = candidate.tree_path.strip_suffix(extension).unwrap_or("").trim_end_matches('.');
    if stem == "top" {
        return UnitKind::Top(candidate.tree_kind);
    }
    if candidate.tree_kind == TreeKind::Settings {
        return match &*candidate.tree_path {
            SCHEMA_FILE => UnitKind::Schema,
            _ => UnitKind::Settings,
        };
    }
    // A library of macros has no document of its own.
    if used != Used::No && tree.root.is_none() { UnitKind::Template } else { UnitKind::States }
}

/// Directories of a state tree whose files are data by custom.
fn holds_data(tree_path: &str, tree: &Tree) -> bool {
    let by_name = tree_path.split('/').rev().skip(1).any(|dir| {
        let dir = dir.to_ascii_lowercase();
        dir.contains("pillar")
            || dir.contains("settings")
            || matches!(dir.as_str(), "data" | "vars" | "test" | "tests")
    });
    // At the top of a bare folder, only names say what is a state; a map of maps and scalars is data.
    by_name || tree.root.is_none() || tree_path.contains("top.")
}

/// Maps a function over items on a few threads, keeping their order.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    const MIN_ITEMS: usize = 16;
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
    if items.len() < MIN_ITEMS || threads == 1 {
        return items.iter().map(work).collect();
    }
    // Small enough that no thread waits long for the last one, large enough that taking one costs nothing.
    let chunk = (items.len() / (threads * 32)).max(1);
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let start = next.fetch_add(chunk, Ordering::Relaxed);
            let end = items.len().min(start.saturating_add(chunk));
            let Some(items) = items.get(start..end).filter(|items| !items.is_empty()) else { return done };
            done.push((start, items.iter().map(&work).collect::<Vec<R>>()));
        }
    };
    let mut parts: Vec<(usize, Vec<R>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let joined =
            workers.into_iter().map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.flatten().collect()
    });
    parts.sort_by_key(|(start, _)| *start);
    let mut all = Vec::with_capacity(items.len());
    for (_, part) in parts {
        all.extend(part);
    }
    all
}
