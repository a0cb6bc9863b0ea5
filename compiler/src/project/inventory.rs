//! Known peels: the facts a project keeps of machines that are not this one.

use super::Project;
use crate::{
    source::SourceError,
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
            for path in self.sources().files_below(dir.value.trim_matches('/')) {
                let Some((stem, "yaml" | "yml" | "json")) =
                    path.rsplit('/').next().and_then(|name| name.rsplit_once('.'))
                else {
                    continue;
                };
                let (_, text) = self.read_text(&path)?;
                let mut facts = Facts { id: stem.to_owned(), ..Facts::default() };
                facts
                    .merge_text(&text)
                    .map_err(|error| InventoryError::Facts { path: path.clone(), error })?;
                if peels.iter().all(|known| known.facts.id != facts.id) {
                    peels.push(KnownPeel { facts, path });
                }
            }
        }
        peels.sort_by(|a, b| a.facts.id.cmp(&b.facts.id));
        Ok(peels)
    }
}
