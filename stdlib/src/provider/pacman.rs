//! Arch's package manager. Its repositories have one version of a package, which is what an installation gives.

use super::{
    Command, Output, Ownership, alpm_version, files,
    index_age::age,
    packages::{InstallOptions, Packages, Transaction, Versions, at_equals},
    tool,
};
use crate::Context;
use std::{cmp::Ordering, sync::Arc};

/// pacman.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pacman;

/// Where it keeps a directory for each installed package.
const LOCAL: &str = "/var/lib/pacman/local";
/// Its configuration; `IgnorePkg` holds packages.
const CONFIGURATION: &str = "/etc/pacman.conf";

fn pacman(words: &[&str], rest: &[String]) -> Command {
    tool::tool("pacman", words.iter().map(|w| (*w).to_owned()).chain(rest.iter().cloned()))
}

fn succeed(cx: &Context, command: Command) -> Result<String, String> {
    let output = tool::run(cx, command.clone())?;
    if output.success() { Ok(output.stdout) } else { Err(complaint(&command, &output)) }
}

/// pacman's reasons: its `error:` lines, and what stands behind `::` in answer to them.
fn complaint(command: &Command, output: &Output) -> String {
    let lines = output.stderr.lines().chain(output.stdout.lines());
    let said: Vec<&str> = lines
        .filter(|l| l.starts_with("error: ") || (l.starts_with(":: ") && l.contains("breaks dependency")))
        .map(|l| l.trim_start_matches("error: ").trim_start_matches(":: "))
        .take(20)
        .collect();
    if said.is_empty() || output.timed_out {
        return tool::failure(command, output);
    }
    format!("`{}` exited with {}: {}", tool::line(command), output.status, said.join("; "))
}

/// Lines of `name version`.
fn pairs(text: &str) -> Versions {
    text.lines()
        // `loading packages...` stands among them.
        .filter(|line| !line.ends_with("..."))
        .filter_map(|line| line.trim_end().split_once(' '))
        .filter(|(name, version)| !name.ends_with(':') && !version.contains(' '))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect()
}

impl Pacman {
    /// What would be brought in, with what is there now.
    fn preview(&self, cx: &Context, words: &[&str], rest: &[String]) -> Result<Transaction, String> {
        let mut all = vec![words[0], "--noconfirm", "--print", "--print-format", "%n %v"];
        all.extend(words.iter().skip(1).copied());
        let arriving = pairs(&succeed(cx, pacman(&all, rest))?);
        let installed = self.installed(cx)?;
        Ok(arriving
            .into_iter()
            .map(|(name, version)| {
                let old = installed.get(&name).cloned();
                (name, (old, Some(version)))
            })
            .collect())
    }

    /// The calls an installation takes: packages of repositories, and files.
    fn calls(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<Vec<(Vec<&'static str>, Vec<String>)>, String> {
        if options.skip_verify {
            return Err(format!(
                "pacman checks signatures as `SigLevel` in `{CONFIGURATION}` says, and no option changes that; \
                 set it there instead of `skip_verify`"
            ));
        }
        let installed = self.installed(cx)?;
        let held = ignored(&configuration(cx)?);
        let (mut named, mut files) = (options.options.clone(), options.options.clone());
        let flags = named.len();
        for (name, version) in packages {
            if name.starts_with('/') {
                files.push(name.clone());
                continue;
            }
            let have = installed.get(name);
            if options.only_upgrade && have.is_none() {
                continue;
            }
            if have.is_some() && have != version.as_ref() && held.contains(name) && !options.change_held {
                return Err(format!(
                    "`{name}` is held by `IgnorePkg` in `{CONFIGURATION}`; release it with `pkg.unheld` or set `update_holds: true`"
                ));
            }
            let repo = options.from_repo.as_ref().map(|repo| format!("{repo}/")).unwrap_or_default();
            let version = version.as_ref().map(|version| format!("={version}")).unwrap_or_default();
            named.push(format!("{repo}{name}{version}"));
        }
        let mut calls = Vec::new();
        if named.len() > flags {
            let again = if options.reinstall { vec!["-S"] } else { vec!["-S", "--needed"] };
            calls.push((again, named));
        }
        if files.len() > flags {
            calls.push((vec!["-U"], files));
        }
        Ok(calls)
    }

    /// The version of packages in the repositories.
    fn sync(cx: &Context, names: &[String], from: Option<&str>) -> Result<Versions, String> {
        let words: Vec<String> = match from {
            Some(repo) => names.iter().map(|name| format!("{repo}/{name}")).collect(),
            None => names.to_vec(),
        };
        // It ends with 1 when it does not know one of them, and tells of the others.
        let command = pacman(&["-Si"], &words);
        let output = tool::run(cx, command.clone())?;
        if output.timed_out || (!output.success() && !output.stderr.contains("was not found")) {
            return Err(complaint(&command, &output));
        }
        Ok(parse_info(&output.stdout))
    }
}

/// `Name            : bash`, `Version         : 5.2-1`, in the order of repositories: the first one wins.
fn parse_info(text: &str) -> Versions {
    let mut all = Versions::new();
    let mut name = None;
    for line in text.lines() {
        match line.split_once(" : ").map(|(key, value)| (key.trim_end(), value.trim())) {
            Some(("Name", value)) => name = Some(value.to_owned()),
            Some(("Version", value)) => {
                if let Some(name) = name.take() {
                    all.entry(name).or_insert_with(|| value.to_owned());
                }
            }
            _ => {}
        }
    }
    all
}

fn configuration(cx: &Context) -> Result<String, String> {
    Ok(files::text(cx, CONFIGURATION)?.unwrap_or_default())
}

/// The value of an `IgnorePkg` line.
fn ignore_line(line: &str) -> Option<&str> {
    let (key, value) = line.split_once('=')?;
    (key.trim() == "IgnorePkg").then_some(value)
}

/// Names that the configuration's `IgnorePkg` lines hold.
fn ignored(text: &str) -> Vec<String> {
    let mut names: Vec<String> = text
        .lines()
        .filter_map(ignore_line)
        .flat_map(str::split_ascii_whitespace)
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The configuration with other names in `IgnorePkg`: those given are added to its first line or taken out of all.
fn with_ignored(text: &str, names: &[String], hold: bool) -> String {
    let mut missing: Vec<&String> = if hold { names.iter().collect() } else { Vec::new() };
    let known = ignored(text);
    missing.retain(|name| !known.contains(name));
    let mut new = String::with_capacity(text.len() + 64);
    for line in text.split_inclusive('\n') {
        match ignore_line(line) {
            Some(value) => {
                let mut words: Vec<&str> = value
                    .split_ascii_whitespace()
                    .filter(|word| hold || !names.iter().any(|name| name == word))
                    .collect();
                words.extend(missing.drain(..).map(String::as_str));
                if !words.is_empty() {
                    new.push_str(&format!("IgnorePkg = {}\n", words.join(" ")));
                }
            }
            None => new.push_str(line),
        }
    }
    if !missing.is_empty() {
        let line = format!("IgnorePkg = {}\n", missing.into_iter().cloned().collect::<Vec<_>>().join(" "));
        match new.find("[options]\n") {
            Some(at) => new.insert_str(at + "[options]\n".len(), &line),
            None => new.insert_str(0, &format!("[options]\n{line}")),
        }
    }
    new
}

impl Packages for Pacman {
    fn name(&self) -> &'static str {
        "pacman"
    }

    fn inline_version<'a>(&self, name: &'a str) -> (&'a str, Option<&'a str>) {
        at_equals(name)
    }

    fn installed(&self, cx: &Context) -> Result<Arc<Versions>, String> {
        let read = || {
            let mut query = pacman(&["-Q"], &[]);
            query.output_limit = 8 * 1024 * 1024;
            Ok(pairs(&succeed(cx, query)?))
        };
        match files::stat(cx, LOCAL)? {
            Some(stat) => cx.run.while_same("pacman:installed", stat.stamp(), read),
            None => read().map(Arc::new),
        }
    }

    fn candidates(&self, cx: &Context, names: &[String], from: Option<&str>) -> Result<Versions, String> {
        if names.is_empty() { Ok(Versions::new()) } else { Self::sync(cx, names, from) }
    }

    fn versions(&self, cx: &Context, name: &str) -> Result<Vec<String>, String> {
        Ok(Self::sync(cx, &[name.to_owned()], None)?.into_values().collect())
    }

    fn providers(&self, cx: &Context, name: &str) -> Result<Vec<String>, String> {
        let output = tool::run(cx, pacman(&["-Q", "--"], &[name.to_owned()]))?;
        Ok(if output.success() { pairs(&output.stdout).into_keys().collect() } else { Vec::new() })
    }

    fn refresh(&self, cx: &Context) -> Result<(), String> {
        succeed(cx, pacman(&["-Sy", "--noconfirm", "--noprogressbar"], &[])).map(drop)
    }

    fn index_age(&self, cx: &Context) -> Result<Option<f64>, String> {
        age(cx, &["/var/lib/pacman/sync"], &[CONFIGURATION, "/etc/pacman.d"])
    }

    fn preview_install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<Transaction, String> {
        let mut all = Transaction::new();
        for (words, rest) in self.calls(cx, packages, options)? {
            all.extend(self.preview(cx, &words, &rest)?);
        }
        Ok(all)
    }

    fn install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<(), String> {
        for (mut words, rest) in self.calls(cx, packages, options)? {
            words.extend(["--noconfirm", "--noprogressbar"]);
            succeed(cx, pacman(&words, &rest))?;
        }
        Ok(())
    }

    fn file_package(&self, cx: &Context, path: &str) -> Result<(String, String), String> {
        let text = succeed(cx, pacman(&["-Qp", "--"], &[path.to_owned()]))?;
        pairs(&text).pop_first().ok_or_else(|| format!("`{path}` does not name its package and version"))
    }

    fn preview_remove(&self, cx: &Context, names: &[String], _purge: bool) -> Result<Transaction, String> {
        // pacman refuses `--nosave` here; it changes what is left of files, not which packages go.
        let leaving = self.preview(cx, &["-R"], names)?;
        Ok(leaving.into_iter().map(|(name, (old, new))| (name, (old.or(new), None))).collect())
    }

    fn remove(&self, cx: &Context, names: &[String], purge: bool) -> Result<(), String> {
        let verb = if purge { "-Rn" } else { "-R" };
        succeed(cx, pacman(&[verb, "--noconfirm", "--noprogressbar"], names)).map(drop)
    }

    fn held(&self, cx: &Context) -> Result<Vec<String>, String> {
        Ok(ignored(&configuration(cx)?))
    }

    fn set_held(&self, cx: &Context, names: &[String], held: bool) -> Result<(), String> {
        let text = configuration(cx)?;
        let new = with_ignored(&text, names, held);
        if new == text {
            return Ok(());
        }
        let written = cx.machine.files.write(CONFIGURATION, new.as_bytes(), Ownership::default(), true);
        written.map_err(|e| format!("`{CONFIGURATION}` could not be written: {e}"))
    }

    fn preview_upgrade(&self, cx: &Context, _dist: bool) -> Result<Transaction, String> {
        self.preview(cx, &["-Su"], &[])
    }

    fn upgrade(&self, cx: &Context, _dist: bool) -> Result<(), String> {
        succeed(cx, pacman(&["-Su", "--noconfirm", "--noprogressbar"], &[])).map(drop)
    }

    fn compare(&self, a: &str, b: &str) -> Ordering {
        alpm_version::compare(a, b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    /// As pacman 6.0.2 prints it; the second package is in no repository.
    const INFO: &str = "Repository      : zt\nName            : ztapp\nVersion         : 2:1.2-3\nDescription     : Name : x\n\
        Provides        : ztvirtual=5\nDepends On      : ztlib\nBuild Date      : Thu Jan  1 00:00:00 1970\n\n";

    fn machine() -> FakeMachine {
        let machine = FakeMachine::new();
        machine.commands.reply("pacman -Q", 0, "ztlib 1.0-1\nbash 5.1-1\n");
        machine.files.put(
            CONFIGURATION,
            "#\n[options]\nHoldPkg = pacman glibc\n#IgnorePkg   =\nIgnorePkg = bash\n[zt]\nServer = x\n",
        );
        machine
    }

    #[test]
    fn previews() {
        let machine = machine();
        let cx = machine.context();
        machine.commands.reply("pacman -S --noconfirm --print", 0, "ztlib 1.1-1\nztapp 2:1.2-3\n");
        let packages = [("ztapp".to_owned(), Some("2:1.2-3".to_owned())), ("ztlib".to_owned(), None)];
        let plan = Pacman.preview_install(&cx, &packages, &InstallOptions::default()).unwrap();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(plan["ztlib"], (some("1.0-1"), some("1.1-1")));
        assert_eq!(plan["ztapp"], (None, some("2:1.2-3")));
        let expected = "pacman -S --noconfirm --print --print-format %n %v --needed ztapp=2:1.2-3 ztlib";
        assert!(machine.commands.lines().contains(&expected.to_owned()));
        machine.commands.reply("pacman -U --noconfirm --print", 0, "loading packages...\nztlib 1.1-1\n");
        let file = [("/tmp/ztlib-1.1-1-any.pkg.tar.xz".to_owned(), None)];
        let plan = Pacman.preview_install(&cx, &file, &InstallOptions::default()).unwrap();
        assert_eq!(plan["ztlib"], (some("1.0-1"), some("1.1-1")));
        machine.commands.reply("pacman -R --noconfirm --print", 0, "ztlib 1.0-1\n");
        let plan = Pacman.preview_remove(&cx, &["ztlib".to_owned()], true).unwrap();
        assert_eq!(plan["ztlib"], (some("1.0-1"), None));
        machine.commands.on("pacman -R", |_, _| Output {
            status: 1,
            stdout: ":: removing ztlib breaks dependency 'ztlib' required by ztapp\n".to_owned(),
            stderr: "error: failed to prepare transaction (could not satisfy dependencies)\n".to_owned(),
            ..Output::default()
        });
        let error = Pacman.preview_remove(&cx, &["ztlib".to_owned()], false).unwrap_err();
        assert!(
            error.ends_with(
                "(could not satisfy dependencies); removing ztlib breaks dependency 'ztlib' required by ztapp"
            ),
            "{error}"
        );
    }

    #[test]
    fn what_repositories_have() {
        let machine = machine();
        let cx = machine.context();
        machine.commands.on("pacman -Si", |_, _| Output {
            status: 1,
            stdout: INFO.to_owned(),
            stderr: "error: package 'nope' was not found\n".to_owned(),
            ..Output::default()
        });
        let found = Pacman.candidates(&cx, &["ztapp".to_owned(), "nope".to_owned()], Some("zt")).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found["ztapp"], "2:1.2-3");
        assert_eq!(machine.commands.lines(), ["pacman -Si zt/ztapp zt/nope"]);
    }

    #[test]
    fn holds_are_lines_of_the_configuration() {
        let machine = machine();
        let cx = machine.context();
        assert_eq!(Pacman.held(&cx).unwrap(), ["bash"]);
        Pacman.set_held(&cx, &["ztlib".to_owned()], true).unwrap();
        assert!(machine.files.text(CONFIGURATION).contains("\nIgnorePkg = bash ztlib\n[zt]\n"));
        let options = InstallOptions::default();
        let error = Pacman.install(&cx, &[("ztlib".to_owned(), None)], &options).unwrap_err();
        assert!(error.starts_with("`ztlib` is held by `IgnorePkg`"), "{error}");
        Pacman.set_held(&cx, &["bash".to_owned(), "ztlib".to_owned()], false).unwrap();
        assert_eq!(
            machine.files.text(CONFIGURATION),
            "#\n[options]\nHoldPkg = pacman glibc\n#IgnorePkg   =\n[zt]\nServer = x\n"
        );
        Pacman.set_held(&cx, &["a".to_owned(), "b".to_owned()], true).unwrap();
        assert!(machine.files.text(CONFIGURATION).starts_with("#\n[options]\nIgnorePkg = a b\nHoldPkg"));
    }

    #[test]
    fn signatures_are_a_matter_of_the_configuration() {
        let machine = machine();
        let options = InstallOptions { skip_verify: true, ..InstallOptions::default() };
        let error = Pacman.install(&machine.context(), &[("a".to_owned(), None)], &options).unwrap_err();
        assert!(error.contains("SigLevel"), "{error}");
    }
}
