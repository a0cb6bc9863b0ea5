//! A source file to its tree: all shadows, merged; bodies of macros as documents of their own.

use super::{
    blocks,
    merge::{duplicates, merge},
    segment::{Segment, segments},
    shadow::{Plan, Shadow, Stand, is_captured, is_splice},
    template::{BlockKind, StatementKind, Template},
    tree::{Body, BodyKind, Node, NodeKind, Opaque, Part, Splice, Tree},
    yaml::{self, Insert, YamlError},
};
use crate::{
    diagnostic::Diagnostic,
    source::{FileId, Span},
};
use std::{ops::Range, sync::Arc};

crate::rule! {
    /// The text is not YAML.
    ///
    /// Wrong:
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed
    ///     - version: 1.0
    /// ```
    ///
    /// Right:
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed:
    ///     - version: 1.0
    /// ```
    pub BAD_YAML = "Z0001", "bad-yaml", Error;
}

/// Parses a file. The tree's text is the source; everything that is wrong is among its diagnostics.
pub fn parse(file: FileId, text: &Arc<str>) -> Tree {
    let segments = segments(text);
    let (template, mut diagnostics) = blocks::template(file, text, &segments);
    let layer = Layer { file, text, segments: &segments, template: &template };
    let whole = layer.document(0..text.len(), None);
    diagnostics.extend(whole.diagnostics);
    let mut opaque = whole.opaque;
    if let Some(root) = &whole.root {
        duplicates(root, &template, &mut diagnostics);
    }
    let mut bodies = Vec::new();
    for (index, block) in template.blocks.iter().enumerate() {
        let yaml_body = is_captured(&block.kind) || matches!(block.kind, BlockKind::Call { .. });
        if !yaml_body || matches!(&block.kind, BlockKind::Load { format, .. } if format != "yaml") {
            continue;
        }
        let Some(arm) = block.arms.first() else { continue };
        let body = layer.document(arm.body.range(), Some(index));
        let kind = body_kind(body.root.as_ref());
        let is_data = matches!(block.kind, BlockKind::Load { .. });
        if kind != BodyKind::Text || is_data {
            if let Some(root) = &body.root {
                duplicates(root, &template, &mut diagnostics);
            }
            if is_data {
                diagnostics.extend(body.diagnostics);
            } else if opaque.is_none() {
                opaque = body
                    .diagnostics
                    .first()
                    .map(|d| Opaque { span: d.span, reason: d.message.clone() })
                    .or(body.opaque);
            }
        }
        let root = if kind == BodyKind::Text && !is_data { None } else { body.root };
        bodies.push(Body { block: index, kind, root });
    }
    diagnostics.sort_by_key(|d| (d.span.start, d.span.end));
    diagnostics.dedup();
    Tree { file, text: text.clone(), template, root: whole.root, bodies, diagnostics, opaque }
}

/// What a body's document is made of.
fn body_kind(root: Option<&Node>) -> BodyKind {
    match root.map(|r| &r.kind) {
        Some(NodeKind::Sequence(s)) if !s.flow => BodyKind::Items,
        Some(NodeKind::Mapping(m)) if !m.flow => {
            let state = |value: &Node| match &value.kind {
                NodeKind::Mapping(inner) => {
                    inner.entries.iter().any(|e| e.key.text().is_some_and(|k| is_function(&k)))
                }
                NodeKind::Scalar(_) => value.text().is_some_and(|t| is_function(&t)),
                _ => false,
            };
            if m.entries.iter().any(|e| state(&e.value)) { BodyKind::States } else { BodyKind::Entries }
        }
        _ => BodyKind::Text,
    }
}

fn is_function(word: &str) -> bool {
    let word_like = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    word.split_once('.').is_some_and(|(module, function)| word_like(module) && word_like(function))
}

struct Layer<'t> {
    file: FileId,
    text: &'t str,
    segments: &'t [Segment],
    template: &'t Template,
}

#[derive(Default)]
struct Understood {
    root: Option<Node>,
    diagnostics: Vec<Diagnostic>,
    opaque: Option<Opaque>,
}

impl Layer<'_> {
    fn document(&self, region: Range<usize>, within: Option<usize>) -> Understood {
        let plan = Plan::new(self.text, self.segments, self.template, region.clone(), within);
        let inserts = self.inserts(&region, within);
        let mut understood = Understood::default();
        let mut errors: Vec<YamlError> = Vec::new();
        let templated = inserts.iter().any(|_| true) || plan.count() > 1 || !self.template.blocks.is_empty();
        for choice in 0..plan.count() {
            let shadow = plan.shadow(choice, false);
            let parsed = yaml::parse(self.file, &shadow.text, &inserts);
            if !parsed.errors.is_empty() && templated {
                // A mistake is one only if no choice of branches avoids it.
                let sparse = yaml::parse(self.file, &plan.shadow(choice, true).text, &inserts);
                errors.extend(parsed.errors.iter().filter(|e| sparse.errors.contains(e)).cloned());
                if parsed.errors.iter().any(|e| !sparse.errors.contains(e))
                    && understood.opaque.is_none()
                    && plan.count() == 1
                {
                    let range = parsed.errors[0].range.clone();
                    understood.opaque = Some(Opaque {
                        span: Span::new(self.file, range),
                        reason: "the branches around this place do not each make a document".to_owned(),
                    });
                }
            } else {
                errors.extend(parsed.errors.iter().cloned());
            }
            let root = parsed.root.map(|root| self.attach(root, &shadow));
            understood.root = match (understood.root.take(), root) {
                (Some(a), Some(b)) => Some(merge(a, b)),
                (a, b) => a.or(b),
            };
        }
        errors.sort_by_key(|e| (e.range.start, e.range.end));
        errors.dedup();
        for error in errors {
            if self.near_template(&error.range) {
                // What tags do to this line is rendering's to say.
                understood
                    .opaque
                    .get_or_insert(Opaque { span: Span::new(self.file, error.range), reason: error.message });
                continue;
            }
            let mut diagnostic = Diagnostic::new(&BAD_YAML, Span::new(self.file, error.range), error.message);
            diagnostic.help = error.help;
            understood.diagnostics.push(diagnostic);
        }
        understood
    }

    /// Whether a tag stands on the line of a place, or on the one before or after.
    fn near_template(&self, range: &Range<usize>) -> bool {
        let before =
            self.text[..floor(self.text, range.start)].rmatch_indices('\n').nth(1).map_or(0, |(at, _)| at);
        let after = self.text[floor(self.text, range.end)..]
            .match_indices('\n')
            .nth(1)
            .map_or(self.text.len(), |(at, _)| range.end + at);
        self.segments.iter().any(|s| {
            !matches!(s.kind, super::segment::SegmentKind::Text)
                && s.range.end > before
                && s.range.start < after
        })
    }

    /// What stands in scalars' places: expressions, and blocks inside one scalar.
    fn inserts(&self, region: &Range<usize>, within: Option<usize>) -> Vec<Insert> {
        let mut inserts: Vec<Insert> = Vec::new();
        for (span, expr) in &self.template.expressions {
            if region.start <= span.start as usize && span.end as usize <= region.end {
                let part = Part::Expr { expr: expr.clone(), span: *span };
                inserts.push(Insert { range: span.range(), part, marked: true });
            }
        }
        for statement in &self.template.statements {
            if matches!(statement.kind, StatementKind::Include { .. })
                && region.contains(&(statement.span.start as usize))
            {
                let expr = match &statement.kind {
                    StatementKind::Include { path, .. } => path.clone(),
                    _ => continue,
                };
                let part = Part::Expr { expr, span: statement.span };
                inserts.push(Insert { range: statement.span.range(), part, marked: true });
            }
        }
        for (index, block) in self.template.blocks.iter().enumerate() {
            let inside = region.start <= block.span.start as usize && block.span.end as usize <= region.end;
            if inside && Some(index) != within && is_splice(&block.kind) {
                let tag = block.arms.first().map_or(block.span, |a| a.tag);
                if let BlockKind::Call { call: expr, .. } | BlockKind::Filter { filters: expr } = &block.kind
                {
                    let part = Part::Expr { expr: expr.clone(), span: tag };
                    inserts.push(Insert { range: tag.range(), part, marked: true });
                }
            }
        }
        for (index, block) in self.template.blocks.iter().enumerate() {
            let inside = region.start <= block.span.start as usize && block.span.end as usize <= region.end;
            if inside && matches!(block.kind, BlockKind::If | BlockKind::For { .. }) {
                let part = Part::Block { block: index, span: block.span };
                inserts.push(Insert { range: block.span.range(), part, marked: false });
            }
        }
        // A block before what is in it.
        inserts.sort_by_key(|i| (i.range.start, usize::MAX - i.range.end));
        inserts
    }

    /// Puts splices where the expressions alone on their lines stand.
    fn attach(&self, mut root: Node, shadow: &Shadow) -> Node {
        for (range, stand) in &shadow.stands {
            let splice = self.splice(range);
            attach(&mut root, range, *stand, &splice);
        }
        root
    }

    fn splice(&self, range: &Range<usize>) -> Splice {
        let span = Span::new(self.file, range.clone());
        let at = self.template.expressions.partition_point(|(s, _)| (s.start as usize) < range.start);
        let expr = self
            .template
            .expressions
            .get(at)
            .filter(|(s, _)| s.start as usize == range.start)
            .map(|(_, e)| e.clone());
        let expr = expr.or_else(|| {
            self.template.blocks.iter().find(|b| b.span.start as usize == range.start).and_then(|b| match &b
                .kind
            {
                BlockKind::Call { call, .. } => Some(call.clone()),
                _ => None,
            })
        });
        Splice { span, expr }
    }
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn attach(node: &mut Node, range: &Range<usize>, stand: Stand, splice: &Splice) -> bool {
    let start = node.span.start as usize;
    match &mut node.kind {
        NodeKind::Mapping(mapping) => {
            if stand == Stand::Entry
                && let Some(at) =
                    mapping.entries.iter().position(|e| e.key.span.start as usize == range.start)
            {
                mapping.entries.remove(at);
                mapping.splices.push(splice.clone());
                return true;
            }
            let at = mapping.entries.partition_point(|e| (e.key.span.start as usize) <= range.start);
            if at > 0 && attach(&mut mapping.entries[at - 1].value, range, stand, splice) {
                return true;
            }
            if stand == Stand::Blank {
                mapping.splices.push(splice.clone());
                return true;
            }
            false
        }
        NodeKind::Sequence(sequence) => {
            let covering = sequence.items.iter().position(|item| {
                stand == Stand::Item
                    && matches!(item.kind, NodeKind::Scalar(_) | NodeKind::Empty)
                    && range.start <= item.span.start as usize
                    && item.span.start as usize <= range.end
            });
            if let Some(at) = covering {
                sequence.items.remove(at);
                sequence.splices.push(splice.clone());
                return true;
            }
            let at = sequence.items.partition_point(|item| (item.span.start as usize) <= range.start);
            if at > 0 && attach(&mut sequence.items[at - 1], range, stand, splice) {
                return true;
            }
            if stand == Stand::Blank {
                sequence.splices.push(splice.clone());
                return true;
            }
            false
        }
        NodeKind::Scalar(_) if stand == Stand::Value && start == range.start => {
            node.kind = NodeKind::Splice(splice.clone());
            true
        }
        NodeKind::Choice(nodes) => nodes.iter_mut().any(|n| attach(n, range, stand, splice)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
