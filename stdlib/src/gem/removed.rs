//! `gem.removed`

use super::client::{Gem, check_name};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, provider::tool::succeed};
use zester_compiler::types::{Path, User};
use zester_stdlib_derive::Arguments;

/// A package of Ruby is not installed, in no version.
///
/// ```yaml
/// bundler:
///   gem.removed: []
/// ```
#[derive(Arguments)]
#[state("gem.removed")]
pub(crate) struct Removed {
    /// The package.
    #[arg(primary)]
    name: String,
    /// The program, where it is not the `gem` that is found by itself.
    gem_bin: Option<Path>,
    /// User to run as.
    user: Option<User>,
    /// A version of Ruby, under RVM or rbenv.
    #[arg(inert = "name the `gem` of that Ruby with `gem_bin`")]
    ruby: Option<String>,
}

impl State for Removed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check_name(&self.name)?;
        let gem = Gem { program: self.gem_bin.as_deref(), user: self.user.as_deref() };
        let have = if gem.is_there(cx) { gem.versions(cx, &self.name)? } else { Vec::new() };
        if have.is_empty() {
            return Ok(Plan::unchanged(format!("not installed: {}", self.name)));
        }
        let changes = Changes::from_iter([(self.name.clone(), change(have.join(", "), ()))]);
        Ok(Plan::change(changes, format!("removes {}", self.name), move |cx| {
            succeed(cx, gem.command(cx, ["uninstall", &self.name, "--all", "--executables"]))?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};

    #[test]
    fn all_versions_go() {
        let machine = machine(&[("rake", "13.0.6")]);
        let args = |json: &str| serde_json::from_str(json).unwrap();
        assert!(machine.converge::<Removed>(&args(r#"{"name": "rack"}"#)).unwrap().changes.is_empty());
        let gone = machine.converge::<Removed>(&args(r#"{"name": "rake"}"#)).unwrap();
        assert_eq!(gone.changes["rake"], change("13.0.6", ()));
    }
}
