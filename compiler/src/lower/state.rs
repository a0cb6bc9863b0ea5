//! From a draft to the states of the plan: arguments bound, names expanded.

use super::{
    document::{Argument, Function, Reference},
    merge::{Draft, replace},
    place::Places,
};
use crate::{
    check::{
        functions::{CustomModules, check_function},
        orchestration::not_on_a_peel,
        parameters::{Bound, Extent, bind, check_name},
    },
    diagnostic::Diagnostic,
    ir,
    source::Files,
    syntax::{Node, NodeKind, template::Template},
    types::{Map, Registry, Type, Value, decode::decode},
};
use indexmap::IndexMap;

/// A state of the plan with what is still to be resolved.
pub(super) struct Prepared {
    pub node: ir::Node,
    pub unit: usize,
    pub references: Vec<Reference>,
    pub uses: Vec<Reference>,
    pub never_changes: bool,
}

/// What preparing needs to know.
pub(super) struct Preparer<'p> {
    pub registry: &'p Registry,
    pub custom: &'p CustomModules,
    pub places: &'p Places,
    pub files: &'p Files,
    /// Whether the fleet may be asked.
    pub orchestration: bool,
    pub diagnostics: Vec<Diagnostic>,
}

impl Preparer<'_> {
    /// Adds the states of a draft to `states`: one, or one for each entry of `names`.
    pub(super) fn prepare(&mut self, draft: &Draft<'_>, sls: &str, env: &str, states: &mut Vec<Prepared>) {
        let Some(signature) = draft.signature.clone() else {
            self.unknown_function(draft, sls, env, states);
            return;
        };
        if signature.fleet && !self.orchestration {
            self.diagnostics.push(not_on_a_peel(&draft.name.to_string(), draft.function.name_span()));
        }
        let template = Template::default();
        let bound = bind(&draft.function, &signature, Extent::Whole, &template, &mut self.diagnostics);
        let primary = signature.primary().map(|p| &*p.name);
        let base = Base { draft, sls, env, primary };
        let entries = bound.names.map(|n| self.names(n)).unwrap_or_default();
        if entries.is_empty() {
            let name = match (&bound.name, primary.and_then(|p| bound.args.get(p))) {
                // Under another name of the parameter it is an argument like any other.
                (_, Some(value)) => Some(value.clone()),
                (Some((_, Some(value))), None) => Some(value.clone()),
                (Some((argument, None)), None) if !argument.value.is_nothing() => None,
                _ => check_name(&signature, draft.id_node, &mut self.diagnostics),
            };
            states.push(self.finish(&base, bound, name, &signature.params, signature.never_changes));
            return;
        }
        for entry in entries {
            let name = check_name(&signature, entry.name, &mut self.diagnostics);
            if entry.overrides.is_empty() {
                let bound = bound.clone();
                states.push(self.finish(&base, bound, name, &signature.params, signature.never_changes));
                continue;
            }
            let function = overridden(&draft.function, &entry.overrides, &signature);
            // What is wrong with the shared arguments has been said; the same finding is not kept twice.
            let bound = bind(&function, &signature, Extent::Whole, &template, &mut self.diagnostics);
            states.push(self.finish(&base, bound, name, &signature.params, signature.never_changes));
        }
    }

    fn finish(
        &self,
        base: &Base<'_>,
        bound: Bound<'_>,
        name: Option<Value>,
        params: &[crate::types::Param],
        never_changes: bool,
    ) -> Prepared {
        let draft = base.draft;
        let mut args = bound.args;
        let text = name.as_ref().map_or_else(|| draft.id.clone(), display);
        if let Some(primary) = base.primary {
            args.shift_insert(0, primary.to_owned(), name.unwrap_or_else(|| Value::from(draft.id.as_str())));
        }
        let secret = params
            .iter()
            .filter(|p| p.ty.is_secret() && args.contains_key(&*p.name))
            .map(|p| p.name.to_string())
            .collect();
        let arg_origins: IndexMap<String, ir::Origin> = bound
            .places
            .into_iter()
            .map(|(name, span)| (name, self.places.origin(self.files, span)))
            .collect();
        Prepared {
            node: ir::Node {
                id: draft.id.clone(),
                function: draft.name.clone(),
                name: text,
                args,
                secret,
                attributes: bound.attributes,
                sls: base.sls.to_owned(),
                env: base.env.to_owned(),
                origin: self.places.origin(self.files, draft.function.span),
                arg_origins,
            },
            unit: draft.unit,
            references: bound.references,
            uses: bound.uses,
            never_changes,
        }
    }

    /// A function that nothing here provides: its requisites still hold, and its run will say that it failed.
    fn unknown_function(&mut self, draft: &Draft<'_>, sls: &str, env: &str, states: &mut Vec<Prepared>) {
        let (module, function) = draft.function.word_spans();
        check_function(&draft.name, module, function, self.registry, self.custom, &mut self.diagnostics);
        let open = crate::types::Signature {
            module: "".into(),
            function: "".into(),
            kind: crate::types::FunctionKind::State,
            doc: "".into(),
            params: Vec::new(),
            constraints: Vec::new(),
            returns: Type::Any,
            open: true,
            effect: crate::types::Effect::Mutating,
            watches: false,
            never_changes: false,
            fleet: false,
            platforms: &[],
        };
        let bound = bind(&draft.function, &open, Extent::Whole, &Template::default(), &mut self.diagnostics);
        let base = Base { draft, sls, env, primary: None };
        let given = bound.name.as_ref().and_then(|(_, value)| value.clone());
        let entries = bound.names.map(|n| self.names(n)).unwrap_or_default();
        if entries.is_empty() {
            let mut prepared = self.finish(&base, bound, given.clone(), &[], false);
            if let Some(name) = given {
                prepared.node.args.insert("name".to_owned(), name);
            }
            states.push(prepared);
            return;
        }
        for entry in entries {
            let name = entry.name.text().map(|t| Value::Str(t.into_owned()));
            let mut prepared = self.finish(&base, bound.clone(), name.clone(), &[], false);
            if let Some(name) = name {
                prepared.node.args.insert("name".to_owned(), name);
            }
            states.push(prepared);
        }
    }

    /// The entries of `names`: texts, and maps from a name to the arguments it changes.
    fn names<'t>(&mut self, argument: &'t Argument<'t>) -> Vec<NameEntry<'t>> {
        let mut entries = Vec::new();
        let items: Vec<&Node> = match &argument.value.kind {
            NodeKind::Sequence(sequence) => sequence.items.iter().collect(),
            _ if argument.value.is_nothing() => Vec::new(),
            _ => vec![argument.value],
        };
        for item in items {
            match &item.kind {
                NodeKind::Mapping(mapping) => {
                    for entry in &mapping.entries {
                        let overrides =
                            super::document::read_arguments(&entry.key, &entry.value, &mut self.diagnostics);
                        entries.push(NameEntry { name: &entry.key, overrides });
                    }
                }
                NodeKind::Scalar(_) => entries.push(NameEntry { name: item, overrides: Vec::new() }),
                _ => {
                    if let Err(error) = decode(&Type::Str, item) {
                        self.diagnostics.push(error.into_diagnostic("names"));
                    }
                }
            }
        }
        entries
    }
}

struct Base<'b> {
    draft: &'b Draft<'b>,
    sls: &'b str,
    env: &'b str,
    primary: Option<&'b str>,
}

struct NameEntry<'t> {
    name: &'t Node,
    overrides: Vec<Argument<'t>>,
}

/// The function with some arguments changed, and without `names`.
fn overridden<'t>(
    function: &Function<'t>,
    overrides: &[Argument<'t>],
    signature: &crate::types::Signature,
) -> Function<'t> {
    let mut arguments: Vec<Argument<'t>> = function
        .arguments
        .iter()
        .filter(|a| a.key.text().as_deref() != Some("names"))
        .map(|a| Argument { key: a.key, value: a.value, misindented: a.misindented })
        .collect();
    replace(&mut arguments, overrides, Some(signature));
    Function {
        name: function.name.clone(),
        module: None,
        span: function.span,
        function_span: function.function_span,
        arguments,
        splices: Vec::new(),
        open: function.open,
    }
}

/// A name as text.
fn display(value: &Value) -> String {
    match value {
        Value::List(list) => list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// `use`: what `from` has and `to` does not say itself.
pub(super) fn inherit(to: &mut ir::Node, from: &ir::Node, registry: &Registry) {
    let signature =
        registry.get(crate::types::FunctionKind::State, &to.function.module, &to.function.function).cloned();
    let from_primary = registry
        .get(crate::types::FunctionKind::State, &from.function.module, &from.function.function)
        .and_then(|s| s.primary().map(|p| &*p.name));
    let mut inherited = Map::new();
    for (name, value) in &from.args {
        let known = signature
            .as_ref()
            .is_some_and(|s| s.open || s.params.iter().any(|p| p.name == *name && !p.primary));
        if known && Some(name.as_str()) != from_primary && !to.args.contains_key(name) {
            inherited.insert(name.clone(), value.clone());
        }
    }
    for (name, value) in inherited {
        if let Some(origin) = from.arg_origins.get(&name) {
            to.arg_origins.insert(name.clone(), origin.clone());
        }
        if from.secret.contains(&name) {
            to.secret.push(name.clone());
        }
        to.args.insert(name, value);
    }
    let theirs = from.attributes.clone();
    let mine = &mut to.attributes;
    for (own, other) in [(&mut mine.onlyif, theirs.onlyif), (&mut mine.unless, theirs.unless)] {
        if own.is_empty() {
            *own = other;
        }
    }
    for (own, other) in [(&mut mine.creates, theirs.creates), (&mut mine.check_cmd, theirs.check_cmd)] {
        if own.is_empty() {
            *own = other;
        }
    }
    mine.retry = mine.retry.take().or(theirs.retry);
    mine.failhard |= theirs.failhard;
    mine.parallel |= theirs.parallel;
    mine.runas = mine.runas.take().or(theirs.runas);
    mine.timeout = mine.timeout.or(theirs.timeout);
    mine.umask = mine.umask.take().or(theirs.umask);
}
