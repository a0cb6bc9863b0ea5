//! A peel's copy of published trees: contents in files named by their hash, and the head that is in force.
//!
//! The copy outlives the network: a peel that starts with nobody there goes on with the last tree it has in full.

use super::manifest::{Hash, Head, Manifest};
use crate::bus::codec::{self, CodecError};
use std::{
    collections::BTreeSet,
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};
use zester_compiler::source::{SourceError, Sources};

/// Why the copy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The system refuses.
    #[error("the tree's copy `{}` cannot be {doing}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A content is not what its name says.
    #[error("the content {0} is not what its name says")]
    Damaged(Hash),
    /// A content is missing.
    #[error("the content {0} is not here")]
    Missing(Hash),
    /// The head or the manifest cannot be read.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A directory of contents.
#[derive(Clone, Debug)]
pub struct TreeCache {
    directory: PathBuf,
}

impl TreeCache {
    /// Opens or makes one; only this user may look into it.
    pub fn open(directory: &Path) -> Result<Self, CacheError> {
        let blobs = directory.join("blobs");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&blobs)
            .and_then(|()| fs::set_permissions(directory, fs::Permissions::from_mode(0o700)))
            .map_err(|source| CacheError::Io { path: blobs, doing: "made", source })?;
        Ok(Self { directory: directory.to_owned() })
    }

    fn path(&self, hash: Hash) -> PathBuf {
        self.directory.join("blobs").join(hash.to_string())
    }

    /// Whether a content is here.
    pub fn has(&self, hash: Hash) -> bool {
        self.path(hash).is_file()
    }

    /// Keeps a content, whose name is checked.
    pub fn put(&self, hash: Hash, bytes: &[u8]) -> Result<(), CacheError> {
        if Hash::of(bytes) != hash {
            return Err(CacheError::Damaged(hash));
        }
        self.write(&self.path(hash), bytes)
    }

    /// A content; one that the disk has damaged is removed, so that it is fetched again.
    pub fn get(&self, hash: Hash) -> Result<Arc<[u8]>, CacheError> {
        let path = self.path(hash);
        match fs::read(&path) {
            Ok(bytes) if Hash::of(&bytes) == hash => Ok(bytes.into()),
            Ok(_) => {
                let _ = fs::remove_file(&path);
                Err(CacheError::Damaged(hash))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(CacheError::Missing(hash)),
            Err(source) => Err(CacheError::Io { path, doing: "read", source }),
        }
    }

    /// The contents of a manifest that are not here.
    pub fn missing(&self, manifest: &Manifest) -> Vec<Hash> {
        let wanted: BTreeSet<Hash> = manifest.files.iter().map(|f| f.hash).collect();
        wanted.into_iter().filter(|h| !self.has(*h)).collect()
    }

    /// Puts a head in force; `signed` is it as it came, to be verified again after a restart. All it names must be here.
    pub fn set_head(&self, head: &Head, signed: &[u8]) -> Result<(), CacheError> {
        let manifest = self.manifest(head)?;
        if let Some(hash) = self.missing(&manifest).first() {
            return Err(CacheError::Missing(*hash));
        }
        self.write(&self.directory.join("head"), signed)?;
        self.sweep(head, &manifest);
        Ok(())
    }

    /// The head in force, as it came.
    pub fn head(&self) -> Option<Vec<u8>> {
        fs::read(self.directory.join("head")).ok()
    }

    /// The manifest a head names.
    pub fn manifest(&self, head: &Head) -> Result<Manifest, CacheError> {
        Ok(codec::decode(&self.get(head.manifest)?)?)
    }

    /// The files of a manifest, to open a project on.
    pub fn sources(&self, manifest: Arc<Manifest>) -> TreeSources {
        TreeSources { cache: self.clone(), manifest, prefix: String::new() }
    }

    /// Removes what the manifest does not name.
    fn sweep(&self, head: &Head, manifest: &Manifest) {
        let mut keep: BTreeSet<String> = manifest.files.iter().map(|f| f.hash.to_string()).collect();
        keep.insert(head.manifest.to_string());
        let Ok(entries) = fs::read_dir(self.directory.join("blobs")) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_none_or(|name| !keep.contains(name)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
        let write = || -> io::Result<()> {
            let parent = path.parent().unwrap_or(&self.directory);
            let mut file = tempfile::Builder::new().prefix(".new").tempfile_in(parent)?;
            file.write_all(bytes)?;
            file.as_file().sync_data()?;
            file.persist(path)?;
            Ok(())
        };
        write().map_err(|source| CacheError::Io { path: path.to_owned(), doing: "written", source })
    }
}

/// A revision's files, as a project reads them.
pub struct TreeSources {
    cache: TreeCache,
    manifest: Arc<Manifest>,
    /// Files outside of the project's root lie below the path that the configuration gives them; with a `/`.
    prefix: String,
}

impl TreeSources {
    /// The files below a directory that the configuration names outside of the project's root.
    pub fn below(&self, directory: &str) -> Self {
        let prefix = format!("{}/", directory.trim_end_matches('/'));
        Self { cache: self.cache.clone(), manifest: self.manifest.clone(), prefix }
    }

    /// Paths that begin with `prefix`, from the first.
    fn range<'m>(&'m self, prefix: &'m str) -> impl Iterator<Item = &'m str> {
        let start = self.manifest.files.partition_point(|f| f.path.as_str() < prefix);
        let rest = self.manifest.files.get(start..).unwrap_or_default();
        rest.iter().map(|f| f.path.as_str()).take_while(move |p| p.starts_with(prefix))
    }
}

impl Sources for TreeSources {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        let full = format!("{}{path}", self.prefix);
        let entry = self.manifest.get(&full).ok_or_else(|| SourceError::NotFound(path.to_owned()))?;
        self.cache
            .get(entry.hash)
            .map_err(|e| SourceError::Io { path: path.to_owned(), error: io::Error::other(e.to_string()) })
    }

    fn is_file(&self, path: &str) -> bool {
        self.manifest.get(&format!("{}{path}", self.prefix)).is_some()
    }

    fn is_dir(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() { self.prefix.clone() } else { format!("{}{path}/", self.prefix) };
        self.range(&prefix).next().is_some()
    }

    fn files_below(&self, path: &str) -> Vec<String> {
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() { self.prefix.clone() } else { format!("{}{path}/", self.prefix) };
        // Those outside of the root begin with `..` or `/`: not the project's own.
        let own = |p: &&str| !self.prefix.is_empty() || !(p.starts_with("../") || p.starts_with('/'));
        let found = self.range(&prefix).filter(own);
        found.filter_map(|p| p.strip_prefix(&self.prefix).map(str::to_owned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::tree::Tree;
    use zester_compiler::project::{OpenOptions, Project, TreeKind};

    #[test]
    fn a_project_is_the_same_from_its_copy() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("project/zester.yaml", "states: [states, ../formulas]\n"),
            ("project/states/web.zy", "include: [nginx]\n"),
            ("project/settings/top.zy", "base: {}\n"),
            ("formulas/nginx/init.zy", "a: test.nop\n"),
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = dir.path().join("project");
        let project = Project::open_dir(&root, OpenOptions::default()).unwrap();
        let tree = Tree::collect(&project, &root).unwrap();
        let cache = TreeCache::open(&dir.path().join("cache")).unwrap();
        let head = Head {
            v: 1,
            revision: 1,
            incarnation: "one".into(),
            manifest: tree.manifest_hash,
            bytes: 0,
            published_ms: 0,
            secrets: 0,
        };
        assert!(matches!(cache.set_head(&head, b"signed"), Err(CacheError::Missing(_))));
        cache.put(Hash::of(b"left over"), b"left over").unwrap();
        for (hash, bytes) in &tree.contents {
            cache.put(*hash, bytes).unwrap();
        }
        cache.set_head(&head, b"signed").unwrap();
        assert!(!cache.has(Hash::of(b"left over")));
        assert_eq!(cache.head().unwrap(), b"signed");

        let manifest = Arc::new(cache.manifest(&head).unwrap());
        assert_eq!(*manifest, tree.manifest);
        let sources = Arc::new(cache.sources(manifest));
        let outside = sources.clone();
        let options = OpenOptions {
            outside: Some(Box::new(move |dir| Arc::new(outside.below(dir)))),
            ..OpenOptions::default()
        };
        let copy = Project::open(sources, options).unwrap();
        assert_eq!(copy.references(TreeKind::States, "base"), project.references(TreeKind::States, "base"));
        assert_eq!(&*copy.read("../formulas/nginx/init.zy").unwrap(), b"a: test.nop\n");
    }

    #[test]
    fn a_damaged_content_is_never_read() {
        let dir = tempfile::tempdir().unwrap();
        let cache = TreeCache::open(dir.path()).unwrap();
        let hash = Hash::of(b"abc");
        assert!(matches!(cache.put(hash, b"abd"), Err(CacheError::Damaged(_))));
        cache.put(hash, b"abc").unwrap();
        fs::write(dir.path().join("blobs").join(hash.to_string()), b"abd").unwrap();
        assert!(matches!(cache.get(hash), Err(CacheError::Damaged(_))));
        assert!(matches!(cache.get(hash), Err(CacheError::Missing(_))));
        assert_eq!(Hash::parse(&hash.to_string()), Some(hash));
        assert_eq!(Hash::parse("é".repeat(32).as_str()), None);
    }
}
