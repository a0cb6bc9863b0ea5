//! `pkg.latest`: packages are there, in the newest version.

use super::{
    index,
    transaction::{self, observe},
    wanted::{list_type, wanted},
};
use crate::{
    Arguments, Context, Failure, Outcome, Plan, State,
    provider::{InstallOptions, Transaction},
};
use std::cmp::Ordering;
use zester_compiler::types::{Seconds, Value};

/// Packages are installed in the newest version that the repositories have.
#[derive(Arguments)]
#[state("pkg.latest")]
pub(crate) struct Latest {
    /// The package.
    #[arg(primary)]
    name: String,
    /// Several packages instead of `name`.
    #[arg(ty = list_type())]
    pkgs: Option<Vec<Value>>,
    /// Whether the package index is refreshed first, once per run.
    #[arg(default = true)]
    refresh: bool,
    /// Seconds for which an index counts as fresh.
    cache_valid_time: Option<Seconds>,
    /// Repository or release to take the packages from (apt: a release; dnf, yum, zypper, pacman: a repository's id; apk: a tag or an
    /// address).
    fromrepo: Option<String>,
    /// Whether packages whose signature cannot be checked are accepted.
    #[arg(default = false)]
    skip_verify: bool,
    /// Whether recommended packages come along. When not given the package manager's configuration decides.
    install_recommends: Option<bool>,
    /// Whether packages that are not installed are left out.
    #[arg(default = false)]
    only_upgrade: bool,
    /// Whether a held package may be moved to the newest version.
    #[arg(default = false)]
    update_holds: bool,
    /// Whether suggested packages are left out.
    #[arg(inert = "suggested packages are never installed")]
    skip_suggestions: Option<bool>,
    /// Whether states of the same kind are joined.
    #[arg(inert = "the packages of a `pkgs` list are always installed in one transaction")]
    aggregate: Option<Value>,
}

impl State for Latest {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let provider = (cx.machine.packages)()?;
        let packages = &*provider;
        let wanted = wanted(cx, packages, &self.name, None, self.pkgs.as_deref())?;
        let complaint =
            index::refresh_if_due(cx, packages, Some(self.refresh), self.cache_valid_time.map(|s| s.0))?;
        let names: Vec<String> = wanted.iter().map(|w| w.name.clone()).collect();
        let candidates = packages.candidates(cx, &names, self.fromrepo.as_deref())?;
        let installed = packages.installed(cx)?;
        let mut targets = Vec::new();
        let mut foreseen = Transaction::new();
        for name in &names {
            match (installed.get(name), candidates.get(name)) {
                (Some(have), Some(new)) if packages.compare(new, have) == Ordering::Greater => {
                    targets.push((name.clone(), Some(new.clone())));
                }
                // An installed package that no repository has is at its newest version.
                (Some(_), _) => {}
                (None, _) if self.only_upgrade => {}
                (None, Some(_)) => targets.push((name.clone(), None)),
                (None, None) if !packages.providers(cx, name)?.is_empty() => {}
                (None, None) if index::awaits_repository(cx) => {
                    foreseen.insert(name.clone(), (None, Some("latest".to_owned())));
                }
                (None, None) => {
                    let mut message = format!("there is no package `{name}` in the index");
                    if let Some(words) = complaint {
                        message.push_str(&format!(", which could not be refreshed: {words}"));
                    }
                    return Err(message.into());
                }
            }
        }
        if targets.is_empty() && foreseen.is_empty() {
            let names = transaction::names(names.iter().map(String::as_str));
            return Ok(Plan::unchanged(format!("newest already: {names}")));
        }
        let options = InstallOptions {
            from_repo: self.fromrepo.clone(),
            recommends: self.install_recommends,
            skip_verify: self.skip_verify,
            only_upgrade: self.only_upgrade,
            change_held: self.update_holds,
            ..InstallOptions::default()
        };
        if !targets.is_empty() {
            foreseen.extend(packages.preview_install(cx, &targets, &options)?);
        }
        let names = transaction::names(foreseen.keys().map(String::as_str));
        let comment = if cx.test { format!("would change {names}") } else { format!("changed {names}") };
        Ok(Plan::change(transaction::changes(&foreseen), comment, move |cx| {
            let packages = &*provider;
            let changes = observe(cx, packages, || packages.install(cx, &targets, &options))?;
            let after = packages.installed(cx)?;
            for (name, version) in &targets {
                let good = match (after.get(name), version) {
                    (Some(have), Some(new)) => packages.compare(have, new) != Ordering::Less,
                    (Some(_), None) => true,
                    (None, _) => !packages.providers(cx, name)?.is_empty(),
                };
                if !good {
                    return Err(Failure::new(format!(
                        "`{}` succeeded, but `{name}` is not at its newest version",
                        packages.name()
                    ))
                    .with_changes(changes));
                }
            }
            Ok(Outcome { changes, ..Outcome::default() })
        }))
    }
}
