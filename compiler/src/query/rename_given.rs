//! Renames of variables that states give to the templates they render.

use super::{
    Index, Role, Symbol, given, nodes,
    rename::{RenameError, RenameOutcome, at, identifier, push, refuse},
};
use crate::{
    check::{fold::Constants, pattern::Pattern, scope::GLOBALS},
    lower::document::{Function, StateFile},
    source::Span,
    syntax::{BodyKind, NodeKind},
};
use std::collections::BTreeSet;

/// Renames a variable of a template, with the keys that give it. A key that several templates are rendered with is
/// renamed in all of them.
pub(super) fn rename(
    index: &Index,
    template: &str,
    old: &str,
    new: &str,
) -> Result<RenameOutcome, RenameError> {
    identifier(new)?;
    if GLOBALS.contains(&new) {
        return refuse(format!("`{new}` is a name that every template sees"));
    }
    let mut outcome = RenameOutcome::new();
    let templates = together(index, template, old, &mut outcome);
    if outcome.is_empty() {
        return refuse(format!("no state gives `{old}` to `{template}`"));
    }
    computed(index, &templates, old)?;
    for template in &templates {
        if let Some(giver) = index.givers(template).into_iter().find(|giver| giver.name == new) {
            return refuse(format!("`{template}` is given `{new}` already, at {}", at(index, giver.span)));
        }
        let Some((context, tree)) = index.template(template) else { continue };
        if let Some(path) = given::shared(&tree.template).first() {
            let place = at(index, path.span);
            return refuse(format!("`{template}` shares its variables with another file, at {place}"));
        }
        for mention in index.mentions_of(&context, &tree) {
            match &mention.symbol {
                Symbol::Given { name, .. } | Symbol::Name { name, .. } if name == new => {
                    return refuse(format!("`{new}` is used already, at {}", at(index, mention.span)));
                }
                Symbol::Given { name, .. } if name == old && mention.role == Role::Reference => {
                    push(&mut outcome, template, mention.span, new);
                }
                _ => {}
            }
        }
    }
    for edit in outcome.values_mut().flatten() {
        new.clone_into(&mut edit.text);
    }
    Ok(outcome)
}

/// The templates that share keys of a name with one, and those keys.
fn together(index: &Index, template: &str, name: &str, outcome: &mut RenameOutcome) -> BTreeSet<String> {
    let mut templates = BTreeSet::from([template.to_owned()]);
    let mut keys: BTreeSet<(String, Span)> = BTreeSet::new();
    let mut pending = vec![template.to_owned()];
    while let Some(template) = pending.pop() {
        for giver in index.givers(&template).into_iter().filter(|giver| giver.name == name) {
            let Some(file) = index.file(&giver.path) else { continue };
            for mention in index.mentions(file).iter().filter(|m| m.span == giver.span) {
                if let Symbol::Given { template, .. } = &mention.symbol
                    && templates.insert(template.clone())
                {
                    pending.push(template.clone());
                }
            }
            keys.insert((giver.path, giver.span));
        }
    }
    for (path, span) in keys {
        push(outcome, &path, span, "");
    }
    templates
}

/// Refuses where a state may give the variable in a way that its text does not show.
fn computed(index: &Index, templates: &BTreeSet<String>, name: &str) -> Result<(), RenameError> {
    for file in index.files() {
        if !file.tree.text.contains("context") && !file.tree.text.contains("defaults") {
            continue;
        }
        let constants = Index::constants(&file.context, &file.tree);
        let bodies = file.tree.bodies.iter().filter(|body| body.kind == BodyKind::States);
        for root in file.tree.root.iter().chain(bodies.filter_map(|body| body.root.as_ref())) {
            let document = StateFile::read(root, &file.tree.template);
            for function in document.states.iter().chain(&document.extends).flat_map(|s| &s.functions) {
                of_function(index, &file.context.env, function, &constants, templates, name)?;
            }
        }
    }
    Ok(())
}

fn of_function(
    index: &Index,
    env: &str,
    function: &Function<'_>,
    constants: &Constants,
    templates: &BTreeSet<String>,
    name: &str,
) -> Result<(), RenameError> {
    let arguments = || function.arguments.iter().map(|a| (a.key, a.value));
    let known = given::sources(arguments(), constants);
    let rendered = index.sources(env, &known).iter().any(|path| templates.contains(path));
    let values = arguments()
        .filter(|(key, _)| matches!(key.text().as_deref(), Some("source" | "sources")))
        .flat_map(|(_, value)| Pattern::of_list(value, constants));
    let perhaps = values.into_iter().any(|(value, _)| {
        value.text().is_none()
            && templates.iter().any(|path| {
                let inner = index.context(path).tree_path;
                value.matches(&format!("zester://{inner}")) || value.matches(&format!("salt://{inner}"))
            })
    });
    if !rendered && !perhaps {
        return Ok(());
    }
    for argument in &function.arguments {
        if !argument.key.text().is_some_and(|key| given::gives(&key)) {
            continue;
        }
        let meant = argument.meant();
        let literal = match &meant.kind {
            NodeKind::Mapping(map) => {
                map.splices.is_empty()
                    && map.entries.iter().all(|e| e.key.text().is_some_and(|key| key != "<<"))
            }
            NodeKind::Empty => true,
            _ => false,
        };
        let place = at(index, argument.key.span);
        if !literal {
            return refuse(format!("what a template is given at {place} is computed, and may be `{name}`"));
        }
        let keys = nodes::entries(&meant);
        if !rendered && keys.iter().any(|(key, _)| key.text().as_deref() == Some(name)) {
            return refuse(format!("which template is given `{name}` at {place} is computed"));
        }
    }
    Ok(())
}
