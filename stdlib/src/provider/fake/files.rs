//! A file system in memory.

use crate::provider::{FileKind, FileSystem, Ownership, Stat};
use std::{
    collections::{BTreeMap, HashMap},
    io::{self, ErrorKind},
    sync::{Mutex, MutexGuard, PoisonError},
};

#[derive(Clone)]
enum Content {
    File(Vec<u8>),
    Directory,
    Link(String),
}

#[derive(Clone)]
struct Inode {
    content: Content,
    mode: u32,
    uid: u32,
    gid: u32,
    modified: (i64, u32),
    accessed: (i64, u32),
}

#[derive(Default)]
struct Disk {
    /// Absolute, normal paths (`/a/b`); the root is the empty text.
    names: BTreeMap<String, u64>,
    inodes: HashMap<u64, Inode>,
    next: u64,
    clock: i64,
    full: bool,
    writes: u64,
}

/// A file system in memory. It starts with `/` and `/tmp`; times come from a counter, so that tests are the same
/// every time.
pub struct FakeFiles(Mutex<Disk>);

impl Default for FakeFiles {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeFiles {
    /// An empty machine.
    pub fn new() -> Self {
        let mut disk = Disk { clock: 1_000_000, ..Disk::default() };
        disk.add(String::new(), Content::Directory, 0o755);
        disk.add("/tmp".to_owned(), Content::Directory, 0o1777);
        Self(Mutex::new(disk))
    }

    /// Puts a file there, with its parents.
    pub fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let mut disk = self.disk();
        disk.parents(path);
        disk.add(path.to_owned(), Content::File(content.as_ref().to_vec()), 0o644);
    }

    /// Puts a directory there, with its parents.
    pub fn put_dir(&self, path: &str) {
        let mut disk = self.disk();
        disk.parents(path);
        if !disk.names.contains_key(path) {
            disk.add(path.to_owned(), Content::Directory, 0o755);
        }
    }

    /// The content of a file as text; empty when there is none.
    pub fn text(&self, path: &str) -> String {
        self.read(path).map(|c| String::from_utf8_lossy(&c).into_owned()).unwrap_or_default()
    }

    /// From now on there is no room for any content.
    pub fn fill_up(&self) {
        self.disk().full = true;
    }

    /// How many times something was changed.
    pub fn writes(&self) -> u64 {
        self.disk().writes
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn not_found(path: &str) -> io::Error {
    io::Error::new(ErrorKind::NotFound, format!("`{path}` does not exist"))
}

impl Disk {
    fn add(&mut self, path: String, content: Content, mode: u32) {
        self.next += 1;
        self.clock += 1;
        let now = (self.clock, 0);
        self.inodes.insert(self.next, Inode { content, mode, uid: 0, gid: 0, modified: now, accessed: now });
        self.names.insert(path, self.next);
    }

    fn parents(&mut self, path: &str) {
        let mut at = String::new();
        for segment in parent(path).split('/').filter(|s| !s.is_empty()) {
            at = format!("{at}/{segment}");
            if !self.names.contains_key(&at) {
                self.add(at.clone(), Content::Directory, 0o755);
            }
        }
    }

    /// The normal path, links in the parents followed, the last one only when `follow`.
    fn resolve(&self, path: &str, follow: bool) -> io::Result<String> {
        if !path.starts_with('/') {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("`{path}` is not absolute")));
        }
        let mut pending: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut at = String::new();
        let mut links = 0;
        while let Some(segment) = pending.pop() {
            match segment.as_str() {
                "" | "." => continue,
                ".." => {
                    at = parent(&at).to_owned();
                    continue;
                }
                _ => {}
            }
            let next = format!("{at}/{segment}");
            let last = pending.iter().all(|s| s.is_empty());
            match self.names.get(&next).and_then(|i| self.inodes.get(i)).map(|i| &i.content) {
                Some(Content::Link(target)) if !last || follow => {
                    links += 1;
                    if links > 40 {
                        return Err(io::Error::other("too many levels of symbolic links"));
                    }
                    if target.starts_with('/') {
                        at = String::new();
                    }
                    pending.extend(target.split('/').rev().map(str::to_owned));
                }
                Some(Content::File(_)) if !last => {
                    return Err(io::Error::new(
                        ErrorKind::NotADirectory,
                        format!("`{next}` is not a directory"),
                    ));
                }
                None if !last => return Err(not_found(&next)),
                _ => at = next,
            }
        }
        Ok(at)
    }

    fn inode(&mut self, path: &str, follow: bool) -> io::Result<&mut Inode> {
        let path = self.resolve(path, follow)?;
        let number = *self.names.get(&path).ok_or_else(|| not_found(&path))?;
        self.inodes.get_mut(&number).ok_or_else(|| not_found(&path))
    }

    fn vacant(&self, path: &str) -> io::Result<String> {
        let path = self.resolve(path, false)?;
        if self.names.contains_key(&path) {
            return Err(io::Error::new(ErrorKind::AlreadyExists, format!("`{path}` exists")));
        }
        Ok(path)
    }

    fn changing(&mut self) -> io::Result<()> {
        if self.full {
            return Err(io::Error::new(ErrorKind::StorageFull, "no space left on device"));
        }
        self.writes += 1;
        Ok(())
    }
}

impl FileSystem for FakeFiles {
    fn stat(&self, path: &str, follow: bool) -> io::Result<Option<Stat>> {
        let disk = self.disk();
        let path = match disk.resolve(path, follow) {
            Ok(path) => path,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(e) => return Err(e),
        };
        let Some(number) = disk.names.get(&path) else { return Ok(None) };
        Ok(disk.inodes.get(number).map(|inode| Stat {
            kind: match inode.content {
                Content::File(_) => FileKind::File,
                Content::Directory => FileKind::Directory,
                Content::Link(_) => FileKind::Symlink,
            },
            mode: inode.mode,
            uid: inode.uid,
            gid: inode.gid,
            size: match &inode.content {
                Content::File(content) => content.len() as u64,
                Content::Directory => 0,
                Content::Link(target) => target.len() as u64,
            },
            modified: inode.modified,
            accessed: inode.accessed,
            device: 1,
            inode: *number,
        }))
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match &self.disk().inode(path, true)?.content {
            Content::File(content) => Ok(content.clone()),
            _ => Err(io::Error::new(ErrorKind::IsADirectory, format!("`{path}` is a directory"))),
        }
    }

    fn write(&self, path: &str, content: &[u8], ownership: Ownership, follow: bool) -> io::Result<()> {
        let mut disk = self.disk();
        disk.changing()?;
        let path = disk.resolve(path, follow)?;
        if !disk.names.contains_key(parent(&path)) {
            return Err(not_found(parent(&path)));
        }
        let old = disk.names.get(&path).and_then(|i| disk.inodes.get(i)).cloned();
        if matches!(old.as_ref().map(|o| &o.content), Some(Content::Directory)) {
            return Err(io::Error::new(ErrorKind::IsADirectory, format!("`{path}` is a directory")));
        }
        disk.add(path, Content::File(content.to_vec()), 0o644);
        let number = disk.next;
        if let Some(new) = disk.inodes.get_mut(&number) {
            let old = old.filter(|o| matches!(o.content, Content::File(_)));
            new.uid = ownership.uid.or(old.as_ref().map(|o| o.uid)).unwrap_or(0);
            new.gid = ownership.gid.or(old.as_ref().map(|o| o.gid)).unwrap_or(0);
            new.mode = ownership.mode.or(old.as_ref().map(|o| o.mode)).unwrap_or(0o644);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn create_dir(&self, path: &str, mode: u32) -> io::Result<()> {
        let mut disk = self.disk();
        disk.changing()?;
        let path = disk.vacant(path)?;
        disk.add(path, Content::Directory, mode);
        Ok(())
    }

    fn symlink(&self, target: &str, path: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.changing()?;
        let path = disk.resolve(path, false)?;
        disk.add(path, Content::Link(target.to_owned()), 0o777);
        Ok(())
    }

    fn hard_link(&self, existing: &str, path: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.changing()?;
        let existing = disk.resolve(existing, true)?;
        let number = *disk.names.get(&existing).ok_or_else(|| not_found(&existing))?;
        let path = disk.vacant(path)?;
        disk.names.insert(path, number);
        Ok(())
    }

    fn read_link(&self, path: &str) -> io::Result<String> {
        match &self.disk().inode(path, false)?.content {
            Content::Link(target) => Ok(target.clone()),
            _ => Err(io::Error::new(ErrorKind::InvalidInput, format!("`{path}` is not a link"))),
        }
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let disk = self.disk();
        let path = disk.resolve(path, true)?;
        if !disk.names.contains_key(&path) {
            return Err(not_found(&path));
        }
        let prefix = format!("{path}/");
        let below = disk.names.keys().filter_map(|p| p.strip_prefix(&prefix));
        Ok(below.filter(|rest| !rest.is_empty() && !rest.contains('/')).map(str::to_owned).collect())
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.writes += 1;
        let path = disk.resolve(path, false)?;
        match disk.names.remove(&path) {
            Some(_) => Ok(()),
            None => Err(not_found(&path)),
        }
    }

    fn remove_dir_all(&self, path: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.writes += 1;
        let path = disk.resolve(path, false)?;
        let prefix = format!("{path}/");
        disk.names.retain(|p, _| *p != path && !p.starts_with(&prefix));
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.changing()?;
        let from = disk.resolve(from, false)?;
        let to = disk.resolve(to, false)?;
        let prefix = format!("{from}/");
        let moved: Vec<String> =
            disk.names.keys().filter(|p| **p == from || p.starts_with(&prefix)).cloned().collect();
        if moved.is_empty() {
            return Err(not_found(&from));
        }
        for path in moved {
            if let Some(number) = disk.names.remove(&path) {
                let rest = path.strip_prefix(&from).unwrap_or_default();
                disk.names.insert(format!("{to}{rest}"), number);
            }
        }
        Ok(())
    }

    fn set_mode(&self, path: &str, mode: u32) -> io::Result<()> {
        let mut disk = self.disk();
        disk.writes += 1;
        disk.inode(path, true)?.mode = mode;
        Ok(())
    }

    fn set_owner(&self, path: &str, uid: Option<u32>, gid: Option<u32>, follow: bool) -> io::Result<()> {
        let mut disk = self.disk();
        disk.writes += 1;
        let inode = disk.inode(path, follow)?;
        inode.uid = uid.unwrap_or(inode.uid);
        inode.gid = gid.unwrap_or(inode.gid);
        Ok(())
    }

    fn set_times(&self, path: &str, accessed: Option<i64>, modified: Option<i64>) -> io::Result<()> {
        let mut disk = self.disk();
        disk.writes += 1;
        let inode = disk.inode(path, true)?;
        inode.accessed = accessed.map_or(inode.accessed, |t| (t, 0));
        inode.modified = modified.map_or(inode.modified, |t| (t, 0));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_in_parents() {
        let files = FakeFiles::new();
        files.put("/run/a", "x");
        files.symlink("run", "/var").unwrap();
        assert_eq!(files.text("/var/a"), "x");
        files.write("/var/b", b"y", Ownership::default(), true).unwrap();
        assert_eq!(files.text("/run/b"), "y");
        assert_eq!(files.list("/run").unwrap(), ["a", "b"]);
    }

    #[test]
    fn a_full_disk_leaves_the_old_file() {
        let files = FakeFiles::new();
        files.put("/a", "old");
        files.fill_up();
        assert!(files.write("/a", b"new", Ownership::default(), true).is_err());
        assert_eq!(files.text("/a"), "old");
    }
}
