//! Types as an editor shows them: on one line where they fit, else key by key.

use super::docs::cut;
use zester_compiler::{infer::Ty, query};

/// Longest line of a type, in characters.
const LINE: usize = 90;
/// Longest type of a key among others.
const FIELD: usize = 60;
/// Keys that are listed.
const MAX_KEYS: usize = 24;

/// `name: type`, as a block of Markdown. Nothing where nothing is known of the type.
pub fn block(name: &str, ty: &Ty) -> String {
    if ty.is_any() && !ty.is_secret() {
        return String::new();
    }
    let line = format!("{}: {ty}", cut(&name.split_whitespace().collect::<Vec<_>>().join(" "), FIELD));
    let keys = query::keys_of(ty);
    let body = if line.chars().count() <= LINE || keys.is_empty() {
        cut(&line, 4 * LINE)
    } else {
        let mut text = format!("{name}:");
        for (key, field) in keys.iter().take(MAX_KEYS) {
            let may = if field.optional { "?" } else { "" };
            text.push_str(&format!("\n  {key}{may}: {}", short(&field.ty)));
        }
        if keys.len() > MAX_KEYS {
            text.push_str(&format!("\n  # and {} more", keys.len() - MAX_KEYS));
        }
        text
    };
    format!("```yaml\n{body}\n```\n\n")
}

/// A type in a few words, for the side of a list.
pub fn short(ty: &Ty) -> String {
    cut(&ty.to_string(), FIELD)
}
