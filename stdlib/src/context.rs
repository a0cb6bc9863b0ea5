//! What a function may know and use while it runs.

use crate::provider::{
    Accounts, Commands, Disk, FileSystem, Packages, Processes, Services, ShadowUtils, detect,
};
use crate::zester::Fleet;
use std::{
    any::Any,
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};
use zester_compiler::types::{Facts, Map, Value};

/// Set by a signal or a cancelled job; long work looks at it.
#[derive(Clone, Default, Debug)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks for the end.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// The flag itself, for a signal handler to set.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }

    /// Whether the end was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The providers of one machine, detected once.
pub struct Machine {
    /// Files.
    pub files: Arc<dyn FileSystem>,
    /// Programs.
    pub commands: Arc<dyn Commands>,
    /// Packages; an error says why there is no provider.
    pub packages: Box<dyn Fn() -> Result<Arc<dyn Packages>, String> + Send + Sync>,
    /// Services; an error says why there is no provider.
    pub services: Box<dyn Fn() -> Result<Arc<dyn Services>, String> + Send + Sync>,
    /// Users and groups.
    pub accounts: Arc<dyn Accounts>,
}

impl Machine {
    /// This machine. Its package and service managers are looked for when they are first needed, once.
    pub fn local() -> Self {
        let files: Arc<dyn FileSystem> = Arc::new(Disk::new());
        let commands: Arc<dyn Commands> = Arc::new(Processes::new());
        let accounts = Arc::new(ShadowUtils::new(files.clone(), commands.clone()));
        let (packages, services) = (OnceLock::new(), OnceLock::new());
        let (searched, looked_at) = (commands.clone(), files.clone());
        Self {
            files,
            commands,
            packages: Box::new(move || packages.get_or_init(|| detect::packages(&*searched)).clone()),
            services: Box::new(move || services.get_or_init(|| detect::services(&*looked_at)).clone()),
            accounts,
        }
    }
}

/// Things computed once per run (the package index was refreshed, `accumulated` texts), by key.
#[derive(Default)]
pub struct RunCache {
    values: Mutex<HashMap<String, Arc<dyn Any + Send + Sync>>>,
}

impl RunCache {
    /// The value of `key`, made by `make` the first time.
    pub fn get_or<T: Any + Send + Sync>(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(found) = self.get(key) {
            return found;
        }
        let made = Arc::new(make());
        self.lock().insert(key.to_owned(), made.clone());
        made
    }

    /// The value of `key`.
    pub fn get<T: Any + Send + Sync>(&self, key: &str) -> Option<Arc<T>> {
        self.lock().get(key).cloned()?.downcast().ok()
    }

    /// Sets or replaces a value.
    pub fn set<T: Any + Send + Sync>(&self, key: &str, value: T) {
        self.lock().insert(key.to_owned(), Arc::new(value));
    }

    /// The value of `key` for as long as `stamp` is what it was when `make` made it.
    pub fn while_same<S, T, E>(
        &self,
        key: &str,
        stamp: S,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E>
    where
        S: Any + Send + Sync + PartialEq,
        T: Any + Send + Sync,
    {
        if let Some(known) = self.get::<(S, Arc<T>)>(key)
            && known.0 == stamp
        {
            return Ok(known.1.clone());
        }
        let made = Arc::new(make()?);
        self.set(key, (stamp, made.clone()));
        Ok(made)
    }

    /// Forgets a value.
    pub fn forget(&self, key: &str) {
        self.lock().remove(key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<dyn Any + Send + Sync>>> {
        self.values.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Files of the state tree, and their rendering, as functions see them (`zester://`, `template: jinja`).
pub trait StateFiles: Send + Sync {
    /// Content of `path` in the state tree of `env`; the error is a full sentence.
    fn read(&self, env: &str, path: &str) -> Result<Arc<[u8]>, String>;

    /// Whether `path` is a file there.
    fn is_file(&self, env: &str, path: &str) -> bool;

    /// Files below directory `path`, sorted, relative to it.
    fn files_below(&self, env: &str, path: &str) -> Vec<String>;

    /// Permission bits of a file of the tree, where the tree has them (`mode: keep`).
    fn mode(&self, _env: &str, _path: &str) -> Option<u32> {
        None
    }

    /// Renders text as a template with the run's environment and `context` on top. `name` is shown in errors; for a
    /// file of the tree it is its path there, so that its own imports resolve.
    fn render(&self, env: &str, name: &str, text: &str, context: &Map) -> Result<String, String>;
}

/// What the peels of a fleet publish for each other: the basket, Salt's mine.
pub trait Peers: Send + Sync {
    /// What the peels that match `target` publish under `name`, by peel. `kind` is Salt's kind of target (`glob`, `grain`, …) or empty for the
    /// target language. Peels that publish nothing under it are left out; the error is a full sentence.
    fn shared(&self, target: &str, kind: &str, name: &str) -> Result<Map, String>;
}

/// A machine without a fleet: nobody publishes anything.
pub struct NoPeers;

impl Peers for NoPeers {
    fn shared(&self, _target: &str, _kind: &str, _name: &str) -> Result<Map, String> {
        Ok(Map::new())
    }
}

/// What a function may know and use.
#[derive(Clone)]
pub struct Context {
    /// The providers.
    pub machine: Arc<Machine>,
    /// The peel's facts.
    pub facts: Arc<Facts>,
    /// The peel's settings: a map.
    pub settings: Arc<Value>,
    /// The state tree.
    pub tree: Arc<dyn StateFiles>,
    /// What other peels publish.
    pub peers: Arc<dyn Peers>,
    /// The fleet, in an orchestration.
    pub fleet: Option<Arc<dyn Fleet>>,
    /// All functions, for `module.run` and guards that call.
    pub library: Arc<crate::Library>,
    /// Things computed once per run.
    pub run: Arc<RunCache>,
    /// Asked-for end.
    pub cancel: Cancel,
    /// Whether this is a test run: plans are made, none is applied.
    pub test: bool,
    /// Environment of the state.
    pub env: Arc<str>,
    /// Id of the state that is running, for messages and accumulators.
    pub state_id: Arc<str>,
    /// `runas`: the user commands of the state run as.
    pub runas: Option<Arc<str>>,
    /// `timeout` in seconds for each command of the state.
    pub timeout: Option<f64>,
    /// `umask` for commands and new files, octal.
    pub umask: Option<u32>,
    /// Parameters of the running state whose values must be masked in changes and comments.
    pub secret: Arc<[String]>,
}

impl Context {
    /// Whether the value of this parameter must be masked.
    pub fn is_secret(&self, parameter: &str) -> bool {
        self.secret.iter().any(|name| name == parameter)
    }
}

/// Paths that states of this run manage; the runner puts them into [`RunCache`] under [`ManagedPaths::KEY`] before
/// the first state. `clean` of `file.directory` and `file.recurse` leaves them alone, whatever the requisites.
#[derive(Default, Debug)]
pub struct ManagedPaths(pub std::collections::BTreeSet<String>);

impl ManagedPaths {
    /// Where it lies in the run's cache.
    pub const KEY: &str = "file.managed_paths";

    /// Whether `path`, or something below it, is managed.
    pub fn covers(&self, path: &str) -> bool {
        let below = format!("{}/", path.trim_end_matches('/'));
        self.0.contains(path) || self.0.range(below.clone()..).next().is_some_and(|p| p.starts_with(&below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_kept_while_its_stamp_stays() {
        let cache = RunCache::default();
        let made = std::cell::Cell::new(0);
        let make = |stamp: u8| {
            cache.while_same("k", stamp, || {
                made.set(made.get() + 1);
                if stamp == 9 { Err("no") } else { Ok(made.get()) }
            })
        };
        assert_eq!((make(1).map(|v| *v), make(1).map(|v| *v)), (Ok(1), Ok(1)));
        assert_eq!(make(2).map(|v| *v), Ok(2));
        // A failure is not kept, and does not take away what was.
        assert_eq!(make(9).map(|v| *v), Err("no"));
        assert_eq!(make(2).map(|v| *v), Ok(2));
        assert_eq!(made.get(), 3);
    }
}
