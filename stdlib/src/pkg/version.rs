//! What a wanted version means: `1.2-3`, `1.2.*`, `>=1.0,<2`.

use crate::provider::{Packages, debian_version::without_epoch};
use std::cmp::Ordering;

/// Whether it is one exact version, not a range or a pattern.
pub(crate) fn is_exact(wanted: &str) -> bool {
    !wanted.contains(['*', '?', ',']) && !wanted.trim_start().starts_with(['<', '>', '=', '!', '~'])
}

/// Whether a version is what is wanted. Conditions joined by commas must all hold.
pub(crate) fn satisfies(packages: &dyn Packages, version: &str, wanted: &str, ignore_epoch: bool) -> bool {
    wanted.split(',').map(str::trim).filter(|part| !part.is_empty()).all(|part| {
        let (operator, operand) = operator(part);
        let (have, want) =
            if ignore_epoch { (without_epoch(version), without_epoch(operand)) } else { (version, operand) };
        if want.contains(['*', '?']) {
            let matches = glob(want.as_bytes(), have.as_bytes());
            return if operator == "!=" { !matches } else { matches };
        }
        let order = packages.compare(have, want);
        match operator {
            ">=" => order != Ordering::Less,
            "<=" => order != Ordering::Greater,
            ">" => order == Ordering::Greater,
            "<" => order == Ordering::Less,
            "!=" => order != Ordering::Equal,
            _ => order == Ordering::Equal,
        }
    })
}

fn operator(part: &str) -> (&str, &str) {
    for operator in [">=", "<=", "==", "!=", "<>", ">", "<", "="] {
        if let Some(operand) = part.strip_prefix(operator) {
            return (if operator == "<>" { "!=" } else { operator }, operand.trim());
        }
    }
    ("", part)
}

/// `*` and `?`; linear in the product of the lengths at worst.
pub(crate) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || Some(c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Apt;

    #[test]
    fn conditions() {
        let yes = [
            ("1.2-3", "1.2-3"),
            ("1.2-3", "1.2*"),
            ("1.2.7", "1.?.7"),
            ("1.10", ">=1.9"),
            ("1.10", ">1.9,<2"),
            ("1.10", "!=1.9"),
            ("2:1.0", "==2:1.0"),
            ("1.00", "1.0"),
        ];
        for (have, want) in yes {
            assert!(satisfies(&Apt, have, want, false), "{have} {want}");
        }
        let no = [("1.2-3", "1.2"), ("1.10", "<1.9"), ("2.0", ">1.9,<2"), ("2:1.0", "1.0"), ("1.2", "1.2.*")];
        for (have, want) in no {
            assert!(!satisfies(&Apt, have, want, false), "{have} {want}");
        }
        assert!(satisfies(&Apt, "2:1.0", "1.0", true));
        assert!(is_exact("1:2.0-3+deb12") && !is_exact("1.*") && !is_exact(">= 1"));
    }

    #[test]
    fn a_bad_pattern_is_not_slow() {
        let text = "a".repeat(5_000);
        assert!(!glob(b"*a*a*a*a*a*a*b", text.as_bytes()));
    }
}
