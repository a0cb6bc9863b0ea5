//! From the top file to one peel's settings: which files, in which order, rendered and merged.

use super::{
    Declared, MISSING_SETTINGS_FILE, Override, SETTINGS_INCLUDE_CYCLE, SETTINGS_TOP_SHAPE, Schema, Settings,
    merge::Merger,
    read::{Placed, PlacedKind, Reader, Strategies},
    top,
};
use crate::{
    diagnostic::Diagnostic,
    project::{BASE, Project, Reference, TreeFile, TreeKind},
    source::Span,
    syntax::{Mapping, Node, NodeKind},
    target::{MatchError, Subject, Target},
    types::{Facts, Map, Value},
};
use indexmap::IndexMap;
use std::{collections::HashSet, sync::Arc};
use thin_vec::ThinVec;

/// Deepest chain of includes.
const MAX_INCLUDES: usize = 64;

/// Whose settings, and under which circumstances.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The peel.
    pub facts: &'a Arc<Facts>,
    /// Only this environment's part of the top file; all parts without it, as in Salt.
    pub env: Option<&'a str>,
    /// `--set`, in order.
    pub overrides: &'a [Override],
}

/// A settings file to be rendered.
pub(super) struct FileRequest<'a> {
    pub file: &'a TreeFile,
    pub env: &'a str,
    /// Its ref.
    pub sls: &'a str,
    /// Settings merged so far.
    pub settings: Arc<Value>,
    /// Variables an include gives it.
    pub variables: &'a Map,
}

/// A rendered file's document, and the way from its places to the source.
pub(super) struct Rendered {
    pub root: Option<Node>,
    pub place: Box<dyn Fn(Span) -> Span>,
    pub diagnostics: Vec<Diagnostic>,
}

/// What renders settings files.
pub(super) trait Renderer {
    fn render(&self, request: &FileRequest<'_>) -> Result<Rendered, Vec<Diagnostic>>;
}

pub(super) fn resolve(
    project: &Project,
    request: &Request<'_>,
    renderer: &dyn Renderer,
) -> (Settings, Vec<Diagnostic>) {
    let env = request.env.unwrap_or(BASE);
    let schema = Schema::load(project, env).or_else(|| Schema::load(project, BASE));
    let mut resolver = Resolver {
        project,
        renderer,
        merger: Merger::default(),
        schema: None,
        done: HashSet::new(),
        problems: Vec::new(),
    };
    if let Some(schema) = schema {
        resolver.problems.extend(schema.diagnostics);
        resolver.merger = Merger::with_schema(schema.root.clone());
        resolver.schema = Some(schema.root);
    }
    for (env, reference, ignore_missing, span) in resolver.selected(request) {
        match project.resolve_all(TreeKind::Settings, &env, &reference, Some("top.zy")) {
            Ok(found) => {
                for reference in found {
                    resolver.load(&env, &reference, span, &mut Vec::new(), &[], &Map::new());
                }
            }
            Err(_) if ignore_missing => {}
            Err(error) => {
                let problem = Diagnostic::new(&MISSING_SETTINGS_FILE, span, error.to_string());
                resolver.problems.push(match error.help() {
                    Some(help) => problem.help(help),
                    None => problem,
                });
            }
        }
    }
    for set in request.overrides {
        resolver.merger.set(set.placed());
    }
    let mut problems = resolver.problems;
    let (settings, warnings) = resolver.merger.finish();
    problems.extend(warnings);
    (settings, problems)
}

/// The targets of the top files, in order.
pub(super) fn targets(project: &Project, env: Option<&str>, renderer: &dyn Renderer) -> Vec<Target> {
    let mut resolver = Resolver {
        project,
        renderer,
        merger: Merger::default(),
        schema: None,
        done: HashSet::new(),
        problems: Vec::new(),
    };
    let sections = resolver.tops(env);
    sections.into_iter().flat_map(|s| s.entries).map(|e| e.target).collect()
}

/// Whether a target of the settings' top file matches a peel. There are no settings yet that it could ask for.
pub(super) fn matches(project: &Project, target: &Target, facts: &Facts) -> Result<bool, MatchError> {
    target.matches(&Subject {
        id: &facts.id,
        facts,
        settings: &Value::Null,
        nodegroups: &project.config().nodegroups,
    })
}

struct Resolver<'a> {
    project: &'a Project,
    renderer: &'a dyn Renderer,
    merger: Merger,
    schema: Option<Arc<Declared>>,
    /// Files that were merged, with the key they were put under.
    done: HashSet<(String, Vec<String>)>,
    problems: Vec<Diagnostic>,
}

impl Resolver<'_> {
    /// The refs that the top files select for the peel: environment, ref, whether it may be missing, place.
    fn selected(&mut self, request: &Request<'_>) -> Vec<(String, String, bool, Span)> {
        let mut selected = Vec::new();
        for section in self.tops(request.env) {
            for entry in section.entries {
                match matches(self.project, &entry.target, request.facts) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(error) => {
                        let problem =
                            Diagnostic::new(&SETTINGS_TOP_SHAPE, entry.target.span, error.to_string())
                                .label(section.span, "in this environment");
                        self.problems.push(problem);
                        continue;
                    }
                }
                for (reference, span) in entry.refs {
                    selected.push((section.env.clone(), reference, entry.ignore_missing, span));
                }
            }
        }
        selected
    }

    /// The sections of the top files that count for an environment, or for all.
    fn tops(&mut self, env: Option<&str>) -> Vec<top::Section> {
        let project = self.project;
        let mut tops: Vec<(&str, TreeFile)> = Vec::new();
        for own in project.environments().filter(|own| env.is_none_or(|wanted| wanted == *own)) {
            if let Some(top) = project.top(TreeKind::Settings, own)
                && tops.iter().all(|(_, known)| known.path != top.path)
            {
                tops.push((own, top));
            }
        }
        // An environment without a top file of its own has its part in that of `base`.
        if tops.is_empty()
            && let Some(top) = project.top(TreeKind::Settings, BASE)
        {
            tops.push((BASE, top));
        }
        let own: Vec<&str> = tops.iter().map(|(env, _)| *env).collect();
        let mut found = Vec::new();
        for (top_env, file) in &tops {
            for section in self.sections(file, env.unwrap_or(top_env)) {
                let wanted = match env {
                    Some(env) => section.env == env,
                    None => {
                        section.env == *top_env || (*top_env == BASE && !own.contains(&section.env.as_str()))
                    }
                };
                if wanted {
                    found.push(section);
                }
            }
        }
        found
    }

    fn sections(&mut self, file: &TreeFile, env: &str) -> Vec<top::Section> {
        let request = FileRequest {
            file,
            env,
            sls: "top",
            settings: Arc::new(Value::Map(Map::new())),
            variables: &Map::new(),
        };
        match self.renderer.render(&request) {
            Ok(rendered) => {
                self.problems.extend(rendered.diagnostics);
                let root = rendered.root.as_ref();
                root.map(|root| top::read(root, &*rendered.place, &mut self.problems)).unwrap_or_default()
            }
            Err(problems) => {
                self.problems.extend(problems);
                Vec::new()
            }
        }
    }

    /// Renders a file, merges what it includes, then itself, below `prefix`.
    fn load(
        &mut self,
        env: &str,
        reference: &Reference,
        at: Span,
        stack: &mut Vec<Reference>,
        prefix: &[String],
        variables: &Map,
    ) {
        if let Some(start) = stack.iter().position(|open| open.file == reference.file) {
            let way: Vec<&str> =
                stack[start..].iter().chain([reference]).map(|open| open.name.as_str()).collect();
            let message = format!("settings files include each other: {}", way.join(" → "));
            self.problems.push(
                Diagnostic::new(&SETTINGS_INCLUDE_CYCLE, at, message)
                    .help("move what both need to a file of its own"),
            );
            return;
        }
        if stack.len() >= MAX_INCLUDES {
            let message = format!("includes are nested more than {MAX_INCLUDES} deep");
            self.problems.push(
                Diagnostic::new(&SETTINGS_INCLUDE_CYCLE, at, message)
                    .help("include fewer files from one another"),
            );
            return;
        }
        if !self.done.insert((reference.file.path.clone(), prefix.to_vec())) {
            return;
        }
        let request = FileRequest {
            file: &reference.file,
            env,
            sls: &reference.name,
            settings: Arc::new(self.merger.so_far()),
            variables,
        };
        let rendered = match self.renderer.render(&request) {
            Ok(rendered) => rendered,
            Err(problems) => {
                self.problems.extend(problems);
                return;
            }
        };
        self.problems.extend(rendered.diagnostics);
        let Some(root) = rendered.root else { return };
        let mut reader =
            Reader { place: &*rendered.place, unseal: self.project.unseal(), diagnostics: Vec::new() };
        let mapping = match root.kind {
            NodeKind::Mapping(mapping) => mapping,
            NodeKind::Empty | NodeKind::Error => return,
            _ => {
                let message = format!("the settings file is {}, where a map is expected", root.describe());
                reader.wrong(root.span, message, "write `key: value` lines");
                self.problems.append(&mut reader.diagnostics);
                return;
            }
        };
        let (includes, own): (ThinVec<_>, ThinVec<_>) =
            mapping.entries.into_iter().partition(|entry| entry.key.text().as_deref() == Some("include"));
        let includes: Vec<Include> =
            includes.iter().flat_map(|entry| read_includes(&mut reader, &entry.value)).collect();
        let own = Node {
            kind: NodeKind::Mapping(Mapping { entries: own, ..Mapping::default() }),
            span: root.span,
            tag: None,
        };
        let declared = prefix.iter().fold(self.schema.clone(), |at, key| at?.below(key));
        let placed = reader.value(&own, declared.as_ref(), 0);
        self.problems.append(&mut reader.diagnostics);
        stack.push(reference.clone());
        for include in includes {
            self.include(env, &include, stack, prefix);
        }
        stack.pop();
        if let Some(placed) = placed {
            self.merger.merge(below(prefix, placed));
        }
        self.merger.files.push(reference.file.path.clone());
    }

    fn include(&mut self, env: &str, include: &Include, stack: &mut Vec<Reference>, prefix: &[String]) {
        let from = stack.last().map(|open| open.file.tree_path.clone());
        let found = self.project.resolve_all(TreeKind::Settings, env, &include.reference, from.as_deref());
        match found {
            Ok(found) => {
                let prefix: Vec<String> = prefix.iter().chain(&include.key).cloned().collect();
                for reference in found {
                    self.load(env, &reference, include.span, stack, &prefix, &include.defaults);
                }
            }
            Err(error) => {
                let problem = Diagnostic::new(&MISSING_SETTINGS_FILE, include.span, error.to_string());
                self.problems.push(match error.help() {
                    Some(help) => problem.help(help),
                    None => problem,
                });
            }
        }
    }
}

fn below(prefix: &[String], mut placed: Placed) -> Placed {
    let span = placed.span;
    for key in prefix.iter().rev() {
        let entries = IndexMap::from_iter([(key.clone(), placed)]);
        placed = Placed { kind: PlacedKind::Map(entries, Strategies::default()), span };
    }
    placed
}

/// An item of a settings file's `include`.
struct Include {
    reference: String,
    span: Span,
    /// Where its settings go.
    key: Vec<String>,
    /// Variables its templates see.
    defaults: Map,
}

fn read_includes(reader: &mut Reader<'_>, node: &Node) -> Vec<Include> {
    let items: Vec<&Node> = match &node.kind {
        NodeKind::Sequence(sequence) => sequence.items.iter().collect(),
        NodeKind::Empty | NodeKind::Error => Vec::new(),
        _ => vec![node],
    };
    let mut includes = Vec::new();
    for item in items {
        if let Some(text) = item.text() {
            let span = (reader.place)(item.span);
            includes.push(Include {
                reference: text.into_owned(),
                span,
                key: Vec::new(),
                defaults: Map::new(),
            });
            continue;
        }
        let Some(mapping) = item.as_mapping() else {
            if !matches!(item.kind, NodeKind::Error) {
                let message = format!("{} stands where a ref is expected", item.describe());
                reader.wrong(item.span, message, "write the name of a settings file");
            }
            continue;
        };
        for entry in &mapping.entries {
            let Some(reference) = reader.key(&entry.key) else { continue };
            let mut include = Include {
                reference,
                span: (reader.place)(entry.key.span),
                key: Vec::new(),
                defaults: Map::new(),
            };
            read_include_options(reader, &entry.value, &mut include);
            includes.push(include);
        }
    }
    includes
}

fn read_include_options(reader: &mut Reader<'_>, node: &Node, include: &mut Include) {
    let Some(options) = node.as_mapping() else {
        if !matches!(node.kind, NodeKind::Empty | NodeKind::Error) {
            reader.wrong(
                node.span,
                format!("the options of an include are {}, where a map is expected", node.describe()),
                "the options are `key` and `defaults`",
            );
        }
        return;
    };
    for option in &options.entries {
        match option.key.text().as_deref() {
            Some("key") => {
                let key = option.value.text().unwrap_or_default();
                include.key = key.split(':').filter(|k| !k.is_empty()).map(str::to_owned).collect();
            }
            Some("defaults") => match reader.value(&option.value, None, 0).map(Placed::into_value) {
                Some((Value::Map(map), _)) => include.defaults = map,
                Some((Value::Null, _)) | None => {}
                Some((other, _)) => reader.wrong(
                    option.value.span,
                    format!("`defaults` is {}, where a map is expected", other.describe()),
                    "write the variables the included file sees, as a map",
                ),
            },
            other => reader.wrong(
                option.key.span,
                format!("an include has no option `{}`", other.unwrap_or_default()),
                "the options are `key` and `defaults`",
            ),
        }
    }
}
