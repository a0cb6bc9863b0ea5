//! `textDocument/documentSymbol`

use crate::server::{Answer, Seen};
use gen_lsp_types::{DocumentSymbol, DocumentSymbolParams, SymbolKind};
use serde_json::{Value, json};
use zester_compiler::query::{Outline, OutlineKind, outline};

/// What the document consists of.
pub fn answer(seen: &Seen, _: DocumentSymbolParams) -> Answer<Value> {
    let outline = outline(&seen.context, &seen.tree());
    if seen.client.hierarchical_symbols {
        let symbols: Vec<DocumentSymbol> = outline.iter().map(|o| symbol(seen, o)).collect();
        return Ok(json!(symbols));
    }
    let mut flat = Vec::new();
    let mut pending: Vec<(&Outline, Option<&str>)> = outline.iter().rev().map(|o| (o, None)).collect();
    while let Some((entry, above)) = pending.pop() {
        flat.push(json!({
            "name": name(entry), "kind": kind(entry.kind), "containerName": above,
            "location": { "uri": seen.uri(&seen.path), "range": seen.range(entry.span) },
        }));
        pending.extend(entry.children.iter().rev().map(|o| (o, Some(entry.name.as_str()))));
    }
    Ok(Value::Array(flat))
}

/// The protocol's kind of an entry.
pub fn kind(kind: OutlineKind) -> SymbolKind {
    match kind {
        OutlineKind::State => SymbolKind::Class,
        OutlineKind::Function => SymbolKind::Method,
        OutlineKind::Requisite => SymbolKind::Event,
        OutlineKind::Section => SymbolKind::Namespace,
        OutlineKind::Reference => SymbolKind::File,
        OutlineKind::Macro => SymbolKind::Function,
        OutlineKind::Variable => SymbolKind::Variable,
        OutlineKind::Key => SymbolKind::Key,
        OutlineKind::Target => SymbolKind::Interface,
    }
}

/// Names may not be empty.
fn name(entry: &Outline) -> String {
    if entry.name.trim().is_empty() { "…".to_owned() } else { entry.name.clone() }
}

fn symbol(seen: &Seen, entry: &Outline) -> DocumentSymbol {
    // The name must lie inside of the whole.
    let whole = entry.span.to(entry.name_span);
    #[allow(deprecated)]
    DocumentSymbol {
        name: name(entry),
        detail: (!entry.detail.is_empty()).then(|| entry.detail.clone()),
        kind: kind(entry.kind),
        tags: None,
        deprecated: None,
        range: seen.range(whole),
        selection_range: seen.range(entry.name_span),
        children: Some(entry.children.iter().map(|o| symbol(seen, o)).collect()),
    }
}
