//! What a file's new text says, before the whole project is checked again: what an editor shows between two letters.
//!
//! The rules on single files see the new text, and the other files as the last check knew them. What rules on several
//! files found is carried over to where it stands now. Nothing of it is kept: the next check finds out everything.

use super::{
    driver::{arrange, check_unit},
    memory::{Kept, Memory},
    removal,
    view::View,
    workspace::{Workspace, read_again},
};
use crate::{
    diagnostic::{Diagnostic, Severity},
    infer,
    project::Project,
    source::Span,
    types::Registry,
};
use std::{collections::HashSet, sync::Arc};

/// The findings in the file at `path` as its text is now. `before` are those of the last whole check. `None` where that
/// cannot be told from the file alone: nothing has been checked, or the file is new, or something else than it was.
pub fn glance(
    project: &Project,
    registry: &Registry,
    memory: &mut Memory,
    path: &str,
    before: &[Diagnostic],
) -> Option<Vec<Diagnostic>> {
    let data = memory.types.clone()?;
    let parts = memory.last.take()?;
    let custom = memory.custom.clone();
    let registry = custom.add_to(registry);
    let mut workspace = Workspace::of_parts(project, &registry, parts);
    // Names are counted before the text changes, so that the counts stay those of the last check.
    workspace.binds("");
    let index = workspace.by_path.get(path).copied();
    let found = index.and_then(|index| {
        let was = match memory.replaced.get(path) {
            Some(found) => found.clone(),
            None => workspace.kept[index].local.as_ref()?.found.clone(),
        };
        whole(&mut workspace, index, &data, &was, before)
    });
    workspace.into_memory(memory);
    found
}

/// The findings of the rules on single files in the new text, with those of others before.
fn whole(
    workspace: &mut Workspace<'_>,
    index: usize,
    data: &infer::Data,
    was: &[Diagnostic],
    before: &[Diagnostic],
) -> Option<Vec<Diagnostic>> {
    let project = workspace.project;
    let unit = &workspace.units[index];
    let tree = project.tree(&unit.path).ok()?;
    let (kept, reading) = read_again(workspace, index, tree.clone());
    if reading.kind != unit.kind {
        return None;
    }
    let foreign = kept.foreign;
    let old = workspace.replace(index, tree.clone(), reading.summary, foreign, kept);
    let mut found = Vec::new();
    {
        let workspace = &*workspace;
        let view = View::new(workspace, index);
        check_unit(&view, &infer::World::new(workspace, data), &mut found);
        removal::complete(&tree, &mut found);
    }
    let (tree, summary, foreign, kept) = old;
    let new = workspace.replace(index, tree, summary, foreign, kept);
    let (tree, allows) = (new.0, new.3.allows.clone());

    found.extend(allows.1.iter().cloned());
    let (levels, file) = (&project.config().levels, project.files().get(tree.file));
    found.retain_mut(|d| {
        d.severity = levels.adjust(d.rule).unwrap_or(d.severity);
        d.span.file == tree.file
            && d.severity != Severity::Allow
            && !allows.0.allow(d, &file.lines)
            && is_said(d, was, before)
    });
    // What only several files together show is where it was, or moved with the text around it.
    let own: HashSet<(&str, Span)> = was.iter().map(|d| (d.rule.code, d.span)).collect();
    if let Some(first) = before.first() {
        let text = &project.files().get(first.span.file).text;
        let moved = Moved::between(text, &tree.text, first.span, tree.file);
        let others = before.iter().filter(|d| !own.contains(&(d.rule.code, d.span)));
        found.extend(others.filter_map(|d| moved.diagnostic(d)));
    }
    arrange(project, &mut found);
    removal::keep_all_quotes(project, &mut found);
    Some(found)
}

/// A name that may be defined elsewhere is reported at its first place in the project only: whether this is it, the last
/// check knew.
fn is_said(finding: &mut Diagnostic, was: &[Diagnostic], before: &[Diagnostic]) -> bool {
    if !infer::is_once_per_project(finding) {
        return true;
    }
    let same = |d: &&Diagnostic| d.rule.code == finding.rule.code && d.message == finding.message;
    match before.iter().find(same) {
        Some(known) => {
            finding.help.clone_from(&known.help);
            true
        }
        None => !was.iter().any(|d| same(&d)),
    }
}

/// From an old text to a new one that differs from it in one stretch.
struct Moved {
    old: crate::source::FileId,
    new: crate::source::FileId,
    /// Bytes that both begin with.
    start: u32,
    /// Where, in the old text, what both end with begins.
    end: u32,
    /// How much longer the new text is.
    by: i64,
}

impl Moved {
    fn between(old: &str, new: &str, at: Span, file: crate::source::FileId) -> Self {
        let start = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
        let rest = old.len().min(new.len()) - start;
        let same = old.bytes().rev().zip(new.bytes().rev()).take(rest).take_while(|(a, b)| a == b).count();
        Self {
            old: at.file,
            new: file,
            start: start as u32,
            end: (old.len() - same) as u32,
            by: new.len() as i64 - old.len() as i64,
        }
    }

    /// Where a place is now; `None` where its text changed.
    fn span(&self, span: Span) -> Option<Span> {
        if span.file != self.old {
            return Some(span);
        }
        let moved = if span.end <= self.start {
            span
        } else if span.start >= self.end {
            let by = |offset: u32| u32::try_from(i64::from(offset) + self.by).ok();
            Span { start: by(span.start)?, end: by(span.end)?, ..span }
        } else {
            return None;
        };
        Some(Span { file: self.new, ..moved })
    }

    fn diagnostic(&self, diagnostic: &Diagnostic) -> Option<Diagnostic> {
        let mut moved = diagnostic.clone();
        moved.span = self.span(moved.span)?;
        moved.labels.retain_mut(|label| match self.span(label.span) {
            Some(span) => {
                label.span = span;
                true
            }
            None => false,
        });
        moved.fixes.retain_mut(|fix| {
            fix.edits.iter_mut().all(|edit| match self.span(edit.span) {
                Some(span) => {
                    edit.span = span;
                    true
                }
                None => false,
            })
        });
        Some(moved)
    }
}

/// What [`Workspace::replace`] took out and takes in.
pub(super) type Replaced = (Arc<crate::syntax::Tree>, Arc<super::summary::Summary>, bool, Kept);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    #[test]
    fn places_move_with_the_text_around_them() {
        let span = |start, end| Span { file: FileId(1), start, end };
        let at = |moved: &Moved, s| moved.span(s).map(|s| (s.file.0, s.start, s.end));
        let moved = Moved::between("a: 1\nb: 2\nc: 3\n", "a: 1\nb: 2345\nc: 3\n", span(0, 1), FileId(2));
        assert_eq!(at(&moved, span(0, 4)), Some((2, 0, 4)));
        assert_eq!(at(&moved, span(10, 14)), Some((2, 13, 17)));
        assert_eq!(at(&moved, span(5, 14)), None);
        // Repeated text is counted once.
        let moved = Moved::between("aa", "aaa", span(0, 1), FileId(2));
        assert_eq!((moved.start, moved.end, moved.by), (2, 2, 1));
        let moved = Moved::between("aaa", "a", span(0, 1), FileId(2));
        assert_eq!((moved.start, moved.end, moved.by), (1, 3, -2));
    }
}
