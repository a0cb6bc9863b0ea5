//! What is mounted now, as the kernel says it.

use crate::{Context, Failure, file::path};

/// The kernel's list.
const LIST: &str = "/proc/self/mountinfo";

/// One mount.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Active {
    /// Which directory of the file system is seen.
    pub(crate) root: String,
    /// Where it is seen.
    pub(crate) point: String,
    /// Options of this mount and of the file system.
    pub(crate) options: Vec<String>,
    /// Kind of file system.
    pub(crate) kind: String,
    /// What the file system is on.
    pub(crate) device: String,
    /// The file system's number, `8:1`.
    number: String,
}

/// Blanks are written as octal numbers there.
pub(crate) fn unescape(text: &str) -> String {
    let mut plain = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 4).and_then(|d| std::str::from_utf8(d).ok());
        match digits.filter(|_| *byte == b'\\').and_then(|d| u8::from_str_radix(d, 8).ok()) {
            Some(escaped) => {
                plain.push(escaped);
                at += 4;
            }
            None => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn parse(line: &str) -> Option<Active> {
    let (mount, system) = line.split_once(" - ")?;
    let mount: Vec<&str> = mount.split(' ').collect();
    let mut system = system.split(' ');
    let (kind, device) = (system.next()?, system.next()?);
    let all = mount.get(5)?.split(',').chain(system.next().unwrap_or_default().split(','));
    Some(Active {
        number: (*mount.get(2)?).to_owned(),
        root: unescape(mount.get(3)?),
        point: unescape(mount.get(4)?),
        options: all.filter(|o| !o.is_empty()).map(str::to_owned).collect(),
        kind: kind.to_owned(),
        device: unescape(device),
    })
}

/// All mounts, in the order in which they were made.
pub(crate) fn all(cx: &Context) -> Result<Vec<Active>, Failure> {
    let text = cx.machine.files.read(LIST).map_err(|e| path::unreadable(LIST, &e))?;
    Ok(String::from_utf8_lossy(&text).lines().filter_map(parse).collect())
}

/// What is seen at a place: the last that was mounted there.
pub(crate) fn at<'a>(all: &'a [Active], point: &str) -> Option<&'a Active> {
    all.iter().rev().find(|mount| mount.point == point)
}

/// Whether a mount shows what another place shows, as a bind mount of that place does.
pub(crate) fn shows(all: &[Active], mount: &Active, place: &str) -> bool {
    let below = |point: &str| {
        point == "/" || place == point || place.strip_prefix(point).is_some_and(|rest| rest.starts_with('/'))
    };
    let around = all.iter().filter(|m| m.point != mount.point && below(&m.point));
    let Some(around) = around.max_by_key(|m| m.point.len()) else { return false };
    let rest = place.strip_prefix(&around.point).unwrap_or_default().trim_matches('/');
    let root = match rest {
        "" => around.root.clone(),
        rest => path::join(&around.root, rest),
    };
    mount.number == around.number && mount.root == root
}

/// The device file that a device's name means: `UUID=…` and links are followed.
pub(crate) fn device(cx: &Context, name: &str) -> String {
    let mut file = name.to_owned();
    if let Some((tag, value)) = name.split_once('=') {
        let directory = match tag {
            "UUID" => "by-uuid",
            "LABEL" => "by-label",
            "PARTUUID" => "by-partuuid",
            "PARTLABEL" => "by-partlabel",
            _ => return file,
        };
        file = format!("/dev/disk/{directory}/{}", value.trim_matches('"'));
    }
    // A few steps are enough for what makes these links; more would be a circle.
    for _ in 0..8 {
        let Ok(target) = cx.machine.files.read_link(&file) else { break };
        file = if target.starts_with('/') {
            target
        } else {
            let mut parts: Vec<&str> = path::parent(&file).split('/').collect();
            for part in target.split('/') {
                match part {
                    ".." => drop(parts.pop()),
                    "." => {}
                    part => parts.push(part),
                }
            }
            parts.join("/")
        };
    }
    file
}

/// Pairs of options of which one is always in force, and is seen in the kernel's list or implied by the other's absence.
const FLAGS: &[(&str, &str)] =
    &[("ro", "rw"), ("noexec", "exec"), ("nosuid", "suid"), ("nodev", "dev"), ("noatime", "atime")];

/// The wanted options that are certainly not in force. Only those are compared that the kernel shows as they were given; what a file system
/// rewrites or keeps to itself is no reason to mount it again.
pub(crate) fn differing(wanted: &[String], active: &Active) -> Vec<String> {
    let has = |name: &str| active.options.iter().any(|o| o == name);
    let differs = |option: &&String| {
        FLAGS.iter().any(|(set, unset)| {
            (option.as_str() == *set && !has(set)) || (option.as_str() == *unset && has(set))
        })
    };
    wanted.iter().filter(differs).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    pub(in super::super) const LIST_TEXT: &str = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n\
                                 30 22 8:17 / /srv/my\\040data rw,nosuid,relatime - xfs /dev/sdb1 rw,attr2\n\
                                 31 22 8:1 /var/lib/x /mnt/x rw,relatime - ext4 /dev/sda1 rw\n";

    #[test]
    fn the_kernels_list_is_read() {
        let machine = FakeMachine::new();
        machine.files.put(LIST, LIST_TEXT);
        let all = all(&machine.context()).unwrap();
        let data = at(&all, "/srv/my data").unwrap();
        assert_eq!((data.device.as_str(), data.kind.as_str()), ("/dev/sdb1", "xfs"));
        let differing =
            |words: &str| differing(&words.split(',').map(str::to_owned).collect::<Vec<_>>(), data);
        assert!(differing("defaults,nosuid,_netdev,rw").is_empty());
        assert_eq!(differing("ro,noexec,suid"), ["ro", "noexec", "suid"]);
        let bind = at(&all, "/mnt/x").unwrap();
        assert!(shows(&all, bind, "/var/lib/x") && !shows(&all, bind, "/var/lib/y"));
        assert!(!shows(&all, data, "/srv"));
    }

    #[test]
    fn names_of_devices_are_followed() {
        let machine = FakeMachine::new();
        let cx = machine.context();
        machine.files.put_dir("/dev/disk/by-uuid");
        cx.machine.files.symlink("../../sdb1", "/dev/disk/by-uuid/ab-cd").unwrap();
        assert_eq!(device(&cx, "UUID=ab-cd"), "/dev/sdb1");
        assert_eq!(device(&cx, "nas:/export"), "nas:/export");
    }
}
