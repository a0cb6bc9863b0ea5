//! Fixes that every finding of their kind has, made from the text: what may be left out is taken out, and renamed words
//! keep their quotes.

use super::{elsewhere::UNSUPPORTED_PARAMETER, parameters::INERT_PARAMETER};
use crate::{
    diagnostic::{Applicability, Diagnostic, Edit, Fix},
    project::Project,
    source::Span,
    syntax::{Node, NodeKind, Tree},
};

/// Completes the fixes of a file's findings.
pub fn complete(tree: &Tree, found: &mut [Diagnostic]) {
    for diagnostic in found.iter_mut().filter(|d| d.span.file == tree.file) {
        let applicability = if *diagnostic.rule == INERT_PARAMETER {
            // It has no effect, so nothing is lost with it.
            Some(Applicability::Safe)
        } else if *diagnostic.rule == UNSUPPORTED_PARAMETER {
            Some(Applicability::Unsafe)
        } else {
            None
        };
        if let Some(applicability) = applicability
            && diagnostic.fixes.is_empty()
            && let Some(edit) = without_argument(tree, diagnostic.span)
        {
            let title = "leave it out".to_owned();
            diagnostic.fixes.push(Fix { title, applicability, edits: vec![edit] });
        }
    }
}

/// Puts what replaces quoted words into the same quotes.
pub fn keep_all_quotes(project: &Project, diagnostics: &mut [Diagnostic]) {
    for diagnostic in diagnostics {
        for fix in &mut diagnostic.fixes {
            keep_quotes(&project.files().get(diagnostic.span.file).text, fix);
        }
    }
}

fn keep_quotes(text: &str, fix: &mut Fix) {
    for edit in &mut fix.edits {
        let old = text.get(edit.span.range()).unwrap_or_default();
        let quote =
            old.chars().next().filter(|c| matches!(c, '\'' | '"') && old.len() > 1 && old.ends_with(*c));
        if let Some(quote) = quote
            && !edit.text.contains(['\'', '"', '\n', '\\'])
        {
            edit.text = format!("{quote}{}{quote}", edit.text);
        }
    }
}

/// The edit that takes an argument out, with its lines: an item of a list, or an entry of a map with further ones.
/// `None` where template tags or other words stand on those lines.
fn without_argument(tree: &Tree, key: Span) -> Option<Edit> {
    let mut pending: Vec<&Node> = tree.root.iter().chain(tree.bodies.iter().flat_map(|b| &b.root)).collect();
    while let Some(node) = pending.pop() {
        if !node.span.contains(key) {
            continue;
        }
        match &node.kind {
            NodeKind::Choice(all) => pending.extend(all),
            NodeKind::Sequence(list) if !list.flow => {
                let own = list.items.iter().find(|item| is_only(item, key));
                if let Some(item) = own {
                    return (list.items.len() > 1).then(|| lines_of(tree, item.span, "- "))?;
                }
                pending.extend(&list.items);
            }
            NodeKind::Mapping(map) if !map.flow => {
                if let Some(entry) = map.entries.iter().find(|entry| entry.key.span == key) {
                    return (map.entries.len() > 1)
                        .then(|| lines_of(tree, entry.key.span.to(entry.value.span), ""))?;
                }
                pending.extend(map.entries.iter().map(|entry| &entry.value));
            }
            _ => {}
        }
    }
    None
}

fn is_only(item: &Node, key: Span) -> bool {
    item.as_mapping().is_some_and(|map| matches!(map.entries.as_slice(), [entry] if entry.key.span == key))
}

/// The whole lines of a span that begins, behind `lead`, with the first word of a line.
fn lines_of(tree: &Tree, span: Span, lead: &str) -> Option<Edit> {
    let text = &tree.text;
    let range = span.range();
    let start = text.get(..range.start)?.rfind('\n').map_or(0, |at| at + 1);
    let before = text.get(start..range.start)?;
    if before.trim_start_matches(' ') != lead {
        return None;
    }
    let words = text.get(range.clone())?.trim_end();
    let end = range.start + words.len();
    let rest = text.get(end..)?;
    let line = rest.find('\n').map_or(rest.len(), |at| at + 1);
    let behind = rest.get(..line)?.trim();
    // A comment behind it is about it.
    let is_alone = behind.is_empty() || behind.starts_with('#');
    let has_tags = words.contains("{%") || behind.contains("{%");
    (is_alone && !has_tags)
        .then(|| Edit { span: Span::new(span.file, start..end + line), text: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diagnostic::apply, source::FileId, syntax::parse};

    fn without(text: &str, word: &str) -> Option<String> {
        let tree = parse(FileId(0), &text.into());
        let at = text.find(word).unwrap();
        let edit = without_argument(&tree, Span::new(FileId(0), at..at + word.len()))?;
        Some(apply(text, &[edit]))
    }

    #[test]
    fn an_argument_goes_with_its_lines() {
        let text =
            "a:\n  pkg.installed:\n    - version: 1  # why\n    - refresh:\n        - x\n    - hold: true\n";
        assert_eq!(
            without(text, "refresh").unwrap(),
            "a:\n  pkg.installed:\n    - version: 1  # why\n    - hold: true\n"
        );
        assert_eq!(
            without(text, "version").unwrap(),
            "a:\n  pkg.installed:\n    - refresh:\n        - x\n    - hold: true\n"
        );
        assert_eq!(without("a:\n  b.c:\n    d: 1\n    e: 2\n", "d").unwrap(), "a:\n  b.c:\n    e: 2\n");
        // The last one of a list, and one among tags, are their author's.
        assert_eq!(without("a:\n  b.c:\n    - d: 1\n", "d"), None);
        assert_eq!(without("a:\n  b.c: [{d: 1}, {e: 2}]\n", "d"), None);
    }
}
