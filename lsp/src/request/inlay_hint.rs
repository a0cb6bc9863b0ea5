//! `textDocument/inlayHint`: what settings are on the chosen peel, and what states give to the template that is written.

use crate::{
    ide::typed,
    server::{Answer, Seen},
};
use gen_lsp_types::InlayHintParams;
use serde_json::{Value, json};
use std::{cell::OnceCell, collections::HashSet};
use zester_compiler::{
    query::{Role, Symbol},
    types::Value as Data,
};

/// Longest value that is shown, in characters.
const MAX_SHOWN: usize = 30;
/// The protocol's kind of hints that are types.
const TYPE: u32 = 1;

/// Values behind the settings and facts that expressions name; types of variables that are given, where they are read first.
pub fn answer(seen: &Seen, params: InlayHintParams) -> Answer<Vec<Value>> {
    if seen.client.options.inlay_hints == Some(false) {
        return Ok(Vec::new());
    }
    let tree = seen.tree();
    let chosen = seen.chosen();
    let range = seen.lines().bytes(params.range);
    let masked = chosen.as_ref().map(|chosen| chosen.settings.masked());
    let types = OnceCell::new();
    let types = || types.get_or_init(|| seen.index.types_of(&seen.context, &tree));
    let mut met: HashSet<String> = HashSet::new();
    let mut found = Vec::new();
    for mention in seen.index.mentions_of(&seen.context, &tree) {
        let at = mention.span.end as usize;
        let here = range.contains(&at);
        if mention.role == Role::Definition {
            continue;
        }
        let position = || seen.lines().position(at);
        if let Symbol::Given { name, .. } = &mention.symbol {
            if !met.insert(name.clone()) || !here {
                continue;
            }
            if let Some(ty) = types().of(&mention.span.range()).filter(|ty| !ty.is_any()) {
                found.push(json!({
                    "position": position(), "label": format!(": {}", typed::short(ty)), "kind": TYPE,
                    "tooltip": "as states give it",
                }));
            }
            continue;
        }
        let Some((chosen, masked)) = chosen.as_ref().zip(masked.as_ref()).filter(|_| here) else { continue };
        let value = match &mention.symbol {
            Symbol::Setting(path) => path.iter().try_fold(masked, |value, key| value.as_map()?.get(key)),
            Symbol::Fact(path) => chosen.facts.fact(path),
            Symbol::Grain(name) => chosen.facts.grain(name),
            _ => continue,
        };
        let Some(value) = value.filter(|v| !matches!(v, Data::Map(_) | Data::List(_))) else { continue };
        let text = value.to_string();
        let shown: String = text.chars().take(MAX_SHOWN).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        found.push(json!({
            "position": position(), "label": format!("= {shown}{more}"), "paddingLeft": true,
            "tooltip": format!("on {}", chosen.facts.id),
        }));
    }
    Ok(found)
}
