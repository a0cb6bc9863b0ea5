//! A project: its configuration, its roots, and the files that refs name.
//!
//! Everything that reads a tree goes through a [`Project`]: the checker, lowering, rendering, the language server. It
//! keeps each file's text and tree by content, and may be shared between threads.

pub mod config;
mod inventory;
mod reference;
mod roots;
mod templates;

pub use config::{Config, ConfigError, EnvironmentRoots};
pub use inventory::{InventoryError, KnownPeel, inventory_below};
pub use reference::{Reference, ResolveError};
pub(crate) use roots::MODULE_DIRECTORIES;
pub use roots::{Root, TreeFile, TreeKind};
pub use templates::ProjectTemplates;

use crate::diagnostic::Rule;
use crate::modules::Module;
use crate::settings::Unseal;
use crate::source::{DiskSources, FileId, Files, SourceError, Sources};
use crate::syntax::{self, Tree};
use crate::types::Value;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

/// The name of the configuration file at a project's root.
pub const CONFIG_FILE: &str = "zester.yaml";

/// The environment of a tree that names none.
pub const BASE: &str = "base";

/// What a caller says beside the configuration.
#[derive(Default)]
pub struct OpenOptions {
    /// Roots of the state tree instead of the configured ones (`--states`).
    pub states: Vec<Root>,
    /// Roots of the settings tree instead of the configured ones (`--settings`).
    pub settings: Vec<Root>,
    /// Extensions that are read in addition (`sls` when a path names such a file).
    pub extensions: Vec<String>,
    /// The table files are entered into; a new one by default.
    pub files: Option<Arc<Files>>,
    /// Gives the files of a directory that the configuration names outside of the project. Without it such a
    /// directory is an error.
    pub outside: Option<Outside>,
    /// Opens sealed texts of the settings. Without it settings that need one are not complete.
    pub unseal: Option<Arc<dyn Unseal>>,
}

/// Gives the files of a directory by its path as written.
pub type Outside = Box<dyn Fn(&str) -> Arc<dyn Sources> + Send + Sync>;

/// A tree of states and settings, opened for reading.
pub struct Project {
    config: Config,
    sources: Arc<dyn Sources>,
    files: Arc<Files>,
    environments: Vec<roots::Environment>,
    extensions: Vec<String>,
    unseal: Option<Arc<dyn Unseal>>,
    texts: RwLock<HashMap<String, (FileId, Arc<str>)>>,
    trees: RwLock<HashMap<FileId, Arc<Tree>>>,
    modules: RwLock<HashMap<FileId, Arc<Module>>>,
}

impl Project {
    /// Opens the project whose root is the root of `sources`.
    pub fn open(sources: Arc<dyn Sources>, options: OpenOptions) -> Result<Self, ConfigError> {
        let files = options.files.unwrap_or_default();
        let config = Config::load(&*sources, &files)?;
        let mut extensions = config.extensions.clone();
        for extension in options.extensions {
            if !extensions.contains(&extension) {
                extensions.push(extension);
            }
        }
        let environments = roots::environments(
            &config,
            &sources,
            options.outside.as_ref(),
            (!options.states.is_empty()).then_some(options.states),
            (!options.settings.is_empty()).then_some(options.settings),
        )
        .map_err(|wrong| wrong.in_files(&files))?;
        Ok(Self {
            config,
            sources,
            files,
            environments,
            extensions,
            unseal: options.unseal,
            texts: RwLock::default(),
            trees: RwLock::default(),
            modules: RwLock::default(),
        })
    }

    /// Opens the project in a directory of this machine.
    pub fn open_dir(root: &Path, mut options: OpenOptions) -> Result<Self, ConfigError> {
        let start = root.to_owned();
        options
            .outside
            .get_or_insert_with(|| Box::new(move |dir| Arc::new(DiskSources::new(start.join(dir)))));
        Self::open(Arc::new(DiskSources::new(root)), options)
    }

    /// The directory that holds the project `start` lies in: the nearest one upward with a `zester.yaml`, else
    /// `start` itself.
    pub fn find_root(start: &Path) -> PathBuf {
        start.ancestors().find(|dir| dir.join(CONFIG_FILE).is_file()).unwrap_or(start).to_owned()
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The table of all files read so far.
    pub fn files(&self) -> &Arc<Files> {
        &self.files
    }

    /// Where the project's own files come from.
    pub fn sources(&self) -> &Arc<dyn Sources> {
        &self.sources
    }

    /// What opens sealed texts of the settings, where there is something.
    pub fn unseal(&self) -> Option<&dyn Unseal> {
        self.unseal.as_deref()
    }

    /// Names of the environments; `base` is always the first.
    pub fn environments(&self) -> impl Iterator<Item = &str> {
        self.environments.iter().map(|e| e.name.as_str())
    }

    /// Extensions of state and settings files, without dots.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// Roots of a tree, first wins; none for an unknown environment.
    pub fn roots(&self, kind: TreeKind, env: &str) -> &[Root] {
        self.environment(env).map_or(&[], |e| e.roots(kind))
    }

    fn environment(&self, env: &str) -> Option<&roots::Environment> {
        let name = if env.is_empty() { BASE } else { env };
        self.environments.iter().find(|e| e.name == name)
    }

    /// The bytes of a project path.
    pub fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        for root in self.environments.iter().flat_map(roots::Environment::all) {
            if let (Some(sources), Some(rest)) = (&root.outside, root.inner(path)) {
                return sources.read(rest);
            }
        }
        self.sources.read(path)
    }

    /// The text of a project path, read once and entered into [`Project::files`].
    pub fn read_text(&self, path: &str) -> Result<(FileId, Arc<str>), SourceError> {
        if let Some((id, text)) = self.texts.read().unwrap_or_else(|e| e.into_inner()).get(path) {
            return Ok((*id, text.clone()));
        }
        let bytes = self.read(path)?;
        let text: Arc<str> = std::str::from_utf8(&bytes)
            .map_err(|error| SourceError::NotText { path: path.to_owned(), offset: error.valid_up_to() })?
            .into();
        let id = self.files.add(path, text.clone());
        self.texts.write().unwrap_or_else(|e| e.into_inner()).insert(path.to_owned(), (id, text.clone()));
        Ok((id, text))
    }

    /// The tree of a project path, parsed once per content.
    pub fn tree(&self, path: &str) -> Result<Arc<Tree>, SourceError> {
        let (id, text) = self.read_text(path)?;
        if let Some(tree) = self.trees.read().unwrap_or_else(|e| e.into_inner()).get(&id) {
            return Ok(tree.clone());
        }
        // Two threads may parse the same file once each; the first result stays, so that all share one tree.
        let tree = Arc::new(syntax::parse(id, &text));
        Ok(self.trees.write().unwrap_or_else(|e| e.into_inner()).entry(id).or_insert(tree).clone())
    }

    /// The custom module of a project path, parsed once per content.
    pub fn module(&self, path: &str) -> Result<(FileId, Arc<Module>), SourceError> {
        let (id, text) = self.read_text(path)?;
        if let Some(module) = self.modules.read().unwrap_or_else(|e| e.into_inner()).get(&id) {
            return Ok((id, module.clone()));
        }
        let module = Arc::new(Module::read(id, &text));
        Ok((id, self.modules.write().unwrap_or_else(|e| e.into_inner()).entry(id).or_insert(module).clone()))
    }

    /// Forgets what was read of a path and of all below it (`""` for everything), after it changed.
    pub fn forget_below(&self, path: &str) {
        let inside = |known: &str| {
            path.is_empty()
                || known.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.forget_where(&inside);
    }

    /// Forgets what was read of files outside of the project.
    pub fn forget_outside(&self) {
        self.forget_where(&|path| self.is_outside(path));
    }

    fn forget_where(&self, gone: &dyn Fn(&str) -> bool) {
        let known: Vec<String> = {
            let texts = self.texts.read().unwrap_or_else(|e| e.into_inner());
            texts.keys().filter(|path| gone(path)).cloned().collect()
        };
        for path in known {
            self.forget(&path);
        }
    }

    /// Forgets what was read of a path, after it changed.
    pub fn forget(&self, path: &str) {
        let known = self.texts.write().unwrap_or_else(|e| e.into_inner()).remove(path);
        if let Some((id, _)) = known {
            self.trees.write().unwrap_or_else(|e| e.into_inner()).remove(&id);
            self.modules.write().unwrap_or_else(|e| e.into_inner()).remove(&id);
        }
    }
}

/// Reads YAML or JSON text that is no template (fact files, options), as Salt's loader does. The error is the
/// parser's words.
pub fn read_yaml(text: &str) -> Result<Value, String> {
    // JSON may be indented by tabs, which YAML refuses.
    if text.trim_start().starts_with(['{', '['])
        && let Ok(value) = serde_json::from_str(text)
    {
        return Ok(value);
    }
    syntax::load_yaml(text).map_err(|error| {
        let line = text.get(..error.range.start).map_or(1, |before| before.matches('\n').count() + 1);
        format!("line {line}: {}", error.message)
    })
}

/// The rules of this room.
pub(crate) fn rules() -> impl Iterator<Item = &'static Rule> {
    config::RULES.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySources;

    #[test]
    fn a_text_is_read_once_and_its_tree_shared() {
        let sources = MemorySources::new().with("states/web.zy", "a: test.nop\n");
        let project = Project::open(Arc::new(sources), OpenOptions::default()).unwrap();
        let (first, _) = project.read_text("states/web.zy").unwrap();
        let (second, _) = project.read_text("states/web.zy").unwrap();
        assert_eq!(first, second);
        assert!(Arc::ptr_eq(
            &project.tree("states/web.zy").unwrap(),
            &project.tree("states/web.zy").unwrap()
        ));
    }

    #[test]
    fn directories_beside_the_project_belong_to_its_tree() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("project/zester.yaml", "states: [states, ../formulas]\n"),
            ("project/states/web.zy", "include: [nginx]\n"),
            ("formulas/nginx/init.zy", "a: test.nop\n"),
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let start = dir.path().join("project/states");
        let project = Project::open_dir(&Project::find_root(&start), OpenOptions::default()).unwrap();
        let nginx = project.resolve(TreeKind::States, "base", "nginx", None).unwrap();
        assert_eq!(nginx.file.path, "../formulas/nginx/init.zy");
        assert_eq!(&*project.read_text(&nginx.file.path).unwrap().1, "a: test.nop\n");
        assert_eq!(project.references(TreeKind::States, "base"), ["nginx", "web"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_named() {
        let sources = MemorySources::new().with("states/logo.png", b"ab\xff");
        let project = Project::open(Arc::new(sources), OpenOptions::default()).unwrap();
        let error = project.read_text("states/logo.png").unwrap_err();
        assert_eq!(error.to_string(), "`states/logo.png` is not UTF-8 text: byte 3 does not belong to it");
    }
}
