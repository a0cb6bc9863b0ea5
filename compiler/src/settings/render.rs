//! Settings files through the template environment.

use super::{
    Settings,
    resolve::{self, FileRequest, Rendered, Renderer, Request},
};
use crate::{
    diagnostic::Diagnostic,
    lower::{RenderRequest, Root, TemplateRenderer, rendered_file},
    project::{Project, ProjectTemplates, TreeKind},
    source::Span,
    target::Target,
    template::{Environment, Functions},
    types::Facts,
};
use std::sync::Arc;

/// One peel's settings: what the top files select, rendered and merged in order, and the overrides on top.
///
/// Diagnostics that are errors mean that the settings are not complete and must not be used.
pub fn resolve(
    project: &Arc<Project>,
    functions: &Arc<dyn Functions>,
    request: &Request<'_>,
) -> (Settings, Vec<Diagnostic>) {
    resolve_in(project, &environment(project, functions), request)
}

/// The templates of a project's settings, for the settings of many peels.
pub fn environment(project: &Arc<Project>, functions: &Arc<dyn Functions>) -> Environment {
    let templates = ProjectTemplates { project: project.clone(), kind: TreeKind::Settings };
    Environment::new(Arc::new(templates), functions.clone())
}

/// [`resolve`] with the project's [`environment`].
pub fn resolve_in(
    project: &Project,
    environment: &Environment,
    request: &Request<'_>,
) -> (Settings, Vec<Diagnostic>) {
    resolve::resolve(project, request, &Files { project, environment, facts: request.facts })
}

/// What decides which settings files a peel gets: the targets of the top files, as `facts` render them.
pub struct Selector<'a> {
    project: &'a Project,
    targets: Vec<Target>,
}

impl<'a> Selector<'a> {
    /// Reads the top files.
    pub fn new(
        project: &'a Project,
        environment: &Environment,
        facts: &Arc<Facts>,
        env: Option<&str>,
    ) -> Self {
        Self { project, targets: resolve::targets(project, env, &Files { project, environment, facts }) }
    }

    /// Where each target stands.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        self.targets.iter().map(|t| t.span)
    }

    /// For each target whether it matches; `None` where that cannot be decided.
    pub fn select(&self, facts: &Facts) -> Vec<Option<bool>> {
        self.targets.iter().map(|t| resolve::matches(self.project, t, facts).ok()).collect()
    }
}

struct Files<'a> {
    project: &'a Project,
    environment: &'a Environment,
    facts: &'a Arc<Facts>,
}

impl Renderer for Files<'_> {
    fn render(&self, request: &FileRequest<'_>) -> Result<Rendered, Vec<Diagnostic>> {
        let renderer = TemplateRenderer {
            project: self.project,
            environment: self.environment,
            facts: self.facts,
            settings: &request.settings,
            test: false,
        };
        // Each file is read to its end before the next, so all may carry one id.
        let id = rendered_file(0);
        let file = RenderRequest { file: request.file, env: request.env, sls: request.sls, id };
        let document = renderer.document(&file, request.variables)?;
        let place_of = document.place_of;
        let place = move |span: Span| place_of(span).span;
        let root = match document.root {
            Root::Rendered(root) => root.map(Arc::unwrap_or_clone),
            Root::Source(tree) => tree.root.clone(),
        };
        Ok(Rendered { root, place: Box::new(place), diagnostics: document.diagnostics })
    }
}
