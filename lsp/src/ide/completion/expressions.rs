//! What can be written inside of template tags.

use super::{Asked, Item, ItemKind, escaped, given, typed};
use crate::ide::{docs, signature, typed::short};
use std::collections::HashMap;
use zester_compiler::{
    query::{self, ExecCall, LocalKind, Root, STATEMENTS, Symbol},
    types::{Effect, FunctionKind, facts_grains, facts_schema},
};

pub(super) fn statements(asked: &Asked<'_>) -> Vec<Item> {
    let text: &str = &asked.tree.text;
    let after = text.get(asked.place.replace.end..).unwrap_or_default();
    let line = after.split('\n').next().unwrap_or_default();
    let closed = line.contains("%}");
    let mut found = Vec::new();
    // The block that is open here is the one to be closed.
    let open = asked
        .tree
        .template
        .blocks
        .iter()
        .filter(|b| (b.span.start as usize) < asked.offset && asked.offset <= b.span.end as usize)
        .max_by_key(|b| b.span.start);
    let ends: Vec<&str> = STATEMENTS.iter().filter_map(|s| s.end).collect();
    for (at, statement) in STATEMENTS.iter().enumerate() {
        let mut item = Item::new(statement.word, ItemKind::Keyword, 10 + at as u32).detail(statement.doc);
        if asked.snippets && !closed && statement.snippet != statement.word {
            let start = asked.place.replace.start;
            let space = if text.get(..start).is_some_and(|t| t.ends_with("{%")) { " " } else { "" };
            item = item.insert(format!("{space}{}", statement.snippet), true);
        }
        found.push(item);
    }
    for word in ends {
        let mut item = Item::new(word, ItemKind::Keyword, 60);
        let opens = STATEMENTS.iter().find(|s| s.end == Some(word)).map_or("", |s| s.word);
        if let Some(block) = open {
            let tag = block.arms.first().map(|a| a.tag.range()).unwrap_or_default();
            let tag = text.get(tag).unwrap_or_default().trim_start_matches(['{', '%', '-', '+', ' ']);
            if tag.starts_with(opens) {
                item.rank = 5;
            }
        }
        found.push(item);
    }
    found
}

pub(super) fn names(asked: &Asked<'_>, call: Option<&ExecCall>) -> Vec<Item> {
    let mut found = Vec::new();
    let locals = query::names_at(asked.tree, asked.offset as u32);
    let mut uses: HashMap<String, u32> = HashMap::new();
    for mention in asked.index.mentions_of(asked.context, asked.tree) {
        if let Symbol::Name { name, .. } | Symbol::Global(name) = mention.symbol {
            *uses.entry(name).or_default() += 1;
        }
    }
    for (at, local) in locals.iter().enumerate() {
        let count = uses.get(&local.name).copied().unwrap_or(0).min(40);
        let rank = match local.kind {
            LocalKind::Loop | LocalKind::Parameter => 10 + at as u32,
            _ => 60 - count + (at as u32).min(20),
        };
        let detail = match &local.kind {
            LocalKind::Macro(params) => format!("macro({})", params.join(", ")),
            LocalKind::Loop => "loop variable".to_owned(),
            LocalKind::Parameter => "parameter".to_owned(),
            LocalKind::Import => "imported".to_owned(),
            LocalKind::Variable => "variable".to_owned(),
        };
        let item = Item::new(&local.name, ItemKind::Variable, rank).detail(detail);
        let is_macro = matches!(local.kind, LocalKind::Macro(_));
        let called = asked.tree.text.get(asked.place.replace.end..).is_some_and(|t| t.starts_with('('));
        found.push(if is_macro && asked.snippets && !called {
            let text = format!("{}($0)", escaped(&local.name));
            item.insert(text, true)
        } else {
            item
        });
    }
    found.extend(given::variables(asked).into_iter().filter(|i| locals.iter().all(|l| l.name != i.label)));
    let order = [
        "settings",
        "facts",
        "grains",
        "salt",
        "pillar",
        "loop",
        "range",
        "namespace",
        "basket",
        "true",
        "false",
        "none",
    ];
    for (at, name) in order.iter().enumerate() {
        let is_loop = *name == "loop" && !asked.tree.template.in_loop(asked.offset as u32);
        if is_loop || locals.iter().any(|l| l.name == *name) {
            continue;
        }
        let count = uses.get(*name).copied().unwrap_or(0).min(30);
        found.push(global(name, 70 + at as u32 - count));
    }
    for name in [
        "peel_id",
        "sls",
        "tpldir",
        "tplfile",
        "slspath",
        "slsdotpath",
        "env",
        "saltenv",
        "opts",
        "raise",
        "dict",
        "cycler",
        "joiner",
        "odict",
        "caller",
        "tplpath",
    ] {
        if locals.iter().all(|l| l.name != name) {
            let count = uses.get(name).copied().unwrap_or(0).min(20);
            found.push(global(name, 120 - count));
        }
    }
    if let Some(function) = call.and_then(|c| c.function.as_ref())
        && let Some(signature) = docs::signature(&asked.index.registry, FunctionKind::Exec, function)
    {
        for (at, param) in signature.params.iter().enumerate() {
            let rank = if call.is_some_and(|c| at >= c.position) { 100 + at as u32 } else { 200 };
            found.push(
                Item::new(format!("{}=", param.name), ItemKind::Property, rank)
                    .detail(docs::short(&param.ty))
                    .doc(format!("execparam {function} {}", param.name)),
            );
        }
    }
    if let Some(names) = call
        .and_then(|c| c.name.as_ref())
        .and_then(|name| signature::macro_parameters(asked.index, asked.context, asked.tree, name))
    {
        for (at, name) in names.iter().enumerate() {
            let rank = if call.is_some_and(|c| at >= c.position) { 100 + at as u32 } else { 200 };
            found.push(
                Item::new(format!("{name}="), ItemKind::Property, rank).detail("parameter of the macro"),
            );
        }
    }
    found.push(Item::new("not", ItemKind::Keyword, 150));
    found
}

fn global(name: &str, rank: u32) -> Item {
    Item::new(name, ItemKind::Keyword, rank)
        .detail(query::global_doc(name).unwrap_or_default())
        .doc(format!("global {name}"))
}

pub(super) fn operators() -> Vec<Item> {
    let words = [
        "if",
        "else",
        "and",
        "or",
        "in",
        "is",
        "not in",
        "is not",
        "is defined",
        "with context",
        "ignore missing",
        "as",
        "import",
    ];
    words.iter().enumerate().map(|(at, word)| Item::new(*word, ItemKind::Keyword, at as u32)).collect()
}

pub(super) fn members(asked: &Asked<'_>, root: Root, path: &[String], text: bool) -> Vec<Item> {
    let mut found = match root {
        Root::Settings => settings(asked, path),
        Root::Facts => facts(asked, path),
        Root::Grains => grains(asked, path),
    };
    // What cannot be written behind a dot is offered in texts only.
    if !text {
        found.retain(|i| i.label.chars().all(|c| c.is_alphanumeric() || c == '_'));
        let ty = asked.index.type_of_path(root, path);
        found.extend(typed::methods(asked, ty.as_ref().filter(|ty| !ty.is_any())));
    }
    found
}

fn settings(asked: &Asked<'_>, path: &[String]) -> Vec<Item> {
    let Some(tree) = asked.index.settings().get(path) else { return Vec::new() };
    let used = settings_used(asked, path);
    tree.children
        .iter()
        .map(|(name, child)| {
            let mut all = path.to_vec();
            all.push(name.clone());
            let value = child.places.first().map(|p| p.value.as_str()).unwrap_or_default();
            let ty = asked.index.type_of_path(Root::Settings, &all).filter(|ty| !ty.is_any());
            let detail = match ty {
                Some(ty) if child.children.is_empty() => format!("{} = {value}", short(&ty)),
                _ => value.to_owned(),
            };
            let rank = 1000 - used.get(name).copied().unwrap_or(0).min(500);
            Item::new(name, ItemKind::Property, rank).detail(detail).doc(format!("setting {}", all.join(":")))
        })
        .collect()
}

/// How often the keys below a path are used: in this file most.
fn settings_used(asked: &Asked<'_>, path: &[String]) -> HashMap<String, u32> {
    let mut used: HashMap<String, u32> = HashMap::new();
    let (own, own_ref) = (
        asked.index.mentions_of(asked.context, asked.tree),
        asked.index.project.reference_of(&asked.context.path).map(|(_, _, name)| name).unwrap_or_default(),
    );
    for mention in &own {
        if let Symbol::Setting(found) = &mention.symbol
            && found.len() == path.len() + 1
            && found.starts_with(path)
        {
            *used.entry(found[path.len()].clone()).or_default() += 10;
        }
    }
    // A state file mostly asks for the settings of its own name.
    for segment in own_ref.split('.') {
        *used.entry(segment.to_owned()).or_default() += 25;
    }
    used
}

fn facts(asked: &Asked<'_>, path: &[String]) -> Vec<Item> {
    let mut found: Vec<Item> = Vec::new();
    let prefix = if path.is_empty() { String::new() } else { format!("{}.", path.join(".")) };
    let popular = [
        "os",
        "family",
        "platform",
        "platform_version",
        "arch",
        "codename",
        "major",
        "hostname",
        "fqdn",
        "network",
        "memory",
        "total",
        "cpu",
        "count",
        "default_ipv4",
    ];
    for info in facts_schema::facts() {
        let Some(rest) = info.path.strip_prefix(&prefix) else { continue };
        let first = rest.split('.').next().unwrap_or(rest);
        if first.starts_with('_') || found.iter().any(|i| i.label == first) {
            continue;
        }
        let at = popular.iter().position(|p| *p == first).map_or(100, |at| at as u32);
        let item = Item::new(first, ItemKind::Property, at);
        found.push(if rest == first {
            item.detail(info.shape.ty().to_string()).doc(format!("fact {}", info.path))
        } else {
            item.detail("facts")
        });
    }
    if path.is_empty() {
        for peel in asked.index.project.inventory().unwrap_or_default() {
            for name in peel.facts.values.keys() {
                if found.iter().all(|i| i.label != *name) {
                    found.push(Item::new(name, ItemKind::Property, 90).detail("custom fact"));
                }
            }
        }
    }
    found
}

fn grains(asked: &Asked<'_>, path: &[String]) -> Vec<Item> {
    if !path.is_empty() {
        return Vec::new();
    }
    let popular = [
        "os_family",
        "os",
        "id",
        "oscodename",
        "fqdn",
        "osmajorrelease",
        "host",
        "osrelease",
        "osarch",
        "osfinger",
        "kernel",
        "num_cpus",
        "mem_total",
        "ipv4",
        "virtual",
        "init",
        "cpuarch",
        "domain",
        "nodename",
    ];
    let mut found: Vec<Item> = facts_grains::grains()
        .map(|info| {
            let at = popular.iter().position(|p| *p == info.name).map_or(100, |at| at as u32);
            Item::new(info.name, ItemKind::Property, at)
                .detail(info.shape.ty().to_string())
                .doc(format!("grain {}", info.name))
        })
        .collect();
    for peel in asked.index.project.inventory().unwrap_or_default() {
        for name in peel.facts.grains.keys() {
            if found.iter().all(|i| i.label != *name) {
                found.push(Item::new(name, ItemKind::Property, 90).detail("custom grain"));
            }
        }
    }
    found
}

/// Values that a fact or setting is known to have.
pub(super) fn compared(asked: &Asked<'_>, root: Root, path: &[String]) -> Vec<Item> {
    let mut found: Vec<Item> = Vec::new();
    let mut add = |text: &str, rank: u32| {
        if !text.is_empty() && found.iter().all(|i| i.label != text) {
            found.push(Item::new(text, ItemKind::Value, rank));
        }
    };
    for peel in asked.index.project.inventory().unwrap_or_default() {
        let value = match root {
            Root::Facts => peel.facts.fact(&path.join(".")).map(ToString::to_string),
            Root::Grains => path.first().and_then(|p| peel.facts.grain(p)).map(ToString::to_string),
            Root::Settings => None,
        };
        add(&value.unwrap_or_default(), 1);
    }
    let doc = match root {
        Root::Facts => facts_schema::fact(&path.join(".")).map(|f| f.doc),
        Root::Grains => path.first().and_then(|p| facts_grains::grain(p)).map(|g| g.doc),
        Root::Settings => None,
    };
    // Documentation names examples in backquotes.
    for example in doc.unwrap_or_default().split('`').skip(1).step_by(2) {
        add(example, 10);
    }
    if root == Root::Settings
        && let Some(tree) = asked.index.settings().get(path)
    {
        for place in &tree.places {
            add(place.value.trim_matches(['"', '\'']), 3);
        }
    }
    // Words that the value nearly always is.
    let ty = asked.index.type_of_path(root, path);
    for (at, word) in ty.iter().flat_map(query::words_of).enumerate() {
        add(&word, 6 + at as u32);
    }
    found
}

/// Names of another file.
pub(super) fn exported(asked: &Asked<'_>, file: &str, present: &[String]) -> Vec<Item> {
    let Some(file) = asked.index.file(file) else { return Vec::new() };
    query::exported_names(&file.tree)
        .into_iter()
        .filter(|n| !present.contains(&n.name) && n.kind != LocalKind::Import)
        .map(|n| {
            let (rank, detail) = match &n.kind {
                LocalKind::Macro(params) => (1, format!("macro({})", params.join(", "))),
                _ => (2, "variable".to_owned()),
            };
            Item::new(&n.name, ItemKind::Variable, rank).detail(detail)
        })
        .collect()
}

pub(super) fn loop_attributes() -> Vec<Item> {
    let words = [
        "index", "index0", "first", "last", "length", "revindex", "previtem", "nextitem", "cycle", "changed",
        "depth",
    ];
    words.iter().enumerate().map(|(at, word)| Item::new(*word, ItemKind::Property, at as u32)).collect()
}

pub(super) fn filters() -> Vec<Item> {
    let popular = [
        "default",
        "d",
        "join",
        "json",
        "yaml",
        "lower",
        "int",
        "replace",
        "length",
        "dictsort",
        "sort",
        "indent",
        "string",
        "first",
        "float",
        "tojson",
        "round",
        "yaml_dquote",
        "yaml_encode",
        "upper",
        "regex_replace",
        "items",
        "list",
        "format",
        "count",
        "unique",
        "traverse",
        "base64_encode",
        "last",
        "map",
        "select",
        "selectattr",
        "trim",
    ];
    words(query::filter_names(), &popular, "filter")
}

pub(super) fn tests() -> Vec<Item> {
    let popular =
        ["defined", "string", "mapping", "none", "iterable", "sequence", "number", "sameas", "undefined"];
    words(query::test_names(), &popular, "test")
}

fn words(all: impl Iterator<Item = &'static str>, popular: &[&str], what: &str) -> Vec<Item> {
    all.map(|name| {
        let at = popular.iter().position(|p| *p == name).map_or(100, |at| at as u32);
        Item::new(name, ItemKind::Function, at).detail(what)
    })
    .collect()
}

pub(super) fn exec_functions(asked: &Asked<'_>, module: Option<&str>) -> Vec<Item> {
    let popular = [
        "pillar.get",
        "grains.get",
        "grains.filter_by",
        "config.get",
        "cmd.run",
        "saltutil.runner",
        "cmd.shell",
        "mine.get",
        "file.file_exists",
        "user.info",
        "file.dirname",
        "network.ip_addrs",
        "environ.get",
        "file.directory_exists",
        "match.compound",
        "pkg.version",
        "defaults.merge",
        "slsutil.merge",
    ];
    let mut names: Vec<(String, u32, String)> = asked
        .index
        .registry
        .signatures(FunctionKind::Exec)
        .map(|s| {
            let rank = match s.effect {
                Effect::Pure => 100,
                Effect::Probe => 200,
                Effect::Command => 300,
                Effect::Mutating => 900,
            };
            (s.name(), rank, s.doc.lines().next().unwrap_or_default().to_owned())
        })
        .collect();
    for name in zester_compiler::template::data_functions() {
        if names.iter().all(|(known, ..)| known != name) {
            names.push(((*name).to_owned(), 90, "reads facts and settings".to_owned()));
        }
    }
    names
        .into_iter()
        .filter_map(|(name, rank, doc)| {
            let rank = popular.iter().position(|p| *p == name).map_or(rank, |at| at as u32);
            let label = match module {
                Some(module) => name.strip_prefix(module)?.strip_prefix('.')?.to_owned(),
                None => name.clone(),
            };
            Some(Item::new(label, ItemKind::Function, rank).detail(doc).doc(format!("exec {name}")))
        })
        .collect()
}
