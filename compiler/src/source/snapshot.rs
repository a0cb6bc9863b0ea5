//! A tree whose list of files is read once and kept true by whoever sees it change: a watcher, an editor.

use super::{SourceError, Sources};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, RwLock},
};

/// Sources that remember which files there are. A check asks that thousands of times; a disk answers each time anew.
///
/// Contents are not kept, [`Project`](crate::project::Project) does that. What comes or goes must be told through
/// [`Snapshot::changed`].
pub struct Snapshot {
    below: Arc<dyn Sources>,
    listing: RwLock<Arc<Listing>>,
    /// Answers about paths that the list does not have: files in directories that are left out of it, links in
    /// circles. Most are refs that were tried.
    asked: RwLock<HashMap<String, Answer>>,
}

#[derive(Clone, Copy, Default)]
struct Answer {
    file: Option<bool>,
    dir: Option<bool>,
}

#[derive(Default)]
struct Listing {
    /// Sorted.
    files: Vec<String>,
    known: HashSet<String>,
    dirs: HashSet<String>,
    generation: u64,
}

impl Listing {
    fn of(files: Vec<String>, generation: u64) -> Self {
        let mut dirs: HashSet<String> = HashSet::new();
        for file in &files {
            let mut path = file.as_str();
            while let Some((dir, _)) = path.rsplit_once('/') {
                if !dirs.insert(dir.to_owned()) {
                    break;
                }
                path = dir;
            }
        }
        Self { known: files.iter().cloned().collect(), files, dirs, generation }
    }
}

impl Snapshot {
    /// Reads the list of files.
    pub fn new(below: Arc<dyn Sources>) -> Self {
        let listing = Listing::of(below.files_below(""), 0);
        Self { below, listing: RwLock::new(Arc::new(listing)), asked: RwLock::default() }
    }

    /// Says that these paths were written, created or removed. Whether the list of files is another one now.
    pub fn changed<'p>(&self, paths: impl IntoIterator<Item = &'p str>) -> bool {
        let paths: Vec<&str> = paths.into_iter().collect();
        {
            let mut asked = self.asked.write().unwrap_or_else(|e| e.into_inner());
            asked.retain(|path, _| !paths.contains(&path.as_str()));
        }
        let listing = self.listing();
        let same = |path: &str| listing.known.contains(path) == self.below.is_file(path);
        // Directories that came or went bring files of any number; they are no files before nor after.
        let is_plain = |path: &str| same(path) && (listing.known.contains(path) || !self.below.is_dir(path));
        let gone = |path: &str| listing.dirs.contains(path);
        if paths.iter().all(|path| is_plain(path) && !gone(path)) {
            return false;
        }
        self.refresh()
    }

    /// Reads the list of files again. Whether it is another one now.
    pub fn refresh(&self) -> bool {
        let files = self.below.files_below("");
        self.asked.write().unwrap_or_else(|e| e.into_inner()).clear();
        let mut current = self.listing.write().unwrap_or_else(|e| e.into_inner());
        if current.files == files {
            return false;
        }
        *current = Arc::new(Listing::of(files, current.generation + 1));
        true
    }

    fn listing(&self) -> Arc<Listing> {
        self.listing.read().unwrap_or_else(|e| e.into_inner()).clone()
    }

    fn answer(&self, path: &str) -> Answer {
        self.asked.read().unwrap_or_else(|e| e.into_inner()).get(path).copied().unwrap_or_default()
    }

    fn note(&self, path: &str, note: impl FnOnce(&mut Answer)) {
        note(self.asked.write().unwrap_or_else(|e| e.into_inner()).entry(path.to_owned()).or_default());
    }
}

impl Sources for Snapshot {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        self.below.read(path)
    }

    fn is_file(&self, path: &str) -> bool {
        if self.listing().known.contains(path) {
            return true;
        }
        self.answer(path).file.unwrap_or_else(|| {
            let there = self.below.is_file(path);
            self.note(path, |a| a.file = Some(there));
            there
        })
    }

    fn is_dir(&self, path: &str) -> bool {
        if path.is_empty() || self.listing().dirs.contains(path.trim_end_matches('/')) {
            return true;
        }
        self.answer(path).dir.unwrap_or_else(|| {
            let there = self.below.is_dir(path);
            self.note(path, |a| a.dir = Some(there));
            there
        })
    }

    fn files_below(&self, path: &str) -> Vec<String> {
        let listing = self.listing();
        let path = path.trim_end_matches('/');
        if path.is_empty() {
            return listing.files.clone();
        }
        if !listing.dirs.contains(path) {
            return self.below.files_below(path);
        }
        let prefix = format!("{path}/");
        let start = listing.files.partition_point(|file| *file < prefix);
        listing.files[start..].iter().take_while(|file| file.starts_with(&prefix)).cloned().collect()
    }

    fn generation(&self) -> Option<u64> {
        Some(self.listing().generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::DiskSources;
    use std::fs;

    #[test]
    fn the_list_follows_what_it_is_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("states/web")).unwrap();
        fs::create_dir_all(dir.path().join(".git")).unwrap();
        for path in ["states/web/init.zy", "states/web-x.zy", "states/a.zy", ".git/config"] {
            fs::write(dir.path().join(path), "").unwrap();
        }
        let disk = DiskSources::new(dir.path());
        let snapshot = Snapshot::new(Arc::new(DiskSources::new(dir.path())));
        let agree = || {
            for path in ["", "states", "states/web", "states/web/", ".git", "nowhere", "states/a.zy"] {
                assert_eq!(snapshot.files_below(path), disk.files_below(path), "{path}");
                assert_eq!(snapshot.is_dir(path), disk.is_dir(path), "{path}");
                assert_eq!(snapshot.is_file(path), disk.is_file(path), "{path}");
            }
            for path in ["states/web/init.zy", "states/b.zy", ".git/config", "states/new/c.zy"] {
                assert_eq!(snapshot.is_file(path), disk.is_file(path), "{path}");
            }
        };
        agree();
        let first = snapshot.generation();
        fs::write(dir.path().join("states/a.zy"), "a: test.nop\n").unwrap();
        assert!(!snapshot.changed(["states/a.zy", "states/nothing.zy~"]));
        assert_eq!(snapshot.generation(), first);
        fs::write(dir.path().join("states/b.zy"), "").unwrap();
        assert!(snapshot.changed(["states/b.zy"]));
        agree();
        fs::create_dir(dir.path().join("states/new")).unwrap();
        fs::write(dir.path().join("states/new/c.zy"), "").unwrap();
        assert!(snapshot.changed(["states/new"]));
        agree();
        fs::remove_dir_all(dir.path().join("states/web")).unwrap();
        assert!(snapshot.changed(["states/web"]));
        agree();
        assert_ne!(snapshot.generation(), first);
    }
}
