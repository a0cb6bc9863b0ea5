//! `zester doctor`

use crate::{
    fleet::{block_on, connect},
    options::Common,
    output::{Exit, Failure, print},
};
use clap::Args;
use serde_json::json;
use std::time::Duration;
use zester_executor::{
    bus::{Bucket, BusError, codec, storage::compare, survey},
    job::message::MasterHeartbeat,
    operator::Operator,
    peel::now_ms,
};

/// The oldest server that has what the fleet needs.
const LEAST: (u32, u32) = (2, 11);

/// How long a server may take to refuse.
const REFUSAL: Duration = Duration::from_secs(3);

/// Is the fleet as it should be? Looks at the server, its streams, the masters, and what these credentials may and may not do.
#[derive(Args)]
pub struct DoctorArgs {}

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    /// What is wrong with it, and what to do; nothing when it is well.
    problems: Vec<String>,
    /// What was seen.
    seen: String,
}

/// Runs the command.
pub fn run(common: &Common, _: &DoctorArgs) -> Result<Exit, Failure> {
    block_on(async {
        let operator = connect(common).await?;
        let mut all = vec![server(&operator)];
        all.push(streams(&operator).await);
        all.push(masters(&operator).await);
        all.push(peels(&operator).await);
        all.push(permissions(&operator).await);
        let well = all.iter().all(|f| f.problems.is_empty());
        if common.json() {
            let findings: Vec<_> = all
                .iter()
                .map(|f| json!({"what": f.what, "ok": f.problems.is_empty(), "seen": f.seen, "problems": f.problems}))
                .collect();
            print(&format!("{}\n", json!({"format_version": "1.0", "ok": well, "findings": findings})));
        } else {
            for finding in &all {
                let mark = if finding.problems.is_empty() { "ok" } else { "!!" };
                print(&format!("{mark}  {:<12} {}\n", finding.what, finding.seen));
                for problem in &finding.problems {
                    print(&format!("      {problem}\n"));
                }
            }
        }
        let _ = operator.bus().drain().await;
        Ok(if well { Exit::Fine } else { Exit::Problems })
    })
}

fn server(operator: &Operator) -> Finding {
    let version = operator.bus().server_version();
    let seen = version.map_or("unknown".to_owned(), |(a, b, c)| format!("nats-server {a}.{b}.{c}"));
    let old =
        version.is_none_or(|(major, minor, _)| (u64::from(LEAST.0), u64::from(LEAST.1)) > (major, minor));
    let mut problems = Vec::new();
    if old {
        problems.push(format!("install nats-server {}.{} or newer", LEAST.0, LEAST.1));
    }
    if operator.bus().max_payload() < 1 << 20 {
        problems.push(format!(
            "`max_payload` is {} bytes; returns and pieces of files need 1 MiB",
            operator.bus().max_payload()
        ));
    }
    Finding { what: "server", problems, seen }
}

async fn streams(operator: &Operator) -> Finding {
    let look = async {
        let layout = survey::layout(operator.bus()).await?;
        let differences = compare(operator.bus(), layout).await?;
        Ok::<_, zester_executor::bus::StoreError>((layout, differences))
    };
    match look.await {
        Ok((layout, differences)) => {
            let mut problems: Vec<String> = differences.iter().map(ToString::to_string).collect();
            if !problems.is_empty() {
                problems.push("`zester setup DIR` makes what is missing and corrects the rest".to_owned());
            }
            let copies = if layout.replicas == 1 {
                "1 copy".to_owned()
            } else {
                format!("{} copies", layout.replicas)
            };
            Finding {
                what: "streams",
                problems,
                seen: format!("{copies} of each, sizes at {} %", layout.size_percent),
            }
        }
        Err(error) => failed("streams", error),
    }
}

async fn masters(operator: &Operator) -> Finding {
    let kv = operator.bus().kv(Bucket::MasterHeartbeat);
    let look = async {
        let names = kv.names("*", 10_000).await?;
        kv.get_many(&names).await
    };
    match look.await {
        Ok(entries) => {
            let mut problems = Vec::new();
            for entry in &entries {
                let Ok(beat) = codec::decode::<MasterHeartbeat>(&entry.value) else { continue };
                let off = beat.time_ms.abs_diff(entry.created_ms) / 1000;
                if off > 5 {
                    problems.push(format!("the clock of {} is {off} s off the server's", entry.key));
                }
                let here = now_ms().abs_diff(entry.created_ms) / 1000;
                if here > 60 {
                    problems.push(format!("this machine's clock is {here} s off the server's"));
                }
            }
            if entries.is_empty() {
                problems.push("no master runs: zester master run --keys DIR".to_owned());
            }
            Finding { what: "masters", problems, seen: format!("{} alive", entries.len()) }
        }
        Err(error) => failed("masters", error),
    }
}

async fn peels(operator: &Operator) -> Finding {
    match operator.resolve("*").await {
        Ok((targets, _)) => {
            Finding { what: "peels", problems: Vec::new(), seen: format!("{} known", targets.count) }
        }
        Err(error) => failed("peels", error),
    }
}

/// The server must refuse what this role must not do: permissions that are merely written down protect nobody.
async fn permissions(operator: &Operator) -> Finding {
    let bus = operator.bus();
    let mut problems = Vec::new();
    for subject in ["zester.cmd.all", "_INBOX.>", "$KV.secrets.>", "$SYS.>"] {
        match bus.subscribe(subject).await {
            Err(BusError::Denied { .. }) => {}
            // A refusal may come a moment after the answer; it ends the subscription.
            Ok(mut allowed) => match tokio::time::timeout(REFUSAL, allowed.next()).await {
                Ok(None) if allowed.refusal().is_some() => {}
                _ => problems.push(format!("these credentials may listen to `{subject}`")),
            },
            Err(error) => {
                problems.push(format!("whether they may listen to `{subject}` is unknown: {error}"));
            }
        }
    }
    for subject in
        ["zester.cmd.nobody", "zester.job.nojob.cancel", "$KV.jobs.nojob", "$JS.API.STREAM.DELETE.none"]
    {
        match bus.request(subject, "").await {
            Err(BusError::Denied { .. }) => {}
            Ok(_) | Err(BusError::NoResponders { .. }) => {
                problems.push(format!("these credentials may publish to `{subject}`"));
            }
            Err(error) => {
                problems.push(format!("whether they may publish to `{subject}` is unknown: {error}"));
            }
        }
    }
    if !problems.is_empty() {
        problems
            .push("`zester auth lint DIR` compares credentials with what their role should have".to_owned());
    }
    Finding { what: "permissions", problems, seen: "8 forbidden things were tried".to_owned() }
}

fn failed(what: &'static str, error: impl std::fmt::Display) -> Finding {
    Finding { what, problems: vec![error.to_string()], seen: "cannot be looked at".to_owned() }
}
