//! The configuration of nats-server that goes with an installation.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// The longest line of the protocol that servers read, in bytes. The token of a peel makes its CONNECT longer than the default of 4 KiB.
pub const MAX_CONTROL_LINE: usize = 16_384;

/// What differs between servers of an installation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerConfig {
    /// Its name: unique in a cluster.
    pub name: String,
    /// `host:port` for clients.
    pub listen: String,
    /// `host:port` for monitoring; loopback, as it knows no passwords.
    pub monitor: Option<String>,
    /// Where its files are: certificates beside the configuration.
    pub directory: PathBuf,
    /// Where it keeps streams and accounts.
    pub store: PathBuf,
    /// The other servers.
    pub cluster: Option<Cluster>,
    /// Connections at a time.
    pub max_connections: u32,
    /// New TLS connections a second: what a fleet that comes back at once may cost.
    pub connection_rate: u32,
}

/// Servers that replicate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// `host:port` for the other servers.
    pub listen: String,
    /// `host:port` of the others.
    pub routes: Vec<String>,
}

/// The tokens that are public: the operator's and the accounts'.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tokens {
    /// The operator's.
    pub operator: String,
    /// The system account: public key and token.
    pub system: (String, String),
    /// The fleet's account: public key and token.
    pub account: (String, String),
}

impl ServerConfig {
    /// One server, listening everywhere.
    pub fn new(directory: &Path, store: &Path, port: u16) -> Self {
        Self {
            name: "zester-nats".to_owned(),
            listen: format!("0.0.0.0:{port}"),
            monitor: None,
            directory: directory.to_owned(),
            store: store.to_owned(),
            cluster: None,
            max_connections: 65_536,
            connection_rate: 500,
        }
    }

    /// The text of the configuration.
    pub fn render(&self, tokens: &Tokens) -> String {
        let path = |path: PathBuf| quoted(&path.to_string_lossy());
        let in_directory = |name: &str| path(self.directory.join(name));
        let mut out = format!(
            "# NATS for Zester. Written by `zester init`; nothing in this file is secret.\n\
             server_name: {}\n\
             listen: {}\n",
            quoted(&self.name),
            quoted(&self.listen),
        );
        if let Some(monitor) = &self.monitor {
            let _ = writeln!(out, "http: {}", quoted(monitor));
        }
        let _ = write!(
            out,
            "\n# The token of a peel makes the line of its CONNECT longer than the default of 4 KiB.\n\
             max_control_line: {MAX_CONTROL_LINE}\n\
             max_payload: 1MB\n\
             max_pending: 64MB\n\
             max_connections: {}\n\
             write_deadline: \"10s\"\n\
             lame_duck_duration: \"2m\"\n\
             lame_duck_grace_period: \"10s\"\n\
             \n\
             # An acknowledged write is on the disk: without this up to two minutes of them are lost with the power.\n\
             jetstream {{\n  store_dir: {}\n  sync_interval: always\n}}\n",
            self.max_connections,
            path(self.store.join("jetstream")),
        );
        let files = format!(
            "  cert_file: {}\n  key_file: {}\n  ca_file: {}\n  verify: true\n  min_version: \"1.3\"\n  timeout: 10\n",
            in_directory("server.pem"),
            in_directory("server.key"),
            in_directory("ca.pem"),
        );
        let _ = write!(
            out,
            "\ntls {{\n{files}  # TLS before the first word; a client that waits for INFO is none of ours.\n  \
             handshake_first: true\n  connection_rate_limit: {}\n}}\n",
            self.connection_rate,
        );
        if let Some(cluster) = &self.cluster {
            let routes: Vec<String> =
                cluster.routes.iter().map(|route| quoted(&format!("nats://{route}"))).collect();
            let _ = write!(
                out,
                "\ncluster {{\n  name: {}\n  listen: {}\n  routes: [{}]\n  tls {{\n{}  }}\n}}\n",
                quoted(&cluster.name),
                quoted(&cluster.listen),
                routes.join(", "),
                files.replace("  ", "    "),
            );
        }
        let _ = write!(
            out,
            "\noperator: {}\nsystem_account: {}\n\
             # Accounts are kept on disk: a revocation that was pushed once survives a restart.\n\
             resolver {{\n  type: full\n  dir: {}\n  allow_delete: false\n  interval: \"2m\"\n}}\n\
             resolver_preload {{\n  {}: {}\n  {}: {}\n}}\n",
            tokens.operator,
            tokens.system.0,
            path(self.store.join("accounts")),
            tokens.system.0,
            tokens.system.1,
            tokens.account.0,
            tokens.account.1,
        );
        out
    }
}

/// A string of the configuration language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
