//! `schema.zy`: what the author declares of settings, in a map of their shape.
//!
//! It is read as it is written; no template, so it says the same about every peel.

use super::read::Strategy;
use crate::{
    check::workspace::{UnitKind, Workspace},
    diagnostic::{Diagnostic, nearest},
    project::{Project, TreeKind},
    rule,
    source::Span,
    syntax::{Node, NodeKind, ScalarStyle, Tree, node_to_value},
    types::{
        NotationError, Type, Value,
        decode::{DecodeError, UNKNOWN_VALUE, decode},
    },
};
use indexmap::IndexMap;
use std::sync::Arc;

rule! {
    /// `schema.zy` does not say what it should: an unknown type or key, a leaf without the shape of one, a default
    /// that does not fit its own type.
    ///
    /// ```yaml
    /// -- settings/schema.zy --
    /// nginx:
    ///   port: {type: prot, requird: true}
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// A leaf has `type`, and perhaps `required`, `default`, `description`, `enum` and `merge`:
    ///
    /// ```yaml
    /// -- settings/schema.zy --
    /// nginx:
    ///   port: {type: port, required: true}
    /// -- settings/top.zy --
    /// base: {'*': [web]}
    /// -- settings/web.zy --
    /// nginx:
    ///   port: 80
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub MALFORMED_SCHEMA = "Z0506", "malformed-schema", Error;
}

/// The name of the file, in the root of the settings.
pub const SCHEMA_FILE: &str = "schema.zy";

/// Deepest nesting of a schema.
const MAX_DEPTH: usize = 64;

/// The keys of a leaf.
const LEAF_KEYS: &[&str] = &["type", "required", "default", "description", "enum", "merge"];

/// What is declared of one path.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its key in `schema.zy`.
    pub span: Span,
    /// The type; `None` for a map whose keys are declared one by one, and where anything is allowed.
    pub ty: Option<Type>,
    /// The only values it may have, where its type does not say so already.
    pub allowed: Vec<Value>,
    /// Whether every peel must have it.
    pub required: bool,
    /// What it is where no file writes it.
    pub default: Option<(Value, Span)>,
    /// What it is for.
    pub description: Option<String>,
    /// How lists of later files join those of earlier ones.
    pub merge: Option<Strategy>,
    /// The declared keys below it.
    pub children: IndexMap<String, Arc<Declared>>,
}

/// A `schema.zy`.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Its environment.
    pub env: String,
    /// What it declares of the whole map.
    pub root: Arc<Declared>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

impl Schema {
    /// The schemas of a check, one for each environment that has one.
    pub fn all(workspace: &Workspace<'_>) -> Vec<Schema> {
        let mut found: Vec<Schema> = Vec::new();
        for env in workspace.project.environments() {
            let Some(file) = workspace.project.find(TreeKind::Settings, env, SCHEMA_FILE) else { continue };
            let Some(unit) = workspace.by_path.get(file.path.as_str()).map(|index| &workspace.units[*index])
            else {
                continue;
            };
            if unit.kind == UnitKind::Schema {
                found.push(Self::read(&unit.tree, env));
            }
        }
        found
    }

    /// The schema of an environment, if it has one that can be read.
    pub fn load(project: &Project, env: &str) -> Option<Schema> {
        let file = project.find(TreeKind::Settings, env, SCHEMA_FILE)?;
        let tree = project.tree(&file.path).ok()?;
        Some(Self::read(&tree, env))
    }

    /// Reads a parsed file.
    pub fn read(tree: &Tree, env: &str) -> Schema {
        let mut reader = Reader { diagnostics: Vec::new() };
        let mut root = Declared::new(Span::at(tree.file, 0));
        let template = &tree.template;
        let tag = template
            .expressions
            .iter()
            .map(|(span, _)| *span)
            .chain(template.statements.iter().map(|s| s.span))
            .chain(template.blocks.iter().filter_map(|b| b.arms.first()).map(|arm| arm.tag))
            .min_by_key(|span| span.start);
        if let Some(tag) = tag {
            let help = "write what holds for every peel; values that differ belong in settings files";
            reader.wrong(tag, "`schema.zy` is no template: it is read before any peel is known", help);
        } else if let Some(node) = &tree.root {
            match &node.kind {
                NodeKind::Mapping(_) => reader.branch(&mut root, node, "", 0),
                NodeKind::Empty | NodeKind::Error => {}
                _ => {
                    let message = format!("`schema.zy` is {}, where a map is expected", node.describe());
                    reader.wrong(node.span, message, "write a map of the settings' shape");
                }
            }
        }
        Schema { env: env.to_owned(), root: Arc::new(root), diagnostics: reader.diagnostics }
    }
}

impl Declared {
    fn new(span: Span) -> Self {
        Self {
            span,
            ty: None,
            allowed: Vec::new(),
            required: false,
            default: None,
            description: None,
            merge: None,
            children: IndexMap::new(),
        }
    }

    /// Whether it says what a value may be, rather than what is below it.
    pub fn is_leaf(&self) -> bool {
        self.children.is_empty()
    }

    /// What it says of a path below it: of a declared key, or of what a map's or list's type holds.
    pub fn below(&self, key: &str) -> Option<Arc<Declared>> {
        if let Some(child) = self.children.get(key) {
            return Some(child.clone());
        }
        let inner = match self.ty.as_ref()? {
            Type::Map(inner) | Type::List(inner) => (**inner).clone(),
            Type::Record(fields) => fields.iter().find(|(name, ..)| name == key)?.1.clone(),
            _ => return None,
        };
        Some(Arc::new(Self { ty: Some(inner), ..Self::new(self.span) }))
    }

    /// Whether a value that is written, or that templates gave, is one of those declared. What depends on an
    /// expression is not judged.
    pub fn judge(&self, node: &Node) -> Result<(), DecodeError> {
        let Some(ty) = &self.ty else { return Ok(()) };
        let decoded = decode(ty, node)?;
        let Some(value) = decoded.value.filter(|value| !self.allowed.is_empty() && !value.is_null()) else {
            return Ok(());
        };
        if self.allowed.contains(&value) {
            return Ok(());
        }
        let words: Vec<String> = self.allowed.iter().map(ToString::to_string).collect();
        let shown: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
        let text = value.to_string();
        Err(DecodeError {
            rule: &UNKNOWN_VALUE,
            message: format!("expected one of {}, found `{text}`", shown.join(", ")),
            span: node.span,
            help: nearest(&text, words.iter().map(String::as_str))
                .map(|near| format!("did you mean `{near}`?")),
            expected: ty.to_string(),
            replacement: None,
        })
    }
}

struct Reader {
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    fn wrong(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::new(&MALFORMED_SCHEMA, span, message).help(help));
    }

    /// A map whose keys are settings. `path` is its own, for messages.
    fn branch(&mut self, declared: &mut Declared, node: &Node, path: &str, depth: usize) {
        let Some(mapping) = node.as_mapping() else { return };
        if depth > MAX_DEPTH {
            self.wrong(node.span, format!("a schema is nested more than {MAX_DEPTH} deep"), "flatten it");
            return;
        }
        for entry in &mapping.entries {
            let Some(key) = entry.key.text().map(std::borrow::Cow::into_owned) else {
                self.wrong(entry.key.span, "a key of a schema is text", "write the name of a setting");
                continue;
            };
            let name = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match (&entry.value.kind, key.as_str()) {
                (NodeKind::Mapping(_), _) => {
                    let child = self.entry(entry.key.span, &entry.value, &name, depth);
                    declared.children.insert(key, Arc::new(child));
                }
                // Of the map itself.
                (NodeKind::Scalar(_), "description") => {
                    declared.description = entry.value.text().map(std::borrow::Cow::into_owned);
                }
                (NodeKind::Scalar(_), "required") => self.required(declared, &entry.value),
                (NodeKind::Error, _) => {}
                // Nothing is said of it but that it exists.
                (NodeKind::Empty, _) => {
                    declared.children.insert(key, Arc::new(Declared::new(entry.key.span)));
                }
                _ => {
                    let message = format!(
                        "`{name}` is {}, where a map with `type` is expected",
                        entry.value.describe()
                    );
                    let help = match entry.value.text().map(|text| Type::parse(&text)) {
                        Some(Ok(ty)) => format!("write `{key}: {{type: {ty}}}`"),
                        _ => format!("write `{key}: {{type: str}}`"),
                    };
                    self.wrong(entry.value.span, message, help);
                }
            }
        }
    }

    fn entry(&mut self, span: Span, node: &Node, path: &str, depth: usize) -> Declared {
        let mut declared = Declared::new(span);
        if is_leaf(node) {
            self.leaf(&mut declared, node, path);
        } else {
            self.branch(&mut declared, node, path, depth + 1);
        }
        declared
    }

    fn leaf(&mut self, declared: &mut Declared, node: &Node, path: &str) {
        let mut default = None;
        let mut words: Option<(&Node, Vec<Value>)> = None;
        let mut merge = node.span;
        for entry in node.as_mapping().map_or(&[][..], |m| &m.entries) {
            let key = entry.key.text().unwrap_or_default();
            match &*key {
                "type" => declared.ty = self.written_type(&entry.value),
                "required" => self.required(declared, &entry.value),
                "default" => default = Some(&entry.value),
                "description" => match entry.value.text() {
                    Some(text) => declared.description = Some(text.into_owned()),
                    None => self.wrong(entry.value.span, "a description is text", "write a sentence"),
                },
                "enum" => {
                    let values =
                        entry.value.as_sequence().map(|list| list.items.iter().map(node_to_value).collect());
                    match values.flatten() {
                        Some(values) if !Vec::is_empty(&values) => words = Some((&entry.value, values)),
                        _ => self.wrong(
                            entry.value.span,
                            "`enum` is the list of values that are allowed",
                            "write `enum: [a, b]`",
                        ),
                    }
                }
                "merge" => {
                    let word = entry.value.text().unwrap_or_default();
                    declared.merge = Strategy::of_word(&word);
                    merge = entry.value.span;
                    if declared.merge.is_none() {
                        let help = match nearest(&word, ["append", "unique", "replace"]) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => "write `append`, `unique` or `replace`".to_owned(),
                        };
                        let message = format!("there is no way `{word}` to merge lists");
                        self.wrong(entry.value.span, message, help);
                    }
                }
                _ => {
                    let help = match nearest(&key, LEAF_KEYS.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("the keys are {}", LEAF_KEYS.join(", ")),
                    };
                    let message = format!("`{key}` says nothing of the setting `{path}`, which has a type");
                    self.wrong(entry.key.span, message, help);
                }
            }
        }
        if let Some((node, words)) = words {
            self.restrict(declared, node, words);
        }
        if let (Some(strategy), Some(ty)) = (declared.merge, &declared.ty)
            && strategy != Strategy::Replace
            && !may_be_list(ty)
        {
            let message = format!("`{path}` is `{ty}`, and only lists are merged");
            self.wrong(merge, message, "give it the type `list<…>`, or leave `merge` out");
        }
        let Some(node) = default else { return };
        let Some(value) = node_to_value(node) else { return };
        if let Err(error) = declared.judge(node) {
            let help = error.help.unwrap_or_else(|| "give it a value of its type".to_owned());
            self.wrong(error.span, format!("the default of `{path}` does not fit: {}", error.message), help);
            return;
        }
        declared.default = Some((value, node.span));
    }

    /// `enum` beside the type: words become part of it.
    fn restrict(&mut self, declared: &mut Declared, node: &Node, values: Vec<Value>) {
        let words = || values.iter().map(ToString::to_string).collect::<Vec<_>>();
        match &declared.ty {
            None => declared.ty = Some(Type::Enum(words())),
            Some(Type::Str) => declared.ty = Some(Type::Enum(words())),
            Some(Type::List(inner)) if matches!(**inner, Type::Str | Type::Any) => {
                declared.ty = Some(Type::List(Box::new(Type::Enum(words()))));
            }
            Some(ty) => {
                let items = node.as_sequence().map_or(&[][..], |list| &list.items);
                for item in items {
                    match decode(ty, item) {
                        Ok(decoded) => declared.allowed.extend(decoded.value),
                        Err(error) => {
                            let message =
                                format!("a word of `enum` does not fit the type: {}", error.message);
                            self.diagnostics.push(
                                Diagnostic::new(&MALFORMED_SCHEMA, error.span, message)
                                    .help("write values of the type beside it"),
                            );
                        }
                    }
                }
            }
        }
    }

    fn required(&mut self, declared: &mut Declared, node: &Node) {
        match node_to_value(node) {
            Some(Value::Bool(required)) => declared.required = required,
            _ => self.wrong(node.span, "`required` is true or false", "write `required: true`"),
        }
    }

    fn written_type(&mut self, node: &Node) -> Option<Type> {
        let Some(text) = node.text() else {
            let message = format!("a type is text, not {}", node.describe());
            self.wrong(node.span, message, "write `type: str`");
            return None;
        };
        match Type::parse(&text) {
            Ok(ty) => Some(ty),
            Err(NotationError { message, help, range }) => {
                // The places within the text are those of the file only where nothing is escaped in it.
                let plain = matches!(&node.kind, NodeKind::Scalar(s) if s.style == ScalarStyle::Plain);
                let quoted = matches!(&node.kind, NodeKind::Scalar(s)
                    if matches!(s.style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted));
                let start = node.span.start as usize + usize::from(quoted);
                let as_written = node.span.range().len() == text.len() + if quoted { 2 } else { 0 };
                let span = if (plain || quoted) && as_written && !range.is_empty() {
                    Span::new(node.span.file, start + range.start..start + range.end)
                } else {
                    node.span
                };
                self.wrong(span, message, help.unwrap_or_else(|| "correct the type".to_owned()));
                None
            }
        }
    }
}

/// Whether a map of a schema is a leaf: it has a type written out, or nothing but what leaves have.
fn is_leaf(node: &Node) -> bool {
    let Some(mapping) = node.as_mapping() else { return false };
    let is_map = |node: &Node| matches!(node.kind, NodeKind::Mapping(_));
    let key = |key: &Node| key.text().map(std::borrow::Cow::into_owned).unwrap_or_default();
    let typed = mapping.entries.iter().any(|e| key(&e.key) == "type" && !is_map(&e.value));
    let leaf_keys = |e: &crate::syntax::Entry| {
        let key = key(&e.key);
        LEAF_KEYS.contains(&key.as_str()) && (key == "default" || !is_map(&e.value))
    };
    typed || (!mapping.entries.is_empty() && mapping.entries.iter().all(leaf_keys))
}

fn may_be_list(ty: &Type) -> bool {
    match ty {
        Type::List(_) | Type::Any => true,
        Type::Secret(inner) => may_be_list(inner),
        Type::Union(members) => members.iter().any(may_be_list),
        _ => false,
    }
}
