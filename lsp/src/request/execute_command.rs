//! `workspace/executeCommand`: previews for a peel.
//!
//! - `zester.peels`: ids of the peels whose facts the project keeps.
//! - `zester.render` `{uri, peel?, facts?}`: the rendered text with the source of each line.
//! - `zester.plan` `{uri?, peel?, facts?}`: the plan of a file, or the highstate.
//! - `zester.graph` `{uri?, peel?, facts?, form?}`: the plan as a graph, `mermaid` or `dot`.

use crate::{
    ide::preview::{Chosen, PlanForm, Stage},
    server::{Answer, Ask, Seen, path_of},
};
use gen_lsp_types::ExecuteCommandParams;
use serde_json::{Value, json};

/// Runs a command.
pub fn answer(ask: &Ask, params: ExecuteCommandParams) -> Answer<Value> {
    let argument = params.arguments.and_then(|a| a.into_iter().next()).unwrap_or_default();
    let text = |key: &str| argument.get(key).and_then(Value::as_str).map(str::to_owned);
    let uri = text("uri").or_else(|| argument.as_str().map(str::to_owned));
    let path = uri.as_ref().and_then(|uri| path_of(&uri.as_str().into()));
    let fits = |seen: &Seen| {
        let inner = path.as_ref()?.strip_prefix(&seen.root).ok()?;
        Some(inner.to_str()?.to_owned())
    };
    let folder = ask.folders.iter().filter(|f| path.is_none() || fits(f).is_some());
    let seen = folder
        .min_by_key(|f| fits(f).map_or(0, |p| p.len()))
        .ok_or("no project is open that has this file")?;
    let stage = seen.stage()?;
    if params.command == "zester.peels" {
        return Ok(json!(stage.peels()?));
    }
    let options = &seen.client.options;
    let peel = text("peel").or_else(|| options.peel.clone());
    let facts = text("facts").or_else(|| options.facts.clone());
    let chosen = stage.choose(peel.as_deref(), facts.as_deref())?;
    match params.command.as_str() {
        "zester.render" => {
            let path = fits(seen).ok_or("the command needs the address of a file: {\"uri\": …}")?;
            let preview = stage.render(&path, &chosen)?;
            let origins: Vec<Value> = preview
                .origins
                .iter()
                .map(|o| {
                    let (file, line, column) = o.as_ref()?;
                    Some(json!({ "uri": seen.uri(file), "line": line - 1, "character": column - 1 }))
                })
                .map(|o| o.unwrap_or_default())
                .collect();
            Ok(json!({ "peel": chosen.facts.id, "text": preview.text, "origins": origins }))
        }
        "zester.plan" => plan(&stage, &chosen, fits(seen), PlanForm::Text),
        "zester.graph" => {
            let form = match text("form").as_deref() {
                None | Some("mermaid") => PlanForm::Mermaid,
                Some("dot") => PlanForm::Dot,
                Some(other) => return Err(format!("`{other}` is not a form of graphs: `mermaid` or `dot`")),
            };
            plan(&stage, &chosen, fits(seen), form)
        }
        other => Err(format!("`{other}` is not a command of this server")),
    }
}

fn plan(stage: &Stage, chosen: &Chosen, path: Option<String>, form: PlanForm) -> Answer<Value> {
    let refs = path.and_then(|path| stage.reference(&path)).into_iter().collect();
    let text = stage.plan(refs, chosen, form)?;
    Ok(json!({ "peel": chosen.facts.id, "text": text }))
}
