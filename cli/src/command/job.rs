//! `zester job`

use super::run::Sending;
use crate::{
    fleet::{self, block_on, connect, failure, status_word},
    options::Common,
    output::{Exit, Failure, print},
};
use clap::{Args, Subcommand};
use serde_json::json;
use zester_executor::{bus::id::JobId, job::message::PeelStatus, operator::Operator};

/// Jobs of the last days: what was asked, by whom, what came of it.
#[derive(Args)]
pub struct JobArgs {
    #[command(subcommand)]
    pub what: What,
}

/// What to do with jobs.
#[derive(Subcommand)]
pub enum What {
    /// The newest jobs, a line each.
    List {
        /// So many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// One job with the returns of its peels.
    Show {
        /// Its id.
        jid: String,
    },
    /// Waits for the end of a job and shows it.
    Watch {
        /// Its id.
        jid: String,
    },
    /// Runs a job again where it did not succeed: on peels that failed, were interrupted or did not answer.
    Retry {
        /// Its id.
        jid: String,
        #[command(flatten)]
        sending: Sending,
    },
    /// Stops a job: running states finish, nothing further begins.
    Kill {
        /// Its id.
        jid: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// Runs the command.
pub fn run(common: &Common, args: &JobArgs) -> Result<Exit, Failure> {
    if let What::Retry { jid, sending } = &args.what {
        return retry(common, &read(jid)?, sending);
    }
    block_on(async {
        let operator = connect(common).await?;
        match &args.what {
            What::Retry { .. } => Ok(Exit::Fine),
            What::List { limit } => list(common, &operator, *limit).await,
            What::Show { jid } => show(common, &operator, &read(jid)?).await,
            What::Watch { jid } => {
                let jid = read(jid)?;
                while !operator.job(&jid).await.map_err(failure)?.status.is_final() {
                    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                }
                show(common, &operator, &jid).await
            }
            What::Kill { jid, reason } => {
                let jid = read(jid)?;
                operator.cancel(&jid, reason.clone()).await.map_err(failure)?;
                if !common.json() {
                    eprintln!("the job {jid} is told to stop");
                }
                Ok(Exit::Fine)
            }
        }
    })
}

fn read(jid: &str) -> Result<JobId, Failure> {
    JobId::new(jid).map_err(|e| Failure::new(e.to_string()))
}

async fn list(common: &Common, operator: &Operator, limit: usize) -> Result<Exit, Failure> {
    let jobs = operator.jobs(limit).await.map_err(failure)?;
    if common.json() {
        print(&format!("{}\n", json!({"format_version": "1.0", "jobs": jobs})));
        return Ok(Exit::Fine);
    }
    for job in &jobs {
        let time = i64::try_from(job.created_ms)
            .ok()
            .and_then(chrono::DateTime::from_timestamp_millis)
            .map(|t| t.format("%Y-%m-%d %H:%M:%SZ").to_string())
            .unwrap_or_default();
        print(&format!(
            "{}  {time}  {:<8}  {:<10}  {:>5} peels  {} '{}'\n",
            job.jid,
            status_word(job.status),
            job.user.as_str(),
            job.targets,
            job.call.function,
            job.expression
        ));
    }
    Ok(Exit::Fine)
}

async fn show(common: &Common, operator: &Operator, jid: &JobId) -> Result<Exit, Failure> {
    let report = operator.report(jid).await.map_err(failure)?;
    fleet::show(common, &report)?;
    Ok(fleet::exit(&report, false))
}

/// The same call where it did not succeed.
fn retry(common: &Common, jid: &JobId, sending: &Sending) -> Result<Exit, Failure> {
    let report = block_on(async { connect(common).await?.report(jid).await.map_err(failure) })?;
    if !report.record.status.is_final() {
        return Err(Failure::new(format!("the job {jid} has not ended; `zester job kill {jid}` stops it")));
    }
    let names: Vec<&str> =
        report.peels.iter().filter(|(_, (s, _))| *s != PeelStatus::Done).map(|(p, _)| p.as_str()).collect();
    if names.is_empty() {
        eprintln!("zester: the job {jid} succeeded everywhere");
        return Ok(Exit::Fine);
    }
    super::run::send(common, &format!("L@{}", names.join(",")), report.record.call, sending, false)
}
