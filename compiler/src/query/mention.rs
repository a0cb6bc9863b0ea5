//! Everything a file names, with the place of each name: what hovers, jumps, references and renames rest on.

use super::{Context, Index, chain::Aliases, expression, nodes, state};
use crate::{
    check::{fold::Constants, workspace::UnitKind},
    project::TreeKind,
    source::Span,
    syntax::{Node, NodeKind, Tree},
    types::{FunctionKind, FunctionName},
};

/// What a name stands for.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Symbol {
    /// A state, by its id or one of its names.
    State(String),
    /// A file of the project, by its project path.
    File(String),
    /// A path of the settings.
    Setting(Vec<String>),
    /// A variable or macro. `scope` is where the block begins that binds it; `None` for names of the whole file.
    Name {
        /// Project path of the file that binds it.
        file: String,
        /// The block that binds it.
        scope: Option<u32>,
        /// The name.
        name: String,
    },
    /// A variable that states give to a template, by the template's project path.
    Given {
        /// Project path of the template.
        template: String,
        /// The variable.
        name: String,
    },
    /// A name that every template sees.
    Global(String),
    /// A fact, by its dotted path.
    Fact(String),
    /// A grain.
    Grain(String),
    /// A module of functions.
    Module(FunctionKind, String),
    /// A function.
    Function(FunctionKind, FunctionName),
    /// A parameter of a function.
    Parameter(FunctionKind, FunctionName, String),
    /// A key that every state takes: `require`, `onlyif`.
    GenericKey(String),
    /// A filter.
    Filter(String),
    /// A test.
    Test(String),
    /// A nodegroup.
    Nodegroup(String),
    /// A path that should name a file, and does not.
    Missing(String),
}

/// Whether a mention makes the thing or uses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// An id, a `set`, a key of a settings file.
    Definition,
    /// A use.
    Reference,
}

/// The kind of state that a requisite asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Any.
    Any,
    /// Any function of a module.
    Module(String),
    /// One function.
    Function(FunctionName),
}

/// A name in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mention {
    /// Exactly the name: without quotes, of a path only the segment.
    pub span: Span,
    /// What it stands for.
    pub symbol: Symbol,
    /// Definition or use.
    pub role: Role,
    /// Of a state in a requisite: the kind that is asked for.
    pub kind: Option<Kind>,
}

impl Mention {
    pub(super) fn new(span: Span, symbol: Symbol, role: Role) -> Self {
        Self { span, symbol, role, kind: None }
    }
}

/// What the parts of this room share while they collect.
pub(super) struct Collector<'a> {
    pub index: &'a Index,
    pub context: &'a Context,
    pub tree: &'a Tree,
    pub constants: &'a Constants,
    pub aliases: Aliases,
    pub found: Vec<Mention>,
}

impl Collector<'_> {
    pub fn push(&mut self, span: Span, symbol: Symbol, role: Role) {
        self.found.push(Mention::new(span, symbol, role));
    }

    /// A ref to a file of a tree.
    pub fn reference(&mut self, kind: TreeKind, env: &str, node: &Node) {
        let (Some(text), Some(span)) = (node.text(), nodes::literal_span(self.tree, node)) else { return };
        let project = &self.index.project;
        let symbol = match project.resolve_all(kind, env, &text, Some(&self.context.tree_path)) {
            Ok(found) => match found.as_slice() {
                [one] => Symbol::File(one.file.path.clone()),
                _ => return,
            },
            Err(_) => Symbol::Missing(text.into_owned()),
        };
        self.push(span, symbol, Role::Reference);
    }

    /// `zester://path`
    pub fn source(&mut self, text: &str, span: Span) {
        let Some(path) = text.strip_prefix("zester://").or_else(|| text.strip_prefix("salt://")) else {
            return;
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let env = query.strip_prefix("saltenv=").unwrap_or(&self.context.env);
        let symbol = match self.index.project.find(TreeKind::States, env, path) {
            Some(file) => Symbol::File(file.path),
            None => Symbol::Missing(path.to_owned()),
        };
        self.push(span, symbol, Role::Reference);
    }
}

/// Collects all mentions of a file, sorted by place.
pub(super) fn mentions(index: &Index, context: &Context, tree: &Tree) -> Vec<Mention> {
    let constants = Index::constants(context, tree);
    let aliases = Aliases::of(&tree.template);
    let mut collector = Collector { index, context, tree, constants: &constants, aliases, found: Vec::new() };
    match context.kind {
        UnitKind::States => state::collect(&mut collector),
        UnitKind::Template => state::collect_bodies(&mut collector),
        UnitKind::Settings => super::settings::collect(&mut collector),
        UnitKind::Top(kind) => top(&mut collector, kind),
        UnitKind::Data | UnitKind::Schema => {}
    }
    sources(&mut collector);
    expression::collect(&mut collector);
    let mut found = collector.found;
    found.sort_by(|a, b| (a.span, &a.symbol).cmp(&(b.span, &b.symbol)));
    found.dedup_by(|a, b| a.span == b.span && a.symbol == b.symbol);
    found
}

/// Paths of sources anywhere in the document.
fn sources(collector: &mut Collector<'_>) {
    let tree = collector.tree;
    let roots = tree.root.iter().chain(tree.bodies.iter().filter_map(|b| b.root.as_ref()));
    for root in roots {
        nodes::visit(root, &mut |node| {
            if let (Some(text), Some(span)) = (node.text(), nodes::literal_span(tree, node))
                && text.contains("://")
            {
                collector.source(&text, span);
            }
        });
    }
}

/// A top file: environments, targets, refs.
fn top(collector: &mut Collector<'_>, kind: TreeKind) {
    let Some(root) = &collector.tree.root else { return };
    for (env_key, targets) in nodes::entries(root) {
        let Some(env) = env_key.text().map(|t| t.into_owned()) else { continue };
        for (target, refs) in nodes::entries(targets) {
            super::words::target_mentions(collector, target, refs);
            for item in nodes::items(refs) {
                if matches!(item.kind, NodeKind::Scalar(_)) {
                    collector.reference(kind, &env, item);
                }
            }
        }
    }
}
