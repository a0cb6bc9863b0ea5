//! `file.absent`

use super::{path, select};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, provider::FileKind};
use zester_compiler::types::{Path, Value};
use zester_stdlib_derive::Arguments;

/// Makes sure that nothing is at a path: a file, a link (not what it points to), or a directory with everything in it.
#[derive(Arguments)]
#[state("file.absent")]
pub(crate) struct Absent {
    /// The path.
    #[arg(primary, alias = "path")]
    name: Path,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        if leads_to_root(&target) {
            return Err(Failure::new(format!(
                "`{}` is the root of the file system; it is not removed",
                self.name
            )));
        }
        let Some(stat) = path::stat(cx, &target, false)? else {
            return Ok(Plan::unchanged(format!("`{target}` does not exist")));
        };
        let what = match stat.kind {
            FileKind::Directory => "directory",
            FileKind::Symlink => "link",
            FileKind::File | FileKind::Other => "file",
        };
        let changes = Changes::from_iter([(what.to_owned(), change(target.as_str(), Value::Null))]);
        Ok(Plan::change(changes, format!("`{target}` is removed"), move |cx| {
            select::remove(cx, &target)?;
            Ok(Outcome::default())
        }))
    }
}

/// Whether a path names `/` in a roundabout way (`/etc/..`).
fn leads_to_root(path: &str) -> bool {
    let mut depth = 0_usize;
    for segment in path.split('/').filter(|s| !s.is_empty()) {
        depth = if segment == ".." { depth.saturating_sub(1) } else { depth + 1 };
    }
    depth == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{FileSystem, fake::FakeMachine};
    use zester_compiler::types::Map;

    fn named(path: &str) -> Map {
        Map::from_iter([("name".to_owned(), path.into())])
    }

    #[test]
    fn files_links_and_directories_go() {
        let machine = FakeMachine::new();
        machine.files.put("/d/s/f", "");
        machine.files.put("/kept", "");
        machine.files.symlink("/kept", "/d/l").unwrap();
        let done = machine.converge::<Absent>(&named("/d/l")).unwrap();
        assert_eq!(done.changes.get("link"), Some(&change("/d/l", Value::Null)));
        machine.converge::<Absent>(&named("/d")).unwrap();
        assert_eq!(machine.files.list("/").unwrap(), ["kept", "tmp"]);
        assert!(machine.converge::<Absent>(&named("/d")).unwrap().changes.is_empty());
    }

    #[test]
    fn the_root_stays() {
        let machine = FakeMachine::new();
        for path in ["/", "//", "/etc/.."] {
            assert!(
                machine
                    .converge::<Absent>(&named(path))
                    .unwrap_err()
                    .message
                    .contains("root of the file system")
            );
        }
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join("kept"), "").unwrap();
        std::os::unix::fs::symlink("../../kept", dir.path().join("a/b/l")).unwrap();
        machine.converge::<Absent>(&named(dir.path().join("a").to_str().unwrap())).unwrap();
        assert!(!dir.path().join("a").exists() && dir.path().join("kept").exists());
    }
}
