//! One call on this machine: states of the published tree, or a function.

use super::{book::Book, states, trees::Trees};
use crate::{
    job::message::{Call, JobOutcome, PeelStatus},
    local::{Local, LocalOptions, library},
    runner::Observer,
};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use tokio::sync::watch;
use zester_compiler::{
    diagnostic::Diagnostic,
    modules::CustomModules,
    project::Project,
    settings::Mask,
    types::{Effect, Facts, FunctionKind, Map, Value},
};
use zester_stdlib::{Cancel, Library, Peers, STATE_FUNCTIONS, facts};

/// What a call came to.
#[derive(Debug)]
pub struct Ended {
    /// Done, failed, or canceled.
    pub status: PeelStatus,
    /// What came out.
    pub outcome: JobOutcome,
    /// What went wrong.
    pub error: Option<String>,
}

impl Ended {
    pub(super) fn failed(error: impl Into<String>) -> Self {
        Self { status: PeelStatus::Failed, outcome: JobOutcome::Nothing, error: Some(error.into()) }
    }
}

/// What calls run on.
pub struct Host {
    /// The published trees.
    pub trees: Trees,
    /// The peel's id.
    pub id: String,
    /// Directory for what a run needs; relative paths begin there.
    pub directory: PathBuf,
    /// The lock that keeps two applies on the machine apart.
    pub lock: PathBuf,
    /// A file of facts, added to or replacing the machine's.
    pub facts: Option<PathBuf>,
    /// What other peels publish; nobody is asked without.
    pub peers: OnceLock<Arc<dyn Peers>>,
    /// The jobs of this peel, for functions that ask for them.
    pub book: OnceLock<Book>,
    /// Changes when facts, basket and schedule are to be looked at now.
    pub refresh: watch::Sender<()>,
    /// Facts as last collected.
    collected: Mutex<Option<Arc<Facts>>>,
    /// What was wrong with custom facts when it was last said.
    problems: Mutex<Vec<String>>,
}

impl Host {
    /// A host whose facts are not collected yet.
    pub fn new(trees: Trees, id: String, directory: PathBuf, lock: PathBuf, facts: Option<PathBuf>) -> Self {
        Self {
            trees,
            id,
            directory,
            lock,
            facts,
            peers: OnceLock::new(),
            book: OnceLock::new(),
            refresh: watch::Sender::new(()),
            collected: Mutex::default(),
            problems: Mutex::default(),
        }
    }

    /// Facts, collected now.
    pub fn collect_facts(&self) -> Result<Arc<Facts>, String> {
        let mut collected = facts::collect_here(Some(&self.id));
        let directories = facts::custom::directories(&self.directory);
        let commands = crate::local::machine().commands.clone();
        let custom =
            facts::collect_custom(&mut collected, &directories, commands.as_ref(), &Cancel::default());
        let mut said = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != custom.problems {
            for problem in &custom.problems {
                tracing::warn!(peel = self.id, %problem, "a custom fact cannot be used");
            }
            *said = custom.problems;
        }
        drop(said);
        if let Some(path) = &self.facts {
            let wrong = |e: String| format!("the facts file `{}` cannot be used: {e}", path.display());
            let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
            collected.merge_text(&text).map_err(|e| wrong(e.to_string()))?;
        }
        collected.set_id(self.id.clone());
        let collected = Arc::new(collected);
        *self.collected.lock().unwrap_or_else(PoisonError::into_inner) = Some(collected.clone());
        Ok(collected)
    }

    /// Facts, collected now if they never were.
    pub fn facts(&self) -> Result<Arc<Facts>, String> {
        let known = self.collected.lock().unwrap_or_else(PoisonError::into_inner).clone();
        known.map_or_else(|| self.collect_facts(), Ok)
    }

    /// This peel's settings with their secrets, and what masks these.
    pub fn settings(&self) -> Result<(Arc<Value>, Mask), String> {
        let local = self.local(&Call::default(), &Cancel::default())?;
        let (mut settings, found) = local.settings().map_err(|e| e.to_string())?;
        fails(&local, &found)?;
        self.trees.reveal(&mut settings)?;
        let mask = settings.mask();
        Ok((settings.value, mask))
    }

    /// Whether there is a function of this name.
    pub fn knows(&self, function: &str) -> bool {
        function.split_once('.').is_some_and(|(module, name)| self.effect(module, name).is_some())
    }

    /// What an exec function does, one of the published tree's modules among them.
    fn effect(&self, module: &str, function: &str) -> Option<Effect> {
        let of = |library: &Library| {
            library.registry().get(FunctionKind::Exec, module, function).map(|signature| signature.effect)
        };
        of(&library()).or_else(|| {
            let custom = CustomModules::read(&*self.trees.project().ok()?);
            of(&library().with_modules(&custom))
        })
    }

    /// Functions about the peel itself, that the library cannot know.
    fn about_itself(&self, function: &str) -> Option<Value> {
        match function {
            "saltutil.running" => {
                let running = self.book.get()?.running();
                Some(Value::List(running.iter().map(|jid| Value::from(jid.as_str())).collect()))
            }
            // The next look is now; the library's answer follows.
            "saltutil.refresh_grains"
            | "saltutil.sync_grains"
            | "saltutil.sync_all"
            | "saltutil.refresh_pillar"
            | "mine.update" => {
                self.refresh.send_replace(());
                None
            }
            _ => None,
        }
    }

    /// Names of secrets in this peel's settings.
    pub fn secrets_named(&self) -> Result<Vec<String>, String> {
        let local = self.local(&Call::default(), &Cancel::default())?;
        let (settings, found) = local.settings().map_err(|e| e.to_string())?;
        fails(&local, &found)?;
        Ok(settings.placeholders())
    }

    /// Whether the call changes nothing, so that it need not wait for its turn.
    pub fn is_read_only(&self, call: &Call) -> bool {
        match call.function.split_once('.') {
            Some(("state", function)) => call.test || states::changes_nothing(function),
            Some((module, function)) => {
                matches!(self.effect(module, function), Some(Effect::Pure | Effect::Probe))
            }
            None => true,
        }
    }

    /// Runs a call to its end.
    pub fn run(&self, call: &Call, cancel: &Cancel, observer: &dyn Observer) -> Ended {
        match call.function.as_str() {
            name if STATE_FUNCTIONS.contains(&name) => self.states(call, cancel, observer),
            _ => self.function(call, cancel),
        }
    }

    pub(super) fn local(&self, call: &Call, cancel: &Cancel) -> Result<Local, String> {
        let text = |name: &str| call.kwargs.get(name).and_then(Value::as_str).map(str::to_owned);
        let options = LocalOptions {
            env: text("env").or_else(|| text("saltenv")),
            set: overrides(&call.kwargs)?,
            id: Some(self.id.clone()),
            test: call.test,
            ..LocalOptions::default()
        };
        let project: Arc<Project> = self.trees.project()?;
        let local = Local::with_project(project, self.directory.clone(), options, cancel.clone());
        local.set_facts(self.facts()?);
        if let Some(peers) = self.peers.get() {
            local.set_peers(peers.clone());
        }
        Ok(local)
    }

    fn function(&self, call: &Call, cancel: &Cancel) -> Ended {
        let mut mask = Mask::default();
        let mut run = || -> Result<Value, String> {
            let facts = self.facts()?;
            // Many functions need no tree: they work before the first one is published.
            let (local, settings) = match self.local(&Call { kwargs: Map::new(), ..call.clone() }, cancel) {
                Ok(local) => {
                    let (mut settings, found) = local.settings().map_err(|e| e.to_string())?;
                    fails(&local, &found)?;
                    self.trees.reveal(&mut settings)?;
                    mask = settings.mask();
                    (local, settings.value)
                }
                Err(_) => {
                    let empty = Arc::new(zester_compiler::source::MemorySources::new());
                    let project = Project::open(empty, zester_compiler::project::OpenOptions::default())
                        .map_err(|e| e.to_string())?;
                    let options = LocalOptions { id: Some(self.id.clone()), ..LocalOptions::default() };
                    let local = Local::with_project(
                        Arc::new(project),
                        self.directory.clone(),
                        options,
                        cancel.clone(),
                    );
                    local.set_facts(facts.clone());
                    if let Some(peers) = self.peers.get() {
                        local.set_peers(peers.clone());
                    }
                    (local, Arc::new(Value::Map(Map::new())))
                }
            };
            if let Some(value) = self.about_itself(&call.function) {
                return Ok(value);
            }
            let context = local.context(&facts, &settings);
            local.library.call(&call.function, &call.args, &call.kwargs, &context)
        };
        let result = run();
        // What long work gives after a cancellation is what it had until then, and looks like a result.
        let canceled = cancel.is_cancelled();
        match result {
            Ok(value) => {
                let status = if canceled { PeelStatus::Canceled } else { PeelStatus::Done };
                let error =
                    canceled.then(|| "canceled while it ran; it may have been ended early".to_owned());
                Ended { status, outcome: JobOutcome::Value(mask.value(value)), error }
            }
            Err(error) if canceled => Ended {
                status: PeelStatus::Canceled,
                outcome: JobOutcome::Nothing,
                error: Some(mask.text(error)),
            },
            Err(error) => Ended::failed(mask.text(error)),
        }
    }
}

/// `settings` (or Salt's `pillar`) of the call, as the overrides of one run.
fn overrides(kwargs: &Map) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for name in ["pillar", "settings"] {
        match kwargs.get(name) {
            None => {}
            Some(Value::Map(map)) => {
                for (key, value) in map {
                    let text = serde_json::to_string(value).map_err(|e| e.to_string())?;
                    found.push(format!("{key}={text}"));
                }
            }
            Some(other) => return Err(format!("`{name}` is {}, where a map is expected", other.describe())),
        }
    }
    Ok(found)
}

/// The errors of a tree as one text, each with its place.
pub(super) fn fails(local: &Local, found: &[Diagnostic]) -> Result<(), String> {
    let errors: Vec<String> = found
        .iter()
        .filter(|d| d.is_error())
        .take(20)
        .map(|d| {
            let (path, at) = local.project.files().locate(d.span);
            format!("{path}:{}:{}: {} [{}]", at.line, at.column, d.message, d.rule.code)
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}
