//! Facts of one peel: the typed tree, and the same facts under Salt's flat names.

use super::{Map, Value};
use serde::{Deserialize, Serialize};

/// What is known about a peel.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Facts {
    /// The peel's id.
    pub id: String,
    /// Nested facts (`os.family`), custom ones among them.
    pub values: Map,
    /// Salt's flat names (`os_family`), custom ones among them.
    pub grains: Map,
}

impl Facts {
    /// The fact under a dotted path, else the grain under a colon-separated one.
    pub fn get(&self, path: &str) -> Option<&Value> {
        lookup(&self.values, path, '.').or_else(|| lookup(&self.grains, path, ':'))
    }
}

fn lookup<'a>(map: &'a Map, path: &str, separator: char) -> Option<&'a Value> {
    if let Some(value) = map.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once(separator)?;
    map.get(first)?.lookup(rest, separator)
}
