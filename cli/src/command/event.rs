//! `zester event`

use crate::{
    fleet::{block_on, connect, failure},
    options::Common,
    output::{Exit, Failure, print},
};
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};
use zester_compiler::types::Map;
use zester_executor::{bus::survey::readable, operator::Operator};

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
                check_tag(tag)?;
                operator.announce(tag, details(data)?).await.map_err(failure)?;
                let _ = operator.bus().drain().await;
                Ok(Exit::Fine)
            }
        }
    })
}

fn check_tag(tag: &str) -> Result<(), Failure> {
    let good = |token: &str| {
        !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    if tag.split('.').all(good) && tag.len() <= 200 {
        return Ok(());
    }
    Err(Failure::new(format!(
        "`{tag}` is no tag; write letters, digits, `_` and `-`, with single dots between tokens"
    )))
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
    let wrong = |e: String| Failure::new(e);
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let mut streams = Vec::new();
    for subject in ["zester.event.>", "zester.job.*.ack.*", "zester.job.*.return.*", "zester.job.*.status"] {
        streams.push(operator.bus().subscribe(subject).await.map_err(|e| wrong(e.to_string()))?);
    }
    if !common.json() {
        eprintln!("watching; end with Ctrl-C");
    }
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        let nexts = streams.iter_mut().map(|s| Box::pin(s.next()));
        let message = tokio::select! {
            (message, ..) = futures_util::future::select_all(nexts) => message,
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Signal(2)),
        };
        let Some(message) = message else { return Err(wrong("the connection was closed".to_owned())) };
        let Some((origin, name)) = place(&message.subject) else { continue };
        if tag.is_some_and(|t| name != t && !name.starts_with(&format!("{t}."))) {
            continue;
        }
        left -= 1;
        let value = readable(&message.payload).unwrap_or(Json::Null);
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

/// Origin and tag of a subject: an event's own, or `job.<what>.<jid>` of a peel or the masters.
fn place(subject: &str) -> Option<(String, String)> {
    let rest = subject.strip_prefix("zester.")?;
    if let Some(rest) = rest.strip_prefix("event.") {
        // `_role.name` are two tokens of one origin.
        let mut tokens = rest.splitn(if rest.starts_with('_') { 3 } else { 2 }, '.');
        let first = tokens.next()?;
        let origin = if rest.starts_with('_') { tokens.next()? } else { first };
        return Some((origin.to_owned(), tokens.next()?.to_owned()));
    }
    let mut tokens = rest.strip_prefix("job.")?.split('.');
    let (jid, what) = (tokens.next()?, tokens.next()?);
    Some((tokens.next().unwrap_or("masters").to_owned(), format!("job.{what}.{jid}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_taken_apart() {
        let apart = |subject: &str| place(subject).map(|(o, t)| format!("{o} {t}"));
        assert_eq!(apart("zester.event.web-1.deploy.done").as_deref(), Some("web-1 deploy.done"));
        assert_eq!(apart("zester.event._admin.alice.x").as_deref(), Some("alice x"));
        assert_eq!(apart("zester.job.J.ack.web-1").as_deref(), Some("web-1 job.ack.J"));
        assert_eq!(apart("zester.job.J.status").as_deref(), Some("masters job.status.J"));
        for other in ["zester.event", "zester.event.x", "zester.up.a.b", "x"] {
            assert_eq!(apart(other), None, "{other}");
        }
    }
}
