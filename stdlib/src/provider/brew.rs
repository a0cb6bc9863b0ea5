//! Homebrew. It refuses to run as root, so it runs as the user whom it belongs to, and what it knows is asked for as JSON.

use super::{
    Command, Output, brew_version,
    index_age::age,
    packages::{InstallOptions, Packages, Transaction, Versions},
    tool,
};
use crate::Context;
use std::{cmp::Ordering, sync::Arc};
use zester_compiler::types::Value;

/// Homebrew.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brew;

/// A formula or cask as `brew info` describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Known {
    names: Vec<String>,
    version: String,
    needs: Vec<String>,
}

impl Brew {
    fn command(cx: &Context, words: &[&str], names: &[String]) -> Result<Command, String> {
        let mut command =
            tool::tool("brew", words.iter().map(|w| (*w).to_owned()).chain(names.iter().cloned()));
        for name in ["NO_AUTO_UPDATE", "NO_ANALYTICS", "NO_ENV_HINTS", "NO_COLOR", "NO_EMOJI"] {
            command.env.push((format!("HOMEBREW_{name}"), Some("1".to_owned())));
        }
        command.runas = owner(cx)?;
        command.output_limit = 8 * 1024 * 1024;
        Ok(command)
    }

    fn run(cx: &Context, words: &[&str], names: &[String]) -> Result<String, String> {
        let command = Self::command(cx, words, names)?;
        let output = tool::run(cx, command.clone())?;
        if output.success() { Ok(output.stdout) } else { Err(complaint(&command, &output)) }
    }

    fn json(cx: &Context, words: &[&str], names: &[String]) -> Result<Value, String> {
        let text = Self::run(cx, words, names)?;
        serde_json::from_str(&text).map_err(|e| format!("`brew {}` gave no JSON: {e}", words.join(" ")))
    }

    /// What Homebrew knows of these names; nothing of those that it does not have.
    fn info(cx: &Context, names: &[String]) -> Result<Vec<Known>, String> {
        let mut all = Vec::new();
        let together = Self::json(cx, &["info", "--json=v2"], names);
        match together {
            Ok(answer) => all.extend(parse_info(&answer)),
            // One unknown name spoils the answer for all.
            Err(_) if names.len() > 1 => {
                for name in names {
                    all.extend(Self::info(cx, std::slice::from_ref(name))?);
                }
            }
            Err(message)
                if message.contains("No available formula") || message.contains("No formulae or casks") => {}
            Err(message) => return Err(message),
        }
        Ok(all)
    }
}

/// The user whom `brew` belongs to; nobody else where that is root or the user who runs already.
fn owner(cx: &Context) -> Result<Option<String>, String> {
    let path = cx.machine.commands.find("brew").ok_or("`brew` is not on the search path")?;
    let stat = cx.machine.files.stat(&path, true).map_err(|e| format!("`{path}` could not be read: {e}"))?;
    let Some(uid) = stat.map(|s| s.uid).filter(|uid| *uid != 0) else { return Ok(None) };
    let users = cx.machine.accounts.users()?;
    match users.into_iter().find(|user| user.uid == uid) {
        Some(user) => Ok(Some(user.name)),
        None => Err(format!(
            "`{path}` belongs to the user {uid}, who has no name; Homebrew must run as its owner"
        )),
    }
}

/// Homebrew's reasons: its `Error:` lines.
fn complaint(command: &Command, output: &Output) -> String {
    let said: Vec<&str> =
        output.stderr.lines().filter_map(|line| line.strip_prefix("Error: ")).take(20).collect();
    if said.is_empty() || output.timed_out {
        return tool::failure(command, output);
    }
    format!("`{}` exited with {}: {}", tool::line(command), output.status, said.join("; "))
}

/// A name without its tap: `homebrew/core/jq` is listed as `jq`.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.lookup(path, '.').and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    match value.lookup(key, '.') {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

fn parse_info(answer: &Value) -> Vec<Known> {
    let formulae = list(answer, "formulae").iter().filter_map(|formula| {
        let stable = text(formula, "versions.stable")?;
        let version = match formula.lookup("revision", '.') {
            Some(Value::Int(revision)) if *revision > 0 => format!("{stable}_{revision}"),
            _ => stable.to_owned(),
        };
        let mut names = vec![text(formula, "name")?.to_owned()];
        names.extend(["aliases", "oldnames"].iter().flat_map(|key| list(formula, key)).map(Value::to_string));
        let needs = list(formula, "dependencies").iter().map(Value::to_string).collect();
        Some(Known { names, version, needs })
    });
    let casks = list(answer, "casks").iter().filter_map(|cask| {
        let names = vec![text(cask, "token")?.to_owned()];
        Some(Known { names, version: text(cask, "version")?.to_owned(), needs: Vec::new() })
    });
    formulae.chain(casks).collect()
}

/// `name 1.0 1.1`: of several versions the last one is the newest.
fn parse_versions(text: &str) -> Versions {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let name = words.next()?;
            Some((name.to_owned(), words.max_by(|a, b| brew_version::compare(a, b))?.to_owned()))
        })
        .collect()
}

fn parse_outdated(answer: &Value) -> Transaction {
    let kinds = ["formulae", "casks"];
    let all = kinds.iter().flat_map(|kind| list(answer, kind));
    all.filter(|item| !matches!(item.lookup("pinned", '.'), Some(Value::Bool(true))))
        .filter_map(|item| {
            let old = list(item, "installed_versions").last().map(Value::to_string);
            Some((text(item, "name")?.to_owned(), (old, Some(text(item, "current_version")?.to_owned()))))
        })
        .collect()
}

/// What Homebrew cannot do.
fn refuse(
    known: &[Known],
    packages: &[(String, Option<String>)],
    options: &InstallOptions,
) -> Result<(), String> {
    if let Some(repo) = &options.from_repo {
        return Err(format!(
            "Homebrew takes a formula of a tap by its whole name: write `{repo}/NAME` instead of `fromrepo`"
        ));
    }
    for (name, version) in packages {
        let Some(found) = known.iter().find(|k| k.names.iter().any(|n| n == short(name))) else {
            return Err(format!("Homebrew has no formula or cask `{name}`"));
        };
        if version.as_ref().is_some_and(|version| *version != found.version) {
            return Err(format!(
                "Homebrew has `{name}` in version {} only, not `{}`; other versions are formulae of their own, as `{name}@1.2`",
                found.version,
                version.as_deref().unwrap_or_default()
            ));
        }
    }
    Ok(())
}

impl Packages for Brew {
    fn name(&self) -> &'static str {
        "brew"
    }

    fn canonical(&self, _cx: &Context, name: &str) -> Result<String, String> {
        Ok(short(name).to_owned())
    }

    fn installed(&self, cx: &Context) -> Result<Arc<Versions>, String> {
        Ok(Arc::new(parse_versions(&Self::run(cx, &["list", "--versions"], &[])?)))
    }

    fn candidates(&self, cx: &Context, names: &[String], _from: Option<&str>) -> Result<Versions, String> {
        if names.is_empty() {
            return Ok(Versions::new());
        }
        let known = Self::info(cx, names)?;
        let version = |name: &String| known.iter().find(|k| k.names.iter().any(|n| n == short(name)));
        Ok(names.iter().filter_map(|name| Some((name.clone(), version(name)?.version.clone()))).collect())
    }

    fn versions(&self, cx: &Context, name: &str) -> Result<Vec<String>, String> {
        Ok(Self::info(cx, &[name.to_owned()])?.into_iter().map(|known| known.version).collect())
    }

    fn providers(&self, cx: &Context, name: &str) -> Result<Vec<String>, String> {
        // An alias (`python` of `python@3.12`) provides what it names.
        let installed = self.installed(cx)?;
        let known = Self::info(cx, &[name.to_owned()])?;
        let names = known.into_iter().filter_map(|known| known.names.into_iter().next());
        Ok(names.filter(|name| installed.contains_key(name)).collect())
    }

    fn refresh(&self, cx: &Context) -> Result<(), String> {
        Self::run(cx, &["update", "--quiet"], &[]).map(drop)
    }

    fn index_age(&self, cx: &Context) -> Result<Option<f64>, String> {
        const FETCHED: [&str; 3] = [
            "/opt/homebrew/.git/FETCH_HEAD",
            "/usr/local/Homebrew/.git/FETCH_HEAD",
            "/home/linuxbrew/.linuxbrew/Homebrew/.git/FETCH_HEAD",
        ];
        age(cx, &FETCHED, &[])
    }

    fn preview_install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<Transaction, String> {
        let installed = self.installed(cx)?;
        let names: Vec<String> = packages.iter().map(|(name, _)| name.clone()).collect();
        let mut known = Self::info(cx, &names)?;
        refuse(&known, packages, options)?;
        // What is needed and not there comes along, step by step.
        let mut seen: Vec<String> = known.iter().flat_map(|k| k.names.clone()).collect();
        let mut next = known.clone();
        while !next.is_empty() {
            let mut missing: Vec<String> = next
                .iter()
                .flat_map(|k| k.needs.clone())
                .filter(|name| !installed.contains_key(short(name)) && !seen.contains(name))
                .collect();
            missing.sort();
            missing.dedup();
            seen.extend(missing.iter().cloned());
            next = if missing.is_empty() { Vec::new() } else { Self::info(cx, &missing)? };
            known.extend(next.iter().cloned());
        }
        let mut all = Transaction::new();
        for found in known {
            let Some(name) = found.names.first() else { continue };
            let old = installed.get(name).cloned();
            let kept = old.as_ref() == Some(&found.version) && !options.reinstall;
            let left_out = options.only_upgrade && old.is_none();
            if !kept && !left_out {
                all.insert(name.clone(), (old, Some(found.version)));
            }
        }
        Ok(all)
    }

    fn install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<(), String> {
        let installed = self.installed(cx)?;
        let (there, new): (Vec<String>, Vec<String>) = packages
            .iter()
            .map(|(name, _)| name.clone())
            .partition(|name| installed.contains_key(short(name)));
        refuse(
            &Self::info(cx, &packages.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>())?,
            packages,
            options,
        )?;
        if !there.is_empty() {
            let verb = if options.reinstall { "reinstall" } else { "upgrade" };
            Self::run(cx, &[verb], &there)?;
        }
        if !new.is_empty() && !options.only_upgrade {
            Self::run(cx, &["install"], &new)?;
        }
        Ok(())
    }

    fn file_package(&self, _cx: &Context, path: &str) -> Result<(String, String), String> {
        Err(format!("`{path}`: Homebrew installs no package files; name a formula or a cask"))
    }

    fn preview_remove(&self, cx: &Context, names: &[String], _purge: bool) -> Result<Transaction, String> {
        let installed = self.installed(cx)?;
        Ok(names.iter().filter_map(|n| Some((n.clone(), (Some(installed.get(n)?.clone()), None)))).collect())
    }

    fn remove(&self, cx: &Context, names: &[String], purge: bool) -> Result<(), String> {
        let words = if purge { ["uninstall", "--zap"].as_slice() } else { &["uninstall"] };
        Self::run(cx, words, names).map(drop)
    }

    fn held(&self, cx: &Context) -> Result<Vec<String>, String> {
        let text = Self::run(cx, &["list", "--pinned"], &[])?;
        Ok(text.lines().filter_map(|line| line.split_ascii_whitespace().next()).map(str::to_owned).collect())
    }

    fn set_held(&self, cx: &Context, names: &[String], held: bool) -> Result<(), String> {
        Self::run(cx, &[if held { "pin" } else { "unpin" }], names).map(drop)
    }

    fn preview_upgrade(&self, cx: &Context, _dist: bool) -> Result<Transaction, String> {
        Ok(parse_outdated(&Self::json(cx, &["outdated", "--json=v2"], &[])?))
    }

    fn upgrade(&self, cx: &Context, _dist: bool) -> Result<(), String> {
        Self::run(cx, &["upgrade"], &[]).map(drop)
    }

    fn compare(&self, a: &str, b: &str) -> Ordering {
        brew_version::compare(a, b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    const JQ: &str = r#"{"formulae": [{"name": "jq", "full_name": "jq", "tap": "homebrew/core", "oldnames": [], "aliases": [],
        "versions": {"stable": "1.7.1", "head": "HEAD", "bottle": true}, "revision": 0, "version_scheme": 0,
        "dependencies": ["oniguruma"], "installed": [], "pinned": false, "outdated": false}], "casks": []}"#;
    const ONIGURUMA: &str = r#"{"formulae": [{"name": "oniguruma", "aliases": [], "versions": {"stable": "6.9.9"}, "revision": 2,
        "dependencies": [], "installed": [], "pinned": false}], "casks": []}"#;

    fn machine() -> FakeMachine {
        let machine = FakeMachine::new();
        machine.commands.reply("brew list --versions", 0, "python@3.12 3.12.3 3.12.4_1\nwget 1.24.5\n");
        machine.commands.on("brew info", |_, line| Output {
            status: 1,
            stderr: format!("Warning: x\nError: No available formula with the name \"{line}\".\n"),
            ..Output::default()
        });
        machine.commands.reply("brew info --json=v2 jq", 0, JQ);
        machine.commands.reply("brew info --json=v2 oniguruma", 0, ONIGURUMA);
        machine
    }

    #[test]
    fn dependencies_come_along() {
        let machine = machine();
        let cx = machine.context();
        let plan = Brew.preview_install(&cx, &[("jq".to_owned(), None)], &InstallOptions::default()).unwrap();
        assert_eq!(plan.len(), 2);
        assert_eq!(plan["jq"], (None, Some("1.7.1".to_owned())));
        assert_eq!(plan["oniguruma"], (None, Some("6.9.9_2".to_owned())));
        assert_eq!(Brew.installed(&cx).unwrap()["python@3.12"], "3.12.4_1");
    }

    #[test]
    fn what_it_does_not_have_is_said() {
        let machine = machine();
        let cx = machine.context();
        let options = InstallOptions::default();
        let error = Brew.preview_install(&cx, &[("nope".to_owned(), None)], &options).unwrap_err();
        assert_eq!(error, "Homebrew has no formula or cask `nope`");
        let old = [("jq".to_owned(), Some("1.6".to_owned()))];
        assert!(
            Brew.preview_install(&cx, &old, &options)
                .unwrap_err()
                .contains("in version 1.7.1 only, not `1.6`")
        );
        assert!(
            Brew.candidates(&cx, &["nope".to_owned(), "jq".to_owned()], None).unwrap().contains_key("jq")
        );
    }

    #[test]
    fn it_runs_as_its_owner_and_lists_what_is_outdated() {
        let machine = machine();
        let cx = machine.context();
        let text = r#"{"formulae": [{"name": "wget", "installed_versions": ["1.24.5"], "current_version": "1.25.0", "pinned": false, "pinned_version": null},
            {"name": "jq", "installed_versions": ["1.6"], "current_version": "1.7.1", "pinned": true, "pinned_version": "1.6"}],
            "casks": [{"name": "firefox", "installed_versions": ["125.0"], "current_version": "126.0"}]}"#;
        machine.commands.reply("brew outdated --json=v2", 0, text);
        let plan = Brew.preview_upgrade(&cx, false).unwrap();
        assert_eq!(plan.keys().collect::<Vec<_>>(), ["firefox", "wget"]);
        assert_eq!(plan["wget"], (Some("1.24.5".to_owned()), Some("1.25.0".to_owned())));
    }
}
