//! Requisites whose name has expressions in it: `file: {{ name }}_conf`. What they name is known after rendering only, but a name
//! with the same expressions as a state's, and nearly its words, is a slip.

use super::{
    pattern::Pattern,
    requisites::{UNKNOWN_REQUISITE, word},
    summary::FunctionDecl,
    targets::{Near, Wanted},
    workspace::Unit,
};
use crate::{
    diagnostic::{Applicability, Diagnostic, Severity, nearest},
    lower::document::Reference,
    source::Span,
};
use std::collections::{BTreeMap, HashMap};

/// Stands for what an expression gives.
const HOLE: &str = "\u{1}";

/// How many letters may differ: nothing is certain here.
const MOST_EDITS: usize = 2;

/// A name as it is written: its words, with a hole for each expression, and the expressions.
#[derive(PartialEq, Eq, Hash)]
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

/// The names with expressions that a file's states have, each with the function whose it is and its place.
pub(super) struct Names<'u>(HashMap<Written, Vec<(&'u FunctionDecl, Span)>>);

impl<'u> Names<'u> {
    pub(super) fn of(unit: &'u Unit) -> Self {
        let mut names: HashMap<Written, Vec<_>> = HashMap::new();
        for state in &unit.summary.states {
            for function in &state.functions {
                for place in std::iter::once(state.span).chain(function.names.iter().map(|(_, span)| *span)) {
                    if let Some(name) = unit.tree.text.get(place.range()).and_then(Written::of) {
                        names.entry(name).or_default().push((function, place));
                    }
                }
            }
        }
        Self(names)
    }
}

/// The finding about a name that nothing in the run has, and that is nearly one of its own file.
pub(super) fn misspelt<'n, 'w: 'n>(
    unit: &Unit,
    names: &Names<'_>,
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
    let of_kind = |all: &[(&FunctionDecl, Span)]| {
        all.iter().find(|(function, _)| wanted.fits(function)).map(|(_, place)| *place)
    };
    if names.0.get(&written).is_some_and(|all| of_kind(all).is_some()) {
        return None;
    }
    let like: BTreeMap<&str, Span> = names
        .0
        .iter()
        .filter(|(name, _)| name.holes == written.holes)
        .filter_map(|(name, all)| Some((name.words.as_str(), of_kind(all)?)))
        .collect();
    let meant = nearest(&written.words, like.keys().copied())?;
    if strsim::damerau_levenshtein(meant, &written.words) > MOST_EDITS {
        return None;
    }
    let Near { known, open, called } = near();
    let pattern = written.pattern();
    let may_be = |name: &Pattern| match name.text() {
        Some(text) => pattern.matches(text),
        None => !name.is_any() && name.matches(&written.words),
    };
    let exists = known.all().any(|(state, function)| {
        wanted.fits(function) && (may_be(&state.id) || function.names.iter().any(|(name, _)| may_be(name)))
    });
    if *open || !called.is_empty() || exists {
        return None;
    }
    let place = *like.get(meant)?;
    let right = text(place)?.trim_matches(['\'', '"']);
    let message = format!("`{}` names no state that exists: {}: {name}", word(reference), kind.text);
    let mut diagnostic = Diagnostic::new(&UNKNOWN_REQUISITE, span, message)
        .help(format!("did you mean `{}: {right}`?", kind.text))
        .label(place, "the nearest name is defined here");
    if !name.contains(['\'', '"']) {
        diagnostic = diagnostic.fix(format!("rename to `{right}`"), Applicability::Unsafe, span, right);
    }
    // A name that is all expression could still give it.
    diagnostic.severity = Severity::Warning;
    Some(diagnostic)
}
