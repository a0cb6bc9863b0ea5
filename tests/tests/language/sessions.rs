//! A check that is repeated after changes reports what a fresh one would, whatever the change.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};
use zester_compiler::{
    check::{CheckOptions, Session},
    diagnostic::{Diagnostic, json},
    project::{OpenOptions, Project},
    source::{MemorySources, Snapshot, SourceError, Sources},
    types::Registry,
};
use zester_tests::{archive, repository};

/// A tree that changes under its readers.
#[derive(Default)]
struct Changing(Mutex<BTreeMap<String, String>>);

impl Changing {
    fn memory(&self) -> MemorySources {
        let mut sources = MemorySources::new();
        for (path, text) in self.0.lock().unwrap().iter() {
            sources.insert(path, text);
        }
        sources
    }
}

impl Sources for Changing {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        self.memory().read(path)
    }

    fn is_file(&self, path: &str) -> bool {
        self.memory().is_file(path)
    }

    fn is_dir(&self, path: &str) -> bool {
        self.memory().is_dir(path)
    }

    fn files_below(&self, path: &str) -> Vec<String> {
        self.memory().files_below(path)
    }
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

fn library() -> &'static zester_stdlib::Library {
    static LIBRARY: OnceLock<zester_stdlib::Library> = OnceLock::new();
    LIBRARY.get_or_init(zester_stdlib::library)
}

fn report(project: &Project, session: &mut Session) -> String {
    let report = session.check(project, library().registry(), &CheckOptions::default()).unwrap();
    json(&report.diagnostics, project.files(), report.counts)
}

/// Begins a check that is given up after a few questions whether it is still wanted.
fn interrupted(project: &Arc<Project>, session: &mut Session, after: usize) {
    static REGISTRY: OnceLock<Arc<Registry>> = OnceLock::new();
    let registry = REGISTRY.get_or_init(|| Arc::new(library().registry().clone()));
    let asked = AtomicUsize::new(0);
    let interrupted = || asked.fetch_add(1, Ordering::Relaxed) >= after;
    let _ = session.check_indexed(project, registry, &CheckOptions::default(), None, &interrupted);
}

/// Every fixture and every tree, as files.
fn trees() -> Vec<(String, BTreeMap<String, String>)> {
    let mut trees = Vec::new();
    let mut fixtures: Vec<_> =
        fs::read_dir(repository().join("tests/fixtures/check")).unwrap().map(|e| e.unwrap().path()).collect();
    fixtures.sort();
    for path in fixtures {
        let files = archive::files(&fs::read_to_string(&path).unwrap(), "states/fixture.zy");
        trees.push((path.display().to_string(), files.into_iter().collect()));
    }
    let mut dirs: Vec<_> =
        fs::read_dir(repository().join("tests/fixtures/trees")).unwrap().map(|e| e.unwrap().path()).collect();
    dirs.sort();
    for dir in dirs {
        let disk = zester_compiler::source::DiskSources::new(&dir);
        let text = |path: &String| fs::read_to_string(dir.join(path)).ok();
        let files = disk.files_below("");
        let files = files.into_iter().filter_map(|path| Some((path.clone(), text(&path)?))).collect();
        trees.push((dir.display().to_string(), files));
    }
    trees
}

/// Changes one file of a tree, and says which.
fn change(
    files: &mut BTreeMap<String, String>,
    original: &BTreeMap<String, String>,
    dice: &mut Dice,
) -> String {
    let paths: Vec<String> = original.keys().filter(|path| !path.ends_with("zester.yaml")).cloned().collect();
    let path = paths[dice.below(paths.len())].clone();
    let current = files.get(&path).cloned().unwrap_or_default();
    let mut lines: Vec<String> = current.split_inclusive('\n').map(str::to_owned).collect();
    let at = dice.below(lines.len());
    match dice.below(8) {
        0 => drop(files.remove(&path)),
        1 => drop(files.insert(path.clone(), original[&path].clone())),
        2 => {
            let other = &original[&paths[dice.below(paths.len())]];
            files.insert(path.clone(), other.clone());
        }
        3 if !lines.is_empty() => {
            lines.remove(at);
            files.insert(path.clone(), lines.concat());
        }
        4 if !lines.is_empty() => {
            lines.insert(at, lines[dice.below(lines.len())].clone());
            files.insert(path.clone(), lines.concat());
        }
        5 => {
            let new =
                format!("{}/new{}.zy", path.rsplit_once('/').map_or("states", |(dir, _)| dir), dice.below(3));
            let other = original[&path].clone();
            files.insert(new.clone(), other);
            return new;
        }
        6 if !lines.is_empty() => {
            // A letter of a word, as when somebody types.
            let line = &mut lines[at];
            if let Some(place) = line.char_indices().map(|(n, _)| n).nth(dice.below(line.chars().count())) {
                line.insert(place, 'x');
            }
            files.insert(path.clone(), lines.concat());
        }
        _ => {
            let other = &original[&paths[dice.below(paths.len())]];
            let added: Vec<&str> = other.split_inclusive('\n').collect();
            lines.push(added.get(dice.below(added.len())).copied().unwrap_or_default().to_owned());
            files.insert(path.clone(), lines.concat());
        }
    }
    path
}

#[test]
fn a_session_reports_what_a_fresh_check_would() {
    let mut dice = Dice(1);
    for (name, original) in trees() {
        let changing = Arc::new(Changing(Mutex::new(original.clone())));
        let snapshot = Arc::new(Snapshot::new(changing.clone()));
        let project = Arc::new(Project::open(snapshot.clone(), OpenOptions::default()).unwrap());
        let mut session = Session::new();
        report(&project, &mut session);
        let rounds = if original.len() > 1 { 40 } else { 12 };
        let mut story = Vec::new();
        for _ in 0..rounds {
            let path = change(&mut changing.0.lock().unwrap(), &original, &mut dice);
            // What the configuration takes for granted is decided when the project is opened.
            if ["states/", "settings/"].iter().any(|dir| {
                original.keys().any(|p| p.starts_with(dir))
                    != changing.0.lock().unwrap().keys().any(|p| p.starts_with(dir))
            }) || original.contains_key("settings/top.zy") != changing.is_file("settings/top.zy")
            {
                break;
            }
            story.push(path.clone());
            project.forget(&path);
            snapshot.changed([path.as_str()]);
            // Looking at the file alone and checks that nobody waits for change nothing of what is found.
            if dice.below(2) == 0 {
                session.glance(&project, library().registry(), &path, &[]);
            }
            interrupted(&project, &mut session, dice.below(6));
            if dice.below(2) == 0 {
                session.glance(&project, library().registry(), &path, &[]);
                continue;
            }
            let repeated = report(&project, &mut session);
            // A root that is gone is an error of the configuration.
            let Ok(fresh_project) = Project::open(Arc::new(changing.memory()), OpenOptions::default()) else {
                break;
            };
            let fresh = report(&fresh_project, &mut Session::new());
            assert_eq!(repeated, fresh, "{name}, after changes of {story:?}");
        }
    }
}

/// A file's findings in a report.
fn of_file(found: &[Diagnostic], project: &Project, path: &str) -> Vec<Diagnostic> {
    found.iter().filter(|d| &*project.files().get(d.span.file).path == path).cloned().collect()
}

#[test]
fn a_glance_at_a_file_shows_what_the_check_found() {
    let registry = library().registry();
    let (mut same, mut typed) = (0, 0);
    for (name, original) in trees() {
        let changing = Arc::new(Changing(Mutex::new(original.clone())));
        let snapshot = Arc::new(Snapshot::new(changing.clone()));
        let project = Project::open(snapshot.clone(), OpenOptions::default()).unwrap();
        let mut session = Session::new();
        let mut last = session.check(&project, registry, &CheckOptions::default()).unwrap();
        for path in original.keys() {
            let before = of_file(&last.diagnostics, &project, path);
            let Some(glanced) = session.glance(&project, registry, path, &before) else { continue };
            assert_eq!(glanced, before, "{name}: {path}");
            same += 1;
            // A comment above everything moves what was found, whichever rule found it.
            let text = format!("# a comment\n{}", original[path]);
            changing.0.lock().unwrap().insert(path.clone(), text);
            project.forget(path);
            snapshot.changed([path.as_str()]);
            let glanced = session.glance(&project, registry, path, &before);
            let whole = session.check(&project, registry, &CheckOptions::default()).unwrap();
            if let Some(glanced) = glanced {
                let places = |found: &[Diagnostic]| -> Vec<_> {
                    found.iter().map(|d| (d.rule.code, d.span, d.message.clone())).collect()
                };
                let whole = of_file(&whole.diagnostics, &project, path);
                assert_eq!(places(&glanced), places(&whole), "{name}: {path} with a comment");
                typed += 1;
            }
            changing.0.lock().unwrap().insert(path.clone(), original[path].clone());
            project.forget(path);
            snapshot.changed([path.as_str()]);
            last = session.check(&project, registry, &CheckOptions::default()).unwrap();
        }
    }
    assert!(same > 100 && typed > 100, "{same} files, {typed} with a comment");
}
