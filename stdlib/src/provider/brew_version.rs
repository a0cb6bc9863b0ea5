//! Order of Homebrew's versions: numbers and words, `1.2rc1` before `1.2`, and behind `_` the revision of the formula.

use super::rpm_version::{from, numbers, run};
use std::cmp::Ordering;

/// Compares two versions as Homebrew does.
pub fn compare(a: &str, b: &str) -> Ordering {
    let ((version_a, revision_a), (version_b, revision_b)) = (revision(a), revision(b));
    segments(version_a.as_bytes(), version_b.as_bytes()).then(revision_a.cmp(&revision_b))
}

fn revision(version: &str) -> (&str, u64) {
    version
        .rsplit_once('_')
        .and_then(|(version, revision)| Some((version, revision.parse().ok()?)))
        .unwrap_or((version, 0))
}

/// Words that name what comes before a release, then nothing (or 0), then other words, then numbers.
fn rank(part: &[u8]) -> u8 {
    match part {
        b"alpha" | b"a" => 0,
        b"beta" | b"b" => 1,
        b"pre" => 2,
        b"rc" => 3,
        [] => 4,
        [first, ..] if first.is_ascii_digit() => {
            if part.iter().all(|c| *c == b'0') {
                4
            } else {
                6
            }
        }
        _ => 5,
    }
}

fn next(text: &[u8]) -> (&[u8], &[u8]) {
    let text = from(text, u8::is_ascii_alphanumeric);
    run(text, text.first().is_some_and(u8::is_ascii_digit))
}

fn segments(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let (part_a, part_b);
        (part_a, a) = next(a);
        (part_b, b) = next(b);
        if part_a.is_empty() && part_b.is_empty() {
            return Ordering::Equal;
        }
        let order = rank(part_a).cmp(&rank(part_b)).then_with(|| match rank(part_a) {
            6 => numbers(part_a, part_b),
            5 => part_a.cmp(part_b),
            _ => Ordering::Equal,
        });
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_homebrew() {
        let ascending = [
            "1.0alpha1",
            "1.0beta1",
            "1.0rc1",
            "1.0",
            "1.0_1",
            "1.0_10",
            "1.0t",
            "1.0.1",
            "1.0.10",
            "1.1",
            "2",
            "10.0",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(compare("1.0.0", "1.0"), Ordering::Equal);
    }
}
