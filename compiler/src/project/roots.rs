//! The roots of the state and settings trees: several directories form one tree, the first that has a file wins.

use super::{
    BASE, Config, Outside, Project,
    config::{EnvironmentRoots, Wrong},
};
use crate::source::{SourceError, Sources, Spanned};
use std::{collections::BTreeMap, sync::Arc};

/// Which tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TreeKind {
    /// State files, and the files they hand out.
    States,
    /// Settings files.
    Settings,
}

impl TreeKind {
    /// "state" or "settings", before "tree" and "file" in messages.
    pub fn word(self) -> &'static str {
        match self {
            TreeKind::States => "state",
            TreeKind::Settings => "settings",
        }
    }
}

/// One directory of a tree.
#[derive(Clone)]
pub struct Root {
    /// Its project path, the way its files are shown: `states`; empty for the project's own root.
    pub path: String,
    /// Where its files come from when it lies outside of the project.
    pub outside: Option<Arc<dyn Sources>>,
}

impl Root {
    /// A directory of the project.
    pub fn inside(path: impl Into<String>) -> Self {
        Self { path: path.into(), outside: None }
    }

    /// A directory elsewhere; `shown` is put before its files' paths.
    pub fn outside(shown: impl Into<String>, sources: Arc<dyn Sources>) -> Self {
        Self { path: shown.into().trim_end_matches('/').to_owned(), outside: Some(sources) }
    }

    /// The project path of a file of this root.
    pub fn join(&self, tree_path: &str) -> String {
        if self.path.is_empty() { tree_path.to_owned() } else { format!("{}/{tree_path}", self.path) }
    }

    /// The path below this root of a project path that lies in it.
    pub fn inner<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.path.is_empty() {
            return Some(path);
        }
        path.strip_prefix(self.path.as_str())?.strip_prefix('/')
    }
}

/// An environment with its roots.
pub(super) struct Environment {
    pub name: String,
    states: Vec<Root>,
    settings: Vec<Root>,
}

impl Environment {
    pub fn roots(&self, kind: TreeKind) -> &[Root] {
        match kind {
            TreeKind::States => &self.states,
            TreeKind::Settings => &self.settings,
        }
    }

    pub fn all(&self) -> impl Iterator<Item = &Root> {
        self.states.iter().chain(&self.settings)
    }
}

/// The environments of a configuration, `base` first.
pub(super) fn environments(
    config: &Config,
    sources: &Arc<dyn Sources>,
    outside: Option<&Outside>,
    states: Option<Vec<Root>>,
    settings: Option<Vec<Root>>,
) -> Result<Vec<Environment>, Wrong> {
    let configured =
        |roots: &Option<Vec<Spanned<String>>>, default: fn(&dyn Sources) -> Vec<Root>| match roots {
            Some(roots) => roots.iter().map(|root| directory(root, sources, outside)).collect(),
            None => Ok(default(&**sources)),
        };
    let base = EnvironmentRoots { states: config.states.clone(), settings: config.settings.clone() };
    let mut environments = vec![Environment {
        name: BASE.to_owned(),
        states: states.map_or_else(|| configured(&base.states, default_states), Ok)?,
        settings: settings.map_or_else(|| configured(&base.settings, default_settings), Ok)?,
    }];
    for (name, roots) in &config.environments {
        if name == BASE {
            // `environments: {base: …}` is another way to write the keys at the top.
            let base = &mut environments[0];
            if roots.states.is_some() {
                base.states = configured(&roots.states, default_states)?;
            }
            if roots.settings.is_some() {
                base.settings = configured(&roots.settings, default_settings)?;
            }
            continue;
        }
        environments.push(Environment {
            name: name.clone(),
            states: configured(&roots.states, |_| Vec::new())?,
            settings: configured(&roots.settings, |_| Vec::new())?,
        });
    }
    Ok(environments)
}

fn default_states(sources: &dyn Sources) -> Vec<Root> {
    vec![Root::inside(if sources.is_dir("states") { "states" } else { "" })]
}

fn default_settings(sources: &dyn Sources) -> Vec<Root> {
    // Without a `states` directory the folder itself is the state tree; its `settings` are settings only when
    // they have the file that makes them so, since `settings` is also a fair name for a directory of states.
    let there =
        sources.is_dir("settings") && (sources.is_dir("states") || sources.is_file("settings/top.zy"));
    if there { vec![Root::inside("settings")] } else { Vec::new() }
}

fn directory(
    root: &Spanned<String>,
    sources: &Arc<dyn Sources>,
    outside: Option<&Outside>,
) -> Result<Root, Wrong> {
    let written = root.value.trim_end_matches('/');
    let mut segments: Vec<&str> = Vec::new();
    let mut leaves = written.starts_with('/') || root.value == "/";
    for segment in written.split('/') {
        match segment {
            "" | "." => {}
            ".." => leaves |= segments.pop().is_none(),
            segment => segments.push(segment),
        }
    }
    if leaves {
        let Some(outside) = outside else {
            return Err(Wrong::at(root.span, format!("`{}` lies outside of the project", root.value))
                .help("name a directory below the one that holds `zester.yaml`"));
        };
        let found = outside(&root.value);
        if !found.is_dir("") {
            return Err(missing(root));
        }
        return Ok(Root::outside(written, found));
    }
    let path = segments.join("/");
    if !path.is_empty() && !sources.is_dir(&path) {
        return Err(missing(root));
    }
    Ok(Root::inside(path))
}

fn missing(root: &Spanned<String>) -> Wrong {
    Wrong::at(root.span, format!("`{}` is not a directory", root.value))
        .help("create it, or take it out of the list")
}

/// Directories at a tree's root that hold code, here or in Salt. Deeper down such names are a tree's own: formulas
/// have their `_mapdata`.
pub(crate) const MODULE_DIRECTORIES: &[&str] = &[
    "_modules",
    "_states",
    "_grains",
    "_renderers",
    "_returners",
    "_runners",
    "_utils",
    "_pillar",
    "_beacons",
    "_engines",
    "_output",
    "_proxy",
    "_sdb",
    "_tops",
    "_wheel",
    "_matchers",
    "_serializers",
    "_executors",
    "_roster",
];

/// A file of a tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TreeFile {
    /// Its project path (`states/web/init.zy`).
    pub path: String,
    /// Its path in the tree (`web/init.zy`).
    pub tree_path: String,
}

impl Project {
    /// The file of a tree path: the one of the first root that has it. Paths that leave the tree find nothing.
    pub fn find(&self, kind: TreeKind, env: &str, tree_path: &str) -> Option<TreeFile> {
        if !is_plain_path(tree_path) {
            return None;
        }
        self.roots(kind, env)
            .iter()
            .find(|root| match &root.outside {
                Some(sources) => sources.is_file(tree_path),
                None => self.sources.is_file(&root.join(tree_path)),
            })
            .map(|root| TreeFile { path: root.join(tree_path), tree_path: tree_path.to_owned() })
    }

    /// Whether a tree path is a directory in some root.
    pub fn is_dir(&self, kind: TreeKind, env: &str, tree_path: &str) -> bool {
        let tree_path = tree_path.trim_matches('/');
        (tree_path.is_empty() || is_plain_path(tree_path))
            && self.roots(kind, env).iter().any(|root| match &root.outside {
                Some(sources) => sources.is_dir(tree_path),
                None => self.sources.is_dir(root.join(tree_path).trim_end_matches('/')),
            })
    }

    /// The bytes of a file of a tree (`zester://path`).
    pub fn read_file(&self, kind: TreeKind, env: &str, tree_path: &str) -> Result<Arc<[u8]>, SourceError> {
        let file =
            self.find(kind, env, tree_path).ok_or_else(|| SourceError::NotFound(tree_path.to_owned()))?;
        self.read(&file.path)
    }

    /// All files below a directory of a tree (`""` for all of it), each from the first root that has it, sorted by
    /// tree path. Files of another root that lies inside are left to it.
    pub fn files_below(&self, kind: TreeKind, env: &str, tree_path: &str) -> Vec<TreeFile> {
        let tree_path = tree_path.trim_matches('/');
        if !tree_path.is_empty() && !is_plain_path(tree_path) {
            return Vec::new();
        }
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        for root in self.roots(kind, env) {
            let paths = match &root.outside {
                Some(sources) => sources.files_below(tree_path).into_iter().map(|p| root.join(&p)).collect(),
                None => self.sources.files_below(root.join(tree_path).trim_end_matches('/')),
            };
            for path in paths {
                let Some(inner) = root.inner(&path) else { continue };
                if !self.belongs_elsewhere(root, &path) {
                    found.entry(inner.to_owned()).or_insert(path);
                }
            }
        }
        found.into_iter().map(|(tree_path, path)| TreeFile { path, tree_path }).collect()
    }

    /// The state or settings files of a tree: those with a configured extension, outside of hidden directories and
    /// of the root's directories for modules.
    pub fn sources_of(&self, kind: TreeKind, env: &str) -> Vec<TreeFile> {
        let mut files = self.files_below(kind, env, "");
        files.retain(|file| {
            let extension = file.tree_path.rsplit_once('.').map(|(_, e)| e);
            extension.is_some_and(|e| self.extensions().iter().any(|known| known == e))
                && !file.tree_path.split('/').any(|segment| segment.starts_with('.'))
                && !file
                    .tree_path
                    .split_once('/')
                    .is_some_and(|(first, _)| MODULE_DIRECTORIES.contains(&first))
        });
        files
    }

    /// Which tree a project path lies in: kind, environment, tree path. The innermost root decides; of
    /// environments that share a root, the first.
    pub fn locate(&self, path: &str) -> Option<(TreeKind, &str, String)> {
        let mut best: Option<(usize, TreeKind, &str, String)> = None;
        for environment in &self.environments {
            for kind in [TreeKind::States, TreeKind::Settings] {
                for root in environment.roots(kind) {
                    let Some(inner) = root.inner(path) else { continue };
                    if best.as_ref().is_none_or(|(length, ..)| root.path.len() > *length) {
                        best = Some((root.path.len(), kind, &environment.name, inner.to_owned()));
                    }
                }
            }
        }
        best.map(|(_, kind, env, inner)| (kind, env, inner))
    }

    /// A number that is another one whenever a file of the project came or went; `None` where that is not known.
    pub fn generation(&self) -> Option<u64> {
        let outside = self.environments.iter().flat_map(Environment::all).filter_map(|r| r.outside.as_ref());
        // Each only ever grows, so their sum does.
        outside.chain([&self.sources]).map(|sources| sources.generation()).sum()
    }

    /// Whether a project path lies in a directory outside of the project.
    pub fn is_outside(&self, path: &str) -> bool {
        let roots = self.environments.iter().flat_map(Environment::all);
        roots.filter(|root| root.outside.is_some()).any(|root| root.inner(path).is_some())
    }

    /// The directories outside of the project that its configuration names, as written there.
    pub fn outside(&self) -> Vec<&str> {
        let roots = self.environments.iter().flat_map(Environment::all);
        let mut paths: Vec<&str> =
            roots.filter(|root| root.outside.is_some()).map(|root| root.path.as_str()).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    fn belongs_elsewhere(&self, root: &Root, path: &str) -> bool {
        self.environments
            .iter()
            .flat_map(Environment::all)
            .any(|other| other.path.len() > root.path.len() && other.inner(path).is_some())
    }
}

/// Whether a path has only plain segments: relative, nothing empty, no `.` and no `..`.
pub(super) fn is_plain_path(path: &str) -> bool {
    !path.contains(['\\', '\0']) && path.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}
