//! Block devices and the file systems mounted from them.

use super::{Collected, Inspection, memory::percent};
use std::collections::HashSet;
use zester_compiler::types::{Map, Value};

pub(super) fn collect(inspection: &Inspection, out: &mut Collected) {
    out.fact("disk.mounts", Value::List(mounts(inspection)));
    let (mut disks, mut ssds) = (Vec::new(), Vec::new());
    for name in inspection.names("/sys/block") {
        // Loop and RAM devices are no disks.
        if ["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        {
            continue;
        }
        match inspection.line(&format!("/sys/block/{name}/queue/rotational")).as_deref() {
            Some("1") => disks.push(name),
            Some("0") => ssds.push(name),
            _ => {}
        }
    }
    out.fact("disk.disks", disks);
    out.fact("disk.ssds", ssds);
    let arrays = inspection.read("/proc/mdstat").unwrap_or_default();
    let arrays: Vec<String> = arrays
        .lines()
        .filter_map(|line| line.split_once(" : active").map(|(name, _)| name.trim().to_owned()))
        .collect();
    out.grain("mdadm", arrays);
}

/// File systems of disks. Those of the network are left out: a server that does not answer would stop everything.
fn mounts(inspection: &Inspection) -> Vec<Value> {
    let known = inspection.read("/proc/filesystems").unwrap_or_default();
    let of_disks: HashSet<&str> =
        known.lines().filter(|line| !line.starts_with("nodev")).map(str::trim).collect();
    let table = inspection.read("/proc/mounts").unwrap_or_default();
    let mut seen = HashSet::new();
    let mut mounts = Vec::new();
    for line in table.lines() {
        let mut words = line.split_whitespace().map(unescaped);
        let (Some(device), Some(point), Some(kind), Some(options)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let disk = of_disks.contains(kind.as_str()) || kind == "zfs" || point == "/";
        if !disk || !seen.insert(point.clone()) {
            continue;
        }
        let (total, used, free) = usage(inspection, &point);
        let options: Vec<String> = options.split(',').map(str::to_owned).collect();
        mounts.push(Value::Map(Map::from_iter([
            ("device".to_owned(), Value::from(device)),
            ("mountpoint".to_owned(), Value::from(point)),
            ("fstype".to_owned(), Value::from(kind)),
            ("opts".to_owned(), Value::from(options)),
            ("total".to_owned(), Value::Int(total)),
            ("used".to_owned(), Value::Int(used)),
            ("free".to_owned(), Value::Int(free)),
            ("used_percent".to_owned(), Value::Float(percent(used, used + free))),
        ])));
    }
    mounts
}

/// Total, used and free bytes of a mounted file system; zeros for a recorded machine.
fn usage(inspection: &Inspection, point: &str) -> (i64, i64, i64) {
    if !inspection.is_live() {
        return (0, 0, 0);
    }
    let Ok(stat) = rustix::fs::statvfs(point) else { return (0, 0, 0) };
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(stat.f_frsize)).unwrap_or(i64::MAX);
    let used = bytes(stat.f_blocks.saturating_sub(stat.f_bfree));
    (bytes(stat.f_blocks), used, bytes(stat.f_bavail))
}

/// `\040` and its kin in the mount table.
fn unescaped(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let octal = (*first == b'\\')
            .then(|| tail.get(..3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match octal {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn spaces_in_mount_points_come_back() {
        assert_eq!(unescaped("/mnt/a\\040b"), "/mnt/a b");
        assert_eq!(unescaped("/mnt\\9x"), "/mnt\\9x");
    }
}
