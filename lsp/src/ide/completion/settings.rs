//! Keys and values of settings files and of the configuration.

use super::{Asked, Item, ItemKind, key_item};

/// Keys that other settings files have at the same path, and what states ask for.
pub(super) fn keys(asked: &Asked<'_>, path: &[String], present: &[String]) -> Vec<Item> {
    let mut found = Vec::new();
    if let Some(tree) = asked.index.settings().get(path) {
        for (name, child) in &tree.children {
            if present.contains(name) || name.contains("zQ9marker") {
                continue;
            }
            let uses = child.places.len() as u32;
            let detail = child.places.first().map(|p| p.value.clone()).unwrap_or_default();
            let mut all = path.to_vec();
            all.push(name.clone());
            found.push(
                key_item(asked, name, ItemKind::Property, 100 - uses.min(90))
                    .detail(detail)
                    .doc(format!("setting {}", all.join(":"))),
            );
        }
    }
    if path.is_empty() && !present.iter().any(|p| p == "include") {
        found.push(
            key_item(asked, "include", ItemKind::Keyword, 95)
                .detail("Other settings files that are merged first."),
        );
    }
    found
}

/// Values that other settings files have at the same path.
pub(super) fn values(asked: &Asked<'_>, path: &[String]) -> Vec<Item> {
    let Some(tree) = asked.index.settings().get(path) else { return Vec::new() };
    let mut found: Vec<Item> = Vec::new();
    for place in &tree.places {
        let hidden =
            matches!(place.value.as_str(), "***" | "a map" | "null") || place.value.contains(['{', '[', '…']);
        if !hidden && found.iter().all(|i| i.label != place.value) {
            found.push(Item::new(&place.value, ItemKind::Value, 10));
        }
    }
    if found.iter().any(|i| matches!(i.label.as_str(), "true" | "false")) {
        for word in ["true", "false"] {
            if found.iter().all(|i| i.label != word) {
                found.push(Item::new(word, ItemKind::Value, 11));
            }
        }
    }
    found
}

/// Keys of `zester.yaml`.
pub(super) fn config(asked: &Asked<'_>, path: &[String]) -> Vec<Item> {
    let words: &[(&str, &str)] = match path {
        [] => &[
            ("states", "Roots of the state tree, the first wins."),
            ("settings", "Roots of the settings tree."),
            ("environments", "Further environments with their roots."),
            ("nodegroups", "Named targets."),
            ("facts", "Directories with the facts of known peels."),
            ("extensions", "Extensions of state and settings files."),
            ("lint", "Severities of rules."),
        ],
        [first, _] if first == "environments" => &[
            ("states", "Roots of the environment's state tree."),
            ("settings", "Roots of the environment's settings tree."),
        ],
        [first] if first == "lint" => {
            return zester_compiler::diagnostic::catalogue()
                .iter()
                .map(|rule| {
                    key_item(asked, rule.name, ItemKind::Property, 10).detail(format!(
                        "{}: {}",
                        rule.code,
                        rule.summary()
                    ))
                })
                .collect();
        }
        _ => &[],
    };
    let items = words.iter().enumerate();
    items.map(|(at, (word, doc))| key_item(asked, word, ItemKind::Property, at as u32).detail(*doc)).collect()
}
