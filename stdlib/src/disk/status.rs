//! `disk.status`

use crate::{Context, Failure, Plan, State};
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// A file system is as full as it may be. Nothing is changed: the state fails when it is not, and others can require it.
///
/// ```yaml
/// /var:
///   disk.status:
///     - maximum: 90%
/// ```
#[derive(Arguments)]
#[state("disk.status")]
pub(crate) struct Status {
    /// A path on the file system.
    #[arg(primary)]
    name: String,
    /// Most that may be used: per cent, or units of 1,024 bytes with `absolute`.
    #[arg(ty = Type::INT.or(Type::Float).or(Type::Str))]
    maximum: Option<Value>,
    /// Least that must be used, in the same units.
    #[arg(ty = Type::INT.or(Type::Float).or(Type::Str))]
    minimum: Option<Value>,
    /// Whether the limits are units of 1,024 bytes.
    #[arg(default = false)]
    absolute: bool,
    /// Whether the limits are those of what is free.
    #[arg(default = false)]
    free: bool,
}

/// What a file system has, in units of 1,024 bytes.
#[derive(Clone, Copy)]
struct Room {
    used: u64,
    available: u64,
}

impl Room {
    /// As `df` counts it: what only root may use is neither used nor available.
    fn of(path: &str) -> Result<Self, Failure> {
        let fs = rustix::fs::statvfs(path)
            .map_err(|e| Failure::new(format!("the file system of `{path}` could not be asked: {e}")))?;
        let unit = |blocks: u64| blocks.saturating_mul(fs.f_frsize) / 1024;
        Ok(Self { used: unit(fs.f_blocks.saturating_sub(fs.f_bfree)), available: unit(fs.f_bavail) })
    }

    fn share(self, free: bool) -> f64 {
        let part = if free { self.available } else { self.used };
        let total = self.used + self.available;
        if total == 0 { 0.0 } else { part as f64 * 100.0 / total as f64 }
    }
}

impl Status {
    /// A limit in the units of `absolute`.
    fn limit(&self, parameter: &str, value: Option<&Value>) -> Result<Option<f64>, Failure> {
        let Some(value) = value else { return Ok(None) };
        let text = value.to_string();
        let number = if self.absolute { text.trim() } else { text.trim().trim_end_matches('%').trim() };
        let most = if self.absolute { f64::MAX } else { 100.0 };
        match number.parse::<f64>() {
            Ok(number) if (0.0..=most).contains(&number) => Ok(Some(number)),
            _ if self.absolute => {
                Err(Failure::new(format!("`{parameter}` is a number of units of 1,024 bytes, not `{text}`")))
            }
            _ => Err(Failure::new(format!("`{parameter}` is a number from 0 to 100, not `{text}`"))),
        }
    }
}

impl State for Status {
    fn plan(&self, _cx: &Context) -> Result<Plan<'_>, Failure> {
        let maximum = self.limit("maximum", self.maximum.as_ref())?;
        let minimum = self.limit("minimum", self.minimum.as_ref())?;
        if let (Some(least), Some(most)) = (minimum, maximum)
            && least > most
        {
            return Err(Failure::new("`minimum` is more than `maximum`"));
        }
        let room = Room::of(&self.name)?;
        let have = match (self.absolute, self.free) {
            (true, true) => room.available as f64,
            (true, false) => room.used as f64,
            (false, free) => room.share(free),
        };
        let unit = if self.absolute { " KiB" } else { "%" };
        let what = if self.free { "free" } else { "used" };
        let said = format!("{have:.0}{unit} of `{}` are {what}", self.name);
        if let Some(most) = maximum.filter(|most| have > *most) {
            return Err(Failure::new(format!("{said}, more than the maximum of {most}{unit}")));
        }
        if let Some(least) = minimum.filter(|least| have < *least) {
            return Err(Failure::new(format!("{said}, less than the minimum of {least}{unit}")));
        }
        Ok(Plan::unchanged(said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::Map;

    fn check(json: &str) -> Result<String, String> {
        let args: Map = serde_json::from_str(json).unwrap();
        let outcome = FakeMachine::real().converge::<Status>(&args);
        outcome.map(|o| o.comment.unwrap_or_default()).map_err(|e| e.message)
    }

    #[test]
    fn limits() {
        assert!(
            check(r#"{"name": "/", "maximum": "100%", "minimum": 0}"#)
                .unwrap()
                .ends_with("% of `/` are used")
        );
        assert!(
            check(r#"{"name": "/", "minimum": 0, "absolute": true, "free": true}"#)
                .unwrap()
                .contains(" KiB of `/` are free")
        );
        assert!(
            check(r#"{"name": "/", "maximum": 0, "absolute": true}"#)
                .unwrap_err()
                .contains("more than the maximum of 0 KiB")
        );
        assert!(
            check(r#"{"name": "/proc", "minimum": 1}"#).unwrap_err().contains("less than the minimum of 1%")
        );
    }

    #[test]
    fn nonsense_is_said() {
        assert_eq!(
            check(r#"{"name": "/", "maximum": "101%"}"#).unwrap_err(),
            "`maximum` is a number from 0 to 100, not `101%`"
        );
        assert_eq!(
            check(r#"{"name": "/", "maximum": 1, "minimum": 2}"#).unwrap_err(),
            "`minimum` is more than `maximum`"
        );
        assert!(check(r#"{"name": "/no/where"}"#).unwrap_err().contains("`/no/where` could not be asked"));
    }

    #[test]
    fn shares_are_of_what_can_be_used() {
        let room = Room { used: 25, available: 75 };
        assert!(
            (room.share(false) - 25.0).abs() < f64::EPSILON && (room.share(true) - 75.0).abs() < f64::EPSILON
        );
    }
}
