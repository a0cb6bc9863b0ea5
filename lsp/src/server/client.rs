//! What the client told about itself: where its projects are, what it understands, what its user chose.

use super::Encoding;
use gen_lsp_types::{ClientCapabilities, InitializeParams, PositionEncodingKind, WorkspaceFolders};
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;

/// The client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Directories that are open.
    pub roots: Vec<PathBuf>,
    /// How positions count.
    pub encoding: Encoding,
    /// Snippets in completions.
    pub snippets: bool,
    /// It asks for diagnostics instead of being told.
    pub pulls: bool,
    /// It can be asked to ask again.
    pub refresh_diagnostics: bool,
    /// It can be asked to ask for lenses again.
    pub refresh_lenses: bool,
    /// It can be asked to ask for hints again.
    pub refresh_hints: bool,
    /// Watching of files can be asked for.
    pub watches: bool,
    /// Progress can be shown.
    pub progress: bool,
    /// Its configuration can be asked for.
    pub configuration: bool,
    /// Edits can carry versions.
    pub document_changes: bool,
    /// Hierarchies of symbols.
    pub hierarchical_symbols: bool,
    /// What the user chose.
    pub options: Options,
}

/// What a user can choose.
#[derive(Clone, Default, PartialEq, Debug, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Options {
    /// The peel for whom values are shown and files rendered: an id of the project's inventory.
    pub peel: Option<String>,
    /// A file of facts for that peel.
    pub facts: Option<String>,
    /// Whether values of settings are shown in the text.
    pub inlay_hints: Option<bool>,
    /// Whether lenses are shown above states.
    pub code_lens: Option<bool>,
    /// Most files and directories that are read of a folder. What is said of it later is for folders that are opened
    /// after that.
    pub max_files: Option<usize>,
}

impl Options {
    /// Reads the section `zester` of a client's settings, or its whole; what is not understood is left out.
    pub fn of(value: &Value) -> Self {
        let section = value.get("zester").unwrap_or(value);
        serde_json::from_value(section.clone()).unwrap_or_default()
    }
}

impl Client {
    /// Reads the parameters of `initialize`; what is not understood counts as absent.
    pub fn of(params: &Value) -> Self {
        let parsed: InitializeParams = serde_json::from_value(params.clone()).unwrap_or_default();
        let ClientCapabilities { workspace, text_document, window, general, .. } = parsed.capabilities;
        let workspace = workspace.unwrap_or_default();
        let text = text_document.unwrap_or_default();
        let encodings = general.and_then(|g| g.position_encodings).unwrap_or_default();
        let encoding = if encodings.contains(&PositionEncodingKind::UTF8) {
            Encoding::Utf8
        } else if encodings.contains(&PositionEncodingKind::UTF32)
            && !encodings.contains(&PositionEncodingKind::UTF16)
        {
            Encoding::Utf32
        } else {
            Encoding::Utf16
        };
        let mut roots: Vec<PathBuf> = Vec::new();
        if let Some(WorkspaceFolders::WorkspaceFolderList(folders)) =
            parsed.workspace_folders_initialize_params.workspace_folders
        {
            roots.extend(folders.iter().filter_map(|f| super::path_of(&f.uri)));
        }
        if roots.is_empty() {
            roots.extend(
                params.get("rootUri").and_then(Value::as_str).and_then(|u| super::path_of(&u.into())),
            );
        }
        if roots.is_empty() {
            roots.extend(params.get("rootPath").and_then(Value::as_str).map(PathBuf::from));
        }
        let completion = text.completion.and_then(|c| c.completion_item).unwrap_or_default();
        Self {
            roots,
            encoding,
            snippets: completion.snippet_support.unwrap_or(false),
            pulls: text.diagnostic.is_some(),
            refresh_diagnostics: workspace.diagnostics.and_then(|d| d.refresh_support).unwrap_or(false),
            refresh_lenses: workspace.code_lens.and_then(|l| l.refresh_support).unwrap_or(false),
            refresh_hints: workspace.inlay_hint.and_then(|h| h.refresh_support).unwrap_or(false),
            watches: workspace.did_change_watched_files.and_then(|w| w.dynamic_registration).unwrap_or(false),
            progress: window.and_then(|w| w.work_done_progress).unwrap_or(false),
            configuration: workspace.configuration.unwrap_or(false),
            document_changes: workspace.workspace_edit.and_then(|e| e.document_changes).unwrap_or(false),
            hierarchical_symbols: text
                .document_symbol
                .and_then(|s| s.hierarchical_document_symbol_support)
                .unwrap_or(false),
            options: parsed.initialization_options.as_ref().map(Options::of).unwrap_or_default(),
        }
    }
}
