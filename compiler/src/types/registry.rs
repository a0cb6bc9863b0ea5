//! All functions a tree may name.

use super::{FunctionKind, Signature};
use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, OnceLock},
};

/// `module.function`
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FunctionName {
    /// `file`
    pub module: CompactString,
    /// `managed`
    pub function: CompactString,
}

impl FunctionName {
    /// Splits `module.function`; `None` without a dot or with an empty side.
    pub fn parse(text: &str) -> Option<Self> {
        let (module, function) = text.split_once('.')?;
        (!module.is_empty() && !function.is_empty())
            .then(|| Self { module: module.into(), function: function.into() })
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.function)
    }
}

/// As the text `module.function`.
impl Serialize for FunctionName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FunctionName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not module.function")))
    }
}

/// Signatures by name. The standard library fills it; custom modules add to it.
#[derive(Default, Clone)]
pub struct Registry {
    states: BTreeMap<String, BTreeMap<String, Arc<Signature>>>,
    execs: BTreeMap<String, BTreeMap<String, Arc<Signature>>>,
    /// Functions that custom modules gave.
    custom: BTreeSet<(FunctionKind, String, String)>,
    /// Modules of functions that ask the fleet.
    fleet: BTreeSet<Cow<'static, str>>,
    /// The runners that orchestrations call, with the names of their arguments.
    runners: BTreeMap<&'static str, Vec<&'static str>>,
    /// What to do instead of functions that are not provided here, by name.
    known_elsewhere: BTreeMap<String, String>,
    /// Names of Salt's functions.
    elsewhere_states: Arc<Elsewhere>,
    elsewhere_execs: Arc<Elsewhere>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a signature; a later one of the same name and kind replaces an earlier one.
    pub fn add(&mut self, signature: Signature) {
        if signature.fleet {
            self.fleet.insert(signature.module.clone());
        }
        let side = match signature.kind {
            FunctionKind::State => &mut self.states,
            FunctionKind::Exec => &mut self.execs,
        };
        side.entry(signature.module.to_string())
            .or_default()
            .insert(signature.function.to_string(), Arc::new(signature));
    }

    /// Adds a function of a custom module; a built-in one is not replaced.
    pub fn add_custom(&mut self, signature: Signature) {
        let key = (signature.kind, signature.module.to_string(), signature.function.to_string());
        if self.get(key.0, &key.1, &key.2).is_none() || self.custom.contains(&key) {
            self.custom.insert(key);
            self.add(signature);
        }
    }

    /// Whether a custom module gave a function.
    pub fn is_custom(&self, kind: FunctionKind, module: &str, function: &str) -> bool {
        !self.custom.is_empty() && self.custom.contains(&(kind, module.to_owned(), function.to_owned()))
    }

    /// Whether custom modules gave anything.
    pub fn has_custom(&self) -> bool {
        !self.custom.is_empty()
    }

    /// Forgets the functions of custom modules.
    pub fn forget_custom(&mut self) {
        for (kind, module, function) in std::mem::take(&mut self.custom) {
            let side = match kind {
                FunctionKind::State => &mut self.states,
                FunctionKind::Exec => &mut self.execs,
            };
            if let Some(functions) = side.get_mut(&module) {
                functions.remove(&function);
                if functions.is_empty() {
                    side.remove(&module);
                }
            }
        }
    }

    fn side(&self, kind: FunctionKind) -> &BTreeMap<String, BTreeMap<String, Arc<Signature>>> {
        match kind {
            FunctionKind::State => &self.states,
            FunctionKind::Exec => &self.execs,
        }
    }

    /// The signature of `module.function`.
    pub fn get(&self, kind: FunctionKind, module: &str, function: &str) -> Option<&Arc<Signature>> {
        self.side(kind).get(module)?.get(function)
    }

    /// Whether some function of this kind lies in `module`.
    pub fn has_module(&self, kind: FunctionKind, module: &str) -> bool {
        self.side(kind).contains_key(module)
    }

    /// Whether a state function is a step of an orchestration: it asks the fleet.
    pub fn is_step(&self, module: &str, function: &str) -> bool {
        self.fleet.contains(module)
            && self.get(FunctionKind::State, module, function).is_some_and(|s| s.fleet)
    }

    /// Names of all modules of a kind.
    pub fn modules(&self, kind: FunctionKind) -> impl Iterator<Item = &str> {
        self.side(kind).keys().map(String::as_str)
    }

    /// Names of all functions of a module.
    pub fn functions(&self, kind: FunctionKind, module: &str) -> impl Iterator<Item = &str> {
        self.side(kind).get(module).into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// All signatures of a kind, sorted by name.
    pub fn signatures(&self, kind: FunctionKind) -> impl Iterator<Item = &Arc<Signature>> {
        self.side(kind).values().flat_map(BTreeMap::values)
    }

    /// Adds a runner that orchestrations may call.
    pub fn add_runner(&mut self, name: &'static str, arguments: Vec<&'static str>) {
        self.runners.insert(name, arguments);
    }

    /// Names of the arguments of a runner.
    pub fn runner(&self, name: &str) -> Option<&[&'static str]> {
        self.runners.get(name).map(Vec::as_slice)
    }

    /// Notes that `module.function` is Salt's but not provided; `instead` says what to do.
    pub fn note_elsewhere(&mut self, name: &str, instead: &str) {
        self.known_elsewhere.insert(name.to_owned(), instead.to_owned());
    }

    /// What to do instead of a known function that is not provided.
    pub fn elsewhere(&self, name: &str) -> Option<&str> {
        self.known_elsewhere.get(name).map(String::as_str)
    }

    /// Sets the table of functions that exist in Salt, one module a line: `module: function function …`. Read when
    /// first asked for, since most trees never ask.
    pub fn set_elsewhere(&mut self, kind: FunctionKind, table: &'static str) {
        let side = match kind {
            FunctionKind::State => &mut self.elsewhere_states,
            FunctionKind::Exec => &mut self.elsewhere_execs,
        };
        *side = Arc::new(Elsewhere { table, modules: OnceLock::new() });
    }

    fn elsewhere_side(&self, kind: FunctionKind) -> &BTreeMap<&'static str, Vec<&'static str>> {
        match kind {
            FunctionKind::State => self.elsewhere_states.modules(),
            FunctionKind::Exec => self.elsewhere_execs.modules(),
        }
    }

    /// Whether Salt has `module.function`.
    pub fn exists_elsewhere(&self, kind: FunctionKind, module: &str, function: &str) -> bool {
        self.elsewhere_side(kind).get(module).is_some_and(|f| f.contains(&function))
    }

    /// Names of all modules of Salt.
    pub fn elsewhere_modules(&self, kind: FunctionKind) -> impl Iterator<Item = &str> {
        self.elsewhere_side(kind).keys().copied()
    }

    /// Names of all functions of a module of Salt.
    pub fn elsewhere_functions(&self, kind: FunctionKind, module: &str) -> impl Iterator<Item = &str> {
        self.elsewhere_side(kind).get(module).into_iter().flatten().copied()
    }
}

/// A table of Salt's functions, read when first asked for.
#[derive(Default)]
struct Elsewhere {
    table: &'static str,
    modules: OnceLock<BTreeMap<&'static str, Vec<&'static str>>>,
}

impl Elsewhere {
    fn modules(&self) -> &BTreeMap<&'static str, Vec<&'static str>> {
        self.modules.get_or_init(|| {
            self.table
                .lines()
                .filter_map(|line| line.split_once(": "))
                .map(|(module, functions)| (module, functions.split(' ').collect()))
                .collect()
        })
    }
}
