//! `timezone.system`

use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    file::{path, text},
    provider::{FileKind, Ownership},
};
use zester_stdlib_derive::Arguments;

const LINK: &str = "/etc/localtime";
const NAME_FILE: &str = "/etc/timezone";
const ZONES: &str = "/usr/share/zoneinfo";
const CLOCK: &str = "/etc/adjtime";

/// The machine has this time zone.
///
/// ```yaml
/// Europe/Berlin:
///   timezone.system:
///     - utc: true
/// ```
#[derive(Arguments)]
#[state("timezone.system")]
pub(crate) struct System {
    /// The zone's name in the IANA database.
    #[arg(primary, ty = Type::Timezone)]
    name: String,
    /// Whether the hardware's clock shows UTC; else it shows the zone's time.
    #[arg(default = true)]
    utc: bool,
}

/// The zone that is set: that of the link, else the one that Debian's file names.
fn current(cx: &Context) -> Result<Option<String>, Failure> {
    let stat = path::stat(cx, LINK, false)?;
    if stat.is_some_and(|s| s.kind == FileKind::Symlink) {
        let target = cx.machine.files.read_link(LINK).map_err(|e| path::unreadable(LINK, &e))?;
        return Ok(target.split_once("zoneinfo/").map(|(_, zone)| zone.to_owned()));
    }
    Ok(text::read(cx, NAME_FILE)?.map(|text| text.trim().to_owned()).filter(|zone| !zone.is_empty()))
}

/// Whether the hardware's clock shows UTC: the third line says so, and UTC is what a missing file means.
fn clock_is_utc(text: &str) -> bool {
    text.lines().nth(2).is_none_or(|line| line.trim() != "LOCAL")
}

impl State for System {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let zone = &self.name;
        if zone.starts_with('/') || zone.split('/').any(|part| part.is_empty() || part == "..") {
            return Err(Failure::new(format!(
                "`{zone}` is not the name of a time zone such as `Europe/Berlin`"
            )));
        }
        let file = path::join(ZONES, zone);
        let old = current(cx)?;
        let mut changes = Changes::new();
        // A copy instead of the link follows no update of the zone, so the link is made in any case.
        let is_link = path::stat(cx, LINK, false)?.is_some_and(|s| s.kind == FileKind::Symlink);
        let set = old.as_ref() != Some(zone) || !is_link;
        if set {
            changes.insert("timezone".to_owned(), change(old, zone.as_str()));
        }
        let named = text::read(cx, NAME_FILE)?.filter(|text| text.trim() != zone);
        if let Some(text) = &named {
            changes.insert(NAME_FILE.to_owned(), change(text.trim(), zone.as_str()));
        }
        let clock = text::read(cx, CLOCK)?.unwrap_or_default();
        let is_utc = clock_is_utc(&clock);
        if is_utc != self.utc {
            changes.insert("utc".to_owned(), change(is_utc, self.utc));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("the time zone is `{zone}`")));
        }
        // A package of this run may bring the zones, so a test run says nothing.
        if set && !cx.test && path::stat(cx, &file, true)?.is_none_or(|s| s.kind != FileKind::File) {
            return Err(Failure::new(if path::is_directory(cx, ZONES)? {
                format!("there is no time zone `{zone}` in `{ZONES}`")
            } else {
                format!("`{ZONES}` does not exist; install `tzdata` before the time zone is set")
            }));
        }
        Ok(Plan::change(changes, format!("the time zone becomes `{zone}`"), move |cx| {
            let files = &cx.machine.files;
            let write = |path: &str, text: String| {
                files
                    .write(path, text.as_bytes(), Ownership::default(), true)
                    .map_err(|e| Failure::new(format!("`{path}` could not be written: {e}")))
            };
            if set {
                files.symlink(&file, LINK).map_err(|e| {
                    Failure::new(format!("`{LINK}` could not be made a link to `{file}`: {e}"))
                })?;
            }
            if named.is_some() {
                write(NAME_FILE, format!("{zone}\n"))?;
            }
            if is_utc != self.utc {
                let mut lines: Vec<&str> = clock.lines().take(2).collect();
                // The drift and the time of the last adjustment: none is known.
                for missing in ["0.0 0 0.0", "0"].iter().skip(lines.len()) {
                    lines.push(missing);
                }
                lines.push(if self.utc { "UTC" } else { "LOCAL" });
                write(CLOCK, format!("{}\n", lines.join("\n")))?;
            }
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::Arguments;

    #[test]
    fn link_name_and_clock() {
        let machine = FakeMachine::new();
        machine.files.put("/etc/timezone", "Etc/UTC\n");
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let berlin = args(r#"{"name": "Europe/Berlin", "utc": false}"#);
        let state = System::from_values(&berlin).unwrap();
        assert!(state.plan(&machine.context()).err().unwrap().message.contains("install `tzdata`"));
        machine.files.put("/usr/share/zoneinfo/Europe/Berlin", "TZif");
        let outcome = machine.converge::<System>(&berlin).unwrap();
        assert_eq!(outcome.changes["timezone"], change("Etc/UTC", "Europe/Berlin"));
        assert_eq!(machine.files.text("/etc/timezone"), "Europe/Berlin\n");
        assert_eq!(machine.files.text("/etc/adjtime"), "0.0 0 0.0\n0\nLOCAL\n");
        let utc = machine.converge::<System>(&args(r#"{"name": "Europe/Berlin"}"#)).unwrap();
        assert_eq!(utc.changes.keys().collect::<Vec<_>>(), ["utc"]);
        let odd = System::from_values(&args(r#"{"name": "../../etc/passwd"}"#)).unwrap();
        assert!(odd.plan(&machine.context()).err().unwrap().message.contains("not the name of a time zone"));
    }
}
