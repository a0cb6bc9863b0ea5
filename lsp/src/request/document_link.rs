//! `textDocument/documentLink`

use crate::{
    ide::links,
    server::{Answer, Seen},
};
use gen_lsp_types::{DocumentLink, DocumentLinkParams};

/// Names of files as links to them.
pub fn answer(seen: &Seen, _: DocumentLinkParams) -> Answer<Vec<DocumentLink>> {
    let link = |(span, path): (_, String)| DocumentLink {
        range: seen.range(span),
        target: Some(seen.uri(&path)),
        tooltip: Some(path),
        ..DocumentLink::default()
    };
    Ok(links::links(&seen.index, &seen.context, &seen.tree()).into_iter().map(link).collect())
}
