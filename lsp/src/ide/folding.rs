//! What can be folded: states, functions, lists, blocks, comments.

use zester_compiler::{
    source::LineIndex,
    syntax::{Node, NodeKind, Tree},
};

/// What a fold is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FoldKind {
    /// Part of the structure.
    Region,
    /// A comment.
    Comment,
    /// Includes and imports.
    Imports,
}

/// A run of lines, from 0, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Fold {
    /// The line that stays.
    pub start: usize,
    /// The last line that goes.
    pub end: usize,
    /// What it is.
    pub kind: FoldKind,
}

/// All folds of a file.
pub fn folds(tree: &Tree) -> Vec<Fold> {
    let lines = LineIndex::new(&tree.text);
    let mut found = Vec::new();
    let mut add = |start: usize, end: usize, kind: FoldKind| {
        let last = tree.text.get(..end).map_or(end, |t| t.trim_end().len());
        let (start, end) = (lines.line(start), lines.line(last.max(start)));
        if end > start {
            found.push(Fold { start, end, kind });
        }
    };
    let roots = tree.root.iter().chain(tree.bodies.iter().filter_map(|b| b.root.as_ref()));
    let mut pending: Vec<&Node> = roots.collect();
    while let Some(node) = pending.pop() {
        match &node.kind {
            NodeKind::Mapping(map) => {
                for entry in &map.entries {
                    let is_include = entry.key.text().as_deref() == Some("include");
                    let kind = if is_include { FoldKind::Imports } else { FoldKind::Region };
                    add(entry.key.span.range().start, entry.value.span.range().end, kind);
                    pending.push(&entry.value);
                }
            }
            NodeKind::Sequence(list) => pending.extend(&list.items),
            NodeKind::Choice(nodes) => pending.extend(nodes),
            _ => {}
        }
    }
    for block in &tree.template.blocks {
        for arm in &block.arms {
            add(arm.tag.range().start, arm.body.range().end, FoldKind::Region);
        }
    }
    for comment in &tree.template.comments {
        add(comment.range().start, comment.range().end, FoldKind::Comment);
    }
    let mut run: Option<(usize, usize)> = None;
    for (number, line) in tree.text.lines().chain([""]).enumerate() {
        if line.trim_start().starts_with('#') {
            run = Some(run.map_or((number, number), |(start, _)| (start, number)));
        } else if let Some((start, end)) = run.take()
            && end > start
        {
            found.push(Fold { start, end, kind: FoldKind::Comment });
        }
    }
    found.sort();
    found.dedup_by_key(|fold| (fold.start, fold.end));
    found
}
