//! Why a setting is what it is: every place that touched its path, in order, and who won.

use super::{MASK, Settings, Touch};
use crate::{
    source::{Files, LineColumn, Span},
    types::Value,
};
use std::sync::Arc;

/// One place that touched a path.
#[derive(Clone, PartialEq, Debug)]
pub struct Origin {
    /// The path it wrote, keys joined by dots; may lie above or below the one asked for.
    pub path: String,
    /// What it wrote there; [`MASK`] for secrets.
    pub value: Value,
    /// Where.
    pub span: Span,
    /// Whether it is in the result.
    pub wins: bool,
    /// Whether it added to a list rather than replaced the value.
    pub appended: bool,
}

impl Origin {
    /// The file (as shown to people), line and column.
    pub fn place(&self, files: &Files) -> (Arc<str>, LineColumn) {
        files.locate(self.span)
    }
}

/// The history of a path.
#[derive(Clone, PartialEq, Debug)]
pub struct Why {
    /// The value in the result, secrets masked; `None` when there is none.
    pub value: Option<Value>,
    /// All that touched it, first to last.
    pub origins: Vec<Origin>,
}

impl Settings {
    /// What touched a path, what lies below it and what it lies in.
    pub fn why(&self, path: &str) -> Why {
        let keys = self.keys(path);
        let related = |touch: &Touch| touch.path.starts_with(&keys) || keys.starts_with(&touch.path);
        let origins = self
            .touches
            .iter()
            .enumerate()
            .filter(|(_, touch)| related(touch))
            .map(|(index, touch)| Origin {
                path: touch.path.join("."),
                value: if touch.secret { Value::from(MASK) } else { touch.value.clone() },
                span: touch.span,
                wins: !self.touches[index + 1..].iter().any(|later| overrides(later, touch)),
                appended: touch.appended,
            })
            .collect();
        let masked = self.masked();
        let value = keys.iter().try_fold(&masked, |value, key| match value {
            Value::Map(map) => map.get(key),
            Value::List(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        });
        Why { value: value.cloned(), origins }
    }
}

/// Whether a later hand undoes an earlier one: it wrote the same path or one above, or it made the earlier one's
/// value a map.
fn overrides(later: &Touch, earlier: &Touch) -> bool {
    !later.appended
        && (earlier.path.starts_with(&later.path)
            || (later.path.starts_with(&earlier.path) && !matches!(earlier.value, Value::Map(_))))
}
