//! `zester fmt`

use super::check::relative;
use crate::{
    options::{Common, Output},
    output::{Exit, Failure, print},
    write,
};
use clap::Args;
use std::{collections::BTreeMap, io::Read, path::Path, sync::Arc};
use zester_compiler::{
    diagnostic::apply,
    format::{Layout, Untouched, format},
    project::{Project, TreeKind},
    source::{DiskSources, Files, MAX_SOURCE_BYTES, Overlay, Span},
    syntax::{Tree, parse},
};
use zester_executor::local::Local;

/// Brings state, settings and top files into the one layout: two blanks for each level, one blank inside the braces
/// of tags, one blank line between states. Comments, quotes, texts and the meaning of each file stay as they are; a
/// file with an error of syntax is left alone and named.
///
/// Exit status: 0 all files have the layout (now), 1 some do not (`--check`) or could not be understood.
#[derive(Args)]
pub struct FmtArgs {
    /// Files or directories; the whole project without any. `-` reads a file from stdin and writes it to stdout.
    pub paths: Vec<String>,
    /// Writes nothing; names the files that do not have the layout, and ends with 1 if there are any.
    #[arg(long)]
    pub check: bool,
    /// Writes nothing; shows what would change.
    #[arg(long)]
    pub diff: bool,
    /// The path that the file on stdin stands for.
    #[arg(long, value_name = "FILE")]
    pub stdin_filename: Option<String>,
}

/// A file that is left alone.
struct Left {
    path: String,
    line: u32,
    column: u32,
    reason: String,
    /// It has an error, and is not only of a kind that nobody can format.
    wrong: bool,
}

#[derive(Default)]
struct Outcome {
    files: usize,
    changed: Vec<String>,
    left: Vec<Left>,
}

/// Runs the command.
pub fn run(common: &Common, args: &FmtArgs) -> Result<Exit, Failure> {
    if args.paths.iter().any(|path| path == "-") {
        return from_stdin(common, args);
    }
    let mut options = common.local(true);
    options.extensions.extend(
        args.paths
            .iter()
            .filter_map(|path| Path::new(path).extension().filter(|e| *e == "sls").map(|_| "sls".to_owned())),
    );
    let local = Local::open(options, zester_stdlib::Cancel::default())?;
    let project = &local.project;
    let mut outcome = Outcome::default();
    for (path, layout) in files(&local, &args.paths)? {
        outcome.files += 1;
        let tree = match project.tree(&path) {
            Ok(tree) => tree,
            Err(error) => {
                let reason = error.to_string();
                outcome.left.push(Left { path, line: 1, column: 1, reason, wrong: true });
                continue;
            }
        };
        let edits = match format(&tree, layout) {
            Ok(edits) => edits,
            Err(why) => {
                outcome.left.push(left(&path, &tree, why, project.files()));
                continue;
            }
        };
        if edits.is_empty() {
            continue;
        }
        let new = apply(&tree.text, &edits);
        if args.diff {
            print(&diff(&path, &tree.text, &new));
        }
        if !args.check && !args.diff {
            write::replace(&local.root.join(&path), &new)?;
        }
        outcome.changed.push(path);
    }
    Ok(tell(common, args, &outcome))
}

/// The files that some paths mean, with their layouts.
fn files(local: &Local, paths: &[String]) -> Result<BTreeMap<String, Layout>, Failure> {
    let project = &local.project;
    let mut all: BTreeMap<String, Layout> = BTreeMap::new();
    let environments: Vec<String> = project.environments().map(str::to_owned).collect();
    for env in &environments {
        for kind in [TreeKind::States, TreeKind::Settings] {
            for file in project.sources_of(kind, env) {
                // What lies outside is another project's.
                if !project.is_outside(&file.path) {
                    let layout = layout(kind, &file.tree_path);
                    all.entry(file.path).or_insert(layout);
                }
            }
        }
    }
    if paths.is_empty() {
        return Ok(all);
    }
    let mut wanted = BTreeMap::new();
    for given in paths {
        let path = relative(&local.root, given)?;
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let before = wanted.len();
        wanted.extend(
            all.iter().filter(|(p, _)| **p == path || p.starts_with(&below)).map(|(p, l)| (p.clone(), *l)),
        );
        if wanted.len() == before && !wanted.contains_key(&path) {
            let full = local.root.join(&path);
            if full.is_file() {
                // Named by its author, whatever its extension.
                let layout = layout_of(project, &path);
                wanted.insert(path, layout);
            } else if !full.is_dir() {
                return Err(Failure::new(format!("there is no file or directory `{given}`")));
            }
        }
    }
    Ok(wanted)
}

fn layout(kind: TreeKind, tree_path: &str) -> Layout {
    let name = tree_path.rsplit('/').next().unwrap_or(tree_path);
    let is_top = name.split('.').next() == Some("top");
    if kind == TreeKind::States && !is_top { Layout::States } else { Layout::Data }
}

fn layout_of(project: &Project, path: &str) -> Layout {
    project.locate(path).map_or(Layout::States, |(kind, _, tree_path)| layout(kind, &tree_path))
}

fn left(path: &str, tree: &Tree, why: Untouched, files: &Files) -> Left {
    let (span, reason, wrong): (Span, String, bool) = match why {
        Untouched::Wrong(error) => (error.span, error.message, true),
        Untouched::Opaque(opaque) => (opaque.span, opaque.reason, false),
    };
    let at = files.get(tree.file).position(span.start as usize);
    Left { path: path.to_owned(), line: at.line, column: at.column, reason, wrong }
}

fn diff(path: &str, old: &str, new: &str) -> String {
    similar::TextDiff::from_lines(old, new).unified_diff().header(path, path).to_string()
}

/// Says what was done, and how the command ends.
fn tell(common: &Common, args: &FmtArgs, outcome: &Outcome) -> Exit {
    if common.output != Output::Text {
        let left: Vec<_> = outcome
            .left
            .iter()
            .map(|l| {
                serde_json::json!({"file": l.path, "line": l.line, "column": l.column, "reason": l.reason})
            })
            .collect();
        let document = serde_json::json!({
            "format_version": "1.0", "files": outcome.files, "changed": outcome.changed, "untouched": left,
        });
        print(&format!("{document}\n"));
    } else {
        if args.check && !args.diff {
            for path in &outcome.changed {
                print(&format!("{path}\n"));
            }
        }
        for l in &outcome.left {
            eprintln!("{}:{}:{}: left as it is: {}", l.path, l.line, l.column, l.reason);
        }
        if !common.quiet {
            let verb = if args.check || args.diff { "would change" } else { "changed" };
            eprintln!("{} of {} files {verb}", outcome.changed.len(), outcome.files);
        }
    }
    let unlike = args.check && !outcome.changed.is_empty();
    if unlike || outcome.left.iter().any(|l| l.wrong) { Exit::Problems } else { Exit::Fine }
}

/// One file from stdin to stdout. What cannot be formatted is written as it came.
fn from_stdin(common: &Common, args: &FmtArgs) -> Result<Exit, Failure> {
    if args.paths.len() > 1 {
        return Err(Failure::new("`-` stands alone: a file from stdin is written to stdout"));
    }
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_SOURCE_BYTES)
        .read_to_string(&mut text)
        .map_err(|e| Failure::new(format!("stdin cannot be read: {e}")))?;
    let name = args.stdin_filename.clone().unwrap_or_else(|| "stdin.zy".to_owned());
    let layout = match &args.stdin_filename {
        None => Layout::States,
        Some(name) => {
            let (root, open) = Local::opening(&common.local(true))?;
            let sources = Overlay::new(Arc::new(DiskSources::new(&root)));
            let project = Project::open(Arc::new(sources), open)?;
            relative(&root, name).map_or(Layout::States, |path| layout_of(&project, &path))
        }
    };
    let files = Files::new();
    let text: Arc<str> = text.into();
    let tree = parse(files.add(&name, text.clone()), &text);
    let (new, left) = match format(&tree, layout) {
        Ok(edits) => (apply(&text, &edits), None),
        Err(why) => (text.to_string(), Some(left(&name, &tree, why, &files))),
    };
    let changed = new != *text;
    match (args.diff, args.check) {
        (true, _) if changed => print(&diff(&name, &text, &new)),
        (true, _) => {}
        (false, true) if changed => print(&format!("{name}\n")),
        (false, true) => {}
        (false, false) => print(&new),
    }
    if let Some(l) = &left {
        eprintln!("{}:{}:{}: left as it is: {}", l.path, l.line, l.column, l.reason);
    }
    let problems = args.check && changed || left.is_some_and(|l| l.wrong);
    Ok(if problems { Exit::Problems } else { Exit::Fine })
}
