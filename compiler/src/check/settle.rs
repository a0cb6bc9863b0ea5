//! Levels and allow comments for findings that were made beside a check: those of a fleet.

use super::allow::Allows;
use crate::{
    diagnostic::{Diagnostic, Levels, Severity},
    project::Project,
    source::FileId,
};
use std::collections::HashMap;

/// Findings as a check reports them: without those that a comment at their line allows, with the severities of the
/// project and, on top, of `levels`.
pub fn settle(project: &Project, levels: &Levels, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut allows: HashMap<FileId, Allows> = HashMap::new();
    found
        .into_iter()
        .filter_map(|diagnostic| {
            let file = project.files().get(diagnostic.span.file);
            // What is wrong with the comments themselves is the check's finding.
            let of =
                allows.entry(file.id).or_insert_with(|| Allows::of(file.id, &file.text, &mut Vec::new()));
            if !of.is_empty() && of.allow(&diagnostic, &file.lines) {
                return None;
            }
            let own = &project.config().levels;
            let adjusted = levels.adjust(diagnostic.rule).or_else(|| own.adjust(diagnostic.rule));
            let severity = adjusted.unwrap_or(diagnostic.severity);
            (severity != Severity::Allow).then_some(Diagnostic { severity, ..diagnostic })
        })
        .collect()
}
