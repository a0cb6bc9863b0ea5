//! `workspace/symbol`

use super::document_symbol::kind;
use crate::server::{Answer, Ask, Lines, Seen};
use gen_lsp_types::{Location, WorkspaceSymbolParams};
use serde_json::{Value, json};
use zester_compiler::query::FoundSymbol;

/// Most symbols that are sent.
const MAX_SYMBOLS: usize = 400;

/// Ids, macros and settings of the whole project whose names have the letters of a query.
pub fn answer(ask: &Ask, params: WorkspaceSymbolParams) -> Answer<Vec<Value>> {
    let mut found: Vec<(&Seen, FoundSymbol<'_>)> = Vec::new();
    for seen in &ask.folders {
        let of_folder = seen.index.symbols(&params.query, MAX_SYMBOLS, &|| ask.is_wanted());
        let Some(of_folder) = of_folder else { return Err("cancelled".to_owned()) };
        found.extend(of_folder.into_iter().map(|symbol| (&**seen, symbol)));
    }
    found.sort_by(|(_, a), (_, b)| a.order().cmp(&b.order()));
    found.truncate(MAX_SYMBOLS);
    Ok(found.into_iter().map(|(seen, found)| symbol(seen, &found)).collect())
}

/// A name as the protocol has it. Its place is counted in the lines of the text that was checked, which are known.
fn symbol(seen: &Seen, found: &FoundSymbol<'_>) -> Value {
    let FoundSymbol { symbol, file, .. } = found;
    let text = seen.index.project.files().get(symbol.span.file);
    let range = Lines::new(&text.text, &text.lines, seen.client.encoding).range(symbol.span.range());
    let location = Location { uri: seen.uri(&file.path), range };
    json!({
        "name": symbol.name, "kind": kind(symbol.kind), "location": location,
        "containerName": symbol.above.as_deref().unwrap_or(&file.path),
    })
}
