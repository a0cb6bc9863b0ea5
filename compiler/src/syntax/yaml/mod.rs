//! YAML: from one text (a shadow of a source file, or rendered text) to nodes with places.
//!
//! The events come from granit-parser. Template constructs stand in the text as marks: one private-use character
//! followed by `z`s, so that a scalar's unescaped and folded value still tells where each construct was.

mod build;
mod problem;
mod recovery;
pub(super) mod region;
mod slip;
mod value;

pub(super) use build::Anchors;
pub(super) use problem::RULES;
pub(super) use recovery::parse_recovering;
pub use value::{YamlError, load_yaml, node_to_value};

use super::{expression::Expr, tree::Splice};
use crate::{source::FileId, types::Value};
use std::{ops::Range, sync::Arc};

/// Deepest nesting of collections, in flow and in block style each.
pub(super) const MAX_DEPTH: usize = 120;

/// A template construct inside the text, replaced there by a mark.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// Where the construct stands in the source.
    pub range: Range<usize>,
    /// Where its mark stands in the text that is parsed.
    pub at: Range<usize>,
    /// What it is.
    pub kind: MarkKind,
}

/// What a mark stands for.
#[derive(Clone, Debug)]
pub(super) enum MarkKind {
    /// `{{ … }}` within a scalar.
    Expr(Arc<Expr>),
    /// A block within a scalar.
    Block(usize),
    /// A raw block's text.
    Raw(String),
    /// An expression's value in rendered text: its index among the layer's values.
    Value(usize),
    /// Text emitted into the structure.
    Splice(Splice),
}

/// A text to parse with the marks in it.
pub(super) struct Layer<'a> {
    /// The file its spans belong to.
    pub file: FileId,
    /// The text of that file.
    pub origin: &'a str,
    /// The text that is parsed; `at` of the marks are offsets in it.
    pub text: &'a str,
    /// Added to every offset of the text to get one of the source.
    pub base: usize,
    /// Sorted by place.
    pub marks: &'a [Mark],
    /// The character every mark begins with.
    pub marker: char,
    /// Where text and source differ in length: (offset in the text, offset in the source) from which on they run
    /// alike. Empty for shadows, which have the source's length.
    pub shifts: &'a [(usize, usize)],
    /// Lines of tags that are line breaks in the text.
    pub fillers: &'a [Range<usize>],
    /// What expressions gave, with its text. Empty for source files.
    pub values: &'a [(&'a Value, &'a str)],
}

impl Layer<'_> {
    /// The source offset of an offset in the text.
    pub fn source(&self, offset: usize) -> usize {
        self.source_behind(self.shifts.partition_point(|(text, _)| *text <= offset), offset)
    }

    /// As [`Self::source`], where `index` shifts are known to lie at or before the offset.
    pub fn source_behind(&self, index: usize, offset: usize) -> usize {
        let filler = self.fillers.partition_point(|f| f.end <= offset);
        // The line breaks of a filled line are no characters of the source, which may have wide ones there.
        let offset =
            self.fillers.get(filler).map_or(offset, |f| if f.start < offset { f.start } else { offset });
        let mut place = match index.checked_sub(1).and_then(|i| self.shifts.get(i)) {
            Some((text, source)) => {
                // An offset inside a mark belongs to the construct; it never runs past the next shift.
                let limit = self.shifts.get(index).map_or(usize::MAX, |next| next.1);
                (source + (offset - text)).min(limit)
            }
            None => offset + self.base,
        };
        // What stands in the text for a construct is one byte wide, also over the wide characters of the source.
        while place < self.origin.len() && !self.origin.is_char_boundary(place) {
            place -= 1;
        }
        place
    }
}

impl Layer<'_> {
    /// Whether a filled line lies in a range.
    pub fn has_filler(&self, range: &Range<usize>) -> bool {
        let at = self.fillers.partition_point(|f| f.end <= range.start);
        self.fillers.get(at).is_some_and(|f| f.start < range.end)
    }

    /// Whether a line break is part of a filled line.
    pub fn is_filler(&self, offset: usize) -> bool {
        self.has_filler(&(offset..offset + 1))
    }
}

/// A character that does not occur in `text`, to begin marks with: three bytes long.
pub(super) fn marker_for(text: &str) -> char {
    if !text.as_bytes().contains(&0xee) {
        return '\u{e000}';
    }
    ('\u{e000}'..='\u{efff}').find(|c| !text.contains(*c)).unwrap_or('\u{e000}')
}
