//! `zester setup`

use crate::{
    fleet::block_on,
    output::{Exit, Failure},
};
use clap::Args;
use std::path::PathBuf;
use zester_executor::{
    auth::{installation::Installation, permission::Role},
    bus::{
        Bus,
        storage::{Layout, compare, ensure},
    },
};

/// Makes the streams and buckets in NATS, at installation and upgrade; says what differs and corrects it.
#[derive(Args)]
pub struct SetupArgs {
    /// The installation's directory, with its safe.
    pub directory: PathBuf,
    /// Copies of every stream: 1, or 3 in a cluster.
    #[arg(long, default_value_t = 1)]
    pub replicas: u8,
    /// All size limits in percent; 100 is good for about 10,000 peels.
    #[arg(long, value_name = "PERCENT", default_value_t = 100)]
    pub size: u32,
    /// Only says what differs.
    #[arg(long)]
    pub check: bool,
}

/// Runs the command.
pub fn run(args: &SetupArgs) -> Result<Exit, Failure> {
    let wrong = |e: String| Failure::new(e);
    let installation = Installation::load(&args.directory).map_err(|e| wrong(e.to_string()))?;
    let access = installation.safe_access(Role::Provisioner).map_err(|e| wrong(e.to_string()))?;
    let layout = Layout { replicas: args.replicas, size_percent: args.size };
    block_on(async {
        let bus = Bus::connect(access.bus_options()).await.map_err(|e| wrong(e.to_string()))?;
        let found = if args.check { compare(&bus, layout).await } else { ensure(&bus, layout).await };
        let found = found.map_err(|e| wrong(e.to_string()))?;
        for difference in &found {
            eprintln!("{}{difference}", if args.check { "" } else { "corrected: " });
        }
        let _ = bus.drain().await;
        Ok(if args.check && !found.is_empty() { Exit::Problems } else { Exit::Fine })
    })
}
