//! What the masters know of an id: the keys that asked for it, and what became of them. Transitions only; nothing is read or sent here.

use super::message::{Application, MAX_HOST, Trust, VERSION, fingerprint};
use crate::bus::id::PeelId;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Keys that may ask for one id.
pub const MAX_CANDIDATES: usize = 8;
/// A repeated application is written down again only after this, in milliseconds.
const NOTE_MS: u64 = 60_000;
/// The shortest beginning of a fingerprint that is taken for it.
const MIN_PREFIX: usize = 4;

/// An id and the keys that asked for it: the value in the bucket `enrollments`, under the id. Changed by compare-and-set only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// [`VERSION`]
    pub v: u8,
    /// The id.
    pub id: PeelId,
    /// The keys, in the order of their first asking.
    pub candidates: Vec<Candidate>,
    /// New with every write: tells a writer whose answer was lost whether the write was its own.
    #[serde(default)]
    pub nonce: String,
}

/// A key that asked for an id.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Candidate {
    /// The public user key (`U…`).
    pub key: String,
    /// Its key for secrets (`X…`).
    pub curve: String,
    /// Its key for TLS.
    #[serde(with = "serde_bytes")]
    pub point: Vec<u8>,
    /// Where it stands.
    pub status: Status,
    /// Where it asked from, last.
    pub address: String,
    /// What it calls itself.
    #[serde(default)]
    pub host: String,
    /// Why it trusts the authority that it saw.
    pub trust: Trust,
    /// It saw another authority than ours: somebody may stand in between.
    #[serde(default)]
    pub mismatch: bool,
    /// When it asked first, milliseconds of Unix time.
    pub first_ms: u64,
    /// When it asked last.
    pub last_ms: u64,
    /// Who decided.
    #[serde(default)]
    pub decided_by: Option<String>,
    /// When.
    #[serde(default)]
    pub decided_ms: u64,
    /// Why it was rejected or revoked.
    #[serde(default)]
    pub reason: Option<String>,
    /// Groups whose envelopes it gets.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// Where a key stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has decided.
    Pending,
    /// It is the peel of this id.
    Approved,
    /// It will not be.
    Rejected,
    /// It was, and is not any more.
    Revoked,
}

/// Why a record does not change as was wanted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    /// Too many keys ask for the id.
    #[error("{MAX_CANDIDATES} keys ask for the id `{0}` already; an operator has to decide first")]
    Crowded(PeelId),
    /// No key fits the selection.
    #[error("no key of `{id}` fits; there are: {there}")]
    NoSuchKey {
        /// The id.
        id: PeelId,
        /// Fingerprints and where they stand.
        there: String,
    },
    /// Several keys fit the selection.
    #[error("several keys ask for `{id}`; say which one is meant: {there}")]
    Ambiguous {
        /// The id.
        id: PeelId,
        /// Fingerprints and where they stand.
        there: String,
    },
    /// The key saw another authority.
    #[error(
        "the key {0} saw another authority than this installation's: somebody may stand between it and the masters; find out first, or force it"
    )]
    Mismatch(String),
    /// What was revoked stays so: the servers refuse the key.
    #[error("the key {0} was revoked, and revoked keys are never good again; let the machine make new keys")]
    Revoked(String),
}

impl Candidate {
    /// What people compare.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.key)
    }
}

impl Record {
    /// Of an id that nobody has asked for.
    pub fn new(id: PeelId) -> Self {
        Self { v: VERSION, id, candidates: Vec::new(), nonce: String::new() }
    }

    /// Takes in an application of a key whose signature is verified; says whether that is worth writing down. Afterwards
    /// [`Record::candidate`] finds the key.
    pub fn apply(
        &mut self,
        key: &str,
        asked: &Application,
        address: IpAddr,
        mismatch: bool,
        now_ms: u64,
    ) -> Result<bool, RecordError> {
        let host: String = asked.host.chars().filter(|c| !c.is_control()).take(MAX_HOST).collect();
        if let Some(known) = self.candidates.iter_mut().find(|c| c.key == key) {
            let before = known.clone();
            if matches!(known.status, Status::Pending | Status::Approved) {
                // The key says so itself.
                (known.curve, known.point) = (asked.curve.clone(), asked.point.clone());
                (known.trust, known.mismatch) = (asked.trust, mismatch);
                (known.host, known.address) = (host, address.to_string());
            }
            let changed = *known != before;
            if changed || now_ms.saturating_sub(known.last_ms) >= NOTE_MS {
                known.last_ms = now_ms;
                return Ok(true);
            }
            return Ok(false);
        }
        if self.candidates.len() >= MAX_CANDIDATES {
            // Revoked keys are kept: they must never be good again.
            let rejected = self.candidates.iter().position(|c| c.status == Status::Rejected);
            let place = rejected.ok_or_else(|| RecordError::Crowded(self.id.clone()))?;
            self.candidates.remove(place);
        }
        self.candidates.push(Candidate {
            key: key.to_owned(),
            curve: asked.curve.clone(),
            point: asked.point.clone(),
            status: Status::Pending,
            address: address.to_string(),
            host,
            trust: asked.trust,
            mismatch,
            first_ms: now_ms,
            last_ms: now_ms,
            decided_by: None,
            decided_ms: 0,
            reason: None,
            groups: Vec::new(),
        });
        Ok(true)
    }

    /// A key that asked.
    pub fn candidate(&self, key: &str) -> Option<&Candidate> {
        self.candidates.iter().find(|c| c.key == key)
    }

    /// The key that is the peel.
    pub fn approved(&self) -> Option<&Candidate> {
        self.candidates.iter().find(|c| c.status == Status::Approved)
    }

    /// Whether a rule may decide for `key`: it is the only one that ever asked, and it saw our authority.
    pub fn may_be_automatic(&self, key: &str) -> bool {
        matches!(&self.candidates[..], [only] if only.key == key && only.status == Status::Pending && !only.mismatch)
    }

    /// Approves a key; gives the keys that were the peel until now, which are to be revoked on the servers.
    pub fn approve(
        &mut self,
        which: Option<&str>,
        by: &str,
        groups: Vec<String>,
        force: bool,
        now_ms: u64,
    ) -> Result<Vec<String>, RecordError> {
        let chosen = self.select(which, &[Status::Pending, Status::Rejected, Status::Approved])?;
        let print = fingerprint(&chosen);
        let mut superseded = Vec::new();
        for candidate in &self.candidates {
            if candidate.key == chosen && candidate.mismatch && !force {
                return Err(RecordError::Mismatch(print));
            }
        }
        for candidate in &mut self.candidates {
            if candidate.key == chosen {
                (candidate.status, candidate.groups, candidate.reason) =
                    (Status::Approved, groups.clone(), None);
            } else if candidate.status == Status::Approved {
                candidate.status = Status::Revoked;
                candidate.reason = Some(format!("replaced by {print}"));
                superseded.push(candidate.key.clone());
            } else {
                continue;
            }
            (candidate.decided_by, candidate.decided_ms) = (Some(by.to_owned()), now_ms);
        }
        Ok(superseded)
    }

    /// Rejects a key that is not the peel.
    pub fn reject(
        &mut self,
        which: Option<&str>,
        by: &str,
        reason: Option<String>,
        now_ms: u64,
    ) -> Result<(), RecordError> {
        let chosen = self.select(which, &[Status::Pending])?;
        self.decide(&chosen, Status::Rejected, by, reason, now_ms);
        Ok(())
    }

    /// Revokes the key that is the peel; gives it, to be revoked on the servers.
    pub fn revoke(&mut self, by: &str, reason: Option<String>, now_ms: u64) -> Result<String, RecordError> {
        let chosen = self.select(None, &[Status::Approved])?;
        self.decide(&chosen, Status::Revoked, by, reason, now_ms);
        Ok(chosen)
    }

    fn decide(&mut self, key: &str, status: Status, by: &str, reason: Option<String>, now_ms: u64) {
        for candidate in self.candidates.iter_mut().filter(|c| c.key == key) {
            (candidate.status, candidate.reason) = (status, reason.clone());
            (candidate.decided_by, candidate.decided_ms) = (Some(by.to_owned()), now_ms);
        }
    }

    /// The one key that is meant: by fingerprint, its beginning, or the key itself; without, the only one there is.
    fn select(&self, which: Option<&str>, from: &[Status]) -> Result<String, RecordError> {
        let there = || {
            let all: Vec<String> = self
                .candidates
                .iter()
                .map(|c| format!("{} ({})", c.fingerprint(), format!("{:?}", c.status).to_lowercase()))
                .collect();
            if all.is_empty() { "none".to_owned() } else { all.join(", ") }
        };
        let fits = |c: &&Candidate| match which {
            None => true,
            Some(text) => c.key == text || (text.len() >= MIN_PREFIX && c.fingerprint().starts_with(text)),
        };
        let mut found = self.candidates.iter().filter(fits);
        // Named, it is what it is; unnamed, it has to be the only one that can be meant.
        if which.is_some() {
            return match (found.next(), found.next()) {
                (Some(one), None) if one.status == Status::Revoked => {
                    Err(RecordError::Revoked(one.fingerprint()))
                }
                (Some(one), None) if from.contains(&one.status) => Ok(one.key.clone()),
                (Some(_), Some(_)) => Err(RecordError::Ambiguous { id: self.id.clone(), there: there() }),
                _ => Err(RecordError::NoSuchKey { id: self.id.clone(), there: there() }),
            };
        }
        // An approval without a name is for a key that waits.
        let wanted = from.first().copied().unwrap_or(Status::Pending);
        let mut found = self.candidates.iter().filter(|c| c.status == wanted);
        let others =
            self.candidates.iter().filter(|c| c.status != Status::Rejected && c.status != Status::Revoked);
        match (found.next(), found.next()) {
            (Some(_), None) if wanted == Status::Pending && others.count() > 1 => {
                Err(RecordError::Ambiguous { id: self.id.clone(), there: there() })
            }
            (Some(one), None) => Ok(one.key.clone()),
            (Some(_), Some(_)) => Err(RecordError::Ambiguous { id: self.id.clone(), there: there() }),
            (None, _) => Err(RecordError::NoSuchKey { id: self.id.clone(), there: there() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application() -> Application {
        Application {
            v: VERSION,
            id: PeelId::new("web-1").unwrap(),
            curve: "X".into(),
            point: vec![4],
            nonce: String::new(),
            time_ms: 0,
            authority: String::new(),
            trust: Trust::Pinned,
            host: "web-1.example\u{1b}[31m".into(),
            token: None,
        }
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn asked(keys: &[&str]) -> Record {
        let mut record = Record::new(PeelId::new("web-1").unwrap());
        for key in keys {
            assert!(record.apply(key, &application(), HERE, false, 1_000).unwrap());
        }
        record
    }

    #[test]
    fn two_keys_for_one_id_are_both_shown_and_an_operator_names_one() {
        let mut record = asked(&["A"]);
        assert!(record.may_be_automatic("A"));
        record.apply("B", &application(), HERE, false, 2_000).unwrap();
        assert!(!record.may_be_automatic("A") && !record.may_be_automatic("B"));
        let both = record.approve(None, "alice", vec![], false, 3_000).unwrap_err();
        assert!(matches!(&both, RecordError::Ambiguous { .. }));
        assert!(both.to_string().contains(&fingerprint("A")) && both.to_string().contains(&fingerprint("B")));
        assert_eq!(
            record.approve(Some(&fingerprint("B")[..9]), "alice", vec![], false, 3_000).unwrap(),
            [""; 0]
        );
        assert_eq!(record.approved().unwrap().key, "B");
        // The other one takes over only by name, and the first is revoked.
        assert!(record.approve(None, "alice", vec![], false, 4_000).is_err());
        assert_eq!(record.approve(Some("A"), "alice", vec![], false, 4_000).unwrap(), ["B"]);
        assert_eq!(record.candidate("B").unwrap().status, Status::Revoked);
        assert!(matches!(
            record.approve(Some("B"), "alice", vec![], true, 5_000),
            Err(RecordError::Revoked(_))
        ));
    }

    #[test]
    fn a_key_that_saw_another_authority_is_approved_by_force_only() {
        let mut record = asked(&[]);
        record.apply("A", &application(), HERE, true, 1_000).unwrap();
        assert!(!record.may_be_automatic("A"));
        assert!(matches!(record.approve(None, "alice", vec![], false, 2_000), Err(RecordError::Mismatch(_))));
        assert!(record.approve(None, "alice", vec![], true, 2_000).is_ok());
    }

    #[test]
    fn revoked_and_rejected_ids_are_never_automatic_again() {
        let mut record = asked(&["A"]);
        record.reject(None, "alice", Some("no".into()), 2_000).unwrap();
        record.apply("B", &application(), HERE, false, 2_000).unwrap();
        assert!(!record.may_be_automatic("B"));
        assert!(record.revoke("alice", None, 2_000).is_err(), "nothing is approved");
        // One waits, the rejected one does not count.
        record.approve(None, "alice", vec!["web".into()], false, 3_000).unwrap();
        assert_eq!(record.revoke("alice", None, 4_000).unwrap(), "B");
        assert!(record.approved().is_none());
        record.apply("B", &application(), HERE, false, 5_000).unwrap();
        assert_eq!(record.candidate("B").unwrap().status, Status::Revoked);
    }

    #[test]
    fn records_are_bounded_and_quiet() {
        let mut record = asked(&["A"]);
        assert_eq!(record.candidates[0].host, "web-1.example[31m");
        assert!(!record.apply("A", &application(), HERE, false, 2_000).unwrap(), "nothing new");
        assert!(record.apply("A", &application(), HERE, false, 1_000 + NOTE_MS).unwrap());
        for n in 1..MAX_CANDIDATES {
            record.apply(&format!("K{n}"), &application(), HERE, false, 3_000).unwrap();
        }
        let crowded = record.apply("Z", &application(), HERE, false, 4_000);
        assert!(matches!(crowded, Err(RecordError::Crowded(_))));
        record.reject(Some("K3"), "alice", None, 5_000).unwrap();
        record.apply("Z", &application(), HERE, false, 6_000).unwrap();
        assert!(record.candidate("K3").is_none() && record.candidates.len() == MAX_CANDIDATES);
    }
}
