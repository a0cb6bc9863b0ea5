//! Facts of the site's own: YAML and JSON files and executables in `facts.d` directories.
//!
//! A file holds, and an executable prints, a map; each key is a fact. What one of them gets wrong is reported and
//! does not keep the others out.

use crate::{
    Cancel,
    provider::{Command, Commands},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use zester_compiler::types::{Facts, Map, Value};

/// Seconds an executable may take.
const TIMEOUT: f64 = 10.0;

/// Most bytes of a file or of an executable's output.
const MAX_BYTES: usize = 1024 * 1024;

/// What was found, and what was wrong with it.
#[derive(Debug, Default)]
pub struct CustomFacts {
    /// The facts.
    pub values: Map,
    /// Files that could not be used: full sentences that name them.
    pub problems: Vec<String>,
}

/// The directories that are read: the project's own `facts.d`, then the machine's, which wins.
pub fn directories(project: &Path) -> Vec<PathBuf> {
    vec![project.join("facts.d"), PathBuf::from("/etc/zester/facts.d")]
}

/// Reads `facts.d` directories, in order; a later fact of the same name wins. Built-in names are refused.
pub fn collect_custom(
    facts: &mut Facts,
    directories: &[PathBuf],
    commands: &dyn Commands,
    cancel: &Cancel,
) -> CustomFacts {
    let mut found = CustomFacts::default();
    for directory in directories {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            match read(&path, commands, cancel) {
                Ok(None) => {}
                Ok(Some(map)) => {
                    for (name, value) in map {
                        match facts.insert_custom(&name, value.clone()) {
                            Ok(()) => {
                                found.values.insert(name, value);
                            }
                            Err(error) => found.problems.push(format!("{}: {error}", path.display())),
                        }
                    }
                }
                Err(problem) => found.problems.push(format!("{}: {problem}", path.display())),
            }
        }
    }
    found
}

/// The map of a file; `None` for what is no fact file (a README, a backup).
fn read(path: &Path, commands: &dyn Commands, cancel: &Cancel) -> Result<Option<Map>, String> {
    let meta = fs::metadata(path).map_err(|error| error.to_string())?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !meta.is_file() || name.starts_with('.') || name.ends_with('~') {
        return Ok(None);
    }
    let data = matches!(path.extension().and_then(|e| e.to_str()), Some("yaml" | "yml" | "json"));
    let text = if data {
        if meta.len() > MAX_BYTES as u64 {
            return Err(format!("the file has {} bytes; at most {MAX_BYTES} are read", meta.len()));
        }
        fs::read_to_string(path).map_err(|error| error.to_string())?
    } else if meta.permissions().mode() & 0o111 != 0 {
        // What anybody may change must not run with this process's rights.
        if meta.permissions().mode() & 0o002 != 0 {
            return Err("it is writable by everybody, so it is not run; remove that permission".to_owned());
        }
        run(path, commands, cancel)?
    } else {
        return Ok(None);
    };
    match zester_compiler::project::read_yaml(&text)? {
        Value::Map(map) => Ok(Some(map)),
        Value::Null => Ok(None),
        other => Err(format!("it gives {}, where a map of facts is expected", other.describe())),
    }
}

fn run(path: &Path, commands: &dyn Commands, cancel: &Cancel) -> Result<String, String> {
    let program = path.to_str().ok_or("its name is not UTF-8")?;
    let mut command = Command::new(program, std::iter::empty::<String>());
    command.timeout = Some(TIMEOUT);
    command.output_limit = MAX_BYTES;
    let output = commands.run(&command, cancel).map_err(|error| format!("it could not be run: {error}"))?;
    if output.timed_out {
        return Err(format!("it took more than {TIMEOUT} seconds"));
    }
    if !output.success() {
        let words = output.stderr.trim();
        let words = words.lines().last().unwrap_or_default();
        return Err(format!("it exited with {}: {words}", output.status));
    }
    Ok(output.stdout)
}
