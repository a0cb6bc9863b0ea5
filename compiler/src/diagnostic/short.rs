//! One line per finding, as compilers print them: for editors' error parsers and for grep.

use super::{Diagnostic, place::locate};
use crate::source::Files;
use std::fmt::Write;

/// `file:line:column: severity[code] message`, one a line.
pub fn short(diagnostics: &[Diagnostic], files: &Files) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let (path, range) = locate(files, diagnostic.span);
        let message = diagnostic.message.replace(['\n', '\r'], " ");
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{path}:{}:{}: {}[{}] {message}",
            range.start.line, range.start.column, diagnostic.severity, diagnostic.rule.code
        );
    }
    out
}
