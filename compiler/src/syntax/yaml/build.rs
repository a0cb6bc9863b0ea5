//! Events to nodes, without recursion: the first error ends the parse with what was read until then.

use super::{Layer, MAX_DEPTH, Mark, MarkKind};
use crate::{
    source::Span,
    syntax::tree::{Entry, Mapping, Node, NodeKind, Part, Scalar, ScalarStyle, Sequence, Splice},
};
use compact_str::CompactString;
use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle as Style, StructureStyle};
use std::{borrow::Cow, cell::Cell, collections::HashMap, ops::Range};
use thin_vec::{ThinVec, thin_vec};

/// Nodes that aliases may copy in one file. A few lines of nested aliases would otherwise fill the memory.
const MAX_COPIED_NODES: usize = 100_000;

/// The first thing wrong with a text.
#[derive(Clone, Debug)]
pub(in crate::syntax) struct Problem {
    /// What granit says.
    pub kind: ProblemKind,
    /// Where it noticed, in the text that was parsed.
    pub at: Range<usize>,
}

#[derive(Clone, Debug)]
pub(in crate::syntax) enum ProblemKind {
    /// The text is not YAML from here on.
    Scan(ErrorKind),
    /// `*name` without `&name` before it.
    UnknownAnchor(String),
    /// A second document.
    SecondDocument,
    /// Aliases that multiply.
    TooManyCopies,
    /// `<<` on something that is not a map.
    MergeOfNoMap,
    /// A tag that means nothing.
    UnknownTag(String),
}

/// Tags that mean something: ours, and those that Salt's loader has from YAML.
const TAGS: [&str; 16] = [
    "!",
    "!encrypted",
    "!!binary",
    "!!bool",
    "!!float",
    "!!int",
    "!!map",
    "!!merge",
    "!!null",
    "!!omap",
    "!!pairs",
    "!!python/unicode",
    "!!seq",
    "!!set",
    "!!str",
    "!!timestamp",
];

/// What one parse gave.
pub(in crate::syntax) struct Parsed {
    /// The document, as far as it could be read.
    pub root: Option<Node>,
    /// What ended the parse.
    pub error: Option<Problem>,
    /// What is wrong without ending it.
    pub remarks: Vec<Problem>,
}

/// Anchored nodes by name. Kept over the chunks of a file.
#[derive(Default)]
pub(in crate::syntax) struct Anchors {
    nodes: HashMap<String, (Node, usize)>,
    copied: usize,
}

enum Frame {
    Sequence {
        node: Sequence,
        start: usize,
        end: usize,
        tag: Option<Box<(String, Span)>>,
        anchor: Option<String>,
    },
    Mapping {
        node: Mapping,
        key: Option<Node>,
        start: usize,
        end: usize,
        tag: Option<Box<(String, Span)>>,
        anchor: Option<String>,
    },
}

struct Builder<'a, 'l> {
    layer: &'a Layer<'l>,
    frames: Vec<Frame>,
    root: Option<Node>,
    remarks: Vec<Problem>,
    anchors: &'a mut Anchors,
    /// Anchor of the scalar or collection that comes next.
    documents: usize,
    /// Places in the layer's tables near which the next are looked for: events come in the order of the text.
    near: Near,
}

/// Where the last lookups in the layer's tables ended.
#[derive(Default)]
struct Near {
    shift: Cell<usize>,
    mark: Cell<usize>,
}

/// As `partition_point`, beginning at what the last search found.
fn partition_near<T>(items: &[T], hint: &Cell<usize>, before: impl Fn(&T) -> bool) -> usize {
    /// Beyond so many steps halving is cheaper.
    const STEPS: usize = 6;
    let start = hint.get().min(items.len());
    let mut at = start;
    for _ in 0..STEPS {
        if items.get(at).is_some_and(&before) {
            at += 1;
        } else if let Some(previous) = at.checked_sub(1).filter(|n| !items.get(*n).is_some_and(&before)) {
            at = previous;
        } else {
            hint.set(at);
            return at;
        }
    }
    let at = items.partition_point(before);
    // The start of a long collection lies far back; what comes next does not.
    hint.set(at.max(start));
    at
}

/// Parses the layer's text up to its first error.
pub(in crate::syntax) fn parse_once(layer: &Layer<'_>, anchors: &mut Anchors) -> Parsed {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    // Keys with long expressions in them are real; YAML's own limit is about reading from a stream.
    options.simple_key_max_lookahead = 1 << 20;
    options.block_scalar_eof_without_line_feed = true;
    let mut parser = Parser::new_from_str_with_options(layer.text, options);
    let mut builder = Builder {
        layer,
        frames: Vec::new(),
        root: None,
        remarks: Vec::new(),
        anchors,
        documents: 0,
        near: Near::default(),
    };
    let mut error = None;
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => {
                let range = span.byte_range().unwrap_or(0..0);
                let tag = span.tag_span().and_then(|s| s.byte_range());
                if !builder.event(event, range.clone(), tag) {
                    error = Some(Problem { kind: ProblemKind::SecondDocument, at: range });
                    break;
                }
            }
            Err(e) => {
                let at = e.marker().byte_offset().unwrap_or(layer.text.len()).min(layer.text.len());
                error = Some(Problem { kind: ProblemKind::Scan(e.kind().clone()), at: at..at });
                break;
            }
        }
    }
    builder.close_all();
    Parsed { root: builder.root, error, remarks: builder.remarks }
}

impl Builder<'_, '_> {
    fn span(&self, range: Range<usize>) -> Span {
        // The character after the start is the first that counts as within.
        let start = self.construct_at(range.start + 1).map_or_else(|| self.source(range.start), |c| c.start);
        let end = self.construct_at(range.end).map_or_else(|| self.source(range.end), |c| c.end);
        Span::new(self.layer.file, start..end)
    }

    /// The source offset of an offset in the text.
    fn source(&self, offset: usize) -> usize {
        let index = partition_near(self.layer.shifts, &self.near.shift, |(text, _)| *text <= offset);
        self.layer.source_behind(index, offset)
    }

    /// Number of marks that begin before an offset.
    fn marks_before(&self, offset: usize) -> usize {
        partition_near(self.layer.marks, &self.near.mark, |m| m.at.start < offset)
    }

    /// The construct whose mark an offset lies within: a splice's last byte may be the colon of a key, and a mark that
    /// was moved may begin in the middle of the construct, even within a wide character.
    fn construct_at(&self, offset: usize) -> Option<&Range<usize>> {
        let at = self.marks_before(offset).checked_sub(1)?;
        self.layer.marks.get(at).filter(|m| offset < m.at.end).map(|m| &m.range)
    }

    /// Takes one event; false at the start of a second document.
    fn event(&mut self, event: Event<'_>, range: Range<usize>, tag: Option<Range<usize>>) -> bool {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 && self.root.is_some() {
                    return false;
                }
            }
            Event::Scalar(value, style, anchor, _) => {
                let anchor = self.anchor(anchor, range.start, tag.as_ref());
                let tag = self.tag(tag);
                let node = self.scalar(value, style, range.clone(), tag);
                self.place(node, range, anchor);
            }
            Event::SequenceStart(style, anchor, _) => {
                let anchor = self.anchor(anchor, range.start, tag.as_ref());
                let tag = self.tag(tag);
                let node = Sequence { flow: style == StructureStyle::Flow, ..Sequence::default() };
                self.frames.push(Frame::Sequence { node, start: range.start, end: range.end, tag, anchor });
            }
            Event::MappingStart(style, anchor, _) => {
                let anchor = self.anchor(anchor, range.start, tag.as_ref());
                let tag = self.tag(tag);
                let node = Mapping { flow: style == StructureStyle::Flow, ..Mapping::default() };
                self.frames.push(Frame::Mapping {
                    node,
                    key: None,
                    start: range.start,
                    end: range.end,
                    tag,
                    anchor,
                });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(Some(range.end)),
            Event::UnresolvedAlias(name) => {
                self.remarks
                    .push(Problem { kind: ProblemKind::UnknownAnchor(name.into_owned()), at: range.clone() });
                let node = Node { span: self.span(range.clone()), kind: NodeKind::Error, tag: None };
                self.place(node, range, None);
            }
            Event::Alias(_) => {
                let name = self.layer.text.get(range.start + 1..range.end).unwrap_or_default().to_owned();
                let node = self.alias(&name, range.clone());
                self.place(node, range, None);
            }
            _ => {}
        }
        true
    }

    /// The anchor's name, read from the text before the node: granit's events carry a number only.
    fn anchor(&self, id: usize, start: usize, tag: Option<&Range<usize>>) -> Option<String> {
        if id == 0 {
            return None;
        }
        let end = tag.map_or(start, |t| t.start.max(start));
        let before = self.layer.text.get(..end)?;
        // Properties stand at most a line or two before their node.
        let from = before.char_indices().rev().take(400).last().map_or(0, |(i, _)| i);
        let window = before.get(from..)?;
        let at = window.rfind('&')?;
        let name: String = window.get(at + 1..)?.chars().take_while(|c| !c.is_whitespace()).collect();
        Some(name)
    }

    fn alias(&mut self, name: &str, range: Range<usize>) -> Node {
        let span = self.span(range.clone());
        match self.anchors.nodes.get(name) {
            Some((node, size)) => {
                if self.anchors.copied + size > MAX_COPIED_NODES {
                    self.remarks.push(Problem { kind: ProblemKind::TooManyCopies, at: range });
                    return Node { span, kind: NodeKind::Error, tag: None };
                }
                self.anchors.copied += size;
                Node { span, ..node.clone() }
            }
            None => {
                self.remarks.push(Problem { kind: ProblemKind::UnknownAnchor(name.to_owned()), at: range });
                Node { span, kind: NodeKind::Error, tag: None }
            }
        }
    }

    fn tag(&mut self, tag: Option<Range<usize>>) -> Option<Box<(String, Span)>> {
        let range = tag?;
        let text = self.layer.text.get(range.clone())?.to_owned();
        if !TAGS.contains(&text.as_str()) && !text.starts_with("!<") && !text.contains(self.layer.marker) {
            self.remarks.push(Problem { kind: ProblemKind::UnknownTag(text.clone()), at: range.clone() });
        }
        Some(Box::new((text, self.span(range))))
    }

    fn scalar(
        &self,
        value: Cow<'_, str>,
        style: Style,
        range: Range<usize>,
        tag: Option<Box<(String, Span)>>,
    ) -> Node {
        // A literal block's range may run over the blank lines that follow it.
        let span = self.span(range.clone());
        let style = match style {
            Style::Plain => ScalarStyle::Plain,
            Style::SingleQuoted => ScalarStyle::SingleQuoted,
            Style::DoubleQuoted => ScalarStyle::DoubleQuoted,
            Style::Literal => ScalarStyle::Literal,
            Style::Folded => ScalarStyle::Folded,
        };
        if style == ScalarStyle::Plain && self.layer.text.get(range.clone()).is_none_or(str::is_empty) {
            return Node { span: Span::at(span.file, span.start as usize), kind: NodeKind::Empty, tag };
        }
        let from = self.marks_before(range.start);
        let to = self.marks_before(range.end);
        // Marks of branches that are not taken are not in this text.
        let bytes = self.layer.text.as_bytes();
        let marks: Vec<&Mark> = self
            .layer
            .marks
            .get(from..to.max(from))
            .unwrap_or_default()
            .iter()
            .filter(|m| bytes.get(m.at.start).is_some_and(|b| *b >= 0x80))
            .collect();
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if block && self.layer.has_filler(&range) {
            let parts = self.parts_of_lines(&range, &marks);
            return Node { span, kind: NodeKind::Scalar(Scalar { style, parts }), tag };
        }
        let kind = match marks.as_slice() {
            [] => {
                let text = value.into_owned();
                let parts =
                    if text.is_empty() { Vec::new() } else { vec![Part::Text { text: text.into(), span }] };
                NodeKind::Scalar(Scalar { style, parts })
            }
            [Mark { kind: MarkKind::Splice(splice), .. }] if style == ScalarStyle::Plain => {
                NodeKind::Splice(splice.clone())
            }
            marks => NodeKind::Scalar(Scalar { style, parts: self.parts(&value, style, &range, marks) }),
        };
        Node { span, kind, tag }
    }

    /// The parts of a block text that has blanked tag lines in it, cut from its lines: its value would have a line
    /// break for each byte of those.
    fn parts_of_lines(&self, range: &Range<usize>, marks: &[&Mark]) -> Vec<Part> {
        let before = self.layer.text.get(..range.start).unwrap_or_default();
        let indent = before.len() - before.rfind('\n').map_or(0, |n| n + 1);
        let mut parts = Vec::with_capacity(marks.len() * 2 + 1);
        let mut from = range.start;
        let push = |piece: Range<usize>, parts: &mut Vec<Part>| {
            let mut text = CompactString::default();
            let mut column = if piece.start == range.start { indent } else { usize::MAX };
            for (at, c) in self.layer.text.get(piece.clone()).unwrap_or_default().char_indices() {
                if c == '\n' {
                    if !self.layer.is_filler(piece.start + at) {
                        text.push(c);
                        column = 0;
                    }
                } else if c == ' ' && column < indent {
                    column += 1;
                } else {
                    column = usize::MAX;
                    text.push(c);
                }
            }
            if !text.is_empty() {
                parts.push(Part::Text { text, span: self.span(piece) });
            }
        };
        for mark in marks {
            push(from..mark.at.start, &mut parts);
            parts.extend(self.part(mark));
            from = mark.at.end;
        }
        push(from..range.end.max(from), &mut parts);
        if let Some(Part::Text { text, .. }) = parts.last_mut() {
            let ink = text.trim_end_matches('\n').len();
            text.truncate(ink + 1);
        }
        parts
    }

    /// Cuts a scalar's value at its marks.
    fn parts(&self, value: &str, style: ScalarStyle, range: &Range<usize>, marks: &[&Mark]) -> Vec<Part> {
        let quote = usize::from(matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted));
        let mut parts = Vec::with_capacity(marks.len() * 2 + 1);
        let mut rest = value;
        let mut start = range.start + quote;
        for mark in marks {
            let Some(at) = rest.find(self.layer.marker) else { break };
            let (before, after) = rest.split_at(at);
            if !before.is_empty() {
                parts.push(Part::Text { text: before.into(), span: self.span(start..mark.at.start) });
            }
            parts.extend(self.part(mark));
            start = mark.at.end;
            let length = mark.at.len().min(after.len());
            rest = after.get(length..).unwrap_or_default();
        }
        if !rest.is_empty() {
            let end = range.end.saturating_sub(quote).max(start);
            parts.push(Part::Text { text: rest.into(), span: self.span(start..end) });
        }
        parts
    }

    fn part(&self, mark: &Mark) -> Option<Part> {
        let span = Span::new(self.layer.file, mark.range.clone());
        Some(match &mark.kind {
            MarkKind::Expr(expr) => Part::Expr { expr: expr.clone(), span },
            MarkKind::Block(block) => Part::Block { block: *block, span },
            MarkKind::Raw(text) => Part::Text { text: text.as_str().into(), span },
            MarkKind::Value(index) => {
                let (value, text) = *self.layer.values.get(*index)?;
                Part::Value { value: Box::new(value.clone()), text: text.into(), span }
            }
            MarkKind::Splice(splice) => Part::Expr { expr: splice.expr.clone()?, span: splice.span },
        })
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, node: Node, range: Range<usize>, anchor: Option<String>) {
        if let Some(name) = anchor {
            let size = count(&node);
            self.anchors.nodes.insert(name, (node.clone(), size));
        }
        let empty = matches!(node.kind, NodeKind::Empty);
        match self.frames.last_mut() {
            None => self.root = Some(node),
            Some(Frame::Sequence { node: sequence, end, .. }) => {
                if !empty {
                    *end = (*end).max(range.end);
                }
                match node.kind {
                    NodeKind::Splice(splice) if !sequence.flow => sequence.splices.push(splice),
                    _ => sequence.items.push(node),
                }
            }
            Some(Frame::Mapping { node: mapping, key, start, end, .. }) => {
                if !empty {
                    *end = (*end).max(range.end);
                }
                match key.take() {
                    None => {
                        // The event of a block map may point behind its first key.
                        *start = (*start).min(range.start);
                        *key = Some(node);
                    }
                    Some(key_node) => match splices_of(&key_node, self.layer, mapping.flow) {
                        Some(mut splices) if empty => mapping.splices.append(&mut splices),
                        _ => mapping.entries.push(Entry { key: key_node, value: node }),
                    },
                }
            }
        }
    }

    /// Ends the innermost collection; `end` is known for flow collections only.
    fn close(&mut self, flow_end: Option<usize>) {
        let Some(frame) = self.frames.pop() else { return };
        let (kind, flow, start, end, tag, anchor) = match frame {
            Frame::Sequence { mut node, start, end, tag, anchor } => {
                // Trees are kept for as long as a project is open, and most lists and maps are short.
                node.items.shrink_to_fit();
                let flow = node.flow;
                (NodeKind::Sequence(node), flow, start, end, tag, anchor)
            }
            Frame::Mapping { mut node, key, start, end, tag, anchor } => {
                if let Some(key) = key {
                    let value = Node {
                        span: Span::at(key.span.file, key.span.end as usize),
                        kind: NodeKind::Empty,
                        tag: None,
                    };
                    node.entries.push(Entry { key, value });
                }
                self.merge(&mut node, start);
                node.entries.shrink_to_fit();
                let flow = node.flow;
                (NodeKind::Mapping(node), flow, start, end, tag, anchor)
            }
        };
        let end = if flow { flow_end.unwrap_or(end).max(end) } else { end };
        let mut start = start.min(end);
        if !flow && matches!(kind, NodeKind::Sequence(_)) {
            start = self.dash_before(start);
        }
        let node = Node { span: self.span(start..end), kind, tag };
        self.place(node, start..end, anchor);
    }

    /// Block sequences may start at their first dash or at what follows it; the dash is meant.
    fn dash_before(&self, start: usize) -> usize {
        let bytes = self.layer.text.as_bytes();
        if bytes.get(start) == Some(&b'-') {
            return start;
        }
        let mut at = start;
        while at > 0 && bytes.get(at - 1) == Some(&b' ') {
            at -= 1;
        }
        if at > 0 && bytes.get(at - 1) == Some(&b'-') { at - 1 } else { start }
    }

    fn close_all(&mut self) {
        while !self.frames.is_empty() {
            self.close(None);
        }
    }

    /// Takes over the entries of `<<: *base` that the map does not have itself.
    fn merge(&mut self, mapping: &mut Mapping, at: usize) {
        if !mapping.entries.iter().any(is_merge) {
            return;
        }
        let mut bases = Vec::new();
        let mut kept = ThinVec::with_capacity(mapping.entries.len());
        for entry in std::mem::take(&mut mapping.entries) {
            if !is_merge(&entry) {
                kept.push(entry);
                continue;
            }
            match entry.value.kind {
                NodeKind::Mapping(base) => bases.push(base),
                NodeKind::Sequence(list) => {
                    for item in list.items {
                        match item.kind {
                            NodeKind::Mapping(base) => bases.push(base),
                            _ => self.remarks.push(Problem { kind: ProblemKind::MergeOfNoMap, at: at..at }),
                        }
                    }
                }
                NodeKind::Scalar(ref scalar) if scalar.literal().is_none() => kept.push(entry),
                NodeKind::Splice(_) | NodeKind::Error => kept.push(entry),
                _ => self.remarks.push(Problem { kind: ProblemKind::MergeOfNoMap, at: at..at }),
            }
        }
        let mut known: std::collections::HashSet<String> =
            kept.iter().filter_map(|e| e.key.text().map(Cow::into_owned)).collect();
        // What is merged in stands first, as in Salt's loader; an earlier base wins over a later one.
        let mut merged = ThinVec::new();
        for base in bases {
            for entry in base.entries {
                match entry.key.text() {
                    Some(name) if !known.insert(name.clone().into_owned()) => {}
                    _ => merged.push(entry),
                }
            }
            mapping.splices.extend(base.splices);
        }
        merged.append(&mut kept);
        mapping.entries = merged;
    }
}

fn is_merge(entry: &Entry) -> bool {
    matches!(&entry.key.kind, NodeKind::Scalar(Scalar { style: ScalarStyle::Plain, .. }))
        && entry.key.text().as_deref() == Some("<<")
}

/// The splices a key consists of, when it is nothing else.
fn splices_of(key: &Node, layer: &Layer<'_>, flow: bool) -> Option<ThinVec<Splice>> {
    if flow {
        return None;
    }
    match &key.kind {
        NodeKind::Splice(splice) => Some(thin_vec![splice.clone()]),
        NodeKind::Scalar(scalar) if scalar.parts.len() > 1 => {
            let spans: Vec<Span> = scalar
                .parts
                .iter()
                .map(|part| match part {
                    Part::Expr { span, .. } => Some(*span),
                    _ => None,
                })
                .collect::<Option<_>>()?;
            spans
                .into_iter()
                .map(|span| {
                    let at = layer.marks.partition_point(|m| (m.range.start) < span.start as usize);
                    match layer.marks.get(at).map(|mark| &mark.kind) {
                        Some(MarkKind::Splice(splice)) if splice.span == span => Some(splice.clone()),
                        _ => None,
                    }
                })
                .collect()
        }
        _ => None,
    }
}

/// Number of nodes below and with `node`.
fn count(node: &Node) -> usize {
    let mut total = 0;
    let mut pending = vec![node];
    while let Some(node) = pending.pop() {
        total += 1;
        match &node.kind {
            NodeKind::Sequence(sequence) => pending.extend(&sequence.items),
            NodeKind::Mapping(mapping) => {
                for entry in &mapping.entries {
                    pending.push(&entry.key);
                    pending.push(&entry.value);
                }
            }
            NodeKind::Choice(nodes) => pending.extend(nodes),
            _ => {}
        }
    }
    total
}
