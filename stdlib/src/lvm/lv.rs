//! `lvm.lv_present`, `lvm.lv_absent`

use super::{check_name, execute, flags, report};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// A logical volume is there, at least as large as said.
///
/// ```yaml
/// www:
///   lvm.lv_present:
///     - vgname: data
///     - size: 10G
///     - resizefs: true
/// ```
#[derive(Arguments)]
#[state("lvm.lv_present", at_most_one_of("size", "extents"))]
pub(crate) struct Present {
    /// The volume.
    #[arg(primary)]
    name: String,
    /// Its group; of a thin volume `group/pool`.
    vgname: Option<String>,
    /// Its size: a number with a unit of LVM's (`512M`, `10G`, powers of 1,024); megabytes without one.
    #[arg(ty = Type::INT.or(Type::Str))]
    size: Option<Value>,
    /// Its size in extents, or a share: `50%VG`, `100%FREE`. A share of anything but `VG` counts when it is made, and not later.
    #[arg(ty = Type::INT.or(Type::Str))]
    extents: Option<Value>,
    /// The volume of which it is a snapshot.
    snapshot: Option<String>,
    /// The device on which it lies.
    pv: Option<String>,
    /// Whether it is a thin volume; its size is the one it shows.
    #[arg(default = false)]
    thinvolume: bool,
    /// Whether it is a pool for thin volumes.
    #[arg(default = false)]
    thinpool: bool,
    /// Whether it is made smaller when it is larger than said, and signatures on its place are overwritten. What is on the end of a volume
    /// made smaller is lost.
    #[arg(default = false)]
    force: bool,
    /// Whether the file system grows or shrinks with it.
    #[arg(default = false)]
    resizefs: bool,
    /// How many stripes.
    stripes: Option<Value>,
    /// Size of a stripe.
    stripesize: Option<Value>,
    /// How many mirrors.
    mirrors: Option<Value>,
    /// Kind of segment: `raid1`, `striped`, ….
    #[arg(alias = "type")]
    segment: Option<Value>,
    /// A tag for it.
    addtag: Option<Value>,
    /// How space is given out.
    alloc: Option<Value>,
    /// Whether it is ready for use: `y` or `n`.
    activate: Option<Value>,
    /// Whether its beginning is overwritten with zeros: `y` or `n`.
    zero: Option<Value>,
    /// How it is used: `r` or `rw`.
    permission: Option<Value>,
    /// Size of a chunk.
    chunksize: Option<Value>,
    /// Sectors read ahead.
    readahead: Option<Value>,
}

/// Bytes of a size as LVM reads it: units are powers of 1,024 whatever their case, `s` is a sector, megabytes without one.
fn bytes(size: &str) -> Result<u64, Failure> {
    let text = size.trim().to_ascii_lowercase();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor: u64 = match unit.trim().trim_end_matches("ib") {
        "b" => 1,
        "s" => 512,
        "k" | "kb" => 1 << 10,
        "" | "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        "t" | "tb" => 1 << 40,
        "p" | "pb" => 1 << 50,
        _ => 0,
    };
    match number.parse::<f64>() {
        Ok(number) if factor > 0 && number > 0.0 => Ok((number * factor as f64) as u64),
        _ => Err(Failure::new(format!(
            "`{size}` is not a size: it is a number with a unit, such as `512M` or `10G`"
        ))),
    }
}

impl Present {
    fn group(&self) -> Result<(&str, Option<&str>), Failure> {
        let Some(group) = &self.vgname else {
            return Err(Failure::new(format!("give the volume group of `{}` as `vgname`", self.name)));
        };
        let (group, pool) =
            group.split_once('/').map_or((group.as_str(), None), |(group, pool)| (group, Some(pool)));
        check_name("volume group", group)?;
        pool.map_or(Ok(()), |pool| check_name("pool", pool))?;
        if self.thinvolume != pool.is_some() {
            return Err(Failure::new(if self.thinvolume {
                format!("`{}` is a thin volume: give its pool, too, `vgname: {group}/POOL`", self.name)
            } else {
                format!("`vgname` of `{}` is the group alone, `{group}`", self.name)
            }));
        }
        Ok((group, pool))
    }

    /// Bytes that are asked for, in whole extents; nothing where that cannot be told.
    fn wanted(&self, group: &report::Group) -> Result<Option<u64>, Failure> {
        let extent = group.extent();
        if let Some(size) = &self.size {
            return Ok(Some(bytes(&size.to_string())?.div_ceil(extent).saturating_mul(extent)));
        }
        let Some(extents) = self.extents.as_ref().map(Value::to_string) else { return Ok(None) };
        let not_extents = || {
            Failure::new(format!(
                "`{extents}` is no number of extents; it is one, or a share such as `50%VG`, `100%FREE`"
            ))
        };
        match extents.split_once('%') {
            None => {
                Ok(Some(extents.trim().parse::<u64>().map_err(|_| not_extents())?.saturating_mul(extent)))
            }
            Some((share, of)) => {
                let share: u64 = share.trim().parse().map_err(|_| not_extents())?;
                if !["VG", "FREE", "PVS", "ORIGIN"].contains(&of) || share > 100 {
                    return Err(not_extents());
                }
                let extents = group.extents().saturating_mul(share) / 100;
                Ok((of == "VG").then(|| extents.saturating_mul(extent)))
            }
        }
    }

    /// `--size 10G` or `--extents 50%VG`.
    fn amount(&self, name: &str) -> Vec<String> {
        match (&self.size, &self.extents) {
            (Some(size), _) => vec![format!("--{name}"), size.to_string()],
            (None, Some(extents)) => vec!["--extents".to_owned(), extents.to_string()],
            (None, None) => Vec::new(),
        }
    }

    fn create(&self, group: &str, pool: Option<&str>) -> Vec<String> {
        let mut args = vec!["--name".to_owned(), self.name.clone()];
        if self.force {
            args.push("--yes".to_owned());
        }
        args.extend(flags(&[
            ("stripes", &self.stripes),
            ("stripesize", &self.stripesize),
            ("mirrors", &self.mirrors),
            ("type", &self.segment),
            ("addtag", &self.addtag),
            ("alloc", &self.alloc),
            ("activate", &self.activate),
            ("zero", &self.zero),
            ("permission", &self.permission),
            ("chunksize", &self.chunksize),
            ("readahead", &self.readahead),
        ]));
        match (&self.snapshot, pool) {
            (Some(origin), _) => {
                args.extend(self.amount("size"));
                args.extend(["--snapshot".to_owned(), format!("{group}/{origin}")]);
            }
            (None, Some(pool)) => {
                args.extend(self.amount("virtualsize"));
                args.extend(["--thin".to_owned(), format!("{group}/{pool}")]);
            }
            (None, None) => {
                args.extend(self.amount("size"));
                if self.thinpool {
                    args.extend(["--type".to_owned(), "thin-pool".to_owned()]);
                }
                args.push(group.to_owned());
            }
        }
        args.extend(self.pv.clone());
        args
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check_name("logical volume", &self.name)?;
        let (group_name, pool) = self.group()?;
        if self.thinpool && self.segment.is_some() {
            return Err(Failure::new("a `thinpool` is a kind of segment itself; leave `segment` out"));
        }
        if let Some(origin) = &self.snapshot {
            check_name("logical volume", origin)?;
        }
        if let Some(device) = &self.pv {
            super::check_device(device)?;
        }
        let Some(group) = report::group(cx, group_name)? else {
            if cx.test {
                let changes = Changes::from_iter([("volume".to_owned(), change((), self.name.as_str()))]);
                let comment =
                    format!("the group `{group_name}` is not there yet; `{}` would be made in it", self.name);
                return Ok(Plan::change(changes, comment, |_| Ok(Outcome::default())));
            }
            return Err(Failure::new(format!(
                "there is no volume group `{group_name}`; require its `lvm.vg_present`"
            )));
        };
        let wanted = self.wanted(&group)?;
        let path = format!("{group_name}/{}", self.name);
        let Some(volume) =
            report::logical(cx, group_name)?.into_iter().find(|volume| volume.name == self.name)
        else {
            if self.size.is_none() && self.extents.is_none() {
                return Err(Failure::new(format!("there is no `{path}` yet: give its `size` or `extents`")));
            }
            let args = self.create(group_name, pool);
            let changes = Changes::from_iter([("volume".to_owned(), change((), path.as_str()))]);
            return Ok(Plan::change(changes, format!("logical volume `{path}`"), move |cx| {
                execute(cx, "lvcreate", args)?;
                Ok(Outcome::default())
            }));
        };
        let have = volume.size();
        let (program, mut args) = match wanted {
            Some(wanted) if wanted > have => ("lvextend", Vec::new()),
            Some(wanted) if wanted < have && self.force => ("lvreduce", vec!["--force".to_owned()]),
            Some(wanted) if wanted < have => {
                let comment = format!(
                    "`{path}` has {have} bytes, more than the {wanted} that are asked for; `force: true` makes it smaller"
                );
                return Ok(Plan::unchanged(comment));
            }
            _ => return Ok(Plan::unchanged(format!("`{path}` is there"))),
        };
        if self.resizefs {
            args.push("--resizefs".to_owned());
        }
        let wanted = wanted.unwrap_or(have);
        args.extend(["--size".to_owned(), format!("{wanted}b"), path.clone()]);
        let number = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let changes = Changes::from_iter([("size".to_owned(), change(number(have), number(wanted)))]);
        Ok(Plan::change(changes, format!("`{path}` with {wanted} bytes"), move |cx| {
            execute(cx, program, args)?;
            Ok(Outcome::default())
        }))
    }
}

/// A logical volume is not there, nor what it held.
///
/// ```yaml
/// www:
///   lvm.lv_absent:
///     - vgname: data
/// ```
#[derive(Arguments)]
#[state("lvm.lv_absent")]
pub(crate) struct Absent {
    /// The volume.
    #[arg(primary)]
    name: String,
    /// Its group.
    vgname: Option<String>,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check_name("logical volume", &self.name)?;
        let Some(group) = &self.vgname else {
            return Err(Failure::new(format!("give the volume group of `{}` as `vgname`", self.name)));
        };
        check_name("volume group", group)?;
        let path = format!("{group}/{}", self.name);
        let there = report::group(cx, group)?.is_some()
            && report::logical(cx, group)?.iter().any(|volume| volume.name == self.name);
        if !there {
            return Ok(Plan::unchanged(format!("there is no `{path}`")));
        }
        let changes = Changes::from_iter([("volume".to_owned(), change(path.as_str(), ()))]);
        Ok(Plan::change(changes, format!("no logical volume `{path}`"), move |cx| {
            execute(cx, "lvremove", vec!["--force".to_owned(), path])?;
            Ok(Outcome::default())
        }))
    }
}
