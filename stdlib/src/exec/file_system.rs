//! `file.seek_read`, `file.statvfs` and `file.lsattr`.

use crate::{
    Library,
    provider::tool::{succeed, tool},
};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};
use zester_compiler::types::{Map, Path, Value};

/// Most bytes that are read at once.
const READ_LIMIT: u64 = 16 * 1024 * 1024;

exec! {
    /// A part of a file as text: so many bytes from an offset on.
    "file.seek_read" probe SeekRead {
        /// The file.
        path: Path,
        /// How many bytes.
        size: u64,
        /// Where they begin.
        offset: u64,
    } |it, _| {
        if it.size > READ_LIMIT {
            return Err(format!("`size` is {}; at most {READ_LIMIT} bytes are read at once", it.size));
        }
        let failed = |e: std::io::Error| format!("`{}` could not be read: {e}", it.path);
        let mut file = File::open(it.path.0.as_str()).map_err(failed)?;
        file.seek(SeekFrom::Start(it.offset)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(it.size).read_to_end(&mut bytes).map_err(failed)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned().into())
    }
}

exec! {
    /// Numbers of the file system on which a path lies, by the names of `statvfs`.
    "file.statvfs" probe Statvfs {
        /// The path.
        path: Path,
    } |it, _| {
        let fs = rustix::fs::statvfs(it.path.0.as_str()).map_err(|e| format!("`{}` could not be read: {e}", it.path))?;
        let number = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        Ok(Value::Map(Map::from_iter([
            ("f_bavail".to_owned(), number(fs.f_bavail)),
            ("f_bfree".to_owned(), number(fs.f_bfree)),
            ("f_blocks".to_owned(), number(fs.f_blocks)),
            ("f_bsize".to_owned(), number(fs.f_bsize)),
            ("f_favail".to_owned(), number(fs.f_favail)),
            ("f_ffree".to_owned(), number(fs.f_ffree)),
            ("f_files".to_owned(), number(fs.f_files)),
            ("f_flag".to_owned(), number(fs.f_flag.bits())),
            ("f_frsize".to_owned(), number(fs.f_frsize)),
            ("f_namemax".to_owned(), number(fs.f_namemax)),
        ])))
    }
}

exec! {
    /// Attributes of a file as `lsattr` knows them, by its path: `i` for one that cannot be changed.
    "file.lsattr" probe Lsattr {
        /// The file.
        path: Path,
    } |it, cx| {
        let output = succeed(cx, tool("lsattr", ["-d", "--", it.path.0.as_str()]))?;
        let flags = output.stdout.split_whitespace().next().unwrap_or_default();
        let letters: Vec<String> = flags.chars().filter(|c| *c != '-').map(String::from).collect();
        Ok(Value::Map(Map::from_iter([(it.path.0.clone(), letters.into())])))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<SeekRead>().exec::<Statvfs>().exec::<Lsattr>();
}
