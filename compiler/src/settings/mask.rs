//! Secrets do not reach what is shown, whatever a template, a function or a command makes of them.

use super::{MASK, Settings};
use crate::{
    diagnostic::Diagnostic,
    ir::{Dag, Guard, Node},
    types::{Map, Value},
};
use std::borrow::Cow;

/// A shorter text is masked only where it stands alone: inside other text it would hit by chance.
const LONG_ENOUGH: usize = 4;

/// Texts that nobody may read.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Mask(Vec<String>);

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({})", self.0.len())
    }
}

impl Settings {
    /// What hides this peel's secrets.
    pub fn mask(&self) -> Mask {
        let mut texts = Vec::new();
        for path in &self.secret_paths {
            let found = path.iter().try_fold(&*self.value, |value, key| match value {
                Value::Map(map) => map.get(key),
                Value::List(items) => items.get(key.parse::<usize>().ok()?),
                _ => None,
            });
            if let Some(value) = found {
                collect(value, &mut texts);
            }
        }
        Mask::of(texts)
    }
}

impl Mask {
    fn of(mut texts: Vec<String>) -> Self {
        // A longer one may contain a shorter one.
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        texts.dedup();
        Self(texts)
    }

    /// With the values of the parameters of a state that are secret.
    pub fn with(&self, node: &Node) -> Cow<'_, Self> {
        if node.secret.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut texts = self.0.clone();
        for name in &node.secret {
            if let Some(value) = node.args.get(name) {
                collect(value, &mut texts);
            }
        }
        Cow::Owned(Self::of(texts))
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A plan to be shown; never one to be run.
    pub fn dag<'a>(&self, dag: &'a Dag) -> Cow<'a, Dag> {
        if self.is_empty() {
            return Cow::Borrowed(dag);
        }
        let mut shown = dag.clone();
        for node in shown.graph.node_weights_mut() {
            node.id = self.text(std::mem::take(&mut node.id));
            node.name = self.text(std::mem::take(&mut node.name));
            node.function.module = self.text(node.function.module.to_string()).into();
            node.function.function = self.text(node.function.function.to_string()).into();
            node.args = self.changes(std::mem::take(&mut node.args));
            let origins = std::mem::take(&mut node.arg_origins);
            node.arg_origins = origins.into_iter().map(|(name, at)| (self.text(name), at)).collect();
            let attributes = &mut node.attributes;
            for guard in attributes.onlyif.iter_mut().chain(&mut attributes.unless) {
                match guard {
                    Guard::Command(line) => *line = self.text(std::mem::take(line)),
                    Guard::Call { function, args, kwargs } => {
                        *function = self.text(std::mem::take(function));
                        for arg in args {
                            *arg = self.value(std::mem::take(arg));
                        }
                        *kwargs = self.changes(std::mem::take(kwargs));
                    }
                }
            }
            let words = attributes.runas.iter_mut().chain(&mut attributes.umask);
            for line in attributes.check_cmd.iter_mut().chain(&mut attributes.creates).chain(words) {
                *line = self.text(std::mem::take(line));
            }
            attributes.fire_event = attributes.fire_event.take().map(|tag| self.value(tag));
        }
        Cow::Owned(shown)
    }

    /// Findings to be shown: their words may repeat what a template gave.
    pub fn diagnostics(&self, found: &mut [Diagnostic]) {
        if self.is_empty() {
            return;
        }
        for diagnostic in found {
            diagnostic.message = self.text(std::mem::take(&mut diagnostic.message));
            for label in &mut diagnostic.labels {
                label.message = self.text(std::mem::take(&mut label.message));
            }
            diagnostic.help = diagnostic.help.take().map(|help| self.text(help));
        }
    }

    /// The text without secrets.
    pub fn text(&self, text: String) -> String {
        let mut text = text;
        for secret in &self.0 {
            if text == *secret {
                return MASK.to_owned();
            }
            if secret.len() >= LONG_ENOUGH && text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MASK);
            }
        }
        text
    }

    /// Changes without secrets, keys included.
    pub fn changes(&self, changes: Map) -> Map {
        if self.0.is_empty() {
            return changes;
        }
        changes.into_iter().map(|(key, value)| (self.text(key), self.value(value))).collect()
    }

    /// A value without secrets.
    pub fn value(&self, value: Value) -> Value {
        match value {
            Value::Str(text) => Value::Str(self.text(text)),
            Value::List(list) => Value::List(list.into_iter().map(|v| self.value(v)).collect()),
            Value::Map(map) => Value::Map(self.changes(map)),
            Value::Int(_) | Value::Float(_) if self.0.contains(&value.to_string()) => MASK.into(),
            other => other,
        }
    }
}

/// The texts in a value; of several lines also each line, as diffs show them.
fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::List(list) => list.iter().for_each(|v| collect(v, into)),
        Value::Map(map) => map.values().for_each(|v| collect(v, into)),
        scalar => {
            let text = scalar.to_string();
            if text.contains('\n') {
                into.extend(
                    text.lines().map(str::trim).filter(|l| l.len() >= LONG_ENOUGH).map(str::to_owned),
                );
            }
            if !text.is_empty() {
                into.push(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn mask() -> Mask {
        let value: Map = [
            (
                "db".to_owned(),
                Value::Map([("password".to_owned(), Value::from("hunter2"))].into_iter().collect()),
            ),
            ("pin".to_owned(), Value::Int(17)),
            ("key".to_owned(), Value::from("-----BEGIN\nabcdef\n-----END\n")),
        ]
        .into_iter()
        .collect();
        let path = |text: &str| text.split('.').map(str::to_owned).collect();
        Settings {
            value: Arc::new(Value::Map(value)),
            secret_paths: vec![path("db"), path("pin"), path("key"), path("not.there")],
            ..Settings::empty()
        }
        .mask()
    }

    #[test]
    fn secrets_are_hidden_in_texts_and_values() {
        let mask = mask();
        assert_eq!(mask.text("db://u:hunter2@h".to_owned()), "db://u:***@h");
        assert_eq!(mask.text("+abcdef".to_owned()), "+***");
        // A short one only by itself: `17` is in many texts.
        assert_eq!(mask.text("port 1700".to_owned()), "port 1700");
        assert_eq!(mask.value(Value::Int(17)), Value::from("***"));
        assert!(!format!("{mask:?}").contains("hunter2"));
    }

    #[test]
    fn a_shown_plan_has_none() {
        let mut dag = Dag::default();
        let mut node: Node = serde_json::from_str(
            r#"{"id": "a", "function": "cmd.run", "name": "x", "args": {}, "attributes": {}, "sls": "a", "env": "base",
                "origin": {"file": "a.zy", "line": 1, "column": 1}}"#,
        )
        .unwrap();
        node.name = "echo hunter2".to_owned();
        node.args.insert("env".to_owned(), Value::List(vec![Value::from("P=hunter2")]));
        node.attributes.unless.push(Guard::Command("test hunter2".to_owned()));
        let index = dag.graph.add_node(node);
        dag.schedule.push(index);
        let mask = mask();
        let shown = mask.dag(&dag);
        for text in
            [crate::ir::text(&shown), crate::ir::json(&shown), crate::ir::Picture::of_plan(&shown).dot()]
        {
            assert!(!text.contains("hunter2"), "{text}");
        }
        assert!(matches!(Mask::default().dag(&dag), Cow::Borrowed(_)));
    }
}
