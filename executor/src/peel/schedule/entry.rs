//! An entry of a schedule: what to run, and when it is due. Without a clock of its own.

use crate::job::message::Call;
use chrono::{DateTime, Local, TimeZone};
use croner::Cron;
use sha2::{Digest, Sha256};
use std::str::FromStr;
use zester_compiler::{
    diagnostic::nearest,
    types::{Map, Value},
};

/// The shortest interval, in milliseconds.
const SHORTEST_MS: u64 = 1_000;
/// Keys that an entry may have.
const KEYS: &[&str] = &[
    "function",
    "module",
    "args",
    "kwargs",
    "interval",
    "seconds",
    "minutes",
    "hours",
    "days",
    "cron",
    "splay",
    "maxrunning",
    "run_on_start",
    "return_job",
    "enabled",
    "catch_up",
];

/// Something that a peel does by itself, again and again.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name in the schedule.
    pub name: String,
    /// What to run.
    pub call: Call,
    /// When.
    pub when: When,
    /// Each time is moved by up to so many milliseconds, another time on every peel.
    pub splay_ms: u64,
    /// So many runs of it at a time; a further one is left out.
    pub max_running: usize,
    /// Once when the peel starts, too.
    pub run_on_start: bool,
    /// Whether the whole return is stored, not only what came of it.
    pub returns: bool,
    /// Whether a time of a `cron` that passed while the peel was not there is made up for, once.
    pub catch_up: bool,
}

/// When an entry is due.
#[derive(Clone, Debug)]
pub enum When {
    /// So many milliseconds after it last began, over restarts.
    Every(u64),
    /// At the times of five fields of cron, in the machine's time zone.
    Cron(Box<Cron>),
}

/// Reads a schedule: the entries that are enabled, and sentences about those that cannot be read.
pub fn read(schedule: &Value) -> (Vec<Entry>, Vec<String>) {
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    match schedule {
        Value::Null => {}
        Value::Map(map) => {
            for (name, value) in map {
                // Salt's switch for the whole schedule.
                if name == "enabled" && matches!(value, Value::Bool(_)) {
                    continue;
                }
                match entry(name, value) {
                    Ok(Some(entry)) => entries.push(entry),
                    Ok(None) => {}
                    Err(why) => problems.push(format!("the schedule's entry `{name}`: {why}")),
                }
            }
            if matches!(map.get("enabled"), Some(Value::Bool(false))) {
                entries.clear();
            }
        }
        other => {
            problems
                .push(format!("the schedule is {}, where a map of entries is expected", other.describe()));
        }
    }
    (entries, problems)
}

fn entry(name: &str, value: &Value) -> Result<Option<Entry>, String> {
    let map = value.as_map().ok_or_else(|| format!("it is {}, where a map is expected", value.describe()))?;
    if let Some(key) = map.keys().find(|k| !KEYS.contains(&k.as_str())) {
        let near = nearest(key, KEYS.iter().copied());
        let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        return Err(format!("it has no key `{key}`{hint}"));
    }
    let flag = |key: &str, otherwise| match map.get(key) {
        None | Some(Value::Null) => Ok(otherwise),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(format!("`{key}` is {}, where true or false is expected", other.describe())),
    };
    if !flag("enabled", true)? {
        return Ok(None);
    }
    let function = map.get("function").or_else(|| map.get("module"));
    let function = function.and_then(Value::as_str).ok_or("it needs `function`, as `state.apply`")?;
    let args = match map.get("args") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::List(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    let kwargs = match map.get("kwargs") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Map(map)) => map.clone(),
        Some(other) => return Err(format!("`kwargs` is {}, where a map is expected", other.describe())),
    };
    let test = matches!(kwargs.get("test"), Some(Value::Bool(true)));
    let max_running = match map.get("maxrunning") {
        None | Some(Value::Null) => 1,
        Some(value) => {
            value.as_int().and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0).ok_or_else(|| {
                format!("`maxrunning` is {}, where a number from 1 is expected", value.describe())
            })?
        }
    };
    Ok(Some(Entry {
        name: name.to_owned(),
        call: Call { function: function.to_owned(), args, kwargs, test },
        when: when(map)?,
        splay_ms: map.get("splay").map_or(Ok(0), |v| milliseconds("splay", v, 1_000))?,
        max_running,
        run_on_start: flag("run_on_start", false)?,
        returns: flag("return_job", false)?,
        catch_up: flag("catch_up", false)?,
    }))
}

fn when(map: &Map) -> Result<When, String> {
    let mut every = None;
    for (key, unit) in [
        ("interval", 1_000),
        ("seconds", 1_000),
        ("minutes", 60_000),
        ("hours", 3_600_000),
        ("days", 86_400_000),
    ] {
        if let Some(value) = map.get(key) {
            *every.get_or_insert(0) += milliseconds(key, value, unit)?;
        }
    }
    match (every, map.get("cron")) {
        (Some(ms), None) if ms >= SHORTEST_MS => Ok(When::Every(ms)),
        (Some(_), None) => Err("its interval is shorter than a second".to_owned()),
        (None, Some(Value::Str(text))) => {
            let cron = Cron::from_str(text)
                .map_err(|e| format!("`{text}` is no time of cron (minute hour day month weekday): {e}"))?;
            Ok(When::Cron(Box::new(cron)))
        }
        (None, Some(other)) => Err(format!("`cron` is {}, where five fields are expected", other.describe())),
        (None, None) => Err("it needs `interval`, as 30m, or `cron`, as '0 3 * * *'".to_owned()),
        (Some(_), Some(_)) => Err("it has both an interval and `cron`; one of them decides".to_owned()),
    }
}

/// A duration: a number of units, or a text as `30m`.
pub fn milliseconds(key: &str, value: &Value, unit: u64) -> Result<u64, String> {
    let wrong = || format!("`{key}` is {}, where a time is expected, as 90s, 30m or 2h", value.describe());
    let found = match value {
        Value::Str(text) => {
            let text = text.trim();
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let unit = match text.get(digits.len()..).unwrap_or_default() {
                "" => unit,
                "ms" => 1,
                "s" => 1_000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(wrong()),
            };
            digits.parse::<f64>().map_err(|_| wrong())? * unit as f64
        }
        Value::Int(number) => *number as f64 * unit as f64,
        Value::Float(number) => number * unit as f64,
        _ => return Err(wrong()),
    };
    // A thousand years are enough, and times stay within their type.
    if (0.0..3.2e13).contains(&found) { Ok(found as u64) } else { Err(wrong()) }
}

impl Entry {
    /// When it is due next, Unix time in milliseconds. `last_ms` is when it last began, `started_ms` when the peel did, `peel` decides where in
    /// the splay this machine has its place. Nothing for a `cron` that never comes.
    pub fn due_ms(&self, last_ms: Option<u64>, started_ms: u64, now_ms: u64, peel: &str) -> Option<u64> {
        // A clock that was set back must not stop everything until the old time is reached again.
        let last = last_ms.map(|l| l.min(now_ms));
        let started = started_ms.min(now_ms);
        let is_first = last.is_none_or(|l| l < started);
        let base = if self.run_on_start && is_first {
            started
        } else {
            match &self.when {
                When::Every(ms) => last.unwrap_or(started).saturating_add(*ms),
                When::Cron(cron) => {
                    let after = match last {
                        Some(last) if self.catch_up => last,
                        Some(last) => last.max(started),
                        None => started,
                    };
                    let after: DateTime<Local> =
                        Local.timestamp_millis_opt(i64::try_from(after).ok()?).earliest()?;
                    let next = cron.find_next_occurrence(&after, false).ok()?;
                    u64::try_from(next.timestamp_millis()).ok()?
                }
            }
        };
        Some(base.saturating_add(self.place(base, peel)))
    }

    /// The same on every look, another for every peel and every time.
    fn place(&self, base: u64, peel: &str) -> u64 {
        if self.splay_ms == 0 {
            return 0;
        }
        let mut hash = Sha256::new();
        hash.update(peel);
        hash.update([0]);
        hash.update(&self.name);
        hash.update(base.to_le_bytes());
        let digest = hash.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(digest.get(..8).unwrap_or(&[0; 8]));
        u64::from_le_bytes(first) % self.splay_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zester_compiler::project::read_yaml;

    fn one(yaml: &str) -> Result<Entry, String> {
        let (mut entries, problems) = read(&read_yaml(&format!("x: {yaml}")).unwrap());
        match (entries.pop(), problems.into_iter().next()) {
            (Some(entry), None) => Ok(entry),
            (_, problem) => Err(problem.unwrap_or_default()),
        }
    }

    const HOUR: u64 = 3_600_000;
    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn intervals_count_from_the_last_beginning_over_restarts() {
        let hourly = one("{function: state.apply, hours: 1}").unwrap();
        assert_eq!(hourly.due_ms(None, NOW, NOW, "p"), Some(NOW + HOUR));
        assert_eq!(hourly.due_ms(Some(NOW - 10), NOW, NOW, "p"), Some(NOW - 10 + HOUR));
        // It was due while the peel was away: at once.
        assert_eq!(hourly.due_ms(Some(NOW - 3 * HOUR), NOW, NOW, "p"), Some(NOW - 2 * HOUR));
        // The clock was set back by a day.
        assert_eq!(hourly.due_ms(Some(NOW + 24 * HOUR), NOW, NOW, "p"), Some(NOW + HOUR));
        let eager = one("{module: state.apply, interval: 1h, run_on_start: true}").unwrap();
        assert_eq!(eager.due_ms(None, NOW, NOW, "p"), Some(NOW));
        assert_eq!(eager.due_ms(Some(NOW - 5), NOW, NOW + 1, "p"), Some(NOW));
        assert_eq!(eager.due_ms(Some(NOW), NOW, NOW + 1, "p"), Some(NOW + HOUR));
    }

    #[test]
    fn missed_times_of_cron_are_made_up_for_where_asked() {
        let plain = one("{function: state.apply, cron: '*/10 * * * *'}").unwrap();
        let due = plain.due_ms(Some(NOW - 24 * HOUR), NOW, NOW, "p").unwrap();
        assert!(due > NOW && due <= NOW + 600_000 && due.is_multiple_of(600_000), "{due}");
        let caring = one("{function: state.apply, cron: '*/10 * * * *', catch_up: true}").unwrap();
        assert!(caring.due_ms(Some(NOW - 24 * HOUR), NOW, NOW, "p").unwrap() < NOW);
        // Once: the last beginning is now.
        assert_eq!(caring.due_ms(Some(NOW), NOW, NOW, "p"), Some(due));
        let never = one("{function: state.apply, cron: '0 0 31 2 *'}").unwrap();
        assert_eq!(never.due_ms(None, NOW, NOW, "p"), None);
    }

    #[test]
    fn peels_are_spread() {
        let entry = one("{function: state.apply, minutes: 30, splay: 600}").unwrap();
        let places: std::collections::BTreeSet<u64> =
            (0..50).filter_map(|n| entry.due_ms(None, NOW, NOW, &format!("web-{n}"))).collect();
        assert!(places.len() > 45);
        assert!(places.iter().all(|p| (NOW + HOUR / 2..NOW + HOUR / 2 + 600_000).contains(p)));
        assert_eq!(entry.due_ms(None, NOW, NOW, "a"), entry.due_ms(None, NOW, NOW + 5, "a"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (yaml, says) in [
            ("{function: state.apply}", "the schedule's entry `x`: it needs `interval`"),
            ("{interval: 5m}", "it needs `function`"),
            ("{function: a.b, intervall: 5m}", "no key `intervall`; did you mean `interval`?"),
            ("{function: a.b, interval: 5minutes}", "`interval` is text"),
            ("{function: a.b, interval: 5m, cron: '* * * * *'}", "both"),
            ("{function: a.b, cron: '61 * * * *'}", "is no time of cron"),
            ("{function: a.b, interval: 0.1}", "shorter than a second"),
            ("{function: a.b, interval: 1e300}", "where a time is expected"),
            ("{function: a.b, hours: 1, maxrunning: 0}", "a number from 1"),
            ("[]", "where a map is expected"),
        ] {
            let said = one(yaml).unwrap_err();
            assert!(said.contains(says), "{yaml}: {said}");
        }
        assert!(read(&read_yaml("x: {enabled: false}").unwrap()).0.is_empty());
        assert!(read(&read_yaml("{enabled: false, x: {function: a.b, hours: 1}}").unwrap()).0.is_empty());
    }
}
