//! States of all files put together: duplicates, extend, exclude.

use super::{
    document::{Argument, Function, State, StateFile, requisite_of_key},
    unit::Units,
};
use crate::{
    check::{
        ids::{DUPLICATE_ID, UNKNOWN_EXTEND},
        references::UNKNOWN_EXCLUDE,
    },
    diagnostic::{Diagnostic, nearest},
    syntax::Node,
    types::{FunctionKind, FunctionName, Registry, Signature},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// A state before its names are expanded.
pub(super) struct Draft<'u> {
    pub unit: usize,
    pub id: String,
    pub id_node: &'u Node,
    pub name: FunctionName,
    pub function: Function<'u>,
    pub signature: Option<Arc<Signature>>,
}

/// All states of a run, in order of definition.
pub(super) struct Drafts<'u> {
    pub all: Vec<Draft<'u>>,
    by_id: HashMap<String, Vec<usize>>,
    excluded: HashSet<usize>,
    pub diagnostics: Vec<Diagnostic>,
}

impl<'u> Drafts<'u> {
    /// Collects the states of `files`, each with the index of its unit; then extends, then excludes, as Salt does.
    pub(super) fn collect(
        files: Vec<(usize, StateFile<'u>)>,
        units: &Units<'_>,
        registry: &Registry,
    ) -> Self {
        let mut all = Self {
            all: Vec::new(),
            by_id: HashMap::new(),
            excluded: HashSet::new(),
            diagnostics: Vec::new(),
        };
        let mut extends = Vec::new();
        let mut excludes = Vec::new();
        for (unit, file) in files {
            all.diagnostics.extend(file.diagnostics);
            for state in file.states {
                all.state(unit, state, registry);
            }
            extends.extend(file.extends);
            excludes.extend(file.excludes.into_iter().map(|e| (unit, e)));
        }
        for state in extends {
            all.extend(state);
        }
        for (unit, exclude) in excludes {
            let Some(name) = exclude.name.text() else { continue };
            if exclude.sls {
                all.exclude_sls(units, unit, &name, exclude.name);
            } else {
                all.exclude_id(&name, exclude.name);
            }
        }
        all
    }

    fn state(&mut self, unit: usize, state: State<'u>, registry: &Registry) {
        let Some(id) = state.id.text() else { return };
        for function in state.functions {
            let Some(name) = function.name.clone() else { continue };
            let same = self.by_id.entry(id.to_string()).or_default();
            let clash = same.iter().find(|i| self.all[**i].name == name).copied();
            same.push(self.all.len());
            if let Some(earlier) = clash {
                self.duplicate(&id, &name, earlier, unit, state.id);
            }
            let signature = registry.get(FunctionKind::State, &name.module, &name.function).cloned();
            self.all.push(Draft { unit, id: id.to_string(), id_node: state.id, name, function, signature });
        }
    }

    fn duplicate(&mut self, id: &str, name: &FunctionName, earlier: usize, unit: usize, node: &Node) {
        let first = &self.all[earlier];
        let help = if first.unit == unit {
            "rename one of the two, or put all functions below one id"
        } else {
            "rename one of the two; to change a state of another file, write it below `extend:`"
        };
        self.diagnostics.push(
            Diagnostic::new(&DUPLICATE_ID, node.span, format!("`{id}` has `{name}` twice"))
                .label(first.id_node.span, "the first is here")
                .help(help),
        );
    }

    fn extend(&mut self, state: State<'u>) {
        let Some(id) = state.id.text() else { return };
        let Some(targets) = self.by_id.get(&*id).cloned() else {
            let mut diagnostic = Diagnostic::new(
                &UNKNOWN_EXTEND,
                state.id.span,
                format!("`extend` names `{id}`, and no state of this run has that id"),
            );
            diagnostic = match nearest(&id, self.by_id.keys().map(String::as_str)) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help("include the file that defines it"),
            };
            self.diagnostics.push(diagnostic);
            return;
        };
        for function in state.functions {
            let matching: Vec<usize> = targets
                .iter()
                .copied()
                .filter(|i| {
                    let draft = &self.all[*i].name;
                    match (&function.name, &function.module) {
                        (Some(name), _) => draft == name,
                        (None, Some(module)) => draft.module == *module,
                        (None, None) => false,
                    }
                })
                .collect();
            if matching.is_empty() {
                self.wrong_function(&id, &function, &targets);
            }
            for index in matching {
                apply(&mut self.all[index], &function.arguments);
            }
        }
    }

    fn wrong_function(&mut self, id: &str, function: &Function<'_>, targets: &[usize]) {
        let wanted = match (&function.name, &function.module) {
            (Some(name), _) => name.to_string(),
            (None, Some(module)) => module.clone(),
            (None, None) => return,
        };
        let mut has: Vec<String> = targets.iter().map(|i| format!("`{}`", self.all[*i].name)).collect();
        has.sort();
        has.dedup();
        let mut diagnostic = Diagnostic::new(
            &UNKNOWN_EXTEND,
            function.name_span(),
            format!("`extend` names `{wanted}` of `{id}`, which has {}", has.join(" and ")),
        );
        if let Some(first) = targets.first() {
            diagnostic = diagnostic.label(self.all[*first].id_node.span, format!("`{id}` is defined here"));
        }
        self.diagnostics.push(diagnostic.help(format!("write {}", has.join(" or "))));
    }

    fn exclude_id(&mut self, id: &str, node: &Node) {
        let Some(targets) = self.by_id.get(id) else {
            let near = nearest(id, self.by_id.keys().map(String::as_str)).map(str::to_owned);
            self.nothing_excluded(&format!("no state of this run has the id `{id}`"), near, node);
            return;
        };
        self.excluded.extend(targets);
    }

    fn exclude_sls(&mut self, units: &Units<'_>, unit: usize, reference: &str, node: &Node) {
        let named: HashSet<usize> = units.named(unit, reference).into_iter().collect();
        if named.is_empty() {
            let near = if self.by_id.contains_key(reference) {
                self.nothing_excluded(
                    &format!("no file of this run is named `{reference}`; there is an id of that name"),
                    Some(format!("id: {reference}")),
                    node,
                );
                return;
            } else {
                nearest(reference, units.refs()).map(str::to_owned)
            };
            self.nothing_excluded(&format!("no file of this run is named `{reference}`"), near, node);
            return;
        }
        self.excluded.extend((0..self.all.len()).filter(|i| named.contains(&self.all[*i].unit)));
    }

    fn nothing_excluded(&mut self, why: &str, near: Option<String>, node: &Node) {
        let message = format!("This excludes nothing: {why}");
        let diagnostic = Diagnostic::new(&UNKNOWN_EXCLUDE, node.span, message);
        self.diagnostics.push(match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("remove it"),
        });
    }

    /// The states that are not excluded, in order of definition.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Draft<'u>> {
        self.all.iter().enumerate().filter(|(i, _)| !self.excluded.contains(i)).map(|(_, d)| d)
    }
}

/// Requisites are appended, everything else is replaced.
pub(super) fn apply<'u>(draft: &mut Draft<'u>, changes: &[Argument<'u>]) {
    let signature = draft.signature.clone();
    let arguments = &mut draft.function.arguments;
    replace(arguments, changes, signature.as_deref());
}

/// As [`apply`], on a list of arguments.
pub(super) fn replace<'u>(
    arguments: &mut Vec<Argument<'u>>,
    changes: &[Argument<'u>],
    signature: Option<&Signature>,
) {
    for change in changes {
        let Some(key) = change.key.text() else { continue };
        if requisite_of_key(&key).is_none() && key != "use" && key != "use_in" {
            let canonical = |word: &str| signature.and_then(|s| s.param(word)).map(|p| &p.name);
            let param = canonical(&key);
            arguments.retain(|a| {
                a.key.text().is_none_or(|k| k != key && (param.is_none() || canonical(&k) != param))
            });
        }
        arguments.push(Argument { key: change.key, value: change.value, misindented: change.misindented });
    }
}
