//! `zester check`

use crate::{
    options::{Common, Output},
    output::{Exit, Failure, print},
};
use clap::{Args, ValueEnum};
use std::{
    collections::BTreeMap,
    io::{IsTerminal, Read},
    path::Path,
    sync::Arc,
};
use zester_compiler::{
    check::{CheckOptions, check},
    diagnostic::{self, Levels, Severity},
    project::{OpenOptions, Project},
    source::{DiskSources, SourceError, Sources},
};
use zester_executor::local::Local;

/// Is it right? Reads every file of the project, or the given ones and what they reach, on every branch of every
/// template, and reports what is wrong. Runs nothing and needs no server.
///
/// Exit status: 0 no errors, 1 errors found, 2 nothing could be checked.
#[derive(Args)]
pub struct CheckArgs {
    /// Files or directories; the whole project without any. `-` reads a file from stdin.
    pub paths: Vec<String>,
    /// The form of the report.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// The path that the file on stdin stands for.
    #[arg(long, value_name = "FILE")]
    pub stdin_filename: Option<String>,
    /// Sets a rule's level: CODE=allow|hint|warn|deny. Repeatable.
    #[arg(long, value_name = "CODE=LEVEL")]
    pub level: Vec<String>,
    /// Shows at most so many findings.
    #[arg(long, value_name = "N")]
    pub max: Option<usize>,
    /// Ends with a table of the rules that found something.
    #[arg(long)]
    pub statistics: bool,
}

/// Forms of the report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// The author's lines with the places marked.
    Human,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Annotations of GitHub workflows.
    Github,
    /// One line per finding.
    Short,
}

/// A tree with one file replaced by what an editor holds.
struct Overlay {
    below: DiskSources,
    path: String,
    text: Arc<[u8]>,
}

impl Sources for Overlay {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        if path == self.path { Ok(self.text.clone()) } else { self.below.read(path) }
    }

    fn is_file(&self, path: &str) -> bool {
        path == self.path || self.below.is_file(path)
    }

    fn is_dir(&self, path: &str) -> bool {
        self.below.is_dir(path)
    }

    fn files_below(&self, path: &str) -> Vec<String> {
        let mut files = self.below.files_below(path);
        let inside = path.is_empty() || self.path.starts_with(&format!("{}/", path.trim_end_matches('/')));
        if inside && !files.contains(&self.path) {
            files.push(self.path.clone());
            files.sort();
        }
        files
    }
}

/// Runs the command.
pub fn run(common: &Common, args: &CheckArgs) -> Result<Exit, Failure> {
    let format =
        args.format.unwrap_or(if common.output == Output::Text { Format::Human } else { Format::Json });
    let mut levels = Levels::new();
    for level in &args.level {
        let (rule, word) = level
            .split_once('=')
            .ok_or_else(|| Failure::new(format!("`--level {level}`: expected CODE=LEVEL")))?;
        levels.set(rule, word).map_err(|e| Failure::new(format!("`--level {level}`: {e}")))?;
    }
    let mut local_options = common.local(true);
    // A path that names .sls files says that they are to be read.
    if args.paths.iter().any(|p| has_sls(Path::new(p))) {
        local_options.extensions.push("sls".to_owned());
    }
    let local = Local::open(local_options.clone(), zester_stdlib::Cancel::default())?;
    let root = local.root.clone();
    let mut paths = Vec::new();
    let mut project = local.project.clone();
    for path in &args.paths {
        if path == "-" {
            let name = args.stdin_filename.clone().ok_or_else(|| {
                Failure::new("`-` needs --stdin-filename FILE, the path the text stands for")
            })?;
            let name = relative(&root, &name)?;
            let mut text = Vec::new();
            std::io::stdin()
                .lock()
                .take(zester_compiler::source::MAX_SOURCE_BYTES)
                .read_to_end(&mut text)
                .map_err(|e| Failure::new(format!("stdin cannot be read: {e}")))?;
            let overlay = Overlay { below: DiskSources::new(&root), path: name.clone(), text: text.into() };
            let options = OpenOptions {
                extensions: local_options.extensions.clone(),
                outside: Some(Box::new(|dir| Arc::new(DiskSources::new(dir)))),
                ..OpenOptions::default()
            };
            project = Arc::new(Project::open(Arc::new(overlay), options)?);
            paths.push(name);
        } else {
            paths.push(relative(&root, path)?);
        }
    }
    let report = check(&project, local.library.registry(), &CheckOptions { paths, levels })
        .map_err(|e| Failure::new(e.to_string()))?;
    let files = project.files();
    let shown = &report.diagnostics[..report.diagnostics.len().min(args.max.unwrap_or(usize::MAX))];
    let text = match format {
        Format::Human => {
            let color = common.colored(std::io::stdout().is_terminal());
            let shown: Vec<_> =
                shown.iter().filter(|d| !common.quiet || d.severity == Severity::Error).cloned().collect();
            let mut text = diagnostic::human(&shown, files, color);
            if shown.len() < report.diagnostics.len() && !common.quiet {
                text.push_str(&format!("… and {} more\n", report.diagnostics.len() - shown.len()));
            }
            if !common.quiet {
                text.push_str(&diagnostic::summary(&report.diagnostics, report.counts.files));
                text.push('\n');
            }
            text
        }
        Format::Json => diagnostic::json(shown, files, report.counts) + "\n",
        Format::Sarif => diagnostic::sarif(shown, files) + "\n",
        Format::Github => diagnostic::github(shown, files),
        Format::Short => diagnostic::short(shown, files),
    };
    print(&text);
    if args.statistics {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for d in &report.diagnostics {
            *counts.entry((d.rule.code, d.rule.name)).or_default() += 1;
        }
        for ((code, name), count) in counts {
            eprintln!("{count:>6}  {code}  {name}");
        }
    }
    Ok(if report.has_errors() { Exit::Problems } else { Exit::Fine })
}

fn has_sls(path: &Path) -> bool {
    if path.is_file() {
        return path.extension().is_some_and(|e| e == "sls");
    }
    false
}

/// A path as the project knows it.
pub fn relative(root: &Path, path: &str) -> Result<String, Failure> {
    let here = std::env::current_dir()
        .map_err(|e| Failure::new(format!("the current directory cannot be read: {e}")))?;
    let root_real = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    for full in [here.join(path), root.join(path)] {
        let full = match full.canonicalize() {
            Ok(full) => full,
            // A file that is only in an editor: its directory is real.
            Err(_) => match (full.parent().map(Path::canonicalize), full.file_name()) {
                (Some(Ok(parent)), Some(name)) => parent.join(name),
                _ => continue,
            },
        };
        if let Ok(inside) = full.strip_prefix(&root_real) {
            return Ok(inside.to_string_lossy().into_owned());
        }
    }
    Err(Failure::new(format!("`{path}` does not exist in the project at `{}`", root.display())))
}
