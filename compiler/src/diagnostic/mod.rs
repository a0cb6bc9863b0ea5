//! What went wrong, where, and what to do: the product's own words.
//!
//! A [`Diagnostic`] is a plain value. It is rendered by one of the leaves of this module and by the language
//! server; nothing else formats errors.

pub mod catalogue;
mod edits;
mod github;
mod human;
mod json;
mod levels;
mod place;
mod rule;
mod sarif;
mod short;
mod veil;

pub use catalogue::{catalogue, explain};
pub use edits::{apply, together};
pub use github::github;
pub use human::{human, summary};
pub use json::{FORMAT_VERSION, FileCounts, json, json_error, json_failure};
pub use levels::{LevelError, Levels, parse_level};
pub use place::{Point, Range, locate};
pub use rule::{Rule, Severity};
pub use sarif::sarif;
pub use short::short;
pub use veil::veiled;

use crate::source::Span;

/// One finding about the author's text.
#[derive(Clone, PartialEq, Debug)]
pub struct Diagnostic {
    /// The rule that found it: code, name, default severity, documentation.
    pub rule: &'static Rule,
    /// Severity after configuration; starts as the rule's own.
    pub severity: Severity,
    /// A full sentence without a final period, in the user's words.
    pub message: String,
    /// The place the author must edit.
    pub span: Span,
    /// Other places that matter (the other definition, the include that led here).
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// Edits that repair it.
    pub fixes: Vec<Fix>,
    /// Peels this was found for, when it was found by lowering for an inventory.
    pub peels: Vec<String>,
}

/// A secondary place with its own words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there.
    pub message: String,
}

/// Whether an edit can change the meaning of a tree that is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Applicability {
    /// Keeps the meaning, or is the only thing the author can have meant.
    Safe,
    /// Needs a person's eye.
    Unsafe,
}

/// A set of edits that belong together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fix {
    /// What it does, as an imperative: "rename to `source`".
    pub title: String,
    /// Whether it may be applied unseen.
    pub applicability: Applicability,
    /// Replacements; they do not overlap.
    pub edits: Vec<Edit>,
}

/// One replacement of text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    /// What is replaced; empty for an insertion.
    pub span: Span,
    /// The new text.
    pub text: String,
}

impl Diagnostic {
    /// A finding of `rule` at `span`.
    pub fn new(rule: &'static Rule, span: Span, message: impl Into<String>) -> Self {
        Self {
            rule,
            severity: rule.severity,
            message: message.into(),
            span,
            labels: Vec::new(),
            help: None,
            fixes: Vec::new(),
            peels: Vec::new(),
        }
    }

    /// Adds a secondary place.
    pub fn label(mut self, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label { span, message: message.into() });
        self
    }

    /// Sets the help line.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a fix that replaces one span.
    pub fn fix(
        mut self,
        title: impl Into<String>,
        applicability: Applicability,
        span: Span,
        text: impl Into<String>,
    ) -> Self {
        let edits = vec![Edit { span, text: text.into() }];
        self.fixes.push(Fix { title: title.into(), applicability, edits });
        self
    }

    /// Says what was probably meant instead of the text at the finding's place, and offers to write it there.
    pub fn did_you_mean(self, near: &str) -> Self {
        let span = self.span;
        self.help(format!("did you mean `{near}`?")).fix(
            format!("rename to `{near}`"),
            Applicability::Unsafe,
            span,
            near,
        )
    }

    /// Whether it makes a check fail.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The nearest of `candidates` to `name` when it is near enough to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the length, at least one, at most three edits: `ngnix` finds `nginx`, `foo` does not find `bar`.
    let limit = (name.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&name.to_lowercase(), &c.to_lowercase()), c))
        .filter(|(distance, c)| *distance <= limit || (c.len() > 3 && name.len() > 3 && plural_of(name, c)))
        // Of two that are as near, a name as long as what was written: letters are swapped more often than forgotten.
        .min_by_key(|(distance, c)| (*distance, c.len().abs_diff(name.len()), *c))
        .map(|(_, c)| c)
}

/// The nearest of `candidates` to a name that certainly is none of them; else one that begins like it: `own` for `owned`.
pub fn nearest_or_longer<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
) -> Option<&'a str> {
    let mut candidates = candidates.into_iter();
    nearest(name, candidates.clone()).or_else(|| candidates.find(|c| name.len() > 2 && c.starts_with(name)))
}

fn plural_of(a: &str, b: &str) -> bool {
    a.strip_suffix('s') == Some(b) || b.strip_suffix('s') == Some(a)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{rule as declare, source::Files};

    declare! {
        /// A rule for tests. It finds nothing.
        pub SAMPLE = "Z0999", "sample", Error;
    }

    pub fn sample() -> (Files, Vec<Diagnostic>) {
        let files = Files::new();
        let id = files.add("states/a.zy", "\u{e4}: b\n  sorce: x\n");
        let diagnostic = Diagnostic::new(&SAMPLE, Span::new(id, 8..13), "There is no parameter `sorce`")
            .label(Span::new(id, 0..2), "the first is here")
            .help("write `source`");
        (files, vec![diagnostic])
    }

    #[test]
    fn the_short_form_is_one_line() {
        let (files, diagnostics) = sample();
        assert_eq!(
            short(&diagnostics, &files),
            "states/a.zy:2:3: error[Z0999] There is no parameter `sorce`\n"
        );
    }

    #[test]
    fn nearest_finds_what_was_meant() {
        assert_eq!(nearest("ngnix", ["apache", "nginx"]), Some("nginx"));
        assert_eq!(nearest("sorce", ["source", "mode"]), Some("source"));
        assert_eq!(nearest("foo", ["bar"]), None);
        assert_eq!(nearest("uniq", ["sort", "unique"]), None);
        assert_eq!(nearest_or_longer("uniq", ["sort", "unique"]), Some("unique"));
        assert_eq!(nearest_or_longer("x", ["xy"]), Some("xy"));
        assert_eq!(nearest_or_longer("ab", ["abcd"]), None);
    }
}
