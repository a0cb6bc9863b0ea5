//! What is wrong with a tree, on every branch, before anything runs. One file per rule or family of rules.
//!
//! The invariant: nothing is reported that a run would accept. What cannot be known from the text is not guessed at.

mod allow;
mod allowing;
pub(crate) mod calls;
mod computed;
mod driver;
mod elsewhere;
mod file_graph;
pub(crate) mod fold;
pub mod functions;
mod glance;
pub(crate) mod ids;
mod imports;
mod kinds;
mod library;
pub(crate) mod memory;
mod mentioned;
mod modules;
mod names;
pub(crate) mod orchestration;
mod order;
pub mod parameters;
mod paths;
pub(crate) mod pattern;
pub(crate) mod references;
mod removal;
mod reopen;
mod repair;
pub mod requisites;
mod reserved;
pub(crate) mod resources;
pub(crate) mod scope;
mod secrets;
mod selection;
mod session;
mod settings;
mod settings_files;
mod settle;
mod shapes;
mod sources;
pub(crate) mod summary;
mod targets;
mod together;
pub(crate) mod top;
mod unused;
mod values;
mod view;
pub(crate) mod walk;
pub(crate) mod whole;
pub mod workspace;

pub use allowing::allow_edits;
pub(crate) use calls::{ENVIRONMENT_FUNCTIONS, FILTERS, exec_name};
pub use driver::check;
pub use file_graph::file_graph;
pub(crate) use imports::UNKNOWN_IMPORT;
pub use memory::Memory;
pub use mentioned::{Mentioned, mentioned};
pub use repair::{Repaired, repair};
pub(crate) use scope::has_unreadable;
pub use session::Session;
pub use settle::settle;
pub(crate) use view::View;
pub(crate) use walk::{parts, roots};
pub use whole::UNREADABLE_FILE;
pub use workspace::UnitKind;
pub(crate) use workspace::in_parallel;

use crate::{
    diagnostic::{Diagnostic, FileCounts, Levels, Rule, Severity},
    source::Span,
};

/// For tables that every check makes anew of all files of one project, whose author slows down no check but his own.
type FastHash = foldhash::fast::RandomState;

/// What to check, and how loudly.
#[derive(Clone, Default, Debug)]
pub struct CheckOptions {
    /// Files or directories, relative to the project's root; what they reach is checked with them. Empty for the
    /// whole project.
    pub paths: Vec<String>,
    /// Severities from the command line, on top of the project's own.
    pub levels: Levels,
}

/// A file that was understood only after rendering, or not at all.
#[derive(Clone, Debug)]
pub struct OpaqueFile {
    /// Its path relative to the project's root.
    pub path: String,
    /// The construct that is in the way.
    pub span: Span,
    /// What it is, in the user's words.
    pub reason: String,
}

/// What a check found.
#[derive(Clone, Default, Debug)]
pub struct Report {
    /// Findings after levels and allow comments: sorted by file, place and code, without repetition.
    pub diagnostics: Vec<Diagnostic>,
    /// Files read, and those understood as a tree.
    pub counts: FileCounts,
    /// The files that were not.
    pub opaque: Vec<OpaqueFile>,
}

impl Report {
    /// Number of findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == severity).count()
    }

    /// Whether the check fails.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Why nothing could be checked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CheckError {
    /// A given path names no file and no directory of the project.
    #[error("there is no file or directory `{path}`{}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    NoSuchPath {
        /// As given.
        path: String,
        /// A file of nearly that path.
        nearest: Option<String>,
    },
    /// Nobody wants the answer any more.
    #[error("the check was interrupted")]
    Interrupted,
}

/// The rules of this room.
pub(crate) fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        allow::RULES,
        calls::RULES,
        elsewhere::RULES,
        functions::RULES,
        ids::RULES,
        imports::RULES,
        orchestration::RULES,
        order::RULES,
        crate::modules::RULES,
        parameters::RULES,
        references::RULES,
        requisites::RULES,
        reserved::RULES,
        resources::RULES,
        scope::RULES,
        secrets::RULES,
        settings::RULES,
        top::RULES,
        unused::RULES,
        values::RULES,
        whole::RULES,
        crate::types::decode::RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
    .chain(crate::infer::rules())
}
