//! `textDocument/signatureHelp`

use crate::{
    ide::signature,
    server::{Answer, Seen},
};
use gen_lsp_types::SignatureHelpParams;
use serde_json::{Value, json};

/// The signature of the call around a place.
pub fn answer(seen: &Seen, params: SignatureHelpParams) -> Answer<Value> {
    let offset = seen.offset(params.text_document_position_params.position);
    let Some(found) = signature::signature(&seen.index, &seen.context, &seen.tree(), offset) else {
        return Ok(Value::Null);
    };
    let parameters: Vec<Value> =
        found.parameters.iter().map(|(label, doc)| json!({ "label": label, "documentation": doc })).collect();
    Ok(json!({
        "signatures": [{
            "label": found.label,
            "documentation": { "kind": "markdown", "value": found.doc },
            "parameters": parameters,
        }],
        "activeSignature": 0,
        "activeParameter": found.active,
    }))
}
