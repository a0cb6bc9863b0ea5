//! Packages that are maps: a repository, what is installed, what is held.

use crate::{
    Context,
    provider::{InstallOptions, Packages, RepositoryFiles, Transaction, Versions, debian_version},
};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A package manager in memory. Versions are ordered as Debian's.
#[derive(Debug, Default)]
pub struct FakePackages {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the index has.
    index: BTreeMap<String, Vec<String>>,
    /// What a refresh would bring in.
    upstream: BTreeMap<String, Vec<String>>,
    /// Name → names it needs.
    needs: BTreeMap<String, Vec<String>>,
    installed: Versions,
    leftovers: Versions,
    held: BTreeSet<String>,
    provides: BTreeMap<String, Vec<String>>,
    files: BTreeMap<String, (String, String)>,
    age: Option<f64>,
    repositories: Option<RepositoryFiles>,
    log: Vec<String>,
}

impl FakePackages {
    /// The index has these versions of a package.
    pub fn index(&self, name: &str, versions: &[&str]) {
        self.lock().index.insert(name.to_owned(), versions.iter().map(|v| (*v).to_owned()).collect());
    }

    /// The repositories have these versions of a package; a refresh brings them into the index.
    pub fn publish(&self, name: &str, versions: &[&str]) {
        self.lock().upstream.insert(name.to_owned(), versions.iter().map(|v| (*v).to_owned()).collect());
    }

    /// A package is there.
    pub fn put(&self, name: &str, version: &str) {
        self.lock().installed.insert(name.to_owned(), version.to_owned());
    }

    /// A package needs another.
    pub fn needs(&self, name: &str, other: &str) {
        self.lock().needs.entry(name.to_owned()).or_default().push(other.to_owned());
    }

    /// An installed package provides a virtual name.
    pub fn provide(&self, virtual_name: &str, package: &str) {
        self.lock().provides.entry(virtual_name.to_owned()).or_default().push(package.to_owned());
    }

    /// A package file.
    pub fn file(&self, path: &str, name: &str, version: &str) {
        self.lock().files.insert(path.to_owned(), (name.to_owned(), version.to_owned()));
    }

    /// Seconds since the last refresh.
    pub fn set_age(&self, age: f64) {
        self.lock().age = Some(age);
    }

    /// Repositories are written down as this; as apt's otherwise.
    pub fn set_repositories(&self, files: RepositoryFiles) {
        self.lock().repositories = Some(files);
    }

    /// What was done, in order: `install a b=1.0`.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn newest(versions: &[String]) -> Option<&String> {
    versions.iter().max_by(|a, b| debian_version::compare(a, b))
}

impl State {
    fn plan_install(
        &self,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<Transaction, String> {
        let mut all = Transaction::new();
        let mut queue: Vec<(String, Option<String>)> = packages.to_vec();
        while let Some((name, version)) = queue.pop() {
            if let Some((name, version)) = self.files.get(&name) {
                all.insert(name.clone(), (self.installed.get(name).cloned(), Some(version.clone())));
                continue;
            }
            let versions = self.index.get(&name).ok_or_else(|| format!("Unable to locate package {name}"))?;
            let new = match &version {
                Some(v) => versions
                    .iter()
                    .find(|x| *x == v)
                    .ok_or_else(|| format!("Version '{v}' for '{name}' was not found"))?,
                None => newest(versions)
                    .ok_or_else(|| format!("Package '{name}' has no installation candidate"))?,
            };
            let old = self.installed.get(&name).cloned();
            if self.held.contains(&name) && !options.change_held {
                return Err(
                    "Held packages were changed and -y was used without --allow-change-held-packages"
                        .to_owned(),
                );
            }
            if let Some(old) = &old
                && debian_version::compare(new, old) == Ordering::Less
                && !options.allow_downgrade
            {
                return Err("Packages were downgraded and -y was used without --allow-downgrades".to_owned());
            }
            for need in self.needs.get(&name).into_iter().flatten() {
                if !self.installed.contains_key(need) && !all.contains_key(need) {
                    queue.push((need.clone(), None));
                }
            }
            if (old.as_ref() != Some(new) || options.reinstall) && !(options.only_upgrade && old.is_none()) {
                all.insert(name, (old, Some(new.clone())));
            }
        }
        Ok(all)
    }

    fn plan_remove(&self, names: &[String], purge: bool) -> Transaction {
        let mut all = Transaction::new();
        let mut queue = names.to_vec();
        while let Some(name) = queue.pop() {
            if let Some(version) = self.installed.get(&name) {
                all.insert(name.clone(), (Some(version.clone()), None));
                queue.extend(
                    self.needs
                        .iter()
                        .filter(|(user, needs)| needs.contains(&name) && !all.contains_key(*user))
                        .map(|(user, _)| user.clone()),
                );
            } else if let Some(version) = self.leftovers.get(&name).filter(|_| purge) {
                all.insert(name.clone(), (Some(version.clone()), None));
            }
        }
        all
    }

    fn plan_upgrade(&self) -> Transaction {
        self.installed
            .iter()
            .filter(|(name, _)| !self.held.contains(*name))
            .filter_map(|(name, old)| {
                let new = newest(self.index.get(name)?)?;
                (debian_version::compare(new, old) == Ordering::Greater)
                    .then(|| (name.clone(), (Some(old.clone()), Some(new.clone()))))
            })
            .collect()
    }

    fn apply(&mut self, transaction: &Transaction, purge: bool) {
        for (name, (old, new)) in transaction {
            match new {
                Some(new) => {
                    self.installed.insert(name.clone(), new.clone());
                    self.leftovers.remove(name);
                }
                None => {
                    self.installed.remove(name);
                    self.leftovers.remove(name);
                    if let (Some(old), false) = (old, purge) {
                        self.leftovers.insert(name.clone(), old.clone());
                    }
                }
            }
        }
    }
}

impl Packages for FakePackages {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn repositories(&self) -> RepositoryFiles {
        self.lock().repositories.unwrap_or(RepositoryFiles::Apt)
    }

    fn installed(&self, _cx: &Context) -> Result<Arc<Versions>, String> {
        Ok(Arc::new(self.lock().installed.clone()))
    }

    fn leftovers(&self, _cx: &Context) -> Result<Arc<Versions>, String> {
        Ok(Arc::new(self.lock().leftovers.clone()))
    }

    fn candidates(&self, _cx: &Context, names: &[String], _from: Option<&str>) -> Result<Versions, String> {
        let state = self.lock();
        Ok(names
            .iter()
            .filter_map(|name| Some((name.clone(), newest(state.index.get(name)?)?.clone())))
            .collect())
    }

    fn versions(&self, _cx: &Context, name: &str) -> Result<Vec<String>, String> {
        let mut versions = self.lock().index.get(name).cloned().unwrap_or_default();
        versions.sort_by(|a, b| debian_version::compare(b, a));
        Ok(versions)
    }

    fn providers(&self, _cx: &Context, name: &str) -> Result<Vec<String>, String> {
        Ok(self.lock().provides.get(name).cloned().unwrap_or_default())
    }

    fn refresh(&self, _cx: &Context) -> Result<(), String> {
        let mut state = self.lock();
        let upstream = state.upstream.clone();
        state.index.extend(upstream);
        state.age = Some(0.0);
        state.log.push("refresh".to_owned());
        Ok(())
    }

    fn index_age(&self, _cx: &Context) -> Result<Option<f64>, String> {
        Ok(self.lock().age)
    }

    fn preview_install(
        &self,
        _cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<Transaction, String> {
        self.lock().plan_install(packages, options)
    }

    fn install(
        &self,
        _cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<(), String> {
        let mut state = self.lock();
        let words: Vec<String> = packages
            .iter()
            .map(|(name, version)| version.as_ref().map_or(name.clone(), |v| format!("{name}={v}")))
            .collect();
        state.log.push(format!("install {}", words.join(" ")));
        let transaction = state.plan_install(packages, options)?;
        state.apply(&transaction, false);
        Ok(())
    }

    fn file_package(&self, _cx: &Context, path: &str) -> Result<(String, String), String> {
        self.lock().files.get(path).cloned().ok_or_else(|| format!("`{path}` is not a package file"))
    }

    fn preview_remove(&self, _cx: &Context, names: &[String], purge: bool) -> Result<Transaction, String> {
        Ok(self.lock().plan_remove(names, purge))
    }

    fn remove(&self, _cx: &Context, names: &[String], purge: bool) -> Result<(), String> {
        let mut state = self.lock();
        state.log.push(format!("{} {}", if purge { "purge" } else { "remove" }, names.join(" ")));
        let transaction = state.plan_remove(names, purge);
        state.apply(&transaction, purge);
        Ok(())
    }

    fn held(&self, _cx: &Context) -> Result<Vec<String>, String> {
        Ok(self.lock().held.iter().cloned().collect())
    }

    fn set_held(&self, _cx: &Context, names: &[String], held: bool) -> Result<(), String> {
        let mut state = self.lock();
        state.log.push(format!("{} {}", if held { "hold" } else { "unhold" }, names.join(" ")));
        for name in names {
            if held {
                state.held.insert(name.clone());
            } else {
                state.held.remove(name);
            }
        }
        Ok(())
    }

    fn preview_upgrade(&self, _cx: &Context, _dist: bool) -> Result<Transaction, String> {
        Ok(self.lock().plan_upgrade())
    }

    fn upgrade(&self, _cx: &Context, _dist: bool) -> Result<(), String> {
        let mut state = self.lock();
        state.log.push("upgrade".to_owned());
        let transaction = state.plan_upgrade();
        state.apply(&transaction, false);
        Ok(())
    }

    fn compare(&self, a: &str, b: &str) -> Ordering {
        debian_version::compare(a, b)
    }
}
