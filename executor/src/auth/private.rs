//! Files with secrets: 0600 from their first byte, written atomically, never written over by accident, refused where others may read them.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

/// The longest file that is read here, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It could not be opened, read or written.
    #[error("`{path}` cannot be {doing}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// `read`, `written`, `made`.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Others than its owner may read it.
    #[error(
        "`{path}` holds a secret and has the mode {mode:04o}: others may read it; `chmod 600` it, and make a new secret if anybody may have read it"
    )]
    Readable {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another user, who could change it at any time.
    #[error(
        "`{path}` holds a secret and belongs to the user {owner}; it must belong to the user who reads it, {reader}"
    )]
    Owner {
        /// Which.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who reads it.
        reader: u32,
    },
    /// Something is there already.
    #[error("`{0}` is there already; it is not written over")]
    Exists(PathBuf),
    /// Longer than anything of its kind.
    #[error("`{0}` is longer than 4 MiB; that is no key and no credentials")]
    TooLong(PathBuf),
    /// Its content is not what was expected.
    #[error("`{path}`: {reason}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl FileError {
    fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, doing, source }
    }

    /// The content is wrong, for this reason.
    pub fn content(path: &Path, reason: impl ToString) -> Self {
        Self::Content { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// Reads a file with a secret. Refuses one that others may read, or that another user (but root) owns.
pub fn read_secret(path: &Path) -> Result<String, FileError> {
    let file = File::open(path).map_err(FileError::io(path, "read"))?;
    // Of the open file: it cannot be another one by the time it is read.
    let metadata = file.metadata().map_err(FileError::io(path, "read"))?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(FileError::Readable { path: path.to_owned(), mode });
    }
    let reader = rustix::process::geteuid().as_raw();
    if metadata.uid() != reader && metadata.uid() != 0 {
        return Err(FileError::Owner { path: path.to_owned(), owner: metadata.uid(), reader });
    }
    read(file, path)
}

/// Reads a file that everybody may see.
pub fn read_public(path: &Path) -> Result<String, FileError> {
    read(File::open(path).map_err(FileError::io(path, "read"))?, path)
}

fn read(file: File, path: &Path) -> Result<String, FileError> {
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(FileError::io(path, "read"))?;
    if text.len() as u64 > MAX_BYTES { Err(FileError::TooLong(path.to_owned())) } else { Ok(text) }
}

/// Who may read a file that is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Its owner: 0600.
    Secret,
    /// Everybody: 0644.
    Public,
}

impl Mode {
    const fn bits(self) -> u32 {
        match self {
            Self::Secret => 0o600,
            Self::Public => 0o644,
        }
    }
}

/// Writes a new file in one step; refuses where one is.
pub fn create(path: &Path, mode: Mode, content: &str) -> Result<(), FileError> {
    let file = prepare(path, mode, content.as_bytes()).map_err(FileError::io(path, "made"))?;
    file.persist_noclobber(path).map_err(|e| match e.error.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists(path.to_owned()),
        _ => FileError::io(path, "made")(e.error),
    })?;
    sync(path).map_err(FileError::io(path, "made"))
}

/// Puts a file in place of whatever is there, in one step: a reader sees the old content or the new one.
pub fn replace(path: &Path, mode: Mode, content: impl AsRef<[u8]>) -> Result<(), FileError> {
    let written = || {
        prepare(path, mode, content.as_ref())?.persist(path).map_err(|e| e.error)?;
        sync(path)
    };
    written().map_err(FileError::io(path, "written"))
}

/// A file beside `path` with the content, on the disk, with 0600 and an unpredictable name until it is whole.
fn prepare(path: &Path, mode: Mode, content: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let mut file = tempfile::NamedTempFile::new_in(directory(path))?;
    file.write_all(content)?;
    if mode == Mode::Public {
        file.as_file().set_permissions(fs::Permissions::from_mode(mode.bits()))?;
    }
    file.as_file().sync_all()?;
    Ok(file)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(directory(path))?.sync_all()
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a directory that only its owner may enter.
pub fn make_directory(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(FileError::io(path, "made"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secrets_are_their_owners() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seed");
        create(&path, Mode::Secret, "S").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(read_secret(&path).unwrap(), "S");
        assert!(matches!(create(&path, Mode::Secret, "T"), Err(FileError::Exists(_))));
        for mode in [0o640, 0o604, 0o660, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read_secret(&path), Err(FileError::Readable { .. })), "{mode:o}");
        }
        replace(&path, Mode::Secret, "U").unwrap();
        assert_eq!(read_secret(&path).unwrap(), "U");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        replace(&path, Mode::Public, "V").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
        assert_eq!(read_public(&path).unwrap(), "V");
    }
}
