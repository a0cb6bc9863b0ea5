//! Order of Alpine's versions: `1.2.3a_rc1-r4`, numbers, a letter, suffixes of known rank, the build's number.

use std::cmp::Ordering;

/// Suffixes in their order; those before the gap are older than no suffix.
const BEFORE: [&str; 4] = ["alpha", "beta", "pre", "rc"];
const AFTER: [&str; 5] = ["cvs", "svn", "git", "hg", "p"];

/// A part of a version. Where one version has a part that the other has not, the kinds decide, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Part<'a> {
    Number { first: bool, digits: &'a str },
    Letter(u8),
    Suffix(i32, u64),
    Build(u64),
    End,
}

impl Part<'_> {
    fn rank(&self) -> u8 {
        match self {
            Part::Number { .. } => 0,
            Part::Letter(_) => 1,
            Part::Suffix(..) => 2,
            Part::Build(_) => 3,
            Part::End => 4,
        }
    }
}

/// Compares two versions as `apk version --test` does.
pub fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (parts(left), parts(right));
    for at in 0..left.len().max(right.len()) {
        let end = Part::End;
        let (x, y) = (left.get(at).unwrap_or(&end), right.get(at).unwrap_or(&end));
        let order = match (x, y) {
            (Part::Number { first, digits: x }, Part::Number { digits: y, .. }) => numbers(*first, x, y),
            (Part::Letter(x), Part::Letter(y)) => x.cmp(y),
            (Part::Suffix(x, count), Part::Suffix(y, other)) => x.cmp(y).then(count.cmp(other)),
            (Part::Build(x), Part::Build(y)) => x.cmp(y),
            (Part::Suffix(rank, _), _) if *rank < 0 => Ordering::Less,
            (_, Part::Suffix(rank, _)) if *rank < 0 => Ordering::Greater,
            _ => y.rank().cmp(&x.rank()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// Behind a dot a number that begins with 0 is a fraction (`1.05` is older than `1.1`).
fn numbers(first: bool, a: &str, b: &str) -> Ordering {
    if !first && (a.starts_with('0') || b.starts_with('0')) {
        return a.cmp(b);
    }
    super::rpm_version::numbers(a.as_bytes(), b.as_bytes())
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn parts(version: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (number, mut rest) = digits(version.trim());
    parts.push(Part::Number { first: true, digits: number });
    while let Some(next) = rest.strip_prefix('.') {
        let (number, after) = digits(next);
        if number.is_empty() {
            break;
        }
        parts.push(Part::Number { first: false, digits: number });
        rest = after;
    }
    if let Some(letter) = rest.bytes().next().filter(u8::is_ascii_lowercase) {
        parts.push(Part::Letter(letter));
        rest = rest.get(1..).unwrap_or_default();
    }
    while let Some(next) = rest.strip_prefix('_') {
        let end = next.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(next.len());
        let (word, after) = next.split_at(end);
        let rank = match BEFORE.iter().position(|s| *s == word) {
            Some(at) => at as i32 - BEFORE.len() as i32,
            None => AFTER.iter().position(|s| *s == word).map_or(0, |at| at as i32 + 1),
        };
        let (number, after) = digits(after);
        parts.push(Part::Suffix(rank, number.parse().unwrap_or(0)));
        rest = after;
    }
    // A commit's hash, `~1a2b`, orders nothing.
    if let Some(at) = rest.find("-r")
        && let Ok(build) = rest.get(at + 2..).unwrap_or_default().parse()
    {
        parts.push(Part::Build(build));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_apk() {
        let ascending = [
            "1.0_alpha1-r0",
            "1.0_alpha2-r0",
            "1.0_beta-r0",
            "1.0_pre1-r0",
            "1.0_rc1-r0",
            "1.0",
            "1.0-r0",
            "1.0-r1",
            "1.0-r10",
            "1.0_git20240101-r0",
            "1.0_p1-r0",
            "1.0_p2-r0",
            "1.0a-r0",
            "1.0b-r0",
            "1.0.1-r0",
            "1.05-r0",
            "1.1-r0",
            "1.10-r0",
            "2-r0",
            "10-r0",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(compare("1.0~abc-r1", "1.0-r1"), Ordering::Equal);
        assert_eq!(compare("", ""), Ordering::Equal);
    }
}
