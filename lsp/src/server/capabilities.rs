//! What the server tells a client that it can do.

use super::Client;
use serde_json::{Value, json};

/// Kinds and modifiers of semantic tokens, in the order of their numbers.
fn legend() -> (&'static [&'static str], &'static [&'static str]) {
    (
        &[
            "namespace",
            "function",
            "method",
            "property",
            "parameter",
            "variable",
            "macro",
            "keyword",
            "string",
            "comment",
            "operator",
            "type",
            "enumMember",
            "class",
            "number",
        ],
        &["declaration", "readonly", "defaultLibrary"],
    )
}

/// The capabilities.
pub(super) fn of(client: &Client) -> Value {
    let (types, modifiers) = legend();
    let files = json!({ "filters": [{ "scheme": "file", "pattern": { "glob": "**/*" } }] });
    json!({
        "positionEncoding": client.encoding.kind(),
        "textDocumentSync": { "openClose": true, "change": 2, "save": { "includeText": false } },
        "completionProvider": {
            "triggerCharacters": [".", ":", "'", "\"", "/", "|", " ", "-", "@", "{", "%", "["],
            "resolveProvider": true,
        },
        "hoverProvider": true,
        "definitionProvider": true,
        "referencesProvider": true,
        "documentHighlightProvider": true,
        "documentSymbolProvider": true,
        "workspaceSymbolProvider": true,
        "renameProvider": { "prepareProvider": true },
        "codeActionProvider": {
            "codeActionKinds": ["quickfix", "refactor.rewrite", "refactor.extract", "source.fixAll"],
        },
        "documentFormattingProvider": true,
        "documentRangeFormattingProvider": true,
        "documentOnTypeFormattingProvider": { "firstTriggerCharacter": "\n", "moreTriggerCharacter": ["}"] },
        "foldingRangeProvider": true,
        "selectionRangeProvider": true,
        "documentLinkProvider": { "resolveProvider": false },
        "signatureHelpProvider": { "triggerCharacters": ["(", ","], "retriggerCharacters": [")"] },
        "inlayHintProvider": true,
        "codeLensProvider": { "resolveProvider": false },
        "callHierarchyProvider": true,
        "semanticTokensProvider": {
            "legend": { "tokenTypes": types, "tokenModifiers": modifiers },
            "full": { "delta": true },
            "range": true,
        },
        "executeCommandProvider": {
            "commands": ["zester.render", "zester.plan", "zester.graph", "zester.peels"],
        },
        "diagnosticProvider": { "identifier": "zester", "interFileDependencies": true, "workspaceDiagnostics": true },
        "workspace": {
            "workspaceFolders": { "supported": true, "changeNotifications": true },
            "fileOperations": { "willRename": files, "didRename": files, "didCreate": files, "didDelete": files },
        },
    })
}
