//! `zester fmt` over all fixtures, as they are and written in other ways: the plans stay the same, no comment and no
//! tag is lost, and what is formatted stays as it is.

use std::sync::Arc;
use zester_compiler::{
    diagnostic::apply,
    format::{Layout, format, format_range, format_typed},
    source::FileId,
    syntax::{Tree as Syntax, parse, segment::SegmentKind, segment::segments},
};
use zester_tests::plans::{Tree, trees};

fn layout(path: &str) -> Layout {
    let is_top = path.rsplit('/').next().is_some_and(|name| name.starts_with("top."));
    if path.starts_with("settings/") || is_top { Layout::Data } else { Layout::States }
}

fn is_source(path: &str) -> bool {
    matches!(path.rsplit_once('.'), Some((_, "zy" | "sls")))
}

fn read(text: &str) -> Syntax {
    let text: Arc<str> = text.into();
    parse(FileId(0), &text)
}

/// The text in its layout; the same text where it is left alone.
fn formatted(path: &str, text: &str) -> String {
    format(&read(text), layout(path)).map_or_else(|_| text.to_owned(), |edits| apply(text, &edits))
}

/// The tree with each of its files changed.
fn with(tree: &Tree, change: impl Fn(&str, &str) -> String) -> Tree {
    let mut tree = tree.clone();
    for (path, text) in &mut tree.files {
        if is_source(path) {
            *text = change(path, text);
        }
    }
    tree
}

/// Ways in which people write the same.
fn written_otherwise(way: usize, text: &str) -> String {
    let lines = || text.split_inclusive('\n');
    match way {
        0 => text.to_owned(),
        // Four blanks a level.
        1 => lines().map(|line| " ".repeat(line.len() - line.trim_start_matches(' ').len()) + line).collect(),
        // Nothing between states, blanks at the ends of lines.
        2 => lines().filter(|l| !l.trim().is_empty()).map(|l| l.replace('\n', "  \n")).collect(),
        // Tags without blanks.
        3 => segments(text)
            .into_iter()
            .map(|s| match s.kind {
                SegmentKind::Expression | SegmentKind::Statement if s.closed => format!(
                    "{}{}{}",
                    &text[s.range.start..s.inner.start],
                    text[s.inner.clone()].trim(),
                    &text[s.inner.end..s.range.end]
                ),
                _ => text[s.range].to_owned(),
            })
            .collect(),
        // Too many blank lines, and none at the end.
        4 => lines()
            .map(|l| if l.trim().is_empty() { "\n\n\n".to_owned() } else { l.to_owned() })
            .collect::<String>()
            .trim_end()
            .to_owned(),
        // The line endings of Windows.
        _ => text.replace('\n', "\r\n"),
    }
}

const WAYS: usize = 6;

fn words(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn plans_stay_and_nothing_is_lost() {
    let (mut files, mut changed, mut plans) = (0, 0, 0);
    for tree in trees() {
        for way in 0..WAYS {
            let before = with(&tree, |_, text| written_otherwise(way, text));
            let after = with(&before, formatted);
            for (path, text) in before.files.iter().filter(|(path, _)| is_source(path)) {
                let new = &after.files[path];
                assert_eq!(words(text), words(new), "{} {path}, way {way}: words are lost", tree.name);
                assert_eq!(
                    formatted(path, new),
                    *new,
                    "{} {path}, way {way}: the layout is not stable",
                    tree.name
                );
                files += 1;
                changed += usize::from(text != new);
            }
            let (old, new) = (before.meaning(), after.meaning());
            plans += old.values().filter(|plan| !plan.starts_with("wrong")).count();
            for (reference, plan) in &old {
                assert_eq!(plan, &new[reference], "{} {reference}, way {way}", tree.name);
            }
        }
    }
    // A formatter that does nothing would pass all of the above.
    assert!(files > 500 && changed > 200 && plans > 300, "{files} files, {changed} changed, {plans} plans");
}

/// Four blanks a level come back to two, in every file without tags that carry lines of their own.
#[test]
fn depth_is_normalised() {
    let mut normalised = 0;
    for tree in trees() {
        for (path, text) in tree.files.iter().filter(|(path, _)| is_source(path)) {
            let deep = written_otherwise(1, text);
            let back = formatted(path, &deep);
            if back != deep && back == formatted(path, text) {
                normalised += 1;
            }
        }
    }
    assert!(normalised > 60, "{normalised}");
}

#[test]
fn ranges_change_their_own_states_only() {
    for tree in trees() {
        for (path, text) in tree.files.iter().filter(|(path, _)| is_source(path)) {
            let deep = written_otherwise(1, text);
            let syntax = read(&deep);
            let Ok(all) = format(&syntax, layout(path)) else { continue };
            for edit in all.iter().step_by(5) {
                let part = format_range(&syntax, layout(path), edit.span.range()).unwrap();
                assert!(part.iter().all(|edit| all.contains(edit)), "{} {path}", tree.name);
            }
            let whole = format_range(&syntax, layout(path), 0..deep.len()).unwrap();
            assert_eq!(whole, all, "{} {path}", tree.name);
        }
    }
}

/// A line that is written below another one, deeper than it or as the next item of its list, is begun in the column that
/// the formatter has for it.
#[test]
fn new_lines_begin_where_the_formatter_has_them() {
    let (mut asked, mut right, mut wrong) = (0, 0, Vec::new());
    for tree in trees() {
        for (path, text) in tree.files.iter().filter(|(path, _)| is_source(path)) {
            let text = formatted(path, text);
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            let mut start = 0;
            for pair in lines.windows(2) {
                start += pair[0].len();
                let (above, below) = (pair[0].trim_end(), pair[1].trim_end());
                let column = |line: &str| line.len() - line.trim_start().len();
                let is_word = |line: &str| !line.trim().is_empty() && !line.trim().starts_with(['#', '{']);
                let deeper = column(below) > column(above);
                let item = column(below) == column(above)
                    && below.trim().starts_with('-')
                    && above.trim().starts_with('-');
                if !is_word(above) || !is_word(below) || !(deeper || item) {
                    continue;
                }
                // What is typed so far ends with the line break.
                let typed = &text[..start];
                let edits = format_typed(&read(typed), typed.len(), '\n');
                let line = apply(typed, &edits)[start..].to_owned();
                asked += 1;
                if line.len() == column(below) {
                    right += 1;
                } else {
                    wrong.push(format!(
                        "{path}: {} for {} below {above:?}: {below:?}",
                        line.len(),
                        column(below)
                    ));
                }
            }
        }
    }
    assert!(asked > 500, "{asked}");
    for line in &wrong {
        println!("{line}");
    }
    assert!(right * 100 >= asked * 95, "{right} of {asked}");
}
