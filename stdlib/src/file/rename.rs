//! `file.rename`

use super::{attributes::Attributes, path, select};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Path;
use zester_stdlib_derive::Arguments;

/// Renames a file or directory. When the source is not there any more, or the new path exists already, there is nothing to do.
#[derive(Arguments)]
#[state("file.rename")]
pub(crate) struct Rename {
    /// The new path.
    #[arg(primary, alias = "path")]
    name: Path,
    /// The old path.
    #[arg(ty = Type::Path)]
    source: String,
    /// Whether what is at the new path is removed.
    #[arg(default = false)]
    force: bool,
    /// Whether missing parents are made.
    #[arg(default = false)]
    makedirs: bool,
}

impl State for Rename {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let source = path::absolute(cx, &self.source)?;
        let target = path::absolute(cx, &self.name)?;
        if path::stat(cx, &source, false)?.is_none() {
            return Ok(Plan::unchanged(format!("`{source}` is not there any more")));
        }
        let in_the_way = path::stat(cx, &target, false)?.is_some();
        if in_the_way && !self.force {
            return Ok(Plan::unchanged(format!(
                "`{target}` exists, so `{source}` is not renamed; `force: true` replaces it"
            )));
        }
        let parents = path::missing_parents(cx, &target, self.makedirs)?;
        let changes = Changes::from_iter([("path".to_owned(), change(source.as_str(), target.as_str()))]);
        Ok(Plan::change(changes, format!("`{source}` is renamed to `{target}`"), move |cx| {
            path::make_directories(cx, &parents, &Attributes::mode(0o755))?;
            let files = &cx.machine.files;
            // A file takes the place of another in one step; a directory in the way has to go first.
            if in_the_way && (path::is_directory(cx, &target)? || path::is_directory(cx, &source)?) {
                select::remove(cx, &target)?;
            }
            files
                .rename(&source, &target)
                .map_err(|e| Failure::new(format!("`{source}` cannot be renamed to `{target}`: {e}")))?;
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
    fn it_is_renamed_once() {
        let machine = FakeMachine::new();
        machine.files.put("/a", "x");
        machine.converge::<Rename>(&args(r#"{"name": "/d/b", "source": "/a", "makedirs": true}"#)).unwrap();
        assert_eq!(machine.files.text("/d/b"), "x");
        machine.files.put("/a", "y");
        let outcome = machine.converge::<Rename>(&args(r#"{"name": "/d/b", "source": "/a"}"#)).unwrap();
        assert!(outcome.changes.is_empty() && machine.files.text("/d/b") == "x");
        machine.converge::<Rename>(&args(r#"{"name": "/d/b", "source": "/a", "force": true}"#)).unwrap();
        assert_eq!(machine.files.text("/d/b"), "y");
        assert!(machine.files.stat("/a", false).unwrap().is_none());
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        let json = format!(r#"{{"name": "{0}/b", "source": "{0}/a"}}"#, dir.path().display());
        machine.converge::<Rename>(&args(&json)).unwrap();
        assert!(dir.path().join("b").is_dir());
    }
}
