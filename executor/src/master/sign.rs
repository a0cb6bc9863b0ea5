//! The dispatch key: envelopes for peels, heads of trees.

use crate::{
    auth::{
        installation::MasterKeys,
        signed::{Purpose, SignatureError, Signed},
    },
    bus::id::PeelId,
    job::message::{ExecRequest, ExecVerb, JobRecord, VERSION},
};
use nkeys::KeyPair;
use serde::Serialize;
use std::sync::Arc;

/// A dispatch key with its certificate.
#[derive(Clone)]
pub struct Signer {
    key: Arc<KeyPair>,
    certificate: Arc<[u8]>,
    incarnation: Arc<str>,
}

impl Signer {
    /// From the seed (`SV…`), the operator's certificate of it, and the life of the installation.
    pub fn new(seed: &str, certificate: &[u8], incarnation: &str) -> Result<Self, SignatureError> {
        let key = KeyPair::from_seed(seed.trim()).map_err(SignatureError::Key)?;
        Ok(Self { key: Arc::new(key), certificate: certificate.into(), incarnation: incarnation.into() })
    }

    /// The dispatch key of a master's directory.
    pub fn of(keys: &MasterKeys) -> Result<Self, SignatureError> {
        let seed = keys.dispatch.seed().map_err(SignatureError::Key)?;
        Self::new(&seed, &keys.dispatch_certificate, &keys.description.anchor.incarnation)
    }

    /// The life of the installation.
    pub fn incarnation(&self) -> &str {
        &self.incarnation
    }

    /// Signs a body for a purpose.
    pub fn sign<T: Serialize>(&self, purpose: Purpose, body: &T) -> Result<Vec<u8>, SignatureError> {
        Signed::new(&self.key, &self.certificate, purpose, body)?.encode()
    }

    /// The envelope of a job for these peels, in the name of its owner.
    pub fn run(&self, record: &JobRecord, peels: &[PeelId]) -> Result<Vec<u8>, SignatureError> {
        let verb = ExecVerb::Run { call: record.call.clone(), tree: record.tree };
        self.envelope(record, peels, verb)
    }

    /// The cancellation of a job, for all its peels.
    pub fn cancel(&self, record: &JobRecord) -> Result<Vec<u8>, SignatureError> {
        self.envelope(record, &[], ExecVerb::Cancel)
    }

    fn envelope(
        &self,
        record: &JobRecord,
        peels: &[PeelId],
        verb: ExecVerb,
    ) -> Result<Vec<u8>, SignatureError> {
        let request = ExecRequest {
            v: VERSION,
            incarnation: self.incarnation.to_string(),
            epoch: record.epoch,
            // Only owned jobs are sent out.
            master: record.owner.clone().ok_or(SignatureError::Signature)?,
            jid: record.jid.clone(),
            targets: peels.to_vec(),
            verb,
            not_before_ms: record.created_ms.min(record.updated_ms),
            expires_ms: record.deadline_ms,
            nonce: ulid::Ulid::r#gen().to_string(),
        };
        self.sign(Purpose::Dispatch, &request)
    }
}
