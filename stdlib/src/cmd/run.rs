//! `cmd.run`

use super::{
    execution::{self, Judgement, Surroundings},
    stateful::Stateful,
};
use crate::{
    Context, Failure, Outcome, Plan, State, change,
    file::path,
    provider::{Command, Program},
};
use zester_compiler::types::{Group, Map, Path, Value};
use zester_stdlib_derive::Arguments;

/// Runs a command line in a shell, or, with `args`, a program without one.
///
/// It runs each time, unless `creates`, `onlyif`, `unless` or `onchanges` say otherwise. `runas`, `timeout` and
/// `umask` are those every state has. The environment is clean: `PATH`, `HOME`, `USER` and `LC_ALL=C.UTF-8`.
#[derive(Arguments)]
#[state("cmd.run", watches)]
pub(crate) struct Run {
    /// The command line; with `args`, the program.
    #[arg(primary, alias = "command", alias = "cmd", ty = Type::Command)]
    name: String,
    /// Arguments: the program is then run directly and no shell reads anything.
    args: Vec<String>,
    /// Directory to run in; without it the home of `runas`, else `/`.
    #[arg(alias = "dir")]
    cwd: Option<Path>,
    /// Environment variables: a map, or a list of maps. `false` removes a variable.
    #[arg(ty = Type::List(Box::new(Type::Map(Box::new(Type::Any)).or(Type::Str))))]
    env: Vec<Value>,
    /// Directory the command sees as `/`.
    root: Option<Path>,
    /// The shell that reads the command line.
    #[arg(default = "/bin/sh")]
    shell: String,
    /// Whether a shell reads the command line.
    #[arg(inert = "a command line is always read by a shell; give `args` to run a program without one")]
    python_shell: Option<bool>,
    /// Group to run as.
    group: Option<Group>,
    /// Windows only.
    #[arg(inert = "Windows only", secret)]
    password: Option<String>,
    /// Text the command reads.
    stdin: Option<String>,
    /// Whether the last line of the output says what changed: `changed=yes comment='…'`, or JSON. With `test_name: …`
    /// that command is run in test mode and says what would change.
    stateful: Stateful,
    /// Directory put before `PATH`.
    prepend_path: Option<String>,
    /// Whether the command is started and left alone.
    #[arg(default = false)]
    bg: bool,
    /// Whether the output is kept out of the result.
    #[arg(default = false)]
    hide_output: bool,
    /// Whether a command whose time is up counts as done.
    #[arg(default = false)]
    ignore_timeout: bool,
    /// Further exit statuses that are a success.
    success_retcodes: Vec<i32>,
    /// Outputs that are a success whatever the exit status.
    success_stdout: Vec<String>,
    /// Error outputs that are a success whatever the exit status.
    success_stderr: Vec<String>,
    /// How loudly the output is logged.
    #[arg(inert = "the output is part of the result and not logged; `hide_output: true` keeps it out")]
    output_loglevel: Option<String>,
    /// Encoding of the output.
    #[arg(inert = "output is read as UTF-8")]
    output_encoding: Option<String>,
    /// Whether the command gets a terminal.
    #[arg(inert = "commands have no terminal")]
    use_vt: Option<bool>,
    /// Whether the language of the environment is reset.
    #[arg(inert = "the environment is always clean, with `LC_ALL=C.UTF-8`")]
    reset_system_locale: Option<bool>,
    /// Whether the command line is taken literally.
    #[arg(inert = "nothing but the shell changes a command line")]
    raw: Option<bool>,
}

impl Run {
    fn judgement(&self) -> Judgement {
        Judgement {
            stateful: self.stateful.read,
            hide_output: self.hide_output,
            ignore_timeout: self.ignore_timeout,
            success_retcodes: self.success_retcodes.clone(),
            success_stdout: self.success_stdout.clone(),
            success_stderr: self.success_stderr.clone(),
        }
    }

    /// What would be run, and running it.
    pub(super) fn planned(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let program = if self.args.is_empty() {
            Program::Shell { shell: self.shell.clone(), line: self.name.clone() }
        } else {
            Program::Direct(self.name.clone(), self.args.clone())
        };
        let program = match &self.root {
            Some(root) => execution::below(&path::absolute(cx, root)?, program),
            None => program,
        };
        let around = Surroundings {
            cwd: self.cwd.as_deref(),
            env: &self.env,
            prepend_path: self.prepend_path.as_deref(),
            stdin: self.stdin.as_deref(),
            group: self.group.as_deref(),
        };
        let command = execution::command(cx, program, &around)?;
        let shown = if cx.is_secret("name") || cx.is_secret("args") { "***".to_owned() } else { self.line() };
        if let Some(test) = self.stateful.test.as_ref().filter(|_| cx.test) {
            return self.foretold(cx, &command, test);
        }
        let mut changes = Map::new();
        changes.insert("command".to_owned(), change(Value::Null, shown.as_str()));
        let comment = format!("The command `{shown}` is run");
        Ok(Plan::change(changes, comment, move |cx| {
            if self.bg {
                let pid = cx
                    .machine
                    .commands
                    .start(&command)
                    .map_err(|e| Failure::new(format!("The command `{shown}` cannot be started: {e}")))?;
                let changes = Map::from_iter([("pid".to_owned(), Value::Int(i64::from(pid)))]);
                let comment = Some(format!("The command `{shown}` is started and goes on in the background"));
                return Ok(Outcome { changes, comment, ..Outcome::default() });
            }
            execution::execute(cx, &command, &shown, &self.judgement())
        }))
    }

    /// What the command for test mode says.
    fn foretold(&self, cx: &Context, command: &Command, test: &str) -> Result<Plan<'_>, Failure> {
        let program = Program::Shell { shell: self.shell.clone(), line: test.to_owned() };
        let command = Command { program, ..command.clone() };
        let outcome = execution::execute(cx, &command, test, &self.judgement())?;
        let comment = outcome.comment.unwrap_or_default();
        if outcome.unchanged {
            return Ok(Plan::unchanged(comment));
        }
        Ok(Plan::change(outcome.changes, comment, |_| Ok(Outcome::default())))
    }

    fn line(&self) -> String {
        std::iter::once(&self.name).chain(&self.args).map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

impl State for Run {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        self.planned(cx)
    }

    fn watched(&self, cx: &Context) -> Result<Option<Plan<'_>>, Failure> {
        self.planned(cx).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use zester_compiler::types::Arguments;

    fn run(machine: &FakeMachine, json: &str) -> Result<Outcome, Failure> {
        apply(&machine.context(), json)
    }

    fn apply(cx: &Context, json: &str) -> Result<Outcome, Failure> {
        let state = Run::from_values(&serde_json::from_str(json).unwrap()).unwrap();
        let plan = state.plan(cx)?;
        assert!(!plan.changes.is_empty());
        (plan.apply.unwrap())(cx)
    }

    #[test]
    fn what_came_of_it_is_reported_as_salt_does() {
        let machine = FakeMachine::new();
        machine.commands.on("make", |c, _| Output {
            stdout: format!("{:?}\n", c.env),
            pid: 7,
            ..Output::default()
        });
        let done = run(&machine, r#"{"name": "make all", "env": [{"A": "b"}]}"#).unwrap();
        assert_eq!(done.changes.get("retcode"), Some(&Value::Int(0)));
        assert_eq!(done.changes.get("stdout"), Some(&Value::from(r#"[("A", Some("b"))]"#)));
        let cx = machine.context();
        crate::environ::extend(
            &cx,
            [("A".to_owned(), None), ("B".to_owned(), Some("run".to_owned()))].into(),
        );
        let done = apply(&cx, r#"{"name": "make all", "env": [{"A": "b"}]}"#).unwrap();
        let env = r#"[("A", None), ("B", Some("run")), ("A", Some("b"))]"#;
        assert_eq!(done.changes.get("stdout"), Some(&Value::from(env)));
    }

    #[test]
    fn a_failure_has_the_commands_own_words_and_what_happened() {
        let machine = FakeMachine::new();
        machine.commands.on("false", |_, _| Output {
            status: 3,
            stderr: "no such thing\n".into(),
            ..Output::default()
        });
        let failure = run(&machine, r#"{"name": "false"}"#).unwrap_err();
        assert_eq!(failure.message, "The command `false` failed: exit status 3: no such thing");
        assert_eq!(failure.changes.get("retcode"), Some(&Value::Int(3)));
        assert!(run(&machine, r#"{"name": "false", "success_retcodes": [3]}"#).is_ok());
        assert!(run(&machine, r#"{"name": "false", "success_stderr": ["no such thing"]}"#).is_ok());
        let hidden = run(&machine, r#"{"name": "false", "hide_output": true}"#).unwrap_err();
        assert_eq!(hidden.message, "The command `false` failed: exit status 3");
        assert_eq!(hidden.changes.get("stderr"), Some(&Value::from("")));
    }

    #[test]
    fn a_stateful_command_says_itself_whether_it_changed() {
        let machine = FakeMachine::new();
        machine.commands.reply("up", 0, "done\nchanged=no comment='nothing to do'\n");
        let done = run(&machine, r#"{"name": "up", "stateful": true}"#).unwrap();
        assert!(done.unchanged && done.changes.is_empty());
        assert_eq!(done.comment.as_deref(), Some("nothing to do"));
    }

    #[test]
    fn a_command_for_test_mode_is_asked_there() {
        let machine = FakeMachine::new();
        machine.commands.reply("up --dry", 0, "changed=yes comment='would go up'\n");
        let json = r#"{"name": "up", "stateful": [{"test_name": "up --dry"}]}"#;
        let state = Run::from_values(&serde_json::from_str(json).unwrap()).unwrap();
        let plan = state.plan(&Context { test: true, ..machine.context() }).unwrap();
        assert!(plan.apply.is_some() && plan.comment == "would go up");
        assert_eq!(machine.commands.lines(), ["up --dry"]);
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let machine = FakeMachine::new();
        let failure = run(&machine, r#"{"name": "ls", "cwd": "/no/dir"}"#).unwrap_err();
        assert_eq!(failure.message, "The directory `/no/dir` of `cwd` does not exist");
    }

    #[test]
    fn test_mode_runs_nothing_and_says_what_would_be_run() {
        let machine = FakeMachine::new();
        let cx = Context { test: true, ..machine.context() };
        let state =
            Run::from_values(&serde_json::from_str(r#"{"name": "rm", "args": ["-rf", "x"]}"#).unwrap())
                .unwrap();
        let plan = state.plan(&cx).unwrap();
        assert_eq!(plan.changes.get("command"), Some(&change(Value::Null, "rm -rf x")));
        assert!(machine.commands.lines().is_empty());
    }

    #[test]
    fn for_real() {
        let cx = Context { timeout: Some(30.0), ..FakeMachine::real().context() };
        let dir = tempfile::tempdir().unwrap();
        let json = format!(
            r#"{{"name": "echo $A; pwd; echo e >&2", "env": {{"A": "x"}}, "cwd": "{}"}}"#,
            dir.path().display()
        );
        let done = apply(&cx, &json).unwrap();
        let stdout = done.changes.get("stdout").and_then(Value::as_str).unwrap();
        assert!(stdout.starts_with("x\n/"), "{stdout}");
        assert_eq!(done.changes.get("stderr"), Some(&Value::from("e")));
        let cx = Context { timeout: Some(0.2), ..cx };
        let failure = apply(&cx, r#"{"name": "echo begun; sleep 60"}"#).unwrap_err();
        assert_eq!(
            failure.message,
            "The command `echo begun; sleep 60` did not end within 0.2 seconds and was ended; it said: begun"
        );
    }
}
