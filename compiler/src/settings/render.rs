//! Settings files through the template environment.

use super::{
    Settings,
    resolve::{self, FileRequest, Rendered, Renderer, Request},
};
use crate::{diagnostic::Diagnostic, project::Project, source::Span, syntax, template::Functions};
use std::sync::Arc;

/// One peel's settings: what the top files select, rendered and merged in order, and the overrides on top.
///
/// Diagnostics that are errors mean that the settings are not complete and must not be used.
pub fn resolve(
    project: &Arc<Project>,
    functions: &Arc<dyn Functions>,
    request: &Request<'_>,
) -> (Settings, Vec<Diagnostic>) {
    resolve::resolve(project, request, &Files { project, _functions: functions })
}

struct Files<'a> {
    project: &'a Project,
    _functions: &'a Arc<dyn Functions>,
}

impl Renderer for Files<'_> {
    fn render(&self, request: &FileRequest<'_>) -> Result<Rendered, Vec<Diagnostic>> {
        let unreadable = |message: String| {
            let file = self.project.files().add(&request.file.path, "");
            vec![Diagnostic::new(&super::SETTINGS_FILE_SHAPE, Span::at(file, 0), message)]
        };
        let (file, text) =
            self.project.read_text(&request.file.path).map_err(|error| unreadable(error.to_string()))?;
        let document = syntax::parse_rendered(file, &text, &[]);
        Ok(Rendered { root: document.root, place: Box::new(|span| span), diagnostics: document.diagnostics })
    }
}
