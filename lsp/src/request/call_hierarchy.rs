//! Call hierarchy: which files include which.

use crate::server::{Answer, Seen};
use gen_lsp_types::{
    CallHierarchyIncomingCallsParams, CallHierarchyItem, CallHierarchyOutgoingCallsParams,
    CallHierarchyPrepareParams, Range,
};
use serde_json::{Value, json};
use zester_compiler::query::{IndexedFile, Symbol};

fn item(seen: &Seen, path: &str) -> Value {
    let name = seen.index.project.reference_of(path).map_or_else(|| path.to_owned(), |(_, _, name)| name);
    let uri = seen.uri(path);
    let start = Range::default();
    json!({ "name": name, "kind": 1, "detail": path, "uri": uri, "range": start, "selectionRange": start, "data": path })
}

fn path_of(seen: &Seen, item: &CallHierarchyItem) -> String {
    item.data.as_ref().and_then(Value::as_str).map_or_else(|| seen.path.clone(), str::to_owned)
}

/// The file at a place: the one that a ref names, else the document.
pub fn prepare(seen: &Seen, params: CallHierarchyPrepareParams) -> Answer<Vec<Value>> {
    let offset = seen.offset(params.text_document_position_params.position);
    let mentions = seen.index.mentions_of(&seen.context, &seen.tree());
    let path = match crate::ide::mention_at(&mentions, offset).map(|m| &m.symbol) {
        Some(Symbol::File(path)) => path.clone(),
        _ => seen.path.clone(),
    };
    Ok(vec![item(seen, &path)])
}

fn places(seen: &Seen, from: &IndexedFile, to: &str) -> Vec<Range> {
    let mentions = seen.index.mentions(from).iter();
    let naming = mentions.filter(|m| matches!(&m.symbol, Symbol::File(path) if path == to));
    naming.map(|m| seen.location(&from.path, Some(m.span)).range).collect()
}

/// Files that name a file.
pub fn incoming(seen: &Seen, params: CallHierarchyIncomingCallsParams) -> Answer<Vec<Value>> {
    let path = path_of(seen, &params.item);
    let mut found = Vec::new();
    let name = crate::ide::name_of_file(&path);
    for file in seen.index.files().filter(|f| f.path != path && f.tree.text.contains(name)) {
        let ranges = places(seen, file, &path);
        if !ranges.is_empty() {
            found.push(json!({ "from": item(seen, &file.path), "fromRanges": ranges }));
        }
    }
    Ok(found)
}

/// Files that a file names.
pub fn outgoing(seen: &Seen, params: CallHierarchyOutgoingCallsParams) -> Answer<Vec<Value>> {
    let path = path_of(seen, &params.item);
    let Some(file) = seen.index.file(&path) else { return Ok(Vec::new()) };
    let mut named: Vec<&String> = seen
        .index
        .mentions(file)
        .iter()
        .filter_map(|m| match &m.symbol {
            Symbol::File(path) => Some(path),
            _ => None,
        })
        .collect();
    named.sort();
    named.dedup();
    Ok(named
        .into_iter()
        .map(|to| json!({ "to": item(seen, to), "fromRanges": places(seen, file, to) }))
        .collect())
}
