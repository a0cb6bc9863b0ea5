//! Which file of `request` answers which request.

use super::dispatch::{Handler, Route, typed, whole};
use crate::request as r;

/// The route of a method.
pub(super) fn route(method: &str) -> Option<Route> {
    let (handler, fresh): (Handler, bool) = match method {
        "textDocument/completion" => (typed(r::completion::answer), false),
        "completionItem/resolve" => (whole(r::completion::resolve), false),
        "textDocument/hover" => (typed(r::hover::answer), false),
        "textDocument/definition" => (typed(r::definition::answer), false),
        "textDocument/documentHighlight" => (typed(r::highlight::answer), false),
        "textDocument/references" => (typed(r::references::answer), true),
        "textDocument/prepareRename" => (typed(r::rename::prepare), true),
        "textDocument/rename" => (typed(r::rename::answer), true),
        "textDocument/documentSymbol" => (typed(r::document_symbol::answer), false),
        "workspace/symbol" => (whole(r::workspace_symbol::answer), true),
        "textDocument/diagnostic" => (typed(r::diagnostic::answer), true),
        "workspace/diagnostic" => (whole(r::diagnostic::workspace), true),
        "textDocument/codeAction" => (typed(r::code_action::answer), true),
        "textDocument/formatting" => (typed(r::formatting::answer), false),
        "textDocument/rangeFormatting" => (typed(r::formatting::range), false),
        "textDocument/onTypeFormatting" => (typed(r::formatting::on_type), false),
        "textDocument/semanticTokens/full" => (typed(r::semantic_tokens::full), false),
        "textDocument/semanticTokens/full/delta" => (typed(r::semantic_tokens::delta), false),
        "textDocument/semanticTokens/range" => (typed(r::semantic_tokens::range), false),
        "textDocument/foldingRange" => (typed(r::folding_range::answer), false),
        "textDocument/selectionRange" => (typed(r::selection_range::answer), false),
        "textDocument/documentLink" => (typed(r::document_link::answer), false),
        "textDocument/signatureHelp" => (typed(r::signature_help::answer), false),
        "textDocument/inlayHint" => (typed(r::inlay_hint::answer), true),
        "textDocument/codeLens" => (typed(r::code_lens::answer), true),
        "textDocument/prepareCallHierarchy" => (typed(r::call_hierarchy::prepare), true),
        "callHierarchy/incomingCalls" => (typed(r::call_hierarchy::incoming), true),
        "callHierarchy/outgoingCalls" => (typed(r::call_hierarchy::outgoing), true),
        "workspace/willRenameFiles" => (whole(r::rename_files::answer), true),
        "workspace/executeCommand" => (whole(r::execute_command::answer), true),
        _ => return None,
    };
    Some(Route { handler, fresh, glance: method == "textDocument/diagnostic" })
}
