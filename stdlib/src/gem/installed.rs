//! `gem.installed`

use super::client::{Gem, check_name};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, provider::tool::succeed};
use zester_compiler::types::{Path, Url, User};
use zester_stdlib_derive::Arguments;

/// A package of Ruby is installed. A whole version is installed as it is written; of a requirement (`>= 2.0`) every version that it allows will do.
///
/// ```yaml
/// bundler:
///   gem.installed:
///     - version: 2.5.6
///     - user: app
/// ```
#[derive(Arguments)]
#[state("gem.installed")]
pub(crate) struct Installed {
    /// The package.
    #[arg(primary)]
    name: String,
    /// Its version, or a requirement; every version will do if nothing is said.
    version: Option<String>,
    /// The program, where it is not the `gem` that is found by itself.
    gem_bin: Option<Path>,
    /// User to run as.
    user: Option<User>,
    /// Whether documentation of the older kind is made.
    #[arg(default = false)]
    rdoc: bool,
    /// Whether documentation of the newer kind is made.
    #[arg(default = false)]
    ri: bool,
    /// Whether versions that are not finished will do.
    #[arg(default = false)]
    pre_releases: bool,
    /// The proxy.
    proxy: Option<Url>,
    /// Where packages come from.
    source: Option<Url>,
    /// A version of Ruby, under RVM or rbenv.
    #[arg(inert = "name the `gem` of that Ruby with `gem_bin`")]
    ruby: Option<String>,
}

fn is_requirement(version: &str) -> bool {
    version.starts_with(['<', '>', '=', '~', '!'])
}

impl Installed {
    fn is_installed(&self, cx: &Context, gem: &Gem<'_>, have: &[String]) -> Result<bool, Failure> {
        match &self.version {
            None => Ok(!have.is_empty()),
            Some(version) if is_requirement(version) => {
                Ok(!have.is_empty() && gem.satisfies(cx, &self.name, version)?)
            }
            Some(version) => Ok(have.contains(version)),
        }
    }
}

impl State for Installed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check_name(&self.name)?;
        let gem = Gem { program: self.gem_bin.as_deref(), user: self.user.as_deref() };
        let there = gem.is_there(cx);
        if !there && !cx.test {
            return Err(Failure::new("this machine has no `gem`; install Ruby before its packages"));
        }
        // A package of this run may bring it.
        let have = if there { gem.versions(cx, &self.name)? } else { Vec::new() };
        if there && self.is_installed(cx, &gem, &have)? {
            return Ok(Plan::unchanged(format!("installed: {} {}", self.name, have.join(", "))));
        }
        let old = have.first().cloned();
        let wanted = self.version.clone().unwrap_or_else(|| "installed".to_owned());
        let changes = Changes::from_iter([(self.name.clone(), change(old.clone(), wanted))]);
        Ok(Plan::change(changes, format!("installs {}", self.name), move |cx| {
            let mut words = vec!["install".to_owned(), self.name.clone()];
            match (self.rdoc, self.ri) {
                (false, false) => words.push("--no-document".to_owned()),
                (rdoc, ri) => {
                    let kinds = [("rdoc", rdoc), ("ri", ri)].into_iter().filter(|(_, on)| *on);
                    words.push(format!("--document={}", kinds.map(|(k, _)| k).collect::<Vec<_>>().join(",")));
                }
            }
            if self.pre_releases {
                words.push("--prerelease".to_owned());
            }
            for (option, value) in [("--http-proxy", &self.proxy), ("--source", &self.source)] {
                if let Some(value) = value {
                    words.extend([option.to_owned(), value.to_string()]);
                }
            }
            if let Some(version) = &self.version {
                words.extend(["--version".to_owned(), version.clone()]);
            }
            succeed(cx, gem.command(cx, words))?;
            let now = gem.versions(cx, &self.name)?;
            if !self.is_installed(cx, &gem, &now)? {
                return Err(Failure::new(format!("`{}` was installed and is not there", self.name)));
            }
            let new = self.version.clone().filter(|v| !is_requirement(v)).or_else(|| now.first().cloned());
            let changes = Changes::from_iter([(self.name.clone(), change(old, new))]);
            Ok(Outcome { changes, ..Outcome::default() })
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};

    #[test]
    fn what_is_missing_or_of_another_version() {
        let machine = machine(&[("rake", "13.0.6"), ("rack", "2.0.0")]);
        let args = |json: &str| serde_json::from_str(json).unwrap();
        assert!(machine.converge::<Installed>(&args(r#"{"name": "rake"}"#)).unwrap().changes.is_empty());
        let new =
            args(r#"{"name": "rack", "version": "3.0.0", "ri": true, "source": "http://gems.example"}"#);
        let changes = machine.converge::<Installed>(&new).unwrap().changes;
        assert_eq!(changes["rack"], change("2.0.0", "3.0.0"));
        assert!(machine.commands.lines().contains(
            &"gem install rack --document=ri --source http://gems.example --version 3.0.0".to_owned()
        ));
        let enough = args(r#"{"name": "rake", "version": ">= 13"}"#);
        assert!(machine.converge::<Installed>(&enough).unwrap().changes.is_empty());
        let more = args(r#"{"name": "rake", "version": ">= 14"}"#);
        assert_eq!(machine.converge::<Installed>(&more).unwrap().changes["rake"], change("13.0.6", "14"));
        let failure = machine.converge::<Installed>(&args(r#"{"name": "none"}"#)).unwrap_err();
        assert!(failure.message.contains("Could not find a valid gem"), "{}", failure.message);
    }
}
