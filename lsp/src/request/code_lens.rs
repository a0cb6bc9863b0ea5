//! `textDocument/codeLens`: who requires a state; who includes a file, and which peels get it.

use crate::server::{Answer, Seen};
use gen_lsp_types::{CodeLensParams, Location};
use serde_json::{Value, json};
use std::collections::HashMap;
use zester_compiler::{
    check::UnitKind,
    query::{Role, Symbol},
};

/// Peels that are named, where there are no more.
const MAX_NAMED: usize = 3;

/// Lenses above states and at the top of a file.
pub fn answer(seen: &Seen, _: CodeLensParams) -> Answer<Vec<Value>> {
    if seen.client.options.code_lens == Some(false) || seen.context.kind != UnitKind::States {
        return Ok(Vec::new());
    }
    let own = seen.index.mentions_of(&seen.context, &seen.tree());
    let ids: HashMap<&str, zester_compiler::source::Span> = own
        .iter()
        .filter(|m| m.role == Role::Definition)
        .filter_map(|m| match &m.symbol {
            Symbol::State(name) => Some((name.as_str(), m.span)),
            _ => None,
        })
        .collect();
    let name = crate::ide::name_of_file(&seen.path).to_owned();
    let mut uses: HashMap<&str, Vec<Location>> = HashMap::new();
    let mut files: Vec<Location> = Vec::new();
    for file in seen.index.files() {
        let is_own = file.path == seen.path;
        let may = is_own
            || file.tree.text.contains(&name)
            || file.context.kind == UnitKind::States && ids.keys().any(|id| file.tree.text.contains(id));
        if !may {
            continue;
        }
        let mentions = if is_own { &own[..] } else { seen.index.mentions(file) };
        for mention in mentions.iter().filter(|m| m.role == Role::Reference) {
            match &mention.symbol {
                Symbol::State(name) => {
                    if let Some((id, _)) = ids.get_key_value(name.as_str()) {
                        uses.entry(id).or_default().push(seen.location(&file.path, Some(mention.span)));
                    }
                }
                Symbol::File(path) if *path == seen.path => {
                    files.push(seen.location(&file.path, Some(mention.span)));
                }
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    if let Some(title) = peels(seen) {
        let range = gen_lsp_types::Range::default();
        found.push(json!({ "range": range, "command": { "title": title, "command": "" } }));
    }
    if !files.is_empty() {
        found.push(lens(
            seen,
            zester_compiler::source::Span { start: 0, end: 0, file: seen.tree().file },
            "named in",
            files,
        ));
    }
    let mut used: Vec<(&str, Vec<Location>)> = uses.into_iter().collect();
    used.sort_by_key(|(id, _)| ids.get(id).map(|s| s.start));
    for (id, places) in used {
        if let Some(span) = ids.get(id) {
            found.push(lens(seen, *span, "named in", places));
        }
    }
    Ok(found)
}

/// Which of the known peels get the file.
fn peels(seen: &Seen) -> Option<String> {
    let known = seen.inventory();
    let found = seen.index.peels_of(&seen.path, &known)?;
    let all = known.len();
    let few: Vec<&str> = found.iter().copied().take(MAX_NAMED).collect();
    match found.len() {
        // It may be there for orchestrations, or to be applied by hand.
        0 => None,
        1 if all == 1 => Some(format!("for {}", few.join(", "))),
        n if n == all => Some(format!("for all {all} known peels")),
        n if n <= MAX_NAMED => Some(format!("for {} of {all} known peels", few.join(", "))),
        n => Some(format!("for {n} of {all} known peels")),
    }
}

fn lens(seen: &Seen, span: zester_compiler::source::Span, word: &str, places: Vec<Location>) -> Value {
    let range = seen.range(span);
    let count = places.len();
    let title = format!("{word} {count} {}", if count == 1 { "place" } else { "places" });
    // The client's own command, as its extension defines it; others show the title.
    let arguments = json!([seen.uri(&seen.path), range.start, places]);
    json!({ "range": range, "command": { "title": title, "command": "zester.showReferences", "arguments": arguments } })
}
