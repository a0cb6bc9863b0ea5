//! From documents to the DAG: include, extend, merge, names, requisites, order.
//!
//! [`lower`] renders the files of a run, reads their statements, binds every argument by its signature, resolves
//! every requisite and orders the states. Where anything is wrong there is no DAG, and all findings are reported at
//! the author's words, never at rendered text.

pub mod attributes;
pub mod document;
mod merge;
mod place;
mod render;
mod resolve;
mod schedule;
mod state;
#[cfg(test)]
mod tests;
mod top;
mod unit;

pub use place::{Place, PlaceOf, rendered_file};
pub use render::{TemplateRenderer, has_nothing_to_render};
pub use top::TopEntry;
pub use unit::RenderRequest;

use crate::{
    check::{
        functions::CustomModules, ids::UNKNOWN_EXTEND, references::UNKNOWN_EXCLUDE,
        requisites::UNKNOWN_REQUISITE,
    },
    diagnostic::{Diagnostic, Severity},
    ir::{Dag, Edge},
    project::{BASE, Project},
    source::Span,
    syntax::{Node, Tree, template::Template},
    target::{Nodegroups, Subject},
    types::{Facts, Registry, Value},
};
use document::StateFile;
use merge::Drafts;
use state::{Prepared, Preparer};
use std::{collections::HashSet, sync::Arc};
use unit::Units;

/// What is to be applied.
#[derive(Clone, PartialEq, Debug)]
pub enum Request {
    /// These files and all that they include.
    Refs(Vec<String>),
    /// What the top files select for this peel.
    Highstate,
    /// As [`Self::Refs`], for an orchestration: steps that ask the fleet may be among the states.
    Orchestration(Vec<String>),
}

/// Whose plan, of what.
pub struct LowerInput<'a> {
    /// The trees.
    pub project: &'a Project,
    /// What functions accept.
    pub registry: &'a Registry,
    /// Modules that the project brings itself.
    pub custom: &'a CustomModules,
    /// Renders state files.
    pub renderer: &'a dyn Renderer,
    /// The peel's facts; its id is in them.
    pub facts: &'a Facts,
    /// Its settings.
    pub settings: &'a Value,
    /// Groups that targets of the top file may name.
    pub nodegroups: &'a Nodegroups,
    /// The environment of refs, and the only one of the top files that counts; all count without it.
    pub env: Option<&'a str>,
    /// What to lower.
    pub request: Request,
}

impl LowerInput<'_> {
    /// What targets of the top files are held against.
    fn subject(&self) -> Subject<'_> {
        Subject {
            id: &self.facts.id,
            facts: self.facts,
            settings: self.settings,
            nodegroups: self.nodegroups,
        }
    }
}

/// What came of it.
#[derive(Default)]
pub struct Lowered {
    /// The plan; `None` when there was an error.
    pub dag: Option<Dag>,
    /// All findings, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    /// Refs of the files that are part of it, in the order of definition.
    pub files: Vec<String>,
}

/// What a file says to one peel.
#[derive(Clone)]
pub enum Root {
    /// Read off the rendered text; nodes carry [`RenderRequest::id`] as their file, and collections that expressions
    /// gave are nodes. `None` when the text holds no document.
    Rendered(Option<Arc<Node>>),
    /// What it says to every peel: there is nothing in it to render. Nodes stand in the author's file.
    Source(Arc<Tree>),
}

impl Root {
    /// The document.
    pub fn node(&self) -> Option<&Node> {
        match self {
            Self::Rendered(root) => root.as_deref(),
            Self::Source(tree) => tree.root.as_ref(),
        }
    }
}

/// A rendered document. Copies share what it says.
#[derive(Clone)]
pub struct RenderedDocument {
    /// Its root.
    pub root: Root,
    /// The way from its spans to the author's files.
    pub place_of: PlaceOf,
    /// What is wrong with it, at the author's places.
    pub diagnostics: Vec<Diagnostic>,
    /// Bytes of its text.
    pub size: usize,
}

/// What renders files of the state tree.
pub trait Renderer {
    /// Renders one file. Errors are at the author's places.
    fn render(&self, request: &RenderRequest<'_>) -> Result<RenderedDocument, Vec<Diagnostic>>;
}

/// The name under which refs of the command line are shown in findings.
const COMMAND_LINE: &str = "<command line>";

/// Lowers a request to one peel's plan.
pub fn lower(input: &LowerInput<'_>) -> Lowered {
    let mut units = Units::new(input.project, input.renderer);
    load(input, &mut units);
    let files: Vec<(usize, StateFile<'_>)> = units
        .order
        .iter()
        .filter_map(|unit| {
            let root = units.all[*unit].root.node()?;
            Some((*unit, StateFile::read(root, &Template::default())))
        })
        .collect();
    let mut drafts = Drafts::collect(files, &units, input.registry);
    let mut diagnostics = std::mem::take(&mut drafts.diagnostics);
    let mut preparer = Preparer {
        registry: input.registry,
        custom: input.custom,
        places: &units.places,
        files: input.project.files(),
        orchestration: matches!(input.request, Request::Orchestration(_)),
        diagnostics: Vec::new(),
    };
    let mut states = Vec::with_capacity(drafts.all.len());
    for draft in drafts.kept() {
        let unit = &units.all[draft.unit];
        preparer.prepare(draft, &unit.sls, &unit.env, &mut states);
    }
    diagnostics.append(&mut preparer.diagnostics);
    let links = resolve::resolve(&mut states, &units, input.registry, &mut diagnostics);
    let schedule = match schedule::schedule(&states, &links) {
        Ok(schedule) => schedule,
        Err(circles) => {
            diagnostics.extend(circles);
            Vec::new()
        }
    };
    if units.incomplete {
        // What is not found may well be in the file that is missing, and that has been said.
        let missing = [&UNKNOWN_REQUISITE, &UNKNOWN_EXTEND, &UNKNOWN_EXCLUDE];
        diagnostics.retain(|d| !missing.contains(&d.rule));
    }
    diagnostics.extend(units.diagnostics.iter().cloned());
    let diagnostics = placed(diagnostics, &units);
    let dag = (!diagnostics.iter().any(|d| d.severity == Severity::Error))
        .then(|| graph(states, &links, &schedule, &units, input));
    let files = units.order.iter().map(|u| units.all[*u].sls.clone()).collect();
    Lowered { dag, diagnostics, files }
}

fn load(input: &LowerInput<'_>, units: &mut Units<'_>) {
    match &input.request {
        Request::Refs(refs) | Request::Orchestration(refs) => {
            let text = refs.join(" ");
            let file = input.project.files().add(COMMAND_LINE, text);
            let mut start = 0;
            for reference in refs {
                let span = Span::new(file, start..start + reference.len());
                start += reference.len() + 1;
                units.load(input.env.unwrap_or(BASE), reference, None, span);
            }
        }
        Request::Highstate => {
            for selected in top::select(input.project, units, &input.subject(), input.env) {
                units.load(&selected.env, &selected.reference, Some("top.zy"), selected.span);
            }
        }
    }
}

/// What the top files select for a peel, the environment and the ref of each in their order, and what is wrong with them.
pub fn selection(input: &LowerInput<'_>) -> (Vec<(String, String)>, Vec<Diagnostic>) {
    let mut units = Units::new(input.project, input.renderer);
    let selected = top::select(input.project, &mut units, &input.subject(), input.env);
    let diagnostics = std::mem::take(&mut units.diagnostics);
    let selected = selected.into_iter().map(|s| (s.env, s.reference)).collect();
    (selected, placed(diagnostics, &units))
}

/// The targets of the top files as one peel's facts render them, at the author's places, and what is wrong with them.
pub fn top_entries(
    project: &Project,
    renderer: &dyn Renderer,
    env: Option<&str>,
) -> (Vec<TopEntry>, Vec<Diagnostic>) {
    let mut units = Units::new(project, renderer);
    let mut entries = top::entries(project, &mut units, env);
    for entry in &mut entries {
        entry.span = units.places.of(entry.span).span;
    }
    let diagnostics = std::mem::take(&mut units.diagnostics);
    (entries, placed(diagnostics, &units))
}

/// Moves findings to the author's places, sorts them and drops repetitions.
fn placed(diagnostics: Vec<Diagnostic>, units: &Units<'_>) -> Vec<Diagnostic> {
    let mut placed: Vec<Diagnostic> = diagnostics.into_iter().map(|d| units.places.map(d)).collect();
    placed.sort_by(|a, b| {
        (a.span.file, a.span.start, a.span.end, a.rule.code, &a.message).cmp(&(
            b.span.file,
            b.span.start,
            b.span.end,
            b.rule.code,
            &b.message,
        ))
    });
    let mut seen = HashSet::new();
    placed.retain(|d| seen.insert((d.span, d.rule.code, d.message.clone())));
    placed
}

fn graph(
    states: Vec<Prepared>,
    links: &[resolve::Link],
    schedule: &[usize],
    units: &Units<'_>,
    input: &LowerInput<'_>,
) -> Dag {
    let mut dag = Dag::default();
    dag.graph.reserve_exact_nodes(states.len());
    let nodes: Vec<_> = states.into_iter().map(|s| dag.graph.add_node(s.node)).collect();
    dag.schedule = schedule.iter().map(|i| nodes[*i]).collect();
    for link in links {
        let origin = Some(units.places.origin(input.project.files(), link.span));
        dag.graph.add_edge(nodes[link.from], nodes[link.to], Edge { requisite: link.requisite, origin });
    }
    dag
}

/// The rules of this room.
pub(crate) fn rules() -> impl Iterator<Item = &'static crate::diagnostic::Rule> {
    [document::RULES].into_iter().flatten().copied()
}
