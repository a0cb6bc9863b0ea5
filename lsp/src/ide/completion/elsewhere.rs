//! Targets of requisites in other files: those of files that are applied with the document, then all others of the project,
//! which are included when they are inserted.

use super::{Asked, Item, ItemKind, closeness, fits, scalar};
use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
};
use zester_compiler::{
    check::UnitKind,
    query::{self, IndexedFile, Kind},
    types::FunctionName,
};

/// Most names that are offered: a project may have any number.
const MAX_TARGETS: usize = 250;
/// The rank behind all that can be named without an `include`.
const NOT_INCLUDED: u32 = 200_000;
/// How many directories that two files share make a difference.
const MAX_SHARED: usize = 9;

/// A name in another file, before anything is made of it.
struct Candidate<'i> {
    closeness: u32,
    rank: u32,
    name: &'i str,
    file: &'i IndexedFile,
    function: Option<&'i FunctionName>,
}

impl Candidate<'_> {
    fn order(&self) -> (u32, u32, &str, &str) {
        (self.closeness, self.rank, self.name, self.file.path.as_str())
    }
}

/// What can be named in other files; `own` are the names of the document itself.
pub(super) fn targets(asked: &Asked<'_>, kind: &Kind, own: &HashMap<String, Item>) -> Vec<Item> {
    let context = asked.context;
    let together = asked.index.together(context, asked.tree);
    let distances = asked.index.distances(&context.path);
    let typed = asked.place.typed.to_lowercase();
    let mut lower = String::new();
    let mut found: Vec<Candidate<'_>> = Vec::new();
    for file in asked.index.files() {
        if file.path == context.path || file.context.kind != UnitKind::States {
            continue;
        }
        let is_near = together.contains(file.path.as_str());
        // What is of another environment cannot be included by its name.
        if !is_near && (file.context.tree_kind, &file.context.env) != (context.tree_kind, &context.env) {
            continue;
        }
        let rank = match distances.get(file.path.as_str()) {
            distance if is_near => 20_000 + (distance.copied().unwrap_or(1) as u32).min(60) * 1000,
            _ => NOT_INCLUDED + 100 * (MAX_SHARED - shared(&file.path, &context.path)) as u32,
        };
        for (name, function) in file.targets(kind) {
            lower.clear();
            lower.extend(name.chars().flat_map(char::to_lowercase));
            if fits(&lower, &typed) && !own.contains_key(name) {
                let closeness = closeness(&lower, &typed);
                found.push(Candidate { closeness, rank, name, file, function });
            }
        }
    }
    without_repetition(&mut found);
    if found.len() > MAX_TARGETS {
        asked.cut.set(true);
        found.select_nth_unstable_by(MAX_TARGETS, |a, b| a.order().cmp(&b.order()));
        found.truncate(MAX_TARGETS);
    }
    items(asked, &found)
}

/// How many directories two files share.
fn shared(a: &str, b: &str) -> usize {
    a.split('/').zip(b.split('/')).take_while(|(a, b)| a == b).count().min(MAX_SHARED)
}

/// Leaves a name once where it can be named as it is, else once for each file that has it.
fn without_repetition(found: &mut Vec<Candidate<'_>>) {
    let nearest: HashMap<&str, u32> = {
        let near = found.iter().filter(|candidate| candidate.rank < NOT_INCLUDED);
        let mut nearest = HashMap::new();
        for candidate in near {
            let rank = nearest.entry(candidate.name).or_insert(candidate.rank);
            *rank = candidate.rank.min(*rank);
        }
        nearest
    };
    let mut seen: HashSet<(&str, &str)> = HashSet::new();
    found.retain(|candidate| match nearest.get(candidate.name) {
        Some(rank) => candidate.rank == *rank && seen.insert((candidate.name, "")),
        None => seen.insert((candidate.name, candidate.file.path.as_str())),
    });
}

fn items(asked: &Asked<'_>, found: &[Candidate<'_>]) -> Vec<Item> {
    let including = OnceCell::new();
    let including = || {
        let place = || query::including(asked.index, asked.context, asked.tree, asked.offset);
        including.get_or_init(place).as_ref()
    };
    // The ref of each file that is not included, and what includes it.
    let mut files: HashMap<&str, (String, Option<_>)> = HashMap::new();
    let mut items = Vec::with_capacity(found.len());
    for candidate in found {
        let function = candidate.function.map(ToString::to_string).unwrap_or_default();
        let mut item = Item::new(candidate.name, ItemKind::Reference, candidate.rank)
            .insert(scalar(asked, candidate.name), false);
        if candidate.rank < NOT_INCLUDED {
            items.push(item.detail(function));
            continue;
        }
        let path = candidate.file.path.as_str();
        let (reference, edit) = files.entry(path).or_insert_with(|| {
            let reference = asked.index.project.reference_of(path).map(|(_, _, name)| name);
            let edit = including().and_then(|place| place.edit(asked.index, asked.context, path));
            (reference.unwrap_or_else(|| path.to_owned()), edit)
        });
        let note = if edit.is_some() { ", to be included" } else { "" };
        item = item.detail(format!("{function} in {reference}{note}").trim_start());
        item.also.clone_from(edit);
        items.push(item);
    }
    items
}
