//! `zester master`

use crate::{
    fleet::{block_on, health, logging, termination},
    output::{Exit, Failure},
};
use clap::{Args, Subcommand};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use zester_executor::{
    auth::{authority::DAY, installation::MasterKeys, request::Operators},
    bus::id::MasterId,
    enroll::{
        rule::{Rule, RuleText},
        server::Certificate,
        service::Lifetime,
    },
    master::{Master, MasterOptions, enrollment::EnrollmentOptions, sign::Signer},
    publish::source::Source,
};

/// Where health is answered if nothing says otherwise.
const HEALTH: &str = "127.0.0.1:9474";

/// A master: takes jobs, sends them to peels, keeps what comes back. Any number may run at once.
#[derive(Args)]
pub struct MasterArgs {
    #[command(subcommand)]
    pub what: What,
}

/// What a master does.
#[derive(Subcommand)]
pub enum What {
    /// Runs until SIGINT or SIGTERM. What it leaves, others adopt.
    Run {
        /// The master's directory of keys.
        #[arg(long, value_name = "DIR", env = "ZESTER_MASTER")]
        keys: PathBuf,
        /// Where the enrollment API listens: ADDRESS:PORT, or `none`. The port that `zester init` was given, on all addresses, if not said.
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<String>,
        /// Where /healthz, /readyz and /metrics are answered: ADDRESS:PORT, or `none`; 127.0.0.1:9474 if nothing says otherwise.
        #[arg(long, value_name = "ADDRESS")]
        health: Option<String>,
        /// The master's configuration; `master.yaml` in the directory of keys, if it is there.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// `master.yaml`: what an operator decides about a master.
#[derive(serde::Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Config {
    /// How machines are admitted.
    #[serde(default)]
    enrollment: EnrollmentConfig,
    /// Where health and metrics are answered, or `none`.
    health: Option<String>,
    /// What the master publishes by itself.
    publish: Option<PublishConfig>,
}

/// A directory that is watched, or a git repository that is fetched.
#[derive(serde::Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct PublishConfig {
    /// The project's directory; within the repository where there is one.
    directory: Option<PathBuf>,
    /// The repository's address.
    git: Option<String>,
    /// Its branch or tag.
    branch: Option<String>,
    /// Between two looks: `60s`.
    every: Option<String>,
    /// Where the copy of the repository lies.
    cache: Option<PathBuf>,
}

impl PublishConfig {
    fn source(self, keys: &Path) -> Result<(Source, PathBuf), Failure> {
        let wrong = |e: String| Failure::new(format!("`publish`: {e}"));
        let every = self.every.as_deref().map(super::run::duration).transpose().map_err(wrong)?;
        let every = every.map(Duration::from_millis);
        let cache = self.cache.unwrap_or_else(|| keys.join("published-repository"));
        let source = match self.git {
            Some(url) => {
                let directory = self.directory.map(|d| d.to_string_lossy().into_owned());
                Source::new(None, Some(url), self.branch, directory, every)
            }
            None => Source::new(self.directory, None, self.branch, None, every),
        };
        Ok((source.map_err(wrong)?, cache))
    }
}

#[derive(serde::Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct EnrollmentConfig {
    /// Where the API listens, or `none`.
    listen: Option<String>,
    /// Rules that approve without an operator.
    #[serde(default)]
    rules: Vec<RuleText>,
    /// How long credentials of peels are good: `7d`.
    lifetime: Option<String>,
}

/// Runs the command.
pub fn run(args: &MasterArgs) -> Result<Exit, Failure> {
    let What::Run { keys: directory, listen, config, health: said } = &args.what;
    logging();
    let wrong = |e: String| Failure::new(e);
    let config = read_config(directory, config.as_deref())?;
    let keys = Arc::new(MasterKeys::load(directory).map_err(|e| wrong(e.to_string()))?);
    let listen = listen.clone().or_else(|| config.enrollment.listen.clone());
    let api = match address(listen.as_deref(), &keys)? {
        Some(address) => {
            let certificate = Certificate::load(directory).map_err(|e| wrong(e.to_string()))?;
            Some((address, Arc::new(certificate)))
        }
        None => None,
    };
    let said = said.clone().or(config.health);
    let publish = config.publish.map(|p| p.source(directory)).transpose()?;
    let rules = config.enrollment.rules.iter().map(Rule::read).collect::<Result<Vec<_>, _>>();
    let options = MasterOptions {
        id: MasterId::generate(),
        responder: keys.responder.bus_options(),
        dispatcher: keys.dispatcher.bus_options(),
        signer: Signer::of(&keys).map_err(|e| wrong(e.to_string()))?,
        verifier: Arc::new(Operators::new(&keys.description)).verifier(),
        heartbeat: Duration::from_secs(5),
        enrollment: Some(EnrollmentOptions {
            rules: rules.map_err(|e| wrong(e.to_string()))?,
            lifetime: lifetime(config.enrollment.lifetime.as_deref())?,
            keys,
            api,
        }),
        publish,
    };
    block_on(async move {
        let stop = termination()?;
        let master = Box::pin(Master::start(options)).await.map_err(|e| wrong(e.to_string()))?;
        let enrollment = master.enrollment_address().map_or("off".to_owned(), |a| a.to_string());
        let health = health(said.as_deref(), HEALTH, master.look()).await?;
        let answered = health.as_ref().map_or("nowhere".to_owned(), |h| h.address().to_string());
        tracing::info!(id = %master.id(), peels = master.peels(), enrollment, health = answered, "the master is ready");
        let signal = stop.await;
        tracing::info!("the master stops");
        master.stop().await;
        Ok(Exit::Signal(signal))
    })
}

fn read_config(keys: &Path, named: Option<&Path>) -> Result<Config, Failure> {
    let path = named.map_or_else(|| keys.join("master.yaml"), Path::to_owned);
    if named.is_none() && !path.exists() {
        return Ok(Config::default());
    }
    let wrong = |e: String| Failure::new(format!("`{}`: {e}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(|e| wrong(e.to_string()))?;
    if text.trim().is_empty() {
        return Ok(Config::default());
    }
    serde_yaml::from_str(&text).map_err(|e| wrong(e.to_string()))
}

/// Where the API listens: as said, or on all addresses at the port of the first master's address.
fn address(said: Option<&str>, keys: &MasterKeys) -> Result<Option<SocketAddr>, Failure> {
    match said {
        Some("none") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            Failure::new(format!("`{text}` is not an address to listen on, like 0.0.0.0:8443, nor `none`"))
        }),
        None => {
            let url = keys.description.masters.first().map_or("", String::as_str);
            let port = url.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(8443);
            Ok(Some((std::net::Ipv6Addr::UNSPECIFIED, port).into()))
        }
    }
}

/// Credentials are renewed after four sevenths of their life.
/// How long masters with this directory of keys make peels' credentials good, in seconds.
pub(super) fn credentials_lifetime(keys: &Path) -> Result<u64, Failure> {
    Ok(lifetime(read_config(keys, None)?.enrollment.lifetime.as_deref())?.good)
}

fn lifetime(said: Option<&str>) -> Result<Lifetime, Failure> {
    let Some(text) = said else { return Ok(Lifetime::default()) };
    let wrong = |e: String| Failure::new(format!("`lifetime` of enrollment: {e}"));
    let good = super::run::duration(text).map_err(wrong)? / 1000;
    if !(10..=397 * DAY).contains(&good) {
        return Err(wrong("credentials are good for 10 seconds to 397 days".to_owned()));
    }
    Ok(Lifetime { good, renew: good / 7 * 4 + good % 7 * 4 / 7 })
}
