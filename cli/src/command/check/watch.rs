//! `--watch`: stays, and checks again after each change.

use super::{CheckArgs, Format, present, relative, scope};
use crate::{
    options::Common,
    output::{Exit, Failure},
};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};
use zester_compiler::{
    check::{CheckOptions, Session},
    diagnostic::Levels,
    project::{CONFIG_FILE, Project},
    source::Snapshot,
};
use zester_executor::local::{Local, LocalOptions};

/// How long nothing must happen before a check: an editor's "save" is several events.
const QUIET: Duration = Duration::from_millis(15);

/// How long a check may be put off by files that keep changing.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// A project as it is watched.
struct Watched {
    local: Local,
    snapshot: Arc<Snapshot>,
    session: Session,
    options: CheckOptions,
}

/// Watches until the process is ended.
pub fn run(
    common: &Common,
    args: &CheckArgs,
    format: Format,
    levels: &Levels,
    options: &LocalOptions,
) -> Result<Exit, Failure> {
    let (root, _) = Local::opening(options)?;
    let root = root.canonicalize().unwrap_or(root);
    let (sender, events) = channel();
    let failed =
        |error: notify::Error| Failure::new(format!("`{}` cannot be watched: {error}", root.display()));
    let mut watcher = notify::recommended_watcher(sender).map_err(failed)?;
    watcher.watch(&root, RecursiveMode::Recursive).map_err(failed)?;
    let mut watched = None;
    let mut changed: Option<BTreeSet<PathBuf>> = None;
    loop {
        let start = Instant::now();
        let reopen = changed.as_ref().is_none_or(|paths| paths.iter().any(|p| p.ends_with(CONFIG_FILE)));
        if reopen || watched.is_none() {
            watched = match open(options.clone(), args, levels) {
                Ok(opened) => {
                    watch_outside(&mut watcher, &opened);
                    Some(opened)
                }
                // A configuration that is wrong while it is being written is no reason to go.
                Err(failure) if changed.is_some() => {
                    failure.print(format == Format::Json);
                    None
                }
                Err(failure) => return Err(failure),
            };
        } else if let (Some(watched), Some(paths)) = (&mut watched, &changed) {
            tell(watched, &root, paths);
        }
        if let Some(watched) = &mut watched {
            let project = &watched.local.project;
            let registry = watched.local.library.registry();
            match watched.session.check(project, registry, &watched.options) {
                Ok(report) => {
                    let took = start.elapsed();
                    present(common, args, format, project.files(), &report, &super::Said::default());
                    if !common.quiet {
                        eprintln!("checked {} files in {took:.1?}; waiting for changes", report.counts.files);
                    }
                }
                Err(error) => eprintln!("zester: {error}"),
            }
        }
        match wait(&events, &root) {
            Some(paths) => changed = Some(paths),
            None => return Err(Failure::new("the system no longer says which files change")),
        }
    }
}

fn open(options: LocalOptions, args: &CheckArgs, levels: &Levels) -> Result<Watched, Failure> {
    let (root, open) = Local::opening(&options)?;
    let disk = Arc::new(scope::sources(&root));
    let snapshot = Arc::new(Snapshot::new(disk.clone()));
    if let Some(failure) = scope::too_large(&disk) {
        return Err(failure);
    }
    let project = Arc::new(Project::open(snapshot.clone(), open)?);
    let paths = args.paths.iter().map(|path| relative(&root, path)).collect::<Result<_, _>>()?;
    let local = Local::with_project(project, root, options, zester_stdlib::Cancel::default());
    let options = CheckOptions { paths, levels: levels.clone() };
    Ok(Watched { local, snapshot, session: Session::new(), options })
}

/// Directories that the configuration names outside of the project are watched too, where they can be.
fn watch_outside(watcher: &mut RecommendedWatcher, watched: &Watched) {
    for dir in watched.local.project.outside() {
        let path = watched.local.root.join(dir);
        if let Err(error) = watcher.watch(&path, RecursiveMode::Recursive) {
            eprintln!("zester: changes in `{}` go unseen: {error}", path.display());
        }
    }
}

/// Makes the project read again what changed.
fn tell(watched: &Watched, root: &Path, paths: &BTreeSet<PathBuf>) {
    let project = &watched.local.project;
    let mut inside = Vec::new();
    for path in paths {
        match path.strip_prefix(root) {
            Ok(path) => inside.push(path.to_string_lossy().into_owned()),
            // A file outside has a path that begins with its directory as it is written in the configuration.
            Err(_) => project.forget_outside(),
        }
    }
    for path in &inside {
        project.forget_below(path);
    }
    watched.snapshot.changed(inside.iter().map(String::as_str));
}

/// The next paths that change; `None` when no more can be seen.
fn wait(events: &Receiver<notify::Result<notify::Event>>, root: &Path) -> Option<BTreeSet<PathBuf>> {
    let mut paths = BTreeSet::new();
    let mut first: Option<Instant> = None;
    loop {
        let event = match first {
            None => events.recv().ok()?,
            Some(at) if at.elapsed() > LONGEST_WAIT => return Some(paths),
            Some(_) => match events.recv_timeout(QUIET) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => return Some(paths),
                Err(RecvTimeoutError::Disconnected) => return None,
            },
        };
        match event {
            Ok(event) => {
                // The queue of the system overflowed: anything may have changed.
                if event.need_rescan() {
                    paths.insert(root.to_owned());
                }
                if !matches!(event.kind, EventKind::Access(_)) {
                    paths.extend(event.paths.into_iter().filter(|path| is_of_tree(path, root)));
                }
            }
            Err(error) => eprintln!("zester: {error}"),
        }
        if first.is_none() && !paths.is_empty() {
            first = Some(Instant::now());
        }
    }
}

/// Whether a path may be of a tree: not one of version control, nor one that we write ourselves.
fn is_of_tree(path: &Path, root: &Path) -> bool {
    let inside = path.strip_prefix(root).unwrap_or(path);
    !inside.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        matches!(name.as_ref(), ".git" | ".hg" | ".svn") || name.starts_with(".zester-")
    })
}
