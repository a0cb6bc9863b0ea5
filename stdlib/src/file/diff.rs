//! The difference of two files as a person reads it.

use similar::{Algorithm, TextDiff};
use std::time::Duration;

/// Longer files are not compared line by line for display.
const MAX_INPUT_BYTES: usize = 1024 * 1024;

/// Longest diff, in bytes.
const MAX_OUTPUT_BYTES: usize = 64 * 1024;

/// How a change of content is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Show {
    /// As a unified diff.
    Diff,
    /// Not at all: `show_changes: false`.
    Hidden,
    /// It holds a secret.
    Secret,
}

/// A unified diff of two contents, or words where there is none to show.
pub(crate) fn describe(old: &[u8], new: &[u8], show: Show) -> String {
    match show {
        Show::Hidden => return "<show_changes=False>".to_owned(),
        Show::Secret => return "***".to_owned(),
        Show::Diff => {}
    }
    let (Some(old_text), Some(new_text)) = (text(old), text(new)) else {
        return "Replace binary file".to_owned();
    };
    if old.len() > MAX_INPUT_BYTES || new.len() > MAX_INPUT_BYTES {
        return format!("Replace {} bytes by {} bytes; that is too much to show", old.len(), new.len());
    }
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .timeout(Duration::from_secs(2))
        .diff_lines(old_text, new_text);
    bounded(&diff.unified_diff().context_radius(3).header("", "").to_string())
}

/// Text in which a diff makes sense.
fn text(content: &[u8]) -> Option<&str> {
    std::str::from_utf8(content).ok().filter(|t| !t.contains('\0'))
}

fn bounded(diff: &str) -> String {
    if diff.len() <= MAX_OUTPUT_BYTES {
        return diff.to_owned();
    }
    let mut kept = String::new();
    let mut lines = diff.split_inclusive('\n');
    for line in lines.by_ref() {
        if kept.len() + line.len() > MAX_OUTPUT_BYTES {
            return format!("{kept}… {} more lines\n", lines.count() + 1);
        }
        kept.push_str(line);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_are_shown_with_their_neighbours() {
        let diff = describe(b"a\nb\nc\n", b"a\nB\nc\n", Show::Diff);
        assert_eq!(diff, "--- \n+++ \n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
    }

    #[test]
    fn what_must_not_be_shown_is_not() {
        assert_eq!(describe(b"a", b"b", Show::Secret), "***");
        assert_eq!(describe(b"a", b"b", Show::Hidden), "<show_changes=False>");
        assert_eq!(describe(b"a\0", b"b", Show::Diff), "Replace binary file");
    }

    #[test]
    fn a_long_diff_is_cut_at_a_line() {
        let new: String = (0..20_000).map(|i| i.to_string() + "\n").collect();
        let diff = describe(b"", new.as_bytes(), Show::Diff);
        assert!(diff.len() < MAX_OUTPUT_BYTES + 64);
        assert!(diff.ends_with(" more lines\n"));
    }
}
