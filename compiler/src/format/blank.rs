//! Blank lines: one between states, never two, none at either end; nothing behind the last word of a line.

use super::{
    Layout,
    lines::{Kind, Lines, Written},
};
use crate::syntax::{Node, NodeKind, Tree};

/// Sets blank lines and the ends of lines.
pub(super) fn settle(tree: &Tree, lines: &Lines<'_>, layout: Layout, written: &mut Written<'_, '_>) {
    written.trimmed = true;
    collapse(lines, written);
    let last = lines.all.last();
    // A text that ends with the file has the line breaks that it has.
    let in_text = last.is_some_and(|line| line.tail || line.frozen) || ends_with_text(tree, lines);
    written.ended = !in_text && last.is_some_and(|line| line.ending.is_empty());
    if layout == Layout::States {
        part_states(tree, lines, written);
    }
}

fn is_blank(lines: &Lines<'_>, number: usize) -> bool {
    lines.all.get(number).is_some_and(|line| line.kind == Kind::Blank && !line.tail && !line.frozen)
}

fn collapse(lines: &Lines<'_>, written: &mut Written<'_, '_>) {
    // A blank line before the first word, or after another one.
    let mut after_blank = true;
    for number in 0..lines.all.len() {
        let blank = is_blank(lines, number);
        written.dropped[number] = blank && after_blank;
        after_blank = blank;
    }
    for number in (0..lines.all.len()).rev() {
        if !is_blank(lines, number) {
            break;
        }
        written.dropped[number] = true;
    }
}

/// Whether the last thing in a file is a block's text on a line of its own header.
fn ends_with_text(tree: &Tree, lines: &Lines<'_>) -> bool {
    let mut pending: Vec<&Node> = tree.root.iter().collect();
    while let Some(node) = pending.pop() {
        match &node.kind {
            NodeKind::Choice(all) => pending.extend(all),
            NodeKind::Mapping(map) => pending.extend(map.entries.last().map(|entry| &entry.value)),
            NodeKind::Sequence(list) => pending.extend(list.items.last()),
            NodeKind::Scalar(_) => {
                let header = lines.header(node.span);
                return header.starts_with(['|', '>']);
            }
            _ => {}
        }
    }
    false
}

/// One blank line between the entries at the top of a file; short ones may stand together.
fn part_states(tree: &Tree, lines: &Lines<'_>, written: &mut Written<'_, '_>) {
    let mut entries: Vec<(usize, usize)> = Vec::new();
    let mut pending: Vec<&Node> = tree.root.iter().collect();
    while let Some(node) = pending.pop() {
        match &node.kind {
            NodeKind::Choice(all) => pending.extend(all),
            NodeKind::Mapping(map) if !map.flow => {
                for entry in &map.entries {
                    let whole = entry.key.span.to(entry.value.span).range();
                    entries.push((lines.at(whole.start), lines.last_of(whole)));
                }
            }
            _ => {}
        }
    }
    entries.sort_unstable();
    for pair in entries.windows(2) {
        let [(first, end), (start, last)] = pair else { continue };
        let short = first == end && start == last;
        // A blank line that may not be touched parts them as well.
        let blank = |n: usize| lines.all.get(n).is_some_and(|line| line.kind == Kind::Blank);
        if end >= start || short || (end + 1..*start).any(blank) {
            continue;
        }
        // Line breaks behind a text that keeps them are part of it.
        let mut from = end + 1;
        while lines.all.get(from).is_some_and(|line| line.tail) {
            from += 1;
        }
        if from <= *start {
            part(lines, from, *start, written);
        }
    }
}

/// Parts two entries: `from` is the first line behind the one, `start` the first of the other.
fn part(lines: &Lines<'_>, from: usize, start: usize, written: &mut Written<'_, '_>) {
    let word = |number: usize| {
        let line = &lines.all[number];
        let text = lines.text.get(line.range.clone()).unwrap_or_default().trim();
        text.strip_prefix("{%").map_or("", |inner| inner.trim_start_matches(['-', '+']).trim_start())
    };
    let arms = ["else", "elif"];
    if (from..start).any(|n| arms.iter().any(|arm| word(n).starts_with(arm))) {
        return;
    }
    let own = lines.all[start].indent;
    let mut at = from;
    for number in from..start {
        let line = &lines.all[number];
        let belongs_above = word(number).starts_with("end") || line.frozen;
        let deeper = line.kind == Kind::Comment && line.indent > own && at == number;
        if belongs_above || deeper {
            at = number + 1;
        }
    }
    written.parted[at] = true;
}
