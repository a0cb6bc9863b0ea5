//! From places in rendered text back to the author's files.

use crate::{
    diagnostic::Diagnostic,
    ir::{Frame, Origin},
    source::{FileId, Files, Span},
};
use std::collections::HashMap;

/// A place in a source file, and how control got there: macro calls, imports and includes, innermost first.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Where the author wrote it.
    pub span: Span,
    /// The calls that led there, each with what happens there.
    pub via: Vec<(Span, String)>,
}

/// The way back from the spans of one rendered document.
pub type PlaceOf = Box<dyn Fn(Span) -> Place>;

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
        if span.file.0 & RENDERED == 0 {
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
                Frame { file: file.to_string(), line: at.line, column: at.column, what }
            })
            .collect();
        Origin { file: file.to_string(), line: at.line, column: at.column, via }
    }

    /// Moves all places of a finding to the author's files. The calls that led to its place become labels. Edits of
    /// what an expression gave cannot be made in the source, so fixes are kept only where the text is the author's.
    pub(super) fn map(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        let rendered = diagnostic.span.file.0 & RENDERED != 0;
        let place = self.of(diagnostic.span);
        diagnostic.span = place.span;
        for label in &mut diagnostic.labels {
            label.span = self.of(label.span).span;
        }
        if rendered {
            for fix in &mut diagnostic.fixes {
                for edit in &mut fix.edits {
                    let width = edit.span.end - edit.span.start;
                    let place = self.of(edit.span);
                    // A place of another width is not the text that was read.
                    edit.span = if place.span.end - place.span.start == width && place.via.is_empty() {
                        place.span
                    } else {
                        Span::at(FileId(RENDERED), 0)
                    };
                }
            }
            diagnostic.fixes.retain(|f| f.edits.iter().all(|e| e.span.file.0 & RENDERED == 0));
        }
        for (span, what) in place.via {
            diagnostic = diagnostic.label(span, what);
        }
        diagnostic
    }
}
