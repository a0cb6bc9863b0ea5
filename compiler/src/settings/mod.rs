//! Settings: top matching, rendering, merge, provenance, secrets.
//!
//! [`resolve`] gives one peel's settings with the way they came about: every place that touched a path, in order,
//! and who won.

mod merge;
mod overrides;
mod read;
mod render;
mod resolve;
#[cfg(test)]
mod tests;
mod top;
mod why;

pub use overrides::{Override, OverrideError};
pub use render::resolve;
pub use resolve::Request;
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
    /// ```yaml
    /// # common.zy
    /// nginx:
    ///   port: 80
    /// # web.zy
    /// nginx: enabled
    /// ```
    ///
    /// Write instead:
    ///
    /// ```yaml
    /// # web.zy
    /// nginx:
    ///   enabled: true
    /// ```
    pub SETTINGS_SHAPE = "Z0501", "settings-shape", Warning;

    /// The settings top file, or an include of a settings file, names a file that does not exist.
    ///
    /// ```yaml
    /// base:
    ///   '*':
    ///     - comon
    /// ```
    ///
    /// Write the ref of a file below the settings root, or `ignore_missing: true` beside it.
    pub MISSING_SETTINGS_FILE = "Z0502", "missing-settings-file", Error;

    /// A settings file is not a map, or its `include`, `__merge__` or `!encrypted` does not have the shape it needs.
    ///
    /// ```yaml
    /// include: common, users
    /// ```
    ///
    /// Write instead:
    ///
    /// ```yaml
    /// include:
    ///   - common
    ///   - users
    /// ```
    pub SETTINGS_FILE_SHAPE = "Z0503", "settings-file-shape", Error;

    /// Settings files include each other in a circle.
    ///
    /// No order of merging satisfies them.
    ///
    /// ```yaml
    /// # a.zy
    /// include: [b]
    /// # b.zy
    /// include: [a]
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
    RULES.iter().copied()
}
