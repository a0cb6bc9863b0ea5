//! `file.copy`

use super::{
    attributes::{Attributes, FileMode},
    desired::{self, Desired},
    directory::listed,
    path, select,
};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, provider::FileKind};
use zester_compiler::types::{Group, Path, User, Value};
use zester_stdlib_derive::Arguments;

/// Copies a file or directory of the machine to another place on it.
///
/// A copy that is there stays as it is, unless `force` says that it must be the same as the source.
#[derive(Arguments)]
#[state("file.copy")]
pub(crate) struct Copy {
    /// Path of the copy.
    #[arg(primary, alias = "path")]
    name: Path,
    /// Path of the original.
    #[arg(ty = Type::Path)]
    source: String,
    /// Whether a copy that differs is replaced.
    #[arg(default = false)]
    force: bool,
    /// Whether missing parents are made.
    #[arg(default = false)]
    makedirs: bool,
    /// Whether owner, group and mode of the original are taken over.
    #[arg(default = false)]
    preserve: bool,
    /// Owner of the copy.
    user: Option<User>,
    /// Group of the copy; where only `user` is given, that user's own.
    group: Option<Group>,
    /// Permission bits of the copy; without it, or with `keep`, those of the original.
    mode: Option<FileMode>,
    /// Permission bits of directories that are made.
    dir_mode: Option<FileMode>,
    /// Whether the copy goes into the directory `name`, under the original's own name.
    #[arg(default = false)]
    subdir: bool,
}

impl State for Copy {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let source = path::absolute(cx, &self.source)?;
        let mut target = path::absolute(cx, &self.name)?;
        if self.subdir && path::is_directory(cx, &target)? {
            target = path::join(&target, source.rsplit('/').next().unwrap_or_default());
        }
        let exists = path::stat(cx, &target, true)?.is_some();
        if exists && !self.force {
            return Ok(Plan::unchanged(format!("`{target}` exists, and `force` is not set")));
        }
        let Some(original) = path::stat(cx, &source, true)? else {
            if cx.test {
                let changes = Changes::from_iter([("file".to_owned(), change(Value::Null, target.as_str()))]);
                let comment = format!(
                    "`{source}` does not exist yet; it is copied when a state before this one makes it"
                );
                return Ok(Plan::change(changes, comment, |_| Ok(Outcome::default())));
            }
            return Err(Failure::new(format!("The original `{source}` does not exist")));
        };
        if original.kind == FileKind::Directory {
            if target == source || target.starts_with(&format!("{source}/")) {
                return Err(Failure::new(format!(
                    "`{target}` lies in `{source}`, which cannot be copied into itself"
                )));
            }
            return self.plan_tree(cx, &source, target);
        }
        self.plan_file(cx, &source, target)
    }
}

impl Copy {
    fn attributes(&self, cx: &Context, source: &str) -> Result<Attributes, Failure> {
        let mode = self.mode.and_then(FileMode::bits);
        let original = path::stat(cx, source, true)?;
        let kept = original.as_ref().filter(|_| self.preserve);
        let user = self.user.as_deref().map(str::to_owned).or_else(|| kept.map(|o| o.uid.to_string()));
        let mut group = self.group.as_deref().map(str::to_owned).or_else(|| kept.map(|o| o.gid.to_string()));
        if let (Some(user), None) = (&user, &group) {
            group = cx.machine.accounts.user(user)?.map(|account| account.gid.to_string());
        }
        let mode = mode.or(original.map(|o| o.mode));
        Attributes::resolve(cx, user.as_deref(), group.as_deref(), mode)
    }

    fn plan_file(&self, cx: &Context, source: &str, target: String) -> Result<Plan<'static>, Failure> {
        let attributes = self.attributes(cx, source)?;
        let dir_mode = path::directory_mode(self.dir_mode.and_then(FileMode::bits), attributes.mode);
        Desired {
            attributes,
            makedirs: self.makedirs.then_some(dir_mode),
            ..Desired::content(target, desired::read(cx, source)?)
        }
        .plan(cx)
    }

    /// Each file of the directory on its own; what the copy has besides stays.
    fn plan_tree(&self, cx: &Context, source: &str, target: String) -> Result<Plan<'_>, Failure> {
        let parents = path::missing_parents(cx, &target, self.makedirs)?;
        let mode = self.dir_mode.and_then(FileMode::bits);
        let mut directories = Vec::new();
        let mut links = Vec::new();
        let mut files = Vec::new();
        let (mut shown, mut seen) = (Vec::new(), 0);
        let mut pending = vec![(source.to_owned(), target.clone())];
        while let Some((from, to)) = pending.pop() {
            if !path::is_directory(cx, &to)? {
                shown.push((to.clone(), Value::from("new directory")));
                directories.push((from.clone(), to.clone()));
            }
            for name in cx.machine.files.list(&from).map_err(|e| path::unreadable(&from, &e))? {
                seen += 1;
                if seen > select::MAX_ENTRIES {
                    return Err(Failure::new(format!(
                        "`{source}` holds more than {} entries",
                        select::MAX_ENTRIES
                    )));
                }
                let (from, to) = (path::join(&from, &name), path::join(&to, &name));
                match path::stat(cx, &from, false)?.map(|s| s.kind) {
                    Some(FileKind::Directory) => pending.push((from, to)),
                    Some(FileKind::Symlink) => {
                        let text =
                            cx.machine.files.read_link(&from).map_err(|e| path::unreadable(&from, &e))?;
                        let same = path::stat(cx, &to, false)?.is_some_and(|s| s.kind == FileKind::Symlink)
                            && cx.machine.files.read_link(&to).map_err(|e| path::unreadable(&to, &e))?
                                == text;
                        if !same {
                            shown.push((to.clone(), change(Value::Null, text.as_str())));
                            links.push((text, to));
                        }
                    }
                    Some(FileKind::File) => {
                        let wanted = Desired {
                            attributes: self.attributes(cx, &from)?,
                            // Its directory is made by the same plan.
                            makedirs: Some(mode.unwrap_or(0o755)),
                            ..Desired::content(to.clone(), desired::read(cx, &from)?)
                        };
                        let plan = wanted.plan(cx)?;
                        if let Some(apply) = plan.apply {
                            shown.push((to, Value::Map(plan.changes)));
                            files.push(apply);
                        }
                    }
                    _ => {}
                }
            }
        }
        if shown.is_empty() {
            return Ok(Plan::unchanged(format!("`{target}` is the same as `{source}`")));
        }
        shown.sort_by(|a, b| a.0.cmp(&b.0));
        let comment = format!("`{source}` is copied to `{target}`");
        let owners = directories
            .iter()
            .map(|(from, _)| {
                let own = path::stat(cx, from, true)?.map(|o| o.mode);
                self.attributes(cx, from).map(|a| a.with_mode(mode.or(own)))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Plan::change(listed(shown), comment, move |cx| {
            path::make_directories(cx, &parents, &Attributes::mode(mode.unwrap_or(0o755)))?;
            for ((_, to), owner) in directories.iter().zip(&owners) {
                path::make_directories(cx, std::slice::from_ref(to), owner)?;
            }
            for apply in files {
                apply(cx)?;
            }
            for (text, to) in &links {
                cx.machine
                    .files
                    .symlink(text, to)
                    .map_err(|e| Failure::new(format!("The link `{to}` cannot be made: {e}")))?;
            }
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{FileSystem, fake::FakeMachine};
    use zester_compiler::types::Map;

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_copy_stays_unless_forced() {
        let machine = FakeMachine::new();
        machine.files.put("/a", "1");
        machine.files.set_mode("/a", 0o600).unwrap();
        machine
            .converge::<Copy>(&args(
                r#"{"name": "/d/b", "source": "/a", "makedirs": true, "preserve": true}"#,
            ))
            .unwrap();
        assert_eq!(machine.files.stat("/d/b", true).unwrap().unwrap().mode, 0o600);
        machine.files.put("/a", "2");
        assert!(
            machine
                .converge::<Copy>(&args(r#"{"name": "/d/b", "source": "/a"}"#))
                .unwrap()
                .changes
                .is_empty()
        );
        machine.converge::<Copy>(&args(r#"{"name": "/d/b", "source": "/a", "force": true}"#)).unwrap();
        assert_eq!(machine.files.text("/d/b"), "2");
        // The bits are the original's, unless others are asked for.
        machine.files.set_mode("/a", 0o640).unwrap();
        machine.accounts.put_user("ann", 1001, 2002);
        machine.converge::<Copy>(&args(r#"{"name": "/d/c", "source": "/a", "user": "ann"}"#)).unwrap();
        let copied = machine.files.stat("/d/c", true).unwrap().unwrap();
        assert_eq!((copied.mode, copied.uid, copied.gid), (0o640, 1001, 2002));
        machine.converge::<Copy>(&args(r#"{"name": "/d", "source": "/a", "subdir": true}"#)).unwrap();
        assert_eq!(machine.files.text("/d/a"), "2");
    }

    #[test]
    fn directories_are_copied_with_everything_in_them() {
        let machine = FakeMachine::new();
        machine.files.put("/a/s/f", "x");
        machine.files.symlink("s/f", "/a/l").unwrap();
        machine.converge::<Copy>(&args(r#"{"name": "/b", "source": "/a"}"#)).unwrap();
        assert_eq!((machine.files.text("/b/s/f").as_str(), machine.files.text("/b/l").as_str()), ("x", "x"));
        machine.files.put("/a/s/g", "y");
        let done =
            machine.converge::<Copy>(&args(r#"{"name": "/b", "source": "/a", "force": true}"#)).unwrap();
        assert_eq!(done.changes.keys().collect::<Vec<_>>(), ["/b/s/g"]);
        let failure = machine.converge::<Copy>(&args(r#"{"name": "/a/c", "source": "/a"}"#)).unwrap_err();
        assert!(failure.message.contains("copied into itself"));
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join("a/f"), "x").unwrap();
        let json = format!(r#"{{"name": "{0}/b", "source": "{0}/a"}}"#, dir.path().display());
        machine.converge::<Copy>(&args(&json)).unwrap();
        assert_eq!(std::fs::read(dir.path().join("b/f")).unwrap(), b"x");
    }
}
