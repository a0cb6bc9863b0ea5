//! Known peels: the facts a project keeps of machines that are not this one.

use super::Project;
use crate::{
    check::in_parallel,
    source::{SourceError, Sources},
    types::{Facts, FactsError},
};

/// A peel whose facts the project keeps.
#[derive(Clone, PartialEq, Debug)]
pub struct KnownPeel {
    /// Its facts; the id is the file's name unless the file says otherwise.
    pub facts: Facts,
    /// The project path of the file.
    pub path: String,
}

/// Why a file of facts could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The file could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It is not a map of facts.
    #[error("`{path}`: {error}")]
    Facts {
        /// The project path of the file.
        path: String,
        /// What is wrong.
        error: FactsError,
    },
}

impl Project {
    /// The peels of the configured `facts` directories, sorted by id; of two files for one id the first wins.
    pub fn inventory(&self) -> Result<Vec<KnownPeel>, InventoryError> {
        let mut peels: Vec<KnownPeel> = Vec::new();
        for dir in &self.config().facts {
            peels.extend(inventory_below(&**self.sources(), dir.value.trim_matches('/'))?);
        }
        Ok(each_once(peels))
    }
}

/// The peels whose facts lie in a directory, a YAML or JSON file for each, sorted by id.
pub fn inventory_below(sources: &dyn Sources, dir: &str) -> Result<Vec<KnownPeel>, InventoryError> {
    let paths: Vec<String> = sources
        .files_below(dir)
        .into_iter()
        .filter(|path| {
            let name = path.rsplit('/').next().unwrap_or_default();
            matches!(name.rsplit_once('.'), Some((_, "yaml" | "yml" | "json")))
        })
        .collect();
    let read = in_parallel(&paths, |path| {
        let bytes = sources.read(path)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|e| SourceError::NotText { path: path.clone(), offset: e.valid_up_to() })?;
        let stem =
            path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or("", |(stem, _)| stem);
        let mut facts = Facts { id: stem.to_owned(), ..Facts::default() };
        facts.merge_text(text).map_err(|error| InventoryError::Facts { path: path.clone(), error })?;
        Ok(KnownPeel { facts, path: path.clone() })
    });
    Ok(each_once(read.into_iter().collect::<Result<_, InventoryError>>()?))
}

fn each_once(mut peels: Vec<KnownPeel>) -> Vec<KnownPeel> {
    // The sort is stable, so of those with one id the first stays.
    peels.sort_by(|a, b| a.facts.id.cmp(&b.facts.id));
    peels.dedup_by(|later, first| later.facts.id == first.facts.id);
    peels
}
