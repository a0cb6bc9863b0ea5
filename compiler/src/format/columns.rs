//! The column of each line, from the tree: two blanks for each level.
//!
//! A line moves with the collection whose key or item it begins. A collection that holds text of unknown lines (a
//! macro's, a filter's), or whose lines are joined by tags, stays in its column, and so do those around it.

use super::lines::{Kind, Lines, Written};
use crate::{
    source::Span,
    syntax::{
        Node, NodeKind, Part, ScalarStyle, Splice, Tree,
        expression::{Expr, ExprKind},
        template::{BlockKind, StatementKind},
        tree::{Mapping, Sequence},
    },
};
use std::collections::HashSet;

/// Blanks of one level.
pub(super) const STEP: usize = 2;

/// Sets the indentation of all lines.
pub(super) fn indent(tree: &Tree, lines: &Lines<'_>, written: &mut Written<'_, '_>) {
    let mut columns = Columns {
        tree,
        lines,
        pinned: vec![false; lines.all.len()],
        before: Vec::new(),
        moved: vec![None; lines.all.len()],
        emits: names_of_texts(tree),
    };
    columns.pin();
    let mut total = 0;
    columns.before = std::iter::once(0)
        .chain(columns.pinned.iter().map(|pinned| {
            total += u32::from(*pinned);
            total
        }))
        .collect();
    let mut roots: Vec<&Node> = tree.root.iter().collect();
    while let Some(root) = roots.pop() {
        match &root.kind {
            NodeKind::Choice(all) => roots.extend(all),
            // Where the text of a file stands in another one is that one's affair, so its first column stays.
            _ => columns.walk(root),
        }
    }
    for (number, line) in lines.all.iter().enumerate() {
        if let Some(by) = columns.moved[number]
            && !line.frozen
        {
            written.indents[number] = line.indent.saturating_add_signed(by);
        }
    }
    between(lines, &columns.moved, written);
}

/// Comments and tags on lines of their own go with the words they stand in a column with.
fn between(lines: &Lines<'_>, moved: &[Option<isize>], written: &mut Written<'_, '_>) {
    let count = lines.all.len();
    let is_word = |n: usize| {
        let line = &lines.all[n];
        line.kind == Kind::Content && !line.tail && !line.frozen
    };
    let mut next: Vec<Option<usize>> = vec![None; count];
    let mut following = None;
    for n in (0..count).rev() {
        next[n] = following;
        if is_word(n) {
            following = Some(n);
        }
    }
    let mut previous: Option<usize> = None;
    for (n, line) in lines.all.iter().enumerate() {
        if is_word(n) {
            previous = Some(n);
        }
        if !matches!(line.kind, Kind::Comment | Kind::Tag) || line.tail || line.frozen || line.indent == 0 {
            continue;
        }
        let near = [next[n], previous].into_iter().flatten();
        let beside = near.clone().find(|other| lines.all[*other].indent == line.indent);
        if let Some(other) = beside.or(next[n]).or(previous) {
            let by = moved[other].unwrap_or(0);
            written.indents[n] = line.indent.saturating_add_signed(by);
        }
    }
}

/// Names whose values are texts that a template captured: their lines have columns of their own.
fn names_of_texts(tree: &Tree) -> HashSet<&str> {
    let blocks = tree.template.blocks.iter().filter_map(|block| match &block.kind {
        BlockKind::Set { name, .. } | BlockKind::Load { name, .. } => Some(name.0.as_str()),
        _ => None,
    });
    let statements = tree.template.statements.iter().filter_map(|statement| match &statement.kind {
        StatementKind::ImportData { name, .. } => Some(name.0.as_str()),
        _ => None,
    });
    blocks.chain(statements).collect()
}

struct Columns<'t> {
    tree: &'t Tree,
    lines: &'t Lines<'t>,
    /// Lines that must stay in their columns.
    pinned: Vec<bool>,
    /// How many of the lines before each are pinned.
    before: Vec<u32>,
    /// By how many columns each line moves, where that is decided.
    moved: Vec<Option<isize>>,
    emits: HashSet<&'t str>,
}

/// A collection still to be laid out.
struct Pending<'n> {
    node: &'n Node,
    /// Its new column, where its lines are free.
    column: usize,
}

impl<'t> Columns<'t> {
    fn pin(&mut self) {
        let lines = self.lines;
        for (number, line) in lines.all.iter().enumerate() {
            let text = lines.text.get(line.range.clone()).unwrap_or_default();
            // Tabs have no width that one could add to.
            if text.trim_start_matches(' ').starts_with('\t') {
                self.pinned[number] = true;
            }
        }
        self.pin_glued();
        for (span, expr) in &self.tree.template.expressions {
            if self.may_have_lines(expr) {
                self.pin_at(*span);
            }
        }
        for statement in &self.tree.template.statements {
            if matches!(statement.kind, StatementKind::Include { .. } | StatementKind::Extends(_)) {
                self.pin_splice(statement.span);
            }
        }
        for block in &self.tree.template.blocks {
            if matches!(
                block.kind,
                BlockKind::Call { .. } | BlockKind::Filter { .. } | BlockKind::Raw | BlockKind::Unknown
            ) {
                self.pin_splice(block.span);
            }
        }
        let mut pending: Vec<&'t Node> = self.tree.root.iter().collect();
        while let Some(node) = pending.pop() {
            match &node.kind {
                NodeKind::Splice(splice) => self.pin_splice(splice.span),
                NodeKind::Choice(all) => pending.extend(all),
                NodeKind::Mapping(map) if !map.flow => {
                    self.pin_splices(&map.splices);
                    for entry in &map.entries {
                        self.pin_unless_first(entry.key.span);
                        pending.push(&entry.key);
                        pending.push(&entry.value);
                    }
                }
                NodeKind::Sequence(list) if !list.flow => {
                    self.pin_splices(&list.splices);
                    for item in &list.items {
                        self.pin_unless_first(item.span);
                        pending.push(item);
                    }
                }
                NodeKind::Scalar(scalar) => {
                    let inline = scalar.parts.iter().any(|part| matches!(part, Part::Block { .. }));
                    if inline && !matches!(scalar.style, ScalarStyle::Literal | ScalarStyle::Folded) {
                        self.pin_at(node.span);
                    }
                }
                _ => {}
            }
        }
    }

    /// A tag that takes the line break behind it away puts the next line's words into its own line.
    fn pin_glued(&mut self) {
        let lines = self.lines;
        for segment in lines.segments.iter().filter(|segment| segment.closed) {
            let close = lines.text.get(segment.inner.end..segment.range.end).unwrap_or_default();
            let rest = lines.text.get(segment.range.end..).unwrap_or_default();
            let taken = rest.len() - rest.trim_start().len();
            if close.starts_with('-') && rest[..taken].contains('\n') {
                self.pin_lines(lines.at(segment.range.start), lines.at(segment.range.end + taken));
            }
        }
    }

    /// What emits lines may go on with the list or map before it.
    fn pin_splice(&mut self, span: Span) {
        self.pin_at(span);
        let line = self.lines.at(span.start as usize);
        let word = |n: &usize| self.lines.all.get(*n).is_some_and(|line| line.kind == Kind::Content);
        if let Some(before) = (0..line).rev().find(word) {
            self.pinned[before] = true;
        }
    }

    fn pin_splices(&mut self, splices: &[Splice]) {
        for splice in splices {
            self.pin_splice(splice.span);
        }
    }

    fn pin_at(&mut self, span: Span) {
        let range = span.range();
        self.pin_lines(self.lines.at(range.start), self.lines.last_of(range));
    }

    fn pin_lines(&mut self, first: usize, last: usize) {
        for pinned in self.pinned.iter_mut().take(last + 1).skip(first) {
            *pinned = true;
        }
    }

    /// A key or item that stands behind something other than dashes has no column to give.
    fn pin_unless_first(&mut self, span: Span) {
        let line = self.lines.at(span.start as usize);
        let lead = self.lines.text.get(self.lines.word(line)..span.start as usize).unwrap_or("?");
        // An item's own line may begin with its dash, and further ones.
        if !lead.bytes().all(|b| matches!(b, b'-' | b' ')) {
            self.pinned[line] = true;
        }
    }

    /// Whether the text of an expression may have several lines, the later ones in columns of their own.
    fn may_have_lines(&self, expr: &Expr) -> bool {
        let mut pending = vec![expr];
        while let Some(expr) = pending.pop() {
            match &expr.kind {
                ExprKind::Name(name) if self.emits.contains(name.as_str()) => return true,
                ExprKind::Filter { name, args, .. } => match name.as_str() {
                    "indent" | "wordwrap" | "center" | "dict_to_sls_yaml_params" => return true,
                    "yaml" | "json" | "tojson" | "toyaml" if !args.is_empty() => return true,
                    _ => {}
                },
                // A macro, this file's or an imported one's.
                ExprKind::Call { callee, .. } => match &callee.kind {
                    ExprKind::Name(name) if !matches!(name.as_str(), "range" | "dict" | "basket") => {
                        return true;
                    }
                    ExprKind::Attribute { object, name, .. } => {
                        let of_module =
                            matches!(&object.kind, ExprKind::Name(module) if self.imports(module));
                        if of_module || matches!(name.as_str(), "super" | "caller") {
                            return true;
                        }
                    }
                    _ => {}
                },
                _ => {}
            }
            pending.extend(crate::check::parts(expr).into_iter().map(|part| &**part));
        }
        false
    }

    fn imports(&self, name: &str) -> bool {
        self.tree.template.statements.iter().any(|statement| match &statement.kind {
            StatementKind::Import { name: bound, .. } => bound.0 == name,
            _ => false,
        })
    }

    fn is_pinned(&self, span: Span) -> bool {
        let range = span.range();
        let (first, last) = (self.lines.at(range.start), self.lines.last_of(range));
        self.before[last + 1] > self.before[first]
    }

    fn column(&self, offset: usize) -> usize {
        let line = self.lines.at(offset);
        offset - self.lines.all[line].range.start
    }

    /// Lays a collection out that stands in its own column, and all that is in it. Keeps its own list of what is to
    /// be done, so depth is no danger.
    fn walk(&mut self, root: &'t Node) {
        let mut pending = vec![Pending { node: root, column: self.column(root.span.start as usize) }];
        while let Some(Pending { node, column }) = pending.pop() {
            match &node.kind {
                NodeKind::Mapping(map) if !map.flow => self.mapping(node, map, column, false, &mut pending),
                NodeKind::Sequence(list) if !list.flow => self.sequence(node, list, column, &mut pending),
                NodeKind::Choice(all) => {
                    pending.extend(all.iter().map(|node| Pending { node, column }));
                }
                _ => self.tails(node.span),
            }
        }
    }

    fn mapping(
        &mut self,
        node: &'t Node,
        map: &'t Mapping,
        column: usize,
        in_item: bool,
        pending: &mut Vec<Pending<'t>>,
    ) {
        let pinned = self.is_pinned(node.span);
        for entry in &map.entries {
            // What an alias repeats stands elsewhere.
            if !node.span.contains(entry.key.span) {
                continue;
            }
            let old = self.column(entry.key.span.start as usize);
            let new = self.place(entry.key.span.start as usize, old, if pinned { old } else { column });
            self.tails(entry.key.span);
            // The only key of an item carries its list in its own column: `- require:`.
            let list_column = if in_item && map.entries.len() == 1 { new } else { new + STEP };
            self.value(&entry.value, node.span, new + STEP, list_column, pending);
        }
    }

    fn sequence(
        &mut self,
        node: &'t Node,
        list: &'t Sequence,
        column: usize,
        pending: &mut Vec<Pending<'t>>,
    ) {
        let pinned = self.is_pinned(node.span);
        for item in &list.items {
            if !node.span.contains(item.span) {
                continue;
            }
            let Some(dash) = self.dash(item.span.start as usize) else { continue };
            let old = self.column(dash);
            let new = self.place(dash, old, if pinned { old } else { column });
            let same_line = self.lines.at(dash) == self.lines.at(item.span.start as usize);
            let start = self.column(item.span.start as usize);
            let inner = if same_line { start + new - old.min(start) } else { new + STEP };
            match &item.kind {
                NodeKind::Mapping(map) if !map.flow => self.mapping(item, map, inner, true, pending),
                _ => self.value(item, node.span, inner, inner, pending),
            }
        }
    }

    fn value(
        &mut self,
        value: &'t Node,
        within: Span,
        map_column: usize,
        list_column: usize,
        pending: &mut Vec<Pending<'t>>,
    ) {
        if !within.contains(value.span) {
            return;
        }
        match &value.kind {
            NodeKind::Mapping(map) if !map.flow => pending.push(Pending { node: value, column: map_column }),
            NodeKind::Sequence(list) if !list.flow => {
                pending.push(Pending { node: value, column: list_column });
            }
            NodeKind::Choice(all) => {
                for node in all {
                    let column = match &node.kind {
                        NodeKind::Sequence(_) => list_column,
                        _ => map_column,
                    };
                    pending.push(Pending { node, column });
                }
            }
            _ => self.tails(value.span),
        }
    }

    /// Puts a word at a column where it is the first of its line; else it moves with that line. Gives its column.
    fn place(&mut self, word: usize, old: usize, column: usize) -> usize {
        let line = self.lines.at(word);
        if self.lines.word(line) == word && self.moved[line].is_none() {
            self.moved[line] = Some(column as isize - old as isize);
        }
        old.saturating_add_signed(self.moved[line].unwrap_or(0))
    }

    /// The dash of an item.
    fn dash(&self, item: usize) -> Option<usize> {
        let before = self.lines.text.get(..item)?.trim_end_matches([' ', '\n', '\r']);
        before.ends_with('-').then(|| before.len() - 1).or_else(|| {
            // Behind a tag or an anchor the line's own dash is meant.
            let word = self.lines.word(self.lines.at(item));
            self.lines.text.get(word..)?.starts_with("- ").then_some(word)
        })
    }

    /// The further lines of a text move with its first; a text below its key moves with the key.
    fn tails(&mut self, span: Span) {
        let range = span.range();
        let (first, last) = (self.lines.at(range.start), self.lines.last_of(range));
        let above = (0..=first).rev().take(64).find(|line| self.moved[*line].is_some());
        let by = self.moved[first].or_else(|| above.and_then(|line| self.moved[line]));
        for line in first..=last {
            if self.moved[line].is_none() && self.lines.all[line].kind != Kind::Blank {
                self.moved[line] = by;
            }
        }
    }
}
