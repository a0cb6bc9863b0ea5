//! `file.*` functions that change files: for `module.run` and the command line, never while rendering.

use crate::{Context, Library, provider::Ownership};
use zester_compiler::types::{Mode, Path, Value};

fn failed(path: &str) -> impl Fn(std::io::Error) -> String + '_ {
    move |e| format!("`{path}` could not be changed: {e}")
}

fn numbers(
    cx: &Context,
    user: Option<&str>,
    group: Option<&str>,
) -> Result<(Option<u32>, Option<u32>), String> {
    let accounts = &cx.machine.accounts;
    let uid = match user.filter(|u| !u.is_empty()) {
        None => None,
        Some(name) => match accounts.user(name)? {
            Some(user) => Some(user.uid),
            None => Some(name.parse().map_err(|_| format!("there is no user `{name}`"))?),
        },
    };
    let gid = match group.filter(|g| !g.is_empty()) {
        None => None,
        Some(name) => match accounts.group(name)? {
            Some(group) => Some(group.gid),
            None => Some(name.parse().map_err(|_| format!("there is no group `{name}`"))?),
        },
    };
    Ok((uid, gid))
}

exec! {
    /// Makes an empty file, or sets its times to now.
    "file.touch" mutating Touch {
        /// The path.
        name: Path,
        /// Time of the last access, in seconds since 1970.
        atime: Option<i64>,
        /// Time of the last change, in seconds since 1970.
        mtime: Option<i64>,
    } |it, cx| {
        let files = &cx.machine.files;
        if files.stat(&it.name, true).map_err(failed(&it.name))?.is_none() {
            files.write(&it.name, b"", Ownership::default(), true).map_err(failed(&it.name))?;
        }
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs() as i64);
        let (atime, mtime) = (it.atime.unwrap_or(now), it.mtime.unwrap_or(now));
        files.set_times(&it.name, Some(atime), Some(mtime)).map_err(failed(&it.name))?;
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Removes a file, a link, or a directory with everything in it.
    "file.remove" mutating Remove {
        /// The path.
        path: Path,
    } |it, cx| {
        let files = &cx.machine.files;
        if !it.path.starts_with('/') || it.path.trim_end_matches('/').is_empty() {
            return Err(format!("`{}` is not removed: it is not an absolute path below `/`", it.path));
        }
        match files.stat(&it.path, false).map_err(failed(&it.path))? {
            None => return Ok(Value::Bool(false)),
            Some(stat) if stat.kind == crate::provider::FileKind::Directory => {
                files.remove_dir_all(&it.path).map_err(failed(&it.path))?;
            }
            Some(_) => files.remove_file(&it.path).map_err(failed(&it.path))?,
        }
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Replaces the content of a file by lines.
    "file.write" mutating Write {
        /// The path.
        path: Path,
        /// The lines.
        args: Vec<String>,
    } |it, cx| {
        let text = it.args.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
        cx.machine.files.write(&it.path, text.as_bytes(), Ownership::default(), true).map_err(failed(&it.path))?;
        Ok(format!("Wrote {} lines to \"{}\"", it.args.len(), it.path).into())
    }
}

exec! {
    /// Adds lines to the end of a file.
    "file.append" mutating Append {
        /// The path.
        path: Path,
        /// The lines.
        args: Vec<String>,
    } |it, cx| {
        let mut text = super::file_read::text(cx, &it.path).unwrap_or_default();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        for line in &it.args {
            text.push_str(line);
            text.push('\n');
        }
        cx.machine.files.write(&it.path, text.as_bytes(), Ownership::default(), true).map_err(failed(&it.path))?;
        Ok(format!("Wrote {} lines to \"{}\"", it.args.len(), it.path).into())
    }
}

exec! {
    /// Adds lines to the beginning of a file.
    "file.prepend" mutating Prepend {
        /// The path.
        path: Path,
        /// The lines.
        args: Vec<String>,
    } |it, cx| {
        let old = crate::provider::files::text(cx, &it.path)?.unwrap_or_default();
        let mut text = it.args.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
        text.push_str(&old);
        cx.machine.files.write(&it.path, text.as_bytes(), Ownership::default(), true).map_err(failed(&it.path))?;
        Ok(format!("Prepended {} lines to \"{}\"", it.args.len(), it.path).into())
    }
}

exec! {
    /// Makes a directory, and its parents where they are missing.
    "file.mkdir" mutating Mkdir {
        /// The path.
        dir_path: Path,
        /// Its owner.
        user: Option<String>,
        /// Its group.
        group: Option<String>,
        /// Its permission bits.
        mode: Option<Mode>,
    } |it, cx| {
        let (uid, gid) = numbers(cx, it.user.as_deref(), it.group.as_deref())?;
        make_dirs(cx, &it.dir_path, it.mode.map_or(0o755, |m| m.0), uid, gid)?;
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Makes the directory in which a path lies, and its parents.
    "file.makedirs" mutating Makedirs {
        /// The path; with a slash at its end the directory itself.
        path: Path,
        /// Their owner.
        user: Option<String>,
        /// Their group.
        group: Option<String>,
        /// Their permission bits.
        mode: Option<Mode>,
    } |it, cx| {
        let (uid, gid) = numbers(cx, it.user.as_deref(), it.group.as_deref())?;
        let dir = it.path.rsplit_once('/').map_or("", |(dir, _)| dir);
        make_dirs(cx, dir, it.mode.map_or(0o755, |m| m.0), uid, gid)?;
        Ok(Value::Bool(true))
    }
}

/// Makes the directories above a path.
pub(super) fn make_parents(cx: &Context, path: &str) -> Result<(), String> {
    make_dirs(cx, path.rsplit_once('/').map_or("", |(dir, _)| dir), 0o755, None, None)
}

fn make_dirs(cx: &Context, path: &str, mode: u32, uid: Option<u32>, gid: Option<u32>) -> Result<(), String> {
    if !path.starts_with('/') && !path.is_empty() {
        return Err(format!("`{path}` is not an absolute path"));
    }
    let files = &cx.machine.files;
    let mut at = String::new();
    for part in path.split('/').filter(|p| !p.is_empty()) {
        at = format!("{at}/{part}");
        if files.stat(&at, true).map_err(failed(&at))?.is_none() {
            files.create_dir(&at, mode).map_err(failed(&at))?;
            if uid.is_some() || gid.is_some() {
                files.set_owner(&at, uid, gid, false).map_err(failed(&at))?;
            }
        }
    }
    Ok(())
}

exec! {
    /// Renames a path.
    "file.rename" mutating Rename {
        /// From where.
        src: Path,
        /// To where.
        dst: Path,
    } |it, cx| {
        cx.machine.files.rename(&it.src, &it.dst).map_err(failed(&it.src))?;
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Copies a file.
    "file.copy" mutating Copy {
        /// From where.
        src: Path,
        /// To where.
        dst: Path,
    } |it, cx| {
        let content = cx.machine.files.read(&it.src).map_err(|e| format!("`{}` could not be read: {e}", it.src))?;
        let stat = cx.machine.files.stat(&it.src, true).map_err(failed(&it.src))?;
        let ownership = Ownership { mode: stat.map(|s| s.mode), ..Ownership::default() };
        cx.machine.files.write(&it.dst, &content, ownership, true).map_err(failed(&it.dst))?;
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Makes a symbolic link.
    "file.symlink" mutating Symlink {
        /// What it points to.
        src: String,
        /// The link.
        path: Path,
    } |it, cx| {
        cx.machine.files.symlink(&it.src, &it.path).map_err(failed(&it.path))?;
        Ok(Value::Bool(true))
    }
}

exec! {
    /// Sets the permission bits of a path.
    "file.set_mode" mutating SetMode {
        /// The path.
        path: Path,
        /// The bits.
        mode: Mode,
    } |it, cx| {
        cx.machine.files.set_mode(&it.path, it.mode.0).map_err(failed(&it.path))?;
        Ok(it.mode.to_string().into())
    }
}

exec! {
    /// Sets owner and group of a path.
    "file.chown" mutating Chown {
        /// The path.
        path: Path,
        /// The owner.
        user: String,
        /// The group.
        group: String,
    } |it, cx| {
        let (uid, gid) = numbers(cx, Some(&it.user), Some(&it.group))?;
        cx.machine.files.set_owner(&it.path, uid, gid, true).map_err(failed(&it.path))?;
        Ok(Value::Null)
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Touch>()
        .exec::<Remove>()
        .exec::<Write>()
        .exec::<Append>()
        .exec::<Prepend>()
        .exec::<Mkdir>()
        .exec::<Makedirs>()
        .exec::<Rename>()
        .exec::<Copy>()
        .exec::<Symlink>()
        .exec::<SetMode>()
        .exec::<Chown>();
}
