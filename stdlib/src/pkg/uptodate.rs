//! `pkg.uptodate`: every package of the machine is at its newest version.

use super::{
    index,
    transaction::{self, observe},
    wanted::{list_type, wanted},
};
use crate::{Arguments, Context, Failure, Outcome, Plan, State, provider::InstallOptions};
use zester_compiler::types::{Seconds, Value};

/// All packages, or those of `pkgs` that are installed, are at their newest version.
#[derive(Arguments)]
#[state("pkg.uptodate")]
pub(crate) struct UpToDate {
    /// A label.
    #[arg(primary)]
    name: String,
    /// Only these.
    #[arg(ty = list_type())]
    pkgs: Option<Vec<Value>>,
    /// Whether the package index is refreshed first, once per run.
    #[arg(default = true)]
    refresh: bool,
    /// Seconds for which an index counts as fresh.
    cache_valid_time: Option<Seconds>,
    /// Whether packages may be installed and removed for it (`apt-get dist-upgrade`, `zypper dist-upgrade`). When not given: with apt
    /// yes, with zypper no.
    dist_upgrade: Option<bool>,
    /// Release to take the packages from, for `pkgs`.
    fromrepo: Option<String>,
    /// Whether packages whose signature cannot be checked are accepted, for `pkgs`.
    #[arg(default = false)]
    skip_verify: bool,
}

impl State for UpToDate {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let provider = (cx.machine.packages)()?;
        let packages = &*provider;
        index::refresh_if_due(cx, packages, Some(self.refresh), self.cache_valid_time.map(|s| s.0))?;
        let dist = self.dist_upgrade.unwrap_or_else(|| packages.upgrade_replaces());
        let options = InstallOptions {
            from_repo: self.fromrepo.clone(),
            skip_verify: self.skip_verify,
            only_upgrade: true,
            ..InstallOptions::default()
        };
        let chosen: Option<Vec<(String, Option<String>)>> = match &self.pkgs {
            Some(pkgs) => {
                let installed = packages.installed(cx)?;
                let wanted = wanted(cx, packages, &self.name, None, Some(pkgs))?;
                let here = wanted.into_iter().filter(|w| installed.contains_key(&w.name));
                Some(here.map(|w| (w.name, w.version)).collect())
            }
            None => None,
        };
        let foreseen = match &chosen {
            Some(chosen) if chosen.is_empty() => crate::provider::Transaction::new(),
            Some(chosen) => packages.preview_install(cx, chosen, &options)?,
            None => packages.preview_upgrade(cx, dist)?,
        };
        if foreseen.is_empty() {
            return Ok(Plan::unchanged("all packages are at their newest version"));
        }
        let count = foreseen.len();
        let comment = if cx.test {
            format!("would change {count} packages")
        } else {
            format!("changed {count} packages")
        };
        Ok(Plan::change(transaction::changes(&foreseen), comment, move |cx| {
            let packages = &*provider;
            let changes = observe(cx, packages, || match &chosen {
                Some(chosen) => packages.install(cx, chosen, &options),
                None => packages.upgrade(cx, dist),
            })?;
            Ok(Outcome { changes, ..Outcome::default() })
        }))
    }
}
