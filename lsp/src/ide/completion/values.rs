//! Values of parameters, by their types.

use super::{Asked, Item, ItemKind, references, scalar};
use crate::ide::docs;
use zester_compiler::{
    query,
    types::{FunctionKind, FunctionName, Type},
};

pub(super) fn values(
    asked: &Asked<'_>,
    function: &FunctionName,
    parameter: &str,
    path: &[String],
    key: bool,
    id: &str,
) -> Vec<Item> {
    let signature = docs::signature(&asked.index.registry, FunctionKind::State, function);
    // `module.run` takes exec functions as parameters.
    let param = signature.and_then(|s| s.param(parameter));
    let ty = param.map(|p| p.ty.clone()).or_else(|| query::generic_key(parameter)?.ty());
    let Some(ty) = ty else { return used(asked, parameter, id) };
    let inner = path.iter().try_fold(&ty, |ty, key| below(ty, key));
    let Some(inner) = inner else { return Vec::new() };
    let mut found = Vec::new();
    if key {
        if let Type::Record(fields) = flat(inner).first().copied().unwrap_or(inner) {
            for (at, (name, ty, _)) in fields.iter().enumerate() {
                found.push(
                    super::key_item(asked, name, ItemKind::Property, at as u32).detail(docs::short(ty)),
                );
            }
        }
        return found;
    }
    of_type(asked, inner, &mut found);
    found.extend(used(asked, parameter, id));
    // What a value falls back to is rarely written.
    if let Some(default) = param.and_then(|p| p.default.as_ref()) {
        let shown = default.to_string();
        for item in found.iter_mut().filter(|i| i.label == shown) {
            item.rank += 1;
            item.detail = Some("default".to_owned());
        }
    }
    let mut seen = Vec::new();
    found.retain(|item| {
        let new = !seen.contains(&item.label);
        seen.push(item.label.clone());
        new
    });
    found
}

fn flat(ty: &Type) -> Vec<&Type> {
    match ty {
        Type::Union(members) => members.iter().flat_map(flat).collect(),
        Type::List(inner) | Type::Secret(inner) => flat(inner),
        ty => vec![ty],
    }
}

fn below<'t>(ty: &'t Type, key: &str) -> Option<&'t Type> {
    flat(ty).into_iter().find_map(|ty| match ty {
        Type::Record(fields) => fields.iter().find(|(name, ..)| name == key).map(|(_, ty, _)| ty),
        Type::Map(inner) => Some(&**inner),
        _ => None,
    })
}

fn of_type(asked: &Asked<'_>, ty: &Type, found: &mut Vec<Item>) {
    for ty in flat(ty) {
        match ty {
            Type::Bool => {
                found.push(Item::new("true", ItemKind::Value, 100));
                found.push(Item::new("false", ItemKind::Value, 101));
            }
            Type::Enum(words) => {
                let items = words.iter().enumerate();
                found.extend(items.map(|(at, word)| Item::new(word, ItemKind::Value, 100 + at as u32)));
            }
            Type::Template => found.push(Item::new("jinja", ItemKind::Value, 90)),
            Type::Source => {
                for mut item in references::sources(asked) {
                    item.label = format!("zester://{}", item.label);
                    item.insert = format!("zester://{}", item.insert);
                    found.push(item);
                }
            }
            Type::Mode => {
                for (at, mode) in
                    ["'0644'", "'0755'", "'0600'", "'0640'", "'0700'", "'0750'", "'0440'"].iter().enumerate()
                {
                    let inner = mode.trim_matches('\'');
                    let text = if asked.place.quoted { inner } else { mode };
                    found.push(Item::new(inner, ItemKind::Value, 200 + at as u32).insert(text, false));
                }
            }
            Type::User | Type::Group => found.push(Item::new("root", ItemKind::Value, 200)),
            _ => {}
        }
    }
}

/// Values that the project gives to parameters of this name, the most used first.
fn used(asked: &Asked<'_>, parameter: &str, id: &str) -> Vec<Item> {
    let Some(values) = asked.index.usage().values.get(parameter) else { return Vec::new() };
    if matches!(parameter, "name" | "names" | "contents" | "text") {
        return Vec::new();
    }
    values
        .iter()
        .filter(|(text, _)| !text.is_empty() && !text.contains('\n') && text.len() < 120 && *text != id)
        .map(|(text, uses)| {
            let rank = 90_u32.saturating_sub((*uses).min(80));
            Item::new(text.as_str(), ItemKind::Value, rank).insert(scalar(asked, text), false)
        })
        .collect()
}
