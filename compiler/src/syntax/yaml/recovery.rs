//! Going on after a mistake: the failed region is blanked and the rest parsed again, so that one mistake does not
//! hide the next.

use super::{Layer, build, problem::report};
use crate::diagnostic::Diagnostic;
use build::{Anchors, Parsed};

/// Mistakes after which a text is given up. Each costs one more pass.
const MAX_ERRORS: usize = 12;

/// A document with all that is wrong in it.
pub(in crate::syntax) struct Recovered {
    /// The document of what could be read.
    pub root: Option<crate::syntax::Node>,
    /// What could not, in the order of places.
    pub diagnostics: Vec<Diagnostic>,
    /// Texts of the parse in bytes, for the tests that hold the work linear.
    pub bytes: usize,
}

/// Parses, and after each error blanks the line in question with all that is indented deeper below it.
pub(in crate::syntax) fn parse_recovering(layer: &Layer<'_>, anchors: &mut Anchors) -> Recovered {
    let mut bytes = layer.text.len();
    let mut parsed = build::parse_once(layer, anchors);
    let mut diagnostics = Vec::new();
    let mut text = String::new();
    while let Some(error) = parsed.error.take() {
        let current = if text.is_empty() { layer.text } else { text.as_str() };
        diagnostics.push(report(&error, current, &|o| layer.source(o), layer.file));
        // The place that the author must edit, in offsets of the text itself.
        let place = report(&error, current, &|o| o, layer.file).span.start as usize;
        if matches!(error.kind, build::ProblemKind::SecondDocument) || diagnostics.len() >= MAX_ERRORS {
            break;
        }
        if text.is_empty() {
            layer.text.clone_into(&mut text);
        }
        // When blanking the place does not help, the line where the parser stopped goes too.
        let blanked = blank_failed(&mut text, place);
        if !blanked && !blank_failed(&mut text, error.at.start) {
            break;
        }
        bytes += text.len();
        let again = build::parse_once(&Layer { text: &text, ..*layer }, anchors);
        parsed = Parsed { root: again.root.or(parsed.root), ..again };
    }
    let last = if text.is_empty() { layer.text } else { text.as_str() };
    diagnostics.extend(parsed.remarks.iter().map(|p| report(p, last, &|o| layer.source(o), layer.file)));
    diagnostics.sort_by_key(|d| d.span.start);
    diagnostics.dedup_by_key(|d| d.span.start);
    Recovered { root: parsed.root, diagnostics, bytes }
}

/// Blanks the line of a place and the deeper ones that follow; whether there was anything to blank.
fn blank_failed(text: &mut String, place: usize) -> bool {
    let at = place.min(text.len());
    let bytes = text.as_bytes();
    let mut start = bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let mut end = line_end(bytes, start);
    // At the end of the text the line in question is the last one with something on it.
    while start > 0 && is_blank(&bytes[start..end]) {
        end = start - 1;
        start = bytes[..end].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    }
    if is_blank(&bytes[start..end]) {
        return false;
    }
    let indent = indent_of(&bytes[start..end]);
    let mut next = (end + 1).min(bytes.len());
    while next < bytes.len() {
        let line = line_end(bytes, next);
        if !is_blank(&bytes[next..line]) && indent_of(&bytes[next..line]) <= indent {
            break;
        }
        next = (line + 1).min(bytes.len());
        end = line;
    }
    // Line breaks keep their places; everything else becomes a space, byte for byte.
    let blank: String =
        text.as_bytes()[start..end].iter().map(|b| if *b == b'\n' { '\n' } else { ' ' }).collect();
    if text.is_char_boundary(start) && text.is_char_boundary(end) {
        text.replace_range(start..end, &blank);
        true
    } else {
        false
    }
}

fn line_end(bytes: &[u8], start: usize) -> usize {
    bytes[start..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |i| start + i)
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r'))
}

fn indent_of(line: &[u8]) -> usize {
    line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count()
}
