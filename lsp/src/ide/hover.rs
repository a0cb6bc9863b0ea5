//! What a name means, in a few lines.

use super::{docs, mention_at, preview::Chosen, shown_place, typed};
use std::cell::OnceCell;
use zester_compiler::{
    check::UnitKind,
    infer::Ty,
    query::{self, Context, Index, Kind, LocalKind, Mention, Role, Root, Symbol, Types},
    source::Span,
    syntax::{NodeKind, Tree},
    target::Target,
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
    let page =
        Page { index, context, tree, mentions: index.mentions_of(context, tree), types: OnceCell::new() };
    if let Some(mention) = mention_at(&page.mentions, offset)
        && let Some(text) = page.of(mention, chosen)
    {
        return Some((mention.span, text));
    }
    target(index, context, tree, offset).or_else(|| page.expression(offset))
}

/// What a page is made from. Types are worked out when they are first asked for.
struct Page<'a> {
    index: &'a Index,
    context: &'a Context,
    tree: &'a Tree,
    mentions: Vec<Mention>,
    types: OnceCell<Types>,
}

impl Page<'_> {
    fn types(&self) -> &Types {
        self.types.get_or_init(|| self.index.types_of(self.context, self.tree))
    }

    /// The innermost expression around a place, with its type. A literal says itself what it is.
    fn expression(&self, offset: usize) -> Option<(Span, String)> {
        let (span, ty) = self.types().at(offset as u32)?;
        let text = self.tree.text.get(span.range())?;
        let is_literal = match ty {
            Ty::Str(Some(literal)) => text.get(1..text.len().saturating_sub(1)) == Some(&**literal),
            _ => ty.to_string() == text,
        };
        let block = typed::block(text, ty);
        (!is_literal && !block.is_empty()).then_some((span, block))
    }

    /// A macro's parameter: its default, and what calls give for it.
    fn parameter(&self, name: &str, bound: Span) -> Option<String> {
        let known = self.index.parameter_types(self.context, self.tree, bound)?;
        let ty = Ty::union(known.default.iter().chain(&known.given).map(Ty::widened));
        let calls = match known.given.len() {
            0 => "No call in the project gives it".to_owned(),
            1 => "One call gives it".to_owned(),
            n => format!("{n} calls give it"),
        };
        let default = match known.default {
            Some(_) => "it has a default",
            None => "it has no default",
        };
        let ty = if ty == Ty::Never { Ty::DYNAMIC } else { ty };
        Some(format!("{}{calls}; {default}.\n\n", typed::block(name, &ty)))
    }

    /// What a call or a filter gives, where it stands.
    fn given(&self, at: Span) -> String {
        let Some((span, ty)) = self.types().at(at.start) else { return String::new() };
        // The literal of `salt['…']` is no answer.
        if ty.is_any()
            || span == at
            || self.tree.text.get(span.range()).is_some_and(|t| t.starts_with(['"', '\'']))
        {
            return String::new();
        }
        format!("\nHere it gives `{}`.\n", typed::short(ty))
    }

    /// A variable that states give to a template: at its key, where the templates read it; else, where it is given.
    fn given_variable(&self, template: &str, name: &str, mention: &Mention) -> Option<String> {
        if mention.role == Role::Definition {
            let templates =
                self.mentions.iter().filter(|m| m.span == mention.span).filter_map(|m| match &m.symbol {
                    Symbol::Given { template, .. } => Some(template.clone()),
                    _ => None,
                });
            return reads(self.index, &templates.collect::<Vec<_>>(), &[name.to_owned()]);
        }
        let givers: Vec<_> = self.index.givers(template).into_iter().filter(|g| g.name == name).collect();
        let lines = givers.iter().map(|giver| (giver.path.as_str(), giver.span));
        let ty = self.types().of(&mention.span.range());
        let block = ty.map(|ty| typed::block(name, ty)).unwrap_or_default();
        if givers.is_empty() {
            return (!block.is_empty()).then_some(block);
        }
        Some(format!("{block}The variable `{name}`, given by\n\n{}", places(self.index, lines)))
    }

    fn filter(&self, name: &str, span: Span) -> String {
        let input =
            query::filtered_value(self.tree, span).and_then(|value| self.types().of(&value.span.range()));
        let Some(input) = input.filter(|ty| !ty.is_any()) else {
            return format!("The filter `{name}`.\n{}", self.given(span));
        };
        let output = self.types().at(span.start).map_or_else(|| "any".to_owned(), |(_, ty)| typed::short(ty));
        format!("```yaml\n{} | {name}: {output}\n```\n\nThe filter `{name}`.\n", typed::short(input))
    }

    fn of(&self, mention: &Mention, chosen: Option<&Chosen>) -> Option<String> {
        let (index, tree) = (self.index, self.tree);
        let typed_path = |root, path: &[String], name: &str| {
            index.type_of_path(root, path).map(|ty| typed::block(name, &ty)).unwrap_or_default()
        };
        match &mention.symbol {
            Symbol::Setting(path) => {
                let block = typed_path(Root::Settings, path, &format!("settings.{}", path.join(".")));
                Some(block + &setting(index, path, chosen))
            }
            // What lies above facts is no fact itself.
            Symbol::Fact(path) if docs::fact(path).is_none() => {
                let keys: Vec<String> = path.split('.').map(str::to_owned).collect();
                let block = typed_path(Root::Facts, &keys, &format!("facts.{path}"));
                (!block.is_empty()).then_some(block)
            }
            Symbol::Name { name, .. } => {
                let bound =
                    self.mentions.iter().find(|m| m.role == Role::Definition && m.symbol == mention.symbol);
                let parameter = bound
                    .filter(|m| query::local_kind(&tree.template, m.span) == LocalKind::Parameter)
                    .and_then(|m| self.parameter(name, m.span));
                let block = parameter.unwrap_or_else(|| {
                    self.types()
                        .of(&mention.span.range())
                        .map(|ty| typed::block(name, ty))
                        .unwrap_or_default()
                });
                let text = variable(index, tree, &mention.symbol);
                (text.is_some() || !block.is_empty()).then(|| block + &text.unwrap_or_default())
            }
            Symbol::Given { template, name } => self.given_variable(template, name, mention),
            Symbol::Filter(name) => Some(self.filter(name, mention.span)),
            Symbol::Function(zester_compiler::types::FunctionKind::Exec, _) => {
                page(index, mention, chosen).map(|text| text + &self.given(mention.span))
            }
            _ => page(index, mention, chosen),
        }
    }
}

fn page(index: &Index, mention: &Mention, chosen: Option<&Chosen>) -> Option<String> {
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
        Symbol::Fact(path) => {
            let sample = chosen.and_then(|c| Some((c.facts.id.as_str(), c.facts.fact(path)?)));
            docs::fact(path).map(|text| text + &on_peel(sample))
        }
        Symbol::Grain(name) => {
            let sample = chosen.and_then(|c| Some((c.facts.id.as_str(), c.facts.grain(name)?)));
            docs::grain(name).map(|text| text + &on_peel(sample))
        }
        Symbol::Global(name) => query::global_doc(name).map(|doc| format!("`{name}`\n\n{doc}\n")),
        Symbol::Test(name) => Some(format!("The test `{name}`.\n")),
        Symbol::Nodegroup(name) => {
            let group = index.project.config().nodegroups.get(name)?;
            Some(format!("The nodegroup `{name}`\n\n```\n{group}\n```\n{}", peels_of(index, group)))
        }
        // Those are `Page::of`'s.
        Symbol::Setting(_)
        | Symbol::Name { .. }
        | Symbol::Given { .. }
        | Symbol::Filter(_)
        | Symbol::Missing(_) => None,
    }
}

/// Where templates read a variable that they are given, or a key below it.
pub fn reads(index: &Index, templates: &[String], path: &[String]) -> Option<String> {
    let name = path.join(".");
    let shown: Vec<String> = templates.iter().take(MAX_PLACES).map(|t| format!("`{t}`")).collect();
    let shown = shown.join(", ");
    let all = index.reads(templates);
    let below = all.iter().filter(|read| read.path.starts_with(path));
    let found: Vec<(&str, Span)> =
        below.flat_map(|read| &read.places).map(|(file, span)| (file.as_str(), *span)).collect();
    match found.as_slice() {
        [] if templates.is_empty() => None,
        [] => Some(format!("The variable `{name}` of {shown}, which does not read it.\n")),
        found => {
            let places = places(index, found.iter().copied());
            Some(format!("The variable `{name}` of {shown}, read by\n\n{places}"))
        }
    }
}

/// The lines of places, once each.
fn places<'p>(index: &Index, found: impl Iterator<Item = (&'p str, Span)>) -> String {
    let mut lines: Vec<String> = Vec::new();
    for (_, span) in found {
        let file = index.project.files().get(span.file);
        let text = file.text.get(..span.start as usize).unwrap_or_default();
        let start = text.rfind('\n').map_or(0, |at| at + 1);
        let line = file.text.get(start..).and_then(|text| text.lines().next()).unwrap_or_default().trim();
        let line = format!("- `{}` at {}\n", cut(&line.replace('`', "'")), shown_place(index, span));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let more = lines.len().saturating_sub(MAX_PLACES);
    lines.truncate(MAX_PLACES);
    let mut text = lines.concat();
    if more > 0 {
        text.push_str(&format!("- … {more} more\n"));
    }
    text
}

fn on_peel(sample: Option<(&str, &Value)>) -> String {
    let Some((id, value)) = sample else { return String::new() };
    format!("\nOn `{id}`: `{}`\n", cut(&value.to_string()))
}

fn cut(text: &str) -> String {
    docs::cut(text, 120)
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
            (query::local_kind(&tree.template, definition.span), definition.span)
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
    // Of what settings decide nothing is said.
    let Some(matched) = index.matching(target, &peels) else { return String::new() };
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
