//! Requisites whose name has expressions in it: `file: {{ name }}_conf`. What they name is known after rendering only, but a name
//! with the same expressions as a state's, and nearly its words, is a slip.

use super::{
    pattern::Pattern,
    requisites::{UNKNOWN_REQUISITE, word},
    targets::{Near, Wanted},
    workspace::Unit,
};
use crate::{
    diagnostic::{Applicability, Diagnostic, Severity, nearest},
    lower::document::Reference,
    source::Span,
};

/// Stands for what an expression gives.
const HOLE: &str = "\u{1}";

/// How many letters may differ: nothing is certain here.
const MOST_EDITS: usize = 2;

/// A name as it is written: its words, with a hole for each expression, and the expressions.
#[derive(PartialEq, Eq)]
struct Written {
    words: String,
    holes: Vec<String>,
}

impl Written {
    /// Nothing where there is no expression, where there are statements, or too few words to tell a slip by.
    fn of(text: &str) -> Option<Self> {
        let (mut words, mut holes) = (String::new(), Vec::new());
        let mut rest = text.trim().trim_matches(['\'', '"']);
        while let Some((before, after)) = rest.split_once("{{") {
            let (expr, behind) = after.split_once("}}")?;
            words.push_str(before);
            words.push_str(HOLE);
            holes.push(expr.trim_matches('-').split_whitespace().collect());
            rest = behind;
        }
        words.push_str(rest);
        let letters = words.chars().filter(|c| c.is_alphanumeric()).count();
        (!holes.is_empty() && letters > 3 && !words.contains("{%")).then_some(Self { words, holes })
    }

    /// The names that it can be.
    fn pattern(&self) -> Pattern {
        let mut pieces: Vec<Option<String>> = Vec::new();
        for (index, word) in self.words.split(HOLE).enumerate() {
            if index > 0 && pieces.last() != Some(&None) {
                pieces.push(None);
            }
            if !word.is_empty() {
                pieces.push(Some(word.to_owned()));
            }
        }
        Pattern::of_pieces(pieces)
    }
}

/// The finding about a name that nothing in the run has, and that is nearly one of its own file.
pub(super) fn misspelt<'n, 'w: 'n>(
    unit: &Unit,
    reference: &Reference,
    near: &dyn Fn() -> &'n Near<'w>,
) -> Option<Diagnostic> {
    let kind = reference.word.as_ref().filter(|word| word.colon)?;
    let module = kind.text.split('.').next().unwrap_or_default();
    let wanted = Wanted::Module(module);
    let text = |span: Span| unit.tree.text.get(span.range());
    // What is computed has no place of its own in a reference: it stands behind the colon. In braces its end is not known.
    let behind = Span { start: kind.span.end, end: reference.span.end, ..kind.span };
    let name = text(behind)?.trim_start_matches(':').trim();
    if text(reference.span)?.starts_with('{') {
        return None;
    }
    let start = behind.start + text(behind)?.find(name)? as u32;
    let span = Span { start, end: start + name.len() as u32, ..behind };
    let written = Written::of(name)?;
    let mut all: Vec<(Written, Span)> = Vec::new();
    for state in &unit.summary.states {
        for function in state.functions.iter().filter(|function| wanted.fits(function)) {
            for place in std::iter::once(state.span).chain(function.names.iter().map(|(_, span)| *span)) {
                if let Some(name) = text(place).and_then(Written::of).filter(|n| n.holes == written.holes) {
                    all.push((name, place));
                }
            }
        }
    }
    if all.iter().any(|(name, _)| *name == written) {
        return None;
    }
    let meant = nearest(&written.words, all.iter().map(|(name, _)| name.words.as_str()))?.to_owned();
    if strsim::damerau_levenshtein(&meant, &written.words) > MOST_EDITS {
        return None;
    }
    let Near { known, open } = near();
    let pattern = written.pattern();
    let may_be = |name: &Pattern| match name.text() {
        Some(text) => pattern.matches(text),
        None => !name.is_any() && name.matches(&written.words),
    };
    let exists = known.all().any(|(state, function)| {
        wanted.fits(function) && (may_be(&state.id) || function.names.iter().any(|(name, _)| may_be(name)))
    });
    if *open || exists {
        return None;
    }
    let (_, place) = all.iter().find(|(name, _)| name.words == meant)?;
    let right = text(*place)?.trim_matches(['\'', '"']);
    let message = format!("`{}` names no state that exists: {}: {name}", word(reference), kind.text);
    let mut diagnostic = Diagnostic::new(&UNKNOWN_REQUISITE, span, message)
        .help(format!("did you mean `{}: {right}`?", kind.text))
        .label(*place, "the nearest name is defined here");
    if !name.contains(['\'', '"']) {
        diagnostic = diagnostic.fix(format!("rename to `{right}`"), Applicability::Unsafe, span, right);
    }
    // A name that is all expression could still give it.
    diagnostic.severity = Severity::Warning;
    Some(diagnostic)
}
