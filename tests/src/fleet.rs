//! Masters and peels in this process, over a real nats-server without credentials: for what jobs do. What credentials do is tested elsewhere.

use crate::{
    cluster::{Cluster, NODES},
    nats::Server,
    simulated::Crowd,
};
use nkeys::{KeyPair, XKey};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use zester_compiler::project::{OpenOptions, Project};
use zester_executor::{
    auth::signed::{Anchor, Certificate, Purpose, Signed, certify},
    bus::{
        Bus, BusOptions,
        id::{AdminId, JobId, MasterId, PeelId},
        storage::{Layout, ensure},
    },
    job::message::{Call, Job, OperatorRequest, VERSION},
    master::{Master, MasterOptions, Verified, sign::Signer},
    operator::Operator,
    peel::{Peel, PeelOptions, daemon::Daemon},
    publish::{Sent, Tree},
};

/// A server or a cluster, the operator's keys, and a directory for peels.
pub struct Fleet<S = Server> {
    /// The nats-server or servers.
    pub server: S,
    urls: Vec<String>,
    /// Where peels live.
    pub directory: tempfile::TempDir,
    anchor: Anchor,
    signer: Signer,
    admin: Arc<KeyPair>,
    sealer: XKey,
}

/// The life of the installation that tests play.
const INCARNATION: &str = "first";

impl Fleet {
    /// Starts the server and makes its streams.
    ///
    /// # Panics
    /// When that does not work.
    pub async fn start() -> Self {
        Self::sized(5).await
    }

    /// Starts the server with streams of so many percent of their real sizes: thousands of peels need them whole.
    ///
    /// # Panics
    /// When that does not work.
    pub async fn sized(size_percent: u32) -> Self {
        let server = Server::start("");
        let urls = vec![server.url()];
        let fleet = Self::of(server, urls);
        let bus = fleet.bus("provisioner").await;
        ensure(&bus, Layout { size_percent, ..Layout::default() }).await.expect("streams");
        fleet
    }
}

impl Fleet<Cluster> {
    /// Starts a cluster and makes its streams, three times each.
    ///
    /// # Panics
    /// When they are not there within two minutes.
    pub async fn clustered() -> Self {
        let cluster = Cluster::start();
        let urls = cluster.urls();
        let fleet = Self::of(cluster, urls);
        let layout = Layout { size_percent: 2, replicas: NODES as u8 };
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            // The servers have to find each other and a leader first.
            let made = match Bus::connect(fleet.options("provisioner")).await {
                Ok(bus) => ensure(&bus, layout).await.map(drop).map_err(|e| e.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match made {
                Ok(()) => return fleet,
                Err(error) => {
                    assert!(Instant::now() < end, "no streams: {error}\n{}", fleet.server.log());
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl<S: Sync> Fleet<S> {
    fn of(server: S, urls: Vec<String>) -> Self {
        let operator = KeyPair::new_operator();
        let dispatch = KeyPair::new_service();
        let certificate = Certificate {
            v: 1,
            key: dispatch.public_key(),
            purposes: vec![Purpose::Dispatch, Purpose::Tree],
            incarnation: INCARNATION.to_owned(),
            not_before_ms: 0,
            expires_ms: u64::MAX,
        };
        let certificate = certify(&operator, &certificate).expect("a certificate");
        let signer =
            Signer::new(&dispatch.seed().expect("a seed"), &certificate, INCARNATION).expect("a signer");
        Self {
            server,
            urls,
            directory: tempfile::tempdir().expect("a directory"),
            anchor: Anchor { operators: vec![operator.public_key()], incarnation: INCARNATION.to_owned() },
            signer,
            admin: Arc::new(KeyPair::new_user()),
            sealer: XKey::new(),
        }
    }

    /// A connection.
    ///
    /// # Panics
    /// When there is none.
    pub async fn bus(&self, who: &str) -> Bus {
        Bus::connect(self.options(who)).await.expect("a connection")
    }

    /// Options of a connection.
    pub fn options(&self, who: &str) -> BusOptions {
        let mut options = BusOptions::new(self.urls.clone(), who);
        options.backoff.wait = Duration::from_millis(100);
        options.backoff.jitter = (Duration::from_millis(10), Duration::from_millis(200));
        options
    }

    /// The dispatch key.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Whom peels trust.
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// Options of a master that takes requests of the operator `alice`.
    ///
    /// # Panics
    /// Never: its names are names.
    pub fn master_options(&self) -> MasterOptions {
        let id = MasterId::generate();
        let key = self.admin.public_key();
        MasterOptions {
            responder: self.options(id.as_str()),
            dispatcher: self.options(&format!("{id}d")),
            id,
            signer: self.signer.clone(),
            verifier: Arc::new(move |bytes| {
                let request: OperatorRequest = Signed::decode(bytes)
                    .and_then(|s| s.open_by(&key, Purpose::Request))
                    .map_err(|e| e.to_string())?;
                let who = AdminId::new("alice").map_err(|e| e.to_string())?;
                Ok(Verified { inbox: who.to_string(), who, request })
            }),
            heartbeat: Duration::from_secs(5),
            enrollment: None,
            publish: None,
        }
    }

    /// Starts a master.
    ///
    /// # Panics
    /// When it cannot start.
    pub async fn master(&self) -> Master {
        Box::pin(Master::start(self.master_options())).await.expect("a master")
    }

    /// Options of a peel; its directory stays between starts.
    ///
    /// # Panics
    /// When `name` is no id.
    pub fn peel_options(&self, name: &str) -> PeelOptions {
        let directory = self.directory.path().join(name);
        PeelOptions {
            id: PeelId::new(name).expect("an id"),
            bus: self.options(name),
            anchor: self.anchor.clone(),
            lock: directory.join("apply.lock"),
            facts: None,
            facts_interval: Duration::from_secs(300),
            daemon: Daemon::default(),
            enrolled: None,
            directory,
        }
    }

    /// Starts simulated peels with this machine's facts: `<prefix>-1`, …
    ///
    /// # Panics
    /// When `prefix` makes no ids.
    pub async fn crowd(&self, prefix: &str, count: usize) -> Crowd {
        let facts = zester_stdlib::facts::collect_here(Some(prefix));
        Crowd::start(prefix, count, &self.anchor, &facts, &|name| self.options(name)).await
    }

    /// Starts a peel.
    ///
    /// # Panics
    /// When it cannot start.
    pub async fn peel(&self, name: &str) -> Peel {
        Peel::start(self.peel_options(name)).await.expect("a peel")
    }

    /// The operator.
    ///
    /// # Panics
    /// When there is no connection.
    pub async fn operator(&self) -> Operator {
        let bus = self.bus("alice").await;
        let seed = self.admin.seed().expect("a seed");
        Operator::new(bus, AdminId::new("alice").expect("a name"), &seed, "").expect("an operator")
    }

    /// Publishes a tree of these files.
    ///
    /// # Panics
    /// When it cannot be published.
    pub async fn publish(&self, files: &[(&str, &str)]) -> Sent {
        let directory = tempfile::tempdir().expect("a directory");
        for (path, text) in files {
            let path: PathBuf = directory.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        }
        let project = Project::open_dir(directory.path(), OpenOptions::default()).expect("a project");
        let tree = Tree::collect(&project, directory.path()).expect("a tree");
        tree.send(&self.bus("publisher").await, &self.signer, &self.sealer).await.expect("published")
    }
}

/// Waits until `operator` sees so many peels.
///
/// # Panics
/// When they do not come within 30 s.
pub async fn await_peels(operator: &Operator, count: u64) {
    let mut known = 0;
    for _ in 0..300 {
        match operator.resolve("*").await {
            Ok((_, n)) if n >= count => return,
            Ok((_, n)) => known = n,
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{known} of {count} peels are known");
}

/// A job of `function` on what `target` matches.
///
/// # Panics
/// When the target cannot be resolved.
pub async fn job(operator: &Operator, target: &str, function: &str, args: &[&str]) -> Job {
    let (targets, _) = operator.resolve(target).await.expect("targets");
    Job {
        v: VERSION,
        jid: JobId::generate(),
        call: Call {
            function: function.to_owned(),
            args: args.iter().map(|a| zester_compiler::types::Value::Str((*a).to_owned())).collect(),
            ..Call::default()
        },
        targets,
        timeout_ms: 60_000,
        batch: None,
        created_ms: zester_executor::peel::now_ms(),
        metadata: indexmap::IndexMap::new(),
    }
}
