//! Packages of a machine.

use crate::Context;
use std::collections::BTreeMap;

/// A package manager. Names may carry an architecture or a virtual name, as the manager understands them.
pub trait Packages: Send + Sync {
    /// `apt`, `dnf`, …
    fn name(&self) -> &'static str;

    /// All installed packages with their versions. Cached per run by the caller.
    fn installed(&self, cx: &Context) -> Result<BTreeMap<String, String>, String>;

    /// Packages that are removed but have left configuration behind.
    fn leftovers(&self, cx: &Context) -> Result<BTreeMap<String, String>, String>;

    /// Versions that an installation of these names would give; absent for unknown names.
    fn candidates(&self, cx: &Context, names: &[String]) -> Result<BTreeMap<String, String>, String>;

    /// Whether `name` is provided by an installed package (virtual packages).
    fn provided(&self, cx: &Context, name: &str) -> Result<bool, String>;

    /// Brings the index up to date.
    fn refresh(&self, cx: &Context) -> Result<(), String>;

    /// Installs (or moves to the given versions) all of them in one transaction.
    fn install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<(), String>;

    /// Installs package files.
    fn install_files(&self, cx: &Context, files: &[String], options: &InstallOptions) -> Result<(), String>;

    /// Removes all of them in one transaction, with their configuration when `purge`.
    fn remove(&self, cx: &Context, names: &[String], purge: bool) -> Result<(), String>;

    /// Packages whose version is held.
    fn held(&self, cx: &Context) -> Result<Vec<String>, String>;

    /// Holds or releases versions.
    fn set_held(&self, cx: &Context, names: &[String], held: bool) -> Result<(), String>;

    /// Packages with a newer version: name, installed, candidate.
    fn upgradable(&self, cx: &Context) -> Result<Vec<(String, String, String)>, String>;

    /// Upgrades everything; `dist` allows installation and removal of others.
    fn upgrade(&self, cx: &Context, dist: bool) -> Result<(), String>;

    /// Compares two versions as the manager does.
    fn compare(&self, cx: &Context, a: &str, b: &str) -> Result<std::cmp::Ordering, String>;
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
    /// Further options of the manager.
    pub options: Vec<String>,
}
