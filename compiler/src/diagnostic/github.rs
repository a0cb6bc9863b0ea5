//! Annotations of a GitHub workflow: one command a line on stdout.

use super::{Diagnostic, Severity, place::locate};
use crate::source::Files;
use std::fmt::Write;

/// One `::error …::` line per finding.
pub fn github(diagnostics: &[Diagnostic], files: &Files) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let command = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint | Severity::Allow => "notice",
        };
        let (path, range) = locate(files, diagnostic.span);
        let mut properties =
            format!("file={},line={},endLine={}", property(&path), range.start.line, range.end.line);
        // The service ignores columns of an annotation that spans several lines.
        if range.start.line == range.end.line {
            let _ = write!(properties, ",col={},endColumn={}", range.start.column, range.end.column);
        }
        let title = format!("{} {}", diagnostic.rule.code, diagnostic.rule.name);
        let mut text = diagnostic.message.clone();
        if let Some(help) = &diagnostic.help {
            let _ = write!(text, "\nhelp: {help}");
        }
        let _ = writeln!(out, "::{command} {properties},title={}::{}", property(&title), data(&text));
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::tests::sample;

    #[test]
    fn properties_and_text_are_escaped() {
        let (files, mut diagnostics) = sample();
        diagnostics[0].message = "50% of it\nis wrong".to_owned();
        let text = github(&diagnostics, &files);
        assert!(text.starts_with("::error file=states/a.zy,line=2,endLine=2,col=3,endColumn=8,title=Z0999 sample::50%25 of it%0Ais wrong"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
}
