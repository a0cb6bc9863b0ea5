//! The files of a check, before it is known what they use: those of the project, or the given ones beside them.

use super::{CheckError, CheckOptions, functions::CustomModules};
use crate::{
    diagnostic::nearest,
    modules::is_module,
    project::{Project, TreeKind},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A file that is to be read.
#[derive(Clone)]
pub struct Candidate {
    /// Path relative to the project's root.
    pub path: Arc<str>,
    /// Its tree: states or settings.
    pub tree_kind: TreeKind,
    /// Environment of its tree.
    pub env: Arc<str>,
    /// Path in its tree.
    pub tree_path: Arc<str>,
    /// Whether its own findings are wanted.
    pub wanted: bool,
}

/// The files of a check, before it is known what they use.
pub struct Selection {
    /// The project's list of files that they were chosen from.
    pub generation: Option<u64>,
    /// Sorted by path.
    pub candidates: Vec<Candidate>,
    /// Names of modules of which nothing more is known.
    pub opaque: BTreeSet<String>,
}

impl Selection {
    /// The site's modules with those of which only the names are known.
    pub fn with_opaque(&self, custom: &CustomModules) -> CustomModules {
        custom.with_opaque(&self.opaque)
    }

    /// Chooses the files of a check.
    pub fn of(project: &Project, options: &CheckOptions) -> Result<Self, CheckError> {
        let mut candidates: BTreeMap<Arc<str>, Candidate> = BTreeMap::new();
        let mut opaque = BTreeSet::new();
        let environments: Vec<Arc<str>> = project.environments().map(Arc::from).collect();
        for env in &environments {
            for kind in [TreeKind::States, TreeKind::Settings] {
                for file in project.sources_of(kind, env) {
                    let path: Arc<str> = file.path.into();
                    candidates.entry(path.clone()).or_insert_with(|| Candidate {
                        path,
                        tree_kind: kind,
                        env: env.clone(),
                        tree_path: file.tree_path.into(),
                        wanted: true,
                    });
                }
            }
            for file in project.files_below(TreeKind::States, env, "") {
                note_custom_module(&file.tree_path, &mut opaque);
            }
        }
        if !options.paths.is_empty() {
            restrict(project, options, &mut candidates)?;
        }
        Ok(Self { generation: project.generation(), candidates: candidates.into_values().collect(), opaque })
    }
}

fn restrict(
    project: &Project,
    options: &CheckOptions,
    candidates: &mut BTreeMap<Arc<str>, Candidate>,
) -> Result<(), CheckError> {
    for candidate in candidates.values_mut() {
        candidate.wanted = false;
    }
    for given in &options.paths {
        let path = given.trim_start_matches("./").trim_end_matches('/');
        let below = if path.is_empty() || path == "." { String::new() } else { format!("{path}/") };
        let mut found = false;
        for candidate in candidates.values_mut() {
            if &*candidate.path == path || candidate.path.starts_with(&below) {
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
            let candidate = Candidate {
                path: path.into(),
                tree_kind,
                env: env.into(),
                tree_path: tree_path.into(),
                wanted: true,
            };
            candidates.insert(candidate.path.clone(), candidate);
            found = true;
        }
        if !found && !project.sources().is_dir(path) {
            let nearest = nearest(path, candidates.keys().map(|key| &**key)).map(str::to_owned);
            return Err(CheckError::NoSuchPath { path: given.clone(), nearest });
        }
    }
    Ok(())
}

/// `_states/x.py`, `_modules/x/…`: the module `x` is the site's own, and what it has is not known.
fn note_custom_module(tree_path: &str, opaque: &mut BTreeSet<String>) {
    if is_module(tree_path) {
        return;
    }
    let segments: Vec<&str> = tree_path.split('/').collect();
    for pair in segments.windows(2) {
        if let [dir, name] = pair
            && matches!(*dir, "_modules" | "_states" | "_utils" | "_runners")
        {
            let stem = name.split('.').next().unwrap_or(name);
            opaque.insert(stem.to_owned());
        }
    }
}
