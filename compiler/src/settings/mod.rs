//! Settings: top matching, rendering, merge, provenance, secrets.
//!
//! [`resolve`] gives one peel's settings with the way they came about: every place that touched a path, in order,
//! and who won.

mod declared;
mod infer;
mod inferred;
#[cfg(test)]
mod inferred_tests;
mod marked;
mod mask;
mod merge;
mod overrides;
mod placeholder;
mod read;
mod render;
mod resolve;
mod sealed;
pub(crate) mod sealing;
#[cfg(test)]
mod tests;
mod top;
mod update;
pub(crate) mod validate;
mod why;

pub use declared::{Declared, MALFORMED_SCHEMA, SCHEMA_FILE, Schema};
pub use infer::{SettingsInclude, includes_of};
pub use inferred::{Definition, Found, Inferred, Selection, Setting, Written};
pub use marked::{Marked, marked, with_secrets};
pub use mask::Mask;
pub use overrides::{Override, OverrideError};
pub use placeholder::{Sanitized, sanitize};
pub use read::Strategy;
pub use render::{Selector, environment, resolve, resolve_in};
pub use resolve::Request;
pub use sealed::{KeepSealed, SEALED, UNOPENED_SECRET, Unseal, is_sealed};
pub use sealing::{PlainSecret, Seal, plain_secret_at, sealing_edit};
pub use validate::{MISSING_SETTING, SCHEMA_VIOLATION};
pub use why::{Origin, Why};

use crate::{
    source::Span,
    types::{Map, Value},
};
use std::sync::Arc;

crate::rule! {
    /// A settings file replaces a map by a single value, or a single value by a map.
    ///
    /// Everything below the map is lost, and templates that descend into it fail. Where two files mean the same
    /// thing they should have the same shape; an empty `key:` is a single value too.
    ///
    /// `check` reports it of files that one peel surely has together, a run of those that the peel has.
    ///
    /// ```yaml
    /// -- settings/top.zy --
    /// base: {'*': [common], 'web*': [web]}
    /// -- settings/common.zy --
    /// nginx:
    ///   port: 80
    /// -- settings/web.zy --
    /// nginx: enabled
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// Write instead:
    ///
    /// ```yaml
    /// -- settings/top.zy --
    /// base: {'*': [common], 'web*': [web]}
    /// -- settings/common.zy --
    /// nginx:
    ///   port: 80
    /// -- settings/web.zy --
    /// nginx:
    ///   enabled: true
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub SETTINGS_SHAPE = "Z0501", "settings-shape", Warning;

    /// The settings top file, or an include of a settings file, names a file that does not exist.
    ///
    /// ```yaml
    /// -- settings/top.zy --
    /// base:
    ///   '*':
    ///     - comon
    /// -- settings/common.zy --
    /// port: 80
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// Write the ref of a file below the settings root, or `ignore_missing: true` beside it.
    pub MISSING_SETTINGS_FILE = "Z0502", "missing-settings-file", Error;

    /// A settings file is not a map, or its `include`, `__merge__` or `!encrypted` does not have the shape it needs.
    ///
    /// ```yaml
    /// -- settings/web.zy --
    /// __merge__: apend
    /// ports: [443]
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// Write instead:
    ///
    /// ```yaml
    /// -- settings/web.zy --
    /// __merge__: append
    /// ports: [443]
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub SETTINGS_FILE_SHAPE = "Z0503", "settings-file-shape", Error;

    /// Settings files include each other in a circle.
    ///
    /// No order of merging satisfies them.
    ///
    /// ```yaml
    /// -- settings/a.zy --
    /// include: [b]
    /// -- settings/b.zy --
    /// include: [a]
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// Move what both need to a third file.
    pub SETTINGS_INCLUDE_CYCLE = "Z0504", "settings-include-cycle", Error;

    /// The top file of the settings does not have the shape of a top file: environment, target, list of refs.
    ///
    /// ```yaml
    /// base:
    ///   - common
    /// ```
    ///
    /// Write instead:
    ///
    /// ```yaml
    /// base:
    ///   '*':
    ///     - common
    /// ```
    pub SETTINGS_TOP_SHAPE = "Z0505", "settings-top-shape", Error;
}

/// One peel's settings.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The merged value: a map.
    pub value: Arc<Value>,
    /// Paths of values that came from `!encrypted`; list items by their index. They must not be shown.
    pub secret_paths: Vec<Vec<String>>,
    /// Project paths of the files that were merged, in order.
    pub files: Vec<String>,
    touches: Vec<Touch>,
}

/// A file's (or option's) hand in one path.
#[derive(Clone, Debug)]
struct Touch {
    path: Vec<String>,
    value: Value,
    span: Span,
    secret: bool,
    /// Items were added to a list rather than the value replaced.
    appended: bool,
}

/// What a secret looks like wherever it would be shown.
pub const MASK: &str = "***";

impl Settings {
    /// No settings: an empty map.
    pub fn empty() -> Self {
        Self { value: Arc::new(Value::Map(Map::new())), ..Self::default() }
    }

    /// The value of a path: keys separated by dots or by colons.
    pub fn get(&self, path: &str) -> Option<&Value> {
        let keys = self.keys(path);
        keys.iter().try_fold(&*self.value, |value, key| match value {
            Value::Map(map) => map.get(key),
            Value::List(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Whether the value of a path, or something in it, is secret.
    pub fn is_secret(&self, path: &str) -> bool {
        let keys = self.keys(path);
        self.secret_paths.iter().any(|secret| secret.starts_with(&keys) || keys.starts_with(secret))
    }

    /// The value with every secret replaced by [`MASK`].
    pub fn masked(&self) -> Value {
        let mut value = (*self.value).clone();
        for path in &self.secret_paths {
            mask(&mut value, path);
        }
        value
    }

    /// The keys of a written path. Colons separate where there are any, dots otherwise; a key that holds a dot is
    /// found where it exists as written.
    fn keys(&self, path: &str) -> Vec<String> {
        if path.is_empty() {
            return Vec::new();
        }
        if path.contains(':') {
            return path.split(':').map(str::to_owned).collect();
        }
        let segments: Vec<&str> = path.split('.').collect();
        let mut keys = Vec::new();
        let mut value = Some(&*self.value);
        let mut at = 0;
        while at < segments.len() {
            let map = value.and_then(Value::as_map);
            // The longest run of segments that is a key as it stands.
            let run = map
                .and_then(|map| {
                    (at + 1..=segments.len())
                        .rev()
                        .find(|end| map.contains_key(&segments[at..*end].join(".")))
                })
                .unwrap_or(at + 1);
            let key = segments[at..run].join(".");
            value = match value {
                Some(Value::Map(map)) => map.get(&key),
                Some(Value::List(items)) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            };
            keys.push(key);
            at = run;
        }
        keys
    }
}

fn mask(value: &mut Value, path: &[String]) {
    let Some((key, rest)) = path.split_first() else {
        *value = Value::from(MASK);
        return;
    };
    let inner = match value {
        Value::Map(map) => map.get_mut(key),
        Value::List(items) => key.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
        _ => None,
    };
    if let Some(inner) = inner {
        mask(inner, rest);
    }
}

/// The rules of this room.
pub(crate) fn rules() -> impl Iterator<Item = &'static crate::diagnostic::Rule> {
    [RULES, declared::RULES, sealed::RULES, validate::RULES].into_iter().flatten().copied()
}
