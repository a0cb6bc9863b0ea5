//! Variables that states give to the templates they render.

use super::{Asked, Item, ItemKind, key_item};
use crate::ide::name_with_extension;

/// What the templates of a state read below a path of keys and is not given yet: what they cannot do without first.
/// Variables that are given `elsewhere` can be given here, too: `context` comes before `defaults`.
pub(super) fn keys(
    asked: &Asked<'_>,
    sources: &[String],
    path: &[String],
    present: &[String],
    elsewhere: &[String],
) -> Vec<Item> {
    let templates = asked.index.sources(&asked.context.env, sources);
    let mut found: Vec<Item> = Vec::new();
    for read in asked.index.reads(&templates) {
        let Some(key) = read.path.strip_prefix(path).and_then(|below| below.first()) else { continue };
        let is_there = present.contains(key) || found.iter().any(|item| item.label == *key);
        let Some((file, _)) = read.places.first().filter(|_| !is_there) else { continue };
        let (rank, note) = match () {
            () if path.is_empty() && elsewhere.contains(key) => (1000, ", given already"),
            () if read.optional => (500, ", may be missing"),
            () => (0, ""),
        };
        let uses = read.places.len().min(400) as u32;
        let mut all = path.to_vec();
        all.push(key.clone());
        found.push(
            key_item(asked, key, ItemKind::Variable, rank + 400 - uses)
                .detail(format!("read in {}{note}", name_with_extension(file)))
                .doc(format!("given {file} {}", all.join(":"))),
        );
    }
    found
}

/// Variables that states give to the template that is being written.
pub(super) fn variables(asked: &Asked<'_>) -> Vec<Item> {
    let mut found: Vec<Item> = Vec::new();
    for giver in asked.index.givers(&asked.context.path) {
        if found.iter().all(|item| item.label != giver.name) {
            let reference = asked.index.project.reference_of(&giver.path).map(|(_, _, name)| name);
            found.push(
                Item::new(giver.name, ItemKind::Variable, 30)
                    .detail(format!("given in {}", reference.unwrap_or(giver.path))),
            );
        }
    }
    found
}
