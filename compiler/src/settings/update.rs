//! What another text of a few files makes of the settings: only the keys that these files write are read again.

use super::{
    infer::{FileSettings, MAX_DEFINITIONS},
    inferred::{Inferred, Setting},
};
use crate::check::workspace::Workspace;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Files that are read again; with more of them, all are.
const MAX_FILES: usize = 64;

impl Inferred {
    /// The settings with the new texts of some files, and the keys at the top that were read again. `None` where more than
    /// what is below some keys may have changed, or it would be no less work to read all files.
    pub fn after(&self, workspace: &Workspace<'_>, changed: &[usize]) -> Option<(Self, Vec<String>)> {
        if changed.len() > MAX_FILES || !changed.iter().all(|unit| self.plain.contains(unit)) {
            return None;
        }
        let mut files: HashMap<usize, FileSettings> = HashMap::new();
        let mut keys: BTreeSet<usize> = BTreeSet::new();
        for unit in changed {
            let file = FileSettings::read(*unit, workspace);
            if !file.is_plain() || self.places.saturating_add(file.definitions) > MAX_DEFINITIONS {
                return None;
            }
            keys.extend(self.same_keys(*unit, &file.root)?);
            files.insert(*unit, file);
        }
        let mut after = self.clone();
        for index in &keys {
            let (key, before) = self.root.children.get_index(*index)?;
            let units: BTreeSet<usize> = before.definitions.iter().map(|d| d.unit).collect();
            let mut setting = Setting::default();
            for unit in units {
                // What is put below keys by an include is not read as it is written.
                if !self.plain.contains(&unit) || files.len() > MAX_FILES {
                    return None;
                }
                let file = files.entry(unit).or_insert_with(|| FileSettings::read(unit, workspace));
                setting.join(Setting::clone(file.root.children.get(key)?));
            }
            for declared in after.schemas.iter().filter_map(|schema| schema.root.children.get(key)) {
                setting.declare(declared);
            }
            *after.root.children.get_index_mut(*index)?.1 = Arc::new(setting);
        }
        for unit in changed {
            let file = files.get(unit)?;
            let place = after.root.definitions.iter_mut().find(|d| d.unit == *unit)?;
            place.clone_from(file.root.definitions.first()?);
            after.places += file.definitions;
        }
        let names = keys.iter().filter_map(|index| after.root.children.get_index(*index));
        let names = names.map(|(key, _)| key.clone()).collect();
        Some((after, names))
    }

    /// Where the keys are that a file writes at the top. `None` if its new text writes others, or in another order: keys
    /// stand in the order in which they are first written.
    fn same_keys(&self, unit: usize, new: &Setting) -> Option<Vec<usize>> {
        let children = self.root.children.iter().enumerate();
        let old: Vec<usize> = children
            .filter(|(_, (_, setting))| setting.definitions.iter().any(|d| d.unit == unit))
            .map(|(index, _)| index)
            .collect();
        if old.len() != new.children.len() || !old.iter().all(|index| self.key_is_in(*index, new)) {
            return None;
        }
        let is_first = |index: &usize| {
            let first = self.root.children.get_index(*index).and_then(|(_, s)| s.definitions.first());
            first.is_some_and(|d| d.unit == unit)
        };
        let before = old.iter().copied().filter(is_first);
        let after = new.children.keys().filter_map(|key| self.root.children.get_index_of(key));
        before.eq(after.filter(is_first)).then_some(old)
    }

    fn key_is_in(&self, index: usize, new: &Setting) -> bool {
        self.root.children.get_index(index).is_some_and(|(key, _)| new.children.contains_key(key))
    }
}
