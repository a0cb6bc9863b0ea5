//! `workspace/symbol`

use super::document_symbol::kind;
use crate::server::{Answer, Ask};
use gen_lsp_types::WorkspaceSymbolParams;
use serde_json::{Value, json};
use zester_compiler::query::{Outline, OutlineKind, outline};

/// Most symbols that are sent.
const MAX_SYMBOLS: usize = 400;

/// Ids, macros and settings of the whole project whose names have the letters of a query.
pub fn answer(ask: &Ask, params: WorkspaceSymbolParams) -> Answer<Vec<Value>> {
    let query = params.query.to_lowercase();
    let mut found: Vec<(usize, Value)> = Vec::new();
    for seen in &ask.folders {
        for file in seen.index.files() {
            let mut entries: Vec<(Outline, Option<String>)> =
                outline(&file.context, &file.tree).into_iter().map(|o| (o, None)).collect();
            while let Some((entry, above)) = entries.pop() {
                if matches!(entry.kind, OutlineKind::State | OutlineKind::Macro | OutlineKind::Key)
                    && fits(&entry.name.to_lowercase(), &query)
                {
                    let location = seen.location(&file.path, Some(entry.name_span));
                    let value = json!({
                        "name": entry.name, "kind": kind(entry.kind), "location": location,
                        "containerName": above.clone().unwrap_or_else(|| file.path.clone()),
                    });
                    found.push((entry.name.len(), value));
                }
                if entry.kind == OutlineKind::Key {
                    let path = above.map_or_else(|| entry.name.clone(), |a| format!("{a}.{}", entry.name));
                    entries.extend(entry.children.into_iter().map(|o| (o, Some(path.clone()))));
                }
            }
            if found.len() > MAX_SYMBOLS * 4 {
                break;
            }
        }
    }
    found.sort_by_key(|(length, _)| *length);
    found.truncate(MAX_SYMBOLS);
    Ok(found.into_iter().map(|(_, value)| value).collect())
}

fn fits(name: &str, query: &str) -> bool {
    let mut letters = name.chars();
    query.chars().all(|c| letters.any(|l| l == c))
}
