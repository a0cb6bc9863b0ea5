//! Alpine's package manager: its database is read from its file, everything else is asked of `apk`.

use super::{
    Command, Output, RepositoryFiles, apk_version, files,
    index_age::age,
    packages::{InstallOptions, Packages, Transaction, Versions, at_equals, newest_first},
    tool,
};
use crate::Context;
use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

/// apk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Apk;

/// Where the database lies; the second place is that of releases that keep everything below `/usr`.
const DATABASES: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];
/// What the machine shall have: names with conditions.
const WORLD: &str = "/etc/apk/world";

/// What the database says.
#[derive(Default, Debug)]
struct Database {
    installed: Arc<Versions>,
    provides: BTreeMap<String, Vec<String>>,
}

impl Database {
    /// The database. It is parsed again only when its file has changed.
    fn of(cx: &Context) -> Result<Arc<Self>, String> {
        for path in DATABASES {
            let Some(stat) = files::stat(cx, path)? else { continue };
            return cx.run.while_same("apk:database", stat.stamp(), || {
                Ok(Self::parse(&files::text(cx, path)?.unwrap_or_default()))
            });
        }
        Ok(Arc::default())
    }

    /// Paragraphs of lines with a letter: `P:` is the name, `V:` the version, `p:` what it provides.
    fn parse(text: &str) -> Self {
        let mut installed = Versions::new();
        let mut provides: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for paragraph in text.split("\n\n") {
            let field = |letter: &str| paragraph.lines().find_map(|line| line.strip_prefix(letter));
            let (Some(name), Some(version)) = (field("P:"), field("V:")) else { continue };
            for word in field("p:").unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
                let provided = word.split(['=', '<', '>', '~']).next().unwrap_or(word);
                provides.entry(provided.to_owned()).or_default().push(name.to_owned());
            }
            installed.insert(name.to_owned(), version.to_owned());
        }
        Self { installed: Arc::new(installed), provides }
    }
}

impl Apk {
    /// Runs apk, waiting for another one that holds the lock.
    fn run(cx: &Context, words: &[String]) -> Result<String, String> {
        let (verb, rest) = words.split_at(1.min(words.len()));
        let fixed = ["--no-progress", "--wait", "300"].map(str::to_owned);
        let args: Vec<String> = verb.iter().chain(&fixed).chain(rest).cloned().collect();
        let command = tool::tool("apk", args);
        let output = tool::run(cx, command.clone())?;
        if output.success() { Ok(output.stdout) } else { Err(complaint(&command, &output)) }
    }

    fn change(cx: &Context, preview: bool, words: Vec<String>) -> Result<String, String> {
        let mut words = words;
        if preview {
            words.insert(1, "--simulate".to_owned());
        }
        let text = Self::run(cx, &words)?;
        // A package that others need stays, and apk calls it a success.
        if let Some((_, why)) = text.split_once("the following packages are not removed due to:") {
            let why: Vec<&str> = why
                .lines()
                .take_while(|l| l.is_empty() || l.starts_with(' '))
                .map(str::trim)
                .filter(|l| !l.is_empty())
                .take(20)
                .collect();
            return Err(format!("these packages stay because others need them: {}", why.join("; ")));
        }
        Ok(text)
    }

    fn policy(cx: &Context, names: &[String]) -> Result<BTreeMap<String, Vec<Offer>>, String> {
        let mut words = vec!["policy".to_owned()];
        words.extend(names.iter().cloned());
        Ok(parse_policy(&Self::run(cx, &words)?))
    }

    /// What an installation is told; empty when there is nothing to do.
    fn install_words(
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<Vec<String>, String> {
        let database = Database::of(cx)?;
        let tag = match options.from_repo.as_deref() {
            Some(repo) if repo.contains('/') => None,
            other => other,
        };
        let mut names = Vec::new();
        let mut again = true;
        let mut upgrade = false;
        for (name, version) in packages {
            let have = database.installed.get(name);
            if options.only_upgrade && have.is_none() && !name.starts_with('/') {
                continue;
            }
            again &= have.is_some() && version.is_none();
            upgrade |= have.is_some() && version.is_none();
            let tag = tag.map(|tag| format!("@{}", tag.trim_start_matches('@'))).unwrap_or_default();
            let version = version.as_ref().map(|v| format!("={v}")).unwrap_or_default();
            names.push(format!("{name}{tag}{version}"));
        }
        if names.is_empty() {
            return Ok(Vec::new());
        }
        if options.reinstall && again {
            let mut words = vec!["fix".to_owned(), "--reinstall".to_owned()];
            words.extend(names);
            return Ok(words);
        }
        let mut words = vec!["add".to_owned()];
        if upgrade {
            // Without it a package that is there in some version is left alone.
            words.push("--upgrade".to_owned());
        }
        if options.skip_verify {
            words.push("--allow-untrusted".to_owned());
        }
        if let (None, Some(repo)) = (tag, &options.from_repo) {
            words.extend(["--repository".to_owned(), repo.clone()]);
        }
        words.extend(options.options.iter().cloned());
        words.extend(names);
        Ok(words)
    }
}

/// A pinned version is how apk holds one.
fn refuse_held(
    cx: &Context,
    packages: &[(String, Option<String>)],
    options: &InstallOptions,
) -> Result<(), String> {
    let held = world_pins(cx)?;
    let changed = |name: &str, version: Option<&str>| {
        held.get(name).is_some_and(|pinned| version != Some(pinned) && !options.change_held)
    };
    match packages.iter().find(|(name, version)| changed(name, version.as_deref())) {
        Some((name, _)) => Err(format!(
            "`{name}` is held at {} by `{WORLD}`; release it with `pkg.unheld` or set `update_holds: true`",
            held[name]
        )),
        None => Ok(()),
    }
}

/// Names that the world wants in one exact version.
fn world_pins(cx: &Context) -> Result<Versions, String> {
    let text = files::text(cx, WORLD)?.unwrap_or_default();
    Ok(text
        .split_ascii_whitespace()
        .filter_map(|word| word.split_once('='))
        .filter(|(name, _)| !name.ends_with(['<', '>', '~', '!']))
        .map(|(name, version)| (name.split('@').next().unwrap_or(name).to_owned(), version.to_owned()))
        .collect())
}

/// apk's reasons: from `ERROR:` on.
fn complaint(command: &Command, output: &Output) -> String {
    let text = format!("{}\n{}", output.stderr, output.stdout);
    let said: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("ERROR:"))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take(20)
        .collect();
    if said.is_empty() || output.timed_out {
        return tool::failure(command, output);
    }
    format!("`{}` exited with {}: {}", tool::line(command), output.status, said.join("; "))
}

/// A version, and the repositories that have it.
#[derive(PartialEq, Eq, Debug)]
struct Offer {
    version: String,
    repositories: Vec<String>,
}

/// `name policy:`, two blanks in front of each version, four in front of where it is.
fn parse_policy(text: &str) -> BTreeMap<String, Vec<Offer>> {
    let mut all: BTreeMap<String, Vec<Offer>> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(new) = line.strip_suffix(" policy:").filter(|_| !line.starts_with(' ')) {
            new.clone_into(&mut name);
        } else if let Some(place) = line.strip_prefix("    ") {
            if let Some(offer) = all.get_mut(&name).and_then(|offers| offers.last_mut()) {
                offer.repositories.push(place.trim().to_owned());
            }
        } else if let Some(version) =
            line.strip_prefix("  ").and_then(|line| line.trim_end().strip_suffix(':'))
        {
            let offer = Offer { version: version.to_owned(), repositories: Vec::new() };
            all.entry(name.clone()).or_default().push(offer);
        }
    }
    all
}

/// Whether a place is a repository (not the database), and the wanted one: an address, or the tag in front of it.
fn is_from(place: &str, from: Option<&str>) -> bool {
    if place.ends_with("apk/db/installed") {
        return false;
    }
    from.is_none_or(|from| {
        place.split(' ').any(|word| {
            word.trim_end_matches('/') == from.trim_end_matches('/')
                || word.strip_prefix('@').is_some_and(|tag| tag == from.trim_start_matches('@'))
        })
    })
}

/// `(1/3) Installing name (1.0-r0)`, `(2/3) Upgrading name (1.0-r0 -> 1.1-r0)`, `(3/3) Purging name (1.0-r0)`.
fn parse_simulation(text: &str, installed: &Versions) -> Transaction {
    let mut all = Transaction::new();
    for line in text.lines() {
        let Some((_, action)) = line.strip_prefix('(').and_then(|rest| rest.split_once(") ")) else {
            continue;
        };
        let Some((verb, rest)) = action.split_once(' ') else { continue };
        let Some((name, versions)) = rest.split_once(" (") else { continue };
        // `name@edge` comes from a tagged repository.
        let name = name.split('@').next().unwrap_or(name);
        let versions = versions.trim_end().trim_end_matches(')');
        let (old, new) = versions.split_once(" -> ").map_or((None, versions), |(old, new)| (Some(old), new));
        let old = old.map(str::to_owned).or_else(|| installed.get(name).cloned());
        match verb {
            "Installing" | "Upgrading" | "Downgrading" | "Reinstalling" | "Replacing" => {
                all.insert(name.to_owned(), (old, Some(new.to_owned())));
            }
            "Purging" => {
                all.insert(name.to_owned(), (old.or_else(|| Some(new.to_owned())), None));
            }
            _ => {}
        }
    }
    all
}

fn remove_words(names: &[String], purge: bool) -> Vec<String> {
    let mut words = vec!["del".to_owned()];
    if purge {
        words.push("--purge".to_owned());
    }
    words.extend(names.iter().cloned());
    words
}

impl Packages for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn repositories(&self) -> RepositoryFiles {
        RepositoryFiles::Apk
    }

    fn inline_version<'a>(&self, name: &'a str) -> (&'a str, Option<&'a str>) {
        at_equals(name)
    }

    fn installed(&self, cx: &Context) -> Result<Arc<Versions>, String> {
        Ok(Database::of(cx)?.installed.clone())
    }

    fn candidates(&self, cx: &Context, names: &[String], from: Option<&str>) -> Result<Versions, String> {
        if names.is_empty() {
            return Ok(Versions::new());
        }
        let policy = Self::policy(cx, names)?;
        let newest = |name: &String| {
            let offers = policy.get(name)?.iter();
            let offers = offers.filter(|offer| offer.repositories.iter().any(|place| is_from(place, from)));
            offers.map(|offer| offer.version.clone()).max_by(|a, b| apk_version::compare(a, b))
        };
        Ok(names.iter().filter_map(|name| Some((name.clone(), newest(name)?))).collect())
    }

    fn versions(&self, cx: &Context, name: &str) -> Result<Vec<String>, String> {
        let offers = Self::policy(cx, &[name.to_owned()])?.remove(name).unwrap_or_default();
        let versions = offers
            .into_iter()
            .filter(|offer| offer.repositories.iter().any(|place| is_from(place, None)))
            .map(|offer| offer.version);
        Ok(newest_first(versions.collect(), apk_version::compare))
    }

    fn providers(&self, cx: &Context, name: &str) -> Result<Vec<String>, String> {
        Ok(Database::of(cx)?.provides.get(name).cloned().unwrap_or_default())
    }

    fn refresh(&self, cx: &Context) -> Result<(), String> {
        Self::run(cx, &["update".to_owned()]).map(drop)
    }

    fn index_age(&self, cx: &Context) -> Result<Option<f64>, String> {
        age(cx, &["/var/cache/apk", "/etc/apk/cache"], &["/etc/apk/repositories", "/etc/apk/repositories.d"])
    }

    fn preview_install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<Transaction, String> {
        refuse_held(cx, packages, options)?;
        let words = Self::install_words(cx, packages, options)?;
        if words.is_empty() {
            return Ok(Transaction::new());
        }
        Ok(parse_simulation(&Self::change(cx, true, words)?, &*self.installed(cx)?))
    }

    fn install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<(), String> {
        refuse_held(cx, packages, options)?;
        let words = Self::install_words(cx, packages, options)?;
        if words.is_empty() { Ok(()) } else { Self::change(cx, false, words).map(drop) }
    }

    fn file_package(&self, cx: &Context, path: &str) -> Result<(String, String), String> {
        let read = tool::tool("tar", ["--extract", "--gzip", "--to-stdout", "--file", path, ".PKGINFO"]);
        // A package is several archives behind each other; tar complains of what follows the first.
        let text = tool::run(cx, read)?.stdout;
        let field = |name: &str| {
            let line =
                text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='))?;
            Some(line.trim().to_owned())
        };
        field("pkgname")
            .zip(field("pkgver"))
            .ok_or_else(|| format!("`{path}` does not name its package and version: it has no `.PKGINFO`"))
    }

    fn preview_remove(&self, cx: &Context, names: &[String], purge: bool) -> Result<Transaction, String> {
        Ok(parse_simulation(&Self::change(cx, true, remove_words(names, purge))?, &*self.installed(cx)?))
    }

    fn remove(&self, cx: &Context, names: &[String], purge: bool) -> Result<(), String> {
        Self::change(cx, false, remove_words(names, purge)).map(drop)
    }

    fn held(&self, cx: &Context) -> Result<Vec<String>, String> {
        Ok(world_pins(cx)?.into_keys().collect())
    }

    fn set_held(&self, cx: &Context, names: &[String], held: bool) -> Result<(), String> {
        let installed = self.installed(cx)?;
        let mut words = vec!["add".to_owned()];
        for name in names {
            match installed.get(name) {
                Some(version) if held => words.push(format!("{name}={version}")),
                None if held => {
                    return Err(format!("`{name}` is not installed, so its version cannot be held"));
                }
                _ => words.push(name.clone()),
            }
        }
        Self::run(cx, &words).map(drop)
    }

    fn preview_upgrade(&self, cx: &Context, _dist: bool) -> Result<Transaction, String> {
        Ok(parse_simulation(&Self::change(cx, true, vec!["upgrade".to_owned()])?, &*self.installed(cx)?))
    }

    fn upgrade(&self, cx: &Context, _dist: bool) -> Result<(), String> {
        Self::change(cx, false, vec!["upgrade".to_owned()]).map(drop)
    }

    fn compare(&self, a: &str, b: &str) -> Ordering {
        apk_version::compare(a, b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    const INSTALLED: &str = "C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\np:so:libc.musl-x86_64.so.1=1\nF:lib\n\n\
        C:Q1def=\nP:busybox-binsh\nV:1.36.1-r5\nA:x86_64\np:/bin/sh cmd:sh=1.36.1-r5\n\nC:Q1x=\nP:zlib\nV:1.2.13-r1\n\n";

    fn machine() -> FakeMachine {
        let machine = FakeMachine::new();
        machine.files.put(DATABASES[0], INSTALLED);
        machine.files.put(WORLD, "alpine-base\nzlib=1.2.13-r1\ncurl>8\nnginx@edge\n");
        machine
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_database_is_read_from_its_file() {
        let machine = machine();
        let cx = machine.context();
        assert_eq!(Apk.installed(&cx).unwrap().len(), 3);
        assert_eq!(Apk.providers(&cx, "cmd:sh").unwrap(), ["busybox-binsh"]);
        assert_eq!(Apk.held(&cx).unwrap(), ["zlib"]);
        assert!(machine.commands.lines().is_empty());
    }

    #[test]
    fn policy_output() {
        let text = "musl policy:\n  1.2.4-r2:\n    lib/apk/db/installed\n    https://dl-cdn.alpinelinux.org/alpine/v3.18/main\n  \
                    1.2.5-r0:\n    @edge https://dl-cdn.alpinelinux.org/alpine/edge/main\nlocal policy:\n  1-r0:\n    lib/apk/db/installed\n";
        let machine = machine();
        machine.commands.reply("apk policy", 0, text);
        let cx = machine.context();
        let names = ["musl".to_owned(), "local".to_owned(), "nope".to_owned()];
        let found = Apk.candidates(&cx, &names, None).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found["musl"], "1.2.5-r0");
        let main =
            Apk.candidates(&cx, &names, Some("https://dl-cdn.alpinelinux.org/alpine/v3.18/main/")).unwrap();
        assert_eq!(main["musl"], "1.2.4-r2");
        assert_eq!(Apk.candidates(&cx, &names, Some("edge")).unwrap()["musl"], "1.2.5-r0");
        assert_eq!(Apk.versions(&cx, "musl").unwrap(), ["1.2.5-r0", "1.2.4-r2"]);
    }

    #[test]
    fn simulation_output() {
        let text = "(1/5) Installing ncurses-terminfo-base (6.4_p20230506-r0)\n( 2/5) Upgrading musl (1.2.4-r2 -> 1.2.5-r0)\n\
                    (3/5) Purging zlib (1.2.13-r1)\n(4/5) Downgrading curl (8.2-r0 -> 8.1-r0)\n(5/5) Installing nginx@edge (1.25-r0)\n\
                    OK: 10 MiB in 17 packages\n";
        let plan = parse_simulation(text, &Database::parse(INSTALLED).installed);
        assert_eq!(plan.len(), 5);
        assert_eq!(plan["musl"], (some("1.2.4-r2"), some("1.2.5-r0")));
        assert_eq!(plan["ncurses-terminfo-base"], (None, some("6.4_p20230506-r0")));
        assert_eq!(plan["zlib"], (some("1.2.13-r1"), None));
        assert_eq!(plan["curl"], (some("8.2-r0"), some("8.1-r0")));
        assert_eq!(plan["nginx"], (None, some("1.25-r0")));
    }

    #[test]
    fn what_is_told() {
        let machine = machine();
        machine.commands.reply("apk", 0, "OK: 10 MiB in 17 packages\n");
        let cx = machine.context();
        let options =
            InstallOptions { from_repo: some("edge"), skip_verify: true, ..InstallOptions::default() };
        Apk.install(&cx, &[("nginx".into(), None), ("curl".into(), some("8.2-r0"))], &options).unwrap();
        Apk.preview_install(&cx, &[("musl".into(), None)], &InstallOptions::default()).unwrap();
        Apk.set_held(&cx, &["musl".to_owned()], true).unwrap();
        Apk.set_held(&cx, &["zlib".to_owned()], false).unwrap();
        Apk.remove(&cx, &["zlib".to_owned()], true).unwrap();
        let fixed = "--no-progress --wait 300";
        assert_eq!(
            machine.commands.lines(),
            [
                format!("apk add {fixed} --allow-untrusted nginx@edge curl@edge=8.2-r0"),
                format!("apk add {fixed} --simulate --upgrade musl"),
                format!("apk add {fixed} musl=1.2.4-r2"),
                format!("apk add {fixed} zlib"),
                format!("apk del {fixed} --purge zlib"),
            ]
        );
        let error = Apk.install(&cx, &[("zlib".into(), None)], &InstallOptions::default()).unwrap_err();
        assert!(error.starts_with("`zlib` is held at 1.2.13-r1 by `/etc/apk/world`"), "{error}");
    }

    #[test]
    fn errors_are_in_apks_words() {
        let machine = machine();
        machine.commands.on("apk add", |_, _| Output {
            status: 1,
            stdout:
                "ERROR: unable to select packages:\n  nope (no such package):\n    required by: world[nope]\n"
                    .to_owned(),
            ..Output::default()
        });
        let cx = machine.context();
        let error = Apk.install(&cx, &[("nope".into(), None)], &InstallOptions::default()).unwrap_err();
        assert!(error.ends_with("nope (no such package):; required by: world[nope]"), "{error}");
        machine.commands.reply(
            "apk del",
            0,
            "World updated, but the following packages are not removed due to:\n  musl: busybox zlib\n\nOK: 5 MiB\n",
        );
        let error = Apk.preview_remove(&cx, &["musl".to_owned()], false).unwrap_err();
        assert_eq!(error, "these packages stay because others need them: musl: busybox zlib");
    }

    #[test]
    fn a_file_names_its_package() {
        let machine = machine();
        machine.commands.reply("tar", 2, "# Generated by abuild\npkgname = zt\npkgver = 1.0-r0\n");
        let cx = machine.context();
        assert_eq!(Apk.file_package(&cx, "/tmp/x.apk").unwrap(), ("zt".to_owned(), "1.0-r0".to_owned()));
    }
}
