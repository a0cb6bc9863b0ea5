//! From a byte of rendered text to the author's words, and the calls on the way.

use super::rewrite::{BODY, BODY_END, MARK, MARK_END};
use crate::source::Span;
use std::{ops::Range, sync::Arc};

/// Where a piece of rendered text comes from.
#[derive(Clone, PartialEq, Debug)]
pub struct Place {
    /// The author's words.
    pub span: Span,
    /// The calls that led there, innermost first, with what happens at each.
    pub via: Vec<(Span, String)>,
}

/// A stretch of output with one source.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Bytes of the output.
    pub output: Range<usize>,
    /// Where it was written.
    pub span: Span,
    /// Output and source correspond byte for byte.
    pub raw: bool,
    /// The calls around it, innermost first.
    pub via: Arc<Vec<Span>>,
}

/// The origin of every byte of a rendered text.
#[derive(Default)]
pub struct Provenance {
    pieces: Vec<Piece>,
}

impl Provenance {
    pub(super) fn new(pieces: Vec<Piece>) -> Self {
        Self { pieces }
    }

    /// Where the byte at `offset` comes from; the nearest known place before it when nothing was written there.
    pub fn origin(&self, offset: usize) -> Option<Place> {
        let at = self.pieces.partition_point(|p| p.output.end <= offset);
        let piece = match self.pieces.get(at) {
            Some(piece) if piece.output.start <= offset => piece,
            _ => self.pieces.get(at.saturating_sub(1)).or_else(|| self.pieces.first())?,
        };
        let mut span = piece.span;
        if piece.raw {
            let moved = offset.clamp(piece.output.start, piece.output.end) - piece.output.start;
            span.start = (span.start + moved as u32).min(span.end);
        }
        let via = piece.via.iter().map(|s| (*s, "called from here".to_owned())).collect();
        Some(Place { span, via })
    }

    /// The source span of a range of output: exact where the range lies in one piece of raw text or is an
    /// expression's output.
    pub fn place(&self, range: Range<usize>) -> Option<Place> {
        let start = self.origin(range.start)?;
        let at = self.pieces.partition_point(|p| p.output.end <= range.start);
        let raw = self.pieces.get(at).is_some_and(|p| p.raw && p.output.start <= range.start);
        if !raw || range.is_empty() {
            return Some(start);
        }
        let last = self.pieces.partition_point(|p| p.output.end < range.end);
        let mut span = start.span;
        match self.pieces.get(last).or(self.pieces.last()) {
            Some(piece) if piece.span.file == span.file => {
                let end = if piece.raw {
                    piece.span.start + (range.end.saturating_sub(piece.output.start)) as u32
                } else {
                    piece.span.end
                };
                span.end = end.max(span.start).min(piece.span.end.max(span.start));
            }
            _ => {}
        }
        Some(Place { span, via: start.via })
    }
}

/// Text whose marks were taken out, and the pieces they told of.
pub(super) struct Unmarked {
    pub text: String,
    pub pieces: Vec<Piece>,
}

/// Takes the marks out of an expression's output. `call` is the expression; `resolve` gives a mark's place.
pub(super) fn unmark(
    marked: &str,
    start: usize,
    call: Span,
    resolve: &dyn Fn(usize) -> Option<Span>,
) -> Unmarked {
    let mut text = String::with_capacity(marked.len());
    let mut pieces: Vec<Piece> = Vec::new();
    let mut calls: Vec<Span> = Vec::new();
    let mut here = call;
    let mut raw = false;
    let mut via = Arc::new(Vec::new());
    let mut piece_start = 0;
    let mut rest = marked;
    let flush =
        |text: &str, from: usize, span: Span, raw: bool, via: &Arc<Vec<Span>>, pieces: &mut Vec<Piece>| {
            if text.len() > from {
                let length = (text.len() - from) as u32;
                let span = if raw { Span { end: span.start + length, ..span } } else { span };
                pieces.push(Piece { output: start + from..start + text.len(), span, raw, via: via.clone() });
            }
        };
    while let Some(at) = rest.find([MARK, BODY, BODY_END]) {
        text.push_str(&rest[..at]);
        flush(&text, piece_start, here, raw, &via, &mut pieces);
        piece_start = text.len();
        let opener = rest[at..].chars().next().unwrap_or(MARK);
        rest = &rest[at + opener.len_utf8()..];
        if opener == BODY_END {
            here = calls.pop().unwrap_or(call);
            raw = false;
            via = Arc::new(calls.iter().rev().copied().collect());
            continue;
        }
        let Some(end) = rest.find(MARK_END) else { continue };
        let place = rest[..end].parse().ok().and_then(resolve);
        rest = &rest[end + MARK_END.len_utf8()..];
        if opener == BODY {
            // Deep recursion is bounded by the renderer; the chain shown is bounded here.
            if calls.len() < 32 {
                calls.push(here);
            }
            via = Arc::new(calls.iter().rev().copied().collect());
        }
        if let Some(place) = place {
            raw = place.is_empty();
            here = place;
        }
    }
    text.push_str(rest);
    flush(&text, piece_start, here, raw, &via, &mut pieces);
    Unmarked { text, pieces }
}

/// A text without marks, for filters that read what a macro gave.
pub(super) fn strip(marked: &str) -> std::borrow::Cow<'_, str> {
    if !marked.contains([MARK, BODY, BODY_END]) {
        return marked.into();
    }
    let mut out = String::with_capacity(marked.len());
    let mut rest = marked;
    while let Some(at) = rest.find([MARK, BODY, BODY_END]) {
        out.push_str(&rest[..at]);
        let opener = rest[at..].chars().next().unwrap_or(MARK);
        rest = &rest[at + opener.len_utf8()..];
        if opener != BODY_END
            && let Some(end) = rest.find(MARK_END)
        {
            rest = &rest[end + MARK_END.len_utf8()..];
        }
    }
    out.push_str(rest);
    out.into()
}
