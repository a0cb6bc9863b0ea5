//! Debian's package manager: dpkg's database read from its file, everything else through `apt-get` and its kin.

use super::{
    Command, debian_version,
    dpkg_status::{self, DpkgStatus},
    files,
    packages::{InstallOptions, Packages, RepositoryFiles, Transaction, Versions, at_equals, newest_first},
    tool::{succeed, tool},
};
use crate::Context;
use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

/// Seconds to wait for another apt that holds the lock.
const LOCK_TIMEOUT_S: u32 = 300;

/// What a refresh of the index touches.
const INDEX_STAMPS: [&str; 3] =
    ["/var/lib/apt/periodic/update-success-stamp", "/var/lib/apt/lists", "/var/lib/apt/lists/partial"];

/// apt and dpkg.
#[derive(Clone, Copy, Debug, Default)]
pub struct Apt;

/// The database as it was when its file had this stamp.
type Stamp = (files::Stamp, (i64, u32));

impl Apt {
    /// The stamp of the database, with the time of the index; `None` where there is no database.
    fn stamp(cx: &Context) -> Result<Option<Stamp>, String> {
        let index = files::stat(cx, "/var/lib/apt/lists")?.map_or((0, 0), |s| s.modified);
        Ok(files::stat(cx, dpkg_status::PATH)?.map(|s| (s.stamp(), index)))
    }

    /// The database. It is parsed again only when its file has changed, whoever changed it.
    fn status(cx: &Context) -> Result<Arc<DpkgStatus>, String> {
        let Some(stamp) = Self::stamp(cx)? else { return Ok(Arc::default()) };
        cx.run.while_same("apt:status", stamp, || {
            Ok(DpkgStatus::parse(&files::text(cx, dpkg_status::PATH)?.unwrap_or_default()))
        })
    }

    fn policy(
        cx: &Context,
        names: &[String],
        from: Option<&str>,
    ) -> Result<BTreeMap<String, Policy>, String> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut args = vec!["-q".to_owned()];
        if let Some(release) = from {
            args.extend(["-o".to_owned(), format!("APT::Default-Release={release}")]);
        }
        args.push("policy".to_owned());
        args.push("--".to_owned());
        args.extend(names.iter().cloned());
        Ok(parse_policy(&succeed(cx, quiet("apt-cache", args))?.stdout))
    }

    /// What a call would do. Asked again while neither database nor index have changed, the answer is the same: a
    /// simulation takes apt seconds where its own cache is switched off, as in container images.
    fn simulate(cx: &Context, mut args: Vec<String>) -> Result<Transaction, String> {
        args.insert(0, "-s".to_owned());
        let key = format!("apt:simulation:{}", args.join(" "));
        let stamp = Self::stamp(cx)?.unwrap_or_default();
        let known = cx.run.while_same(&key, stamp, || {
            let command = quiet("apt-get", args);
            let output = super::tool::run(cx, command.clone())?;
            if !output.success() {
                return Err(complaint(&command, &output));
            }
            Ok(parse_simulation(&output.stdout))
        });
        known.map(Arc::unwrap_or_clone)
    }

    fn execute(cx: &Context, args: Vec<String>) -> Result<(), String> {
        let command = quiet("apt-get", args);
        let output = super::tool::run(cx, command.clone())?;
        if output.success() { Ok(()) } else { Err(complaint(&command, &output)) }
    }
}

/// apt's reasons are its `E:` lines and the paragraph on unmet dependencies; the rest is progress.
fn complaint(command: &Command, output: &super::Output) -> String {
    let unmet: Vec<&str> = output
        .stdout
        .lines()
        .skip_while(|l| !l.starts_with("The following packages have unmet dependencies"))
        .take_while(|l| !l.is_empty() && !l.starts_with("E:"))
        .take(20)
        .collect();
    let reasons: Vec<&str> = output
        .stderr
        .lines()
        .filter(|l| l.starts_with("E: ") || l.starts_with("dpkg: "))
        .map(|l| l.trim_start_matches("E: "))
        .take(20)
        .collect();
    if reasons.is_empty() || output.timed_out {
        return super::tool::failure(command, output);
    }
    let said = unmet.iter().chain(&reasons).copied().collect::<Vec<_>>().join("; ");
    format!("`{}` exited with {}: {said}", super::tool::line(command), output.status)
}

/// An apt program that asks nothing and starts no pager.
fn quiet(program: &str, args: Vec<String>) -> Command {
    let mut command = tool(program, args);
    for (name, value) in [
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("DEBIAN_PRIORITY", "critical"),
        ("APT_LISTCHANGES_FRONTEND", "none"),
        ("APT_LISTBUGS_FRONTEND", "none"),
        ("NEEDRESTART_MODE", "l"),
        ("UCF_FORCE_CONFFOLD", "1"),
    ] {
        command.env.push((name.to_owned(), Some(value.to_owned())));
    }
    command
}

fn common(new_configuration: bool) -> Vec<String> {
    let keep = if new_configuration { "--force-confnew" } else { "--force-confold" };
    ["-q", "-y", "-o"]
        .map(str::to_owned)
        .into_iter()
        .chain([
            format!("DPkg::Options::={keep}"),
            "-o".to_owned(),
            "DPkg::Options::=--force-confdef".to_owned(),
            "-o".to_owned(),
            format!("DPkg::Lock::Timeout={LOCK_TIMEOUT_S}"),
        ])
        .collect()
}

fn install_args(packages: &[(String, Option<String>)], options: &InstallOptions) -> Vec<String> {
    let mut args = common(options.new_configuration);
    match options.recommends {
        Some(true) => args.push("--install-recommends".to_owned()),
        Some(false) => args.push("--no-install-recommends".to_owned()),
        None => {}
    }
    for (wanted, flag) in [
        (options.skip_verify, "--allow-unauthenticated"),
        (options.allow_downgrade, "--allow-downgrades"),
        (options.change_held, "--allow-change-held-packages"),
        (options.only_upgrade, "--only-upgrade"),
        (options.reinstall, "--reinstall"),
    ] {
        if wanted {
            args.push(flag.to_owned());
        }
    }
    if let Some(release) = &options.from_repo {
        args.extend(["-t".to_owned(), release.clone()]);
    }
    args.extend(options.options.iter().cloned());
    args.push("install".to_owned());
    args.push("--".to_owned());
    args.extend(packages.iter().map(|(name, version)| match version {
        Some(version) => format!("{name}={version}"),
        None => name.clone(),
    }));
    args
}

fn remove_args(names: &[String], purge: bool) -> Vec<String> {
    let mut args = common(false);
    args.push(if purge { "purge" } else { "remove" }.to_owned());
    args.push("--".to_owned());
    args.extend(names.iter().cloned());
    args
}

fn autoremove_args(purge: bool) -> Vec<String> {
    let mut args = common(false);
    args.extend(purge.then(|| "--purge".to_owned()));
    args.push("autoremove".to_owned());
    args
}

fn upgrade_args(dist: bool) -> Vec<String> {
    let mut args = common(false);
    args.push(if dist { "dist-upgrade" } else { "upgrade" }.to_owned());
    args
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Policy {
    candidate: Option<String>,
    versions: Vec<String>,
}

fn parse_policy(text: &str) -> BTreeMap<String, Policy> {
    let mut all = BTreeMap::new();
    let mut current: Option<(String, Policy)> = None;
    let mut table = false;
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            all.extend(current.take());
            current = Some((name.to_owned(), Policy::default()));
            table = false;
            continue;
        }
        let Some((_, policy)) = &mut current else { continue };
        if let Some(version) = line.strip_prefix("  Candidate: ") {
            policy.candidate = Some(version.trim().to_owned()).filter(|v| v != "(none)");
        } else if line.starts_with("  Version table:") {
            table = true;
        } else if table
            && (line.starts_with("     ") || line.starts_with(" *** "))
            && !line.starts_with("      ")
        {
            // ` *** 1.0 500` and `     1.0 500` are versions; their sources stand further right.
            policy.versions.extend(line[5..].split_ascii_whitespace().next().map(str::to_owned));
        }
    }
    all.extend(current);
    all
}

/// `Inst name [old] (new …)`, `Remv name [old]`, `Purg name [old]`.
fn parse_simulation(text: &str) -> Transaction {
    let mut all = Transaction::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(action), Some(name)) = (words.next(), words.next()) else { continue };
        let old = words
            .clone()
            .next()
            .and_then(|w| w.strip_prefix('['))
            .map(|w| w.trim_end_matches(']').to_owned());
        match action {
            "Inst" => {
                let new = words.find_map(|w| w.strip_prefix('(')).map(|w| w.trim_end_matches(')').to_owned());
                all.insert(name.to_owned(), (old, new));
            }
            "Remv" | "Purg" => {
                // An upgrade may remove a package and install its successor; the installation is what counts.
                all.entry(name.to_owned()).or_insert((old, None));
            }
            _ => {}
        }
    }
    all
}

impl Packages for Apt {
    fn name(&self) -> &'static str {
        "apt"
    }

    fn repositories(&self) -> RepositoryFiles {
        RepositoryFiles::Apt
    }

    fn inline_version<'a>(&self, name: &'a str) -> (&'a str, Option<&'a str>) {
        at_equals(name)
    }

    fn canonical(&self, cx: &Context, name: &str) -> Result<String, String> {
        Ok(Self::status(cx)?.canonical(name).to_owned())
    }

    fn installed(&self, cx: &Context) -> Result<Arc<Versions>, String> {
        Ok(Self::status(cx)?.installed.clone())
    }

    fn leftovers(&self, cx: &Context) -> Result<Arc<Versions>, String> {
        Ok(Self::status(cx)?.leftovers.clone())
    }

    fn candidates(&self, cx: &Context, names: &[String], from: Option<&str>) -> Result<Versions, String> {
        let policies = Self::policy(cx, names, from)?;
        let status = Self::status(cx)?;
        Ok(names
            .iter()
            .filter_map(|name| {
                let policy = policies.get(name).or_else(|| policies.get(status.canonical(name)))?;
                Some((name.clone(), policy.candidate.clone()?))
            })
            .collect())
    }

    fn versions(&self, cx: &Context, name: &str) -> Result<Vec<String>, String> {
        let versions =
            Self::policy(cx, &[name.to_owned()], None)?.into_values().flat_map(|policy| policy.versions);
        Ok(newest_first(versions.collect(), debian_version::compare))
    }

    fn providers(&self, cx: &Context, name: &str) -> Result<Vec<String>, String> {
        let status = Self::status(cx)?;
        Ok(status.provides.get(status.canonical(name)).cloned().unwrap_or_default())
    }

    fn refresh(&self, cx: &Context) -> Result<(), String> {
        Self::execute(
            cx,
            vec![
                "-q".to_owned(),
                "-o".to_owned(),
                format!("DPkg::Lock::Timeout={LOCK_TIMEOUT_S}"),
                "update".to_owned(),
            ],
        )
    }

    fn index_age(&self, cx: &Context) -> Result<Option<f64>, String> {
        let files = &cx.machine.files;
        let newest = |paths: &[String]| {
            let mut newest = None;
            for path in paths {
                let stat = files.stat(path, true).map_err(|e| format!("`{path}` could not be read: {e}"))?;
                newest = newest.max(stat.map(|s| s.modified.0));
            }
            Ok::<_, String>(newest)
        };
        let index = newest(&INDEX_STAMPS.map(str::to_owned))?;
        // An index that is older than a list of repositories was never made for it.
        let below = files.list("/etc/apt/sources.list.d").unwrap_or_default();
        let mut lists: Vec<String> =
            below.into_iter().map(|name| format!("/etc/apt/sources.list.d/{name}")).collect();
        lists.push("/etc/apt/sources.list".to_owned());
        if newest(&lists)? > index {
            return Ok(None);
        }
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs() as i64);
        Ok(index.map(|time| (now - time) as f64))
    }

    fn preview_install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<Transaction, String> {
        Self::simulate(cx, install_args(packages, options))
    }

    fn install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<(), String> {
        Self::execute(cx, install_args(packages, options))
    }

    fn file_package(&self, cx: &Context, path: &str) -> Result<(String, String), String> {
        let output = succeed(cx, quiet("dpkg-deb", vec!["-W".to_owned(), path.to_owned()]))?;
        let (name, version) = output
            .stdout
            .trim()
            .split_once('\t')
            .ok_or_else(|| format!("`{path}` does not name its package and version"))?;
        Ok((name.to_owned(), version.to_owned()))
    }

    fn preview_remove(&self, cx: &Context, names: &[String], purge: bool) -> Result<Transaction, String> {
        Self::simulate(cx, remove_args(names, purge))
    }

    fn remove(&self, cx: &Context, names: &[String], purge: bool) -> Result<(), String> {
        Self::execute(cx, remove_args(names, purge))
    }

    fn held(&self, cx: &Context) -> Result<Vec<String>, String> {
        Ok(Self::status(cx)?.held.iter().cloned().collect())
    }

    fn set_held(&self, cx: &Context, names: &[String], held: bool) -> Result<(), String> {
        // What `apt-mark` does in the end, without opening apt's index for it.
        let word = if held { "hold" } else { "install" };
        let mut command = quiet("dpkg", vec!["--set-selections".to_owned()]);
        command.stdin =
            Some(names.iter().map(|name| format!("{name} {word}\n")).collect::<Vec<_>>().concat().into());
        succeed(cx, command).map(drop)
    }

    fn preview_upgrade(&self, cx: &Context, dist: bool) -> Result<Transaction, String> {
        Self::simulate(cx, upgrade_args(dist))
    }

    fn upgrade(&self, cx: &Context, dist: bool) -> Result<(), String> {
        Self::execute(cx, upgrade_args(dist))
    }

    fn preview_autoremove(&self, cx: &Context, purge: bool) -> Result<Transaction, String> {
        Self::simulate(cx, autoremove_args(purge))
    }

    fn autoremove(&self, cx: &Context, purge: bool) -> Result<(), String> {
        Self::execute(cx, autoremove_args(purge))
    }

    fn compare(&self, a: &str, b: &str) -> Ordering {
        debian_version::compare(a, b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_output() {
        let text = "tree:\n  Installed: 2.1.0-1\n  Candidate: 2.2.0-1\n  Version table:\n     2.2.0-1 500\n        \
                    500 http://x/debian trixie/main amd64 Packages\n *** 2.1.0-1 100\n        100 /var/lib/dpkg/status\n\
                    mail-transport-agent:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n";
        let policies = parse_policy(text);
        assert_eq!(policies["tree"].candidate.as_deref(), Some("2.2.0-1"));
        assert_eq!(policies["tree"].versions, ["2.2.0-1", "2.1.0-1"]);
        assert_eq!(policies["mail-transport-agent"], Policy::default());
    }

    #[test]
    fn simulation_output() {
        let text = "NOTE: This is only a simulation!\nReading package lists...\nRemv old [1.0]\n\
                    Inst tree [2.1.0-1] (2.2.0-1 Debian:13 [amd64]) []\nInst libx:i386 (1 Debian:13 [i386])\n\
                    Conf tree (2.2.0-1 Debian:13 [amd64])\nPurg left [3]\n";
        let transaction = parse_simulation(text);
        let some = |s: &str| Some(s.to_owned());
        assert_eq!(transaction.len(), 4);
        assert_eq!(transaction["tree"], (some("2.1.0-1"), some("2.2.0-1")));
        assert_eq!(transaction["libx:i386"], (None, some("1")));
        assert_eq!(transaction["old"], (some("1.0"), None));
        assert_eq!(transaction["left"], (some("3"), None));
    }

    #[test]
    fn options_become_flags() {
        let options = InstallOptions {
            from_repo: Some("bookworm-backports".into()),
            recommends: Some(false),
            allow_downgrade: true,
            ..InstallOptions::default()
        };
        let args = install_args(&[("a".into(), Some("1".into())), ("b".into(), None)], &options);
        let line = args.join(" ");
        assert!(line.starts_with("-q -y -o DPkg::Options::=--force-confold"), "{line}");
        assert!(
            line.ends_with(
                "--no-install-recommends --allow-downgrades -t bookworm-backports install -- a=1 b"
            ),
            "{line}"
        );
    }
}
