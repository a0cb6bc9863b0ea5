//! `file.hardlink`

use super::{attributes::Attributes, path, select};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, provider::FileKind};
use zester_compiler::types::{Group, Path, User, Value};
use zester_stdlib_derive::Arguments;

/// Makes sure that a file is a hard link to another.
#[derive(Arguments)]
#[state("file.hardlink")]
pub(crate) struct HardLink {
    /// Path of the link.
    #[arg(primary, alias = "path")]
    name: Path,
    /// The file it is a link to.
    #[arg(ty = Type::Path)]
    target: String,
    /// Whether another file in the way is removed.
    #[arg(default = false)]
    force: bool,
    /// Whether missing parents are made.
    #[arg(default = false)]
    makedirs: bool,
    /// Owner of directories that are made.
    user: Option<User>,
    /// Group of directories that are made.
    group: Option<Group>,
    /// Permission bits of directories that are made.
    dir_mode: Option<zester_compiler::types::Mode>,
}

impl State for HardLink {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let link = path::absolute(cx, &self.name)?;
        let target = path::absolute(cx, &self.target)?;
        let original = path::stat(cx, &target, false)?;
        match &original {
            Some(stat) if stat.kind == FileKind::Directory => {
                return Err(Failure::new(format!(
                    "`{target}` is a directory; directories have no hard links"
                )));
            }
            None if !cx.test => return Err(Failure::new(format!("`{target}` does not exist"))),
            _ => {}
        }
        let there = path::stat(cx, &link, false)?;
        if let (Some(a), Some(b)) = (&original, &there)
            && (a.device, a.inode) == (b.device, b.inode)
        {
            return Ok(Plan::unchanged(format!("`{link}` is a hard link to `{target}`")));
        }
        if there.is_some() && !self.force {
            return Err(Failure::new(format!(
                "`{link}` exists and is another file; `force: true` removes it"
            )));
        }
        let mode = self.dir_mode.map_or(0o755, |m| m.0);
        let owner = Attributes::resolve(cx, self.user.as_deref(), self.group.as_deref(), Some(mode))?;
        let parents = path::missing_parents(cx, &link, self.makedirs)?;
        let changes = Changes::from_iter([("target".to_owned(), change(Value::Null, target.as_str()))]);
        let in_the_way = there.is_some();
        Ok(Plan::change(changes, format!("`{link}` is made a hard link to `{target}`"), move |cx| {
            path::make_directories(cx, &parents, &owner)?;
            if in_the_way {
                select::remove(cx, &link)?;
            }
            cx.machine
                .files
                .hard_link(&target, &link)
                .map_err(|e| Failure::new(format!("The hard link `{link}` cannot be made: {e}")))?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::Map;

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn two_names_of_one_file() {
        let machine = FakeMachine::new();
        machine.files.put("/a", "x");
        machine.converge::<HardLink>(&args(r#"{"name": "/d/b", "target": "/a", "makedirs": true}"#)).unwrap();
        assert_eq!(machine.files.text("/d/b"), "x");
        machine.files.put("/c", "other");
        let failure = machine.converge::<HardLink>(&args(r#"{"name": "/c", "target": "/a"}"#)).unwrap_err();
        assert!(failure.message.contains("`force: true`"));
        machine.converge::<HardLink>(&args(r#"{"name": "/c", "target": "/a", "force": true}"#)).unwrap();
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "x").unwrap();
        let json = format!(r#"{{"name": "{0}/b", "target": "{0}/a"}}"#, dir.path().display());
        machine.converge::<HardLink>(&args(&json)).unwrap();
        use std::os::unix::fs::MetadataExt;
        assert_eq!(std::fs::metadata(dir.path().join("a")).unwrap().nlink(), 2);
    }
}
