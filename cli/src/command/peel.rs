//! `zester peel`

use crate::{
    fleet::{block_on, connect, failure, health, logging, termination},
    options::Common,
    output::{Exit, Failure, print},
};
use clap::{Args, Subcommand};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};
use zester_executor::{
    auth::{authority::DAY, creds, installation::MasterKeys, private},
    bus::id::PeelId,
    enroll::{
        client::{self, EnrollOptions, Step},
        identity::Identity,
        service::{self, Lifetime},
    },
    peel::{Enrolled, Peel, PeelOptions, daemon::Daemon, now_ms},
    runner::Lock,
};

/// Between two looks at the machine's facts.
const FACTS_EVERY: Duration = Duration::from_secs(300);
/// Where health is answered if nothing says otherwise.
const HEALTH: &str = "127.0.0.1:9475";

/// Peels: the machines of the fleet.
#[derive(Args)]
pub struct PeelArgs {
    #[command(subcommand)]
    pub what: What,
}

/// What to do with peels.
#[derive(Subcommand)]
pub enum What {
    /// Runs this machine's peel until SIGINT or SIGTERM. It needs no network to start.
    Run {
        /// The peel's directory, with its credentials.
        #[arg(long, value_name = "DIR", default_value = "/var/lib/zester")]
        directory: PathBuf,
        /// The lock that keeps two applies on the machine apart, where it is not the machine's own.
        #[arg(long, value_name = "FILE")]
        lock: Option<PathBuf>,
        /// A master's address, https://master:8443, for the first start: the machine asks to become a peel. Repeatable.
        #[arg(long, value_name = "URL", env = "ZESTER_MASTERS", value_delimiter = ',')]
        master: Vec<String>,
        /// The pin of the masters' authority, sha256:…; `zester init` shows it. Without, the first authority that is seen is believed.
        #[arg(long, value_name = "PIN", env = "ZESTER_PIN")]
        pin: Option<String>,
        /// Refuses masters whose authority is neither pinned nor known.
        #[arg(long)]
        strict: bool,
        /// A file with the join token that a rule of the masters asks for.
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
        /// Between two looks at the machine's facts; 5m if nothing says otherwise.
        #[arg(long, value_name = "TIME", value_parser = super::run::duration)]
        facts_interval: Option<u64>,
        /// The peel's configuration; `peel.yaml` in its directory, if it is there.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Where /healthz, /readyz and /metrics are answered: ADDRESS:PORT, or `none`; 127.0.0.1:9475 if nothing says otherwise.
        #[arg(long, value_name = "ADDRESS")]
        health: Option<String>,
    },
    /// Credentials for a peel, made by hand into a new directory: for images, and where nobody can enroll.
    Issue {
        /// The peel's id.
        id: String,
        /// The directory that is made.
        directory: PathBuf,
        /// A master's directory of keys.
        #[arg(long, value_name = "DIR", env = "ZESTER_MASTER")]
        keys: PathBuf,
        /// A group of the peel; repeatable.
        #[arg(long)]
        group: Vec<String>,
        /// How many days they last.
        #[arg(long, default_value_t = 7)]
        days: u64,
    },
    /// The peels that match a target, all without one.
    List {
        /// Which.
        #[arg(default_value = "*")]
        target: String,
    },
}

/// Runs the command.
pub fn run(common: &Common, args: &PeelArgs) -> Result<Exit, Failure> {
    match &args.what {
        What::Run { directory, lock, master, pin, strict, token_file, facts_interval, config, health } => {
            let token = match token_file {
                Some(path) => {
                    let text = std::fs::read_to_string(path)
                        .map_err(|e| Failure::new(format!("the token file `{}`: {e}", path.display())))?;
                    Some(text.trim().to_owned())
                }
                None => None,
            };
            let enroll = EnrollOptions {
                masters: master.clone(),
                pin: pin.clone(),
                roots: None,
                strict: *strict,
                token,
                host: host_name(),
            };
            let lock = lock.clone().unwrap_or_else(Lock::default_path);
            let mut daemon = read_config(directory, config.as_deref())?;
            if let Some(interval) = facts_interval {
                daemon.facts_interval = Some(Duration::from_millis(*interval));
            }
            if health.is_some() {
                daemon.health.clone_from(health);
            }
            serve(common, directory, lock, enroll, daemon)
        }
        What::Issue { id, directory, keys, group, days } => issue(id, directory, keys, group, *days),
        What::List { target } => list(common, target),
    }
}

fn serve(
    common: &Common,
    directory: &Path,
    lock: PathBuf,
    enroll: EnrollOptions,
    daemon: Daemon,
) -> Result<Exit, Failure> {
    logging();
    let wrong = |e: String| Failure::new(e);
    let identity =
        Identity::open(directory, peel_id(common, directory)?).map_err(|e| wrong(e.to_string()))?;
    let kept = identity.kept().map_err(|e| wrong(e.to_string()))?;
    if kept.is_none() && enroll.masters.is_empty() {
        return Err(wrong(format!(
            "`{}` has no credentials: name a master to enroll with, --master https://HOST:8443, and the pin that `zester init` showed",
            directory.display()
        )));
    }
    block_on(async move {
        let stop = termination()?;
        tokio::pin!(stop);
        let (grant, credentials) = match kept {
            Some(kept) => kept,
            None => {
                let grant = tokio::select! {
                    grant = client::enroll(&identity, &enroll, told) => grant.map_err(|e| wrong(e.to_string()))?,
                    signal = &mut stop => return Ok(Exit::Signal(signal)),
                };
                let kept = identity.kept().map_err(|e| wrong(e.to_string()))?;
                kept.ok_or_else(|| wrong(format!("the grant for `{}` was not kept", grant.expires)))?
            }
        };
        let options = PeelOptions {
            id: identity.id().clone(),
            directory: directory.join("state"),
            bus: identity.bus_options(&grant, credentials),
            anchor: grant.anchor.clone(),
            lock,
            facts: common.facts.clone(),
            facts_interval: daemon.facts_interval.unwrap_or(FACTS_EVERY),
            daemon,
            enrolled: Some(Enrolled { identity: Arc::new(identity), grant }),
        };
        let said = options.daemon.health.clone();
        let peel = Peel::start(options).await.map_err(|e| wrong(e.to_string()))?;
        let health = health(said.as_deref(), HEALTH, peel.look()).await?;
        let answered = health.as_ref().map_or("nowhere".to_owned(), |h| h.address().to_string());
        tracing::info!(revision = peel.revision(), health = answered, "the peel is ready");
        let mut hangup =
            signal(SignalKind::hangup()).map_err(|e| wrong(format!("signals cannot be listened to: {e}")))?;
        let signal = loop {
            tokio::select! {
                signal = &mut stop => break signal,
                _ = hangup.recv() => {
                    tracing::info!("facts, schedule and tree are looked at now");
                    peel.refresh();
                }
            }
        };
        tracing::info!("the peel stops: the running state finishes");
        peel.stop().await;
        Ok(Exit::Signal(signal))
    })
}

fn read_config(directory: &Path, named: Option<&Path>) -> Result<Daemon, Failure> {
    let path = named.map_or_else(|| directory.join("peel.yaml"), Path::to_owned);
    if named.is_none() && !path.exists() {
        return Ok(Daemon::default());
    }
    let wrong = |e: String| Failure::new(format!("`{}`: {e}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(|e| wrong(e.to_string()))?;
    Daemon::read(&text).map_err(wrong)
}

fn told(step: Step) {
    match step {
        Step::Believed { pin } => {
            tracing::warn!(%pin, "the masters' authority is believed at first sight: compare the pin with what `zester init` showed");
        }
        Step::Waiting { fingerprint } => {
            tracing::info!(%fingerprint, "this machine waits for an operator: zester enroll approve");
        }
        Step::Trouble { master, reason } => tracing::warn!(%master, %reason, "a master cannot be asked"),
    }
}

/// `--id`, the id of the credentials that are there, or the machine's name with `-` for each dot.
fn peel_id(common: &Common, directory: &Path) -> Result<PeelId, Failure> {
    let wrong = |e: String| Failure::new(e);
    if let Some(id) = &common.id {
        return PeelId::new(id).map_err(|e| wrong(e.to_string()));
    }
    if let Ok((_, claims)) = creds::load(&directory.join("peel.creds")) {
        return PeelId::new(&claims.name).map_err(|e| wrong(e.to_string()));
    }
    let host = host_name().replace('.', "-");
    PeelId::new(&host)
        .map_err(|e| wrong(format!("the machine's name `{host}` cannot be its id, name one with --id: {e}")))
}

/// Makes a peel's directory.
pub fn issue(id: &str, directory: &Path, keys: &Path, groups: &[String], days: u64) -> Result<Exit, Failure> {
    let wrong = |e: String| Failure::new(e);
    let id = PeelId::new(id).map_err(|e| wrong(e.to_string()))?;
    let master = MasterKeys::load(keys).map_err(|e| wrong(e.to_string()))?;
    let now = now_ms() / 1000;
    let good = days.clamp(1, 397) * DAY;
    let lifetime = Lifetime { good, renew: good / 7 * 4 };
    private::make_directory(directory).map_err(|e| wrong(e.to_string()))?;
    let identity = Identity::open(directory, id.clone()).map_err(|e| wrong(e.to_string()))?;
    let public = (identity.key(), identity.point().to_vec());
    let grant = service::issue(&master, &id, (&public.0, &public.1), groups, (now, lifetime))
        .map_err(|e| wrong(e.to_string()))?;
    identity.keep(&grant).map_err(|e| wrong(e.to_string()))?;
    Ok(Exit::Fine)
}

fn list(common: &Common, target: &str) -> Result<Exit, Failure> {
    block_on(async {
        let operator = connect(common).await?;
        let (targets, known) = operator.resolve(target).await.map_err(failure)?;
        if common.json() {
            print(&format!(
                "{}\n",
                json!({"format_version": "1.0", "peels": targets.peels, "count": targets.count, "known": known})
            ));
        } else {
            for peel in &targets.peels {
                print(&format!("{peel}\n"));
            }
            eprintln!("{} of {known} peels", targets.count);
        }
        Ok(if targets.count == 0 { Exit::NoPeel } else { Exit::Fine })
    })
}

/// The machine's own name.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}
