//! The files of a run: each rendered once, in the order in which their states are defined.

use super::{
    Renderer, Root,
    document::StateFile,
    place::{Places, rendered_file},
};
use crate::{
    check::references::{INCLUDE_CYCLE, UNRESOLVED_REFERENCE},
    diagnostic::Diagnostic,
    project::{Project, Reference, ResolveError, TreeFile, TreeKind},
    source::Span,
    syntax::Node,
};
use std::collections::HashMap;

/// Deepest chain of includes.
const MAX_INCLUDES: usize = 200;

/// A file of the tree, to be rendered.
#[derive(Clone, Copy)]
pub struct RenderRequest<'a> {
    /// The file.
    pub file: &'a TreeFile,
    /// Its environment.
    pub env: &'a str,
    /// Its ref, for `sls` and its kin.
    pub sls: &'a str,
    /// The file id that the nodes of its document carry.
    pub id: crate::source::FileId,
}

/// A rendered state file.
pub(super) struct Unit {
    /// Its canonical ref.
    pub sls: String,
    pub env: String,
    pub file: TreeFile,
    pub root: Root,
}

/// All files of a run.
pub(super) struct Units<'a> {
    project: &'a Project,
    renderer: &'a dyn Renderer,
    pub all: Vec<Unit>,
    pub places: Places,
    pub diagnostics: Vec<Diagnostic>,
    /// Indices into `units`: includes before the file that includes them.
    pub order: Vec<usize>,
    /// Some file is missing from the run: it could not be found or rendered.
    pub incomplete: bool,
    known: HashMap<(String, String), usize>,
    /// Units by canonical ref, over all environments.
    by_ref: HashMap<String, Vec<usize>>,
    /// The chain of files being loaded, with the place of the include that led to each.
    open: Vec<(usize, Span)>,
}

impl<'a> Units<'a> {
    pub(super) fn new(project: &'a Project, renderer: &'a dyn Renderer) -> Self {
        Self {
            project,
            renderer,
            all: Vec::new(),
            places: Places::default(),
            diagnostics: Vec::new(),
            order: Vec::new(),
            incomplete: false,
            known: HashMap::new(),
            by_ref: HashMap::new(),
            open: Vec::new(),
        }
    }

    /// Loads what a ref names, and all that it includes.
    pub(super) fn load(&mut self, env: &str, reference: &str, from: Option<&str>, span: Span) {
        match self.project.resolve_all(TreeKind::States, env, reference, from) {
            Ok(found) => {
                for reference in found {
                    self.file(env, reference, span);
                }
            }
            Err(error) => {
                self.incomplete = true;
                self.diagnostics.push(unresolved(&error, span));
            }
        }
    }

    fn file(&mut self, env: &str, reference: Reference, span: Span) {
        let key = (env.to_owned(), reference.name.clone());
        if let Some(index) = self.known.get(&key).copied() {
            if let Some(start) = self.open.iter().position(|(unit, _)| *unit == index) {
                self.cycle(start, span);
            }
            return;
        }
        if self.open.len() >= MAX_INCLUDES {
            let message = format!("Includes are nested more than {MAX_INCLUDES} files deep");
            self.diagnostics.push(Diagnostic::new(&INCLUDE_CYCLE, span, message));
            return;
        }
        let index = self.all.len();
        self.known.insert(key, index);
        self.by_ref.entry(reference.name.clone()).or_default().push(index);
        let request =
            RenderRequest { file: &reference.file, env, sls: &reference.name, id: rendered_file(index) };
        let root = self.render_apart(index, &request).unwrap_or(Root::Rendered(None));
        let includes = root.node().map(includes_of).unwrap_or_default();
        let tree_path = reference.file.tree_path.clone();
        self.all.push(Unit { sls: reference.name, env: env.to_owned(), file: reference.file, root });
        self.open.push((index, span));
        for (reference, other, span) in includes {
            let env = other.as_deref().unwrap_or(env);
            self.load(env, &reference, Some(&tree_path), span);
        }
        self.open.pop();
        self.order.push(index);
    }

    /// Renders a file that is no part of the run itself. `index` names its document.
    pub(super) fn render_apart(&mut self, index: usize, request: &RenderRequest<'_>) -> Option<Root> {
        match self.renderer.render(request) {
            Ok(rendered) => {
                self.diagnostics.extend(rendered.diagnostics);
                self.places.set(index, rendered.place_of);
                Some(rendered.root)
            }
            Err(diagnostics) => {
                self.incomplete = true;
                self.diagnostics.extend(diagnostics);
                None
            }
        }
    }

    fn cycle(&mut self, start: usize, span: Span) {
        let mut names: Vec<&str> =
            self.open[start..].iter().map(|(unit, _)| self.all[*unit].sls.as_str()).collect();
        names.push(names.first().copied().unwrap_or_default());
        let message = format!("These files include each other: {}", names.join(" → "));
        let mut diagnostic = Diagnostic::new(&INCLUDE_CYCLE, span, message);
        for (unit, place) in self.open.iter().skip(start + 1) {
            diagnostic = diagnostic.label(*place, format!("`{}` is included here", self.all[*unit].sls));
        }
        self.diagnostics.push(diagnostic.help("remove one of these includes"));
    }

    /// The canonical refs of all files of the run.
    pub(super) fn refs(&self) -> impl Iterator<Item = &str> + Clone {
        self.all.iter().map(|u| u.sls.as_str())
    }

    /// Indices of the files that a ref in `unit` names, among those of the run.
    pub(super) fn named(&self, unit: usize, reference: &str) -> Vec<usize> {
        let from = &self.all[unit];
        if reference.contains(['*', '?', '[']) {
            let glob = crate::target::Glob::lenient(reference);
            return (0..self.all.len()).filter(|i| glob.matches(&self.all[*i].sls)).collect();
        }
        let exact = |name: &str| self.by_ref.get(name).cloned();
        exact(reference)
            .or_else(|| {
                let path = Some(from.file.tree_path.as_str());
                exact(&self.project.resolve(TreeKind::States, &from.env, reference, path).ok()?.name)
            })
            .unwrap_or_default()
    }
}

/// Ref, environment and place of each include. Its findings are those of the full reading, made later.
fn includes_of(root: &Node) -> Vec<(String, Option<String>, Span)> {
    let file = StateFile::read_includes(root);
    file.includes
        .iter()
        .filter_map(|i| {
            let env = i.env.and_then(|e| e.text()).map(std::borrow::Cow::into_owned);
            Some((i.reference.text()?.trim().to_owned(), env, i.reference.span))
        })
        .collect()
}

/// The finding about a ref without a file.
pub(super) fn unresolved(error: &ResolveError, span: Span) -> Diagnostic {
    let text = error.to_string();
    let mut chars = text.chars();
    let message = chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect());
    let diagnostic = Diagnostic::new(&UNRESOLVED_REFERENCE, span, message);
    match error.help() {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}
