//! Secrets in places that do not keep them: targets that a peel decides itself, plain text beside sealed text.

use super::workspace::Workspace;
use crate::{
    diagnostic::Diagnostic,
    rule,
    settings::{
        Inferred, SEALED, is_sealed,
        sealing::{is_secret_name, looks_secret},
    },
    source::Span,
    syntax::{Node, NodeKind},
    target::{Expr, Nodegroups, Pattern},
};
use std::collections::{HashMap, HashSet};

rule! {
    /// A target selects a settings file with secrets by what a peel says of itself.
    ///
    /// Facts come from the machine. Who has taken over one machine can have it report `role: db` and is given the
    /// secrets of the databases. An id is different: it is in the machine's certificate, and an operator approved it.
    ///
    /// ```yaml
    /// -- settings/top.zy --
    /// base: {'G@role:db': [db]}
    /// -- settings/db.zy --
    /// password: !encrypted hunter2
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// Select such a file by ids, alone or together with the fact:
    ///
    /// ```yaml
    /// -- settings/top.zy --
    /// base: {'db-* and G@role:db': [db]}
    /// -- settings/db.zy --
    /// password: !encrypted hunter2
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub SECRET_BY_FACT = "Z0510", "secret-by-fact", Warning;

    /// A secret stands in plain text in a repository that seals its secrets.
    ///
    /// Where some secrets are sealed (`ENC[nkey,…]`), one that is not was probably forgotten; everybody who can read
    /// the repository, and its history, can read it. Marked are values with `!encrypted`, and keys called `password`,
    /// `token` and the like with a plain text behind them.
    ///
    /// ```yaml
    /// -- settings/db.zy --
    /// backup: !encrypted ENC[nkey,XCQGGGSBHKM4ES7OTFULW2QKW2O2OLCQVTM25W5PUQZFXQ7UGABJB5OX,XBYHSWYH5LWTGCQC2QPFQYYLZPAFFTNOW6BWBOUPMMPSJSSDGZ5RZQSO,eGt2MQ==]
    /// root: !encrypted hunter2
    /// -- states/a.zy --
    /// nginx:
    ///   pkg.installed: []
    /// ```
    ///
    /// `zester secret seal settings/db.zy` seals all that is marked, in place.
    pub PLAIN_SECRET = "Z0511", "plain-secret", Warning;
}

/// Checks all settings files and the targets that select them.
pub fn check_secrets(workspace: &Workspace<'_>, inferred: &Inferred, found: &mut Vec<Diagnostic>) {
    if !inferred.is_known() {
        return;
    }
    let settings = || workspace.units.iter().enumerate().filter(|(_, unit)| unit.is_settings());
    let secrets: HashMap<usize, Span> = settings()
        .filter(|(_, unit)| unit.tree.text.contains("!encrypted"))
        .filter_map(|(index, unit)| Some((index, first_secret(unit.tree.root.as_ref()?)?)))
        .collect();
    if !secrets.is_empty() {
        by_fact(workspace, inferred, &secrets, found);
    }
    if settings().any(|(_, unit)| unit.tree.text.contains(SEALED)) {
        for (_, unit) in settings() {
            if let Some(root) = &unit.tree.root {
                plain(root, None, found);
            }
        }
    }
}

/// The place of the first `!encrypted` of a file.
fn first_secret(node: &Node) -> Option<Span> {
    if let Some((tag, span)) = node.tag.as_deref()
        && tag == "!encrypted"
    {
        return Some(*span);
    }
    match &node.kind {
        NodeKind::Sequence(sequence) => sequence.items.iter().find_map(first_secret),
        NodeKind::Mapping(mapping) => mapping.entries.iter().find_map(|entry| first_secret(&entry.value)),
        NodeKind::Choice(nodes) => nodes.iter().find_map(first_secret),
        _ => None,
    }
}

fn by_fact(
    workspace: &Workspace<'_>,
    inferred: &Inferred,
    secrets: &HashMap<usize, Span>,
    found: &mut Vec<Diagnostic>,
) {
    let groups = &workspace.project.config().nodegroups;
    for selection in &inferred.selections {
        let Some(fact) = decided_by_peel(&selection.target.expr, groups, 0) else { continue };
        let mut seen: HashSet<usize> = HashSet::new();
        let mut pending = selection.files.clone();
        let mut first = None;
        while let Some(file) = pending.pop() {
            // What every peel has anyway is nobody's to gain.
            if inferred.everyone.contains(&file) || !seen.insert(file) {
                continue;
            }
            if let Some(secret) = secrets.get(&file) {
                first = Some((file, *secret));
                break;
            }
            pending.extend(inferred.includes.get(&file).into_iter().flatten().map(|(to, _)| *to));
        }
        let Some((file, secret)) = first else { continue };
        let name = workspace.units.get(file).map_or("", |unit| &*unit.path);
        found.push(
            Diagnostic::new(
                &SECRET_BY_FACT,
                selection.span,
                format!("`{fact}` selects the secrets of `{name}` by what a peel says of itself"),
            )
            .label(secret, "a secret")
            .help("add the ids that may have it, as in `db-* and …`: a machine cannot choose its id, but its facts"),
        );
    }
}

/// The pattern by which a peel's own facts let it match, where no id is asked for.
fn decided_by_peel(expr: &Expr, groups: &Nodegroups, depth: usize) -> Option<String> {
    const DEEPEST: usize = 32;
    if depth > DEEPEST {
        return None;
    }
    match expr {
        Expr::Pattern { pattern, .. } => match pattern {
            Pattern::Fact(_) | Pattern::Subnet(_) => Some(pattern.to_string()),
            Pattern::Nodegroup(name) => decided_by_peel(&groups.get(name)?.expr, groups, depth + 1),
            Pattern::Glob(_) | Pattern::Pcre(_) | Pattern::List(_) | Pattern::Setting(_) => None,
        },
        Expr::Not(inner) => decided_by_peel(inner, groups, depth + 1),
        Expr::Or(parts) => parts.iter().find_map(|part| decided_by_peel(part, groups, depth + 1)),
        Expr::And(parts) => {
            // An id that not everybody has is enough.
            let asks_id = |part: &Expr| {
                let everybody =
                    matches!(part, Expr::Pattern { pattern: Pattern::Glob(g), .. } if g.source() == "*");
                !everybody
                    && !matches!(part, Expr::Not(_))
                    && decided_by_peel(part, groups, depth + 1).is_none()
            };
            if parts.iter().any(asks_id) {
                return None;
            }
            parts.iter().find_map(|part| decided_by_peel(part, groups, depth + 1))
        }
        Expr::Error => None,
    }
}

fn plain(node: &Node, key: Option<&str>, found: &mut Vec<Diagnostic>) {
    let marked = node.tag.as_deref().is_some_and(|(tag, _)| tag == "!encrypted");
    match &node.kind {
        NodeKind::Scalar(scalar) => {
            let Some(text) = scalar.literal() else { return };
            if is_sealed(&text) {
                return;
            }
            let message = if marked {
                "This secret is plain text, and others of the repository are sealed".to_owned()
            } else if key.is_some_and(is_secret_name) && looks_secret(&text, scalar) {
                let key = key.unwrap_or_default();
                format!(
                    "`{key}` is plain text and not marked as a secret, in a repository that seals secrets"
                )
            } else {
                return;
            };
            let help = if marked {
                "seal it: `zester secret seal FILE`"
            } else {
                "write `!encrypted` before it, then `zester secret seal FILE`"
            };
            found.push(Diagnostic::new(&PLAIN_SECRET, node.span, message).help(help));
        }
        NodeKind::Sequence(sequence) => sequence.items.iter().for_each(|item| plain(item, None, found)),
        NodeKind::Mapping(mapping) => {
            for entry in &mapping.entries {
                let name = entry.key.text();
                plain(&entry.value, name.as_deref(), found);
            }
        }
        NodeKind::Choice(nodes) => nodes.iter().for_each(|node| plain(node, key, found)),
        NodeKind::Empty | NodeKind::Splice(_) | NodeKind::Error => {}
    }
}
