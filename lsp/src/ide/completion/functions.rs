//! State functions and their parameters.

use super::{Asked, Item, ItemKind, escaped, fit, requisites};
use crate::ide::docs;
use std::collections::HashMap;
use zester_compiler::{
    query::{self, Body, GENERIC_KEYS, Kind, Shape},
    types::{FunctionKind, FunctionName, Signature, Type},
};

/// Ranks begin here where nothing is known of how often a name is used.
const UNUSED: u32 = 10_000;

/// A rank for a count of uses: the more, the smaller.
fn by_uses(uses: u32) -> u32 {
    UNUSED.saturating_sub(uses.min(UNUSED))
}

pub(super) fn functions(
    asked: &Asked<'_>,
    id: &str,
    present: &[String],
    body: &Body,
    key: bool,
    extend: bool,
) -> Vec<Item> {
    let usage = asked.index.usage();
    // What a file uses, it uses again.
    let mut own: HashMap<FunctionName, u32> = HashMap::new();
    for function in query::states_of(asked.context, asked.tree).into_iter().filter_map(|s| s.function) {
        *own.entry(function).or_default() += 1;
    }
    let is_path = body.name.as_deref().unwrap_or(id).starts_with('/');
    asked
        .index
        .registry
        .signatures(FunctionKind::State)
        .filter(|s| !present.contains(&s.name()))
        .map(|signature| {
            let name =
                FunctionName { module: (&*signature.module).into(), function: (&*signature.function).into() };
            let here = usage.functions.get(&name).copied().unwrap_or(0);
            let own = own.get(&name).copied().unwrap_or(0);
            let mut uses = query::function_weight(&signature.name()) + here * 40 + own.min(10) * 400;
            // Paths are files; what is installed is run; one id has one state of a module.
            if is_path {
                uses = if signature.module == "file" { uses + 4000 } else { uses / 8 };
            } else if signature.module == "file" && present.is_empty() {
                uses /= 3;
            }
            if present.iter().any(|p| p.starts_with("pkg.")) && signature.name() == "service.running" {
                uses += 6000;
            }
            if present.iter().any(|p| p.split('.').next() == Some(&*signature.module)) {
                uses /= 10;
            }
            // An entry of `extend` says only what it changes.
            let fit = if extend { 0 } else { fit::of_body(signature, body) };
            let item = Item::new(signature.name(), ItemKind::Function, by_uses(uses).saturating_add(fit))
                .detail(signature.doc.lines().next().unwrap_or_default())
                .doc(format!("state {}", signature.name()));
            if key { with_body(asked, item, signature, extend) } else { item }
        })
        .collect()
}

/// The function's key with the parameters that must be given below it.
fn with_body(asked: &Asked<'_>, item: Item, signature: &Signature, extend: bool) -> Item {
    if asked.place.colon {
        return item;
    }
    let name = signature.name();
    let pad = " ".repeat(asked.place.column + 2);
    if !asked.snippets {
        return item.insert(format!("{name}:"), false);
    }
    let required: Vec<&str> =
        signature.params.iter().filter(|p| p.required && !p.primary && !extend).map(|p| &*p.name).collect();
    let mut text = format!("{}:", escaped(&name));
    for (at, param) in required.iter().enumerate() {
        text.push_str(&format!("\n{pad}- {}: ${{{}}}", escaped(param), at + 1));
    }
    if required.is_empty() {
        text.push_str(&format!("\n{pad}- $0"));
    }
    item.insert(text, true)
}

pub(super) fn split(
    asked: &Asked<'_>,
    module: &str,
    extended: Option<&str>,
    body: &Body,
    parameter: Option<&(FunctionName, Vec<String>)>,
    shape: &Shape,
) -> Vec<Item> {
    let mut found = Vec::new();
    // What is extended has its function elsewhere.
    let elsewhere = extended.and_then(|id| {
        let states = asked.index.states_named(id, &Kind::Module(module.to_owned()));
        states.into_iter().find_map(|(_, state)| state.function)
    });
    let elsewhere = elsewhere.map(|function| (function, body.arguments.clone()));
    if let Some((function, present)) = parameter.or(elsewhere.as_ref()) {
        found.extend(parameters(asked, function, present, true, shape));
    } else {
        let registry = &asked.index.registry;
        for signature in registry.signatures(FunctionKind::State).filter(|s| s.module == module) {
            let uses = query::function_weight(&signature.name());
            found.push(
                Item::new(
                    &*signature.function,
                    ItemKind::Function,
                    by_uses(uses) + fit::of_body(signature, body),
                )
                .detail(signature.doc.lines().next().unwrap_or_default())
                .doc(format!("state {}", signature.name())),
            );
            // An entry of `extend` names the module alone; its function is said elsewhere.
            for param in signature.params.iter().filter(|p| p.inert.is_none()) {
                if found.iter().all(|i: &Item| i.label != param.name) {
                    let item = Item::new(&*param.name, ItemKind::Property, UNUSED + 50)
                        .detail(docs::short(&param.ty))
                        .doc(format!("param {} {}", signature.name(), param.name));
                    found.push(with_value(asked, item, "", &param.ty));
                }
            }
        }
        for key in GENERIC_KEYS {
            let item = Item::new(key.name, ItemKind::Keyword, UNUSED + 40 - key.weight.min(100) / 4)
                .doc(format!("generic {}", key.name));
            if found.iter().all(|i| i.label != key.name) {
                found.push(if key.requisite {
                    requisite(asked, item, "")
                } else {
                    with_value(asked, item, "", &Type::Any)
                });
            }
        }
    }
    found
}

pub(super) fn parameters(
    asked: &Asked<'_>,
    function: &FunctionName,
    present: &[String],
    dash: bool,
    shape: &Shape,
) -> Vec<Item> {
    let lead = if dash || asked.place.colon { "" } else { "- " };
    let usage = asked.index.usage().parameters.get(function);
    let uses = |name: &str| usage.and_then(|u| u.get(name)).copied().unwrap_or(0);
    let signature = docs::signature(&asked.index.registry, FunctionKind::State, function);
    let maps = fit::of_maps(&asked.index.registry, shape);
    let direction = requisites::direction(asked, shape, maps);
    let mut found = Vec::new();
    for (at, param) in signature.iter().flat_map(|s| s.params.iter()).enumerate() {
        let is_there = present.iter().any(|p| *p == param.name || param.aliases.contains(&p.as_str()));
        if is_there || param.inert.is_some() {
            continue;
        }
        // Another name is offered behind the first, unless it is the one that people write.
        for (number, name) in std::iter::once(&*param.name).chain(param.aliases.iter().copied()).enumerate() {
            let popular = query::parameter_place(function, name).map_or(0, |at| 4000 - at as u32 * 220);
            // `name` is a parameter of most functions, and no rarer for that than what every state takes.
            let popular = popular.max(query::generic_key(name).map_or(0, |key| key.weight * 18));
            let place = if number == 0 { 200_u32.saturating_sub(at as u32 * 10) } else { 0 };
            let score = popular + uses(name).min(60) * 60 + place;
            let rank = if param.required && !param.primary && number == 0 { 0 } else { by_uses(score) };
            let generic = query::generic_key(name).is_some();
            let fit = if generic {
                fit::of_generic(name, Some(&param.ty), shape, maps)
            } else {
                fit::of_value(&param.ty, shape)
            };
            let rank = rank + fit;
            let item = Item::new(name, ItemKind::Property, rank)
                .detail(docs::short(&param.ty))
                .doc(format!("param {function} {}", param.name));
            found.push(with_value(asked, item, lead, &param.ty));
        }
    }
    for key in GENERIC_KEYS {
        let known = found.iter().any(|i: &Item| i.label == key.name);
        if known || present.iter().any(|p| p == key.name) {
            continue;
        }
        let popular = query::parameter_place(function, key.name).map_or(0, |at| 4000 - at as u32 * 220);
        let score = popular.max(key.weight * 18) + uses(key.name).min(60) * 60;
        let fit = if key.requisite {
            fit::of_requisite(shape, maps)
                + requisites::against(direction, key.name)
                + requisites::without_reaction(function, shape, maps, key.name)
        } else {
            fit::of_generic(key.name, key.ty().as_ref(), shape, maps)
        };
        let item = Item::new(key.name, ItemKind::Keyword, by_uses(score) + fit)
            .detail(if key.requisite { "requisite" } else { "every state" })
            .doc(format!("generic {}", key.name));
        found.push(if key.requisite {
            requisite(asked, item, lead)
        } else {
            with_value(asked, item, lead, &key.ty().unwrap_or(Type::Any))
        });
    }
    found
}

fn with_value(asked: &Asked<'_>, item: Item, lead: &str, ty: &Type) -> Item {
    let name = item.label.clone();
    if asked.place.colon {
        return item;
    }
    let pad = " ".repeat(asked.place.column + if lead.is_empty() { 2 } else { 4 });
    match ty {
        Type::Bool if asked.snippets => {
            item.insert(format!("{lead}{}: ${{1|true,false|}}", escaped(&name)), true)
        }
        Type::Map(_) if asked.snippets => item.insert(format!("{lead}{}:\n{pad}$0", escaped(&name)), true),
        _ => item.insert(format!("{lead}{name}: "), false),
    }
}

fn requisite(asked: &Asked<'_>, item: Item, lead: &str) -> Item {
    let name = item.label.clone();
    if asked.place.colon {
        return item;
    }
    if !asked.snippets {
        return item.insert(format!("{lead}{name}:"), false);
    }
    let pad = " ".repeat(asked.place.column + if lead.is_empty() { 0 } else { 2 });
    item.insert(format!("{lead}{name}:\n{pad}  - $0"), true)
}
