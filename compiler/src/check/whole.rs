//! What is said about a file as a whole: it cannot be read, its structure is not understood, it needs a renderer
//! that is not there.

use super::workspace::{Unit, Unreadable};
use crate::{
    diagnostic::Diagnostic,
    rule,
    source::{FileId, Files, Span},
};

rule! {
    /// The structure of a file is understood only after rendering.
    ///
    /// Its states are not checked on all branches, and other files cannot be checked against them. The finding says
    /// which construct is in the way.
    ///
    /// Write template tags on lines of their own, around whole entries:
    ///
    /// ```yaml right
    /// {% if settings.get('web') %}
    /// nginx:
    ///   pkg.installed: []
    /// {% endif %}
    /// ```
    pub CHECKED_AFTER_RENDERING = "Z0030", "checked-after-rendering", Hint;

    /// A file asks for a renderer other than Jinja and YAML in its first line.
    ///
    /// Such a file cannot be run.
    ///
    /// ```yaml
    /// #!py
    /// def run():
    ///     return {}
    /// ```
    ///
    /// Write the states as YAML, with a custom module for what needs a program:
    ///
    /// ```yaml
    /// #!jinja|yaml
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub UNSUPPORTED_RENDERER = "Z0031", "unsupported-renderer", Warning;

    /// A file of a tree cannot be read: it is not UTF-8 text, too large, or the system refuses.
    ///
    /// Convert it to UTF-8, or move what is not a state file out of the tree.
    pub UNREADABLE_FILE = "Z0032", "unreadable-file", Error;
}

/// The renderers of a `#!` line that are not there, with the line's place.
pub fn foreign_renderer(file: FileId, text: &str) -> Option<(String, Span)> {
    let line = text.strip_prefix("#!")?.lines().next()?;
    let foreign = line
        .trim()
        .split('|')
        .map(|r| r.split_whitespace().next().unwrap_or(""))
        .find(|r| !matches!(*r, "" | "jinja" | "yaml" | "gpg" | "jinja2") && !r.starts_with('/'))?;
    Some((foreign.to_owned(), Span::new(file, 0..line.len() + 2)))
}

/// Reports what holds for a file as a whole.
pub fn check_whole(unit: &Unit, diagnostics: &mut Vec<Diagnostic>) {
    if let Some((renderer, span)) = foreign_renderer(unit.tree.file, &unit.tree.text) {
        diagnostics.push(
            Diagnostic::new(
                &UNSUPPORTED_RENDERER,
                span,
                format!("The renderer `{renderer}` is not supported; the file is not checked"),
            )
            .help("write the states as YAML with templates"),
        );
        return;
    }
    if let Some(opaque) = &unit.tree.opaque {
        diagnostics.push(
            Diagnostic::new(
                &CHECKED_AFTER_RENDERING,
                opaque.span,
                format!("The structure of this file is understood only after rendering: {}", opaque.reason),
            )
            .help("put the tag on a line of its own, around whole entries"),
        );
    }
}

/// Reports a file that could not be read.
pub fn unreadable(files: &Files, file: &Unreadable) -> Diagnostic {
    let id = files.by_path(&file.path).map_or_else(|| files.add(&file.path, ""), |f| f.id);
    Diagnostic::new(&UNREADABLE_FILE, Span::at(id, 0), super::references::capitalised(&file.reason))
        .help("convert it to UTF-8, or move it out of the tree if it is no state file")
}
