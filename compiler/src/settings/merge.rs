//! Merging one file after the other: maps deeply, lists and scalars replaced, each hand noted.

use super::{
    SETTINGS_SHAPE, Settings, Touch,
    read::{Placed, PlacedKind, Strategies, Strategy},
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
    pub files: Vec<String>,
    pub diagnostics: Vec<Diagnostic>,
}

impl Merger {
    /// The settings so far.
    pub fn so_far(&self) -> Value {
        Value::Map(self.value.clone())
    }

    /// Merges a file's map on top.
    pub fn merge(&mut self, placed: Placed) {
        if let PlacedKind::Map(entries, strategies) = placed.kind {
            let mut map = std::mem::take(&mut self.value);
            self.merge_map(&mut map, entries, &strategies, &mut Vec::new());
            self.value = map;
        }
    }

    fn merge_map(
        &mut self,
        map: &mut Map,
        entries: indexmap::IndexMap<String, Placed>,
        strategies: &Strategies,
        path: &mut Vec<String>,
    ) {
        for (key, placed) in entries {
            path.push(key.clone());
            let slot = map.entry(key.clone()).or_default();
            self.merge_value(slot, placed, strategies.of(&key), path);
            path.pop();
        }
    }

    fn merge_value(&mut self, slot: &mut Value, placed: Placed, strategy: Strategy, path: &mut Vec<String>) {
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
                    self.merge_map(map, entries, &strategies, path);
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
    pub fn finish(self) -> (Settings, Vec<Diagnostic>) {
        let settings = Settings {
            value: Arc::new(Value::Map(self.value)),
            secret_paths: self.secrets,
            files: self.files,
            touches: self.touches,
        };
        (settings, self.diagnostics)
    }
}
