//! `zester migrate`

mod report;

use crate::{
    options::Common,
    output::{Exit, Failure, print},
};
use clap::Args;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use zester_compiler::{
    migrate::{Migration, migrate},
    project::{CONFIG_FILE, Project},
    source::DiskSources,
};
use zester_executor::local::{Local, LocalOptions};

/// Turns a Salt tree into a `.zy` tree in a new directory: `.sls` files get their new names, what names them is
/// changed with them, pillar becomes settings, and fixes that cannot change a meaning are applied. Comments and layout
/// stay as they are, and so does the plan. What needs a person is reported with its place.
///
/// States are looked for in `salt`, `states`, `srv/salt` or DIRECTORY itself, pillar in `pillar`, `settings` or
/// `srv/pillar`; --states and --settings name others.
///
/// Exit status: 0 the new tree passes `zester check`, 1 it has errors or parts were left out, 2 nothing was migrated.
#[derive(Args)]
pub struct MigrateArgs {
    /// The Salt tree. It is only read.
    pub directory: PathBuf,
    /// The new tree: a directory that does not exist yet, or is empty.
    #[arg(required_unless_present = "dry_run")]
    pub to: Option<PathBuf>,
    /// Writes nothing; shows what would be another.
    #[arg(long)]
    pub dry_run: bool,
}

/// Where states and pillar lie in a repository, the usual place first.
const STATES: &[&str] = &["salt", "states", "srv/salt", "salt/base", "srv/salt/base"];
const SETTINGS: &[&str] = &["pillar", "settings", "srv/pillar", "pillar/base", "srv/pillar/base"];

/// Runs the command.
pub fn run(common: &Common, args: &MigrateArgs) -> Result<Exit, Failure> {
    if !args.directory.is_dir() {
        return Err(Failure::new(format!("there is no directory `{}`", args.directory.display())));
    }
    let start = args
        .directory
        .canonicalize()
        .map_err(|e| Failure::new(format!("`{}` cannot be read: {e}", args.directory.display())))?;
    if let Some(to) = &args.to {
        is_free(to, &start)?;
    }
    let mut options = LocalOptions { project: Some(start.clone()), ..common.local_without_secrets()? };
    options.extensions.push("sls".to_owned());
    if !start.join(CONFIG_FILE).is_file() {
        let find = |places: &[&str]| {
            places.iter().map(|p| start.join(p)).find(|dir| has_file(dir)).into_iter().collect::<Vec<_>>()
        };
        // A tree may have a formula named `salt` at its top.
        let is_tree = ["top.sls", "FORMULA"].iter().any(|mark| start.join(mark).is_file());
        if options.states.is_empty() && !is_tree {
            options.states = find(STATES);
        }
        if options.states.is_empty() {
            options.states.push(start.clone());
        }
        if options.settings.is_empty() {
            options.settings = find(SETTINGS);
        }
    }
    // Files of roots elsewhere are found again by their paths.
    for dir in options.states.iter_mut().chain(&mut options.settings) {
        *dir = dir
            .canonicalize()
            .map_err(|_| Failure::new(format!("there is no directory `{}`", dir.display())))?;
    }
    let (root, open) = Local::opening(&options)?;
    let project = Arc::new(Project::open(Arc::new(DiskSources::new(&root)), open)?);
    let registry = Arc::new(zester_stdlib::library().registry().clone());
    let migration = migrate(&project, &registry).map_err(|e| Failure::new(e.to_string()))?;
    if let Some(to) = args.to.as_ref().filter(|_| !args.dry_run) {
        write(&migration, &root, to)?;
    }
    if common.json() {
        print(&(report::document(args, &migration).to_string() + "\n"));
    } else {
        if args.dry_run {
            print(&report::diff(&migration));
        }
        let text = report::text(args, &migration, common.quiet);
        if args.dry_run { eprint!("{text}") } else { print(&text) }
    }
    let whole = !migration.report.has_errors() && migration.notes.is_empty();
    Ok(if whole { Exit::Fine } else { Exit::Problems })
}

/// Whether a directory has `.sls` files at its top or one below: more than that is another layout.
fn has_file(dir: &Path) -> bool {
    let is_sls = |path: &Path| path.extension().is_some_and(|e| e == "sls");
    let entries = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    // Directories of environments hold a top file each, and are no tree together.
    let of_environments = dir.join("base/top.sls").is_file() && !dir.join("top.sls").is_file();
    !of_environments
        && entries(dir).any(|path| is_sls(&path) || path.is_dir() && entries(&path).any(|p| is_sls(&p)))
}

/// That nothing is written over, and the new tree does not become part of the old.
fn is_free(to: &Path, old: &Path) -> Result<(), Failure> {
    let shown = to.display();
    let is_there = to.symlink_metadata().is_ok();
    let is_empty = to.is_dir() && !to.is_symlink() && fs::read_dir(to).is_ok_and(|mut d| d.next().is_none());
    if is_there && !is_empty {
        return Err(Failure::new(format!("`{shown}` is there already; name a new directory")));
    }
    let parent = parent(to)?;
    let real = parent
        .canonicalize()
        .map_err(|e| Failure::new(format!("`{}` cannot be used: {e}", parent.display())))?;
    if real.starts_with(old) {
        return Err(Failure::new(format!(
            "`{shown}` lies in the tree that is migrated; name a directory outside of it"
        )));
    }
    Ok(())
}

fn parent(to: &Path) -> Result<PathBuf, Failure> {
    let full = std::path::absolute(to)
        .map_err(|e| Failure::new(format!("`{}` cannot be used: {e}", to.display())))?;
    full.parent()
        .map(Path::to_owned)
        .ok_or_else(|| Failure::new(format!("`{}` is no place for a tree", to.display())))
}

/// Writes the new tree beside its place, and puts it there whole.
fn write(migration: &Migration, root: &Path, to: &Path) -> Result<(), Failure> {
    let wrong = |path: &Path, error: std::io::Error| {
        Failure::new(format!("`{}` cannot be written: {error}", path.display()))
    };
    let parent = parent(to)?;
    let draft = tempfile::Builder::new()
        .prefix(".zester-migrate-")
        .tempdir_in(&parent)
        .map_err(|error| wrong(&parent, error))?;
    for file in &migration.files {
        let (old, new) = (root.join(&file.from), draft.path().join(&file.to));
        let directory = new.parent().unwrap_or(draft.path());
        fs::create_dir_all(directory).map_err(|error| wrong(directory, error))?;
        let written = match &file.change {
            // What is the same is copied: its bytes need not be text, nor fit into memory.
            None => fs::copy(&old, &new).map(drop),
            Some((_, text)) => fs::write(&new, text)
                .and_then(|()| fs::set_permissions(&new, fs::metadata(&old)?.permissions())),
        };
        written.map_err(|error| {
            Failure::new(format!("`{}` cannot be copied to `{}`: {error}", old.display(), file.to))
        })?;
    }
    fs::set_permissions(draft.path(), fs::Permissions::from_mode(0o755))
        .map_err(|error| wrong(draft.path(), error))?;
    // A directory that is not empty refuses this, so what came in the meantime is not written over.
    fs::rename(draft.path(), to).map_err(|error| wrong(to, error))?;
    // There is nothing left to remove.
    let _ = draft.keep();
    Ok(())
}
