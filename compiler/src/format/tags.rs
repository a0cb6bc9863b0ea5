//! One blank inside the braces of each tag.

use super::lines::Written;
use crate::syntax::{
    Tree,
    segment::{Segment, SegmentKind, segments},
};
use std::ops::Range;

/// Notes where blanks belong.
pub(super) fn space(tree: &Tree, written: &mut Written<'_, '_>) {
    for segment in segments(&tree.text) {
        written.inner.extend(blanks(&tree.text, &segment));
    }
}

/// What is written for the blanks of a tag, in the order of the text.
pub(super) fn blanks(
    text: &str,
    segment: &Segment,
) -> impl Iterator<Item = (Range<usize>, &'static str)> + use<> {
    let is_tag = matches!(segment.kind, SegmentKind::Expression | SegmentKind::Statement) && segment.closed;
    let inner = &text[segment.inner.clone()];
    let lead = &inner[..inner.len() - inner.trim_start().len()];
    let trail = &inner[inner.trim_end().len()..];
    let written = is_tag && !inner.trim().is_empty();
    // Tags of several lines have a layout of their own.
    let wrong = |blanks: &str| written && blanks != " " && !blanks.contains('\n');
    let lead = wrong(lead).then(|| (segment.inner.start..segment.inner.start + lead.len(), " "));
    let trail = wrong(trail).then(|| (segment.inner.end - trail.len()..segment.inner.end, " "));
    lead.into_iter().chain(trail)
}
