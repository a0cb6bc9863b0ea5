//! Settings files against their schema and against each other, as they are written: every file, every branch.

use super::workspace::Workspace;
use crate::{
    diagnostic::{Diagnostic, Rule, nearest},
    infer::{Ty, misfit, written},
    rule,
    settings::{
        Declared, Definition, Inferred, SCHEMA_FILE, SETTINGS_SHAPE, Setting, Written,
        validate::{in_parts, missing, no_map, not_that, violation},
    },
    source::Span,
    syntax::{Mapping, Node, NodeKind},
    types::Type,
};
use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
};

rule! {
    /// A settings file writes a key that `schema.zy` does not declare, and that is nearly one it does.
    ///
    /// A schema need not declare every setting, so this is said only where a name was probably misspelt.
    ///
    /// ```yaml
    /// -- settings/schema.zy --
    /// nginx:
    ///   port: {type: port}
    /// -- settings/web.zy --
    /// nginx:
    ///   prot: 80
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// Write the declared name, or declare the other one too:
    ///
    /// ```yaml
    /// -- settings/schema.zy --
    /// nginx:
    ///   port: {type: port}
    /// -- settings/web.zy --
    /// nginx:
    ///   port: 80
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub UNDECLARED_SETTING = "Z0509", "undeclared-setting", Warning;

    /// A list in a settings file replaces the list of an earlier file.
    ///
    /// That is how settings merge where nothing else is said. This rule is off; a project that wants each of its lists
    /// to say how it merges sets `lint: {list-replaced: warn}`.
    ///
    /// ```yaml
    /// -- zester.yaml --
    /// lint: {list-replaced: warn}
    /// -- settings/top.zy --
    /// base: {'*': [common, web]}
    /// -- settings/common.zy --
    /// ports: [80]
    /// -- settings/web.zy --
    /// ports: [443]
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// Say which of the two is meant, beside the list or in `schema.zy`:
    ///
    /// ```yaml
    /// -- zester.yaml --
    /// lint: {list-replaced: warn}
    /// -- settings/top.zy --
    /// base: {'*': [common, web]}
    /// -- settings/common.zy --
    /// ports: [80]
    /// -- settings/web.zy --
    /// __merge__: append
    /// ports: [443]
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub LIST_REPLACED = "Z0514", "list-replaced", Allow;
}

/// Checks all settings files. `is_on` tells whether a rule's findings are wanted.
pub fn check_settings(
    workspace: &Workspace<'_>,
    inferred: &Inferred,
    is_on: &dyn Fn(&Rule) -> bool,
    found: &mut Vec<Diagnostic>,
) {
    // An environment without a schema of its own has that of `base`.
    let of = |env: &str| inferred.schemas.iter().find(|schema| schema.env == env);
    let schema_of = |env: &str| of(env).or_else(|| of(crate::project::BASE));
    for (index, unit) in workspace.units.iter().enumerate() {
        if !unit.is_settings() {
            continue;
        }
        let Some(schema) = schema_of(&unit.env) else { continue };
        let Some(root) = &unit.tree.root else { continue };
        for prefix in inferred.prefixes.get(&index).into_iter().flatten() {
            let declared = prefix.iter().try_fold(schema.root.clone(), |at, key| at.below(key));
            let Some(declared) = declared else { continue };
            let mut walk = Walk { path: prefix.clone(), top: prefix.is_empty(), found };
            walk.node(&declared, root, None);
        }
    }
    if !inferred.is_known() {
        return;
    }
    for schema in &inferred.schemas {
        required(&inferred.root, &schema.root, &mut Vec::new(), found);
        let is_its = |unit: usize| {
            let theirs = workspace.units.get(unit).and_then(|unit| schema_of(&unit.env));
            theirs.is_some_and(|theirs| std::ptr::eq(theirs, schema))
        };
        expressions(&inferred.root, &schema.root, &is_its, &mut Vec::new(), found);
    }
    let meetings = Meetings { workspace, inferred, lists: is_on(&LIST_REPLACED), orders: OnceCell::new() };
    meetings.setting(&inferred.root, false, &mut Vec::new(), found);
}

/// Reports required settings that no file writes.
fn required(at: &Setting, declared: &Declared, path: &mut Vec<String>, found: &mut Vec<Diagnostic>) {
    for (key, inner) in &declared.children {
        let Some(child) = at.children.get(key) else { continue };
        path.push(key.clone());
        if child.definitions.is_empty() && !at.open && at.computed.is_none() {
            if inner.required && inner.default.is_none() && (path.len() == 1 || !at.definitions.is_empty()) {
                found.push(missing(&path.join("."), inner));
            }
        } else if !child.open {
            required(child, inner, path, found);
        }
        path.pop();
    }
}

/// Reports expressions that give what the schema does not take. `is_its` tells whether a file has this schema.
fn expressions(
    at: &Setting,
    declared: &Declared,
    is_its: &dyn Fn(usize) -> bool,
    path: &mut Vec<String>,
    found: &mut Vec<Diagnostic>,
) {
    for (key, inner) in &declared.children {
        let Some(child) = at.children.get(key) else { continue };
        path.push(key.clone());
        for definition in child.definitions.iter().filter(|d| !d.secret && is_its(d.unit)) {
            let Written::Expr(ty) = &definition.written else { continue };
            match &inner.ty {
                Some(wanted) => {
                    if let Some(expected) = misfit(ty, wanted) {
                        let message =
                            format!("expected {expected}, and this expression gives {}", ty.describe());
                        found.push(not_that(&path.join("."), inner, definition.span, &message));
                    }
                }
                None if !inner.children.is_empty() && is_value(ty) => {
                    found.push(no_map(&path.join("."), inner, &ty.describe(), definition.span));
                }
                None => {}
            }
        }
        expressions(child, inner, is_its, path, found);
        path.pop();
    }
}

/// Whether it is a single value, and not nothing.
fn is_value(ty: &Ty) -> bool {
    written::is_leaf(ty) && !ty.members().contains(&Ty::Null)
}

/// One file against what is declared.
struct Walk<'f> {
    path: Vec<String>,
    /// At the top of a file that is put at the top, where `include` is no setting.
    top: bool,
    found: &'f mut Vec<Diagnostic>,
}

impl Walk<'_> {
    fn node(&mut self, declared: &Declared, node: &Node, key: Option<Span>) {
        if let NodeKind::Choice(nodes) = &node.kind {
            for node in nodes {
                self.node(declared, node, key);
            }
            return;
        }
        match &declared.ty {
            Some(ty) => self.leaf(declared, ty, node),
            None if !declared.children.is_empty() => self.branch(declared, node, key),
            None => {}
        }
    }

    fn leaf(&mut self, declared: &Declared, ty: &Type, node: &Node) {
        // What a secret is must not be said, and what is sealed has no type yet.
        if ty.is_secret() || holds_secret(node) {
            return;
        }
        let declared = Declared { ty: Some(in_parts(ty)), ..declared.clone() };
        if let Err(error) = declared.judge(node) {
            self.found.push(violation(&self.path.join("."), &declared, error));
        }
    }

    fn branch(&mut self, declared: &Declared, node: &Node, key: Option<Span>) {
        let top = std::mem::take(&mut self.top);
        let mapping = match &node.kind {
            NodeKind::Mapping(mapping) => mapping,
            NodeKind::Sequence(_) => return self.wrong_shape(declared, node, "a list", key),
            // Text that is an expression may be a map.
            NodeKind::Scalar(scalar) if scalar.literal().is_some_and(|text| !is_null(&text)) => {
                let found = if holds_secret(node) { "a secret" } else { "a single value" };
                return self.wrong_shape(declared, node, found, key);
            }
            _ => return,
        };
        for entry in &mapping.entries {
            let Some(name) = entry.key.text() else { continue };
            if name == "__merge__" || name == "<<" || (top && name == "include") {
                continue;
            }
            self.path.push(name.clone().into_owned());
            match declared.children.get(&*name) {
                Some(inner) => self.node(inner, &entry.value, Some(entry.key.span)),
                None => self.undeclared(declared, mapping, &name, entry.key.span),
            }
            self.path.pop();
        }
    }

    fn wrong_shape(&mut self, declared: &Declared, node: &Node, found: &str, key: Option<Span>) {
        let span = if node.span.is_empty() { key.unwrap_or(node.span) } else { node.span };
        self.found.push(no_map(&self.path.join("."), declared, found, span));
    }

    fn undeclared(&mut self, declared: &Declared, mapping: &Mapping, name: &str, span: Span) {
        let written = |key: &str| mapping.entries.iter().any(|e| e.key.text().as_deref() == Some(key));
        let candidates = declared.children.keys().map(String::as_str).filter(|key| !written(key));
        let Some(near) = nearest(name, candidates) else { return };
        let mut diagnostic = Diagnostic::new(
            &UNDECLARED_SETTING,
            span,
            format!("`{}` is not declared in `{SCHEMA_FILE}`", self.path.join(".")),
        )
        .help(format!("did you mean `{near}`?"))
        .fix(format!("rename to `{near}`"), crate::diagnostic::Applicability::Unsafe, span, near);
        if let Some(known) = declared.children.get(near) {
            diagnostic = diagnostic.label(known.span, format!("`{near}` is declared here"));
        }
        self.found.push(diagnostic);
    }
}

fn is_null(text: &str) -> bool {
    crate::types::resolve_plain(text).is_null()
}

/// Whether something in a node is `!encrypted`.
pub(super) fn holds_secret(node: &Node) -> bool {
    node.tag.as_deref().is_some_and(|(tag, _)| tag == "!encrypted")
        || match &node.kind {
            NodeKind::Sequence(sequence) => sequence.items.iter().any(holds_secret),
            NodeKind::Mapping(mapping) => mapping.entries.iter().any(|e| holds_secret(&e.value)),
            NodeKind::Choice(nodes) => nodes.iter().any(holds_secret),
            _ => false,
        }
}

/// Files that one peel surely has together, and what they do to each other.
struct Meetings<'w> {
    workspace: &'w Workspace<'w>,
    inferred: &'w Inferred,
    /// Whether lists are looked at.
    lists: bool,
    /// For each target the place of its files in the order in which they merge; made when first needed.
    orders: OnceCell<Vec<HashMap<usize, usize>>>,
}

/// Two places that write one path on one peel, the later one last.
type Meeting<'d> = (&'d Definition, &'d Definition);

impl Meetings<'_> {
    fn setting(&self, at: &Setting, merges: bool, path: &mut Vec<String>, found: &mut Vec<Diagnostic>) {
        if at.declared.as_ref().is_none_or(|d| d.ty.is_none() && d.children.is_empty()) {
            self.shapes(at, path, found);
        }
        let says = merges || at.declared.as_ref().is_some_and(|d| d.merge.is_some());
        if self.lists && !says && !path.is_empty() {
            self.lists(at, path, found);
        }
        for (key, child) in &at.children {
            path.push(key.clone());
            self.setting(child, at.merges, path, found);
            path.pop();
        }
    }

    fn shapes(&self, at: &Setting, path: &[String], found: &mut Vec<Diagnostic>) {
        let maps: Vec<&Definition> =
            at.definitions.iter().filter(|d| matches!(d.written, Written::Map)).collect();
        let others: Vec<&Definition> = at.definitions.iter().filter(|d| is_single(&d.written)).collect();
        if maps.is_empty() || others.is_empty() {
            return;
        }
        let pairs = maps.iter().flat_map(|map| others.iter().map(move |other| (*map, *other)));
        let Some((earlier, later)) = pairs.take(MAX_PAIRS).find_map(|(a, b)| self.meeting(a, b)) else {
            return;
        };
        let name = path.join(".");
        found.push(
            Diagnostic::new(
                &SETTINGS_SHAPE,
                later.key.unwrap_or(later.span),
                format!(
                    "`{name}` is {} in `{}` and {} here, which replaces it",
                    described(&earlier.written),
                    self.file(earlier),
                    described(&later.written)
                ),
            )
            .label(earlier.key.unwrap_or(earlier.span), format!("{} here", described(&earlier.written)))
            .help("give the setting one shape, or another name"),
        );
    }

    fn lists(&self, at: &Setting, path: &[String], found: &mut Vec<Diagnostic>) {
        let lists: Vec<&Definition> =
            at.definitions.iter().filter(|d| matches!(d.written, Written::List) && d.key.is_some()).collect();
        if lists.len() < 2 {
            return;
        }
        let pairs = lists.iter().enumerate().flat_map(|(i, a)| lists[i + 1..].iter().map(move |b| (*a, *b)));
        let mut said = HashSet::new();
        for (earlier, later) in pairs.take(MAX_PAIRS).filter_map(|(a, b)| self.meeting(a, b)) {
            if !said.insert(later.span) {
                continue;
            }
            found.push(
                Diagnostic::new(
                    &LIST_REPLACED,
                    later.key.unwrap_or(later.span),
                    format!("The list `{}` replaces that of `{}`", path.join("."), self.file(earlier)),
                )
                .label(earlier.key.unwrap_or(earlier.span), "this list is lost")
                .help(
                    "write `__merge__: append` (or `replace`) beside it, or `merge: append` in `schema.zy`",
                ),
            );
        }
    }

    fn file(&self, definition: &Definition) -> &str {
        self.workspace.units.get(definition.unit).map_or("", |unit| &unit.tree_path)
    }

    /// Whether some peel surely has both, and which comes later.
    fn meeting<'d>(&self, a: &'d Definition, b: &'d Definition) -> Option<Meeting<'d>> {
        if a.unit == b.unit {
            // Twice in one file is either a duplicate key or exclusive branches.
            return None;
        }
        let orders = self.orders.get_or_init(|| {
            let places = |files: &[usize]| {
                self.closure(files).into_iter().enumerate().map(|(n, unit)| (unit, n)).collect()
            };
            self.inferred.selections.iter().map(|s| places(&s.files)).collect()
        });
        for order in orders {
            if let (Some(x), Some(y)) = (order.get(&a.unit), order.get(&b.unit)) {
                return Some(if x < y { (a, b) } else { (b, a) });
            }
        }
        let everyone = |d: &Definition| self.inferred.everyone.contains(&d.unit);
        let selected = |d: &Definition| orders.iter().any(|order| order.contains_key(&d.unit));
        match (everyone(a), everyone(b)) {
            (true, _) if selected(b) => Some((a, b)),
            (_, true) if selected(a) => Some((b, a)),
            _ => None,
        }
    }

    /// Files with what they include, in the order in which they merge.
    fn closure(&self, files: &[usize]) -> Vec<usize> {
        let mut order = Vec::new();
        let mut seen = HashSet::new();
        // Each file is on the stack twice: to open it, and to put it behind what it includes.
        let mut pending: Vec<(usize, bool)> = files.iter().rev().map(|file| (*file, false)).collect();
        while let Some((file, opened)) = pending.pop() {
            if opened {
                order.push(file);
            } else if seen.insert(file) {
                pending.push((file, true));
                let includes = self.inferred.includes.get(&file).into_iter().flatten();
                pending.extend(includes.rev().map(|(to, _)| (*to, false)));
            }
        }
        order
    }
}

/// Pairs of places that are looked at for one setting.
const MAX_PAIRS: usize = 64;

/// Whether something is written that is no map, for certain. An empty `key:` is often a placeholder.
fn is_single(written: &Written) -> bool {
    match written {
        Written::Scalar(value) => !value.is_null(),
        Written::Text | Written::List => true,
        Written::Expr(ty) => is_value(ty),
        Written::Mixed | Written::Map | Written::Unknown => false,
    }
}

fn described(written: &Written) -> &'static str {
    match written {
        Written::Scalar(value) => value.describe(),
        Written::Text | Written::Mixed => "text",
        Written::List => "a list",
        Written::Map => "a map",
        Written::Expr(_) | Written::Unknown => "a value",
    }
}
