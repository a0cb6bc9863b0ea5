//! Addresses of files, and the project's files with an editor's unsaved texts over them.

use gen_lsp_types::Uri;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};
use zester_compiler::source::{SourceError, Sources};

/// What a path of a `file:` address may not hold as it is.
const RESERVED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The path of a `file:` address; `None` for other addresses.
pub(crate) fn path_of(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.0.strip_prefix("file://")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return None;
    }
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    Some(PathBuf::from(decoded.as_ref()))
}

/// The address of a path.
pub(crate) fn uri_of(path: &Path) -> Uri {
    Uri(format!("file://{}", utf8_percent_encode(&path.to_string_lossy(), RESERVED)))
}

/// A tree of files in which some are replaced by what an editor holds.
pub(super) struct Buffers {
    below: Arc<dyn Sources>,
    open: RwLock<BTreeMap<String, Arc<[u8]>>>,
    /// Directories that are projects of their own, each with a `/` at its end: they are in no list.
    nested: RwLock<Vec<String>>,
}

impl Buffers {
    pub fn new(below: Arc<dyn Sources>) -> Self {
        Self { below, open: RwLock::default(), nested: RwLock::default() }
    }

    /// The same texts over other files.
    pub fn over(&self, below: Arc<dyn Sources>) -> Self {
        let open = self.open.read().unwrap_or_else(|e| e.into_inner()).clone();
        Self { below, open: RwLock::new(open), nested: RwLock::default() }
    }

    /// Leaves directories out of the lists of files.
    pub fn leave_out(&self, nested: Vec<String>) {
        *self.nested.write().unwrap_or_else(|e| e.into_inner()) = nested;
    }

    /// Sets or takes away the text of an open file.
    pub fn set(&self, path: &str, text: Option<&str>) {
        let mut open = self.open.write().unwrap_or_else(|e| e.into_inner());
        match text {
            Some(text) => {
                open.insert(path.to_owned(), text.as_bytes().into());
            }
            None => {
                open.remove(path);
            }
        }
    }

    fn get(&self, path: &str) -> Option<Arc<[u8]>> {
        self.open.read().unwrap_or_else(|e| e.into_inner()).get(path).cloned()
    }
}

impl Sources for Buffers {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        self.get(path).map_or_else(|| self.below.read(path), Ok)
    }

    fn is_file(&self, path: &str) -> bool {
        self.get(path).is_some() || self.below.is_file(path)
    }

    fn is_dir(&self, path: &str) -> bool {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let open = self.open.read().unwrap_or_else(|e| e.into_inner());
        open.range(prefix.clone()..).next().is_some_and(|(p, _)| p.starts_with(&prefix))
            || self.below.is_dir(path)
    }

    fn files_below(&self, path: &str) -> Vec<String> {
        let mut files = self.below.files_below(path);
        let nested = self.nested.read().unwrap_or_else(|e| e.into_inner());
        if !nested.is_empty() {
            files.retain(|file| !nested.iter().any(|dir| file.starts_with(dir)));
        }
        let prefix = format!("{}/", path.trim_matches('/'));
        let open = self.open.read().unwrap_or_else(|e| e.into_inner());
        let fresh: Vec<String> = open
            .keys()
            .filter(|p| (prefix == "/" || p.starts_with(&prefix)) && files.binary_search(p).is_err())
            .cloned()
            .collect();
        if !fresh.is_empty() {
            files.extend(fresh);
            files.sort();
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths() {
        let path = Path::new("/srv/a b/ü#1.zy");
        let uri = uri_of(path);
        assert_eq!(uri.0, "file:///srv/a%20b/%C3%BC%231.zy");
        assert_eq!(path_of(&uri).as_deref(), Some(path));
        assert_eq!(path_of(&Uri::from("untitled:Untitled-1")), None);
        assert_eq!(path_of(&Uri::from("file:///a%3Ab")).as_deref(), Some(Path::new("/a:b")));
    }
}
