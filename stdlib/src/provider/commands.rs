//! Programs of a machine.

use crate::Cancel;
use std::io;

/// What is run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Program {
    /// A program and its arguments; no shell is involved.
    Direct(String, Vec<String>),
    /// A command line for a shell.
    Shell {
        /// The shell's path; `/bin/sh` unless the author says otherwise.
        shell: String,
        /// The command line.
        line: String,
    },
}

/// A program to run.
#[derive(Clone, PartialEq, Debug)]
pub struct Command {
    /// What is run.
    pub program: Program,
    /// Directory; the user's home for `runas`, else `/`.
    pub cwd: Option<String>,
    /// Variables on top of a clean environment (`PATH`, `HOME`, `LC_ALL=C.UTF-8`); `None` removes one.
    pub env: Vec<(String, Option<String>)>,
    /// User to run as.
    pub runas: Option<String>,
    /// Group to run as.
    pub group: Option<String>,
    /// umask, octal.
    pub umask: Option<u32>,
    /// What it reads.
    pub stdin: Option<Vec<u8>>,
    /// Seconds it may take; then it and its children are ended. The default is an hour.
    pub timeout: Option<f64>,
    /// Most bytes kept of each of its outputs (head and tail are kept, the rest counted).
    pub output_limit: usize,
}

impl Command {
    /// A program with arguments, without a shell.
    pub fn new<S: Into<String>>(program: &str, args: impl IntoIterator<Item = S>) -> Self {
        Self::of(Program::Direct(program.to_owned(), args.into_iter().map(Into::into).collect()))
    }

    /// A command line for `/bin/sh`.
    pub fn shell(line: impl Into<String>) -> Self {
        Self::of(Program::Shell { shell: "/bin/sh".to_owned(), line: line.into() })
    }

    fn of(program: Program) -> Self {
        Self {
            program,
            cwd: None,
            env: Vec::new(),
            runas: None,
            group: None,
            umask: None,
            stdin: None,
            timeout: None,
            output_limit: 1024 * 1024,
        }
    }
}

/// How a program ended.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Output {
    /// Exit status; 128 + n when signal n ended it.
    pub status: i32,
    /// Standard output, lossily decoded.
    pub stdout: String,
    /// Standard error, lossily decoded.
    pub stderr: String,
    /// Whether it was ended because its time was up.
    pub timed_out: bool,
    /// Process id.
    pub pid: u32,
}

impl Output {
    /// Whether it exited with 0.
    pub fn success(&self) -> bool {
        self.status == 0 && !self.timed_out
    }
}

/// Programs.
pub trait Commands: Send + Sync {
    /// Runs it to its end, its time's end, or a cancellation. An error means it could not be started.
    fn run(&self, command: &Command, cancel: &Cancel) -> io::Result<Output>;

    /// Starts it and does not wait; gives its process id. Its outputs are dropped.
    fn start(&self, command: &Command) -> io::Result<u32>;

    /// The path of a program on the search path.
    fn find(&self, program: &str) -> Option<String>;
}
