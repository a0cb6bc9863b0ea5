//! `file.recurse`

use super::{
    attributes::{Attributes, FileMode},
    backup::Backup,
    desired::Desired,
    diff::Show,
    directory::listed,
    path,
    select::{self, Patterns},
    template,
};
use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    provider::FileKind,
    source::{self, Location, Verify},
};
use std::{collections::BTreeSet, sync::Arc};
use zester_compiler::types::{Group, Map, Path, User, Value};
use zester_stdlib_derive::Arguments;

/// Copies a directory of the state tree (or of the machine) to the machine.
#[derive(Arguments)]
#[state("file.recurse", any_of("source"))]
pub(crate) struct Recurse {
    /// The directory's path on the machine.
    #[arg(primary, alias = "path")]
    name: Path,
    /// The directory it is copied from: `zester://` (or `salt://`), or an absolute path. Of a list the first that
    /// exists is taken.
    #[arg(ty = Type::List(Box::new(Type::Source)))]
    source: Vec<Value>,
    /// Whether files that the source does not have are removed.
    #[arg(default = false)]
    clean: bool,
    /// Owner of files and directories.
    user: Option<User>,
    /// Group of files and directories.
    group: Option<Group>,
    /// Permission bits of directories.
    dir_mode: Option<FileMode>,
    /// Permission bits of files; `keep` takes those of the source.
    file_mode: Option<FileMode>,
    /// Renders each file as a template: `jinja`.
    #[arg(ty = Type::Template)]
    template: Option<Value>,
    /// Variables of the templates.
    context: Map,
    /// Variables of the templates where `context` has none of that name.
    defaults: Map,
    /// Whether existing files are replaced.
    #[arg(default = true)]
    replace: bool,
    /// Whether empty directories are made, where the source is a directory of the machine (a state tree has none).
    #[arg(default = false)]
    include_empty: bool,
    /// Keeps copies of the old files: `minion`, or a suffix.
    backup: Backup,
    /// Only what matches is copied: globs, or regular expressions after `E@`, on the path below the source.
    include_pat: Vec<String>,
    /// What matches is neither copied nor cleaned.
    exclude_pat: Vec<String>,
    /// How many directories deep; without it all the way.
    #[arg(alias = "max_depth")]
    maxdepth: Option<usize>,
    /// Whether links are copied as links, where the source is a directory of the machine.
    #[arg(default = false)]
    keep_symlinks: bool,
    /// Whether a file in the place of a link is removed.
    #[arg(default = false)]
    force_symlinks: bool,
    /// Whether the differences are shown.
    #[arg(default = true)]
    show_changes: bool,
    /// Permission bits.
    #[arg(inert = "files and directories have bits of their own: `file_mode` and `dir_mode`")]
    mode: Option<FileMode>,
    /// Environment of the state tree, where it is not the state's own.
    #[arg(alias = "env")]
    saltenv: Option<String>,
    /// Whether copies of the sources are kept.
    #[arg(inert = "sources are read where they are")]
    keep_source: Option<bool>,
    /// Permission bits of links.
    #[arg(inert = "a symbolic link has no mode")]
    sym_mode: Option<String>,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_owner: Option<String>,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_perms: Option<Value>,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_deny_perms: Option<Value>,
    /// Windows only.
    #[arg(inert = "Windows only")]
    win_inheritance: Option<bool>,
}

/// What the source holds; paths relative to it.
#[derive(Default)]
struct Tree {
    files: Vec<String>,
    directories: Vec<String>,
    /// Path and target.
    links: Vec<(String, String)>,
}

impl State for Recurse {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let sources = source::candidates(&self.source);
        let verify = Verify { env: self.saltenv.clone(), ..Verify::default() };
        let (location, candidate) = source::choose(cx, &sources, &verify)?;
        let tree = self.chosen(self.list(cx, &location, &candidate.text)?)?;
        let owner = Attributes::resolve(cx, self.user.as_deref(), self.group.as_deref(), None)?;
        if path::stat(cx, &target, true)?.is_some_and(|s| s.kind != FileKind::Directory) {
            return Err(Failure::new(format!("`{target}` exists and is not a directory")));
        }
        let mut steps: Vec<(String, Plan<'static>)> = Vec::new();
        for relative in self.directories(&tree) {
            let at = if relative.is_empty() { target.clone() } else { path::join(&target, &relative) };
            if let Some(step) = self.plan_directory(cx, &at, &owner)? {
                steps.push((at, step));
            }
        }
        for relative in &tree.files {
            let at = path::join(&target, relative);
            let step = self.plan_file(cx, &at, &location, relative, &owner)?;
            if step.apply.is_some() {
                steps.push((at, step));
            }
        }
        for (relative, text) in &tree.links {
            let at = path::join(&target, relative);
            if let Some(step) = self.plan_link(cx, &at, text)? {
                steps.push((at, step));
            }
        }
        if self.clean && path::is_directory(cx, &target)? {
            let kept = kept(&target, &tree);
            let exclude = Patterns::new(&self.exclude_pat)?;
            for extra in select::extras(cx, &target, &exclude, &|path| kept.contains(path))? {
                let changes =
                    Changes::from_iter([("removed".to_owned(), change(extra.as_str(), Value::Null))]);
                let gone = extra.clone();
                let step = Plan::change(changes, "", move |cx| {
                    select::remove(cx, &gone)?;
                    Ok(Outcome::default())
                });
                steps.push((extra, step));
            }
        }
        if steps.is_empty() {
            return Ok(Plan::unchanged(format!("The directory `{target}` is in the correct state")));
        }
        let comment = format!("The directory `{target}` is updated in {} places", steps.len());
        let (mut shown, mut work) = (Vec::new(), Vec::new());
        for (at, step) in steps {
            shown.push((at, Value::Map(step.changes)));
            work.extend(step.apply);
        }
        let changes = listed(shown);
        let all = changes.clone();
        Ok(Plan::change(changes, comment, move |cx| {
            for (index, apply) in work.into_iter().enumerate() {
                apply(cx).map_err(|failure| {
                    // What was done before the failure stays done, and is said.
                    let done = all.iter().take(index).map(|(k, v)| (k.clone(), v.clone())).collect();
                    failure.with_changes(done)
                })?;
            }
            Ok(Outcome::default())
        }))
    }
}

impl Recurse {
    fn list(&self, cx: &Context, location: &Location, text: &str) -> Result<Tree, Failure> {
        let mut tree = Tree::default();
        match location {
            Location::Tree { env, path } => {
                tree.files = cx.tree.files_below(env, path);
                if tree.files.is_empty() {
                    let what =
                        if cx.tree.is_file(env, path) { "is a file" } else { "does not exist or is empty" };
                    return Err(Failure::new(format!(
                        "The source directory `{text}` {what} in the state tree of `{env}`"
                    )));
                }
            }
            Location::Machine(root) => {
                if !path::is_directory(cx, root)? {
                    return Err(Failure::new(format!(
                        "The source directory `{root}` does not exist on this machine"
                    )));
                }
                self.walk(cx, root, &mut tree)?;
            }
            Location::Web(_) => {
                return Err(Failure::new(format!(
                    "The source `{text}` is on the web, where there are no directories; use `archive.extracted`"
                )));
            }
        }
        Ok(tree)
    }

    fn walk(&self, cx: &Context, root: &str, tree: &mut Tree) -> Result<(), Failure> {
        let mut pending = vec![String::new()];
        while let Some(relative) = pending.pop() {
            let at = if relative.is_empty() { root.to_owned() } else { path::join(root, &relative) };
            if tree.files.len() + tree.directories.len() > select::MAX_ENTRIES
                || relative.matches('/').count() > 200
            {
                return Err(Failure::new(format!("`{root}` holds too much to be copied")));
            }
            for name in cx.machine.files.list(&at).map_err(|e| path::unreadable(&at, &e))? {
                let below = if relative.is_empty() { name.clone() } else { format!("{relative}/{name}") };
                let full = path::join(&at, &name);
                let link = path::stat(cx, &full, false)?.is_some_and(|s| s.kind == FileKind::Symlink);
                if link && self.keep_symlinks {
                    let text = cx.machine.files.read_link(&full).map_err(|e| path::unreadable(&full, &e))?;
                    tree.links.push((below, text));
                    continue;
                }
                match path::stat(cx, &full, true)?.map(|s| s.kind) {
                    // A link to a directory could lead round in a circle.
                    Some(FileKind::Directory) if !link => {
                        tree.directories.push(below.clone());
                        pending.push(below);
                    }
                    Some(FileKind::File) => tree.files.push(below),
                    _ => {}
                }
            }
        }
        tree.files.sort();
        tree.directories.sort();
        Ok(())
    }

    /// What of the source is copied.
    fn chosen(&self, mut tree: Tree) -> Result<Tree, Failure> {
        let include = Patterns::new(&self.include_pat)?;
        let exclude = Patterns::new(&self.exclude_pat)?;
        let wanted = |relative: &str| -> Result<bool, Failure> {
            let depth = relative.matches('/').count();
            Ok(self.maxdepth.is_none_or(|max| depth <= max)
                && (include.is_empty() || include.matches(relative)?)
                && !exclude.matches(relative)?)
        };
        let mut files = Vec::new();
        for file in tree.files {
            if wanted(&file)? {
                files.push(file);
            }
        }
        tree.files = files;
        let mut links = Vec::new();
        for link in tree.links {
            if wanted(&link.0)? {
                links.push(link);
            }
        }
        tree.links = links;
        let mut directories = Vec::new();
        for directory in tree.directories {
            if self.include_empty && wanted(&directory)? {
                directories.push(directory);
            }
        }
        tree.directories = directories;
        Ok(tree)
    }

    /// All directories that have to be there, parents first; the empty one is the target itself.
    fn directories(&self, tree: &Tree) -> BTreeSet<String> {
        let mut all = BTreeSet::from([String::new()]);
        let files = tree.files.iter().chain(tree.links.iter().map(|(path, _)| path));
        for file in files {
            let mut at = file.as_str();
            while let Some((parent, _)) = at.rsplit_once('/') {
                if !all.insert(parent.to_owned()) {
                    break;
                }
                at = parent;
            }
        }
        all.extend(tree.directories.iter().cloned());
        all
    }

    fn plan_directory(
        &self,
        cx: &Context,
        at: &str,
        owner: &Attributes,
    ) -> Result<Option<Plan<'static>>, Failure> {
        let wanted = owner.with_mode(self.dir_mode.and_then(FileMode::bits));
        let at = at.to_owned();
        match path::stat(cx, &at, true)? {
            Some(stat) if stat.kind == FileKind::Directory => {
                let changes = wanted.differences(cx, &stat);
                Ok((!changes.is_empty()).then(|| {
                    Plan::change(changes, "", move |cx| {
                        wanted.set(cx, &at, &stat, true)?;
                        Ok(Outcome::default())
                    })
                }))
            }
            Some(_) => Err(Failure::new(format!("`{at}` exists and is not a directory"))),
            None => {
                let parents = path::missing_parents(cx, &at, true)?;
                let mut changes = wanted.of_new();
                changes.insert("directory".to_owned(), change(Value::Null, "new"));
                let mode = wanted.mode.unwrap_or(0o755);
                Ok(Some(Plan::change(changes, "", move |cx| {
                    let made: Vec<String> = parents.into_iter().chain([at]).collect();
                    path::make_directories(cx, &made, &wanted.with_mode(Some(mode)))?;
                    Ok(Outcome::default())
                })))
            }
        }
    }

    fn plan_file(
        &self,
        cx: &Context,
        at: &str,
        location: &Location,
        relative: &str,
        owner: &Attributes,
    ) -> Result<Plan<'static>, Failure> {
        let exists = path::stat(cx, at, true)?.is_some();
        let mut mode = self.file_mode.and_then(FileMode::bits);
        let content = if exists && !self.replace {
            None
        } else {
            let (content, source_mode, name, env): (Arc<[u8]>, _, _, Arc<str>) = match location {
                Location::Tree { env, path } => {
                    let full =
                        if path.is_empty() { relative.to_owned() } else { format!("{path}/{relative}") };
                    (cx.tree.read(env, &full)?, cx.tree.mode(env, &full), full, env.clone())
                }
                Location::Machine(root) => {
                    let full = path::join(root, relative);
                    let mode = path::stat(cx, &full, true)?.map(|s| s.mode);
                    (super::desired::read(cx, &full)?.into(), mode, full, cx.env.clone())
                }
                Location::Web(url) => return Err(Failure::new(format!("`{url}` is no directory"))),
            };
            if self.file_mode == Some(FileMode::Keep) {
                mode = source_mode;
            }
            if template::wanted(self.template.as_ref())? {
                let text = template::Text { name: &name, env: &env, content: &content };
                Some(template::render(cx, &text, at, &self.defaults, &self.context)?)
            } else {
                Some(content.to_vec())
            }
        };
        let secret = cx.is_secret("context") || cx.is_secret("defaults");
        Desired {
            content,
            attributes: owner.with_mode(mode),
            makedirs: Some(0o755),
            backup: self.backup.clone(),
            show: match (secret, self.show_changes) {
                (true, _) => Show::Secret,
                (false, true) => Show::Diff,
                (false, false) => Show::Hidden,
            },
            ..Desired::content(at.to_owned(), Vec::new())
        }
        .plan(cx)
    }

    fn plan_link(&self, cx: &Context, at: &str, text: &str) -> Result<Option<Plan<'static>>, Failure> {
        let (at, text) = (at.to_owned(), text.to_owned());
        let mut old = Value::Null;
        let mut in_the_way = false;
        if let Some(stat) = path::stat(cx, &at, false)? {
            if stat.kind == FileKind::Symlink {
                let current = cx.machine.files.read_link(&at).map_err(|e| path::unreadable(&at, &e))?;
                if current == text {
                    return Ok(None);
                }
                old = current.into();
            } else if self.force_symlinks {
                in_the_way = true;
            } else {
                return Err(Failure::new(format!(
                    "`{at}` exists and is not a link; `force_symlinks: true` replaces it"
                )));
            }
        }
        let changes = Changes::from_iter([("target".to_owned(), change(old, text.as_str()))]);
        Ok(Some(Plan::change(changes, "", move |cx| {
            if in_the_way {
                select::remove(cx, &at)?;
            }
            cx.machine
                .files
                .symlink(&text, &at)
                .map_err(|e| Failure::new(format!("The link `{at}` cannot be made: {e}")))?;
            Ok(Outcome::default())
        })))
    }
}

/// Absolute paths that `clean` keeps: what is copied and the directories above it.
fn kept(target: &str, tree: &Tree) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    let links = tree.links.iter().map(|(path, _)| path);
    for relative in tree.files.iter().chain(&tree.directories).chain(links) {
        let mut at = path::join(target, relative);
        while at.len() > target.len() && kept.insert(at.clone()) {
            at = path::parent(&at).to_owned();
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{FileSystem, fake::FakeMachine};

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    fn tree() -> FakeMachine {
        let machine = FakeMachine::new();
        for (path, content) in [("app/a.conf", "A {{ x }}"), ("app/sub/b.conf", "B"), ("app/sub/c.pyc", "C")]
        {
            machine.tree.put(path, content);
        }
        machine
    }

    #[test]
    fn a_tree_is_copied_rendered_and_cleaned() {
        let machine = tree();
        machine.files.put("/srv/app/old/x", "");
        machine.files.put("/srv/app/log", "");
        let done = machine
            .converge::<Recurse>(&args(
                r#"{"name": "/srv/app", "source": ["salt://app"], "template": "jinja", "context": {"x": 1}, "clean": true,
                    "exclude_pat": ["*.pyc", "log"], "file_mode": "0640", "dir_mode": "0750"}"#,
            ))
            .unwrap();
        assert_eq!(machine.files.text("/srv/app/a.conf"), "A 1");
        assert_eq!(machine.files.list("/srv/app").unwrap(), ["a.conf", "log", "sub"]);
        assert_eq!(machine.files.list("/srv/app/sub").unwrap(), ["b.conf"]);
        assert_eq!(machine.files.stat("/srv/app/sub", true).unwrap().unwrap().mode, 0o750);
        assert_eq!(
            done.changes.keys().map(String::as_str).collect::<Vec<_>>(),
            ["/srv/app", "/srv/app/sub", "/srv/app/a.conf", "/srv/app/sub/b.conf", "/srv/app/old"]
        );
    }

    #[test]
    fn only_what_is_included_and_not_too_deep() {
        let machine = tree();
        machine
            .converge::<Recurse>(&args(
                r#"{"name": "/x", "source": ["salt://app"], "include_pat": ["E@c$"]}"#,
            ))
            .unwrap();
        assert_eq!(machine.files.list("/x/sub").unwrap(), ["c.pyc"]);
        machine
            .converge::<Recurse>(&args(r#"{"name": "/y", "source": ["salt://app"], "maxdepth": 0}"#))
            .unwrap();
        assert_eq!(machine.files.list("/y").unwrap(), ["a.conf"]);
    }

    #[test]
    fn a_missing_source_is_named() {
        let failure =
            tree().converge::<Recurse>(&args(r#"{"name": "/x", "source": ["salt://no"]}"#)).unwrap_err();
        assert!(failure.message.contains("`salt://no` does not exist or is empty"), "{}", failure.message);
    }

    #[test]
    fn on_a_real_disk_with_links_and_empty_directories() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::create_dir_all(from.join("empty")).unwrap();
        std::fs::write(from.join("f"), "x").unwrap();
        std::os::unix::fs::symlink("f", from.join("l")).unwrap();
        let json = format!(
            r#"{{"name": "{}", "source": ["{}"], "include_empty": true, "keep_symlinks": true, "file_mode": "keep"}}"#,
            to.display(),
            from.display()
        );
        machine.converge::<Recurse>(&args(&json)).unwrap();
        assert_eq!(std::fs::read_link(to.join("l")).unwrap().to_str(), Some("f"));
        assert!(to.join("empty").is_dir());
        assert_eq!(std::fs::read(to.join("f")).unwrap(), b"x");
    }
}
