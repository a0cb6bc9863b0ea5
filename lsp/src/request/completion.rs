//! `textDocument/completion`, `completionItem/resolve`

use crate::{
    ide::completion::{self, ItemKind},
    server::{Answer, Ask, Seen},
};
use gen_lsp_types::{
    CompletionItem, CompletionItemKind, CompletionItemTextEdit, CompletionList, CompletionParams,
    Documentation, InsertTextFormat, InsertTextMode, MarkupContent, MarkupKind, TextEdit,
};
use serde_json::json;

/// What can be written at a place.
pub fn answer(seen: &Seen, params: CompletionParams) -> Answer<CompletionList> {
    let offset = seen.offset(params.text_document_position_params.position);
    let found = completion::complete(&seen.index, &seen.context, &seen.tree(), offset, seen.client.snippets);
    let lines = seen.lines();
    let range = lines.range(found.replace.clone());
    let typed =
        seen.document.text.get(found.replace.start..offset.max(found.replace.start)).unwrap_or_default();
    let items = found
        .items
        .into_iter()
        .enumerate()
        .map(|(at, item)| CompletionItem {
            kind: Some(match item.kind {
                ItemKind::Function => CompletionItemKind::Function,
                ItemKind::Property => CompletionItemKind::Property,
                ItemKind::Keyword => CompletionItemKind::Keyword,
                ItemKind::Value => CompletionItemKind::Value,
                ItemKind::File => CompletionItemKind::File,
                ItemKind::Reference => CompletionItemKind::Reference,
                ItemKind::Variable => CompletionItemKind::Variable,
                ItemKind::Module => CompletionItemKind::Module,
            }),
            detail: item.detail.filter(|d| !d.is_empty()),
            sort_text: Some(format!("{at:04}")),
            // Clients filter by the text that is there; a label that was found otherwise must not be lost.
            filter_text: (!item.label.starts_with(typed)).then(|| item.label.clone()),
            insert_text_format: item.snippet.then_some(InsertTextFormat::Snippet),
            insert_text_mode: item.insert.contains('\n').then_some(InsertTextMode::AsIs),
            preselect: (at == 0).then_some(true),
            text_edit: Some(CompletionItemTextEdit::TextEdit(TextEdit { range, new_text: item.insert })),
            additional_text_edits: item
                .also
                .map(|(place, new_text)| vec![TextEdit { range: lines.range(place), new_text }]),
            data: item.doc.map(|key| json!({ "doc": key, "root": seen.root })),
            label: item.label,
            ..CompletionItem::default()
        })
        .collect();
    Ok(CompletionList { is_incomplete: found.cut, items, ..CompletionList::default() })
}

/// An item with its documentation.
pub fn resolve(ask: &Ask, mut item: CompletionItem) -> Answer<CompletionItem> {
    let key = item.data.as_ref().and_then(|d| d.get("doc")?.as_str()).map(str::to_owned);
    let root = item.data.as_ref().and_then(|d| d.get("root")?.as_str()).map(str::to_owned);
    let folder = ask.folders.iter().find(|f| root.as_deref().is_none_or(|r| f.root.to_str() == Some(r)));
    if let (Some(key), Some(folder)) = (key, folder)
        && let Some(text) = completion::documentation(&folder.index, &key)
    {
        item.documentation =
            Some(Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value: text }));
    }
    Ok(item)
}
