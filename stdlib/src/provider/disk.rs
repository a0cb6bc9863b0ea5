//! The real file system.
//!
//! # How a file is replaced
//!
//! The parent directory is opened once; the new content goes into a temporary file with an unpredictable name,
//! created there exclusively with mode `0600`; owner, mode and extended attributes are set; the file is renamed
//! over the old one. Whoever kills us at any moment leaves the old or the new file, never a mixture.
//!
//! # What a loss of power leaves
//!
//! The old content of a file is never given up for something that is not on the disk yet. Some file systems see to
//! that themselves: when a rename replaces a file, they write the new content before the rename (ext4 unless it is
//! mounted otherwise, btrfs). On all others the content is synced (`fdatasync`) before the rename. A file that is new
//! has no old content to lose.
//!
//! Everything else is left to [`FileSystem::sync`], which the runner calls at the end of a run: one `syncfs` for
//! each file system that was written to makes all contents, renames and directories durable together. A thousand
//! syncs of single files take seconds on a busy disk.

use super::{FileKind, FileSystem, Ownership, Stat, directory};
use rustix::{
    fs::{self, AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps, XattrFlags},
    io::Errno,
    process::{Gid, Uid, geteuid},
};
use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    os::fd::OwnedFd,
    sync::{Mutex, PoisonError},
};

/// The file system of this machine.
#[derive(Default)]
pub struct Disk {
    /// One open directory for each file system that has been written to since the last sync.
    written: Mutex<BTreeMap<u64, OwnedFd>>,
    /// By device: whether a rename there waits for the new content by itself.
    orders_renames: Mutex<BTreeMap<u64, bool>>,
}

// Numbers of file systems, from statfs(2).
const EXT4: fs::FsWord = 0xef53;
const BTRFS: fs::FsWord = 0x9123_683e;
const TMPFS: fs::FsWord = 0x0102_1994;
const RAMFS: fs::FsWord = 0x8584_58f6;

/// Whether a device is mounted with one of these options; when that cannot be told, it counts as if it were.
fn mounted_with(device: u64, options: &[&str]) -> bool {
    let number = format!("{}:{}", fs::major(device), fs::minor(device));
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else { return true };
    let mut lines = mounts.lines().filter(|l| l.split_whitespace().nth(2) == Some(&number)).peekable();
    lines.peek().is_none() || lines.any(|line| line.split([' ', ',']).any(|word| options.contains(&word)))
}

/// Most links that are followed from a file's name to the file.
const MAX_LINKS: usize = 40;

impl Disk {
    /// The file system of this machine.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the file system writes a file's content before a rename that replaces another by it.
    fn orders_renames(&self, dir: &OwnedFd, device: u64) -> bool {
        let mut known = self.orders_renames.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(device).or_insert_with(|| match fs::fstatfs(dir).map(|s| s.f_type) {
            Ok(EXT4) => !mounted_with(device, &["noauto_da_alloc", "data=writeback"]),
            Ok(BTRFS | TMPFS | RAMFS) => true,
            _ => false,
        })
    }

    /// Notes that something changed in the directory of `path`; a later sync covers its file system.
    fn remember_path(&self, path: &str) -> io::Result<()> {
        let (parent, _) = split(path)?;
        let dir = directory::open(parent)?;
        self.remember(fs::fstat(&dir)?.st_dev, dir);
        Ok(())
    }

    fn remember(&self, device: u64, dir: OwnedFd) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).entry(device).or_insert(dir);
    }
}

/// The directory and the last name of an absolute path.
fn split(path: &str) -> io::Result<(&str, &str)> {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    match path.rsplit_once('/') {
        Some((parent, name)) if !name.is_empty() && name != "." && name != ".." => {
            Ok((if parent.is_empty() { "/" } else { parent }, name))
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{path}` does not name a file"))),
    }
}

/// Where a write to `path` ends up when links are followed. A link in a directory that everybody may write to
/// (`/tmp`) is followed only when its owner is this user or the directory's, as the kernel's protected links are.
fn final_path(path: &str) -> io::Result<String> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let stat = match fs::lstat(path.as_str()) {
            Err(Errno::NOENT) => return Ok(path),
            other => other?,
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Ok(path);
        }
        let (parent, _) = split(&path)?;
        let dir = fs::stat(parent)?;
        let shared = dir.st_mode & 0o1002 == 0o1002;
        if shared && stat.st_uid != geteuid().as_raw() && stat.st_uid != dir.st_uid {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "`{path}` is a link that user {} made in a directory open to everybody; it is not followed",
                    stat.st_uid
                ),
            ));
        }
        let text = fs::readlink(path.as_str(), Vec::new())?;
        let text = text.into_string().map_err(|_| io::Error::from(Errno::ILSEQ))?;
        path = if text.starts_with('/') { text } else { format!("{}/{text}", parent.trim_end_matches('/')) };
    }
    Err(Errno::LOOP.into())
}

/// A temporary file that is removed unless it was renamed.
struct Temporary<'a> {
    dir: &'a OwnedFd,
    name: String,
    file: std::fs::File,
    kept: bool,
}

impl<'a> Temporary<'a> {
    fn create(dir: &'a OwnedFd, beside: &str) -> io::Result<Self> {
        for _ in 0..16 {
            let name = crate::random::hidden_name(beside, ".zester").map_err(io::Error::other)?;
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
            match fs::openat(dir, &name, flags, Mode::from_raw_mode(0o600)) {
                Ok(fd) => return Ok(Self { dir, name, file: fd.into(), kept: false }),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing more can be done about a file that cannot be removed; the first error is the one reported.
            let _ = fs::unlinkat(self.dir, &self.name, AtFlags::empty());
        }
    }
}

/// Carries labels and access lists over to the new file. A file system that has none, or refuses one, is no reason
/// not to write.
fn copy_attributes(old: &OwnedFd, new: &std::fs::File) {
    let mut names = vec![0_u8; 4096];
    let Ok(length) = fs::flistxattr(old, names.as_mut_slice()) else { return };
    names.truncate(length);
    for name in names.split(|b| *b == 0).filter(|n| !n.is_empty()) {
        let mut value = vec![0_u8; 65_536];
        if let Ok(length) = fs::fgetxattr(old, name, value.as_mut_slice()) {
            let _ = fs::fsetxattr(new, name, value.get(..length).unwrap_or_default(), XattrFlags::empty());
        }
    }
}

/// The umask of this process, read from the kernel: asking with `umask(2)` would change it for a moment, for all
/// threads.
fn umask() -> u32 {
    static UMASK: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *UMASK.get_or_init(|| {
        std::fs::read_to_string("/proc/self/status")
            .ok()
            .and_then(|status| {
                let line = status.lines().find_map(|l| l.strip_prefix("Umask:"))?;
                u32::from_str_radix(line.trim(), 8).ok()
            })
            .unwrap_or(0o022)
    })
}

fn stat_of(raw: &fs::Stat) -> Stat {
    Stat {
        kind: match FileType::from_raw_mode(raw.st_mode) {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Directory,
            FileType::Symlink => FileKind::Symlink,
            _ => FileKind::Other,
        },
        mode: raw.st_mode & 0o7777,
        uid: raw.st_uid,
        gid: raw.st_gid,
        size: raw.st_size as u64,
        modified: (raw.st_mtime, raw.st_mtime_nsec as u32),
        accessed: (raw.st_atime, raw.st_atime_nsec as u32),
        device: raw.st_dev,
        inode: raw.st_ino,
    }
}

impl FileSystem for Disk {
    fn stat(&self, path: &str, follow: bool) -> io::Result<Option<Stat>> {
        let found = if follow { fs::stat(path) } else { fs::lstat(path) };
        match found {
            Ok(raw) => Ok(Some(stat_of(&raw))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn read_head(&self, path: &str, limit: usize) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        std::fs::File::open(path)?.take(limit as u64).read_to_end(&mut head)?;
        Ok(head)
    }

    fn holds(&self, path: &str, content: &[u8]) -> io::Result<bool> {
        // One byte more than expected shows what is longer; what is shorter than asked for is the end of the file.
        let mut file = std::fs::File::open(path)?;
        let mut found = vec![0_u8; content.len() + 1];
        let mut length = 0;
        while let Some(rest) = found.get_mut(length..) {
            let wanted = rest.len();
            match file.read(rest) {
                Ok(count) => {
                    length += count;
                    if count < wanted {
                        break;
                    }
                    return Ok(false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found.get(..length) == Some(content))
    }

    fn write(&self, path: &str, content: &[u8], ownership: Ownership, follow: bool) -> io::Result<()> {
        let followed;
        let path = if follow {
            followed = final_path(path)?;
            followed.as_str()
        } else {
            path
        };
        let (parent, name) = split(path)?;
        let dir = directory::open(parent)?;
        let old = match fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(old) if FileType::from_raw_mode(old.st_mode) == FileType::Directory => {
                return Err(Errno::ISDIR.into());
            }
            Ok(old) => Some(old),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(error.into()),
        };
        let mut temporary = Temporary::create(&dir, name)?;
        let own = fs::fstat(&temporary.file)?;
        let kept = old.filter(|old| FileType::from_raw_mode(old.st_mode) == FileType::RegularFile);
        let uid = ownership.uid.or(kept.map(|o| o.st_uid)).filter(|uid| *uid != own.st_uid);
        let gid = ownership.gid.or(kept.map(|o| o.st_gid)).filter(|gid| *gid != own.st_gid);
        if uid.is_some() || gid.is_some() {
            fs::fchown(&temporary.file, uid.map(Uid::from_raw), gid.map(Gid::from_raw))?;
        }
        if kept.is_some()
            && let Ok(old) = fs::openat(
                &dir,
                name,
                OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC,
                Mode::empty(),
            )
        {
            copy_attributes(&old, &temporary.file);
        }
        let mode = ownership.mode.or(kept.map(|o| o.st_mode & 0o7777)).unwrap_or_else(|| 0o666 & !umask());
        // After the owner: a change of owner takes setuid bits away.
        fs::fchmod(&temporary.file, Mode::from_raw_mode(mode))?;
        temporary.file.write_all(content)?;
        if mode & 0o6000 != 0 {
            // And so does a write by anybody but root.
            fs::fchmod(&temporary.file, Mode::from_raw_mode(mode))?;
        }
        if kept.is_some() && !self.orders_renames(&dir, own.st_dev) {
            fs::fdatasync(&temporary.file)?;
        }
        fs::renameat(&dir, &temporary.name, &dir, name)?;
        temporary.kept = true;
        drop(temporary);
        self.remember(own.st_dev, dir);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let written = std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner));
        for dir in written.values() {
            fs::syncfs(dir)?;
        }
        Ok(())
    }

    fn create_dir(&self, path: &str, mode: u32) -> io::Result<()> {
        let (parent, name) = split(path)?;
        let dir = directory::open(parent)?;
        fs::mkdirat(&dir, name, Mode::from_raw_mode(mode))?;
        // The umask took bits away; the author's word is the mode. Through a descriptor, for nobody to exchange it.
        let made = fs::openat(
            &dir,
            name,
            OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        fs::fchmod(&made, Mode::from_raw_mode(mode))?;
        self.remember(fs::fstat(&made)?.st_dev, dir);
        Ok(())
    }

    fn symlink(&self, target: &str, path: &str) -> io::Result<()> {
        let (parent, name) = split(path)?;
        let dir = directory::open(parent)?;
        match fs::symlinkat(target, &dir, name) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let temporary = crate::random::hidden_name(name, ".zester").map_err(io::Error::other)?;
                fs::symlinkat(target, &dir, &temporary)?;
                if let Err(error) = fs::renameat(&dir, &temporary, &dir, name) {
                    let _ = fs::unlinkat(&dir, &temporary, AtFlags::empty());
                    return Err(error.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
        self.remember(fs::fstat(&dir)?.st_dev, dir);
        Ok(())
    }

    fn hard_link(&self, existing: &str, path: &str) -> io::Result<()> {
        let (parent, name) = split(path)?;
        let dir = directory::open(parent)?;
        fs::linkat(CWD, existing, &dir, name, AtFlags::empty())?;
        self.remember(fs::fstat(&dir)?.st_dev, dir);
        Ok(())
    }

    fn read_link(&self, path: &str) -> io::Result<String> {
        let text = fs::readlink(path, Vec::new())?;
        text.into_string().map_err(|_| Errno::ILSEQ.into())
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path)? {
            // A name that is not UTF-8 cannot be named by a state; it is left out rather than mangled.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        let (parent, name) = split(path)?;
        let dir = directory::open(parent)?;
        fs::unlinkat(&dir, name, AtFlags::empty())?;
        self.remember(fs::fstat(&dir)?.st_dev, dir);
        Ok(())
    }

    fn remove_dir_all(&self, path: &str) -> io::Result<()> {
        // The standard library's own goes by descriptors and follows no link.
        std::fs::remove_dir_all(path)?;
        self.remember_path(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from_parent, from_name) = split(from)?;
        let (to_parent, to_name) = split(to)?;
        let from_dir = directory::open(from_parent)?;
        let to_dir = directory::open(to_parent)?;
        fs::renameat(&from_dir, from_name, &to_dir, to_name)?;
        self.remember(fs::fstat(&to_dir)?.st_dev, to_dir);
        Ok(())
    }

    fn set_mode(&self, path: &str, mode: u32) -> io::Result<()> {
        fs::chmod(path, Mode::from_raw_mode(mode))?;
        self.remember_path(path)
    }

    fn set_owner(&self, path: &str, uid: Option<u32>, gid: Option<u32>, follow: bool) -> io::Result<()> {
        let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        fs::chownat(CWD, path, uid.map(Uid::from_raw), gid.map(Gid::from_raw), flags)?;
        self.remember_path(path)
    }

    fn set_times(&self, path: &str, accessed: Option<i64>, modified: Option<i64>) -> io::Result<()> {
        let time = |seconds: Option<i64>| match seconds {
            Some(seconds) => Timespec { tv_sec: seconds, tv_nsec: 0 },
            None => Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT },
        };
        let times = Timestamps { last_access: time(accessed), last_modification: time(modified) };
        fs::utimensat(CWD, path, &times, AtFlags::empty())?;
        self.remember_path(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn scratch() -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap().to_str().unwrap().to_owned();
        (dir, base)
    }

    #[test]
    fn a_replacement_keeps_mode_and_leaves_nothing_behind() {
        let (_dir, base) = scratch();
        let path = format!("{base}/f");
        let disk = Disk::new();
        disk.write(&path, b"one", Ownership { mode: Some(0o640), ..Ownership::default() }, true).unwrap();
        disk.write(&path, b"two", Ownership::default(), true).unwrap();
        assert_eq!(disk.read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(disk.list(&base).unwrap(), ["f"]);
        disk.sync().unwrap();
    }

    #[test]
    fn a_link_is_followed_or_replaced_as_asked() {
        let (_dir, base) = scratch();
        let disk = Disk::new();
        std::fs::write(format!("{base}/real"), "old").unwrap();
        symlink("real", format!("{base}/link")).unwrap();
        disk.write(&format!("{base}/link"), b"new", Ownership::default(), true).unwrap();
        assert_eq!(std::fs::read(format!("{base}/real")).unwrap(), b"new");
        assert!(std::fs::symlink_metadata(format!("{base}/link")).unwrap().is_symlink());
        disk.write(&format!("{base}/link"), b"own", Ownership::default(), false).unwrap();
        assert_eq!(std::fs::read(format!("{base}/real")).unwrap(), b"new");
        assert!(std::fs::symlink_metadata(format!("{base}/link")).unwrap().is_file());
    }

    #[test]
    fn a_link_planted_in_an_open_directory_is_not_followed() {
        if !geteuid().is_root() {
            println!("skipped: needs root to give a link to another user");
            return;
        }
        let (_dir, base) = scratch();
        let disk = Disk::new();
        std::fs::create_dir(format!("{base}/tmp")).unwrap();
        std::fs::set_permissions(format!("{base}/tmp"), PermissionsExt::from_mode(0o1777)).unwrap();
        std::fs::write(format!("{base}/shadow"), "secret").unwrap();
        symlink("../shadow", format!("{base}/tmp/f")).unwrap();
        std::os::unix::fs::lchown(format!("{base}/tmp/f"), Some(65534), None).unwrap();
        let error = disk.write(&format!("{base}/tmp/f"), b"x", Ownership::default(), true).unwrap_err();
        assert!(error.to_string().contains("not followed"), "{error}");
        assert_eq!(std::fs::read(format!("{base}/shadow")).unwrap(), b"secret");
    }

    #[test]
    fn contents_are_compared_whole() {
        let (_dir, base) = scratch();
        let path = format!("{base}/f");
        let disk = Disk::new();
        disk.write(&path, b"abc", Ownership::default(), true).unwrap();
        for (content, same) in [("abc", true), ("ab", false), ("abcd", false), ("abd", false), ("", false)] {
            assert_eq!(disk.holds(&path, content.as_bytes()).unwrap(), same, "{content}");
        }
    }

    #[test]
    fn a_directory_has_exactly_its_mode() {
        let (_dir, base) = scratch();
        let disk = Disk::new();
        disk.create_dir(&format!("{base}/d"), 0o2777).unwrap();
        assert_eq!(std::fs::metadata(format!("{base}/d")).unwrap().mode() & 0o7777, 0o2777);
    }

    #[test]
    fn an_existing_link_is_replaced_in_one_step() {
        let (_dir, base) = scratch();
        let disk = Disk::new();
        disk.symlink("a", &format!("{base}/l")).unwrap();
        disk.symlink("b", &format!("{base}/l")).unwrap();
        assert_eq!(disk.read_link(&format!("{base}/l")).unwrap(), "b");
        assert_eq!(disk.list(&base).unwrap(), ["l"]);
    }

    #[test]
    fn nothing_is_no_error() {
        let (_dir, base) = scratch();
        assert_eq!(Disk::new().stat(&format!("{base}/none"), true).unwrap(), None);
        assert_eq!(Disk::new().stat(&format!("{base}/none/below"), true).unwrap(), None);
    }
}
