//! `file.exists` and `file.missing`: states that only look.

use super::path;
use crate::{Context, Failure, ManagedPaths, Plan, State};
use zester_compiler::types::Path;
use zester_stdlib_derive::Arguments;

/// Fails unless something is at a path.
#[derive(Arguments)]
#[state("file.exists", never_changes)]
pub(crate) struct Exists {
    /// The path.
    #[arg(primary, alias = "path")]
    name: Path,
}

/// Fails when something is at a path.
#[derive(Arguments)]
#[state("file.missing", never_changes)]
pub(crate) struct Missing {
    /// The path.
    #[arg(primary, alias = "path")]
    name: Path,
}

impl State for Exists {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        if path::stat(cx, &target, false)?.is_some() {
            return Ok(Plan::unchanged(format!("`{target}` exists")));
        }
        let managed = cx.run.get::<ManagedPaths>(ManagedPaths::KEY);
        if cx.test && managed.is_some_and(|m| m.covers(&target)) {
            return Ok(Plan::unchanged(format!(
                "`{target}` does not exist yet; a state of this run makes it"
            )));
        }
        Err(Failure::new(format!("`{target}` does not exist")))
    }
}

impl State for Missing {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        match path::stat(cx, &target, false)? {
            None => Ok(Plan::unchanged(format!("`{target}` does not exist"))),
            Some(_) => Err(Failure::new(format!("`{target}` exists, and it should not"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::Map;

    #[test]
    fn they_look_and_change_nothing() {
        let machine = FakeMachine::new();
        machine.files.put("/here", "");
        let named = |path: &str| Map::from_iter([("name".to_owned(), path.into())]);
        machine.converge::<Exists>(&named("/here")).unwrap();
        machine.converge::<Missing>(&named("/there")).unwrap();
        assert_eq!(
            machine.converge::<Exists>(&named("/there")).unwrap_err().message,
            "`/there` does not exist"
        );
        assert_eq!(
            machine.converge::<Missing>(&named("/here")).unwrap_err().message,
            "`/here` exists, and it should not"
        );
    }
}
