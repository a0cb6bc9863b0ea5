//! `pkg.*` functions: versions of packages, and changes of them.

use crate::{
    Context, Library,
    provider::{InstallOptions, Packages},
};
use std::{cmp::Ordering, sync::Arc};
use zester_compiler::types::{Map, Value};

fn packages(cx: &Context) -> Result<Arc<dyn Packages>, String> {
    (cx.machine.packages)()
}

/// One name gives one text, several a map.
fn per_name(names: &[String], value: impl Fn(&String) -> Result<String, String>) -> Result<Value, String> {
    match names {
        [] => Ok("".into()),
        [one] => Ok(value(one)?.into()),
        several => Ok(Value::Map(
            several.iter().map(|n| Ok((n.clone(), value(n)?.into()))).collect::<Result<Map, String>>()?,
        )),
    }
}

exec! {
    /// The version of a package that is installed, empty when it is not; of several, a map.
    "pkg.version" probe Version {
        /// The packages.
        names: Vec<String>,
    } |it, cx| {
        let packages = packages(cx)?;
        let installed = packages.installed(cx)?;
        per_name(&it.names, |name| {
            Ok(installed.get(&packages.canonical(cx, name)?).cloned().unwrap_or_default())
        })
    }
}

exec! {
    /// -1, 0 or 1: how the first version compares to the second.
    "pkg.version_cmp" probe VersionCmp {
        /// The first.
        pkg1: String,
        /// The second.
        pkg2: String,
        /// Whether epochs are left out.
        #[arg(default = false)]
        ignore_epoch: bool,
    } |it, cx| {
        use crate::provider::debian_version::without_epoch;
        let cut = |v: &str| if it.ignore_epoch { without_epoch(v).to_owned() } else { v.to_owned() };
        Ok(match packages(cx)?.compare(&cut(&it.pkg1), &cut(&it.pkg2)) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }.into())
    }
}

exec! {
    /// All packages that are installed, with their versions.
    "pkg.list_pkgs" probe ListPkgs {
        /// Whether versions are lists.
        #[arg(default = false)]
        versions_as_list: bool,
    } |it, cx| {
        let installed = packages(cx)?.installed(cx)?;
        Ok(Value::Map(installed.iter().map(|(name, version)| {
            let version: Value =
                if it.versions_as_list { vec![version.as_str()].into() } else { version.as_str().into() };
            (name.clone(), version)
        }).collect()))
    }
}

exec! {
    /// The version that an installation would give; empty when the newest is installed already.
    "pkg.latest_version" probe LatestVersion {
        /// The packages.
        names: Vec<String>,
        /// Whether the index is refreshed first.
        #[arg(default = true)]
        refresh: bool,
        /// Repository or release to take it from.
        fromrepo: Option<String>,
    } |it, cx| {
        let packages = packages(cx)?;
        crate::pkg::refresh_if_due(cx, &*packages, (!it.refresh).then_some(false), None)?;
        let candidates = packages.candidates(cx, &it.names, it.fromrepo.as_deref())?;
        let installed = packages.installed(cx)?;
        per_name(&it.names, |name| {
            let have = installed.get(&packages.canonical(cx, name)?);
            Ok(candidates
                .get(name)
                .filter(|new| have.is_none_or(|have| packages.compare(new, have) == Ordering::Greater))
                .cloned()
                .unwrap_or_default())
        })
    }
}

exec! {
    /// Whether there is a newer version of a package.
    "pkg.upgrade_available" probe UpgradeAvailable {
        /// The package.
        name: String,
    } |it, cx| {
        let packages = packages(cx)?;
        let name = packages.canonical(cx, &it.name)?;
        let new = packages.candidates(cx, std::slice::from_ref(&name), None)?.remove(&name);
        let installed = packages.installed(cx)?;
        let have = installed.get(&name);
        Ok(Value::Bool(match (new, have) {
            (Some(new), Some(have)) => packages.compare(&new, have) == Ordering::Greater,
            (Some(_), None) => true,
            _ => false,
        }))
    }
}

exec! {
    /// Packages that have a newer version, with it.
    "pkg.list_upgrades" probe ListUpgrades {
        /// Whether the index is refreshed first.
        #[arg(default = true)]
        refresh: bool,
        /// Whether other packages may be installed and removed for it. When not given: with apt yes, with zypper no.
        dist_upgrade: Option<bool>,
    } |it, cx| {
        let packages = packages(cx)?;
        crate::pkg::refresh_if_due(cx, &*packages, (!it.refresh).then_some(false), None)?;
        let dist = it.dist_upgrade.unwrap_or_else(|| packages.upgrade_replaces());
        let plan = packages.preview_upgrade(cx, dist)?;
        Ok(Value::Map(plan.into_iter().filter_map(|(name, (_, new))| Some((name, new?.into()))).collect()))
    }
}

exec! {
    /// Versions of a package that can be installed, newest first.
    "pkg.list_repo_pkgs" probe ListRepoPkgs {
        /// The packages.
        names: Vec<String>,
    } |it, cx| {
        let packages = packages(cx)?;
        let versions = |name: &String| Ok((name.clone(), packages.versions(cx, name)?.into()));
        Ok(Value::Map(it.names.iter().map(versions).collect::<Result<_, String>>()?))
    }
}

exec! {
    /// Refreshes the package index.
    "pkg.refresh_db" mutating RefreshDb {} |_, cx| {
        crate::pkg::forget_refresh(cx);
        packages(cx)?.refresh(cx)?;
        Ok(Value::Bool(true))
    }
}

fn changes(
    cx: &Context,
    packages: &dyn Packages,
    act: impl FnOnce() -> Result<(), String>,
) -> Result<Value, String> {
    crate::pkg::observe(cx, packages, act).map(Value::Map).map_err(|e| e.message)
}

exec! {
    /// Installs packages; gives what changed.
    "pkg.install" mutating Install {
        /// The package, or several with commas.
        name: Option<String>,
        /// Several packages.
        pkgs: Option<Vec<Value>>,
        /// Its version.
        version: Option<String>,
        /// Whether the index is refreshed first.
        #[arg(default = false)]
        refresh: bool,
        /// Repository or release to take it from.
        fromrepo: Option<String>,
        /// Whether recommended packages come along.
        #[arg(name = "install_recommends")]
        recommends: Option<bool>,
    } |it, cx| {
        let packages = packages(cx)?;
        if it.refresh {
            packages.refresh(cx)?;
        }
        let name = it.name.clone().unwrap_or_default();
        let wanted = crate::pkg::wanted(cx, &*packages, &name, it.version.as_deref(), it.pkgs.as_deref())?;
        let targets: Vec<_> = wanted.into_iter().map(|w| (w.name, w.version)).collect();
        if targets.is_empty() {
            return Err("`pkg.install` needs `name` or `pkgs`".to_owned());
        }
        let options = InstallOptions {
            from_repo: it.fromrepo.clone(),
            recommends: it.recommends,
            allow_downgrade: it.version.is_some(),
            ..InstallOptions::default()
        };
        changes(cx, &*packages, || packages.install(cx, &targets, &options))
    }
}

fn remove(cx: &Context, name: Option<&String>, pkgs: Option<&[Value]>, purge: bool) -> Result<Value, String> {
    let packages = packages(cx)?;
    let name = name.cloned().unwrap_or_default();
    let wanted = crate::pkg::wanted(cx, &*packages, &name, None, pkgs)?;
    let (installed, leftovers) = (packages.installed(cx)?, packages.leftovers(cx)?);
    let here: Vec<String> = wanted
        .into_iter()
        .map(|w| w.name)
        .filter(|n| installed.contains_key(n) || (purge && leftovers.contains_key(n)))
        .collect();
    if here.is_empty() {
        return Ok(Value::Map(Map::new()));
    }
    changes(cx, &*packages, || packages.remove(cx, &here, purge))
}

exec! {
    /// Removes packages; gives what changed.
    "pkg.remove" mutating Remove {
        /// The package.
        name: Option<String>,
        /// Several packages.
        pkgs: Option<Vec<Value>>,
    } |it, cx| remove(cx, it.name.as_ref(), it.pkgs.as_deref(), false)
}

exec! {
    /// Removes packages with their configuration; gives what changed.
    "pkg.purge" mutating Purge {
        /// The package.
        name: Option<String>,
        /// Several packages.
        pkgs: Option<Vec<Value>>,
    } |it, cx| remove(cx, it.name.as_ref(), it.pkgs.as_deref(), true)
}

exec! {
    /// Brings all packages to their newest version; gives what changed.
    "pkg.upgrade" mutating Upgrade {
        /// Whether the index is refreshed first.
        #[arg(default = true)]
        refresh: bool,
        /// Whether other packages may be installed and removed for it.
        #[arg(default = false)]
        dist_upgrade: bool,
    } |it, cx| {
        let packages = packages(cx)?;
        if it.refresh {
            packages.refresh(cx)?;
        }
        changes(cx, &*packages, || packages.upgrade(cx, it.dist_upgrade))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Version>()
        .exec::<VersionCmp>()
        .exec::<ListPkgs>()
        .exec::<LatestVersion>()
        .exec::<UpgradeAvailable>()
        .exec::<ListUpgrades>()
        .exec::<ListRepoPkgs>()
        .exec::<RefreshDb>()
        .exec::<Install>()
        .exec::<Remove>()
        .exec::<Purge>()
        .exec::<Upgrade>();
}
