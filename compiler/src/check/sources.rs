//! Files that states render for a machine: `source` beside `template: jinja`. They are templates of the project like those that
//! others import, and what a state gives them must be what they read.

use super::{
    fold::Constants,
    pattern::Pattern,
    scope::{self, UNDEFINED_VARIABLE, has_unreadable},
    summary::UseKind,
    view::View,
    workspace::Unit,
};
use crate::{
    diagnostic::{Applicability, Diagnostic, Severity, nearest},
    project::{Project, TreeFile, TreeKind},
    source::Span,
    syntax::{
        Entry, Node, NodeKind, Tree,
        template::{BlockKind, StatementKind, Template},
    },
};
use std::sync::Arc;

/// Deepest nesting that is looked into.
const MAX_DEPTH: usize = 64;

/// What every file that is rendered sees beside what all templates see; the last four under Salt only.
const OF_FILES: [&str; 6] = ["name", "source", "user", "group", "mode", "attrs"];

/// A file of the state tree that a state renders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Its path in the tree: a file's, or a directory's where all files in it are rendered.
    pub path: String,
    /// Whether only some files of a directory are taken.
    pub partial: bool,
    /// Where it is named.
    pub span: Span,
    /// The variables that the state gives it, with their places.
    pub given: Vec<(String, Span)>,
    /// Keys of the state: those that are no parameters are variables too.
    pub loose: Vec<String>,
    /// Whether it may be given more.
    pub open: bool,
}

impl Source {
    /// Whether a path of the tree is the file, or one of those below the directory.
    pub fn may_be(&self, tree_path: &str) -> bool {
        tree_path.strip_prefix(&self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The files themselves.
    pub fn files(&self, project: &Project, env: &str) -> Vec<TreeFile> {
        match project.find(TreeKind::States, env, &self.path) {
            Some(file) => vec![file],
            None if self.partial => Vec::new(),
            None => project.files_below(TreeKind::States, env, &self.path),
        }
    }
}

/// The files that a file's states render, where their names are known.
pub fn rendered(tree: &Tree, constants: &Constants) -> Arc<[Source]> {
    let mut found = Vec::new();
    if tree.text.contains("template") {
        let bodies = tree.bodies.iter().filter_map(|body| body.root.as_ref());
        for root in tree.root.iter().chain(bodies) {
            walk(root, constants, 0, &mut found);
        }
    }
    found.into()
}

fn walk(node: &Node, constants: &Constants, depth: usize, found: &mut Vec<Source>) {
    if depth > MAX_DEPTH {
        return;
    }
    match &node.kind {
        NodeKind::Choice(all) => all.iter().for_each(|node| walk(node, constants, depth + 1, found)),
        NodeKind::Mapping(map) => {
            arguments(&map.entries.iter().collect::<Vec<_>>(), !map.splices.is_empty(), constants, found);
            map.entries.iter().for_each(|entry| walk(&entry.value, constants, depth + 1, found));
        }
        NodeKind::Sequence(list) => {
            let maps = || list.items.iter().filter_map(Node::as_mapping);
            let all: Vec<&Entry> = maps().flat_map(|map| &map.entries).collect();
            let open = !list.splices.is_empty()
                || maps().any(|map| !map.splices.is_empty())
                || list
                    .items
                    .iter()
                    .any(|item| matches!(item.kind, NodeKind::Choice(_) | NodeKind::Splice(_)));
            arguments(&all, open, constants, found);
            list.items.iter().for_each(|item| walk(item, constants, depth + 1, found));
        }
        _ => {}
    }
}

/// Reads the arguments of a function, if they are such.
fn arguments(entries: &[&Entry], mut open: bool, constants: &Constants, found: &mut Vec<Source>) {
    let named = |name: &'static str| entries.iter().filter(move |e| e.key.text().as_deref() == Some(name));
    let is_jinja = |text: &str| text.eq_ignore_ascii_case("jinja") || text.eq_ignore_ascii_case("jinja2");
    if !named("template").any(|e| e.value.text().is_some_and(|text| is_jinja(&text))) {
        return;
    }
    let mut given = Vec::new();
    for entry in named("context").chain(named("defaults")) {
        open |= !names(&entry.value, &mut given);
    }
    open |= entries.iter().any(|e| e.key.text().is_none());
    let loose: Vec<String> = entries.iter().filter_map(|e| Some(e.key.text()?.into_owned())).collect();
    let partial =
        open || ["include_pat", "exclude_pat", "maxdepth"].iter().any(|name| named(name).next().is_some());
    for (source, span) in
        named("source").chain(named("sources")).flat_map(|e| Pattern::of_list(&e.value, constants))
    {
        let path = source.text().and_then(|text| {
            let path = text.strip_prefix("zester://").or_else(|| text.strip_prefix("salt://"))?;
            // Names with a query or in bars are looked up elsewhere.
            (!path.contains(['?', '|'])).then(|| path.trim_matches('/').to_owned())
        });
        if let Some(path) = path.filter(|path| !path.is_empty()) {
            let loose = loose.clone();
            found.push(Source { path, span, partial, given: given.clone(), loose, open });
        }
    }
}

/// Collects the keys of a map, or of a list of maps; whether those are all.
fn names(node: &Node, given: &mut Vec<(String, Span)>) -> bool {
    match &node.kind {
        NodeKind::Empty => true,
        NodeKind::Mapping(map) => {
            let mut all = map.splices.is_empty();
            for entry in &map.entries {
                match entry.key.text().filter(|key| key != "<<") {
                    Some(key) => given.push((key.into_owned(), entry.key.span)),
                    None => all = false,
                }
            }
            all
        }
        NodeKind::Sequence(list) => {
            let mut all = list.splices.is_empty();
            for item in &list.items {
                all &= names(item, given);
            }
            all
        }
        NodeKind::Choice(alternatives) => {
            let mut all = true;
            for node in alternatives {
                all &= names(node, given);
            }
            all
        }
        _ => false,
    }
}

/// Reports variables that every rendering of a source reads, and that its state does not give.
pub fn check_given(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    for source in view.unit().summary.sources.iter().filter(|source| !source.open) {
        view.rendered(source).into_iter().for_each(|template| hold(view, source, template, found));
    }
}

/// Holds a rendered file against what its state gives it.
fn hold(view: &View<'_>, source: &Source, template: &Unit, found: &mut Vec<Diagnostic>) {
    // The file that it extends may read what this one sets.
    let extends = template.summary.uses.iter().any(|used| matches!(used.kind, UseKind::Extends));
    if template.foreign || has_unreadable(&template.tree) || extends {
        return;
    }
    let callable = callable(&template.tree.template);
    let mut said = Vec::new();
    for free in scope::free_names(&template.tree.template) {
        if !free.always {
            // Not every rendering comes there; a slip in a name of the file's own is one all the same.
            let near = nearest(&free.name, callable.iter().copied());
            if let Some(near) = near.filter(|_| !is_given(view, source, &free.name)) {
                found.push(misspelt(&free, near));
            }
            continue;
        }
        if said.contains(&free.name) || is_given(view, source, &free.name) {
            continue;
        }
        if let Some(near) = nearest(&free.name, callable.iter().copied()) {
            found.push(misspelt(&free, near));
            said.push(free.name);
            continue;
        }
        let message = format!("`{}` reads `{}`, which nothing gives it", template.tree_path, free.name);
        let mut diagnostic =
            Diagnostic::new(&UNDEFINED_VARIABLE, source.span, message).label(free.span, "read here");
        // Of the files of a directory another one may read what this one does not.
        let is_whole = template.tree_path.as_ref() == source.path.as_str();
        let unread = source.given.iter().filter(|(name, _)| is_whole && !mentions(&template.tree, name));
        let near = nearest(&free.name, unread.map(|(name, _)| name.as_str())).map(str::to_owned);
        let place = near.as_ref().and_then(|near| source.given.iter().find(|(name, _)| name == near));
        match place {
            Some((name, place)) if says_its_name_again(view.unit(), name, *place) => {
                let mut diagnostic = misspelt(&free, name).label(*place, "given here");
                diagnostic.severity = if view.is_foreign() { Severity::Warning } else { Severity::Error };
                found.push(diagnostic);
                said.push(free.name);
                continue;
            }
            // Which of the two is the slip, only their author knows.
            Some((name, place)) => {
                diagnostic.span = *place;
                diagnostic = diagnostic
                    .help(format!("did you mean `{}` here, or `{name}` in the rendered file?", free.name))
                    .fix(
                        format!("rename to `{}`", free.name),
                        Applicability::Unsafe,
                        *place,
                        free.name.as_str(),
                    );
            }
            None => {
                diagnostic = diagnostic.help(format!("add `{}: …` to `context`", free.name));
            }
        }
        if view.is_foreign() {
            diagnostic.severity = Severity::Warning;
        }
        found.push(diagnostic);
        said.push(free.name);
    }
}

/// The macros of a template, and what it imports. (What it sets and loops over is alike on purpose: `server` of `servers`.)
fn callable(template: &Template) -> Vec<&str> {
    let macros = template.blocks.iter().filter_map(|block| match &block.kind {
        BlockKind::Macro { name, .. } => Some(name.0.as_str()),
        _ => None,
    });
    let imported = template.statements.iter().flat_map(|statement| match &statement.kind {
        StatementKind::Import { name, .. } | StatementKind::ImportData { name, .. } => vec![name.0.as_str()],
        StatementKind::FromImport { names, .. } => names.iter().map(|(.., here)| here.as_str()).collect(),
        _ => Vec::new(),
    });
    macros.chain(imported).collect()
}

/// Whether a rendered file has a variable from its state, or from whoever renders it.
fn is_given(view: &View<'_>, source: &Source, name: &str) -> bool {
    OF_FILES.iter().take(if view.is_foreign() { 6 } else { 2 }).any(|known| **known == *name)
        || source.given.iter().any(|(given, _)| given == name)
        || source.loose.iter().any(|key| key == name)
}

/// The finding about a name that is a slip in the rendered file itself.
fn misspelt(free: &scope::Free, near: &str) -> Diagnostic {
    let message = format!("The variable `{}` is not defined", free.name);
    let mut found = Diagnostic::new(&UNDEFINED_VARIABLE, free.span, message).did_you_mean(near);
    found.severity = Severity::Warning;
    found
}

/// Whether a key's value says its name once more (`port: {{ settings.web.port }}`): then the key is what was meant.
fn says_its_name_again(unit: &Unit, name: &str, place: Span) -> bool {
    let rest = unit.tree.text.get(place.end as usize..).unwrap_or_default();
    let value = rest.lines().next().unwrap_or_default();
    value.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

/// Whether a name stands in a template's tags.
fn mentions(tree: &Tree, name: &str) -> bool {
    scope::unbound_names(&tree.template).iter().any(|free| free.name == name)
}
