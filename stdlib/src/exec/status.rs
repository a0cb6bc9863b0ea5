//! `status.*`: how the machine is doing, from `/proc`.

use crate::{Context, Library, exec::file_read::text};
use zester_compiler::types::{Map, Value};

fn seconds_up(cx: &Context) -> Result<f64, String> {
    let text = text(cx, "/proc/uptime")?;
    text.split_whitespace()
        .next()
        .and_then(|t| t.parse().ok())
        .ok_or_else(|| "`/proc/uptime` holds no number".to_owned())
}

exec! {
    /// How long the machine has been running.
    "status.uptime" probe Uptime {} |_, cx| {
        let seconds = seconds_up(cx)? as i64;
        Ok(Value::Map(Map::from_iter([
            ("seconds".to_owned(), seconds.into()),
            ("days".to_owned(), (seconds / 86_400).into()),
            ("time".to_owned(), format!("{}:{:02}", seconds % 86_400 / 3_600, seconds % 3_600 / 60).into()),
        ])))
    }
}

exec! {
    /// Load over one, five and fifteen minutes.
    "status.loadavg" probe Loadavg {} |_, cx| {
        let text = text(cx, "/proc/loadavg")?;
        let names = ["1-min", "5-min", "15-min"];
        let numbers = text.split_whitespace().map(|t| t.parse::<f64>().unwrap_or(0.0));
        Ok(Value::Map(names.into_iter().zip(numbers).map(|(k, v)| (k.to_owned(), v.into())).collect()))
    }
}

exec! {
    /// Memory of the machine, by name.
    "status.meminfo" probe Meminfo {} |_, cx| {
        let entry = |line: &str| {
            let (name, rest) = line.split_once(':')?;
            let mut words = rest.split_whitespace();
            let mut entry = Map::from_iter([("value".to_owned(), Value::from(words.next()?))]);
            if let Some(unit) = words.next() {
                entry.insert("unit".to_owned(), unit.into());
            }
            Some((name.to_owned(), Value::Map(entry)))
        };
        Ok(Value::Map(text(cx, "/proc/meminfo")?.lines().filter_map(entry).collect()))
    }
}

exec! {
    /// How many processors there are.
    "status.nproc" probe Nproc {} |_, _| {
        Ok(Value::Int(std::thread::available_parallelism().map_or(1, |n| n.get() as i64)))
    }
}

exec! {
    /// Process ids of the programs of this name, one a line.
    "status.pid" probe Pid {
        /// A part of the command line.
        sig: String,
    } |it, cx| {
        let mut found: Vec<u32> = Vec::new();
        for name in cx.machine.files.list("/proc").unwrap_or_default() {
            let Ok(pid) = name.parse::<u32>() else { continue };
            if pid == std::process::id() {
                continue;
            }
            let Ok(line) = cx.machine.files.read(&format!("/proc/{name}/cmdline")) else { continue };
            if String::from_utf8_lossy(&line).replace('\0', " ").contains(&it.sig) {
                found.push(pid);
            }
        }
        found.sort_unstable();
        Ok(found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n").into())
    }
}

exec! {
    /// The kernel's name, release and machine.
    "status.version" probe Version {} |_, cx| Ok(text(cx, "/proc/version")?.trim().into())
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Uptime>()
        .exec::<Loadavg>()
        .exec::<Meminfo>()
        .exec::<Nproc>()
        .exec::<Pid>()
        .exec::<Version>();
}
