//! Keys and methods of values whose types are known.

use super::{Asked, Item, ItemKind};
use crate::ide::typed::short;
use zester_compiler::{
    infer::{Ty, methods_of},
    query,
};

/// Methods that templates use, the most used first.
const POPULAR: &[&str] = &[
    "get",
    "items",
    "split",
    "append",
    "update",
    "keys",
    "values",
    "format",
    "replace",
    "startswith",
    "endswith",
    "strip",
    "join",
    "lower",
    "upper",
    "extend",
    "pop",
    "setdefault",
];

/// Methods that take no argument, or are mostly called without one.
const BARE: &[&str] = &[
    "items",
    "keys",
    "values",
    "lower",
    "upper",
    "strip",
    "copy",
    "title",
    "capitalize",
    "clear",
    "reverse",
];

/// The keys of a value, and its methods where those can be written.
pub(super) fn keys(asked: &Asked<'_>, ty: &Ty, text: bool) -> Vec<Item> {
    let mut found: Vec<Item> = query::keys_of(ty)
        .into_iter()
        .enumerate()
        // What cannot be written behind a dot is offered in texts only.
        .filter(|(_, (key, _))| text || key.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .map(|(at, (key, field))| {
            let may = if field.optional { ", may be missing" } else { "" };
            Item::new(&*key, ItemKind::Property, at.min(4000) as u32)
                .detail(format!("{}{may}", short(&field.ty)))
        })
        .collect();
    if !text {
        found.extend(methods(asked, Some(ty)));
    }
    found
}

/// Methods that a value of a type has; of an unknown one those that are used most.
pub(super) fn methods(asked: &Asked<'_>, ty: Option<&Ty>) -> Vec<Item> {
    let names = ty.map_or_else(|| vec!["get", "items", "keys", "values"], methods_of);
    names.into_iter().map(|name| method(asked, name)).collect()
}

/// Methods of a value of which nothing is known.
pub(super) fn any_methods(asked: &Asked<'_>) -> Vec<Item> {
    POPULAR.iter().map(|name| method(asked, name)).collect()
}

fn method(asked: &Asked<'_>, name: &str) -> Item {
    let place = POPULAR.iter().position(|known| *known == name);
    let rank = 5000 + place.map_or(100, |at| at as u32);
    let item = Item::new(name, ItemKind::Function, rank).detail("method");
    let behind = asked.tree.text.get(asked.place.replace.end..).unwrap_or_default();
    if behind.starts_with('(') {
        item
    } else if BARE.contains(&name) {
        item.insert(format!("{name}()"), false)
    } else if asked.snippets {
        item.insert(format!("{name}($1)"), true)
    } else {
        item
    }
}

/// Texts that a value is known to be.
pub(super) fn compared(ty: &Ty) -> Vec<Item> {
    let words = query::words_of(ty);
    words.iter().enumerate().map(|(at, word)| Item::new(&**word, ItemKind::Value, at as u32)).collect()
}
