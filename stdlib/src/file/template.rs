//! Content that is a template: `template: jinja` with `context` and `defaults`.

use super::accumulated;
use crate::{Context, Failure};
use zester_compiler::types::{Map, Value};

/// Whether `template` asks for rendering. Only Jinja is known; other engines of Salt are named as such.
pub(crate) fn wanted(template: Option<&Value>) -> Result<bool, Failure> {
    match template {
        None | Some(Value::Null | Value::Bool(false)) => Ok(false),
        Some(Value::Bool(true)) => Ok(true),
        Some(other) => match other.to_string().to_ascii_lowercase().as_str() {
            "jinja" | "jinja2" => Ok(true),
            "" | "false" | "none" => Ok(false),
            engine => Err(Failure::new(format!(
                "`template: {engine}` is not supported; write the template in Jinja"
            ))),
        },
    }
}

/// A text and what it is called.
pub(crate) struct Text<'a> {
    /// Shown in errors; for a file of the tree its path there.
    pub(crate) name: &'a str,
    /// Environment of the tree.
    pub(crate) env: &'a str,
    /// The template.
    pub(crate) content: &'a [u8],
}

/// Renders it for the file `target`. `context` comes before `defaults`; both before what every template of a file
/// sees: `name`, `source` and `accumulator`.
pub(crate) fn render(
    cx: &Context,
    text: &Text<'_>,
    target: &str,
    defaults: &Map,
    context: &Map,
) -> Result<Vec<u8>, Failure> {
    let template = match std::str::from_utf8(text.content) {
        Ok(template) => template,
        // A picture in a directory that is rendered is copied, as Salt does.
        Err(_) if text.content.contains(&0) => return Ok(text.content.to_vec()),
        Err(_) => {
            let message = format!("`{}` is not UTF-8 text, so it cannot be a template", text.name);
            return Err(Failure::new(message));
        }
    };
    let mut all = Map::new();
    all.insert("name".to_owned(), target.into());
    all.insert("source".to_owned(), text.name.into());
    all.insert("accumulator".to_owned(), accumulated::of(cx, target).into());
    all.extend(defaults.clone());
    all.extend(context.clone());
    Ok(cx.tree.render(text.env, text.name, template, &all)?.into_bytes())
}
