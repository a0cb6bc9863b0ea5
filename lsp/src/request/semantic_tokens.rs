//! `textDocument/semanticTokens/full`, `…/full/delta`, `…/range`

use crate::{
    ide::tokens::{Token, semantic_tokens},
    server::{Answer, Seen},
};
use gen_lsp_types::{SemanticTokensDeltaParams, SemanticTokensParams, SemanticTokensRangeParams};
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};

fn encoded(seen: &Seen, tokens: &[Token]) -> Vec<u32> {
    let lines = seen.lines();
    let (mut line, mut start) = (0, 0);
    let mut data = Vec::with_capacity(tokens.len() * 5);
    for token in tokens {
        let range = lines.range(token.start..token.end);
        if range.start.line != range.end.line || range.end.character <= range.start.character {
            continue;
        }
        let delta_line = range.start.line - line;
        let delta_start = if delta_line == 0 { range.start.character - start } else { range.start.character };
        data.extend([
            delta_line,
            delta_start,
            range.end.character - range.start.character,
            token.kind,
            token.modifiers,
        ]);
        (line, start) = (range.start.line, range.start.character);
    }
    data
}

/// A name for a list of numbers: the list itself is not kept, a client sends the name back.
fn name(data: &[u32]) -> String {
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn all(seen: &Seen) -> Vec<u32> {
    encoded(seen, &semantic_tokens(&seen.index, &seen.context, &seen.tree()))
}

/// All words.
pub fn full(seen: &Seen, _: SemanticTokensParams) -> Answer<Value> {
    let data = all(seen);
    let id = name(&data);
    seen.remember_tokens(&id, &data);
    Ok(json!({ "resultId": id, "data": data }))
}

/// What changed since the last answer: one run of numbers, since edits mostly are in one place.
pub fn delta(seen: &Seen, params: SemanticTokensDeltaParams) -> Answer<Value> {
    let data = all(seen);
    let id = name(&data);
    let previous = seen.remembered_tokens(&params.previous_result_id);
    seen.remember_tokens(&id, &data);
    let Some(previous) = previous else { return Ok(json!({ "resultId": id, "data": data })) };
    let head = previous.iter().zip(&data).take_while(|(a, b)| a == b).count();
    let rest = previous.len().min(data.len()) - head;
    let tail = previous.iter().rev().zip(data.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    if head == previous.len() && head == data.len() {
        return Ok(json!({ "resultId": id, "edits": [] }));
    }
    let edit = json!({
        "start": head, "deleteCount": previous.len() - head - tail, "data": data[head..data.len() - tail],
    });
    Ok(json!({ "resultId": id, "edits": [edit] }))
}

/// The words of a range.
pub fn range(seen: &Seen, params: SemanticTokensRangeParams) -> Answer<Value> {
    let range = seen.lines().bytes(params.range);
    let mut tokens = semantic_tokens(&seen.index, &seen.context, &seen.tree());
    tokens.retain(|t| t.end > range.start && t.start < range.end);
    Ok(json!({ "data": encoded(seen, &tokens) }))
}

impl Seen {
    fn remember_tokens(&self, id: &str, data: &[u32]) {
        let mut known = self.peels.tokens.lock().unwrap_or_else(|e| e.into_inner());
        known.insert(self.uri(&self.path).0, (id.to_owned(), data.to_vec()));
    }

    fn remembered_tokens(&self, id: &str) -> Option<Vec<u32>> {
        let known = self.peels.tokens.lock().unwrap_or_else(|e| e.into_inner());
        known.get(&self.uri(&self.path).0).filter(|(known, _)| known == id).map(|(_, data)| data.clone())
    }
}
