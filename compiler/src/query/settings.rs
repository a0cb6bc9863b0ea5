//! Where settings are defined: the union of all settings files, on all branches.

use super::{
    mention::{Collector, Role, Symbol},
    nodes,
};
use crate::{
    project::TreeKind,
    source::Span,
    syntax::{Node, NodeKind, Tree},
};
use indexmap::IndexMap;

/// Deepest path that is collected.
const MAX_DEPTH: usize = 32;

/// A place that defines a setting.
#[derive(Clone, PartialEq, Debug)]
pub struct SettingPlace {
    /// The key.
    pub span: Span,
    /// The value as it is written, on one line and cut; `***` for a secret.
    pub value: String,
}

/// Settings by their keys.
#[derive(Clone, Default, Debug)]
pub struct SettingsTree {
    /// The settings below.
    pub children: IndexMap<String, SettingsTree>,
    /// Where this one is defined.
    pub places: Vec<SettingPlace>,
}

impl SettingsTree {
    /// Adds the settings of a file.
    pub fn add(&mut self, tree: &Tree) {
        if let Some(root) = &tree.root {
            self.add_node(tree, root, 0);
        }
    }

    fn add_node(&mut self, tree: &Tree, node: &Node, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        for (key, value) in nodes::entries(node) {
            let Some(name) = key.text() else { continue };
            if depth == 0 && name == "include" || name == "__merge__" {
                continue;
            }
            let child = self.children.entry(name.into_owned()).or_default();
            child.places.push(SettingPlace { span: key.span, value: shown(tree, value) });
            child.add_node(tree, value, depth + 1);
        }
    }

    /// The settings below a path.
    pub fn get(&self, path: &[String]) -> Option<&SettingsTree> {
        path.iter().try_fold(self, |tree, key| tree.children.get(key))
    }
}

/// A value in a few words.
fn shown(tree: &Tree, value: &Node) -> String {
    if value.tag.is_some() {
        return "***".to_owned();
    }
    match &value.kind {
        NodeKind::Mapping(_) => return "a map".to_owned(),
        NodeKind::Empty => return "null".to_owned(),
        _ => {}
    }
    let text = tree.text.get(value.span.range()).unwrap_or_default();
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Collects what a settings file names.
pub(super) fn collect(collector: &mut Collector<'_>) {
    let tree = collector.tree;
    let Some(root) = &tree.root else { return };
    let mut pending: Vec<(&Node, Vec<String>)> = vec![(root, Vec::new())];
    while let Some((node, path)) = pending.pop() {
        if path.len() > MAX_DEPTH {
            continue;
        }
        for (key, value) in nodes::entries(node) {
            let Some(name) = key.text() else { continue };
            if path.is_empty() && name == "include" {
                includes(collector, value);
                continue;
            }
            let mut inner = path.clone();
            inner.push(name.into_owned());
            if let Some(span) = nodes::literal_span(tree, key) {
                collector.push(span, Symbol::Setting(inner.clone()), Role::Definition);
            }
            pending.push((value, inner));
        }
    }
}

fn includes(collector: &mut Collector<'_>, value: &Node) {
    let env = collector.context.env.clone();
    for item in nodes::items(value) {
        match &item.kind {
            NodeKind::Scalar(_) => collector.reference(TreeKind::Settings, &env, item),
            _ => {
                for (key, _) in nodes::entries(item) {
                    collector.reference(TreeKind::Settings, &env, key);
                }
            }
        }
    }
}
