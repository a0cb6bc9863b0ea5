//! Which secrets a peel gets: those that its own settings name, by the published tree and the facts that are stored of it.
//!
//! A peel asks; a master renders its settings, in which names stand for secrets, and seals what they name with the key that the peel was
//! approved with. Nothing that the peel says decides, but its facts; that is why targeting secrets by facts deserves thought.

use super::Shared;
use crate::{
    auth::signed::{Purpose, Signed},
    bus::{Bucket, id::PeelId},
    job::message::{SecretsRequest, SecretsResponse, VERSION},
    peel::now_ms,
    publish::{
        HEAD_KEY, Head, Manifest, fetch,
        secrets::{self, Place, Secrets},
    },
};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{collections::BTreeMap, path::Path, sync::Arc};
use zester_compiler::{
    project::{CONFIG_FILE, OpenOptions, Project},
    settings,
    source::{MemorySources, Sources},
    target::Nodegroups,
    template::{Environment, Functions},
    types::{Effect, Facts, Map, Value},
};

/// Sealed secrets may be used so long, in milliseconds: a peel that nobody can reach goes on with what it has.
const GOOD_MS: u64 = 90 * 86_400_000;
/// Files on their way at a time.
const AT_ONCE: usize = 16;
/// Files outside the settings that settings may import, by extension.
const IMPORTED: &[&str] = &["zy", "sls", "jinja", "j2", "yaml", "yml", "json"];
/// The largest file that settings may import, in bytes.
const MAX_SOURCE: u64 = 1 << 20;

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// The newest tree, as far as settings need it.
#[derive(Default)]
pub(super) struct Trees(tokio::sync::Mutex<Option<Arc<Loaded>>>);

struct Loaded {
    head: Head,
    project: Arc<Project>,
    /// Templates of its settings, for all peels.
    settings: Environment,
    secrets: BTreeMap<String, String>,
}

/// Answers a peel, whose name the server has checked.
pub(super) async fn answer(shared: &Arc<Shared>, peel: &PeelId, request: &SecretsRequest) -> SecretsResponse {
    match grant(shared, peel, request.revision).await {
        Ok(revision) => SecretsResponse { v: VERSION, revision: Some(revision), error: None },
        Err(error) => {
            tracing::warn!(%peel, %error, "no secrets for a peel");
            SecretsResponse { v: VERSION, revision: None, error: Some(error.to_string()) }
        }
    }
}

async fn grant(shared: &Arc<Shared>, peel: &PeelId, revision: u64) -> Result<u64, Problem> {
    let enrollment = shared
        .enrollment
        .as_ref()
        .ok_or("this master has no keys for enrollment, so it cannot seal secrets")?;
    let curve = enrollment.service.curve(peel).await?;
    let sealer = &enrollment.service.keys().sealer;
    let loaded = load(shared, sealer, revision).await?;
    let facts = {
        let index = shared.index.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        index.facts(peel).map(Arc::new)
    };
    let facts = facts.ok_or("its facts are not known yet")?;
    let (tree, of) = (loaded.clone(), peel.to_string());
    let names = tokio::task::spawn_blocking(move || names(&tree, &facts, &of)).await??;
    let mut values = BTreeMap::new();
    for name in names {
        let value = loaded.secrets.get(&name).ok_or("its settings name a secret that was not published")?;
        values.insert(name, value.clone());
    }
    let set = Secrets { values, revision: loaded.head.revision, expires_ms: now_ms() + GOOD_MS };
    let place = Place::peel(peel);
    let parts = secrets::seal_set(sealer, &curve, &place, &set)?;
    secrets::store(&shared.bus.kv(Bucket::Secrets), &place, &parts).await?;
    tracing::info!(%peel, revision = set.revision, count = set.values.len(), "secrets are sealed for a peel");
    Ok(set.revision)
}

/// The nodegroups of the newest tree.
pub(super) async fn nodegroups(shared: &Shared) -> Result<Nodegroups, Problem> {
    let enrollment = shared.enrollment.as_ref().ok_or("this master has no keys for enrollment")?;
    // Revisions begin with 1: the newest one, whatever is known.
    let loaded = load(shared, &enrollment.service.keys().sealer, 0).await?;
    Ok(loaded.project.config().nodegroups.clone())
}

/// The names of secrets in the settings of a peel.
fn names(tree: &Loaded, facts: &Arc<Facts>, peel: &str) -> Result<Vec<String>, String> {
    let project = &tree.project;
    let request = settings::Request { facts, env: None, overrides: &[] };
    let (settings, found) = settings::resolve_in(project, &tree.settings, &request);
    if let Some(error) = found.iter().find(|d| d.is_error()) {
        let (path, at) = project.files().locate(error.span);
        return Err(format!(
            "the settings of `{peel}` cannot be rendered by a master: {path}:{}:{}: {}",
            at.line, at.column, error.message
        ));
    }
    Ok(settings.placeholders())
}

/// The newest tree, which has at least `revision`.
async fn load(shared: &Shared, sealer: &nkeys::XKey, revision: u64) -> Result<Arc<Loaded>, Problem> {
    let mut known = shared.trees.0.lock().await;
    if let Some(loaded) = &*known
        && loaded.head.revision == revision
    {
        return Ok(loaded.clone());
    }
    let entry = shared.bus.kv(Bucket::StateFiles).latest(HEAD_KEY).await?.ok_or("no tree is published")?;
    let enrollment = shared.enrollment.as_ref().ok_or("this master has no keys for enrollment")?;
    let anchor = &enrollment.service.keys().description.anchor;
    let head: Head = Signed::decode(&entry.value)?.open(anchor, Purpose::Tree, now_ms())?;
    if let Some(loaded) = &*known
        && loaded.head == head
    {
        return Ok(loaded.clone());
    }
    let bytes = fetch::content(&shared.bus, head.manifest, head.bytes, false).await?;
    let manifest: Manifest = crate::bus::codec::decode(&bytes)?;
    let wanted = manifest.files.into_iter().filter(|f| {
        let extension = Path::new(&f.path).extension().and_then(|e| e.to_str()).unwrap_or_default();
        f.settings || f.path == CONFIG_FILE || (f.bytes <= MAX_SOURCE && IMPORTED.contains(&extension))
    });
    let files: Vec<(String, Vec<u8>)> = stream::iter(wanted)
        .map(|f| async move {
            let content = fetch::content(&shared.bus, f.hash, f.bytes, f.settings).await?;
            Ok::<_, fetch::FetchError>((f.path, content))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let mut sources = MemorySources::new();
    for (path, content) in files {
        sources.insert(path, content);
    }
    let all = sources.clone();
    let outside = move |directory: &str| -> Arc<dyn Sources> {
        let prefix = format!("{}/", directory.trim_end_matches('/'));
        let mut below = MemorySources::new();
        for path in all.files_below("") {
            if let (Some(rest), Ok(text)) = (path.strip_prefix(&prefix), all.read(&path)) {
                below.insert(rest, text);
            }
        }
        Arc::new(below)
    };
    let options = OpenOptions { outside: Some(Box::new(outside)), ..OpenOptions::default() };
    let project = Arc::new(Project::open(Arc::new(sources), options)?);
    let functions: Arc<dyn Functions> = Arc::new(Elsewhere);
    let settings = settings::environment(&project, &functions);
    let secrets = secrets::of_masters(&shared.bus.kv(Bucket::Secrets), sealer, &head, now_ms()).await?;
    let loaded = Arc::new(Loaded { head, project, settings, secrets });
    *known = Some(loaded.clone());
    Ok(loaded)
}

/// Functions that only the peel could call.
struct Elsewhere;

impl Functions for Elsewhere {
    fn effect(&self, _: &str) -> Option<Effect> {
        Some(Effect::Probe)
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn call(&self, name: &str, _: &[Value], _: &Map) -> Result<Value, String> {
        Err(format!(
            "`{name}` looks at the machine; settings that decide about secrets are rendered by masters and cannot ask it. Make it a fact"
        ))
    }
}
