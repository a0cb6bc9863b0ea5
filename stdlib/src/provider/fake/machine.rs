//! A whole made-up machine and the context of a function that runs on it.

use super::{FakeAccounts, FakeCommands, FakeFiles};
use crate::{
    Cancel, Context, Failure, Library, Machine, Outcome, RunCache, State, StateFiles,
    provider::{Commands, FileSystem, Packages, Services},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use zester_compiler::types::{Facts, Map, Value};

/// A state tree in memory. Rendering replaces `{{ name }}` by the value of `name` in the context and knows nothing
/// else: functions are tested with it, not templates.
#[derive(Default)]
pub struct FakeTree(Mutex<BTreeMap<String, Arc<[u8]>>>);

impl FakeTree {
    /// Adds a file.
    pub fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path.to_owned(), content.as_ref().into());
    }
}

impl StateFiles for FakeTree {
    fn read(&self, env: &str, path: &str) -> Result<Arc<[u8]>, String> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(path).cloned().ok_or_else(|| format!("`{path}` is not a file of the state tree of `{env}`"))
    }

    fn is_file(&self, _env: &str, path: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(path)
    }

    fn files_below(&self, _env: &str, path: &str) -> Vec<String> {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.keys().filter_map(|p| p.strip_prefix(&prefix)).map(str::to_owned).collect()
    }

    fn render(&self, _env: &str, name: &str, text: &str, context: &Map) -> Result<String, String> {
        let mut rendered = text.to_owned();
        for (key, value) in context {
            rendered = rendered.replace(&format!("{{{{ {key} }}}}"), &value.to_string());
        }
        match rendered.find("{{") {
            Some(at) => {
                Err(format!("`{name}`: undefined variable in `{}`", rendered.get(at..).unwrap_or_default()))
            }
            None => Ok(rendered),
        }
    }
}

/// A made-up machine. Its providers can be looked at and prepared while functions use them.
#[derive(Clone)]
pub struct FakeMachine {
    /// Files.
    pub files: Arc<FakeFiles>,
    /// Programs.
    pub commands: Arc<FakeCommands>,
    /// Users and groups.
    pub accounts: Arc<FakeAccounts>,
    /// The state tree.
    pub tree: Arc<FakeTree>,
    /// Settings.
    pub settings: Value,
    /// Facts.
    pub facts: Facts,
    /// Package manager; none to begin with.
    pub packages: Option<Arc<dyn Packages>>,
    /// Service manager; none to begin with.
    pub services: Option<Arc<dyn Services>>,
    disk: Option<Arc<dyn FileSystem>>,
    processes: Option<Arc<dyn Commands>>,
    run: Arc<RunCache>,
}

impl Default for FakeMachine {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeMachine {
    /// A machine with a root user, `/` and `/tmp`.
    pub fn new() -> Self {
        Self {
            files: Arc::default(),
            commands: Arc::default(),
            accounts: Arc::default(),
            tree: Arc::default(),
            settings: Value::Map(Map::new()),
            facts: Facts::default(),
            packages: None,
            services: None,
            disk: None,
            processes: None,
            run: Arc::default(),
        }
    }

    /// The same, but with the real file system: for tests in a temporary directory.
    pub fn on_disk() -> Self {
        Self { disk: Some(Arc::new(crate::provider::Disk::new())), ..Self::new() }
    }

    /// With the real file system and real programs.
    pub fn real() -> Self {
        Self { processes: Some(Arc::new(crate::provider::Processes::new())), ..Self::on_disk() }
    }

    /// The context of a function on this machine. Contexts of one machine share one run's cache.
    pub fn context(&self) -> Context {
        let files: Arc<dyn FileSystem> = match &self.disk {
            Some(disk) => disk.clone(),
            None => self.files.clone(),
        };
        let (packages, services) = (self.packages.clone(), self.services.clone());
        Context {
            machine: Arc::new(Machine {
                files,
                commands: match &self.processes {
                    Some(processes) => processes.clone(),
                    None => self.commands.clone(),
                },
                packages: Box::new(move || {
                    packages.clone().ok_or_else(|| "there is no package manager".into())
                }),
                services: Box::new(move || {
                    services.clone().ok_or_else(|| "there is no service manager".into())
                }),
                accounts: self.accounts.clone(),
            }),
            facts: Arc::new(self.facts.clone()),
            settings: Arc::new(self.settings.clone()),
            tree: self.tree.clone(),
            peers: Arc::new(crate::NoPeers),
            fleet: None,
            library: Arc::new(Library::new()),
            run: self.run.clone(),
            cancel: Cancel::default(),
            test: false,
            env: "base".into(),
            state_id: "state".into(),
            runas: None,
            timeout: None,
            umask: None,
            secret: Arc::from([]),
        }
    }

    /// Runs a state function as a runner does: test mode, then apply, then once more. Panics unless test mode says
    /// what apply does and the second run has nothing to do; gives the first apply's changes and comment.
    ///
    /// # Panics
    /// See above: it is for tests.
    #[track_caller]
    pub fn converge<T: State>(&self, args: &Map) -> Result<Outcome, Failure> {
        let cx = self.context();
        let state = T::from_values(args).unwrap_or_else(|e| panic!("{}: {e}", T::signature().name()));
        let test = Context { test: true, ..cx.clone() };
        let predicted = state.plan(&test)?;
        if let Some(failure) = predicted.failure {
            return Err(failure);
        }
        let would_change = predicted.apply.is_some();
        let foretold = predicted.changes;
        drop(predicted.apply);
        let plan = state.plan(&cx)?;
        if let Some(failure) = plan.failure {
            return Err(failure);
        }
        assert_eq!(would_change, plan.apply.is_some(), "test mode and apply differ");
        assert_eq!(foretold, plan.changes, "test mode and apply differ");
        let mut result = Outcome { changes: plan.changes, comment: Some(plan.comment), unchanged: false };
        if let Some(apply) = plan.apply {
            let outcome = apply(&cx)?;
            if !outcome.changes.is_empty() {
                result.changes = outcome.changes;
            }
            result.comment = outcome.comment.or(result.comment);
        }
        let again = T::from_values(args).unwrap_or_else(|e| panic!("{e}"));
        let second = again.plan(&cx)?;
        assert!(second.failure.is_none(), "the second run fails: {:?}", second.failure);
        assert!(second.apply.is_none(), "the second run would change again: {:?}", second.changes);
        assert!(second.changes.is_empty());
        Ok(result)
    }
}
