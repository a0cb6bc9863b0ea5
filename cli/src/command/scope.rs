//! What `zester check` is asked to look at: which project the paths lie in, and whether a Salt tree is meant.

use crate::output::Failure;
use std::path::{Path, PathBuf};
use zester_compiler::{
    project::{CONFIG_FILE, Project},
    source::{DiskSources, MAX_UNDECLARED_FILES},
};
use zester_executor::local::LocalOptions;

/// Directories looked into for a first `.sls` file.
const MAX_DIRECTORIES: usize = 10_000;

/// Sets the project and the extensions that the paths of a command line ask for.
///
/// Paths outside of the project around the current directory belong to the one they lie in; so do all of them where
/// the current directory is no project, and something above the path says where one is. A path that names `.sls`
/// files says that they are to be read; so does a directory that has nothing else and no `zester.yaml`.
pub fn adapt(options: &mut LocalOptions, paths: &[String]) {
    let named: Vec<&Path> = paths.iter().filter(|p| *p != "-").map(Path::new).collect();
    if options.project.is_none() && options.states.is_empty() {
        options.project = elsewhere(&named);
    }
    let start = options.project.clone().unwrap_or_else(|| PathBuf::from("."));
    let root = if options.project.is_some() { start } else { Project::find_root(&absolute(&start)) };
    let bare_salt_tree = || {
        let roots = if options.states.is_empty() { std::slice::from_ref(&root) } else { &options.states[..] };
        !root.join(CONFIG_FILE).is_file()
            && roots.iter().any(|dir| has_files(dir, "sls"))
            && !roots.iter().any(|dir| has_files(dir, "zy"))
    };
    let sls = named.iter().any(|path| {
        if path.is_dir() { has_files(path, "sls") } else { path.extension().is_some_and(|e| e == "sls") }
    });
    if sls || (named.is_empty() && bare_salt_tree()) {
        options.extensions.push("sls".to_owned());
    }
}

/// The files of a project. A directory that no `zester.yaml` declares to be one may be a home directory or a disk.
pub fn sources(root: &Path) -> DiskSources {
    let is_declared = root.join(CONFIG_FILE).is_file();
    if is_declared { DiskSources::new(root) } else { DiskSources::limited(root, MAX_UNDECLARED_FILES) }
}

/// That a directory has more files than a project, so that nothing was checked.
pub fn too_large(sources: &DiskSources) -> Option<Failure> {
    sources.exceeded().then(|| {
        Failure::new(format!(
            "`{}` has more than {MAX_UNDECLARED_FILES} files, and no `{CONFIG_FILE}` says that it is a project: name \
             the project with `--project DIR`, or put a `{CONFIG_FILE}` at its top (an empty one does)",
            sources.root().display()
        ))
    })
}

/// That nothing was found to check, where directories were to be searched.
pub fn nothing_found(root: &Path, paths: &[String]) -> Option<Failure> {
    let searched: Vec<&str> = match paths {
        [] => vec![root.to_str().unwrap_or(".")],
        paths if paths.iter().all(|p| Path::new(p).is_dir()) => paths.iter().map(String::as_str).collect(),
        _ => return None,
    };
    let quoted: Vec<String> = searched.iter().map(|p| format!("`{p}`")).collect();
    Some(Failure::new(format!(
        "there is nothing to check in {}: no state, settings or template file is there",
        quoted.join(", ")
    )))
}

/// Names that tell the top of a tree where there is no `zester.yaml`.
const MARKS: [&str; 6] = ["states", "top.zy", "top.sls", ".git", "salt/top.sls", "FORMULA"];

/// The project of the paths, where it is not the one around the current directory.
fn elsewhere(paths: &[&Path]) -> Option<PathBuf> {
    let here = Project::find_root(&absolute(Path::new("."))).canonicalize().ok()?;
    let real: Vec<PathBuf> = paths.iter().map(|p| p.canonicalize()).collect::<Result<_, _>>().ok()?;
    let first = real.first()?;
    let directory = if first.is_dir() { first } else { first.parent()? };
    if !real.iter().any(|path| path.starts_with(&here)) {
        return Some(Project::find_root(directory));
    }
    let is_project =
        |dir: &Path| dir.join(CONFIG_FILE).is_file() || MARKS.iter().any(|m| dir.join(m).exists());
    if is_project(&here) {
        return None;
    }
    let below = directory.ancestors().take_while(|dir| *dir != here);
    let marked = below.into_iter().find(|dir| is_project(dir)).map(Path::to_owned);
    // The root of the file system is nobody's project: all of it would be read.
    let found = marked.or_else(|| here.parent().is_none().then(|| directory.to_owned()))?;
    real.iter().all(|path| path.starts_with(&found)).then_some(found)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether a file with an extension lies in or below a directory; hidden directories are passed over.
fn has_files(directory: &Path, extension: &str) -> bool {
    let mut pending = vec![directory.to_owned()];
    let mut left = MAX_DIRECTORIES;
    while let Some(directory) = pending.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !hidden && left > 0 {
                left -= 1;
                pending.push(entry.path());
            } else if kind.is_file() && entry.path().extension().is_some_and(|e| e == extension) {
                return true;
            }
        }
    }
    false
}
