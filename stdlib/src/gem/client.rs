//! Asking and running `gem`.

use crate::{
    Context, Failure,
    provider::{
        Command,
        tool::{failure, run, succeed, tool},
    },
};

/// Exit status of `gem list --installed` where there is none.
const NONE: i32 = 1;

/// Which `gem`, and who runs it.
pub(super) struct Gem<'a> {
    /// The program; `gem` if nothing is said.
    pub(super) program: Option<&'a str>,
    /// The user who runs it.
    pub(super) user: Option<&'a str>,
}

impl Gem<'_> {
    /// Whether there is such a program.
    pub(super) fn is_there(&self, cx: &Context) -> bool {
        self.program.is_some() || cx.machine.commands.find("gem").is_some()
    }

    /// A command of it.
    pub(super) fn command<S: Into<String>>(
        &self,
        cx: &Context,
        words: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = tool(self.program.unwrap_or("gem"), words);
        command.runas = self.user.map(str::to_owned).or_else(|| cx.runas.as_ref().map(|r| r.to_string()));
        command
    }

    /// The installed versions of a package, newest first.
    pub(super) fn versions(&self, cx: &Context, name: &str) -> Result<Vec<String>, Failure> {
        let output = succeed(cx, self.command(cx, ["list", "--local", &exactly(name)]))?;
        Ok(output.stdout.lines().find_map(|line| read(line, name)).unwrap_or_default())
    }

    /// Whether a version is installed that a requirement such as `>= 2.0` allows.
    pub(super) fn satisfies(&self, cx: &Context, name: &str, requirement: &str) -> Result<bool, Failure> {
        let words =
            ["list", "--local", &exactly(name), "--installed", "--version", requirement].map(str::to_owned);
        let command = self.command(cx, words);
        let output = run(cx, command.clone())?;
        match output.status {
            0 => Ok(true),
            NONE => Ok(false),
            _ => Err(Failure::new(failure(&command, &output))),
        }
    }
}

/// The pattern of one name.
fn exactly(name: &str) -> String {
    format!("^{}$", name.replace('.', "\\."))
}

/// `rake (13.0.6, default: 12.3.3)`
fn read(line: &str, name: &str) -> Option<Vec<String>> {
    let versions = line.trim().strip_prefix(name)?.trim_start().strip_prefix('(')?.strip_suffix(')')?;
    let one = |text: &str| {
        let text = text.trim().trim_start_matches("default: ");
        // The platform stands behind the version.
        text.split_whitespace().next().unwrap_or_default().to_owned()
    };
    Some(versions.split(',').map(one).collect())
}

/// Refuses what is no name of a package.
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    let good = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty() || name.starts_with(['-', '.']) || !name.chars().all(good) {
        return Err(Failure::new(format!(
            "`{}` is not the name of a package of Ruby, such as `rake`",
            name.escape_debug()
        )));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

    /// A machine whose `gem` keeps packages.
    pub(in super::super) fn machine(installed: &[(&str, &str)]) -> FakeMachine {
        let machine = FakeMachine::new();
        let have: BTreeMap<String, Vec<String>> =
            installed.iter().map(|(n, v)| ((*n).to_owned(), vec![(*v).to_owned()])).collect();
        let have = Arc::new(Mutex::new(have));
        machine.commands.on("gem", move |_, line| {
            let mut have = have.lock().unwrap();
            let words: Vec<&str> = line.split(' ').skip(1).collect();
            let version = words.iter().position(|w| *w == "--version").map(|at| words[at + 1..].join(" "));
            let said = |stdout: String| Output { stdout, ..Output::default() };
            match words.as_slice() {
                ["list", "--local", pattern, rest @ ..] => {
                    let name = pattern.trim_matches(['^', '$']).replace('\\', "");
                    let versions = have.get(&name).cloned().unwrap_or_default();
                    if rest.is_empty() {
                        let listed = format!("{name} (default: {})\n", versions.join(", "));
                        return said(if versions.is_empty() { String::new() } else { listed });
                    }
                    // `>= 2` is all that is asked here.
                    let least = version.unwrap().trim_start_matches(">= ").to_owned();
                    let yes = versions.iter().any(|v| *v >= least);
                    Output { status: i32::from(!yes), ..Output::default() }
                }
                ["install", name, ..] if *name == "none" => {
                    let stderr = "ERROR:  Could not find a valid gem 'none'\n".to_owned();
                    Output { status: 2, stderr, ..Output::default() }
                }
                ["install", name, ..] => {
                    let version = version.map_or("9.0.0".to_owned(), |v| {
                        v.split(" --").next().unwrap().trim_start_matches(">= ").to_owned()
                    });
                    have.entry((*name).to_owned()).or_default().insert(0, version);
                    said(String::new())
                }
                ["uninstall", name, ..] => {
                    have.remove(*name);
                    said(String::new())
                }
                _ => Output { status: 1, stderr: format!("what is {line}?"), ..Output::default() },
            }
        });
        machine
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(read("rake (13.0.6, default: 12.3.3)", "rake").unwrap(), ["13.0.6", "12.3.3"]);
        assert_eq!(read("nokogiri (1.16.0 x86_64-linux)", "nokogiri").unwrap(), ["1.16.0"]);
        assert_eq!(read("rake-compiler (1.2)", "rake"), None);
    }

    #[test]
    fn names_are_names() {
        assert!(check_name("ruby-ldap").is_ok());
        for odd in ["", "-v", "a b", "../x"] {
            assert!(check_name(odd).is_err(), "{odd}");
        }
    }
}
