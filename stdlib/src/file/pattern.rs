//! Regular expressions as Python writes them, and their replacement texts.

use crate::Failure;
use fancy_regex::{Captures, Regex};

/// Flags of Python's `re`, by name or as their sum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Flags {
    ignore_case: bool,
    pub(crate) multi_line: bool,
    dot_all: bool,
    verbose: bool,
}

impl Flags {
    /// `MULTILINE` alone: the default of `file.replace`.
    pub(crate) const MULTI_LINE: Self =
        Self { ignore_case: false, multi_line: true, dot_all: false, verbose: false };

    /// Reads `[IGNORECASE, MULTILINE]`, `I`, or a number.
    pub(crate) fn read(words: &[String]) -> Result<Self, Failure> {
        let mut flags = Self::default();
        for word in words {
            if let Ok(sum) = word.parse::<u32>() {
                flags.ignore_case |= sum & 2 != 0;
                flags.multi_line |= sum & 8 != 0;
                flags.dot_all |= sum & 16 != 0;
                flags.verbose |= sum & 64 != 0;
                continue;
            }
            match word.to_ascii_uppercase().trim_start_matches("RE.") {
                "IGNORECASE" | "I" => flags.ignore_case = true,
                "MULTILINE" | "M" => flags.multi_line = true,
                "DOTALL" | "S" => flags.dot_all = true,
                "VERBOSE" | "X" => flags.verbose = true,
                // Text is always Unicode here, as in Python 3.
                "UNICODE" | "U" => {}
                _ => {
                    return Err(Failure::new(format!(
                        "`{word}` is no flag of a regular expression; there are IGNORECASE, MULTILINE, DOTALL, VERBOSE and UNICODE"
                    )));
                }
            }
        }
        Ok(flags)
    }
}

/// Compiles a pattern of Python's dialect.
pub(crate) fn compile(pattern: &str, flags: Flags) -> Result<Regex, Failure> {
    let mut letters = String::new();
    for (set, letter) in
        [(flags.ignore_case, 'i'), (flags.multi_line, 'm'), (flags.dot_all, 's'), (flags.verbose, 'x')]
    {
        if set {
            letters.push(letter);
        }
    }
    let body = translate(pattern, flags.multi_line);
    let text = if letters.is_empty() { body } else { format!("(?{letters}){body}") };
    Regex::new(&text).map_err(|e| Failure::new(format!("The regular expression `{pattern}` is wrong: {e}")))
}

/// Where the dialects differ: `\Z`, `\<`, `$` at the end of a text, and brackets inside a class.
fn translate(pattern: &str, multi_line: bool) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    let mut class_start = false;
    while let Some(c) = chars.next() {
        let at_start = std::mem::take(&mut class_start);
        match (c, in_class) {
            ('\\', _) => match chars.next() {
                Some('Z') if !in_class => out.push_str("\\z"),
                // Python knows no word edges of this kind: these are the characters themselves.
                Some(c @ ('<' | '>')) => out.push(c),
                Some(c) => {
                    out.push('\\');
                    out.push(c);
                }
                None => out.push('\\'),
            },
            ('[', false) => {
                in_class = true;
                class_start = true;
                out.push('[');
                if chars.peek() == Some(&'^') {
                    chars.next();
                    out.push('^');
                }
            }
            (']', true) if at_start => out.push_str("\\]"),
            (']', true) => {
                in_class = false;
                out.push(']');
            }
            // Classes do not nest and have no set operations in Python.
            ('[' | '&' | '~', true) => {
                out.push('\\');
                out.push(c);
            }
            ('$', false) if !multi_line => out.push_str("(?=\\n?\\z)"),
            _ => out.push(c),
        }
    }
    out
}

/// A replacement text of Python's `re.sub`: `\1`, `\g<name>`, `\n`; `\\` is a backslash.
pub(crate) fn expand(template: &str, found: &Captures<'_>) -> Result<String, Failure> {
    let mut out = String::new();
    let mut chars = template.chars().peekable();
    let group = |name: &str| -> Result<String, Failure> {
        let found_group = match name.parse::<usize>() {
            Ok(number) if number < found.len() => found.get(number),
            Ok(number) => {
                return Err(Failure::new(format!(
                    "The replacement `{template}` names group {number}, which the pattern does not have"
                )));
            }
            Err(_) => found.name(name),
        };
        Ok(found_group.map(|m| m.as_str().to_owned()).unwrap_or_default())
    };
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some(digit @ '1'..='9') => {
                let mut number = digit.to_string();
                if let Some(second) = chars.peek().filter(|c| c.is_ascii_digit()) {
                    number.push(*second);
                    chars.next();
                }
                out.push_str(&group(&number)?);
            }
            Some('g') if chars.peek() == Some(&'<') => {
                chars.next();
                let mut name = String::new();
                loop {
                    match chars.next() {
                        Some('>') => break,
                        Some(c) => name.push(c),
                        None => {
                            return Err(Failure::new(format!(
                                "The replacement `{template}` has `\\g<` without `>`"
                            )));
                        }
                    }
                }
                out.push_str(&group(&name)?);
            }
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('0') => out.push('\0'),
            Some('\\') => out.push('\\'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    Ok(out)
}

/// Replaces at most `count` matches (0: all).
pub(crate) fn substitute(
    text: &str,
    pattern: &Regex,
    replacement: &dyn Fn(&Captures<'_>) -> Result<String, Failure>,
    count: usize,
) -> Result<String, Failure> {
    let mut out = String::with_capacity(text.len());
    let mut last = 0;
    for (done, found) in pattern.captures_iter(text).enumerate() {
        if count > 0 && done >= count {
            break;
        }
        let found = found.map_err(too_hard)?;
        let Some(all) = found.get(0) else { continue };
        out.push_str(text.get(last..all.start()).unwrap_or_default());
        out.push_str(&replacement(&found)?);
        last = all.end();
    }
    out.push_str(text.get(last..).unwrap_or_default());
    Ok(out)
}

/// Whether a pattern is found in a text.
pub(crate) fn is_match(pattern: &Regex, text: &str) -> Result<bool, Failure> {
    pattern.is_match(text).map_err(too_hard)
}

fn too_hard(error: fancy_regex::Error) -> Failure {
    Failure::new(format!("The regular expression cannot be decided on this text: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sub(pattern: &str, replacement: &str, text: &str) -> String {
        let pattern = compile(pattern, Flags::MULTI_LINE).unwrap();
        substitute(text, &pattern, &|c| expand(replacement, c), 0).unwrap()
    }

    #[test]
    fn groups_are_written_as_in_python() {
        assert_eq!(sub(r"^(\w+)=(?P<v>.*)$", r"\2=\g<v>=\g<1>", "a=b\nc=d\n"), "b=b=a\nd=d=c\n");
        assert_eq!(sub("b", r"\\$1\n", "abc"), "a\\$1\nc");
    }

    #[test]
    fn classes_and_edges_mean_what_they_mean_in_python() {
        assert_eq!(sub(r"[^[\]]+", "x", "[abc]"), "[x]");
        assert_eq!(sub(r"[]a]", "x", "]ab"), "xxb");
        assert_eq!(sub(r"\<b\>", "x", "a<b>"), "ax");
        assert_eq!(sub(r"c\Z", "x", "c\nc"), "c\nx");
        let plain = compile("b$", Flags::default()).unwrap();
        assert!(is_match(&plain, "b\n").unwrap() && !is_match(&plain, "b\nc").unwrap());
    }

    #[test]
    fn flags_have_names_and_numbers() {
        let words = |w: &[&str]| Flags::read(&w.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(words(&["8"]).unwrap(), Flags::MULTI_LINE);
        assert_eq!(words(&["IGNORECASE", "MULTILINE"]).unwrap(), words(&["10"]).unwrap());
        assert!(words(&["GLOBAL"]).unwrap_err().message.contains("`GLOBAL` is no flag"));
    }

    #[test]
    fn what_cannot_be_is_named() {
        assert!(compile("a(", Flags::default()).unwrap_err().message.contains("`a(`"));
        let pattern = compile("a", Flags::default()).unwrap();
        let failure = substitute("a", &pattern, &|c| expand(r"\3", c), 0).unwrap_err();
        assert!(failure.message.contains("group 3"));
    }
}
