//! `docker_container.running`

use super::{
    client::{act, check_name, docker, inspect, short, stop, text},
    networks::Difference,
    recipe::{LABEL, Recipe},
    rows::Row,
};
use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    provider::tool::{run, tail},
    random,
};
use serde_json::Value as Json;
use zester_compiler::types::{Map, Seconds, Value};
use zester_stdlib_derive::Arguments;

/// A container runs, made of this image in this way. One that differs is replaced: the new one is made first, and when it does not start the old one
/// comes back. With `watch` it is replaced when what it watches changed, or gets the signal that `watch_action` names.
///
/// ```yaml
/// web:
///   docker_container.running:
///     - image: nginx:1.27
///     - port_bindings: ["8080:80"]
///     - binds: [/srv/www:/usr/share/nginx/html:ro]
///     - environment: {TZ: Europe/Vienna}
///     - restart_policy: unless-stopped
///     - watch:
///       - file: /srv/www/index.html
/// ```
#[derive(Arguments)]
#[state("docker_container.running", watches)]
pub(crate) struct Running {
    /// The container.
    #[arg(primary)]
    name: String,
    /// What it is made of.
    #[arg(flatten)]
    recipe: Recipe,
    /// Whether it is replaced in every run.
    #[arg(default = false)]
    force: bool,
    /// Whether it is started where it is there, as it should be, and does not run. A new one is always started.
    #[arg(default = true)]
    start: bool,
    /// What a change of what it watches does: `force` replaces it, a signal such as `SIGHUP` is sent.
    #[arg(default = "force")]
    watch_action: String,
    /// How long the old one may take to end.
    shutdown_timeout: Option<Seconds>,
}

/// Options that `docker update` changes: a container that was made of the same may differ in these. Of the others the daemon tells some in words of its
/// own.
const UPDATED: [&str; 10] = [
    "restart_policy",
    "mem_limit",
    "memswap_limit",
    "cpu_shares",
    "cpu_period",
    "cpu_quota",
    "cpuset_cpus",
    "cpuset_mems",
    "blkio_weight",
    "pids_limit",
];

/// What an option's change looks like: of maps what differs alone. What a variable or an option of the log was may have been a secret of an earlier
/// state, which nobody tells any more.
fn shown(row: &Row, secret: bool) -> Value {
    if secret {
        return change("***", "***");
    }
    let (Value::Map(have), Value::Map(wanted)) = (&row.have, &row.wanted) else {
        return change(row.have.clone(), row.wanted.clone());
    };
    let names = have.keys().chain(wanted.keys().filter(|name| !have.contains_key(*name)));
    let differs = names.filter(|name| have.get(*name) != wanted.get(*name));
    let side = |of: &Map, name: &String| of.get(name).cloned().unwrap_or_default();
    let hidden = |name: &String| if have.contains_key(name) { Value::from("***") } else { Value::Null };
    let hides = matches!(row.name, "environment" | "log_opt");
    let old = |name: &String| if hides { hidden(name) } else { side(have, name) };
    Value::Map(differs.map(|name| (name.clone(), change(old(name), side(wanted, name)))).collect())
}

impl Running {
    fn started(&self, cx: &Context) -> Result<(), Failure> {
        act(cx, ["start", &self.name])?;
        if !self.start {
            // It does what it has to do once.
            return Ok(());
        }
        let Some(container) = inspect(cx, "container", &self.name)? else {
            return Err(Failure::new(format!("the container `{}` was started and is gone", self.name)));
        };
        if container.pointer("/State/Running").and_then(Json::as_bool) == Some(true) {
            return Ok(());
        }
        let status = container.pointer("/State/ExitCode").and_then(Json::as_i64).unwrap_or_default();
        let logs = run(cx, docker(cx, ["logs", "--tail", "5", &self.name]))?;
        let words = format!("{}{}", logs.stdout, logs.stderr);
        let words: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let words = words.join("; ");
        let said = if words.is_empty() { words } else { format!("; its last words: {}", tail(&words)) };
        Err(Failure::new(format!("the container `{}` was started and ended with {status}{said}", self.name)))
    }

    /// Puts a new container in the place of an old one. Until the new one runs, the old one can come back.
    fn replace(&self, cx: &Context, was_running: bool) -> Result<(), Failure> {
        let digits = random::hex(&random::bytes(4)?);
        let (new, old) = (format!("{}-new-{digits}", self.name), format!("{}-old-{digits}", self.name));
        self.recipe.create(cx, &new, false)?;
        if let Err(failure) = act(cx, ["rename", &self.name, &old]) {
            // That it cannot be removed says nothing new.
            let _ = run(cx, docker(cx, ["rm", "--force", &new]));
            return Err(failure);
        }
        let exchange = || {
            if was_running {
                stop(cx, &old, self.shutdown_timeout)?;
            }
            act(cx, ["rename", &new, &self.name])?;
            self.started(cx)
        };
        let Err(failure) = exchange() else {
            // One that removes itself at its end is gone already.
            if inspect(cx, "container", &old)?.is_some() {
                act(cx, ["rm", "--force", &old])?;
            }
            return Ok(());
        };
        let back = || {
            for name in [&new, &self.name] {
                if inspect(cx, "container", name)?.is_some() {
                    act(cx, ["rm", "--force", name])?;
                }
            }
            act(cx, ["rename", &old, &self.name])?;
            if was_running { act(cx, ["start", &self.name]) } else { Ok(()) }
        };
        Err(Failure::new(match back() {
            Ok(()) => format!("{}; the old container is back", failure.message),
            Err(second) => {
                format!(
                    "{}; the old container `{old}` could not be brought back: {}",
                    failure.message, second.message
                )
            }
        }))
    }
}

impl State for Running {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("container", name)?;
        let container = inspect(cx, "container", name)?;
        let image = self.recipe.find_image(cx)?;
        let read = self.recipe.read(image.as_ref(), container.as_ref())?;
        let mut changes = Changes::new();
        if image.is_none() {
            changes.insert("image".to_owned(), change((), self.recipe.image.as_str()));
        }
        let pulls = image.is_none();
        let pull = move |cx: &Context| if pulls { self.recipe.pull(cx) } else { Ok(()) };
        let Some(container) = container.clone() else {
            changes.insert("state".to_owned(), change((), "running"));
            return Ok(Plan::change(
                changes,
                format!("the container `{name}` is made and started"),
                move |cx| {
                    pull(cx)?;
                    self.recipe.create(cx, &self.name, false)?;
                    self.started(cx)?;
                    Ok(Outcome::default())
                },
            ));
        };
        let is = |path: &str| container.pointer(path).and_then(Json::as_bool) == Some(true);
        let runs = is("/State/Running");
        let mut replace = self.force || image.is_none();
        if let Some(image) = &image {
            let (old, new) = (text(&container, "/Image"), text(image, "/Id"));
            if old != new {
                replace = true;
                changes.insert("image".to_owned(), change(short(old), short(new)));
            }
            let made_of = container.pointer("/Config/Labels").and_then(|labels| labels.get(LABEL)?.as_str());
            let same = made_of == Some(&read.digest(new));
            let counts = |row: &&Row| !same || (row.stated && UPDATED.contains(&row.name));
            for row in read.rows.all.iter().filter(counts).filter(|row| row.have != row.wanted) {
                replace = true;
                changes.insert(row.name.to_owned(), shown(row, cx.is_secret(row.name)));
            }
        }
        let difference = match &read.networks {
            Some(networks) => networks.difference(Some(&container)),
            None => Difference::default(),
        };
        if !difference.is_empty() {
            difference.note(Some(&container), &mut changes);
        }
        if self.force && changes.is_empty() {
            changes.insert("replaced".to_owned(), true.into());
        }
        let starts = self.start && (!runs || is("/State/Paused"));
        if (starts && !replace) || (replace && !runs) {
            changes.insert("state".to_owned(), change(text(&container, "/State/Status"), "running"));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("the container `{name}` is as it should be")));
        }
        let comment = format!("the container `{name}` is {}", if replace { "replaced" } else { "changed" });
        Ok(Plan::change(changes, comment, move |cx| {
            if replace {
                pull(cx)?;
                self.replace(cx, runs)?;
                return Ok(Outcome::default());
            }
            difference.apply(cx, &self.name, Some(&container))?;
            if container.pointer("/State/Paused").and_then(Json::as_bool) == Some(true) && starts {
                act(cx, ["unpause", &self.name])?;
            } else if starts {
                self.started(cx)?;
            }
            Ok(Outcome::default())
        }))
    }

    fn watched(&self, cx: &Context) -> Result<Option<Plan<'_>>, Failure> {
        check_name("container", &self.name)?;
        let Some(container) = inspect(cx, "container", &self.name)? else { return Ok(None) };
        let runs = container.pointer("/State/Running").and_then(Json::as_bool) == Some(true);
        if self.watch_action == "force" {
            let changes = Changes::from_iter([("replaced".to_owned(), true.into())]);
            let comment = format!("the container `{}` is replaced", self.name);
            return Ok(Some(Plan::change(changes, comment, move |cx| {
                self.replace(cx, runs)?;
                Ok(Outcome::default())
            })));
        }
        let signal = &self.watch_action;
        if signal.is_empty() || !signal.chars().all(|c| c.is_ascii_alphanumeric() || c == '+') {
            return Err(Failure::new(format!(
                "`{}` is no `watch_action`; write `force` or a signal such as `SIGHUP`",
                signal.escape_debug()
            )));
        }
        let changes = Changes::from_iter([("signal".to_owned(), signal.as_str().into())]);
        Ok(Some(Plan::change(changes, format!("the container `{}` gets {signal}", self.name), move |cx| {
            act(cx, ["kill", &format!("--signal={signal}"), &self.name])?;
            Ok(Outcome::default())
        })))
    }
}

#[cfg(test)]
#[path = "running_tests.rs"]
mod tests;
