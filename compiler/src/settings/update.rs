//! What another text of a few files makes of the settings: only the keys that these files write are read again.

use super::{
    infer::{FileSettings, MAX_DEFINITIONS},
    inferred::{Inferred, Setting},
};
use crate::check::workspace::Workspace;
use indexmap::IndexSet;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Files that are read again; with more of them, all are.
const MAX_FILES: usize = 64;

impl Inferred {
    /// The settings with the new texts of some files, and the keys at the top that were read again, those included that came
    /// or went. `None` where more than what is below some keys may have changed, or it would be no less work to read all files.
    pub fn after(&self, workspace: &Workspace<'_>, changed: &[usize]) -> Option<(Self, Vec<String>)> {
        if changed.len() > MAX_FILES || !changed.iter().all(|unit| self.plain.contains(unit)) {
            return None;
        }
        let mut files: HashMap<usize, FileSettings> = HashMap::new();
        for unit in changed {
            let file = FileSettings::read(*unit, workspace);
            if !file.is_plain() || self.places.saturating_add(file.definitions) > MAX_DEFINITIONS {
                return None;
            }
            files.insert(*unit, file);
        }
        let keys = self.keys_of(&files);
        let mut after = self.clone();
        let mut same_order = true;
        for key in &keys {
            let before = self.root.children.get(key);
            let written = before.into_iter().flat_map(|before| &before.definitions).map(|d| d.unit);
            let writing = files.iter().filter(|(_, file)| file.root.children.contains_key(key));
            let units: BTreeSet<usize> = written.chain(writing.map(|(unit, _)| *unit)).collect();
            let mut setting = Setting::default();
            for unit in units {
                // What is put below keys by an include is not read as it is written.
                if !self.plain.contains(&unit) || files.len() > MAX_FILES {
                    return None;
                }
                let file = files.entry(unit).or_insert_with(|| FileSettings::read(unit, workspace));
                if let Some(child) = file.root.children.get(key) {
                    setting.join(Setting::clone(child));
                }
            }
            let declared = after.schemas.iter().filter_map(|schema| schema.root.children.get(key));
            declared.for_each(|declared| setting.declare(declared));
            same_order &= before.and_then(|before| before.first_unit()) == setting.first_unit();
            let is_there = !setting.definitions.is_empty() || setting.declared.is_some();
            match after.root.children.get_mut(key) {
                Some(place) if is_there => *place = Arc::new(setting),
                Some(_) => drop(after.root.children.shift_remove(key)),
                None => drop(after.root.children.insert(key.clone(), Arc::new(setting))),
            }
        }
        for unit in changed {
            let file = files.get(unit)?;
            let place = after.root.definitions.iter_mut().find(|d| d.unit == *unit)?;
            place.clone_from(file.root.definitions.first()?);
            after.places += file.definitions;
        }
        if !same_order || changed.iter().any(|unit| after.has_other_order(*unit, &files)) {
            after.sort(&files);
        }
        Some((after, keys))
    }

    /// The keys at the top that files write, or wrote before, in the order of the settings; new ones are the last.
    fn keys_of(&self, files: &HashMap<usize, FileSettings>) -> Vec<String> {
        let is_written = |(key, setting): &(&String, &Arc<Setting>)| {
            files.values().any(|file| file.root.children.contains_key(*key))
                || setting.definitions.iter().any(|d| files.contains_key(&d.unit))
        };
        let known = self.root.children.iter().filter(is_written).map(|(key, _)| key.clone());
        let mut new: Vec<(usize, usize, &String)> = Vec::new();
        for (unit, file) in files {
            let keys = file.root.children.keys().enumerate();
            let keys = keys.filter(|(_, key)| !self.root.children.contains_key(*key));
            new.extend(keys.map(|(index, key)| (*unit, index, key)));
        }
        new.sort_unstable();
        let mut seen = HashSet::new();
        new.retain(|(.., key)| seen.insert(*key));
        known.chain(new.into_iter().map(|(.., key)| key.clone())).collect()
    }

    /// Whether the keys that a file is the first to write stand in another order than in its text.
    fn has_other_order(&self, unit: usize, files: &HashMap<usize, FileSettings>) -> bool {
        let Some(file) = files.get(&unit) else { return true };
        let first = self.root.children.iter().filter(|(_, setting)| setting.first_unit() == Some(unit));
        !first.map(|(key, _)| file.root.children.get_index_of(key)).is_sorted()
    }

    /// Puts the keys in the order in which they are first written: files in the order of their paths, and what is only declared
    /// behind them.
    fn sort(&mut self, files: &HashMap<usize, FileSettings>) {
        let declared: IndexSet<&str> =
            self.schemas.iter().flat_map(|schema| schema.root.children.keys().map(String::as_str)).collect();
        let places: HashMap<String, (usize, usize)> = self
            .root
            .children
            .iter()
            .enumerate()
            .map(|(index, (key, setting))| {
                let first = setting.first_unit();
                let written = first.and_then(|unit| files.get(&unit));
                let place = match (written, first) {
                    (Some(file), _) => file.root.children.get_index_of(key),
                    (None, Some(_)) => Some(index),
                    (None, None) => declared.get_index_of(key.as_str()),
                };
                (key.clone(), (first.unwrap_or(usize::MAX), place.unwrap_or(index)))
            })
            .collect();
        self.root.children.sort_by_cached_key(|key, _| places.get(key).copied());
    }
}

impl Setting {
    /// The file that is the first to write it.
    fn first_unit(&self) -> Option<usize> {
        self.definitions.first().map(|d| d.unit)
    }
}
