//! Answers to an editor's questions as plain data: byte ranges, texts, edits. Nothing in here knows the protocol.

pub mod actions;
pub mod completion;
pub mod docs;
pub mod folding;
pub mod hover;
pub mod links;
pub mod moves;
pub mod places;
pub mod preview;
pub mod sealing;
pub mod selection;
pub mod signature;
pub mod tokens;
pub mod typed;

use zester_compiler::query::{Index, Mention, Symbol};

/// The mention at a place: the shortest of those around it.
pub fn mention_at(mentions: &[Mention], offset: usize) -> Option<&Mention> {
    let offset = offset as u32;
    let around = mentions.iter().filter(|m| m.span.start <= offset && offset <= m.span.end);
    // Of two that touch, the one that begins here is meant.
    around
        .min_by_key(|m| (matches!(m.symbol, Symbol::Global(_)), m.span.range().len(), m.span.start != offset))
}

/// The word that stands wherever a file is named: its name without extension, of an `init` file its directory's.
pub fn name_of_file(path: &str) -> &str {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if stem == "init" { dir.rsplit('/').next().unwrap_or(dir) } else { stem }
}

/// A file's name without its directories.
pub fn name_with_extension(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// `path:line` of a place, for people.
pub fn shown_place(index: &Index, span: zester_compiler::source::Span) -> String {
    let (path, at) = index.project.files().locate(span);
    format!("{path}:{}", at.line)
}
