//! Writes `zester: allow(…)` comments for findings that are there: `zester check --add-allow`, an editor's action.
//!
//! A comment stands on a line of its own above the finding's, in YAML's form, or as a template comment where a `#`
//! would not be one: among tags that take line breaks away, in texts, in bodies of macros. An allow comment that is
//! there already is extended. Inside a tag of several lines and in `raw` text no comment is possible.

use super::allow::MARK;
use crate::{
    diagnostic::{Diagnostic, Edit, apply},
    format::{Kind, Lines, says_the_same},
    source::{FileId, Span},
    syntax::{Tree, parse, segment::SegmentKind},
};
use std::{collections::BTreeMap, sync::Arc};

/// The edits that allow some findings of one file, and how many findings no comment can stand at.
pub fn allow_edits(tree: &Tree, findings: &[&Diagnostic]) -> (Vec<Edit>, usize) {
    let lines = Lines::of(tree);
    let mut by_line: BTreeMap<usize, Vec<&'static str>> = BTreeMap::new();
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for finding in findings.iter().filter(|d| d.span.file == tree.file) {
        let line = lines.at(finding.span.start as usize);
        *counts.entry(line).or_default() += 1;
        let codes = by_line.entry(line).or_default();
        if !codes.contains(&finding.rule.code) {
            codes.push(finding.rule.code);
        }
    }
    let mut edits: Vec<Edit> = Vec::new();
    let mut left = 0;
    for (line, mut codes) in by_line {
        codes.sort_unstable();
        let place = places(&lines, line, &codes.join(", "))
            .into_iter()
            .map(|(at, text)| Edit { span: Span::at(tree.file, at), text })
            // A template comment within a line leaves nothing, wherever it stands.
            .find(|edit| {
                edit.text.starts_with("{#") && edit.text.ends_with('}') || keeps_meaning(tree, edit)
            });
        match place {
            Some(edit) => edits.push(edit),
            None => left += counts.get(&line).copied().unwrap_or_default(),
        }
    }
    (edits, left)
}

/// Where a comment with these codes could stand for a line, the best place first.
fn places(lines: &Lines<'_>, line: usize, codes: &str) -> Vec<(usize, String)> {
    let mut places = Vec::new();
    let Some(own) = lines.all.get(line) else { return places };
    let text =
        |number: usize| lines.all.get(number).and_then(|l| lines.text.get(l.range.clone())).unwrap_or("");
    // One that is there: on the line, or alone above it.
    for number in [Some(line), line.checked_sub(1)].into_iter().flatten() {
        let words = text(number);
        let Some(at) = words.find(MARK) else { continue };
        let before = words[..at].trim_end();
        let alone = before.trim_start_matches([' ', '{', '#']).is_empty();
        if !before.ends_with('#') || (number != line && !alone) {
            continue;
        }
        if let Some(end) = words[at..].find(')') {
            places.push((lines.all[number].range.start + at + end, format!(", {codes}")));
        }
    }
    let ending = lines.all.first().map_or("\n", |l| lines.text.get(l.ending.clone()).unwrap_or("\n"));
    let ending = if ending.is_empty() { "\n" } else { ending };
    let indent = " ".repeat(own.indent);
    if !own.frozen && !own.tail {
        let start = own.range.start;
        let glued = (0..line)
            .rev()
            .find(|n| lines.all[*n].kind != Kind::Blank)
            .is_some_and(|n| ["-%}", "-}}", "-#}"].iter().any(|close| text(n).trim_end().ends_with(close)));
        let of_template = own.kind == Kind::Tag || text(line).trim_start().starts_with("{{-") || glued;
        if !of_template {
            places.push((start, format!("{indent}# {MARK}{codes}){ending}")));
        }
        places.push((start, format!("{indent}{{# {MARK}{codes}) #}}{ending}")));
    }
    // Behind the words, where it leaves nothing in the text.
    let end = own.range.end;
    let inside = lines.segments.iter().any(|segment| {
        segment.kind != SegmentKind::Text && segment.range.start < end && end < segment.range.end
            || segment.kind == SegmentKind::Raw && segment.range.start <= end && end <= segment.range.end
    });
    if !inside {
        places.push((end, format!("{{# {MARK}{codes}) #}}")));
    }
    places
}

/// Whether the file says what it said, and the comment is one.
fn keeps_meaning(tree: &Tree, edit: &Edit) -> bool {
    let text: Arc<str> = apply(&tree.text, std::slice::from_ref(edit)).into();
    let after = parse(FileId(tree.file.0), &text);
    says_the_same(tree, &after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{ids::DUPLICATE_ID, resources::NOT_IDEMPOTENT};

    /// Allows a finding at each place where a word stands.
    fn allowed(text: &str, words: &[&str]) -> String {
        let tree = parse(FileId(0), &text.into());
        let found: Vec<Diagnostic> = words
            .iter()
            .enumerate()
            .map(|(n, word)| {
                let rule = if n == 0 { &NOT_IDEMPOTENT } else { &DUPLICATE_ID };
                Diagnostic::new(rule, Span::at(FileId(0), text.find(word).unwrap()), "")
            })
            .collect();
        let (edits, left) = allow_edits(&tree, &found.iter().collect::<Vec<_>>());
        let mut out = apply(text, &edits);
        if left > 0 {
            out.push_str(&format!("({left} left)"));
        }
        out
    }

    #[test]
    fn comments_stand_above() {
        assert_eq!(
            allowed("a:\n  cmd.run:\n    - name: x\n", &["name"]),
            "a:\n  cmd.run:\n    # zester: allow(Z0223)\n    - name: x\n"
        );
        // A text before it ends there.
        assert_eq!(
            allowed("a:\n  f.m:\n    - contents: |\n        x\n    - mode: 1\n", &["contents", "mode"]),
            "a:\n  f.m:\n    # zester: allow(Z0223)\n    - contents: |\n        x\n    # zester: allow(Z0221)\n    - mode: 1\n"
        );
        assert_eq!(
            allowed("{% set a = 1 -%}\nb:\n  c.d: []\n", &["set", "b:"]),
            "{# zester: allow(Z0223) #}\n{% set a = 1 -%}\n{# zester: allow(Z0221) #}\nb:\n  c.d: []\n"
        );
    }

    #[test]
    fn two_findings_of_a_line_share_a_comment_and_old_ones_are_extended() {
        assert_eq!(allowed("a: b\n", &["a", "b"]), "# zester: allow(Z0221, Z0223)\na: b\n");
        assert_eq!(
            allowed("# zester: allow(Z0201)\na: b # zester: allow(Z0202)\n", &["b"]),
            "# zester: allow(Z0201)\na: b # zester: allow(Z0202, Z0223)\n"
        );
        assert_eq!(
            allowed("# zester: allow(Z0201)\na: b\n", &["b"]),
            "# zester: allow(Z0201, Z0223)\na: b\n"
        );
    }

    #[test]
    fn within_texts_it_is_a_template_comment_behind_the_words() {
        assert_eq!(
            allowed("a:\n  f.m:\n    - contents: |\n        x {{ y }}\n        z\n", &["{{ y"]),
            "a:\n  f.m:\n    - contents: |\n        x {{ y }}{# zester: allow(Z0223) #}\n        z\n"
        );
        assert_eq!(
            allowed("{% macro m() %}\nx: {{ y }}\n{% endmacro %}\n", &["{{ y"]),
            "{% macro m() %}\nx: {{ y }}{# zester: allow(Z0223) #}\n{% endmacro %}\n"
        );
        let inside = "{% set a = [\n  b,\n] %}\n";
        assert_eq!(allowed(inside, &["b,"]), format!("{inside}(1 left)"));
    }
}
