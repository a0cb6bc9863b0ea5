//! What each path of the settings can be: the union over all settings files and branches, with the places.
//!
//! [`Inferred::of`] reads a project's settings files as they are written, on no peel's behalf; `schema.zy` refines
//! what it finds. What is not here does not exist on any peel, unless something on the way to it is [open](Setting::open).

use super::declared::{Declared, Schema};
use crate::{
    check::workspace::{Unit, Workspace},
    diagnostic::{Diagnostic, nearest},
    infer::Ty,
    source::Span,
    syntax::template::Template,
    target::Target,
    types::Value,
};
use indexmap::{IndexMap, map::Entry};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// What a project's settings can be.
#[derive(Clone, Debug, Default)]
pub struct Inferred {
    /// The map of all settings.
    pub root: Setting,
    /// How many settings files there are. With none (a bare formula) nothing is known of settings, and nothing may
    /// be said about them.
    pub files: usize,
    /// Whether a file is one of Salt's: its master may have further sources of pillar.
    pub foreign: bool,
    /// Files (indices of the workspace's units) that every peel has, whoever it is.
    pub everyone: HashSet<usize>,
    /// For each file the keys it is put under by those that include it; the empty list is the top.
    pub prefixes: HashMap<usize, Vec<Vec<String>>>,
    /// What each file includes, with the place of the ref.
    pub includes: HashMap<usize, Vec<(usize, Span)>>,
    /// The targets of the top files, in order: the files they select, and whose target it is.
    pub selections: Vec<Selection>,
    /// What is wrong with the top files.
    pub top_findings: Vec<Diagnostic>,
    /// The schemas, one for each environment that has one.
    pub schemas: Vec<Schema>,
    /// Files that do nothing but write keys at the top: a change in one of them is a change below its keys.
    pub plain: HashSet<usize>,
    /// How many places there are, at most: those that a changed file had before stay counted.
    pub places: usize,
}

/// A target of a settings top file.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Where the target stands.
    pub span: Span,
    /// The target.
    pub target: Target,
    /// The files it names: indices of the workspace's units.
    pub files: Vec<usize>,
}

/// A path of the settings.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// The places that write it, files in the order of their paths.
    pub definitions: Vec<Definition>,
    /// What is below its keys, in the order in which they are first written.
    pub children: IndexMap<String, Arc<Setting>>,
    /// What is below keys that are computed (`{{ user }}: …`).
    pub computed: Option<Box<Setting>>,
    /// The items of lists.
    pub item: Option<Box<Setting>>,
    /// Keys or items that are not known here may exist: a computed key, text spliced in by an expression, a value
    /// that is an expression, a file that is not understood.
    pub open: bool,
    /// What `schema.zy` says of it.
    pub declared: Option<Arc<Declared>>,
    /// Whether some file says `__merge__` of what is below it.
    pub merges: bool,
}

/// A place that writes a setting.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The file: index of the workspace's units.
    pub unit: usize,
    /// The key; `None` for items of lists and for a file's whole document.
    pub key: Option<Span>,
    /// The value; the key where nothing is written behind it.
    pub span: Span,
    /// What is written.
    pub written: Written,
    /// Whether it is `!encrypted`.
    pub secret: bool,
    /// Whether it stands outside of the file's branches and loops, as do the keys it stands below.
    pub certain: bool,
    /// Whether all that stands below the key stands in branches, so that nothing may be left: `null`.
    pub hollow: bool,
}

/// What is written as a setting's value.
#[derive(Clone, Debug)]
pub enum Written {
    /// A scalar without expressions, as Salt's loader reads it; nothing is `null`.
    Scalar(Value),
    /// Text that is not known: a secret, or text with expressions in it.
    Text,
    /// A plain scalar with expressions and blocks in it: what it is depends on its text.
    Mixed,
    /// One expression, which keeps its type; `any` where that hangs on more than facts.
    Expr(Ty),
    /// A list; see [`Setting::item`].
    List,
    /// A map; see [`Setting::children`].
    Map,
    /// Text of an expression or include that is YAML of its own, or what cannot be read.
    Unknown,
}

/// Where a path leads.
#[derive(Clone, Copy, Debug)]
pub enum Found<'i> {
    /// To something that is written or declared.
    Setting(&'i Setting),
    /// Perhaps somewhere: something on the way is open, or all of it is not known.
    Perhaps,
    /// Nowhere, on any peel.
    Nothing {
        /// The last setting on the way that exists.
        parent: &'i Setting,
        /// How many of the path's keys lead to it; the next one is wrong.
        depth: usize,
        /// A key below the parent that may have been meant, with what is there.
        nearest: Option<(&'i str, &'i Setting)>,
    },
}

impl Inferred {
    /// Whether anything is known of the project's settings.
    pub fn is_known(&self) -> bool {
        self.files > 0
    }

    /// Follows keys from the top; the number of an item, or any text that is one, goes into lists.
    pub fn find<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Found<'_> {
        if !self.is_known() {
            return Found::Perhaps;
        }
        let mut at = &self.root;
        for (depth, key) in keys.into_iter().enumerate() {
            match at.step(key) {
                Some(next) => at = next,
                None if at.open => return Found::Perhaps,
                None => return Found::Nothing { parent: at, depth, nearest: at.nearest(key) },
            }
        }
        Found::Setting(at)
    }

    /// Whether every peel has this path: some file that all have writes it, on every branch. `false` says nothing.
    pub fn everywhere(&self, workspace: &Workspace<'_>, keys: &[&str]) -> bool {
        let mut at = &self.root;
        for key in keys {
            let Some(next) = at.children.get(*key) else { return false };
            // A list or text that another file writes in the place of the map takes the key away.
            let is_map = |d: &Definition| matches!(d.written, Written::Map) && !d.hollow;
            if !at.definitions.iter().all(is_map) {
                return false;
            }
            at = next;
        }
        let of_everyone = at.definitions.iter().filter(|d| self.everyone.contains(&d.unit));
        let mut by_unit: IndexMap<usize, Vec<Vec<(usize, usize)>>> = IndexMap::new();
        for definition in of_everyone {
            if definition.certain {
                return true;
            }
            if let Some(unit) = workspace.units.get(definition.unit) {
                by_unit.entry(definition.unit).or_default().push(definition.branch(unit));
            }
        }
        by_unit.iter().any(|(unit, branches)| {
            workspace.units.get(*unit).is_some_and(|unit| covers(&unit.tree.template, branches))
        })
    }
}

/// Whether on every way through a template one of the branches is taken.
fn covers(template: &Template, branches: &[Vec<(usize, usize)>]) -> bool {
    if branches.iter().any(Vec::is_empty) {
        return true;
    }
    let mut blocks: Vec<usize> = branches.iter().filter_map(|b| b.first()).map(|(block, _)| *block).collect();
    blocks.sort_unstable();
    blocks.dedup();
    blocks.into_iter().any(|block| {
        let Some(known) = template.blocks.get(block).filter(|b| b.exhaustive) else { return false };
        (0..known.arms.len()).all(|arm| {
            let inner: Vec<Vec<(usize, usize)>> = branches
                .iter()
                .filter(|b| b.first() == Some(&(block, arm)))
                .map(|b| b.iter().skip(1).copied().collect())
                .collect();
            !inner.is_empty() && covers(template, &inner)
        })
    })
}

impl Setting {
    /// What is below a key or an item's number.
    pub fn step(&self, key: &str) -> Option<&Setting> {
        if let Some(child) = self.children.get(key) {
            return Some(child);
        }
        let number = key.strip_prefix('-').unwrap_or(key);
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        self.item.as_deref().filter(|_| is_number)
    }

    /// The key that is nearest to a name, with what is below it.
    pub fn nearest(&self, key: &str) -> Option<(&str, &Setting)> {
        let near = nearest(key, self.children.keys().map(String::as_str))?;
        Some((near, self.children.get(near).map(Arc::as_ref)?))
    }

    /// Whether it, or something below it, is secret.
    pub fn holds_secret(&self) -> bool {
        self.definitions.iter().any(|d| d.secret)
            || self
                .declared
                .as_ref()
                .is_some_and(|d| d.ty.as_ref().is_some_and(crate::types::Type::is_secret))
            || self.children.values().any(|child| child.holds_secret())
            || self.computed.as_deref().is_some_and(Setting::holds_secret)
            || self.item.as_deref().is_some_and(Setting::holds_secret)
    }

    /// The first place that writes it: what a finding shows.
    pub fn place(&self) -> Option<Span> {
        let written = self.definitions.first().map(|d| d.key.unwrap_or(d.span));
        written.or_else(|| self.declared.as_ref().map(|d| d.span))
    }

    /// Adds what another file, or another branch, writes.
    pub(super) fn join(&mut self, other: Setting) {
        if self.definitions.is_empty() {
            self.definitions = other.definitions;
        } else {
            self.definitions.extend(other.definitions);
        }
        self.open |= other.open;
        self.merges |= other.merges;
        for (key, child) in other.children {
            match self.children.entry(key) {
                Entry::Vacant(vacant) => drop(vacant.insert(child)),
                Entry::Occupied(mut known) => {
                    Arc::make_mut(known.get_mut()).join(Arc::unwrap_or_clone(child));
                }
            }
        }
        join_boxed(&mut self.computed, other.computed);
        join_boxed(&mut self.item, other.item);
        if self.declared.is_none() {
            self.declared = other.declared;
        }
    }

    /// Adds a place. Most settings have one, and there are as many as there is text.
    pub(super) fn define(&mut self, definition: Definition) {
        if self.definitions.is_empty() {
            self.definitions.reserve_exact(1);
        }
        self.definitions.push(definition);
    }

    pub(super) fn child(&mut self, key: impl Into<String>) -> &mut Setting {
        Arc::make_mut(self.children.entry(key.into()).or_default())
    }

    /// Attaches what is declared; a declared key exists whether or not a file writes it.
    pub(super) fn declare(&mut self, declared: &Arc<Declared>) {
        for (key, inner) in &declared.children {
            self.child(key.as_str()).declare(inner);
        }
        if self.declared.is_none() {
            self.declared = Some(declared.clone());
        }
    }
}

fn join_boxed(into: &mut Option<Box<Setting>>, other: Option<Box<Setting>>) {
    match (into.as_deref_mut(), other) {
        (Some(into), Some(other)) => into.join(*other),
        (None, other) => *into = other,
        (Some(_), None) => {}
    }
}

impl Definition {
    /// The arms of `if` and `for` it stands in, outermost first: block and arm. `unit` is its file.
    pub fn branch(&self, unit: &Unit) -> Vec<(usize, usize)> {
        unit.tree.template.arms_at(self.key.unwrap_or(self.span).start)
    }
}
