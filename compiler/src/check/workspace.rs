//! All files of a check with their summaries, and how they hang together.

use super::{
    CheckError, CheckOptions,
    fold::Constants,
    functions::CustomModules,
    summary::{FunctionDecl, Summary, UseKind},
};
use crate::{
    diagnostic::nearest,
    project::{Project, TreeKind},
    source::Span,
    syntax::Tree,
    types::{FunctionKind, Registry},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc,
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
    pub path: String,
    /// Its tree: states or settings.
    pub tree_kind: TreeKind,
    /// Environment of its tree.
    pub env: String,
    /// Path in its tree.
    pub tree_path: String,
    /// What it is read as.
    pub kind: UnitKind,
    /// What it says.
    pub tree: Arc<Tree>,
    /// What it means to the others.
    pub summary: Summary,
    /// Whether its own findings are wanted, or it is only there for the others.
    pub wanted: bool,
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
    pub by_path: HashMap<String, usize>,
    /// For each file, what it includes.
    pub includes: Vec<Vec<IncludeEdge>>,
    /// For each file, whether it may include more than is known.
    pub includes_open: Vec<bool>,
    /// Modules the project brings itself: exec and state functions.
    pub custom: CustomModules,
    /// Files that others include as text or import, by path, with or without their context.
    pub used_as_template: HashMap<String, bool>,
}

/// A file that could not be read, with the system's words.
pub struct Unreadable {
    /// Its path.
    pub path: String,
    /// Why.
    pub reason: String,
}

struct Candidate {
    path: String,
    tree_kind: TreeKind,
    env: String,
    tree_path: String,
    wanted: bool,
}

impl<'a> Workspace<'a> {
    /// Reads the files of a check.
    pub fn open(
        project: &'a Project,
        registry: &'a Registry,
        options: &CheckOptions,
    ) -> Result<(Self, Vec<Unreadable>), CheckError> {
        let (candidates, custom) = select(project, options)?;
        let mut unreadable = Vec::new();
        let mut parsed: Vec<(Candidate, Arc<Tree>, Constants)> = Vec::new();
        let mut seen: HashSet<String> = candidates.iter().map(|c| c.path.clone()).collect();
        let mut pending = candidates;
        let mut used_as_template: HashMap<String, bool> = HashMap::new();
        let mut frames: Vec<(String, String)> = Vec::new();
        // What the files reach as templates comes in rounds: each round's files name the next one's.
        while !pending.is_empty() {
            let trees = in_parallel(&pending, |c| project.tree(&c.path));
            let mut next = Vec::new();
            for (candidate, tree) in std::mem::take(&mut pending).into_iter().zip(trees) {
                let tree = match tree {
                    Ok(tree) => tree,
                    Err(error) => {
                        unreadable.push(Unreadable { path: candidate.path, reason: error.to_string() });
                        continue;
                    }
                };
                let constants = Constants::of(&tree, &candidate.tree_path);
                for used in &Summary::of_template(&tree, &constants).uses {
                    let context = used.with_context;
                    let Some(path) = &used.path else {
                        if used.frame.0.len() + used.frame.1.len() > 1 {
                            frames.push(used.frame.clone());
                        }
                        continue;
                    };
                    let Some(file) = find_template(project, &candidate.env, path, &candidate.tree_path)
                    else {
                        continue;
                    };
                    *used_as_template.entry(file.path.clone()).or_default() |= context;
                    if !matches!(used.kind, UseKind::Data) && seen.insert(file.path.clone()) {
                        next.push(Candidate {
                            path: file.path,
                            tree_kind: TreeKind::States,
                            env: candidate.env.clone(),
                            tree_path: file.tree_path,
                            wanted: candidate.wanted,
                        });
                    }
                }
                parsed.push((candidate, tree, constants));
            }
            pending = next;
        }
        let is_function = |module: &str, function: &str| {
            registry.get(FunctionKind::State, module, function).is_some()
                || registry.exists_elsewhere(FunctionKind::State, module, function)
                || custom.contains(module)
        };
        parsed.sort_by(|a, b| a.0.path.cmp(&b.0.path));
        let mut units: Vec<Unit> = Vec::with_capacity(parsed.len());
        let summaries = in_parallel(&parsed, |(candidate, tree, constants)| {
            let framed = frames.iter().any(|(start, end)| {
                candidate.tree_path.starts_with(start.trim_start_matches("./"))
                    && candidate.tree_path.ends_with(end.as_str())
                    && !end.is_empty()
            });
            let used = used_as_template.contains_key(&candidate.path) || framed;
            let kind = kind_of(project, candidate, used, tree);
            match kind {
                UnitKind::States => {
                    let summary = Summary::of(tree, constants, registry, &is_function);
                    // A used file that has no states of its own is text for others; one far from looking like
                    // states is data that lies in the state tree.
                    let kind = if used && !summary.looks_like_states {
                        UnitKind::Template
                    } else if !summary.looks_like_states
                        && (holds_data(&candidate.tree_path, tree) || is_salt(&candidate.tree_path))
                    {
                        UnitKind::Data
                    } else {
                        kind
                    };
                    if kind == UnitKind::States {
                        (kind, summary)
                    } else {
                        (kind, Summary::of_template(tree, constants))
                    }
                }
                _ => (kind, Summary::of_template(tree, constants)),
            }
        });
        for ((candidate, tree, _), (kind, summary)) in parsed.into_iter().zip(summaries) {
            let Candidate { path, tree_kind, env, tree_path, wanted } = candidate;
            units.push(Unit { path, tree_kind, env, tree_path, kind, tree, summary, wanted });
        }
        let by_path: HashMap<String, usize> =
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
        };
        workspace.link();
        workspace.narrow(options);
        Ok((workspace, unreadable))
    }

    fn link(&mut self) {
        for unit in &self.units {
            let mut edges = Vec::new();
            let mut open = unit.summary.includes_open;
            for include in &unit.summary.includes {
                let env = match &include.env {
                    None => Some(unit.env.as_str()),
                    Some(env) => env.as_deref(),
                };
                let (Some(reference), Some(env)) = (include.name.text(), env) else {
                    open = true;
                    continue;
                };
                let found = self.resolve(unit.tree_kind, env, reference, &unit.tree_path);
                open |= found.is_empty();
                edges.extend(found.into_iter().map(|to| IncludeEdge {
                    to,
                    span: include.span,
                    certain: include.branch.is_empty(),
                }));
            }
            self.includes.push(edges);
            self.includes_open.push(open || unit.summary.open.is_some());
        }
    }

    /// The files a ref names, seen from a file of the tree; none when it names no file.
    pub fn resolve(&self, kind: TreeKind, env: &str, reference: &str, from: &str) -> Vec<usize> {
        if let Ok(found) = self.project.resolve_all(kind, env, reference, Some(from)) {
            return found.iter().filter_map(|f| self.by_path.get(&f.file.path).copied()).collect();
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
                return found.iter().filter_map(|f| self.by_path.get(&f.file.path).copied()).collect();
            }
        }
        Vec::new()
    }

    /// The file a template's path names, seen from a file of the tree.
    pub fn template(&self, unit: &Unit, path: &str) -> Option<usize> {
        let file = find_template(self.project, &unit.env, path, &unit.tree_path)?;
        self.by_path.get(&file.path).copied()
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
        let mut found = vec![start];
        let mut seen = HashSet::from([start]);
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
        let wanted: Vec<usize> = (0..self.units.len())
            .filter(|i| self.units[*i].wanted)
            .flat_map(|i| self.closure(i, false))
            .collect();
        for index in wanted {
            self.units[index].wanted = true;
        }
    }

    /// Whether some file extends the state that a function belongs to, or may.
    pub fn is_extended(&self, function: &FunctionDecl) -> bool {
        self.states().flat_map(|(_, u)| &u.summary.extends).any(|extend| {
            self.states()
                .flat_map(|(_, u)| &u.summary.states)
                .filter(|s| s.functions.iter().any(|f| std::ptr::eq(f, function)))
                .any(|s| {
                    extend.id.text().is_none_or(|id| s.id.matches(id))
                        || function
                            .names
                            .iter()
                            .any(|(n, _)| extend.id.text().is_some_and(|id| n.matches(id)))
                })
        }) || function.arguments.iter().any(|a| a.name == "use")
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

/// Whether a path names a file of Salt's.
fn is_salt(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| extension == "sls")
}

/// The file that an import, include or `import_yaml` names.
pub fn find_template(
    project: &Project,
    env: &str,
    path: &str,
    from: &str,
) -> Option<crate::project::TreeFile> {
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

fn kind_of(project: &Project, candidate: &Candidate, used: bool, tree: &Tree) -> UnitKind {
    let extension = candidate.tree_path.rsplit_once('.').map_or("", |(_, e)| e);
    let is_state_file =
        project.extensions().iter().any(|e| e == extension) || extension == "zy" || extension == "sls";
    if !is_state_file || candidate.tree_path.split('/').any(|s| s.starts_with('_')) {
        return UnitKind::Template;
    }
    let stem = candidate.tree_path.strip_suffix(extension).unwrap_or("").trim_end_matches('.');
    if stem == "top" {
        return UnitKind::Top(candidate.tree_kind);
    }
    if candidate.tree_kind == TreeKind::Settings {
        return UnitKind::Settings;
    }
    // A library of macros has no document of its own.
    if used && tree.root.is_none() { UnitKind::Template } else { UnitKind::States }
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

fn select(project: &Project, options: &CheckOptions) -> Result<(Vec<Candidate>, CustomModules), CheckError> {
    let mut candidates: BTreeMap<String, Candidate> = BTreeMap::new();
    let mut custom = CustomModules::new();
    let environments: Vec<String> = project.environments().map(str::to_owned).collect();
    for env in &environments {
        for kind in [TreeKind::States, TreeKind::Settings] {
            for file in project.sources_of(kind, env) {
                candidates.entry(file.path.clone()).or_insert_with(|| Candidate {
                    path: file.path,
                    tree_kind: kind,
                    env: env.clone(),
                    tree_path: file.tree_path,
                    wanted: true,
                });
            }
        }
        for file in project.files_below(TreeKind::States, env, "") {
            note_custom_module(&file.tree_path, &mut custom);
        }
    }
    if !options.paths.is_empty() {
        restrict(project, options, &mut candidates)?;
    }
    Ok((candidates.into_values().collect(), custom))
}

fn restrict(
    project: &Project,
    options: &CheckOptions,
    candidates: &mut BTreeMap<String, Candidate>,
) -> Result<(), CheckError> {
    for candidate in candidates.values_mut() {
        candidate.wanted = false;
    }
    for given in &options.paths {
        let path = given.trim_start_matches("./").trim_end_matches('/');
        let below = if path.is_empty() || path == "." { String::new() } else { format!("{path}/") };
        let mut found = false;
        for candidate in candidates.values_mut() {
            if candidate.path == path || candidate.path.starts_with(&below) {
                candidate.wanted = true;
                found = true;
            }
        }
        if project.sources().is_file(path) && !candidates.contains_key(path) {
            // A file that the configuration does not take for a state file, named by the author.
            let (tree_kind, env, tree_path) = project
                .locate(path)
                .map_or((TreeKind::States, "base".to_owned(), path.to_owned()), |(k, e, t)| {
                    (k, e.to_owned(), t)
                });
            let candidate = Candidate { path: path.to_owned(), tree_kind, env, tree_path, wanted: true };
            candidates.insert(path.to_owned(), candidate);
            found = true;
        }
        if !found && !project.sources().is_dir(path) {
            let nearest = nearest(path, candidates.keys().map(String::as_str)).map(str::to_owned);
            return Err(CheckError::NoSuchPath { path: given.clone(), nearest });
        }
    }
    Ok(())
}

/// `_modules/x.star`, `_states/x.py`, `_modules/x/…`: the module `x` is the site's own.
fn note_custom_module(tree_path: &str, custom: &mut CustomModules) {
    let segments: Vec<&str> = tree_path.split('/').collect();
    for pair in segments.windows(2) {
        if let [dir, name] = pair
            && matches!(*dir, "_modules" | "_states" | "_utils" | "_runners")
        {
            let stem = name.split('.').next().unwrap_or(name);
            custom.insert(stem.to_owned());
        }
    }
}

/// Maps a function over items on a few threads, keeping their order.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    const MIN_ITEMS: usize = 16;
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
    if items.len() < MIN_ITEMS || threads == 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let mut parts: Vec<Vec<(usize, R)>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = items.get(index) else { return done };
                        done.push((index, work(item)));
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut all: Vec<(usize, R)> = parts.drain(..).flatten().collect();
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, result)| result).collect()
}
