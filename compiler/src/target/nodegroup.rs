//! Nodegroups: targets with names.

use super::Target;
use indexmap::IndexMap;

/// The nodegroups of a project, in the order of its configuration.
#[derive(Clone, Debug, Default)]
pub struct Nodegroups {
    groups: IndexMap<String, Target>,
}

impl Nodegroups {
    /// No groups.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a group.
    pub fn insert(&mut self, name: impl Into<String>, target: Target) {
        self.groups.insert(name.into(), target);
    }

    /// The target of a group.
    pub fn get(&self, name: &str) -> Option<&Target> {
        self.groups.get(name)
    }

    /// All groups.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Target)> {
        self.groups.iter().map(|(name, target)| (name.as_str(), target))
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }
}
