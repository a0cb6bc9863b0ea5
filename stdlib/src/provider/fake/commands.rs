//! Programs that a test makes up.

use crate::{
    Cancel,
    provider::{Command, Commands, Output, Program},
};
use std::{
    io,
    sync::{Mutex, PoisonError},
};

type Reply = Box<dyn Fn(&Command, &str) -> Output + Send + Sync>;

/// Programs that a test makes up. What no rule answers ends with status 127, as a shell reports a missing program.
#[derive(Default)]
pub struct FakeCommands {
    rules: Mutex<Vec<(String, Reply)>>,
    calls: Mutex<Vec<Command>>,
    missing: Mutex<Vec<String>>,
}

/// The command as one line: program and arguments, or the shell's line.
pub(super) fn line_of(command: &Command) -> String {
    match &command.program {
        Program::Direct(program, args) => {
            std::iter::once(program).chain(args).map(String::as_str).collect::<Vec<_>>().join(" ")
        }
        Program::Shell { line, .. } => line.clone(),
    }
}

impl FakeCommands {
    /// Nothing is installed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers every command whose line begins with `prefix`; later rules come first.
    pub fn on(&self, prefix: &str, reply: impl Fn(&Command, &str) -> Output + Send + Sync + 'static) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.insert(0, (prefix.to_owned(), Box::new(reply)));
    }

    /// Answers with this status and output.
    pub fn reply(&self, prefix: &str, status: i32, stdout: &str) {
        let stdout = stdout.to_owned();
        self.on(prefix, move |_, _| Output { status, stdout: stdout.clone(), ..Output::default() });
    }

    /// `find` says from now on that `program` is not installed.
    pub fn without(&self, program: &str) {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).push(program.to_owned());
    }

    /// What was run, as lines.
    pub fn lines(&self) -> Vec<String> {
        self.calls().iter().map(line_of).collect()
    }

    /// What was run.
    pub fn calls(&self) -> Vec<Command> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what was run.
    pub fn forget(&self) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Commands for FakeCommands {
    fn run(&self, command: &Command, cancel: &Cancel) -> io::Result<Output> {
        if cancel.is_cancelled() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the run was cancelled"));
        }
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(command.clone());
        let line = line_of(command);
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let output = match rules.iter().find(|(prefix, _)| line.starts_with(prefix.as_str())) {
            Some((_, reply)) => reply(command, &line),
            None => Output { status: 127, stderr: format!("{line}: not found\n"), ..Output::default() },
        };
        Ok(output)
    }

    fn start(&self, command: &Command) -> io::Result<u32> {
        self.run(command, &Cancel::default()).map(|output| output.pid)
    }

    fn find(&self, program: &str) -> Option<String> {
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        (!missing.iter().any(|m| m == program)).then(|| format!("/usr/bin/{program}"))
    }
}
