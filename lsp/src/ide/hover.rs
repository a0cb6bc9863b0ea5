//! What a name means, in a few lines.

use super::{docs, mention_at, preview::Chosen, shown_place};
use zester_compiler::{
    check::UnitKind,
    query::{self, Context, Index, Kind, LocalKind, Mention, Role, Symbol},
    source::Span,
    syntax::{NodeKind, Tree},
    target::{Subject, Target},
    types::Value,
};

/// Lines of places that are listed.
const MAX_PLACES: usize = 8;

/// The page of what stands at a place.
pub fn hover(
    index: &Index,
    context: &Context,
    tree: &Tree,
    offset: usize,
    chosen: Option<&Chosen>,
) -> Option<(Span, String)> {
    let mentions = index.mentions_of(context, tree);
    if let Some(mention) = mention_at(&mentions, offset)
        && let Some(text) = page(index, tree, mention, chosen)
    {
        return Some((mention.span, text));
    }
    target(index, context, tree, offset)
}

fn page(index: &Index, tree: &Tree, mention: &Mention, chosen: Option<&Chosen>) -> Option<String> {
    let registry = &index.registry;
    match &mention.symbol {
        Symbol::Function(kind, name) => match docs::signature(registry, *kind, name) {
            Some(signature) => Some(docs::function(signature)),
            None => registry
                .elsewhere(&name.to_string())
                .map(|instead| format!("`{name}` is a function of Salt that is not provided: {instead}\n")),
        },
        Symbol::Module(kind, name) => docs::module(registry, *kind, name),
        Symbol::Parameter(kind, function, name) => {
            let signature = docs::signature(registry, *kind, function)?;
            Some(docs::parameter(signature, signature.param(name)?))
        }
        Symbol::GenericKey(name) => {
            let key = query::generic_key(name)?;
            let ty = key.ty().map(|ty| format!(": {}", docs::short(&ty))).unwrap_or_default();
            Some(format!("```yaml\n{name}{ty}\n```\n\n{}\n\nEvery state takes it.\n", key.doc))
        }
        Symbol::State(name) => state(index, name, mention.kind.as_ref()),
        Symbol::File(path) => Some(file(index, path)),
        Symbol::Setting(path) => Some(setting(index, path, chosen)),
        Symbol::Fact(path) => {
            let sample = chosen.and_then(|c| Some((c.facts.id.as_str(), c.facts.fact(path)?)));
            docs::fact(path).map(|text| text + &on_peel(sample))
        }
        Symbol::Grain(name) => {
            let sample = chosen.and_then(|c| Some((c.facts.id.as_str(), c.facts.grain(name)?)));
            docs::grain(name).map(|text| text + &on_peel(sample))
        }
        Symbol::Name { .. } => variable(index, tree, &mention.symbol),
        Symbol::Global(name) => query::global_doc(name).map(|doc| format!("`{name}`\n\n{doc}\n")),
        Symbol::Filter(name) => Some(format!("The filter `{name}`.\n")),
        Symbol::Test(name) => Some(format!("The test `{name}`.\n")),
        Symbol::Nodegroup(name) => {
            let group = index.project.config().nodegroups.get(name)?;
            Some(format!("The nodegroup `{name}`\n\n```\n{group}\n```\n{}", peels_of(index, group)))
        }
        Symbol::Missing(_) => None,
    }
}

fn on_peel(sample: Option<(&str, &Value)>) -> String {
    let Some((id, value)) = sample else { return String::new() };
    format!("\nOn `{id}`: `{}`\n", cut(&value.to_string()))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn state(index: &Index, name: &str, kind: Option<&Kind>) -> Option<String> {
    let states = index.states_named(name, kind.unwrap_or(&Kind::Any));
    if states.is_empty() {
        return None;
    }
    let mut text = format!("The state `{name}`\n\n");
    for (_, state) in states.iter().take(MAX_PLACES) {
        let function = state.function.as_ref().map_or_else(|| "…".to_owned(), ToString::to_string);
        text.push_str(&format!("- `{function}` at {}\n", shown_place(index, state.key_span)));
    }
    let symbol = Symbol::State(name.to_owned());
    let uses = index
        .files()
        .filter(|f| f.tree.text.contains(name))
        .flat_map(|f| index.mentions(f))
        .filter(|m| m.symbol == symbol && m.role == Role::Reference)
        .count();
    text.push_str(&format!(
        "\nNamed in {uses} {}.\n",
        if uses == 1 { "other place" } else { "other places" }
    ));
    Some(text)
}

fn file(index: &Index, path: &str) -> String {
    let mut text = format!("`{path}`\n");
    let Some(file) = index.file(path) else { return text };
    if let Some((_, _, name)) = index.project.reference_of(path) {
        text.push_str(&format!("\nThe ref `{name}`.\n"));
    }
    let comment: Vec<&str> = file
        .tree
        .text
        .lines()
        .take_while(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim())
        .filter(|line| !line.starts_with('!'))
        .collect();
    if !comment.is_empty() {
        text.push_str(&format!("\n{}\n", comment.join(" ")));
    }
    let ids: Vec<String> = query::outline(&file.context, &file.tree)
        .into_iter()
        .filter(|o| matches!(o.kind, query::OutlineKind::State | query::OutlineKind::Macro))
        .map(|o| format!("- `{}` {}", o.name, o.detail))
        .collect();
    for id in ids.iter().take(MAX_PLACES) {
        text.push_str(&format!("\n{id}"));
    }
    if ids.len() > MAX_PLACES {
        text.push_str(&format!("\n- … {} more", ids.len() - MAX_PLACES));
    }
    text
}

fn setting(index: &Index, path: &[String], chosen: Option<&Chosen>) -> String {
    let dotted = path.join(".");
    let mut text = format!("The setting `{dotted}`\n\n");
    match index.settings().get(path) {
        None => text.push_str("No settings file defines it.\n"),
        Some(tree) => {
            for place in tree.places.iter().take(MAX_PLACES) {
                text.push_str(&format!("- `{}` at {}\n", place.value, shown_place(index, place.span)));
            }
            if tree.places.len() > MAX_PLACES {
                text.push_str(&format!("- … {} more\n", tree.places.len() - MAX_PLACES));
            }
        }
    }
    if let Some(chosen) = chosen {
        let why = chosen.settings.why(&path.join(":"));
        match why.value {
            Some(value) => {
                text.push_str(&format!("\nOn `{}`: `{}`", chosen.facts.id, cut(&value.to_string())));
                if let Some(origin) = why.origins.iter().rfind(|o| o.wins) {
                    let (file, at) = origin.place(&chosen.files);
                    text.push_str(&format!(", from {file}:{}", at.line));
                }
                text.push('\n');
            }
            None => text.push_str(&format!("\n`{}` has none.\n", chosen.facts.id)),
        }
    }
    text
}

fn variable(index: &Index, tree: &Tree, symbol: &Symbol) -> Option<String> {
    let Symbol::Name { file, name, .. } = symbol else { return None };
    let defining = index.file(file);
    let tree = match defining {
        Some(other) if other.tree.file != tree.file && other.path != *file => &other.tree,
        Some(other) if index.project.files().get(tree.file).path.as_ref() != file.as_str() => &other.tree,
        _ => tree,
    };
    let found = query::exported_names(tree).into_iter().find(|n| n.name == *name);
    let (what, span) = match found {
        Some(found) => (found.kind, found.span),
        None => {
            let definition = index
                .mentions_of(&index.context(file), tree)
                .into_iter()
                .find(|m| m.symbol == *symbol && m.role == Role::Definition)?;
            (LocalKind::Variable, definition.span)
        }
    };
    let line_start = tree.text.get(..span.start as usize)?.rfind('\n').map_or(0, |at| at + 1);
    let line = tree.text.get(line_start..)?.lines().next().unwrap_or_default().trim();
    let word = match what {
        LocalKind::Macro(_) => "macro",
        LocalKind::Loop => "loop variable",
        LocalKind::Parameter => "parameter",
        LocalKind::Import => "import",
        LocalKind::Variable => "variable",
    };
    let at = index.project.files().get(tree.file).position(span.start as usize).line;
    Some(format!("The {word} `{name}`\n\n```jinja\n{}\n```\n\n{file}:{at}\n", cut(line)))
}

/// Peels that a target matches, of those whose facts are known.
fn peels_of(index: &Index, target: &Target) -> String {
    let Ok(peels) = index.project.inventory() else { return String::new() };
    if peels.is_empty() {
        return String::new();
    }
    let matched: Vec<&str> = peels
        .iter()
        .filter(|peel| {
            let subject = Subject {
                id: &peel.facts.id,
                facts: &peel.facts,
                settings: &Value::Null,
                nodegroups: &index.project.config().nodegroups,
            };
            target.matches(&subject).unwrap_or(false)
        })
        .map(|peel| peel.facts.id.as_str())
        .collect();
    let shown: Vec<String> = matched.iter().take(MAX_PLACES).map(|id| format!("`{id}`")).collect();
    let more = if matched.len() > MAX_PLACES { ", …" } else { "" };
    format!("\n{} of {} known peels: {}{more}\n", matched.len(), peels.len(), shown.join(", "))
}

/// The peels that the target at a place of a top file matches.
fn target(index: &Index, context: &Context, tree: &Tree, offset: usize) -> Option<(Span, String)> {
    let UnitKind::Top(_) = context.kind else { return None };
    let root = tree.root.as_ref()?;
    let mut envs = Vec::new();
    if let NodeKind::Mapping(map) = &root.kind {
        envs.extend(map.entries.iter().map(|e| &e.value));
    }
    for env in envs {
        let NodeKind::Mapping(map) = &env.kind else { continue };
        for entry in &map.entries {
            let span = entry.key.span;
            if (span.start as usize..=span.end as usize).contains(&offset)
                && let Some(text) = entry.key.text()
            {
                let (target, _) = Target::parse(&text, span);
                return Some((span, format!("The target `{text}`\n{}", peels_of(index, &target))));
            }
        }
    }
    None
}
