//! `npm.removed`

use super::client::{Npm, Wanted};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, provider::tool::succeed};
use zester_compiler::types::{Path, User};
use zester_stdlib_derive::Arguments;

/// A package of Node.js is not installed.
///
/// ```yaml
/// bower:
///   npm.removed: []
/// ```
#[derive(Arguments)]
#[state("npm.removed")]
pub(crate) struct Removed {
    /// The package.
    #[arg(primary)]
    name: String,
    /// The directory whose package it is; without it the machine's own.
    dir: Option<Path>,
    /// User to run as.
    user: Option<User>,
}

impl State for Removed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let wanted = Wanted::parse(&self.name)?;
        let npm = Npm { dir: self.dir.as_deref(), user: self.user.as_deref(), env: Vec::new() };
        let have = match cx.machine.commands.find("npm") {
            Some(_) => npm.list(cx)?.get(&wanted.name).cloned(),
            None => None,
        };
        let Some(version) = have.filter(|have| wanted.is(Some(have))) else {
            return Ok(Plan::unchanged(format!("not installed: {}", self.name)));
        };
        let changes = Changes::from_iter([(wanted.name.clone(), change(version, ()))]);
        Ok(Plan::change(changes, format!("removes {}", self.name), move |cx| {
            succeed(cx, npm.command(cx, &["uninstall", &wanted.name]))?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};

    #[test]
    fn what_is_there_goes() {
        let machine = machine(&[("bower", "1.8.0")]);
        let args = |json: &str| serde_json::from_str(json).unwrap();
        assert!(machine.converge::<Removed>(&args(r#"{"name": "bower@2.0.0"}"#)).unwrap().changes.is_empty());
        assert_eq!(
            machine.converge::<Removed>(&args(r#"{"name": "bower"}"#)).unwrap().changes["bower"],
            change("1.8.0", ())
        );
    }
}
