//! Paths of the machine as authors write them, and the directories above them.

use super::attributes::Attributes;
use crate::{
    Context, Failure,
    provider::{FileKind, Stat},
};

/// The absolute path an author means: `~` is expanded, doubled and trailing slashes are dropped.
pub(crate) fn absolute(cx: &Context, path: &str) -> Result<String, Failure> {
    let expanded = match path.strip_prefix('~') {
        Some(rest) => {
            let (user, rest) = rest.split_once('/').unwrap_or((rest, ""));
            let user = if user.is_empty() { "root" } else { user };
            let account = cx.machine.accounts.user(user)?;
            let account = account.ok_or_else(|| {
                Failure::new(format!("`{path}`: there is no user `{user}` whose home it could be"))
            })?;
            format!("{}/{rest}", account.home)
        }
        None => path.to_owned(),
    };
    if !expanded.starts_with('/') {
        return Err(Failure::new(format!(
            "`{path}` is not an absolute path; a path of the machine begins with `/`"
        )));
    }
    if expanded.contains('\0') {
        return Err(Failure::new(format!("`{}` holds a NUL character", path.replace('\0', "\\0"))));
    }
    let segments: Vec<&str> = expanded.split('/').filter(|s| !s.is_empty() && *s != ".").collect();
    Ok(format!("/{}", segments.join("/")))
}

/// The directory a path lies in.
pub(crate) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

/// `name` below `directory`.
pub(crate) fn join(directory: &str, name: &str) -> String {
    format!("{}/{}", directory.trim_end_matches('/'), name.trim_start_matches('/'))
}

/// What is at a path; an error names the path and has the system's words.
pub(crate) fn stat(cx: &Context, path: &str, follow: bool) -> Result<Option<Stat>, Failure> {
    cx.machine.files.stat(path, follow).map_err(|e| unreadable(path, &e))
}

/// The words for a path that cannot be looked at.
pub(crate) fn unreadable(path: &str, error: &std::io::Error) -> Failure {
    Failure::new(format!("`{path}` cannot be read: {error}"))
}

/// Whether a directory is there, links followed.
pub(crate) fn is_directory(cx: &Context, path: &str) -> Result<bool, Failure> {
    Ok(stat(cx, path, true)?.is_some_and(|s| s.kind == FileKind::Directory))
}

/// Directories that have to be made before something can be put at `path`, from the top down.
///
/// Without `makedirs` a missing parent is a failure. In test mode it is not: a state before this one (a package,
/// most often) may be what makes it.
pub(crate) fn missing_parents(cx: &Context, path: &str, makedirs: bool) -> Result<Vec<String>, Failure> {
    let mut missing = Vec::new();
    let mut at = parent(path);
    loop {
        match stat(cx, at, true)? {
            Some(found) if found.kind == FileKind::Directory => break,
            Some(_) => {
                return Err(Failure::new(format!(
                    "`{at}` is not a directory, so `{path}` cannot be put there"
                )));
            }
            None if at == "/" => break,
            None => missing.push(at.to_owned()),
        }
        at = parent(at);
    }
    if let Some(nearest) = missing.first()
        && !makedirs
    {
        if cx.test {
            return Ok(Vec::new());
        }
        return Err(Failure::new(format!(
            "The directory `{nearest}` does not exist; `makedirs: true` makes the missing parents of `{path}`"
        )));
    }
    missing.reverse();
    Ok(missing)
}

/// Makes directories, from the top down, with the owner and mode given.
pub(crate) fn make_directories(
    cx: &Context,
    directories: &[String],
    owner: &Attributes,
) -> Result<(), Failure> {
    for directory in directories {
        match cx.machine.files.create_dir(directory, owner.mode.unwrap_or(0o755)) {
            Ok(()) => owner.give(cx, directory)?,
            // Another step of the same plan has made it.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && is_directory(cx, directory)? => {}
            Err(e) => return Err(Failure::new(format!("The directory `{directory}` cannot be made: {e}"))),
        }
    }
    Ok(())
}

/// The mode of directories that are made for a file: `dir_mode`, else the file's own with `x` wherever there is
/// `r`.
pub(crate) fn directory_mode(dir_mode: Option<u32>, file_mode: Option<u32>) -> u32 {
    dir_mode.or(file_mode.map(|mode| mode & 0o777 | (mode & 0o444) >> 2)).unwrap_or(0o755)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    #[test]
    fn paths_are_made_plain() {
        let cx = FakeMachine::new().context();
        assert_eq!(absolute(&cx, "/a//b/./c/").unwrap(), "/a/b/c");
        assert_eq!(absolute(&cx, "~/x").unwrap(), "/root/x");
        assert_eq!(absolute(&cx, "/").unwrap(), "/");
        assert!(absolute(&cx, "a/b").unwrap_err().message.contains("not an absolute path"));
        assert!(absolute(&cx, "~nobody/b").unwrap_err().message.contains("no user `nobody`"));
    }

    #[test]
    fn missing_parents_come_from_the_top() {
        let cx = FakeMachine::new().context();
        assert_eq!(missing_parents(&cx, "/a/b/c", true).unwrap(), ["/a", "/a/b"]);
        let failure = missing_parents(&cx, "/a/b/c", false).unwrap_err();
        assert!(failure.message.contains("`/a/b` does not exist; `makedirs: true`"));
    }

    #[test]
    fn directories_of_a_file_can_be_entered_by_those_who_can_read_it() {
        assert_eq!(directory_mode(None, Some(0o640)), 0o750);
        assert_eq!(directory_mode(Some(0o700), Some(0o644)), 0o700);
        assert_eq!(directory_mode(None, None), 0o755);
    }
}
