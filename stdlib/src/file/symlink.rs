//! `file.symlink`

use super::{attributes::Attributes, path, select};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, provider::FileKind};
use zester_compiler::types::{Group, Path, User, Value};
use zester_stdlib_derive::Arguments;

/// Makes sure that a symbolic link points to a target. A link to somewhere else is changed in one step.
#[derive(Arguments)]
#[state("file.symlink")]
pub(crate) struct Symlink {
    /// Path of the link.
    #[arg(primary, alias = "path")]
    name: Path,
    /// What it points to: absolute, or relative to the link's directory. It need not exist.
    target: String,
    /// Whether a file or directory in the way is removed.
    #[arg(default = false)]
    force: bool,
    /// Moves a file or directory in the way to this name instead.
    backupname: Option<Path>,
    /// Whether missing parents are made.
    #[arg(default = false)]
    makedirs: bool,
    /// Owner of the link itself.
    user: Option<User>,
    /// Group of the link itself.
    group: Option<Group>,
    /// Permission bits.
    #[arg(
        inert = "a symbolic link has no mode; set that of its target by `file.managed` or `file.directory`"
    )]
    mode: Option<String>,
    /// Whether the link is replaced in one step.
    #[arg(default = true, inert = "links are always replaced in one step")]
    atomic: bool,
    /// Whether the link is copied across file systems.
    #[arg(inert = "links are made where they belong and never copied")]
    disallow_copy_and_unlink: Option<bool>,
    /// Whether links are followed.
    #[arg(inert = "a link at the path is what this state is about; it is never followed")]
    follow_symlinks: Option<bool>,
    /// Whether owner and group of an existing link are kept.
    #[arg(inert = "an existing link keeps its owner unless `user` or `group` is given")]
    inherit_user_and_group: Option<bool>,
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
}

impl State for Symlink {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let link = path::absolute(cx, &self.name)?;
        let owner = Attributes::resolve(cx, self.user.as_deref(), self.group.as_deref(), None)?;
        let backup = self.backupname.as_ref().map(|name| path::absolute(cx, name)).transpose()?;
        let stat = path::stat(cx, &link, false)?;
        let mut in_the_way = false;
        let mut old = Value::Null;
        match &stat {
            Some(stat) if stat.kind == FileKind::Symlink => {
                let text = cx.machine.files.read_link(&link).map_err(|e| path::unreadable(&link, &e))?;
                if text == self.target {
                    let changes = owner.differences(cx, stat);
                    if changes.is_empty() {
                        return Ok(Plan::unchanged(format!("`{link}` points to `{}`", self.target)));
                    }
                    let stat = stat.clone();
                    return Ok(Plan::change(changes, format!("The owner of `{link}` is set"), move |cx| {
                        owner.set(cx, &link, &stat, false)?;
                        Ok(Outcome::default())
                    }));
                }
                old = text.into();
            }
            Some(_) if !self.force && backup.is_none() => {
                return Err(Failure::new(format!(
                    "`{link}` exists and is not a link; `force: true` removes it, `backupname` moves it away"
                )));
            }
            Some(_) => in_the_way = true,
            None => {}
        }
        let parents = path::missing_parents(cx, &link, self.makedirs)?;
        let mut changes = Changes::new();
        changes.insert("target".to_owned(), change(old, self.target.as_str()));
        if in_the_way {
            let moved = backup.as_deref().map_or("removed", |_| "moved away");
            changes.insert("file".to_owned(), change("in the way", moved));
        }
        changes.extend(owner.of_new());
        let comment = format!("`{link}` is made to point to `{}`", self.target);
        Ok(Plan::change(changes, comment, move |cx| {
            let files = &cx.machine.files;
            path::make_directories(cx, &parents, &owner.with_mode(Some(0o755)))?;
            match backup.filter(|_| in_the_way) {
                Some(backup) => files
                    .rename(&link, &backup)
                    .map_err(|e| Failure::new(format!("`{link}` cannot be moved to `{backup}`: {e}")))?,
                // A link takes the place of a file in one step; a directory has to go first.
                None if in_the_way => select::remove(cx, &link)?,
                None => {}
            }
            files
                .symlink(&self.target, &link)
                .map_err(|e| Failure::new(format!("The link `{link}` cannot be made: {e}")))?;
            owner.give(cx, &link)?;
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
    fn a_link_is_made_and_turned_round() {
        let machine = FakeMachine::new();
        machine.accounts.put_user("web", 33, 33);
        machine
            .converge::<Symlink>(&args(
                r#"{"name": "/a/l", "target": "/x", "makedirs": true, "user": "web"}"#,
            ))
            .unwrap();
        assert_eq!(machine.files.stat("/a/l", false).unwrap().unwrap().uid, 33);
        let done = machine.converge::<Symlink>(&args(r#"{"name": "/a/l", "target": "/y"}"#)).unwrap();
        assert_eq!(done.changes.get("target"), Some(&change("/x", "/y")));
        assert_eq!(machine.files.read_link("/a/l").unwrap(), "/y");
    }

    #[test]
    fn what_is_in_the_way_needs_a_word() {
        let machine = FakeMachine::new();
        machine.files.put("/l/f", "");
        let failure = machine.converge::<Symlink>(&args(r#"{"name": "/l", "target": "/x"}"#)).unwrap_err();
        assert!(failure.message.contains("`force: true`"));
        machine.converge::<Symlink>(&args(r#"{"name": "/l", "target": "/x", "force": true}"#)).unwrap();
        machine.files.put("/m", "old");
        machine
            .converge::<Symlink>(&args(r#"{"name": "/m", "target": "/x", "backupname": "/m.old"}"#))
            .unwrap();
        assert_eq!(machine.files.text("/m.old"), "old");
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("l");
        for target in ["a", "b"] {
            let json = format!(r#"{{"name": "{}", "target": "{target}"}}"#, link.display());
            machine.converge::<Symlink>(&args(&json)).unwrap();
            assert_eq!(std::fs::read_link(&link).unwrap().to_str(), Some(target));
        }
    }
}
