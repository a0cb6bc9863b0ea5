//! Shell globs as Salt reads them: `*`, `?`, `[a-z]`, `[!a]`, without escapes. Matching takes linear space and at
//! most quadratic time, whatever the pattern.

use std::fmt;

/// A compiled glob.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Glob {
    source: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    /// `*`
    Any,
    /// `?`
    One,
    /// Itself.
    Literal(char),
    /// `[…]`: whether it is negated, and its ranges.
    Class(bool, Vec<(char, char)>),
}

impl Glob {
    /// Compiles a pattern. An unclosed `[` is an error, since it is never what was meant.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let (glob, unclosed) = Self::compile(pattern);
        if unclosed { Err(format!("the `[` of `{pattern}` is never closed")) } else { Ok(glob) }
    }

    /// Compiles a pattern for values, in which an unclosed `[` is itself.
    pub fn lenient(pattern: &str) -> Self {
        Self::compile(pattern).0
    }

    /// `*`
    pub fn everything() -> Self {
        Self { source: "*".to_owned(), pieces: vec![Piece::Any] }
    }

    fn compile(pattern: &str) -> (Self, bool) {
        let chars: Vec<char> = pattern.chars().collect();
        let mut pieces = Vec::with_capacity(chars.len());
        let mut unclosed = false;
        let mut at = 0;
        while let Some(c) = chars.get(at).copied() {
            at += 1;
            match c {
                '*' if pieces.last() == Some(&Piece::Any) => {}
                '*' => pieces.push(Piece::Any),
                '?' => pieces.push(Piece::One),
                '[' => match class(&chars, at) {
                    Some((piece, end)) => {
                        pieces.push(piece);
                        at = end;
                    }
                    None => {
                        unclosed = true;
                        pieces.push(Piece::Literal('['));
                    }
                },
                c => pieces.push(Piece::Literal(c)),
            }
        }
        (Self { source: pattern.to_owned(), pieces }, unclosed)
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it holds anything but plain characters.
    pub fn is_literal(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Literal(_)))
    }

    /// Whether all of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut piece) = (0, 0);
        // The last `*` seen, and where the text stood then: on a mismatch it takes one character more.
        let mut star: Option<(usize, usize)> = None;
        while at < text.len() {
            let fits = match self.pieces.get(piece) {
                Some(Piece::Any) => {
                    star = Some((piece, at));
                    piece += 1;
                    continue;
                }
                Some(Piece::One) => true,
                Some(Piece::Literal(c)) => *c == text[at],
                Some(Piece::Class(negated, ranges)) => {
                    ranges.iter().any(|(from, to)| (*from..=*to).contains(&text[at])) != *negated
                }
                None => false,
            };
            if fits {
                at += 1;
                piece += 1;
                continue;
            }
            let Some((star_piece, star_at)) = star else { return false };
            star = Some((star_piece, star_at + 1));
            at = star_at + 1;
            piece = star_piece + 1;
        }
        self.pieces[piece.min(self.pieces.len())..].iter().all(|p| *p == Piece::Any)
    }
}

/// The class whose inside starts at `from`, and where it ends.
fn class(chars: &[char], from: usize) -> Option<(Piece, usize)> {
    let mut at = from;
    let negated = matches!(chars.get(at), Some('!' | '^'));
    if negated {
        at += 1;
    }
    let first = at;
    let mut ranges = Vec::new();
    loop {
        let c = *chars.get(at)?;
        // A `]` right at the start is a member.
        if c == ']' && at > first {
            return Some((Piece::Class(negated, ranges), at + 1));
        }
        match (chars.get(at + 1), chars.get(at + 2)) {
            (Some('-'), Some(to)) if *to != ']' => {
                ranges.push((c, *to));
                at += 3;
            }
            _ => {
                ranges.push((c, c));
                at += 1;
            }
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_the_shells_do() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("web*", "web-01", true),
            ("web*", "my-web", false),
            ("*web", "my-web", true),
            ("web-[0-9]?", "web-12", true),
            ("web-[0-9]?", "web-x2", false),
            ("web-[!0-9]", "web-x", true),
            ("web-[^0-9]", "web-1", false),
            ("[]]", "]", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbX", false),
            ("", "", true),
            ("", "x", false),
            ("ä?", "äö", true),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn an_unclosed_class_is_an_error_or_itself() {
        assert_eq!(Glob::new("web[0-9").unwrap_err(), "the `[` of `web[0-9` is never closed");
        assert!(Glob::lenient("a[b").matches("a[b"));
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        let glob = Glob::new(&"*a".repeat(60)).unwrap();
        assert!(!glob.matches(&"a".repeat(5_000).replace("aa", "ab")[..4_999].replace('a', "b")));
    }
}
