//! From a rendered settings document to values that know their places and their secrets.

use super::{
    Declared, SETTINGS_FILE_SHAPE, Unseal,
    sealed::{is_sealed, open},
    validate::keeps_words,
};
use crate::{
    diagnostic::Diagnostic,
    source::Span,
    syntax::{Mapping, Node, NodeKind, Part, Scalar, ScalarStyle},
    types::{Map, Type, Value, decode::decode, resolve_plain},
};
use indexmap::IndexMap;
use std::sync::Arc;

/// Deepest nesting of settings.
const MAX_DEPTH: usize = 128;

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub kind: PlacedKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub(super) enum PlacedKind {
    /// A map: entries with the place of their keys, and how its lists merge.
    Map(IndexMap<String, Placed>, Strategies),
    /// A scalar or list, with the paths of the secrets in it (empty path: all of it).
    Leaf(Value, Vec<Vec<String>>),
}

/// How the lists of a map merge into those of earlier files.
#[derive(Clone, Debug, Default)]
pub(super) struct Strategies {
    pub all: Option<Strategy>,
    pub keys: IndexMap<String, Strategy>,
}

impl Strategies {
    /// What is said beside the list, if anything.
    pub fn of(&self, key: &str) -> Option<Strategy> {
        self.keys.get(key).copied().or(self.all)
    }
}

/// How one list merges into an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Strategy {
    /// The later list stands alone.
    #[default]
    Replace,
    /// Its items come behind the earlier ones.
    Append,
    /// Likewise, without those that are there already.
    Unique,
}

impl Strategy {
    /// The strategy of a word of `__merge__` or `schema.zy`.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "replace" => Strategy::Replace,
            "append" => Strategy::Append,
            "unique" => Strategy::Unique,
            _ => return None,
        })
    }
}

/// Reads nodes of rendered text; `place` gives the source of a place there.
pub(super) struct Reader<'r> {
    pub place: &'r dyn Fn(Span) -> Span,
    pub unseal: Option<&'r dyn Unseal>,
    pub diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    pub fn wrong(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let span = (self.place)(span);
        self.diagnostics.push(Diagnostic::new(&SETTINGS_FILE_SHAPE, span, message).help(help));
    }

    /// The value of a node, read as what is declared of it; `None` where an error was reported.
    pub fn value(&mut self, node: &Node, declared: Option<&Arc<Declared>>, depth: usize) -> Option<Placed> {
        let span = (self.place)(node.span);
        if depth > MAX_DEPTH {
            self.wrong(node.span, format!("settings are nested more than {MAX_DEPTH} deep"), "flatten them");
            return None;
        }
        let secret = self.is_secret(node)?;
        let leaf = |value| {
            let secrets = if secret { vec![Vec::new()] } else { Vec::new() };
            Some(Placed { kind: PlacedKind::Leaf(value, secrets), span })
        };
        if matches!(node.kind, NodeKind::Scalar(_) | NodeKind::Sequence(_))
            && let Some(value) = as_declared(node, declared)
        {
            return leaf(value);
        }
        match &node.kind {
            NodeKind::Empty => leaf(Value::Null),
            NodeKind::Scalar(scalar) if secret => leaf(self.opened(scalar, node)?),
            NodeKind::Scalar(scalar) => match self.typed(scalar, node) {
                // A map that an expression gave merges like one that is written out.
                Value::Map(map) => Some(from_value(&Value::Map(map), span)),
                value => leaf(value),
            },
            NodeKind::Sequence(sequence) => {
                let (mut items, mut secrets) = (Vec::new(), Vec::new());
                for (index, item) in sequence.items.iter().enumerate() {
                    let inner = declared.and_then(|d| d.below(ITEM));
                    let (value, inner) = self.value(item, inner.as_ref(), depth + 1)?.into_value();
                    for path in inner {
                        secrets.push(std::iter::once(index.to_string()).chain(path).collect());
                    }
                    items.push(value);
                }
                Some(Placed { kind: PlacedKind::Leaf(Value::List(items), secrets), span })
            }
            NodeKind::Mapping(mapping) => self.map(mapping, span, declared, depth),
            // What could not be parsed has its own diagnostic; splices and choices do not occur in rendered text.
            NodeKind::Error | NodeKind::Splice(_) | NodeKind::Choice(_) => None,
        }
    }

    fn is_secret(&mut self, node: &Node) -> Option<bool> {
        let tag = node.tag.as_deref().filter(|(tag, _)| tag == "!encrypted");
        // A sealed text is a secret, marked or not.
        let Some((_, tag_span)) = tag else { return Some(node.text().is_some_and(|text| is_sealed(&text))) };
        if matches!(node.kind, NodeKind::Scalar(_)) {
            return Some(true);
        }
        self.wrong(
            *tag_span,
            format!("`!encrypted` marks {}, where text is expected", node.describe()),
            "mark each value in it",
        );
        None
    }

    /// A secret's text, opened where it is sealed.
    fn opened(&mut self, scalar: &Scalar, node: &Node) -> Option<Value> {
        let text = scalar.literal().unwrap_or_default();
        match open(&text, (self.place)(node.span), self.unseal) {
            Ok(plain) => Some(Value::Str(plain)),
            Err(diagnostic) => {
                self.diagnostics.push(*diagnostic);
                None
            }
        }
    }

    /// A scalar's value: text where it is quoted, else what Salt's loader makes of it; an expression that
    /// is all of it keeps its type.
    fn typed(&mut self, scalar: &Scalar, node: &Node) -> Value {
        if let [Part::Value { value, .. }] = scalar.parts.as_slice()
            && scalar.style == ScalarStyle::Plain
        {
            return (**value).clone();
        }
        let text = scalar.literal().unwrap_or_default();
        let as_text = node.tag.as_deref().is_some_and(|(tag, _)| tag == "!!str" || tag == "!");
        if scalar.style == ScalarStyle::Plain && !as_text {
            return resolve_plain(&text);
        }
        Value::Str(text.into_owned())
    }

    fn map(
        &mut self,
        mapping: &Mapping,
        span: Span,
        declared: Option<&Arc<Declared>>,
        depth: usize,
    ) -> Option<Placed> {
        let mut entries: IndexMap<String, Placed> = IndexMap::new();
        let mut strategies = Strategies::default();
        let mut inherited: Vec<Placed> = Vec::new();
        for entry in &mapping.entries {
            let Some(key) = self.key(&entry.key) else { continue };
            if key == "__merge__" {
                strategies = self.strategies(&entry.value);
                continue;
            }
            if key == "<<" {
                let bases = match &entry.value.kind {
                    NodeKind::Sequence(sequence) => sequence.items.as_slice(),
                    _ => std::slice::from_ref(&entry.value),
                };
                inherited.extend(bases.iter().filter_map(|base| self.value(base, declared, depth + 1)));
                continue;
            }
            let below = declared.and_then(|d| d.below(&key));
            let Some(mut value) = self.value(&entry.value, below.as_ref(), depth + 1) else { continue };
            // The key is what stands out in a list of places.
            value.span = (self.place)(entry.key.span.to(entry.value.span));
            entries.insert(key, value);
        }
        for base in inherited {
            let PlacedKind::Map(base, _) = base.kind else { continue };
            for (key, value) in base {
                entries.entry(key).or_insert(value);
            }
        }
        Some(Placed { kind: PlacedKind::Map(entries, strategies), span })
    }

    pub fn key(&mut self, key: &Node) -> Option<String> {
        match &key.kind {
            // A key's own text is its name: `01` and `yes` stay as they are written.
            NodeKind::Scalar(scalar) => scalar.literal().map(std::borrow::Cow::into_owned),
            NodeKind::Empty => Some("null".to_owned()),
            NodeKind::Error => None,
            _ => {
                let message = format!("{} cannot be a key of settings", key.describe());
                self.wrong(key.span, message, "write text");
                None
            }
        }
    }

    fn strategies(&mut self, node: &Node) -> Strategies {
        let mut strategies = Strategies::default();
        if let Some(mapping) = node.as_mapping() {
            for entry in &mapping.entries {
                if let (Some(key), Some(strategy)) = (self.key(&entry.key), self.strategy(&entry.value)) {
                    strategies.keys.insert(key, strategy);
                }
            }
        } else if let Some(strategy) = self.strategy(node) {
            strategies.all = Some(strategy);
        }
        strategies
    }

    fn strategy(&mut self, node: &Node) -> Option<Strategy> {
        let word = node.text();
        let strategy = word.as_deref().and_then(Strategy::of_word);
        if strategy.is_none() {
            let found = word.map_or_else(|| node.describe().to_owned(), |word| format!("`{word}`"));
            self.wrong(
                node.span,
                format!("`__merge__` is {found}, where a way to merge lists is expected"),
                "write `append`, `unique` or `replace`, or a map from keys to these words",
            );
        }
        strategy
    }
}

impl Placed {
    /// The plain value, and the paths of the secrets in it.
    pub fn into_value(self) -> (Value, Vec<Vec<String>>) {
        match self.kind {
            PlacedKind::Leaf(value, secrets) => (value, secrets),
            PlacedKind::Map(entries, _) => {
                let (mut map, mut secrets) = (Map::new(), Vec::new());
                for (key, placed) in entries {
                    let (value, inner) = placed.into_value();
                    for path in inner {
                        secrets.push(std::iter::once(key.clone()).chain(path).collect());
                    }
                    map.insert(key, value);
                }
                (Value::Map(map), secrets)
            }
        }
    }
}

/// The key under which [`Declared::below`] has the items of lists.
const ITEM: &str = "0";

/// A value in the form that its declared type gives it: `version: 1.10` is text where text is declared, and one value
/// is a list of one. What does not fit is reported once all files are merged.
fn as_declared(node: &Node, declared: Option<&Arc<Declared>>) -> Option<Value> {
    let ty = declared?.ty.as_ref().filter(|ty| !matches!(ty, Type::Any))?;
    if holds_secret(node) || keeps_words(ty) {
        return None;
    }
    decode(ty, node).ok()?.value.filter(|value| !matches!(value, Value::Map(_)))
}

fn holds_secret(node: &Node) -> bool {
    node.tag.as_deref().is_some_and(|(tag, _)| tag == "!encrypted")
        || match &node.kind {
            NodeKind::Scalar(scalar) => scalar.literal().is_some_and(|text| is_sealed(&text)),
            NodeKind::Sequence(sequence) => sequence.items.iter().any(holds_secret),
            NodeKind::Mapping(mapping) => mapping.entries.iter().any(|e| holds_secret(&e.value)),
            _ => false,
        }
}

/// A value all of which stands at one place: an override, what an expression gave.
pub(super) fn from_value(value: &Value, span: Span) -> Placed {
    let kind = match value {
        Value::Map(map) => PlacedKind::Map(
            map.iter().map(|(key, value)| (key.clone(), from_value(value, span))).collect(),
            Strategies::default(),
        ),
        leaf => PlacedKind::Leaf(leaf.clone(), Vec::new()),
    };
    Placed { kind, span }
}
