//! Writing an author's files: whole or not at all, with the mode and owner they had.

use crate::output::Failure;
use std::{fs, io::Write, os::unix::fs::MetadataExt, path::Path};

/// Replaces the text of a file that is there. A link stays a link; its target is written.
pub fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let wrong =
        |error: std::io::Error| Failure::new(format!("`{}` cannot be written: {error}", path.display()));
    let real = path.canonicalize().map_err(wrong)?;
    let there = fs::metadata(&real).map_err(wrong)?;
    let dir = real.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(".zester-").tempfile_in(dir).map_err(wrong)?;
    file.write_all(text.as_bytes()).map_err(wrong)?;
    file.as_file().set_permissions(there.permissions()).map_err(wrong)?;
    let new = file.as_file().metadata().map_err(wrong)?;
    if (new.uid(), new.gid()) != (there.uid(), there.gid()) {
        // Only root may give files away; for others the file becomes theirs, as with any editor.
        let _ = std::os::unix::fs::chown(file.path(), Some(there.uid()), Some(there.gid()));
        file.as_file().set_permissions(there.permissions()).map_err(wrong)?;
    }
    file.as_file().sync_all().map_err(wrong)?;
    file.persist(&real).map_err(|error| wrong(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn mode_and_links_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("a.zy"), dir.path().join("b.zy"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("a.zy", &link).unwrap();
        assert!(replace(&link, "new").is_ok());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        assert!(replace(&dir.path().join("missing.zy"), "").is_err());
    }
}
