//! Variables that a state gives to the templates it renders: the keys of its `context` and `defaults`, and what the
//! files of its `source` read.

use super::{
    Context, Index, IndexedFile, Mention, Role, Symbol,
    mention::Collector,
    nodes::{self, literal_span},
};
use crate::{
    check::{
        fold::Constants,
        pattern::Pattern,
        scope::{GLOBALS, OF_EVENTS, unbound_names},
        walk::{bindings, parts, roots},
        workspace::{UnitKind, find_template},
    },
    lower::document::{Argument, Function},
    project::TreeKind,
    source::Span,
    syntax::{
        Node, Tree,
        expression::{Expr, ExprKind},
        template::{StatementKind, Template},
    },
    types::{FunctionKind, Value},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

/// Templates of one state that are looked at, those that they include among them: a directory may hold any number.
const MAX_TEMPLATES: usize = 40;
/// Deepest path below a variable: `site.tls.port`.
const MAX_PATH: usize = 12;

/// A variable that a template reads and does not bind, or a key below one.
#[derive(Clone, Debug)]
pub struct Read {
    /// The variable's name, and the keys below it.
    pub path: Vec<String>,
    /// Where it is read: the file's path and the place.
    pub places: Vec<(String, Span)>,
    /// Whether the template says what holds without it.
    pub optional: bool,
}

/// A state's key that gives a template a variable.
#[derive(Clone, Debug)]
pub struct Giver {
    /// The variable.
    pub name: String,
    /// The state's file.
    pub path: String,
    /// The key.
    pub span: Span,
}

/// Whether a parameter's keys are variables of the template that the state renders.
pub(super) fn gives(parameter: &str) -> bool {
    matches!(parameter, "context" | "defaults")
}

/// Whether a template takes a name that it does not bind from whoever renders it.
pub(super) fn is_taken(name: &str) -> bool {
    !GLOBALS.contains(&name) || OF_EVENTS.contains(&name)
}

/// The sources among a function's arguments, where their text decides them.
pub(super) fn sources<'t>(
    arguments: impl IntoIterator<Item = (&'t Node, &'t Node)>,
    constants: &Constants,
) -> Vec<String> {
    let sources =
        arguments.into_iter().filter(|(key, _)| matches!(key.text().as_deref(), Some("source" | "sources")));
    let values = sources.flat_map(|(_, value)| Pattern::of_list(value, constants));
    values.filter_map(|(value, _)| value.text().map(str::to_owned)).collect()
}

/// Collects the keys of `context` and `defaults`.
pub(super) fn collect(collector: &mut Collector<'_>, function: &Function<'_>, argument: &Argument<'_>) {
    let Some(name) = &function.name else { return };
    let signature = collector.index.registry.get(FunctionKind::State, &name.module, &name.function);
    if signature.is_none_or(|s| s.param("template").is_none()) {
        return;
    }
    let sources = sources(function.arguments.iter().map(|a| (a.key, a.value)), collector.constants);
    let templates = collector.index.sources(&collector.context.env, &sources);
    for (key, _) in nodes::entries(&argument.meant()) {
        let (Some(name), Some(span)) = (key.text(), literal_span(collector.tree, key)) else { continue };
        for template in &templates {
            let symbol = Symbol::Given { template: template.clone(), name: name.clone().into_owned() };
            collector.push(span, symbol, Role::Definition);
        }
    }
}

impl Index {
    /// Project paths of the files that sources name; of a directory, those in it.
    pub fn sources(&self, env: &str, sources: &[String]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for source in sources {
            let path = source.strip_prefix("zester://").or_else(|| source.strip_prefix("salt://"));
            let Some(path) = path else { continue };
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            let env = query.strip_prefix("saltenv=").unwrap_or(env);
            let path = path.trim_matches('/');
            match self.project.find(TreeKind::States, env, path) {
                Some(file) => found.push(file.path),
                None if path.is_empty() => {}
                None => found.extend(
                    self.project
                        .files_below(TreeKind::States, env, path)
                        .into_iter()
                        .take(MAX_TEMPLATES)
                        .map(|file| file.path),
                ),
            }
        }
        found.dedup();
        found.truncate(MAX_TEMPLATES);
        found
    }

    /// A file as a template: as the last check read it, else as it is now.
    pub fn template(&self, path: &str) -> Option<(Context, Arc<Tree>)> {
        let context = self.context(path);
        match self.file(path) {
            Some(file) => Some((context, file.tree.clone())),
            None => Some((context, self.project.tree(path).ok()?)),
        }
    }

    /// What templates read of whoever renders them, sorted: variables, and keys below them. What they include is
    /// read with their variables, too.
    pub fn reads(&self, templates: &[String]) -> Vec<Read> {
        let mut found: BTreeMap<Vec<String>, Read> = BTreeMap::new();
        let mut seen: HashSet<String> = HashSet::new();
        // With the names that those bind which include a file.
        let mut pending: Vec<(String, Arc<HashSet<String>>)> =
            templates.iter().map(|path| (path.clone(), Arc::default())).collect();
        while let Some((path, bound)) = pending.pop() {
            if seen.len() >= MAX_TEMPLATES || !seen.insert(path.clone()) {
                continue;
            }
            let Some((context, tree)) = self.template(&path) else { continue };
            of_template(&path, &tree.template, &bound, &mut found);
            let constants = Self::constants(&context, &tree);
            let own = bindings(&tree.template).into_iter().map(|b| b.name.to_owned());
            let bound: Arc<HashSet<String>> = Arc::new(own.chain(bound.iter().cloned()).collect());
            for file in shared(&tree.template) {
                let file = constants
                    .text(file)
                    .and_then(|text| find_template(&self.project, &context.env, &text, &context.tree_path));
                pending.extend(file.map(|file| (file.path, bound.clone())));
            }
        }
        let mut found: Vec<Read> = found.into_values().collect();
        for read in &mut found {
            read.places.sort();
        }
        found
    }

    /// The states that give a template its variables, in the order of their files.
    pub fn givers(&self, template: &str) -> Vec<Giver> {
        let tree_path = self.context(template).tree_path;
        let name = tree_path.rsplit('/').next().unwrap_or(&tree_path);
        let is_below = |dir: &str| tree_path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
        // What a file mentions is worked out and kept, so only those are asked that can name the template or its directory.
        let gives = |file: &&Arc<IndexedFile>| {
            let text = &file.tree.text;
            file.context.kind != UnitKind::Settings
                && (text.contains("context") || text.contains("defaults"))
                && (text.contains(name) || file.summary.sources.iter().any(|s| is_below(&s.path)))
        };
        let mut found = Vec::new();
        for file in self.files().filter(gives) {
            found.extend(
                self.mentions(file).iter().filter_map(|mention| given(mention, template, &file.path)),
            );
        }
        found
    }
}

fn given(mention: &Mention, to: &str, path: &str) -> Option<Giver> {
    let Symbol::Given { template, name } = &mention.symbol else { return None };
    (template == to && mention.role == Role::Definition).then(|| Giver {
        name: name.clone(),
        path: path.to_owned(),
        span: mention.span,
    })
}

/// Paths of the files that see a template's variables.
pub(super) fn shared(template: &Template) -> Vec<&Arc<Expr>> {
    let shared = template.statements.iter().filter_map(|statement| match &statement.kind {
        StatementKind::Include { path, .. } | StatementKind::Extends(path) => Some(path),
        StatementKind::Import { path, with_context: true, .. }
        | StatementKind::FromImport { path, with_context: true, .. } => Some(path),
        _ => None,
    });
    shared.collect()
}

/// Adds what one template reads.
fn of_template(
    path: &str,
    template: &Template,
    bound: &HashSet<String>,
    found: &mut BTreeMap<Vec<String>, Read>,
) {
    let taken = unbound_names(template).into_iter().filter(|f| is_taken(&f.name) && !bound.contains(&f.name));
    let names: HashMap<String, bool> = taken.map(|free| (free.name, free.asked)).collect();
    let mut pending: Vec<(&Arc<Expr>, bool)> =
        roots(template).into_iter().map(|root| (root, false)).collect();
    while let Some((expr, called)) = pending.pop() {
        // What is called is a method, no key.
        if let Some((keys, span)) = (!called).then(|| keys_of(expr)).flatten()
            && let Some(asked) = keys.first().and_then(|name| names.get(name))
        {
            let optional = *asked && keys.len() == 1;
            let read = found.entry(keys).or_insert_with_key(|keys| Read {
                path: keys.clone(),
                places: Vec::new(),
                optional,
            });
            read.optional &= optional;
            read.places.push((path.to_owned(), span));
        }
        let callee = match &expr.kind {
            ExprKind::Call { callee, .. } => Some(callee),
            _ => None,
        };
        let is_callee = |part: &Arc<Expr>| callee.is_some_and(|callee| Arc::ptr_eq(callee, part));
        pending.extend(parts(expr).into_iter().map(|part| (part, is_callee(part))));
    }
}

/// `name`, `name.key`, `name['key']`, `name.get('key')`: the words, and the place of the last.
fn keys_of(expr: &Arc<Expr>) -> Option<(Vec<String>, Span)> {
    let mut keys: Vec<String> = Vec::new();
    let mut place = None;
    let mut expr = expr;
    while keys.len() < MAX_PATH {
        let (object, key, span) = match &expr.kind {
            ExprKind::Name(name) => {
                keys.push(name.clone());
                keys.reverse();
                return Some((keys, place.unwrap_or(expr.span)));
            }
            ExprKind::Attribute { object, name, name_span } => (object, name, *name_span),
            ExprKind::Index { object, index } => match &index.kind {
                ExprKind::Literal(Value::Str(key)) => (object, key, index.span),
                _ => return None,
            },
            ExprKind::Call { callee, args } => match (&callee.kind, args.as_slice()) {
                (ExprKind::Attribute { object, name, .. }, [first, ..]) if name == "get" => {
                    match &first.value.kind {
                        ExprKind::Literal(Value::Str(key)) => (object, key, first.value.span),
                        _ => return None,
                    }
                }
                _ => return None,
            },
            _ => return None,
        };
        keys.push(key.clone());
        place = place.or(Some(span));
        expr = object;
    }
    None
}
