//! Findings as the protocol's diagnostics, sent when they change.

use super::{Encoding, Lines, state::State, uri_of};
use gen_lsp_types::{
    Code, CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag,
    Location, Uri,
};
use serde_json::json;
use std::{collections::HashMap, path::Path};
use zester_compiler::{
    diagnostic::{self as found, Severity},
    source::Files,
};

/// What was sent, by address.
#[derive(Default)]
pub(super) struct Published {
    sent: HashMap<String, Sent>,
}

/// What was sent of one file.
struct Sent {
    /// By which folder.
    folder: usize,
    version: Option<i32>,
    diagnostics: Vec<Diagnostic>,
}

/// Where the page of a code is.
const PAGES: &str = "https://github.com/zester/zester/blob/main/docs/diagnostics/";

/// Codes about what is there for nothing.
const UNUSED: [&str; 4] = ["unreachable-file", "inert-parameter", "unused-variable", "unused-setting"];

/// A finding as the protocol's.
pub(crate) fn to_protocol(
    finding: &found::Diagnostic,
    files: &Files,
    root: &Path,
    encoding: Encoding,
) -> Diagnostic {
    let place = |span: zester_compiler::source::Span| {
        let file = files.get(span.file);
        let range = Lines::new(&file.text, &file.lines, encoding).range(span.range());
        (uri_of(&root.join(&*file.path)), range)
    };
    let mut message = finding.message.clone();
    if let Some(help) = &finding.help {
        message.push('\n');
        message.push_str(help);
    }
    let related: Vec<DiagnosticRelatedInformation> = finding
        .labels
        .iter()
        .map(|label| {
            let (uri, range) = place(label.span);
            DiagnosticRelatedInformation { location: Location { uri, range }, message: label.message.clone() }
        })
        .collect();
    let page = Uri(format!("{PAGES}{}.md", finding.rule.code));
    Diagnostic {
        range: place(finding.span).1,
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::Error,
            Severity::Warning => DiagnosticSeverity::Warning,
            Severity::Hint | Severity::Allow => DiagnosticSeverity::Hint,
        }),
        code: Some(Code::from(finding.rule.code)),
        code_description: Some(CodeDescription { href: page }),
        source: Some("zester".to_owned()),
        message: message.into(),
        tags: UNUSED.contains(&finding.rule.name).then(|| vec![DiagnosticTag::Unnecessary]),
        related_information: (!related.is_empty()).then_some(related),
        data: None,
    }
}

impl State<'_> {
    /// Sends what changed in a project; whether something did. What is about a text that is older than the
    /// document's is not sent: the check of the newer one follows.
    pub(super) fn publish(&mut self, number: usize) -> bool {
        let Some(folder) = self.folders.get(&number) else { return false };
        let Some(checked) = folder.checked.clone() else { return false };
        let root = folder.root.clone();
        let open: HashMap<String, (String, i32, std::sync::Arc<str>)> = self
            .documents
            .iter()
            .filter_map(|(uri, (path, document))| {
                let (owner, inner) = self.owner(path)?;
                let of_document = (uri.clone(), document.version, document.text.clone());
                (owner == number).then_some((inner, of_document))
            })
            .collect();
        let mut now: HashMap<String, (Option<i32>, Vec<Diagnostic>)> = HashMap::new();
        let mut held: Vec<String> = Vec::new();
        for (path, findings) in checked.by_path.iter() {
            // A project inside of this one says itself what is in its files.
            if self.owner(&root.join(path)).is_some_and(|(owner, _)| owner != number) {
                continue;
            }
            let (uri, version) = match open.get(path) {
                Some((uri, version, text)) => {
                    let stale =
                        findings.first().is_some_and(|f| *checked.files.get(f.span.file).text != **text);
                    if stale {
                        held.push(uri.clone());
                        continue;
                    }
                    (uri.clone(), Some(*version))
                }
                None => (uri_of(&root.join(path)).0, None),
            };
            let diagnostics = findings
                .iter()
                .map(|f| to_protocol(f, &checked.files, &root, self.client.encoding))
                .collect();
            now.insert(uri, (version, diagnostics));
        }
        // A document without findings is said to be so, for the version that was checked.
        if checked.revision >= folder.sent {
            for (uri, version, _) in open.values() {
                now.entry(uri.clone()).or_insert((Some(*version), Vec::new()));
            }
        }
        let gone: Vec<String> = self
            .published
            .sent
            .iter()
            .filter(|(uri, sent)| sent.folder == number && !now.contains_key(*uri) && !held.contains(uri))
            .map(|(uri, _)| uri)
            .filter(|uri| checked.revision >= folder.sent || !open.values().any(|(open, ..)| open == *uri))
            .cloned()
            .collect();
        for uri in gone {
            let was = self.published.sent.remove(&uri);
            if was.is_some_and(|was| !was.diagnostics.is_empty()) {
                now.insert(uri, (None, Vec::new()));
            }
        }
        let mut changed = false;
        for (uri, (version, diagnostics)) in now {
            changed |= self.send_findings(number, uri, version, diagnostics);
        }
        changed
    }

    /// Takes back what was sent of a folder that is closed.
    pub(super) fn unpublish(&mut self, number: usize) {
        let of_folder = self.published.sent.iter().filter(|(_, sent)| sent.folder == number);
        let gone: Vec<String> = of_folder.map(|(uri, _)| uri.clone()).collect();
        for uri in gone {
            self.send_findings(number, uri.clone(), None, Vec::new());
            self.published.sent.remove(&uri);
        }
    }

    /// Sends the findings of one file where they are others than before; whether they are.
    fn send_findings(
        &mut self,
        folder: usize,
        uri: String,
        version: Option<i32>,
        diagnostics: Vec<Diagnostic>,
    ) -> bool {
        let before = self.published.sent.get_mut(&uri);
        // An empty list that was never anything else is said once for each open document.
        let mut changed = true;
        if let Some(before) = before {
            before.folder = folder;
            changed = before.diagnostics != diagnostics;
            if !changed && (before.version == version || version.is_none()) {
                return false;
            }
        }
        if !self.client.pulls {
            let mut params = json!({ "uri": uri, "diagnostics": diagnostics });
            if let Some(version) = version {
                params["version"] = version.into();
            }
            self.notify("textDocument/publishDiagnostics", params);
        }
        self.published.sent.insert(uri, Sent { folder, version, diagnostics });
        changed
    }

    /// Sends what was seen in an edited document before the project is checked.
    pub(super) fn publish_glance(&mut self, number: usize, path: &str) {
        // Who asks, and cannot be told that there is more, waits for the check.
        if self.client.pulls && !self.client.refresh_diagnostics {
            return;
        }
        let Some(folder) = self.folders.get(&number) else { return };
        let Some(checked) = folder.checked.clone() else { return };
        let document = self.documents.iter().find_map(|(uri, (at, document))| {
            (self.owner(at)? == (number, path.to_owned())).then(|| (uri.clone(), document.clone()))
        });
        let Some((uri, document)) = document else { return };
        let Some(glanced) = folder.glance(path, &document.text).cloned() else { return };
        let root = folder.root.clone();
        let protocol = |f| to_protocol(f, &checked.files, &root, self.client.encoding);
        let diagnostics = glanced.found.iter().map(protocol).collect();
        self.send_findings(number, uri, Some(document.version), diagnostics);
    }
}
