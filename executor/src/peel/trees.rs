//! The published tree in force on this peel, and its secrets.

use crate::{
    auth::signed::{Anchor, Purpose, SignatureError, Signed},
    publish::{CacheError, Head, Manifest, TreeCache, secrets::Secrets},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use zester_compiler::{
    project::{OpenOptions, Project},
    settings::Settings,
};

/// Why a head is not put in force.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// Not signed as it must be.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The copy cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Older than the one in force.
    #[error("the tree has revision {found}, this peel has {known} already")]
    Old {
        /// What came.
        found: u64,
        /// What is in force.
        known: u64,
    },
}

/// The tree in force.
#[derive(Clone)]
pub struct Trees(Arc<Shared>);

struct Shared {
    cache: TreeCache,
    anchor: Anchor,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    head: Option<Head>,
    manifest: Option<Arc<Manifest>>,
    /// The project on the tree in force; its parsed files are shared by all runs.
    project: Option<Arc<Project>>,
    secrets: Option<Secrets>,
}

impl Trees {
    /// What the copy holds from before, if its signature still holds.
    pub fn open(cache: TreeCache, anchor: Anchor, now_ms: u64) -> Self {
        let mut state = State::default();
        if let Some(bytes) = cache.head() {
            let opened = verify(&anchor, &bytes, now_ms)
                .map_err(|e| e.to_string())
                .and_then(|head| Ok((cache.manifest(&head).map_err(|e| e.to_string())?, head)));
            match opened {
                Ok((manifest, head)) => {
                    state.head = Some(head);
                    state.manifest = Some(Arc::new(manifest));
                }
                Err(error) => tracing::warn!(%error, "the tree of before the restart is not used"),
            }
        }
        Self(Arc::new(Shared { cache, anchor, state: Mutex::new(state) }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The contents on this machine.
    pub fn cache(&self) -> &TreeCache {
        &self.0.cache
    }

    /// The revision in force.
    pub fn revision(&self) -> Option<u64> {
        self.lock().head.as_ref().map(|h| h.revision)
    }

    /// Reads a head as it came: is it ours, and newer than the one in force?
    pub fn verify(&self, bytes: &[u8], now_ms: u64) -> Result<Head, HeadError> {
        let head = verify(&self.0.anchor, bytes, now_ms)?;
        if let Some(known) = &self.lock().head
            && known.incarnation == head.incarnation
            && head.revision < known.revision
        {
            return Err(HeadError::Old { found: head.revision, known: known.revision });
        }
        Ok(head)
    }

    /// Puts a verified head in force; all it names is here.
    pub fn enforce(&self, head: Head, bytes: &[u8]) -> Result<(), HeadError> {
        self.0.cache.set_head(&head, bytes)?;
        let manifest = Arc::new(self.0.cache.manifest(&head)?);
        let mut state = self.lock();
        state.head = Some(head);
        state.manifest = Some(manifest);
        state.project = None;
        Ok(())
    }

    /// Replaces the secrets.
    pub fn set_secrets(&self, secrets: Secrets) {
        self.lock().secrets = Some(secrets);
    }

    /// Whether it holds the secrets with these names as the tree's `revision` has them.
    pub fn holds(&self, names: &[String], revision: u64) -> bool {
        let state = self.lock();
        let held = |s: &Secrets| s.revision >= revision && names.iter().all(|n| s.values.contains_key(n));
        state.secrets.as_ref().is_some_and(held)
    }

    /// The head in force.
    pub fn head(&self) -> Option<Head> {
        self.lock().head.clone()
    }

    /// The project of the tree in force.
    pub fn project(&self) -> Result<Arc<Project>, String> {
        let mut state = self.lock();
        if let Some(project) = &state.project {
            return Ok(project.clone());
        }
        let manifest = state.manifest.clone().ok_or("no tree is published yet; run `zester publish`")?;
        let sources = Arc::new(self.0.cache.sources(manifest));
        let outside = sources.clone();
        let options = OpenOptions {
            outside: Some(Box::new(move |directory| Arc::new(outside.below(directory)))),
            ..OpenOptions::default()
        };
        let project = Arc::new(Project::open(sources, options).map_err(|e| e.to_string())?);
        state.project = Some(project.clone());
        Ok(project)
    }

    /// Puts this peel's secrets into its settings.
    pub fn reveal(&self, settings: &mut Settings) -> Result<(), String> {
        let state = self.lock();
        let none = BTreeMap::new();
        let held = state.secrets.as_ref().map_or(&none, |s| &s.values);
        settings.reveal(held).map_err(|missing| {
            format!("{} secrets of this peel's settings are not here; the log says why", missing.len())
        })
    }
}

fn verify(anchor: &Anchor, bytes: &[u8], now_ms: u64) -> Result<Head, SignatureError> {
    Signed::decode(bytes)?.open(anchor, Purpose::Tree, now_ms)
}
