//! The top file: which refs of which environment a peel gets.

use super::{
    place::rendered_file,
    unit::{RenderRequest, Units},
};
use crate::{
    check::top::TOP_SHAPE,
    diagnostic::Diagnostic,
    project::{Project, TreeKind},
    source::Span,
    syntax::{Node, NodeKind},
    target::{Form, Subject, Target},
};
use std::collections::HashSet;

/// A ref that the top file selects.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Selected {
    pub env: String,
    pub reference: String,
    pub span: Span,
}

/// The index that the top file of environment `number` has among the rendered documents, far behind all units.
const TOP: usize = 1 << 24;

/// A target of a top file with its refs.
#[derive(Clone, Debug)]
pub struct TopEntry {
    /// The environment it belongs to.
    pub env: String,
    /// Which peels.
    pub target: Target,
    /// Where the target stands.
    pub span: Span,
    /// What they get.
    pub refs: Vec<(String, Span)>,
}

/// The refs that the top files select for a peel.
pub(super) fn select(
    project: &Project,
    units: &mut Units<'_>,
    subject: &Subject<'_>,
    env: Option<&str>,
) -> Vec<Selected> {
    let mut selected: Vec<Selected> = Vec::new();
    let mut seen = HashSet::new();
    for entry in entries(project, units, env) {
        match entry.target.matches(subject) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => {
                let message = format!("This target cannot be decided: {error}");
                units.diagnostics.push(Diagnostic::new(&TOP_SHAPE, entry.span, message));
                continue;
            }
        }
        for (reference, span) in entry.refs {
            if seen.insert((entry.env.clone(), reference.clone())) {
                selected.push(Selected { env: entry.env.clone(), reference, span });
            }
        }
    }
    selected
}

/// The targets of the top files of all environments. Each environment's part is taken from its own top file where it
/// has one, else from the base's.
pub(super) fn entries(project: &Project, units: &mut Units<'_>, env: Option<&str>) -> Vec<TopEntry> {
    let mut found = Vec::new();
    let environments: Vec<String> = project.environments().map(str::to_owned).collect();
    for (number, own) in environments.iter().enumerate() {
        let Some(file) = project.top(TreeKind::States, own) else { continue };
        let request = RenderRequest { file: &file, env: own, sls: "top", id: rendered_file(TOP + number) };
        let Some(root) = units.render_apart(TOP + number, &request) else { continue };
        let mut reader = Reader { diagnostics: Vec::new() };
        for (name, mut targets) in root.node().map(|root| reader.environments(root)).unwrap_or_default() {
            // A foreign environment with a top file of its own speaks for itself.
            let foreign = name != *own
                && environments.contains(&name)
                && project.top(TreeKind::States, &name).is_some_and(|top| top.path != file.path);
            if !foreign && env.is_none_or(|wanted| wanted == name) {
                found.append(&mut targets);
            }
        }
        units.diagnostics.append(&mut reader.diagnostics);
    }
    found
}

struct Reader {
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    fn shape(&mut self, node: &Node, what: &str, help: &str) {
        let message = format!("{what}, found {}", node.describe());
        self.diagnostics.push(Diagnostic::new(&TOP_SHAPE, node.span, message).help(help));
    }

    fn environments(&mut self, root: &Node) -> Vec<(String, Vec<TopEntry>)> {
        let Some(mapping) = root.as_mapping() else {
            if !root.is_nothing() && !matches!(root.kind, NodeKind::Error) {
                self.shape(
                    root,
                    "A top file is a map of environments",
                    "write `base:` and the targets below it",
                );
            }
            return Vec::new();
        };
        let mut all = Vec::new();
        for entry in &mapping.entries {
            let Some(name) = entry.key.text() else { continue };
            let targets = self.targets(&name, &entry.value);
            all.push((name.into_owned(), targets));
        }
        all
    }

    fn targets(&mut self, env: &str, node: &Node) -> Vec<TopEntry> {
        let Some(mapping) = node.as_mapping() else {
            if !node.is_nothing() && !matches!(node.kind, NodeKind::Error) {
                self.shape(
                    node,
                    "An environment is a map of targets",
                    "write `'*':` and a list of refs below it",
                );
            }
            return Vec::new();
        };
        let mut found = Vec::new();
        for entry in &mapping.entries {
            let Some(text) = entry.key.text() else { continue };
            let (form, refs) = self.refs(&entry.value);
            let (target, diagnostics) = match form {
                Some(form) => Target::parse_as(form, &text, entry.key.span),
                None => Target::parse(&text, entry.key.span),
            };
            let valid = target.is_valid();
            self.diagnostics.extend(diagnostics);
            if valid {
                found.push(TopEntry { env: env.to_owned(), target, span: entry.key.span, refs });
            }
        }
        found
    }

    /// The refs of a target, and the form that a `match:` item gives it.
    fn refs(&mut self, node: &Node) -> (Option<Form>, Vec<(String, Span)>) {
        let mut form = None;
        let mut refs = Vec::new();
        let items: Vec<&Node> = match &node.kind {
            NodeKind::Sequence(sequence) => sequence.items.iter().collect(),
            NodeKind::Error => Vec::new(),
            _ if node.is_nothing() => Vec::new(),
            _ => vec![node],
        };
        for item in items {
            match &item.kind {
                NodeKind::Scalar(_) => {
                    if let Some(text) = item.text() {
                        refs.push((text.trim().to_owned(), item.span));
                    }
                }
                NodeKind::Mapping(mapping) => {
                    for entry in &mapping.entries {
                        let word = entry.value.text().unwrap_or_default();
                        match entry.key.text().as_deref() {
                            Some("match") => match Form::of_word(&word) {
                                Some(found) => form = Some(found),
                                None => {
                                    let message = format!("`match` names no form of target: `{word}`");
                                    self.diagnostics
                                        .push(Diagnostic::new(&TOP_SHAPE, entry.value.span, message).help(
                                        "leave it out: a target says its form itself, as in `G@os:Debian`",
                                    ));
                                }
                            },
                            Some("order" | "ignore_missing") => {}
                            _ => self.shape(item, "An item is a ref", "write `- common`"),
                        }
                    }
                }
                NodeKind::Empty | NodeKind::Error => {}
                _ => self.shape(item, "An item is a ref", "write `- common`"),
            }
        }
        (form, refs)
    }
}
