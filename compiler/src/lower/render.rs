//! State files through the template environment.

use super::{Place, RenderRequest, RenderedDocument, Renderer, Root, document::expand_values, place::moved};
use crate::{
    diagnostic::Diagnostic,
    project::Project,
    source::Span,
    syntax::{self, Tree, template::Template},
    template::{Environment, RenderInput, Rendered},
    types::{Facts, Map, Value},
};
use std::sync::Arc;

/// Renders state files for one peel.
pub struct TemplateRenderer<'a> {
    /// The files.
    pub project: &'a Project,
    /// Templates of the state trees.
    pub environment: &'a Environment,
    /// The peel's facts.
    pub facts: &'a Arc<Facts>,
    /// The peel's settings.
    pub settings: &'a Arc<Value>,
    /// Whether this is a test run.
    pub test: bool,
}

impl TemplateRenderer<'_> {
    /// The rendered text of a file, with its origins.
    pub fn text(
        &self,
        path: &str,
        tree_path: &str,
        env: &str,
        sls: &str,
    ) -> Result<Rendered, Vec<Diagnostic>> {
        self.text_with(path, tree_path, env, sls, &Map::new())
    }

    fn text_with(
        &self,
        path: &str,
        tree_path: &str,
        env: &str,
        sls: &str,
        extra: &Map,
    ) -> Result<Rendered, Vec<Diagnostic>> {
        let tree = self.project.tree(path).map_err(|error| {
            let file = self.project.files().add(path, "");
            vec![Diagnostic::new(&crate::check::UNREADABLE_FILE, Span::at(file, 0), error.to_string())]
        })?;
        // What cannot be parsed as a template would only fail again, with less to say.
        let broken: Vec<Diagnostic> = tree
            .diagnostics
            .iter()
            .filter(|d| d.is_error() && d.rule.code.starts_with("Z001"))
            .cloned()
            .collect();
        if !broken.is_empty() {
            return Err(broken);
        }
        self.environment.render(&RenderInput {
            tree,
            path: tree_path,
            sls,
            env,
            facts: self.facts,
            settings: self.settings,
            extra,
            test: self.test,
        })
    }

    /// The document of a file with its way back; `extra` are variables on top of everything.
    pub fn document(
        &self,
        request: &RenderRequest<'_>,
        extra: &Map,
    ) -> Result<RenderedDocument, Vec<Diagnostic>> {
        let file = request.file;
        if let Ok(tree) = self.project.tree(&file.path)
            && has_nothing_to_render(&tree)
        {
            let place_of = Arc::new(|span| Place { span, via: Vec::new() });
            let size = tree.text.len();
            return Ok(RenderedDocument {
                root: Root::Source(tree),
                place_of,
                diagnostics: Vec::new(),
                size,
            });
        }
        let rendered = self.text_with(&file.path, &file.tree_path, request.env, request.sls, extra)?;
        let document = syntax::parse_rendered(request.id, &rendered.text, &rendered.holes);
        let fallback = self.project.files().by_path(&request.file.path).map(|f| Span::at(f.id, 0));
        let provenance = rendered.provenance;
        let place_of = move |span: Span| match provenance.place(span.range()) {
            Some(place) => Place { span: place.span, via: place.via },
            None => Place { span: fallback.unwrap_or(span), via: Vec::new() },
        };
        let mut diagnostics = rendered.diagnostics;
        diagnostics.extend(document.diagnostics.into_iter().map(|d| moved(d, &place_of)));
        let (root, size) = (Root::Rendered(document.root.map(Arc::new)), rendered.text.len());
        Ok(RenderedDocument { root, place_of: Arc::new(place_of), diagnostics, size })
    }
}

/// Whether a file says the same to every peel, and is known to say it well: what its tree holds is what would be read
/// off the rendered text.
pub fn has_nothing_to_render(tree: &Tree) -> bool {
    let Template { blocks, statements, expressions, comments } = &tree.template;
    blocks.is_empty()
        && statements.is_empty()
        && expressions.is_empty()
        && comments.is_empty()
        && tree.diagnostics.is_empty()
        && tree.opaque.is_none()
        && tree.root.is_some()
        // A renderer that the first line names has its own ideas.
        && !tree.text.starts_with("#!")
}

impl Renderer for TemplateRenderer<'_> {
    fn render(&self, request: &RenderRequest<'_>) -> Result<RenderedDocument, Vec<Diagnostic>> {
        let mut document = self.document(request, &Map::new())?;
        if let Root::Rendered(Some(root)) = &mut document.root
            && let Some(root) = Arc::get_mut(root)
        {
            expand_values(root);
        }
        Ok(document)
    }
}
