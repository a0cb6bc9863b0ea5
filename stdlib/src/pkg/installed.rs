//! `pkg.installed`: packages are there, in the wanted version.

use super::{
    index,
    transaction::{self, observe},
    version::{is_exact, satisfies},
    wanted::{Wanted, list_type, wanted},
};
use crate::{
    Arguments, Changes, Context, Failure, Outcome, Plan, State, change,
    provider::{InstallOptions, Packages, Transaction},
};
use std::{cmp::Ordering, sync::Arc};
use zester_compiler::types::{Path, Seconds, Value};

/// Packages are installed, in the wanted version where one is given.
///
/// All packages of a `pkgs` list are installed in one transaction. A package that is installed already is left alone
/// unless a `version` says otherwise; `pkg.latest` keeps packages at their newest version.
#[derive(Arguments)]
#[state("pkg.installed")]
pub(crate) struct Installed {
    /// The package.
    #[arg(primary)]
    name: String,
    /// The version: an exact one, a pattern (`1.2.*`), conditions (`>=1.0,<2`), or `latest`.
    #[arg(ty = Type::Version)]
    version: Option<String>,
    /// Several packages instead of `name`: names, or `name: version` pairs.
    #[arg(ty = list_type())]
    pkgs: Option<Vec<Value>>,
    /// Package files to install: pairs of a package's name and its file (`zester://`, `http(s)://`, an absolute path).
    #[arg(ty = Type::List(Box::new(Type::Map(Box::new(Type::Source)))))]
    sources: Option<Vec<Value>>,
    /// Whether the package index is refreshed first. When not given it is refreshed if something has to be installed
    /// and it is older than an hour.
    refresh: Option<bool>,
    /// Seconds for which an index counts as fresh.
    cache_valid_time: Option<Seconds>,
    /// Repository or release to take the packages from (apt: a release; dnf, yum, zypper, pacman: a repository's id; apk: a tag or an
    /// address).
    fromrepo: Option<String>,
    /// Whether packages whose signature cannot be checked are accepted.
    #[arg(default = false)]
    skip_verify: bool,
    /// Whether the version is held (or, when false, released) afterwards.
    hold: Option<bool>,
    /// Whether a held package may be moved to the wanted version.
    #[arg(default = false)]
    update_holds: bool,
    /// Whether recommended packages come along. When not given the package manager's configuration decides.
    install_recommends: Option<bool>,
    /// Whether packages that are not installed are left out.
    #[arg(default = false)]
    only_upgrade: bool,
    /// Whether packages of the right version are installed again.
    #[arg(default = false)]
    reinstall: bool,
    /// Whether a newer version than the wanted one is good, too.
    #[arg(default = false)]
    allow_updates: bool,
    /// Whether epochs are left out of comparisons.
    #[arg(default = false)]
    ignore_epoch: bool,
    /// Whether the maintainer's configuration files replace changed ones. By default yours are kept.
    #[arg(default = false)]
    force_conf_new: bool,
    /// Nothing is done while this file exists.
    bypass_file: Option<Path>,
    /// With `bypass_file`: only when the file contains this text.
    bypass_file_contains: Option<String>,
    /// Whether names are brought into the package manager's own form.
    #[arg(inert = "names are always brought into the package manager's own form")]
    normalize: Option<bool>,
    /// Whether suggested packages are left out.
    #[arg(inert = "suggested packages are never installed")]
    skip_suggestions: Option<bool>,
    /// Whether installed files are verified.
    #[arg(inert = "installed files are not verified; manage those that matter with `file.managed`")]
    pkg_verify: Option<Value>,
    /// Whether names of capabilities are resolved.
    #[arg(inert = "virtual names are always resolved")]
    resolve_capabilities: Option<bool>,
    /// Whether packages are only downloaded.
    #[arg(
        inert = "use `cmd.run` with the package manager's own option, `apt-get install --download-only` or `dnf install --downloadonly`, to fill the cache"
    )]
    download_only: Option<bool>,
    /// File with answers to the packages' questions.
    #[arg(
        inert = "load the answers with `cmd.run` of `debconf-set-selections` in a state required by this one"
    )]
    debconf: Option<String>,
    /// Windows only.
    #[arg(inert = "it concerns Windows only")]
    report_reboot_exit_codes: Option<bool>,
    /// Repositories that are used although they are switched off; a list, or a text with commas. For dnf and yum; others pay
    /// no attention.
    enablerepo: Option<Vec<String>>,
    /// Repositories that are not used; a list, or a text with commas. For dnf and yum; others pay no attention.
    disablerepo: Option<Vec<String>>,
    /// Which excludes do not count: `main`, `all`, or a repository. For dnf and yum; others pay no attention.
    disableexcludes: Option<String>,
    /// Whether states of the same kind are joined.
    #[arg(inert = "the packages of a `pkgs` list are always installed in one transaction")]
    aggregate: Option<Value>,
}

/// What has to be done.
struct Difference {
    install: Vec<(String, Option<String>)>,
    hold: Vec<String>,
    release: Vec<String>,
    options: InstallOptions,
    transaction: Transaction,
    wanted: Vec<Wanted>,
}

impl State for Installed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let packages = (cx.machine.packages)()?;
        if self.is_bypassed(cx)? {
            return Ok(Plan::unchanged("the bypass file exists"));
        }
        let difference = self.difference(cx, &*packages)?;
        let mut changes = transaction::changes(&difference.transaction);
        changes.extend(hold_changes(&difference));
        if changes.is_empty() && difference.install.is_empty() {
            let names = transaction::names(difference.wanted.iter().map(|w| w.name.as_str()));
            return Ok(Plan::unchanged(format!("installed already: {names}")));
        }
        let names = transaction::names(changes.keys().map(String::as_str));
        let comment = if cx.test { format!("would change {names}") } else { format!("changed {names}") };
        Ok(Plan::change(changes, comment, move |cx| self.apply(cx, &packages, difference)))
    }
}

fn hold_changes(difference: &Difference) -> Changes {
    let held = difference.hold.iter().map(|n| (format!("{n}:hold"), change(false, true)));
    let released = difference.release.iter().map(|n| (format!("{n}:hold"), change(true, false)));
    held.chain(released).collect()
}

impl Installed {
    fn is_bypassed(&self, cx: &Context) -> Result<bool, String> {
        let Some(path) = &self.bypass_file else { return Ok(false) };
        let files = &cx.machine.files;
        let unreadable = |e| format!("`{path}` could not be read: {e}");
        if files.stat(path, true).map_err(unreadable)?.is_none() {
            return Ok(false);
        }
        let Some(needle) = &self.bypass_file_contains else { return Ok(true) };
        Ok(String::from_utf8_lossy(&files.read(path).map_err(unreadable)?).contains(needle.as_str()))
    }

    fn options(&self) -> InstallOptions {
        InstallOptions {
            from_repo: self.fromrepo.clone(),
            recommends: self.install_recommends,
            skip_verify: self.skip_verify,
            allow_downgrade: false,
            change_held: self.update_holds || self.hold == Some(false),
            only_upgrade: self.only_upgrade,
            reinstall: self.reinstall,
            new_configuration: self.force_conf_new,
            enable_repos: self.enablerepo.clone().unwrap_or_default(),
            disable_repos: self.disablerepo.clone().unwrap_or_default(),
            disable_excludes: self.disableexcludes.clone(),
            options: Vec::new(),
        }
    }

    /// Whether what is installed is good.
    fn is_satisfied(&self, packages: &dyn Packages, wanted: &Wanted, have: &str) -> bool {
        match wanted.version.as_deref() {
            None | Some("latest") => true,
            Some(version) => {
                satisfies(packages, have, version, self.ignore_epoch)
                    || (self.allow_updates
                        && is_exact(version)
                        && packages.compare(have, version) == Ordering::Greater)
            }
        }
    }

    fn difference(&self, cx: &Context, packages: &dyn Packages) -> Result<Difference, Failure> {
        let mut options = self.options();
        let (wanted, files) = match &self.sources {
            Some(sources) => super::wanted_files(cx, packages, sources)?,
            None => {
                let wanted = wanted(cx, packages, &self.name, self.version.as_deref(), self.pkgs.as_deref())?;
                (wanted, Vec::new())
            }
        };
        let installed = packages.installed(cx)?;
        let mut missing: Vec<Wanted> = Vec::new();
        for want in &wanted {
            let good = match installed.get(&want.name) {
                Some(have) => !self.reinstall && !want.is_latest() && self.is_satisfied(packages, want, have),
                None if self.only_upgrade => true,
                None => want.version.is_none() && !packages.providers(cx, &want.name)?.is_empty(),
            };
            if !good {
                missing.push(want.clone());
            }
        }
        let (hold, release) = self.holds(cx, packages, &wanted)?;
        let mut difference = Difference {
            install: Vec::new(),
            hold,
            release,
            options: InstallOptions::default(),
            transaction: Transaction::new(),
            wanted,
        };
        if missing.is_empty() {
            if self.refresh == Some(true) && !cx.test {
                index::refresh_if_due(cx, packages, self.refresh, self.cache_valid_time.map(|s| s.0))?;
            }
            return Ok(difference);
        }
        let mut complaint =
            index::refresh_if_due(cx, packages, self.refresh, self.cache_valid_time.map(|s| s.0))?;
        loop {
            let attempt = self.targets(cx, packages, &missing, &files).and_then(|install| {
                options.allow_downgrade = install.iter().any(|(name, version)| {
                    let new = version
                        .as_deref()
                        .or_else(|| files.iter().find(|f| f.path == *name).map(|f| f.version.as_str()));
                    let name = files.iter().find(|f| f.path == *name).map_or(name, |f| &f.name);
                    match (new, installed.get(name)) {
                        (Some(new), Some(old)) => packages.compare(new, old) == Ordering::Less,
                        _ => false,
                    }
                });
                let transaction = if install.is_empty() {
                    Transaction::new()
                } else {
                    packages.preview_install(cx, &install, &options)?
                };
                Ok((install, transaction))
            });
            match attempt {
                Ok((install, transaction)) => {
                    difference.install = install;
                    difference.transaction = transaction;
                    difference.options = options;
                    if self.reinstall {
                        mark_reinstalled(&mut difference, &installed);
                    } else if difference.transaction.is_empty() {
                        // The newest version is there already.
                        difference.install.clear();
                    }
                    return Ok(difference);
                }
                // What the index does not have may be in a newer one.
                Err(_) if self.refresh != Some(false) && !index::refreshed(cx) => {
                    complaint = index::force(cx, packages)?;
                }
                Err(_) if index::awaits_repository(cx) => {
                    for want in &missing {
                        let old = installed.get(&want.name).cloned();
                        let new = want.version.clone().unwrap_or_else(|| "latest".to_owned());
                        difference.transaction.insert(want.name.clone(), (old, Some(new)));
                    }
                    return Ok(difference);
                }
                Err(message) => {
                    return Err(match complaint {
                        Some(words) => {
                            format!("{message}; the package index could not be refreshed: {words}")
                        }
                        None => message,
                    }
                    .into());
                }
            }
        }
    }

    /// The exact versions to ask the package manager for.
    fn targets(
        &self,
        cx: &Context,
        packages: &dyn Packages,
        missing: &[Wanted],
        files: &[super::PackageFile],
    ) -> Result<Vec<(String, Option<String>)>, String> {
        let mut targets = Vec::new();
        for want in missing {
            if let Some(file) = files.iter().find(|f| f.name == want.name) {
                targets.push((file.path.clone(), None));
                continue;
            }
            let version = match want.version.as_deref() {
                None | Some("latest") => None,
                Some(version) if is_exact(version) && !self.ignore_epoch => Some(version.to_owned()),
                Some(condition) => {
                    let versions = packages.versions(cx, &want.name)?;
                    let found =
                        versions.iter().find(|v| satisfies(packages, v, condition, self.ignore_epoch));
                    Some(found.cloned().ok_or_else(|| match versions.len() {
                        0 => format!("there is no package `{}` in the index", want.name),
                        _ => format!(
                            "no version of `{}` is `{condition}`; there are {}",
                            want.name,
                            transaction::names(versions.iter().map(String::as_str))
                        ),
                    })?)
                }
            };
            targets.push((want.name.clone(), version));
        }
        Ok(targets)
    }

    fn holds(
        &self,
        cx: &Context,
        packages: &dyn Packages,
        wanted: &[Wanted],
    ) -> Result<(Vec<String>, Vec<String>), String> {
        let Some(hold) = self.hold else { return Ok((Vec::new(), Vec::new())) };
        let held = packages.held(cx)?;
        let differing: Vec<String> =
            wanted.iter().map(|w| w.name.clone()).filter(|n| held.contains(n) != hold).collect();
        Ok(if hold { (differing, Vec::new()) } else { (Vec::new(), differing) })
    }

    fn apply(
        &self,
        cx: &Context,
        packages: &Arc<dyn Packages>,
        difference: Difference,
    ) -> Result<Outcome, Failure> {
        let packages = &**packages;
        let mut changes = Changes::new();
        if !difference.release.is_empty() {
            packages.set_held(cx, &difference.release, false)?;
            changes.extend(difference.release.iter().map(|n| (format!("{n}:hold"), change(true, false))));
        }
        if !difference.install.is_empty() {
            let done =
                observe(cx, packages, || packages.install(cx, &difference.install, &difference.options));
            match done {
                Ok(done) => changes.extend(done),
                Err(failure) => {
                    changes.extend(failure.changes);
                    return Err(Failure::new(failure.message).with_changes(changes));
                }
            }
        }
        if self.reinstall {
            for (name, change) in transaction::changes(&difference.transaction) {
                changes.entry(name).or_insert(change);
            }
        }
        if !difference.hold.is_empty() {
            packages
                .set_held(cx, &difference.hold, true)
                .map_err(|message| Failure::new(message).with_changes(changes.clone()))?;
            changes.extend(difference.hold.iter().map(|n| (format!("{n}:hold"), change(false, true))));
        }
        self.verify(cx, packages, &difference.wanted, &changes)?;
        Ok(Outcome { changes, ..Outcome::default() })
    }

    /// The package manager may succeed and yet not give what was asked for (a virtual name, a pinned version).
    fn verify(
        &self,
        cx: &Context,
        packages: &dyn Packages,
        wanted: &[Wanted],
        changes: &Changes,
    ) -> Result<(), Failure> {
        let installed = packages.installed(cx)?;
        for want in wanted {
            let problem = match installed.get(&want.name) {
                Some(have) if self.is_satisfied(packages, want, have) => continue,
                Some(have) => format!(
                    "`{}` has version {have} after the installation, not `{}`",
                    want.name,
                    want.version.as_deref().unwrap_or_default()
                ),
                None if self.only_upgrade || !packages.providers(cx, &want.name)?.is_empty() => continue,
                None => format!("`{}` succeeded, but `{}` is not installed", packages.name(), want.name),
            };
            return Err(Failure::new(problem).with_changes(changes.clone()));
        }
        Ok(())
    }
}

fn mark_reinstalled(difference: &mut Difference, installed: &crate::provider::Versions) {
    for want in &difference.wanted {
        if let Some(have) = installed.get(&want.name) {
            difference
                .transaction
                .entry(want.name.clone())
                .or_insert_with(|| (Some(have.clone()), Some(have.clone())));
        }
    }
}
