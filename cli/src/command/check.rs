//! `zester check`

mod repair;
mod statistics;
mod watch;

use super::scope;
use crate::{
    known::{self, Known},
    options::{Common, Output},
    output::{Exit, Failure, print},
};
use clap::{Args, ValueEnum};
use std::{
    io::{IsTerminal, Read},
    path::Path,
    sync::Arc,
};
use zester_compiler::{
    check::{CheckOptions, Report, check, settle},
    diagnostic::{self, Levels, Severity},
    fleet,
    infer::reveal_at,
    project::{ConfigError, Project},
    source::{DiskSources, Files, Overlay},
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
    #[command(flatten)]
    pub known: Known,
    /// Shows at most so many findings.
    #[arg(long, value_name = "N")]
    pub max: Option<usize>,
    /// Prints the type of the expression at FILE:LINE:COLUMN instead of checking. Columns count characters, from 1.
    #[arg(long, value_name = "FILE:LINE:COL", conflicts_with_all = ["paths", "format", "statistics", "fix", "add_allow", "watch"])]
    pub reveal: Option<String>,
    /// With `--reveal`: tells what nobody can know (`any`) from what the checker does not know yet (`any?`).
    #[arg(long, requires = "reveal")]
    pub debug_types: bool,
    /// Ends with a table of the rules that found something, and of how much has a fix.
    #[arg(long)]
    pub statistics: bool,
    /// Applies the fixes that cannot change what a file means, writes the files, and reports what remains.
    #[arg(long)]
    pub fix: bool,
    /// With `--fix`: applies the fixes that need a person's eye too, such as renaming to the nearest name.
    #[arg(long = "unsafe", requires = "fix")]
    pub unsafe_too: bool,
    /// Writes a `zester: allow(CODE)` comment for everything that is found, and reports what remains.
    #[arg(long)]
    pub add_allow: bool,
    /// Stays, and checks again whenever a file changes. Ends with Ctrl-C.
    #[arg(long, conflicts_with_all = ["fix", "add_allow", "stdin_filename"])]
    pub watch: bool,
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

/// What is said beside the findings.
#[derive(Default)]
pub struct Said {
    /// Fixes applied, and files written.
    fixed: Option<(usize, usize)>,
    /// Findings allowed by new comments, and files written.
    allowed: Option<(usize, usize)>,
}

/// A project whose files can be laid over.
pub struct Opened {
    local: Local,
    overlay: Arc<Overlay>,
    disk: Arc<DiskSources>,
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
    let mut local_options = common.local_without_secrets()?;
    let shown = args.reveal.iter().filter_map(|place| place.split(':').next()).map(str::to_owned);
    scope::adapt(&mut local_options, &shown.chain(args.paths.iter().cloned()).collect::<Vec<_>>());
    if let Some(place) = &args.reveal {
        let local = Local::open(local_options, zester_stdlib::Cancel::default())?;
        return show_type(&local, place, args.debug_types, common.output != Output::Text);
    }
    if args.watch {
        if args.paths.iter().any(|path| path == "-") {
            return Err(Failure::new("`-` cannot be watched: stdin is read once"));
        }
        return watch::run(common, args, format, &levels, &local_options);
    }
    let (root, open) = Local::opening(&local_options)?;
    let disk = Arc::new(scope::sources(&root));
    let overlay = Arc::new(Overlay::new(disk.clone()));
    let paths = read_paths(args, &root, &overlay)?;
    let project = match Project::open(overlay.clone(), open) {
        Ok(project) => Arc::new(project),
        Err(error) => return wrong_configuration(format, error),
    };
    let local = Local::with_project(project, root, local_options, zester_stdlib::Cancel::default());
    let opened = Opened { local, overlay, disk };
    let options = CheckOptions { paths, levels };
    let mut said = Said::default();
    let mut report = if args.fix {
        repair::fix(&opened, &options, args.unsafe_too, &mut said)?
    } else {
        check(&opened.local.project, opened.local.library.registry(), &options)
            .map_err(|e| Failure::new(e.to_string()))?
    };
    if let Some(failure) = scope::too_large(&opened.disk) {
        return Err(failure);
    }
    if report.counts.files == 0
        && let Some(nothing) = scope::nothing_found(&opened.local.root, &args.paths)
    {
        return Err(nothing);
    }
    if args.add_allow {
        report = repair::add_allow(&opened, &options, &report, &mut said)?;
    }
    if args.known.asked(common) {
        add_fleet(common, args, &opened.local, &options, &mut report)?;
    }
    present(common, args, format, opened.local.project.files(), &report, &said);
    // The process ends now; taking thousands of trees apart first would only delay it.
    std::mem::forget(opened);
    Ok(if report.has_errors() { Exit::Problems } else { Exit::Fine })
}

/// What is wrong with `zester.yaml`, in the form of the report where that is for programs that read findings.
fn wrong_configuration(format: Format, error: ConfigError) -> Result<Exit, Failure> {
    let Some((found, files)) = error.diagnostics() else { return Err(error.into()) };
    match format {
        Format::Human | Format::Json => return Err(error.into()),
        Format::Sarif => print(&(diagnostic::sarif(found, files) + "\n")),
        Format::Github => print(&diagnostic::github(found, files)),
        Format::Short => print(&diagnostic::short(found, files)),
    }
    Ok(Exit::Usage)
}

/// The given paths as the project knows them; what stdin holds is laid over its path.
fn read_paths(args: &CheckArgs, root: &Path, overlay: &Overlay) -> Result<Vec<String>, Failure> {
    let mut paths = Vec::new();
    for path in &args.paths {
        if path != "-" {
            paths.push(relative(root, path)?);
            continue;
        }
        if args.fix || args.add_allow {
            return Err(Failure::new("a file from stdin cannot be written to"));
        }
        let name = args
            .stdin_filename
            .as_ref()
            .ok_or_else(|| Failure::new("`-` needs --stdin-filename FILE, the path the text stands for"))?;
        let name = relative(root, name)?;
        let mut text = Vec::new();
        std::io::stdin()
            .lock()
            .take(zester_compiler::source::MAX_SOURCE_BYTES)
            .read_to_end(&mut text)
            .map_err(|e| Failure::new(format!("stdin cannot be read: {e}")))?;
        overlay.set(&name, Some(&text));
        paths.push(name);
    }
    Ok(paths)
}

/// Prints a report in its form.
fn present(common: &Common, args: &CheckArgs, format: Format, files: &Files, report: &Report, said: &Said) {
    let shown = &report.diagnostics[..report.diagnostics.len().min(args.max.unwrap_or(usize::MAX))];
    let statistics = if args.statistics { statistics::table(&report.diagnostics) } else { String::new() };
    let text = match format {
        Format::Human => {
            let color = common.colored(std::io::stdout().is_terminal());
            let shown: Vec<_> =
                shown.iter().filter(|d| !common.quiet || d.severity == Severity::Error).cloned().collect();
            let mut text = diagnostic::human(&shown, files, color);
            if shown.len() < report.diagnostics.len() && !common.quiet {
                text.push_str(&format!("… and {} more\n", report.diagnostics.len() - shown.len()));
            }
            text.push_str(&statistics);
            if !common.quiet {
                text.push_str(&sentences(said));
                text.push_str(&diagnostic::summary(&report.diagnostics, report.counts.files));
                text.push('\n');
            }
            text
        }
        Format::Json => {
            with_additions(diagnostic::json(shown, files, report.counts), args, report, said) + "\n"
        }
        Format::Sarif => diagnostic::sarif(shown, files) + "\n",
        Format::Github => diagnostic::github(shown, files),
        Format::Short => diagnostic::short(shown, files),
    };
    print(&text);
    if matches!(format, Format::Sarif | Format::Github | Format::Short) {
        eprint!("{statistics}{}", if common.quiet { String::new() } else { sentences(said) });
    }
}

/// What `--fix` and `--add-allow` did.
fn sentences(said: &Said) -> String {
    let mut out = String::new();
    let many = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    if let Some((fixes, files)) = said.fixed {
        out.push_str(&format!(
            "applied {} in {}\n",
            many(fixes, "fix").replace("fixs", "fixes"),
            many(files, "file")
        ));
    }
    if let Some((findings, files)) = said.allowed {
        out.push_str(&format!("allowed {} in {}\n", many(findings, "finding"), many(files, "file")));
    }
    out
}

/// The document with what was asked for beside the findings.
fn with_additions(document: String, args: &CheckArgs, report: &Report, said: &Said) -> String {
    if !args.statistics && said.fixed.is_none() && said.allowed.is_none() {
        return document;
    }
    let Ok(serde_json::Value::Object(mut map)) = serde_json::from_str(&document) else { return document };
    if args.statistics {
        map.insert("statistics".to_owned(), statistics::document(&report.diagnostics));
    }
    if let Some((fixes, _)) = said.fixed {
        map.insert("fixed".to_owned(), fixes.into());
    }
    if let Some((findings, _)) = said.allowed {
        map.insert("allowed".to_owned(), findings.into());
    }
    serde_json::to_string(&map).unwrap_or(document)
}

/// `--reveal`
fn show_type(local: &Local, place: &str, debug: bool, as_json: bool) -> Result<Exit, Failure> {
    let malformed =
        || Failure::new(format!("`--reveal {place}`: expected FILE:LINE:COLUMN, both counted from 1"));
    let mut parts = place.rsplitn(3, ':');
    let mut number = || parts.next().and_then(|n| n.parse::<u32>().ok()).filter(|n| *n > 0);
    let (column, line) = (number().ok_or_else(malformed)?, number().ok_or_else(malformed)?);
    let path = relative(&local.root, parts.next().ok_or_else(malformed)?)?;
    let found = reveal_at(&local.project, local.library.registry(), &path, line, column)
        .map_err(|e| Failure::new(e.to_string()))?;
    let Some(found) = found else {
        return Err(Failure::new(format!("no template expression stands at {path}:{line}:{column}")));
    };
    let text = if debug { format!("{:#}", found.ty) } else { found.ty.to_string() };
    let file = local.project.files().get(found.span.file);
    let source = file.text.get(found.span.range()).unwrap_or_default();
    if as_json {
        let document = serde_json::json!({"format_version": "1.0", "expression": source, "type": text});
        print(&format!("{document}\n"));
    } else {
        print(&format!("{source}: {text}\n"));
    }
    Ok(Exit::Fine)
}

/// Adds what would fail for known peels.
fn add_fleet(
    common: &Common,
    args: &CheckArgs,
    local: &Local,
    options: &CheckOptions,
    report: &mut Report,
) -> Result<(), Failure> {
    let start = std::time::Instant::now();
    let project = &local.project;
    let peels = args.known.peels(common, project)?;
    let elsewhere = known::without_machine(project.clone(), local, common);
    let fleet = known::plans(&elsewhere, common, &peels, &[], false);
    let found = fleet::findings(&fleet, project, &peels, &report.diagnostics);
    report.diagnostics.extend(settle(project, &options.levels, found));
    let files = project.files();
    report
        .diagnostics
        .sort_by_cached_key(|d| (files.get(d.span.file).path.clone(), d.span.start, d.span.end));
    if !common.quiet {
        let plans = fleet.classes.len();
        eprintln!(
            "{} {}, {plans} different {}",
            peels.len(),
            if peels.len() == 1 { "peel" } else { "peels" },
            if plans == 1 { "plan" } else { "plans" }
        );
    }
    if args.statistics {
        let memory = peak_memory_mib().map(|m| format!(", {m} MiB at most")).unwrap_or_default();
        eprintln!("{:.3} s{memory}", start.elapsed().as_secs_f64());
    }
    // As with the trees: the process ends soon.
    std::mem::forget((fleet, peels));
    Ok(())
}

/// The most memory this process has had, in MiB, where the system says so.
fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
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
