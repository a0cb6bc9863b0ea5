//! `environ.*`: the environment of this process, with what the run has set above it.

use crate::{
    Library,
    environ::{Layer, extend, layer, value, variable},
};
use zester_compiler::types::{Map, Value};

exec! {
    /// The value of a variable.
    "environ.get" probe Get {
        /// The variable.
        key: String,
        /// What to give when it is not set.
        #[arg(default = "")]
        default: Value,
    } |it, cx| Ok(value(cx, &it.key).map_or_else(|| it.default.clone(), Value::Str))
}

exec! {
    /// Whether a variable is set, and to this value when one is given.
    "environ.has_value" probe HasValue {
        /// The variable.
        key: String,
        /// The value.
        value: Option<String>,
    } |it, cx| Ok(Value::Bool(match (value(cx, &it.key), &it.value) {
        (Some(have), Some(want)) => have == *want,
        (Some(have), None) => !have.is_empty(),
        (None, _) => false,
    }))
}

exec! {
    /// Values of several variables; those not set are empty.
    "environ.item" probe Item {
        /// The variables.
        keys: Vec<String>,
        /// What to give when one is not set.
        #[arg(default = "")]
        default: Value,
    } |it, cx| {
        let one = |key: &String| value(cx, key).map_or_else(|| it.default.clone(), Value::Str);
        Ok(Value::Map(it.keys.iter().map(|key| (key.clone(), one(key))).collect()))
    }
}

exec! {
    /// All variables.
    "environ.items" probe Items {} |_, cx| {
        let mut variables: Map = std::env::vars_os()
            .map(|(k, v)| (k.to_string_lossy().into_owned(), Value::Str(v.to_string_lossy().into_owned())))
            .collect();
        for (name, value) in &*layer(cx) {
            match value {
                Some(value) => drop(variables.insert(name.clone(), value.as_str().into())),
                None => drop(variables.shift_remove(name)),
            }
        }
        Ok(variables.into())
    }
}

exec! {
    /// Sets a variable for the commands that follow in this run; gives its value.
    "environ.setval" mutating SetVal {
        /// The variable.
        key: String,
        /// Its value; `false` sets it to nothing.
        val: Value,
        /// Whether `false` takes it away.
        #[arg(default = false)]
        false_unsets: bool,
    } |it, cx| {
        let (key, text) = variable(&it.key, &it.val, it.false_unsets)?;
        extend(cx, Layer::from_iter([(key, text.clone())]));
        Ok(text.map_or(Value::Null, Value::Str))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<Get>().exec::<HasValue>().exec::<Item>().exec::<Items>().exec::<SetVal>();
}
