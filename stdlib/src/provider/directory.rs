//! Opens a directory once, by descriptor, without being led astray by links that other users plant.

use rustix::{
    fs::{self, AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
    process::geteuid,
};
use std::{io, os::fd::OwnedFd};

const OPEN: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC);

/// Most links on the way to one directory; the kernel's own limit.
const MAX_LINKS: usize = 40;

/// Opens directory `path` (absolute). What is done below it afterwards goes through the descriptor, so that nobody
/// can exchange a parent in between.
///
/// Links on the way are followed when root or this process owns them (`/var/run`). A link of another user is
/// followed only to a directory of that same user: it must not carry a write of ours to a place its owner could
/// not write to.
pub(super) fn open(path: &str) -> io::Result<OwnedFd> {
    // The usual case costs one call: no link anywhere on the way.
    match fs::openat2(CWD, path, OPEN, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Ok(fd) => return Ok(fd),
        Err(Errno::LOOP | Errno::NOSYS | Errno::PERM | Errno::INVAL) => {}
        Err(error) => return Err(error.into()),
    }
    walk(path)
}

fn walk(path: &str) -> io::Result<OwnedFd> {
    let mut pending: Vec<String> = segments(path).rev().collect();
    let mut here = fs::open("/", OPEN, Mode::empty())?;
    let mut links = 0;
    let mut strangers: Vec<(u32, String)> = Vec::new();
    while let Some(segment) = pending.pop() {
        let stat = fs::statat(&here, &segment, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            here = fs::openat(&here, &segment, OPEN | OFlags::NOFOLLOW, Mode::empty())?;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(Errno::LOOP.into());
        }
        let text = fs::readlinkat(&here, &segment, Vec::new())?;
        let text = text.into_string().map_err(|_| io::Error::from(Errno::ILSEQ))?;
        if stat.st_uid != 0 && stat.st_uid != geteuid().as_raw() {
            strangers.push((stat.st_uid, format!("{segment} -> {text}")));
        }
        if text.starts_with('/') {
            here = fs::open("/", OPEN, Mode::empty())?;
        }
        pending.extend(segments(&text).rev());
    }
    let owner = fs::fstat(&here)?.st_uid;
    match strangers.iter().find(|(uid, _)| *uid != owner) {
        Some((uid, link)) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "the link `{link}` belongs to user {uid} but leads to a directory of user {owner}; it is not followed"
            ),
        )),
        None => Ok(here),
    }
}

// `..` is kept: it is resolved against what is really there, as the kernel does.
fn segments(path: &str) -> impl DoubleEndedIterator<Item = String> + '_ {
    path.split('/').filter(|s| !s.is_empty() && *s != ".").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, lchown, symlink};

    #[test]
    fn a_link_of_ones_own_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        std::fs::create_dir(base.join("real")).unwrap();
        symlink("real", base.join("link")).unwrap();
        let opened = open(base.join("link").to_str().unwrap()).unwrap();
        let real = std::fs::metadata(base.join("real")).unwrap();
        assert_eq!(fs::fstat(&opened).unwrap().st_ino, real.ino());
    }

    #[test]
    fn a_strangers_link_to_anothers_directory_is_refused() {
        if !geteuid().is_root() {
            println!("skipped: needs root to give a link to another user");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        std::fs::create_dir(base.join("roots")).unwrap();
        symlink("roots", base.join("link")).unwrap();
        lchown(base.join("link"), Some(65534), Some(65534)).unwrap();
        let error = open(base.join("link").to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains("belongs to user 65534"), "{error}");
    }

    #[test]
    fn a_loop_ends() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        symlink("b", base.join("a")).unwrap();
        symlink("a", base.join("b")).unwrap();
        assert!(open(base.join("a").to_str().unwrap()).is_err());
    }
}
