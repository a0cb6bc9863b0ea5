//! What can be written at a place, the likeliest first.

mod elsewhere;
mod expressions;
mod fit;
mod functions;
mod given;
mod references;
mod requisites;
mod resolve;
mod settings;
mod typed;
mod values;

pub use resolve::documentation;

use std::{cell::Cell, ops::Range};
use zester_compiler::{
    query::{self, Completing, Context, Expected, Index},
    syntax::Tree,
};

/// What an item is, for its icon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ItemKind {
    /// A function.
    Function,
    /// A parameter or key.
    Property,
    /// A word of the language.
    Keyword,
    /// A value.
    Value,
    /// A file.
    File,
    /// A state.
    Reference,
    /// A variable.
    Variable,
    /// A module.
    Module,
}

/// Something that can be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// What is shown.
    pub label: String,
    /// A few words more.
    pub detail: Option<String>,
    /// What it is.
    pub kind: ItemKind,
    /// What is inserted.
    pub insert: String,
    /// Whether it has places to fill in (`$1`).
    pub snippet: bool,
    /// Smaller ones come first.
    pub rank: u32,
    /// Where its documentation is found: the key of [`documentation`].
    pub doc: Option<String>,
    /// What is written elsewhere in the document with it: the place, and the text for it.
    pub also: Option<(Range<usize>, String)>,
}

impl Item {
    fn new(label: impl Into<String>, kind: ItemKind, rank: u32) -> Self {
        let label = label.into();
        Self { insert: label.clone(), label, detail: None, kind, snippet: false, rank, doc: None, also: None }
    }

    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    fn doc(mut self, key: impl Into<String>) -> Self {
        self.doc = Some(key.into());
        self
    }

    fn insert(mut self, text: impl Into<String>, snippet: bool) -> Self {
        self.insert = text.into();
        self.snippet = snippet;
        self
    }
}

/// Completions at a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Completions {
    /// What an accepted one replaces.
    pub replace: Range<usize>,
    /// The items, in order.
    pub items: Vec<Item>,
    /// Whether there are more that fit.
    pub cut: bool,
}

/// Most items that are sent at once.
const MAX_ITEMS: usize = 300;

/// What the parts share.
struct Asked<'a> {
    index: &'a Index,
    context: &'a Context,
    tree: &'a Tree,
    place: &'a Completing,
    offset: usize,
    snippets: bool,
    /// Whether a part left out some of what fits.
    cut: Cell<bool>,
}

/// What can be written at a place.
pub fn complete(index: &Index, context: &Context, tree: &Tree, offset: usize, snippets: bool) -> Completions {
    let place = query::completing(index, context, tree, offset);
    let asked = Asked { index, context, tree, place: &place, offset, snippets, cut: Cell::new(false) };
    let mut items = match &place.expected {
        Expected::Nothing => Vec::new(),
        Expected::TopLevel { present } => requisites::top_level(&asked, present),
        Expected::Function { id, present, body, key, extend } => {
            functions::functions(&asked, id, present, body, *key, *extend)
        }
        Expected::SplitFunction { module, extended, body, parameter, shape } => {
            functions::split(&asked, module, extended.as_deref(), body, parameter.as_ref(), shape)
        }
        Expected::Parameter { function, present, dash, shape } => {
            functions::parameters(&asked, function, present, *dash, shape)
        }
        Expected::Value { function, parameter, path, key, id } => {
            values::values(&asked, function, parameter, path, *key, id)
        }
        Expected::Given { sources, path, present, elsewhere } => {
            given::keys(&asked, sources, path, present, elsewhere)
        }
        Expected::RequisiteKind { requisite, dash } => requisites::kinds(&asked, requisite, *dash),
        Expected::RequisiteTarget { requisite, kind, function, id } => {
            requisites::targets(&asked, requisite, kind, function.as_ref(), id)
        }
        Expected::Reference { kind, env, dash, present } => {
            references::refs(&asked, *kind, env.as_deref(), *dash, present)
        }
        Expected::ExcludeKey => ["sls", "id"]
            .iter()
            .enumerate()
            .map(|(at, w)| key_item(&asked, w, ItemKind::Keyword, at as u32))
            .collect(),
        Expected::StateId { key } => requisites::ids(&asked, *key),
        Expected::Environment => references::environments(&asked),
        Expected::Target => references::targets(&asked),
        Expected::SettingsKey { path, present } => settings::keys(&asked, path, present),
        Expected::SettingsValue { path } => settings::values(&asked, path),
        Expected::ConfigKey { path } => settings::config(&asked, path),
        Expected::Source => references::sources(&asked),
        Expected::Statement => expressions::statements(&asked),
        Expected::Name { call } => expressions::names(&asked, call.as_ref()),
        Expected::Operator => expressions::operators(),
        Expected::Member { root, path, text } => expressions::members(&asked, *root, path, *text),
        Expected::Compared { root, path } => expressions::compared(&asked, *root, path),
        Expected::Attribute { file } => expressions::exported(&asked, file, &[]),
        Expected::LoopAttribute => expressions::loop_attributes(),
        Expected::Method => typed::any_methods(&asked),
        Expected::Key { ty, text } => typed::keys(&asked, ty, *text),
        Expected::ComparedText { ty } => typed::compared(ty),
        Expected::Filter => expressions::filters(),
        Expected::Test => expressions::tests(),
        Expected::ExecFunction { module } => expressions::exec_functions(&asked, module.as_deref()),
        Expected::TemplatePath => references::templates(&asked),
        Expected::ImportedName { file, present } => {
            file.as_ref().map_or_else(Vec::new, |file| expressions::exported(&asked, file, present))
        }
    };
    let typed = place.typed.to_lowercase();
    items.retain(|item| fits(&item.label.to_lowercase(), &typed));
    items.sort_by_cached_key(|item| {
        (closeness(&item.label.to_lowercase(), &typed), item.rank, item.label.clone())
    });
    // One name in several files is several things to include.
    items.dedup_by(|a, b| a.label == b.label && a.insert == b.insert && a.also == b.also);
    let cut = asked.cut.get() || items.len() > MAX_ITEMS;
    items.truncate(MAX_ITEMS);
    Completions { replace: place.replace.clone(), items, cut }
}

/// Whether the letters typed occur in a label, in their order.
fn fits(label: &str, typed: &str) -> bool {
    let mut letters = label.chars();
    typed.chars().all(|c| letters.any(|l| l == c))
}

/// How well a label fits: begins with it, a word of it begins with it, contains it, has its letters.
fn closeness(label: &str, typed: &str) -> u32 {
    if label.starts_with(typed) {
        return 0;
    }
    let word = label.match_indices(typed).any(|(at, _)| {
        label.get(..at).and_then(|before| before.chars().next_back()).is_some_and(|c| !c.is_alphanumeric())
    });
    match () {
        () if word => 1,
        () if label.contains(typed) => 2,
        () => 3,
    }
}

/// A key with its colon, where none is there.
fn key_item(asked: &Asked<'_>, name: &str, kind: ItemKind, rank: u32) -> Item {
    let item = Item::new(name, kind, rank);
    if asked.place.colon { item } else { item.insert(format!("{name}: "), false) }
}

/// A text that is literal in a snippet.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('$', "\\$").replace('}', "\\}")
}

/// A scalar in quotes where it needs some and has none.
fn scalar(asked: &Asked<'_>, text: &str) -> String {
    let plain = !text.is_empty()
        && !text
            .starts_with(['*', '&', '!', '%', '@', '`', '"', '\'', '{', '[', '|', '>', '#', '-', '?', ' '])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' ']);
    if plain || asked.place.quoted { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}
