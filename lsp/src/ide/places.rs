//! Where a thing is defined, and where it is used.

use super::{mention_at, name_of_file};
use std::collections::BTreeSet;
use zester_compiler::{
    query::{Context, Index, Kind, Mention, Role, Symbol},
    source::Span,
    syntax::Tree,
    types::{FunctionKind, FunctionName},
};

/// A place in a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Project path.
    pub path: String,
    /// Where in it; `None` for the file itself.
    pub span: Option<Span>,
}

fn here(path: &str, span: Span) -> Place {
    Place { path: path.to_owned(), span: Some(span) }
}

/// Mentions of a symbol in all files; those of the document come from its own tree.
fn everywhere(
    index: &Index,
    context: &Context,
    own: &[Mention],
    symbol: &Symbol,
    word: &str,
) -> Vec<(String, Mention)> {
    let mut found: Vec<(String, Mention)> = Vec::new();
    for file in index.files().filter(|f| f.path != context.path && f.tree.text.contains(word)) {
        let mentions = index.mentions(file).iter().filter(|m| m.symbol == *symbol);
        found.extend(mentions.map(|m| (file.path.clone(), m.clone())));
    }
    found.extend(own.iter().filter(|m| m.symbol == *symbol).map(|m| (context.path.clone(), m.clone())));
    // Templates that states hand out are not among the files of a check.
    if let Symbol::Given { template, .. } = symbol
        && *template != context.path
        && index.file(template).is_none()
        && let Some((other, tree)) = index.template(template)
    {
        let mentions = index.mentions_of(&other, &tree).into_iter().filter(|m| m.symbol == *symbol);
        found.extend(mentions.map(|m| (template.clone(), m)));
    }
    found.sort_by(|a, b| (&a.0, a.1.span).cmp(&(&b.0, b.1.span)));
    found
}

/// The word of a symbol that stands wherever it is mentioned.
fn word(symbol: &Symbol) -> &str {
    match symbol {
        Symbol::State(name)
        | Symbol::Global(name)
        | Symbol::Grain(name)
        | Symbol::Module(_, name)
        | Symbol::Parameter(_, _, name)
        | Symbol::GenericKey(name)
        | Symbol::Filter(name)
        | Symbol::Test(name)
        | Symbol::Nodegroup(name)
        | Symbol::Missing(name)
        | Symbol::Name { name, .. }
        | Symbol::Given { name, .. } => name,
        Symbol::Setting(path) => path.last().map_or("", String::as_str),
        Symbol::Fact(path) => path.rsplit('.').next().unwrap_or(path),
        Symbol::Function(_, name) => &name.function,
        Symbol::File(path) => name_of_file(path),
    }
}

/// Where what stands at a place is defined.
pub fn definition(
    index: &Index,
    context: &Context,
    tree: &Tree,
    offset: usize,
) -> Option<(Span, Vec<Place>)> {
    let own = index.mentions_of(context, tree);
    let mention = mention_at(&own, offset)?;
    let found: Vec<Place> = match &mention.symbol {
        Symbol::File(path) => vec![Place { path: path.clone(), span: None }],
        Symbol::Nodegroup(name) => {
            let places =
                index.nodegroup_places(name).into_iter().filter(|(_, role)| *role == Role::Definition);
            places.map(|(span, _)| here("zester.yaml", span)).collect()
        }
        Symbol::State(name) => {
            let all = everywhere(index, context, &own, &mention.symbol, name);
            let definitions = all.into_iter().filter(|(_, m)| m.role == Role::Definition);
            let kind = mention.kind.as_ref().unwrap_or(&Kind::Any);
            // Of the kind that is asked for, as far as the index knows the functions.
            let fitting: BTreeSet<Place> = index
                .states_named(name, kind)
                .into_iter()
                .map(|(path, state)| here(&path, state.id_span))
                .collect();
            let definitions: Vec<Place> = definitions.map(|(path, m)| here(&path, m.span)).collect();
            let exact: Vec<Place> = definitions
                .iter()
                .filter(|d| {
                    fitting.iter().any(|f| {
                        f.path == d.path
                            && f.span
                                .zip(d.span)
                                .is_some_and(|(a, b)| a.start <= b.start && b.end <= a.end + 200)
                    })
                })
                .cloned()
                .collect();
            if exact.is_empty() || kind == &Kind::Any { definitions } else { exact }
        }
        Symbol::Function(kind, name) => custom(index, *kind, name, None),
        Symbol::Parameter(kind, function, name) => custom(index, *kind, function, Some(name)),
        symbol => everywhere(index, context, &own, symbol, word(symbol))
            .into_iter()
            .filter(|(_, m)| m.role == Role::Definition)
            .map(|(path, m)| here(&path, m.span))
            .collect(),
    };
    (!found.is_empty()).then_some((mention.span, found))
}

/// Functions of custom modules are written in the project.
fn custom(index: &Index, kind: FunctionKind, function: &FunctionName, param: Option<&str>) -> Vec<Place> {
    let place = index.custom_place(kind, function, param);
    place.map(|(path, span)| here(&path, span)).into_iter().collect()
}

/// All places that name what stands at a place.
pub fn references(
    index: &Index,
    context: &Context,
    tree: &Tree,
    offset: usize,
    definitions: bool,
) -> Vec<Place> {
    let own = index.mentions_of(context, tree);
    // At the very beginning of a file, what is asked for is the file.
    let symbol = match mention_at(&own, offset) {
        Some(mention) => mention.symbol.clone(),
        None if offset == 0 => Symbol::File(context.path.clone()),
        None => return Vec::new(),
    };
    // A key of a state may give a variable to several templates.
    let mut symbols = vec![symbol.clone()];
    if let (Symbol::Given { .. }, Some(mention)) = (&symbol, mention_at(&own, offset)) {
        let same = own.iter().filter(|m| m.span == mention.span && m.symbol != symbol);
        symbols.extend(same.map(|m| m.symbol.clone()));
    }
    let mut found: Vec<Place> = Vec::new();
    for symbol in &symbols {
        let all = everywhere(index, context, &own, symbol, word(symbol)).into_iter();
        let wanted = all.filter(|(_, m)| definitions || m.role == Role::Reference);
        found.extend(wanted.map(|(path, m)| here(&path, m.span)));
    }
    if symbols.len() > 1 {
        found.sort();
        found.dedup();
    }
    if let Symbol::Nodegroup(name) = &symbol {
        let places =
            index.nodegroup_places(name).into_iter().filter(|(_, r)| definitions || *r == Role::Reference);
        found.extend(places.map(|(span, _)| here("zester.yaml", span)));
    }
    found
}

/// Places in the document that name what stands at a place, and whether each defines it.
pub fn highlights(index: &Index, context: &Context, tree: &Tree, offset: usize) -> Vec<(Span, bool)> {
    let own = index.mentions_of(context, tree);
    let Some(mention) = mention_at(&own, offset) else { return Vec::new() };
    let same = own.iter().filter(|m| m.symbol == mention.symbol);
    same.map(|m| (m.span, m.role == Role::Definition)).collect()
}
