//! One request of the protocol in each file: a few lines that translate.

pub mod call_hierarchy;
pub mod code_action;
pub mod code_lens;
pub mod completion;
pub mod definition;
pub mod diagnostic;
pub mod document_link;
pub mod document_symbol;
pub mod execute_command;
pub mod folding_range;
pub mod formatting;
pub mod highlight;
pub mod hover;
pub mod inlay_hint;
pub mod references;
pub mod rename;
pub mod rename_files;
pub mod selection_range;
pub mod semantic_tokens;
pub mod signature_help;
#[cfg(test)]
mod tests;
pub mod workspace_symbol;

use crate::server::{Document, Lines, Seen, uri_of};
use gen_lsp_types::{
    DocumentChange, Location, OptionalVersionedTextDocumentIdentifier, Position, Range, TextDocumentEdit,
    TextDocumentIdentifier, TextEdit, WorkspaceEdit,
};
use std::{collections::BTreeMap, path::Path, sync::Arc};
use zester_compiler::{diagnostic::Edit, project::KnownPeel, source::Span};

impl Seen {
    /// The document's lines.
    fn lines(&self) -> Lines<'_> {
        self.document.lines(self.client.encoding)
    }

    fn offset(&self, position: Position) -> usize {
        self.lines().offset(position)
    }

    fn range(&self, span: Span) -> Range {
        self.lines().range(span.range())
    }

    /// A file's text with its lines: the editor's where it is open, else as the check read it.
    fn file(&self, path: &str) -> Arc<Document> {
        if path == self.path {
            return self.document.clone();
        }
        if let Some(open) = self.open.get(path) {
            return open.clone();
        }
        let known = self.index.file(path).map(|f| f.tree.text.clone());
        let text = known.or_else(|| self.index.project.files().by_path(path).map(|f| f.text.clone()));
        let text = text.or_else(|| self.index.project.read_text(path).ok().map(|(_, text)| text));
        Arc::new(Document::new(0, text.unwrap_or_else(|| "".into())))
    }

    /// A place of a project's file.
    fn location(&self, path: &str, span: Option<Span>) -> Location {
        let file = self.file(path);
        let range = span.map(|s| file.lines(self.client.encoding).range(s.range())).unwrap_or_default();
        Location { uri: uri_of(&self.root.join(path)), range }
    }

    /// Edits of several files. An error where a file has another text than the edits were made for.
    fn workspace_edit(&self, edits: &BTreeMap<String, Vec<Edit>>) -> Result<WorkspaceEdit, String> {
        let mut changes = std::collections::HashMap::new();
        let mut documents = Vec::new();
        for (path, edits) in edits {
            let file = self.file(path);
            let known = edits.first().map(|e| self.index.project.files().get(e.span.file));
            if known.is_some_and(|k| k.text != file.text) {
                return Err(format!("`{path}` is being changed; try again when it has been checked"));
            }
            let lines = file.lines(self.client.encoding);
            let edits: Vec<TextEdit> = edits
                .iter()
                .map(|e| TextEdit { range: lines.range(e.span.range()), new_text: e.text.clone() })
                .collect();
            let uri = uri_of(&self.root.join(path));
            if self.client.document_changes {
                let version = self.open.get(path).map(|d| d.version);
                documents.push(DocumentChange::TextDocumentEdit(TextDocumentEdit {
                    text_document: OptionalVersionedTextDocumentIdentifier {
                        version,
                        text_document_identifier: TextDocumentIdentifier { uri },
                    },
                    edits: edits.into_iter().map(Into::into).collect(),
                }));
            } else {
                changes.insert(uri, edits);
            }
        }
        Ok(if self.client.document_changes {
            WorkspaceEdit { document_changes: Some(documents), ..WorkspaceEdit::default() }
        } else {
            WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }
        })
    }

    /// The peel whose values are shown, where the user chose one.
    fn chosen(&self) -> Option<crate::ide::preview::Chosen> {
        let options = &self.client.options;
        if options.peel.is_none() && options.facts.is_none() {
            return None;
        }
        let mut known = self.peels.known.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(chosen) = known.get(&self.root) {
            return Some(chosen.clone());
        }
        let chosen = self.stage().ok()?.choose(options.peel.as_deref(), options.facts.as_deref()).ok()?;
        known.insert(self.root.clone(), chosen.clone());
        Some(chosen)
    }

    /// The peels whose facts the project keeps; read once, until files change.
    fn inventory(&self) -> Arc<Vec<KnownPeel>> {
        let mut known = self.peels.inventory.lock().unwrap_or_else(|e| e.into_inner());
        let read = || Arc::new(self.index.project.inventory().unwrap_or_default());
        known.entry(self.root.clone()).or_insert_with(read).clone()
    }

    /// The project as it is in the editor now, for a preview.
    fn stage(&self) -> Result<crate::ide::preview::Stage, String> {
        let texts = self.open.iter().map(|(path, d)| (path.clone(), d.text.clone())).collect();
        let max_files = self.client.options.max_files;
        let files = move |dir: &Path| crate::server::files(dir, max_files);
        crate::ide::preview::Stage::open(&self.root, texts, files, self.index.registry.clone())
    }
}
