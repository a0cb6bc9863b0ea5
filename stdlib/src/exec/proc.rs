//! `status.*` functions that give the numbers of `/proc` by name.

use crate::{
    Context, Library,
    exec::file_read::text,
    provider::tool::{succeed, tool},
};
use chrono::Local;
use std::fmt::Write as _;
use zester_compiler::types::{Map, Value};

/// Numbers of a line by their names; what is not named is left out.
fn named<'a>(names: &[&str], numbers: impl Iterator<Item = &'a str>) -> Map {
    let number = |text: &str| text.parse::<i64>().map_or_else(|_| text.into(), Value::Int);
    names.iter().zip(numbers).map(|(name, text)| ((*name).to_owned(), number(text))).collect()
}

fn cpuinfo(cx: &Context) -> Result<Value, String> {
    // Of several processors the last one's words stay.
    let mut all = Map::new();
    for (name, value) in text(cx, "/proc/cpuinfo")?.lines().filter_map(|l| l.split_once(':')) {
        let value = value.trim();
        let words = || value.split_whitespace().collect::<Vec<_>>();
        let list = matches!(name.trim(), "flags" | "Features");
        all.insert(name.trim().to_owned(), if list { words().into() } else { value.into() });
    }
    Ok(all.into())
}

fn cpustats(cx: &Context) -> Result<Value, String> {
    let names =
        ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice"];
    let mut all = Map::new();
    for line in text(cx, "/proc/stat")?.lines() {
        let mut words = line.split_whitespace();
        let Some(key) = words.next() else { continue };
        let value: Value = if key.starts_with("cpu") {
            named(&names, words).into()
        } else if matches!(key, "intr" | "softirq") {
            named(&["total"], words).into()
        } else {
            words.next().and_then(|n| n.parse().ok()).map_or(Value::Null, Value::Int)
        };
        all.insert(key.to_owned(), value);
    }
    Ok(all.into())
}

fn diskstats(cx: &Context) -> Result<Value, String> {
    let names = [
        "reads_issued",
        "reads_merged",
        "sectors_read",
        "ms_spent_reading",
        "writes_completed",
        "writes_merged",
        "sectors_written",
        "ms_spent_writing",
        "io_in_progress",
        "ms_spent_in_io",
        "weighted_ms_spent_in_io",
    ];
    let mut all = Map::new();
    for line in text(cx, "/proc/diskstats")?.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [major, minor, device, numbers @ ..] = words.as_slice() else { continue };
        let mut entry = named(&["major", "minor"], [*major, *minor].into_iter());
        entry.insert("device".to_owned(), (*device).into());
        entry.extend(named(&names, numbers.iter().copied()));
        all.insert((*device).to_owned(), entry.into());
    }
    Ok(all.into())
}

fn netdev(cx: &Context) -> Result<Value, String> {
    let names = [
        "rx_bytes",
        "rx_packets",
        "rx_errs",
        "rx_drop",
        "rx_fifo",
        "rx_frame",
        "rx_compressed",
        "rx_multicast",
        "tx_bytes",
        "tx_packets",
        "tx_errs",
        "tx_drop",
        "tx_fifo",
        "tx_colls",
        "tx_carrier",
        "tx_compressed",
    ];
    let text = text(cx, "/proc/net/dev")?;
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    Ok(Value::Map(
        lines
            .map(|(interface, numbers)| {
                (interface.trim().to_owned(), named(&names, numbers.split_whitespace()).into())
            })
            .collect(),
    ))
}

fn vmstats(cx: &Context) -> Result<Value, String> {
    let text = text(cx, "/proc/vmstat")?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(Value::Map(
        pairs.filter_map(|(name, n)| Some((name.to_owned(), Value::Int(n.trim().parse().ok()?)))).collect(),
    ))
}

fn netstats(cx: &Context) -> Result<Value, String> {
    // Two lines for each protocol: names, then numbers.
    let mut all = Map::new();
    for path in ["/proc/net/netstat", "/proc/net/snmp"] {
        let text = text(cx, path)?;
        let mut lines = text.lines();
        while let (Some(names), Some(numbers)) = (lines.next(), lines.next()) {
            let mut names = names.split_whitespace();
            let protocol = names.next().unwrap_or_default().trim_end_matches(':').to_owned();
            let names: Vec<&str> = names.collect();
            all.insert(protocol, named(&names, numbers.split_whitespace().skip(1)).into());
        }
    }
    Ok(all.into())
}

macro_rules! tables {
    ($($(#[doc = $doc:literal])+ $name:literal $struct:ident $table:ident;)+) => {$(
        exec! {
            $(#[doc = $doc])+
            $name probe $struct {} |_, cx| $table(cx)
        }
    )+};
}

tables! {
    /// What the kernel says of the processor, by its names.
    "status.cpuinfo" Cpuinfo cpuinfo;
    /// What processors have spent their time with, in hundredths of a second, and other counts of the kernel.
    "status.cpustats" Cpustats cpustats;
    /// What block devices have read and written.
    "status.diskstats" Diskstats diskstats;
    /// What network interfaces have received and sent.
    "status.netdev" Netdev netdev;
    /// Counts of the network's protocols.
    "status.netstats" Netstats netstats;
    /// Counts of the kernel's memory management.
    "status.vmstats" Vmstats vmstats;
}

/// Processes by their numbers: who runs them, and their command line.
fn procs(cx: &Context) -> Result<Value, String> {
    let mut numbers: Vec<u32> =
        cx.machine.files.list("/proc").unwrap_or_default().iter().filter_map(|n| n.parse().ok()).collect();
    numbers.sort_unstable();
    let mut all = Map::new();
    for pid in numbers {
        // One that has ended meanwhile is left out.
        let Ok(status) = text(cx, &format!("/proc/{pid}/status")) else { continue };
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        let uid = field("Uid:").split_whitespace().next().unwrap_or_default();
        let user = match uid.parse().ok().map(|uid| cx.machine.accounts.user_by_id(uid)) {
            Some(user) => user?.map_or_else(|| uid.to_owned(), |u| u.name),
            None => uid.to_owned(),
        };
        let line = text(cx, &format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
        let command = match line.trim_end() {
            // The kernel's own have no command line.
            "" => format!("[{}]", field("Name:")),
            line => line.to_owned(),
        };
        all.insert(
            pid.to_string(),
            Value::Map(Map::from_iter([
                ("cmd".to_owned(), Value::from(command)),
                ("user".to_owned(), user.into()),
            ])),
        );
    }
    Ok(all.into())
}

exec! {
    /// Processes by their numbers: who runs them, and their command line.
    "status.procs" probe Procs {} |_, cx| procs(cx)
}

fn logins(cx: &Context) -> Result<Value, String> {
    let output = succeed(cx, tool("w", ["-h", "-s"]))?;
    let names = ["user", "tty", "from", "idle"];
    Ok(Value::List(
        output
            .stdout
            .lines()
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let mut entry: Map = names
                    .iter()
                    .zip(&words)
                    .map(|(name, word)| ((*name).to_owned(), (*word).into()))
                    .collect();
                entry.insert("what".to_owned(), words.get(4..).unwrap_or_default().join(" ").into());
                Value::Map(entry)
            })
            .collect(),
    ))
}

exec! {
    /// Who is logged in, and what they run.
    "status.w" probe W {} |_, cx| logins(cx)
}

exec! {
    /// The machine's date and time.
    "status.time" probe Time {
        /// How it is written, as `strftime` says it.
        #[arg(default = "%A, %d. %B %Y %I:%M%p")]
        format: String,
    } |it, _| {
        let mut text = String::new();
        // An unknown letter is an error of writing.
        write!(text, "{}", Local::now().format(&it.format))
            .map_err(|_| format!("`{}` is no format of `strftime` such as `%H:%M`", it.format))?;
        Ok(text.into())
    }
}

exec! {
    /// Bytes that are there and that are free, by the place of a file system, or of those of a kind.
    "status.diskusage" probe Diskusage {
        /// Places, or kinds of file systems; all when none is given.
        args: Vec<String>,
    } |it, cx| {
        let mut all = Map::new();
        for mount in crate::mount::active::all(cx).map_err(|f| f.message)? {
            let wanted = it.args.is_empty() || it.args.contains(&mount.point) || it.args.contains(&mount.kind);
            let Some(fs) = rustix::fs::statvfs(mount.point.as_str()).ok().filter(|fs| wanted && fs.f_blocks > 0) else {
                continue;
            };
            let bytes = |blocks: u64| Value::Int(i64::try_from(blocks.saturating_mul(fs.f_frsize)).unwrap_or(i64::MAX));
            all.insert(mount.point, Value::Map(Map::from_iter([
                ("available".to_owned(), bytes(fs.f_bavail)),
                ("total".to_owned(), bytes(fs.f_blocks)),
            ])));
        }
        Ok(all.into())
    }
}

exec! {
    /// All of it: processor, disks, network, memory, who is logged in. What the machine does not tell is left out.
    "status.all_status" probe AllStatus {} |_, cx| {
        let parts: [(&str, fn(&Context) -> Result<Value, String>); 7] = [
            ("cpuinfo", cpuinfo),
            ("cpustats", cpustats),
            ("diskstats", diskstats),
            ("netdev", netdev),
            ("netstats", netstats),
            ("vmstats", vmstats),
            ("w", logins),
        ];
        Ok(Value::Map(parts.iter().filter_map(|(name, part)| Some(((*name).to_owned(), part(cx).ok()?))).collect()))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Cpuinfo>()
        .exec::<Cpustats>()
        .exec::<Diskstats>()
        .exec::<Netdev>()
        .exec::<Netstats>()
        .exec::<Vmstats>()
        .exec::<Procs>()
        .exec::<W>()
        .exec::<Time>()
        .exec::<Diskusage>()
        .exec::<AllStatus>();
}

#[cfg(test)]
mod tests {
    use crate::{exec::tests::call, provider::fake::FakeMachine};

    #[test]
    fn numbers_have_names() {
        let machine = FakeMachine::new();
        for (path, text) in [
            ("/proc/cpuinfo", "processor\t: 0\nmodel name\t: X 1\nflags\t\t: fpu vme\n\n"),
            ("/proc/stat", "cpu  1 2 3 4\nintr 9 8\nctxt 7\n"),
            ("/proc/diskstats", "   8       0 sda 5 6 7\n"),
            ("/proc/net/dev", "Inter-| Receive\n face |bytes\n  eth0: 10 20\n"),
            ("/proc/net/netstat", "TcpExt: A B\nTcpExt: 1 2\n"),
            ("/proc/net/snmp", "Ip: C\nIp: 3\n"),
            ("/proc/7/status", "Name:\tkthreadd\nUid:\t0\t0\n"),
            ("/proc/7/cmdline", ""),
        ] {
            machine.files.put(path, text);
        }
        for (name, path, expected) in [
            ("cpuinfo", "flags:1", "vme"),
            ("cpustats", "cpu:system", "3"),
            ("cpustats", "intr:total", "9"),
            ("cpustats", "ctxt", "7"),
            ("diskstats", "sda:sectors_read", "7"),
            ("netdev", "eth0:rx_packets", "20"),
            ("netstats", "TcpExt:B", "2"),
            ("netstats", "Ip:C", "3"),
            ("procs", "7:cmd", "[kthreadd]"),
            ("procs", "7:user", "root"),
        ] {
            let all = call(&machine, &format!("status.{name}"), "[]", "{}").unwrap();
            assert_eq!(all.lookup(path, ':').map(ToString::to_string).as_deref(), Some(expected), "{name}");
        }
        let odd = call(&machine, "status.time", r#"["%Q"]"#, "{}").unwrap_err();
        assert!(odd.contains("strftime"), "{odd}");
    }
}
