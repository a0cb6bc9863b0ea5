//! Renames that reach every place, or are refused with the reason: an editor must not break a tree quietly.

use super::{
    Context, Index, Kind, Mention, Role, Symbol,
    chain::{Aliases, Root},
    outline::{BodyForm, StateAt, states_of},
    rename_given,
};
use crate::{
    check::{
        scope::free_names,
        walk::{parts, roots},
        workspace::UnitKind,
    },
    diagnostic::Edit,
    lower::document::{StateFile, Target, read_requisites, requisite_of_key},
    project::{CONFIG_FILE, TreeKind},
    source::Span,
    syntax::{self, Tree, template::BlockKind},
    target::{self, Pattern},
    types::FunctionKind,
};
use std::{collections::BTreeMap, sync::Arc};

/// Why a name cannot be renamed: a full sentence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct RenameError(pub String);

/// Edits by the project path of their file.
pub type RenameOutcome = BTreeMap<String, Vec<Edit>>;

pub(super) fn refuse<T>(message: impl Into<String>) -> Result<T, RenameError> {
    Err(RenameError(message.into()))
}

/// Renames what a mention stands for, everywhere.
pub fn rename(index: &Index, symbol: &Symbol, new: &str) -> Result<RenameOutcome, RenameError> {
    match symbol {
        Symbol::State(old) => state(index, old, new),
        Symbol::Name { file, scope, name } => variable(index, symbol, file, *scope, name, new),
        Symbol::Setting(path) => setting(index, path, new),
        Symbol::Given { template, name } => rename_given::rename(index, template, name, new),
        Symbol::Nodegroup(old) => nodegroup(index, old, new),
        Symbol::File(path) => {
            refuse(format!("`{path}` is a file: rename the file, and the refs to it are changed with it"))
        }
        Symbol::Missing(name) => refuse(format!("nothing is named `{name}`")),
        Symbol::Global(name) | Symbol::GenericKey(name) | Symbol::Filter(name) | Symbol::Test(name) => {
            refuse(format!("`{name}` belongs to the language"))
        }
        Symbol::Fact(name) | Symbol::Grain(name) => {
            refuse(format!("`{name}` is a fact, which peels report under this name"))
        }
        Symbol::Module(_, name) => refuse(format!("`{name}` is a module of the library")),
        Symbol::Function(kind, name) if index.custom_place(*kind, name, None).is_some() => {
            refuse(format!("`{name}` is a function of a custom module, whose text is not changed"))
        }
        Symbol::Function(_, name) => refuse(format!("`{name}` is a function of the library")),
        Symbol::Parameter(_, function, name) => refuse(format!("`{name}` is a parameter of `{function}`")),
    }
}

pub(super) fn at(index: &Index, span: Span) -> String {
    let (path, at) = index.project.files().locate(span);
    format!("{path}:{}", at.line)
}

/// Every mention of a symbol in files that have its word.
fn everywhere<'i>(
    index: &'i Index,
    symbol: &'i Symbol,
    word: &'i str,
) -> impl Iterator<Item = (&'i str, &'i Mention)> {
    index.files().filter(move |f| f.tree.text.contains(word)).flat_map(move |file| {
        let mentions = index.mentions(file).iter().filter(move |m| m.symbol == *symbol);
        mentions.map(move |m| (file.path.as_str(), m))
    })
}

pub(super) fn push(outcome: &mut RenameOutcome, path: &str, span: Span, text: impl Into<String>) {
    outcome.entry(path.to_owned()).or_default().push(Edit { span, text: text.into() });
}

fn plain_scalar(name: &str) -> Result<(), RenameError> {
    let fine = !name.is_empty()
        && name.trim() == name
        && !name.contains(['\n', '#', '{', '}', '"', '\'', ','])
        && !name.contains(": ")
        && !name.ends_with(':')
        && !name.starts_with(['-', '?', '!', '&', '*', '|', '>', '%', '@', '`', '[', ']'])
        && matches!(crate::types::resolve_plain(name), crate::types::Value::Str(_));
    if fine {
        Ok(())
    } else {
        refuse(format!("`{name}` cannot be written without quotes; choose a plain name"))
    }
}

pub(super) fn identifier(name: &str) -> Result<(), RenameError> {
    let mut chars = name.chars();
    let fine = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_');
    if fine { Ok(()) } else { refuse(format!("`{name}` is not a name of letters, digits and `_`")) }
}

fn state(index: &Index, old: &str, new: &str) -> Result<RenameOutcome, RenameError> {
    plain_scalar(new)?;
    let symbol = Symbol::State(old.to_owned());
    let taken = Symbol::State(new.to_owned());
    if let Some((_, mention)) = everywhere(index, &taken, new).find(|(_, m)| m.role == Role::Definition) {
        return refuse(format!("there is a state `{new}` already, at {}", at(index, mention.span)));
    }
    let mut outcome = RenameOutcome::new();
    let mut definitions: Vec<(&str, StateAt)> = Vec::new();
    for file in index.files().filter(|f| f.tree.text.contains(old)) {
        for state in states_of(&file.context, &file.tree) {
            if state.id.as_deref() == Some(old) {
                definitions.push((&file.path, state));
            } else if state.names.iter().any(|n| n == old) {
                return refuse(format!(
                    "`{old}` is also the name of a state at {}, which requisites may mean",
                    at(index, state.id_span)
                ));
            }
        }
    }
    let mut ids: Vec<(&str, Span)> = definitions.iter().map(|(path, s)| (*path, s.id_span)).collect();
    ids.dedup();
    match ids.as_slice() {
        [] => return refuse(format!("`{old}` is written by an expression or a macro")),
        [_] => {}
        [(_, first), (_, second), ..] => {
            return refuse(format!(
                "the id `{old}` is written at {} and {}; rename them by hand, requisites may mean either",
                at(index, *first),
                at(index, *second)
            ));
        }
    }
    computed_requisites(index, old)?;
    for (path, mention) in everywhere(index, &symbol, old) {
        push(&mut outcome, path, mention.span, new);
    }
    // What the state is about stays: a function that takes the id as its name is given it.
    for (path, state) in &definitions {
        if let Some(edit) = kept_name(index, state, old)? {
            outcome.entry((*path).to_owned()).or_default().push(edit);
        }
    }
    for edits in outcome.values_mut() {
        edits.sort_by_key(|e| (e.span.start, e.span.end));
        edits.dedup();
    }
    Ok(outcome)
}

fn kept_name(index: &Index, state: &StateAt, old: &str) -> Result<Option<Edit>, RenameError> {
    let Some(function) = &state.function else {
        return refuse(format!("which function the state at {} has is not known", at(index, state.key_span)));
    };
    let signature = index.registry.get(FunctionKind::State, &function.module, &function.function);
    let Some(signature) = signature else {
        return refuse(format!("`{function}` is not known, nor what it makes of its id"));
    };
    let Some(primary) = signature.primary() else { return Ok(None) };
    let given = |name: &str| {
        name == "name" || name == "names" || name == primary.name || primary.aliases.contains(&name)
    };
    let instead = |constraint: &crate::types::Constraint| match constraint {
        crate::types::Constraint::AnyOf(names)
        | crate::types::Constraint::ExactlyOneOf(names)
        | crate::types::Constraint::AtMostOneOf(names) => {
            names.contains(&&*primary.name)
                && state.arguments.iter().any(|(key, ..)| names.contains(&key.as_str()))
        }
        crate::types::Constraint::Requires(..) => false,
    };
    if state.arguments.iter().any(|(key, ..)| given(key)) || signature.constraints.iter().any(instead) {
        return Ok(None);
    }
    let file = index.project.files().get(state.key_span.file);
    let position = file.position(state.key_span.start as usize);
    let indent = " ".repeat(position.column as usize - 1);
    let value = quoted(old);
    Ok(Some(match state.body {
        BodyForm::List(span) => {
            let column = file.position(span.start as usize).column as usize;
            // The item's dash stands two columns before it.
            let dash = column.saturating_sub(3);
            let text = format!("name: {value}\n{}- ", " ".repeat(dash));
            Edit { span: Span { end: span.start, ..span }, text }
        }
        BodyForm::Map(span) => {
            let column = file.position(span.start as usize).column as usize - 1;
            let text = format!("name: {value}\n{}", " ".repeat(column));
            Edit { span: Span { end: span.start, ..span }, text }
        }
        BodyForm::Nothing(span) => Edit { span, text: format!("\n{indent}  - name: {value}") },
        BodyForm::Short | BodyForm::Other => {
            return refuse(format!(
                "the state at {} has the id as its name; give it a `name` first",
                at(index, state.key_span)
            ));
        }
    }))
}

fn quoted(text: &str) -> String {
    if plain_scalar(text).is_ok() { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// Requisites whose target is computed and could be the state.
fn computed_requisites(index: &Index, old: &str) -> Result<(), RenameError> {
    for file in index.files().filter(|f| f.context.kind == UnitKind::States) {
        let Some(root) = &file.tree.root else { continue };
        let document = StateFile::read(root, &file.tree.template);
        for function in document.states.iter().chain(&document.extends).flat_map(|s| &s.functions) {
            for argument in &function.arguments {
                if argument.key.text().is_none_or(|key| requisite_of_key(&key).is_none()) {
                    continue;
                }
                for reference in read_requisites(argument).0 {
                    if reference.target == Target::Unknown && may_be(&file.tree, reference.name_span, old) {
                        return refuse(format!(
                            "a requisite at {} is computed, and may mean `{old}`",
                            at(index, reference.span)
                        ));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Whether a text with expressions in it can be a name: by the literal pieces at its ends.
fn may_be(tree: &Tree, span: Span, name: &str) -> bool {
    let written = tree.text.get(span.range()).unwrap_or_default();
    let written =
        written.rsplit_once(": ").map_or(written, |(_, value)| value).trim_matches(['"', '\'', ' ']);
    let head = written.split("{{").next().unwrap_or_default();
    let tail = written.rsplit("}}").next().unwrap_or_default();
    name.starts_with(head) && name.ends_with(tail)
}

fn variable(
    index: &Index,
    symbol: &Symbol,
    file: &str,
    scope: Option<u32>,
    old: &str,
    new: &str,
) -> Result<RenameOutcome, RenameError> {
    identifier(new)?;
    if crate::check::scope::GLOBALS.contains(&new) {
        return refuse(format!("`{new}` is a name that every template sees"));
    }
    let mut outcome = RenameOutcome::new();
    for (path, mention) in everywhere(index, symbol, old) {
        push(&mut outcome, path, mention.span, new);
    }
    for path in outcome.keys() {
        let Some(other) = index.file(path) else { continue };
        let taken = index
            .mentions(other)
            .iter()
            .find(|m| matches!(&m.symbol, Symbol::Name { name, .. } if name == new));
        if let Some(taken) = taken {
            return refuse(format!("`{new}` is used already, at {}", at(index, taken.span)));
        }
    }
    if scope.is_none() {
        // Included templates and those imported with context see the names of the whole file.
        for other in index.files().filter(|f| f.path != file && f.tree.text.contains(old)) {
            let free = free_names(&other.tree.template).into_iter().find(|f| f.name == old);
            if let Some(free) = free {
                return refuse(format!("`{old}` is used at {}, which may be this one", at(index, free.span)));
            }
        }
        if let Some(defining) = index.file(file) {
            let block = defining
                .tree
                .template
                .blocks
                .iter()
                .find(|b| matches!(&b.kind, BlockKind::Named { name } if name.0 == old));
            if let Some(block) = block {
                return refuse(format!("`{old}` is a block at {}", at(index, block.span)));
            }
        }
    }
    Ok(outcome)
}

fn setting(index: &Index, path: &[String], new: &str) -> Result<RenameOutcome, RenameError> {
    identifier(new)?;
    let Some((old, above)) = path.split_last() else { return refuse("there is nothing to rename") };
    let mut renamed = above.to_vec();
    renamed.push(new.to_owned());
    let settings = index.settings();
    if settings.get(&renamed).is_some() {
        return refuse(format!("there is a setting `{}` already", renamed.join(".")));
    }
    if settings.get(path).is_none() {
        return refuse(format!("no settings file defines `{}`", path.join(".")));
    }
    let mut outcome = RenameOutcome::new();
    let symbol = Symbol::Setting(path.to_vec());
    for (file, mention) in everywhere(index, &symbol, old) {
        push(&mut outcome, file, mention.span, new);
    }
    for file in index.files() {
        whole_use(index, &file.tree, path)?;
    }
    // Templates that states hand out are not part of the check, and may use settings all the same.
    for (context, tree) in handed_out(index, old) {
        whole_use(index, &tree, path)?;
        for mention in index.mentions_of(&context, &tree).into_iter().filter(|m| m.symbol == symbol) {
            push(&mut outcome, &context.path, mention.span, new);
        }
    }
    Ok(outcome)
}

/// Refuses where a map that the setting is in is used as a whole: its keys are then data.
fn whole_use(index: &Index, tree: &Tree, path: &[String]) -> Result<(), RenameError> {
    let aliases = Aliases::of(&tree.template);
    for root in roots(&tree.template) {
        let is_alias = tree.template.statements.iter().any(|s| {
            matches!(&s.kind, syntax::template::StatementKind::Set { value, .. } if Arc::ptr_eq(value, root))
        });
        let mut pending = vec![(root, is_alias)];
        while let Some((expr, inside)) = pending.pop() {
            let chain = aliases.chain(expr).filter(|c| c.root == Root::Settings);
            if let Some(chain) = &chain
                && !inside
                && chain.segments.len() < path.len()
                && chain.segments.iter().map(|(s, _)| s).eq(&path[..chain.segments.len()])
            {
                return refuse(format!(
                    "settings around `{}` are used as a whole at {}",
                    path.join("."),
                    at(index, expr.span)
                ));
            }
            let within = chain.is_some();
            pending.extend(parts(expr).into_iter().map(|part| (part, within)));
        }
    }
    Ok(())
}

/// Templates of the state tree that are not part of the index and have a word.
fn handed_out(index: &Index, word: &str) -> Vec<(Context, Arc<Tree>)> {
    let project = &index.project;
    let mut found = Vec::new();
    for env in project.environments() {
        for file in project.files_below(TreeKind::States, env, "") {
            if index.file(&file.path).is_some()
                || found.iter().any(|(c, _): &(Context, _)| c.path == file.path)
            {
                continue;
            }
            let Ok(bytes) = project.read(&file.path) else { continue };
            let Ok(text) = std::str::from_utf8(&bytes) else { continue };
            if !text.contains(word) || !(text.contains("{{") || text.contains("{%")) {
                continue;
            }
            let text: Arc<str> = text.into();
            let id = project.files().add(&file.path, text.clone());
            let context = Context {
                path: file.path,
                tree_kind: TreeKind::States,
                env: env.to_owned(),
                tree_path: file.tree_path,
                kind: UnitKind::Template,
            };
            found.push((context, Arc::new(syntax::parse(id, &text))));
        }
    }
    found
}

fn nodegroup(index: &Index, old: &str, new: &str) -> Result<RenameOutcome, RenameError> {
    let plain = !new.is_empty() && new.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if !plain {
        return refuse(format!("`{new}` cannot be the name of a nodegroup"));
    }
    if index.project.config().nodegroups.get(new).is_some() {
        return refuse(format!("there is a nodegroup `{new}` already"));
    }
    let mut outcome = RenameOutcome::new();
    let symbol = Symbol::Nodegroup(old.to_owned());
    for (path, mention) in everywhere(index, &symbol, old) {
        push(&mut outcome, path, mention.span, new);
    }
    for (span, _) in config_nodegroups(index, old) {
        push(&mut outcome, CONFIG_FILE, span, new);
    }
    Ok(outcome)
}

/// Where `zester.yaml` names a nodegroup, and whether it defines it there.
pub(super) fn config_nodegroups(index: &Index, name: &str) -> Vec<(Span, Role)> {
    let Ok(bytes) = index.project.read(CONFIG_FILE) else { return Vec::new() };
    let Ok(text) = std::str::from_utf8(&bytes) else { return Vec::new() };
    let file = index.project.files().add(CONFIG_FILE, text);
    let tree = syntax::parse(file, &text.into());
    let mut found = Vec::new();
    for (key, value) in tree.root.iter().flat_map(super::nodes::entries) {
        if key.text().as_deref() != Some("nodegroups") {
            continue;
        }
        for (group, expression) in super::nodes::entries(value) {
            if group.text().as_deref() == Some(name)
                && let Some(span) = super::nodes::literal_span(&tree, group)
            {
                found.push((span, Role::Definition));
            }
            let (Some(text), Some(span)) = (expression.text(), super::nodes::literal_span(&tree, expression))
            else {
                continue;
            };
            for (pattern, span) in target::Target::parse(&text, span).0.patterns() {
                if matches!(pattern, Pattern::Nodegroup(group) if group == name) {
                    found.push((Span { start: span.end - name.len() as u32, ..span }, Role::Reference));
                }
            }
        }
    }
    found
}

impl Index {
    /// Where `zester.yaml` names a nodegroup; the definition first.
    pub fn nodegroup_places(&self, name: &str) -> Vec<(Span, Role)> {
        let mut found = config_nodegroups(self, name);
        found.sort_by_key(|(_, role)| *role == Role::Reference);
        found
    }

    /// Definitions of states that a requisite may mean, those of the kind it asks for.
    pub fn states_named(&self, name: &str, kind: &Kind) -> Vec<(String, StateAt)> {
        let mut found = Vec::new();
        for file in self.files().filter(|f| f.tree.text.contains(name)) {
            for state in states_of(&file.context, &file.tree) {
                let named = state.id.as_deref() == Some(name) || state.names.iter().any(|n| n == name);
                if named && state.is_of(kind) {
                    found.push((file.path.clone(), state));
                }
            }
        }
        found
    }
}
