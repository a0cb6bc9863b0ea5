//! Order of pacman's versions, `epoch:version-release`. It resembles rpm's, but letters right behind a number are older than
//! nothing (`1.0rc1` comes before `1.0`), and separators of different lengths decide.

use super::rpm_version::{by_parts, numbers, run};
use std::cmp::Ordering;

/// Compares two versions as `vercmp` does. A release counts only when both have one.
pub fn compare(a: &str, b: &str) -> Ordering {
    by_parts(a, b, segments)
}

/// The separators in front, and the rest.
fn separators(text: &[u8]) -> (usize, &[u8]) {
    let length = text.iter().position(u8::is_ascii_alphanumeric).unwrap_or(text.len());
    (length, text.get(length..).unwrap_or_default())
}

fn segments(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() && !b.is_empty() {
        let (length_a, length_b);
        (length_a, a) = separators(a);
        (length_b, b) = separators(b);
        let (Some(first), Some(_)) = (a.first(), b.first()) else { break };
        if length_a != length_b {
            return length_a.cmp(&length_b);
        }
        let number = first.is_ascii_digit();
        let (run_a, run_b);
        (run_a, a) = run(a, number);
        (run_b, b) = run(b, number);
        if run_b.is_empty() {
            return if number { Ordering::Greater } else { Ordering::Less };
        }
        let order = if number { numbers(run_a, run_b) } else { run_a.cmp(run_b) };
        if order != Ordering::Equal {
            return order;
        }
    }
    let letter = |text: &[u8]| text.first().is_some_and(u8::is_ascii_alphabetic);
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) if !letter(b) => Ordering::Less,
        _ if letter(a) => Ordering::Less,
        _ => Ordering::Greater,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_vercmp() {
        let ascending = [
            "1.0a-1",
            "1.0alpha-1",
            "1.0b-1",
            "1.0beta-1",
            "1.0rc-1",
            "1.0-1",
            "1.0-2",
            "1.0.a-1",
            "1.0.b-1",
            "1.0.1-1",
            "1.0.10-1",
            "1.5b-1",
            "1.5-1",
            "1.5.1-1",
            "10-1",
            "1:0.1-1",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
        for (a, b) in [("1.5", "1.5-1"), ("2.0", "2_0"), ("2.0_a", "2_0.a"), ("0:1.0", "1.0")] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
        assert_eq!(compare("2___a", "2_a"), Ordering::Greater);
        assert_eq!(compare("2.0a", "2.0.a"), Ordering::Less);
    }
}
