//! What a machine's owner decides about its peel: `peel.yaml` beside its keys.

use super::{schedule, startup::Startup};
use std::time::Duration;
use zester_compiler::{
    diagnostic::nearest,
    project::read_yaml,
    types::{Map, Value},
};

/// The parts of `peel.yaml`. Everything is optional.
#[derive(Clone, Debug)]
pub struct Daemon {
    /// `schedule`: entries that settings may replace by name.
    pub schedule: Value,
    /// `startup_states`: what is applied when the peel starts.
    pub startup: Startup,
    /// `facts_interval`: between two looks at the machine's facts.
    pub facts_interval: Option<Duration>,
    /// `health`: where health and metrics are answered, `address:port` or `none`.
    pub health: Option<String>,
}

impl Default for Daemon {
    fn default() -> Self {
        Self { schedule: schedule::none(), startup: Startup::Nothing, facts_interval: None, health: None }
    }
}

const KEYS: &[&str] =
    &["schedule", "startup_states", "sls_list", "startup_sls_list", "facts_interval", "health"];

impl Daemon {
    /// Reads the text of `peel.yaml`; the error is a sentence.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut daemon = Self::default();
        let map = match read_yaml(text)? {
            Value::Null => return Ok(daemon),
            Value::Map(map) => map,
            other => return Err(format!("it is {}, where a map is expected", other.describe())),
        };
        if let Some(key) = map.keys().find(|k| !KEYS.contains(&k.as_str())) {
            let near = nearest(key, KEYS.iter().copied());
            let hint = near.map_or_else(
                || format!("; its keys are {}", KEYS.join(", ")),
                |n| format!("; did you mean `{n}`?"),
            );
            return Err(format!("there is no key `{key}`{hint}"));
        }
        if let Some(value) = map.get("schedule") {
            if let Some(problem) = schedule::entry::read(value).1.into_iter().next() {
                return Err(problem);
            }
            daemon.schedule = value.clone();
        }
        daemon.startup = startup(&map)?;
        daemon.facts_interval = match map.get("facts_interval") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let ms = schedule::entry::milliseconds("facts_interval", value, 1_000)?;
                Some(Duration::from_millis(ms.max(1_000)))
            }
        };
        daemon.health = match map.get("health") {
            None | Some(Value::Null) => None,
            Some(Value::Str(text)) => Some(text.clone()),
            Some(Value::Bool(false)) => Some("none".to_owned()),
            Some(other) => {
                return Err(format!(
                    "`health` is {}, where an address is expected, as 127.0.0.1:9475",
                    other.describe()
                ));
            }
        };
        Ok(daemon)
    }
}

fn startup(map: &Map) -> Result<Startup, String> {
    let refs = |key: &str| -> Result<Vec<String>, String> {
        match map.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Str(text)) => Ok(vec![text.clone()]),
            Some(Value::List(items)) => items
                .iter()
                .map(|i| i.as_str().map(str::to_owned).ok_or_else(|| format!("`{key}` is a list of refs")))
                .collect(),
            Some(other) => Err(format!("`{key}` is {}, where a list of refs is expected", other.describe())),
        }
    };
    match map.get("startup_states") {
        None | Some(Value::Null) => Ok(Startup::Nothing),
        Some(Value::Str(word)) if word.is_empty() => Ok(Startup::Nothing),
        Some(Value::Str(word)) if word == "highstate" => Ok(Startup::Highstate),
        // Salt's form and the Go implementation's.
        Some(Value::Str(word)) if word == "sls" => {
            let mut all = refs("sls_list")?;
            all.extend(refs("startup_sls_list")?);
            if all.is_empty() {
                return Err("`startup_states: sls` needs `sls_list`, the state files".to_owned());
            }
            Ok(Startup::Refs(all))
        }
        Some(Value::List(_)) => Ok(Startup::Refs(refs("startup_states")?)),
        Some(Value::Str(word)) => Err(format!(
            "`startup_states` is `{word}`; it is `highstate`, `sls` with `sls_list`, or a list of state files"
        )),
        Some(other) => {
            Err(format!("`startup_states` is {}, where `highstate` or a list is expected", other.describe()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_and_wrong_ones_are_said() {
        let daemon = Daemon::read(
            "schedule: {h: {function: state.apply, hours: 1}}\nstartup_states: sls\nsls_list: [a, b]\nfacts_interval: 1m\nhealth: none\n",
        )
        .unwrap();
        assert_eq!(daemon.startup, Startup::Refs(vec!["a".into(), "b".into()]));
        assert_eq!(daemon.facts_interval, Some(Duration::from_secs(60)));
        assert_eq!(daemon.health.as_deref(), Some("none"));
        assert_eq!(Daemon::read("startup_states: highstate").unwrap().startup, Startup::Highstate);
        assert_eq!(Daemon::read("").unwrap().startup, Startup::Nothing);
        for (text, says) in [
            ("schedul: {}", "did you mean `schedule`?"),
            ("startup_states: sls", "needs `sls_list`"),
            ("startup_states: all", "it is `highstate`"),
            ("schedule: {h: {function: a.b}}", "it needs `interval`"),
            ("facts_interval: often", "where a time is expected"),
            ("- a", "it is a list"),
        ] {
            let said = Daemon::read(text).unwrap_err();
            assert!(said.contains(says), "{text}: {said}");
        }
    }
}
