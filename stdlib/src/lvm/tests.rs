//! The six functions on an LVM that a test makes up, with reports as LVM 2.03 prints them.

use super::{lv, pv, vg};
use crate::provider::{Command, Output, Program, fake::FakeMachine};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use zester_compiler::types::Map;

const EXTENT: u64 = 4 << 20;

#[derive(Default)]
struct Lvm {
    /// Device and group.
    physical: BTreeMap<String, String>,
    /// Group → volumes with their bytes.
    groups: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Lvm {
    fn report(kind: &str, rows: Vec<String>) -> String {
        format!(
            "  {{\n      \"report\": [\n          {{\n              \"{kind}\": [\n{}\n              ]\n          }}\n      ]\n  }}\n",
            rows.join(",\n")
        )
    }

    fn answer(&mut self, args: &[String], program: &str) -> String {
        let last = args.last().cloned().unwrap_or_default();
        let behind = |flag: &str| args.iter().position(|a| a == flag).map(|at| args[at + 1].clone());
        match program {
            "pvs" => {
                let row = |(device, group): (&String, &String)| {
                    format!("{{\"pv_name\":\"{device}\", \"vg_name\":\"{group}\"}}")
                };
                return Self::report("pv", self.physical.iter().map(row).collect());
            }
            "vgs" => {
                let row = |name: &String| {
                    format!(
                        "{{\"vg_name\":\"{name}\", \"vg_extent_size\":\"{EXTENT}\", \"vg_extent_count\":\"100\"}}"
                    )
                };
                return Self::report("vg", self.groups.keys().map(row).collect());
            }
            "lvs" => {
                let row = |(name, size): (&String, &u64)| {
                    format!("{{\"lv_name\":\"{name}\", \"lv_size\":\"{size}\"}}")
                };
                return Self::report("lv", self.groups[&last].iter().map(row).collect());
            }
            "pvcreate" => drop(self.physical.insert(last, String::new())),
            "pvremove" => drop(self.physical.remove(&last)),
            "vgcreate" | "vgextend" => {
                let at = args.iter().position(|a| a.starts_with("/dev")).unwrap();
                self.groups.entry(args[at - 1].clone()).or_default();
                for device in &args[at..] {
                    self.physical.insert(device.clone(), args[at - 1].clone());
                }
            }
            "vgremove" => {
                self.groups.remove(&last);
                self.physical.values_mut().filter(|group| **group == last).for_each(String::clear);
            }
            "lvcreate" => {
                let size = behind("--size").or(behind("--virtualsize")).map_or(EXTENT, |_| 3 * EXTENT);
                let group = last.split('/').next().unwrap().to_owned();
                self.groups.get_mut(&group).unwrap().insert(behind("--name").unwrap(), size);
            }
            "lvextend" | "lvreduce" => {
                let (group, name) = last.split_once('/').unwrap();
                let size = behind("--size").unwrap().trim_end_matches('b').parse().unwrap();
                self.groups.get_mut(group).unwrap().insert(name.to_owned(), size);
            }
            "lvremove" => {
                let (group, name) = last.split_once('/').unwrap();
                self.groups.get_mut(group).unwrap().remove(name);
            }
            other => panic!("{other}"),
        }
        String::new()
    }
}

fn machine() -> (FakeMachine, Arc<Mutex<Lvm>>) {
    let (machine, state) = (FakeMachine::new(), Arc::new(Mutex::new(Lvm::default())));
    for prefix in ["pv", "vg", "lv"] {
        let state = state.clone();
        machine.commands.on(prefix, move |command: &Command, _| {
            let Program::Direct(program, args) = &command.program else { panic!("a shell") };
            Output { stdout: state.lock().unwrap().answer(args, program), ..Output::default() }
        });
    }
    (machine, state)
}

fn args(json: &str) -> Map {
    serde_json::from_str(json).unwrap()
}

fn changing(machine: &FakeMachine) -> Vec<String> {
    let mut lines = machine.commands.lines();
    lines.retain(|line| !line.contains("--reportformat"));
    machine.commands.forget();
    lines
}

#[test]
fn volumes_and_groups() {
    let (machine, _) = machine();
    machine
        .converge::<pv::Present>(&args(r#"{"name": "/dev/sdb", "dataalignment": "1m", "force": true}"#))
        .unwrap();
    machine.converge::<vg::Present>(&args(r#"{"name": "data", "devices": "/dev/sdb,/dev/sdc"}"#)).unwrap();
    machine
        .converge::<vg::Present>(&args(r#"{"name": "data", "devices": ["/dev/sdd"], "alloc": "cling"}"#))
        .unwrap();
    let Err(failure) =
        machine.converge::<vg::Present>(&args(r#"{"name": "other", "devices": ["/dev/sdd"]}"#))
    else {
        panic!()
    };
    assert_eq!(failure.message, "`/dev/sdd` is part of the volume group `data`, not of `other`");
    machine.converge::<vg::Absent>(&args(r#"{"name": "data"}"#)).unwrap();
    machine.converge::<pv::Absent>(&args(r#"{"name": "/dev/sdb"}"#)).unwrap();
    assert_eq!(
        changing(&machine),
        [
            "pvcreate --dataalignment 1m --force --yes /dev/sdb",
            "vgcreate data /dev/sdb /dev/sdc",
            "vgextend data /dev/sdd",
            "vgremove --force data",
            "pvremove /dev/sdb",
        ]
    );
}

#[test]
fn logical_volumes_grow_and_shrink_only_by_force() {
    let (machine, state) = machine();
    state.lock().unwrap().groups.entry("data".to_owned()).or_default();
    // 10M is rounded up to whole extents, as LVM does.
    machine.converge::<lv::Present>(&args(r#"{"name": "www", "vgname": "data", "size": "10M"}"#)).unwrap();
    let grown = machine.converge::<lv::Present>(&args(
        r#"{"name": "www", "vgname": "data", "size": "0.5g", "resizefs": true}"#,
    ));
    assert_eq!(grown.unwrap().changes.len(), 1);
    let smaller = r#"{"name": "www", "vgname": "data", "size": 100}"#;
    let outcome = machine.converge::<lv::Present>(&args(smaller)).unwrap();
    assert!(
        outcome.changes.is_empty() && outcome.comment.unwrap().contains("`force: true` makes it smaller")
    );
    machine
        .converge::<lv::Present>(&args(
            r#"{"name": "www", "vgname": "data", "extents": "10%VG", "force": true}"#,
        ))
        .unwrap();
    machine
        .converge::<lv::Present>(&args(r#"{"name": "www", "vgname": "data", "extents": "100%FREE"}"#))
        .unwrap();
    machine.converge::<lv::Absent>(&args(r#"{"name": "www", "vgname": "data"}"#)).unwrap();
    machine.converge::<lv::Absent>(&args(r#"{"name": "www", "vgname": "gone"}"#)).unwrap();
    assert_eq!(
        changing(&machine),
        [
            "lvcreate --name www --size 10M data",
            "lvextend --resizefs --size 536870912b data/www",
            "lvreduce --force --size 41943040b data/www",
            "lvremove --force data/www",
        ]
    );
}

#[test]
fn thin_volumes_and_snapshots() {
    let (machine, state) = machine();
    state.lock().unwrap().groups.entry("data".to_owned()).or_default();
    machine
        .converge::<lv::Present>(&args(
            r#"{"name": "pool", "vgname": "data", "size": "12M", "thinpool": true}"#,
        ))
        .unwrap();
    machine
        .converge::<lv::Present>(&args(
            r#"{"name": "t", "vgname": "data/pool", "size": "12M", "thinvolume": true}"#,
        ))
        .unwrap();
    machine
        .converge::<lv::Present>(&args(
            r#"{"name": "s", "vgname": "data", "size": "12M", "snapshot": "pool"}"#,
        ))
        .unwrap();
    assert_eq!(
        changing(&machine),
        [
            "lvcreate --name pool --size 12M --type thin-pool data",
            "lvcreate --name t --virtualsize 12M --thin data/pool",
            "lvcreate --name s --size 12M --snapshot data/pool",
        ]
    );
}

#[test]
fn a_size_of_any_height_is_a_size() {
    let (machine, state) = machine();
    state.lock().unwrap().groups.entry("data".to_owned()).or_default();
    let small = r#"{"name": "x", "vgname": "data", "size": "12M"}"#;
    machine.converge::<lv::Present>(&args(small)).unwrap();
    let huge = format!(r#"{{"name": "x", "vgname": "data", "extents": "{}"}}"#, u64::MAX);
    machine.converge::<lv::Present>(&args(&huge)).unwrap();
    let lines = changing(&machine);
    assert!(lines.iter().any(|line| line.starts_with("lvextend")), "{lines:?}");
}

#[test]
fn what_cannot_be_is_said() {
    let (machine, state) = machine();
    state.lock().unwrap().groups.entry("data".to_owned()).or_default();
    for (json, words) in [
        (r#"{"name": "x", "size": "1G"}"#, "as `vgname`"),
        (r#"{"name": "x", "vgname": "data", "size": "1Q"}"#, "`1Q` is not a size"),
        (r#"{"name": "x", "vgname": "data"}"#, "give its `size` or `extents`"),
        (r#"{"name": "x", "vgname": "data", "extents": "5%X"}"#, "no number of extents"),
        (r#"{"name": "-x", "vgname": "data", "size": 1}"#, "not the name of a logical volume"),
        (r#"{"name": "x", "vgname": "data", "size": 1, "thinvolume": true}"#, "`vgname: data/POOL`"),
    ] {
        let Err(failure) = machine.converge::<lv::Present>(&args(json)) else { panic!("{json}") };
        assert!(failure.message.contains(words), "{}", failure.message);
    }
    let Err(failure) = machine.converge::<pv::Present>(&args(r#"{"name": "sdb"}"#)) else { panic!() };
    assert!(failure.message.contains("absolute path of a device"), "{}", failure.message);
}
