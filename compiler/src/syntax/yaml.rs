//! YAML over a shadow: granit-parser's events to nodes, with a way on after each error.

use super::{
    shadow::MARK,
    tree::{Entry, Mapping, Node, NodeKind, Part, Scalar, ScalarStyle, Sequence},
};
use crate::source::{FileId, Span};
use granit_parser::{ErrorKind, Event, Parser, StructureStyle};
use std::{collections::HashMap, ops::Range};

/// Deepest nesting of collections.
const MAX_DEPTH: usize = 96;
/// Most nodes one document may have once its aliases are replaced.
const MAX_NODES: usize = 2_000_000;
/// Most errors looked for in one text.
const MAX_ERRORS: usize = 24;

/// Something that stands in a scalar's place in the source and is no text.
#[derive(Clone, Debug)]
pub struct Insert {
    /// Its bytes in the source.
    pub range: Range<usize>,
    /// What it is, without its text.
    pub part: Part,
    /// Bytes of it that stand in the shadow as a [`MARK`]ed word; none for what is blank there.
    pub marked: bool,
}

/// A mistake in the YAML.
#[derive(Clone, PartialEq, Debug)]
pub struct YamlError {
    /// The bytes it is about.
    pub range: Range<usize>,
    /// What was expected, in a full sentence.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// A parsed text.
#[derive(Default)]
pub struct Parsed {
    /// Its first document; `None` when it is empty.
    pub root: Option<Node>,
    /// What is wrong.
    pub errors: Vec<YamlError>,
}

/// Parses `shadow`, whose inserts are `inserts` (sorted, not overlapping), resuming after each error.
pub fn parse(file: FileId, shadow: &str, inserts: &[Insert]) -> Parsed {
    let mut errors: Vec<YamlError> = Vec::new();
    let mut text = std::borrow::Cow::Borrowed(shadow);
    loop {
        let mut builder = Builder {
            file,
            text: &text,
            inserts,
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            root: None,
        };
        match builder.run() {
            Ok(()) => {
                let root = builder.root;
                return Parsed { root, errors };
            }
            Err(failure) => {
                let line = failure.blank.clone();
                let fatal =
                    errors.len() >= MAX_ERRORS || line.is_empty() || text[line.clone()].trim().is_empty();
                errors.push(failure.error);
                if fatal {
                    let root = builder.salvage();
                    return Parsed { root, errors };
                }
                let mut bytes = text.into_owned().into_bytes();
                for b in &mut bytes[line] {
                    *b = b'\n';
                }
                text = String::from_utf8(bytes).unwrap_or_default().into();
            }
        }
    }
}

struct Failure {
    error: YamlError,
    /// What to blank before going on.
    blank: Range<usize>,
}

enum Open {
    Sequence { start: usize, node: Sequence, anchor: usize, tag: Option<(String, Span)> },
    Mapping { start: usize, node: Mapping, key: Option<Node>, anchor: usize, tag: Option<(String, Span)> },
}

struct Builder<'t> {
    file: FileId,
    text: &'t str,
    inserts: &'t [Insert],
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder<'_> {
    fn run(&mut self) -> Result<(), Failure> {
        let options = granit_parser::options! { emit_comments: false, emit_unresolved_aliases: true };
        let mut parser = Parser::new_from_str_with_options(self.text, options);
        let mut documents = 0;
        while let Some(next) = parser.next_event() {
            let (event, span) = match next {
                Ok(found) => found,
                Err(error) => {
                    let at = error.marker().byte_offset().unwrap_or(self.text.len()).min(self.text.len());
                    return Err(self.explain(at, error.kind()));
                }
            };
            let range = span.start.byte_offset().unwrap_or(0)..span.end.byte_offset().unwrap_or(0);
            let tag_at = span.tag_start.and_then(|m| m.byte_offset());
            let tag = |tag: Option<std::borrow::Cow<'_, granit_parser::Tag>>| {
                tag.map(|t| {
                    let start = tag_at.unwrap_or(range.start);
                    let written = t.original();
                    let end = start + written.len();
                    (written, Span::new(self.file, start..end))
                })
            };
            match event {
                Event::DocumentStart(..) => documents += 1,
                Event::StreamEnd => break,
                Event::Scalar(text, style, anchor, found) => {
                    let tag = tag(found);
                    let node = self.scalar(&text, style, range.clone(), tag);
                    self.add(node, anchor)?;
                }
                Event::SequenceStart(style, anchor, found) => {
                    let tag = tag(found);
                    let node = Sequence { flow: style == StructureStyle::Flow, ..Sequence::default() };
                    self.push(Open::Sequence { start: range.start, node, anchor, tag }, range.clone())?;
                }
                Event::MappingStart(style, anchor, found) => {
                    let tag = tag(found);
                    let node = Mapping { flow: style == StructureStyle::Flow, ..Mapping::default() };
                    self.push(
                        Open::Mapping { start: range.start, node, key: None, anchor, tag },
                        range.clone(),
                    )?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(range.clone())?,
                Event::Alias(id) => {
                    let (node, size) =
                        self.anchors.get(&id).cloned().unwrap_or((self.empty(range.clone()), 1));
                    self.nodes += size;
                    let span = Span::new(self.file, range.clone());
                    if self.nodes > MAX_NODES {
                        return Err(Failure {
                            error: YamlError {
                                range: range.clone(),
                                message: "the aliases of this document unfold to too many nodes".to_owned(),
                                help: None,
                            },
                            blank: self.line(range.start),
                        });
                    }
                    self.add(Node { span, ..node }, 0)?;
                }
                Event::UnresolvedAlias(name) => {
                    let failure = Failure {
                        error: YamlError {
                            range: range.clone(),
                            message: format!("there is no anchor `&{name}` before this alias"),
                            help: Some("anchors hold within one file, from where they stand on".to_owned()),
                        },
                        blank: range.clone(),
                    };
                    return Err(failure);
                }
                _ => {}
            }
            if documents > 1 {
                // Salt reads one document; what follows `---` would be lost without a word.
                let failure = Failure {
                    error: YamlError {
                        range: range.clone(),
                        message: "a second document begins here, and only one is read".to_owned(),
                        help: Some(
                            "remove the `---`, or move what follows into a file of its own".to_owned(),
                        ),
                    },
                    blank: range.start..self.text.len(),
                };
                return Err(failure);
            }
        }
        Ok(())
    }

    fn empty(&self, range: Range<usize>) -> Node {
        Node { span: Span::new(self.file, range), kind: NodeKind::Empty, tag: None }
    }

    fn push(&mut self, open: Open, range: Range<usize>) -> Result<(), Failure> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Failure {
                error: YamlError {
                    message: format!("the document nests more than {MAX_DEPTH} levels deep"),
                    range: range.start..range.start + 1,
                    help: None,
                },
                blank: self.line(range.start),
            });
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self, range: Range<usize>) -> Result<(), Failure> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let (node, anchor) = self.finish(open, range.end);
        self.add(node, anchor)
    }

    fn finish(&self, open: Open, end: usize) -> (Node, usize) {
        match open {
            Open::Sequence { start, node, anchor, tag } => {
                let last =
                    if node.flow { end } else { node.items.last().map_or(start, |n| n.span.end as usize) };
                let span = Span::new(self.file, start..last.max(start));
                (Node { span, kind: NodeKind::Sequence(node), tag }, anchor)
            }
            Open::Mapping { start, mut node, key, anchor, tag } => {
                if let Some(key) = key {
                    let value = self.empty(key.span.end as usize..key.span.end as usize);
                    node.entries.push(Entry { key, value });
                }
                let first = node.entries.first().map_or(start, |e| e.key.span.start as usize).min(start);
                let last = if node.flow {
                    end
                } else {
                    node.entries.last().map_or(start, |e| e.value.span.end.max(e.key.span.end) as usize)
                };
                let span = Span::new(self.file, first..last.max(first));
                (Node { span, kind: NodeKind::Mapping(node), tag }, anchor)
            }
        }
    }

    /// What is there after a failure that cannot be stepped over.
    fn salvage(mut self) -> Option<Node> {
        while let Some(open) = self.open.pop() {
            let (node, _) = self.finish(open, self.text.len());
            let _ = self.add(node, 0);
        }
        self.root
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Failure> {
        self.nodes += 1;
        if anchor != 0 {
            let size = count(&node);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut() {
            None => {
                if self.root.is_none() {
                    self.root = Some(node);
                }
            }
            Some(Open::Sequence { node: sequence, .. }) => sequence.items.push(node),
            Some(Open::Mapping { node: mapping, key, .. }) => match key.take() {
                None => *key = Some(node),
                Some(key) => mapping.entries.push(Entry { key, value: node }),
            },
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: granit_parser::ScalarStyle,
        range: Range<usize>,
        tag: Option<(String, Span)>,
    ) -> Node {
        let span = Span::new(self.file, range.clone());
        let block = matches!(style, granit_parser::ScalarStyle::Literal | granit_parser::ScalarStyle::Folded);
        // Tags between a block scalar's header and its first line belong to its text.
        let range = if block { self.text[..range.start].trim_end().len().max(1)..range.end } else { range };
        let style = match style {
            granit_parser::ScalarStyle::SingleQuoted => ScalarStyle::SingleQuoted,
            granit_parser::ScalarStyle::DoubleQuoted => ScalarStyle::DoubleQuoted,
            granit_parser::ScalarStyle::Literal => ScalarStyle::Literal,
            granit_parser::ScalarStyle::Folded => ScalarStyle::Folded,
            _ => ScalarStyle::Plain,
        };
        let first = self.inserts.partition_point(|i| i.range.start < range.start);
        let inside: Vec<&Insert> = self.inserts[first..]
            .iter()
            .take_while(|i| i.range.start < range.end.max(range.start + 1))
            .collect();
        let inside: Vec<&Insert> =
            inside.into_iter().filter(|i| range.start <= i.range.start && i.range.end <= range.end).collect();
        // For a value that is not written the parser reports `~` of no width.
        if (text.is_empty() || range.is_empty()) && style == ScalarStyle::Plain && inside.is_empty() {
            return Node { span, kind: NodeKind::Empty, tag };
        }
        let parts = parts(self.file, self.text, text, &range, &inside);
        Node { span, kind: NodeKind::Scalar(Scalar { style, parts }), tag }
    }

    fn line(&self, at: usize) -> Range<usize> {
        let start = self.text[..floor(self.text, at)].rfind('\n').map_or(0, |n| n + 1);
        let end = self.text[start..].find('\n').map_or(self.text.len(), |n| start + n);
        start..end
    }

    /// Turns the parser's complaint into the author's words, at the author's line.
    fn explain(&self, at: usize, kind: &ErrorKind) -> Failure {
        let at = floor(self.text, at);
        let mut line = self.line(at);
        // At the end of the text, or on a blank line, the line that is meant is the last one with ink on it.
        while self.text[line.clone()].trim().is_empty() && line.start > 0 {
            line = self.line(line.start - 1);
        }
        let (range, message, help) = self.complaint(at, &line, kind);
        // What was opened too early is what must go, not the line where it was noticed.
        let blank = if range.end <= line.start { self.line(range.start) } else { line };
        let help = (!help.is_empty()).then(|| help.to_owned());
        Failure { error: YamlError { range, message, help }, blank }
    }

    fn complaint(
        &self,
        at: usize,
        line: &Range<usize>,
        kind: &ErrorKind,
    ) -> (Range<usize>, String, &'static str) {
        let text = &self.text[line.clone()];
        let indent = text.len() - text.trim_start().len();
        let ink = line.start + indent..line.start + text.trim_end().len().max(indent);
        match kind {
            ErrorKind::TabInBlockIndentation => {
                let tab = line.start + text.find('\t').unwrap_or(0);
                return (tab..tab + 1, "a tab cannot indent YAML".to_owned(), "use spaces");
            }
            ErrorKind::UnclosedQuotedScalar => {
                let quote = self.text[at..].chars().next().filter(|c| *c == '"').unwrap_or('\'');
                return (
                    at..at + 1,
                    format!("this `{quote}` is never closed"),
                    "close the quote, or write a quote inside the text twice",
                );
            }
            ErrorKind::UnexpectedCharacter { character } => {
                let message = format!("a value cannot begin with `{character}` unless it is quoted");
                return (at..at + character.len_utf8(), message, "put quotes around the value");
            }
            _ => {}
        }
        if let Some(opened) = self.unclosed_bracket(at) {
            return (
                opened..opened + 1,
                "this bracket is never closed".to_owned(),
                "close it, or put quotes around the text if the bracket is part of it",
            );
        }
        let body = text.trim();
        let previous = self.previous_line(line.start);
        match kind {
            ErrorKind::MappingValueNotAllowed => {
                let above = previous.clone().map(|p| (p.clone(), &self.text[p]));
                if let Some((range, above)) = above
                    && above.len() - above.trim_start().len() < indent
                    && !above.contains(": ")
                    && !above.trim_end().ends_with(':')
                {
                    let start = range.start + above.len() - above.trim_start().len();
                    let end = range.start + above.trim_end().len();
                    let word = above.trim().trim_start_matches("- ");
                    return (
                        start..end,
                        format!("expected `:` after `{word}`, since what follows belongs to it"),
                        "write the colon",
                    );
                }
                if body.matches(": ").count() > 1 || (body.contains(": ") && body.ends_with(':')) {
                    return (
                        ink,
                        "a value cannot hold `: ` unless it is quoted".to_owned(),
                        "put quotes around the value",
                    );
                }
                if let Some(above) = previous
                    && self.text[above.clone()].contains(": ")
                {
                    let message =
                        "this line is indented as if it belonged to the value above, which is complete";
                    return (ink, message.to_owned(), "align it with the keys it belongs to");
                }
                (
                    ink,
                    "a value cannot hold `: ` unless it is quoted".to_owned(),
                    "put quotes around the value, or begin the key on its own line",
                )
            }
            ErrorKind::SimpleKeyExpected => (
                ink,
                format!("expected `:` after `{}`", body.trim_start_matches("- ")),
                "write the colon, or align the line with what it belongs to",
            ),
            ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
                let end = line.start + text.trim_end().len();
                (
                    at..end.max(at + 1),
                    "text stands behind the closing quote".to_owned(),
                    "put the whole value in quotes, or none of it",
                )
            }
            _ => {
                let message = "this line does not fit the indentation of the lines around it";
                (ink, message.to_owned(), "align it with the keys or items it belongs to")
            }
        }
    }

    fn previous_line(&self, start: usize) -> Option<Range<usize>> {
        let mut at = start;
        // Bounded: far lines say nothing about this one.
        for _ in 0..200 {
            at = at.checked_sub(1)?;
            let line = self.line(at);
            let text = self.text[line.clone()].trim();
            if !text.is_empty() && !text.starts_with('#') {
                return Some(line);
            }
            at = line.start;
        }
        None
    }

    /// A flow collection that is open at `at`: its bracket.
    fn unclosed_bracket(&self, at: usize) -> Option<usize> {
        let from = self.text[..at].char_indices().rev().take(4000).last().map_or(0, |(n, _)| n);
        let mut open = Vec::new();
        let mut quote = None;
        let mut before = ' ';
        for (n, c) in self.text[from..at].char_indices() {
            match (quote, c) {
                (Some(q), c) if c == q => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') if !before.is_alphanumeric() => quote = Some(c),
                // In block context a bracket opens only where a value begins.
                (None, '[' | '{') if !open.is_empty() || matches!(before, ' ' | '\n') => open.push(from + n),
                (None, ']' | '}') => {
                    open.pop();
                }
                _ => {}
            }
            before = c;
        }
        open.last().copied()
    }
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn count(node: &Node) -> usize {
    match &node.kind {
        NodeKind::Sequence(s) => 1 + s.items.iter().map(count).sum::<usize>(),
        NodeKind::Mapping(m) => 1 + m.entries.iter().map(|e| count(&e.key) + count(&e.value)).sum::<usize>(),
        _ => 1,
    }
}

/// Cuts a scalar's text at its inserts.
fn parts(file: FileId, source: &str, text: &str, range: &Range<usize>, inserts: &[&Insert]) -> Vec<Part> {
    let mut parts = Vec::new();
    let piece = |text: &str, from: usize, to: usize, parts: &mut Vec<Part>| {
        if !text.is_empty() {
            parts.push(Part::Text { text: text.to_owned(), span: Span::new(file, from..to.max(from)) });
        }
    };
    if let [Insert { range: whole, part: part @ Part::Value { .. }, .. }] = inserts
        && whole == range
    {
        return vec![part.clone()];
    }
    let mut from = range.start;
    if inserts.iter().any(|i| matches!(i.part, Part::Block { .. })) {
        // Blocks leave blanks or one arm's text in the shadow; what is certain is the text around them.
        for insert in inserts {
            if insert.range.start < from {
                continue;
            }
            let before = source.get(from..insert.range.start).unwrap_or("");
            // Line breaks at the head of a block scalar stand for blanked tags.
            let before = if parts.is_empty() { before.trim_start_matches('\n') } else { before };
            piece(before, from, insert.range.start, &mut parts);
            parts.push(insert.part.clone());
            from = insert.range.end;
        }
        piece(source.get(from..range.end).unwrap_or("").trim_end(), from, range.end, &mut parts);
        return parts;
    }
    let mut rest = text;
    for insert in inserts.iter().filter(|i| i.marked) {
        let Some(at) = rest.find(MARK) else { continue };
        piece(&rest[..at], from, insert.range.start, &mut parts);
        rest = &rest[ceil(rest, at + insert.range.len())..];
        parts.push(insert.part.clone());
        from = insert.range.end;
    }
    piece(rest, from, range.end, &mut parts);
    parts
}

fn ceil(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}
