//! Asking and running `supervisorctl`.

use crate::{
    Context,
    provider::{
        Command,
        tool::{failure, run, succeed, tool},
    },
};

/// How Supervisor is reached.
pub(super) struct Supervisor<'a> {
    /// The program itself, or the Python environment that has it.
    pub(super) bin_env: Option<&'a str>,
    /// Its configuration.
    pub(super) conf_file: Option<&'a str>,
    /// The user who runs it.
    pub(super) user: Option<&'a str>,
}

impl Supervisor<'_> {
    fn program(&self) -> String {
        match self.bin_env {
            None => "supervisorctl".to_owned(),
            Some(path) if path.ends_with("supervisorctl") => path.to_owned(),
            Some(path) => format!("{}/bin/supervisorctl", path.trim_end_matches('/')),
        }
    }

    /// Whether there is such a program.
    pub(super) fn is_there(&self, cx: &Context) -> bool {
        self.bin_env.is_some() || cx.machine.commands.find("supervisorctl").is_some()
    }

    fn command(&self, cx: &Context, words: &[&str]) -> Command {
        let mut all = Vec::new();
        if let Some(file) = self.conf_file {
            all.extend(["-c", file]);
        }
        all.extend_from_slice(words);
        let mut command = tool(&self.program(), all);
        command.runas = self.user.map(str::to_owned).or_else(|| cx.runas.as_ref().map(|r| r.to_string()));
        command
    }

    /// Does something. Some versions say that it failed in words alone.
    pub(super) fn act(&self, cx: &Context, words: &[&str]) -> Result<(), String> {
        let command = self.command(cx, words);
        let output = succeed(cx, command.clone())?;
        if output.stdout.lines().any(|line| line.contains("ERROR (") || line.starts_with("error:")) {
            return Err(failure(&command, &output));
        }
        Ok(())
    }

    /// The programs that a name stands for, each with its state: one, or with `group:` or `group:*` all of a group.
    pub(super) fn find(&self, cx: &Context, name: &str) -> Result<Vec<(String, String)>, String> {
        let command = self.command(cx, &["status"]);
        let output = run(cx, command.clone())?;
        // It exits with 3 when some program does not run; with 4 when it cannot reach Supervisor.
        if !matches!(output.status, 0 | 3)
            || output.stdout.starts_with("error:")
            || output.stdout.starts_with("unix://")
        {
            return Err(failure(&command, &output));
        }
        let group =
            name.strip_suffix(":*").or_else(|| name.strip_suffix(':')).map(|group| format!("{group}:"));
        let line = |line: &str| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        };
        let is = |program: &str| match &group {
            Some(group) => program.starts_with(group.as_str()),
            None => program == name,
        };
        Ok(output.stdout.lines().filter_map(line).filter(|(program, _)| is(program)).collect())
    }

    /// What an update would do about a name: `available`, `changed` or `disappeared`. Reading the configuration again starts and stops nothing.
    pub(super) fn pending(&self, cx: &Context, name: &str) -> Result<Option<String>, String> {
        let output = succeed(cx, self.command(cx, &["reread"]))?;
        let group = name.split(':').next().unwrap_or(name);
        let pending = output.stdout.lines().filter_map(|line| line.split_once(": "));
        Ok(pending.filter(|(program, _)| *program == group).map(|(_, what)| what.trim().to_owned()).next())
    }
}

/// What a name means to `supervisorctl`: `group:` is `group:*`.
pub(super) fn argument(name: &str) -> String {
    if name.ends_with(':') { format!("{name}*") } else { name.to_owned() }
}

/// Refuses what would be an option.
pub(super) fn check(name: &str) -> Result<(), String> {
    if name.is_empty() || name.starts_with('-') || name.contains(char::is_whitespace) {
        return Err(format!("`{}` is not the name of a program of Supervisor", name.escape_debug()));
    }
    Ok(())
}
