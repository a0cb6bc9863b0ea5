//! Running a command of the author and telling what came of it; what `cmd.run`, `cmd.wait` and the scripts share.

use super::{environment, stateful, words};
use crate::{
    Changes, Context, Failure, Outcome,
    file::path,
    provider::{Command, Output, Program},
};
use zester_compiler::types::{Map, Value};

/// How the end of a command is judged.
#[derive(Clone, Default, Debug)]
pub(super) struct Judgement {
    pub(super) stateful: bool,
    pub(super) hide_output: bool,
    pub(super) ignore_timeout: bool,
    pub(super) success_retcodes: Vec<i32>,
    pub(super) success_stdout: Vec<String>,
    pub(super) success_stderr: Vec<String>,
}

/// What surrounds a command.
#[derive(Clone, Default, Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) cwd: Option<&'a str>,
    pub(super) env: &'a [Value],
    pub(super) prepend_path: Option<&'a str>,
    pub(super) stdin: Option<&'a str>,
    pub(super) group: Option<&'a str>,
}

/// A command in its surroundings. A directory that does not exist is named, with the parameter that names it.
pub(super) fn command(cx: &Context, program: Program, around: &Surroundings<'_>) -> Result<Command, Failure> {
    let mut command = Command::new::<&str>("", []);
    command.program = program;
    for entry in around.env {
        command.env.extend(environment::variables(entry)?);
    }
    if let Some(first) = around.prepend_path {
        let set = command.env.iter().rev().find(|(n, _)| n == "PATH").and_then(|(_, v)| v.clone());
        let path = set.or_else(|| crate::environ::value(cx, "PATH")).unwrap_or_default();
        command.env.push(("PATH".to_owned(), Some(format!("{first}:{path}"))));
    }
    crate::environ::below(cx, &mut command.env);
    if let Some(cwd) = around.cwd.filter(|c| !c.is_empty()) {
        let cwd = path::absolute(cx, cwd)?;
        // In test mode an earlier state may be what makes it.
        if !cx.test && !path::is_directory(cx, &cwd)? {
            return Err(Failure::new(format!("The directory `{cwd}` of `cwd` does not exist")));
        }
        command.cwd = Some(cwd);
    }
    command.stdin = around.stdin.map(|text| text.as_bytes().to_vec());
    command.group = around.group.map(str::to_owned);
    command.runas = cx.runas.as_deref().map(str::to_owned);
    command.umask = cx.umask;
    command.timeout = cx.timeout;
    Ok(command)
}

/// The same program with `root` as its root directory.
pub(super) fn below(root: &str, program: Program) -> Program {
    let args = match program {
        Program::Direct(program, args) => std::iter::once(program).chain(args).collect(),
        Program::Shell { shell, line } => vec![shell, "-c".to_owned(), line],
    };
    Program::Direct("chroot".to_owned(), std::iter::once(root.to_owned()).chain(args).collect())
}

/// Runs it and judges.
pub(super) fn execute(
    cx: &Context,
    command: &Command,
    shown: &str,
    judge: &Judgement,
) -> Result<Outcome, Failure> {
    let output = cx
        .machine
        .commands
        .run(command, &cx.cancel)
        .map_err(|e| Failure::new(format!("The command `{shown}` cannot be run: {e}")))?;
    let mut changes = report(&output, judge.hide_output);
    if output.timed_out {
        if judge.ignore_timeout {
            let comment = Some(format!("The command `{shown}` was ended: its time was up"));
            return Ok(Outcome { changes, comment, unchanged: false });
        }
        return Err(Failure::new(format!(
            "The command `{shown}` did not end within {} seconds and was ended{}",
            command.timeout.unwrap_or(3600.0),
            said(&output, judge.hide_output)
        ))
        .with_changes(changes));
    }
    let quotes = |texts: &[String], out: &str| texts.iter().any(|t| t.trim() == out.trim());
    let success = output.status == 0
        || judge.success_retcodes.contains(&output.status)
        || quotes(&judge.success_stdout, &output.stdout)
        || quotes(&judge.success_stderr, &output.stderr);
    if !success {
        let how = if judge.hide_output { format!("exit status {}", output.status) } else { words(&output) };
        return Err(Failure::new(format!("The command `{shown}` failed: {how}")).with_changes(changes));
    }
    if judge.stateful {
        let report = stateful::report(&output.stdout).map_err(|f| f.with_changes(changes.clone()))?;
        changes.extend(report.rest);
        let comment = report.comment.or_else(|| Some(format!("The command `{shown}` ran")));
        let changes = if report.changed { changes } else { Changes::new() };
        return Ok(Outcome { changes, comment, unchanged: !report.changed });
    }
    Ok(Outcome { changes, comment: Some(format!("The command `{shown}` ran")), unchanged: false })
}

fn said(output: &Output, hidden: bool) -> String {
    let stderr = output.stderr.trim();
    let text = if stderr.is_empty() { output.stdout.trim() } else { stderr };
    if hidden || text.is_empty() { String::new() } else { format!("; it said: {}", tail(text)) }
}

fn tail(text: &str) -> &str {
    let mut start = text.len().saturating_sub(super::MAX_WORDS_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.get(start..).unwrap_or_default()
}

/// `pid`, `retcode`, `stdout`, `stderr`, as Salt reports them.
fn report(output: &Output, hidden: bool) -> Changes {
    let text = |text: &str| if hidden { Value::from("") } else { Value::from(text.trim_end_matches('\n')) };
    Map::from_iter([
        ("pid".to_owned(), Value::Int(i64::from(output.pid))),
        ("retcode".to_owned(), Value::Int(i64::from(output.status))),
        ("stdout".to_owned(), text(&output.stdout)),
        ("stderr".to_owned(), text(&output.stderr)),
    ])
}
