//! `textDocument/hover`

use crate::{
    ide::hover,
    server::{Answer, Seen},
};
use gen_lsp_types::{Contents, Hover, HoverParams, MarkupContent, MarkupKind};

/// What a name means.
pub fn answer(seen: &Seen, params: HoverParams) -> Answer<Option<Hover>> {
    let offset = seen.offset(params.text_document_position_params.position);
    let chosen = seen.chosen();
    let found = hover::hover(&seen.index, &seen.context, &seen.tree(), offset, chosen.as_ref());
    Ok(found.map(|(span, value)| Hover {
        contents: Contents::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value }),
        range: Some(seen.range(span)),
    }))
}
