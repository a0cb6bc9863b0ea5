//! Held versions: the lists of the versionlock plugin, which dnf 5 has built in.

use super::{Dnf, Generation, complaint};
use crate::{
    Context,
    provider::{Packages, files, rpm::Database},
};

/// Where the list lies.
fn list(generation: Generation) -> &'static str {
    match generation {
        Generation::Yum => "/etc/yum/pluginconf.d/versionlock.list",
        Generation::Dnf4 => "/etc/dnf/plugins/versionlock.list",
        Generation::Dnf5 => "/etc/dnf/versionlock.toml",
    }
}

/// The entries of the list, each with the name of its package.
fn entries(cx: &Context, generation: Generation) -> Result<Vec<(String, String)>, String> {
    let path = list(generation);
    let Some(text) = files::text(cx, path)? else { return Ok(Vec::new()) };
    let database = Database::of(cx)?;
    let name = |line: &str| match generation {
        Generation::Dnf5 => {
            let value = line.strip_prefix("name")?.trim_start().strip_prefix('=')?;
            Some(value.trim().trim_matches(['"', '\'']).to_owned())
        }
        _ => locked_name(line),
    };
    Ok(text
        .lines()
        .map(str::trim)
        .filter_map(|line| Some((line.to_owned(), database.canonical(&name(line)?).to_owned())))
        .collect())
}

/// The name in `name-epoch:version-release.*` (dnf 4) or `epoch:name-version-release.*` (yum).
fn locked_name(line: &str) -> Option<String> {
    // `!` excludes a version instead of holding one.
    if line.is_empty() || line.starts_with(['#', '!']) {
        return None;
    }
    let line = match line.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => line,
    };
    let mut parts = line.rsplitn(3, '-');
    let (release, version) = (parts.next()?, parts.next());
    match (parts.next(), version) {
        (Some(name), Some(_)) => Some(name.to_owned()),
        (None, None) => Some(release.to_owned()),
        _ => Some(line.to_owned()),
    }
}

/// Names of held packages.
pub(super) fn held(cx: &Context, generation: Generation) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = entries(cx, generation)?.into_iter().map(|(_, name)| name).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Holds or releases packages.
pub(super) fn set(cx: &Context, dnf: Dnf, names: &[String], hold: bool) -> Result<(), String> {
    let mut args = vec!["versionlock".to_owned(), if hold { "add" } else { "delete" }.to_owned()];
    if hold || dnf.0 == Generation::Dnf5 {
        args.extend(names.iter().cloned());
    } else {
        // yum compares with the whole entry, dnf 4 takes it as well.
        let entries = entries(cx, dnf.0)?;
        args.extend(entries.into_iter().filter(|(_, name)| names.contains(name)).map(|(entry, _)| entry));
    }
    if args.len() == 2 {
        return Ok(());
    }
    if dnf.0 != Generation::Dnf5 {
        args.push("-q".to_owned());
    }
    let (command, output) = dnf.run(cx, args)?;
    if output.stdout.contains("No such command") || output.stderr.contains("No such command") {
        let package = match dnf.0 {
            Generation::Yum => "yum-plugin-versionlock",
            _ => "python3-dnf-plugin-versionlock",
        };
        return Err(format!(
            "{} holds versions with its plugin versionlock, which is not installed; install `{package}` first",
            dnf.name()
        ));
    }
    if !output.success() {
        return Err(complaint(&command, &output));
    }
    let held = held(cx, dnf.0)?;
    match names.iter().find(|name| held.contains(name) != hold) {
        Some(name) => Err(format!(
            "`{}` succeeded, but `{name}` is {} held: see `{}`",
            crate::provider::tool::line(&command),
            if hold { "not" } else { "still" },
            list(dnf.0)
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_entries() {
        assert_eq!(locked_name("vim-minimal-2:8.2.2637-20.el9.*").as_deref(), Some("vim-minimal"));
        assert_eq!(locked_name("0:bash-4.2.46-31.el7.*").as_deref(), Some("bash"));
        assert_eq!(
            locked_name("java-1.8.0-openjdk-1:1.8.0.412-1.el9.*").as_deref(),
            Some("java-1.8.0-openjdk")
        );
        assert_eq!(locked_name("kernel*").as_deref(), Some("kernel*"));
        assert_eq!(locked_name("!bash-0:1-1.*"), None);
        assert_eq!(locked_name("# Added lock on Mon Jan  1"), None);
    }
}
