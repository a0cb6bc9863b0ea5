//! The shape of settings files: a map, whose `include` leads somewhere and whose own words are right.

use super::{
    references::check_name,
    workspace::{Unit, Workspace},
};
use crate::{
    diagnostic::{Applicability, Diagnostic, nearest},
    project::TreeKind,
    settings::{Inferred, SETTINGS_FILE_SHAPE, SETTINGS_INCLUDE_CYCLE, Strategy, includes_of, is_sealed},
    source::Span,
    syntax::{Node, NodeKind},
};
use std::collections::HashMap;

/// The words of `__merge__`.
const MERGE_WORDS: &[&str] = &["append", "unique", "replace"];

/// Checks one file's own shape.
pub fn check_file(workspace: &Workspace<'_>, unit: &Unit, found: &mut Vec<Diagnostic>) {
    // A file that others include as text has the shape that they need.
    if !unit.is_settings() || workspace.used_as_template.contains_key(&*unit.path) {
        return;
    }
    let Some(root) = &unit.tree.root else { return };
    if matches!(root.kind, NodeKind::Sequence(_))
        || matches!(&root.kind, NodeKind::Scalar(s) if s.literal().is_some_and(|text| !text.is_empty()))
    {
        let message = format!("The settings file is {}, where a map is expected", root.describe());
        found
            .push(Diagnostic::new(&SETTINGS_FILE_SHAPE, root.span, message).help("write `key: value` lines"));
        return;
    }
    node(root, found);
    for include in includes_of(unit).0 {
        let kind = TreeKind::Settings;
        check_name(workspace, unit, kind, &unit.env, &include.reference, include.span, found);
    }
}

fn node(at: &Node, found: &mut Vec<Diagnostic>) {
    if let Some((tag, span)) = at.tag.as_deref()
        && tag == "!encrypted"
        && !matches!(at.kind, NodeKind::Scalar(_) | NodeKind::Choice(_) | NodeKind::Error)
    {
        let message = format!("`!encrypted` marks {}, where text is expected", at.describe());
        let help = match at.kind {
            NodeKind::Empty => "write the secret behind it",
            _ => "mark each value in it",
        };
        found.push(Diagnostic::new(&SETTINGS_FILE_SHAPE, *span, message).help(help));
    }
    if at.tag.is_none() && at.text().is_some_and(|text| is_sealed(&text)) {
        let message = "This text is sealed and not marked as a secret, so no peel gets it opened";
        let start = Span { end: at.span.start, ..at.span };
        found.push(
            Diagnostic::new(&SETTINGS_FILE_SHAPE, at.span, message).help("write `!encrypted` before it").fix(
                "mark it as a secret",
                Applicability::Safe,
                start,
                "!encrypted ",
            ),
        );
    }
    match &at.kind {
        NodeKind::Mapping(mapping) => {
            for entry in &mapping.entries {
                if entry.key.text().as_deref() == Some("__merge__") {
                    merge_words(&entry.value, found);
                } else {
                    node(&entry.value, found);
                }
            }
        }
        NodeKind::Sequence(sequence) => sequence.items.iter().for_each(|item| node(item, found)),
        NodeKind::Choice(nodes) => nodes.iter().for_each(|inner| node(inner, found)),
        NodeKind::Empty | NodeKind::Scalar(_) | NodeKind::Splice(_) | NodeKind::Error => {}
    }
}

fn merge_words(at: &Node, found: &mut Vec<Diagnostic>) {
    match &at.kind {
        NodeKind::Mapping(mapping) => mapping.entries.iter().for_each(|e| merge_word(&e.value, found)),
        NodeKind::Choice(nodes) => nodes.iter().for_each(|inner| merge_words(inner, found)),
        _ => merge_word(at, found),
    }
}

fn merge_word(at: &Node, found: &mut Vec<Diagnostic>) {
    let known = match &at.kind {
        NodeKind::Scalar(scalar) => scalar.literal().is_none_or(|word| Strategy::of_word(&word).is_some()),
        NodeKind::Choice(_) | NodeKind::Splice(_) | NodeKind::Error => true,
        _ => false,
    };
    if known {
        return;
    }
    let word = at.text();
    let shown = word.as_deref().map_or_else(|| at.describe().to_owned(), |word| format!("`{word}`"));
    let help = match word.as_deref().and_then(|word| nearest(word, MERGE_WORDS.iter().copied())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write `append`, `unique` or `replace`, or a map from keys to these words".to_owned(),
    };
    let message = format!("`__merge__` is {shown}, where a way to merge lists is expected");
    found.push(Diagnostic::new(&SETTINGS_FILE_SHAPE, at.span, message).help(help));
}

/// Reports circles of includes, each once, at the include that closes it.
pub fn include_cycles(workspace: &Workspace<'_>, inferred: &Inferred, found: &mut Vec<Diagnostic>) {
    let name = |unit: usize| workspace.units.get(unit).map_or("", |u| &*u.tree_path);
    let mut done: HashMap<usize, bool> = HashMap::new();
    let mut starts: Vec<usize> = inferred.includes.keys().copied().collect();
    starts.sort_unstable();
    for start in starts {
        if done.contains_key(&start) {
            continue;
        }
        done.insert(start, false);
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((at, edge)) = way.last().copied() {
            let Some((to, span)) = inferred.includes.get(&at).and_then(|edges| edges.get(edge)) else {
                done.insert(at, true);
                way.pop();
                continue;
            };
            if let Some(last) = way.last_mut() {
                last.1 += 1;
            }
            // On some branch only, it may be no circle.
            if !is_certain(workspace, at, *span) {
                continue;
            }
            match done.get(to) {
                Some(true) => {}
                Some(false) => {
                    let from = way.iter().position(|(unit, _)| unit == to).unwrap_or(0);
                    let names: Vec<&str> =
                        way[from..].iter().map(|(unit, _)| name(*unit)).chain([name(*to)]).collect();
                    let message = format!("Settings files include each other: {}", names.join(" → "));
                    found.push(
                        Diagnostic::new(&SETTINGS_INCLUDE_CYCLE, *span, message)
                            .help("move what both need to a file of its own"),
                    );
                }
                None => {
                    done.insert(*to, false);
                    way.push((*to, 0));
                }
            }
        }
    }
}

fn is_certain(workspace: &Workspace<'_>, unit: usize, span: Span) -> bool {
    workspace.units.get(unit).is_some_and(|unit| unit.tree.template.arms_at(span.start).is_empty())
}
