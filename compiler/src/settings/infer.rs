//! Reads all settings files into one [`Inferred`].

use super::{
    declared::Schema,
    inferred::{Definition, Inferred, Selection, Setting, Written},
};
use crate::{
    check::{
        top::{TopFiles, check_top},
        whole::foreign_renderer,
        workspace::{Unit, UnitKind, Workspace, in_parallel},
    },
    diagnostic::Diagnostic,
    infer::{Ty, written},
    project::TreeKind,
    source::Span,
    syntax::{
        Entry, Mapping, Node, NodeKind, Part, Scalar, ScalarStyle, Sequence,
        expression::Expr,
        template::{BlockKind, Template},
    },
    types::{Value, resolve_plain},
};
use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
};

/// How deep settings are followed; deeper ones are open.
const MAX_DEPTH: usize = 64;

/// Under how many keys one file may be included before what is where is given up.
const MAX_PREFIXES: usize = 32;

/// How many definitions a project may have; more make everything open, so that memory has a bound.
pub(super) const MAX_DEFINITIONS: usize = 4_000_000;

/// A ref in a settings file's `include`, with the key it is put under.
#[derive(Debug)]
pub struct SettingsInclude {
    /// The ref as written.
    pub reference: String,
    /// Where.
    pub span: Span,
    /// The keys its settings stand below; `None` when they are computed.
    pub key: Option<Vec<String>>,
    /// Whether it stands outside of branches.
    pub certain: bool,
}

/// A settings file by itself.
pub(super) struct FileSettings {
    unit: usize,
    pub(super) root: Setting,
    includes: Vec<SettingsInclude>,
    pub(super) definitions: usize,
}

impl Inferred {
    /// What a project's settings can be.
    pub fn of(workspace: &Workspace<'_>) -> Self {
        let units: Vec<usize> = (0..workspace.units.len())
            .filter(|index| workspace.units[*index].kind == UnitKind::Settings)
            .collect();
        let mut inferred = Self { files: units.len(), ..Self::default() };
        inferred.foreign = units.iter().any(|unit| workspace.is_foreign(&workspace.units[*unit]));
        let files = in_parallel(&units, |unit| FileSettings::read(*unit, workspace));
        let places = Places::of(workspace, &files);
        for file in files {
            let prefixes = places.prefixes.get(&file.unit).map_or(&[][..], Vec::as_slice);
            let Some((last, others)) = prefixes.split_last() else { continue };
            if others.is_empty() && last.is_empty() && file.is_plain() {
                inferred.plain.insert(file.unit);
            }
            inferred.places += file.definitions.saturating_mul(prefixes.len());
            if inferred.places > MAX_DEFINITIONS {
                inferred.root.open = true;
                continue;
            }
            for prefix in others {
                inferred.put(prefix, file.root.clone());
            }
            inferred.put(last, file.root);
        }
        inferred.root.open |= places.open;
        let names = |prefix: Vec<(String, Span)>| prefix.into_iter().map(|(key, _)| key).collect();
        inferred.prefixes = places
            .prefixes
            .into_iter()
            .map(|(unit, prefixes)| (unit, prefixes.into_iter().map(names).collect()))
            .collect();
        inferred.everyone = places.everyone;
        inferred.includes = places.includes;
        inferred.selections = places.selections;
        inferred.top_findings = places.findings;
        inferred.schemas = Schema::all(workspace);
        for schema in &inferred.schemas {
            inferred.root.declare(&schema.root);
        }
        inferred
    }

    /// Adds a file's settings below the keys its include names.
    fn put(&mut self, prefix: &[(String, Span)], file: Setting) {
        let mut at = &mut self.root;
        let unit = file.definitions.first().map(|d| d.unit);
        for (key, span) in prefix {
            at = at.child(key.as_str());
            if let Some(unit) = unit {
                at.define(Definition {
                    unit,
                    key: Some(*span),
                    span: *span,
                    written: Written::Map,
                    secret: false,
                    certain: false,
                    hollow: false,
                });
            }
        }
        at.join(file);
    }
}

/// Where each file's settings stand.
#[derive(Default)]
struct Places {
    /// For each file the keys it is put under; the empty list is the top.
    prefixes: HashMap<usize, Vec<Vec<(String, Span)>>>,
    /// Files that every peel has.
    everyone: HashSet<usize>,
    includes: HashMap<usize, Vec<(usize, Span)>>,
    selections: Vec<Selection>,
    findings: Vec<Diagnostic>,
    /// Some place is not known.
    open: bool,
}

impl Places {
    fn of(workspace: &Workspace<'_>, files: &[FileSettings]) -> Self {
        let mut places = Self::default();
        let mut tops = TopFiles::default();
        for unit in &workspace.units {
            if unit.kind == UnitKind::Top(TreeKind::Settings) {
                let found = check_top(workspace, unit, TreeKind::Settings, &mut places.findings);
                tops.groups.extend(found.groups);
                places.selections.extend(found.selections);
                tops.everyone.extend(found.everyone);
                tops.open |= found.open;
            }
        }
        let edges = Self::edges(workspace, files);
        let included: HashSet<usize> = edges.values().flatten().map(|(to, _)| *to).collect();
        // A file that nobody includes is selected by a top file, or by one that is not written yet.
        let selected: HashSet<usize> = tops.groups.into_iter().flatten().collect();
        let mut pending: Vec<(usize, Vec<(String, Span)>)> = files
            .iter()
            .map(|file| file.unit)
            .filter(|unit| tops.open || selected.contains(unit) || !included.contains(unit))
            .map(|unit| (unit, Vec::new()))
            .collect();
        while let Some((unit, prefix)) = pending.pop() {
            let known = places.prefixes.entry(unit).or_default();
            if known.iter().any(|other| same_keys(other, &prefix)) {
                continue;
            }
            if known.len() >= MAX_PREFIXES || prefix.len() > MAX_DEPTH {
                places.open = true;
                continue;
            }
            known.push(prefix.clone());
            for (to, include) in edges.get(&unit).into_iter().flatten() {
                match &include.key {
                    Some(keys) => {
                        let below = keys.iter().map(|key| (key.clone(), include.span));
                        pending.push((*to, prefix.iter().cloned().chain(below).collect()));
                    }
                    None => places.open = true,
                }
            }
        }
        places.includes = edges
            .iter()
            .map(|(from, to)| (*from, to.iter().map(|(to, include)| (*to, include.span)).collect()))
            .collect();
        // Only included by each other: in a circle.
        for file in files {
            places.prefixes.entry(file.unit).or_insert_with(|| vec![Vec::new()]);
        }
        // With several environments a peel may be in another one.
        if workspace.project.environments().count() == 1 {
            let mut pending = tops.everyone;
            while let Some(unit) = pending.pop() {
                if places.everyone.insert(unit) {
                    let certain = edges.get(&unit).into_iter().flatten().filter(|(_, i)| i.certain);
                    pending.extend(certain.filter(|(_, i)| i.key.as_deref() == Some(&[])).map(|(to, _)| *to));
                }
            }
        }
        places
    }

    /// What each file includes.
    fn edges<'f>(
        workspace: &Workspace<'_>,
        files: &'f [FileSettings],
    ) -> HashMap<usize, Vec<(usize, &'f SettingsInclude)>> {
        let including: Vec<&FileSettings> = files.iter().filter(|f| !f.includes.is_empty()).collect();
        let found = in_parallel(&including, |file| {
            let Some(unit) = workspace.units.get(file.unit) else { return Vec::new() };
            let resolve = |include: &SettingsInclude| {
                workspace.resolve(TreeKind::Settings, &unit.env, &include.reference, &unit.tree_path)
            };
            file.includes.iter().flat_map(|i| resolve(i).into_iter().map(move |to| (to, i))).collect()
        });
        including.iter().map(|f| f.unit).zip(found).collect()
    }
}

fn same_keys(a: &[(String, Span)], b: &[(String, Span)]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((a, _), (b, _))| a == b)
}

/// The refs that a settings file includes, on all branches; and whether there may be more.
pub fn includes_of(unit: &Unit) -> (Vec<SettingsInclude>, bool) {
    let mut reader = Reader::of(0, &unit.tree.template, None);
    let mut found = Vec::new();
    let mut open = false;
    for root in unit.tree.root.iter().flat_map(choices) {
        let Some(mapping) = root.as_mapping() else { continue };
        for entry in mapping.entries.iter().filter(|e| e.key.text().as_deref() == Some("include")) {
            open |= reader.includes(entry, &mut found);
        }
    }
    (found, open)
}

impl FileSettings {
    /// Whether it does nothing but write keys that are known.
    pub(super) fn is_plain(&self) -> bool {
        let root = &self.root;
        let more = root.open || root.merges || root.computed.is_some() || root.item.is_some();
        !more && self.includes.is_empty() && root.definitions.len() == 1
    }

    pub(super) fn read(index: usize, workspace: &Workspace<'_>) -> Self {
        let unit = &workspace.units[index];
        let mut reader = Reader::of(index, &unit.tree.template, Some(workspace));
        let mut file = Self { unit: index, root: Setting::default(), includes: Vec::new(), definitions: 0 };
        let broken = unit.tree.opaque.is_some() || unit.tree.diagnostics.iter().any(|d| d.is_error());
        if foreign_renderer(unit.tree.file, &unit.tree.text).is_some() {
            file.root.open = true;
            return file;
        }
        file.root.open = broken;
        for root in unit.tree.root.iter().flat_map(choices) {
            let certain = reader.outside(root.span.start);
            match &root.kind {
                NodeKind::Mapping(mapping) => {
                    reader.define(&mut file.root, None, root, Written::Map, certain);
                    for entry in &mapping.entries {
                        if entry.key.text().as_deref() == Some("include") {
                            file.root.open |= reader.includes(entry, &mut file.includes);
                        } else {
                            reader.entry(&mut file.root, entry, certain, 0);
                        }
                    }
                    file.root.open |= !mapping.splices.is_empty();
                }
                NodeKind::Empty => {}
                _ => file.root.open = true,
            }
        }
        file.definitions = reader.definitions;
        file
    }
}

/// The alternatives of a node.
pub(super) fn choices(node: &Node) -> Vec<&Node> {
    match &node.kind {
        NodeKind::Choice(nodes) => nodes.iter().flat_map(choices).collect(),
        _ => vec![node],
    }
}

/// Reads one file's nodes.
struct Reader<'w> {
    unit: usize,
    /// Where branches and loops are: outermost blocks, in order.
    blocks: Vec<Span>,
    definitions: usize,
    /// Who types its expressions.
    workspace: Option<&'w Workspace<'w>>,
    /// Types of its expressions, by their first byte, once one is asked for.
    types: OnceCell<HashMap<u32, Ty>>,
}

impl<'w> Reader<'w> {
    fn of(unit: usize, template: &Template, workspace: Option<&'w Workspace<'w>>) -> Self {
        let conditional = |kind: &BlockKind| !matches!(kind, BlockKind::With { .. } | BlockKind::Raw);
        let mut blocks: Vec<Span> = Vec::new();
        for block in template.blocks.iter().filter(|b| conditional(&b.kind)) {
            if blocks.last().is_none_or(|last| last.end <= block.span.start) {
                blocks.push(block.span);
            }
        }
        Self { unit, blocks, definitions: 0, workspace, types: OnceCell::new() }
    }

    /// What is known of an expression.
    fn type_of(&self, expr: &Expr) -> Ty {
        let types = self.types.get_or_init(|| {
            self.workspace.map(|workspace| written::expressions(workspace, self.unit)).unwrap_or_default()
        });
        let ty = types.get(&expr.span.start).map_or(Ty::DYNAMIC, written::kept);
        // Salt reads text that an expression gives once more: it may be a number there.
        let is_text = |ty: &Ty| matches!(ty, Ty::Str(_) | Ty::Word(_));
        let unit = self.workspace.and_then(|w| Some((w, w.units.get(self.unit)?)));
        let is_read_again = unit.is_some_and(|(w, unit)| w.is_foreign(unit));
        if is_read_again && ty.members().iter().any(is_text) { Ty::DYNAMIC } else { ty }
    }

    /// Whether a place is outside of all branches and loops.
    fn outside(&self, offset: u32) -> bool {
        let behind = self.blocks.partition_point(|b| b.start <= offset);
        behind.checked_sub(1).and_then(|last| self.blocks.get(last)).is_none_or(|b| b.end <= offset)
    }

    fn define(&mut self, at: &mut Setting, key: Option<Span>, node: &Node, written: Written, certain: bool) {
        self.definitions += 1;
        let secret = node.tag.as_deref().is_some_and(|(tag, _)| tag == "!encrypted");
        let span = if node.span.is_empty() { key.unwrap_or(node.span) } else { node.span };
        let hollow = match &node.kind {
            NodeKind::Mapping(m) if !m.flow => self.is_hollow(key, &m.entries, |e| e.key.span.start),
            NodeKind::Sequence(s) if !s.flow => self.is_hollow(key, &s.items, |i| i.span.start),
            _ => false,
        };
        at.define(Definition { unit: self.unit, key, span, written, secret, certain, hollow });
    }

    /// Whether all that stands below a key outside of branches stands in branches.
    fn is_hollow<T>(&self, key: Option<Span>, inner: &[T], start: impl Fn(&T) -> u32) -> bool {
        key.is_some_and(|key| self.outside(key.start)) && !inner.iter().any(|i| self.outside(start(i)))
    }

    fn entry(&mut self, parent: &mut Setting, entry: &Entry, certain: bool, depth: usize) {
        if depth > MAX_DEPTH {
            parent.open = true;
            return;
        }
        let Some(name) = key_of(&entry.key) else {
            parent.open = true;
            let computed = parent.computed.get_or_insert_default();
            self.value(computed, Some(entry.key.span), &entry.value, false, depth + 1);
            return;
        };
        match name.as_str() {
            "__merge__" => parent.merges = true,
            // What is left of a merge key in the tree is an expression.
            "<<" => parent.open = true,
            _ => {
                let certain = certain && self.outside(entry.key.span.start);
                self.value(parent.child(name), Some(entry.key.span), &entry.value, certain, depth + 1);
            }
        }
    }

    fn value(&mut self, at: &mut Setting, key: Option<Span>, node: &Node, certain: bool, depth: usize) {
        if depth > MAX_DEPTH {
            at.open = true;
            return;
        }
        match &node.kind {
            NodeKind::Choice(nodes) => {
                for node in nodes {
                    self.value(at, key, node, certain, depth + 1);
                }
            }
            NodeKind::Empty => self.define(at, key, node, Written::Scalar(Value::Null), certain),
            NodeKind::Scalar(scalar) => {
                let written = self.scalar(node, scalar);
                at.open |= match &written {
                    Written::Expr(ty) => !written::is_leaf(ty),
                    written => matches!(written, Written::Mixed),
                };
                self.define(at, key, node, written, certain);
            }
            NodeKind::Sequence(Sequence { items, splices, .. }) => {
                self.define(at, key, node, Written::List, certain);
                let item = at.item.get_or_insert_default();
                item.open |= !splices.is_empty();
                for node in items {
                    self.value(item, None, node, certain && self.outside(node.span.start), depth + 1);
                }
            }
            NodeKind::Mapping(Mapping { entries, splices, .. }) => {
                self.define(at, key, node, Written::Map, certain);
                at.open |= !splices.is_empty();
                for entry in entries {
                    self.entry(at, entry, certain, depth + 1);
                }
            }
            NodeKind::Splice(_) | NodeKind::Error => {
                at.open = true;
                self.define(at, key, node, Written::Unknown, certain);
            }
        }
    }

    fn scalar(&self, node: &Node, scalar: &Scalar) -> Written {
        let tag = node.tag.as_deref().map(|(tag, _)| tag.as_str());
        let is_text = scalar.style != ScalarStyle::Plain || matches!(tag, Some("!encrypted" | "!!str" | "!"));
        if tag == Some("!encrypted") {
            // What it is must not get around.
            return Written::Text;
        }
        if let Some(text) = scalar.literal() {
            return Written::Scalar(if is_text {
                Value::Str(text.into_owned())
            } else {
                resolve_plain(&text)
            });
        }
        match scalar.only_expr() {
            Some(expr) if !is_text => Written::Expr(self.type_of(expr)),
            _ if is_text || scalar.parts.iter().any(is_surely_text) => Written::Text,
            _ => Written::Mixed,
        }
    }

    /// Reads an `include`; whether it may include more than is known.
    fn includes(&mut self, entry: &Entry, found: &mut Vec<SettingsInclude>) -> bool {
        let mut open = false;
        for value in choices(&entry.value) {
            let (items, splices): (Vec<&Node>, bool) = match &value.kind {
                NodeKind::Sequence(s) => (s.items.iter().flat_map(choices).collect(), !s.splices.is_empty()),
                NodeKind::Empty => (Vec::new(), false),
                _ => (vec![value], false),
            };
            open |= splices;
            for item in items {
                let certain = self.outside(item.span.start);
                if let Some(text) = item.text() {
                    let reference = text.into_owned();
                    found.push(SettingsInclude {
                        reference,
                        span: item.span,
                        key: Some(Vec::new()),
                        certain,
                    });
                } else if let Some(mapping) = item.as_mapping() {
                    open |= !mapping.splices.is_empty();
                    for entry in &mapping.entries {
                        match entry.key.text() {
                            Some(reference) => found.push(SettingsInclude {
                                reference: reference.into_owned(),
                                span: entry.key.span,
                                key: include_key(&entry.value),
                                certain: self.outside(entry.key.span.start),
                            }),
                            None => open = true,
                        }
                    }
                } else {
                    open = true;
                }
            }
        }
        open
    }
}

/// The keys of `{ref: {key: a:b}}`; `None` when they are computed.
fn include_key(options: &Node) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    for options in choices(options) {
        match &options.kind {
            NodeKind::Mapping(mapping) => {
                if !mapping.splices.is_empty() {
                    return None;
                }
                for option in mapping.entries.iter().filter(|o| o.key.text().as_deref() == Some("key")) {
                    let text = option.value.text()?;
                    keys = text.split(':').filter(|k| !k.is_empty()).map(str::to_owned).collect();
                }
            }
            NodeKind::Empty => {}
            _ => return None,
        }
    }
    Some(keys)
}

/// The name of a key, as resolving reads it.
pub(super) fn key_of(key: &Node) -> Option<String> {
    match &key.kind {
        NodeKind::Empty => Some("null".to_owned()),
        NodeKind::Scalar(scalar) => scalar.literal().map(std::borrow::Cow::into_owned),
        _ => None,
    }
}

/// Whether a plain scalar with this part is text whatever its expressions give: no number and no word that means
/// true, false or nothing has such characters.
fn is_surely_text(part: &Part) -> bool {
    let Part::Text { text, .. } = part else { return false };
    text.contains(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '+' | '-' | '_' | '~'))
        || (text.len() > 5 && text.contains(|c: char| c.is_ascii_alphabetic() && !c.is_ascii_hexdigit()))
}
