//! `lvm.vg_present`, `lvm.vg_absent`

use super::{check_device, check_name, execute, flags, report};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// A volume group is there and has these devices. Devices that it has beyond them stay.
///
/// ```yaml
/// data:
///   lvm.vg_present:
///     - devices: [/dev/sdb, /dev/sdc]
/// ```
#[derive(Arguments)]
#[state("lvm.vg_present")]
pub(crate) struct Present {
    /// The group.
    #[arg(primary)]
    name: String,
    /// Its devices; a list, or a text with commas. They become physical volumes where they are none.
    devices: Vec<String>,
    /// A tag for the group.
    addtag: Option<Value>,
    /// How space is given out: `contiguous`, `cling`, `normal`, `anywhere`.
    alloc: Option<Value>,
    /// Whether the metadata is backed up after changes: `y` or `n`.
    autobackup: Option<Value>,
    /// Most logical volumes.
    maxlogicalvolumes: Option<Value>,
    /// Most physical volumes.
    maxphysicalvolumes: Option<Value>,
    /// How many copies of the metadata there are in the group.
    #[arg(alias = "vgmetadatacopies")]
    metadatacopies: Option<Value>,
    /// Size of an extent.
    physicalextentsize: Option<Value>,
    /// Of clusters that are gone.
    #[arg(inert = "groups of clusters are locked by `lvmlockd` since LVM 2.03, which knows no such option")]
    clustered: Option<Value>,
}

impl Present {
    fn devices(&self) -> Vec<String> {
        let words = self.devices.iter().flat_map(|item| item.split(','));
        words.map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check_name("volume group", &self.name)?;
        let devices = self.devices();
        devices.iter().try_for_each(|device| check_device(device))?;
        let all = report::physical(cx)?;
        let exists = report::group(cx, &self.name)?.is_some();
        let mut new = Vec::new();
        for device in &devices {
            match report::volume_of(cx, &all, device).map(|volume| volume.group.as_str()) {
                Some(group) if group == self.name => {}
                None | Some("") => new.push(device.clone()),
                Some(other) => {
                    return Err(Failure::new(format!(
                        "`{device}` is part of the volume group `{other}`, not of `{}`",
                        self.name
                    )));
                }
            }
        }
        if exists && new.is_empty() {
            return Ok(Plan::unchanged(format!("`{}` is there", self.name)));
        }
        if new.is_empty() {
            return Err(Failure::new(format!(
                "there is no volume group `{}`; give the `devices` to make it of",
                self.name
            )));
        }
        let mut changes = Changes::new();
        if !exists {
            changes.insert("group".to_owned(), change((), self.name.as_str()));
        }
        changes.insert("devices".to_owned(), change((), new.clone()));
        let mut args = if exists {
            Vec::new()
        } else {
            flags(&[
                ("addtag", &self.addtag),
                ("alloc", &self.alloc),
                ("autobackup", &self.autobackup),
                ("maxlogicalvolumes", &self.maxlogicalvolumes),
                ("maxphysicalvolumes", &self.maxphysicalvolumes),
                ("metadatacopies", &self.metadatacopies),
                ("physicalextentsize", &self.physicalextentsize),
            ])
        };
        args.push(self.name.clone());
        args.extend(new);
        let program = if exists { "vgextend" } else { "vgcreate" };
        Ok(Plan::change(changes, format!("volume group `{}`", self.name), move |cx| {
            execute(cx, program, args)?;
            Ok(Outcome::default())
        }))
    }
}

/// A volume group is not there. Its logical volumes and what they hold go with it.
///
/// ```yaml
/// data:
///   lvm.vg_absent: []
/// ```
#[derive(Arguments)]
#[state("lvm.vg_absent")]
pub(crate) struct Absent {
    /// The group.
    #[arg(primary)]
    name: String,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check_name("volume group", &self.name)?;
        if report::group(cx, &self.name)?.is_none() {
            return Ok(Plan::unchanged(format!("there is no `{}`", self.name)));
        }
        let changes = Changes::from_iter([("group".to_owned(), change(self.name.as_str(), ()))]);
        Ok(Plan::change(changes, format!("no volume group `{}`", self.name), move |cx| {
            execute(cx, "vgremove", vec!["--force".to_owned(), self.name.clone()])?;
            Ok(Outcome::default())
        }))
    }
}
