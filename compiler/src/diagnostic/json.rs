//! The JSON document of `zester check`. Its shape is a contract; it only ever gains fields.

use super::{
    Applicability, Diagnostic, Severity,
    place::{Range, locate},
};
use crate::source::Files;
use serde::Serialize;

/// Version of the document's shape.
pub const FORMAT_VERSION: &str = "1.0";

#[derive(Serialize)]
struct Document<'a> {
    format_version: &'static str,
    errors: usize,
    warnings: usize,
    hints: usize,
    files: usize,
    structural: usize,
    diagnostics: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    code: &'static str,
    name: &'static str,
    severity: Severity,
    message: &'a str,
    help: Option<&'a str>,
    file: String,
    range: Range,
    labels: Vec<LabelItem<'a>>,
    fixes: Vec<FixItem<'a>>,
    peels: &'a [String],
}

#[derive(Serialize)]
struct LabelItem<'a> {
    file: String,
    range: Range,
    message: &'a str,
}

#[derive(Serialize)]
struct FixItem<'a> {
    title: &'a str,
    applicability: &'static str,
    edits: Vec<EditItem<'a>>,
}

#[derive(Serialize)]
struct EditItem<'a> {
    file: String,
    range: Range,
    text: &'a str,
}

#[derive(Serialize)]
struct ErrorDocument<'a> {
    format_version: &'static str,
    error: ErrorItem<'a>,
}

#[derive(Serialize)]
struct ErrorItem<'a> {
    message: &'a str,
    help: Option<&'a str>,
    file: Option<String>,
    range: Option<Range>,
}

/// How many files were read, and how many of them were understood as a tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FileCounts {
    /// State, settings and template files read.
    pub files: usize,
    /// Those understood as a tree.
    pub structural: usize,
}

/// The whole document, ending in a line break.
pub fn json(diagnostics: &[Diagnostic], files: &Files, counts: FileCounts) -> String {
    let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    to_text(&Document {
        format_version: FORMAT_VERSION,
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        hints: count(Severity::Hint),
        files: counts.files,
        structural: counts.structural,
        diagnostics: diagnostics.iter().map(|d| item(d, files)).collect(),
    })
}

/// The document of a check that could not be done: bad usage, no such path.
pub fn json_error(message: &str) -> String {
    let error = ErrorItem { message, help: None, file: None, range: None };
    to_text(&ErrorDocument { format_version: FORMAT_VERSION, error })
}

/// The document where a finding is why nothing could be done: unreadable configuration.
pub fn json_failure(found: &Diagnostic, files: &Files) -> String {
    let (file, range) = locate(files, found.span);
    let error = ErrorItem {
        message: &found.message,
        help: found.help.as_deref(),
        file: Some(file),
        range: Some(range),
    };
    to_text(&ErrorDocument { format_version: FORMAT_VERSION, error })
}

fn item<'a>(diagnostic: &'a Diagnostic, files: &Files) -> Item<'a> {
    let (file, range) = locate(files, diagnostic.span);
    Item {
        code: diagnostic.rule.code,
        name: diagnostic.rule.name,
        severity: diagnostic.severity,
        message: &diagnostic.message,
        help: diagnostic.help.as_deref(),
        file,
        range,
        labels: diagnostic
            .labels
            .iter()
            .map(|label| {
                let (file, range) = locate(files, label.span);
                LabelItem { file, range, message: &label.message }
            })
            .collect(),
        fixes: diagnostic
            .fixes
            .iter()
            .map(|fix| FixItem {
                title: &fix.title,
                applicability: match fix.applicability {
                    Applicability::Safe => "safe",
                    Applicability::Unsafe => "unsafe",
                },
                edits: fix
                    .edits
                    .iter()
                    .map(|edit| {
                        let (file, range) = locate(files, edit.span);
                        EditItem { file, range, text: &edit.text }
                    })
                    .collect(),
            })
            .collect(),
        peels: &diagnostic.peels,
    }
}

fn to_text(document: &impl Serialize) -> String {
    // Only maps with keys that are not text can fail here, and there are none.
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::tests::sample;

    #[test]
    fn columns_count_characters_and_ends_are_exclusive() {
        let (files, diagnostics) = sample();
        let text = json(&diagnostics, &files, FileCounts { files: 2, structural: 1 });
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["errors"], 1);
        assert_eq!(value["structural"], 1);
        let range = &value["diagnostics"][0]["range"];
        assert_eq!(range["start"], serde_json::json!({"line": 2, "column": 3, "offset": 8}));
        assert_eq!(range["end"], serde_json::json!({"line": 2, "column": 8, "offset": 13}));
        assert_eq!(value["diagnostics"][0]["file"], "states/a.zy");
    }

    #[test]
    fn an_error_document_has_its_place() {
        let (files, diagnostics) = sample();
        let value: serde_json::Value = serde_json::from_str(&json_failure(&diagnostics[0], &files)).unwrap();
        assert_eq!(value["error"]["message"], diagnostics[0].message);
        assert_eq!(value["error"]["help"], "write `source`");
        assert_eq!(value["error"]["range"]["start"]["line"], 2);
        let bare: serde_json::Value = serde_json::from_str(&json_error("x")).unwrap();
        assert!(bare["error"]["file"].is_null());
    }
}
