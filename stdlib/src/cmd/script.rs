//! `cmd.script`

use super::{
    execution::{self, Judgement, Surroundings},
    stateful::Stateful,
};
use crate::{
    Context, Failure, Outcome, Plan, State, change,
    file::{path, template},
    provider::{Command, Ownership, Program},
    source::{self, Candidate, Verify},
};
use zester_compiler::types::{Group, Map, Path, Value};
use zester_stdlib_derive::Arguments;

/// Runs a script of the state tree (or of the web) on the machine.
///
/// It is copied into a private temporary file, run, and removed. Its first line says what runs it.
#[derive(Arguments)]
#[state("cmd.script", watches)]
pub(crate) struct Script {
    /// The script, with arguments behind it, when there is no `source`.
    #[arg(primary)]
    name: String,
    /// Where the script comes from.
    #[arg(ty = Type::Source)]
    source: Option<String>,
    /// Checksum of the script; needed for scripts of the web.
    source_hash: Option<String>,
    /// Takes the script as it comes, without a checksum.
    #[arg(default = false)]
    skip_verify: bool,
    /// Arguments: a list, or a text in the shell's syntax.
    #[arg(ty = Type::Str.or(Type::List(Box::new(Type::Str))))]
    args: Option<Value>,
    /// Renders the script as a template: `jinja`.
    #[arg(ty = Type::Template)]
    template: Option<Value>,
    /// Variables of the template.
    context: Map,
    /// Variables of the template where `context` has none of that name.
    defaults: Map,
    /// Directory to run in; without it the home of `runas`, else `/`.
    #[arg(alias = "dir")]
    cwd: Option<Path>,
    /// Environment variables: a map, or a list of maps. `false` removes a variable.
    #[arg(ty = Type::List(Box::new(Type::Map(Box::new(Type::Any)).or(Type::Str))))]
    env: Vec<Value>,
    /// The shell that runs a script without a `#!` line.
    #[arg(default = "/bin/sh")]
    shell: String,
    /// Group to run as.
    group: Option<Group>,
    /// Windows only.
    #[arg(inert = "Windows only", secret)]
    password: Option<String>,
    /// Text the script reads.
    stdin: Option<String>,
    /// Whether the last line of the output says what changed.
    stateful: Stateful,
    /// Directory put before `PATH`.
    prepend_path: Option<String>,
    /// Whether the output is kept out of the result.
    #[arg(default = false)]
    hide_output: bool,
    /// Whether a script whose time is up counts as done.
    #[arg(default = false)]
    ignore_timeout: bool,
    /// Further exit statuses that are a success.
    success_retcodes: Vec<i32>,
    /// Outputs that are a success whatever the exit status.
    success_stdout: Vec<String>,
    /// Error outputs that are a success whatever the exit status.
    success_stderr: Vec<String>,
    /// Environment of the state tree, where it is not the state's own.
    saltenv: Option<String>,
    /// How loudly the output is logged.
    #[arg(inert = "the output is part of the result and not logged; `hide_output: true` keeps it out")]
    output_loglevel: Option<String>,
    /// Encoding of the output.
    #[arg(inert = "output is read as UTF-8")]
    output_encoding: Option<String>,
    /// Whether the script gets a terminal.
    #[arg(inert = "commands have no terminal")]
    use_vt: Option<bool>,
    /// Whether a shell reads the command line.
    #[arg(inert = "only `args` given as one text are read by a shell")]
    python_shell: Option<bool>,
}

/// Where scripts are put for the time they run.
const SCRIPT_DIR: &str = "/tmp";

impl Script {
    /// The script's content and its address.
    fn fetch(&self, cx: &Context) -> Result<(Vec<u8>, String), Failure> {
        let (text, _) = self.source_and_args();
        let verify = Verify {
            hash: self.source_hash.clone(),
            skip: self.skip_verify,
            env: self.saltenv.clone(),
            ..Verify::default()
        };
        let candidate = Candidate { text: text.clone(), hash: None };
        let fetched = source::fetch(cx, &[candidate], &verify, &text, |_| Ok(false))?;
        let fetched = fetched.ok_or_else(|| Failure::new(format!("The script `{text}` cannot be read")))?;
        if !template::wanted(self.template.as_ref())? {
            return Ok((fetched.content.to_vec(), text));
        }
        let name = fetched.tree_path.as_deref().unwrap_or(&fetched.source);
        let template = template::Text { name, env: &fetched.env, content: &fetched.content };
        let content = template::render(cx, &template, &text, &self.defaults, &self.context)?;
        Ok((content, text))
    }

    /// Without `source`, `name` is the source with arguments behind it.
    fn source_and_args(&self) -> (String, String) {
        match &self.source {
            Some(source) => (source.clone(), String::new()),
            None => {
                let (source, args) = self.name.split_once(char::is_whitespace).unwrap_or((&self.name, ""));
                (source.to_owned(), args.trim().to_owned())
            }
        }
    }

    /// What is executed. The program of the `#!` line is started with the file rather than the file itself: temporary
    /// directories are often mounted so that nothing in them can be executed.
    fn program(&self, file: &str, content: &[u8]) -> Program {
        let (_, behind) = self.source_and_args();
        let mut words = interpreter(content).unwrap_or_else(|| vec![self.shell.clone()]);
        words.push(file.to_owned());
        let text = match &self.args {
            Some(Value::List(list)) => {
                words.extend(list.iter().map(Value::to_string));
                let program = words.remove(0);
                return Program::Direct(program, words);
            }
            Some(Value::Null) | None => behind,
            Some(text) => text.to_string(),
        };
        let quoted: Vec<String> = words.iter().map(|w| format!("'{}'", w.replace('\'', "'\\''"))).collect();
        let line = format!("{} {text}", quoted.join(" "));
        Program::Shell { shell: "/bin/sh".to_owned(), line: line.trim_end().to_owned() }
    }

    pub(super) fn planned(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let (content, address) = self.fetch(cx)?;
        let around = Surroundings {
            cwd: self.cwd.as_deref(),
            env: &self.env,
            prepend_path: self.prepend_path.as_deref(),
            stdin: self.stdin.as_deref(),
            group: self.group.as_deref(),
        };
        let command = execution::command(cx, Program::Direct(String::new(), Vec::new()), &around)?;
        let changes = Map::from_iter([("script".to_owned(), change(Value::Null, address.as_str()))]);
        let comment = format!("The script `{address}` is run");
        Ok(Plan::change(changes, comment, move |cx| self.execute(cx, command, &content, &address)))
    }

    fn execute(
        &self,
        cx: &Context,
        mut command: Command,
        content: &[u8],
        address: &str,
    ) -> Result<Outcome, Failure> {
        let dir = path::join(SCRIPT_DIR, &crate::random::hidden_name("script", ".zester")?);
        let files = &cx.machine.files;
        let failed = |e: std::io::Error| {
            Failure::new(format!("The script `{address}` cannot be put into `{dir}`: {e}"))
        };
        let owner = crate::file::attributes::Attributes::resolve(cx, cx.runas.as_deref(), None, Some(0o700))?;
        // A directory of its own: its name cannot be guessed, and nobody else can put anything into it.
        files.create_dir(&dir, 0o700).map_err(failed)?;
        let file = path::join(&dir, "script");
        let ownership = Ownership { mode: Some(0o700), ..owner.ownership() };
        let result = owner.give(cx, &dir).and_then(|()| {
            files.write(&file, content, ownership, false).map_err(failed)?;
            command.program = self.program(&file, content);
            let judge = Judgement {
                stateful: self.stateful.read,
                hide_output: self.hide_output,
                ignore_timeout: self.ignore_timeout,
                success_retcodes: self.success_retcodes.clone(),
                success_stdout: self.success_stdout.clone(),
                success_stderr: self.success_stderr.clone(),
            };
            execution::execute(cx, &command, address, &judge)
        });
        // It is in a temporary directory and private: a failure to remove it does not change what the script did.
        let _ = files.remove_dir_all(&dir);
        result
    }
}

/// The words of a `#!` line: a program, and what stands behind it as one argument, as the kernel takes it.
fn interpreter(content: &[u8]) -> Option<Vec<String>> {
    let line = content.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim();
    let (program, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let words = [program, argument.trim()]
        .map(str::to_owned)
        .into_iter()
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>();
    program.starts_with('/').then_some(words)
}

impl State for Script {
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
    use crate::provider::{FileSystem, Output, fake::FakeMachine};
    use zester_compiler::types::Arguments;

    fn run(machine: &FakeMachine, json: &str) -> Result<Outcome, Failure> {
        let cx = machine.context();
        let state = Script::from_values(&serde_json::from_str(json).unwrap()).unwrap();
        let plan = state.plan(&cx)?;
        (plan.apply.unwrap())(&cx)
    }

    #[test]
    fn a_script_is_rendered_run_with_its_arguments_and_removed() {
        let machine = FakeMachine::new();
        machine.tree.put("s.sh", "#!/bin/bash -eu\necho {{ who }}\n");
        let files = machine.files.clone();
        machine.commands.on("'/bin/bash' '-eu' '/tmp/.", move |_, line| {
            let words: Vec<&str> = line.split('\'').collect();
            Output {
                stdout: format!("{}{}", files.text(words[5]), words[6..].join("'")),
                ..Output::default()
            }
        });
        let done = run(
            &machine,
            r#"{"name": "x", "source": "salt://s.sh", "args": "-a 'b c'", "template": "jinja", "context": {"who": "me"}}"#,
        )
        .unwrap();
        assert_eq!(done.changes.get("stdout"), Some(&Value::from("#!/bin/bash -eu\necho me\n -a 'b c'")));
        assert!(machine.files.list("/tmp").unwrap().is_empty());
        let done = run(
            &machine,
            r#"{"name": "salt://s.sh one two", "template": "jinja", "context": {"who": "me"}}"#,
        );
        assert!(done.unwrap().changes.get("stdout").unwrap().as_str().unwrap().ends_with("one two"));
    }

    #[test]
    fn for_real() {
        let machine = FakeMachine::real();
        machine.tree.put("s", "#!/bin/sh -e\necho \"$1-$2\"\nfalse\necho never\n");
        let failure =
            run(&machine, r#"{"name": "x", "source": "salt://s", "args": ["a b", "c"]}"#).unwrap_err();
        assert_eq!(failure.message, "The command `salt://s` failed: exit status 1: a b-c");
        machine.tree.put("t", "echo \"$1\"\n");
        let done = run(&machine, r#"{"name": "salt://t 'd e'"}"#).unwrap();
        assert_eq!(done.changes.get("stdout"), Some(&Value::from("d e")));
    }

    #[test]
    fn a_script_that_is_not_there_is_named() {
        let failure = run(&FakeMachine::new(), r#"{"name": "salt://no.sh"}"#).unwrap_err();
        assert!(failure.message.contains("`no.sh`"), "{}", failure.message);
    }
}
