//! Requisites: kinds and targets; ids.

use super::{Asked, Item, ItemKind, elsewhere, escaped, fit::Maps, scalar};
use std::collections::HashMap;
use zester_compiler::{
    check::UnitKind,
    query::{self, Kind, Shape, StateAt},
    types::FunctionName,
};

/// What is added to a requisite's rank by which nobody would do anything of their own: who watches or listens is to react,
/// who runs on changes is mostly a command.
pub(super) fn without_reaction(function: &FunctionName, shape: &Shape, maps: Maps, requisite: &str) -> u32 {
    const NOBODY: u32 = 1000;
    let is_about_changes = ["watch", "listen", "onchanges"].iter().any(|word| requisite.starts_with(word));
    let reacts = match shape {
        Shape::Maps(targets) if requisite.ends_with("_in") && maps == Maps::Targets => {
            targets.iter().any(|(kind, _)| {
                let (module, function) = kind.split_once('.').map_or((&**kind, None), |(m, f)| (m, Some(f)));
                matches!(module, "id" | "sls") || query::reacts(module, function)
            })
        }
        _ if requisite.ends_with("_in") => true,
        _ => query::reacts(&function.module, Some(&function.function)),
    };
    if is_about_changes && !reacts { NOBODY } else { 0 }
}

/// Files that are looked into: those nearest along includes, then those of the nearest directories.
const MAX_FILES: usize = 120;

/// States that can be named from the document, with how far away they are: 0 for its own.
fn states(asked: &Asked<'_>) -> Vec<(usize, StateAt)> {
    let mut found: Vec<(usize, StateAt)> = Vec::new();
    found.extend(query::states_of(asked.context, asked.tree).into_iter().map(|s| (0, s)));
    let distances: HashMap<&str, usize> = asked.index.distances(&asked.context.path);
    let own = &asked.context.path;
    let shared = |path: &str| path.split('/').zip(own.split('/')).take_while(|(a, b)| a == b).count();
    // Files that do not hang together can still be applied together.
    let mut files: Vec<_> = asked
        .index
        .files()
        .filter(|f| f.path != *own && f.context.kind == UnitKind::States)
        .map(|f| (distances.get(f.path.as_str()).copied().unwrap_or(50), usize::MAX - shared(&f.path), f))
        .collect();
    files.sort_by_key(|(distance, apart, _)| (*distance, *apart));
    for (distance, _, file) in files.into_iter().take(MAX_FILES) {
        found.extend(query::states_of(&file.context, &file.tree).into_iter().map(|s| (distance, s)));
    }
    found
}

/// How far a state is from the place, in states: what stands near is meant most often, what stands before rather than
/// behind.
fn nearness(asked: &Asked<'_>, distance: usize, state: &StateAt, wanted: Direction) -> u32 {
    if distance > 0 {
        return 20_000 + (distance as u32).min(60) * 1000;
    }
    let at = asked.offset as i64;
    let lines = |from: i64, to: i64| {
        asked
            .tree
            .text
            .get(from.max(0) as usize..to.max(0) as usize)
            .map_or(500, |t| t.matches('\n').count() as u32)
    };
    let (start, end) = (i64::from(state.span.start), i64::from(state.span.end));
    let (before, behind) = if wanted == Direction::Behind { (6000, 0) } else { (0, 6000) };
    if end <= at {
        before + lines(end, at).min(5000)
    } else if start > at {
        behind + lines(at, start).min(5000)
    } else {
        1
    }
}

/// On which side of a place states stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Before it: what this state needs.
    Before,
    /// Behind it: what needs this state.
    Behind,
    /// On both, or it is not known.
    Either,
}

impl Direction {
    /// Where the targets of a requisite mostly stand.
    fn of(requisite: &str) -> Self {
        if requisite.ends_with("_in") || requisite == "prereq" { Self::Behind } else { Self::Before }
    }
}

/// Where the states stand that a list of targets names, of those of the same file.
pub(super) fn direction(asked: &Asked<'_>, shape: &Shape, maps: Maps) -> Direction {
    let Shape::Maps(targets) = shape else { return Direction::Either };
    if maps != Maps::Targets {
        return Direction::Either;
    }
    let states = query::states_of(asked.context, asked.tree);
    let (mut before, mut behind) = (false, false);
    for (key, name) in targets {
        let kind = FunctionName::parse(key).map_or_else(|| Kind::Module(key.clone()), Kind::Function);
        let named = |s: &&StateAt| {
            s.is_of(&kind) && name.as_ref().is_some_and(|n| s.id.as_ref() == Some(n) || s.names.contains(n))
        };
        for state in states.iter().filter(named) {
            before |= state.span.end as usize <= asked.offset;
            behind |= state.span.start as usize > asked.offset;
        }
    }
    match (before, behind) {
        (true, false) => Direction::Before,
        (false, true) => Direction::Behind,
        _ => Direction::Either,
    }
}

/// What is added to a requisite's rank for targets that mostly stand on the other side.
pub(super) fn against(direction: Direction, requisite: &str) -> u32 {
    const AGAINST: u32 = 1500;
    // What reacts at the end of a run may stand anywhere.
    let either = direction == Direction::Either || requisite.starts_with("listen");
    if either || Direction::of(requisite) == direction { 0 } else { AGAINST }
}

/// Whether the place stands in this very function.
fn is_own(asked: &Asked<'_>, state: &StateAt) -> bool {
    let at = asked.offset as u32;
    let last = state.arguments.iter().map(|(_, _, value)| value.end).max().unwrap_or(state.key_span.end);
    state.key_span.start <= at && at <= last + 1 && (state.span.start..=state.span.end + 1).contains(&at)
}

pub(super) fn kinds(asked: &Asked<'_>, requisite: &str, dash: bool) -> Vec<Item> {
    let lead = if dash || asked.place.colon { "" } else { "- " };
    let mut best: HashMap<String, u32> = HashMap::new();
    let mut found = Vec::new();
    let all = states(asked);
    for (distance, state) in &all {
        if *distance == 0 && is_own(asked, state) {
            continue;
        }
        let Some(function) = &state.function else { continue };
        let near = nearness(asked, *distance, state, Direction::of(requisite));
        let rank = best.entry(function.module.to_string()).or_insert(u32::MAX);
        *rank = (*rank).min(near);
    }
    for (module, rank) in best {
        found.push(kind(asked, &module, lead, rank).doc(format!("module {module}")));
    }
    for (word, rank) in [("sls", 30_000), ("id", 30_001)] {
        found.push(kind(asked, word, lead, rank));
    }
    // Whole targets, for those that know what they want.
    if asked.place.typed.is_empty() && !asked.place.colon {
        for (distance, state) in all.iter().filter(|(distance, _)| *distance == 0) {
            let (Some(id), Some(function)) = (&state.id, &state.function) else { continue };
            if !is_own(asked, state) {
                let label = format!("{}: {id}", function.module);
                let text = format!("{lead}{}: {}", function.module, scalar(asked, id));
                let rank = nearness(asked, *distance, state, Direction::of(requisite)) + 1;
                found.push(Item::new(label, ItemKind::Reference, rank).insert(text, false));
            }
        }
    }
    found
}

fn kind(asked: &Asked<'_>, word: &str, lead: &str, rank: u32) -> Item {
    let item = Item::new(word, ItemKind::Module, rank);
    if asked.place.colon { item } else { item.insert(format!("{lead}{word}: "), false) }
}

pub(super) fn targets(
    asked: &Asked<'_>,
    requisite: &str,
    kind: &Kind,
    function: Option<&FunctionName>,
    id: &str,
) -> Vec<Item> {
    let mut found: HashMap<String, Item> = HashMap::new();
    for state in query::states_of(asked.context, asked.tree) {
        let own = is_own(asked, &state);
        // This function itself is none.
        if !state.is_of(kind) || own && state.function.as_ref() == function {
            continue;
        }
        let near = nearness(asked, 0, &state, Direction::of(requisite));
        // Another function of the same id is the likeliest of all.
        let named = state.id.as_ref().map(|name| (name, if name == id { 0 } else { near }));
        for (name, rank) in named.into_iter().chain(state.names.iter().map(|name| (name, near + 1))) {
            let function = state.function.as_ref().map(ToString::to_string).unwrap_or_default();
            let item = Item::new(name, ItemKind::Reference, rank)
                .detail(function)
                .insert(scalar(asked, name), false);
            match found.get(name) {
                Some(known) if known.rank <= rank => {}
                _ => {
                    found.insert(name.clone(), item);
                }
            }
        }
    }
    let others = elsewhere::targets(asked, kind, &found);
    found.into_values().chain(others).collect()
}

/// Ids of all states, for `extend` and `exclude`.
pub(super) fn ids(asked: &Asked<'_>, key: bool) -> Vec<Item> {
    let mut found: HashMap<String, Item> = HashMap::new();
    for (distance, state) in states(asked) {
        // What a file extends is in another one.
        if distance == 0 {
            continue;
        }
        let Some(id) = state.id else { continue };
        let rank = distance as u32;
        let text = scalar(asked, &id);
        let mut item = Item::new(&id, ItemKind::Reference, rank);
        item = if key && !asked.place.colon {
            let pad = " ".repeat(asked.place.column + 2);
            if asked.snippets {
                item.insert(format!("{}:\n{pad}$0", escaped(&text)), true)
            } else {
                item.insert(format!("{text}:"), false)
            }
        } else {
            item.insert(text, false)
        };
        if found.get(&id).is_none_or(|known| known.rank > rank) {
            found.insert(id, item);
        }
    }
    found.into_values().collect()
}

/// The keys at the top of a state file.
pub(super) fn top_level(asked: &Asked<'_>, present: &[String]) -> Vec<Item> {
    let mut found = Vec::new();
    let words = [
        ("include", "\n  - $0", "Files whose states belong to this one's."),
        ("extend", "\n  $0", "Changes states of other files."),
        ("exclude", "\n  - $0", "Leaves out states or files."),
    ];
    for (at, (word, body, detail)) in words.into_iter().enumerate() {
        if present.iter().any(|p| p == word) {
            continue;
        }
        let item = Item::new(word, ItemKind::Keyword, at as u32).detail(detail);
        found.push(if asked.place.colon {
            item
        } else if asked.snippets {
            item.insert(format!("{word}:{body}"), true)
        } else {
            item.insert(format!("{word}:"), false)
        });
    }
    if asked.snippets && !asked.place.colon && asked.place.column == 0 {
        let snippets = [
            ("package", "${1:package}:\n  pkg.installed: []\n", "a package"),
            (
                "service",
                "${1:service}:\n  pkg.installed: []\n  service.running:\n    - enable: true\n    - require:\n      - pkg: ${1:service}\n",
                "a package with its service",
            ),
            (
                "file",
                "/${1:etc/file}:\n  file.managed:\n    - source: zester://${2}\n    - user: root\n    - group: root\n    - mode: '0644'\n",
                "a file from the tree",
            ),
        ];
        for (at, (label, text, detail)) in snippets.into_iter().enumerate() {
            found.push(Item::new(label, ItemKind::Keyword, 10 + at as u32).detail(detail).insert(text, true));
        }
    }
    found
}
