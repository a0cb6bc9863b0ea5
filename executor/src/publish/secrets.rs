//! Sets of secrets in the bucket `secrets`, sealed for one reader, in parts that fit messages.
//!
//! What a publication takes out of the settings lies there once for the masters, under its revision, and for each peel that needs some of it
//! under the peel's id. A part says openly only how many there are.

use super::manifest::Head;
use crate::{
    auth::seal::{self, Expected, Label, SealError},
    bus::{
        StoreError,
        codec::{self, CodecError},
        id::PeelId,
        kv::{CasError, Kv},
    },
};
use nkeys::XKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bytes of names and values in a part.
const PART_BYTES: usize = 128 * 1024;
/// Parts of a set at most.
pub(crate) const MAX_PARTS: usize = 256;
/// Publications whose secrets stay for masters that are behind.
const KEPT: u64 = 3;

/// Why secrets cannot be sealed, stored or read. Never says anything of their values.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The bucket.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bucket.
    #[error(transparent)]
    Cas(#[from] CasError),
    /// A part does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A part cannot be read.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// One value is too large.
    #[error("a secret of the settings has {0} bytes; at most {PART_BYTES} are possible")]
    TooLong(usize),
    /// All together are too large.
    #[error("the secrets of the settings need {0} messages; at most {MAX_PARTS} are possible")]
    TooMany(usize),
    /// Parts of different sets, or missing ones.
    #[error("the secrets under `{0}` are being replaced; try again")]
    Torn(String),
}

/// A set of secrets as a reader got it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    /// Values by name.
    pub values: BTreeMap<String, String>,
    /// The revision of the tree that they belong to.
    pub revision: u64,
    /// Not to be used after this, milliseconds of Unix time.
    pub expires_ms: u64,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("revision", &self.revision).finish_non_exhaustive()
    }
}

/// A stored part: how many there are, and a sealed [`Part`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SealedPart {
    /// 1
    pub v: u8,
    /// How many parts the set has.
    pub parts: u32,
    /// The box.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
}

/// What is in the box.
#[derive(Serialize, Deserialize)]
struct Part {
    values: BTreeMap<String, String>,
}

/// Who reads a set, and where it lies.
#[derive(Clone, Debug)]
pub struct Place {
    /// Keys are this, a dot and the part's number.
    pub prefix: String,
    /// The reader's name in the labels.
    pub reader: PeelId,
}

impl Place {
    /// The set of a peel.
    pub fn peel(peel: &PeelId) -> Self {
        Self { prefix: peel.to_string(), reader: peel.clone() }
    }

    /// The masters' set of a revision. No peel's id begins with `_`, so none may read there.
    ///
    /// # Panics
    /// Never: the name is a name.
    #[allow(clippy::missing_panics_doc)]
    pub fn masters(revision: u64) -> Self {
        let reader = PeelId::new("masters").unwrap_or_else(|_| unreachable!("a fixed name"));
        Self { prefix: format!("_masters.{revision}"), reader }
    }

    fn key(&self, part: usize) -> String {
        format!("{}.{part}", self.prefix)
    }
}

/// Seals a set for the owner of the public key `recipient` (`X…`).
pub fn seal_set(
    sender: &XKey,
    recipient: &str,
    place: &Place,
    set: &Secrets,
) -> Result<Vec<SealedPart>, SecretsError> {
    let (mut parts, mut size) = (vec![BTreeMap::new()], 0);
    for (name, value) in &set.values {
        let bytes = name.len() + value.len();
        if bytes > PART_BYTES {
            return Err(SecretsError::TooLong(value.len()));
        }
        if size + bytes > PART_BYTES {
            parts.push(BTreeMap::new());
            size = 0;
        }
        size += bytes;
        if let Some(part) = parts.last_mut() {
            part.insert(name.clone(), value.clone());
        }
    }
    let count = parts.len();
    if count > MAX_PARTS {
        return Err(SecretsError::TooMany(count));
    }
    let sealed = parts.into_iter().enumerate().map(|(n, values)| {
        let label = Label {
            bucket: "secrets".to_owned(),
            key: place.key(n),
            peel: place.reader.clone(),
            revision: set.revision,
            expires_ms: set.expires_ms,
        };
        let sealed = seal::seal(sender, recipient, label, &codec::encode(&Part { values })?)?;
        Ok(SealedPart { v: 1, parts: count as u32, sealed })
    });
    sealed.collect()
}

/// Opens a set that one of `senders` has sealed; at least of `revision`.
pub fn open_set(
    reader: &XKey,
    senders: &[String],
    place: &Place,
    parts: &[SealedPart],
    revision: u64,
    now_ms: u64,
) -> Result<Secrets, SecretsError> {
    let torn = || SecretsError::Torn(place.prefix.clone());
    let mut set: Option<Secrets> = None;
    for (n, part) in parts.iter().enumerate() {
        let key = place.key(n);
        let expected = Expected { bucket: "secrets", key: &key, peel: &place.reader, revision, now_ms };
        let opened = seal::open(reader, senders, &part.sealed, expected)?;
        let Part { values } = codec::decode(&opened.value)?;
        match &mut set {
            None => {
                set = Some(Secrets { values, revision: opened.revision, expires_ms: opened.expires_ms });
            }
            Some(set) if set.revision == opened.revision => set.values.extend(values),
            Some(_) => return Err(torn()),
        }
    }
    match set {
        Some(set) if parts.iter().all(|p| p.parts as usize == parts.len()) => Ok(set),
        _ => Err(torn()),
    }
}

/// Stores a sealed set. The first part is written last.
pub async fn store(kv: &Kv, place: &Place, parts: &[SealedPart]) -> Result<(), SecretsError> {
    for (n, part) in parts.iter().enumerate().rev() {
        kv.put(&place.key(n), codec::encode(part)?).await?;
    }
    Ok(())
}

/// The sealed set at a place, if there is one.
pub async fn fetch(kv: &Kv, place: &Place) -> Result<Option<Vec<SealedPart>>, SecretsError> {
    let torn = || SecretsError::Torn(place.prefix.clone());
    let Some(first) = kv.get(&place.key(0)).await? else { return Ok(None) };
    let first: SealedPart = codec::decode(&first.value)?;
    let count = first.parts as usize;
    if count > MAX_PARTS {
        return Err(SecretsError::TooMany(count));
    }
    let mut parts = vec![first];
    for n in 1..count {
        let entry = kv.get(&place.key(n)).await?.ok_or_else(torn)?;
        parts.push(codec::decode(&entry.value)?);
    }
    Ok(Some(parts))
}

/// The masters' set of a published revision; empty where it has none.
pub async fn of_masters(
    kv: &Kv,
    sealer: &XKey,
    head: &Head,
    now_ms: u64,
) -> Result<BTreeMap<String, String>, SecretsError> {
    if head.secrets == 0 {
        return Ok(BTreeMap::new());
    }
    let place = Place::masters(head.revision);
    let parts = fetch(kv, &place).await?.ok_or_else(|| SecretsError::Torn(place.prefix.clone()))?;
    let opened = open_set(sealer, &[sealer.public_key()], &place, &parts, head.revision, now_ms)?;
    Ok(opened.values)
}

/// Stores the masters' set of a revision that is about to be published.
pub async fn for_masters(
    kv: &Kv,
    sealer: &XKey,
    revision: u64,
    values: BTreeMap<String, String>,
) -> Result<(), SecretsError> {
    let place = Place::masters(revision);
    let set = Secrets { values, revision, expires_ms: u64::MAX };
    store(kv, &place, &seal_set(sealer, &sealer.public_key(), &place, &set)?).await
}

/// Removes the masters' sets that no master reads any more.
pub async fn forget(kv: &Kv, revision: u64) -> Result<(), SecretsError> {
    let Some(old) = revision.checked_sub(KEPT) else { return Ok(()) };
    let keys = kv.names(&format!("_masters.{old}.*"), MAX_PARTS).await?;
    for key in keys {
        if let Some(entry) = kv.latest(&key).await? {
            kv.delete(&key, entry.revision).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_any_size_come_back_whole() {
        let (master, web) = (XKey::new(), XKey::new());
        let peel = PeelId::new("web-1").unwrap();
        let place = Place::peel(&peel);
        let values: BTreeMap<String, String> =
            (0..5).map(|n| (format!("name{n}"), n.to_string().repeat(60_000))).collect();
        let set = Secrets { values, revision: 7, expires_ms: 1_000 };
        let parts = seal_set(&master, &web.public_key(), &place, &set).unwrap();
        assert_eq!(parts.len(), 3);
        let open = |parts: &[SealedPart], revision| {
            open_set(&web, &[master.public_key()], &place, parts, revision, 999)
        };
        assert_eq!(open(&parts, 7).unwrap(), set);
        // Parts that are missing, in another order, of another set, too old.
        assert!(matches!(open(&parts[..2], 7), Err(SecretsError::Torn(_))));
        assert!(open(&[parts[1].clone(), parts[0].clone(), parts[2].clone()], 7).is_err());
        let newer = seal_set(&master, &web.public_key(), &place, &Secrets { revision: 8, ..set.clone() });
        let mixed = [parts[0].clone(), newer.unwrap()[1].clone(), parts[2].clone()];
        assert!(matches!(open(&mixed, 7), Err(SecretsError::Torn(_))));
        assert!(matches!(open(&parts, 8), Err(SecretsError::Seal(SealError::Old { .. }))));
        assert!(open(&[], 7).is_err());
        // No secrets are a set too.
        let none = Secrets { values: BTreeMap::new(), ..set };
        let parts = seal_set(&master, &web.public_key(), &place, &none).unwrap();
        assert_eq!(open(&parts, 7).unwrap(), none);
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        let master = XKey::new();
        let place = Place::masters(1);
        let set = |values| Secrets { values, revision: 1, expires_ms: 1 };
        let long = set([("a".to_owned(), "x".repeat(PART_BYTES))].into());
        let sealed = seal_set(&master, &master.public_key(), &place, &long);
        assert!(matches!(sealed, Err(SecretsError::TooLong(_))));
    }
}
