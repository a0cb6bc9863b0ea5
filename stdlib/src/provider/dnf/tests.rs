use super::*;
use crate::provider::{Output, fake::FakeMachine};

const INSTALLED: &str =
    "rpm\t(none)\t4.18.0-1\tx86_64\nzt-lib\t(none)\t1.1-1\tnoarch\nzt-app\t2\t1.0-1\tx86_64\n";

/// As dnf 4.14 prints it, without a terminal.
const INSTALL: &str = "Last metadata expiration check: 0:00:34 ago on Sat Nov 28 08:12:20 2026.
Dependencies resolved.
==========================================================================================================
 Package                                                   Arch    Version                       Repo
                                                                                                      Size
==========================================================================================================
Installing:
 zt-a-package-with-a-very-long-name-indeed-to-wrap-lines   noarch  1.0.20240101.gitabcdef0-1.el9 zt  6.2 k
 zt-other                                                  x86_64  2:1.0-1                       zt  5.9 k
     replacing  zt-lib.noarch 1.1-1
Upgrading:
 zt-app                                                    x86_64  2:1.2-3                       zt  5.9 k
Installing dependencies:
 glibc                                                     i686    2.34-60.el9                   zt  5.9 k

Transaction Summary
==========================================================================================================
Install  3 Packages
Upgrade  1 Package

Total size: 18 k
Operation aborted.
";

/// As dnf 5 prints it.
const INSTALL_5: &str = "Updating and loading repositories:
Repositories loaded.
Package          Arch   Version        Repository      Size
Upgrading:
 zt-app          x86_64 2:1.2-3        zt           4.0   B
   replacing zt-app x86_64 2:1.0-1     zt           4.0   B
Installing dependencies:
 zt-new          x86_64 0:1.1-1        zt           4.0   B

Transaction Summary:
 Installing:        1 package
 Upgrading:         1 package
 Replacing:         1 package

Operation aborted by the user.
";

/// As yum 3 prints it: a long name has a line of its own.
const UPDATE_3: &str = "Loaded plugins: fastestmirror
Resolving Dependencies
--> Running transaction check
---> Package zt-app.x86_64 2:1.0-1 will be updated
---> Package zt-app.x86_64 2:1.2-3 will be an update
--> Finished Dependency Resolution

Dependencies Resolved

================================================================================
 Package         Arch         Version                  Repository          Size
================================================================================
Updating:
 zt-app          x86_64       2:1.2-3                  zt                 5.9 k
Installing for dependencies:
 zt-a-package-with-a-very-long-name-indeed
                 noarch       1.0.20240101-1.el7       zt                 6.2 k

Transaction Summary
================================================================================
Install             ( 1 Dependent package)
Upgrade  1 Package

Exiting on user command
";

const REMOVE: &str = "Dependencies resolved.
================================================================================
 Package           Architecture      Version               Repository      Size
================================================================================
Removing:
 zt-lib            noarch            1.1-1                 @zt              4  
Removing dependent packages:
 zt-app            x86_64            2:1.0-1               @zt              4  

Transaction Summary
================================================================================
Remove  2 Packages

Freed space: 8  
Operation aborted.
";

const LIST: &str = "Installed Packages
zt-app.x86_64                                                  2:1.0-1                       @zt
zt-lib.noarch                                                  1.1-1                         @zt
Available Packages
zt-a-package-with-a-very-long-name-indeed-to-wrap-lines.noarch 1.0.20240101.gitabcdef0-1.el9 zt 
zt-app.x86_64                                                  2:1.0-1                       zt 
zt-app.x86_64                                                  2:1.2-3                       zt 
zt-app.i686                                                    2:1.3-3                       zt 
zt-lib.noarch                                                  1.0-1                         zt 
zt-lib.noarch
                                                               1.10-1                        zt 
";

fn machine() -> FakeMachine {
    let machine = FakeMachine::new();
    machine.commands.reply("rpm -qa", 0, INSTALLED);
    machine
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn wanted(list: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    list.iter().map(|(name, version)| ((*name).to_owned(), version.map(str::to_owned))).collect()
}

#[test]
fn a_preview_is_the_table() {
    let machine = machine();
    machine.commands.reply("dnf install --assumeno", 1, INSTALL);
    let plan = Dnf(Generation::Dnf4)
        .preview_install(
            &machine.context(),
            &wanted(&[("zt-app", Some("2:1.2-3"))]),
            &InstallOptions::default(),
        )
        .unwrap();
    assert_eq!(plan.len(), 5);
    assert_eq!(plan["zt-app"], (some("2:1.0-1"), some("2:1.2-3")));
    assert_eq!(plan["zt-other"], (None, some("2:1.0-1")));
    assert_eq!(plan["glibc.i686"], (None, some("2.34-60.el9")));
    assert_eq!(plan["zt-lib"], (some("1.1-1"), None));
    assert_eq!(machine.commands.lines()[1], "dnf install --assumeno zt-app-2:1.2-3");
}

#[test]
fn other_generations_have_other_tables() {
    let machine = machine();
    machine.commands.reply("dnf upgrade", 1, INSTALL_5);
    let plan = Dnf(Generation::Dnf5).preview_upgrade(&machine.context(), true).unwrap();
    assert_eq!(plan.len(), 2);
    assert_eq!(plan["zt-app"], (some("2:1.0-1"), some("2:1.2-3")));
    assert_eq!(plan["zt-new"], (None, some("1.1-1")));
    machine.commands.reply("yum upgrade", 1, UPDATE_3);
    let plan = Dnf(Generation::Yum).preview_upgrade(&machine.context(), true).unwrap();
    assert_eq!(plan.len(), 2);
    assert_eq!(plan["zt-a-package-with-a-very-long-name-indeed"], (None, some("1.0.20240101-1.el7")));
    machine.commands.reply("dnf remove", 1, REMOVE);
    let plan =
        Dnf(Generation::Dnf4).preview_remove(&machine.context(), &["zt-lib".to_owned()], false).unwrap();
    assert_eq!(plan["zt-app"], (some("2:1.0-1"), None));
    assert_eq!(plan["zt-lib"], (some("1.1-1"), None));
}

#[test]
fn candidates_and_versions() {
    let machine = machine();
    machine.commands.reply("dnf list -q --showduplicates", 0, LIST);
    let (dnf, cx) = (Dnf(Generation::Dnf4), machine.context());
    let names: Vec<String> = ["zt-app", "zt-lib", "zt-app.i686", "none"].map(str::to_owned).into();
    let found = dnf.candidates(&cx, &names, Some("zt")).unwrap();
    assert_eq!(found["zt-app"], "2:1.2-3");
    assert_eq!(found["zt-lib"], "1.10-1");
    assert_eq!(found["zt-app.i686"], "2:1.3-3");
    assert_eq!(found.len(), 3);
    assert!(machine.commands.lines()[0].contains("--disablerepo=* --enablerepo=zt zt-app"));
    assert_eq!(dnf.versions(&cx, "zt-app").unwrap(), ["2:1.2-3", "2:1.0-1"]);
    machine.commands.on("dnf list", |_, _| Output {
        status: 1,
        stderr: "Error: No matching Packages to list\n".to_owned(),
        ..Output::default()
    });
    assert!(dnf.versions(&cx, "nope").unwrap().is_empty());
}

#[test]
fn what_is_unknown_is_an_error_in_dnfs_words() {
    let machine = machine();
    machine.commands.on("dnf install", |_, _| Output {
        status: 1,
        stdout: "No match for argument: nope\n".to_owned(),
        stderr: "Error: Unable to find a match: nope\n".to_owned(),
        ..Output::default()
    });
    let options = InstallOptions::default();
    let cx = machine.context();
    let error = Dnf(Generation::Dnf4).preview_install(&cx, &wanted(&[("nope", None)]), &options).unwrap_err();
    assert!(
        error.ends_with("exited with 1: Error: Unable to find a match: nope; No match for argument: nope"),
        "{error}"
    );
    // yum goes on with the rest, and says that all is well.
    machine.commands.reply("yum install", 0, "No package nope available.\nNothing to do\n");
    let error =
        Dnf(Generation::Yum).install(&cx, &wanted(&[("nope", None), ("b", None)]), &options).unwrap_err();
    assert!(error.contains("No package nope available."), "{error}");
    machine.commands.reply(
        "dnf install",
        0,
        "Package zt-app-2:1.0-1.x86_64 is already installed.\nNothing to do.\nComplete!\n",
    );
    assert!(
        Dnf(Generation::Dnf4)
            .preview_install(&cx, &wanted(&[("zt-app", None)]), &options)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn options_become_flags_and_verbs() {
    let machine = machine();
    for program in ["dnf", "yum"] {
        machine.commands.reply(program, 0, "Complete!\n");
    }
    let cx = machine.context();
    let options = InstallOptions {
        from_repo: some("zt"),
        recommends: Some(false),
        skip_verify: true,
        change_held: true,
        disable_excludes: some("main"),
        ..InstallOptions::default()
    };
    Dnf(Generation::Dnf4)
        .install(&cx, &wanted(&[("a", None), ("glibc.i686", Some("2.34-1"))]), &options)
        .unwrap();
    let options =
        InstallOptions { reinstall: true, enable_repos: vec!["epel".into()], ..InstallOptions::default() };
    let list = wanted(&[("zt-app", Some("2:0.9-1")), ("zt-lib", None), ("new", None)]);
    Dnf(Generation::Yum).install(&cx, &list, &options).unwrap();
    let options = InstallOptions { only_upgrade: true, ..InstallOptions::default() };
    Dnf(Generation::Dnf4).install(&cx, &wanted(&[("zt-lib", None), ("new", None)]), &options).unwrap();
    let mut lines = machine.commands.lines();
    lines.retain(|line| !line.starts_with("rpm "));
    assert_eq!(
        lines,
        [
            "dnf install -y --disablerepo=* --enablerepo=zt --disableexcludes=main --setopt=install_weak_deps=False \
             --nogpgcheck --disableplugin=versionlock a glibc-2.34-1.i686",
            "yum install -y --enablerepo=epel new",
            "yum downgrade -y --enablerepo=epel 2:zt-app-0.9-1",
            "yum reinstall -y --enablerepo=epel zt-lib",
            "dnf upgrade -y zt-lib",
        ]
    );
}

#[test]
fn holds() {
    let machine = machine();
    let cx = machine.context();
    let dnf = Dnf(Generation::Dnf4);
    machine.commands.on("dnf versionlock", |_, _| Output {
        status: 1,
        stderr: "No such command: versionlock. Please use /usr/bin/dnf --help\n".to_owned(),
        ..Output::default()
    });
    let names = ["zt-app".to_owned()];
    let error = dnf.set_held(&cx, &names, true).unwrap_err();
    assert!(error.ends_with("install `python3-dnf-plugin-versionlock` first"), "{error}");
    machine.commands.reply("dnf versionlock", 0, "");
    assert!(dnf.set_held(&cx, &names, true).unwrap_err().contains("is not held"));
    machine
        .files
        .put("/etc/dnf/plugins/versionlock.list", "\n# Added lock\nzt-app-2:1.0-1.*\n!zt-lib-0:1.0-1.*\n");
    dnf.set_held(&cx, &names, true).unwrap();
    assert_eq!(dnf.held(&cx).unwrap(), ["zt-app"]);
    machine.commands.forget();
    dnf.set_held(&cx, &names, false).unwrap_err();
    assert!(machine.commands.lines().contains(&"dnf versionlock delete zt-app-2:1.0-1.* -q".to_owned()));
    machine.files.put(
        "/etc/dnf/versionlock.toml",
        "version = \"1.0\"\n\n[[packages]]\nname = \"bash\"\n[[packages.conditions]]\nkey = \"evr\"\ncomparator = \"=\"\nvalue = \"5.2-3\"\n",
    );
    let dnf = Dnf(Generation::Dnf5);
    assert_eq!(dnf.held(&cx).unwrap(), ["bash"]);
    machine.commands.reply("dnf list", 0, "Available packages\nbash.x86_64 5.3-1 fedora\n");
    let options = InstallOptions { change_held: true, ..InstallOptions::default() };
    let plan = dnf.preview_install(&cx, &wanted(&[("bash", None)]), &options).unwrap();
    assert_eq!(plan["bash"], (None, some("5.3-1")));
    // The lock does not go in this test, so nothing is installed.
    let error = dnf.install(&cx, &wanted(&[("bash", None)]), &options).unwrap_err();
    assert!(error.contains("`bash` is still held"), "{error}");
}

#[test]
fn a_refresh_drops_what_is_kept_first() {
    let machine = machine();
    machine.commands.reply("yum", 0, "");
    Dnf(Generation::Yum).refresh(&machine.context()).unwrap();
    assert_eq!(machine.commands.lines(), ["yum clean expire-cache -q -y", "yum makecache fast -q -y"]);
}
