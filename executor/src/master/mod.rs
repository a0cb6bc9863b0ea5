//! The master: stateless beside NATS, any number at once.
//!
//! It has two connections. The one that answers requests may not publish commands, so that no asker can steer an answer onto a peel's command
//! subject; the one that dispatches receives no requests.

mod beat;
mod dispatch;
pub mod enrollment;
pub mod index;
mod jobs;
mod pending;
mod publisher;
mod resolve;
mod secrets;
pub mod sign;
mod table;

use crate::bus::{
    Bus, BusError, BusOptions,
    id::{AdminId, MasterId},
    subject,
};
use crate::enroll::{server::ServeError, service::EnrollError};
use crate::health::{Kind, Look, Metric, Report};
use crate::publish::source::Source;
use enrollment::{Enrollment, EnrollmentOptions};
use index::FactsIndex;
use jobs::Jobs;
use sign::Signer;
use std::{
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};
use table::Table;
use tokio::{sync::watch, task::JoinSet};
use zester_compiler::target::Nodegroups;

/// An operator's request whose signature is verified.
#[derive(Clone, PartialEq, Debug)]
pub struct Verified {
    /// Who asks.
    pub who: AdminId,
    /// The owner of the inbox that answers may go to.
    pub inbox: String,
    /// What is asked.
    pub request: crate::job::message::OperatorRequest,
}

/// Verifies that bytes are an operator's request; the error is a sentence.
pub type Verifier = Arc<dyn Fn(&[u8]) -> Result<Verified, String> + Send + Sync>;

/// What a master needs to know.
#[derive(Clone)]
pub struct MasterOptions {
    /// Its id, new at each start.
    pub id: MasterId,
    /// The connection that answers.
    pub responder: BusOptions,
    /// The connection that dispatches.
    pub dispatcher: BusOptions,
    /// The dispatch key.
    pub signer: Signer,
    /// Verifies operators' requests.
    pub verifier: Verifier,
    /// Between two heartbeats.
    pub heartbeat: Duration,
    /// How it admits machines; nothing, where it does not.
    pub enrollment: Option<EnrollmentOptions>,
    /// What it publishes by itself, and where copies of repositories lie.
    pub publish: Option<(Source, std::path::PathBuf)>,
}

/// Why a master cannot start.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// Its connections.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The keys that it admits machines with.
    #[error(transparent)]
    Enroll(#[from] EnrollError),
    /// The API for enrollment.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// A running master.
pub struct Master {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// What the tasks of a master share.
struct Shared {
    options: MasterOptions,
    /// Answers.
    bus: Bus,
    /// Dispatches.
    out: Bus,
    jobs: Jobs,
    table: Table,
    enrollment: Option<Enrollment>,
    trees: secrets::Trees,
    index: RwLock<FactsIndex>,
    /// Whether all facts that are stored were read.
    index_ready: watch::Sender<bool>,
    nodegroups: RwLock<Nodegroups>,
    /// When this process began, for times that no clock change moves.
    began: Instant,
    began_ms: u64,
    stop: watch::Sender<bool>,
}

impl Master {
    /// Connects and begins to work.
    pub async fn start(options: MasterOptions) -> Result<Self, MasterError> {
        let (bus, out) = tokio::try_join!(
            Bus::connect(options.responder.clone()),
            Bus::connect(options.dispatcher.clone())
        )?;
        let enrollment = match options.enrollment.clone() {
            Some(enrollment) => Some(enrollment::start(&bus, enrollment).await?),
            None => None,
        };
        let shared = Arc::new(Shared {
            options,
            bus,
            out,
            enrollment,
            trees: secrets::Trees::default(),
            jobs: Jobs::default(),
            table: Table::default(),
            index: RwLock::default(),
            index_ready: watch::Sender::new(false),
            nodegroups: RwLock::default(),
            began: Instant::now(),
            began_ms: crate::peel::now_ms(),
            stop: watch::Sender::new(false),
        });
        // Who answers must know: listen and read before the first request is taken.
        let acks = shared.bus.subscribe(subject::ACKS).await?;
        let returns = shared.bus.subscribe(subject::RETURNS).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(jobs::listen(shared.clone(), acks, returns));
        tasks.spawn(table::run(shared.clone()));
        tasks.spawn(resolve::follow(shared.clone()));
        shared.table.ready().await;
        let _ = shared.index_ready.subscribe().wait_for(|r| *r).await;
        tasks.spawn(beat::run(shared.clone()));
        tasks.spawn(dispatch::run(shared.clone()));
        tasks.spawn(resolve::run(shared.clone()));
        tasks.spawn(pending::run(shared.clone()));
        tasks.spawn(publisher::nodegroups(shared.clone()));
        if let Some((source, cache)) = shared.options.publish.clone() {
            tasks.spawn(publisher::run(shared.clone(), source, cache));
        }
        Ok(Self { shared, tasks })
    }

    /// Its id.
    pub fn id(&self) -> &MasterId {
        &self.shared.options.id
    }

    /// Where its API for enrollment listens, if it does.
    pub fn enrollment_address(&self) -> Option<std::net::SocketAddr> {
        let api = self.shared.enrollment.as_ref()?.api.as_ref()?;
        Some(api.address())
    }

    /// How many peels it knows.
    pub fn peels(&self) -> usize {
        self.shared.index.read().unwrap_or_else(std::sync::PoisonError::into_inner).len()
    }

    /// Says how it is, for `/readyz` and `/metrics`.
    pub fn look(&self) -> Look {
        let shared = Arc::downgrade(&self.shared);
        Arc::new(move || shared.upgrade().map_or_else(Report::default, |shared| shared.report()))
    }

    /// Its answering connection.
    pub fn bus(&self) -> &Bus {
        &self.shared.bus
    }

    /// Ends it: others adopt what it leaves.
    pub async fn stop(mut self) {
        self.shared.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        tokio::join!(self.shared.bus.drain(), self.shared.out.drain());
    }
}

impl Shared {
    fn id(&self) -> &MasterId {
        &self.options.id
    }

    /// Unix time in milliseconds, of a clock that only goes forward while the process lives.
    fn now_ms(&self) -> u64 {
        self.began_ms + self.began.elapsed().as_millis() as u64
    }

    fn report(&self) -> Report {
        let connected = |bus: &Bus| {
            if bus.state().borrow().is_connected() {
                Ok(())
            } else {
                Err("there is no connection".to_owned())
            }
        };
        let beat = beat::confirmed(self).map(|at| self.now_ms().saturating_sub(at));
        let gauge = |name, help, value: f64| Metric::one(name, help, Kind::Gauge, value);
        let peels = self.index.read().unwrap_or_else(std::sync::PoisonError::into_inner).len();
        let mut metrics = vec![
            gauge("zester_master_peels", "Peels whose facts are known.", peels as f64),
            gauge("zester_master_jobs_owned", "Jobs that this master owns.", self.jobs.ids().len() as f64),
            gauge(
                "zester_master_jobs_open",
                "Jobs of all masters that have not ended.",
                self.table.open().len() as f64,
            ),
            gauge(
                "zester_master_heartbeat_age_seconds",
                "Since the last heartbeat that was stored; -1 before the first.",
                beat.map_or(-1.0, |ms| ms as f64 / 1000.0),
            ),
        ];
        metrics.extend(crate::health::of_bus(&self.bus));
        Report {
            checks: vec![
                ("nats", connected(&self.bus)),
                ("dispatch", connected(&self.out)),
                (
                    "heartbeat",
                    match beat {
                        Some(ms) if ms < 15_000 => Ok(()),
                        Some(ms) => Err(format!("the last one was stored {} s ago", ms / 1000)),
                        None => Err("none was stored yet".to_owned()),
                    },
                ),
            ],
            metrics,
        }
    }

    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        let _ = stop.wait_for(|s| *s).await;
    }

    async fn pause(&self, duration: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(duration) => true,
            () = self.stopped() => false,
        }
    }
}
