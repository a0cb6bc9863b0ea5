//! State files rendered once for all peels that they cannot tell apart.

use super::{Mentions, functions::asked_count};
use crate::{
    diagnostic::Diagnostic,
    lower::{RenderRequest, RenderedDocument, Renderer, TemplateRenderer},
    source::FileId,
    types::Facts,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Most bytes of rendered text that are kept; beyond it all is forgotten, and what is needed is rendered again.
const MAX_KEPT: usize = 4 * 1024 * 1024;

/// What decides a document, within one project.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    path: String,
    env: String,
    sls: String,
    /// The file that its nodes name.
    id: FileId,
    /// Which settings: peels with the same number have the same.
    settings: usize,
    /// What it can read of the facts.
    facts: String,
}

/// Documents that were rendered.
#[derive(Default)]
pub(super) struct Documents(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    documents: HashMap<Key, RenderedDocument>,
    size: usize,
}

/// Renders for one peel what was not rendered for its like.
pub(super) struct Sharing<'a> {
    /// What renders.
    pub renderer: TemplateRenderer<'a>,
    /// What each file mentions.
    pub files: &'a HashMap<Arc<str>, Mentions>,
    /// What was rendered.
    pub documents: &'a Documents,
    /// Which settings.
    pub settings: usize,
    /// The peel.
    pub facts: &'a Facts,
}

impl Renderer for Sharing<'_> {
    fn render(&self, request: &RenderRequest<'_>) -> Result<RenderedDocument, Vec<Diagnostic>> {
        // What names the peel itself is no other's.
        let mentions = self.files.get(request.file.path.as_str()).filter(|m| !m.tells_all_apart());
        let Some(mentions) = mentions else { return self.renderer.render(request) };
        let key = Key {
            path: request.file.path.clone(),
            env: request.env.to_owned(),
            sls: request.sls.to_owned(),
            id: request.id,
            settings: self.settings,
            facts: mentions.of(self.facts),
        };
        if let Some(known) =
            self.documents.0.lock().unwrap_or_else(PoisonError::into_inner).documents.get(&key)
        {
            return Ok(known.clone());
        }
        let asked = asked_count();
        let made = self.renderer.render(request)?;
        if asked_count() == asked {
            let mut kept = self.documents.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.size + made.size > MAX_KEPT {
                *kept = Kept::default();
            }
            kept.size += made.size;
            kept.documents.insert(key, made.clone());
        }
        Ok(made)
    }
}
