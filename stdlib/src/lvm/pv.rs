//! `lvm.pv_present`, `lvm.pv_absent`

use super::{check_device, execute, flags, report};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// A device is a physical volume.
///
/// ```yaml
/// /dev/sdb:
///   lvm.pv_present: []
/// ```
#[derive(Arguments)]
#[state("lvm.pv_present")]
pub(crate) struct Present {
    /// The device.
    #[arg(primary)]
    name: String,
    /// Whether what is on the device is overwritten. Without it LVM refuses a device that holds a file system or the like.
    #[arg(default = false)]
    force: bool,
    /// Size of the space for metadata.
    metadatasize: Option<Value>,
    /// What the data is aligned to.
    dataalignment: Option<Value>,
    /// How far the data is shifted beyond its alignment.
    dataalignmentoffset: Option<Value>,
    /// How many copies of the metadata are on it.
    #[arg(alias = "pvmetadatacopies")]
    metadatacopies: Option<Value>,
    /// Its id; `norestorefile` or `restorefile` belongs to it.
    uuid: Option<Value>,
    /// A backup of metadata that is restored.
    restorefile: Option<Value>,
    /// Whether an id is given without a backup.
    norestorefile: Option<Value>,
    /// The sector of the label.
    labelsector: Option<Value>,
    /// Its size, where that is not the device's.
    setphysicalvolumesize: Option<Value>,
    /// Salt's own.
    #[arg(inert = "a device that is a physical volume already is left alone; `force` overwrites others")]
    r#override: Option<Value>,
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check_device(&self.name)?;
        if report::volume_of(cx, &report::physical(cx)?, &self.name).is_some() {
            return Ok(Plan::unchanged(format!("`{}` is a physical volume", self.name)));
        }
        let mut args = flags(&[
            ("metadatasize", &self.metadatasize),
            ("dataalignment", &self.dataalignment),
            ("dataalignmentoffset", &self.dataalignmentoffset),
            ("metadatacopies", &self.metadatacopies),
            ("uuid", &self.uuid),
            ("restorefile", &self.restorefile),
            ("norestorefile", &self.norestorefile),
            ("labelsector", &self.labelsector),
            ("setphysicalvolumesize", &self.setphysicalvolumesize),
        ]);
        if self.force {
            args.extend(["--force".to_owned(), "--yes".to_owned()]);
        }
        args.push(self.name.clone());
        let changes = Changes::from_iter([("physical_volume".to_owned(), change((), self.name.as_str()))]);
        Ok(Plan::change(changes, format!("`{}`: a physical volume", self.name), move |cx| {
            execute(cx, "pvcreate", args)?;
            Ok(Outcome::default())
        }))
    }
}

/// A device is no physical volume. One that a group has is not taken from it.
///
/// ```yaml
/// /dev/sdb:
///   lvm.pv_absent: []
/// ```
#[derive(Arguments)]
#[state("lvm.pv_absent")]
pub(crate) struct Absent {
    /// The device.
    #[arg(primary)]
    name: String,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check_device(&self.name)?;
        let all = report::physical(cx)?;
        let Some(volume) = report::volume_of(cx, &all, &self.name) else {
            return Ok(Plan::unchanged(format!("`{}` is no physical volume", self.name)));
        };
        if !volume.group.is_empty() && !cx.test {
            return Err(Failure::new(format!(
                "`{}` is part of the volume group `{}`; remove that first with `lvm.vg_absent`, or take it out with `vgreduce`",
                self.name, volume.group
            )));
        }
        let changes = Changes::from_iter([("physical_volume".to_owned(), change(self.name.as_str(), ()))]);
        Ok(Plan::change(changes, format!("`{}`: no physical volume", self.name), move |cx| {
            execute(cx, "pvremove", vec![self.name.clone()])?;
            Ok(Outcome::default())
        }))
    }
}
