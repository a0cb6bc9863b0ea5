//! Expected findings, written in a fixture below the line they are about.
//!
//! ```text
//! nginx:
//!   pgk.installed: []
//! # ^^^ error Z0201 "no state module"
//! ```
//!
//! The carets mark the columns of the line above. Where they do not fit, columns are numbers from 1, the end
//! exclusive: `#: 1..6 error Z0221 "defined twice"`, and `#: 3.. error …` for a range that ends on a later line. In a
//! template, `{# ^^^ … #}` does the same.

use zester_compiler::diagnostic::{Diagnostic, locate};
use zester_compiler::source::Files;

/// An expected finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expectation {
    /// The file.
    pub path: String,
    /// Line from 1.
    pub line: u32,
    /// First column from 1.
    pub start: u32,
    /// One past the last column; `None` when the range ends on a later line.
    pub end: Option<u32>,
    /// `error`, `warning`, `hint`
    pub severity: String,
    /// `Z0201`
    pub code: String,
    /// A part of the message or the help.
    pub text: String,
}

/// Reads the expectations of a file.
pub fn read(path: &str, content: &str) -> Vec<Expectation> {
    let mut found = Vec::new();
    let mut about = 0;
    for (index, line) in content.lines().enumerate() {
        match parse(path, about, line) {
            Some(expectation) => found.push(expectation),
            None => about = index as u32 + 1,
        }
    }
    found
}

fn parse(path: &str, about: u32, line: &str) -> Option<Expectation> {
    let trimmed = line.trim_end().trim_end_matches("#}").trim_end();
    let body = trimmed.trim_start();
    let (start, end, rest) = if let Some(rest) = body.strip_prefix("#:") {
        let (columns, rest) = rest.trim_start().split_once(' ')?;
        let (start, end) = columns.split_once("..")?;
        (start.parse().ok()?, if end.is_empty() { None } else { Some(end.parse().ok()?) }, rest)
    } else {
        let carets = body.trim_start_matches("{#").trim_start_matches('#').trim_start();
        if !body.starts_with(['#', '{']) || !carets.starts_with('^') {
            return None;
        }
        let rest = carets.trim_start_matches('^');
        let start = trimmed.chars().take_while(|c| *c != '^').count() as u32 + 1;
        (start, Some(start + (carets.len() - rest.len()) as u32), rest)
    };
    let mut words = rest.trim().splitn(3, ' ');
    let severity = words.next()?.to_owned();
    let code = words.next()?.to_owned();
    let text = words.next().unwrap_or("").trim().trim_matches('"').to_owned();
    code.starts_with('Z').then(|| Expectation {
        path: path.to_owned(),
        line: about,
        start,
        end,
        severity,
        code,
        text,
    })
}

impl Expectation {
    /// Whether a finding is the expected one.
    pub fn fits(&self, diagnostic: &Diagnostic, files: &Files) -> bool {
        let (path, range) = locate(files, diagnostic.span);
        let end = match self.end {
            Some(end) => range.end.line == self.line && range.end.column == end,
            None => range.end.line > self.line,
        };
        path == self.path
            && range.start.line == self.line
            && range.start.column == self.start
            && end
            && diagnostic.rule.code == self.code
            && diagnostic.severity.to_string() == self.severity
            && (diagnostic.message.contains(&self.text)
                || diagnostic.help.as_ref().is_some_and(|h| h.contains(&self.text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_and_columns_are_read() {
        let found = read(
            "a.zy",
            "a: b\n#  ^ error Z0001 \"x y\"\n#: 1..2 warning Z0002 \"\"\nc\n#: 1.. hint Z0003 \"z\"\n",
        );
        assert_eq!(
            (found[0].line, found[0].start, found[0].end, found[0].text.as_str()),
            (1, 4, Some(5), "x y")
        );
        assert_eq!((found[1].line, found[1].start, found[1].end), (1, 1, Some(2)));
        assert_eq!((found[2].line, found[2].end), (4, None));
    }
}
