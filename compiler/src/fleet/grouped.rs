//! What is wrong with the plans of a fleet, by cause.

use super::{Fleet, MATCHES_NO_PEEL, PEEL_WITHOUT_STATES};
use crate::{
    diagnostic::Diagnostic,
    project::{Project, TreeKind},
    source::{FileId, Span},
    types::Facts,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// How many peels are named in a text.
const NAMED: usize = 3;

/// The findings of a fleet: each cause once, with the peels it holds for. What `known` has found without any peel is
/// not said again.
pub fn findings(
    fleet: &Fleet,
    project: &Project,
    peels: &[Arc<Facts>],
    known: &[Diagnostic],
) -> Vec<Diagnostic> {
    let said: BTreeSet<(FileId, u32, &str)> =
        known.iter().map(|d| (d.span.file, d.span.start, d.rule.code)).collect();
    let mut order: Vec<(Diagnostic, Vec<usize>)> = Vec::new();
    let mut index: HashMap<(Span, &str, String), usize> = HashMap::new();
    for class in &fleet.classes {
        let mut own: BTreeSet<usize> = BTreeSet::new();
        for diagnostic in &class.diagnostics {
            if said.contains(&(diagnostic.span.file, diagnostic.span.start, diagnostic.rule.code)) {
                continue;
            }
            let key = (diagnostic.span, diagnostic.rule.code, diagnostic.message.clone());
            let at = *index.entry(key).or_insert_with(|| {
                order.push((diagnostic.clone(), Vec::new()));
                order.len() - 1
            });
            if own.insert(at) {
                order[at].1.extend(&class.peels);
            }
        }
    }
    let mut found: Vec<Diagnostic> =
        order.into_iter().map(|(diagnostic, of)| with_peels(diagnostic, of, peels)).collect();
    if fleet.has_top && !peels.is_empty() {
        found.extend(without_states(fleet, project, peels));
        found.extend(fleet.targets.iter().filter(|(_, count)| **count == 0).map(|(span, _)| {
            let file = project.files().get(span.file);
            let text = file.text.get(span.range()).unwrap_or_default();
            let message = format!(
                "`{}` matches none of the {}",
                text.trim_matches(['\'', '"']),
                known_peels(peels.len())
            );
            Diagnostic::new(&MATCHES_NO_PEEL, *span, message).help(
                "nothing below it reaches anybody: correct it, take it out, or add the peel to the inventory",
            )
        }));
    }
    found
}

fn without_states(fleet: &Fleet, project: &Project, peels: &[Arc<Facts>]) -> Option<Diagnostic> {
    let empty = fleet.classes.iter().filter(|class| class.states == Some(0));
    let of: Vec<usize> = empty.flat_map(|class| class.peels.iter().copied()).collect();
    if of.is_empty() {
        return None;
    }
    let top = project.environments().find_map(|env| project.top(TreeKind::States, env))?;
    let (file, _) = project.read_text(&top.path).ok()?;
    let diagnostic =
        Diagnostic::new(&PEEL_WITHOUT_STATES, Span::at(file, 0), "The top file selects no states")
            .help("write a target that matches them, with what they should have");
    Some(with_peels(diagnostic, of, peels))
}

fn known_peels(count: usize) -> String {
    if count == 1 { "1 known peel".to_owned() } else { format!("{count} known peels") }
}

fn with_peels(mut diagnostic: Diagnostic, mut of: Vec<usize>, peels: &[Arc<Facts>]) -> Diagnostic {
    of.sort_unstable();
    of.dedup();
    let ids: Vec<&str> = of.iter().filter_map(|peel| peels.get(*peel)).map(|f| f.id.as_str()).collect();
    let count = if of.len() == peels.len() && of.len() > 1 {
        format!("all {} peels", peels.len())
    } else {
        format!("{} of {} {}", of.len(), peels.len(), if peels.len() == 1 { "peel" } else { "peels" })
    };
    diagnostic.message = format!("{count} ({}): {}", named(&ids), diagnostic.message);
    diagnostic.peels = ids.into_iter().map(str::to_owned).collect();
    diagnostic
}

/// The first few of many names.
pub fn named(ids: &[&str]) -> String {
    let more = if ids.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", ids.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "))
}
