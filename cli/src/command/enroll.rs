//! `zester enroll`

use crate::{
    fleet::{block_on, connect, failure},
    options::Common,
    output::{Exit, Failure, print},
};
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};
use std::{fmt::Write as _, path::PathBuf};
use zester_executor::{
    auth::{account, installation::Installation, permission::Role},
    bus::{Bus, id::PeelId},
    enroll::{
        message::Trust,
        record::{Candidate, Record, Status},
    },
    job::message::Decision,
    operator::Operator,
    peel::now_ms,
};

/// Machines that want to be peels: who asks, and who may.
///
/// A machine asks with `zester peel run --master https://…`. It shows the fingerprint of its key; compare it with the one that is listed here
/// before you approve.
#[derive(Args)]
pub struct EnrollArgs {
    #[command(subcommand)]
    pub what: What,
}

/// What to do.
#[derive(Subcommand)]
pub enum What {
    /// All that have asked, those that wait first.
    List {
        /// Only those that wait for an operator.
        #[arg(long)]
        pending: bool,
    },
    /// All keys that have asked for an id.
    Show {
        /// The id.
        id: String,
    },
    /// A key is the peel from now on. If another key was, it is revoked.
    Approve {
        /// The id.
        id: String,
        /// The key's fingerprint, or its first 4 digits and more; needed where several keys ask.
        fingerprint: Option<String>,
        /// A group of the peel; repeatable.
        #[arg(long)]
        group: Vec<String>,
        /// Though the machine saw another authority than this installation's.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        safe: Safe,
    },
    /// A key that waits gets nothing.
    Reject {
        /// The id.
        id: String,
        /// The key's fingerprint, or its first 4 digits and more; needed where several keys ask.
        fingerprint: Option<String>,
        /// Why; the machine is told.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Ends a peel: no new credentials, and with the safe at hand its connection is cut at once.
    Revoke {
        /// The id.
        id: String,
        /// Why; the machine is told.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        safe: Safe,
    },
}

/// The installation with its safe: the operator's key, which servers obey.
#[derive(Args)]
pub struct Safe {
    /// The directory that `zester init` made, with `operator/` in it: the servers are told to refuse the revoked key at once.
    #[arg(long, value_name = "DIR", env = "ZESTER_INSTALLATION")]
    pub installation: Option<PathBuf>,
}

/// Runs the command.
pub fn run(common: &Common, args: &EnrollArgs) -> Result<Exit, Failure> {
    block_on(async {
        let operator = connect(common).await?;
        match &args.what {
            What::List { pending } => list(common, &operator, *pending).await,
            What::Show { id } => show(common, &operator, &peel(id)?).await,
            What::Approve { id, fingerprint, group, force, safe } => {
                let decision =
                    Decision::Approve { which: fingerprint.clone(), groups: group.clone(), force: *force };
                let id = peel(id)?;
                let revoked = operator.decide(&id, decision).await.map_err(failure)?;
                said(common, &id, "approved");
                if revoked.is_empty() { Ok(Exit::Fine) } else { refuse(safe, &id, &revoked).await }
            }
            What::Reject { id, fingerprint, reason } => {
                let decision = Decision::Reject { which: fingerprint.clone(), reason: reason.clone() };
                let id = peel(id)?;
                operator.decide(&id, decision).await.map_err(failure)?;
                said(common, &id, "rejected");
                Ok(Exit::Fine)
            }
            What::Revoke { id, reason, safe } => {
                let id = peel(id)?;
                let before = record(&operator, &id).await?;
                let mut revoked = keys(&before, Status::Revoked);
                // Asked for again, with the safe at hand this time, it only goes to the servers.
                if before.approved().is_some() || revoked.is_empty() {
                    let decision = Decision::Revoke { reason: reason.clone() };
                    revoked.extend(operator.decide(&id, decision).await.map_err(failure)?);
                }
                said(common, &id, "revoked");
                refuse(safe, &id, &revoked).await
            }
        }
    })
}

fn peel(id: &str) -> Result<PeelId, Failure> {
    PeelId::new(id).map_err(|e| Failure::new(e.to_string()))
}

fn said(common: &Common, id: &PeelId, what: &str) {
    if common.json() {
        print(&format!("{}\n", json!({"format_version": "1.0", "id": id, "status": what})));
    } else {
        print(&format!("{id} is {what}\n"));
    }
}

async fn record(operator: &Operator, id: &PeelId) -> Result<Record, Failure> {
    match operator.enrollment(id).await.map_err(failure)? {
        Some(record) if !record.candidates.is_empty() => Ok(record),
        _ => Err(Failure::new(format!(
            "no machine has asked to be `{id}`; `zester enroll list` shows who has"
        ))),
    }
}

fn keys(record: &Record, status: Status) -> Vec<String> {
    record.candidates.iter().filter(|c| c.status == status).map(|c| c.key.clone()).collect()
}

/// Tells the servers, which need the operator's signature for that.
async fn refuse(safe: &Safe, id: &PeelId, keys: &[String]) -> Result<Exit, Failure> {
    let wrong = |e: String| Failure::new(e);
    let Some(directory) = &safe.installation else {
        eprintln!(
            "zester: what `{id}` has stays good until it ends; cut it off now with `zester enroll revoke {id} --installation DIR`, where DIR has the safe"
        );
        return Ok(Exit::Fine);
    };
    let installation = Installation::load(directory).map_err(|e| wrong(e.to_string()))?;
    let access = installation.safe_access(Role::System).map_err(|e| wrong(e.to_string()))?;
    let key = installation.operator_key().map_err(|e| wrong(e.to_string()))?;
    let system = Bus::connect(access.bus_options()).await.map_err(|e| wrong(e.to_string()))?;
    let token = account::revoke(&system, &key, &installation.description.account, keys, now_ms() / 1000)
        .await
        .map_err(|e| wrong(e.to_string()))?;
    // A rotation, or a server that is set up later, begins with it.
    installation.store_account(&token).map_err(|e| wrong(e.to_string()))?;
    let _ = system.drain().await;
    eprintln!("zester: the servers refuse the key of `{id}` from now on");
    Ok(Exit::Fine)
}

async fn list(common: &Common, operator: &Operator, pending: bool) -> Result<Exit, Failure> {
    let mut all = operator.enrollments().await.map_err(failure)?;
    let waits = |r: &Record| r.candidates.iter().any(|c| c.status == Status::Pending);
    all.retain(|r| !r.candidates.is_empty() && (!pending || waits(r)));
    all.sort_by_key(|r| !waits(r));
    if common.json() {
        let machines: Vec<Json> = all.iter().map(document).collect();
        print(&format!("{}\n", json!({"format_version": "1.0", "machines": machines})));
        return Ok(Exit::Fine);
    }
    let mut out = String::new();
    for record in &all {
        for candidate in shown(record, pending) {
            let _ = writeln!(
                out,
                "{:<24} {:<9} {}  {}",
                record.id.as_str(),
                word(candidate.status),
                candidate.fingerprint(),
                origin(candidate)
            );
        }
    }
    print(&out);
    if all.is_empty() {
        eprintln!("no machine {}", if pending { "waits" } else { "has asked" });
    }
    Ok(Exit::Fine)
}

/// The candidates worth a line in a list.
fn shown(record: &Record, pending: bool) -> impl Iterator<Item = &Candidate> {
    record.candidates.iter().filter(move |c| !pending || c.status == Status::Pending)
}

async fn show(common: &Common, operator: &Operator, id: &PeelId) -> Result<Exit, Failure> {
    let record = record(operator, id).await?;
    if common.json() {
        print(&format!("{}\n", json!({"format_version": "1.0", "machine": document(&record)})));
        return Ok(Exit::Fine);
    }
    let mut out = String::new();
    for candidate in &record.candidates {
        let _ = writeln!(out, "{}  {}", candidate.fingerprint(), word(candidate.status));
        let _ = writeln!(out, "  asked {}", origin(candidate));
        let trust = match candidate.trust {
            Trust::Pinned => "was given the pin of the masters' authority",
            Trust::Recorded => "knows the masters' authority from before",
            Trust::FirstUse => "believed the first authority that it saw",
        };
        let _ = writeln!(out, "  the machine {trust}");
        if candidate.mismatch {
            let _ = writeln!(
                out,
                "  WARNING: the authority that it saw is not ours; somebody may stand between it and the masters"
            );
        }
        if !candidate.groups.is_empty() {
            let _ = writeln!(out, "  groups {}", candidate.groups.join(", "));
        }
        if let Some(by) = &candidate.decided_by {
            let why = candidate.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
            let _ = writeln!(out, "  {} by {by}{why}", word(candidate.status));
        }
    }
    print(&out);
    Ok(Exit::Fine)
}

fn origin(candidate: &Candidate) -> String {
    let host = if candidate.host.is_empty() { String::new() } else { format!("{} ", candidate.host) };
    format!("{host}from {}", candidate.address)
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Approved => "approved",
        Status::Rejected => "rejected",
        Status::Revoked => "revoked",
    }
}

fn document(record: &Record) -> Json {
    let keys: Vec<Json> = record
        .candidates
        .iter()
        .map(|c| {
            json!({"fingerprint": c.fingerprint(), "key": c.key, "status": c.status, "address": c.address, "host": c.host,
                "trust": c.trust, "mismatch": c.mismatch, "first_ms": c.first_ms, "last_ms": c.last_ms,
                "decided_by": c.decided_by, "reason": c.reason, "groups": c.groups})
        })
        .collect();
    json!({"id": record.id, "keys": keys})
}
