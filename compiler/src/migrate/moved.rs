//! The files of a project under other paths, with other texts where they changed.

use crate::{
    project::Project,
    source::{SourceError, Sources},
};
use std::{collections::BTreeMap, sync::Arc};

/// Sources of the new tree: each path with its old one, and its text where that is another.
pub struct Moved {
    old: Arc<Project>,
    files: BTreeMap<String, (String, Option<String>)>,
}

impl Moved {
    /// The files by their new paths.
    pub fn new(old: Arc<Project>, files: BTreeMap<String, (String, Option<String>)>) -> Self {
        Self { old, files }
    }

    fn below<'m>(&'m self, prefix: &'m str) -> impl Iterator<Item = &'m String> {
        let first = self.files.range(prefix.to_owned()..).map(|(path, _)| path);
        first.take_while(move |path| path.starts_with(prefix))
    }
}

fn prefix(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{}/", path.trim_end_matches('/')) }
}

impl Sources for Moved {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        match self.files.get(path) {
            Some((_, Some(text))) => Ok(text.as_bytes().into()),
            Some((old, None)) => self.old.read(old),
            None => Err(SourceError::NotFound(path.to_owned())),
        }
    }

    fn is_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn is_dir(&self, path: &str) -> bool {
        self.below(&prefix(path)).next().is_some()
    }

    fn files_below(&self, path: &str) -> Vec<String> {
        self.below(&prefix(path)).cloned().collect()
    }
}
