//! What names a file that got another name.

use super::{NEW, Note, NoteKind, OLD, Way, note_at};
use crate::{
    diagnostic::Edit,
    project::TreeKind,
    query::{Index, Mention, Symbol},
    source::Span,
    syntax::Tree,
};
use std::{collections::HashSet, ops::Range, sync::Arc};

/// Variables that hold the name of the file they stand in.
const OWN_NAMES: &[&str] = &["tplfile", "tplpath"];

/// Files that got another name.
pub struct Renamed<'w> {
    paths: HashSet<&'w str>,
    /// Their names without directories.
    names: HashSet<&'w str>,
}

impl<'w> FromIterator<&'w str> for Renamed<'w> {
    fn from_iter<I: IntoIterator<Item = &'w str>>(paths: I) -> Self {
        let paths: HashSet<&str> = paths.into_iter().collect();
        let names = paths.iter().filter_map(|path| path.rsplit('/').next()).collect();
        Self { paths, names }
    }
}

/// The edits of a file; what may name a renamed file, and is not proven to, is noted.
pub fn edits(index: &Index, way: &Way, renamed: &Renamed<'_>, notes: &mut Vec<Note>) -> Vec<Edit> {
    let project = &index.project;
    let known = index.file(&way.file.path);
    let (tree, mentions): (Arc<Tree>, Vec<Mention>) = match known {
        Some(file) => (file.tree.clone(), index.mentions(file).to_vec()),
        None => {
            // What states hand out can be a template; other files are nobody's concern.
            let Ok((_, text)) = project.read_text(&way.file.path) else { return Vec::new() };
            if !text.contains(OLD) || !(text.contains("{%") || text.contains("{{")) {
                return Vec::new();
            }
            let Ok(tree) = project.tree(&way.file.path) else { return Vec::new() };
            let mentions = index.mentions_of(&index.context(&way.file.path), &tree);
            (tree, mentions)
        }
    };
    let mut edits: Vec<Edit> = Vec::new();
    for mention in &mentions {
        match &mention.symbol {
            Symbol::File(path) if renamed.paths.contains(path.as_str()) => {
                let written = tree.text.get(mention.span.range()).unwrap_or_default();
                if let Some(at) = extension(written, path) {
                    let start = mention.span.start + at as u32;
                    let span = Span { start, end: start + OLD.len() as u32, ..mention.span };
                    edits.push(Edit { span, text: NEW.to_owned() });
                }
            }
            Symbol::Global(name)
                if OWN_NAMES.contains(&name.as_str()) && renamed.paths.contains(way.file.path.as_str()) =>
            {
                let message = format!("`{name}` is the name of this file");
                notes.push(note_at(project, way, NoteKind::OwnName, mention.span, message));
            }
            _ => {}
        }
    }
    edits.sort_by_key(|edit| edit.span.start);
    edits.dedup();
    for at in unproven(&tree, renamed) {
        let start = at.start as u32;
        if edits.iter().any(|edit| edit.span.start < at.end as u32 && start < edit.span.end) {
            continue;
        }
        let word = tree.text.get(at.clone()).unwrap_or_default();
        let message = format!("`{word}` may name a file that is called `.zy` now");
        let span = Span { start, end: at.end as u32, file: tree.file };
        notes.push(note_at(project, way, NoteKind::ComputedReference, span, message));
    }
    if let Some(at) = tree.text.find("-----BEGIN PGP MESSAGE").filter(|_| way.kind == TreeKind::Settings) {
        let span = Span { start: at as u32, end: at as u32, file: tree.file };
        let message = "A secret is sealed for GnuPG, which is not asked here".to_owned();
        notes.push(note_at(project, way, NoteKind::Gpg, span, message));
    }
    edits
}

/// Where the extension stands in a name as it is written; `None` in refs, which have none (`web.sls` is `web/sls`).
fn extension(written: &str, path: &str) -> Option<usize> {
    let name = path.rsplit('/').next()?;
    let mut found = written.match_indices(OLD).filter(|(at, _)| {
        let before = &written[..*at];
        let stem = before.rsplit(['/', '"', '\'']).next().unwrap_or(before);
        // Of a name that is put together only its end may be written here.
        name.strip_suffix(OLD).is_some_and(|whole| whole == stem || whole.ends_with(stem) && before != stem)
    });
    let (at, _) = found.next()?;
    found.next().is_none().then_some(at)
}

/// Words that end like a renamed file, outside of comments.
fn unproven(tree: &Tree, renamed: &Renamed<'_>) -> Vec<Range<usize>> {
    let text = &*tree.text;
    let mut found = Vec::new();
    for (at, _) in text.match_indices(OLD) {
        let end = at + OLD.len();
        let goes_on = text[end..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let in_comment = text[line..at].trim_start().starts_with('#')
            || tree.template.comments.iter().any(|c| c.range().contains(&at));
        if goes_on || in_comment {
            continue;
        }
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':');
        let start = text[..at]
            .rfind(|c| !is_word(c))
            .map_or(0, |before| before + text[before..].chars().next().map_or(1, char::len_utf8));
        let word = &text[start..end];
        let name = word.rsplit('/').next().unwrap_or(word);
        // `"x/" ~ name ~ ".sls"`, `salt://{{ name }}.sls`: any of them.
        if name == OLD || renamed.names.contains(name) {
            found.push(start..end);
        }
    }
    found
}
