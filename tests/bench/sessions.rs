//! How long a check of a whole tree takes: cold, repeated without a change, and after one edit.
//!
//! `cargo bench -p zester-stdlib --bench sessions -- DIRECTORY [EDITS]`; `tests/bench/tree.py DIRECTORY 6500` writes
//! a tree. Each edit changes one line of one file, as an editor would between two keystrokes, or adds a state or a key,
//! and is taken back with the next.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};
use zester_compiler::{
    check::{self, CheckOptions, Session},
    project::{OpenOptions, Project, TreeKind},
    source::{DiskSources, Snapshot, SourceError, Sources},
};

/// A disk with some files as an editor has them.
struct Edited {
    disk: DiskSources,
    texts: RwLock<HashMap<String, Arc<[u8]>>>,
}

impl Sources for Edited {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        if let Some(text) = self.texts.read().ok().and_then(|texts| texts.get(path).cloned()) {
            return Ok(text);
        }
        self.disk.read(path)
    }

    fn is_file(&self, path: &str) -> bool {
        self.disk.is_file(path)
    }

    fn is_dir(&self, path: &str) -> bool {
        self.disk.is_dir(path)
    }

    fn files_below(&self, path: &str) -> Vec<String> {
        self.disk.files_below(path)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let Some(root) = arguments.next().map(PathBuf::from) else {
        println!("sessions: no directory given, nothing measured");
        return Ok(());
    };
    let edits: usize = arguments.next().map_or(Ok(200), |count| count.parse())?;
    let library = zester_stdlib::library();
    let registry = library.registry();
    let options = CheckOptions::default();

    let mut cold = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let project = Project::open_dir(&root, OpenOptions::default())?;
        let report = check::check(&project, registry, &options)?;
        cold.push(start.elapsed());
        std::hint::black_box(&report);
    }
    print_times("cold, as from the command line", &mut cold);

    let edited = Arc::new(Edited { disk: DiskSources::new(&root), texts: RwLock::default() });
    let start = Instant::now();
    let snapshot = Arc::new(Snapshot::new(edited.clone()));
    let project = Project::open(snapshot.clone(), OpenOptions::default())?;
    let mut session = Session::new();
    let report = session.check(&project, registry, &options)?;
    println!(
        "{} files, {} findings; first check of a session {:?}",
        report.counts.files,
        report.diagnostics.len(),
        start.elapsed()
    );

    let mut again = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        std::hint::black_box(session.check(&project, registry, &options)?);
        again.push(start.elapsed());
    }
    print_times("again, nothing changed", &mut again);

    let edits_of = [
        ("state", TreeKind::States, None),
        ("settings", TreeKind::Settings, None),
        (
            "state, which gets a state more or less",
            TreeKind::States,
            Some("\nbench_more:\n  pkg.installed: []\n"),
        ),
        ("settings, which gets a key more or less", TreeKind::Settings, Some("\nbench_more: 1\n")),
    ];
    for (name, kind, more) in edits_of {
        let files: Vec<String> = project.sources_of(kind, "base").into_iter().map(|f| f.path).collect();
        let mut times = Vec::new();
        for edit in 0..edits {
            let Some(path) = files.get(edit * 7919 % files.len().max(1)) else { break };
            let (_, text) = project.read_text(path)?;
            // A letter more in the last word of the line nearest to the middle that ends with a word.
            let middle = text.len() / 2;
            let ends = text.match_indices('\n').map(|(at, _)| at);
            let words = ends.filter(|at| text[..*at].ends_with(|c: char| c.is_ascii_alphanumeric()));
            let at = words.min_by_key(|at| at.abs_diff(middle)).unwrap_or(text.len());
            let mut edited_text = text.to_string();
            match more {
                Some(more) => edited_text = format!("{}\n{more}", edited_text.trim_end()),
                None => edited_text.insert(at, 'x'),
            }
            for text in [edited_text, text.to_string()] {
                if let Ok(mut texts) = edited.texts.write() {
                    texts.insert(path.clone(), text.into_bytes().into());
                }
                let start = Instant::now();
                snapshot.changed([path.as_str()]);
                project.forget(path);
                std::hint::black_box(session.check(&project, registry, &options)?);
                times.push(start.elapsed());
            }
        }
        print_times(&format!("after one edit of a file: {name}"), &mut times);
    }
    Ok(())
}

fn print_times(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).or(times.last());
    if let (Some(median), Some(late), Some(slowest)) = (at(0.5), at(0.99), times.last()) {
        println!("{what}: median {median:?}, p99 {late:?}, slowest {slowest:?} ({} times)", times.len());
    }
}
