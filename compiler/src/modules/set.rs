//! The custom modules of a project: which there are, and what they register.

use super::{
    CHECK_SUFFIX, CHECK_THAT_CHANGES, Function, Module, SHADOWS_BUILT_IN, UNKNOWN_LOAD, UNUSABLE_SIGNATURE,
    host::{HOST_FUNCTIONS, stronger},
    names::{Load, is_companion},
};
use crate::{
    diagnostic::{Diagnostic, nearest},
    project::{Project, TreeKind},
    source::{FileId, Files, Span},
    types::{Effect, FunctionKind, Param, Registry, Signature, Type, Value},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The directory whose functions are exec functions, and states where they give a map.
const MODULES: &str = "_modules";

/// The directory whose functions are states.
const STATES: &str = "_states";

/// A module of a project.
#[derive(Clone, Debug)]
pub struct CustomModule {
    /// Its name: the file's, without extension.
    pub name: String,
    /// Its file.
    pub file: FileId,
    /// `_modules` or `_states`.
    pub directory: &'static str,
    /// What it declares.
    pub module: Arc<Module>,
}

/// A function that a module registers.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Its signature, as of a built-in one.
    pub signature: Signature,
    /// Its module: a number among [`CustomModules::modules`].
    pub module: usize,
    /// What its text says.
    pub function: Function,
    /// The function that tells what it would change.
    pub companion: Option<String>,
}

/// All custom modules of a project. Where environments have modules of one name, the first environment's counts.
#[derive(Clone, Default, Debug)]
pub struct CustomModules(Arc<Inner>);

#[derive(Clone, Default, Debug)]
struct Inner {
    modules: Vec<CustomModule>,
    registered: Vec<Registered>,
    /// Names of modules of which nothing more is known.
    opaque: BTreeSet<String>,
    files: Arc<Files>,
}

/// The same files with the same texts.
impl PartialEq for CustomModules {
    fn eq(&self, other: &Self) -> bool {
        let files = |of: &Self| of.0.modules.iter().map(|m| m.file).collect::<Vec<_>>();
        self.0.opaque == other.0.opaque && files(self) == files(other)
    }
}

impl CustomModules {
    /// Modules of which nothing but the names is known.
    pub fn opaque(names: impl IntoIterator<Item = String>) -> Self {
        Self(Arc::new(Inner { opaque: names.into_iter().collect(), ..Inner::default() }))
    }

    /// Reads the modules of a project; each text is parsed once.
    pub fn read(project: &Project) -> Self {
        let mut found: BTreeMap<(&'static str, String), CustomModule> = BTreeMap::new();
        for env in project.environments() {
            for directory in [STATES, MODULES] {
                for file in project.files_below(TreeKind::States, env, directory) {
                    let Some(name) = module_name(&file.tree_path) else { continue };
                    // What cannot be read is no module of this language; a run says so where it is called.
                    let Ok((id, module)) = project.module(&file.path) else { continue };
                    found.entry((directory, name.to_owned())).or_insert_with(|| CustomModule {
                        name: name.to_owned(),
                        file: id,
                        directory,
                        module,
                    });
                }
            }
        }
        if found.is_empty() {
            return Self::default();
        }
        let modules: Vec<CustomModule> = found.into_values().collect();
        let unread = modules.iter().filter(|m| m.module.program.is_none());
        let mut inner = Inner {
            opaque: unread.map(|m| m.name.clone()).collect(),
            registered: Vec::new(),
            files: project.files().clone(),
            modules,
        };
        inner.register();
        Self(Arc::new(inner))
    }

    /// With further modules of which only the names are known.
    pub fn with_opaque(&self, names: &BTreeSet<String>) -> Self {
        if names.is_subset(&self.0.opaque) {
            return self.clone();
        }
        let mut inner = (*self.0).clone();
        inner.opaque.extend(names.iter().cloned());
        Self(Arc::new(inner))
    }

    /// Whether no module is known well enough to register anything.
    pub fn is_empty(&self) -> bool {
        self.0.registered.is_empty()
    }

    /// Whether there is a module of this name that may have functions nobody knows.
    pub fn contains(&self, module: &str) -> bool {
        self.0.opaque.contains(module)
    }

    /// The modules.
    pub fn modules(&self) -> &[CustomModule] {
        &self.0.modules
    }

    /// What they register.
    pub fn registered(&self) -> &[Registered] {
        &self.0.registered
    }

    /// Where their files are.
    pub fn files(&self) -> &Arc<Files> {
        &self.0.files
    }

    /// A registry with their functions; a built-in function is not replaced.
    pub fn add_to<'r>(&self, registry: &'r Registry) -> Cow<'r, Registry> {
        if self.is_empty() && !registry.has_custom() {
            return Cow::Borrowed(registry);
        }
        let mut all = registry.clone();
        // Those of an earlier text, where the project is read again.
        all.forget_custom();
        for registered in &self.0.registered {
            all.add_custom(registered.signature.clone());
        }
        Cow::Owned(all)
    }

    /// Where a function, or one of its parameters, is written.
    pub fn place(
        &self,
        kind: FunctionKind,
        module: &str,
        function: &str,
        param: Option<&str>,
    ) -> Option<Span> {
        let registered = self.0.registered.iter().find(|registered| {
            let signature = &registered.signature;
            signature.kind == kind && signature.module == module && signature.function == function
        })?;
        match param {
            None => Some(registered.function.span),
            Some(name) => registered.function.params.iter().find(|p| p.name == name).map(|p| p.span),
        }
    }

    /// The module of a `load` seen from another module: one of the same directory.
    pub(super) fn loaded(&self, from: usize, written: &str) -> Option<usize> {
        self.0.loaded(from, written)
    }

    /// Reports what is wrong between modules, and with the built-in functions.
    pub fn check(&self, registry: &Registry, found: &mut Vec<Diagnostic>) {
        for (number, module) in self.0.modules.iter().enumerate() {
            found.extend(module.module.diagnostics.iter().cloned());
            for load in &module.module.names.loads {
                self.check_load(number, load, found);
            }
            let functions = &module.module.functions;
            for function in functions.iter().filter(|f| is_companion(f, functions)) {
                if self.0.effect(number, &function.name) == Effect::Mutating {
                    let message = format!(
                        "`{}` runs in test mode, and what it calls changes the machine",
                        function.name
                    );
                    found.push(
                        Diagnostic::new(&CHECK_THAT_CHANGES, function.span, message)
                            .help("compare only, and leave the change to the function itself"),
                    );
                }
            }
            if module.directory == STATES {
                for function in functions.iter().filter(|f| !gives_map(&f.returns)) {
                    let message = format!("`{}` is a state, and gives no map of changes", function.name);
                    let span = function.returns_span.unwrap_or(function.span);
                    found.push(
                        Diagnostic::new(&UNUSABLE_SIGNATURE, span, message)
                            .help("write `-> dict`, or move the function to `_modules`"),
                    );
                }
            }
        }
        for registered in &self.0.registered {
            let Signature { kind, module, function, .. } = &registered.signature;
            if registry.get(*kind, module, function).is_some() && !registry.is_custom(*kind, module, function)
            {
                let word = if *kind == FunctionKind::State { "a state" } else { "an exec" };
                let message = format!("`{module}.{function}` is {word} function that is built in");
                found.push(
                    Diagnostic::new(&SHADOWS_BUILT_IN, registered.function.span, message)
                        .help("give it, or the module's file, another name"),
                );
            }
        }
    }

    fn check_load(&self, from: usize, load: &Load, found: &mut Vec<Diagnostic>) {
        let Some(to) = self.loaded(from, &load.module) else {
            let directory = self.0.modules[from].directory;
            let beside = self.0.modules.iter().filter(|m| m.directory == directory);
            let names: Vec<String> = beside.map(|m| format!("{}.star", m.name)).collect();
            let message = format!("There is no module `{}` in `{directory}`", load.module);
            let diagnostic = Diagnostic::new(&UNKNOWN_LOAD, load.module_span, message);
            found.push(match nearest(&load.module, names.iter().map(String::as_str)) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic
                    .help("modules take from others of the same directory: `load(\"other.star\", \"name\")`"),
            });
            return;
        };
        let theirs = &self.0.modules[to].module;
        if theirs.program.is_none() {
            return;
        }
        let public = |name: &&str| !name.starts_with('_');
        let names = || theirs.names.globals.iter().map(String::as_str).filter(public);
        if names().any(|name| name == load.theirs) {
            return;
        }
        let diagnostic = if load.theirs.starts_with('_') {
            let message = format!("`{}` of `{}` is private", load.theirs, load.module);
            Diagnostic::new(&UNKNOWN_LOAD, load.span, message)
                .help("names that begin with `_` stay in their module")
        } else {
            let message = format!("`{}` has no `{}`", load.module, load.theirs);
            let diagnostic = Diagnostic::new(&UNKNOWN_LOAD, load.span, message);
            match nearest(&load.theirs, names()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic,
            }
        };
        found.push(diagnostic);
    }
}

impl Inner {
    fn loaded(&self, from: usize, written: &str) -> Option<usize> {
        let name = written.strip_suffix(".star")?;
        let directory = self.modules.get(from)?.directory;
        self.modules.iter().position(|m| m.directory == directory && m.name == name)
    }

    fn register(&mut self) {
        let mut taken: BTreeSet<(FunctionKind, String, String)> = BTreeSet::new();
        let mut registered = Vec::new();
        // `_states` comes first in what it is for.
        let mut order: Vec<usize> = (0..self.modules.len()).collect();
        order.sort_by_key(|number| self.modules[*number].directory != STATES);
        for number in order {
            let module = &self.modules[number];
            let functions = &module.module.functions;
            for function in functions.iter().filter(|f| !is_companion(f, functions)) {
                let companion = format!("{}{CHECK_SUFFIX}", function.name);
                let companion = functions.iter().any(|f| f.name == companion).then_some(companion);
                for kind in kinds(module.directory, function, companion.is_some()) {
                    if !taken.insert((kind, module.name.clone(), function.name.clone())) {
                        continue;
                    }
                    let effect = match kind {
                        FunctionKind::State => Effect::Mutating,
                        FunctionKind::Exec => self.effect(number, &function.name),
                    };
                    registered.push(Registered {
                        signature: signature(module, function, kind, effect),
                        module: number,
                        function: function.clone(),
                        companion: companion.clone(),
                    });
                }
            }
        }
        self.registered = registered;
    }

    /// What a function may do to the machine: the most that anything does which it names, through all modules.
    fn effect(&self, number: usize, function: &str) -> Effect {
        let mut effect = Effect::Pure;
        let mut pending = vec![(number, function)];
        let mut seen: BTreeSet<(usize, &str)> = BTreeSet::new();
        while let Some((number, part)) = pending.pop() {
            if !seen.insert((number, part)) {
                continue;
            }
            let names = &self.modules[number].module.names;
            for name in names.used_by(part) {
                if let Some(load) = names.loads.iter().find(|load| load.local == name) {
                    pending.extend(self.loaded(number, &load.module).map(|to| (to, load.theirs.as_str())));
                } else if names.globals.contains(name) {
                    pending.push((number, name));
                } else if let Some(host) = HOST_FUNCTIONS.iter().find(|f| f.name == name) {
                    effect = stronger(effect, host.effect);
                } else if matches!(name, "facts" | "settings") {
                    // Who works out plans beforehand knows of no facts that are read in here.
                    effect = stronger(effect, Effect::Probe);
                }
            }
        }
        effect
    }
}

/// The name of the module that a path of the state tree is.
fn module_name(tree_path: &str) -> Option<&str> {
    let (directory, name) = tree_path.split_once('/')?;
    let name = name.strip_suffix(".star")?;
    // Files in folders below are no modules.
    (matches!(directory, MODULES | STATES) && !name.is_empty() && !name.contains(['/', '.'])).then_some(name)
}

/// Whether a path of the state tree is that of a module that is read.
pub(crate) fn is_module(tree_path: &str) -> bool {
    module_name(tree_path).is_some()
}

fn gives_map(ty: &Type) -> bool {
    match ty {
        Type::Any | Type::Map(_) => true,
        Type::Union(members) => members.iter().any(gives_map),
        _ => false,
    }
}

/// What a function can be called as.
fn kinds(directory: &str, function: &Function, has_companion: bool) -> Vec<FunctionKind> {
    if directory == STATES {
        return vec![FunctionKind::State];
    }
    match (gives_map(&function.returns), has_companion) {
        (true, true) => vec![FunctionKind::State],
        (true, false) => vec![FunctionKind::State, FunctionKind::Exec],
        (false, _) => vec![FunctionKind::Exec],
    }
}

fn signature(module: &CustomModule, function: &Function, kind: FunctionKind, effect: Effect) -> Signature {
    let params = function
        .params
        .iter()
        .map(|param| {
            let primary = kind == FunctionKind::State
                && param.name == "name"
                && matches!(param.ty, Type::Str | Type::Any);
            Param {
                name: param.name.clone().into(),
                aliases: &[],
                ty: param.ty.clone(),
                default: param.default.clone().filter(|value| *value != Value::Null),
                required: param.is_required() && !primary,
                primary,
                doc: param.doc.clone().into(),
                inert: None,
            }
        })
        .collect();
    Signature {
        module: module.name.clone().into(),
        function: function.name.clone().into(),
        kind,
        doc: function.doc.clone().into(),
        params,
        constraints: Vec::new(),
        returns: function.returns.clone(),
        open: function.open,
        effect,
        watches: false,
        never_changes: false,
        fleet: false,
        platforms: &[],
    }
}
