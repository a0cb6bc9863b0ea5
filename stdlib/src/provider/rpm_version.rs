//! Order of rpm's versions, `epoch:version-release`, as rpm itself, dnf, yum and zypper see it.

use super::debian_version::without_epoch;
use std::cmp::Ordering;

/// Compares two versions. A release counts only when both have one, so that `1.2` is met by `1.2-3`.
pub fn compare(a: &str, b: &str) -> Ordering {
    by_parts(a, b, segments)
}

/// Compares epochs, then versions, then releases where both have one.
pub(super) fn by_parts(a: &str, b: &str, segments: fn(&str, &str) -> Ordering) -> Ordering {
    let (version_a, release_a) = release(without_epoch(a));
    let (version_b, release_b) = release(without_epoch(b));
    let releases = match (release_a, release_b) {
        (Some(a), Some(b)) => segments(a, b),
        _ => Ordering::Equal,
    };
    epoch(a).cmp(&epoch(b)).then_with(|| segments(version_a, version_b)).then(releases)
}

/// The epoch in front of the version; none is 0.
fn epoch(version: &str) -> u64 {
    version.trim().split_once(':').and_then(|(number, _)| number.parse().ok()).unwrap_or(0)
}

fn release(version: &str) -> (&str, Option<&str>) {
    version.rsplit_once('-').map_or((version, None), |(version, release)| (version, Some(release)))
}

/// Runs of digits are numbers, runs of letters are text, everything else separates. `~` sorts before the end, `^` after it.
fn segments(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    let counts = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'~' | b'^');
    loop {
        a = from(a, counts);
        b = from(b, counts);
        match (a.first(), b.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                (a, b) = (&a[1..], &b[1..]);
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(b'^'), Some(_)) => return Ordering::Less,
            (Some(_), Some(b'^')) => return Ordering::Greater,
            (Some(first), Some(_)) => {
                let number = first.is_ascii_digit();
                let (run_a, run_b);
                (run_a, a) = run(a, number);
                (run_b, b) = run(b, number);
                if run_b.is_empty() {
                    // A number is newer than letters.
                    return if number { Ordering::Greater } else { Ordering::Less };
                }
                let order = if number { numbers(run_a, run_b) } else { run_a.cmp(run_b) };
                if order != Ordering::Equal {
                    return order;
                }
            }
        }
    }
}

/// The text from its first character that `counts` on.
pub(super) fn from(text: &[u8], counts: impl Fn(&u8) -> bool) -> &[u8] {
    let start = text.iter().position(counts).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

/// The leading digits (or letters), and the rest.
pub(super) fn run(text: &[u8], digits: bool) -> (&[u8], &[u8]) {
    let inside = |c: &u8| if digits { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
    text.split_at(text.iter().position(|c| !inside(c)).unwrap_or(text.len()))
}

/// Numbers of any length.
pub(super) fn numbers(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (from(a, |c| *c != b'0'), from(b, |c| *c != b'0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_rpm() {
        let ascending = [
            "1.0~rc1-1",
            "1.0~rc2-1",
            "1.0-1",
            "1.0-1.el9",
            "1.0-2",
            "1.0-10",
            "1.0^20240101-1",
            "1.0a-1",
            "1.0.1-1",
            "1.0.10-1",
            "1.1-1",
            "10-1",
            "99999999999999999999999999-1",
            "1:0.1-1",
            "2:0-1",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn separators_zeros_and_missing_releases_do_not_count() {
        for (a, b) in
            [("2.0", "2_0"), ("1.001-1", "1.1-1"), ("0:1-1", "1-1"), ("1.2", "1.2-3"), ("1.0.", "1.0")]
        {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
            assert_eq!(compare(b, a), Ordering::Equal, "{b} {a}");
        }
        // A number is newer than letters.
        assert_eq!(compare("1.a", "1.1"), Ordering::Less);
        assert_eq!(compare("1.1", "1.a"), Ordering::Greater);
    }
}
