//! `environ.*`: variables that the commands of a run get.
//!
//! A process cannot change its own environment while its threads read it, so a run has a layer of its own above the clean
//! environment that commands start with. It ends with the run.

mod setenv;

use crate::{Context, Library};
use std::{collections::BTreeMap, sync::Arc};

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
