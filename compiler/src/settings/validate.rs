//! Whether values are what `schema.zy` declares: where they are written, and once they are merged.

use super::{Declared, MASK, Settings};
use crate::{
    diagnostic::Diagnostic,
    rule,
    source::Span,
    types::{
        Type, Value,
        decode::{DecodeError, decode_value, value_node},
    },
};
use std::sync::Arc;

rule! {
    /// A setting is not what `schema.zy` declares.
    ///
    /// It is checked in every file and on every branch; what an expression gives is checked when a peel's settings
    /// are resolved.
    ///
    /// ```yaml
    /// -- settings/schema.zy --
    /// nginx:
    ///   port: {type: port}
    /// -- settings/web.zy --
    /// nginx:
    ///   port: 80800
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// Write a value of the declared type, or correct the schema:
    ///
    /// ```yaml
    /// -- settings/schema.zy --
    /// nginx:
    ///   port: {type: port}
    /// -- settings/web.zy --
    /// nginx:
    ///   port: 8080
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub SCHEMA_VIOLATION = "Z0507", "schema-violation", Error;

    /// A setting that `schema.zy` requires is not there.
    ///
    /// It must be there where the map around it is; at the top, always. `check` reports what no file writes, a run
    /// what the peel's own files do not write.
    ///
    /// ```yaml
    /// -- settings/schema.zy --
    /// nginx:
    ///   port: {type: port, required: true}
    /// -- settings/web.zy --
    /// nginx:
    ///   user: www-data
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// Write it, or give it a default:
    ///
    /// ```yaml
    /// -- settings/schema.zy --
    /// nginx:
    ///   port: {type: port, default: 80}
    /// -- settings/web.zy --
    /// nginx:
    ///   user: www-data
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub MISSING_SETTING = "Z0508", "missing-setting", Error;
}

/// The finding about a value that does not fit. `path` is the setting's.
pub fn violation(path: &str, declared: &Declared, error: DecodeError) -> Diagnostic {
    let diagnostic = not_that(path, declared, error.span, &error.message);
    match error.help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The finding about a value that is not what its setting is declared as. `message` says what it is, and should be.
pub fn not_that(path: &str, declared: &Declared, span: Span, message: &str) -> Diagnostic {
    Diagnostic::new(&SCHEMA_VIOLATION, span, format!("`{path}`: {message}"))
        .label(declared.span, "declared here")
        .help("write such a value, or correct the schema")
}

/// The finding about a value in the place of a map.
pub fn no_map(path: &str, declared: &Declared, found: &str, span: Span) -> Diagnostic {
    let mut keys: Vec<String> = declared.children.keys().take(4).map(|key| format!("`{key}`")).collect();
    if declared.children.len() > keys.len() {
        keys.push("…".to_owned());
    }
    let message = format!("`{path}` is {found}, where the schema declares a map");
    Diagnostic::new(&SCHEMA_VIOLATION, span, message)
        .label(declared.span, "declared here")
        .help(format!("write a map with the keys {}", keys.join(", ")))
}

/// A type without its requirement that all keys of records are there: other files may write them.
pub fn in_parts(ty: &Type) -> Type {
    match ty {
        Type::Record(fields) => {
            Type::Record(fields.iter().map(|(name, ty, _)| (name.clone(), in_parts(ty), true)).collect())
        }
        Type::Map(inner) => Type::Map(Box::new(in_parts(inner))),
        Type::Secret(inner) => Type::Secret(Box::new(in_parts(inner))),
        Type::Union(members) => Type::Union(members.iter().map(in_parts).collect()),
        // A list is written whole.
        other => other.clone(),
    }
}

/// Whether a text declared as `ty` keeps the words it is written in, where reading it gives another unit.
pub(super) fn keeps_words(ty: &Type) -> bool {
    match ty {
        Type::Duration | Type::Size => true,
        Type::List(inner) | Type::Map(inner) | Type::Secret(inner) => keeps_words(inner),
        Type::Record(fields) => fields.iter().any(|(_, ty, _)| keeps_words(ty)),
        Type::Union(members) => members.iter().any(keeps_words),
        _ => false,
    }
}

impl Settings {
    /// Marks what is declared secret, and reports what is not as declared.
    pub(super) fn validate(&mut self, schema: &Declared) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let mut secrets = Vec::new();
        let value = self.value.clone();
        self.check(schema, &value, &mut Vec::new(), &mut found, &mut secrets);
        for path in secrets {
            if !self.secret_paths.contains(&path) {
                self.secret_paths.push(path);
            }
        }
        found
    }

    fn check(
        &self,
        declared: &Declared,
        value: &Value,
        path: &mut Vec<String>,
        found: &mut Vec<Diagnostic>,
        secrets: &mut Vec<Vec<String>>,
    ) {
        if let Some(ty) = &declared.ty {
            if ty.is_secret() && !value.is_null() {
                secrets.push(path.clone());
            }
            self.check_leaf(declared, ty, value, path, found);
            return;
        }
        if declared.children.is_empty() {
            return;
        }
        let map = match value {
            Value::Map(map) => map,
            Value::Null => return,
            other => {
                let shown = if self.hides(path) { MASK.to_owned() } else { other.describe().to_owned() };
                found.push(no_map(&path.join("."), declared, &shown, self.place(path, declared)));
                return;
            }
        };
        for (key, inner) in &declared.children {
            path.push(key.clone());
            match map.get(key) {
                Some(value) if !(value.is_null() && inner.required && !allows_null(inner)) => {
                    self.check(inner, value, path, found, secrets);
                }
                _ if inner.required => found.push(missing(&path.join("."), inner)),
                _ => {}
            }
            path.pop();
        }
    }

    fn check_leaf(
        &self,
        declared: &Declared,
        ty: &Type,
        value: &Value,
        path: &[String],
        found: &mut Vec<Diagnostic>,
    ) {
        // Words about a secret would repeat it; what is sealed has no type yet.
        if self.hides(path) || ty.is_secret() {
            return;
        }
        let span = self.place(path, declared);
        let judged = decode_value(ty, value, span)
            .map(|_| ())
            .and_then(|()| declared.judge(&value_node(value.clone(), span)));
        if let Err(error) = judged {
            found.push(violation(&path.join("."), declared, error));
        }
    }

    /// Whether something of a path is secret.
    fn hides(&self, path: &[String]) -> bool {
        self.secret_paths.iter().any(|secret| secret.starts_with(path) || path.starts_with(secret))
    }

    /// Where a path was last written.
    fn place(&self, path: &[String], declared: &Declared) -> Span {
        let touches = || self.touches.iter().rev();
        touches()
            .find(|t| path.starts_with(&t.path))
            .or_else(|| touches().find(|t| t.path.starts_with(path)))
            .map_or(declared.span, |t| t.span)
    }
}

/// The finding about a setting that is not there.
pub fn missing(path: &str, declared: &Declared) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(
        &MISSING_SETTING,
        declared.span,
        format!("`{path}` is required, and no settings file writes it"),
    );
    if let Some(description) = &declared.description {
        diagnostic = diagnostic.label(declared.span, description.clone());
    }
    diagnostic.help("write it in a settings file, or give it a `default` here")
}

fn allows_null(declared: &Declared) -> bool {
    match &declared.ty {
        None => declared.children.is_empty(),
        Some(Type::Null | Type::Any) => true,
        Some(Type::Union(members)) => members.contains(&Type::Null),
        Some(_) => false,
    }
}

/// Every default of a schema with its path, outer ones first.
pub(super) fn defaults(schema: &Arc<Declared>) -> Vec<(Vec<String>, Value, Span)> {
    let mut found = Vec::new();
    let mut pending = vec![(Vec::new(), schema.clone())];
    while let Some((path, declared)) = pending.pop() {
        if let Some((value, span)) = &declared.default {
            found.push((path.clone(), value.clone(), *span));
        }
        for (key, inner) in declared.children.iter().rev() {
            let below = path.iter().cloned().chain([key.clone()]).collect();
            pending.push((below, inner.clone()));
        }
    }
    found
}
