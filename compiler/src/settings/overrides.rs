//! `--set path=value`: settings of one run, on top of everything.

use super::read::{Placed, PlacedKind, Strategies, from_value};
use crate::{
    source::{Files, Span},
    types::Value,
};
use indexmap::IndexMap;

/// A path with its value for one run.
#[derive(Clone, PartialEq, Debug)]
pub struct Override {
    path: Vec<String>,
    value: Value,
    span: Span,
}

/// Why a text is no override. The text is a full sentence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OverrideError {
    /// No `=`.
    #[error("`{0}` has no `=`; write `path=value`, as in `nginx.port=8080`")]
    NoValue(String),
    /// Nothing before the `=`, or between two separators.
    #[error("the path of `{0}` has an empty name; write `path=value`, as in `nginx.port=8080`")]
    NoPath(String),
    /// The value is not YAML.
    #[error("the value of `--set {path}` is not YAML: {message}")]
    Yaml {
        /// Its path.
        path: String,
        /// The parser's words.
        message: String,
    },
}

impl Override {
    /// Reads `path=value`: keys separated by dots (or by colons), the value as YAML. The path is entered into
    /// `files`, so that it has a place like any other.
    pub fn parse(text: &str, files: &Files) -> Result<Self, OverrideError> {
        let (path, value) = text.split_once('=').ok_or_else(|| OverrideError::NoValue(text.to_owned()))?;
        let separator = if path.contains(':') { ':' } else { '.' };
        let path: Vec<String> = path.trim().split(separator).map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(OverrideError::NoPath(text.to_owned()));
        }
        // The value is not repeated: it may be a secret.
        let shown = path.join(&separator.to_string());
        let value = crate::project::read_yaml(value)
            .map_err(|message| OverrideError::Yaml { path: shown.clone(), message })?;
        let span = 0..shown.len();
        let file = files.add(&format!("--set {shown}"), shown);
        Ok(Self { path, value, span: Span::new(file, span) })
    }

    pub(super) fn placed(&self) -> Placed {
        let mut placed = from_value(&self.value, self.span);
        for key in self.path.iter().rev() {
            let entries = IndexMap::from_iter([(key.clone(), placed)]);
            placed = Placed { kind: PlacedKind::Map(entries, Strategies::default()), span: self.span };
        }
        placed
    }
}
