//! Top files: which targets get which files.

use super::{
    references::{check_name, is_written},
    workspace::{Unit, Workspace},
};
use crate::{
    diagnostic::{Diagnostic, Severity, nearest},
    project::TreeKind,
    rule,
    settings::Selection,
    source::Span,
    syntax::{Entry, Mapping, Node, NodeKind},
    target::{Form, Target},
};

rule! {
    /// A top file does not have the shape `environment: {target: [refs]}`.
    ///
    /// What has another shape selects nothing; nor does an environment or a kind of match that is misspelt.
    ///
    /// ```yaml
    /// -- states/top.zy --
    /// base:
    ///   - web
    /// -- states/web.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// Below the environment stand targets, and below each target a list of refs:
    ///
    /// ```yaml
    /// -- states/top.zy --
    /// base:
    ///   '*':
    ///     - web
    /// -- states/web.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub TOP_SHAPE = "Z0111", "top-shape", Error;
}

/// What a top file names.
#[derive(Default)]
pub struct TopFiles {
    /// For each target (environment and text), the files it gets; for grouping what is applied together.
    pub groups: Vec<Vec<usize>>,
    /// The targets that are understood, with the files they name.
    pub selections: Vec<Selection>,
    /// The files that every peel of the environment gets.
    pub everyone: Vec<usize>,
    /// Whether it may name more than is known.
    pub open: bool,
}

/// Checks a top file and collects what it names.
pub fn check_top(
    workspace: &Workspace<'_>,
    unit: &Unit,
    kind: TreeKind,
    diagnostics: &mut Vec<Diagnostic>,
) -> TopFiles {
    let mut files = TopFiles { open: unit.tree.opaque.is_some(), ..TopFiles::default() };
    let Some(root) = &unit.tree.root else { return files };
    for root in choices(root) {
        let NodeKind::Mapping(mapping) = &root.kind else {
            files.open = true;
            if is_wrong_shape(root) {
                diagnostics.push(wrong(root.span, "A top file is a map of environments", root));
            }
            continue;
        };
        files.open |= !mapping.splices.is_empty();
        for entry in &mapping.entries {
            // The name of an environment may be computed (`{{ saltenv }}`); the base is the best guess then.
            let env = entry.key.text().map_or_else(|| unit.env.to_string(), |t| t.into_owned());
            if let Some(diagnostic) = misspelt_environment(workspace, unit, &env, entry.key.span, mapping) {
                // Whatever it names is not reached, which would be said of each of its files.
                files.open = true;
                diagnostics.push(diagnostic);
            }
            for value in choices(&entry.value) {
                check_environment(workspace, unit, kind, &env, value, &mut files, diagnostics);
            }
        }
    }
    files
}

/// The finding about an environment that is nearly one of the project's, where that one does not stand beside it.
fn misspelt_environment(
    workspace: &Workspace<'_>,
    unit: &Unit,
    env: &str,
    span: Span,
    top: &Mapping,
) -> Option<Diagnostic> {
    let known: Vec<&str> = workspace.project.environments().collect();
    if known.contains(&env) || !is_written(unit, span, env) {
        return None;
    }
    let near = nearest(env, known)?;
    if top.entries.iter().any(|entry| entry.key.text().as_deref() == Some(near)) {
        return None;
    }
    let mut diagnostic =
        Diagnostic::new(&TOP_SHAPE, span, format!("There is no environment `{env}`")).did_you_mean(near);
    if workspace.is_foreign(unit) {
        // A Salt tree: its environments are in the master's configuration.
        diagnostic.severity = Severity::Warning;
    }
    Some(diagnostic)
}

/// The finding about a kind of match that is misspelt. Other words may be matchers of the site's own.
fn misspelt_match(workspace: &Workspace<'_>, unit: &Unit, word: &str, span: Span) -> Option<Diagnostic> {
    /// Those of Salt that are not known here.
    const OTHERS: [&str; 5] = ["cache", "compound_pillar_exact", "data", "pillar_exact", "range"];
    if OTHERS.contains(&word) || !is_written(unit, span, word) {
        return None;
    }
    let near = nearest(word, Form::WORDS.iter().copied())?;
    let message = format!("There is no kind of match `{word}`, so this target matches nothing");
    let mut diagnostic = Diagnostic::new(&TOP_SHAPE, span, message).did_you_mean(near);
    if workspace.is_foreign(unit) {
        diagnostic.severity = Severity::Warning;
    }
    Some(diagnostic)
}

fn choices(node: &Node) -> Vec<&Node> {
    let mut found = Vec::new();
    let mut pending = vec![node];
    while let Some(node) = pending.pop() {
        match &node.kind {
            NodeKind::Choice(nodes) => pending.extend(nodes.iter().rev()),
            _ => found.push(node),
        }
    }
    found
}

fn is_wrong_shape(node: &Node) -> bool {
    !matches!(node.kind, NodeKind::Splice(_) | NodeKind::Error | NodeKind::Empty | NodeKind::Choice(_))
        && !is_computed(node)
}

fn is_computed(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Scalar(scalar) if scalar.literal().is_none())
}

fn wrong(span: Span, message: &str, found: &Node) -> Diagnostic {
    Diagnostic::new(&TOP_SHAPE, span, format!("{message}, not {}", found.describe()))
        .help("write `base:`, below it a target such as `'*':`, and below that a list of refs")
}

fn check_environment(
    workspace: &Workspace<'_>,
    unit: &Unit,
    kind: TreeKind,
    env: &str,
    node: &Node,
    files: &mut TopFiles,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let NodeKind::Mapping(mapping) = &node.kind else {
        files.open = true;
        if is_wrong_shape(node) {
            diagnostics.push(wrong(node.span, &format!("The environment `{env}` is a map of targets"), node));
        }
        return;
    };
    files.open |= !mapping.splices.is_empty();
    for entry in &mapping.entries {
        check_target(workspace, unit, kind, env, entry, files, diagnostics);
    }
}

fn check_target(
    workspace: &Workspace<'_>,
    unit: &Unit,
    kind: TreeKind,
    env: &str,
    entry: &Entry,
    files: &mut TopFiles,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut form = None;
    let (mut group, mut certain): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for value in choices(&entry.value) {
        let NodeKind::Sequence(sequence) = &value.kind else {
            files.open = true;
            // A single ref is accepted.
            if let (NodeKind::Scalar(_), Some(name)) = (&value.kind, value.text()) {
                check_name(workspace, unit, kind, env, &name, value.span, diagnostics);
                group.extend(workspace.resolve(kind, env, &name, &unit.tree_path));
            } else if is_wrong_shape(value) {
                diagnostics.push(wrong(value.span, "A target has a list of refs", value));
            }
            continue;
        };
        files.open |= !sequence.splices.is_empty();
        for item in sequence.items.iter().flat_map(choices) {
            match &item.kind {
                NodeKind::Mapping(mapping) => {
                    for option in &mapping.entries {
                        match (option.key.text().as_deref(), option.value.text()) {
                            (Some("match"), word) => {
                                form = Some(word.map(|w| (w.into_owned(), option.value.span)));
                            }
                            (Some("ignore_missing"), _) => files.open = true,
                            _ => {}
                        }
                    }
                }
                NodeKind::Scalar(scalar) => match scalar.literal() {
                    Some(name) => {
                        check_name(workspace, unit, kind, env, &name, item.span, diagnostics);
                        let named = workspace.resolve(kind, env, &name, &unit.tree_path);
                        if unit.tree.template.arms_at(item.span.start).is_empty() {
                            certain.extend(&named);
                        }
                        group.extend(named);
                    }
                    None => files.open = true,
                },
                _ => files.open = true,
            }
        }
    }
    let everyone = entry.key.text().as_deref() == Some("*") && env == &*unit.env;
    if everyone && unit.tree.template.arms_at(entry.key.span.start).is_empty() {
        files.everyone.extend(certain);
    }
    if !group.is_empty() {
        files.groups.push(group.clone());
    }
    let Some(text) = entry.key.text() else { return };
    let form = match form {
        // A form that is computed.
        Some(None) => return,
        Some(Some((word, span))) => match Form::of_word(&word) {
            Some(form) => form,
            None => {
                diagnostics.extend(misspelt_match(workspace, unit, &word, span));
                return;
            }
        },
        None => Form::Compound,
    };
    let (target, mut found) = match form {
        Form::Compound => Target::parse(&text, entry.key.span),
        form => Target::parse_as(form, &text, entry.key.span),
    };
    let nodegroups = &workspace.project.config().nodegroups;
    let mut groups = target.check_groups(nodegroups);
    if nodegroups.names().next().is_none() && workspace.is_foreign(unit) {
        // A Salt tree: its groups are in the master's configuration.
        for group in &mut groups {
            group.severity = Severity::Warning;
        }
    }
    found.extend(groups);
    found.extend(target.check_facts());
    diagnostics.append(&mut found);
    files.selections.push(Selection { span: entry.key.span, target, files: group });
}
