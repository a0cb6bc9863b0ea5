//! `zester init`

use crate::{
    options::Common,
    output::{Exit, Failure, print},
};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use zester_executor::{
    auth::{
        authority::fingerprint,
        init::{InitOptions, NatsNode, init},
    },
    bus::id::AdminId,
    peel::now_ms,
};

/// Makes a fleet's keys, certificates and server configuration in a new directory. Needs no network and prints nothing secret.
///
/// `operator/` is the safe: keep it offline. `nats/` goes to the NATS servers, `master/` to the masters, `admin/` to the operator.
#[derive(Args)]
pub struct InitArgs {
    /// A new directory.
    pub directory: PathBuf,
    /// The first operator's name.
    #[arg(long, default_value = "admin")]
    pub admin: String,
    /// A host name or address of the NATS servers; repeatable.
    #[arg(long, value_name = "HOST")]
    pub nats_host: Vec<String>,
    /// Their port.
    #[arg(long, value_name = "PORT", default_value_t = 4222)]
    pub nats_port: u16,
    /// The hosts are the servers of one cluster, three or five: a configuration for each, and streams that are kept on three of them.
    #[arg(long)]
    pub cluster: bool,
    /// The port of the cluster's servers for each other.
    #[arg(long, value_name = "PORT", default_value_t = 6222, requires = "cluster")]
    pub cluster_port: u16,
    /// A host name or address of the masters; repeatable.
    #[arg(long, value_name = "HOST")]
    pub master_host: Vec<String>,
    /// Their port for enrollment.
    #[arg(long, value_name = "PORT", default_value_t = 8443)]
    pub master_port: u16,
}

/// Runs the command.
pub fn run(common: &Common, args: &InitArgs) -> Result<Exit, Failure> {
    let admin = AdminId::new(&args.admin).map_err(|e| Failure::new(e.to_string()))?;
    let mut options = InitOptions::local(admin, now_ms() / 1000);
    if !args.nats_host.is_empty() {
        options.nats_hosts.clone_from(&args.nats_host);
    }
    if !args.master_host.is_empty() {
        options.master_hosts.clone_from(&args.master_host);
    }
    options.nats_port = args.nats_port;
    options.master_port = args.master_port;
    if args.cluster {
        if !matches!(args.nats_host.len(), 3 | 5) {
            return Err(Failure::new("a cluster has 3 or 5 servers; name each with --nats-host"));
        }
        options.nats_nodes = args
            .nats_host
            .iter()
            .enumerate()
            .map(|(n, host)| NatsNode {
                name: format!("nats-{}", n + 1),
                host: host.clone(),
                port: args.nats_port,
                cluster_port: args.cluster_port,
            })
            .collect();
    }
    let made = init(&args.directory, &options).map_err(|e| Failure::new(e.to_string()))?;
    let roots = std::fs::read_to_string(made.master().join("ca.pem"))
        .map_err(|e| Failure::new(format!("the authority that was made cannot be read: {e}")))?;
    let pin = fingerprint(&roots).map_err(|e| Failure::new(e.to_string()))?;
    if common.json() {
        print(&format!(
            "{}\n",
            json!({"format_version": "1.0", "directory": args.directory, "description": made.description, "pin": pin})
        ));
    } else {
        let dir = args.directory.display();
        let master = made.description.masters.first().map_or("", String::as_str);
        let (server, copies) = if args.cluster { ("nats-1", " --replicas 3") } else { ("nats-server", "") };
        print(&format!(
            "made {dir}\n\nnext:\n  nats-server -c {dir}/nats/{server}.conf\n  zester setup {dir}{copies}\n  zester master run --keys {dir}/master\n  zester peel run --master {master} --pin {pin}      on each machine\n  zester --access {dir}/admin enroll list\n  zester --access {dir}/admin enroll approve ID\n  zester --access {dir}/admin '*' test.ping\n"
        ));
    }
    Ok(Exit::Fine)
}
