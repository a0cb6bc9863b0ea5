//! `--fix` and `--add-allow`: what is written into the author's files.

use super::{Opened, Said, scope};
use crate::{output::Failure, write};
use std::collections::BTreeMap;
use zester_compiler::{
    check::{CheckOptions, Report, allow_edits, check, repair},
    diagnostic::{Applicability, Diagnostic, apply},
    source::FileId,
};

/// Applies fixes, writes the files, and gives what remains.
pub fn fix(opened: &Opened, options: &CheckOptions, all: bool, said: &mut Said) -> Result<Report, Failure> {
    let least = if all { Applicability::Unsafe } else { Applicability::Safe };
    let registry = opened.local.library.registry();
    let repaired = repair(&opened.local.project, &opened.overlay, registry, options, least)
        .map_err(|e| Failure::new(e.to_string()))?;
    if let Some(failure) = scope::too_large(&opened.disk) {
        return Err(failure);
    }
    for (path, text) in &repaired.texts {
        write::replace(&opened.local.root.join(path), text)?;
    }
    said.fixed = Some((repaired.applied, repaired.texts.len()));
    Ok(repaired.report)
}

/// Writes allow comments for what was found, and gives what they do not allow.
pub fn add_allow(
    opened: &Opened,
    options: &CheckOptions,
    report: &Report,
    said: &mut Said,
) -> Result<Report, Failure> {
    let project = &opened.local.project;
    let mut by_file: BTreeMap<FileId, Vec<&Diagnostic>> = BTreeMap::new();
    for diagnostic in &report.diagnostics {
        by_file.entry(diagnostic.span.file).or_default().push(diagnostic);
    }
    let mut files = 0;
    for (file, findings) in by_file {
        let file = project.files().get(file);
        if project.is_outside(&file.path) {
            continue;
        }
        let Ok(tree) = project.tree(&file.path) else { continue };
        let (edits, _) = allow_edits(&tree, &findings);
        if edits.is_empty() {
            continue;
        }
        let text = apply(&tree.text, &edits);
        opened.overlay.set(&file.path, Some(&text));
        project.forget(&file.path);
        write::replace(&opened.local.root.join(&*file.path), &text)?;
        files += 1;
    }
    let after =
        check(project, opened.local.library.registry(), options).map_err(|e| Failure::new(e.to_string()))?;
    said.allowed = Some((report.diagnostics.len().saturating_sub(after.diagnostics.len()), files));
    Ok(after)
}
