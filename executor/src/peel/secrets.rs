//! This peel's secrets: asked for when its settings name some that it does not hold; on its disk only as they came, sealed.

use super::{Enrolled, Shared, now_ms};
use crate::{
    auth::private::{self, Mode},
    bus::{
        Bucket, codec,
        subject::{self, Verb},
    },
    job::message::{SecretsRequest, SecretsResponse, VERSION},
    publish::secrets::{self, Place, SealedPart, Secrets},
};
use nkeys::XKey;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// How long a master may take: it may have to read the tree first.
const PATIENCE: Duration = Duration::from_secs(30);

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// What lies on the disk: the parts as they came, sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    v: u8,
    parts: Vec<SealedPart>,
}

/// Reads what is on the disk from before.
pub(super) fn restore(shared: &Shared) {
    let (Some(enrolled), Ok(bytes)) = (&shared.options.enrolled, std::fs::read(path(shared))) else { return };
    let opened = codec::decode::<Kept>(&bytes)
        .map_err(|e| e.to_string())
        .and_then(|kept| open(shared, enrolled, &kept.parts, 0).map_err(|e| e.to_string()));
    match opened {
        Ok(set) => shared.host.trees.set_secrets(set),
        Err(error) => tracing::warn!(%error, "the secrets of before the restart are not used"),
    }
}

/// Holds the secrets that the settings name, if masters can be asked.
pub(super) async fn ensure(shared: &Arc<Shared>) -> Result<(), Problem> {
    let Some(head) = shared.host.trees.head().filter(|h| h.secrets > 0) else { return Ok(()) };
    let in_thread = shared.clone();
    let names = tokio::task::spawn_blocking(move || in_thread.host.secrets_named()).await??;
    if names.is_empty() || shared.host.trees.holds(&names, head.revision) {
        return Ok(());
    }
    let enrolled = shared
        .options
        .enrolled
        .as_ref()
        .ok_or("this peel was not enrolled, so nobody seals secrets for it")?;
    let request = SecretsRequest { v: VERSION, revision: head.revision };
    let subject = subject::up(shared.id(), Verb::Secrets);
    let answer = shared.bus.request_with(&subject, None, codec::encode(&request)?, PATIENCE).await?;
    let answer: SecretsResponse = codec::decode(&answer.payload)?;
    let revision = match (answer.revision, answer.error) {
        (Some(revision), None) => revision,
        (_, error) => return Err(error.unwrap_or_else(|| "the master gives no reason".to_owned()).into()),
    };
    let (kv, place) = (shared.bus.kv(Bucket::Secrets), Place::peel(shared.id()));
    // A replica may be behind the master's write.
    let mut tries = 0;
    let (parts, set) = loop {
        let fetched = match secrets::fetch(&kv, &place).await {
            Ok(Some(parts)) => open(shared, enrolled, &parts, revision).map(|set| (parts, set)),
            Ok(None) => Err("the sealed secrets are not there".into()),
            Err(error) => Err(error.into()),
        };
        match fetched {
            Ok(fetched) => break fetched,
            Err(error) if tries >= 5 => return Err(error),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    // On the disk first: what is used now is there after a restart without a network.
    let (file, bytes) = (path(shared), codec::encode(&Kept { v: VERSION, parts })?);
    tokio::task::spawn_blocking(move || private::replace(&file, Mode::Secret, &bytes)).await??;
    tracing::info!(count = set.values.len(), "new secrets");
    shared.host.trees.set_secrets(set);
    // What could not be read without them can be now.
    shared.host.refresh.send_replace(());
    Ok(())
}

fn open(
    shared: &Shared,
    enrolled: &Enrolled,
    parts: &[SealedPart],
    revision: u64,
) -> Result<Secrets, Problem> {
    let key = XKey::from_seed(&enrolled.identity.curve_seed()?)?;
    let place = Place::peel(shared.id());
    Ok(secrets::open_set(&key, &enrolled.grant.sealers, &place, parts, revision, now_ms())?)
}

fn path(shared: &Shared) -> PathBuf {
    shared.options.directory.join("secrets.sealed")
}
