//! `workspace/willRenameFiles`

use crate::{
    ide::moves,
    server::{Answer, Ask, Seen, path_of},
};
use gen_lsp_types::{RenameFilesParams, WorkspaceEdit};

/// Edits of the refs to files that get other names.
pub fn answer(ask: &Ask, params: RenameFilesParams) -> Answer<Option<WorkspaceEdit>> {
    for seen in &ask.folders {
        let inner = |uri: &str| {
            let path = path_of(&uri.into())?;
            path.strip_prefix(&seen.root).ok()?.to_str().map(str::to_owned)
        };
        let files: Vec<(String, String)> = params
            .files
            .iter()
            .filter_map(|f| Some((inner(f.old_uri.as_ref())?, inner(f.new_uri.as_ref())?)))
            .collect();
        if files.is_empty() {
            continue;
        }
        let edits = moves::moved(&seen.index, &files);
        return if edits.is_empty() { Ok(None) } else { Seen::workspace_edit(seen, &edits).map(Some) };
    }
    Ok(None)
}
