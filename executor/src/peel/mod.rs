//! The peel: it boots and works with nobody there, runs what masters send, once, and loses no return.
//!
//! Its [book](book) is on the disk before anything follows from it. Changing work runs in one lane, in order; what changes nothing runs beside
//! it. It holds no consumer and no watch: notices say that something has changed, and it reads again then, on reconnect, and now and then.

mod basket;
pub mod book;
pub mod call;
mod command;
pub mod daemon;
mod facts;
mod lane;
mod outbox;
mod renew;
mod schedule;
mod secrets;
mod startup;
mod states;
mod sync;
pub mod trees;
mod twin;

use crate::{
    auth::signed::Anchor,
    bus::{Bus, BusError, BusOptions, id::PeelId, subject},
    enroll::{identity::Identity, message::Grant},
    health::{Kind, Look, Metric, Report},
    job::{
        journal::JournalError,
        message::{PeelHello, PeelStatus},
    },
    publish::{CacheError, TreeCache},
};
pub use command::verify;

use basket::Basket;
use book::Book;
use call::Host;
use daemon::Daemon;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::watch, task::JoinSet};
use trees::Trees;
use zester_stdlib::Cancel;

/// What a peel needs to know.
#[derive(Clone, Debug)]
pub struct PeelOptions {
    /// Its id.
    pub id: PeelId,
    /// Where its journal and its copy of the tree lie; this user's alone.
    pub directory: PathBuf,
    /// How to reach NATS.
    pub bus: BusOptions,
    /// Whose signatures it obeys.
    pub anchor: Anchor,
    /// The lock that keeps two applies on the machine apart.
    pub lock: PathBuf,
    /// A file of facts, added to or replacing the machine's.
    pub facts: Option<PathBuf>,
    /// Between two looks at the machine's facts.
    pub facts_interval: Duration,
    /// What the machine's owner decides.
    pub daemon: Daemon,
    /// Its keys and what masters gave for them; without, its credentials are not renewed and it has no secrets.
    pub enrolled: Option<Enrolled>,
}

/// A peel's identity, and the newest grant for it.
#[derive(Clone, Debug)]
pub struct Enrolled {
    /// Its keys.
    pub identity: Arc<Identity>,
    /// What masters gave.
    pub grant: Grant,
}

/// Why a peel cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum PeelError {
    /// Its journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its copy of the tree.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Its connection.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// Its directory.
    #[error("the peel's directory `{}` cannot be used: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running peel.
pub struct Peel {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// What the tasks of a peel share.
struct Shared {
    options: PeelOptions,
    /// New at each start.
    instance: String,
    bus: Bus,
    book: Book,
    host: Host,
    /// Jobs that run, each with what stops it.
    running: Mutex<HashMap<crate::bus::id::JobId, Cancel>>,
    /// Set once, at the end.
    stopping: AtomicBool,
    stop: watch::Sender<bool>,
    /// Changes when the published tree is wanted at once.
    look: watch::Sender<()>,
    /// Changes when a tree is in force.
    enforced: watch::Sender<()>,
    /// Whether the published tree was looked at since the start.
    looked: watch::Sender<bool>,
    /// When another machine with this identity was last heard, Unix time in milliseconds; 0 if never.
    twin_ms: AtomicU64,
    counts: Counts,
}

/// What has happened since the start.
#[derive(Default)]
struct Counts {
    done: AtomicU64,
    failed: AtomicU64,
    /// Envelopes that were not what they must be.
    refused: AtomicU64,
}

impl Counts {
    fn ended(&self, status: PeelStatus) {
        let counter = if status == PeelStatus::Done { &self.done } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Peel {
    /// Starts a peel. It needs no network for that.
    pub async fn start(options: PeelOptions) -> Result<Self, PeelError> {
        private_directory(&options.directory)?;
        let opened = Book::open(&options.directory.join("journal"), options.id.clone(), now_ms())?;
        if let Some(aside) = &opened.damaged {
            tracing::error!(aside = %aside.display(), "the journal was damaged; its readable beginning goes on");
        }
        if opened.interrupted > 0 {
            tracing::warn!(jobs = opened.interrupted, "jobs were interrupted by the last stop");
        }
        let cache = TreeCache::open(&options.directory.join("tree"))?;
        let trees = Trees::open(cache, options.anchor.clone(), now_ms());
        let host = Host::new(
            trees,
            options.id.to_string(),
            options.directory.clone(),
            options.lock.clone(),
            options.facts.clone(),
        );
        let bus = Bus::open(options.bus.clone()).await?;
        let shared = Arc::new(Shared {
            options,
            instance: ulid::Ulid::r#gen().to_string(),
            bus,
            book: opened.book,
            host,
            running: Mutex::default(),
            stopping: AtomicBool::new(false),
            stop: watch::Sender::new(false),
            look: watch::Sender::new(()),
            enforced: watch::Sender::new(()),
            looked: watch::Sender::new(false),
            twin_ms: AtomicU64::new(0),
            counts: Counts::default(),
        });
        let _ = shared.host.book.set(shared.book.clone());
        let basket = Basket::open(shared.bus.clone(), shared.id().clone(), &shared.options.directory);
        let _ = shared.host.peers.set(Arc::new(basket));
        secrets::restore(&shared);
        let mut tasks = JoinSet::new();
        let subjects =
            [subject::command(shared.id()), subject::COMMAND_ALL.to_owned(), subject::CANCELS.to_owned()];
        for subject in subjects {
            tasks.spawn(command::listen(shared.clone(), subject));
        }
        tasks.spawn(command::ask_pending(shared.clone()));
        tasks.spawn(lane::ordered(shared.clone()));
        tasks.spawn(lane::concurrent(shared.clone()));
        tasks.spawn(outbox::run(shared.clone()));
        tasks.spawn(facts::run(shared.clone()));
        tasks.spawn(sync::run(shared.clone()));
        if let Some(enrolled) = shared.options.enrolled.clone() {
            tasks.spawn(renew::run(shared.clone(), enrolled.clone()));
            tasks.spawn(twin::run(shared.clone(), enrolled));
        }
        tasks.spawn(basket::publish(shared.clone()));
        tasks.spawn(schedule::run(shared.clone()));
        tasks.spawn(startup::run(shared.clone()));
        tasks.spawn(tidy(shared.clone()));
        Ok(Self { shared, tasks })
    }

    /// The revision of the tree in force.
    pub fn revision(&self) -> Option<u64> {
        self.shared.host.trees.revision()
    }

    /// Looks at facts, schedule, basket and the published tree now.
    pub fn refresh(&self) {
        self.shared.look.send_replace(());
        self.shared.host.refresh.send_replace(());
    }

    /// Says how it is, for `/readyz` and `/metrics`.
    pub fn look(&self) -> Look {
        let shared = Arc::downgrade(&self.shared);
        Arc::new(move || shared.upgrade().map_or_else(Report::default, |shared| shared.report()))
    }

    /// Its connection.
    pub fn bus(&self) -> &Bus {
        &self.shared.bus
    }

    /// Ends it: the running state finishes, the rest is recorded as not run, the return is sent.
    pub async fn stop(mut self) {
        let shared = &self.shared;
        shared.stopping.store(true, Ordering::SeqCst);
        for cancel in shared.running().values() {
            cancel.cancel();
        }
        shared.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        self.shared.bus.drain().await;
    }

    /// Waits until a task ends by itself, which only a defect of ours can do.
    pub async fn failed(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if ended.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

impl Shared {
    fn id(&self) -> &PeelId {
        &self.options.id
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<crate::bus::id::JobId, Cancel>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Waits for the end.
    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        let _ = stop.wait_for(|s| *s).await;
    }

    /// Waits so long, or for the end; says whether it goes on.
    async fn pause(&self, duration: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(duration) => true,
            () = self.stopped() => false,
        }
    }

    fn report(&self) -> Report {
        let (waiting, running, unstored) = self.book.sizes();
        let tree = self.host.trees.revision();
        let connected = self.bus.state().borrow().is_connected();
        let twin = twin::refuses(self);
        let gauge = |name, help, value: usize| Metric::one(name, help, Kind::Gauge, value as f64);
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let mut metrics = vec![
            gauge("zester_peel_jobs_waiting", "Jobs that wait for their turn.", waiting),
            gauge("zester_peel_jobs_running", "Jobs that run.", running),
            gauge("zester_peel_returns_unstored", "Returns that the server has not stored yet.", unstored),
            Metric {
                name: "zester_peel_jobs_total",
                help: "Jobs that ended since the start.",
                kind: Kind::Counter,
                samples: vec![
                    (Some(("status", "done")), count(&self.counts.done)),
                    (Some(("status", "failed")), count(&self.counts.failed)),
                ],
            },
            Metric::one(
                "zester_peel_envelopes_refused_total",
                "Messages on command subjects that no master signed.",
                Kind::Counter,
                count(&self.counts.refused),
            ),
            Metric::one(
                "zester_peel_tree_revision",
                "The revision of the tree in force; 0 without one.",
                Kind::Gauge,
                tree.unwrap_or_default() as f64,
            ),
            gauge(
                "zester_peel_twin",
                "Whether another machine uses this identity.",
                usize::from(twin.is_some()),
            ),
        ];
        metrics.extend(crate::health::of_bus(&self.bus));
        Report {
            checks: vec![
                ("nats", if connected { Ok(()) } else { Err("there is no connection".to_owned()) }),
                ("identity", twin.map_or(Ok(()), |why| Err(why.to_owned()))),
            ],
            metrics,
        }
    }

    fn hello(&self) -> PeelHello {
        PeelHello {
            v: crate::job::message::VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.instance.clone(),
            running: self.book.running(),
            time_ms: now_ms(),
        }
    }
}

/// Forgets what is long over.
async fn tidy(shared: Arc<Shared>) {
    while shared.pause(Duration::from_secs(60)).await {
        let book = shared.book.clone();
        let tidied = tokio::task::spawn_blocking(move || book.tidy(now_ms())).await;
        if let Ok(Err(error)) = tidied {
            tracing::error!(%error, "the journal cannot be tidied");
        }
    }
}

/// Unix time in milliseconds.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// So long, give or take a fifth: peels that start together do not stay together.
fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(rand::random_range(0.8..1.2))
}

fn private_directory(path: &Path) -> Result<(), PeelError> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let wrong = |source| PeelError::Directory { path: path.to_owned(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(wrong)?;
    let metadata = std::fs::metadata(path).map_err(wrong)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
        let text = "it must belong to this user, and nobody else may write to it";
        return Err(wrong(std::io::Error::new(std::io::ErrorKind::PermissionDenied, text)));
    }
    Ok(())
}
