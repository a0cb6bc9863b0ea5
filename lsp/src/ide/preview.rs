//! What a peel makes of the files: its settings, a file's rendered text, its plan. Runs nothing: exec functions that
//! would look at this machine are refused with their name.

use std::{collections::BTreeMap, io::Read, path::Path, sync::Arc};
use zester_compiler::{
    check::functions::CustomModules,
    diagnostic::Diagnostic,
    ir,
    lower::{LowerInput, Request, TemplateRenderer, lower},
    project::{CONFIG_FILE, OpenOptions, Project, ProjectTemplates, TreeKind},
    settings::{self, Settings},
    source::{DiskSources, Files, SourceError, Sources},
    template::{Environment, Functions},
    types::{Effect, Facts, FunctionKind, Map, Registry, Value},
};

/// Texts of open files, by project path.
pub type Texts = BTreeMap<String, Arc<str>>;

/// A peel with what the project makes of it.
#[derive(Clone)]
pub struct Chosen {
    /// Its facts.
    pub facts: Arc<Facts>,
    /// Its settings.
    pub settings: Arc<Settings>,
    /// What is wrong with them.
    pub diagnostics: Vec<Diagnostic>,
    /// The table that places belong to.
    pub files: Arc<Files>,
}

/// A line of rendered text with where it comes from: file, line and column, from 1.
pub type Origin = Option<(String, u32, u32)>;

/// A rendered file.
pub struct Preview {
    /// Its text, without secrets.
    pub text: String,
    /// For each line its source.
    pub origins: Vec<Origin>,
}

/// The form of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlanForm {
    /// For people.
    Text,
    /// Mermaid.
    Mermaid,
    /// Graphviz.
    Dot,
}

/// Most bytes of a file of facts: those of a machine are some thousands.
const MAX_FACTS_BYTES: u64 = 4 << 20;

/// The text of a file of facts that the user names. Whatever it is, it is read to a bound, and nobody is waited for.
fn facts_text(path: &str) -> Result<String, String> {
    const EXPECTED: &str = "name a YAML or JSON file with the facts of one peel";
    let failed = |e: std::io::Error| format!("the facts file `{path}` cannot be read: {e}");
    // A pipe or a device may have no end, and nothing to read.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(format!("`{path}` is no regular file, so no facts are read from it: {EXPECTED}"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_FACTS_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FACTS_BYTES {
        let most = MAX_FACTS_BYTES >> 20;
        return Err(format!(
            "the facts file `{path}` has more than {most} MiB, which is not read: {EXPECTED}"
        ));
    }
    String::from_utf8(bytes).map_err(|_| format!("the facts file `{path}` is not UTF-8 text: {EXPECTED}"))
}

struct Overlay {
    below: DiskSources,
    open: Texts,
}

impl Sources for Overlay {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        match self.open.get(path) {
            Some(text) => Ok(text.as_bytes().into()),
            None => self.below.read(path),
        }
    }

    fn is_file(&self, path: &str) -> bool {
        self.open.contains_key(path) || self.below.is_file(path)
    }

    fn is_dir(&self, path: &str) -> bool {
        self.below.is_dir(path)
    }

    fn files_below(&self, path: &str) -> Vec<String> {
        let mut files = self.below.files_below(path);
        let prefix = format!("{}/", path.trim_matches('/'));
        let fresh: Vec<&String> = self
            .open
            .keys()
            .filter(|p| (prefix == "/" || p.starts_with(&prefix)) && !files.contains(p))
            .collect();
        files.extend(fresh.into_iter().cloned().collect::<Vec<_>>());
        files.sort();
        files
    }
}

/// Functions by their names only.
struct Named(Arc<Registry>);

impl Functions for Named {
    fn effect(&self, name: &str) -> Option<Effect> {
        let (module, function) = name.split_once('.')?;
        self.0.get(FunctionKind::Exec, module, function).map(|s| s.effect)
    }

    fn names(&self) -> Vec<String> {
        self.0.signatures(FunctionKind::Exec).map(|s| s.name()).collect()
    }

    fn call(&self, name: &str, _: &[Value], _: &Map) -> Result<Value, String> {
        Err(format!("`{name}` runs on the peel; a preview runs nothing"))
    }
}

/// A project opened for one preview: its own copy, so that it reads the files as they are now.
pub struct Stage {
    project: Arc<Project>,
    registry: Arc<Registry>,
    functions: Arc<dyn Functions>,
}

impl Stage {
    /// Opens the project of a directory with the texts of open files.
    ///
    /// `files` gives the files of a directory.
    pub fn open(
        root: &Path,
        open: Texts,
        files: impl Fn(&Path) -> DiskSources + Send + Sync + 'static,
        registry: Arc<Registry>,
    ) -> Result<Self, String> {
        let base = root.to_owned();
        let sources = Overlay { below: files(root), open };
        let options = OpenOptions {
            outside: Some(Box::new(move |dir| Arc::new(files(&base.join(dir))))),
            ..OpenOptions::default()
        };
        let project = Project::open(Arc::new(sources), options).map_err(|e| e.to_string())?;
        Ok(Self { project: Arc::new(project), functions: Arc::new(Named(registry.clone())), registry })
    }

    /// Ids of the peels whose facts the project keeps.
    pub fn peels(&self) -> Result<Vec<String>, String> {
        let peels = self.project.inventory().map_err(|e| e.to_string())?;
        Ok(peels.into_iter().map(|p| p.facts.id).collect())
    }

    /// A peel by its id, with the facts of a file where one is named; the first of the inventory without an id.
    pub fn choose(&self, id: Option<&str>, facts: Option<&str>) -> Result<Chosen, String> {
        let peels = self.project.inventory().map_err(|e| e.to_string())?;
        let known = match id {
            Some(id) => peels.iter().find(|p| p.facts.id == id),
            None => peels.first(),
        };
        let mut found = match (known, id, facts) {
            (Some(known), ..) => known.facts.clone(),
            (None, id, Some(_)) => Facts { id: id.unwrap_or("peel").to_owned(), ..Facts::default() },
            (None, Some(id), None) => {
                let known: Vec<&str> = peels.iter().map(|p| p.facts.id.as_str()).collect();
                let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(format!(
                    "no facts are known of `{id}`: `facts` in {CONFIG_FILE} names directories of them (known peels: {list})"
                ));
            }
            (None, None, None) => {
                return Err(format!(
                    "no peel is known: name directories with facts in {CONFIG_FILE} (`facts: [facts]`), or choose a file of facts"
                ));
            }
        };
        if let Some(path) = facts {
            let text = facts_text(path)?;
            found.merge_text(&text).map_err(|e| format!("the facts file `{path}`: {e}"))?;
        }
        if let Some(id) = id {
            found.set_id(id);
        }
        let facts = Arc::new(found);
        let request = settings::Request { facts: &facts, env: None, overrides: &[] };
        let (settings, diagnostics) = settings::resolve(&self.project, &self.functions, &request);
        Ok(Chosen { facts, settings: Arc::new(settings), diagnostics, files: self.project.files().clone() })
    }

    fn failed(&self, diagnostics: &[Diagnostic]) -> String {
        let lines: Vec<String> = diagnostics
            .iter()
            .filter(|d| d.is_error())
            .map(|d| {
                let (path, at) = self.project.files().locate(d.span);
                format!("{path}:{}:{}: {}", at.line, at.column, d.message)
            })
            .collect();
        lines.join("\n")
    }

    fn environment(&self) -> Environment {
        let templates = ProjectTemplates { project: self.project.clone(), kind: TreeKind::States };
        Environment::new(Arc::new(templates), self.functions.clone())
    }

    /// A file as a peel renders it. The error is what is wrong, one line for each finding.
    pub fn render(&self, path: &str, chosen: &Chosen) -> Result<Preview, String> {
        if chosen.diagnostics.iter().any(Diagnostic::is_error) {
            return Err(self.failed(&chosen.diagnostics));
        }
        let environment = self.environment();
        let settings = chosen.settings.value.clone();
        let renderer = TemplateRenderer {
            project: &self.project,
            environment: &environment,
            facts: &chosen.facts,
            settings: &settings,
            test: true,
        };
        let (_, env, tree_path) = self
            .project
            .locate(path)
            .map_or((TreeKind::States, "base".to_owned(), path.to_owned()), |(k, e, t)| (k, e.to_owned(), t));
        let sls = self.project.reference_of(path).map(|(_, _, name)| name).unwrap_or_default();
        let mask = chosen.settings.mask();
        let rendered = renderer.text(path, &tree_path, &env, &sls).map_err(|mut found| {
            mask.diagnostics(&mut found);
            self.failed(&found)
        })?;
        let mut origins = Vec::new();
        let mut offset = 0;
        for line in rendered.text.split_inclusive('\n') {
            let lead = line.len() - line.trim_start().len();
            let at = if lead < line.len() { offset + lead } else { offset };
            origins.push(rendered.provenance.origin(at).map(|place| {
                let (file, at) = self.project.files().locate(place.span);
                (file.to_string(), at.line, at.column)
            }));
            offset += line.len();
        }
        Ok(Preview { text: mask.text(rendered.text), origins })
    }

    /// A peel's plan: of some refs, or its highstate.
    pub fn plan(&self, refs: Vec<String>, chosen: &Chosen, form: PlanForm) -> Result<String, String> {
        if chosen.diagnostics.iter().any(Diagnostic::is_error) {
            return Err(self.failed(&chosen.diagnostics));
        }
        let environment = self.environment();
        let settings = chosen.settings.value.clone();
        let renderer = TemplateRenderer {
            project: &self.project,
            environment: &environment,
            facts: &chosen.facts,
            settings: &settings,
            test: true,
        };
        let lowered = lower(&LowerInput {
            project: &self.project,
            registry: &self.registry,
            custom: &CustomModules::default(),
            renderer: &renderer,
            facts: &chosen.facts,
            settings: &settings,
            nodegroups: &self.project.config().nodegroups,
            env: None,
            request: if refs.is_empty() { Request::Highstate } else { Request::Orchestration(refs) },
        });
        let mask = chosen.settings.mask();
        let mut diagnostics = lowered.diagnostics;
        mask.diagnostics(&mut diagnostics);
        let Some(dag) = lowered.dag else { return Err(self.failed(&diagnostics)) };
        let shown = mask.dag(&dag);
        Ok(match form {
            PlanForm::Text => ir::text(&shown),
            PlanForm::Mermaid => ir::Picture::of_plan(&shown).mermaid(),
            PlanForm::Dot => ir::Picture::of_plan(&shown).dot(),
        })
    }

    /// The ref of a file of the state tree.
    pub fn reference(&self, path: &str) -> Option<String> {
        let (kind, _, name) = self.project.reference_of(path)?;
        (kind == TreeKind::States && name != "top").then_some(name)
    }
}
