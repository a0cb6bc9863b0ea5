//! SUSE's package manager, through its XML output: what it plans and what it knows are elements with attributes.

use super::{
    Command, Output, RepositoryFiles, files, held,
    index_age::age,
    packages::{InstallOptions, Packages, Transaction, Versions, at_equals, newest_first},
    rpm::{self, Database},
    rpm_version, tool,
};
use crate::Context;
use roxmltree::{Document, Node};
use std::{cmp::Ordering, sync::Arc};

/// zypper.
#[derive(Clone, Copy, Debug, Default)]
pub struct Zypper;

/// Nothing was found: an answer of a search, an error of an installation.
const NOT_FOUND: i32 = 104;

/// Where locks are kept.
const LOCKS: &str = "/etc/zypp/locks";

impl Zypper {
    /// The index is refreshed by [`Packages::refresh`] alone.
    fn command(global: &[&str], words: &[String]) -> Command {
        let mut args: Vec<String> =
            ["--non-interactive", "--xmlout", "--no-refresh"].map(str::to_owned).into();
        args.extend(global.iter().map(|flag| (*flag).to_owned()));
        args.extend(words.iter().cloned());
        tool::tool("zypper", args)
    }

    fn run(cx: &Context, global: &[&str], words: &[String]) -> Result<String, String> {
        let command = Self::command(global, words);
        let output = tool::run(cx, command.clone())?;
        // 100 to 103: done, and updates, a restart or a reboot are due; 106: a repository was left out; 107: a script
        // of a package failed after its installation.
        if !output.timed_out && matches!(output.status, 0 | 100..=103 | 106 | 107) {
            Ok(output.stdout)
        } else {
            Err(complaint(&command, &output))
        }
    }

    fn change(
        cx: &Context,
        global: &[&str],
        verb: &str,
        preview: bool,
        args: &[String],
    ) -> Result<String, String> {
        let mut words = vec![verb.to_owned()];
        if preview {
            words.push("--dry-run".to_owned());
        }
        // Options come before names: behind a name they would be taken as names.
        if verb != "remove" {
            words.push("--auto-agree-with-licenses".to_owned());
        }
        words.extend(args.iter().cloned());
        Self::run(cx, global, &words)
    }

    fn preview(cx: &Context, global: &[&str], verb: &str, args: &[String]) -> Result<Transaction, String> {
        let text = Self::change(cx, global, verb, true, args)?;
        Ok(transaction(&read(&text)?, &*Database::of(cx)?))
    }

    /// Name and version of all that the repositories have under these names.
    fn search(cx: &Context, names: &[String], from: Option<&str>) -> Result<Vec<(String, String)>, String> {
        let mut words: Vec<String> =
            ["search", "--details", "--match-exact", "--type", "package"].map(str::to_owned).into();
        if let Some(repo) = from {
            words.extend(["--repo".to_owned(), repo.to_owned()]);
        }
        words.extend(
            names.iter().map(|name| rpm::split_arch(name).map_or(&**name, |(base, _)| base).to_owned()),
        );
        let command = Self::command(&[], &words);
        let output = tool::run(cx, command.clone())?;
        if !output.success() && output.status != NOT_FOUND {
            return Err(complaint(&command, &output));
        }
        let (database, answer) = (Database::of(cx)?, read(&output.stdout)?);
        Ok(answer
            .descendants()
            .filter(|node| node.has_tag_name("solvable"))
            // What is installed and in no repository could not be installed.
            .filter(|solvable| solvable.attribute("repository") != Some("(System Packages)"))
            .filter_map(|solvable| {
                let (name, arch) = (solvable.attribute("name")?, solvable.attribute("arch")?);
                Some((database.listed(name, arch), solvable.attribute("edition")?.to_owned()))
            })
            .collect())
    }

    /// What an installation is told: flags before the verb, flags behind it, names.
    fn install_args(
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<(Vec<&'static str>, Vec<String>), String> {
        let global = if options.skip_verify { vec!["--no-gpg-checks"] } else { Vec::new() };
        let mut args = Vec::new();
        if let Some(repo) = &options.from_repo {
            args.extend(["--from".to_owned(), repo.clone()]);
        }
        match options.recommends {
            Some(true) => args.push("--recommends".to_owned()),
            Some(false) => args.push("--no-recommends".to_owned()),
            None => {}
        }
        if options.allow_downgrade {
            args.push("--oldpackage".to_owned());
        }
        if options.reinstall {
            args.push("--force".to_owned());
        }
        if options.skip_verify {
            args.push("--allow-unsigned-rpm".to_owned());
        }
        args.extend(options.options.iter().cloned());
        let installed = Database::of(cx)?.installed.clone();
        let flags = args.len();
        for (name, version) in packages {
            if options.only_upgrade && !installed.contains_key(name) && !name.starts_with('/') {
                continue;
            }
            args.push(version.as_ref().map_or_else(|| name.clone(), |version| format!("{name}={version}")));
        }
        if args.len() == flags {
            args.clear();
        }
        Ok((global, args))
    }

    /// The packages whose locks are lifted for the call, and the others. A lock that nobody lifts would make zypper ask what to do.
    fn split_locked(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<(Vec<(String, Option<String>)>, Vec<(String, Option<String>)>), String> {
        let (locked, free) = held::split(cx, self, packages)?;
        match locked.first() {
            Some((name, _)) if !options.change_held => Err(format!(
                "`{name}` is held, so it is not changed; release it with `pkg.unheld` or set `update_holds: true`"
            )),
            _ => Ok((locked, free)),
        }
    }
}

/// zypper's own words: its messages of the type error, and the problems that it would ask about.
fn complaint(command: &Command, output: &Output) -> String {
    let words = |answer: &Document<'_>| -> Vec<String> {
        let nodes = answer.descendants();
        let said = nodes.filter_map(|node| match node.tag_name().name() {
            "message" if node.attribute("type") == Some("error") => Some(text_of(node)),
            "description" if node.ancestors().any(|above| above.has_tag_name("prompt")) => {
                Some(text_of(node))
            }
            _ => None,
        });
        said.collect()
    };
    let mut said = read(&output.stdout).map(|answer| words(&answer)).unwrap_or_default();
    said.truncate(20);
    if said.is_empty() || output.timed_out {
        return tool::failure(command, output);
    }
    let words: String = said.join("; ").chars().take(2_000).collect();
    format!("`{}` exited with {}: {words}", tool::line(command), output.status)
}

/// What zypper said.
fn read(text: &str) -> Result<Document<'_>, String> {
    Document::parse(text).map_err(|e| format!("zypper gave no XML that can be read: {e}"))
}

/// The text of an element, of those in it too.
fn text_of(node: Node<'_, '_>) -> String {
    let text: String =
        node.descendants().filter_map(|inner| inner.text().filter(|_| inner.is_text())).collect();
    text.trim().to_owned()
}

/// `<to-install>`, `<to-upgrade>`, `<to-remove>` and their kin, with the packages in them.
fn transaction(answer: &Document<'_>, database: &Database) -> Transaction {
    let mut all = Transaction::new();
    for solvable in answer.descendants().filter(|node| node.has_tag_name("solvable")) {
        let kind = solvable.ancestors().find_map(|above| above.tag_name().name().strip_prefix("to-"));
        let (Some(kind), Some(name), Some(arch), Some(edition)) =
            (kind, solvable.attribute("name"), solvable.attribute("arch"), solvable.attribute("edition"))
        else {
            continue;
        };
        if solvable.attribute("type").is_some_and(|t| t != "package") {
            continue;
        }
        let name = database.listed(name, arch);
        let old = database.installed.get(&name).cloned();
        if kind == "remove" {
            all.insert(name, (old.or_else(|| Some(edition.to_owned())), None));
        } else {
            all.insert(name, (old, Some(edition.to_owned())));
        }
    }
    all
}

/// Names of locked packages: of each paragraph of the file its `solvable_name`.
fn locks(cx: &Context) -> Result<Vec<String>, String> {
    let text = files::text(cx, LOCKS)?.unwrap_or_default();
    let names = text.lines().filter_map(|line| line.strip_prefix("solvable_name:"));
    Ok(names.map(|name| name.trim().to_owned()).collect())
}

impl Packages for Zypper {
    fn name(&self) -> &'static str {
        "zypper"
    }

    fn repositories(&self) -> RepositoryFiles {
        RepositoryFiles::Zypper
    }

    fn upgrade_replaces(&self) -> bool {
        false
    }

    fn inline_version<'a>(&self, name: &'a str) -> (&'a str, Option<&'a str>) {
        at_equals(name)
    }

    fn canonical(&self, cx: &Context, name: &str) -> Result<String, String> {
        Ok(Database::of(cx)?.canonical(name).to_owned())
    }

    fn installed(&self, cx: &Context) -> Result<Arc<Versions>, String> {
        Ok(Database::of(cx)?.installed.clone())
    }

    fn candidates(&self, cx: &Context, names: &[String], from: Option<&str>) -> Result<Versions, String> {
        let mut all = Versions::new();
        if names.is_empty() {
            return Ok(all);
        }
        for (name, version) in Self::search(cx, names, from)? {
            let newer = all.get(&name).is_none_or(|have| self.compare(&version, have) == Ordering::Greater);
            if names.contains(&name) && newer {
                all.insert(name, version);
            }
        }
        Ok(all)
    }

    fn versions(&self, cx: &Context, name: &str) -> Result<Vec<String>, String> {
        let found = Self::search(cx, &[name.to_owned()], None)?;
        let versions = found.into_iter().filter(|(found, _)| found == name).map(|(_, version)| version);
        Ok(newest_first(versions.collect(), rpm_version::compare))
    }

    fn providers(&self, cx: &Context, name: &str) -> Result<Vec<String>, String> {
        rpm::providers(cx, name)
    }

    fn refresh(&self, cx: &Context) -> Result<(), String> {
        let command = tool::tool("zypper", ["--non-interactive", "--xmlout", "refresh", "--force"]);
        let output = tool::run(cx, command.clone())?;
        if output.success() { Ok(()) } else { Err(complaint(&command, &output)) }
    }

    fn index_age(&self, cx: &Context) -> Result<Option<f64>, String> {
        age(cx, &["/var/cache/zypp/raw", "/var/cache/zypp/solv"], &["/etc/zypp/repos.d"])
    }

    fn preview_install(
        &self,
        cx: &Context,
        packages: &[(String, Option<String>)],
        options: &InstallOptions,
    ) -> Result<Transaction, String> {
        let (locked, free) = self.split_locked(cx, packages, options)?;
        let mut all = held::foresee(cx, self, &locked, options.from_repo.as_deref())?;
        let (global, args) = Self::install_args(cx, &free, options)?;
        if !args.is_empty() {
            all.extend(Self::preview(cx, &global, "install", &args)?);
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
        let (global, args) = Self::install_args(cx, packages, options)?;
        if args.is_empty() {
            return Ok(());
        }
        held::without(cx, self, &locked, || Self::change(cx, &global, "install", false, &args).map(drop))
    }

    fn file_package(&self, cx: &Context, path: &str) -> Result<(String, String), String> {
        rpm::file_package(cx, path)
    }

    fn preview_remove(&self, cx: &Context, names: &[String], _purge: bool) -> Result<Transaction, String> {
        Self::preview(cx, &[], "remove", names)
    }

    fn remove(&self, cx: &Context, names: &[String], _purge: bool) -> Result<(), String> {
        Self::change(cx, &[], "remove", false, names).map(drop)
    }

    fn held(&self, cx: &Context) -> Result<Vec<String>, String> {
        locks(cx)
    }

    fn set_held(&self, cx: &Context, names: &[String], held: bool) -> Result<(), String> {
        let mut words = vec![if held { "addlock" } else { "removelock" }.to_owned()];
        words.extend(names.iter().cloned());
        Self::run(cx, &[], &words).map(drop)
    }

    fn preview_upgrade(&self, cx: &Context, dist: bool) -> Result<Transaction, String> {
        Self::preview(cx, &[], if dist { "dist-upgrade" } else { "update" }, &[])
    }

    fn upgrade(&self, cx: &Context, dist: bool) -> Result<(), String> {
        Self::change(cx, &[], if dist { "dist-upgrade" } else { "update" }, false, &[]).map(drop)
    }

    fn compare(&self, a: &str, b: &str) -> Ordering {
        rpm_version::compare(a, b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    const SEARCH: &str = r#"<?xml version='1.0'?>
<stream>
<message type="info">Loading repository data...</message>
<message type="info">Reading installed packages...</message>

<search-result version="0.0">
<solvable-list>
<solvable status="installed" name="zt-app" kind="package" edition="2:1.2-3" arch="x86_64" repository="zt"/>
<solvable status="other-version" name="zt-app" kind="package" edition="2:1.10-1" arch="x86_64" repository="zt"/>
<solvable status="installed" name="zt-lib" kind="package" edition="7-1" arch="noarch" repository="(System Packages)"/>
<solvable status="not-installed" name="zt-lib" kind="package" edition="1.0-1" arch="noarch" repository="zt"/>
</solvable-list>
</search-result>
</stream>
"#;

    const UPGRADE: &str = r#"<?xml version='1.0'?>
<stream>
<message type="info">Resolving package dependencies...</message>
<install-summary download-size="12086" space-usage-diff="0" packages-to-change="4">
<to-upgrade>
<solvable type="package" name="zt-app" edition="2:1.2-3" arch="x86_64" edition-old="2:1.0-1" arch-old="x86_64" summary="name=&quot;x&quot; a > b">
<description>test</description></solvable>
</to-upgrade>
<to-install>
<solvable type="package" name="zt-new" edition="1.1-1" arch="noarch" summary="test">
<description>test</description></solvable>
<solvable type="pattern" name="base" edition="2" arch="x86_64" summary="test"/>
</to-install>
<to-remove>
<solvable type="package" name="zt-lib" edition="1.0-1" arch="noarch" summary="test">
<description>test</description></solvable>
</to-remove>
</install-summary>
<prompt id="0">
<text>Continue?</text>
</prompt>
</stream>
"#;

    fn machine() -> FakeMachine {
        let machine = FakeMachine::new();
        machine.commands.reply(
            "rpm -qa",
            0,
            "rpm\t(none)\t4\tx86_64\nzt-app\t2\t1.0-1\tx86_64\nzt-lib\t(none)\t1.0-1\tnoarch\n",
        );
        machine
    }

    #[test]
    fn a_preview_is_the_summary() {
        let machine = machine();
        machine.commands.reply("zypper --non-interactive --xmlout --no-refresh update --dry-run", 0, UPGRADE);
        let plan = Zypper.preview_upgrade(&machine.context(), false).unwrap();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(plan.len(), 3);
        assert_eq!(plan["zt-app"], (some("2:1.0-1"), some("2:1.2-3")));
        assert_eq!(plan["zt-new"], (None, some("1.1-1")));
        assert_eq!(plan["zt-lib"], (some("1.0-1"), None));
    }

    #[test]
    fn candidates_are_what_repositories_have() {
        let machine = machine();
        machine.commands.reply("zypper --non-interactive --xmlout --no-refresh search", 0, SEARCH);
        let cx = machine.context();
        let found = Zypper.candidates(&cx, &["zt-app".to_owned(), "zt-lib".to_owned()], Some("zt")).unwrap();
        assert_eq!(found["zt-app"], "2:1.10-1");
        assert_eq!(found["zt-lib"], "1.0-1");
        assert_eq!(Zypper.versions(&cx, "zt-app").unwrap(), ["2:1.10-1", "2:1.2-3"]);
        let none = "<?xml version='1.0'?>\n<stream>\n<message type=\"info\">No matching items found.</message>\n</stream>\n";
        machine.commands.reply("zypper", 104, none);
        assert!(Zypper.versions(&cx, "nope").unwrap().is_empty());
    }

    #[test]
    fn what_is_unknown_is_an_error_in_zyppers_words() {
        let machine = machine();
        let text = "<?xml version='1.0'?>\n<stream>\n<message type=\"info\">&apos;nope&apos; not found in package names. \
                    Trying capabilities.</message>\n<message type=\"error\">No provider of &apos;nope&apos; found.</message>\n</stream>\n";
        machine.commands.reply("zypper", 104, text);
        let options = InstallOptions::default();
        let error = Zypper.install(&machine.context(), &[("nope".to_owned(), None)], &options).unwrap_err();
        assert!(error.ends_with("exited with 104: No provider of 'nope' found."), "{error}");
    }

    #[test]
    fn options_become_flags_before_the_names() {
        let machine = machine();
        // 102: done, and the machine should be started anew.
        machine.commands.reply("zypper", 102, "<stream></stream>");
        let cx = machine.context();
        let options = InstallOptions {
            from_repo: Some("zt".into()),
            recommends: Some(false),
            skip_verify: true,
            allow_downgrade: true,
            ..InstallOptions::default()
        };
        Zypper
            .install(&cx, &[("zt-lib".into(), Some("1.0-1".into())), ("b".into(), None)], &options)
            .unwrap();
        let last = machine.commands.lines().pop().unwrap();
        assert_eq!(
            last,
            "zypper --non-interactive --xmlout --no-refresh --no-gpg-checks install --auto-agree-with-licenses \
             --from zt --no-recommends --oldpackage --allow-unsigned-rpm zt-lib=1.0-1 b"
        );
        let options = InstallOptions { only_upgrade: true, ..InstallOptions::default() };
        assert!(Zypper.preview_install(&cx, &[("none".into(), None)], &options).unwrap().is_empty());
        machine
            .files
            .put(LOCKS, "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: zt-app\n\n");
        assert_eq!(Zypper.held(&cx).unwrap(), ["zt-app"]);
        let error =
            Zypper.preview_install(&cx, &[("zt-app".into(), None)], &InstallOptions::default()).unwrap_err();
        assert!(error.starts_with("`zt-app` is held, so it is not changed"), "{error}");
        machine.commands.reply("zypper --non-interactive --xmlout --no-refresh search", 0, SEARCH);
        let options = InstallOptions { change_held: true, ..InstallOptions::default() };
        let plan = Zypper.preview_install(&cx, &[("zt-app".into(), None)], &options).unwrap();
        assert_eq!(plan["zt-app"], (Some("2:1.0-1".to_owned()), Some("2:1.10-1".to_owned())));
        machine.commands.forget();
        Zypper.install(&cx, &[("zt-app".into(), None)], &options).unwrap();
        let verbs = machine.commands.lines();
        let verbs: Vec<&str> = verbs.iter().filter_map(|line| line.split(' ').nth(4)).collect();
        assert_eq!(verbs, ["removelock", "install", "addlock"]);
    }
}
