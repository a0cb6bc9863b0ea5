//! `pkg.removed` and `pkg.purged`: packages are not there.

use super::{
    transaction::{self, observe},
    version::satisfies,
    wanted::{list_type, wanted},
};
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Value;

/// Packages are not installed. Their configuration files may stay.
#[derive(Arguments)]
#[state("pkg.removed")]
pub(crate) struct Removed {
    /// The package.
    #[arg(primary)]
    name: String,
    /// Removes it only in this version.
    #[arg(ty = Type::Version)]
    version: Option<String>,
    /// Several packages instead of `name`: names, or `name: version` pairs.
    #[arg(ty = list_type())]
    pkgs: Option<Vec<Value>>,
    /// Whether names are brought into the package manager's own form.
    #[arg(inert = "names are always brought into the package manager's own form")]
    normalize: Option<bool>,
    /// Whether epochs are left out of comparisons.
    #[arg(default = false)]
    ignore_epoch: bool,
}

/// Packages are not installed and have left no configuration behind.
#[derive(Arguments)]
#[state("pkg.purged")]
pub(crate) struct Purged {
    /// The package.
    #[arg(primary)]
    name: String,
    /// Removes it only in this version.
    #[arg(ty = Type::Version)]
    version: Option<String>,
    /// Several packages instead of `name`: names, or `name: version` pairs.
    #[arg(ty = list_type())]
    pkgs: Option<Vec<Value>>,
    /// Whether names are brought into the package manager's own form.
    #[arg(inert = "names are always brought into the package manager's own form")]
    normalize: Option<bool>,
    /// Whether epochs are left out of comparisons.
    #[arg(default = false)]
    ignore_epoch: bool,
}

impl State for Removed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        Removal {
            name: &self.name,
            version: self.version.as_deref(),
            pkgs: self.pkgs.as_deref(),
            ignore_epoch: self.ignore_epoch,
            purge: false,
        }
        .plan(cx)
    }
}

impl State for Purged {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        Removal {
            name: &self.name,
            version: self.version.as_deref(),
            pkgs: self.pkgs.as_deref(),
            ignore_epoch: self.ignore_epoch,
            purge: true,
        }
        .plan(cx)
    }
}

struct Removal<'a> {
    name: &'a str,
    version: Option<&'a str>,
    pkgs: Option<&'a [Value]>,
    ignore_epoch: bool,
    purge: bool,
}

impl<'a> Removal<'a> {
    fn plan(self, cx: &Context) -> Result<Plan<'a>, Failure> {
        let provider = (cx.machine.packages)()?;
        let packages = &*provider;
        let wanted = wanted(cx, packages, self.name, self.version, self.pkgs)?;
        let installed = packages.installed(cx)?;
        let leftovers = packages.leftovers(cx)?;
        let mut targets: Vec<String> = Vec::new();
        for want in &wanted {
            // `linux-image-*`: a pattern means the packages that are installed.
            let names = matching(&want.name, installed.keys().map(String::as_str));
            let here = names.into_iter().filter(|name| {
                want.version.as_ref().is_none_or(|v| {
                    installed.get(name).is_some_and(|have| satisfies(packages, have, v, self.ignore_epoch))
                })
            });
            targets.extend(here);
            if self.purge {
                targets.extend(matching(&want.name, leftovers.keys().map(String::as_str)));
            }
        }
        targets.sort();
        targets.dedup();
        if targets.is_empty() {
            let names = transaction::names(wanted.iter().map(|w| w.name.as_str()));
            return Ok(Plan::unchanged(format!("not installed: {names}")));
        }
        let foreseen = packages.preview_remove(cx, &targets, self.purge)?;
        let changes = transaction::changes(&foreseen);
        let names = transaction::names(foreseen.keys().map(String::as_str));
        let verb = if self.purge { "purge" } else { "remove" };
        let comment = if cx.test { format!("would {verb} {names}") } else { format!("{verb}d {names}") };
        let purge = self.purge;
        Ok(Plan::change(changes, comment, move |cx| {
            let packages = &*provider;
            let before = packages.leftovers(cx)?;
            let mut changes = observe(cx, packages, || packages.remove(cx, &targets, purge))?;
            if purge {
                changes.extend(purged(&before, &*packages.leftovers(cx)?));
            }
            let after = packages.installed(cx)?;
            match targets.iter().find(|name| after.contains_key(*name)) {
                Some(name) => Err(Failure::new(format!(
                    "`{}` succeeded, but `{name}` is still installed",
                    packages.name()
                ))
                .with_changes(changes)),
                None => Ok(Outcome { changes, ..Outcome::default() }),
            }
        }))
    }
}

/// Configuration that went away with a package removed before.
fn purged(before: &crate::provider::Versions, after: &crate::provider::Versions) -> Changes {
    before
        .iter()
        .filter(|(name, _)| !after.contains_key(*name))
        .map(|(name, version)| (name.clone(), change(version.clone(), "")))
        .collect()
}

fn matching<'a>(pattern: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    if pattern.contains(['*', '?']) {
        names
            .filter(|name| super::version::glob(pattern.as_bytes(), name.as_bytes()))
            .map(str::to_owned)
            .collect()
    } else {
        names.filter(|name| *name == pattern).map(str::to_owned).collect()
    }
}
