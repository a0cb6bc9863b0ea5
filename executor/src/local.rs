//! Everything a run on this machine needs, from a project to a context.

use serde_json::json;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};
use zester_compiler::{
    check::functions::CustomModules,
    diagnostic::Diagnostic,
    lower::{self, LowerInput, Lowered, Request, TemplateRenderer},
    project::{ConfigError, OpenOptions, Project, ProjectTemplates, Root, TreeKind},
    settings::{self, Override, OverrideError, Settings, Unseal},
    source::{DiskSources, MemorySources},
    syntax,
    template::{Environment, Functions, RenderInput, Rendered},
    types::{Effect, Facts, Map, Value},
};
use zester_stdlib::{
    Cancel, Context, Library, Machine, NoPeers, Peers, RunCache, StateFiles, facts, zester::Fleet,
};

/// What a person says beside the project.
#[derive(Clone, Default, Debug)]
pub struct LocalOptions {
    /// The project's directory; the nearest one upward with a `zester.yaml` otherwise, else the current directory.
    pub project: Option<PathBuf>,
    /// Roots of the state tree instead of the configured ones.
    pub states: Vec<PathBuf>,
    /// Roots of the settings tree instead of the configured ones.
    pub settings: Vec<PathBuf>,
    /// Extensions read in addition.
    pub extensions: Vec<String>,
    /// The environment.
    pub env: Option<String>,
    /// `path=value` overrides of settings.
    pub set: Vec<String>,
    /// A file of facts, added to or replacing the machine's.
    pub facts: Option<PathBuf>,
    /// The peel's id.
    pub id: Option<String>,
    /// A test run.
    pub test: bool,
    /// Opens sealed texts of the settings.
    pub unseal: Option<Arc<dyn Unseal>>,
}

/// Why a run could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The project's configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `--set` is wrong.
    #[error(transparent)]
    Override(#[from] OverrideError),
    /// The facts file cannot be used.
    #[error("the facts file `{}` cannot be used: {message}", path.display())]
    Facts {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A directory does not exist.
    #[error("there is no directory `{}`", .0.display())]
    NoDirectory(PathBuf),
    /// Something outside was as it must not be.
    #[error("{0}")]
    Other(String),
}

/// A project opened for this machine.
pub struct Local {
    /// The project.
    pub project: Arc<Project>,
    /// Its root directory.
    pub root: PathBuf,
    /// All functions, those of the project's modules among them.
    pub library: Arc<Library>,
    custom: CustomModules,
    options: LocalOptions,
    functions: Arc<LazyFunctions>,
    environment: OnceLock<Arc<Environment>>,
    facts: OnceLock<Arc<Facts>>,
    cancel: Cancel,
    peers: OnceLock<Arc<dyn Peers>>,
    fleet: OnceLock<Arc<dyn Fleet>>,
    /// What is wrong with custom facts, to be shown once.
    problems: Mutex<Vec<String>>,
}

/// Exec functions whose context is there only once facts are known; most runs call none.
#[derive(Default)]
struct LazyFunctions {
    context: OnceLock<Context>,
    library: OnceLock<Arc<Library>>,
}

impl Functions for LazyFunctions {
    fn effect(&self, name: &str) -> Option<Effect> {
        let (module, function) = name.split_once('.')?;
        let library = self.library.get()?;
        library.registry().get(zester_compiler::types::FunctionKind::Exec, module, function).map(|s| s.effect)
    }

    fn names(&self) -> Vec<String> {
        let Some(library) = self.library.get() else { return Vec::new() };
        library.registry().signatures(zester_compiler::types::FunctionKind::Exec).map(|s| s.name()).collect()
    }

    fn call(&self, name: &str, args: &[Value], kwargs: &Map) -> Result<Value, String> {
        match (self.library.get(), self.context.get()) {
            (Some(library), Some(context)) => library.call(name, args, kwargs, context),
            _ => Err(format!("`{name}` cannot be called yet")),
        }
    }
}

impl Local {
    /// Opens the project.
    pub fn open(options: LocalOptions, cancel: Cancel) -> Result<Self, LocalError> {
        let (root, open) = Self::opening(&options)?;
        let project = Arc::new(Project::open_dir(&root, open)?);
        Ok(Self::with_project(project, root, options, cancel))
    }

    /// The project's directory and how it is opened, for callers that read it through sources of their own.
    pub fn opening(options: &LocalOptions) -> Result<(PathBuf, OpenOptions), LocalError> {
        let here = std::env::current_dir()
            .map_err(|e| LocalError::Other(format!("the current directory cannot be read: {e}")))?;
        let root = match &options.project {
            Some(dir) if dir.is_dir() => here.join(dir),
            Some(dir) => return Err(LocalError::NoDirectory(dir.clone())),
            None => Project::find_root(&here),
        };
        let roots = |dirs: &[PathBuf]| -> Result<Vec<Root>, LocalError> {
            dirs.iter()
                .map(|dir| {
                    let full = here.join(dir);
                    if !full.is_dir() {
                        return Err(LocalError::NoDirectory(dir.clone()));
                    }
                    Ok(match full.strip_prefix(&root) {
                        Ok(inside) => Root::inside(inside.to_string_lossy().into_owned()),
                        Err(_) => Root::outside(
                            dir.to_string_lossy().into_owned(),
                            Arc::new(DiskSources::new(full)),
                        ),
                    })
                })
                .collect()
        };
        let start = root.clone();
        let open = OpenOptions {
            states: roots(&options.states)?,
            settings: roots(&options.settings)?,
            extensions: options.extensions.clone(),
            unseal: options.unseal.clone(),
            outside: Some(Box::new(move |dir| Arc::new(DiskSources::new(start.join(dir))))),
            ..OpenOptions::default()
        };
        Ok((root, open))
    }

    /// Runs on a project that is open already: a published tree. `root` is where relative paths begin.
    pub fn with_project(project: Arc<Project>, root: PathBuf, options: LocalOptions, cancel: Cancel) -> Self {
        let custom = CustomModules::read(&project);
        let library = library().with_modules(&custom);
        let functions = Arc::new(LazyFunctions::default());
        let _ = functions.library.set(library.clone());
        Self {
            project,
            root,
            library,
            custom,
            options,
            functions,
            environment: OnceLock::new(),
            facts: OnceLock::new(),
            cancel,
            peers: OnceLock::new(),
            fleet: OnceLock::new(),
            problems: Mutex::default(),
        }
    }

    /// Uses these facts instead of looking at the machine. The first call wins.
    pub fn set_facts(&self, facts: Arc<Facts>) {
        let _ = self.facts.set(facts);
    }

    /// Asks these peers for what they publish; nobody is asked without. The first call wins.
    pub fn set_peers(&self, peers: Arc<dyn Peers>) {
        let _ = self.peers.set(peers);
    }

    /// What a person said beside the project.
    pub fn options(&self) -> &LocalOptions {
        &self.options
    }

    /// Steps of an orchestration ask this fleet; without one they fail. The first call wins.
    pub fn set_fleet(&self, fleet: Arc<dyn Fleet>) {
        let _ = self.fleet.set(fleet);
    }

    /// Facts of this machine, custom ones and those of `--facts` among them.
    pub fn facts(&self) -> Result<Arc<Facts>, LocalError> {
        if let Some(facts) = self.facts.get() {
            return Ok(facts.clone());
        }
        let mut collected = facts::collect_here(self.options.id.as_deref());
        let directories = facts::custom::directories(&self.root);
        let custom =
            facts::collect_custom(&mut collected, &directories, machine().commands.as_ref(), &self.cancel);
        *self.problems.lock().unwrap_or_else(|e| e.into_inner()) = custom.problems;
        if let Some(path) = self.options.facts.as_ref().filter(|path| !path.is_dir()) {
            let wrong = |message: String| LocalError::Facts { path: path.clone(), message };
            let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
            collected.merge_text(&text).map_err(|e| wrong(e.to_string()))?;
        }
        if let Some(id) = &self.options.id {
            collected.set_id(id.clone());
        }
        Ok(self.facts.get_or_init(|| Arc::new(collected)).clone())
    }

    /// Says on stderr, once, which custom facts could not be used.
    pub fn report_problems(&self) {
        for problem in std::mem::take(&mut *self.problems.lock().unwrap_or_else(|e| e.into_inner())) {
            eprintln!("zester: {problem}");
        }
    }

    /// Settings of this machine with their provenance.
    pub fn settings(&self) -> Result<(Settings, Vec<Diagnostic>), LocalError> {
        let facts = self.facts()?;
        self.bind_functions(&facts, &Arc::new(Value::Map(Map::new())));
        let overrides = self
            .options
            .set
            .iter()
            .map(|text| Override::parse(text, self.project.files()))
            .collect::<Result<Vec<_>, _>>()?;
        let request =
            settings::Request { facts: &facts, env: self.options.env.as_deref(), overrides: &overrides };
        let functions: Arc<dyn Functions> = self.functions.clone();
        Ok(settings::resolve(&self.project, &functions, &request))
    }

    /// The template environment of the state trees.
    pub fn environment(&self) -> Arc<Environment> {
        self.environment
            .get_or_init(|| {
                let templates = ProjectTemplates { project: self.project.clone(), kind: TreeKind::States };
                Arc::new(Environment::new(Arc::new(templates), self.functions.clone()))
            })
            .clone()
    }

    /// Lowers refs, or the highstate when there are none.
    pub fn lower(&self, refs: &[String], facts: &Arc<Facts>, settings: &Arc<Value>) -> Lowered {
        let request = if refs.is_empty() { Request::Highstate } else { Request::Refs(refs.to_vec()) };
        self.lower_request(request, facts, settings)
    }

    /// Lowers refs as an orchestration.
    pub fn lower_orchestration(&self, refs: &[String], facts: &Arc<Facts>, settings: &Arc<Value>) -> Lowered {
        self.lower_request(Request::Orchestration(refs.to_vec()), facts, settings)
    }

    /// Lowers one state function with its arguments as a state that stands in no file. The findings have no place that anybody wrote.
    pub fn lower_single(
        &self,
        id: &str,
        function: &str,
        args: &Map,
        facts: &Arc<Facts>,
        settings: &Arc<Value>,
    ) -> Result<Lowered, LocalError> {
        let args: Vec<_> = args.iter().map(|(name, value)| json!({ name: value })).collect();
        let text = without_tags(&json!({ id: { function: args } }).to_string());
        let sources = MemorySources::new().with("states/single.zy", text);
        let project = Project::open(Arc::new(sources), OpenOptions::default())?;
        let request = Request::Refs(vec!["single".to_owned()]);
        Ok(self.with_input(&project, request, facts, settings, lower::lower))
    }

    fn lower_request(&self, request: Request, facts: &Arc<Facts>, settings: &Arc<Value>) -> Lowered {
        self.with_input(&self.project, request, facts, settings, lower::lower)
    }

    /// What the top files select: the environment and the ref of each, and what is wrong with them.
    pub fn selection(
        &self,
        facts: &Arc<Facts>,
        settings: &Arc<Value>,
    ) -> (Vec<(String, String)>, Vec<Diagnostic>) {
        self.with_input(&self.project, Request::Highstate, facts, settings, lower::selection)
    }

    fn with_input<R>(
        &self,
        project: &Project,
        request: Request,
        facts: &Arc<Facts>,
        settings: &Arc<Value>,
        work: impl FnOnce(&LowerInput<'_>) -> R,
    ) -> R {
        self.bind_functions(facts, settings);
        let environment = self.environment();
        let renderer =
            TemplateRenderer { project, environment: &environment, facts, settings, test: self.options.test };
        work(&LowerInput {
            project,
            registry: self.library.registry(),
            custom: &self.custom,
            renderer: &renderer,
            facts,
            settings,
            nodegroups: &self.project.config().nodegroups,
            // What stands in no file belongs to no environment either.
            env: self.options.env.as_deref().filter(|_| std::ptr::eq(project, Arc::as_ptr(&self.project))),
            request,
        })
    }

    /// The rendered text of a file of the project.
    pub fn render(
        &self,
        path: &str,
        facts: &Arc<Facts>,
        settings: &Arc<Value>,
    ) -> Result<Rendered, Vec<Diagnostic>> {
        self.bind_functions(facts, settings);
        let located =
            self.project.locate(path).map(|(kind, env, tree_path)| (kind, env.to_owned(), tree_path));
        let (_, env, tree_path) = located.unwrap_or((TreeKind::States, "base".to_owned(), path.to_owned()));
        let sls = self.project.reference_of(path).map(|(_, _, name)| name).unwrap_or_default();
        let environment = self.environment();
        let renderer = TemplateRenderer {
            project: &self.project,
            environment: &environment,
            facts,
            settings,
            test: true,
        };
        renderer.text(path, &tree_path, &env, &sls)
    }

    /// The context a run starts from.
    pub fn context(&self, facts: &Arc<Facts>, settings: &Arc<Value>) -> Context {
        Context {
            machine: machine(),
            facts: facts.clone(),
            settings: settings.clone(),
            tree: Arc::new(Tree {
                project: self.project.clone(),
                environment: self.environment(),
                facts: facts.clone(),
                settings: settings.clone(),
                test: self.options.test,
            }),
            peers: self.peers.get().cloned().unwrap_or_else(|| Arc::new(NoPeers)),
            fleet: self.fleet.get().cloned(),
            library: self.library.clone(),
            run: Arc::new(RunCache::default()),
            cancel: self.cancel.clone(),
            test: self.options.test,
            env: self.options.env.as_deref().unwrap_or("base").into(),
            state_id: "".into(),
            runas: None,
            timeout: None,
            umask: None,
            secret: Arc::new([]),
        }
    }

    fn bind_functions(&self, facts: &Arc<Facts>, settings: &Arc<Value>) {
        // The first call wins: exec functions look at the machine, and only pillar-like ones at settings.
        let _ = self.functions.context.get_or_init(|| self.context(facts, settings));
    }
}

/// JSON that holds nothing which a template engine would take for a tag: in texts, braces are written as escapes.
fn without_tags(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut inside, mut escaped) = (false, false);
    for letter in json.chars() {
        match letter {
            '{' if inside => text.push_str("\\u007b"),
            other => text.push(other),
        }
        inside ^= letter == '"' && !escaped;
        escaped = inside && letter == '\\' && !escaped;
    }
    text
}

/// All built-in functions; made once per process.
pub fn library() -> Arc<Library> {
    static LIBRARY: OnceLock<Arc<Library>> = OnceLock::new();
    LIBRARY.get_or_init(|| Arc::new(zester_stdlib::library())).clone()
}

/// The providers of this machine.
pub fn machine() -> Arc<Machine> {
    static MACHINE: OnceLock<Arc<Machine>> = OnceLock::new();
    MACHINE.get_or_init(|| Arc::new(Machine::local())).clone()
}

/// The state tree as functions see it.
struct Tree {
    project: Arc<Project>,
    environment: Arc<Environment>,
    facts: Arc<Facts>,
    settings: Arc<Value>,
    test: bool,
}

impl StateFiles for Tree {
    fn read(&self, env: &str, path: &str) -> Result<Arc<[u8]>, String> {
        self.project.read_file(TreeKind::States, env, path).map_err(|e| e.to_string())
    }

    fn is_file(&self, env: &str, path: &str) -> bool {
        self.project.find(TreeKind::States, env, path).is_some()
    }

    fn files_below(&self, env: &str, path: &str) -> Vec<String> {
        let prefix = format!("{}/", path.trim_matches('/'));
        self.project
            .files_below(TreeKind::States, env, path)
            .into_iter()
            .map(|f| f.tree_path.strip_prefix(&prefix).map_or(f.tree_path.clone(), str::to_owned))
            .collect()
    }

    fn mode(&self, env: &str, path: &str) -> Option<u32> {
        use std::os::unix::fs::PermissionsExt;
        let file = self.project.find(TreeKind::States, env, path)?;
        let metadata = std::fs::metadata(Path::new(&file.path)).ok()?;
        Some(metadata.permissions().mode() & 0o7777)
    }

    fn render(&self, env: &str, name: &str, text: &str, context: &Map) -> Result<String, String> {
        let shown =
            self.project.find(TreeKind::States, env, name).map_or_else(|| name.to_owned(), |f| f.path);
        let id = self.project.files().add(&shown, text);
        let source = self.project.files().get(id);
        let tree = Arc::new(syntax::parse(id, &source.text));
        let input = RenderInput {
            tree,
            path: name,
            sls: "",
            env,
            facts: &self.facts,
            settings: &self.settings,
            extra: context,
            test: self.test,
        };
        let rendered = self.environment.render(&input);
        rendered.map(|r| r.text).map_err(|diagnostics| {
            let found: Vec<String> = diagnostics
                .iter()
                .map(|d| {
                    let (path, at) = self.project.files().locate(d.span);
                    format!("{path}:{}:{}: {}", at.line, at.column, d.message)
                })
                .collect();
            found.join("; ")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_state_is_what_was_said_and_no_template() {
        let options = LocalOptions { id: Some("web1".to_owned()), ..LocalOptions::default() };
        let empty = Project::open(Arc::new(MemorySources::new()), OpenOptions::default()).unwrap();
        let local = Local::with_project(Arc::new(empty), PathBuf::from("/"), options, Cancel::default());
        let facts = Arc::new(Facts::default());
        local.set_facts(facts.clone());
        let settings = Arc::new(Value::Map(Map::new()));
        let text = r#"a "{{ grains.id }}" {# b #} {% c \\"{{ d"#;
        let args: Map = [("contents".to_owned(), text.into()), ("user".to_owned(), "root".into())].into();
        let lowered = local.lower_single("/tmp/{{ x", "file.managed", &args, &facts, &settings).unwrap();
        assert!(lowered.diagnostics.is_empty(), "{:?}", lowered.diagnostics);
        let dag = lowered.dag.unwrap();
        let node = &dag.graph[dag.schedule[0]];
        assert_eq!((node.id.as_str(), node.function.to_string().as_str()), ("/tmp/{{ x", "file.managed"));
        assert_eq!(node.args["contents"], Value::List(vec![text.into()]));
        let wrong: Map = [("contnets".to_owned(), "x".into())].into();
        let lowered = local.lower_single("/f", "file.managed", &wrong, &facts, &settings).unwrap();
        assert_eq!(lowered.diagnostics[0].help.as_deref(), Some("did you mean `contents`?"));
    }
}
