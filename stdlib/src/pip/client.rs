//! The `pip` program of the machine or of an environment.

use super::requirement::normal;
use crate::{
    Context,
    provider::{
        Command, FileKind,
        tool::{succeed, tool},
    },
};
use std::collections::BTreeMap;
use zester_compiler::types::Value;

/// How `pip` is run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pip {
    program: Vec<String>,
    user: Option<String>,
    cwd: Option<String>,
    env: Vec<(String, String)>,
}

impl Pip {
    /// The `pip` of an environment (its directory, or the program itself), else the machine's.
    pub(crate) fn find(cx: &Context, bin_env: Option<&str>, user: Option<&str>) -> Result<Self, String> {
        let user = user.map(str::to_owned).or_else(|| cx.runas.as_ref().map(|r| r.to_string()));
        let of = |program: Vec<String>| Self { program, user: user.clone(), ..Self::default() };
        let module = |python: String| of(vec![python, "-m".to_owned(), "pip".to_owned()]);
        if let Some(path) = bin_env.filter(|p| !p.is_empty()) {
            if !path.starts_with('/') {
                let found = cx.machine.commands.find(path);
                return found.map(|p| of(vec![p])).ok_or_else(|| format!("there is no program `{path}`"));
            }
            let stat =
                cx.machine.files.stat(path, true).map_err(|e| format!("`{path}` could not be read: {e}"))?;
            return match stat.map(|s| s.kind) {
                Some(FileKind::Directory) => Ok(module(format!("{}/bin/python", path.trim_end_matches('/')))),
                Some(_) if path.rsplit('/').next().is_some_and(|n| n.starts_with("python")) => {
                    Ok(module(path.to_owned()))
                }
                Some(_) => Ok(of(vec![path.to_owned()])),
                None => {
                    Err(format!("`{path}` is no environment of Python; require its `virtualenv.managed`"))
                }
            };
        }
        for program in ["pip3", "pip"] {
            if let Some(path) = cx.machine.commands.find(program) {
                return Ok(of(vec![path]));
            }
        }
        Err("there is no `pip` on this machine; install its package (`python3-pip`) in a state required by this one"
            .to_owned())
    }

    /// Runs in this directory.
    pub(crate) fn in_dir(mut self, cwd: Option<&str>) -> Self {
        self.cwd = cwd.map(str::to_owned);
        self
    }

    /// Runs with these variables: a map, or a list of maps.
    pub(crate) fn with_env(mut self, env: &[Value]) -> Self {
        for (name, value) in env.iter().filter_map(Value::as_map).flatten() {
            self.env.push((name.clone(), value.to_string()));
        }
        self
    }

    /// A command of `pip`.
    pub(crate) fn command(&self, args: impl IntoIterator<Item = String>) -> Command {
        let (program, first) = self.program.split_first().map_or(("pip3", &[][..]), |(p, rest)| (p, rest));
        let mut command = tool(program, first.iter().cloned().chain(args));
        for (name, value) in [
            ("PIP_NO_INPUT", "1"),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
            ("PIP_NO_COLOR", "1"),
            ("PIP_ROOT_USER_ACTION", "ignore"),
        ] {
            command.env.push((name.to_owned(), Some(value.to_owned())));
        }
        command.env.extend(self.env.iter().map(|(k, v)| (k.clone(), Some(v.clone()))));
        command.runas.clone_from(&self.user);
        command.cwd.clone_from(&self.cwd);
        command
    }

    /// The packages that are there: versions by normal name.
    pub(crate) fn list(&self, cx: &Context) -> Result<BTreeMap<String, String>, String> {
        let output = succeed(cx, self.command(["list", "--format=json"].map(str::to_owned)))?;
        let all: Value = serde_json::from_str(output.stdout.trim())
            .map_err(|e| format!("`pip list` printed no JSON: {e}"))?;
        let entry = |package: &Value| {
            let map = package.as_map()?;
            Some((normal(map.get("name")?.as_str()?), map.get("version")?.as_str()?.to_owned()))
        };
        Ok(all.as_list().unwrap_or_default().iter().filter_map(entry).collect())
    }
}
