//! `npm.installed`

use super::client::{Npm, Wanted};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, provider::tool::succeed};
use zester_compiler::types::{Path, User, Value};
use zester_stdlib_derive::Arguments;

/// Packages of Node.js are installed. A whole version is installed as it is written; with a range or a tag every version that is there will do.
///
/// ```yaml
/// "@vue/cli@5.0.8":
///   npm.installed: []
///
/// app-packages:
///   npm.installed:
///     - pkgs: [express@4.18.2, pm2]
///     - dir: /srv/app
///     - user: app
/// ```
#[derive(Arguments)]
#[state("npm.installed")]
pub(crate) struct Installed {
    /// The package.
    #[arg(primary)]
    name: String,
    /// Several packages instead of `name`.
    pkgs: Option<Vec<String>>,
    /// The directory whose packages they are; without it the machine's own.
    dir: Option<Path>,
    /// User to run as.
    user: Option<User>,
    /// Whether they are installed although they are there.
    #[arg(default = false)]
    force_reinstall: bool,
    /// The registry.
    registry: Option<String>,
    /// Environment variables: a map, or a list of maps.
    #[arg(ty = Type::Map(Box::new(Type::Any)).or(Type::List(Box::new(Type::Any))))]
    env: Option<Value>,
}

fn variables(env: Option<&Value>) -> Vec<(String, String)> {
    let maps: Vec<&Value> = match env {
        Some(Value::List(list)) => list.iter().collect(),
        Some(single) => vec![single],
        None => Vec::new(),
    };
    let pairs = maps.into_iter().filter_map(Value::as_map).flatten();
    pairs.map(|(name, value)| (name.clone(), value.to_string())).collect()
}

impl State for Installed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let names = self.pkgs.clone().unwrap_or_else(|| vec![self.name.clone()]);
        let wanted: Vec<Wanted> = names.iter().map(|n| Wanted::parse(n)).collect::<Result<_, _>>()?;
        let npm =
            Npm { dir: self.dir.as_deref(), user: self.user.as_deref(), env: variables(self.env.as_ref()) };
        let have = match cx.machine.commands.find("npm") {
            Some(_) => npm.list(cx)?,
            // A package of this run may bring it.
            None if cx.test => std::collections::BTreeMap::new(),
            None => return Err(Failure::new("this machine has no `npm`; install it before its packages")),
        };
        let missing = |w: &&Wanted| self.force_reinstall || !w.is(have.get(&w.name));
        let targets: Vec<Wanted> = wanted.iter().filter(missing).cloned().collect();
        if targets.is_empty() {
            return Ok(Plan::unchanged(format!("installed: {}", names.join(", "))));
        }
        let changes: Changes = targets
            .iter()
            .map(|w| {
                (
                    w.name.clone(),
                    change(have.get(&w.name).cloned(), w.version.clone().unwrap_or("installed".to_owned())),
                )
            })
            .collect();
        Ok(Plan::change(changes, format!("installs {}", names.join(", ")), move |cx| {
            let registry = self.registry.as_ref().map(|r| format!("--registry={r}"));
            let force = self.force_reinstall.then_some("--force");
            let mut words = vec!["install"];
            words.extend(force);
            words.extend(registry.as_deref());
            words.extend(targets.iter().map(|w| w.text.as_str()));
            succeed(cx, npm.command(cx, &words))?;
            let now = npm.list(cx)?;
            if let Some(lost) = targets.iter().find(|w| !w.is(now.get(&w.name))) {
                return Err(Failure::new(format!("`{}` was installed and is not there", lost.text)));
            }
            let done =
                |w: &Wanted| (w.name.clone(), change(have.get(&w.name).cloned(), now.get(&w.name).cloned()));
            Ok(Outcome { changes: targets.iter().map(done).collect(), ..Outcome::default() })
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};

    #[test]
    fn what_is_missing_or_of_another_version() {
        let machine = machine(&[("pm2", "5.0.0"), ("express", "4.0.0")]);
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let all = args(
            r#"{"name": "x", "pkgs": ["pm2", "express@4.18.2", "@vue/cli"], "registry": "http://r", "env": [{"A": 1}]}"#,
        );
        let outcome = machine.converge::<Installed>(&all).unwrap();
        assert_eq!(outcome.changes["express"], change("4.0.0", "4.18.2"));
        assert_eq!(outcome.changes["@vue/cli"], change((), "9.0.0"));
        assert!(
            machine
                .commands
                .lines()
                .contains(&"npm install --registry=http://r express@4.18.2 @vue/cli --global".to_owned())
        );
        assert!(machine.converge::<Installed>(&args(r#"{"name": "pm2@^5"}"#)).unwrap().changes.is_empty());
    }
}
