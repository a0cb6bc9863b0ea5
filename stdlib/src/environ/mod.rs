//! `environ.*`: variables that the commands of a run get.
//!
//! A process cannot change its own environment while its threads read it, so a run has a layer of its own above the clean
//! environment that commands start with. It ends with the run.

mod setenv;

use crate::{Context, Library};
use std::{collections::BTreeMap, sync::Arc};
use zester_compiler::types::Value;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<setenv::SetEnv>();
}

/// Variables of the run: a value, or nothing where one is taken away.
pub(crate) type Layer = BTreeMap<String, Option<String>>;

const KEY: &str = "environ.layer";

/// The run's variables.
pub(crate) fn layer(cx: &Context) -> Arc<Layer> {
    cx.run.get::<Layer>(KEY).unwrap_or_default()
}

/// Sets or takes away variables for the rest of the run.
pub(crate) fn extend(cx: &Context, new: Layer) {
    let mut layer = Layer::clone(&layer(cx));
    layer.extend(new);
    cx.run.set(KEY, layer);
}

/// A variable's name and text as an author gives them: `false` is nothing, or takes the variable away if `false_unsets`.
pub(crate) fn variable(
    name: &str,
    value: &Value,
    false_unsets: bool,
) -> Result<(String, Option<String>), String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(format!("`{name}` is not the name of a variable"));
    }
    let text = match value {
        Value::Bool(false) if false_unsets => None,
        Value::Bool(false) | Value::Null => Some(String::new()),
        Value::List(_) | Value::Map(_) => {
            return Err(format!("the value of `{name}` is a text, not {}", value.describe()));
        }
        other => Some(other.to_string()),
    };
    Ok((name.to_owned(), text))
}

/// A variable as commands of the run find it.
pub(crate) fn value(cx: &Context, name: &str) -> Option<String> {
    match layer(cx).get(name) {
        Some(value) => value.clone(),
        None => std::env::var(name).ok(),
    }
}

/// Puts the run's variables below a command's own, which count.
pub fn below(cx: &Context, env: &mut Vec<(String, Option<String>)>) {
    let layer = layer(cx);
    if !layer.is_empty() {
        env.splice(0..0, layer.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}
