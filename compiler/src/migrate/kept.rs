//! Files that are no states and no settings, and are left as they are.

use super::{Note, NoteKind, Way, note_at};
use crate::{
    check::whole::foreign_renderer,
    project::{MODULE_DIRECTORIES, Project, TreeKind},
    source::Span,
    syntax::{Node, NodeKind, Tree},
};

/// Python that Salt loads from the root of a tree.
pub fn code(way: &Way) -> Option<Note> {
    let (first, rest) = way.file.tree_path.split_once('/')?;
    let is_python = rest.rsplit_once('.').is_some_and(|(_, extension)| extension == "py")
        && !rest.ends_with("__init__.py");
    (MODULE_DIRECTORIES.contains(&first) && is_python).then(|| Note {
        kind: NoteKind::Python,
        file: way.to.clone(),
        line: 1,
        column: 1,
        message: format!("`{}` is a Python module of Salt's `{first}`", rest.trim_end_matches(".py")),
    })
}

/// Why an `.sls` file keeps its name.
pub fn note(project: &Project, way: &Way) -> Option<Note> {
    let tree = project.tree(&way.file.path).ok()?;
    if let Some((renderer, span)) = foreign_renderer(tree.file, &tree.text) {
        let message = format!("The renderer `{renderer}` is not there; the file is kept under its name");
        return Some(note_at(project, way, NoteKind::Renderer, span, message));
    }
    // The keys of a top file are targets: `salt.example.org` is a machine.
    if way.kind == TreeKind::Settings || way.file.tree_path == "top.sls" {
        return None;
    }
    let (kind, key, span) = keys(&tree).find_map(|(key, span)| Some((kind_of(&key)?, key, span)))?;
    let what = match kind {
        NoteKind::Reactor => "is what Salt's reactor calls",
        _ => "is run by Salt's master",
    };
    Some(note_at(project, way, kind, span, format!("`{key}` {what}")))
}

/// States of Salt's `salt` module that have no like here. The others are steps of an orchestration here too.
const RUN_BY_MASTERS: &[&str] = &["parallel_runners", "wheel"];

/// What a key below an id says of its file.
fn kind_of(key: &str) -> Option<NoteKind> {
    let (module, rest) = key.split_once('.').unwrap_or((key, ""));
    match module {
        // `local.state.apply`: a client and a function of it, where states have two words.
        "local" | "runner" | "wheel" | "caller" if rest.contains('.') => Some(NoteKind::Reactor),
        "salt" if RUN_BY_MASTERS.contains(&rest) => Some(NoteKind::Orchestration),
        _ => None,
    }
}

/// The keys and words that stand where functions do.
fn keys(tree: &Tree) -> impl Iterator<Item = (String, Span)> {
    let mut found = Vec::new();
    let mut of_body = |body: &Node| match &body.kind {
        NodeKind::Mapping(functions) => {
            for entry in &functions.entries {
                let Some(key) = entry.key.text() else { continue };
                if let NodeKind::Sequence(list) = &entry.value.kind
                    && !key.contains('.')
                {
                    // The split form: `salt: [state, …]`.
                    let words = list.items.iter().filter_map(|item| Some((item.text()?, item.span)));
                    found.extend(words.map(|(word, span)| (format!("{key}.{word}"), span)));
                }
                found.push((key.into_owned(), entry.key.span));
            }
        }
        NodeKind::Scalar(_) => {
            if let Some(word) = body.text() {
                found.push((word.into_owned(), body.span));
            }
        }
        _ => {}
    };
    if let Some(NodeKind::Mapping(states)) = tree.root.as_ref().map(|root| &root.kind) {
        let reserved = |key: &Node| matches!(key.text().as_deref(), Some("include" | "extend" | "exclude"));
        for state in states.entries.iter().filter(|state| !reserved(&state.key)) {
            match &state.value.kind {
                NodeKind::Choice(bodies) => bodies.iter().for_each(&mut of_body),
                _ => of_body(&state.value),
            }
        }
    }
    found.into_iter()
}
