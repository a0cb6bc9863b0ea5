//! A rule: the code, name and documentation of one kind of finding.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How bad a finding is. Only errors make a check fail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A run would fail, or do what nobody can have meant.
    Error,
    /// Very probably wrong.
    Warning,
    /// Could be better.
    Hint,
    /// Not reported.
    Allow,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "hint",
            Severity::Allow => "allow",
        })
    }
}

/// One kind of finding. Declared by [`rule!`](crate::rule) beside the code that finds it.
#[derive(Debug)]
pub struct Rule {
    /// `Z0203`; stable for ever.
    pub code: &'static str,
    /// `unknown-parameter`; kebab-case, stable, reads well after "allow".
    pub name: &'static str,
    /// Severity without configuration.
    pub severity: Severity,
    /// Markdown: what it finds, why that is bad, a wrong example, what to write instead.
    pub doc: &'static str,
}

impl Rule {
    /// The doc comment without the blank that `///` leaves before each line.
    pub fn page_text(&self) -> String {
        let lines: Vec<&str> = self.doc.lines().map(|l| l.strip_prefix(' ').unwrap_or(l)).collect();
        lines.join("\n").trim().to_owned()
    }

    /// The first sentence of the page, on one line.
    pub fn summary(&self) -> String {
        let text = self.page_text();
        let paragraph = text.split("\n\n").next().unwrap_or("").replace('\n', " ");
        match paragraph.find(". ") {
            Some(end) => paragraph[..end].to_owned(),
            None => paragraph.trim_end_matches('.').to_owned(),
        }
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Eq for Rule {}

/// Declares rules: the doc comment is the rule's page.
///
/// ```
/// zester_compiler::rule! {
///     /// Two states have the same id and function.
///     pub DUPLICATE_EXAMPLE = "Z0999", "duplicate-example", Error;
/// }
/// assert_eq!(DUPLICATE_EXAMPLE.name, "duplicate-example");
/// assert!(DUPLICATE_EXAMPLE.doc.starts_with(" Two states"));
/// ```
#[macro_export]
macro_rules! rule {
    ($( $(#[doc = $doc:literal])+ $vis:vis $ident:ident = $code:literal, $name:literal, $severity:ident; )+) => {
        $(
            $(#[doc = $doc])+
            $vis static $ident: $crate::diagnostic::Rule = $crate::diagnostic::Rule {
                code: $code,
                name: $name,
                severity: $crate::diagnostic::Severity::$severity,
                doc: concat!($($doc, "\n"),+),
            };
        )+
        /// The rules this file declares.
        #[allow(dead_code)]
        pub(crate) static RULES: &[&$crate::diagnostic::Rule] = &[$(&$ident),+];
    };
}
