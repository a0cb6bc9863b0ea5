//! Asking and running `npm`.

use crate::{
    Context,
    provider::{
        Command,
        tool::{failure, run, tool},
    },
};
use std::collections::BTreeMap;
use zester_compiler::types::Value;

/// A package, and which version of it is wanted.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Wanted {
    /// As the author wrote it: what `npm install` gets.
    pub(super) text: String,
    /// The package's name, with its scope.
    pub(super) name: String,
    /// A whole version; ranges and tags are for `npm` to understand, and every version will do.
    pub(super) version: Option<String>,
}

impl Wanted {
    /// Reads `name`, `name@1.2.3`, `@scope/name@^1`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let body = text.strip_prefix('@').unwrap_or(text);
        let (name, spec) = match body.split_once('@') {
            Some((name, spec)) => (name, Some(spec)),
            None => (body, None),
        };
        let scoped = body.len() != text.len();
        let good = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        let slashes = name.matches('/').count();
        if name.is_empty()
            || name.starts_with(['-', '.'])
            || !name.chars().all(good)
            || slashes != usize::from(scoped)
        {
            return Err(format!(
                "`{}` is not the name of a package such as `express` or `@scope/name@1.2.3`",
                text.escape_debug()
            ));
        }
        let whole = |spec: &&str| {
            spec.split('.').count() >= 3
                && spec.starts_with(|c: char| c.is_ascii_digit())
                && !spec.contains([' ', 'x', '*', '|'])
        };
        Ok(Self {
            text: text.to_owned(),
            name: format!("{}{name}", if scoped { "@" } else { "" }),
            version: spec.filter(whole).map(str::to_owned),
        })
    }

    /// Whether an installed version will do.
    pub(super) fn is(&self, installed: Option<&String>) -> bool {
        installed.is_some_and(|have| self.version.as_ref().is_none_or(|want| want == have))
    }
}

/// Where packages are.
pub(super) struct Npm<'a> {
    /// The directory; the machine's own packages without one.
    pub(super) dir: Option<&'a str>,
    /// The user who runs it.
    pub(super) user: Option<&'a str>,
    /// Variables, `NAME=value`.
    pub(super) env: Vec<(String, String)>,
}

impl Npm<'_> {
    /// A command of `npm`.
    pub(super) fn command(&self, cx: &Context, words: &[&str]) -> Command {
        let global = self.dir.is_none().then_some("--global");
        let mut command = tool("npm", words.iter().copied().chain(global));
        command.cwd = self.dir.map(str::to_owned);
        command.runas = self.user.map(str::to_owned).or_else(|| cx.runas.as_ref().map(|r| r.to_string()));
        command.env = self.env.iter().map(|(k, v)| (k.clone(), Some(v.clone()))).collect();
        command
    }

    /// Installed packages with their versions.
    pub(super) fn list(&self, cx: &Context) -> Result<BTreeMap<String, String>, String> {
        let command = self.command(cx, &["list", "--json", "--depth=0"]);
        let output = run(cx, command.clone())?;
        // It also fails when something else is amiss among the packages, and lists them all the same.
        let Ok(value) = serde_json::from_str::<Value>(&output.stdout) else {
            return Err(failure(&command, &output));
        };
        let dependencies = value.lookup("dependencies", ':').and_then(Value::as_map);
        let installed = dependencies.into_iter().flatten().filter_map(|(name, about)| {
            let version = about.as_map()?.get("version")?.as_str()?;
            Some((name.clone(), version.to_owned()))
        });
        Ok(installed.collect())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::sync::{Arc, Mutex};

    /// A machine whose `npm` keeps packages.
    pub(in super::super) fn machine(installed: &[(&str, &str)]) -> FakeMachine {
        let machine = FakeMachine::new();
        let have: BTreeMap<String, String> =
            installed.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let have = Arc::new(Mutex::new(have));
        machine.commands.on("npm", move |_, line| {
            let mut have = have.lock().unwrap();
            let words: Vec<&str> = line.split(' ').skip(1).filter(|w| !w.starts_with("--")).collect();
            match words.as_slice() {
                ["list"] => {
                    let all: Vec<String> = have
                        .iter()
                        .map(|(n, v)| format!(r#""{n}": {{"version": "{v}", "overridden": false}}"#))
                        .collect();
                    let stdout = format!(r#"{{"name": "lib", "dependencies": {{{}}}}}"#, all.join(", "));
                    return Output { stdout, ..Output::default() };
                }
                ["install", packages @ ..] => {
                    for package in packages {
                        let wanted = Wanted::parse(package).unwrap();
                        have.insert(wanted.name, wanted.version.unwrap_or_else(|| "9.0.0".to_owned()));
                    }
                }
                ["uninstall", package] => drop(have.remove(*package)),
                _ => return Output { status: 1, stderr: format!("what is {line}?"), ..Output::default() },
            }
            Output::default()
        });
        machine
    }

    #[test]
    fn names_and_versions() {
        let parse = |text: &str| Wanted::parse(text).map(|w| (w.name, w.version));
        assert_eq!(parse("express"), Ok(("express".into(), None)));
        assert_eq!(parse("express@4.1.0"), Ok(("express".into(), Some("4.1.0".into()))));
        assert_eq!(parse("@vue/cli@^5"), Ok(("@vue/cli".into(), None)));
        for odd in ["", "--global", "@cli", "a/b", "x y"] {
            assert!(parse(odd).is_err(), "{odd}");
        }
    }
}
