//! One apply at a time on a machine.

use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use zester_stdlib::Cancel;

/// Between two questions for a lock that somebody holds.
const RETRY: Duration = Duration::from_millis(100);

/// Held while an apply runs; released when dropped, also by the death of the process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else applies.
    #[error("another apply is running on this machine{}; wait for it, or say --wait", holder.as_ref().map(|p| format!(" (process {p})")).unwrap_or_default())]
    Held {
        /// Its process id.
        holder: Option<String>,
    },
    /// The wait was ended by a signal.
    #[error("interrupted while waiting for another apply on this machine; nothing was touched")]
    Cancelled,
    /// The lock file cannot be used.
    #[error("the lock `{}` cannot be used: {error}", path.display())]
    Unusable {
        /// The lock file.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
}

impl Lock {
    /// Where the lock of this user's applies lies: `/run/zester` for root, the user's runtime directory otherwise.
    pub fn default_path() -> PathBuf {
        if rustix::process::geteuid().is_root() {
            return PathBuf::from("/run/zester/apply.lock");
        }
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        // A shared directory needs a name of the user's own, or one user could hold up all.
        runtime
            .map_or_else(
                || std::env::temp_dir().join(format!("zester-{}", rustix::process::geteuid().as_raw())),
                |dir| dir.join("zester"),
            )
            .join("apply.lock")
    }

    /// Takes the lock; with `wait` its holder's end is waited for, until that is cancelled.
    pub fn take(path: &Path, wait: Option<&Cancel>) -> Result<Self, LockError> {
        let unusable = |error: std::io::Error| LockError::Unusable { path: path.to_owned(), error };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(unusable)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(path)
            .map_err(unusable)?;
        // Asked again and again rather than blocking: a signal must be able to end the wait.
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => match wait {
                    Some(cancel) if cancel.is_cancelled() => return Err(LockError::Cancelled),
                    Some(_) => std::thread::sleep(RETRY),
                    None => {
                        let mut text = String::new();
                        let _ = file.read_to_string(&mut text);
                        let holder = Some(text.trim().to_owned()).filter(|t| !t.is_empty());
                        return Err(LockError::Held { holder });
                    }
                },
                Err(error) => return Err(unusable(error.into())),
            }
        }
        file.set_len(0).map_err(unusable)?;
        file.rewind().map_err(unusable)?;
        writeln!(file, "{}", std::process::id()).map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x/apply.lock");
        let first = Lock::take(&path, None).unwrap();
        let error = Lock::take(&path, None).unwrap_err();
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        let cancel = Cancel::default();
        cancel.cancel();
        assert!(matches!(Lock::take(&path, Some(&cancel)), Err(LockError::Cancelled)));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| Lock::take(&path, Some(&Cancel::default())));
            drop(first);
            waiting.join().unwrap().unwrap();
        });
        Lock::take(&path, None).unwrap();
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        let path = dir.path().join("apply.lock");
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert!(matches!(Lock::take(&path, None), Err(LockError::Unusable { .. })));
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    }
}
