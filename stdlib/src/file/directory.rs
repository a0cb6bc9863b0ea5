//! `file.directory`

use super::{
    attributes::{Attributes, FileMode},
    path,
    select::{self, Patterns},
};
use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    provider::{FileKind, Stat},
};
use zester_compiler::types::{Group, Map, Path, User, Value};
use zester_stdlib_derive::Arguments;

/// Makes sure that a directory exists, with a certain owner and mode, and, with `recurse`, everything in it too.
#[derive(Arguments)]
#[state("file.directory")]
pub(crate) struct Directory {
    /// The directory's path.
    #[arg(primary, alias = "path")]
    name: Path,
    /// Owner.
    user: Option<User>,
    /// Group.
    group: Option<Group>,
    /// Permission bits.
    #[arg(alias = "mode")]
    dir_mode: Option<FileMode>,
    /// Permission bits of files, with `recurse: [mode]`; those of directories unless given.
    file_mode: Option<FileMode>,
    /// What is set on everything in the directory: `user`, `group`, `mode`. With `ignore_files` or `ignore_dirs` those
    /// are left out, with `silent` the result does not list them.
    #[arg(ty = Type::List(Box::new(Type::Enum(["user", "group", "mode", "ignore_files", "ignore_dirs", "silent"].map(str::to_owned).to_vec()))))]
    recurse: Vec<String>,
    /// How many directories deep `recurse` goes; without it all the way.
    max_depth: Option<u32>,
    /// Whether missing parents are made.
    #[arg(default = false)]
    makedirs: bool,
    /// Removes what is in the directory and not managed by a state of the same run.
    #[arg(default = false)]
    clean: bool,
    /// What `clean` leaves alone: globs, or regular expressions after `E@`, on the path below the directory.
    exclude_pat: Vec<String>,
    /// Whether links below the directory are followed by `recurse`.
    #[arg(default = false)]
    follow_symlinks: bool,
    /// Whether a file or link in the way is removed.
    #[arg(default = false)]
    force: bool,
    /// Moves a file or link in the way to this name instead.
    backupname: Option<Path>,
    /// Whether a link to a directory will do.
    #[arg(default = true)]
    allow_symlink: bool,
    /// Whether `recurse` leaves the directory itself alone.
    #[arg(default = false)]
    children_only: bool,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_owner: Option<String>,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_perms: Option<Value>,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_deny_perms: Option<Value>,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_inheritance: Option<bool>,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_perms_reset: Option<bool>,
}

/// Most paths a result lists.
const MAX_LISTED: usize = 1000;

/// Paths with their changes, for a result: the first thousand and how many more there are.
pub(super) fn listed(entries: Vec<(String, Value)>) -> Map {
    let more = entries.len().saturating_sub(MAX_LISTED);
    let mut map: Map = entries.into_iter().take(MAX_LISTED).collect();
    if more > 0 {
        map.insert("…".to_owned(), format!("{more} more").into());
    }
    map
}

/// A path below the directory that differs.
struct Child {
    path: String,
    stat: Stat,
    wanted: Attributes,
}

impl State for Directory {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let mode = self.dir_mode.and_then(FileMode::bits);
        let own = Attributes::resolve(cx, self.user.as_deref(), self.group.as_deref(), mode)?;
        self.check_recurse()?;
        let mut stat = path::stat(cx, &target, false)?;
        if stat.as_ref().is_some_and(|s| s.kind == FileKind::Symlink) && self.allow_symlink {
            let behind = path::stat(cx, &target, true)?;
            if behind.as_ref().is_some_and(|s| s.kind == FileKind::Directory) {
                stat = behind;
            }
        }
        match stat {
            Some(stat) if stat.kind == FileKind::Directory => self.plan_existing(cx, target, own, stat),
            other => self.plan_new(cx, target, own, other.as_ref()),
        }
    }
}

impl Directory {
    fn recurses(&self, what: &str) -> bool {
        self.recurse.iter().any(|word| word == what)
    }

    fn check_recurse(&self) -> Result<(), Failure> {
        let given = [
            ("user", self.user.is_some()),
            ("group", self.group.is_some()),
            ("mode", self.dir_mode.is_some() || self.file_mode.is_some()),
        ];
        match given.iter().find(|(word, given)| self.recurses(word) && !given) {
            Some((word, _)) => Err(Failure::new(format!(
                "`recurse` of `{}` names `{word}`, but the state gives no `{word}` to set",
                self.name
            ))),
            None => Ok(()),
        }
    }

    fn plan_new(
        &self,
        cx: &Context,
        target: String,
        own: Attributes,
        in_the_way: Option<&Stat>,
    ) -> Result<Plan<'_>, Failure> {
        let backup = self.backupname.as_ref().map(|name| path::absolute(cx, name)).transpose()?;
        if in_the_way.is_some() && !self.force && backup.is_none() {
            return Err(Failure::new(format!(
                "`{target}` exists and is not a directory; `force: true` removes it, `backupname` moves it away"
            )));
        }
        let parents = path::missing_parents(cx, &target, self.makedirs)?;
        let mut changes = Changes::new();
        changes.insert("directory".to_owned(), change(Value::Null, "new"));
        if in_the_way.is_some() {
            let moved = backup.as_deref().map_or("removed", |_| "moved away");
            changes.insert("file".to_owned(), change("in the way", moved));
        }
        changes.extend(own.of_new());
        let exists = in_the_way.is_some();
        Ok(Plan::change(changes, format!("The directory `{target}` is made"), move |cx| {
            let files = &cx.machine.files;
            match backup.filter(|_| exists) {
                Some(backup) => files
                    .rename(&target, &backup)
                    .map_err(|e| Failure::new(format!("`{target}` cannot be moved to `{backup}`: {e}")))?,
                None if exists => select::remove(cx, &target)?,
                None => {}
            }
            path::make_directories(cx, &parents, &own.with_mode(Some(own.mode.unwrap_or(0o755))))?;
            files
                .create_dir(&target, own.mode.unwrap_or(0o755))
                .map_err(|e| Failure::new(format!("The directory `{target}` cannot be made: {e}")))?;
            own.give(cx, &target)?;
            Ok(Outcome::default())
        }))
    }

    fn plan_existing(
        &self,
        cx: &Context,
        target: String,
        own: Attributes,
        stat: Stat,
    ) -> Result<Plan<'_>, Failure> {
        let mut changes = if self.children_only { Changes::new() } else { own.differences(cx, &stat) };
        let own_differs = !changes.is_empty();
        let children = self.differing_children(cx, &target, &own)?;
        if !children.is_empty() && !self.recurses("silent") {
            let entries = children
                .iter()
                .map(|child| (child.path.clone(), Value::Map(child.wanted.differences(cx, &child.stat))))
                .collect();
            changes.insert("children".to_owned(), Value::Map(listed(entries)));
        } else if !children.is_empty() {
            changes.insert("children".to_owned(), format!("{} paths", children.len()).into());
        }
        let removed = if self.clean {
            select::extras(cx, &target, &Patterns::new(&self.exclude_pat)?, &|_| false)?
        } else {
            Vec::new()
        };
        if !removed.is_empty() {
            let shown: Vec<String> = removed.iter().take(MAX_LISTED).cloned().collect();
            changes.insert("removed".to_owned(), Value::from(shown));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("The directory `{target}` is in the correct state")));
        }
        Ok(Plan::change(changes, format!("The directory `{target}` is updated"), move |cx| {
            if own_differs {
                own.set(cx, &target, &stat, true)?;
            }
            for child in &children {
                child.wanted.set(cx, &child.path, &child.stat, false)?;
            }
            for path in &removed {
                select::remove(cx, path)?;
            }
            Ok(Outcome::default())
        }))
    }

    fn differing_children(
        &self,
        cx: &Context,
        target: &str,
        own: &Attributes,
    ) -> Result<Vec<Child>, Failure> {
        if !["user", "group", "mode"].iter().any(|word| self.recurses(word)) {
            return Ok(Vec::new());
        }
        let dir_bits = self.dir_mode.and_then(FileMode::bits).filter(|_| self.recurses("mode"));
        let file_bits =
            self.file_mode.or(self.dir_mode).and_then(FileMode::bits).filter(|_| self.recurses("mode"));
        let base = own.only(self.recurses("user"), self.recurses("group"));
        let (for_dirs, for_files) = (base.with_mode(dir_bits), base.with_mode(file_bits));
        let mut differing = Vec::new();
        let mut pending = vec![(target.to_owned(), 0_u32)];
        let mut seen = 0;
        while let Some((directory, depth)) = pending.pop() {
            let names = cx.machine.files.list(&directory).map_err(|e| path::unreadable(&directory, &e))?;
            for name in names {
                seen += 1;
                if seen > select::MAX_ENTRIES {
                    return Err(Failure::new(format!(
                        "`{target}` holds more than {} entries",
                        select::MAX_ENTRIES
                    )));
                }
                let path = path::join(&directory, &name);
                let Some(stat) = path::stat(cx, &path, false)? else { continue };
                let is_directory = match stat.kind {
                    FileKind::Directory => true,
                    // A link to a directory is gone into only when links are followed, and never in circles.
                    FileKind::Symlink if self.follow_symlinks && depth < 40 => path::is_directory(cx, &path)?,
                    _ => false,
                };
                if is_directory && self.max_depth.is_none_or(|max| depth < max) {
                    pending.push((path.clone(), depth + 1));
                }
                let left_out = if stat.kind == FileKind::Directory { "ignore_dirs" } else { "ignore_files" };
                if self.recurses(left_out) {
                    continue;
                }
                let wanted = if stat.kind == FileKind::Directory { &for_dirs } else { &for_files };
                if !wanted.differences(cx, &stat).is_empty() {
                    differing.push(Child { path, stat, wanted: wanted.clone() });
                }
            }
        }
        differing.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(differing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ManagedPaths,
        provider::{FileSystem, fake::FakeMachine},
    };

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_new_directory_with_parents() {
        let machine = FakeMachine::new();
        machine.accounts.put_user("web", 33, 33);
        machine
            .converge::<Directory>(&args(
                r#"{"name": "/srv/www/", "user": "web", "dir_mode": "0750", "makedirs": true}"#,
            ))
            .unwrap();
        for path in ["/srv", "/srv/www"] {
            let stat = machine.files.stat(path, false).unwrap().unwrap();
            assert_eq!((stat.uid, stat.mode), (33, 0o750));
        }
        let missing = machine.converge::<Directory>(&args(r#"{"name": "/a/b"}"#)).unwrap_err();
        assert!(missing.message.contains("`makedirs: true`"));
    }

    #[test]
    fn what_is_in_it_follows_with_recurse() {
        let machine = FakeMachine::new();
        machine.files.put("/d/s/f", "");
        machine.files.put("/d/g", "");
        machine.files.symlink("/etc", "/d/l").unwrap();
        machine.files.put("/etc/passwd", "");
        machine.accounts.put_user("web", 33, 33);
        let done = machine
            .converge::<Directory>(&args(
                r#"{"name": "/d", "user": "web", "dir_mode": "0750", "file_mode": "0640", "recurse": ["user", "mode"]}"#,
            ))
            .unwrap();
        let mode = |path| machine.files.stat(path, false).unwrap().unwrap().mode;
        assert_eq!((mode("/d/s"), mode("/d/s/f"), mode("/d/g")), (0o750, 0o640, 0o640));
        assert_eq!(machine.files.stat("/etc/passwd", true).unwrap().unwrap().uid, 0, "the link was followed");
        let children = done.changes.get("children").and_then(Value::as_map).unwrap();
        assert_eq!(children.keys().collect::<Vec<_>>(), ["/d/g", "/d/l", "/d/s", "/d/s/f"]);
        let wrong =
            machine.converge::<Directory>(&args(r#"{"name": "/d", "recurse": ["group"]}"#)).unwrap_err();
        assert!(wrong.message.contains("names `group`"));
    }

    #[test]
    fn clean_keeps_what_other_states_manage() {
        let machine = FakeMachine::new();
        for path in ["/d/a", "/d/b", "/d/keep.d/x"] {
            machine.files.put(path, "");
        }
        machine.context().run.set(ManagedPaths::KEY, ManagedPaths(["/d/a".to_owned()].into()));
        let done = machine
            .converge::<Directory>(&args(r#"{"name": "/d", "clean": true, "exclude_pat": ["keep.d*"]}"#))
            .unwrap();
        assert_eq!(done.changes.get("removed"), Some(&Value::from(vec!["/d/b"])));
        assert_eq!(machine.files.list("/d").unwrap(), ["a", "keep.d"]);
    }

    #[test]
    fn a_file_in_the_way_needs_a_word() {
        let machine = FakeMachine::new();
        machine.files.put("/d", "x");
        let failure = machine.converge::<Directory>(&args(r#"{"name": "/d"}"#)).unwrap_err();
        assert!(failure.message.contains("`force: true`"));
        machine.converge::<Directory>(&args(r#"{"name": "/d", "backupname": "/d.old"}"#)).unwrap();
        assert_eq!(machine.files.text("/d.old"), "x");
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let json = format!(r#"{{"name": "{}", "dir_mode": "0711", "makedirs": true}}"#, path.display());
        machine.converge::<Directory>(&args(&json)).unwrap();
        std::fs::write(path.join("x"), "").unwrap();
        std::fs::create_dir(path.join("y")).unwrap();
        let json = format!(r#"{{"name": "{}", "clean": true, "exclude_pat": ["y"]}}"#, path.display());
        machine.converge::<Directory>(&args(&json)).unwrap();
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);
    }
}
