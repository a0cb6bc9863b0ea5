//! `cmd.*` functions: programs of the author's choice.

use crate::{
    Context, Library,
    provider::{Command, Output, Program},
};
use zester_compiler::types::{Map, Path, Seconds, Value};

/// What all of them share.
struct Call<'a> {
    line: &'a str,
    cwd: Option<&'a Path>,
    runas: Option<&'a String>,
    shell: Option<&'a String>,
    python_shell: Option<bool>,
    env: &'a [Value],
    stdin: Option<&'a String>,
    timeout: Option<Seconds>,
}

impl Call<'_> {
    fn output(&self, cx: &Context) -> Result<Output, String> {
        let program = if self.python_shell == Some(false) {
            let mut words = words(self.line)?.into_iter();
            let program = words.next().ok_or("the command line is empty")?;
            Program::Direct(program, words.collect())
        } else {
            let shell = self.shell.cloned().unwrap_or_else(|| "/bin/sh".to_owned());
            Program::Shell { shell, line: self.line.to_owned() }
        };
        let mut command = Command::shell("");
        command.program = program;
        command.cwd = self.cwd.map(|p| p.0.clone());
        command.runas = self.runas.cloned().or_else(|| cx.runas.as_ref().map(|r| r.to_string()));
        command.umask = cx.umask;
        command.stdin = self.stdin.map(|s| s.clone().into_bytes());
        command.timeout = self.timeout.map(|s| s.0).or(cx.timeout);
        for entry in self.env {
            let Value::Map(map) = entry else { continue };
            for (name, value) in map {
                command.env.push((name.clone(), (!value.is_null()).then(|| value.to_string())));
            }
        }
        crate::environ::below(cx, &mut command.env);
        let run = cx.machine.commands.run(&command, &cx.cancel);
        run.map_err(|e| format!("`{}` could not be started: {e}", self.line))
    }
}

/// Splits a command line as a shell does, without expanding anything.
pub(crate) fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (_, '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(format!("a quote in `{line}` is not closed"));
    }
    words.extend(word);
    Ok(words)
}

/// Outputs without the last line break, as Salt gives them.
fn trimmed(text: &str) -> &str {
    text.trim_end_matches('\n')
}

fn all(output: &Output) -> Value {
    Value::Map(Map::from_iter([
        ("pid".to_owned(), i64::from(output.pid).into()),
        ("retcode".to_owned(), i64::from(output.status).into()),
        ("stdout".to_owned(), trimmed(&output.stdout).into()),
        ("stderr".to_owned(), trimmed(&output.stderr).into()),
    ]))
}

/// Standard output and error together, in the order of the streams.
fn both(output: &Output) -> Value {
    let parts = [trimmed(&output.stdout), trimmed(&output.stderr)];
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("\n").into()
}

macro_rules! commands {
    ($($(#[doc = $doc:literal])+ $name:literal $struct:ident |$output:ident| $body:expr;)+) => {$(
        exec! {
            $(#[doc = $doc])+
            $name command $struct {
                /// The command line.
                #[arg(alias = "name")]
                cmd: String,
                /// Directory.
                cwd: Option<Path>,
                /// What it reads.
                stdin: Option<String>,
                /// User to run as.
                runas: Option<String>,
                /// The shell; `/bin/sh`.
                shell: Option<String>,
                /// Whether a shell reads the line; without one it is split into words only.
                python_shell: Option<bool>,
                /// Variables, a map or a list of maps.
                #[arg(ty = Type::Any)]
                env: Vec<Value>,
                /// Seconds it may take.
                timeout: Option<Seconds>,
                /// Whether a failure is not logged.
                #[arg(default = false)]
                ignore_retcode: bool,
                /// How much is logged.
                output_loglevel: Option<String>,
                /// Whether it is logged at all.
                #[arg(inert = "the line is always logged")]
                hide_output: Option<bool>,
                /// How long a login shell is asked for.
                #[arg(inert = "the environment is the same for every user")]
                use_vt: Option<bool>,
                /// Whether the user's environment is made clean.
                #[arg(inert = "the environment is always clean")]
                clean_env: Option<bool>,
            } |it, cx| {
                // Both concern Salt's log only.
                let _ = (it.ignore_retcode, &it.output_loglevel);
                let call = Call {
                    line: &it.cmd,
                    cwd: it.cwd.as_ref(),
                    runas: it.runas.as_ref(),
                    shell: it.shell.as_ref(),
                    python_shell: it.python_shell,
                    env: &it.env,
                    stdin: it.stdin.as_ref(),
                    timeout: it.timeout,
                };
                let $output = call.output(cx)?;
                Ok($body)
            }
        }
    )+};
}

commands! {
    /// Runs a command line; gives what it prints.
    "cmd.run" Run |output| both(&output);
    /// Runs a command line in a shell; gives what it prints.
    "cmd.shell" Shell |output| both(&output);
    /// Runs a command line; gives its standard output.
    "cmd.run_stdout" RunStdout |output| trimmed(&output.stdout).into();
    /// Runs a command line; gives its standard error.
    "cmd.run_stderr" RunStderr |output| trimmed(&output.stderr).into();
    /// Runs a command line; gives process id, exit status, standard output and error.
    "cmd.run_all" RunAll |output| all(&output);
    /// Runs a command line; gives its exit status.
    "cmd.retcode" Retcode |output| i64::from(output.status).into();
}

exec! {
    /// Whether a program is on the search path.
    "cmd.has_exec" probe HasExec {
        /// The program.
        cmd: String,
    } |it, cx| Ok(Value::Bool(cx.machine.commands.find(&it.cmd).is_some()))
}

exec! {
    /// Where a program is; null when it is not on the search path.
    "cmd.which" probe Which {
        /// The program.
        cmd: String,
    } |it, cx| Ok(cx.machine.commands.find(&it.cmd).into())
}

exec! {
    /// The first of several programs that is on the search path; null when none is.
    "cmd.which_bin" probe WhichBin {
        /// The programs.
        cmds: Vec<String>,
    } |it, cx| Ok(it.cmds.iter().find_map(|cmd| cx.machine.commands.find(cmd)).into())
}

exec! {
    /// Fetches a script and runs it; gives process id, exit status, standard output and error.
    "cmd.script" command Script {
        /// Where it lies.
        #[arg(ty = Type::Source)]
        source: String,
        /// Its arguments.
        args: Option<String>,
        /// Directory.
        cwd: Option<Path>,
        /// What it reads.
        stdin: Option<String>,
        /// User to run as.
        runas: Option<String>,
        /// Seconds it may take.
        timeout: Option<Seconds>,
        /// Whether it is a template.
        #[arg(ty = Type::Template)]
        template: Option<Value>,
    } |it, cx| it.execute(cx)
}

impl Script {
    fn execute(&self, cx: &Context) -> Result<Value, String> {
        let candidates = crate::source::candidates(&[Value::from(self.source.as_str())]);
        let verify = crate::source::Verify { skip: true, ..crate::source::Verify::default() };
        let found = crate::source::fetch(cx, &candidates, &verify, &self.source, |_| Ok(false))
            .map_err(|e| e.message)?
            .ok_or_else(|| format!("`{}` could not be read", self.source))?;
        let mut content = found.content.to_vec();
        if self.template.as_ref().is_some_and(|t| !matches!(t, Value::Bool(false) | Value::Null)) {
            let text = String::from_utf8(content).map_err(|_| format!("`{}` is not text", self.source))?;
            let name = found.tree_path.as_deref().unwrap_or(&self.source);
            content = cx.tree.render(&found.env, name, &text, &Map::new())?.into_bytes();
        }
        let made = crate::provider::tool::succeed(
            cx,
            crate::provider::tool::tool("mktemp", ["/tmp/zester-script.XXXXXXXXXX"]),
        )?;
        let path = made.stdout.trim().to_owned();
        let uid = match &self.runas {
            Some(name) => {
                let user = cx.machine.accounts.user(name)?;
                Some(user.ok_or_else(|| format!("there is no user `{name}`"))?.uid)
            }
            None => None,
        };
        let ownership = crate::provider::Ownership { uid, gid: None, mode: Some(0o700) };
        let written = cx
            .machine
            .files
            .write(&path, &content, ownership, false)
            .map_err(|e| format!("`{path}` could not be written: {e}"));
        let output = written.and_then(|()| {
            let line = format!("{path} {}", self.args.as_deref().unwrap_or_default());
            Call {
                line: &line,
                cwd: self.cwd.as_ref(),
                runas: self.runas.as_ref(),
                shell: None,
                python_shell: None,
                env: &[],
                stdin: self.stdin.as_ref(),
                timeout: self.timeout,
            }
            .output(cx)
        });
        cx.machine.files.remove_file(&path).map_err(|e| format!("`{path}` could not be removed: {e}"))?;
        Ok(all(&output?))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Run>()
        .exec::<Shell>()
        .exec::<RunStdout>()
        .exec::<RunStderr>()
        .exec::<RunAll>()
        .exec::<Retcode>()
        .exec::<HasExec>()
        .exec::<Which>()
        .exec::<WhichBin>()
        .exec::<Script>();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_line() {
        assert_eq!(words(r#"a 'b c' "d \" e" f\ g """#).unwrap(), ["a", "b c", "d \" e", "f g", ""]);
        assert!(words("a 'b").unwrap_err().contains("not closed"));
    }
}
