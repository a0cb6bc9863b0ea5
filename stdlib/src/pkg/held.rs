//! `pkg.held`: versions of packages stay as they are.

use super::{
    transaction,
    wanted::{list_type, wanted},
};
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Value;

/// Packages are held at their version: no upgrade touches them.
#[derive(Arguments)]
#[state("pkg.held")]
pub(crate) struct Held {
    /// The package.
    #[arg(primary)]
    name: String,
    /// Holds it only in this version.
    #[arg(ty = Type::Version)]
    version: Option<String>,
    /// Several packages instead of `name`: names, or `name: version` pairs.
    #[arg(ty = list_type())]
    pkgs: Option<Vec<Value>>,
    /// Whether every other held package is released.
    #[arg(default = false)]
    replace: bool,
}

impl State for Held {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let provider = (cx.machine.packages)()?;
        let packages = &*provider;
        let wanted = wanted(cx, packages, &self.name, self.version.as_deref(), self.pkgs.as_deref())?;
        let installed = packages.installed(cx)?;
        let held = packages.held(cx)?;
        for want in &wanted {
            let Some(have) = installed.get(&want.name) else {
                return Err(format!(
                    "`{}` is not installed, so its version cannot be held; require its `pkg.installed`",
                    want.name
                )
                .into());
            };
            if let Some(version) = &want.version
                && !super::satisfies(packages, have, version, false)
            {
                return Err(format!("`{}` has version {have}, not `{version}`", want.name).into());
            }
        }
        let hold: Vec<String> = wanted.iter().map(|w| w.name.clone()).filter(|n| !held.contains(n)).collect();
        let release: Vec<String> = if self.replace {
            held.into_iter().filter(|n| !wanted.iter().any(|w| w.name == *n)).collect()
        } else {
            Vec::new()
        };
        if hold.is_empty() && release.is_empty() {
            let names = transaction::names(wanted.iter().map(|w| w.name.as_str()));
            return Ok(Plan::unchanged(format!("held already: {names}")));
        }
        let mut changes = Changes::new();
        changes.extend(hold.iter().map(|n| (n.clone(), change("install", "hold"))));
        changes.extend(release.iter().map(|n| (n.clone(), change("hold", "install"))));
        let names = transaction::names(changes.keys().map(String::as_str));
        Ok(Plan::change(changes, format!("hold of {names}"), move |cx| {
            if !hold.is_empty() {
                provider.set_held(cx, &hold, true)?;
            }
            if !release.is_empty() {
                provider.set_held(cx, &release, false)?;
            }
            Ok(Outcome::default())
        }))
    }
}
