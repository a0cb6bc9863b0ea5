//! `textDocument/codeAction`: every fix, then refactorings.

use crate::{
    ide::{
        actions::{self, ActionKind},
        sealing,
    },
    server::{Answer, Seen, to_protocol},
};
use gen_lsp_types::{CodeAction, CodeActionKind, CodeActionParams};
use std::collections::BTreeMap;
use zester_compiler::diagnostic::{Applicability, Edit, Fix};

/// What can be done about a range.
pub fn answer(seen: &Seen, params: CodeActionParams) -> Answer<Vec<CodeAction>> {
    let range = seen.lines().bytes(params.range);
    let wanted = |kind: &CodeActionKind| {
        params.context.only.as_ref().is_none_or(|only| {
            let name = String::from(kind.clone());
            only.iter().any(|o| {
                let o = String::from(o.clone());
                o.is_empty() || name == o || name.starts_with(&format!("{o}."))
            })
        })
    };
    let mut found = Vec::new();
    let findings = seen.checked.by_path.get(&seen.path).map_or(&[][..], Vec::as_slice);
    for finding in findings {
        let touches = finding.span.start as usize <= range.end && range.start <= finding.span.end as usize;
        if !touches || !wanted(&CodeActionKind::QuickFix) {
            continue;
        }
        for fix in &finding.fixes {
            let Ok(edit) = seen.workspace_edit(&by_path(seen, fix)) else { continue };
            found.push(CodeAction {
                title: capital(&fix.title),
                kind: Some(CodeActionKind::QuickFix),
                diagnostics: Some(vec![to_protocol(
                    finding,
                    &seen.checked.files,
                    &seen.root,
                    seen.client.encoding,
                )]),
                is_preferred: (fix.applicability == Applicability::Safe).then_some(true),
                edit: Some(edit),
                ..CodeAction::default()
            });
        }
    }
    if params.context.only.is_some() && wanted(&CodeActionKind::SourceFixAll) {
        let mut all: BTreeMap<String, Vec<Edit>> = BTreeMap::new();
        for fix in findings.iter().flat_map(|f| &f.fixes).filter(|f| f.applicability == Applicability::Safe) {
            for (path, edits) in by_path(seen, fix) {
                let known = all.entry(path).or_default();
                let clear = edits
                    .iter()
                    .all(|e| known.iter().all(|k| k.span.end < e.span.start || e.span.end < k.span.start));
                if clear {
                    known.extend(edits);
                }
            }
        }
        if all.values().any(|edits| !edits.is_empty()) {
            found.push(CodeAction {
                title: "Apply all safe fixes".to_owned(),
                kind: Some(CodeActionKind::SourceFixAll),
                edit: Some(seen.workspace_edit(&all)?),
                ..CodeAction::default()
            });
        }
    }
    let tree = seen.tree();
    let all = actions::refactorings(&seen.index, &seen.context, &tree, range.start);
    let sealing = seen
        .helpers
        .seal
        .as_deref()
        .and_then(|seal| sealing::action(&seen.index, &seen.context, &tree, range.start, seal));
    for action in all.into_iter().chain(sealing) {
        let kind = match action.kind {
            ActionKind::Rewrite => CodeActionKind::RefactorRewrite,
            ActionKind::Extract => CodeActionKind::RefactorExtract,
            ActionKind::Fix => CodeActionKind::QuickFix,
        };
        if !wanted(&kind) {
            continue;
        }
        let Ok(edit) = seen.workspace_edit(&action.edits) else { continue };
        found.push(CodeAction {
            title: action.title,
            kind: Some(kind),
            edit: Some(edit),
            ..CodeAction::default()
        });
    }
    Ok(found)
}

fn by_path(seen: &Seen, fix: &Fix) -> BTreeMap<String, Vec<Edit>> {
    let mut edits: BTreeMap<String, Vec<Edit>> = BTreeMap::new();
    for edit in &fix.edits {
        let path = seen.checked.files.get(edit.span.file).path.to_string();
        edits.entry(path).or_default().push(edit.clone());
    }
    edits
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}
