//! Settings files through the template environment.

use super::{
    Settings,
    resolve::{self, FileRequest, Rendered, Renderer, Request},
};
use crate::{
    diagnostic::Diagnostic,
    project::{Project, ProjectTemplates, TreeKind},
    source::Span,
    syntax,
    template::{Environment, Functions, RenderInput},
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
        let tree = self.project.tree(&request.file.path).map_err(|error| {
            let file = self.project.files().add(&request.file.path, "");
            vec![Diagnostic::new(&super::SETTINGS_FILE_SHAPE, Span::at(file, 0), error.to_string())]
        })?;
        let file = tree.file;
        let rendered = self.environment.render(&RenderInput {
            tree,
            path: &request.file.tree_path,
            sls: request.sls,
            env: request.env,
            facts: self.facts,
            settings: &request.settings,
            extra: request.variables,
            test: false,
        })?;
        let document = syntax::parse_rendered(file, &rendered.text, &rendered.holes);
        let provenance = rendered.provenance;
        let place =
            move |span: Span| provenance.place(span.range()).map_or(Span::at(file, 0), |place| place.span);
        let mut diagnostics = rendered.diagnostics;
        diagnostics.extend(document.diagnostics.into_iter().map(|mut diagnostic| {
            diagnostic.span = place(diagnostic.span);
            diagnostic.labels.iter_mut().for_each(|label| label.span = place(label.span));
            diagnostic
        }));
        Ok(Rendered { root: document.root, place: Box::new(place), diagnostics })
    }
}
