//! `lvm.*` against a real LVM: the machine's own or one unpacked from Debian's package, on files behind loop devices. Kernels without a
//! device mapper have no logical volumes; physical volumes and groups are metadata on devices, so they are tried there, too.

use crate::host::Host;
use std::{fs::File, path::Path, process::Command};
use tempfile::TempDir;
use zester_tests::debian::Unpacked;

/// A file as a device.
struct Loop {
    device: String,
}

impl Loop {
    fn new(directory: &TempDir, name: &str) -> Result<Self, String> {
        let path = directory.path().join(name);
        File::create(&path).and_then(|file| file.set_len(64 << 20)).map_err(|e| e.to_string())?;
        let output = Command::new("losetup").args(["--find", "--show"]).arg(&path).output();
        let output = output.map_err(|e| format!("losetup: {e}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        Ok(Self { device: String::from_utf8_lossy(&output.stdout).trim().to_owned() })
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.device]).status();
    }
}

fn ready(directory: &TempDir) -> Result<(Host, [Loop; 2]), String> {
    let host = if Path::new("/sbin/pvs").exists() || Path::new("/usr/sbin/pvs").exists() {
        Host::new()
    } else {
        Host::with_programs(Unpacked::of(&["lvm2"])?.commands())
    };
    Ok((host, [Loop::new(directory, "one")?, Loop::new(directory, "two")?]))
}

#[test]
fn volumes_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let (host, [one, two]) = match ready(&directory) {
        Ok(ready) => ready,
        Err(why) => return eprintln!("lvm: skipped: {why}"),
    };
    let group = format!("zester-test-{}", std::process::id());
    let device = |name: &Loop| format!(r#"{{"name": "{}"}}"#, name.device);
    assert!(host.converge("lvm.pv_present", &device(&one)).unwrap().contains_key("physical_volume"));
    let devices =
        |list: &str| format!(r#"{{"name": "{group}", "devices": "{list}", "physicalextentsize": "1M"}}"#);
    assert!(host.converge("lvm.vg_present", &devices(&one.device)).unwrap().contains_key("group"));
    let both = devices(&format!("{},{}", one.device, two.device));
    assert_eq!(host.converge("lvm.vg_present", &both).unwrap().keys().collect::<Vec<_>>(), ["devices"]);
    let refused = host.converge("lvm.pv_absent", &device(&one));
    assert!(refused.is_err_and(|why| why.contains(&format!("part of the volume group `{group}`"))));
    // The group says how large an extent is, so a volume can be planned even where none can be made.
    let volume = format!(r#"{{"name": "data", "vgname": "{group}", "size": "10M"}}"#);
    if Path::new("/sys/class/misc/device-mapper").exists() {
        assert!(host.converge("lvm.lv_present", &volume).unwrap().contains_key("volume"));
        let larger = volume.replace("10M", "20M");
        assert_eq!(host.converge("lvm.lv_present", &larger).unwrap().keys().collect::<Vec<_>>(), ["size"]);
        let gone = format!(r#"{{"name": "data", "vgname": "{group}"}}"#);
        assert!(host.converge("lvm.lv_absent", &gone).unwrap().contains_key("volume"));
    } else {
        assert!(host.converge("lvm.lv_present", &volume).unwrap_err().contains("lvcreate"));
    }
    host.converge("lvm.vg_absent", &format!(r#"{{"name": "{group}"}}"#)).unwrap();
    for device in [&one, &two].map(device) {
        assert!(host.converge("lvm.pv_absent", &device).unwrap().contains_key("physical_volume"));
    }
}
