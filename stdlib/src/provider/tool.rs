//! Running the system's own tools: without a shell, in a quiet environment, with errors in their own words.

use super::{Command, Output, Program};
use crate::Context;

/// Most bytes of a tool's words that an error repeats.
const WORDS_LIMIT: usize = 2_000;

/// A tool that must succeed.
pub(crate) fn succeed(cx: &Context, command: Command) -> Result<Output, String> {
    let output = run(cx, command.clone())?;
    if output.success() { Ok(output) } else { Err(failure(&command, &output)) }
}

/// A tool whose exit status the caller reads. An error means it could not be started.
pub(crate) fn run(cx: &Context, mut command: Command) -> Result<Output, String> {
    if command.timeout.is_none() {
        command.timeout = cx.timeout;
    }
    crate::environ::below(cx, &mut command.env);
    let name = line(&command);
    cx.machine.commands.run(&command, &cx.cancel).map_err(|e| format!("`{name}` could not be started: {e}"))
}

/// A program with arguments that asks no questions.
pub(crate) fn tool<S: Into<String>>(program: &str, args: impl IntoIterator<Item = S>) -> Command {
    Command::new(program, args)
}

/// The command line as messages show it.
pub(crate) fn line(command: &Command) -> String {
    match &command.program {
        Program::Direct(program, args) => {
            let mut line = program.clone();
            for arg in args {
                line.push(' ');
                line.push_str(arg);
            }
            if line.chars().count() > 200 { line.chars().take(200).chain(['…']).collect() } else { line }
        }
        Program::Shell { line, .. } => line.clone(),
    }
}

/// What went wrong, in the tool's own words: its standard error, else the end of its output.
pub(crate) fn failure(command: &Command, output: &Output) -> String {
    let name = line(command);
    if output.timed_out {
        return format!("`{name}` took too long and was ended");
    }
    let words = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let words = tail(words.trim());
    if words.is_empty() {
        format!("`{name}` exited with {}", output.status)
    } else {
        format!("`{name}` exited with {}: {words}", output.status)
    }
}

/// The end of a text, cut at a character: the last words of a tool say why it gave up.
pub(crate) fn tail(text: &str) -> &str {
    let mut start = text.len().saturating_sub(WORDS_LIMIT);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}
