//! `# zester: allow(Z0412)`: findings an author has looked at and keeps.
//!
//! The comment stands on the line of the finding or on the line above it, in YAML (`#`) or template (`{# #}`) form,
//! and names rules by code or name, several with commas.

use crate::{
    diagnostic::{Diagnostic, catalogue},
    rule,
    source::{FileId, LineIndex, Span},
};
use std::collections::HashMap;

rule! {
    /// An allow comment names a rule that does not exist.
    ///
    /// It allows nothing, so the finding it was written for is still reported.
    ///
    /// ```yaml
    /// # zester: allow(not-idempotnt)
    /// make install:
    ///   cmd.run:
    ///     - creates: /usr/local/bin/app
    /// ```
    ///
    /// ```yaml
    /// # zester: allow(not-idempotent)
    /// make install:
    ///   cmd.run:
    ///     - creates: /usr/local/bin/app
    /// ```
    pub UNKNOWN_ALLOW = "Z0033", "unknown-allow", Warning;
}

/// What an allow comment begins with.
pub const MARK: &str = "zester: allow(";

/// The allow comments of a file.
#[derive(Default)]
pub struct Allows {
    /// Codes allowed on a zero-based line.
    by_line: HashMap<usize, Vec<&'static str>>,
}

impl Allows {
    /// Reads the comments of a text; names that are no rules are reported.
    pub fn of(file: FileId, text: &str, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut allows = Self::default();
        if !text.contains(MARK) {
            return allows;
        }
        let mut start = 0;
        for (line, content) in text.split('\n').enumerate() {
            let begin = start;
            start += content.len() + 1;
            let Some(at) = content.find(MARK) else { continue };
            let before = &content[..at];
            if !before.trim_end().ends_with('#') {
                continue;
            }
            let names = &content[at + MARK.len()..];
            let Some(end) = names.find(')') else { continue };
            // A comment with a line of its own speaks for the line below it too.
            let alone = before.trim().trim_start_matches("{#").trim_start_matches('#').trim().is_empty();
            let mut offset = begin + at + MARK.len();
            for name in names[..end].split(',') {
                let lead = name.len() - name.trim_start().len();
                let place = offset + lead..offset + lead + name.trim().len();
                offset += name.len() + 1;
                match catalogue::find(name) {
                    Ok(rule) => {
                        allows.by_line.entry(line).or_default().push(rule.code);
                        if alone {
                            allows.by_line.entry(line + 1).or_default().push(rule.code);
                        }
                    }
                    Err(nearest) => {
                        let mut diagnostic = Diagnostic::new(
                            &UNKNOWN_ALLOW,
                            Span::new(file, place),
                            format!("There is no rule `{}`", name.trim()),
                        );
                        if let Some(near) = nearest {
                            diagnostic = diagnostic.did_you_mean(near);
                        }
                        diagnostics.push(diagnostic);
                    }
                }
            }
        }
        allows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_line.is_empty()
    }

    /// Whether a finding is allowed.
    pub fn allow(&self, diagnostic: &Diagnostic, lines: &LineIndex) -> bool {
        self.by_line
            .get(&lines.line(diagnostic.span.start as usize))
            .is_some_and(|codes| codes.contains(&diagnostic.rule.code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_speaks_for_its_line_and_alone_for_the_next() {
        let text = "# zester: allow(Z0201, duplicate-id)\na: x\nb: y # zester: allow(z0202)\nc: z\n";
        let mut found = Vec::new();
        let allows = Allows::of(FileId(0), text, &mut found);
        assert!(found.is_empty());
        let lines = LineIndex::new(text);
        let at = |rule, offset: usize| {
            allows.allow(&Diagnostic::new(rule, Span::at(FileId(0), offset), ""), &lines)
        };
        let second = text.find("a: x").unwrap();
        let third = text.find("b: y").unwrap();
        let fourth = text.find("c: z").unwrap();
        assert!(at(&crate::check::functions::UNKNOWN_MODULE, second));
        assert!(at(&crate::check::ids::DUPLICATE_ID, second));
        assert!(!at(&crate::check::functions::UNKNOWN_FUNCTION, second));
        assert!(at(&crate::check::functions::UNKNOWN_FUNCTION, third));
        assert!(!at(&crate::check::functions::UNKNOWN_FUNCTION, fourth));
    }

    #[test]
    fn unknown_names_are_reported_at_their_place() {
        let text = "{# zester: allow(Z0201, unknown-modul) #}\n";
        let mut found = Vec::new();
        Allows::of(FileId(0), text, &mut found);
        assert_eq!(&text[found[0].span.range()], "unknown-modul");
        assert_eq!(found[0].help.as_deref(), Some("did you mean `unknown-module`?"));
        assert_eq!(found.len(), 1);
    }
}
