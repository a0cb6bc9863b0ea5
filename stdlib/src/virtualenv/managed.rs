//! `virtualenv.managed`: a Python environment is there, with its packages.

use crate::{
    Arguments, Changes, Context, Failure, Outcome, Plan, State, change,
    pip::Pip,
    provider::tool::{succeed, tool},
    source,
};
use zester_compiler::types::{Path, User, Value};

/// A Python environment exists, and has the packages of a requirements file or list.
#[derive(Arguments)]
#[state("virtualenv.managed")]
pub(crate) struct Managed {
    /// Its directory.
    #[arg(primary)]
    name: Path,
    /// The program that makes it: `virtualenv`, a Python, or `pyvenv` and `venv` for Python's own.
    venv_bin: Option<String>,
    /// The Python it has.
    python: Option<String>,
    /// A file of requirements.
    #[arg(ty = Type::Source)]
    requirements: Option<String>,
    /// Packages it has.
    pip_pkgs: Option<Vec<String>>,
    /// Whether packages are brought to their newest version.
    #[arg(default = false)]
    pip_upgrade: bool,
    /// The index.
    index_url: Option<String>,
    /// A further index.
    extra_index_url: Option<String>,
    /// Whether no index is asked.
    #[arg(default = false)]
    no_deps: bool,
    /// Whether the cache is left out.
    #[arg(default = false)]
    pip_no_cache_dir: bool,
    /// User to run as.
    user: Option<User>,
    /// Directory in which `pip` runs.
    cwd: Option<Path>,
    /// Variables, a map or a list of maps.
    #[arg(ty = Type::Any)]
    env_vars: Vec<Value>,
    /// Whether the machine's own packages are seen.
    #[arg(default = false)]
    system_site_packages: bool,
    /// Whether it is made anew.
    #[arg(default = false)]
    clear: bool,
    /// The proxy.
    proxy: Option<String>,
    /// Whether `setuptools` is left out.
    #[arg(inert = "environments have what their Python gives them")]
    distribute: Option<bool>,
    /// Whether wheels are used.
    #[arg(inert = "wheels are used by default")]
    use_wheel: Option<bool>,
    /// Name shown in the prompt.
    prompt: Option<String>,
    /// Where archives lie.
    #[arg(inert = "use `pip.installed` with `bin_env` and `find_links`")]
    extra_search_dir: Option<Value>,
    /// Whether nothing is downloaded.
    #[arg(inert = "environments are made without downloads")]
    never_download: Option<bool>,
    /// Whether `pip` fails on a missing certificate.
    #[arg(inert = "use `pip.installed` with `bin_env` for further options")]
    process_dependency_links: Option<Value>,
}

impl State for Managed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        if !self.name.starts_with('/') || self.name.trim_end_matches('/').is_empty() {
            return Err(
                format!("the directory of an environment is an absolute path, not `{}`", self.name).into()
            );
        }
        let python = format!("{}/bin/python", self.name.trim_end_matches('/'));
        let exists = cx
            .machine
            .files
            .stat(&python, true)
            .map_err(|e| format!("`{python}` could not be read: {e}"))?
            .is_some();
        let create = !exists || self.clear;
        let mut changes = Changes::new();
        if create {
            changes.insert("environment".to_owned(), change((), self.name.0.clone()));
        }
        let has_packages = self.requirements.is_some() || self.pip_pkgs.is_some();
        if has_packages && !create {
            changes.extend(self.missing(cx)?);
        } else if has_packages {
            // Without an environment nobody can say which versions would come.
            let wanted = self.pip_pkgs.clone().unwrap_or_default();
            changes.extend(wanted.into_iter().map(|name| (name, change((), "latest"))));
            if let Some(file) = &self.requirements {
                changes.insert("requirements".to_owned(), change((), file.clone()));
            }
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{}` is as wanted", self.name)));
        }
        let comment = match (cx.test, create) {
            (true, true) => "would create",
            (true, false) => "would change",
            (false, true) => "created",
            (false, false) => "changed",
        };
        Ok(Plan::change(changes, format!("{comment} `{}`", self.name), move |cx| {
            if create {
                self.create(cx)?;
            }
            let made = Changes::from_iter(
                create.then(|| ("environment".to_owned(), change((), self.name.0.clone()))),
            );
            if has_packages {
                let pip = self.pip(cx)?;
                succeed(cx, pip.command(self.install_args(cx)?))
                    .map_err(|message| Failure::new(message).with_changes(made))?;
            }
            Ok(Outcome::default())
        }))
    }
}

impl Managed {
    fn pip(&self, cx: &Context) -> Result<Pip, Failure> {
        let pip = Pip::find(cx, Some(&self.name), self.user.as_deref())?;
        Ok(pip.in_dir(self.cwd.as_deref()).with_env(&self.env_vars))
    }

    fn create(&self, cx: &Context) -> Result<(), Failure> {
        let commands = &cx.machine.commands;
        let python = self.venv_bin.as_deref().filter(|b| is_python(b));
        let own = python.is_some()
            || self.venv_bin.as_deref().is_some_and(|b| b.ends_with("venv") && !b.ends_with("virtualenv"))
            || (self.venv_bin.is_none() && commands.find("virtualenv").is_none());
        let mut args: Vec<String> = Vec::new();
        let program = if own {
            args.extend(["-m", "venv"].map(str::to_owned));
            self.python.as_deref().or(python).unwrap_or("python3").to_owned()
        } else {
            if let Some(python) = &self.python {
                args.push(format!("--python={python}"));
            }
            self.venv_bin.clone().unwrap_or_else(|| "virtualenv".to_owned())
        };
        for (wanted, flag) in [(self.system_site_packages, "--system-site-packages"), (self.clear, "--clear")]
        {
            if wanted {
                args.push(flag.to_owned());
            }
        }
        if let Some(prompt) = &self.prompt {
            args.push(format!("--prompt={prompt}"));
        }
        args.push(self.name.0.clone());
        let mut command = tool(&program, args);
        command.runas =
            self.user.as_ref().map(|u| u.0.clone()).or_else(|| cx.runas.as_ref().map(|r| r.to_string()));
        succeed(cx, command)?;
        Ok(())
    }

    fn install_args(&self, cx: &Context) -> Result<Vec<String>, Failure> {
        let mut args = vec!["install".to_owned(), "--quiet".to_owned()];
        for (wanted, flag) in [
            (self.pip_upgrade, "--upgrade"),
            (self.no_deps, "--no-deps"),
            (self.pip_no_cache_dir, "--no-cache-dir"),
        ] {
            if wanted {
                args.push(flag.to_owned());
            }
        }
        for (flag, value) in [
            ("--index-url", &self.index_url),
            ("--extra-index-url", &self.extra_index_url),
            ("--proxy", &self.proxy),
        ] {
            if let Some(value) = value {
                args.extend([flag.to_owned(), value.clone()]);
            }
        }
        if let Some(file) = &self.requirements {
            let candidates = source::candidates(&[Value::from(file.as_str())]);
            let verify = source::Verify { skip: true, ..source::Verify::default() };
            let (path, _) = source::local_path(cx, &candidates, &verify, file)?;
            args.extend(["--requirement".to_owned(), path]);
        }
        if let Some(odd) = self.pip_pkgs.iter().flatten().find(|p| p.starts_with('-')) {
            return Err(format!("`{odd}` is not a Python package").into());
        }
        args.extend(self.pip_pkgs.iter().flatten().cloned());
        Ok(args)
    }

    /// What `pip` would install.
    fn missing(&self, cx: &Context) -> Result<Changes, Failure> {
        let pip = self.pip(cx)?;
        let mut args = self.install_args(cx)?;
        args.splice(1..1, ["--dry-run", "--report", "-"].map(str::to_owned));
        let output = succeed(cx, pip.command(args))?;
        let report: Value = serde_json::from_str(output.stdout.trim())
            .map_err(|e| format!("`pip` of `{}` printed no report: {e}", self.name))?;
        let items = report.lookup("install", ':').and_then(Value::as_list).unwrap_or_default();
        if items.is_empty() {
            return Ok(Changes::new());
        }
        let have = pip.list(cx)?;
        let entry = |item: &Value| {
            let name = item.lookup("metadata:name", ':')?.as_str()?.to_lowercase();
            let version = item.lookup("metadata:version", ':')?.clone();
            let old = have.get(&name).cloned().unwrap_or_default();
            Some((name, change(old, version)))
        };
        Ok(items.iter().filter_map(entry).collect())
    }
}

/// Whether a program's name is that of a Python: `/usr/bin/python3.11`.
fn is_python(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or_default();
    name.strip_prefix("python")
        .is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use zester_compiler::types::Map;

    #[test]
    fn made_once_with_its_packages() {
        let machine = FakeMachine::new();
        machine.commands.without("virtualenv");
        let files = machine.files.clone();
        machine.commands.on("python3 -m venv /srv/env", move |_, _| {
            files.put("/srv/env/bin/python", "");
            Output::default()
        });
        let installed = Arc::new(AtomicBool::new(false));
        let seen = installed.clone();
        machine.commands.on("/srv/env/bin/python -m pip install", move |_, line| {
            let there = seen.load(Ordering::SeqCst);
            if !line.contains("--dry-run") {
                installed.store(true, Ordering::SeqCst);
                return Output::default();
            }
            let item = if there { "" } else { r#"{"metadata": {"name": "flask", "version": "3"}}"# };
            Output { stdout: format!(r#"{{"install": [{item}]}}"#), ..Output::default() }
        });
        let args = Map::from_iter([
            ("name".to_owned(), Value::from("/srv/env")),
            ("pip_pkgs".to_owned(), vec!["flask"].into()),
        ]);
        let outcome = machine.converge::<Managed>(&args).unwrap();
        assert_eq!(outcome.changes["environment"], change((), "/srv/env"));
        assert_eq!(outcome.changes["flask"], change((), "latest"));
    }

    #[test]
    fn a_python_makes_its_own() {
        let machine = FakeMachine::new();
        let files = machine.files.clone();
        machine.commands.on("/opt/python3.11 -m venv /srv/env", move |_, _| {
            files.put("/srv/env/bin/python", "");
            Output::default()
        });
        let args = Map::from_iter([
            ("name".to_owned(), Value::from("/srv/env")),
            ("venv_bin".to_owned(), Value::from("/opt/python3.11")),
        ]);
        machine.converge::<Managed>(&args).unwrap();
        assert!(!is_python("/usr/bin/pythonic") && !is_python("virtualenv"));
    }
}
