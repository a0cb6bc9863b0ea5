//! Applies the fixes of findings, until none is left: `zester check --fix`.

use super::{CheckError, CheckOptions, Report, Session};
use crate::{
    diagnostic::{Applicability, Edit, Severity, apply, together},
    project::Project,
    source::{FileId, Overlay},
    types::Registry,
};
use std::collections::BTreeMap;

/// Rounds of fixing. Fixes that touch each other take turns; no real file needs more than a few.
const MAX_ROUNDS: usize = 16;

/// What was repaired.
#[derive(Debug)]
pub struct Repaired {
    /// The new texts, by project path.
    pub texts: BTreeMap<String, String>,
    /// How many fixes were applied.
    pub applied: usize,
    /// What a check of the new texts finds.
    pub report: Report,
}

/// Checks a project and applies fixes, the safe ones alone or all. `overlay` are the project's own sources: the new
/// texts are laid over them, nothing is written. Files outside of the project are left alone.
///
/// A round that would bring errors where there were fewer is taken back and ends the work.
pub fn repair(
    project: &Project,
    overlay: &Overlay,
    registry: &Registry,
    options: &CheckOptions,
    least: Applicability,
) -> Result<Repaired, CheckError> {
    let mut session = Session::new();
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut applied = 0;
    let mut report = session.check(project, registry, options)?;
    for _ in 0..MAX_ROUNDS {
        let fixes = together(&report.diagnostics, least);
        let mut by_file: BTreeMap<FileId, Vec<Edit>> = BTreeMap::new();
        for fix in &fixes {
            for edit in &fix.edits {
                by_file.entry(edit.span.file).or_default().push(edit.clone());
            }
        }
        let count = fixes.len();
        let changed: Vec<(String, String, String)> = by_file
            .into_iter()
            .filter_map(|(file, edits)| {
                let file = project.files().get(file);
                let new = apply(&file.text, &edits);
                let inside = !project.is_outside(&file.path) && *file.text != new;
                inside.then(|| (file.path.to_string(), file.text.to_string(), new))
            })
            .collect();
        if changed.is_empty() {
            break;
        }
        let lay = |path: &str, text: &str| {
            overlay.set(path, Some(text));
            project.forget(path);
        };
        for (path, _, new) in &changed {
            lay(path, new);
        }
        let next = session.check(project, registry, options)?;
        if next.count(Severity::Error) > report.count(Severity::Error) {
            for (path, old, _) in &changed {
                lay(path, old);
            }
            report = session.check(project, registry, options)?;
            break;
        }
        applied += count;
        report = next;
        texts.extend(changed.into_iter().map(|(path, _, new)| (path, new)));
    }
    Ok(Repaired { texts, applied, report })
}
