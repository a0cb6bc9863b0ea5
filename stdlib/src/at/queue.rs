//! The queue of `at`: what waits in it, and its scripts.

use crate::{
    Context, Failure,
    provider::tool::{run, succeed, tool},
};

/// Jobs that are looked at.
const LIMIT: usize = 1_000;
/// Salt's mark in a script, before the tag.
const MARK: &str = "### SALT: ";

/// A job that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Job {
    /// Its number.
    pub(super) id: String,
    /// When it runs, in `at`'s words.
    pub(super) when: String,
    /// Whose it is.
    pub(super) user: String,
    /// Its tag, if it has one.
    pub(super) tag: Option<String>,
    /// The last lines of its script: the command.
    script: String,
}

impl Job {
    /// Whether it runs this command.
    pub(super) fn runs(&self, command: &str) -> bool {
        let command = command.trim();
        let rest = self.script.trim_end().strip_suffix(command);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('\n'))
    }
}

/// What waits, of one user or of all whose jobs may be seen. Where a package of this run may bring `at`, a test run sees nothing.
pub(super) fn jobs(cx: &Context, user: Option<&str>) -> Result<Vec<Job>, Failure> {
    if cx.machine.commands.find("atq").is_none() {
        return if cx.test {
            Ok(Vec::new())
        } else {
            Err(Failure::new("this machine has no `at`; install it before its jobs"))
        };
    }
    let listed = succeed(cx, tool("atq", Vec::<String>::new()))?.stdout;
    let mut jobs = Vec::new();
    for line in listed.lines().take(LIMIT) {
        let Some(mut job) = read(line) else { continue };
        if user.is_some_and(|user| user != job.user) {
            continue;
        }
        // It may have begun in the meantime.
        let output = run(cx, tool("at", ["-c", job.id.as_str()]))?;
        if output.success() {
            job.tag = output.stdout.lines().find_map(|l| l.strip_prefix(MARK)).map(|t| t.trim().to_owned());
            job.script = output.stdout;
            jobs.push(job);
        }
    }
    Ok(jobs)
}

/// A line of `atq`: number, day and time, queue, user.
fn read(line: &str) -> Option<Job> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (id, user) = (words.first()?, words.last()?);
    let when = words.get(1..words.len().checked_sub(2)?)?.join(" ");
    let number = id.bytes().all(|b| b.is_ascii_digit());
    let job =
        || Job { id: (*id).to_owned(), when, user: (*user).to_owned(), tag: None, script: String::new() };
    number.then(job)
}

/// The script of a command under a tag.
pub(super) fn script(tag: Option<&str>, command: &str) -> String {
    let tag = tag.map(|tag| format!("{MARK}{tag}\n")).unwrap_or_default();
    format!("{tag}{}\n", command.trim())
}

/// Refuses a tag that would be more than one line's rest.
pub(super) fn check_tag(tag: Option<&str>) -> Result<(), Failure> {
    match tag {
        Some(tag) if tag.trim().is_empty() || tag.contains('\n') => {
            Err(Failure::new(format!("`{}` is no tag; write a text of one line", tag.escape_debug())))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

    /// A machine whose `at` keeps jobs.
    pub(in super::super) fn machine(jobs: &[(&str, &str)]) -> FakeMachine {
        let machine = FakeMachine::new();
        let all: BTreeMap<u32, (String, String)> = jobs
            .iter()
            .enumerate()
            .map(|(n, (user, script))| (n as u32 + 1, ((*user).to_owned(), (*script).to_owned())))
            .collect();
        let all = Arc::new(Mutex::new(all));
        machine.commands.on("at", move |command, line| {
            let mut all = all.lock().unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["atq"] => {
                    let line = |(id, (user, _)): (&u32, &(String, String))| {
                        format!("{id}\tThu Jan  1 10:00:00 2026 a {user}\n")
                    };
                    Output { stdout: all.iter().map(line).collect(), ..Output::default() }
                }
                ["at", "-c", id] => match all.get(&id.parse().unwrap()) {
                    Some((_, script)) => {
                        let stdout = format!("#!/bin/sh\n# atrun uid=0 gid=0\ncd /root || {{\n}}\n{script}");
                        Output { stdout, ..Output::default() }
                    }
                    None => Output { status: 1, ..Output::default() },
                },
                ["atrm", id] => {
                    all.remove(&id.parse().unwrap());
                    Output::default()
                }
                ["at", "never"] => {
                    let stderr = "syntax error. Last token seen: n\nGarbled time\n".to_owned();
                    Output { status: 1, stderr, ..Output::default() }
                }
                ["at", ..] => {
                    let id = all.keys().max().unwrap_or(&0) + 1;
                    let script = String::from_utf8(command.stdin.clone().unwrap()).unwrap();
                    all.insert(id, (command.runas.clone().unwrap_or("root".to_owned()), script));
                    let stderr = format!("job {id} at Thu Jan  1 10:00:00 2026\n");
                    Output { stderr, ..Output::default() }
                }
                _ => Output { status: 127, ..Output::default() },
            }
        });
        machine
    }

    #[test]
    fn the_queue_is_read() {
        let job = read("5\tThu Jan  1 10:00:00 2026 a root").unwrap();
        assert_eq!((job.id.as_str(), job.user.as_str()), ("5", "root"));
        assert_eq!(job.when, "Thu Jan 1 10:00:00 2026");
        for odd in ["", "x", "a b c d"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_command_is_the_whole_end_of_a_script() {
        let job = Job { script: "cd /\nmake all\n".to_owned(), ..read("5 now a root").unwrap() };
        assert!(job.runs("make all") && job.runs("cd /\nmake all\n"));
        assert!(!job.runs("all"));
    }
}
