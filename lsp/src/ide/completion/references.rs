//! Names of files: refs, templates, sources; and what a top file has.

use super::{Asked, Item, ItemKind};
use std::collections::HashMap;
use zester_compiler::{
    project::TreeKind,
    query::{Index, Symbol},
    types::{facts_grains, facts_schema},
};

/// How many files name each file, to offer the used ones first; and those that nothing names yet before all.
fn uses(index: &Index) -> HashMap<&str, u32> {
    let mut found: HashMap<&str, u32> = HashMap::new();
    for file in index.files() {
        for mention in index.mentions(file) {
            if let Symbol::File(path) = &mention.symbol {
                *found.entry(path).or_default() += 1;
            }
        }
    }
    found
}

fn shared(a: &str, b: &str) -> usize {
    a.split(['.', '/']).zip(b.split(['.', '/'])).take_while(|(a, b)| a == b).count()
}

pub(super) fn refs(
    asked: &Asked<'_>,
    kind: TreeKind,
    env: Option<&str>,
    dash: bool,
    present: &[String],
) -> Vec<Item> {
    let project = &asked.index.project;
    let env = env.unwrap_or(&asked.context.env);
    let own = project.reference_of(&asked.context.path).map(|(_, _, name)| name).unwrap_or_default();
    let lead = if dash || asked.place.colon { "" } else { "- " };
    let all = project.references(kind, env);
    let used = if all.len() <= 500 { uses(asked.index) } else { HashMap::new() };
    let relative = asked.place.typed.starts_with('.');
    let dir = own_directory(asked);
    let is_top = matches!(asked.context.kind, zester_compiler::check::UnitKind::Top(_));
    let mut found = Vec::new();
    for name in all {
        if name == own || present.contains(&name) {
            continue;
        }
        // Of the own directory first; what nobody names yet before what others do.
        let common = shared(&name, &own) as u32;
        let count = if used.is_empty() {
            0
        } else {
            let file = project.resolve(kind, env, &name, None).ok();
            file.and_then(|f| used.get(f.file.path.as_str()).copied()).unwrap_or(0)
        };
        let rank = 1000 - common.min(9) * 100 + if is_top { count.min(50) } else { 50 - count.min(50) };
        let label = if relative {
            match name.strip_prefix(&format!("{dir}.")) {
                Some(inner) if !dir.is_empty() => format!(".{inner}"),
                None if dir.is_empty() => format!(".{name}"),
                _ => continue,
            }
        } else {
            name.clone()
        };
        if present.contains(&label) {
            continue;
        }
        let text = format!("{lead}{label}");
        found.push(
            Item::new(label, ItemKind::File, rank)
                .insert(text, false)
                .doc(format!("ref {} {name}", kind.word())),
        );
    }
    found
}

fn own_directory(asked: &Asked<'_>) -> String {
    asked.context.tree_path.rsplit_once('/').map_or(String::new(), |(dir, _)| dir.replace('/', "."))
}

pub(super) fn environments(asked: &Asked<'_>) -> Vec<Item> {
    let names = asked.index.project.environments().enumerate();
    names.map(|(at, name)| super::key_item(asked, name, ItemKind::Module, at as u32)).collect()
}

/// Words of targets: ids of known peels, nodegroups, facts.
pub(super) fn targets(asked: &Asked<'_>) -> Vec<Item> {
    let mut found = Vec::new();
    let project = &asked.index.project;
    for name in project.config().nodegroups.names() {
        found.push(Item::new(format!("N@{name}"), ItemKind::Reference, 1).detail("nodegroup"));
    }
    for peel in project.inventory().unwrap_or_default() {
        found.push(Item::new(&peel.facts.id, ItemKind::Value, 2).detail("peel"));
    }
    found.push(Item::new("*", ItemKind::Value, 0).detail("every peel"));
    for (word, detail) in [
        ("G@", "a fact: G@os.family:debian"),
        ("I@", "a setting: I@role:web"),
        ("E@", "a regular expression on the id"),
        ("L@", "a list of ids"),
        ("S@", "a subnet"),
        ("P@", "a regular expression on a fact"),
        ("N@", "a nodegroup"),
        ("and", "both"),
        ("or", "either"),
        ("not", "the others"),
    ] {
        found.push(Item::new(word, ItemKind::Keyword, 20).detail(detail));
    }
    for fact in facts_schema::facts().filter(|f| !f.path.starts_with('_')) {
        found.push(Item::new(format!("G@{}:", fact.path), ItemKind::Property, 30).detail(fact.doc));
    }
    for grain in facts_grains::grains() {
        found.push(Item::new(format!("G@{}:", grain.name), ItemKind::Property, 31).detail(grain.doc));
    }
    for item in &mut found {
        if item.label == "*" && !asked.place.quoted {
            "'*'".clone_into(&mut item.insert);
        }
    }
    found
}

/// Files of the state tree that can be handed out, for a path behind `zester://`.
pub(super) fn sources(asked: &Asked<'_>) -> Vec<Item> {
    let project = &asked.index.project;
    let own = &asked.context.tree_path;
    let dir = own.rsplit_once('/').map_or("", |(dir, _)| dir);
    let extensions = project.extensions();
    project
        .files_below(TreeKind::States, &asked.context.env, "")
        .into_iter()
        .filter(|file| {
            let extension = file.tree_path.rsplit_once('.').map_or("", |(_, e)| e);
            !extensions.iter().any(|e| e == extension) && !file.tree_path.starts_with('.')
        })
        .map(|file| {
            let common = shared(&file.tree_path, own) as u32;
            let inside =
                if dir.is_empty() || file.tree_path.starts_with(&format!("{dir}/")) { 0 } else { 100 };
            Item::new(&file.tree_path, ItemKind::File, 50 + inside + 50 - common.min(9) * 5)
        })
        .collect()
}

/// Templates and files of data, for imports and includes.
pub(super) fn templates(asked: &Asked<'_>) -> Vec<Item> {
    let own = &asked.context.tree_path;
    let statement = asked.tree.text.get(..asked.place.replace.start).and_then(|t| t.rfind("{%"));
    let word = statement.and_then(|at| asked.tree.text.get(at..)).unwrap_or_default();
    let data = word.trim_start_matches(['{', '%', '-', '+', ' ']);
    let wanted: &[&str] = if data.starts_with("import_yaml") {
        &["yaml", "yml"]
    } else if data.starts_with("import_json") {
        &["json"]
    } else if data.starts_with("import_text") {
        &[]
    } else {
        &["jinja", "j2", "zy", "sls"]
    };
    asked
        .index
        .project
        .files_below(asked.context.tree_kind, &asked.context.env, "")
        .into_iter()
        .filter(|file| file.tree_path != *own)
        .map(|file| {
            let extension = file.tree_path.rsplit_once('.').map_or("", |(_, e)| e);
            let fits = wanted
                .iter()
                .position(|w| *w == extension)
                .map_or(if wanted.is_empty() { 0 } else { 500 }, |at| at as u32 * 20);
            let common = shared(&file.tree_path, own) as u32;
            Item::new(&file.tree_path, ItemKind::File, 100 + fits - common.min(9) * 10)
        })
        .collect()
}
