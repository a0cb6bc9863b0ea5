//! What LVM knows, as its tools report it in JSON; sizes are bytes.

use super::lvm;
use crate::{Context, provider::tool::succeed};
use serde::{Deserialize, de::DeserializeOwned};

/// A physical volume.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Physical {
    #[serde(rename = "pv_name")]
    pub device: String,
    /// Its group; empty when it is in none.
    #[serde(rename = "vg_name")]
    pub group: String,
}

/// A volume group.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Group {
    #[serde(rename = "vg_name")]
    pub name: String,
    vg_extent_size: String,
    vg_extent_count: String,
}

impl Group {
    pub(super) fn extent(&self) -> u64 {
        number(&self.vg_extent_size).max(1)
    }

    pub(super) fn extents(&self) -> u64 {
        number(&self.vg_extent_count)
    }
}

/// A logical volume.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Logical {
    #[serde(rename = "lv_name")]
    pub name: String,
    lv_size: String,
}

impl Logical {
    pub(super) fn size(&self) -> u64 {
        number(&self.lv_size)
    }
}

fn number(text: &str) -> u64 {
    text.trim().trim_end_matches('B').parse().unwrap_or(0)
}

#[derive(Deserialize)]
struct Report<T> {
    report: Vec<std::collections::BTreeMap<String, Vec<T>>>,
}

fn report<T: DeserializeOwned>(
    cx: &Context,
    program: &str,
    columns: &str,
    of: Option<&str>,
) -> Result<Vec<T>, String> {
    let mut args: Vec<String> =
        ["--reportformat", "json", "--units", "b", "--nosuffix", "-o", columns].map(str::to_owned).into();
    args.extend(of.map(str::to_owned));
    let text = succeed(cx, lvm(program, args))?.stdout;
    let report: Report<T> =
        serde_json::from_str(&text).map_err(|e| format!("`{program}` gave a report that is no JSON: {e}"))?;
    Ok(report.report.into_iter().flat_map(std::collections::BTreeMap::into_values).flatten().collect())
}

/// All physical volumes, by the device as the kernel names it.
pub(super) fn physical(cx: &Context) -> Result<Vec<Physical>, String> {
    report(cx, "pvs", "pv_name,vg_name", None)
}

/// A volume group, when it is there.
pub(super) fn group(cx: &Context, name: &str) -> Result<Option<Group>, String> {
    let all: Vec<Group> = report(cx, "vgs", "vg_name,vg_extent_size,vg_extent_count", None)?;
    Ok(all.into_iter().find(|group| group.name == name))
}

/// Logical volumes of a group.
pub(super) fn logical(cx: &Context, group: &str) -> Result<Vec<Logical>, String> {
    report(cx, "lvs", "lv_name,lv_size", Some(group))
}

/// The device behind a name such as `/dev/disk/by-id/x`: links are followed, as LVM reports the device itself.
pub(super) fn device(cx: &Context, path: &str) -> String {
    let mut current = path.to_owned();
    for _ in 0..16 {
        let Ok(target) = cx.machine.files.read_link(&current) else { break };
        if target.starts_with('/') {
            current = target;
            continue;
        }
        let mut parts: Vec<&str> = current.split('/').collect();
        parts.pop();
        for part in target.split('/') {
            match part {
                ".." => drop(parts.pop()),
                "." | "" => {}
                part => parts.push(part),
            }
        }
        current = parts.join("/");
    }
    current
}

/// The volume of a device, under whichever of its names.
pub(super) fn volume_of<'a>(cx: &Context, all: &'a [Physical], path: &str) -> Option<&'a Physical> {
    let wanted = device(cx, path);
    all.iter().find(|volume| volume.device == path || device(cx, &volume.device) == wanted)
}
