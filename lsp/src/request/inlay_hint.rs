//! `textDocument/inlayHint`: what settings are on the chosen peel.

use crate::server::{Answer, Seen};
use gen_lsp_types::InlayHintParams;
use serde_json::{Value, json};
use zester_compiler::{
    query::{Role, Symbol},
    types::Value as Data,
};

/// Longest value that is shown, in characters.
const MAX_SHOWN: usize = 30;

/// Values behind the settings and facts that expressions name.
pub fn answer(seen: &Seen, params: InlayHintParams) -> Answer<Vec<Value>> {
    if seen.client.options.inlay_hints == Some(false) {
        return Ok(Vec::new());
    }
    let Some(chosen) = seen.chosen() else { return Ok(Vec::new()) };
    let range = seen.lines().bytes(params.range);
    let masked = chosen.settings.masked();
    let mut found = Vec::new();
    for mention in seen.index.mentions_of(&seen.context, &seen.tree()) {
        let at = mention.span.end as usize;
        if mention.role == Role::Definition || !range.contains(&at) {
            continue;
        }
        let value = match &mention.symbol {
            Symbol::Setting(path) => path.iter().try_fold(&masked, |value, key| value.as_map()?.get(key)),
            Symbol::Fact(path) => chosen.facts.fact(path),
            Symbol::Grain(name) => chosen.facts.grain(name),
            _ => continue,
        };
        let Some(value) = value.filter(|v| !matches!(v, Data::Map(_) | Data::List(_))) else { continue };
        let text = value.to_string();
        let shown: String = text.chars().take(MAX_SHOWN).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        found.push(json!({
            "position": seen.lines().position(at), "label": format!("= {shown}{more}"), "paddingLeft": true,
            "tooltip": format!("on {}", chosen.facts.id),
        }));
    }
    Ok(found)
}
