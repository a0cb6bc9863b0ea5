//! `textDocument/references`

use crate::{
    ide::places,
    server::{Answer, Seen},
};
use gen_lsp_types::{Location, ReferenceParams};

/// Where a name is used.
pub fn answer(seen: &Seen, params: ReferenceParams) -> Answer<Vec<Location>> {
    let offset = seen.offset(params.text_document_position_params.position);
    let definitions = params.context.include_declaration;
    let found = places::references(&seen.index, &seen.context, &seen.tree(), offset, definitions);
    Ok(found.iter().map(|p| seen.location(&p.path, p.span)).collect())
}
