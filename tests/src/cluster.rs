//! Three real nats-servers that keep everything three times.

use crate::nats::nats_server;
use std::{
    fs::{self, File},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use zester_executor::bus::{Bucket, Bus, BusError};

/// Servers of a cluster.
pub const NODES: usize = 3;

/// A cluster on loopback; its end ends its servers.
pub struct Cluster {
    directory: tempfile::TempDir,
    ports: [u16; NODES],
    monitors: [u16; NODES],
    nodes: [Option<Child>; NODES],
}

impl Cluster {
    /// Starts one.
    ///
    /// # Panics
    /// When a server cannot be started.
    pub fn start() -> Self {
        // Held until all are known, so that they differ.
        let listeners: Vec<_> =
            (0..3 * NODES).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let port = |n: usize| listeners[n].local_addr().expect("an address").port();
        let ports = std::array::from_fn(port);
        let routes: [u16; NODES] = std::array::from_fn(|n| port(NODES + n));
        let monitors: [u16; NODES] = std::array::from_fn(|n| port(2 * NODES + n));
        let directory = tempfile::tempdir().expect("a directory");
        for node in 0..NODES {
            let others: Vec<String> = routes.iter().map(|p| format!("\"nats://127.0.0.1:{p}\"")).collect();
            let config = format!(
                "server_name: n{node}\nlisten: \"127.0.0.1:{}\"\nhttp: \"127.0.0.1:{}\"\njetstream {{ store_dir: \"{}\" }}\ncluster {{\n  name: test\n  listen: \"127.0.0.1:{}\"\n  routes: [{}]\n}}\n",
                ports[node],
                monitors[node],
                directory.path().join(format!("store-{node}")).display(),
                routes[node],
                others.join(", ")
            );
            fs::write(directory.path().join(format!("n{node}.conf")), config).expect("a configuration");
        }
        drop(listeners);
        let mut cluster = Self { directory, ports, monitors, nodes: Default::default() };
        (0..NODES).for_each(|node| cluster.revive(node));
        cluster
    }

    /// Where clients connect.
    pub fn urls(&self) -> Vec<String> {
        self.ports.iter().map(|p| format!("nats://127.0.0.1:{p}")).collect()
    }

    /// The address of one.
    pub fn url(&self, node: usize) -> String {
        format!("nats://127.0.0.1:{}", self.ports[node])
    }

    /// Ends a server without warning.
    ///
    /// # Panics
    /// When that does not work.
    pub fn kill(&mut self, node: usize) {
        if let Some(mut child) = self.nodes[node].take() {
            child.kill().expect("the server can be killed");
            child.wait().expect("the server can be waited for");
        }
    }

    /// Starts a server again with what it had.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn revive(&mut self, node: usize) {
        let log = File::options().create(true).append(true).open(self.log_path(node)).expect("a log");
        let mut command = Command::new(nats_server());
        command.arg("-c").arg(self.directory.path().join(format!("n{node}.conf")));
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a handle")).stderr(log);
        self.nodes[node] = Some(command.spawn().expect("nats-server can be started"));
    }

    /// What all have logged.
    pub fn log(&self) -> String {
        (0..NODES).filter_map(|n| fs::read_to_string(self.log_path(n)).ok()).collect()
    }

    /// What every server has of every stream, for a report of what is missing.
    pub fn replicas(&self) -> String {
        let mut report = String::new();
        for (node, port) in self.monitors.iter().enumerate() {
            let url = format!("http://127.0.0.1:{port}/jsz?streams=true&accounts=true&raft=true");
            let answer = Command::new("curl").args(["-s", &url]).output();
            let text = answer.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
            let info: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let accounts = info["account_details"].as_array().cloned().unwrap_or_default();
            for stream in
                accounts.iter().flat_map(|a| a["stream_detail"].as_array().cloned().unwrap_or_default())
            {
                let (state, cluster) = (&stream["state"], &stream["cluster"]);
                report += &format!(
                    "n{node} {}: {} messages, {} to {}, leader {}\n",
                    stream["name"],
                    state["messages"],
                    state["first_seq"],
                    state["last_seq"],
                    cluster["leader"]
                );
            }
        }
        report
    }

    fn log_path(&self, node: usize) -> PathBuf {
        self.directory.path().join(format!("n{node}.log"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        (0..NODES).for_each(|node| {
            if let Some(mut child) = self.nodes[node].take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        });
    }
}

/// The streams of which a server has not all, or that have no leader.
pub async fn behind(bus: &Bus) -> Result<Vec<String>, BusError> {
    let mut found = Vec::new();
    for bucket in Bucket::ALL {
        let name = bucket.stream();
        let answer = bus.request(&format!("$JS.API.STREAM.INFO.{name}"), "").await?;
        let info: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
        let replicas = info["cluster"]["replicas"].as_array().cloned().unwrap_or_default();
        let whole = info["cluster"]["leader"].as_str().is_some_and(|l| !l.is_empty())
            && replicas.len() == NODES - 1
            && replicas
                .iter()
                .all(|r| r["current"].as_bool() == Some(true) && r["offline"].as_bool() != Some(true));
        if !whole {
            found.push(name);
        }
    }
    Ok(found)
}
