//! What a file consists of: the outline an editor shows, and the state at a place.

use super::{Context, mention::Kind, nodes};
use crate::{
    check::workspace::UnitKind,
    lower::document::{StateFile, requisite_of_key},
    source::Span,
    syntax::{
        BodyKind, Node, NodeKind, Tree,
        template::{BlockKind, StatementKind},
    },
    types::FunctionName,
};

/// What an outline's entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutlineKind {
    /// An id.
    State,
    /// A function of a state.
    Function,
    /// A requisite.
    Requisite,
    /// `include`, `extend`, `exclude`.
    Section,
    /// A ref.
    Reference,
    /// A macro.
    Macro,
    /// A variable of the template.
    Variable,
    /// A key of settings.
    Key,
    /// A target of a top file.
    Target,
}

/// An entry of an outline.
#[derive(Clone, Debug)]
pub struct Outline {
    /// What is shown.
    pub name: String,
    /// A word more.
    pub detail: String,
    /// What it is.
    pub kind: OutlineKind,
    /// Its name's place.
    pub name_span: Span,
    /// All of it.
    pub span: Span,
    /// What it consists of.
    pub children: Vec<Outline>,
}

const MAX_DEPTH: usize = 12;

/// The outline of a file.
pub fn outline(context: &Context, tree: &Tree) -> Vec<Outline> {
    let mut found = names(tree);
    match context.kind {
        UnitKind::States | UnitKind::Template => {
            let documents = tree.root.iter().filter(|_| context.kind == UnitKind::States);
            let bodies = tree.bodies.iter().filter(|b| b.kind == BodyKind::States);
            for root in documents.chain(bodies.filter_map(|b| b.root.as_ref())) {
                states(tree, root, &mut found);
            }
        }
        UnitKind::Settings | UnitKind::Data | UnitKind::Schema => {
            if let Some(root) = &tree.root {
                found.extend(keys(root, 0));
            }
        }
        UnitKind::Top(_) => {
            for (env, targets) in tree.root.iter().flat_map(nodes::entries) {
                let children = nodes::entries(targets)
                    .into_iter()
                    .map(|(target, refs)| {
                        let children = nodes::items(refs)
                            .into_iter()
                            .filter_map(|item| {
                                Some(leaf(item.text()?.into_owned(), OutlineKind::Reference, item.span))
                            })
                            .collect();
                        entry(target, refs, OutlineKind::Target, children)
                    })
                    .collect();
                found.push(entry(env, targets, OutlineKind::Section, children));
            }
        }
    }
    found.sort_by_key(|o| o.span.start);
    found
}

fn leaf(name: String, kind: OutlineKind, span: Span) -> Outline {
    Outline { name, detail: String::new(), kind, name_span: span, span, children: Vec::new() }
}

fn entry(key: &Node, value: &Node, kind: OutlineKind, children: Vec<Outline>) -> Outline {
    let name = key.text().map_or_else(|| "…".to_owned(), |t| t.into_owned());
    Outline {
        name,
        detail: String::new(),
        kind,
        name_span: key.span,
        span: key.span.to(value.span),
        children,
    }
}

fn names(tree: &Tree) -> Vec<Outline> {
    let mut found = Vec::new();
    for block in &tree.template.blocks {
        let (name, kind, detail) = match &block.kind {
            BlockKind::Macro { name, params } => {
                let params: Vec<&str> = params.iter().map(|(name, ..)| name.as_str()).collect();
                (name, OutlineKind::Macro, format!("({})", params.join(", ")))
            }
            BlockKind::Set { name, .. } | BlockKind::Load { name, .. } => {
                (name, OutlineKind::Variable, String::new())
            }
            _ => continue,
        };
        let mut outline = leaf(name.0.clone(), kind, name.1);
        outline.span = block.span;
        outline.detail = detail;
        found.push(outline);
    }
    for statement in &tree.template.statements {
        let targets: Vec<&(String, Span)> = match &statement.kind {
            StatementKind::Set { targets, .. } if statement.parent.is_none() => targets.iter().collect(),
            StatementKind::ImportData { name, .. } => vec![name],
            _ => continue,
        };
        for (name, span) in targets {
            let mut outline = leaf(name.clone(), OutlineKind::Variable, *span);
            outline.span = statement.span;
            found.push(outline);
        }
    }
    found
}

fn states(tree: &Tree, root: &Node, found: &mut Vec<Outline>) {
    for (key, value) in nodes::entries(root) {
        match key.text().as_deref() {
            Some("include") => {
                let children = nodes::items(value)
                    .into_iter()
                    .filter_map(|item| {
                        Some(leaf(item.text()?.into_owned(), OutlineKind::Reference, item.span))
                    })
                    .collect();
                found.push(entry(key, value, OutlineKind::Section, children));
            }
            Some("extend" | "exclude") => found.push(entry(key, value, OutlineKind::Section, Vec::new())),
            _ => {}
        }
    }
    let file = StateFile::read(root, &tree.template);
    let bodies: Vec<(&Node, &Node)> = nodes::entries(root);
    for state in &file.states {
        let value = bodies.iter().find(|(key, _)| std::ptr::eq(*key, state.id)).map(|(_, value)| *value);
        let children = state
            .functions
            .iter()
            .map(|function| {
                let name = function.name.as_ref().map_or_else(
                    || function.module.clone().unwrap_or_else(|| "…".to_owned()),
                    ToString::to_string,
                );
                let span = function.arguments.iter().fold(function.name_span(), |all, a| all.to(a.span()));
                let children = function
                    .arguments
                    .iter()
                    .filter(|a| a.key.text().is_some_and(|k| requisite_of_key(&k).is_some()))
                    .map(|a| entry(a.key, a.value, OutlineKind::Requisite, Vec::new()))
                    .collect();
                let mut outline = leaf(name, OutlineKind::Function, function.name_span());
                outline.span = span;
                outline.children = children;
                outline
            })
            .collect();
        let value = value.unwrap_or(state.id);
        let mut outline = entry(state.id, value, OutlineKind::State, children);
        if state.id.text().is_none() {
            outline.name = tree.text.get(state.id.span.range()).map_or_else(String::new, str::to_owned);
        }
        let functions: Vec<String> =
            state.functions.iter().filter_map(|f| Some(f.name.as_ref()?.to_string())).collect();
        outline.detail = functions.join(", ");
        found.push(outline);
    }
}

fn keys(node: &Node, depth: usize) -> Vec<Outline> {
    if depth > MAX_DEPTH {
        return Vec::new();
    }
    nodes::entries(node)
        .into_iter()
        .map(|(key, value)| entry(key, value, OutlineKind::Key, keys(value, depth + 1)))
        .collect()
}

/// A state's function with what an edit of it needs to know.
#[derive(Clone, Debug)]
pub struct StateAt {
    /// The id, where it is literal.
    pub id: Option<String>,
    /// Where the id stands.
    pub id_span: Span,
    /// The function.
    pub function: Option<FunctionName>,
    /// Its key: all of `pkg.installed`, of the split form the module's word.
    pub key_span: Span,
    /// The function's own word of the split form.
    pub word_span: Option<Span>,
    /// Names of its arguments, with the places of keys and values.
    pub arguments: Vec<(String, Span, Span)>,
    /// `name` and `names`, where literal.
    pub names: Vec<String>,
    /// The value below the function's key: a list, a map, nothing.
    pub body: BodyForm,
    /// All of the state.
    pub span: Span,
}

/// How a function's arguments are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyForm {
    /// `- key: value` lines. The place of the first item.
    List(Span),
    /// `key: value` lines.
    Map(Span),
    /// `[]`, `{}` or nothing: the place of what is written, empty at the end of the key where nothing is.
    Nothing(Span),
    /// `id: pkg.installed`
    Short,
    /// On one line, in brackets, or with templates between.
    Other,
}

/// All functions of all states of a file, in order.
pub fn states_of(context: &Context, tree: &Tree) -> Vec<StateAt> {
    if context.kind != UnitKind::States {
        return Vec::new();
    }
    let Some(root) = &tree.root else { return Vec::new() };
    let file = StateFile::read(root, &tree.template);
    let bodies = nodes::entries(root);
    let mut found = Vec::new();
    for state in &file.states {
        let body = bodies.iter().find(|(key, _)| std::ptr::eq(*key, state.id)).map(|(_, value)| *value);
        for function in &state.functions {
            let value = body.and_then(|body| {
                nodes::entries(body).into_iter().find(|(key, _)| key.span == function.span).map(|(_, v)| v)
            });
            let form = match value {
                None if function.function_span.is_none() => BodyForm::Short,
                None => BodyForm::Other,
                Some(_) if !function.splices.is_empty() || function.function_span.is_some() => {
                    BodyForm::Other
                }
                Some(value) => form_of(value, function.span),
            };
            let mut names = Vec::new();
            for argument in &function.arguments {
                match argument.key.text().as_deref() {
                    Some("name") => names.extend(argument.value.text().map(|t| t.into_owned())),
                    Some("names") => {
                        let items = nodes::items(argument.value).into_iter();
                        for item in items {
                            names.extend(item.text().map(|t| t.into_owned()));
                            // With overrides of its own: `- name: [{mode: '0700'}]`.
                            let keys = nodes::entries(item).into_iter().filter_map(|(key, _)| key.text());
                            names.extend(keys.map(|t| t.into_owned()));
                        }
                    }
                    _ => {}
                }
            }
            found.push(StateAt {
                id: state.id.text().map(|t| t.into_owned()),
                id_span: state.id.span,
                function: function.name.clone(),
                key_span: function.span,
                word_span: function.function_span,
                arguments: function
                    .arguments
                    .iter()
                    .filter_map(|a| Some((a.key.text()?.into_owned(), a.key.span, a.value.span)))
                    .collect(),
                names,
                body: form,
                span: state.id.span.to(body.map_or(state.id.span, |b| b.span)),
            });
        }
    }
    found
}

fn form_of(value: &Node, key: Span) -> BodyForm {
    match &value.kind {
        NodeKind::Empty => BodyForm::Nothing(Span { start: key.end + 1, end: key.end + 1, ..key }),
        NodeKind::Sequence(list) if list.items.is_empty() => BodyForm::Nothing(value.span),
        NodeKind::Mapping(map) if map.entries.is_empty() => BodyForm::Nothing(value.span),
        NodeKind::Sequence(list) if !list.flow && list.splices.is_empty() => {
            list.items.first().map_or(BodyForm::Other, |first| BodyForm::List(first.span))
        }
        NodeKind::Mapping(map) if !map.flow && map.splices.is_empty() => {
            map.entries.first().map_or(BodyForm::Other, |first| BodyForm::Map(first.key.span))
        }
        _ => BodyForm::Other,
    }
}

/// The function of a state at a place.
pub fn state_at(context: &Context, tree: &Tree, offset: u32) -> Option<StateAt> {
    let states = states_of(context, tree);
    let inside: Vec<&StateAt> =
        states.iter().filter(|s| s.span.start <= offset && offset <= s.span.end).collect();
    let before = inside.iter().rev().find(|s| s.key_span.start <= offset);
    before.or(inside.first()).map(|s| (*s).clone())
}

impl StateAt {
    /// Whether it is of a kind that a requisite asks for.
    pub fn is_of(&self, kind: &Kind) -> bool {
        match (kind, &self.function) {
            (Kind::Any, _) | (_, None) => true,
            (Kind::Module(module), Some(name)) => name.module == *module,
            (Kind::Function(function), Some(name)) => name == function,
        }
    }
}
