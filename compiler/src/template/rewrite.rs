//! What minijinja reads instead of the author's text, and the way back from its offsets to his.
//!
//! Salt's tags become `set` forms, list and dict literals become objects that can be changed, `'…' % x` a call; and the
//! text of macros that emit structure carries marks, because minijinja attributes captured output to the call only.

use crate::{
    source::{Span, ceil_char_boundary, floor_char_boundary},
    syntax::{
        BodyKind, Tree,
        expression::{Argument, Expr, ExprKind},
        segment::{SegmentKind, segments},
        template::{BlockKind, StatementKind},
    },
};
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// Opens a mark; its number follows in decimal digits, then [`MARK_END`].
pub const MARK: char = '\u{E010}';
/// Ends a mark's number.
pub const MARK_END: char = '\u{E011}';
/// Opens the mark of a macro body's beginning.
pub const BODY: char = '\u{E012}';
/// Stands at a macro body's end.
pub const BODY_END: char = '\u{E013}';

/// Names under which a macro has what its parameters do not.
const REST: [&str; 2] = ["varargs", "kwargs"];

/// A file as minijinja reads it.
pub struct Rewritten {
    /// The tree it was made from.
    pub tree: Arc<Tree>,
    /// The text.
    pub text: String,
    /// Replacements in order: where in the source, where in the text.
    edits: Vec<(Range<usize>, Range<usize>)>,
    /// The source range that each mark of this file stands for; empty for raw text that begins there.
    pub marks: Vec<Range<usize>>,
    /// Number of the first mark.
    pub first_mark: usize,
}

impl Rewritten {
    /// The source offset of an offset of the rewritten text.
    pub fn source(&self, offset: usize) -> usize {
        let at = self.edits.partition_point(|(_, new)| new.end <= offset);
        match self.edits.get(at) {
            Some((old, new)) if new.start <= offset => old.start,
            _ => {
                // Between edits the distance is that of the last one.
                match at.checked_sub(1).and_then(|n| self.edits.get(n)) {
                    Some((old, new)) => offset - new.end + old.end,
                    None => offset,
                }
            }
        }
    }

    /// The source span of a range of the rewritten text.
    pub fn span(&self, range: Range<usize>) -> Span {
        let text = &self.tree.text;
        // The engine counts bytes; a place that is cut out of a character is all of it.
        let start = floor_char_boundary(text, self.source(range.start));
        let end = ceil_char_boundary(text, self.source(range.end)).max(start);
        Span::new(self.tree.file, start..end)
    }
}

struct Edits<'t> {
    source: &'t str,
    /// Insertions and replacements: source range, new text, and a rank for those at one place.
    list: Vec<(Range<usize>, String, i32)>,
    marks: Vec<Range<usize>>,
    first_mark: usize,
    /// Where `varargs` and `kwargs` are used.
    rest: Vec<(usize, &'static str)>,
}

/// Rewrites a file; its marks are numbered from `first_mark`.
pub fn rewrite(tree: Arc<Tree>, first_mark: usize) -> Rewritten {
    let mut edits =
        Edits { source: &tree.text, list: Vec::new(), marks: Vec::new(), first_mark, rest: Vec::new() };
    let template = &tree.template;
    for (_, expr) in &template.expressions {
        edits.expression(expr, 0);
    }
    for block in &template.blocks {
        for arm in &block.arms {
            if let Some(condition) = &arm.condition {
                edits.expression(condition, 0);
            }
            edits.colon(arm.tag.range());
        }
        match &block.kind {
            BlockKind::For { iterable, filter, .. } => {
                edits.expression(iterable, 0);
                if let Some(filter) = filter {
                    edits.expression(filter, 0);
                }
            }
            BlockKind::Macro { params, .. } => {
                for default in params.iter().filter_map(|p| p.2.as_ref()) {
                    edits.expression(default, 0);
                }
            }
            BlockKind::Call { call, .. } => edits.expression(call, 0),
            BlockKind::With { assignments } => {
                for (_, _, value) in assignments {
                    edits.expression(value, 0);
                }
            }
            BlockKind::Load { format, name } => {
                let Some(arm) = block.arms.first() else { continue };
                let end_tag = arm.body.end as usize..block.span.end as usize;
                edits.tag(arm.tag.range(), &format!("set {}", name.0), "");
                edits.tag(end_tag, "endset", &format!("{{% set {0} = __load('{format}', {0}) %}}", name.0));
            }
            _ => {}
        }
    }
    for statement in &template.statements {
        match &statement.kind {
            StatementKind::Set { value, .. } => edits.expression(value, 0),
            StatementKind::Do(value) => {
                edits.expression(value, 0);
                if !matches!(value.kind, ExprKind::Call { .. }) {
                    let tag = statement.span.range();
                    if let Some(at) = tree.text[tag.clone()].find("do") {
                        edits.replace(tag.start + at..tag.start + at + 2, "set _zester_unused =", 0);
                    }
                }
            }
            StatementKind::Include { path, .. }
            | StatementKind::Import { path, .. }
            | StatementKind::FromImport { path, .. }
            | StatementKind::Extends(path) => edits.expression(path, 0),
            StatementKind::ImportData { format, path, name } => {
                let path = tree.text[path.span.range()].to_owned();
                edits.tag(
                    statement.span.range(),
                    &format!("set {} = __import('{format}', {path})", name.0),
                    "",
                );
            }
            _ => {}
        }
    }
    edits.open_macros(&tree);
    edits.mark_bodies(&tree);
    edits.trace_calls(&tree);
    let Edits { mut list, marks, .. } = edits;
    list.sort_by_key(|(range, _, rank)| (range.start, range.end, *rank));
    let mut text = String::with_capacity(tree.text.len() + 64);
    let mut done = 0;
    let mut placed = Vec::with_capacity(list.len());
    for (range, new, _) in list {
        if range.start < done {
            // Inside something already replaced as a whole.
            continue;
        }
        text.push_str(&tree.text[done..range.start]);
        let start = text.len();
        text.push_str(&new);
        done = range.end;
        placed.push((range, start..text.len()));
    }
    text.push_str(&tree.text[done..]);
    Rewritten { text, edits: placed, marks, first_mark, tree }
}

impl Edits<'_> {
    fn replace(&mut self, range: Range<usize>, new: &str, rank: i32) {
        self.list.push((range, new.to_owned(), rank));
    }

    fn insert(&mut self, at: usize, new: &str, rank: i32) {
        self.replace(at..at, new, rank);
    }

    /// Takes out the colon that Jinja allows at the end of a block's tag: `{% if x: %}`.
    fn colon(&mut self, tag: Range<usize>) {
        let text = self.source.get(tag.clone()).unwrap_or_default();
        let words = text.strip_suffix("%}").map(|t| t.trim_end_matches(['-', '+']).trim_end());
        if let Some(before) = words.and_then(|w| w.strip_suffix(':')) {
            let at = tag.start + before.len();
            self.replace(at..at + 1, "", 0);
        }
    }

    /// Replaces the words of a tag, keeping its whitespace marks; `after` is put behind it, inside the mark's reach.
    fn tag(&mut self, range: Range<usize>, words: &str, after: &str) {
        let text = &self.source[range.clone()];
        let open = if text.starts_with("{%-") {
            "{%-"
        } else if text.starts_with("{%+") {
            "{%+"
        } else {
            "{%"
        };
        let close = if text.ends_with("-%}") { "-%}" } else { "%}" };
        let new = if after.is_empty() {
            format!("{open} {words} {close}")
        } else {
            format!("{open} {words} %}}{}", after.replace("%}", close))
        };
        self.replace(range, &new, 0);
    }

    fn expression(&mut self, expr: &Expr, depth: i32) {
        let range = expr.span.range();
        match &expr.kind {
            ExprKind::Name(name) => {
                self.rest.extend(REST.iter().find(|rest| *rest == name).map(|rest| (range.start, *rest)));
            }
            ExprKind::Literal(_) | ExprKind::Error => {}
            ExprKind::Attribute { object, .. } => self.expression(object, depth + 1),
            ExprKind::Index { object, index } => {
                self.expression(object, depth + 1);
                self.expression(index, depth + 1);
            }
            ExprKind::Slice { object, bounds } => {
                self.expression(object, depth + 1);
                for bound in bounds.iter().flatten() {
                    self.expression(bound, depth + 1);
                }
            }
            ExprKind::Call { callee, args } => {
                self.expression(callee, depth + 1);
                self.arguments(args, depth);
            }
            ExprKind::Filter { value, args, .. } => {
                if let Some(value) = value {
                    self.expression(value, depth + 1);
                }
                self.arguments(args, depth);
            }
            ExprKind::Test { value, args, .. } => {
                self.expression(value, depth + 1);
                self.arguments(args, depth);
            }
            ExprKind::Unary { operand, .. } => self.expression(operand, depth + 1),
            ExprKind::Binary { operator, left, right } => {
                if *operator == "%" && !is_number(left) {
                    self.insert(range.start, "__percent(", depth);
                    let between = left.span.end as usize..right.span.start as usize;
                    self.replace(between, ", ", 0);
                    self.insert(range.end, ")", -depth);
                }
                self.expression(left, depth + 1);
                self.expression(right, depth + 1);
            }
            ExprKind::Conditional { condition, then, otherwise } => {
                self.expression(condition, depth + 1);
                self.expression(then, depth + 1);
                if let Some(otherwise) = otherwise {
                    self.expression(otherwise, depth + 1);
                }
            }
            ExprKind::List(items) => {
                self.literal(&range, "__list", depth);
                for item in items {
                    self.expression(item, depth + 1);
                }
            }
            ExprKind::Dict(entries) => {
                self.literal(&range, "__dict", depth);
                for (key, value) in entries {
                    self.expression(key, depth + 1);
                    self.expression(value, depth + 1);
                }
            }
            ExprKind::Tuple(items) => {
                for item in items {
                    self.expression(item, depth + 1);
                }
            }
        }
    }

    fn arguments(&mut self, args: &[Argument], depth: i32) {
        for argument in args {
            self.expression(&argument.value, depth + 1);
        }
    }

    fn literal(&mut self, range: &Range<usize>, constructor: &str, depth: i32) {
        // In parentheses the span is theirs; the bracket itself is inside.
        let inner = self.source[range.clone()].find(['[', '{']).unwrap_or(0);
        let end = self.source[range.clone()].rfind([']', '}']).map_or(range.end, |n| range.start + n + 1);
        self.insert(range.start + inner, &format!("{constructor}("), depth);
        self.insert(end, ")", -depth);
    }

    fn mark(&mut self, at: usize, place: Range<usize>, opener: char, rank: i32) {
        let number = self.first_mark + self.marks.len();
        self.marks.push(place);
        self.insert(at, &format!("{opener}{number}{MARK_END}"), rank);
    }

    /// Marks the bodies of macros that emit structure: their ends, the first words of their lines, and each place
    /// where an expression begins or ends.
    fn mark_bodies(&mut self, tree: &Tree) {
        let bodies: Vec<Range<usize>> = tree
            .bodies
            .iter()
            .filter(|b| b.kind != BodyKind::Text)
            .filter_map(|b| {
                let block = tree.template.blocks.get(b.block)?;
                matches!(block.kind, BlockKind::Macro { .. })
                    .then(|| block.arms.first().map(|a| a.body.range()))?
            })
            .collect();
        if bodies.is_empty() {
            return;
        }
        let pieces = segments(&tree.text);
        for body in bodies {
            let first = pieces.partition_point(|s| s.range.start < body.start);
            let inside = pieces[first..].iter().take_while(|s| s.range.end <= body.end);
            let mut open = false;
            let mut last = None;
            for piece in inside {
                match piece.kind {
                    SegmentKind::Text | SegmentKind::Raw => {
                        let text = &tree.text[piece.range.clone()];
                        let mut line_start = piece.range.start;
                        for line in text.split_inclusive('\n') {
                            let lead = line.len() - line.trim_start().len();
                            if lead < line.len() {
                                let at = line_start + lead;
                                if open {
                                    self.mark(at, at..at, MARK, 0);
                                } else {
                                    self.mark(at, at..at, BODY, -1);
                                    self.mark(at, at..at, MARK, 0);
                                    open = true;
                                }
                                last = Some(line_start + line.trim_end().len());
                            }
                            line_start += line.len();
                        }
                    }
                    SegmentKind::Expression => {
                        if !open {
                            self.mark(piece.range.start, piece.range.clone(), BODY, -1);
                            open = true;
                        }
                        self.mark(piece.range.start, piece.range.clone(), MARK, 1);
                        self.mark(piece.range.end, piece.range.end..piece.range.end, MARK, -2);
                        last = Some(piece.range.end);
                    }
                    _ => {}
                }
            }
            if let Some(last) = last {
                self.insert(last, &BODY_END.to_string(), 9);
            }
        }
    }
}

impl Edits<'_> {
    /// The engine's macros take what they name. One that uses `varargs` or `kwargs` gets them as parameters, and
    /// what puts a call's other arguments there stands in its place (`__open`).
    fn open_macros(&mut self, tree: &Tree) {
        self.rest.sort_unstable();
        let mut opened: BTreeMap<usize, Vec<&'static str>> = BTreeMap::new();
        let mut macros = tree
            .template
            .blocks
            .iter()
            .enumerate()
            .filter_map(|(index, block)| match &block.kind {
                BlockKind::Macro { params, .. } => Some((index, params, block.arms.first()?.body.range())),
                _ => None,
            })
            .peekable();
        // Those around a place, the innermost last: blocks come in the order of their beginnings.
        let mut around: Vec<(usize, &Vec<_>, Range<usize>)> = Vec::new();
        for (at, name) in &self.rest {
            while let Some(next) = macros.next_if(|(_, _, body)| body.start <= *at) {
                while around.pop_if(|(_, _, body)| body.end <= next.2.start).is_some() {}
                around.push(next);
            }
            while around.pop_if(|(_, _, body)| body.end <= *at).is_some() {}
            let Some((index, params, _)) = around.last() else { continue };
            let names = opened.entry(*index).or_default();
            if !params.iter().any(|p| p.0 == *name) && !names.contains(name) {
                names.push(name);
            }
        }
        for (index, names) in opened {
            let Some((block, arm)) = tree.template.blocks.get(index).and_then(|b| Some((b, b.arms.first()?)))
            else {
                continue;
            };
            let BlockKind::Macro { name, .. } = &block.kind else { continue };
            let tag = &tree.text[arm.tag.range()];
            let Some(close) = tag.rfind(')').filter(|_| !names.is_empty()) else { continue };
            let comma = if tag[..close].trim_end().ends_with(['(', ',']) { "" } else { ", " };
            let params: Vec<String> = names.iter().map(|name| format!("{name}=none")).collect();
            self.insert(arm.tag.start as usize + close, &format!("{comma}{}", params.join(", ")), 9);
            let end_tag = arm.body.end as usize..block.span.end as usize;
            self.tag(
                end_tag,
                "endmacro",
                &format!("{{% set {0} = __open({0}, {1}) %}}", name.0, names.len()),
            );
        }
    }

    /// Notes entry and exit of macro calls, so that an error inside one knows the way there.
    fn trace_calls(&mut self, tree: &Tree) {
        for (span, expr) in &tree.template.expressions {
            if !super::global::calls_macro(expr) {
                continue;
            }
            let range = span.range();
            let text = &self.source[range.clone()];
            let open = if text.starts_with("{{-") { "{%-" } else { "{%" };
            let close = if text.ends_with("-}}") { "-%}" } else { "%}" };
            let number = self.first_mark + self.marks.len();
            self.marks.push(range.clone());
            self.insert(range.start, &format!("{open} do __enter({number}) %}}"), 2);
            self.insert(range.end, &format!("{{% do __leave() {close}"), -1);
        }
    }
}

fn is_number(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Literal(value) if value.as_int().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{source::FileId, syntax};

    fn text(source: &str) -> String {
        rewrite(Arc::new(syntax::parse(FileId(0), &source.into())), 0).text
    }

    #[test]
    fn tags_and_literals() {
        assert_eq!(
            text("{% import_yaml 'a' ~ b as c with context %}"),
            "{% set c = __import('yaml', 'a' ~ b) %}"
        );
        assert_eq!(
            text("{%- load_yaml as x -%}\na: 1\n{%- endload %}"),
            "{%- set x -%}\na: 1\n{%- endset %}{% set x = __load('yaml', x) %}"
        );
        assert_eq!(text("{% set a = [{}, ([1])] %}"), "{% set a = __list([__dict({}), (__list([1]))]) %}");
        assert_eq!(text("{{ '%s' % (a, [b]) }}"), "{{ __percent('%s', (a, __list([b]))) }}");
        let opened = text("{% macro m(a, b=f(1)) -%}{{ kwargs }}{%- endmacro -%}");
        assert!(opened.starts_with("{% macro m(a, b=f(1), kwargs=none) -%}"), "{opened}");
        assert!(opened.ends_with("{%- endmacro %}{% set m = __open(m, 1) -%}"), "{opened}");
        assert_eq!(text("{% do x if y else z %}"), "{% set _zester_unused = x if y else z %}");
    }

    #[test]
    fn offsets_lead_back() {
        let source = "{% set a = [1] %}{{ b }}";
        let rewritten = rewrite(Arc::new(syntax::parse(FileId(0), &source.into())), 0);
        let at = rewritten.text.find("b }}").unwrap();
        assert_eq!(&source[rewritten.span(at..at + 1).range()], "b");
    }
}
