//! `textDocument/prepareRename`, `textDocument/rename`

use crate::{
    ide,
    server::{Answer, Seen},
};
use gen_lsp_types::{
    PrepareRenameParams, PrepareRenamePlaceholder, PrepareRenameResult, RenameParams, WorkspaceEdit,
};
use zester_compiler::query::{self, Mention, Symbol};

fn mention(seen: &Seen, offset: usize) -> Answer<Mention> {
    let mentions = seen.index.mentions_of(&seen.context, &seen.tree());
    let found = ide::mention_at(&mentions, offset).cloned();
    found.ok_or_else(|| "there is no name here that can be renamed".to_owned())
}

/// What would be renamed; an error where it cannot be.
pub fn prepare(seen: &Seen, params: PrepareRenameParams) -> Answer<PrepareRenameResult> {
    let mention = mention(seen, seen.offset(params.text_document_position_params.position))?;
    // A name that no author writes: what stands in its way stands in every name's way.
    let probe = "zester_renamed_probe";
    if !matches!(mention.symbol, Symbol::Name { .. })
        || matches!(&mention.symbol, Symbol::Name { scope: None, .. })
    {
        query::rename(&seen.index, &mention.symbol, probe).map_err(|e| e.to_string())?;
    }
    let placeholder = seen.document.text.get(mention.span.range()).unwrap_or_default().to_owned();
    Ok(PrepareRenameResult::PrepareRenamePlaceholder(PrepareRenamePlaceholder {
        range: seen.range(mention.span),
        placeholder,
    }))
}

/// Renames everywhere.
pub fn answer(seen: &Seen, params: RenameParams) -> Answer<WorkspaceEdit> {
    let mention = mention(seen, seen.offset(params.text_document_position_params.position))?;
    let outcome = query::rename(&seen.index, &mention.symbol, &params.new_name).map_err(|e| e.to_string())?;
    seen.workspace_edit(&outcome)
}
