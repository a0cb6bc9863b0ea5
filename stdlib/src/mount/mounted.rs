//! `mount.mounted`

use super::{
    active::{self, Active},
    fstab::{Entry, Table},
};
use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    file::{attributes::Attributes, path},
    provider::tool::{succeed, tool},
};
use zester_compiler::types::{Path, Value};
use zester_stdlib_derive::Arguments;

/// A file system is mounted, now and after the next boot.
///
/// Options that the kernel shows as they were given (`ro`, `noexec`, `nosuid`, `nodev`, `noatime` and their opposites) are compared with what
/// is mounted, and it is mounted again with others; all options are compared with the table.
///
/// ```yaml
/// /srv/data:
///   mount.mounted:
///     - device: UUID=1b8d1f3c-0c0a-4c3e-9d5c-6a9f5a1f4f5e
///     - fstype: ext4
///     - opts: noatime,nosuid
///     - mkmnt: true
/// ```
#[derive(Arguments)]
#[state("mount.mounted", watches)]
pub(crate) struct Mounted {
    /// Where.
    #[arg(primary)]
    name: Path,
    /// What: a device, `UUID=…`, `LABEL=…`, a directory to bind, an address.
    device: String,
    /// Kind of file system.
    fstype: String,
    /// Whether the directory is made.
    #[arg(default = false)]
    mkmnt: bool,
    /// Options.
    #[arg(default = "defaults")]
    opts: Vec<String>,
    /// Whether `dump` saves it.
    #[arg(default = 0_i64)]
    dump: i64,
    /// When it is checked at boot: 0 for never.
    #[arg(default = 0_i64)]
    pass_num: i64,
    /// The table of file systems.
    #[arg(default = "/etc/fstab")]
    config: Path,
    /// Whether it is written into the table.
    #[arg(default = true)]
    persist: bool,
    /// Whether it is mounted now.
    #[arg(default = true)]
    mount: bool,
    /// The user who mounts it.
    user: Option<String>,
    /// What a line of the table is known by.
    #[arg(inert = "a line is known by its place, and by its device where it has none")]
    match_on: Option<Value>,
    /// Further names of the device.
    #[arg(inert = "links and `UUID=…` are followed to the device itself")]
    device_name_regex: Option<Value>,
    /// Options that are not seen.
    #[arg(inert = "only options that the kernel shows as they were given are compared")]
    extra_mount_invisible_options: Option<Value>,
    /// Keys of options that are not seen.
    #[arg(inert = "only options that the kernel shows as they were given are compared")]
    extra_mount_invisible_keys: Option<Value>,
    /// Keys of options that are not compared.
    #[arg(inert = "only options that the kernel shows as they were given are compared")]
    extra_mount_ignore_fs_keys: Option<Value>,
    /// Options that are seen under another name.
    #[arg(inert = "only options that the kernel shows as they were given are compared")]
    extra_mount_translate_options: Option<Value>,
    /// Options that are not shown.
    #[arg(inert = "options are shown as they are, and secrets never")]
    hidden_opts: Option<Value>,
    /// Whether a bind mount takes over the options of what it shows.
    #[arg(inert = "the options of a bind mount are those that are given")]
    bind_mount_copy_active_opts: Option<bool>,
}

/// What has to be done about the mount itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// Nothing.
    Leave,
    /// It is not mounted.
    Mount,
    /// Something else is mounted there.
    Replace,
    /// It is mounted with other options.
    Remount,
}

impl Mounted {
    fn options(&self) -> Vec<String> {
        self.opts
            .iter()
            .flat_map(|o| o.split(','))
            .map(str::trim)
            .filter(|o| !o.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn is_bind(&self) -> bool {
        self.options().iter().any(|o| o == "bind" || o == "rbind")
    }

    /// Whether what is mounted is what is wanted.
    fn is(&self, cx: &Context, all: &[Active], mount: &Active) -> bool {
        if self.is_bind() {
            return active::shows(all, mount, self.device.trim_end_matches('/'));
        }
        let wanted = active::device(cx, &self.device);
        let same = mount.device.trim_end_matches('/') == wanted.trim_end_matches('/')
            || active::device(cx, &mount.device) == wanted
            // A file system without a device has a name that means nothing.
            || (mount.kind == self.fstype && !wanted.contains('/') && !mount.device.contains('/'));
        same && (mount.kind == self.fstype || self.fstype == "auto" || !self.device.starts_with('/'))
    }

    fn mounting(&self, cx: &Context, words: &[&str]) -> Result<(), Failure> {
        let mut command = tool("mount", words.iter().copied());
        command.runas = self.user.clone().or_else(|| cx.runas.as_ref().map(|r| r.to_string()));
        succeed(cx, command).map(drop).map_err(Failure::new)
    }
}

impl State for Mounted {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let point = path::absolute(cx, &self.name)?;
        let options = self.options();
        let joined = if options.is_empty() { "defaults".to_owned() } else { options.join(",") };
        let entry = Entry {
            device: self.device.clone(),
            point: point.clone(),
            kind: self.fstype.clone(),
            options: joined.clone(),
            dump: self.dump,
            pass: self.pass_num,
        };
        entry.check()?;
        let mut changes = Changes::new();
        let all = active::all(cx)?;
        let found = active::at(&all, &point);
        let step = match found {
            _ if !self.mount => Step::Leave,
            None => Step::Mount,
            Some(mount) if !self.is(cx, &all, mount) => Step::Replace,
            Some(mount) if !active::differing(&options, mount).is_empty() => Step::Remount,
            Some(_) => Step::Leave,
        };
        match step {
            Step::Leave => {}
            Step::Mount => drop(changes.insert("mount".to_owned(), change((), self.device.as_str()))),
            Step::Replace => {
                let old = found.map(|mount| mount.device.clone());
                changes.insert("mount".to_owned(), change(old, self.device.as_str()));
            }
            Step::Remount => {
                let old = found.map(|mount| mount.options.join(","));
                changes.insert("opts".to_owned(), change(old, joined.as_str()));
            }
        }
        let make = step != Step::Leave && path::stat(cx, &point, true)?.is_none();
        if make && !self.mkmnt && !cx.test {
            return Err(Failure::new(format!("`{point}` does not exist; `mkmnt: true` makes it")));
        }
        if make && self.mkmnt {
            changes.insert("directory".to_owned(), change((), point.as_str()));
        }
        let table = Table::read(cx, &self.config)?;
        let old = table.find(&entry);
        let write = self.persist && old.as_ref() != Some(&entry);
        if write {
            changes.insert("persist".to_owned(), change(old.map(|old| old.line()), entry.line()));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{point}` is mounted")));
        }
        let comment = format!("`{}` is mounted at `{point}`", self.device);
        Ok(Plan::change(changes, comment, move |cx| {
            if make && self.mkmnt {
                let parents = path::missing_parents(cx, &path::join(&point, "x"), true)?;
                path::make_directories(cx, &parents, &Attributes::default().with_mode(Some(0o755)))?;
            }
            if step == Step::Replace {
                succeed(cx, tool("umount", [point.as_str()]))?;
            }
            match step {
                Step::Leave => {}
                Step::Mount | Step::Replace => {
                    self.mounting(cx, &["-o", &joined, "-t", &self.fstype, &self.device, &point])?;
                }
                Step::Remount => {
                    let options = format!("remount,{joined}");
                    self.mounting(cx, &["-o", &options, &point])?;
                }
            }
            if write {
                table.put(cx, &entry)?;
            }
            Ok(Outcome::default())
        }))
    }

    /// What is mounted is mounted again, with the options it has.
    fn watched(&self, cx: &Context) -> Result<Option<Plan<'_>>, Failure> {
        let point = path::absolute(cx, &self.name)?;
        if !self.mount || active::at(&active::all(cx)?, &point).is_none() {
            return Ok(None);
        }
        let changes = Changes::from_iter([("remount".to_owned(), Value::Bool(true))]);
        let joined = self.options().join(",");
        Ok(Some(Plan::change(changes, format!("`{point}` is mounted again"), move |cx| {
            let options = if joined.is_empty() { "remount".to_owned() } else { format!("remount,{joined}") };
            self.mounting(cx, &["-o", &options, &point])?;
            Ok(Outcome::default())
        })))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};

    pub(in super::super) const LIST: &str = "/proc/self/mountinfo";

    /// A machine that mounts: its list of mounts follows what the tools do.
    pub(in super::super) fn machine() -> FakeMachine {
        let machine = FakeMachine::new();
        machine.files.put(LIST, "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n");
        machine.files.put("/etc/fstab", "# boot\n/dev/sda1 / ext4 defaults 0 1\n");
        let files = machine.files.clone();
        machine.commands.on("mount -o", move |_, line| {
            let words: Vec<&str> = line.split(' ').collect();
            let (options, point) = (words[2], words[words.len() - 1]);
            let mut text = files.text(LIST);
            match options.strip_prefix("remount,") {
                Some(options) => {
                    let change = |line: &str| match line.split(' ').collect::<Vec<_>>().as_slice() {
                        [a, b, c, d, at, _, rest @ ..] if *at == point => {
                            format!("{a} {b} {c} {d} {at} {options} {}\n", rest.join(" "))
                        }
                        _ => format!("{line}\n"),
                    };
                    text = text.lines().map(change).collect();
                }
                None => {
                    text.push_str(&format!(
                        "40 22 8:17 / {point} {options} - {} {} rw\n",
                        words[4], words[5]
                    ));
                }
            }
            files.put(LIST, text);
            Output::default()
        });
        let files = machine.files.clone();
        machine.commands.on("umount", move |_, line| {
            let point = line.strip_prefix("umount ").unwrap();
            let text = files.text(LIST);
            let kept = text.lines().filter(|l| !l.contains(&format!(" {point} ")));
            files.put(LIST, kept.flat_map(|l| [l, "\n"]).collect::<String>());
            Output::default()
        });
        machine
    }

    #[test]
    fn mounted_and_written_down() {
        let machine = machine();
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let data = args(
            r#"{"name": "/srv/data", "device": "/dev/sdb1", "fstype": "xfs", "opts": ["noatime", "nosuid"], "mkmnt": true}"#,
        );
        let outcome = machine.converge::<Mounted>(&data).unwrap();
        assert_eq!(outcome.changes.keys().collect::<Vec<_>>(), ["mount", "directory", "persist"]);
        assert_eq!(
            machine.files.text("/etc/fstab"),
            "# boot\n/dev/sda1 / ext4 defaults 0 1\n/dev/sdb1\t/srv/data\txfs\tnoatime,nosuid\t0 0\n"
        );
        // Other options.
        let read_only = args(
            r#"{"name": "/srv/data", "device": "/dev/sdb1", "fstype": "xfs", "opts": "noatime,noexec"}"#,
        );
        let outcome = machine.converge::<Mounted>(&read_only).unwrap();
        assert_eq!(outcome.changes.keys().collect::<Vec<_>>(), ["opts", "persist"]);
        assert!(machine.commands.lines().contains(&"mount -o remount,noatime,noexec /srv/data".to_owned()));
        // Another device at the same place.
        let other = args(r#"{"name": "/srv/data", "device": "/dev/sdc1", "fstype": "xfs"}"#);
        let outcome = machine.converge::<Mounted>(&other).unwrap();
        assert_eq!(outcome.changes["mount"], change("/dev/sdb1", "/dev/sdc1"));
        assert!(machine.files.text("/etc/fstab").ends_with("/dev/sdc1\t/srv/data\txfs\tdefaults\t0 0\n"));
        assert!(machine.commands.lines().contains(&"umount /srv/data".to_owned()));
    }

    #[test]
    fn a_missing_directory_and_odd_fields() {
        let machine = machine();
        let refusal = |json: &str| {
            let args = serde_json::from_str(json).unwrap();
            let state = <Mounted as zester_compiler::types::Arguments>::from_values(&args).unwrap();
            state.plan(&machine.context()).err().unwrap().message
        };
        let message = refusal(r#"{"name": "/no", "device": "/dev/sdb1", "fstype": "xfs"}"#);
        assert_eq!(message, "`/no` does not exist; `mkmnt: true` makes it");
        let message = refusal(r##"{"name": "/no", "device": "#x", "fstype": "xfs"}"##);
        assert!(message.contains("would be a comment"));
    }
}
