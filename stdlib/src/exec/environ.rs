//! `environ.*`: the environment of this process.

use crate::Library;
use zester_compiler::types::{Map, Value};

exec! {
    /// The value of a variable.
    "environ.get" probe Get {
        /// The variable.
        key: String,
        /// What to give when it is not set.
        #[arg(default = "")]
        default: Value,
    } |it, _| Ok(std::env::var(&it.key).map_or_else(|_| it.default.clone(), Value::Str))
}

exec! {
    /// Whether a variable is set, and to this value when one is given.
    "environ.has_value" probe HasValue {
        /// The variable.
        key: String,
        /// The value.
        value: Option<String>,
    } |it, _| Ok(Value::Bool(match (std::env::var(&it.key), &it.value) {
        (Ok(have), Some(want)) => have == *want,
        (Ok(have), None) => !have.is_empty(),
        (Err(_), _) => false,
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
    } |it, _| {
        let value = |key: &String| std::env::var(key).map_or_else(|_| it.default.clone(), Value::Str);
        Ok(Value::Map(it.keys.iter().map(|key| (key.clone(), value(key))).collect()))
    }
}

exec! {
    /// All variables.
    "environ.items" probe Items {} |_, _| {
        let variables: Map = std::env::vars_os()
            .map(|(k, v)| (k.to_string_lossy().into_owned(), Value::Str(v.to_string_lossy().into_owned())))
            .collect();
        Ok(variables.into())
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<Get>().exec::<HasValue>().exec::<Item>().exec::<Items>();
}
