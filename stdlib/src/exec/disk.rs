//! `disk.*`: how full the file systems are.

use crate::{Context, Library};
use zester_compiler::types::{Map, Value};

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

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<Usage>().exec::<InodeUsage>().exec::<Percent>();
}
