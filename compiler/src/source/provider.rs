//! Where files come from: a disk, an editor's buffers, a published bundle, a test's map.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("`{0}` does not exist")]
    NotFound(String),
    /// It exists but could not be read.
    #[error("`{path}` cannot be read: {error}")]
    Io {
        /// The path that was asked for.
        path: String,
        /// The system's own words.
        error: io::Error,
    },
    /// Its bytes are not text.
    #[error("`{path}` is not UTF-8 text: byte {} does not belong to it", offset + 1)]
    NotText {
        /// The path that was asked for.
        path: String,
        /// The first byte that is not text, from 0.
        offset: usize,
    },
    /// It is larger than a source file may be.
    #[error("`{path}` has {size} bytes; a source file may have at most {limit}")]
    TooLarge {
        /// The path that was asked for.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

/// Largest file a tree may hold as text, in bytes. Keeps offsets in 32 bits and memory bounded.
pub const MAX_SOURCE_BYTES: u64 = 64 * 1024 * 1024;

/// A tree of files. Paths are relative to its root, with `/`, without `.` or `..` segments.
pub trait Sources: Send + Sync {
    /// The bytes of a file.
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError>;

    /// Whether `path` names a file (not a directory).
    fn is_file(&self, path: &str) -> bool;

    /// Whether `path` names a directory.
    fn is_dir(&self, path: &str) -> bool;

    /// All files below directory `path` (`""` for the root), sorted, relative to the root of the tree. Links
    /// to directories are followed; directories of version control are left out.
    fn files_below(&self, path: &str) -> Vec<String>;

    /// A number that is another one whenever a file came or went; `None` where that is not known.
    fn generation(&self) -> Option<u64> {
        None
    }
}

/// Most files and directories of a tree that nobody declared to be one ([`DiskSources::limited`]): far more than
/// projects have, far fewer than a home directory or a disk may have.
pub const MAX_UNDECLARED_FILES: usize = 200_000;

/// Files below a directory of this machine.
pub struct DiskSources {
    root: PathBuf,
    /// Most entries a list of files may take in.
    limit: usize,
    exceeded: AtomicBool,
}

impl DiskSources {
    /// A tree rooted at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), limit: usize::MAX, exceeded: AtomicBool::new(false) }
    }

    /// A tree that may turn out to be no project: where a list of files would take in more than `limit` files and
    /// directories, it is empty, as all later ones are, and [`exceeded`](Self::exceeded) says so.
    pub fn limited(root: impl Into<PathBuf>, limit: usize) -> Self {
        Self { limit, ..Self::new(root) }
    }

    /// Whether a list of files was longer than the limit. What was found out by it means nothing then.
    pub fn exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }

    /// The root directory.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Sources for DiskSources {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        let full = self.root.join(path);
        let io = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => SourceError::NotFound(path.to_owned()),
            _ => SourceError::Io { path: path.to_owned(), error },
        };
        let size = fs::metadata(&full).map_err(io)?.len();
        if size > MAX_SOURCE_BYTES {
            return Err(SourceError::TooLarge { path: path.to_owned(), size, limit: MAX_SOURCE_BYTES });
        }
        fs::read(&full).map(Into::into).map_err(io)
    }

    fn is_file(&self, path: &str) -> bool {
        self.root.join(path).is_file()
    }

    fn is_dir(&self, path: &str) -> bool {
        self.root.join(path).is_dir()
    }

    fn files_below(&self, path: &str) -> Vec<String> {
        let mut found = Vec::new();
        // A list that was too long once is not asked of the disk again.
        if self.exceeded() {
            return found;
        }
        let mut seen = 0_usize;
        let mut linked: HashMap<PathBuf, usize> = HashMap::new();
        let start = path.trim_end_matches('/').to_owned();
        // Directories on the way down, as they really are: a link to one of them would be a loop. The nearest come
        // first, so that what is linked too often is left out far below.
        let mut pending = VecDeque::from([(start, Vec::<PathBuf>::new())]);
        while let Some((dir, mut above)) = pending.pop_front() {
            let full = self.root.join(&dir);
            let Ok(entries) = fs::read_dir(&full) else { continue };
            for entry in entries.flatten() {
                seen += 1;
                if seen > self.limit {
                    self.exceeded.store(true, Ordering::Relaxed);
                    return Vec::new();
                }
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
                let relative = if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") };
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && is_foreign(&name, &entry.path()) => {}
                    Ok(kind) if kind.is_dir() => pending.push_back((relative, above.clone())),
                    Ok(kind) if kind.is_file() => found.push(relative),
                    Ok(kind) if kind.is_symlink() => match fs::metadata(entry.path()) {
                        Ok(target) if target.is_file() => found.push(relative),
                        Ok(target) if target.is_dir() => {
                            if above.is_empty() {
                                above = real_ancestors(&full);
                            }
                            if let Ok(real) = entry.path().canonicalize()
                                && !above.contains(&real)
                                && above.len() < MAX_LINKED_DEPTH
                            {
                                let times = linked.entry(real.clone()).or_default();
                                *times += 1;
                                if *times > MAX_LINKED_TIMES {
                                    continue;
                                }
                                let mut way = above.clone();
                                way.push(real);
                                pending.push_back((relative, way));
                            }
                        }
                        _ => {}
                    },
                    _ => {}
                }
            }
        }
        found.sort();
        found
    }
}

/// Deepest way below linked directories.
const MAX_LINKED_DEPTH: usize = 64;

/// How often one directory may be linked into a tree. Directories that are full of links to each other have more ways
/// through them than anybody can go.
const MAX_LINKED_TIMES: usize = 64;

fn real_ancestors(dir: &Path) -> Vec<PathBuf> {
    dir.canonicalize().map(|real| real.ancestors().map(Path::to_owned).collect()).unwrap_or_default()
}

/// Directories that are not part of a tree: those of version control, and those a build marked as its cache.
pub fn is_foreign(name: &str, path: &Path) -> bool {
    matches!(name, ".git" | ".hg" | ".svn" | ".venv" | ".tox" | "__pycache__" | "node_modules")
        || (name == "target" && path.join("CACHEDIR.TAG").is_file())
}

/// Files held in memory: tests, unsaved buffers, bundles.
#[derive(Default, Clone)]
pub struct MemorySources {
    files: BTreeMap<String, Arc<[u8]>>,
}

impl MemorySources {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<String>, text: impl AsRef<[u8]>) {
        self.files.insert(path.into(), text.as_ref().into());
    }

    /// The same tree with one more file.
    pub fn with(mut self, path: impl Into<String>, text: impl AsRef<[u8]>) -> Self {
        self.insert(path, text);
        self
    }
}

impl Sources for MemorySources {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        self.files.get(path).cloned().ok_or_else(|| SourceError::NotFound(path.to_owned()))
    }

    fn is_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn is_dir(&self, path: &str) -> bool {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        path.is_empty()
            || self.files.range(prefix.clone()..).next().is_some_and(|(p, _)| p.starts_with(&prefix))
    }

    fn files_below(&self, path: &str) -> Vec<String> {
        let prefix = if path.is_empty() { String::new() } else { format!("{}/", path.trim_end_matches('/')) };
        self.files.keys().filter(|p| p.starts_with(&prefix)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linked_directories_are_read_and_loops_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("tree");
        for path in ["states/web/.config/a", "states/.git/x", "states/target/b.zy"] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), "").unwrap();
        }
        fs::create_dir_all(dir.path().join("formula/sub")).unwrap();
        fs::write(dir.path().join("formula/sub/c.zy"), "").unwrap();
        std::os::unix::fs::symlink("../../formula", root.join("states/formula")).unwrap();
        std::os::unix::fs::symlink("..", root.join("states/web/up")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("formula"), dir.path().join("formula/sub/again")).unwrap();
        let found = DiskSources::new(&root).files_below("states");
        assert_eq!(found, ["states/formula/sub/c.zy", "states/target/b.zy", "states/web/.config/a"]);
        let (enough, few) = (DiskSources::limited(&root, 100), DiskSources::limited(&root, 5));
        assert_eq!((enough.files_below("states"), enough.exceeded()), (found, false));
        assert_eq!((few.files_below("states"), few.exceeded()), (Vec::new(), true));
        // Nothing is asked of the disk after that.
        assert_eq!(few.files_below("states/formula"), Vec::<String>::new());
    }

    #[test]
    fn directories_full_of_links_to_each_other_have_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..12).map(|n| format!("d{n}")).collect();
        for name in &names {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("a.zy"), "").unwrap();
            for other in names.iter().filter(|other| *other != name) {
                std::os::unix::fs::symlink(format!("../{other}"), dir.path().join(name).join(other)).unwrap();
            }
        }
        // Without an end these would be eleven factorial ways.
        let found = DiskSources::new(dir.path()).files_below("");
        assert!(found.contains(&"d0/a.zy".to_owned()) && found.contains(&"d0/d11/a.zy".to_owned()));
        assert!(found.len() <= names.len() * (MAX_LINKED_TIMES + 1), "{}", found.len());
    }
}
