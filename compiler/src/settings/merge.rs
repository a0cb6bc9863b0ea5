//! Merging one file after the other: maps deeply, lists and scalars replaced, each hand noted.

use super::{
    Declared, SETTINGS_SHAPE, Settings, Touch,
    read::{Placed, PlacedKind, Strategies, Strategy},
    validate::defaults,
};
use crate::{
    diagnostic::Diagnostic,
    source::Span,
    types::{Map, Value},
};
use std::sync::Arc;

/// Settings under construction.
#[derive(Default)]
pub(super) struct Merger {
    value: Map,
    secrets: Vec<Vec<String>>,
    touches: Vec<Touch>,
    schema: Option<Arc<Declared>>,
    /// Paths that have their default still.
    defaults: Vec<Vec<String>>,
    pub files: Vec<String>,
    pub diagnostics: Vec<Diagnostic>,
}

impl Merger {
    /// The settings so far.
    pub fn so_far(&self) -> Value {
        Value::Map(self.value.clone())
    }

    /// Settings that begin with the defaults of a schema and merge as it says.
    pub fn with_schema(schema: Arc<Declared>) -> Self {
        let mut merger = Self::default();
        for (path, value, span) in defaults(&schema) {
            put(&mut merger.value, &path, value.clone());
            merger.touch(&path, value, span, false, false);
            merger.defaults.push(path);
        }
        merger.schema = Some(schema);
        merger
    }

    /// Merges a file's map on top.
    pub fn merge(&mut self, placed: Placed) {
        if let PlacedKind::Map(entries, strategies) = placed.kind {
            let mut map = std::mem::take(&mut self.value);
            let schema = self.schema.clone();
            self.merge_map(&mut map, entries, &strategies, schema.as_ref(), &mut Vec::new());
            self.value = map;
        }
    }

    /// Merges an option of the command line on top. What was secret stays so, whoever gives it another value.
    pub fn set(&mut self, placed: Placed) {
        let secrets = self.secrets.clone();
        self.merge(placed);
        for path in secrets {
            let there = path.iter().try_fold(None::<&Value>, |value, key| match value {
                None => self.value.get(key).map(Some),
                Some(Value::Map(map)) => map.get(key).map(Some),
                Some(Value::List(items)) => items.get(key.parse::<usize>().ok()?).map(Some),
                Some(_) => None,
            });
            if there.is_some() && !self.secrets.contains(&path) {
                self.touches.iter_mut().filter(|t| t.path.starts_with(&path)).for_each(|t| t.secret = true);
                self.secrets.push(path);
            }
        }
    }

    fn merge_map(
        &mut self,
        map: &mut Map,
        entries: indexmap::IndexMap<String, Placed>,
        strategies: &Strategies,
        declared: Option<&Arc<Declared>>,
        path: &mut Vec<String>,
    ) {
        for (key, placed) in entries {
            path.push(key.clone());
            let slot = map.entry(key.clone()).or_default();
            let below = declared.and_then(|d| d.below(&key));
            let strategy = strategies.of(&key).or_else(|| below.as_ref()?.merge).unwrap_or_default();
            self.merge_value(slot, placed, strategy, below.as_ref(), path);
            path.pop();
        }
    }

    fn merge_value(
        &mut self,
        slot: &mut Value,
        placed: Placed,
        strategy: Strategy,
        declared: Option<&Arc<Declared>>,
        path: &mut Vec<String>,
    ) {
        // A default holds where nothing is written; it is no part of what is.
        if let Some(at) = self.defaults.iter().position(|default| default == path) {
            self.defaults.swap_remove(at);
            *slot = Value::Null;
        }
        match placed.kind {
            PlacedKind::Map(entries, strategies) => {
                if !matches!(slot, Value::Map(_)) {
                    self.warn_of_shape(slot, "a map", path, placed.span);
                    self.forget_secrets(path);
                    *slot = Value::Map(Map::new());
                    if entries.is_empty() {
                        self.touch(path, slot.clone(), placed.span, false, false);
                    }
                }
                if let Value::Map(map) = slot {
                    self.merge_map(map, entries, &strategies, declared, path);
                }
            }
            PlacedKind::Leaf(value, secrets) => {
                if matches!(slot, Value::Map(_)) {
                    self.warn_of_shape(slot, value.describe(), path, placed.span);
                }
                let secret = !secrets.is_empty();
                if strategy != Strategy::Replace
                    && let (Value::List(old), Value::List(new)) = (&mut *slot, &value)
                {
                    self.touch(path, value.clone(), placed.span, secret, true);
                    for (index, item) in new.iter().enumerate() {
                        if strategy == Strategy::Unique && old.contains(item) {
                            continue;
                        }
                        for inner in secrets.iter().filter(|s| s.first() == Some(&index.to_string())) {
                            let place =
                                std::iter::once(old.len().to_string()).chain(inner[1..].iter().cloned());
                            self.secrets.push(path.iter().cloned().chain(place).collect());
                        }
                        old.push(item.clone());
                    }
                    return;
                }
                self.forget_secrets(path);
                for inner in secrets {
                    self.secrets.push(path.iter().cloned().chain(inner).collect());
                }
                self.touch(path, value.clone(), placed.span, secret, false);
                *slot = value;
            }
        }
    }

    fn forget_secrets(&mut self, path: &[String]) {
        self.secrets.retain(|secret| !secret.starts_with(path));
    }

    fn touch(&mut self, path: &[String], value: Value, span: Span, secret: bool, appended: bool) {
        self.touches.push(Touch { path: path.to_vec(), value, span, secret, appended });
    }

    fn warn_of_shape(&mut self, old: &Value, new: &str, path: &[String], span: Span) {
        // Where nothing was, nothing is lost; a fresh slot is null too.
        if old.is_null() || old.as_map().is_some_and(Map::is_empty) {
            return;
        }
        let name = path.join(".");
        let earlier = self.touches.iter().rev().find(|t| t.path.starts_with(path)).map(|t| t.span);
        let mut warning = Diagnostic::new(
            &SETTINGS_SHAPE,
            span,
            format!("`{name}` is {} in an earlier file and {new} here, which replaces it", old.describe()),
        )
        .help("give the setting one shape, or another name");
        if let Some(earlier) = earlier {
            warning = warning.label(earlier, format!("{} here", old.describe()));
        }
        self.diagnostics.push(warning);
    }

    /// The settings, with what was found on the way.
    pub fn finish(mut self) -> (Settings, Vec<Diagnostic>) {
        let mut settings = Settings {
            value: Arc::new(Value::Map(self.value)),
            secret_paths: self.secrets,
            files: self.files,
            touches: self.touches,
        };
        if let Some(schema) = &self.schema {
            self.diagnostics.extend(settings.validate(schema));
        }
        (settings, self.diagnostics)
    }
}

/// Writes a value at a path, with maps on the way.
fn put(map: &mut Map, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            map.insert(last.clone(), value);
        }
        [key, rest @ ..] => {
            let slot = map.entry(key.clone()).or_default();
            if !matches!(slot, Value::Map(_)) {
                *slot = Value::Map(Map::new());
            }
            if let Value::Map(inner) = slot {
                put(inner, rest, value);
            }
        }
    }
}
