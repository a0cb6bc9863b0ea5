//! A source file to its tree: all shadows, merged; bodies of macros as documents of their own.

use super::{
    blocks,
    flat::{Flat, Source, is_captured},
    merge::{duplicates, merge},
    segment::segments,
    shadow::{Optional, Plan},
    template::BlockKind,
    tree::{Body, BodyKind, Node, NodeKind, Opaque, Tree},
    yaml,
};
use crate::{
    diagnostic::Diagnostic,
    source::{FileId, Span},
};
use std::{ops::Range, sync::Arc};

crate::rule! {
    /// A template tag stands behind a YAML comment's `#`, and is live all the same.
    ///
    /// Templates are rendered before YAML is read, so a `#` does not comment a tag out.
    ///
    /// ```yaml
    /// # {% if grains.os != "OpenBSD" %}
    /// UsePAM: 'yes'
    /// # {% endif %}
    /// ```
    ///
    /// Write `{# … #}` to comment a tag out. Where the `#` is there to hide tags from another tool, allow this rule.
    pub LIVE_TAG_IN_COMMENT = "Z0016", "live-tag-in-comment", Warning;
}

/// Parses a file. The tree's text is the source; everything that is wrong is among its diagnostics.
pub fn parse(file: FileId, text: &Arc<str>) -> Tree {
    parse_counting(file, text).0
}

/// The tree, and the bytes of shadows that were parsed for it.
fn parse_counting(file: FileId, text: &Arc<str>) -> (Tree, usize) {
    let mut work = 0;
    let segments = segments(text);
    let (template, mut diagnostics) = blocks::template(file, text, &segments);
    let marker = yaml::marker_for(text);
    let source = Source { file, text, segments: &segments, template: &template, marker };
    // A byte order mark is no text.
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let whole = document(source, start..text.len(), None, &mut work);
    diagnostics.extend(whole.diagnostics);
    let mut opaque = whole.opaque;
    if let Some(root) = &whole.root {
        duplicates(root, &template, &mut diagnostics);
    }
    let mut bodies = Vec::new();
    let mut depths: Vec<usize> = Vec::with_capacity(template.blocks.len());
    for (index, block) in template.blocks.iter().enumerate() {
        let yaml_body = is_captured(&block.kind) || matches!(block.kind, BlockKind::Call { .. });
        let around = block.parent.and_then(|(parent, _)| depths.get(parent)).copied().unwrap_or(0);
        depths.push(around + usize::from(yaml_body));
        if !yaml_body
            || around >= MAX_CAPTURE_DEPTH
            || matches!(&block.kind, BlockKind::Load { format, .. } if format != "yaml")
        {
            continue;
        }
        let Some(arm) = block.arms.first() else { continue };
        let body = document(source, arm.body.range(), Some(index), &mut work);
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
                    .iter()
                    .find(|d| d.is_error())
                    .map(|d| Opaque { span: d.span, reason: d.message.clone() })
                    .or(body.opaque);
            }
        }
        let root = if kind == BodyKind::Text && !is_data { None } else { body.root };
        bodies.push(Body { block: index, kind, root });
    }
    diagnostics.sort_by_key(|d| (d.span.start, d.span.end));
    diagnostics.dedup();
    let root = whole.root;
    (Tree { file, text: text.clone(), template, root, bodies, diagnostics, opaque }, work)
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

struct Understood {
    root: Option<Node>,
    diagnostics: Vec<Diagnostic>,
    opaque: Option<Opaque>,
}

/// How many macros, block sets and the like may stand in each other and still be looked into; each level reads the
/// text of those in it once more.
const MAX_CAPTURE_DEPTH: usize = 4;

/// Bytes of shadows that may be parsed to find out whether one document's mistakes are real, per byte of it.
const BUDGET: usize = 160;

/// One parsed shadow.
struct Attempt {
    text: String,
    root: Option<Node>,
    diagnostics: Vec<Diagnostic>,
}

/// Parses one document of a file: the whole, or a block's body.
fn document(source: Source<'_>, range: Range<usize>, within: Option<usize>, work: &mut usize) -> Understood {
    let mut flat = Flat::new(source, range.clone(), within);
    super::stand::settle(&mut flat, source.template);
    flat.marks.sort_by_key(|m| m.at.start);
    let mut understood = Understood { root: None, diagnostics: Vec::new(), opaque: None };
    let mut left = BUDGET.saturating_mul(flat.bytes.len().max(64));
    let mut plan = Plan::new(&flat, source.template, true);
    let mut attempts = attempts(source.text, &plan, &flat, &mut left);
    if attempts.iter().any(|a| !a.diagnostics.is_empty()) && plan.has_joined() {
        plan = Plan::new(&flat, source.template, false);
        attempts = self::attempts(source.text, &plan, &flat, &mut left);
    }
    if plan.clipped {
        understood.opaque = Some(Opaque {
            span: Span::new(source.file, range.clone()),
            reason: "it has more branches than are looked at one by one".to_owned(),
        });
    }
    let mut found: Vec<Diagnostic> = attempts.iter().flat_map(|a| a.diagnostics.iter().cloned()).collect();
    found.sort_by_key(|d| (d.span.start, d.span.end));
    found.dedup_by_key(|d| d.span);
    for diagnostic in found {
        match verdict(source, &flat, &plan, &diagnostic, &mut attempts, &mut left) {
            Verdict::Real => understood.diagnostics.push(diagnostic),
            Verdict::Avoidable => {}
            Verdict::Unclear => {
                understood.opaque.get_or_insert(Opaque {
                    span: diagnostic.span,
                    reason: "what the template tags do to this line is known after rendering only".to_owned(),
                });
            }
        }
    }
    // Trees without mistakes first: what they hold is certain.
    attempts.sort_by_key(|a| a.diagnostics.len());
    for attempt in attempts {
        understood.root = match (understood.root.take(), attempt.root) {
            (Some(a), Some(b)) => Some(merge(a, b)),
            (a, b) => a.or(b),
        };
    }
    *work += BUDGET.saturating_mul(flat.bytes.len().max(64)) - left;
    for line in flat.commented.iter().take(1) {
        let start =
            source.text.get(line.clone()).and_then(|t| t.find('#')).map_or(line.start, |n| line.start + n);
        understood.diagnostics.push(
            Diagnostic::new(
                &LIVE_TAG_IN_COMMENT,
                Span::new(source.file, start..line.end),
                "Template tags behind a `#` are live",
            )
            .help("Write `{# … #}` to comment a tag out; allow this rule where the `#` only hides tags from another tool"),
        );
    }
    understood
}

fn attempts(source: &str, plan: &Plan<'_>, flat: &Flat, left: &mut usize) -> Vec<Attempt> {
    (0..plan.count())
        .map(|choice| attempt(source, flat, plan.shadow(choice, Optional::Taken), left))
        .collect()
}

fn attempt(source: &str, flat: &Flat, text: String, left: &mut usize) -> Attempt {
    let layer = yaml::Layer {
        file: flat.file,
        origin: source,
        text: &text,
        base: flat.base,
        marks: &flat.marks,
        marker: flat.marker,
        shifts: &[],
        fillers: &flat.fillers,
        values: &[],
    };
    let recovered = yaml::parse_recovering(&layer, &mut yaml::Anchors::default());
    *left = left.saturating_sub(recovered.bytes);
    Attempt { root: recovered.root, diagnostics: recovered.diagnostics, text }
}

enum Verdict {
    /// Every choice of branches that holds the place has the mistake.
    Real,
    /// Some choice has the place and not the mistake.
    Avoidable,
    /// Template tags stand in the way.
    Unclear,
}

/// Whether a mistake is one whatever branches are taken. Parses further shadows to find out.
fn verdict(
    source: Source<'_>,
    flat: &Flat,
    plan: &Plan<'_>,
    diagnostic: &Diagnostic,
    attempts: &mut Vec<Attempt>,
    left: &mut usize,
) -> Verdict {
    if tags_decide(source, flat, diagnostic) {
        return Verdict::Unclear;
    }
    let place = (diagnostic.span.start as usize).saturating_sub(flat.base);
    let clean = |attempt: &Attempt| {
        let shown = attempt.text.as_bytes().get(place).is_some_and(|b| *b != b' ' && *b != b'\n');
        shown && !attempt.diagnostics.iter().any(|d| d.span.start == diagnostic.span.start)
    };
    if attempts.iter().any(clean) {
        return Verdict::Avoidable;
    }
    // Where lines emit structure of their own, and the text is right without them, their guessed place is the mistake.
    if flat.lines.iter().any(|line| line.splice && !line.text) {
        for choice in 0..plan.count() {
            if *left < flat.bytes.len() {
                return Verdict::Unclear;
            }
            let without =
                attempt(source.text, flat, without_splices(flat, plan.shadow(choice, Optional::Taken)), left);
            if clean(&without) {
                return Verdict::Unclear;
            }
        }
    }
    if !plan.has_optional() {
        return Verdict::Real;
    }
    for choice in 0..plan.count() {
        if *left < flat.bytes.len() {
            return Verdict::Unclear;
        }
        let text = plan.shadow(choice, Optional::LeftOut(place));
        if attempts.iter().any(|a| a.text == text) {
            continue;
        }
        let further = attempt(source.text, flat, text, left);
        let avoids = clean(&further);
        attempts.push(further);
        if avoids {
            return Verdict::Avoidable;
        }
    }
    Verdict::Real
}

/// A shadow with the lines that emit structure taken out of it.
fn without_splices(flat: &Flat, text: String) -> String {
    let mut bytes = text.into_bytes();
    for line in flat.lines.iter().filter(|line| line.splice && !line.text) {
        if let Some(line) = bytes.get_mut(line.start..line.end) {
            line.fill(b'\n');
        }
    }
    // Whole lines were overwritten by ASCII, so this cannot fail.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Whether the text of the lines in question depends on more than the choice of branches: tags within them, or
/// expressions beside them that emit lines of their own.
fn tags_decide(source: Source<'_>, flat: &Flat, diagnostic: &Diagnostic) -> bool {
    let start = (diagnostic.span.start as usize).saturating_sub(flat.base);
    let first = flat.line_at(start);
    let Some(line) = flat.lines.get(first) else { return false };
    let has_statement = |line: &super::flat::Line| {
        let text = source.text.get(flat.base + line.start..flat.base + line.end).unwrap_or_default();
        text.contains("{%") && !line.blank
    };
    let before = flat.ink_before(first).take(200).find(|(_, l)| !l.comment).map(|(_, l)| l);
    let after = flat.ink_after(first).take(200).find(|(_, l)| !l.comment).map(|(_, l)| l);
    [Some(line), before, after].into_iter().flatten().any(|line| line.splice || has_statement(line))
}

#[cfg(test)]
mod tests;
