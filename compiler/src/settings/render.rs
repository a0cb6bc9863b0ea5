//! Settings files through the template environment.

use super::{
    Settings,
    resolve::{self, FileRequest, Rendered, Renderer, Request},
};
use crate::{
    diagnostic::Diagnostic,
    lower::{RenderRequest, TemplateRenderer, rendered_file},
    project::{Project, ProjectTemplates, TreeKind},
    source::Span,
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
    let templates = ProjectTemplates { project: project.clone(), kind: TreeKind::Settings };
    let environment = Environment::new(Arc::new(templates), functions.clone());
    resolve::resolve(project, request, &Files { project, environment, facts: request.facts })
}

struct Files<'a> {
    project: &'a Project,
    environment: Environment,
    facts: &'a Arc<Facts>,
}

impl Renderer for Files<'_> {
    fn render(&self, request: &FileRequest<'_>) -> Result<Rendered, Vec<Diagnostic>> {
        let renderer = TemplateRenderer {
            project: self.project,
            environment: &self.environment,
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
        Ok(Rendered { root: document.root, place: Box::new(place), diagnostics: document.diagnostics })
    }
}
