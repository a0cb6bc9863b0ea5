//! One blank inside the braces of each tag.

use super::lines::Written;
use crate::syntax::{
    Tree,
    segment::{SegmentKind, segments},
};

/// Notes where blanks belong.
pub(super) fn space(tree: &Tree, written: &mut Written<'_, '_>) {
    for segment in segments(&tree.text) {
        if !matches!(segment.kind, SegmentKind::Expression | SegmentKind::Statement) || !segment.closed {
            continue;
        }
        let inner = &tree.text[segment.inner.clone()];
        if inner.trim().is_empty() {
            continue;
        }
        let lead = &inner[..inner.len() - inner.trim_start().len()];
        let trail = &inner[inner.trim_end().len()..];
        // Tags of several lines have a layout of their own.
        if lead != " " && !lead.contains('\n') {
            written.inner.push((segment.inner.start..segment.inner.start + lead.len(), " "));
        }
        if trail != " " && !trail.contains('\n') {
            written.inner.push((segment.inner.end - trail.len()..segment.inner.end, " "));
        }
    }
}
