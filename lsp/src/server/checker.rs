//! The thread that checks one project whenever its files change.

use super::{
    files::Buffers,
    folder::{Checked, Job},
    state::Event,
};
use crossbeam_channel::{Receiver, Sender};
use std::{
    collections::{BTreeMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};
use zester_compiler::{
    check::{CheckOptions, Session},
    diagnostic::Diagnostic,
    project::{CONFIG_FILE, ConfigError, OpenOptions, Project},
    query::Index,
    source::{DiskSources, FileId, Files, Snapshot},
    types::Registry,
};

/// Checks after which the text of an old version is forgotten: until then an answer may still look at it.
const KEPT_CHECKS: usize = 4;

/// What the thread knows.
struct Checker {
    folder: usize,
    root: PathBuf,
    registry: Arc<Registry>,
    files: Arc<Files>,
    buffers: Arc<Buffers>,
    snapshot: Arc<Snapshot>,
    project: Result<Arc<Project>, ConfigError>,
    session: Session,
    previous: Option<Arc<Index>>,
    stale: VecDeque<Vec<FileId>>,
}

/// Checks until the jobs end.
pub(super) fn run(
    folder: usize,
    root: PathBuf,
    registry: Arc<Registry>,
    jobs: &Receiver<Job>,
    events: &Sender<Event>,
) {
    let disk = Arc::new(DiskSources::new(&root));
    let buffers = Arc::new(Buffers::new(disk));
    let snapshot = Arc::new(Snapshot::new(buffers.clone()));
    let files = Arc::new(Files::new());
    let project = open(&root, &snapshot, &files);
    let mut checker = Checker {
        folder,
        root,
        registry,
        files,
        buffers,
        snapshot,
        project,
        session: Session::new(),
        previous: None,
        stale: VecDeque::new(),
    };
    let mut revision = 0;
    loop {
        let started = Instant::now();
        // A defect in a rule must not end the checks: the next text may be without what set it off.
        let checked = catch_unwind(AssertUnwindSafe(|| checker.check(revision, started)));
        match checked {
            Ok(checked) => {
                if events.send(Event::Checked(Box::new(checked))).is_err() {
                    return;
                }
            }
            Err(_) => {
                checker.session = Session::new();
                if events.send(Event::CheckFailed { folder, revision }).is_err() {
                    return;
                }
            }
        }
        let Ok(first) = jobs.recv() else { return };
        let mut next = Some(first);
        while let Some(job) = next {
            revision = revision.max(job.revision());
            checker.take(job);
            next = jobs.try_recv().ok();
        }
    }
}

fn open(root: &Path, snapshot: &Arc<Snapshot>, files: &Arc<Files>) -> Result<Arc<Project>, ConfigError> {
    let base = root.to_owned();
    let options = OpenOptions {
        files: Some(files.clone()),
        outside: Some(Box::new(move |dir| {
            Arc::new(Snapshot::new(Arc::new(DiskSources::new(base.join(dir)))))
        })),
        ..OpenOptions::default()
    };
    Project::open(snapshot.clone(), options).map(Arc::new)
}

impl Checker {
    fn take(&mut self, job: Job) {
        match job {
            Job::Text { path, text, .. } => {
                self.buffers.set(&path, text.as_deref());
                self.changed(&[path]);
            }
            Job::Disk { paths, .. } => self.changed(&paths),
        }
    }

    fn changed(&mut self, paths: &[String]) {
        self.snapshot.changed(paths.iter().map(String::as_str));
        let mut stale = Vec::new();
        for path in paths {
            stale.extend(self.files.by_path(path).map(|f| f.id));
            if let Ok(project) = &self.project {
                project.forget(path);
            }
        }
        self.stale.push_back(stale);
        if paths.iter().any(|p| p == CONFIG_FILE) || self.project.is_err() {
            self.project = open(&self.root, &self.snapshot, &self.files);
            self.session = Session::new();
            self.previous = None;
        }
    }

    fn check(&mut self, revision: u64, started: Instant) -> Checked {
        while self.stale.len() > KEPT_CHECKS {
            for id in self.stale.pop_front().into_iter().flatten() {
                self.files.release(id);
            }
        }
        let mut checked = Checked {
            folder: self.folder,
            revision,
            index: None,
            files: self.files.clone(),
            by_path: BTreeMap::new(),
            problem: None,
            took: started.elapsed(),
            counted: 0,
        };
        let project = match &self.project {
            Ok(project) => project,
            Err(error) => {
                checked.problem = Some(error.to_string());
                if let Some((diagnostics, files)) = error.diagnostics() {
                    checked.by_path = grouped(diagnostics.to_vec(), files);
                }
                checked.took = started.elapsed();
                return checked;
            }
        };
        let options = CheckOptions::default();
        let result = self.session.check_indexed(project, &self.registry, &options, self.previous.as_deref());
        match result {
            Ok((report, index)) => {
                let index = Arc::new(index);
                self.previous = Some(index.clone());
                checked.index = Some(index);
                checked.counted = report.counts.files;
                checked.by_path = grouped(report.diagnostics, &self.files);
            }
            Err(error) => checked.problem = Some(error.to_string()),
        }
        checked.took = started.elapsed();
        checked
    }
}

fn grouped(diagnostics: Vec<Diagnostic>, files: &Files) -> BTreeMap<String, Vec<Diagnostic>> {
    let mut by_path: BTreeMap<String, Vec<Diagnostic>> = BTreeMap::new();
    for diagnostic in diagnostics {
        let path = files.get(diagnostic.span.file).path.to_string();
        by_path.entry(path).or_default().push(diagnostic);
    }
    by_path
}
