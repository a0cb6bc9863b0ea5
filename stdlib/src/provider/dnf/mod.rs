//! dnf, in both of its generations, and yum: one command language, with small differences.

mod locks;
mod output;

use super::{
    Command, RepositoryFiles, held,
    index_age::age,
    packages::{InstallOptions, Packages, Transaction, Versions, newest_first},
    rpm::{self, Database},
    rpm_version, tool,
};
use crate::Context;
use output::{available, complaint, transaction};
use std::{cmp::Ordering, sync::Arc};

/// Which program it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Generation {
    /// yum 3, of Red Hat Enterprise Linux 7 and its like.
    Yum,
    /// dnf 4.
    Dnf4,
    /// dnf 5, of Fedora 41 and later.
    Dnf5,
}

/// dnf or yum.
#[derive(Clone, Copy, Debug)]
pub struct Dnf(pub Generation);

/// What yum says where dnf fails: it goes on with the other packages.
const UNKNOWN: &str = "No package ";

impl Dnf {
    fn program(self) -> &'static str {
        if self.0 == Generation::Yum { "yum" } else { "dnf" }
    }

    fn run(self, cx: &Context, args: Vec<String>) -> Result<(Command, super::Output), String> {
        let command = tool::tool(self.program(), args);
        Ok((command.clone(), tool::run(cx, command)?))
    }

    fn preview(self, cx: &Context, verb: &str, args: &[String]) -> Result<Transaction, String> {
        let mut all = vec![verb.to_owned(), "--assumeno".to_owned()];
        all.extend(args.iter().cloned());
        let (command, output) = self.run(cx, all)?;
        // "No" is an answer that ends with 1.
        let aborted = ["Operation aborted", "Exiting on user", "Nothing to do"]
            .iter()
            .any(|words| output.stdout.contains(words) || output.stderr.contains(words));
        if !(output.success() || aborted) || output.timed_out || self.is_unknown(verb, &output.stdout) {
            return Err(complaint(&command, &output));
        }
        let (database, installed) = (Database::of(cx)?, self.installed(cx)?);
        Ok(transaction(&output.stdout, &database, &installed))
    }

    fn execute(self, cx: &Context, verb: &str, args: &[String]) -> Result<(), String> {
        let mut all = vec![verb.to_owned(), "-y".to_owned()];
        all.extend(args.iter().cloned());
        let (command, output) = self.run(cx, all)?;
        if output.success() && !self.is_unknown(verb, &output.stdout) {
            Ok(())
        } else {
            Err(complaint(&command, &output))
        }
    }

    fn is_unknown(self, verb: &str, stdout: &str) -> bool {
        verb != "remove" && stdout.lines().any(|line| line.starts_with(UNKNOWN))
    }

    fn target(self, name: &str, version: Option<&str>) -> String {
        let Some(version) = version else { return name.to_owned() };
        let (base, arch) = match rpm::split_arch(name) {
            Some((base, arch)) => (base, format!(".{arch}")),
            None => (name, String::new()),
        };
        match version.split_once(':') {
            Some((epoch, version)) if self.0 == Generation::Yum => format!("{epoch}:{base}-{version}{arch}"),
            _ => format!("{base}-{version}{arch}"),
        }
    }

    /// The calls that an installation takes: one, except where packages are installed again or, with yum, lowered.
    fn calls(
        self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<Vec<(&'static str, Vec<String>)>, String> {
        let installed = self.installed(cx)?;
        let (mut ordinary, mut lowered, mut again) = (Vec::new(), Vec::new(), Vec::new());
        for (name, version) in packages {
            let have = installed.get(name);
            if options.only_upgrade && have.is_none() && !name.starts_with('/') {
                continue;
            }
            let order = have.zip(version.as_ref()).map(|(have, new)| rpm_version::compare(new, have));
            let target = self.target(name, version.as_deref());
            if options.reinstall && have.is_some() && order.is_none_or(|o| o == Ordering::Equal) {
                again.push(target);
            } else if order == Some(Ordering::Less) && self.0 == Generation::Yum {
                lowered.push(target);
            } else {
                ordinary.push(target);
            }
        }
        let flags = self.flags(options);
        let verb = if options.only_upgrade { "upgrade" } else { "install" };
        let calls = [(verb, ordinary), ("downgrade", lowered), ("reinstall", again)];
        Ok(calls
            .into_iter()
            .filter(|(_, targets)| !targets.is_empty())
            .map(|(verb, targets)| (verb, flags.iter().cloned().chain(targets).collect()))
            .collect())
    }

    fn flags(self, options: &InstallOptions) -> Vec<String> {
        let mut flags = repositories(options.from_repo.as_deref());
        // What is disabled comes first: the last word on a repository counts.
        flags.extend(options.disable_repos.iter().map(|repo| format!("--disablerepo={repo}")));
        flags.extend(options.enable_repos.iter().map(|repo| format!("--enablerepo={repo}")));
        if let Some(what) = &options.disable_excludes {
            flags.push(match self.0 {
                Generation::Dnf5 => format!("--setopt=disable_excludes={what}"),
                _ => format!("--disableexcludes={what}"),
            });
        }
        if let Some(recommends) = options.recommends.filter(|_| self.0 != Generation::Yum) {
            let value = if recommends { "True" } else { "False" };
            flags.push(format!("--setopt=install_weak_deps={value}"));
        }
        if options.skip_verify {
            flags.push("--nogpgcheck".to_owned());
        }
        if options.change_held && self.0 != Generation::Dnf5 {
            flags.push("--disableplugin=versionlock".to_owned());
        }
        flags.extend(options.options.iter().cloned());
        flags
    }

    /// The packages whose locks are lifted for the call, and the others: dnf 5 keeps locks itself, and no option leaves them out.
    fn split_locked(
        self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<(Vec<(String, Option<String>)>, Vec<(String, Option<String>)>), String> {
        if options.change_held && self.0 == Generation::Dnf5 {
            return held::split(cx, &self, packages);
        }
        Ok((Vec::new(), packages.to_vec()))
    }

    fn list(self, cx: &Context, names: &[String], from: Option<&str>) -> Result<output::Listing, String> {
        let mut args = vec!["list".to_owned(), "-q".to_owned(), "--showduplicates".to_owned()];
        args.extend(repositories(from));
        args.extend(names.iter().cloned());
        let (command, output) = self.run(cx, args)?;
        let said = format!("{}{}", output.stdout, output.stderr).to_lowercase();
        if !output.success() && !said.contains("no matching packages to list") {
            return Err(complaint(&command, &output));
        }
        Ok(available(&output.stdout, &*Database::of(cx)?))
    }
}

/// Only the given repositories.
fn repositories(from: Option<&str>) -> Vec<String> {
    match from {
        Some(repo) => vec!["--disablerepo=*".to_owned(), format!("--enablerepo={repo}")],
        None => Vec::new(),
    }
}

impl Packages for Dnf {
    fn name(&self) -> &'static str {
        self.program()
    }

    fn repositories(&self) -> RepositoryFiles {
        RepositoryFiles::Yum
    }

    fn canonical(&self, cx: &Context, name: &str) -> Result<String, String> {
        Ok(Database::of(cx)?.canonical(name).to_owned())
    }

    fn installed(&self, cx: &Context) -> Result<Arc<Versions>, String> {
        Ok(Database::of(cx)?.installed.clone())
    }

    fn candidates(&self, cx: &Context, names: &[String], from: Option<&str>) -> Result<Versions, String> {
        if names.is_empty() {
            return Ok(Versions::new());
        }
        let listing = self.list(cx, names, from)?;
        let newest = |name: &String| {
            let versions = listing.get(name)?;
            versions.iter().max_by(|a, b| rpm_version::compare(a, b)).cloned()
        };
        Ok(names.iter().filter_map(|name| Some((name.clone(), newest(name)?))).collect())
    }

    fn versions(&self, cx: &Context, name: &str) -> Result<Vec<String>, String> {
        let versions = self.list(cx, &[name.to_owned()], None)?.remove(name).unwrap_or_default();
        Ok(newest_first(versions, rpm_version::compare))
    }

    fn providers(&self, cx: &Context, name: &str) -> Result<Vec<String>, String> {
        rpm::providers(cx, name)
    }

    fn refresh(&self, cx: &Context) -> Result<(), String> {
        for words in [["clean", "expire-cache"].as_slice(), &["makecache"]] {
            let mut args: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            if words == ["makecache"] && self.0 == Generation::Yum {
                args.push("fast".to_owned());
            }
            args.extend(["-q".to_owned(), "-y".to_owned()]);
            let (command, output) = self.run(cx, args)?;
            if !output.success() {
                return Err(complaint(&command, &output));
            }
        }
        Ok(())
    }

    fn index_age(&self, cx: &Context) -> Result<Option<f64>, String> {
        let cache = match self.0 {
            Generation::Yum => "/var/cache/yum",
            Generation::Dnf4 => "/var/cache/dnf",
            Generation::Dnf5 => "/var/cache/libdnf5",
        };
        age(cx, &[cache], &["/etc/yum.repos.d"])
    }

    fn preview_install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<Transaction, String> {
        let (locked, free) = self.split_locked(cx, packages, options)?;
        let mut all = held::foresee(cx, self, &locked, options.from_repo.as_deref())?;
        for (verb, args) in self.calls(cx, &free, options)? {
            all.extend(self.preview(cx, verb, &args)?);
        }
        Ok(all)
    }

    fn install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<(), String> {
        let (locked, _) = self.split_locked(cx, packages, options)?;
        let calls = self.calls(cx, packages, options)?;
        held::without(cx, self, &locked, || {
            calls.into_iter().try_for_each(|(verb, args)| self.execute(cx, verb, &args))
        })
    }

    fn file_package(&self, cx: &Context, path: &str) -> Result<(String, String), String> {
        rpm::file_package(cx, path)
    }

    fn preview_remove(&self, cx: &Context, names: &[String], _purge: bool) -> Result<Transaction, String> {
        self.preview(cx, "remove", names)
    }

    fn remove(&self, cx: &Context, names: &[String], _purge: bool) -> Result<(), String> {
        self.execute(cx, "remove", names)
    }

    fn held(&self, cx: &Context) -> Result<Vec<String>, String> {
        locks::held(cx, self.0)
    }

    fn set_held(&self, cx: &Context, names: &[String], held: bool) -> Result<(), String> {
        locks::set(cx, *self, names, held)
    }

    fn preview_upgrade(&self, cx: &Context, _dist: bool) -> Result<Transaction, String> {
        self.preview(cx, "upgrade", &[])
    }

    fn upgrade(&self, cx: &Context, _dist: bool) -> Result<(), String> {
        self.execute(cx, "upgrade", &[])
    }

    fn compare(&self, a: &str, b: &str) -> Ordering {
        rpm_version::compare(a, b)
    }
}

#[cfg(test)]
mod tests;
