//! `pkg.unheld`: versions of packages may move again.

use super::{
    transaction,
    wanted::{list_type, wanted},
};
use crate::{Arguments, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Value;

/// Packages are not held at their version.
#[derive(Arguments)]
#[state("pkg.unheld")]
pub(crate) struct Unheld {
    /// The package.
    #[arg(primary)]
    name: String,
    /// Releases it only in this version.
    #[arg(ty = Type::Version)]
    version: Option<String>,
    /// Several packages instead of `name`: names, or `name: version` pairs.
    #[arg(ty = list_type())]
    pkgs: Option<Vec<Value>>,
    /// Whether all held packages are released.
    #[arg(default = false)]
    all: bool,
}

impl State for Unheld {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let provider = (cx.machine.packages)()?;
        let packages = &*provider;
        let held = packages.held(cx)?;
        let release: Vec<String> = if self.all {
            held
        } else {
            let wanted = wanted(cx, packages, &self.name, self.version.as_deref(), self.pkgs.as_deref())?;
            let installed = packages.installed(cx)?;
            wanted
                .into_iter()
                .filter(|w| held.contains(&w.name))
                .filter(|w| match (&w.version, installed.get(&w.name)) {
                    (Some(version), Some(have)) => super::satisfies(packages, have, version, false),
                    _ => true,
                })
                .map(|w| w.name)
                .collect()
        };
        if release.is_empty() {
            return Ok(Plan::unchanged("none of them is held"));
        }
        let changes = release.iter().map(|n| (n.clone(), change("hold", "install"))).collect();
        let names = transaction::names(release.iter().map(String::as_str));
        Ok(Plan::change(changes, format!("release of {names}"), move |cx| {
            provider.set_held(cx, &release, false)?;
            Ok(Outcome::default())
        }))
    }
}
