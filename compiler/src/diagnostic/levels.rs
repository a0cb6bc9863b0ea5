//! Severities after configuration: `lint:` of `zester.yaml`, then `--level`.

use super::{Diagnostic, Rule, Severity, catalogue::find};
use std::collections::HashMap;

/// Why a level could not be set.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LevelError {
    /// No rule has this code or name.
    #[error("there is no rule `{name}`{}", nearest.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    UnknownRule {
        /// As written.
        name: String,
        /// A rule of nearly that name.
        nearest: Option<&'static str>,
    },
    /// The word is no level.
    #[error("`{0}` is not a level; the levels are allow, hint, warn, deny")]
    UnknownLevel(String),
}

/// Severities by rule.
#[derive(Clone, Default, Debug)]
pub struct Levels {
    by_code: HashMap<&'static str, Severity>,
}

impl Levels {
    /// The rules' own severities.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the level of a rule, by code or name. Later calls win.
    pub fn set(&mut self, rule: &str, level: &str) -> Result<(), LevelError> {
        let severity = parse_level(level).ok_or_else(|| LevelError::UnknownLevel(level.to_owned()))?;
        let rule =
            find(rule).map_err(|nearest| LevelError::UnknownRule { name: rule.to_owned(), nearest })?;
        self.by_code.insert(rule.code, severity);
        Ok(())
    }

    /// The severity a rule has here.
    pub fn of(&self, rule: &Rule) -> Severity {
        self.by_code.get(rule.code).copied().unwrap_or(rule.severity)
    }

    /// The severity that was set for a rule, if one was.
    pub fn adjust(&self, rule: &Rule) -> Option<Severity> {
        self.by_code.get(rule.code).copied()
    }

    /// Gives a finding its configured severity; `None` when it is not to be reported.
    pub fn apply(&self, mut diagnostic: Diagnostic) -> Option<Diagnostic> {
        if let Some(severity) = self.by_code.get(diagnostic.rule.code) {
            diagnostic.severity = *severity;
        }
        (diagnostic.severity != Severity::Allow).then_some(diagnostic)
    }
}

/// The words for levels: those of `zester.yaml` and `--level`.
pub fn parse_level(word: &str) -> Option<Severity> {
    Some(match word {
        "allow" | "off" | "ignore" => Severity::Allow,
        "hint" => Severity::Hint,
        "warn" | "warning" => Severity::Warning,
        "deny" | "error" => Severity::Error,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_rules_and_levels_are_told_apart() {
        let mut levels = Levels::new();
        assert_eq!(levels.set("unknown-module", "warn"), Ok(()));
        let error = levels.set("unknown-modul", "warn").unwrap_err();
        assert_eq!(error.to_string(), "there is no rule `unknown-modul`; did you mean `unknown-module`?");
        assert!(matches!(levels.set("unknown-module", "loud"), Err(LevelError::UnknownLevel(_))));
    }
}
