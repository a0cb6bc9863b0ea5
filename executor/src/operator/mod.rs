//! The operator's side: which peels, run it there, what came of it.

mod events;
mod follow;
mod prepare;

pub use events::{Events, Happened, check_tag};
pub use follow::{Heard, Peels, Report};
pub use prepare::Sending;

use crate::{
    auth::{
        permission::Role,
        signed::{Purpose, SignatureError, Signed},
    },
    bus::{
        Bucket, Bus, BusError, StoreError,
        codec::{self, CodecError},
        id::{AdminId, JobId, MasterId, PeelId},
        subject,
    },
    enroll::{
        record::Record,
        store::{Records, RecordsError},
    },
    job::{
        message::{
            Ask, Decision, Dispatched, EventMessage, Job, JobRecord, JobReturn, JobStatus, OperatorRequest,
            ResolveRequest, ResolveResponse, Targets, VERSION,
        },
        owner,
        store::{self, JobStoreError},
    },
    peel::now_ms,
};
use nkeys::KeyPair;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use zester_compiler::types::{Facts, Map};

/// How long a master has to take a job.
const TAKE: Duration = Duration::from_secs(15);
/// Peels whose facts are read for a plan of all of them.
const MAX_PEELS: usize = 200_000;

/// Jobs that are listed at most.
const MAX_JOBS: usize = 100_000;

/// Why an operator's request failed.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The connection.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// A bucket.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A job's record.
    #[error(transparent)]
    Job(#[from] JobStoreError),
    /// The records of machines.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// Something cannot be read or written.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The request cannot be signed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// No master answers.
    #[error("no master answers; is one running and connected to this NATS?")]
    NoMaster,
    /// A master refuses.
    #[error("{0}")]
    Refused(String),
    /// There is no such job.
    #[error("there is no job `{0}`; `zester job list` shows those of the last 7 days")]
    NoJob(JobId),
}

/// An operator's connection.
#[derive(Clone)]
pub struct Operator {
    bus: Bus,
    name: AdminId,
    key: Arc<KeyPair>,
    jwt: Arc<str>,
}

impl Operator {
    /// An operator who signs with the user seed of the credentials that `bus` uses.
    pub fn new(bus: Bus, name: AdminId, seed: &str, jwt: &str) -> Result<Self, OperatorError> {
        let key = KeyPair::from_seed(seed.trim()).map_err(SignatureError::Key)?;
        Ok(Self { bus, name, key: Arc::new(key), jwt: jwt.into() })
    }

    /// The connection.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Who this is.
    pub fn name(&self) -> &AdminId {
        &self.name
    }

    /// The peels that match, and how many are known.
    pub async fn resolve(&self, expression: &str) -> Result<(Targets, u64), OperatorError> {
        let request = ResolveRequest { v: VERSION, expression: expression.to_owned() };
        let answer = match self.bus.request(subject::RESOLVE, codec::encode(&request)?).await {
            Err(BusError::NoResponders { .. }) => return Err(OperatorError::NoMaster),
            answer => answer?,
        };
        let answer: ResolveResponse = codec::decode(&answer.payload)?;
        match (answer.targets, answer.error) {
            (Some(targets), None) => Ok((targets, answer.known)),
            (_, error) => {
                Err(OperatorError::Refused(error.unwrap_or_else(|| "the master says nothing".into())))
            }
        }
    }

    /// Sends a job; a master that has it answers. Asking again with the same id is the same job.
    pub async fn dispatch(&self, job: Job) -> Result<MasterId, OperatorError> {
        let answer = self.ask(Ask::Run(Box::new(job))).await?;
        answer.master.ok_or_else(|| {
            OperatorError::Refused(answer.error.unwrap_or_else(|| "the master gives no reason".to_owned()))
        })
    }

    /// Stops a job.
    pub async fn cancel(&self, jid: &JobId, reason: Option<String>) -> Result<(), OperatorError> {
        let answer = self.ask(Ask::Cancel { jid: jid.clone(), reason }).await?;
        answer.error.map_or(Ok(()), |e| Err(OperatorError::Refused(e)))
    }

    /// Decides about a machine that wants to be a peel; gives the keys that the servers have to refuse from now on.
    pub async fn decide(&self, id: &PeelId, decision: Decision) -> Result<Vec<String>, OperatorError> {
        let answer = self.ask(Ask::Enroll { id: id.clone(), decision }).await?;
        answer.error.map_or(Ok(answer.revoked), |e| Err(OperatorError::Refused(e)))
    }

    /// What the masters know of machines that asked to be peels.
    pub async fn enrollments(&self) -> Result<Vec<Record>, OperatorError> {
        Ok(self.bus.kv(Bucket::Enrollments).list().await?)
    }

    /// What the masters know of an id.
    pub async fn enrollment(&self, id: &PeelId) -> Result<Option<Record>, OperatorError> {
        match self.bus.kv(Bucket::Enrollments).get(id.as_str()).await? {
            Some(entry) => Ok(Some(codec::decode(&entry.value)?)),
            None => Ok(None),
        }
    }

    async fn ask(&self, ask: Ask) -> Result<Dispatched, OperatorError> {
        let nonce = ulid::Ulid::r#gen().to_string();
        let request = OperatorRequest { v: VERSION, time_ms: now_ms(), nonce, ask };
        let bytes = Signed::new(&self.key, self.jwt.as_bytes(), Purpose::Request, &request)?.encode()?;
        match self.bus.request_with(subject::DISPATCH, None, bytes, TAKE).await {
            Ok(answer) => Ok(codec::decode(&answer.payload)?),
            Err(BusError::NoResponders { .. }) => Err(OperatorError::NoMaster),
            Err(error) => Err(error.into()),
        }
    }

    /// Facts of peels as they were last stored; those that are not known are left out.
    pub async fn facts(&self, peels: &[PeelId]) -> Result<BTreeMap<String, Facts>, OperatorError> {
        let names: Vec<String> = peels.iter().map(ToString::to_string).collect();
        let entries = self.bus.kv(Bucket::Facts).get_many(&names).await?;
        entries.into_iter().map(|e| Ok((e.key.clone(), codec::decode(&e.value)?))).collect()
    }

    /// What peels publish for each other; those that publish nothing are left out.
    pub async fn basket(&self, peels: &[PeelId]) -> Result<BTreeMap<String, Map>, OperatorError> {
        let names: Vec<String> = peels.iter().map(ToString::to_string).collect();
        let entries = self.bus.kv(Bucket::Basket).get_many(&names).await?;
        entries.into_iter().map(|e| Ok((e.key.clone(), codec::decode(&e.value)?))).collect()
    }

    /// The facts of all peels, as they were last stored.
    pub async fn all_facts(&self) -> Result<BTreeMap<String, Facts>, OperatorError> {
        const AT_ONCE: usize = 500;
        let kv = self.bus.kv(Bucket::Facts);
        let names = kv.names("*", MAX_PEELS).await?;
        let mut found = BTreeMap::new();
        for names in names.chunks(AT_ONCE) {
            for entry in kv.get_many(names).await? {
                found.insert(entry.key.clone(), codec::decode(&entry.value)?);
            }
        }
        Ok(found)
    }

    /// Says that something has happened.
    pub async fn announce(&self, tag: &str, data: Map) -> Result<(), OperatorError> {
        let subject = subject::event(&Role::Admin.who(self.name.as_str()), tag);
        let message = EventMessage { v: VERSION, time_ms: now_ms(), data };
        self.bus.store(&subject, None, codec::encode(&message)?).await?;
        Ok(())
    }

    /// The jobs of the last days, newest first.
    pub async fn jobs(&self, limit: usize) -> Result<Vec<JobRecord>, OperatorError> {
        let kv = self.bus.kv(Bucket::Jobs);
        let mut keys = kv.names("*", MAX_JOBS).await?;
        keys.sort_unstable_by(|a, b| b.cmp(a));
        keys.truncate(limit);
        let mut found = Vec::new();
        for entry in kv.get_many(&keys).await? {
            if let Ok(record) = codec::decode::<JobRecord>(&entry.value) {
                found.push(record);
            }
        }
        found.sort_by(|a, b| b.jid.cmp(&a.jid));
        Ok(found)
    }

    /// A job's record.
    pub async fn job(&self, jid: &JobId) -> Result<JobRecord, OperatorError> {
        let entry = self.bus.kv(Bucket::Jobs).get(jid.as_str()).await?;
        let entry = entry.ok_or_else(|| OperatorError::NoJob(jid.clone()))?;
        Ok(codec::decode(&entry.value)?)
    }

    /// What came of a job so far: its record, and each of its peels.
    pub async fn report(&self, jid: &JobId) -> Result<Report, OperatorError> {
        let mut record = self.job(jid).await?;
        let names = store::glance_targets(&self.bus, &record).await?;
        let mut returns = if record.status.is_final() {
            self.counted_returns(&record, names.clone(), 0).await?
        } else {
            self.glance_returns(jid, &names).await?
        };
        let peels: Peels = names
            .into_iter()
            .enumerate()
            .map(|(place, peel)| {
                let result = returns.remove(&peel);
                let status = result.as_ref().map_or_else(|| record.unheard(place), |r| r.status);
                (peel, (status, result))
            })
            .collect();
        // Returns that came after the end are in the record a little later.
        if record.status.is_final() {
            let mut counts = indexmap::IndexMap::new();
            for (status, _) in peels.values() {
                *counts.entry(*status).or_insert(0) += 1;
            }
            record.status = owner::status(&counts, record.status == JobStatus::Canceled);
        }
        Ok(Report { record, peels })
    }

    /// The stored returns of a job's peels, as some replica knows them: for showing while the job goes on.
    pub async fn glance_returns(
        &self,
        jid: &JobId,
        peels: &[PeelId],
    ) -> Result<BTreeMap<PeelId, JobReturn>, OperatorError> {
        Ok(store::glance_returns(&self.bus, jid, peels).await?)
    }

    /// The stored returns of a job's peels; who has none there, has none.
    pub async fn returns(
        &self,
        jid: &JobId,
        peels: &[PeelId],
    ) -> Result<BTreeMap<PeelId, JobReturn>, OperatorError> {
        Ok(store::returns(&self.bus, jid, peels).await?)
    }
}
