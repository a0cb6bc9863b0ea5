//! `textDocument/documentHighlight`

use crate::{
    ide::places,
    server::{Answer, Seen},
};
use gen_lsp_types::{DocumentHighlight, DocumentHighlightKind, DocumentHighlightParams};

/// The same name elsewhere in the document.
pub fn answer(seen: &Seen, params: DocumentHighlightParams) -> Answer<Vec<DocumentHighlight>> {
    let offset = seen.offset(params.text_document_position_params.position);
    let found = places::highlights(&seen.index, &seen.context, &seen.tree(), offset);
    let highlight = |(span, definition)| DocumentHighlight {
        range: seen.range(span),
        kind: Some(if definition { DocumentHighlightKind::Write } else { DocumentHighlightKind::Read }),
    };
    Ok(found.into_iter().map(highlight).collect())
}
