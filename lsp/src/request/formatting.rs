//! `textDocument/formatting`, `rangeFormatting`, `onTypeFormatting`: the layout of `zester fmt`.

use crate::server::{Answer, Seen};
use gen_lsp_types::{
    DocumentFormattingParams, DocumentOnTypeFormattingParams, DocumentRangeFormattingParams, TextEdit,
};
use zester_compiler::{
    check::UnitKind,
    diagnostic::Edit,
    format::{Layout, Untouched, format, format_range, format_typed},
};

fn layout(seen: &Seen) -> Option<Layout> {
    match seen.context.kind {
        UnitKind::States => Some(Layout::States),
        UnitKind::Settings | UnitKind::Top(_) | UnitKind::Data | UnitKind::Schema => Some(Layout::Data),
        // What a template emits may be anything.
        UnitKind::Template => None,
    }
}

/// A file that is wrong, or not understood before it is rendered, is left as it is: its author is typing.
fn answered(seen: &Seen, edits: Result<Vec<Edit>, Untouched>) -> Option<Vec<TextEdit>> {
    let edit = |e: Edit| TextEdit { range: seen.range(e.span), new_text: e.text };
    edits.ok().map(|edits| edits.into_iter().map(edit).collect())
}

/// The whole document.
pub fn answer(seen: &Seen, _: DocumentFormattingParams) -> Answer<Option<Vec<TextEdit>>> {
    Ok(layout(seen).and_then(|layout| answered(seen, format(&seen.tree(), layout))))
}

/// The states that a range touches.
pub fn range(seen: &Seen, params: DocumentRangeFormattingParams) -> Answer<Option<Vec<TextEdit>>> {
    let range = seen.lines().bytes(params.range);
    Ok(layout(seen).and_then(|layout| answered(seen, format_range(&seen.tree(), layout, range))))
}

/// The line that a line break began, or the tag that a brace closed.
pub fn on_type(seen: &Seen, params: DocumentOnTypeFormattingParams) -> Answer<Option<Vec<TextEdit>>> {
    let offset = seen.lines().offset(params.position);
    let (Some(_), Some(typed)) = (layout(seen), params.ch.chars().next()) else { return Ok(None) };
    Ok(answered(seen, Ok(format_typed(&seen.tree(), offset, typed))))
}
