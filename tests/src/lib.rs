//! Shared parts of the end-to-end tests.

pub mod archive;
pub mod cluster;
pub mod command;
pub mod debian;
pub mod editor;
pub mod entry;
pub mod expectation;
pub mod fleet;
pub mod lab;
pub mod link;
pub mod nats;
pub mod plans;
pub mod secured;
pub mod simulated;
pub mod usage;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};
use zester_compiler::{
    check::{CheckOptions, Report, check},
    diagnostic::{Diagnostic, locate},
    project::{OpenOptions, Project},
    types::Registry,
};

/// The repository's root.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Rules whose findings need more than the text of a tree: a run, a rendering, the configuration, an editor.
pub const FOUND_ELSEWHERE: &[&str] = &[
    "wrong-configuration",
    "unreadable-file",
    "structure-injection",
    "settings-top-shape",
    "unopened-secret",
    // These need an inventory.
    "matches-no-peel",
    "peel-without-states",
    "not-foretold",
    // No function of the library has a parameter of this type yet.
    "unknown-zone",
];

/// A checked tree.
pub struct Checked {
    /// The project.
    pub project: Project,
    /// What was found.
    pub report: Report,
}

impl Checked {
    /// Checks a tree of files with the whole standard library.
    pub fn of(files: &[(String, String)]) -> Self {
        let project = Project::open(Arc::new(archive::sources(files)), OpenOptions::default())
            .unwrap_or_else(|error| panic!("the configuration of a fixture is wrong: {error}"));
        let report = check(&project, Self::registry(), &CheckOptions::default())
            .unwrap_or_else(|error| panic!("a fixture cannot be checked: {error}"));
        Self { project, report }
    }

    /// The functions of the standard library.
    pub fn registry() -> &'static Registry {
        static LIBRARY: OnceLock<zester_stdlib::Library> = OnceLock::new();
        LIBRARY.get_or_init(zester_stdlib::library).registry()
    }

    /// The text a finding points at.
    pub fn text_of(&self, diagnostic: &Diagnostic) -> String {
        let file = self.project.files().get(diagnostic.span.file);
        file.text.get(diagnostic.span.range()).unwrap_or("").to_owned()
    }

    /// One line a finding, for failure messages: `path:line:column-column severity code "message" [text]`.
    pub fn lines(&self) -> String {
        let mut out = String::new();
        for diagnostic in &self.report.diagnostics {
            let (path, range) = locate(self.project.files(), diagnostic.span);
            out.push_str(&format!(
                "{path}:{}:{}..{}:{} {} {} \"{}\" [{}] help: {}\n",
                range.start.line,
                range.start.column,
                range.end.line,
                range.end.column,
                diagnostic.severity,
                diagnostic.rule.code,
                diagnostic.message,
                self.text_of(diagnostic),
                diagnostic.help.as_deref().unwrap_or("")
            ));
        }
        out
    }
}
