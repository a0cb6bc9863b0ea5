//! `pip.installed`: Python packages are there.

use super::{client::Pip, requirement::Requirement};
use crate::{
    Arguments, Changes, Context, Failure, Outcome, Plan, State, change, provider::tool::succeed, source,
};
use std::collections::BTreeMap;
use zester_compiler::types::{Path, User, Value};

/// Python packages are installed, in the wanted versions.
#[derive(Arguments)]
#[state("pip.installed")]
pub(crate) struct Installed {
    /// The package: `name`, `name==1.0`, `name>=1.0,<2`, or an address.
    #[arg(primary)]
    name: String,
    /// Several packages instead of `name`.
    pkgs: Option<Vec<String>>,
    /// The version.
    #[arg(ty = Type::Version)]
    version: Option<String>,
    /// A file of requirements.
    #[arg(ty = Type::Source)]
    requirements: Option<String>,
    /// The environment: its directory, or its `pip`.
    #[arg(alias = "bin")]
    bin_env: Option<String>,
    /// User to run as.
    user: Option<User>,
    /// Directory.
    cwd: Option<Path>,
    /// Whether packages are brought to their newest version.
    #[arg(default = false)]
    upgrade: bool,
    /// Whether packages are installed again.
    #[arg(default = false)]
    force_reinstall: bool,
    /// Whether packages that are there are overwritten.
    #[arg(name = "ignore_installed", default = false)]
    overwrite: bool,
    /// The index.
    index_url: Option<String>,
    /// A further index.
    extra_index_url: Option<String>,
    /// Whether no index is asked.
    #[arg(default = false)]
    no_index: bool,
    /// Where archives lie.
    find_links: Vec<String>,
    /// Hosts that need no certificate.
    #[arg(alias = "trusted_host")]
    trusted_hosts: Vec<String>,
    /// The proxy.
    proxy: Option<String>,
    /// Seconds to wait for an answer.
    timeout: Option<u32>,
    /// Whether packages are installed for editing.
    editable: Vec<String>,
    /// Whether what they need is left out.
    #[arg(default = false)]
    no_deps: bool,
    /// Whether versions before a release are taken.
    #[arg(default = false)]
    pre_releases: bool,
    /// Whether the cache is left out.
    #[arg(default = false)]
    no_cache_dir: bool,
    /// Packages taken as source only.
    no_binary: Vec<String>,
    /// Another directory to install into.
    #[arg(name = "install_options")]
    install_options: Vec<String>,
    /// Where to install.
    target: Option<Path>,
    /// A file that limits versions.
    constraints: Option<String>,
    /// Variables, a map or a list of maps.
    #[arg(ty = Type::Any)]
    env_vars: Vec<Value>,
    /// Whether the machine's own packages may be changed although its distribution forbids it.
    #[arg(default = false)]
    break_system_packages: bool,
    /// Further options of `pip`.
    extra_args: Vec<Value>,
    /// Whether wheels are used.
    #[arg(inert = "wheels are used by default; use `no_binary`")]
    use_wheel: Option<bool>,
    /// Whether wheels are not used.
    #[arg(inert = "use `no_binary`")]
    no_use_wheel: Option<bool>,
    /// Where a log is written.
    #[arg(inert = "what went wrong is in the state's result")]
    log: Option<String>,
    /// Where packages are unpacked.
    #[arg(inert = "`pip` has no build directory any more")]
    build: Option<String>,
    /// Whether `pip` itself is brought up to date first.
    #[arg(inert = "name `pip` among the packages")]
    upgrade_pip: Option<bool>,
    /// Cache of downloads.
    #[arg(inert = "`pip` keeps its own cache")]
    download_cache: Option<String>,
    /// Whether a mirror is used.
    #[arg(inert = "use `index_url`")]
    mirrors: Option<Value>,
    /// Whether the user's own directory is used.
    #[arg(inert = "`user` runs `pip` as that user; use `bin_env` for an environment")]
    user_install: Option<bool>,
    /// Whether a missing index is no failure.
    #[arg(inert = "the index is asked only when something is missing")]
    pip_upgrade: Option<bool>,
}

impl State for Installed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let pip = match Pip::find(cx, self.bin_env.as_deref(), self.user.as_deref()) {
            Ok(pip) => pip,
            // The environment may come with this run.
            Err(_) if cx.test => {
                let changes = Changes::from_iter([(self.label(), change((), "latest"))]);
                let comment = "`pip` is not there; if this run creates it, packages would be installed";
                return Ok(Plan::change(changes, comment, |_| Ok(Outcome::default())));
            }
            Err(message) => return Err(message.into()),
        };
        let pip = pip.in_dir(self.cwd.as_deref()).with_env(&self.env_vars);
        let wanted = self.wanted(cx)?;
        let have = pip.list(cx)?;
        let missing: Vec<&Requirement> = wanted.iter().filter(|w| !self.is_there(w, &have)).collect();
        if missing.is_empty() && self.requirements.is_none() {
            return Ok(Plan::unchanged(format!("installed already: {}", self.label())));
        }
        let args = self.arguments(cx, &missing)?;
        let foreseen = Self::preview(cx, &pip, &args, &have)?;
        let changes = match foreseen {
            Some(foreseen) => foreseen,
            None => missing.iter().map(|w| (w.text.clone(), change((), "latest"))).collect(),
        };
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("installed already: {}", self.label())));
        }
        let comment = if cx.test { "would install" } else { "installed" };
        Ok(Plan::change(changes, format!("{comment} {}", self.label()), move |cx| {
            let before = pip.list(cx)?;
            let outcome = succeed(cx, pip.command(args));
            let after = pip.list(cx)?;
            let changes = differences(&before, &after);
            outcome.map_err(|message| Failure::new(message).with_changes(changes.clone()))?;
            Ok(Outcome { changes, ..Outcome::default() })
        }))
    }
}

/// What differs between two listings.
pub(super) fn differences(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Changes {
    let mut changes = Changes::new();
    for name in before.keys().chain(after.keys()) {
        let (old, new) = (before.get(name), after.get(name));
        if old != new {
            let text = |v: Option<&String>| v.cloned().unwrap_or_default();
            changes.insert(name.clone(), change(text(old), text(new)));
        }
    }
    changes
}

impl Installed {
    fn label(&self) -> String {
        match (&self.pkgs, &self.requirements) {
            (Some(pkgs), _) => pkgs.join(", "),
            (None, Some(file)) => file.clone(),
            (None, None) => self.name.clone(),
        }
    }

    fn wanted(&self, cx: &Context) -> Result<Vec<Requirement>, Failure> {
        let mut all = Vec::new();
        match (&self.pkgs, &self.requirements) {
            (Some(pkgs), _) => {
                for text in pkgs {
                    all.push(Requirement::parse(text)?);
                }
            }
            (None, Some(_)) => {}
            (None, None) if self.editable.is_empty() => {
                let text = match &self.version {
                    Some(v) if v.starts_with(['<', '>', '=', '!', '~']) => format!("{}{v}", self.name),
                    Some(v) => format!("{}=={v}", self.name),
                    None => self.name.clone(),
                };
                all.push(Requirement::parse(&text)?);
            }
            (None, None) => {}
        }
        let _ = cx;
        Ok(all)
    }

    fn is_there(&self, wanted: &Requirement, have: &BTreeMap<String, String>) -> bool {
        if self.upgrade || self.force_reinstall || self.overwrite {
            return false;
        }
        let version = wanted.name.as_ref().and_then(|name| have.get(name));
        version.is_some_and(|version| wanted.satisfied_by(version))
    }

    fn arguments(&self, cx: &Context, missing: &[&Requirement]) -> Result<Vec<String>, Failure> {
        let mut args = vec!["install".to_owned(), "--quiet".to_owned()];
        for (wanted, flag) in [
            (self.upgrade, "--upgrade"),
            (self.force_reinstall, "--force-reinstall"),
            (self.overwrite, "--ignore-installed"),
            (self.no_index, "--no-index"),
            (self.no_deps, "--no-deps"),
            (self.pre_releases, "--pre"),
            (self.no_cache_dir, "--no-cache-dir"),
            (self.break_system_packages, "--break-system-packages"),
        ] {
            if wanted {
                args.push(flag.to_owned());
            }
        }
        let timeout = self.timeout.map(|t| t.to_string());
        for (flag, value) in [
            ("--index-url", self.index_url.as_ref()),
            ("--extra-index-url", self.extra_index_url.as_ref()),
            ("--proxy", self.proxy.as_ref()),
            ("--timeout", timeout.as_ref()),
            ("--target", self.target.as_ref().map(|t| &t.0)),
            ("--constraint", self.constraints.as_ref()),
        ] {
            if let Some(value) = value {
                args.extend([flag.to_owned(), value.clone()]);
            }
        }
        for (flag, values) in [
            ("--find-links", &self.find_links),
            ("--trusted-host", &self.trusted_hosts),
            ("--no-binary", &self.no_binary),
            ("--editable", &self.editable),
        ] {
            for value in values {
                args.extend([flag.to_owned(), value.clone()]);
            }
        }
        for extra in &self.extra_args {
            match extra {
                Value::Map(map) => {
                    for (flag, value) in map {
                        args.extend([flag.clone(), value.to_string()]);
                    }
                }
                flag => args.push(flag.to_string()),
            }
        }
        args.extend(self.install_options.iter().map(|o| format!("--global-option={o}")));
        if let Some(file) = &self.requirements {
            let candidates = source::candidates(&[Value::from(file.as_str())]);
            let verify = source::Verify { skip: true, ..source::Verify::default() };
            let (path, _) = source::local_path(cx, &candidates, &verify, file)?;
            args.extend(["--requirement".to_owned(), path]);
        }
        args.extend(missing.iter().map(|w| w.text.clone()));
        Ok(args)
    }

    /// What `pip` would do, in its own words; `None` when it is too old to say.
    fn preview(
        cx: &Context,
        pip: &Pip,
        args: &[String],
        have: &BTreeMap<String, String>,
    ) -> Result<Option<Changes>, Failure> {
        let mut dry: Vec<String> = args.to_vec();
        dry.splice(1..1, ["--dry-run", "--report", "-"].map(str::to_owned));
        let command = pip.command(dry);
        let output = crate::provider::tool::run(cx, command.clone())?;
        if !output.success() {
            if output.stderr.contains("no such option") {
                return Ok(None);
            }
            return Err(crate::provider::tool::failure(&command, &output).into());
        }
        let Ok(report) = serde_json::from_str::<Value>(output.stdout.trim()) else { return Ok(None) };
        let Some(list) = report.lookup("install", ':').and_then(Value::as_list) else { return Ok(None) };
        let mut changes = Changes::new();
        for item in list {
            let (Some(name), Some(version)) = (
                item.lookup("metadata:name", ':').and_then(Value::as_str),
                item.lookup("metadata:version", ':').and_then(Value::as_str),
            ) else {
                continue;
            };
            let name = super::requirement::normal(name);
            let old = have.get(&name).cloned().unwrap_or_default();
            changes.insert(name, change(old, version));
        }
        Ok(Some(changes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::sync::{Arc, Mutex};
    use zester_compiler::types::Map;

    /// A `pip` that has `flask` 1.0 and can install anything in version 9.
    fn machine() -> FakeMachine {
        let machine = FakeMachine::new();
        let have = Arc::new(Mutex::new(vec![("Flask".to_owned(), "1.0".to_owned())]));
        let listed = have.clone();
        machine.commands.on("/usr/bin/pip3 list", move |_, _| {
            let all = listed.lock().unwrap();
            let entries: Vec<String> =
                all.iter().map(|(n, v)| format!(r#"{{"name": "{n}", "version": "{v}"}}"#)).collect();
            Output { stdout: format!("[{}]", entries.join(",")), ..Output::default() }
        });
        let listed = have;
        machine.commands.on("/usr/bin/pip3 install", move |_, line| {
            let last = line.rsplit(' ').next().unwrap_or_default();
            let name = last.split(['=', '<', '>']).next().unwrap_or_default().to_owned();
            if name == "nowhere" {
                return Output {
                    status: 1,
                    stderr: "ERROR: No matching distribution\n".into(),
                    ..Output::default()
                };
            }
            if line.contains("--dry-run") {
                let report =
                    format!(r#"{{"install": [{{"metadata": {{"name": "{name}", "version": "9"}}}}]}}"#);
                return Output { stdout: report, ..Output::default() };
            }
            let mut all = listed.lock().unwrap();
            all.retain(|(n, _)| *n != name);
            all.push((name, "9".to_owned()));
            Output::default()
        });
        machine
    }

    fn named(name: &str) -> Map {
        Map::from_iter([("name".to_owned(), Value::from(name))])
    }

    #[test]
    fn what_is_missing_is_installed() {
        let machine = machine();
        assert!(machine.converge::<Installed>(&named("flask>=1,<2")).unwrap().changes.is_empty());
        let outcome = machine.converge::<Installed>(&named("requests")).unwrap();
        assert_eq!(outcome.changes["requests"], change("", "9"));
        let failure = machine.converge::<Installed>(&named("nowhere")).unwrap_err();
        assert!(failure.message.contains("No matching distribution"), "{}", failure.message);
    }

    #[test]
    fn an_environment_must_be_there() {
        let machine = machine();
        let mut args = named("x");
        args.insert("bin_env".to_owned(), "/srv/venv".into());
        let state: Installed = zester_compiler::types::Arguments::from_values(&args).unwrap();
        let cx = machine.context();
        let Err(failure) = state.plan(&cx) else { panic!("it is not there") };
        assert!(failure.message.contains("virtualenv.managed"), "{}", failure.message);
        assert!(state.plan(&Context { test: true, ..cx }).unwrap().apply.is_some());
    }
}
