//! Facts of recorded machines.

use super::{Address, Inspection, Uname, collect, collect_custom};
use crate::{Cancel, provider::fake::FakeCommands};
use std::{collections::BTreeMap, fs, path::Path};
use zester_compiler::types::{Facts, Value, facts_grains, facts_schema};

/// Writes files below a directory; `a -> b` makes a link.
fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        if let Some((path, target)) = path.split_once(" -> ") {
            let full = root.join(path.trim_start_matches('/'));
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, full).unwrap();
            continue;
        }
        let full = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, text).unwrap();
    }
}

fn machine(node: &str, arch: &str, files: &[(&str, &str)]) -> (tempfile::TempDir, Inspection) {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            (
                "/proc/meminfo",
                "MemTotal:        4024188 kB\nMemFree:  1000000 kB\nMemAvailable: 3000000 kB\nSwapTotal: 1048576 kB\nSwapFree: 1048576 kB\n",
            ),
            ("/proc/uptime", "1000.50 1900.00\n"),
            ("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"),
            ("/etc/group", "root:x:0:\n"),
            ("/sys/class/net/lo/address", "00:00:00:00:00:00\n"),
            ("/sys/class/net/lo/flags", "0x9\n"),
            ("/sys/class/net/eth0/address", "52:54:00:12:34:56\n"),
            ("/sys/class/net/eth0/flags", "0x1003\n"),
            (
                "/proc/net/route",
                "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\neth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n",
            ),
            (
                "/etc/resolv.conf",
                "search example.com\nnameserver 10.0.0.53\nnameserver fd00::53\noptions edns0\n",
            ),
        ],
    );
    write(dir.path(), files);
    let address = |interface: &str, ip: &str, prefix| Address {
        interface: interface.into(),
        ip: ip.parse().unwrap(),
        prefix,
    };
    let inspection = Inspection {
        root: dir.path().to_owned(),
        uname: Uname {
            system: "Linux".into(),
            node: node.into(),
            release: "6.1.0-18-amd64".into(),
            version: "#1 SMP".into(),
            machine: arch.into(),
        },
        addresses: vec![
            address("lo", "127.0.0.1", 8),
            address("lo", "::1", 128),
            address("eth0", "10.0.0.7", 24),
            address("eth0", "fe80::5054:ff:fe12:3456", 64),
            address("eth0", "fd00::7", 64),
        ],
        env: BTreeMap::from([
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("LANG".to_owned(), "en_US.UTF-8".to_owned()),
        ]),
        ids: (0, 0),
        pid: 42,
        cwd: "/".into(),
        now: 1_700_000_000,
    };
    (dir, inspection)
}

const INTEL: &str = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\ncpu MHz\t\t: 2400.000\ncache size\t: 36608 KB\nphysical id\t: 0\ncore id\t\t: 0\nflags\t\t: fpu aes hypervisor\n\nprocessor\t: 1\nphysical id\t: 0\ncore id\t\t: 0\nflags\t\t: fpu aes\n";

fn grains(facts: &Facts, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| facts.grains.get(*name).map_or("-".to_owned(), ToString::to_string)).collect()
}

const OS: &[&str] = &[
    "os",
    "os_family",
    "osfullname",
    "osrelease",
    "osmajorrelease",
    "oscodename",
    "osfinger",
    "osarch",
    "cpuarch",
];

#[test]
fn debian_12() {
    let (_dir, inspection) = machine(
        "web01",
        "x86_64",
        &[
            ("/etc/os-release -> ../usr/lib/os-release", ""),
            (
                "/usr/lib/os-release",
                "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n",
            ),
            ("/proc/cpuinfo", INTEL),
            ("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 web01.example.com web01\n"),
            ("/run/systemd/system/x", ""),
            ("/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so", ""),
            ("/sys/class/dmi/id/sys_vendor", "QEMU\n"),
            ("/sys/class/dmi/id/product_name", "Standard PC (Q35 + ICH9, 2009)\n"),
            ("/sys/class/dmi/id/product_uuid", "ABCD-EF\n"),
            ("/sys/block/sda/queue/rotational", "1\n"),
            ("/sys/block/nvme0n1/queue/rotational", "0\n"),
            ("/sys/block/loop0/queue/rotational", "0\n"),
            ("/proc/filesystems", "nodev\tproc\n\text4\n"),
            (
                "/proc/mounts",
                "proc /proc proc rw 0 0\n/dev/sda1 / ext4 rw,relatime 0 0\nnas:/x /nfs nfs4 rw 0 0\n",
            ),
            ("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
            ("/etc/localtime -> /usr/share/zoneinfo/Europe/Berlin", ""),
            ("/usr/bin/python3 -> python3.11", ""),
        ],
    );
    let facts = collect(None, &inspection);
    assert_eq!(
        grains(&facts, OS),
        ["Debian", "Debian", "Debian GNU/Linux", "12", "12", "bookworm", "Debian-12", "amd64", "x86_64"]
    );
    assert_eq!(
        grains(
            &facts,
            &["id", "host", "fqdn", "domain", "nodename", "kernel", "kernelrelease", "init", "virtual"]
        ),
        [
            "web01.example.com",
            "web01",
            "web01.example.com",
            "example.com",
            "web01",
            "Linux",
            "6.1.0-18-amd64",
            "systemd",
            "kvm"
        ]
    );
    assert_eq!(
        grains(
            &facts,
            &["mem_total", "swap_total", "num_cpus", "cpu_model", "machine_id", "uuid", "username"]
        ),
        ["3929", "1024", "2", "Xeon", "0123456789abcdef0123456789abcdef", "abcd-ef", "root"]
    );
    assert_eq!(
        grains(
            &facts,
            &[
                "ipv4",
                "fqdn_ip4",
                "fqdn_ip6",
                "ip4_interfaces",
                "hwaddr_interfaces",
                "ip4_gw",
                "disks",
                "ssds"
            ]
        ),
        [
            r#"["10.0.0.7","127.0.0.1"]"#,
            r#"["127.0.1.1"]"#,
            r#"["fd00::7"]"#,
            r#"{"eth0":["10.0.0.7"],"lo":["127.0.0.1"]}"#,
            r#"{"eth0":"52:54:00:12:34:56","lo":"00:00:00:00:00:00"}"#,
            "10.0.0.1",
            r#"["sda"]"#,
            r#"["nvme0n1"]"#,
        ]
    );
    assert_eq!(facts.grain("systemd:version"), Some(&Value::from("252")));
    assert_eq!(facts.grain("dns:ip6_nameservers:0"), Some(&Value::from("fd00::53")));
    assert_eq!(facts.grain("locale_info:defaultlanguage"), Some(&Value::from("en_US")));
    assert_eq!(facts.grain("pythonversion:1"), Some(&Value::Int(11)));
    assert_eq!(facts.fact("default_ipv4"), Some(&Value::from("10.0.0.7")));
    assert_eq!(facts.fact("cpu.physical_count"), Some(&Value::Int(1)));
    assert_eq!(facts.fact("os.boot_time"), Some(&Value::Int(1_699_999_000)));
    assert_eq!(facts.fact("system.timezone"), Some(&Value::from("Europe/Berlin")));
    let mounts = facts.fact("disk.mounts").and_then(Value::as_list).unwrap();
    assert_eq!(mounts.len(), 1, "only file systems of disks: {mounts:?}");
}

#[test]
fn ubuntu_22_04_in_docker() {
    let (_dir, inspection) = machine(
        "c1",
        "aarch64",
        &[
            (
                "/etc/os-release",
                "PRETTY_NAME=\"Ubuntu 22.04.3 LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"22.04\"\nVERSION=\"22.04.3 LTS (Jammy Jellyfish)\"\nVERSION_CODENAME=jammy\nID=ubuntu\nID_LIKE=debian\n",
            ),
            (
                "/etc/lsb-release",
                "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=22.04\nDISTRIB_CODENAME=jammy\nDISTRIB_DESCRIPTION=\"Ubuntu 22.04.3 LTS\"\n",
            ),
            ("/.dockerenv", ""),
            ("/proc/1/comm", "tini\n"),
        ],
    );
    let facts = collect(Some("given"), &inspection);
    assert_eq!(
        grains(&facts, OS),
        ["Ubuntu", "Debian", "Ubuntu", "22.04", "22", "jammy", "Ubuntu-22.04", "arm64", "aarch64"]
    );
    assert_eq!(
        grains(
            &facts,
            &["id", "virtual", "virtual_subtype", "init", "lsb_distrib_codename", "osrelease_info", "fqdn"]
        ),
        ["given", "container", "Docker", "tini", "jammy", "[22,4]", "c1"]
    );
    assert_eq!(grains(&facts, &["num_cpus", "cpu_model"]), ["1", "-"]);
}

#[test]
fn rocky_9() {
    let (_dir, inspection) = machine(
        "db01.example.com",
        "x86_64",
        &[
            (
                "/etc/os-release",
                "NAME=\"Rocky Linux\"\nVERSION=\"9.3 (Blue Onyx)\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.3\"\nPRETTY_NAME=\"Rocky Linux 9.3 (Blue Onyx)\"\n",
            ),
            ("/sys/fs/selinux/enforce", "1"),
        ],
    );
    let facts = collect(None, &inspection);
    assert_eq!(
        grains(&facts, OS),
        ["Rocky", "RedHat", "Rocky Linux", "9.3", "9", "Blue Onyx", "Rocky Linux-9", "x86_64", "x86_64"]
    );
    assert_eq!(grains(&facts, &["host", "domain", "virtual"]), ["db01", "example.com", "physical"]);
    assert_eq!(facts.grain("selinux:enforced"), Some(&Value::from("Enforcing")));
    assert_eq!(facts.fact("os.family"), Some(&Value::from("rhel")));
}

#[test]
fn alpine_and_suse_and_centos_7() {
    let (_dir, alpine) = machine(
        "a",
        "x86_64",
        &[
            (
                "/etc/os-release",
                "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.19.1\nPRETTY_NAME=\"Alpine Linux v3.19\"\n",
            ),
            ("/run/openrc/softlevel", "default\n"),
        ],
    );
    let facts = collect(None, &alpine);
    assert_eq!(
        grains(&facts, OS),
        ["Alpine", "Alpine", "Alpine Linux", "3.19.1", "3", "-", "Alpine Linux-3", "x86_64", "x86_64"]
    );
    assert_eq!(grains(&facts, &["init"]), ["openrc"]);
    let (_dir, suse) = machine(
        "s",
        "x86_64",
        &[(
            "/etc/os-release",
            "NAME=\"openSUSE Leap\"\nVERSION=\"15.5\"\nID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\nVERSION_ID=\"15.5\"\nPRETTY_NAME=\"openSUSE Leap 15.5\"\n",
        )],
    );
    assert_eq!(
        grains(&collect(None, &suse), OS),
        ["SUSE", "Suse", "Leap", "15.5", "15", "openSUSE Leap 15.5", "Leap-15", "x86_64", "x86_64"]
    );
    let (_dir, centos) = machine(
        "c",
        "x86_64",
        &[
            (
                "/etc/os-release",
                "NAME=\"CentOS Linux\"\nVERSION=\"7 (Core)\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"\n",
            ),
            ("/etc/centos-release", "CentOS Linux release 7.9.2009 (Core)\n"),
        ],
    );
    assert_eq!(
        grains(&collect(None, &centos), OS),
        ["CentOS", "RedHat", "CentOS Linux", "7.9.2009", "7", "Core", "CentOS Linux-7", "x86_64", "x86_64"]
    );
}

#[test]
fn every_machine_has_what_the_schema_promises() {
    let (_dir, empty) = machine("bare", "riscv64", &[]);
    for facts in [collect(None, &empty), super::collect_here(None)] {
        for info in facts_schema::facts() {
            let value = facts.fact(info.path);
            assert!(value.is_some() || info.optional, "{} is missing", info.path);
            if let Some(value) = value {
                assert!(fits(value, info.shape), "{} is {value:?}", info.path);
            }
        }
        for info in facts_grains::grains() {
            let value = facts.grains.get(info.name);
            let derived = ["osfinger", "osrelease_info"].contains(&info.name);
            assert!(value.is_some() || info.optional || derived, "{} is missing", info.name);
            if let Some(value) = value {
                assert!(fits(value, info.shape), "{} is {value:?}", info.name);
            }
        }
    }
}

fn fits(value: &Value, shape: facts_schema::Shape) -> bool {
    use facts_schema::Shape;
    match (shape, value) {
        (Shape::Any, _)
        | (Shape::Str, Value::Str(_))
        | (Shape::Int, Value::Int(_))
        | (Shape::Float, Value::Float(_))
        | (Shape::Bool, Value::Bool(_)) => true,
        (Shape::List(inner), Value::List(items)) => items.iter().all(|item| fits(item, *inner)),
        (Shape::Map(inner), Value::Map(map)) => map.values().all(|value| fits(value, *inner)),
        (Shape::Record(fields), Value::Map(map)) => {
            fields.iter().all(|(name, shape)| map.get(*name).is_some_and(|value| fits(value, *shape)))
        }
        _ => false,
    }
}

#[test]
fn custom_facts_come_from_files_and_programs() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("10-site.yaml", "rack: b4\nroles: [web]\n"),
            ("20-more.json", "{\"rack\": \"b5\"}"),
            ("30-clash.yaml", "memory: 12\nzone: x\n"),
            ("40-list.yaml", "- a\n"),
            ("README", "not a fact"),
            ("50-program", "#!/bin/sh\necho cluster: c1\n"),
            ("60-open", "#!/bin/sh\necho evil: true\n"),
        ],
    );
    let mode = |name: &str, mode| {
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("50-program", 0o755);
    mode("60-open", 0o757);
    let commands = FakeCommands::new();
    commands.reply(dir.path().join("50-program").to_str().unwrap(), 0, "cluster: c1\n");
    let mut facts = Facts::default();
    let found = collect_custom(&mut facts, &[dir.path().to_owned()], &commands, &Cancel::default());
    assert_eq!(facts.get("rack"), Some(&Value::from("b5")));
    assert_eq!(facts.grain("roles:0"), Some(&Value::from("web")));
    assert_eq!(facts.get("zone"), Some(&Value::from("x")));
    assert_eq!(facts.get("memory"), None);
    assert_eq!(facts.get("cluster"), Some(&Value::from("c1")));
    let problems: Vec<String> =
        found.problems.iter().map(|p| p.rsplit_once('/').unwrap().1.to_owned()).collect();
    assert!(problems[0].starts_with("30-clash.yaml: `memory` is a built-in fact"), "{problems:?}");
    assert_eq!(problems[1], "40-list.yaml: it gives a list, where a map of facts is expected");
    assert!(problems.last().unwrap().starts_with("60-open: it is writable by everybody"), "{problems:?}");
}
