//! Mentions in state files: ids, functions, parameters, requisites, refs.

use super::{
    given,
    mention::{Collector, Kind, Mention, Role, Symbol},
    nodes,
};
use crate::{
    lower::document::{
        Argument, Function, Reference, State, StateFile, Target, read_requisites, requisite_of_key,
    },
    project::TreeKind,
    source::Span,
    syntax::{BodyKind, Node},
    types::{FunctionKind, FunctionName},
};

/// Collects what a state file names.
pub(super) fn collect(collector: &mut Collector<'_>) {
    if let Some(root) = &collector.tree.root {
        document(collector, root);
    }
    collect_bodies(collector);
}

/// Collects what the macros of a file name in the states they emit.
pub(super) fn collect_bodies(collector: &mut Collector<'_>) {
    let tree = collector.tree;
    for body in &tree.bodies {
        if let (BodyKind::States, Some(root)) = (body.kind, &body.root) {
            document(collector, root);
        }
    }
}

fn document<'t>(collector: &mut Collector<'t>, root: &'t Node) {
    let file = StateFile::read(root, &collector.tree.template);
    for include in &file.includes {
        let env =
            include.env.map_or(Some(collector.context.env.clone()), |e| e.text().map(|t| t.into_owned()));
        if let Some(env) = env {
            collector.reference(TreeKind::States, &env, include.reference);
        }
    }
    for exclude in &file.excludes {
        if exclude.sls {
            let env = collector.context.env.clone();
            collector.reference(TreeKind::States, &env, exclude.name);
        } else {
            named(collector, exclude.name, Role::Reference);
        }
    }
    for state in &file.states {
        named(collector, state.id, Role::Definition);
        functions(collector, state);
    }
    for state in &file.extends {
        named(collector, state.id, Role::Reference);
        functions(collector, state);
    }
}

fn named(collector: &mut Collector<'_>, node: &Node, role: Role) {
    for node in nodes::choices(node) {
        if let (Some(text), Some(span)) = (node.text(), nodes::literal_span(collector.tree, node)) {
            collector.push(span, Symbol::State(text.into_owned()), role);
        }
    }
}

fn functions(collector: &mut Collector<'_>, state: &State<'_>) {
    for function in &state.functions {
        let (module, word) = function.word_spans();
        if let Some(name) = &function.name {
            let side = FunctionKind::State;
            if module != word {
                collector.push(module, Symbol::Module(side, name.module.to_string()), Role::Reference);
            }
            collector.push(word, Symbol::Function(side, name.clone()), Role::Reference);
        } else if let Some(name) = &function.module {
            collector.push(module, Symbol::Module(FunctionKind::State, name.clone()), Role::Reference);
        }
        for argument in &function.arguments {
            self::argument(collector, function, argument);
        }
    }
}

fn argument(collector: &mut Collector<'_>, function: &Function<'_>, argument: &Argument<'_>) {
    let Some(key) = argument.key.text() else { return };
    let Some(span) = nodes::literal_span(collector.tree, argument.key) else { return };
    let signature = function
        .name
        .as_ref()
        .and_then(|n| collector.index.registry.get(FunctionKind::State, &n.module, &n.function));
    let known = signature.is_some_and(|s| s.param(&key).is_some());
    let inner = FunctionName::parse(&key);
    match (&function.name, inner) {
        (Some(name), _) if known => {
            let symbol = Symbol::Parameter(FunctionKind::State, name.clone(), key.clone().into_owned());
            collector.push(span, symbol, Role::Reference);
        }
        // `module.run` takes functions as its parameters.
        (Some(name), Some(called)) if name.module == "module" => {
            collector.push(span, Symbol::Function(FunctionKind::Exec, called), Role::Reference);
        }
        _ => collector.push(span, Symbol::GenericKey(key.clone().into_owned()), Role::Reference),
    }
    match key.as_ref() {
        // What a step of an orchestration applies on peels.
        "sls" if signature.is_some_and(|s| s.fleet) => {
            let env = collector.context.env.clone();
            for item in nodes::items(argument.value) {
                collector.reference(TreeKind::States, &env, item);
            }
            collector.reference(TreeKind::States, &env, argument.value);
        }
        "name" if !known || signature.and_then(|s| s.primary()).is_some_and(|p| p.name == "name") => {
            named(collector, argument.value, Role::Definition);
        }
        key if known && given::gives(key) => given::collect(collector, function, argument),
        "names" => {
            for item in nodes::items(argument.value) {
                named(collector, item, Role::Definition);
                for (key, _) in nodes::entries(item) {
                    named(collector, key, Role::Definition);
                }
            }
        }
        _ => {}
    }
    if requisite_of_key(&key).is_some() || matches!(key.as_ref(), "use" | "use_in") {
        for reference in read_requisites(argument).0 {
            requisite(collector, &reference);
        }
    }
}

fn requisite(collector: &mut Collector<'_>, reference: &Reference) {
    let (name, kind) = match &reference.target {
        Target::Module { module, name } => (name, Kind::Module(module.clone())),
        Target::Function { function, name } => (name, Kind::Function(function.clone())),
        Target::Id(name) => (name, Kind::Any),
        Target::Sls(name) => {
            if let Some(span) = place_of(collector, reference.name_span, name) {
                let from = &collector.context.tree_path;
                let env = &collector.context.env;
                let found = collector.index.project.resolve(TreeKind::States, env, name, Some(from));
                let symbol = found.map_or(Symbol::Missing(name.clone()), |f| Symbol::File(f.file.path));
                collector.push(span, symbol, Role::Reference);
            }
            return;
        }
        Target::Unknown => return,
    };
    if let Some(word) = reference.word.as_ref().filter(|w| w.colon) {
        let side = FunctionKind::State;
        let symbol = FunctionName::parse(&word.text)
            .map_or_else(|| Symbol::Module(side, word.text.clone()), |f| Symbol::Function(side, f));
        if word.text != "id" {
            collector.push(word.span, symbol, Role::Reference);
        }
    }
    if let Some(span) = place_of(collector, reference.name_span, name) {
        let mention = Mention::new(span, Symbol::State(name.clone()), Role::Reference);
        collector.found.push(Mention { kind: Some(kind), ..mention });
    }
}

/// Where in a place a name stands as it is.
fn place_of(collector: &Collector<'_>, span: Span, name: &str) -> Option<Span> {
    let written = collector.tree.text.get(span.range())?;
    let at = written.rfind(name)? as u32;
    Some(Span { start: span.start + at, end: span.start + at + name.len() as u32, ..span })
}
