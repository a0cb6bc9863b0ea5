//! `textDocument/definition`

use crate::{
    ide::places,
    server::{Answer, Seen},
};
use gen_lsp_types::{DefinitionParams, Location};

/// Where a name is defined.
pub fn answer(seen: &Seen, params: DefinitionParams) -> Answer<Vec<Location>> {
    let offset = seen.offset(params.text_document_position_params.position);
    let found = places::definition(&seen.index, &seen.context, &seen.tree(), offset);
    Ok(found
        .map(|(_, places)| places)
        .unwrap_or_default()
        .iter()
        .map(|p| seen.location(&p.path, p.span))
        .collect())
}
