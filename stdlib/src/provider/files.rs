//! Files of a machine.

use crate::Context;
use std::io;

/// What a path is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, socket or pipe.
    Other,
}

/// What is known about a path.
#[derive(Clone, PartialEq, Debug)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits, `0` to `0o7777`.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// Modification time: seconds and nanoseconds since the epoch.
    pub modified: (i64, u32),
    /// Access time: seconds and nanoseconds since the epoch.
    pub accessed: (i64, u32),
    /// Device number, for loops and file system borders.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// What changes when a file does: modification time in seconds and nanoseconds, size, inode.
pub(crate) type Stamp = (i64, u32, u64, u64);

impl Stat {
    /// What is another when the file has changed.
    pub(crate) fn stamp(&self) -> Stamp {
        (self.modified.0, self.modified.1, self.size, self.inode)
    }
}

/// What is at a path, links followed; the error names it.
pub(crate) fn stat(cx: &Context, path: &str) -> Result<Option<Stat>, String> {
    cx.machine.files.stat(path, true).map_err(|e| format!("`{path}` could not be read: {e}"))
}

/// A file's content; `None` where there is no file.
pub(crate) fn content(cx: &Context, path: &str) -> Result<Option<Vec<u8>>, String> {
    match cx.machine.files.read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("`{path}` could not be read: {e}")),
    }
}

/// A file's text; `None` where there is no file.
pub(crate) fn text(cx: &Context, path: &str) -> Result<Option<String>, String> {
    Ok(content(cx, path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Owner and mode to be set; `None` keeps what is there (for a new file: the process's own and the umask).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ownership {
    /// Owner's number.
    pub uid: Option<u32>,
    /// Group's number.
    pub gid: Option<u32>,
    /// Permission bits.
    pub mode: Option<u32>,
}

/// Files. Paths are absolute.
pub trait FileSystem: Send + Sync {
    /// What is at `path`: of a link the link itself, unless `follow`. `None` when nothing is there.
    fn stat(&self, path: &str, follow: bool) -> io::Result<Option<Stat>>;

    /// A file's content, links followed.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// At most `limit` bytes from the beginning of a file, links followed.
    fn read_head(&self, path: &str, limit: usize) -> io::Result<Vec<u8>> {
        let mut content = self.read(path)?;
        content.truncate(limit);
        Ok(content)
    }

    /// Whether a file's content is this; links are followed.
    fn holds(&self, path: &str, content: &[u8]) -> io::Result<bool> {
        Ok(self.read(path)? == content)
    }

    /// Replaces (or creates) a file as one step: a temporary file in the same directory, owner and mode set before
    /// any content, synced, renamed. After a crash either the old or the new file is there. A link at `path` is
    /// followed when `follow`, else replaced. Without a mode a new file gets `0666` less the umask, an
    /// existing one keeps its mode and owner. The sync may be batched until [`FileSystem::sync`].
    fn write(&self, path: &str, content: &[u8], ownership: Ownership, follow: bool) -> io::Result<()>;

    /// Waits until everything written is on the disk.
    fn sync(&self) -> io::Result<()>;

    /// Makes one directory.
    fn create_dir(&self, path: &str, mode: u32) -> io::Result<()>;

    /// Makes (or atomically replaces) a symbolic link.
    fn symlink(&self, target: &str, path: &str) -> io::Result<()>;

    /// Makes a hard link.
    fn hard_link(&self, existing: &str, path: &str) -> io::Result<()>;

    /// The text of a symbolic link.
    fn read_link(&self, path: &str) -> io::Result<String>;

    /// Names in a directory, sorted.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;

    /// Removes a file or link.
    fn remove_file(&self, path: &str) -> io::Result<()>;

    /// Removes a directory and everything in it, following no link.
    fn remove_dir_all(&self, path: &str) -> io::Result<()>;

    /// Renames within a file system.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Sets permission bits. Links are followed.
    fn set_mode(&self, path: &str, mode: u32) -> io::Result<()>;

    /// Sets owner and group; of a link the link's own, unless `follow`.
    fn set_owner(&self, path: &str, uid: Option<u32>, gid: Option<u32>, follow: bool) -> io::Result<()>;

    /// Sets access and modification time: seconds since the epoch; `None` keeps.
    fn set_times(&self, path: &str, accessed: Option<i64>, modified: Option<i64>) -> io::Result<()>;
}
