//! Parses every file named (directories are walked for `.sls`, `.zy` and `.jinja` files) and prints how fast, and
//! how many were understood. `--list` names the files that were not, and what was reported.

use std::{path::PathBuf, sync::Arc, time::Instant};
use zester_compiler::{source::FileId, syntax::parse};

fn main() {
    let mut list = false;
    let mut pending: Vec<PathBuf> = Vec::new();
    for argument in std::env::args().skip(1) {
        if argument == "--list" {
            list = true;
        } else {
            pending.push(argument.into());
        }
    }
    let mut files: Vec<(PathBuf, Arc<str>)> = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
        } else if path.extension().is_some_and(|e| e == "sls" || e == "zy" || e == "jinja")
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            files.push((path, text.into()));
        }
    }
    files.sort();
    let mut times = Vec::with_capacity(files.len());
    let (mut structural, mut clean, mut bytes) = (0, 0, 0);
    for (path, text) in &files {
        let start = Instant::now();
        let tree = parse(FileId(0), text);
        times.push(start.elapsed());
        bytes += text.len();
        structural += usize::from(tree.opaque.is_none());
        let errors: Vec<_> = tree.diagnostics.iter().filter(|d| d.is_error()).collect();
        clean += usize::from(errors.is_empty());
        if list {
            let line = |offset: u32| text[..offset as usize].matches('\n').count() + 1;
            for error in &errors {
                println!(
                    "{}:{}: {} {}",
                    path.display(),
                    line(error.span.start),
                    error.rule.code,
                    error.message
                );
            }
            if let Some(opaque) = &tree.opaque {
                println!("{}:{}: opaque: {}", path.display(), line(opaque.span.start), opaque.reason);
            }
        }
    }
    let total: std::time::Duration = times.iter().sum();
    times.sort();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    println!(
        "{} files, {bytes} bytes in {total:?}; median {:?}, p99 {:?}, slowest {:?}; structural {structural}, without errors {clean}",
        files.len(),
        at(0.5),
        at(0.99),
        times.last().copied().unwrap_or_default()
    );
}
