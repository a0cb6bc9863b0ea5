//! From places in rendered text back to the author's files.

use crate::{
    diagnostic::Diagnostic,
    ir::{Frame, Origin},
    source::{FileId, Files, Span},
};
use std::{collections::HashMap, sync::Arc};

/// A place in a source file, and how control got there: macro calls, imports and includes, innermost first.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Where the author wrote it.
    pub span: Span,
    /// The calls that led there, each with what happens there.
    pub via: Vec<(Span, String)>,
}

/// The way back from the spans of one rendered document.
pub type PlaceOf = Arc<dyn Fn(Span) -> Place + Send + Sync>;

/// File ids from here on stand for rendered documents; no table of files ever gets so far.
const RENDERED: u32 = 1 << 31;

/// The file id that the nodes of the rendered document `index` carry.
pub fn rendered_file(index: usize) -> FileId {
    FileId(RENDERED | index as u32)
}

/// The ways back of all documents of a lowering.
#[derive(Default)]
pub(super) struct Places {
    documents: HashMap<usize, PlaceOf>,
}

impl Places {
    pub(super) fn set(&mut self, index: usize, place_of: PlaceOf) {
        self.documents.insert(index, place_of);
    }

    pub(super) fn of(&self, span: Span) -> Place {
        if !is_rendered(span) {
            return Place { span, via: Vec::new() };
        }
        let index = (span.file.0 & !RENDERED) as usize;
        match self.documents.get(&index) {
            Some(place_of) => place_of(span),
            None => Place { span: Span::at(FileId(0), 0), via: Vec::new() },
        }
    }

    /// A place as plans and results keep it.
    pub(super) fn origin(&self, files: &Files, span: Span) -> Origin {
        let place = self.of(span);
        let (file, at) = files.locate(place.span);
        let via = place
            .via
            .into_iter()
            .map(|(span, what)| {
                let (file, at) = files.locate(span);
                Frame { file, line: at.line, column: at.column, what }
            })
            .collect();
        Origin { file, line: at.line, column: at.column, via }
    }

    /// Moves all places of a finding to the author's files. The calls that led to its place become labels.
    pub(super) fn map(&self, diagnostic: Diagnostic) -> Diagnostic {
        moved(diagnostic, &|span| self.of(span))
    }
}

/// Moves all places of a finding with `of`. Edits of what an expression gave cannot be made in the source, so fixes are kept only where the text
/// is the author's.
pub(super) fn moved(mut diagnostic: Diagnostic, of: &dyn Fn(Span) -> Place) -> Diagnostic {
    let place = of(diagnostic.span);
    diagnostic.span = place.span;
    for label in &mut diagnostic.labels {
        label.span = of(label.span).span;
    }
    diagnostic.fixes.retain_mut(|fix| {
        fix.edits.iter_mut().all(|edit| {
            if !is_rendered(edit.span) {
                return true;
            }
            let width = edit.span.end - edit.span.start;
            let place = of(edit.span);
            edit.span = place.span;
            // A place of another width is not the text that was read.
            place.span.end - place.span.start == width && place.via.is_empty() && !is_rendered(place.span)
        })
    });
    for (span, what) in place.via {
        diagnostic = diagnostic.label(span, what);
    }
    diagnostic
}

fn is_rendered(span: Span) -> bool {
    span.file.0 & RENDERED != 0
}
