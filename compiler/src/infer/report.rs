//! How sure a finding is: slips of the pen among names, and what many files say alike.

use super::data::grain_names;
use crate::diagnostic::{Diagnostic, nearest_or_longer};
use std::collections::HashMap;

/// The name that was meant, where hardly anything else can have been: one slip in a short name, two in a long one.
///
/// Narrower than [`nearest`](crate::diagnostic::nearest), because maps of a site's own have keys that are alike on
/// purpose: `user` and `users`, `ip4` and `ip6`, `enable` and `enabled`.
pub(super) fn typo<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    if length < 4 {
        // Of a name this short only letters in a wrong order say anything.
        let swapped =
            |c: &&str| length == 3 && c.len() == name.len() && strsim::damerau_levenshtein(name, c) == 1;
        return candidates
            .into_iter()
            .filter(swapped)
            .find(|c| strsim::hamming(name, c).is_ok_and(|d| d == 2));
    }
    let limit = if length < 8 { 1 } else { 2 };
    candidates
        .into_iter()
        .filter(|c| c.len().abs_diff(name.len()) <= limit && c.chars().count() >= 4 && !is_variant(name, c))
        .map(|c| (strsim::damerau_levenshtein(name, c), c))
        .filter(|(distance, _)| *distance <= limit)
        .min_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1)))
        .map(|(_, c)| c)
}

/// The candidate that was meant by a name that certainly is none of them: the nearest, or one that begins like it.
pub(super) fn meant<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let shorter = |c: &&str| c.len() > 2 && name.starts_with(c);
    nearest_or_longer(name, candidates.iter().copied()).or_else(|| candidates.iter().copied().find(shorter))
}

/// The grain that was meant by a name that is none. Grains are Salt's own, so no two of them are meant to differ in their separators
/// alone: `osfamily` is a slip.
pub(super) fn known_grain(name: &str) -> Option<&'static str> {
    let joined = || grain_names().find(|grain| is_same_but_separators(name, grain));
    typo(name, grain_names()).or_else(joined)
}

/// Whether two names differ only in the separators of their words.
fn is_same_but_separators(a: &str, b: &str) -> bool {
    let letters = |text: &str| -> String { text.chars().filter(|c| !matches!(c, '_' | '-')).collect() };
    letters(a) == letters(b)
}

/// Whether two names differ as names do that are meant to differ.
fn is_variant(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if let Some(rest) = long.strip_prefix(short) {
        return matches!(rest, "s" | "d" | "es" | "ed" | "r" | "_" | "x" | "y")
            || rest.bytes().all(|b| b.is_ascii_digit());
    }
    // The same but for digits, or for the words' separators.
    let letters = |text: &str| -> String { text.chars().filter(|c| !c.is_ascii_digit()).collect() };
    letters(a) == letters(b) || is_same_but_separators(a, b)
}

/// Whether a finding is about a name that a site may have defined elsewhere.
pub fn is_once_per_project(d: &Diagnostic) -> bool {
    !d.is_error()
        && (*d.rule == super::known::UNKNOWN_FACT || *d.rule == super::known::UNKNOWN_SETTING)
        && !d.help.as_ref().is_some_and(|h| h.starts_with("did you mean"))
}

/// Keeps one finding of each name that a site may have defined elsewhere: what it uses in many places is no slip.
///
/// The findings are sorted; the first place of a name stays, with the number of the others.
pub fn once_per_project(diagnostics: &mut Vec<Diagnostic>) {
    let is_name = is_once_per_project;
    let mut places: HashMap<String, usize> = HashMap::new();
    for diagnostic in diagnostics.iter().filter(|d| is_name(d)) {
        *places.entry(diagnostic.message.clone()).or_default() += 1;
    }
    diagnostics.retain_mut(|diagnostic| {
        if !is_name(diagnostic) {
            return true;
        }
        // The entry is taken by the first place.
        let Some(count) = places.remove(&diagnostic.message) else { return false };
        if count > 1 {
            let words =
                if count == 2 { "one more place".to_owned() } else { format!("{} more places", count - 1) };
            let help = diagnostic.help.take().unwrap_or_default();
            diagnostic.help =
                Some(format!("{help}{}used in {words}", if help.is_empty() { "" } else { "; " }));
        }
        true
    });
}

#[cfg(test)]
mod tests {
    use super::typo;

    #[test]
    fn slips_are_found_and_variants_are_not() {
        assert_eq!(typo("os_famly", ["os_family", "os"]), Some("os_family"));
        assert_eq!(typo("servce", ["service", "server"]), Some("service"));
        assert_eq!(typo("prot", ["port"]), Some("port"));
        for (name, other) in [
            ("users", "user"),
            ("enable", "enabled"),
            ("port1", "port2"),
            ("ip4_addr", "ip6_addr"),
            ("a_b_c_d", "abcd"),
            ("foo", "fop"),
        ] {
            assert_eq!(typo(name, [other]), None, "{name} {other}");
        }
    }
}
