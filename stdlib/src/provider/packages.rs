//! Packages of a machine.

use crate::Context;
use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

/// Versions by package name.
pub type Versions = BTreeMap<String, String>;

/// What a transaction does: package → version before and after; `None` where it is absent.
pub type Transaction = BTreeMap<String, (Option<String>, Option<String>)>;

/// How the repositories of a package manager are written down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RepositoryFiles {
    /// Lists and paragraphs below `/etc/apt`.
    Apt,
    /// Sections of files in `/etc/yum.repos.d`.
    Yum,
    /// Sections of files in `/etc/zypp/repos.d`.
    Zypper,
    /// Lines of `/etc/apk/repositories`.
    Apk,
    /// In no way that is known here.
    None,
}

/// A package manager. Names may carry an architecture (`libc6:i386`) or be virtual, as the manager understands them.
pub trait Packages: Send + Sync {
    /// `apt`, `dnf`, …
    fn name(&self) -> &'static str;

    /// How its repositories are written down.
    fn repositories(&self) -> RepositoryFiles {
        RepositoryFiles::None
    }

    /// A version that an author wrote behind the name, in the manager's own notation (`name=1.0`), split off.
    fn inline_version<'a>(&self, name: &'a str) -> (&'a str, Option<&'a str>) {
        (name, None)
    }

    /// Whether an upgrade of everything installs and removes others, too, when the author says nothing.
    fn upgrade_replaces(&self) -> bool {
        true
    }

    /// The name under which [`Packages::installed`] lists a package: without the machine's own architecture.
    fn canonical(&self, _cx: &Context, name: &str) -> Result<String, String> {
        Ok(name.to_owned())
    }

    /// All installed packages with their versions. Cheap to call again while nothing has changed.
    fn installed(&self, cx: &Context) -> Result<Arc<Versions>, String>;

    /// Packages that are removed but have left configuration behind.
    fn leftovers(&self, _cx: &Context) -> Result<Arc<Versions>, String> {
        Ok(Arc::default())
    }

    /// Versions that an installation of these names would give, from `from_repo` when given; absent for names the
    /// index does not have.
    fn candidates(&self, cx: &Context, names: &[String], from_repo: Option<&str>)
    -> Result<Versions, String>;

    /// All versions of `name` that could be installed, newest first.
    fn versions(&self, cx: &Context, name: &str) -> Result<Vec<String>, String>;

    /// Names of the installed packages that provide `name`, which is not one itself (virtual packages).
    fn providers(&self, cx: &Context, name: &str) -> Result<Vec<String>, String>;

    /// Brings the index up to date.
    fn refresh(&self, cx: &Context) -> Result<(), String>;

    /// Seconds since the index was brought up to date; `None` when it never was.
    fn index_age(&self, cx: &Context) -> Result<Option<f64>, String>;

    /// What [`Packages::install`] would do.
    fn preview_install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<Transaction, String>;

    /// Installs (or moves to the given versions) all of them in one transaction. A name may be the absolute path of
    /// a package file.
    fn install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<(), String>;

    /// Name and version of the package in a file.
    fn file_package(&self, cx: &Context, path: &str) -> Result<(String, String), String>;

    /// What [`Packages::remove`] would do.
    fn preview_remove(&self, cx: &Context, names: &[String], purge: bool) -> Result<Transaction, String>;

    /// Removes all of them in one transaction, with their configuration when `purge`.
    fn remove(&self, cx: &Context, names: &[String], purge: bool) -> Result<(), String>;

    /// Packages whose version is held.
    fn held(&self, cx: &Context) -> Result<Vec<String>, String>;

    /// Holds or releases versions.
    fn set_held(&self, cx: &Context, names: &[String], held: bool) -> Result<(), String>;

    /// What [`Packages::upgrade`] would do.
    fn preview_upgrade(&self, cx: &Context, dist: bool) -> Result<Transaction, String>;

    /// Upgrades everything; `dist` allows installation and removal of others.
    fn upgrade(&self, cx: &Context, dist: bool) -> Result<(), String>;

    /// What [`Packages::autoremove`] would do.
    fn preview_autoremove(&self, _cx: &Context, _purge: bool) -> Result<Transaction, String> {
        Err(no_autoremove(self.name()))
    }

    /// Removes what was installed only for others that are gone, with its configuration when `purge`.
    fn autoremove(&self, _cx: &Context, _purge: bool) -> Result<(), String> {
        Err(no_autoremove(self.name()))
    }

    /// Compares two versions as the manager does.
    fn compare(&self, a: &str, b: &str) -> Ordering;
}

fn no_autoremove(manager: &str) -> String {
    format!("packages that nothing needs are removed with apt only, not with {manager}; use `cmd.run`")
}

/// `name=1.0`, where names never contain `=`.
pub(super) fn at_equals(name: &str) -> (&str, Option<&str>) {
    name.split_once('=').map_or((name, None), |(name, version)| (name, Some(version)))
}

/// Versions, the newest first, each once.
pub(super) fn newest_first(mut versions: Vec<String>, compare: fn(&str, &str) -> Ordering) -> Vec<String> {
    versions.sort_by(|a, b| compare(b, a));
    versions.dedup();
    versions
}

/// How to install.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InstallOptions {
    /// Repository or release to take it from (`fromrepo`).
    pub from_repo: Option<String>,
    /// Whether recommended packages come along; the manager's default when not given.
    pub recommends: Option<bool>,
    /// Whether unsigned packages are accepted.
    pub skip_verify: bool,
    /// Whether a lower version may replace a higher one.
    pub allow_downgrade: bool,
    /// Whether a held package may be changed.
    pub change_held: bool,
    /// Whether only packages that are installed already are touched.
    pub only_upgrade: bool,
    /// Whether a package of the right version is installed again.
    pub reinstall: bool,
    /// Whether the maintainer's configuration files replace changed ones.
    pub new_configuration: bool,
    /// Repositories that are used although they are switched off (dnf, yum).
    pub enable_repos: Vec<String>,
    /// Repositories that are not used (dnf, yum).
    pub disable_repos: Vec<String>,
    /// Which excludes do not count: `main`, `all`, or a repository (dnf, yum).
    pub disable_excludes: Option<String>,
    /// Further options of the manager.
    pub options: Vec<String>,
}
