//! The documents an editor has open.

use super::{Encoding, Lines};
use gen_lsp_types::TextDocumentContentChangeEvent;
use std::sync::{Arc, OnceLock};
use zester_compiler::{
    source::{Files, LineIndex},
    syntax::{self, Tree},
};

/// An open document at one version. An edit makes a new one.
pub(crate) struct Document {
    /// The client's number for it.
    pub version: i32,
    /// Its text.
    pub text: Arc<str>,
    /// Its lines.
    pub index: LineIndex,
    tree: OnceLock<Arc<Tree>>,
}

impl Document {
    pub fn new(version: i32, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        Self { version, index: LineIndex::new(&text), text, tree: OnceLock::new() }
    }

    /// Its text with its lines.
    pub fn lines(&self, encoding: Encoding) -> Lines<'_> {
        Lines::new(&self.text, &self.index, encoding)
    }

    /// Its tree, parsed when first asked for.
    pub fn tree(&self, files: &Files, path: &str) -> Arc<Tree> {
        let parse = || Arc::new(syntax::parse(files.add(path, self.text.clone()), &self.text));
        self.tree.get_or_init(parse).clone()
    }

    /// The document after some changes, in their order.
    pub fn changed(
        &self,
        version: i32,
        changes: &[TextDocumentContentChangeEvent],
        encoding: Encoding,
    ) -> Self {
        let mut text: String = self.text.to_string();
        let mut index: Option<LineIndex> = None;
        for change in changes {
            match change {
                TextDocumentContentChangeEvent::TextDocumentContentChangePartial(change) => {
                    let lines = Lines::new(&text, index.as_ref().unwrap_or(&self.index), encoding);
                    let range = lines.bytes(change.range);
                    text.replace_range(range, &change.text);
                }
                TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(change) => {
                    text.clone_from(&change.text);
                }
            }
            index = Some(LineIndex::new(&text));
        }
        Self {
            version,
            index: index.unwrap_or_else(|| LineIndex::new(&text)),
            text: text.into(),
            tree: OnceLock::new(),
        }
    }
}
