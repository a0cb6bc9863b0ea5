//! When files are renamed, the refs to them are, too.

use std::collections::BTreeMap;
use zester_compiler::{
    diagnostic::Edit,
    project::TreeKind,
    query::{Index, Symbol},
};

/// Edits for files that get other paths: old and new project path.
pub fn moved(index: &Index, files: &[(String, String)]) -> BTreeMap<String, Vec<Edit>> {
    let mut edits: BTreeMap<String, Vec<Edit>> = BTreeMap::new();
    let mut moves: Vec<(String, String)> = Vec::new();
    for (old, new) in files {
        if index.file(old).is_some() || index.project.sources().is_file(old) {
            moves.push((old.clone(), new.clone()));
            continue;
        }
        // A directory takes its files along.
        let below = format!("{old}/");
        let inside = index.project.sources().files_below(old).into_iter();
        moves.extend(inside.filter_map(|path| {
            let rest = path.strip_prefix(&below)?.to_owned();
            Some((path, format!("{new}/{rest}")))
        }));
    }
    let names: Vec<&str> = moves.iter().map(|(old, _)| super::name_of_file(old)).collect();
    for file in index.files().filter(|f| names.iter().any(|name| f.tree.text.contains(name))) {
        for mention in index.mentions(file) {
            let Symbol::File(path) = &mention.symbol else { continue };
            let Some((_, new)) = moves.iter().find(|(old, _)| old == path) else { continue };
            let Some(written) = file.tree.text.get(mention.span.range()) else { continue };
            let Some(text) = renamed(index, written, path, new, &file.path) else { continue };
            if text != written {
                edits.entry(file.path.clone()).or_default().push(Edit { span: mention.span, text });
            }
        }
    }
    edits
}

/// How a ref or path is written after its file moved.
fn renamed(index: &Index, written: &str, old: &str, new: &str, from: &str) -> Option<String> {
    let project = &index.project;
    let (kind, _, old_ref) = project.reference_of(old)?;
    let (new_kind, _, new_ref) = project.reference_of(new)?;
    if kind != new_kind {
        return None;
    }
    let (_, _, old_tree) = project.locate(old)?;
    let (_, _, new_tree) = project.locate(new)?;
    let scheme = ["zester://", "salt://"].into_iter().find(|s| written.starts_with(s)).unwrap_or("");
    let rest = written.get(scheme.len()..)?;
    if rest == old_tree || rest.split('?').next() == Some(old_tree.as_str()) {
        return Some(format!("{scheme}{}{}", new_tree, rest.get(old_tree.len()..)?));
    }
    if scheme.is_empty() && (rest == old_ref || rest.replace('/', ".") == old_ref) {
        return Some(new_ref);
    }
    if kind == TreeKind::States && rest.starts_with("./") || rest.starts_with("../") {
        return Some(new_tree);
    }
    if rest.starts_with('.') {
        // A relative ref stays relative where the new file is in the same directory, and is written out otherwise.
        let dots = rest.len() - rest.trim_start_matches('.').len();
        let (_, _, from_tree) = project.locate(from)?;
        let mut dir: Vec<&str> = from_tree.split('/').collect();
        for _ in 0..dots {
            dir.pop()?;
        }
        let base = dir.join(".");
        let inner =
            if base.is_empty() { Some(new_ref.as_str()) } else { new_ref.strip_prefix(&format!("{base}.")) };
        return Some(inner.map_or(new_ref.clone(), |inner| format!("{}{inner}", ".".repeat(dots))));
    }
    None
}
