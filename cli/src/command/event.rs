//! `zester event`

use crate::{
    fleet::{block_on, connect, failure},
    options::Common,
    output::{Exit, Failure, print},
};
use clap::{Args, Subcommand};
use serde_json::json;
use zester_compiler::types::Map;
use zester_executor::operator::{Happened, Operator, check_tag};

/// Events of the fleet: what happens, as it happens.
#[derive(Args)]
pub struct EventArgs {
    #[command(subcommand)]
    pub what: What,
}

/// What to do with events.
#[derive(Subcommand)]
pub enum What {
    /// Prints events until interrupted: time, origin, tag, data.
    Watch {
        /// Only tags that begin so: `deploy.done`, or `job` for what happens to jobs.
        tag: Option<String>,
        /// Ends after so many.
        #[arg(long)]
        count: Option<u64>,
    },
    /// Says that something has happened.
    Send {
        /// What: tokens with dots between them, as `deploy.done`.
        tag: String,
        /// Details: name=value, the value as YAML.
        data: Vec<String>,
    },
}

/// Runs the command.
pub fn run(common: &Common, args: &EventArgs) -> Result<Exit, Failure> {
    block_on(async {
        let operator = connect(common).await?;
        match &args.what {
            What::Watch { tag, count } => watch(common, &operator, tag.as_deref(), *count).await,
            What::Send { tag, data } => {
                check_tag(tag).map_err(Failure::new)?;
                operator.announce(tag, details(data)?).await.map_err(failure)?;
                let _ = operator.bus().drain().await;
                Ok(Exit::Fine)
            }
        }
    })
}

fn details(words: &[String]) -> Result<Map, Failure> {
    let mut data = Map::new();
    for word in words {
        let (name, text) = word
            .split_once('=')
            .ok_or_else(|| Failure::new(format!("`{word}` is no detail; write name=value")))?;
        data.insert(name.to_owned(), super::run::read_value(text)?);
    }
    Ok(data)
}

async fn watch(
    common: &Common,
    operator: &Operator,
    tag: Option<&str>,
    count: Option<u64>,
) -> Result<Exit, Failure> {
    if let Some(tag) = tag {
        check_tag(tag).map_err(Failure::new)?;
    }
    let mut events = operator.events().await.map_err(failure)?;
    if !common.json() {
        eprintln!("watching; end with Ctrl-C");
    }
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        let happened = tokio::select! {
            happened = events.next() => happened,
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Signal(2)),
        };
        let happened = happened.ok_or_else(|| Failure::new("the connection was closed"))?;
        let Happened { origin, tag: name, message: value, .. } = happened;
        if tag.is_some_and(|t| name != t && !name.starts_with(&format!("{t}."))) {
            continue;
        }
        left -= 1;
        if common.json() {
            print(&format!(
                "{}\n",
                json!({"format_version": "1.0", "origin": origin, "tag": name, "message": value})
            ));
        } else {
            let data = value.get("data").unwrap_or(&value);
            print(&format!("{}  {origin}  {name}  {data}\n", chrono::Utc::now().format("%H:%M:%S%.3f")));
        }
    }
    Ok(Exit::Fine)
}
