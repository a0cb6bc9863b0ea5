//! Options of a connection, and making it.

use super::{
    client::{Bus, ConnectionState, Shared},
    error::{BusError, Refusal},
    reconnect::Backoff,
    subject,
    tls::{self, TlsFiles},
};
use async_nats::{Auth, AuthError, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use futures_util::StreamExt;
use nkeys::KeyPair;
use std::{fmt, sync::Arc, time::Duration};

/// What a client shows the server: its user JWT, and the seed that signs the server's nonce.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's JWT.
    pub jwt: String,
    /// The user's seed (`SU…`).
    pub seed: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// How to connect. The defaults are the seed's, as far as the client has them.
#[derive(Clone, Debug)]
pub struct BusOptions {
    /// Servers as `nats://host:port` or `tls://host:port`.
    pub servers: Vec<String>,
    /// Who this is: a peel's id, or `_<role>.<name>`, see [`inbox_owner`](subject::inbox_owner). Reply subjects are `_INBOX.<who>.…`.
    pub who: String,
    /// Credentials at the start; [`Bus::replace_credentials`] changes them later.
    pub credentials: Option<Credentials>,
    /// With TLS: the handshake comes first, before the server says a word in clear text.
    pub tls: Option<TlsFiles>,
    /// Delays between attempts.
    pub backoff: Backoff,
    /// A silent connection is asked for a sign of life this often; the third unanswered question ends it.
    pub ping_interval: Duration,
    /// For TCP, TLS and the handshake together.
    pub connect_timeout: Duration,
    /// For requests that name no other.
    pub request_timeout: Duration,
    /// Messages that wait in one subscription; what comes on top is dropped and counted.
    pub subscription_capacity: usize,
    /// How long [`Bus::drain`] may take.
    pub drain_timeout: Duration,
}

impl BusOptions {
    /// The defaults for a client called `who`.
    pub fn new(servers: impl IntoIterator<Item = impl Into<String>>, who: impl Into<String>) -> Self {
        Self {
            servers: servers.into_iter().map(Into::into).collect(),
            who: who.into(),
            credentials: None,
            tls: None,
            backoff: Backoff::default(),
            ping_interval: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(5),
            subscription_capacity: 65_536,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl Bus {
    /// Connects; fails if no server of the list accepts at the first try.
    pub async fn connect(options: BusOptions) -> Result<Self, BusError> {
        Self::start(options, false).await
    }

    /// Returns at once and connects when a server can be reached, which may be never. For programs that have work without a network.
    pub async fn open(options: BusOptions) -> Result<Self, BusError> {
        Self::start(options, true).await
    }

    async fn start(options: BusOptions, later: bool) -> Result<Self, BusError> {
        subject::check_inbox_owner(&options.who).map_err(|e| BusError::Options(e.to_string()))?;
        let servers = options
            .servers
            .iter()
            .map(|s| {
                s.parse::<ServerAddr>().map_err(|e| BusError::Options(format!("`{s}` is no server: {e}")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(BusError::Options("no NATS server is named".to_owned()));
        }
        let shared = Arc::new(Shared::new(&options));
        let inbox = subject::inbox(&options.who);
        let mut connect = client_options(&options, &shared, &inbox)?;
        if later {
            connect = connect.retry_on_initial_connect();
        }
        let client = connect.connect(servers).await.map_err(|e| match e.kind() {
            ConnectErrorKind::AuthorizationViolation => BusError::Refused(Refusal::Violation),
            _ => match Refusal::parse(&chain(&e)) {
                Some(refusal) => BusError::Refused(refusal),
                None => BusError::Connect { servers: options.servers.join(", "), reason: chain(&e) },
            },
        })?;
        // Answers come to one subscription of this connection.
        let prefix = format!("{inbox}.{}.", ulid::Ulid::r#gen());
        let mut answers = client.subscribe(format!("{prefix}*")).await.map_err(|_| BusError::Closed)?;
        let waiters = shared.waiters.clone();
        let dispatcher = tokio::spawn(async move {
            while let Some(message) = answers.next().await {
                waiters.answer(message);
            }
        });
        let bus = Self::new(client, shared, prefix, options, dispatcher.abort_handle());
        if !later {
            // The connection stands; its event is on the way. The server may have ended it again: expired credentials are let in for
            // the rest of their last second.
            bus.accepted().await?;
        }
        Ok(bus)
    }
}

fn client_options(
    options: &BusOptions,
    shared: &Arc<Shared>,
    inbox: &str,
) -> Result<ConnectOptions, BusError> {
    let (for_auth, for_delay, for_events) = (shared.clone(), shared.clone(), shared.clone());
    let mut connect = ConnectOptions::with_auth_callback(move |nonce| {
        // Asked at every connect: renewed credentials need no restart.
        let auth = authenticate(for_auth.credentials().as_ref(), &nonce);
        async move { auth }
    })
    .name(&options.who)
    .custom_inbox_prefix(inbox)
    .ping_interval(options.ping_interval)
    .connection_timeout(options.connect_timeout)
    .subscription_capacity(options.subscription_capacity.max(1))
    .request_timeout(Some(options.request_timeout))
    .max_reconnects(None)
    // Called before every attempt, right after a loss: the one sign of it that cannot get lost.
    .reconnect_delay_callback(move |_| for_delay.attempt())
    .event_callback(move |event| {
        for_events.event(&event);
        async {}
    });
    if let Some(files) = &options.tls {
        files.check()?;
        tls::install()?;
        connect = connect.require_tls(true).tls_first().add_root_certificates(files.roots.clone());
        if let Some((certificate, key)) = &files.identity {
            connect = connect.add_client_certificate(certificate.clone(), key.clone());
        }
    }
    Ok(connect)
}

fn authenticate(credentials: Option<&Credentials>, nonce: &[u8]) -> Result<Auth, AuthError> {
    let mut auth = Auth::new();
    if let Some(credentials) = credentials {
        let key = KeyPair::from_seed(credentials.seed.trim())
            .map_err(|_| AuthError::new("the seed of the credentials is not a seed"))?;
        let signature =
            key.sign(nonce).map_err(|_| AuthError::new("the seed of the credentials cannot sign"))?;
        auth.jwt = Some(credentials.jwt.clone());
        auth.signature = Some(signature);
    }
    Ok(auth)
}

/// For the attempts of a connection that nobody wants any more. The client cannot be told to stop while it looks for a server, but to wait.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Shared {
    /// An attempt to connect begins.
    fn attempt(&self) -> Duration {
        self.lost();
        if self.is_closed() { NEVER } else { self.next_delay() }
    }

    fn event(&self, event: &Event) {
        match event {
            Event::Connected => self.stands(),
            Event::Disconnected | Event::Draining | Event::Closed => {}
            Event::LameDuckMode => {
                tracing::info!("the NATS server is about to stop");
            }
            Event::SlowConsumer(_) => self.dropped_message(),
            Event::ServerError(error) => self.server_error(&error.to_string()),
            Event::ClientError(error) => self.failed_attempt(&error.to_string()),
        }
    }
}

/// An error with all its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    text
}

impl ConnectionState {
    /// Whether messages can go out.
    pub fn is_connected(self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}
