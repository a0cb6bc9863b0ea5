//! `textDocument/diagnostic`, `workspace/diagnostic`: what a check found, for clients that ask.

use crate::server::{Answer, Ask, Seen, to_protocol};
use gen_lsp_types::{DocumentDiagnosticParams, WorkspaceDiagnosticParams};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};
use zester_compiler::diagnostic::Diagnostic;

fn report(seen: &Seen, findings: &[Diagnostic], previous: Option<&str>) -> Value {
    let items: Vec<Value> = findings
        .iter()
        .map(|f| json!(to_protocol(f, &seen.checked.files, &seen.root, seen.client.encoding)))
        .collect();
    let mut hasher = DefaultHasher::new();
    Value::Array(items.clone()).to_string().hash(&mut hasher);
    let id = format!("{:016x}", hasher.finish());
    if previous == Some(id.as_str()) {
        return json!({ "kind": "unchanged", "resultId": id });
    }
    json!({ "kind": "full", "resultId": id, "items": items })
}

/// Findings in one document.
pub fn answer(seen: &Seen, params: DocumentDiagnosticParams) -> Answer<Value> {
    let checked = seen.checked.by_path.get(&seen.path);
    let findings = match &seen.glanced {
        Some(glanced) => &glanced.found[..],
        None => checked.map_or(&[][..], Vec::as_slice),
    };
    Ok(report(seen, findings, params.previous_result_id.as_deref()))
}

/// Findings in all files.
pub fn workspace(ask: &Ask, params: WorkspaceDiagnosticParams) -> Answer<Value> {
    let mut previous: HashMap<String, String> =
        params.previous_result_ids.into_iter().map(|p| (p.uri.0, p.value)).collect();
    let mut items = Vec::new();
    for seen in &ask.folders {
        for (path, findings) in seen.checked.by_path.iter() {
            let uri = seen.uri(path);
            let before = previous.remove(&uri.0);
            let mut item = report(seen, findings, before.as_deref());
            if item["kind"] == "unchanged" {
                continue;
            }
            item["uri"] = json!(uri);
            item["version"] = json!(seen.open.get(path).map(|d| d.version));
            items.push(item);
        }
    }
    // What had findings and has none any more.
    for (uri, _) in previous {
        items.push(json!({ "kind": "full", "uri": uri, "version": null, "items": [] }));
    }
    Ok(json!({ "items": items }))
}
