//! Every state function on a real machine, as an author uses it: a test run says what an apply does, the apply does it, and then there is
//! nothing left to do. What would change the machine that the tests run on is applied to made-up ones beside its code; the table says where.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};
use zester_compiler::types::FunctionKind;
use zester_tests::{command::Scratch, repository};

/// What a function does with a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// It changes something, and a test run says exactly what.
    Exact,
    /// It runs something whose effect only the run shows; guards make the second run silent.
    Runs,
    /// It only looks.
    Looks,
    /// It says that it changes something, each time.
    Says,
    /// It fails, each time.
    Fails,
}
use Kind::{Exact, Fails, Looks, Runs, Says};

/// Function, kind, and its state without id and function. `ROOT/x` is a directory of its own for each.
const CASES: &[(&str, Kind, &str)] = &[
    ("archive.extracted", Exact, "name: ROOT/x/out\nsource: ROOT/x/a.tar\nenforce_toplevel: false"),
    ("cmd.run", Runs, "name: echo hello > made\ncwd: ROOT/x\ncreates: ROOT/x/made"),
    ("cmd.script", Runs, "source: zester://script.sh\nargs: ROOT/x/made twice\ncreates: ROOT/x/made"),
    ("cmd.wait", Looks, "name: touch ROOT/x/never"),
    ("cmd.wait_script", Looks, "source: zester://script.sh"),
    ("disk.status", Looks, "name: ROOT\nmaximum: 100%"),
    ("environ.setenv", Says, "name: ZESTER_TEST\nvalue: set"),
    ("file.absent", Exact, "name: ROOT/x/file"),
    (
        "file.accumulated",
        Looks,
        "filename: ROOT/file.managed/new\ntext: one\nrequire_in:\n  - file: file.managed",
    ),
    ("file.append", Exact, "name: ROOT/x/file\ntext: last"),
    (
        "file.blockreplace",
        Exact,
        "name: ROOT/x/file\nmarker_start: '# B'\nmarker_end: '# E'\ncontent: in\nappend_if_not_found: true",
    ),
    ("file.comment", Exact, "name: ROOT/x/file\nregex: ^two"),
    ("file.copy", Exact, "name: ROOT/x/new\nsource: ROOT/x/file"),
    ("file.directory", Exact, "name: ROOT/x/new/deep\nmakedirs: true\nmode: '0750'"),
    ("file.exists", Looks, "name: ROOT/x/file"),
    ("file.hardlink", Exact, "name: ROOT/x/new\ntarget: ROOT/x/file"),
    (
        "file.keyvalue",
        Exact,
        "name: ROOT/x/file\nkey: port\nvalue: '90'\nseparator: '='\nappend_if_not_found: true",
    ),
    ("file.line", Exact, "name: ROOT/x/file\nmode: ensure\ncontent: between\nafter: ^one"),
    ("file.managed", Exact, "name: ROOT/x/new\nsource: zester://new.conf\ntemplate: jinja\nmode: '0600'"),
    ("file.missing", Looks, "name: ROOT/x/none"),
    ("file.prepend", Exact, "name: ROOT/x/file\ntext: first"),
    ("file.recurse", Exact, "name: ROOT/x/tree\nsource: zester://tree"),
    ("file.rename", Exact, "name: ROOT/x/new\nsource: ROOT/x/file"),
    ("file.replace", Exact, "name: ROOT/x/file\npattern: two\nrepl: '2'"),
    ("file.serialize", Exact, "name: ROOT/x/new.json\nserializer: json\ndataset: {a: [1, yes]}"),
    ("file.symlink", Exact, "name: ROOT/x/new\ntarget: ROOT/x/file"),
    ("file.touch", Exact, "name: ROOT/x/new"),
    ("file.uncomment", Exact, "name: ROOT/x/file\nregex: ^was"),
    ("git.cloned", Exact, "target: ROOT/x/clone\nname: ROOT/origin"),
    ("git.config_set", Exact, "name: user.name\nvalue: Zester\nrepo: ROOT/x/repo"),
    ("git.detached", Exact, "name: ROOT/origin\ntarget: ROOT/x/clone\nrev: v1"),
    ("git.latest", Exact, "name: ROOT/origin\ntarget: ROOT/x/clone\nrev: main"),
    ("host.absent", Looks, "name: [nobody.example.invalid]"),
    ("ini.options_absent", Exact, "name: ROOT/x/file\nsections: [port]"),
    ("ini.options_present", Exact, "name: ROOT/x/new\nsections: {main: {port: 80, debug: false}}"),
    ("ini.sections_absent", Looks, "name: ROOT/x/file\nsections: [none]"),
    ("ini.sections_present", Exact, "name: ROOT/x/file\nsections: [main]"),
    ("logrotate.set", Exact, "key: rotate\nvalue: 9\nconf_file: ROOT/x/file"),
    ("module.run", Says, "test.echo:\n  - text: x"),
    ("module.wait", Looks, "test.echo:\n  - text: x"),
    ("ssh_known_hosts.absent", Looks, "name: none.example.com\nconfig: ROOT/x/known_hosts"),
    ("test.check_pillar", Looks, "present: []"),
    ("test.configurable_test_state", Says, "changes: true\nresult: true"),
    ("test.fail_with_changes", Fails, "name: x"),
    ("test.fail_without_changes", Fails, "name: x"),
    ("test.nop", Looks, "name: x"),
    ("test.ping", Looks, "name: x"),
    ("test.show_notification", Looks, "text: x"),
    ("test.succeed_with_changes", Says, "name: x"),
    ("test.succeed_without_changes", Looks, "name: x"),
    ("x509.certificate_managed", Exact, "name: ROOT/x/crt\nsigning_private_key: ROOT/own.key\nCN: x"),
    ("x509.csr_managed", Exact, "name: ROOT/x/csr\nprivate_key: ROOT/own.key\nCN: x"),
    (
        "x509.pem_managed",
        Exact,
        "name: ROOT/x/pem\ntext: -----BEGIN CERTIFICATE----- QUJD -----END CERTIFICATE-----",
    ),
    ("x509.private_key_managed", Exact, "name: ROOT/x/key\nalgo: ec"),
];

/// Functions that change accounts, packages, services or the kernel: they converge on made-up machines in these files, and the ones that a
/// container allows on the real one in `tests/tests/machine/system.rs`.
const ELSEWHERE: &[(&str, &str)] = &[
    ("alternatives.auto", "stdlib/src/alternatives/auto.rs"),
    ("alternatives.install", "stdlib/src/alternatives/install.rs"),
    ("alternatives.remove", "stdlib/src/alternatives/remove.rs"),
    ("alternatives.set", "stdlib/src/alternatives/set.rs"),
    ("at.absent", "stdlib/src/at/absent.rs"),
    ("at.present", "stdlib/src/at/present.rs"),
    ("cron.absent", "stdlib/src/cron/absent.rs"),
    ("cron.env_absent", "stdlib/src/cron/env.rs"),
    ("cron.env_present", "stdlib/src/cron/env.rs"),
    ("cron.file", "stdlib/src/cron/file.rs"),
    ("cron.present", "stdlib/src/cron/present.rs"),
    ("debconf.set", "stdlib/src/debconf/set.rs"),
    ("docker_container.absent", "stdlib/src/docker/container.rs"),
    ("docker_container.run", "stdlib/src/docker/run.rs"),
    ("docker_container.running", "stdlib/src/docker/running_tests.rs"),
    ("docker_container.stopped", "stdlib/src/docker/container.rs"),
    ("docker_image.absent", "stdlib/src/docker/image.rs"),
    ("docker_image.present", "stdlib/src/docker/image.rs"),
    ("docker_network.absent", "stdlib/src/docker/network.rs"),
    ("docker_network.present", "stdlib/src/docker/network.rs"),
    ("docker_volume.absent", "stdlib/src/docker/volume.rs"),
    ("docker_volume.present", "stdlib/src/docker/volume.rs"),
    ("firewalld.present", "stdlib/src/firewalld/present.rs"),
    ("firewalld.service", "stdlib/src/firewalld/service.rs"),
    ("gem.installed", "stdlib/src/gem/installed.rs"),
    ("gem.removed", "stdlib/src/gem/removed.rs"),
    ("group.absent", "stdlib/src/group/absent.rs"),
    ("group.present", "stdlib/src/group/present.rs"),
    ("host.only", "stdlib/src/host/only.rs"),
    ("host.present", "stdlib/src/host/present.rs"),
    ("http.query", "stdlib/src/http/query.rs"),
    ("http.wait_for_successful_query", "stdlib/src/http/wait.rs"),
    ("iptables.append", "stdlib/src/iptables/rules.rs"),
    ("iptables.chain_absent", "stdlib/src/iptables/chain.rs"),
    ("iptables.chain_present", "stdlib/src/iptables/chain.rs"),
    ("iptables.delete", "stdlib/src/iptables/rules.rs"),
    ("iptables.flush", "stdlib/src/iptables/chain.rs"),
    ("iptables.insert", "stdlib/src/iptables/rules.rs"),
    ("iptables.set_policy", "stdlib/src/iptables/policy.rs"),
    ("kmod.absent", "stdlib/src/kmod/absent.rs"),
    ("kmod.present", "stdlib/src/kmod/present.rs"),
    ("locale.present", "stdlib/src/locale/present.rs"),
    ("locale.system", "stdlib/src/locale/system.rs"),
    ("lvm.lv_absent", "stdlib/src/lvm/tests.rs"),
    ("lvm.lv_present", "stdlib/src/lvm/tests.rs"),
    ("lvm.pv_absent", "stdlib/src/lvm/tests.rs"),
    ("lvm.pv_present", "stdlib/src/lvm/tests.rs"),
    ("lvm.vg_absent", "stdlib/src/lvm/tests.rs"),
    ("lvm.vg_present", "stdlib/src/lvm/tests.rs"),
    ("mount.mounted", "stdlib/src/mount/mounted.rs"),
    ("mount.swap", "stdlib/src/mount/swap.rs"),
    ("mount.unmounted", "stdlib/src/mount/unmounted.rs"),
    ("ntp.managed", "stdlib/src/ntp/managed.rs"),
    ("mysql_database.absent", "stdlib/src/mysql/database.rs"),
    ("mysql_database.present", "stdlib/src/mysql/database.rs"),
    ("mysql_grants.absent", "stdlib/src/mysql/grants.rs"),
    ("mysql_grants.present", "stdlib/src/mysql/grants.rs"),
    ("mysql_query.run", "stdlib/src/mysql/query.rs"),
    ("mysql_query.run_file", "stdlib/src/mysql/query.rs"),
    ("mysql_user.absent", "stdlib/src/mysql/user.rs"),
    ("mysql_user.present", "stdlib/src/mysql/user.rs"),
    ("network.system", "stdlib/src/network/system.rs"),
    ("npm.installed", "stdlib/src/npm/installed.rs"),
    ("npm.removed", "stdlib/src/npm/removed.rs"),
    ("pip.installed", "stdlib/src/pip/installed.rs"),
    ("pip.removed", "stdlib/src/pip/removed.rs"),
    ("pkg.held", "stdlib/src/pkg/installed_tests.rs"),
    ("pkg.installed", "stdlib/src/pkg/installed_tests.rs"),
    ("pkg.latest", "stdlib/src/pkg/installed_tests.rs"),
    ("pkg.purged", "stdlib/src/pkg/installed_tests.rs"),
    ("pkg.removed", "stdlib/src/pkg/installed_tests.rs"),
    ("pkg.unheld", "stdlib/src/pkg/installed_tests.rs"),
    ("pkg.uptodate", "stdlib/src/pkg/installed_tests.rs"),
    ("pkgrepo.absent", "stdlib/src/pkgrepo/absent.rs"),
    ("pkgrepo.managed", "stdlib/src/pkgrepo/managed.rs"),
    ("postgres_database.absent", "stdlib/src/postgres/database.rs"),
    ("postgres_database.present", "stdlib/src/postgres/database.rs"),
    ("postgres_extension.absent", "stdlib/src/postgres/extension.rs"),
    ("postgres_extension.present", "stdlib/src/postgres/extension.rs"),
    ("postgres_privileges.absent", "stdlib/src/postgres/privileges.rs"),
    ("postgres_privileges.present", "stdlib/src/postgres/privileges.rs"),
    ("postgres_user.absent", "stdlib/src/postgres/user.rs"),
    ("postgres_user.present", "stdlib/src/postgres/user.rs"),
    ("rabbitmq_plugin.disabled", "stdlib/src/rabbitmq/plugin.rs"),
    ("rabbitmq_plugin.enabled", "stdlib/src/rabbitmq/plugin.rs"),
    ("rabbitmq_policy.absent", "stdlib/src/rabbitmq/policy.rs"),
    ("rabbitmq_policy.present", "stdlib/src/rabbitmq/policy.rs"),
    ("rabbitmq_user.absent", "stdlib/src/rabbitmq/user.rs"),
    ("rabbitmq_user.present", "stdlib/src/rabbitmq/user.rs"),
    ("rabbitmq_vhost.absent", "stdlib/src/rabbitmq/vhost.rs"),
    ("rabbitmq_vhost.present", "stdlib/src/rabbitmq/vhost.rs"),
    ("selinux.boolean", "stdlib/src/selinux/boolean.rs"),
    ("selinux.mode", "stdlib/src/selinux/mode.rs"),
    ("service.dead", "stdlib/src/service/dead.rs"),
    ("service.disabled", "stdlib/src/service/enabled.rs"),
    ("service.enabled", "stdlib/src/service/enabled.rs"),
    ("service.masked", "stdlib/src/service/masked.rs"),
    ("service.running", "stdlib/src/service/running.rs"),
    ("service.unmasked", "stdlib/src/service/masked.rs"),
    ("ssh_auth.absent", "stdlib/src/ssh_auth/absent.rs"),
    ("ssh_auth.manage", "stdlib/src/ssh_auth/manage.rs"),
    ("ssh_auth.present", "stdlib/src/ssh_auth/present.rs"),
    ("ssh_known_hosts.present", "stdlib/src/ssh_known_hosts/present.rs"),
    ("supervisord.dead", "stdlib/src/supervisord/dead.rs"),
    ("supervisord.running", "stdlib/src/supervisord/running.rs"),
    ("sysctl.present", "stdlib/src/sysctl/present.rs"),
    ("timezone.system", "stdlib/src/timezone/system.rs"),
    ("tuned.off", "stdlib/src/tuned/mod.rs"),
    ("tuned.profile", "stdlib/src/tuned/mod.rs"),
    ("user.absent", "stdlib/src/user/absent.rs"),
    ("user.present", "stdlib/src/user/present.rs"),
    ("virtualenv.managed", "stdlib/src/virtualenv/managed.rs"),
];

#[test]
fn no_function_is_left_out() {
    let library = zester_executor::local::library();
    let all: BTreeSet<String> =
        // Steps of orchestrations ask a fleet: `tests/tests/fleet/orchestration.rs`.
        library.registry().signatures(FunctionKind::State).filter(|s| !s.fleet).map(|s| s.name()).collect();
    let here = CASES.iter().map(|(name, ..)| (*name).to_owned());
    let told: BTreeSet<String> = here.chain(ELSEWHERE.iter().map(|(name, _)| (*name).to_owned())).collect();
    assert_eq!(told, all, "every state function needs a case, and only those");
    for (name, file) in ELSEWHERE {
        let text = fs::read_to_string(repository().join(file)).unwrap();
        assert!(text.contains("converge::<"), "{name} is not applied in {file}");
    }
}

fn git(directory: &std::path::Path, words: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"])
        .args(words)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
}

/// A project with a state for each case, each with a directory of its own.
fn project() -> Scratch {
    let mut text = String::new();
    for (function, _, body) in CASES {
        text.push_str(&format!("{function}:\n  {function}:\n"));
        let mut lines = body.replace("ROOT/x", &format!("ROOT/{function}"));
        lines.push('\n');
        for line in lines.lines() {
            let lead = if line.starts_with(' ') { "      " } else { "    - " };
            text.push_str(&format!("{lead}{line}\n"));
        }
    }
    let scratch = Scratch::new(&[
        ("zester.yaml", "{}\n"),
        ("states/all.zy", &text),
        ("states/script.sh", "#!/bin/sh\nif [ -n \"$1\" ]; then echo made > \"$1\"; fi\n"),
        ("states/new.conf", "id = {{ grains.id }}\n"),
        ("states/tree/a", "a\n"),
        ("states/tree/b/c", "c\n"),
    ]);
    for (function, ..) in CASES {
        let own = scratch.root().join(function);
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("file"), "one\ntwo\n#was\nport=80\n").unwrap();
    }
    let root = scratch.root();
    let origin = root.join("origin");
    fs::create_dir(&origin).unwrap();
    git(&origin, &["init", "-q"]);
    fs::write(origin.join("README"), "x\n").unwrap();
    git(&origin, &["add", "."]);
    git(&origin, &["commit", "-qm", "x"]);
    git(&origin, &["tag", "v1"]);
    let repo = root.join("git.config_set/repo");
    fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "-q"]);
    let key = Command::new("openssl")
        .args(["genpkey", "-algorithm", "ED25519", "-out", "own.key"])
        .current_dir(&root)
        .status()
        .unwrap();
    assert!(key.success());
    let status = Command::new("tar")
        .args(["-cf", "a.tar", "file"])
        .current_dir(root.join("archive.extracted"))
        .status()
        .unwrap();
    assert!(status.success());
    scratch
}

fn states(scratch: &Scratch, test: bool) -> BTreeMap<String, Value> {
    let mut words = vec!["all", "--output", "json"];
    if test {
        words.push("--test");
    }
    let document = scratch.apply(&words).json();
    let peel = document["peels"].as_object().unwrap().values().next().unwrap().clone();
    let states = peel["states"].as_array().unwrap().clone();
    states.into_iter().map(|s| (s["id"].as_str().unwrap().to_owned(), s)).collect()
}

#[test]
fn a_test_run_says_what_an_apply_does_and_then_nothing_is_left() {
    let scratch = project();
    let [foretold, done, again, after] = [true, false, false, true].map(|test| states(&scratch, test));
    let mut wrong = Vec::new();
    for (function, kind, _) in CASES {
        let result =
            |run: &BTreeMap<String, Value>| run[*function]["result"].as_str().unwrap_or("").to_owned();
        let results = [result(&foretold), result(&done), result(&again), result(&after)];
        let results = results.each_ref().map(String::as_str);
        let good = match kind {
            Exact => {
                let same = foretold[*function]["changes"] == done[*function]["changes"];
                if !same {
                    wrong.push(format!(
                        "{function}: foretold {}, done {}",
                        foretold[*function]["changes"], done[*function]["changes"]
                    ));
                }
                results == ["would_change", "changed", "unchanged", "unchanged"]
            }
            Runs => results == ["would_change", "changed", "skipped", "skipped"],
            Looks => results == ["unchanged", "unchanged", "unchanged", "unchanged"],
            Says => results == ["would_change", "changed", "changed", "would_change"],
            Fails => results[1..3] == ["failed", "failed"],
        };
        if !good {
            let words = |run: &BTreeMap<String, Value>| run[*function]["comment"].to_string();
            wrong.push(format!("{function}: {results:?} {} {}", words(&done), words(&again)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
