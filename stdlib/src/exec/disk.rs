//! `disk.*`: how full the file systems are, and what block devices hold.

use crate::{
    Context, Library,
    provider::tool::{failure, run, tool},
};
use zester_compiler::types::{Map, Path, Value};

/// Mounted file systems that hold files: device and mount point.
fn mounts(cx: &Context) -> Result<Vec<(String, String)>, String> {
    let text = super::file_read::text(cx, "/proc/self/mounts")?;
    let unescape = |s: &str| s.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\");
    let mut all = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(point), Some(kind)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let real =
            device.starts_with('/') || matches!(kind, "tmpfs" | "overlay" | "zfs" | "btrfs" | "nfs" | "nfs4");
        if real {
            all.push((unescape(device), unescape(point)));
        }
    }
    Ok(all)
}

fn percent(used: u64, available: u64) -> String {
    let total = used + available;
    let percent = if total == 0 { 0 } else { (used * 100).div_ceil(total) };
    format!("{percent}%")
}

exec! {
    /// Per mount point: size, used and available in units of 1,024 bytes, and the share used.
    "disk.usage" probe Usage {
        /// Options of `df`.
        #[arg(inert = "numbers are always in units of 1,024 bytes")]
        args: Option<String>,
    } |_, cx| {
        let mut all = Map::new();
        for (device, point) in mounts(cx)? {
            let Ok(fs) = rustix::fs::statvfs(point.as_str()) else { continue };
            let unit = |blocks: u64| (blocks.saturating_mul(fs.f_frsize)) / 1024;
            let used = unit(fs.f_blocks.saturating_sub(fs.f_bfree));
            all.insert(point, Value::Map(Map::from_iter([
                ("filesystem".to_owned(), device.into()),
                ("1K-blocks".to_owned(), unit(fs.f_blocks).to_string().into()),
                ("used".to_owned(), used.to_string().into()),
                ("available".to_owned(), unit(fs.f_bavail).to_string().into()),
                ("capacity".to_owned(), percent(used, unit(fs.f_bavail)).into()),
            ])));
        }
        Ok(all.into())
    }
}

exec! {
    /// Per mount point: inodes, used and free, and the share used.
    "disk.inodeusage" probe InodeUsage {} |_, cx| {
        let mut all = Map::new();
        for (device, point) in mounts(cx)? {
            let Ok(fs) = rustix::fs::statvfs(point.as_str()) else { continue };
            let used = fs.f_files.saturating_sub(fs.f_ffree);
            all.insert(point, Value::Map(Map::from_iter([
                ("filesystem".to_owned(), device.into()),
                ("inodes".to_owned(), fs.f_files.to_string().into()),
                ("used".to_owned(), used.to_string().into()),
                ("free".to_owned(), fs.f_ffree.to_string().into()),
                ("use".to_owned(), percent(used, fs.f_ffree).into()),
            ])));
        }
        Ok(all.into())
    }
}

exec! {
    /// The share used of a mount point; of all, a map.
    "disk.percent" probe Percent {
        /// The mount point.
        name: Option<String>,
    } |it, cx| {
        let mut all = Map::new();
        for (_, point) in mounts(cx)? {
            let Ok(fs) = rustix::fs::statvfs(point.as_str()) else { continue };
            let used = fs.f_blocks.saturating_sub(fs.f_bfree);
            all.insert(point, percent(used, fs.f_bavail).into());
        }
        match &it.name {
            Some(name) => all.swap_remove(name).ok_or_else(|| format!("nothing is mounted at `{name}`")),
            None => Ok(all.into()),
        }
    }
}

/// What `blkid` prints of a device: its name, and words such as `TYPE="ext4"`.
fn attributes(line: &str) -> Option<(String, Map)> {
    let (device, rest) = line.split_once(": ")?;
    let mut entry = Map::new();
    let mut rest = rest.trim();
    // A value may have blanks, but no quotation marks.
    while let Some((name, tail)) = rest.split_once("=\"") {
        let (value, tail) = tail.split_once('"')?;
        entry.insert(name.trim().to_owned(), value.into());
        rest = tail;
    }
    Some((device.to_owned(), entry))
}

fn blkid(cx: &Context, device: Option<&str>, token: Option<&str>) -> Result<Map, String> {
    let mut args = Vec::new();
    if let Some(token) = token {
        args.extend(["-t", token]);
    }
    if let Some(device) = device {
        if !device.starts_with('/') {
            return Err(format!("`{device}` is not the path of a device such as /dev/sda1"));
        }
        args.push(device);
    }
    let command = tool("blkid", args);
    let output = run(cx, command.clone())?;
    match output.status {
        // 2: nothing is known of it.
        0 | 2 => {
            Ok(output.stdout.lines().filter_map(attributes).map(|(name, of)| (name, of.into())).collect())
        }
        _ => Err(failure(&command, &output)),
    }
}

exec! {
    /// What block devices hold, by device: `UUID`, `TYPE`, `LABEL` and their like.
    "disk.blkid" probe Blkid {
        /// Only of this device.
        device: Option<Path>,
        /// Only of devices that have this: `TYPE=ext4`.
        token: Option<String>,
    } |it, cx| Ok(blkid(cx, it.device.as_ref().map(|d| d.0.as_str()), it.token.as_deref())?.into())
}

exec! {
    /// The kind of file system on a device; empty when there is none.
    "disk.fstype" probe Fstype {
        /// The device.
        device: Path,
    } |it, cx| {
        let all = blkid(cx, Some(&it.device.0), None)?;
        let kind = all.values().next().and_then(|of| of.lookup("TYPE", ':')).cloned();
        Ok(kind.unwrap_or_else(|| "".into()))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<Usage>().exec::<InodeUsage>().exec::<Percent>().exec::<Blkid>().exec::<Fstype>();
}

#[cfg(test)]
mod tests {
    use crate::{
        exec::tests::{call, gives},
        provider::fake::FakeMachine,
    };

    #[test]
    fn what_blkid_prints() {
        let machine = FakeMachine::new();
        machine.commands.reply("blkid", 2, "");
        machine.commands.reply("blkid /dev/sda1", 0, "/dev/sda1: LABEL=\"a b\" UUID=\"1-2\" TYPE=\"ext4\"\n");
        let one = call(&machine, "disk.blkid", r#"["/dev/sda1"]"#, "{}").unwrap();
        assert_eq!(one.lookup("/dev/sda1:LABEL", ':').and_then(|v| v.as_str()), Some("a b"));
        gives(&machine, "disk.fstype", r#"["/dev/sda1"]"#, r#""ext4""#);
        gives(&machine, "disk.fstype", r#"["/dev/sdb"]"#, r#""""#);
        gives(&machine, "disk.blkid", "[]", "{}");
        assert!(call(&machine, "disk.fstype", r#"["-p"]"#, "{}").unwrap_err().contains("path of a device"));
    }
}
