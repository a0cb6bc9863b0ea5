//! The thread that checks one project whenever its files change.

use super::{
    extent,
    files::Buffers,
    folder::{Checked, Glanced, Job},
    state::Event,
};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};
use zester_compiler::{
    check::{CheckError, CheckOptions, Session},
    diagnostic::Diagnostic,
    project::{CONFIG_FILE, ConfigError, OpenOptions, Project},
    query::Index,
    source::{DiskSources, FileId, Files, Snapshot, Sources},
    types::Registry,
};

/// Checks after which the text of an old version is forgotten: until then an answer may still look at it.
const KEPT_CHECKS: usize = 4;
/// A check of the whole project waits so long for the next letter.
const PAUSE: Duration = Duration::from_millis(40);
/// Most projects that are opened because they lie in a folder.
const MAX_NESTED: usize = 32;
/// Letters interrupt the check of the whole project until the last one that came to its end is so old.
const OLDEST: Duration = Duration::from_secs(10);

/// What the thread knows.
struct Checker {
    folder: usize,
    root: PathBuf,
    /// Most files that are read, where the user says so.
    max_files: Option<usize>,
    registry: Arc<Registry>,
    files: Arc<Files>,
    disk: Arc<DiskSources>,
    buffers: Arc<Buffers>,
    snapshot: Arc<Snapshot>,
    project: Result<Arc<Project>, ConfigError>,
    session: Session,
    previous: Option<Arc<Index>>,
    /// What was known when the project could last be opened: requests go on with it while a configuration is being
    /// written.
    known: Option<Arc<Index>>,
    stale: VecDeque<Vec<FileId>>,
    /// Texts that were replaced since the last check that came to its end.
    replaced: Vec<FileId>,
    /// Their paths, with those of files that are new.
    touched: BTreeSet<String>,
    /// What the last check found that came to its end, and when that was.
    found: Arc<BTreeMap<String, Vec<Diagnostic>>>,
    ended: Instant,
}

/// Checks until the jobs end: when the folder is closed, whose `open_folder` is then gone.
pub(super) fn run(
    folder: usize,
    root: PathBuf,
    max_files: Option<usize>,
    registry: Arc<Registry>,
    open_folder: &Weak<()>,
    jobs: &Receiver<Job>,
    events: &Sender<Event>,
) {
    let disk = Arc::new(extent::files(&root, max_files));
    let buffers = Arc::new(Buffers::new(disk.clone()));
    let snapshot = Arc::new(Snapshot::new(buffers.clone()));
    let nested = nested(&root, &snapshot.files_below(""));
    if !nested.is_empty() {
        buffers.leave_out(nested.iter().map(|dir| format!("{dir}/")).collect());
        snapshot.refresh();
        let roots = nested.iter().map(|dir| root.join(dir)).collect();
        if events.send(Event::Nested { folder, roots }).is_err() {
            return;
        }
    }
    let files = Arc::new(Files::new());
    let project = open(&root, max_files, &snapshot, &files);
    let mut checker = Checker {
        folder,
        root,
        max_files,
        registry,
        files,
        disk,
        buffers,
        snapshot,
        project,
        session: Session::new(),
        previous: None,
        known: None,
        stale: VecDeque::new(),
        replaced: Vec::new(),
        touched: BTreeSet::new(),
        found: Arc::default(),
        ended: Instant::now(),
    };
    let mut revision = 0;
    loop {
        // The first check is always wanted to its end, and later ones are when they have been waited for too long.
        let wanted = checker.previous.is_none() || checker.ended.elapsed() > OLDEST;
        let interrupted = || !wanted && !jobs.is_empty() || open_folder.strong_count() == 0;
        // A defect in a rule must not end the checks: the next text may be without what set it off.
        let checked = catch_unwind(AssertUnwindSafe(|| checker.check(revision, &interrupted)));
        let event = match checked {
            Ok(checked) => checked.map(|checked| Event::Checked(Box::new(checked))),
            Err(_) => {
                checker.session = Session::new();
                checker.previous = None;
                Some(Event::CheckFailed { folder, revision })
            }
        };
        let mut waiting = event.is_none();
        if event.is_some_and(|event| events.send(event).is_err()) {
            return;
        }
        // Letters are looked at as they come, the whole project when there is a pause.
        loop {
            let next = if waiting {
                jobs.recv_timeout(PAUSE)
            } else {
                jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            let first = match next {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut texts = BTreeSet::new();
            let mut next = Some(first);
            while let Some(job) = next {
                revision = revision.max(job.revision());
                if let Job::Text { path, text: Some(_), .. } = &job {
                    texts.insert(path.clone());
                }
                checker.take(job);
                next = jobs.try_recv().ok();
            }
            let glanced = catch_unwind(AssertUnwindSafe(|| checker.glance(texts, revision)));
            match glanced {
                Ok(glanced) => {
                    for glanced in glanced {
                        if events.send(Event::Glanced(Box::new(glanced))).is_err() {
                            return;
                        }
                    }
                }
                // The check says it.
                Err(_) => checker.session = Session::new(),
            }
            waiting = true;
            if checker.ended.elapsed() > OLDEST {
                break;
            }
        }
    }
}

/// Directories below one that is no project itself, that are: a repository of several projects.
fn nested(root: &Path, files: &[String]) -> Vec<String> {
    if root.join(CONFIG_FILE).is_file() {
        return Vec::new();
    }
    let mut found: Vec<String> = Vec::new();
    let dirs = files.iter().filter_map(|file| file.strip_suffix(CONFIG_FILE)?.strip_suffix('/'));
    for dir in dirs.take(MAX_NESTED) {
        // What lies in one of them is its own affair. The list is sorted, the outer ones need not come first.
        let inside = |outer: &String, inner: &str| {
            inner.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        if !found.iter().any(|outer| inside(outer, dir)) {
            found.retain(|inner| !inside(&dir.to_owned(), inner));
            found.push(dir.to_owned());
        }
    }
    found
}

fn open(
    root: &Path,
    max_files: Option<usize>,
    snapshot: &Arc<Snapshot>,
    files: &Arc<Files>,
) -> Result<Arc<Project>, ConfigError> {
    let base = root.to_owned();
    let options = OpenOptions {
        files: Some(files.clone()),
        outside: Some(Box::new(move |dir| {
            // The configuration names it, so it is taken to be what it should be.
            Arc::new(Snapshot::new(Arc::new(extent::files(&base.join(dir), max_files))))
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
        self.touched.extend(paths.iter().cloned());
        for path in paths {
            self.replaced.extend(self.files.by_path(path).map(|f| f.id));
            if let Ok(project) = &self.project {
                project.forget(path);
            }
        }
        if paths.iter().any(|p| p == CONFIG_FILE) || self.project.is_err() {
            if self.disk.exceeded() && paths.iter().any(|p| p == CONFIG_FILE) {
                // Now it may be said that all the files are a project's.
                self.disk = Arc::new(extent::files(&self.root, self.max_files));
                self.buffers = Arc::new(self.buffers.over(self.disk.clone()));
                self.snapshot = Arc::new(Snapshot::new(self.buffers.clone()));
            }
            self.project = open(&self.root, self.max_files, &self.snapshot, &self.files);
            self.session = Session::new();
            self.previous = None;
        }
    }

    /// The findings in files whose text has changed, as far as they can be told at once.
    fn glance(&mut self, paths: BTreeSet<String>, revision: u64) -> Vec<Glanced> {
        let Ok(project) = &self.project else { return Vec::new() };
        let mut all = Vec::new();
        for path in paths {
            let before = self.found.get(&path).map_or(&[][..], Vec::as_slice);
            let Some(found) = self.session.glance(project, &self.registry, &path, before) else { continue };
            let Ok(tree) = project.tree(&path) else { continue };
            all.push(Glanced { folder: self.folder, revision, path, text: tree.text.clone(), found });
        }
        all
    }

    /// Checks the project; `None` when that was interrupted.
    fn check(&mut self, revision: u64, interrupted: &(dyn Fn() -> bool + Sync)) -> Option<Checked> {
        let started = Instant::now();
        let mut checked = Checked {
            folder: self.folder,
            revision,
            index: None,
            files: self.files.clone(),
            by_path: Arc::default(),
            problem: None,
            took: started.elapsed(),
            counted: 0,
            touched: BTreeSet::new(),
            notice: extent::too_large(&self.disk, self.max_files),
        };
        let project = match &self.project {
            Ok(project) => project,
            Err(error) => {
                checked.problem = Some(error.to_string());
                checked.index.clone_from(&self.known);
                if let Some((diagnostics, files)) = error.diagnostics() {
                    checked.by_path = Arc::new(grouped(diagnostics.to_vec(), files));
                }
                checked.took = started.elapsed();
                return Some(checked);
            }
        };
        let options = CheckOptions::default();
        let previous = self.previous.as_deref();
        let result = self.session.check_indexed(project, &self.registry, &options, previous, interrupted);
        match result {
            Ok((report, index)) => {
                let index = Arc::new(index);
                self.previous = Some(index.clone());
                self.known = Some(index.clone());
                checked.index = Some(index);
                checked.counted = report.counts.files;
                checked.by_path = Arc::new(grouped(report.diagnostics, &self.files));
                self.found = checked.by_path.clone();
            }
            Err(CheckError::Interrupted) => return None,
            Err(error) => checked.problem = Some(error.to_string()),
        }
        checked.took = started.elapsed();
        checked.touched = std::mem::take(&mut self.touched);
        self.ended = Instant::now();
        self.stale.push_back(std::mem::take(&mut self.replaced));
        while self.stale.len() > KEPT_CHECKS {
            for id in self.stale.pop_front().into_iter().flatten() {
                self.files.release(id);
            }
        }
        Some(checked)
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
