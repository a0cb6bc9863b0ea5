//! `file.*` functions that look at files and change nothing.

use crate::{
    Context, Library,
    file::pattern,
    provider::{FileKind, Stat},
    source::{Algorithm, hash_of},
};
use zester_compiler::types::{Map, Path, Value};

fn stat(cx: &Context, path: &str, follow: bool) -> Result<Option<Stat>, String> {
    match cx.machine.files.stat(path, follow) {
        Ok(stat) => Ok(stat),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(e) => Err(format!("`{path}` could not be read: {e}")),
    }
}

fn must_stat(cx: &Context, path: &str, follow: bool) -> Result<Stat, String> {
    stat(cx, path, follow)?.ok_or_else(|| format!("`{path}` does not exist"))
}

fn is_kind(cx: &Context, path: &str, kind: FileKind, follow: bool) -> Result<Value, String> {
    Ok(Value::Bool(stat(cx, path, follow)?.is_some_and(|s| s.kind == kind)))
}

pub(super) fn text(cx: &Context, path: &str) -> Result<String, String> {
    let bytes = cx.machine.files.read(path).map_err(|e| format!("`{path}` could not be read: {e}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn user_name(cx: &Context, uid: u32) -> Result<String, String> {
    Ok(cx.machine.accounts.user_by_id(uid)?.map_or_else(|| uid.to_string(), |u| u.name))
}

fn group_name(cx: &Context, gid: u32) -> Result<String, String> {
    Ok(cx.machine.accounts.group_by_id(gid)?.map_or_else(|| gid.to_string(), |g| g.name))
}

exec! {
    /// Whether a file is there (a link to one counts).
    "file.file_exists" probe FileExists {
        /// The path.
        path: Path,
    } |it, cx| is_kind(cx, &it.path, FileKind::File, true)
}

exec! {
    /// Whether a directory is there (a link to one counts).
    "file.directory_exists" probe DirectoryExists {
        /// The path.
        path: Path,
    } |it, cx| is_kind(cx, &it.path, FileKind::Directory, true)
}

exec! {
    /// Whether a path is a symbolic link.
    "file.is_link" probe IsLink {
        /// The path.
        path: Path,
    } |it, cx| is_kind(cx, &it.path, FileKind::Symlink, false)
}

exec! {
    /// Whether this process may use a path: `f` it is there, `r` `w` `x` it may be read, written, executed.
    "file.access" probe Access {
        /// The path.
        path: Path,
        /// `f`, `r`, `w` or `x`.
        #[arg(one_of("f", "r", "w", "x"))]
        mode: String,
    } |it, _| {
        use rustix::fs::Access as Bits;
        let bits = match it.mode.as_str() {
            "r" => Bits::READ_OK,
            "w" => Bits::WRITE_OK,
            "x" => Bits::EXEC_OK,
            _ => Bits::EXISTS,
        };
        Ok(Value::Bool(rustix::fs::access(it.path.0.as_str(), bits).is_ok()))
    }
}

exec! {
    /// The directory of a path.
    "file.dirname" pure Dirname {
        /// The path.
        path: String,
    } |it, _| Ok(dirname(&it.path).into())
}

/// As Python's `os.path.dirname`.
fn dirname(path: &str) -> &str {
    match path.rfind('/') {
        Some(at) => {
            let head = path.get(..=at).unwrap_or_default();
            let trimmed = head.trim_end_matches('/');
            if trimmed.is_empty() { head } else { trimmed }
        }
        None => "",
    }
}

exec! {
    /// The last part of a path.
    "file.basename" pure Basename {
        /// The path.
        path: String,
    } |it, _| Ok(it.path.rsplit('/').next().unwrap_or_default().into())
}

exec! {
    /// Joins parts of a path; an absolute part starts anew.
    "file.join" pure Join {
        /// The parts.
        parts: Vec<String>,
    } |it, _| {
        let mut joined = String::new();
        for part in &it.parts {
            if part.starts_with('/') || joined.is_empty() {
                joined.clone_from(part);
            } else {
                if !joined.ends_with('/') {
                    joined.push('/');
                }
                joined.push_str(part);
            }
        }
        Ok(joined.into())
    }
}

exec! {
    /// A path without `.`, `..` and doubled slashes.
    "file.normpath" pure Normpath {
        /// The path.
        path: String,
    } |it, _| {
        let absolute = it.path.starts_with('/');
        let mut parts: Vec<&str> = Vec::new();
        for part in it.path.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.last().is_some_and(|p| *p != "..") => {
                    parts.pop();
                }
                ".." if absolute => {}
                part => parts.push(part),
            }
        }
        let joined = parts.join("/");
        Ok(match (absolute, joined.is_empty()) {
            (true, _) => format!("/{joined}"),
            (false, true) => ".".to_owned(),
            (false, false) => joined,
        }.into())
    }
}

exec! {
    /// The content of a file.
    "file.read" probe Read {
        /// The path.
        path: Path,
        /// Whether it is read as bytes.
        #[arg(inert = "content is always text")]
        binary: Option<bool>,
    } |it, cx| Ok(text(cx, &it.path)?.into())
}

exec! {
    /// Names in a directory.
    "file.readdir" probe Readdir {
        /// The path.
        path: Path,
    } |it, cx| {
        let names = cx.machine.files.list(&it.path).map_err(|e| format!("`{}` could not be read: {e}", it.path))?;
        let all = [".".to_owned(), "..".to_owned()].into_iter().chain(names).collect::<Vec<_>>();
        Ok(all.into())
    }
}

exec! {
    /// Where a symbolic link points to.
    "file.readlink" probe Readlink {
        /// The path.
        path: Path,
        /// Whether all links are followed to the end.
        #[arg(default = false)]
        canonicalize: bool,
    } |it, cx| {
        let failed = |e: std::io::Error| format!("`{}` could not be read: {e}", it.path);
        if it.canonicalize {
            let path = std::fs::canonicalize(it.path.0.as_str()).map_err(failed)?;
            return Ok(path.to_string_lossy().into_owned().into());
        }
        Ok(cx.machine.files.read_link(&it.path).map_err(failed)?.into())
    }
}

fn algorithm(form: &str) -> Result<Algorithm, String> {
    super::hashutil::algorithm(form)
}

exec! {
    /// The checksum of a file; empty when there is none.
    "file.get_hash" probe GetHash {
        /// The path.
        path: Path,
        /// `sha256`, `md5`, …
        #[arg(default = "sha256")]
        form: String,
    } |it, cx| {
        let algorithm = algorithm(&it.form)?;
        let bytes = cx.machine.files.read(&it.path).map_err(|e| format!("`{}` could not be read: {e}", it.path))?;
        Ok(hash_of(algorithm, &bytes).into())
    }
}

exec! {
    /// The checksum of a file.
    "file.get_sum" probe GetSum {
        /// The path.
        path: Path,
        /// `sha256`, `md5`, …
        #[arg(default = "sha256")]
        form: String,
    } |it, cx| {
        let algorithm = algorithm(&it.form)?;
        match cx.machine.files.read(&it.path) {
            Ok(bytes) => Ok(hash_of(algorithm, &bytes).into()),
            Err(_) => Ok("File not found".into()),
        }
    }
}

fn stats(cx: &Context, path: &str, follow: bool) -> Result<Value, String> {
    let Some(stat) = stat(cx, path, follow)? else { return Ok(Value::Map(Map::new())) };
    let kind = match stat.kind {
        FileKind::File => "file",
        FileKind::Directory => "dir",
        FileKind::Symlink => "link",
        FileKind::Other => "other",
    };
    let entries: [(&str, Value); 12] = [
        ("inode", (stat.inode as i64).into()),
        ("uid", i64::from(stat.uid).into()),
        ("gid", i64::from(stat.gid).into()),
        ("user", user_name(cx, stat.uid)?.into()),
        ("group", group_name(cx, stat.gid)?.into()),
        ("atime", stat.accessed.0.into()),
        ("mtime", stat.modified.0.into()),
        ("ctime", stat.modified.0.into()),
        ("size", (stat.size as i64).into()),
        ("mode", format!("{:04o}", stat.mode).into()),
        ("type", kind.into()),
        ("target", path.into()),
    ];
    Ok(Value::Map(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()))
}

exec! {
    /// What is known about a path: numbers, names, times, size, mode, type. Empty when nothing is there.
    "file.stats" probe Stats {
        /// The path.
        path: Path,
        /// Which checksum is added.
        #[arg(inert = "use `file.get_hash` for the checksum")]
        hash_type: Option<Value>,
        /// Whether links are followed.
        #[arg(default = true)]
        follow_symlinks: bool,
    } |it, cx| stats(cx, &it.path, it.follow_symlinks)
}

exec! {
    /// What is known about a path, of a link about the link itself.
    "file.lstat" probe Lstat {
        /// The path.
        path: Path,
    } |it, cx| stats(cx, &it.path, false)
}

exec! {
    /// The permission bits of a path.
    "file.get_mode" probe GetMode {
        /// The path.
        path: Path,
        /// Whether links are followed.
        #[arg(default = true)]
        follow_symlinks: bool,
    } |it, cx| Ok(format!("{:04o}", must_stat(cx, &it.path, it.follow_symlinks)?.mode).into())
}

exec! {
    /// The owner of a path.
    "file.get_user" probe GetUser {
        /// The path.
        path: Path,
        /// Whether links are followed.
        #[arg(default = true)]
        follow_symlinks: bool,
    } |it, cx| Ok(user_name(cx, must_stat(cx, &it.path, it.follow_symlinks)?.uid)?.into())
}

exec! {
    /// The group of a path.
    "file.get_group" probe GetGroup {
        /// The path.
        path: Path,
        /// Whether links are followed.
        #[arg(default = true)]
        follow_symlinks: bool,
    } |it, cx| Ok(group_name(cx, must_stat(cx, &it.path, it.follow_symlinks)?.gid)?.into())
}

exec! {
    /// The number of the owner of a path.
    "file.get_uid" probe GetUid {
        /// The path.
        path: Path,
    } |it, cx| Ok(i64::from(must_stat(cx, &it.path, true)?.uid).into())
}

exec! {
    /// The number of the group of a path.
    "file.get_gid" probe GetGid {
        /// The path.
        path: Path,
    } |it, cx| Ok(i64::from(must_stat(cx, &it.path, true)?.gid).into())
}

exec! {
    /// Whether a file contains a text.
    "file.contains" probe Contains {
        /// The path.
        path: Path,
        /// The text.
        text: String,
    } |it, cx| Ok(Value::Bool(text(cx, &it.path).is_ok_and(|t| t.contains(it.text.trim()))))
}

exec! {
    /// Whether a line of a file matches a regular expression.
    "file.contains_regex" probe ContainsRegex {
        /// The path.
        path: Path,
        /// The expression.
        regex: String,
        /// Characters that are cut from the beginning of each line.
        #[arg(default = "")]
        lchar: String,
    } |it, cx| {
        let regex = pattern::compile(&it.regex, pattern::Flags::default()).map_err(|e| e.message)?;
        let Ok(text) = text(cx, &it.path) else { return Ok(Value::Bool(false)) };
        for line in text.lines() {
            let line = line.trim_start_matches(|c| it.lchar.contains(c));
            if pattern::is_match(&regex, line).map_err(|e| e.message)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }
}

exec! {
    /// Whether a regular expression matches somewhere in a file.
    "file.search" probe Search {
        /// The path.
        path: Path,
        /// The expression.
        pattern: String,
        /// Whether `^` and `$` mean lines.
        #[arg(default = true)]
        multiline: bool,
        /// Whether a missing file is no error.
        #[arg(default = false)]
        ignore_if_missing: bool,
    } |it, cx| {
        let expression = if it.multiline { format!("(?m){}", it.pattern) } else { it.pattern.clone() };
        let regex = pattern::compile(&expression, pattern::Flags::default()).map_err(|e| e.message)?;
        if it.ignore_if_missing && stat(cx, &it.path, true)?.is_none() {
            return Ok(Value::Bool(false));
        }
        Ok(Value::Bool(pattern::is_match(&regex, &text(cx, &it.path)?).map_err(|e| e.message)?))
    }
}

exec! {
    /// Lines of a file that match a regular expression, as `grep` prints them.
    "file.grep" probe Grep {
        /// The path.
        path: Path,
        /// The expression.
        pattern: String,
    } |it, cx| {
        let regex = pattern::compile(&it.pattern, pattern::Flags::default()).map_err(|e| e.message)?;
        let mut lines = Vec::new();
        for line in text(cx, &it.path)?.lines() {
            if pattern::is_match(&regex, line).map_err(|e| e.message)? {
                lines.push(line.to_owned());
            }
        }
        let entries: [(&str, Value); 4] = [
            ("pid", 0.into()),
            ("retcode", i64::from(lines.is_empty()).into()),
            ("stdout", lines.join("\n").into()),
            ("stderr", "".into()),
        ];
        Ok(Value::Map(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()))
    }
}

exec! {
    /// Whether some path matches a pattern (`/etc/*.conf`).
    "file.path_exists_glob" probe PathExistsGlob {
        /// The pattern.
        path: Path,
    } |it, cx| {
        let found = glob(cx, &it.path)?;
        Ok(Value::Bool(!found.is_empty()))
    }
}

/// Paths that match a pattern of `*` and `?`, per part.
pub(super) fn glob(cx: &Context, pattern: &str) -> Result<Vec<String>, String> {
    let mut found = vec![String::new()];
    for part in pattern.split('/').filter(|p| !p.is_empty()) {
        let mut next = Vec::new();
        for base in &found {
            if part.contains(['*', '?']) {
                let dir = if base.is_empty() { "/" } else { base };
                for name in cx.machine.files.list(dir).unwrap_or_default() {
                    let hidden = name.starts_with('.') && !part.starts_with('.');
                    if !hidden && crate::pkg::glob(part.as_bytes(), name.as_bytes()) {
                        next.push(format!("{base}/{name}"));
                    }
                }
            } else {
                let path = format!("{base}/{part}");
                if stat(cx, &path, false)?.is_some() {
                    next.push(path);
                }
            }
        }
        found = next;
    }
    Ok(found)
}

/// Most paths that `file.find` gives.
const FIND_LIMIT: usize = 100_000;

exec! {
    /// Paths below a directory that fit all conditions, sorted.
    "file.find" probe Find {
        /// The directory.
        path: Path,
        /// Pattern of the name.
        name: Option<String>,
        /// Pattern of the name, in any case.
        iname: Option<String>,
        /// Regular expression for the path.
        regex: Option<String>,
        /// Kinds: `f` files, `d` directories, `l` links; several letters are possible.
        #[arg(name = "type")]
        kind: Option<String>,
        /// Greatest depth below the directory.
        maxdepth: Option<usize>,
        /// Least depth below the directory.
        mindepth: Option<usize>,
        /// Owner: a name or a number.
        owner: Option<String>,
        /// Size: `+10m` larger, `-1k` smaller.
        size: Option<String>,
        /// Age of the content in days: `+7` older, `-1` younger.
        mtime: Option<String>,
        /// Text or expression that a line contains.
        grep: Option<String>,
        /// What is printed of each; the path.
        print: Option<String>,
    } |it, cx| it.find(cx)
}

impl Find {
    fn find(&self, cx: &Context) -> Result<Value, String> {
        if let Some(what) = self.print.as_deref().filter(|p| !matches!(*p, "path" | "name")) {
            return Err(format!("`print` of `file.find` is `path` or `name`, not `{what}`"));
        }
        let compile = |text: &str| pattern::compile(text, pattern::Flags::default()).map_err(|e| e.message);
        let regex = self.regex.as_deref().map(compile).transpose()?;
        let grep = self.grep.as_deref().map(compile).transpose()?;
        let size = self.size.as_deref().map(limit).transpose()?;
        let mtime = self.mtime.as_deref().map(limit).transpose()?;
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs() as i64);
        let start = match self.path.trim_end_matches('/') {
            "" => "/",
            path => path,
        };
        let mut found = Vec::new();
        let mut queue = vec![(start.to_owned(), 0usize)];
        while let Some((path, depth)) = queue.pop() {
            if cx.cancel.is_cancelled() {
                return Err("the run was cancelled".to_owned());
            }
            let Some(stat) = stat(cx, &path, false)? else { continue };
            if stat.kind == FileKind::Directory && self.maxdepth.is_none_or(|max| depth < max) {
                let base = if path == "/" { "" } else { &path };
                for name in cx.machine.files.list(&path).unwrap_or_default() {
                    queue.push((format!("{base}/{name}"), depth + 1));
                }
            }
            let name = path.rsplit('/').next().unwrap_or_default();
            let letter = match stat.kind {
                FileKind::File => 'f',
                FileKind::Directory => 'd',
                FileKind::Symlink => 'l',
                FileKind::Other => 's',
            };
            let glob = |pattern: &str, name: &str| crate::pkg::glob(pattern.as_bytes(), name.as_bytes());
            let days = (now - stat.modified.0) / 86_400;
            let fits = self.mindepth.is_none_or(|min| depth >= min)
                && self.name.as_ref().is_none_or(|p| glob(p, name))
                && self.iname.as_ref().is_none_or(|p| glob(&p.to_lowercase(), &name.to_lowercase()))
                && self.kind.as_ref().is_none_or(|k| k.contains(letter))
                && size.is_none_or(|l| l.holds(stat.size as i64))
                && mtime.is_none_or(|l| l.holds(days));
            if !fits {
                continue;
            }
            if let Some(regex) = &regex
                && !pattern::is_match(regex, &path).map_err(|e| e.message)?
            {
                continue;
            }
            if let Some(owner) = &self.owner
                && *owner != stat.uid.to_string()
                && *owner != user_name(cx, stat.uid)?
            {
                continue;
            }
            if let Some(grep) = &grep {
                let Ok(text) = text(cx, &path) else { continue };
                let mut lines = text.lines();
                if !lines.any(|line| pattern::is_match(grep, line).unwrap_or(false)) {
                    continue;
                }
            }
            if found.len() == FIND_LIMIT {
                return Err(format!(
                    "more than {FIND_LIMIT} paths fit below `{}`; narrow the search",
                    self.path
                ));
            }
            found.push(if self.print.as_deref() == Some("name") { name.to_owned() } else { path });
        }
        found.sort();
        Ok(found.into())
    }
}

/// `+5`, `-5`, `5`, with a unit of size.
#[derive(Clone, Copy)]
struct Limit {
    sign: Option<char>,
    number: i64,
}

impl Limit {
    fn holds(self, value: i64) -> bool {
        match self.sign {
            Some('+') => value > self.number,
            Some('-') => value < self.number,
            _ => value == self.number,
        }
    }
}

fn limit(text: &str) -> Result<Limit, String> {
    let sign = text.chars().next().filter(|c| matches!(c, '+' | '-'));
    let rest = text.trim_start_matches(['+', '-']).to_lowercase();
    let digits = rest.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match rest.get(digits.len()..).unwrap_or_default() {
        "" | "b" | "d" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        unit => return Err(format!("`{unit}` in `{text}` is none of k, m, g, t (sizes) or d (days)")),
    };
    let number: i64 =
        digits.parse().map_err(|_| format!("`{text}` is not a number with `+` or `-` in front"))?;
    Ok(Limit { sign, number: number.saturating_mul(factor) })
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<FileExists>()
        .exec::<DirectoryExists>()
        .exec::<IsLink>()
        .exec::<Access>()
        .exec::<Dirname>()
        .exec::<Basename>()
        .exec::<Join>()
        .exec::<Normpath>()
        .exec::<Read>()
        .exec::<Readdir>()
        .exec::<Readlink>()
        .exec::<GetHash>()
        .exec::<GetSum>()
        .exec::<Stats>()
        .exec::<Lstat>()
        .exec::<GetMode>()
        .exec::<GetUser>()
        .exec::<GetGroup>()
        .exec::<GetUid>()
        .exec::<GetGid>()
        .exec::<Contains>()
        .exec::<ContainsRegex>()
        .exec::<Search>()
        .exec::<Grep>()
        .exec::<PathExistsGlob>()
        .exec::<Find>();
}
