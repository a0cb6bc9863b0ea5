//! The one layout of `.zy` files: what `zester fmt` and an editor's "format document" do.
//!
//! The layout is the one of Salt's formulas, as `users-formula` writes it:
//!
//! ```yaml
//! {% if settings.get('web') %}
//! nginx:
//!   pkg.installed:
//!     - version: {{ settings.web.version }}
//!   service.running:
//!     - enable: true
//!     - require:
//!       - pkg: nginx
//! {% endif %}
//! ```
//!
//! Two blanks for each level; the items of a list two blanks below their key, and in the column of the key where the
//! key is the only one of an item (`- require:`); one blank inside the braces of a tag; one blank line between states,
//! never two; nothing after the last word of a line; a line break at the end. Words, quotes, comments, lists and maps in
//! brackets, the texts of blocks (`|`, `>`) and the bodies of macros stay as they are. Where other text must fit in between (a macro
//! or a filter that emits lines of its own, a tag that takes line breaks away), the lines around it keep their
//! columns.
//!
//! *Invariants:* only blanks and line breaks are changed; the tree before and after says the same (it is parsed
//! again and compared, so a mistake in here costs layout, never meaning); a formatted text stays as it is.

mod blank;
mod columns;
mod lines;
mod same;
mod tags;
mod typed;

use crate::{
    diagnostic::{Diagnostic, Edit},
    source::{FileId, Span},
    syntax::{Opaque, Tree, parse},
};
use columns::STEP;
pub(crate) use lines::{Kind, Lines};
pub(crate) use same::roots as says_the_same;
use std::{ops::Range, sync::Arc};
pub use typed::format_typed;

/// What a file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// States: one blank line between them.
    States,
    /// Settings, a top file: blank lines are their author's.
    Data,
}

/// Why a file is left as it is.
#[derive(Clone, Debug)]
pub enum Untouched {
    /// It has an error of syntax.
    Wrong(Box<Diagnostic>),
    /// Its structure is known after rendering only.
    Opaque(Opaque),
}

/// The edits that bring a file into its layout, in the order of the text; none when it is in it. Each edit replaces
/// whole lines.
pub fn format(tree: &Tree, layout: Layout) -> Result<Vec<Edit>, Untouched> {
    understood(tree)?;
    let lines = Lines::of(tree);
    // Where the whole cannot be had, what is there is better than nothing.
    for effort in [Effort::All, Effort::BlankLines, Effort::Tags] {
        let edits = attempt(tree, &lines, layout, effort);
        if edits.is_empty() {
            return Ok(edits);
        }
        if keeps_meaning(tree, &edits) {
            return Ok(edits);
        }
    }
    Ok(Vec::new())
}

/// As [`format`], for the states (or other entries at the top of the file) that a byte range touches.
pub fn format_range(tree: &Tree, layout: Layout, range: Range<usize>) -> Result<Vec<Edit>, Untouched> {
    let all = format(tree, layout)?;
    let around = entries_around(tree, range);
    let edits: Vec<Edit> = all
        .into_iter()
        .filter(|edit| {
            let at = edit.span.range();
            at.start >= around.start && at.start < around.end.max(around.start + 1)
        })
        .collect();
    // Taken out of the whole, it must make sense on its own.
    Ok(if keeps_meaning(tree, &edits) { edits } else { Vec::new() })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Effort {
    All,
    BlankLines,
    Tags,
}

fn understood(tree: &Tree) -> Result<(), Untouched> {
    if let Some(error) = tree.diagnostics.iter().find(|d| d.is_error()) {
        return Err(Untouched::Wrong(Box::new(error.clone())));
    }
    match &tree.opaque {
        Some(opaque) => Err(Untouched::Opaque(opaque.clone())),
        None => Ok(()),
    }
}

fn attempt(tree: &Tree, lines: &Lines<'_>, layout: Layout, effort: Effort) -> Vec<Edit> {
    let mut written = lines::Written::of(lines);
    tags::space(tree, &mut written);
    if effort == Effort::All {
        columns::indent(tree, lines, &mut written);
    }
    if effort != Effort::Tags {
        blank::settle(tree, lines, layout, &mut written);
    }
    written.edits(tree.file)
}

/// Parses the edited text and compares.
fn keeps_meaning(tree: &Tree, edits: &[Edit]) -> bool {
    let text: Arc<str> = crate::diagnostic::apply(&tree.text, edits).into();
    same::same(tree, &parse(FileId(tree.file.0), &text))
}

/// The part of a text from the first to the last entry at its top that a range touches, with the lines before each.
fn entries_around(tree: &Tree, range: Range<usize>) -> Range<usize> {
    let mut starts: Vec<usize> = vec![0];
    let mut pending: Vec<_> = tree.root.iter().collect();
    while let Some(node) = pending.pop() {
        match &node.kind {
            crate::syntax::NodeKind::Choice(all) => pending.extend(all),
            crate::syntax::NodeKind::Mapping(map) => {
                starts.extend(map.entries.iter().map(|entry| line_start(&tree.text, entry.key.span)));
            }
            _ => {}
        }
    }
    starts.push(tree.text.len());
    starts.sort_unstable();
    let first = starts.iter().rev().find(|start| **start <= range.start).copied().unwrap_or(0);
    let last = starts.iter().find(|start| **start > range.end.max(range.start)).copied();
    first..last.unwrap_or(tree.text.len())
}

fn line_start(text: &str, span: Span) -> usize {
    text.get(..span.start as usize).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests;
