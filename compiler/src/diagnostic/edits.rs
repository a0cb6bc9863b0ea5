//! Edits applied to a text.

use super::{Applicability, Diagnostic, Edit, Fix};
use crate::source::FileId;
use std::collections::BTreeMap;

/// The text with edits of its file applied. Of two that overlap the first one given wins; one that does not fit the
/// text is left out.
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    // Stable: insertions at one place stay in their order.
    sorted.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len() + edits.iter().map(|e| e.text.len()).sum::<usize>());
    let mut at = 0;
    for edit in sorted {
        let range = edit.span.range();
        let Some(between) = text.get(at..range.start).filter(|_| text.get(range.clone()).is_some()) else {
            continue;
        };
        out.push_str(between);
        out.push_str(&edit.text);
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// The fixes of some findings that can be applied together: one for each finding at most, none that touches a place
/// another one has touched. Findings come first come first served, so those left out are found again.
pub fn together(diagnostics: &[Diagnostic], least: Applicability) -> Vec<&Fix> {
    let mut taken: BTreeMap<FileId, BTreeMap<u32, u32>> = BTreeMap::new();
    let mut chosen: Vec<&Fix> = Vec::new();
    for diagnostic in diagnostics {
        let may = |fix: &&Fix| least == Applicability::Unsafe || fix.applicability == Applicability::Safe;
        let Some(fix) = diagnostic.fixes.iter().find(may) else { continue };
        // What two findings want in the same way is done once.
        if chosen.iter().any(|other| other.edits == fix.edits) {
            continue;
        }
        let free = |edit: &Edit| {
            // The nearest place before its end; touching counts, as the order of two insertions would decide.
            taken
                .get(&edit.span.file)
                .and_then(|of_file| of_file.range(..=edit.span.end).next_back())
                .is_none_or(|(_, end)| *end < edit.span.start)
        };
        if fix.edits.iter().all(free) {
            for edit in &fix.edits {
                taken.entry(edit.span.file).or_default().insert(edit.span.start, edit.span.end);
            }
            chosen.push(fix);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diagnostic::tests::SAMPLE, source::Span};

    fn edit(range: std::ops::Range<usize>, text: &str) -> Edit {
        Edit { span: Span::new(FileId(0), range), text: text.to_owned() }
    }

    #[test]
    fn edits_are_applied_in_the_order_of_the_text() {
        assert_eq!(apply("abc", &[edit(2..3, "C"), edit(0..1, "A"), edit(1..1, "-")]), "A-bC");
        assert_eq!(apply("abc", &[edit(0..2, "x"), edit(1..3, "y"), edit(7..9, "z")]), "xc");
    }

    #[test]
    fn fixes_that_touch_wait_for_the_next_round() {
        let finding = |ranges: &[(usize, usize)], applicability| {
            let mut found = Diagnostic::new(&SAMPLE, Span::at(FileId(0), 0), "");
            let edits = ranges.iter().map(|r| edit(r.0..r.1, "x")).collect();
            found.fixes.push(Fix { title: String::new(), applicability, edits });
            found
        };
        let found = [
            finding(&[(3, 5), (9, 9)], Applicability::Safe),
            finding(&[(5, 6)], Applicability::Safe),
            finding(&[(0, 1)], Applicability::Unsafe),
            finding(&[(7, 8)], Applicability::Safe),
            finding(&[(3, 5), (9, 9)], Applicability::Safe),
        ];
        let starts = |least| -> Vec<u32> {
            together(&found, least).iter().map(|fix| fix.edits[0].span.start).collect()
        };
        assert_eq!(starts(Applicability::Safe), [3, 7]);
        assert_eq!(starts(Applicability::Unsafe), [3, 0, 7]);
    }
}
