//! Exit codes, errors of usage, and writing to streams that may be closed.

use std::{
    io::{self, Write},
    process::ExitCode,
};
use zester_compiler::{
    diagnostic::{self, Diagnostic},
    project::ConfigError,
    source::Files,
};
use zester_executor::local::LocalError;

/// How the process ends; see the book's page on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// All as wanted.
    Fine,
    /// Problems found, or the run had failures.
    Problems,
    /// Bad usage or configuration.
    Usage,
    /// Some peels failed.
    SomeFailed,
    /// Some peels could not be reached.
    SomeUnreachable,
    /// No peel matches.
    NoPeel,
    /// Changes are pending.
    Pending,
    /// A bug of ours.
    Bug,
    /// Ended by a signal.
    Signal(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Fine => 0,
            Exit::Problems => 1,
            Exit::Usage => 2,
            Exit::SomeFailed => 3,
            Exit::SomeUnreachable => 4,
            Exit::NoPeel => 5,
            Exit::Pending => 10,
            Exit::Bug => 101,
            Exit::Signal(signal) => 128 + signal,
        })
    }
}

/// Why nothing could be done: bad usage or configuration.
pub struct Failure {
    message: String,
    /// For people, with the place drawn.
    drawn: Option<String>,
    document: Option<String>,
}

impl Failure {
    /// A failure without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), drawn: None, document: None }
    }

    /// Tells it: a sentence on stderr, with JSON output a document on stdout.
    pub fn print(&self, json: bool) {
        if json {
            let document = self.document.clone().unwrap_or_else(|| diagnostic::json_error(&self.message));
            print(&(document + "\n"));
        }
        match &self.drawn {
            Some(drawn) if !json => eprint!("{drawn}"),
            _ => eprintln!("zester: {}", self.message),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let message = error.to_string();
        match error.diagnostics() {
            Some((diagnostics, files)) => {
                let document = diagnostics.first().map(|found| diagnostic::json_failure(found, files));
                Self { drawn: Some(diagnostic::human(diagnostics, files, false)), document, message }
            }
            None => Self::new(message),
        }
    }
}

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Self {
        match error {
            LocalError::Config(error) => error.into(),
            other => Self::new(other.to_string()),
        }
    }
}

/// Writes to stdout; a reader that went away is no error.
pub fn print(text: &str) {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        eprintln!("zester: the output could not be written: {error}");
    }
}

/// Findings for people, on stderr.
pub fn findings(diagnostics: &[Diagnostic], files: &Files, color: bool) {
    let _ = io::stderr().lock().write_all(diagnostic::human(diagnostics, files, color).as_bytes());
}
