//! Secrets do not reach results, whatever a function or a command says.

use zester_compiler::{
    ir::Node,
    types::{Map, Value},
};

/// What stands where a secret stood.
const MASK: &str = "***";

/// A shorter text is masked only where it stands alone: inside other text it would hit by chance.
const LONG_ENOUGH: usize = 4;

/// The texts of a state that nobody may read.
pub struct Mask(Vec<String>);

impl Mask {
    /// The values of the parameters that are secret.
    pub fn of(node: &Node) -> Self {
        let mut texts = Vec::new();
        for name in &node.secret {
            if let Some(value) = node.args.get(name) {
                collect(value, &mut texts);
            }
        }
        // A longer one may contain a shorter one.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts.dedup();
        Self(texts)
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

    fn value(&self, value: Value) -> Value {
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
