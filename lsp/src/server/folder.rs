//! One project of the client, with what the last check said about it.

use super::state::Event;
use crossbeam_channel::{Sender, unbounded};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use zester_compiler::{
    diagnostic::Diagnostic, project::Project, query::Index, source::Files, types::Registry,
};

/// Something a check must know.
pub(super) enum Job {
    /// An open file has this text now; `None` when it was closed.
    Text {
        /// Its path in the project.
        path: String,
        /// Its text.
        text: Option<Arc<str>>,
        /// The server's count of changes.
        revision: u64,
    },
    /// Files changed on the disk.
    Disk {
        /// Their paths in the project.
        paths: Vec<String>,
        /// The server's count of changes.
        revision: u64,
    },
}

impl Job {
    pub fn revision(&self) -> u64 {
        match self {
            Job::Text { revision, .. } | Job::Disk { revision, .. } => *revision,
        }
    }
}

/// What a check found.
pub(crate) struct Checked {
    /// Of which folder.
    pub folder: usize,
    /// The last change it knew of.
    pub revision: u64,
    /// The project as it saw it; `None` when it could not be opened.
    pub index: Option<Arc<Index>>,
    /// The table that places belong to.
    pub files: Arc<Files>,
    /// Findings by the file they are in.
    pub by_path: Arc<BTreeMap<String, Vec<Diagnostic>>>,
    /// Why nothing could be checked.
    pub problem: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// How many files were read.
    pub counted: usize,
    /// Files that changed since the check before it.
    pub touched: BTreeSet<String>,
    /// What the user should know of the check as a whole.
    pub notice: Option<String>,
}

/// What is found at a glance in a file that is being edited, until the check that follows.
pub(crate) struct Glanced {
    /// Of which folder.
    pub folder: usize,
    /// The last change it knew of.
    pub revision: u64,
    /// The file's path in the project.
    pub path: String,
    /// Its text.
    pub text: Arc<str>,
    /// The findings in it.
    pub found: Vec<Diagnostic>,
}

/// A project.
pub(crate) struct Folder {
    /// Its directory.
    pub root: PathBuf,
    /// What the last check found.
    pub checked: Option<Arc<Checked>>,
    /// What was seen since then in files that are edited, by path.
    pub glanced: HashMap<String, Arc<Glanced>>,
    /// What the user was told of the check as a whole.
    pub notice: Option<String>,
    /// The last change that was sent to the check.
    pub sent: u64,
    /// The last change that a check came back from, in whatever way.
    pub done: u64,
    /// The thread that checks ends when nobody can send it a job any more: with the folder.
    jobs: Sender<Job>,
    /// By this it knows in the middle of a check that the folder is closed.
    _open: Arc<()>,
}

impl Folder {
    /// Opens a project and begins to check it.
    pub(super) fn open(
        number: usize,
        root: PathBuf,
        max_files: Option<usize>,
        registry: Arc<Registry>,
        events: Sender<Event>,
    ) -> Self {
        let (jobs, received) = unbounded();
        let open = Arc::new(());
        let (at, still_open) = (root.clone(), Arc::downgrade(&open));
        let started = std::thread::Builder::new().name(format!("check {number}")).spawn(move || {
            super::checker::run(number, at, max_files, registry, &still_open, &received, &events);
        });
        if let Err(error) = started {
            eprintln!("zester lsp: no thread can be started: {error}");
        }
        Self {
            root,
            checked: None,
            glanced: HashMap::new(),
            notice: None,
            sent: 0,
            done: 0,
            jobs,
            _open: open,
        }
    }

    /// Tells the check of a change.
    pub(super) fn send(&mut self, job: Job) {
        self.sent = job.revision();
        // A check that ended has said why.
        let _ = self.jobs.send(job);
    }

    /// Whether the last check knows of the last change.
    pub fn is_fresh(&self) -> bool {
        self.checked.is_some() && self.done >= self.sent
    }

    /// What is known of a file's findings at this text, before the check that knows it.
    pub fn glance(&self, path: &str, text: &str) -> Option<&Arc<Glanced>> {
        self.glanced.get(path).filter(|glanced| *glanced.text == *text)
    }

    /// The path of a file in the project.
    pub fn inner(&self, path: &Path) -> Option<String> {
        let inner = path.strip_prefix(&self.root).ok()?;
        let mut parts = Vec::new();
        for part in inner.components() {
            match part {
                std::path::Component::Normal(name) => parts.push(name.to_str()?),
                _ => return None,
            }
        }
        Some(parts.join("/"))
    }

    /// The directory of the project that a path lies in.
    pub fn root_of(path: &Path) -> PathBuf {
        Project::find_root(path)
    }
}
