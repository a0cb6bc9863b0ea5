//! The ledger with its journal: every change is on the disk before anything follows from it.

use crate::{
    bus::id::{JobId, PeelId},
    job::{
        journal::{Journal, JournalError},
        ledger::{Accepted, Ledger, Own, Record, Verdict},
        message::{Call, ExecRequest, JobReturn},
    },
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// A peel's jobs, shared by its tasks. Its functions wait for the disk: call them where waiting is allowed.
#[derive(Clone)]
pub struct Book(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    /// Changes when something may wait for a lane.
    waiting: watch::Sender<()>,
    /// Changes when something may wait to be stored.
    unstored: watch::Sender<()>,
}

struct Inner {
    ledger: Ledger,
    journal: Journal,
}

/// What opening found.
pub struct OpenedBook {
    /// The book.
    pub book: Book,
    /// Jobs that were in the middle when the peel stopped.
    pub interrupted: usize,
    /// Where a damaged journal was put aside.
    pub damaged: Option<PathBuf>,
}

impl Book {
    /// Opens the journal and ends what was in the middle when the peel stopped.
    pub fn open(path: &Path, me: PeelId, now_ms: u64) -> Result<OpenedBook, JournalError> {
        let opened = Journal::open(path)?;
        let mut ledger = Ledger::new(me);
        for record in &opened.records {
            ledger.apply(record);
        }
        let mut inner = Inner { ledger, journal: opened.journal };
        let ended = inner.ledger.recover(now_ms);
        inner.put(&ended)?;
        let shared = Shared {
            inner: Mutex::new(inner),
            waiting: watch::Sender::new(()),
            unstored: watch::Sender::new(()),
        };
        Ok(OpenedBook { book: Self(Arc::new(shared)), interrupted: ended.len(), damaged: opened.damaged })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held left the ledger as the journal has it: records are applied after they are written.
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges an envelope and puts down what follows; what is answered is on the disk.
    ///
    /// With `refuses`, the peel takes no new job, for that reason.
    pub fn offer(
        &self,
        request: &ExecRequest,
        now_ms: u64,
        refuses: Option<&str>,
    ) -> Result<Verdict, JournalError> {
        let mut inner = self.lock();
        let verdict = match refuses {
            None => inner.ledger.offer(request, now_ms),
            Some(why) => inner.ledger.refuse(request, now_ms, why),
        };
        match &verdict {
            Verdict::Accept(record) | Verdict::Again(Some(record)) => {
                inner.put(std::slice::from_ref(record))?;
            }
            Verdict::Refuse(records) | Verdict::Cancel { records, .. } => inner.put(records)?,
            Verdict::Again(None) | Verdict::Drop(_) => {}
        }
        drop(inner);
        match &verdict {
            Verdict::Accept(_) => self.0.waiting.send_replace(()),
            Verdict::Refuse(_) | Verdict::Cancel { .. } => self.0.unstored.send_replace(()),
            Verdict::Again(_) | Verdict::Drop(_) => {}
        }
        Ok(verdict)
    }

    /// Puts down something that the peel runs of its own accord, for the lanes to take.
    pub fn run_own(
        &self,
        own: Own,
        call: &Call,
        tree: Option<u64>,
        expires_ms: u64,
    ) -> Result<JobId, String> {
        let mut inner = self.lock();
        let record = inner.ledger.own(own, call, tree, expires_ms)?;
        inner.put(std::slice::from_ref(&record)).map_err(|e| e.to_string())?;
        drop(inner);
        self.0.waiting.send_replace(());
        match record {
            Record::Accepted(accepted) => Ok(accepted.jid),
            _ => Err("the ledger gave another record".to_owned()),
        }
    }

    /// Why the peel ran a job that nobody sent.
    pub fn own(&self, jid: &JobId) -> Option<Own> {
        self.lock().ledger.own_of(jid).cloned()
    }

    /// Whether a job waits or runs.
    pub fn is_open(&self, jid: &JobId) -> bool {
        self.lock().ledger.is_open(jid)
    }

    /// Whether a job has ended with states.
    pub fn ran_states(&self, jid: &JobId) -> bool {
        self.lock().ledger.ran_states(jid)
    }

    /// Jobs that wait, run, and returns that are not stored.
    pub fn sizes(&self) -> (usize, usize, usize) {
        let inner = self.lock();
        let ledger = &inner.ledger;
        (ledger.waiting_len(), ledger.running().count(), ledger.unstored().count())
    }

    /// Begins the next waiting job that `fits`: from here on it is never run again.
    pub fn begin(
        &self,
        fits: impl Fn(&Accepted) -> bool,
        now_ms: u64,
    ) -> Result<Option<Accepted>, JournalError> {
        let mut inner = self.lock();
        loop {
            let Some(next) = inner.ledger.waiting().find(|a| fits(a)).cloned() else { return Ok(None) };
            match inner.ledger.begin(&next.jid, now_ms) {
                Some(Ok(started)) => {
                    inner.put(&[started])?;
                    return Ok(Some(next));
                }
                Some(Err(expired)) => {
                    inner.put(&[expired])?;
                    self.0.unstored.send_replace(());
                }
                None => return Ok(None),
            }
        }
    }

    /// Puts down a record of a running job.
    pub fn put(&self, record: Record) -> Result<(), JournalError> {
        let ends = matches!(record, Record::Finished { .. });
        self.lock().put(&[record])?;
        if ends {
            self.0.unstored.send_replace(());
        }
        Ok(())
    }

    /// The returns that wait to be stored.
    pub fn unstored(&self) -> Vec<(JobId, JobReturn)> {
        self.lock().ledger.unstored().map(|(jid, result)| (jid.clone(), result.clone())).collect()
    }

    /// The epoch of a job's present owner.
    pub fn epoch(&self, jid: &JobId) -> u64 {
        self.lock().ledger.epoch(jid).unwrap_or_default()
    }

    /// Jobs that run now.
    pub fn running(&self) -> Vec<JobId> {
        self.lock().ledger.running().cloned().collect()
    }

    /// Forgets what is long over, and writes the journal anew when most of it is past.
    pub fn tidy(&self, now_ms: u64) -> Result<(), JournalError> {
        let mut inner = self.lock();
        let forgotten = inner.ledger.forgettable(now_ms);
        inner.put(&forgotten)?;
        if inner.journal.is_long() {
            let records = inner.ledger.records();
            inner.journal.rewrite(&records)?;
        }
        Ok(())
    }

    /// Changes when a job may be waiting.
    pub fn watch_waiting(&self) -> watch::Receiver<()> {
        let mut receiver = self.0.waiting.subscribe();
        receiver.mark_changed();
        receiver
    }

    /// Changes when a return may be waiting.
    pub fn watch_unstored(&self) -> watch::Receiver<()> {
        let mut receiver = self.0.unstored.subscribe();
        receiver.mark_changed();
        receiver
    }
}

impl Inner {
    fn put(&mut self, records: &[Record]) -> Result<(), JournalError> {
        if records.is_empty() {
            return Ok(());
        }
        self.journal.append(records)?;
        for record in records {
            self.ledger.apply(record);
        }
        Ok(())
    }
}
