//! Files that others import or include: what their macros emit is judged as if it stood in a state file, and a name that nothing in the whole
//! project binds is bound by none of those who use them.

use super::{
    fold::Constants,
    functions,
    scope::{self, has_unreadable},
    summary::{FunctionDecl, Summary},
    view::View,
    walk::{bindings, parts, roots},
};
use crate::{
    diagnostic::Diagnostic,
    syntax::{Node, NodeKind, Tree, expression::ExprKind},
    types::FunctionKind,
};
use std::collections::HashSet;

/// Checks a file of templates that other files use.
pub fn check_library(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    let unit = view.unit();
    if !view.is_used() || has_unreadable(&unit.tree) {
        return;
    }
    if unit.tree.opaque.is_none() {
        of_bodies(view, found);
    }
    scope::undefined(&unit.tree, &|name| view.binds(name) || is_source(view), found);
}

fn of_bodies(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    let unit = view.unit();
    let constants = Constants::of(&unit.tree, &unit.tree_path);
    let is_function =
        |module: &str, function: &str| view.registry().get(FunctionKind::State, module, function).is_some();
    let summary = Summary::of_parts(&unit.tree, &constants, view.registry(), &is_function);
    let functions = || summary.states.iter().flat_map(|s| &s.functions);
    // What has not one function of ours is the text of another program.
    let is_ours = functions().any(|f| f.name.as_ref().is_some_and(|n| is_function(&n.module, &n.function)));
    if is_ours {
        found.extend(summary.diagnostics.iter().cloned());
        for function in functions() {
            found.extend(function.diagnostics.iter().cloned());
            check_name(view, function, found);
        }
    }
}

/// Checks the name of a state's function.
pub fn check_name(view: &View<'_>, function: &FunctionDecl, found: &mut Vec<Diagnostic>) {
    let Some(name) = &function.name else { return };
    // Files for the master name functions of its own kinds, with further dots.
    if matches!(name.module.as_str(), "local" | "runner" | "wheel" | "caller") || name.function.contains('.')
    {
        return;
    }
    let (module, word) = function.words;
    functions::check_function(name, module, word, view.registry(), view.custom(), found);
}

/// Whether a file may be rendered for a machine too, with variables that a state gives it. Only asked where a finding depends on it.
fn is_source(view: &View<'_>) -> bool {
    let path = &view.unit().tree_path;
    let file = path.rsplit('/').next().unwrap_or_default();
    let is_below = |dir: &str| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
    view.everything().iter().any(|other| {
        let is_in_rendered = other.summary.sources.iter().any(|source| is_below(&source.path));
        is_in_rendered
            || other.tree.text.match_indices("://").any(|(at, _)| {
                let path = other.tree.text.get(at..).unwrap_or_default();
                path.split(char::is_whitespace).next().is_some_and(|word| word.contains(file))
            })
    })
}

/// What stands before a name that `defaults` gives, among the names of a file: an include of a settings file gives such.
pub const DEFAULT: &str = "defaults ";

/// Every name that a file gives to any other: what it binds, named arguments, keys of `context` and `defaults`. Those of `defaults`
/// stand once more behind [`DEFAULT`].
pub fn names_of(tree: &Tree, names: &mut HashSet<String>) {
    names.extend(bindings(&tree.template).into_iter().map(|b| b.name.to_owned()));
    let mut pending = roots(&tree.template);
    while let Some(expr) = pending.pop() {
        if let ExprKind::Call { args, .. } = &expr.kind {
            names.extend(args.iter().filter_map(|a| a.name.as_ref()).map(|(name, _)| name.clone()));
        }
        pending.extend(parts(expr));
    }
    // Each with the word that gives its keys.
    let mut nodes: Vec<(&Node, Option<&str>)> = tree.root.iter().map(|root| (root, None)).collect();
    while let Some((node, gives)) = nodes.pop() {
        match &node.kind {
            NodeKind::Choice(all) => nodes.extend(all.iter().map(|n| (n, gives))),
            NodeKind::Sequence(list) => nodes.extend(list.items.iter().map(|n| (n, gives))),
            NodeKind::Mapping(map) => {
                for entry in &map.entries {
                    let key = entry.key.text();
                    if gives.is_some() {
                        names.extend(key.as_ref().map(|k| k.clone().into_owned()));
                    }
                    if gives == Some("defaults") {
                        names.extend(key.as_ref().map(|k| format!("{DEFAULT}{k}")));
                    }
                    let word = ["context", "defaults"].into_iter().find(|word| key.as_deref() == Some(word));
                    nodes.push((&entry.value, word));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    #[test]
    fn names_are_those_of_templates_calls_and_contexts() {
        let text = "{% set a = f(b=1) %}{% macro m(c) %}{{ c }}{% endmacro %}\nx:\n  file.managed:\n    - context: {d: 1}\n    - defaults:\n        e: 2\n";
        let mut names = HashSet::new();
        names_of(&crate::syntax::parse(FileId(0), &text.into()), &mut names);
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort();
        assert_eq!(names, ["a", "b", "c", "d", "defaults e", "e", "m"]);
    }
}
