//! A real nats-server with an installation of `zester init`: TLS, tokens, permissions.

use crate::nats::Server;
use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use zester_executor::{
    auth::{
        authority::Use,
        init::{InitOptions, init},
        installation::{Access, Installation},
        issue::Subject,
        permission::Role,
        server_config::ServerConfig,
    },
    bus::{
        Bus, BusOptions, Credentials,
        id::{AdminId, PeelId},
        reconnect::Backoff,
        storage::{Layout, ensure},
        tls::TlsFiles,
    },
};

/// An installation and its server.
pub struct Secured {
    /// The server.
    pub server: Server,
    /// What `zester init` made.
    pub installation: Installation,
    /// Where it lies.
    pub directory: tempfile::TempDir,
}

impl Secured {
    /// Makes an installation, starts its server, makes its streams.
    ///
    /// # Panics
    /// When that does not work.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let options = InitOptions::local(AdminId::new("alice").expect("a name"), now());
        let installation = init(&directory.path().join("zester"), &options).expect("an installation");
        let nats = installation.nats();
        let mut config = ServerConfig::new(&nats, &directory.path().join("data"), 4222);
        // Several tests run at a time.
        config.monitor = None;
        let path = nats.join("test.conf");
        fs::write(&path, config.render(&installation.tokens().expect("tokens"))).expect("a configuration");
        let secured = Self { server: Server::start_with(&path), installation, directory };
        let provisioner = secured.connect(&secured.safe(Role::Provisioner)).await;
        ensure(&provisioner, Layout { size_percent: 5, ..Layout::default() }).await.expect("streams");
        secured
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("tls://127.0.0.1:{}", self.server.port())
    }

    /// The access of a role in the safe.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn safe(&self, role: Role) -> BusOptions {
        self.options(self.installation.safe_access(role).expect("the safe"))
    }

    /// Options with this access and short delays.
    pub fn options(&self, access: Access) -> BusOptions {
        self.quick(access.bus_options())
    }

    fn quick(&self, options: BusOptions) -> BusOptions {
        let backoff = Backoff {
            wait: Duration::from_millis(100),
            jitter: (Duration::from_millis(10), Duration::from_millis(50)),
            longest: Duration::from_millis(500),
            steady: Duration::from_secs(1),
        };
        BusOptions { servers: vec![self.url()], backoff, ..options }
    }

    /// Connects.
    ///
    /// # Panics
    /// When the server does not accept it.
    pub async fn connect(&self, options: &BusOptions) -> Bus {
        Bus::connect(options.clone()).await.expect("a connection")
    }

    /// Credentials of a peel, good for so many seconds.
    ///
    /// # Panics
    /// When they are refused.
    pub fn peel_credentials(&self, id: &str, groups: &[&str], seconds: u64) -> Credentials {
        let id = PeelId::new(id).expect("an id");
        let groups: Vec<String> = groups.iter().map(|&g| g.to_owned()).collect();
        let issuer = self.installation.issuer(Role::Peel).expect("an issuer");
        issuer
            .credentials(|key| Subject::peel(&id, key, &groups), now(), Some(now() + seconds))
            .expect("credentials")
    }

    /// Options of a peel with these credentials, and a client's certificate of its own.
    ///
    /// # Panics
    /// When its files cannot be written.
    pub fn peel(&self, id: &str, credentials: Credentials) -> BusOptions {
        let tls = self.client_tls(&self.directory.path().join(format!("peel-{id}")), id);
        let options = BusOptions::new([self.url()], id);
        self.quick(BusOptions { credentials: Some(credentials), tls: Some(tls), ..options })
    }

    /// Files of a client called `name` in `directory`.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn client_tls(&self, directory: &Path, name: &str) -> TlsFiles {
        let authority = self.installation.root_authority().expect("the root");
        let identity = authority.identity(&Use::Client(name), now(), 1).expect("a certificate");
        fs::create_dir_all(directory).expect("a directory");
        let file = |name: &str, text: &str| {
            fs::write(directory.join(name), text).expect("a file");
            directory.join(name)
        };
        TlsFiles {
            roots: file("ca.pem", authority.certificate()),
            identity: Some((file("client.pem", &identity.chain), file("client.key", &identity.key))),
        }
    }
}

/// Seconds of Unix time.
///
/// # Panics
/// Before 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}
