//! A job watched from its sending to its end.

use super::{Operator, OperatorError};
use crate::{
    bus::{
        Message, codec,
        id::PeelId,
        subject::{self, Received, Record},
    },
    job::message::{Job, JobRecord, JobReturn, PeelStatus, Progress},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How often the record is looked at when nothing is heard: its status may have been missed.
const LOOK: Duration = Duration::from_secs(5);
/// How long after the deadline the record is waited for: masters adopt within this.
const GRACE: Duration = Duration::from_secs(40);
/// How long a return that the record counts is waited for in the store.
const STORED: Duration = Duration::from_secs(10);

/// What is heard of a job while it runs.
#[derive(Clone, Debug)]
pub enum Heard {
    /// A peel has accepted it.
    Acked(PeelId),
    /// A state begins or ended on a peel.
    Progress(PeelId, Progress),
    /// A peel has ended.
    Returned(PeelId, Box<JobReturn>),
}

/// What came of a job.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its record: final, or what was known last.
    pub record: JobRecord,
    /// Every peel with its status and, if there is one, its return.
    pub peels: Peels,
}

/// Peels of a job with what is known of them.
pub type Peels = BTreeMap<PeelId, (PeelStatus, Option<JobReturn>)>;

impl Operator {
    /// Sends a job and follows it to its end; `hear` is told what happens meanwhile.
    pub async fn run(&self, job: Job, mut hear: impl FnMut(Heard)) -> Result<Report, OperatorError> {
        let jid = job.jid.clone();
        // First listen, then send: the fastest peel is not missed.
        let listen = |kind| {
            let subject = subject::reports(&jid, kind);
            async move { self.bus.subscribe(&subject).await }
        };
        let ending = subject::job(&jid, Record::Status);
        let (mut acks, mut lines, mut returns, mut status) = tokio::try_join!(
            listen(subject::Report::Ack),
            listen(subject::Report::Progress),
            listen(subject::Report::Return),
            self.bus.subscribe(&ending),
        )?;
        let mut peels: Peels =
            job.targets.peels.iter().map(|p| (p.clone(), (PeelStatus::Pending, None))).collect();
        let end = Instant::now() + Duration::from_millis(job.timeout_ms) + GRACE;
        self.dispatch(job).await?;
        let mut look = tokio::time::interval(LOOK);
        look.reset();
        let record = loop {
            let message = tokio::select! {
                // What peels said before the record was final is taken in before it.
                biased;
                message = acks.next() => message,
                message = lines.next() => message,
                message = returns.next() => message,
                message = status.next() => {
                    let record = message.as_ref().and_then(|m| codec::decode::<JobRecord>(&m.payload).ok());
                    match record {
                        Some(record) if record.status.is_final() => break record,
                        _ if message.is_none() => break self.job(&jid).await?,
                        _ => continue,
                    }
                }
                _ = look.tick() => match self.job(&jid).await {
                    Ok(record) if record.status.is_final() || Instant::now() > end => break record,
                    Err(error) if Instant::now() > end => return Err(error),
                    _ => continue,
                },
            };
            // The subscription has ended: what there is to know is stored.
            let Some(message) = message else { break self.job(&jid).await? };
            take(&message, &mut peels, &mut hear);
        };
        // What was not heard is stored.
        let missing: Vec<PeelId> =
            peels.iter().filter(|(_, (_, r))| r.is_none()).map(|(p, _)| p.clone()).collect();
        let heard = peels.values().filter(|(status, result)| result.is_some() && is_counted(*status)).count();
        for (peel, result) in self.counted_returns(&record, missing, heard).await? {
            hear(Heard::Returned(peel.clone(), Box::new(result.clone())));
            peels.insert(peel, (result.status, Some(result)));
        }
        for (place, (status, _)) in peels.values_mut().enumerate() {
            if *status == PeelStatus::Pending {
                *status = record.unheard(place);
            }
        }
        Ok(Report { record, peels })
    }
}

/// Whether a peel ends so by a return only.
fn is_counted(status: PeelStatus) -> bool {
    use PeelStatus::{Done, Expired, Failed, Interrupted};
    matches!(status, Done | Failed | Expired | Interrupted)
}

impl Operator {
    /// The stored returns of some peels of a job that has ended. A master hears a return before NATS has stored it, so
    /// those that the record counts are waited for; `heard` of them are known already.
    pub(super) async fn counted_returns(
        &self,
        record: &JobRecord,
        mut missing: Vec<PeelId>,
        heard: usize,
    ) -> Result<BTreeMap<PeelId, JobReturn>, OperatorError> {
        let counted: u64 =
            record.counts.iter().filter(|(status, _)| is_counted(**status)).map(|(_, n)| n).sum();
        let end = Instant::now() + STORED;
        let mut pause = Duration::from_millis(10);
        let mut found = BTreeMap::new();
        loop {
            found.append(&mut self.returns(&record.jid, &missing).await?);
            missing.retain(|peel| !found.contains_key(peel));
            let known = heard + found.values().filter(|r: &&JobReturn| is_counted(r.status)).count();
            if missing.is_empty() || known as u64 >= counted || Instant::now() > end {
                return Ok(found);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}

/// Takes in what a peel says.
fn take(message: &Message, peels: &mut Peels, hear: &mut impl FnMut(Heard)) {
    let Some(Received::Report(_, kind, peel)) = Received::parse(&message.subject) else { return };
    let known = peels.entry(peel.clone()).or_insert((PeelStatus::Pending, None));
    match kind {
        subject::Report::Ack if known.0 < PeelStatus::Acked => {
            known.0 = PeelStatus::Acked;
            hear(Heard::Acked(peel));
        }
        subject::Report::Ack => {}
        subject::Report::Progress => {
            if let Ok(progress) = codec::decode::<Progress>(&message.payload) {
                hear(Heard::Progress(peel, progress));
            }
        }
        subject::Report::Return if known.1.is_none() => {
            if let Ok(result) = codec::decode::<JobReturn>(&message.payload) {
                *known = (result.status, Some(result.clone()));
                hear(Heard::Returned(peel, Box::new(result)));
            }
        }
        subject::Report::Return => {}
    }
}
