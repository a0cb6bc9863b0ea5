//! A tree with some files as somebody is about to make them: unsaved, not yet written, from a pipe.

use super::{SourceError, Sources};
use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock},
};

/// Sources with texts laid over them.
pub struct Overlay {
    below: Arc<dyn Sources>,
    texts: RwLock<BTreeMap<String, Arc<[u8]>>>,
}

impl Overlay {
    /// Lays nothing over a tree yet.
    pub fn new(below: Arc<dyn Sources>) -> Self {
        Self { below, texts: RwLock::default() }
    }

    /// Lays a text over a path, or takes it away.
    pub fn set(&self, path: &str, text: Option<&(impl AsRef<[u8]> + ?Sized)>) {
        let mut texts = self.texts.write().unwrap_or_else(|e| e.into_inner());
        match text {
            Some(text) => drop(texts.insert(path.to_owned(), text.as_ref().into())),
            None => drop(texts.remove(path)),
        }
    }

    fn text(&self, path: &str) -> Option<Arc<[u8]>> {
        self.texts.read().unwrap_or_else(|e| e.into_inner()).get(path).cloned()
    }
}

impl Sources for Overlay {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        self.text(path).map_or_else(|| self.below.read(path), Ok)
    }

    fn is_file(&self, path: &str) -> bool {
        self.text(path).is_some() || self.below.is_file(path)
    }

    fn is_dir(&self, path: &str) -> bool {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let texts = self.texts.read().unwrap_or_else(|e| e.into_inner());
        texts.keys().any(|file| file.starts_with(&prefix)) || self.below.is_dir(path)
    }

    fn files_below(&self, path: &str) -> Vec<String> {
        let mut files = self.below.files_below(path);
        let prefix = if path.is_empty() { String::new() } else { format!("{}/", path.trim_end_matches('/')) };
        let before = files.len();
        for file in self.texts.read().unwrap_or_else(|e| e.into_inner()).keys() {
            if file.starts_with(&prefix) && files[..before].binary_search(file).is_err() {
                files.push(file.clone());
            }
        }
        files.sort();
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySources;

    #[test]
    fn what_is_laid_over_is_seen_first() {
        let below = MemorySources::new().with("states/a.zy", "old").with("states/c.zy", "");
        let overlay = Overlay::new(Arc::new(below));
        overlay.set("states/a.zy", Some("new"));
        overlay.set("states/sub/b.zy", Some(""));
        assert_eq!(&*overlay.read("states/a.zy").unwrap(), b"new");
        assert_eq!(overlay.files_below("states"), ["states/a.zy", "states/c.zy", "states/sub/b.zy"]);
        assert!(overlay.is_dir("states/sub") && overlay.is_file("states/sub/b.zy"));
        overlay.set("states/a.zy", None::<&str>);
        assert_eq!(&*overlay.read("states/a.zy").unwrap(), b"old");
    }
}
