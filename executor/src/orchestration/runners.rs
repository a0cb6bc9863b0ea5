//! The runners: questions about the fleet, events, and orchestrations within orchestrations.

use super::{conductor::Conductor, plan};
use crate::{
    bus::id::JobId,
    job::message::{Call, JobOutcome, JobRecord, PeelStatus},
    local::LocalOptions,
    operator::{Report, Sending, check_tag},
    runner::{Outcome, Silent, Status},
};
use serde_json::{Value as Json, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use zester_compiler::{
    diagnostic::Diagnostic,
    types::{Map, Value},
};
use zester_stdlib::{Cancel, zester::Answer};

/// Jobs that are listed at most.
const MAX_JOBS: usize = 1_000;
/// Jobs that are listed if nothing is said.
const JOBS: i64 = 20;
/// How long peels have to answer if nothing is said, in seconds.
const ANSWER_S: f64 = 5.0;
/// Longest sleep, in seconds.
const MAX_SLEEP_S: f64 = 86_400.0;
/// Findings of another orchestration that are told.
const SHOWN: usize = 5;

impl Conductor {
    /// Calls a runner of the standard library's table.
    pub(super) fn runner(
        &self,
        name: &str,
        args: &Map,
        test: bool,
        cancel: &Cancel,
    ) -> Result<Answer, String> {
        let operator = &self.shared.operator;
        let value = match name {
            "orch" => return self.orchestrate(args, test, cancel),
            "job.list" => {
                let limit = number(args, "limit", JOBS as f64)?.clamp(1.0, MAX_JOBS as f64) as usize;
                jobs(&self.ask(cancel, operator.jobs(limit))?)
            }
            "job.active" => {
                let mut all = self.ask(cancel, operator.jobs(MAX_JOBS))?;
                all.retain(|job| !job.status.is_final());
                jobs(&all)
            }
            "job.show" => {
                let jid = JobId::new(&text(args, "jid")?).map_err(|e| e.to_string())?;
                returns(&self.ask(cancel, operator.report(&jid))?)
            }
            "peel.list" => {
                let target = target(args)?;
                let (found, _) = self.ask(cancel, operator.resolve(&target))?;
                json!(found.peels)
            }
            "peel.up" | "peel.down" | "peel.status" => return self.presence(name, args, cancel),
            "enroll.list" => {
                let all = self.ask(cancel, operator.enrollments())?;
                let keys = |record: &crate::enroll::record::Record| -> Json {
                    record
                        .candidates
                        .iter()
                        .map(|c| json!({"key": c.key, "status": c.status, "address": c.address, "host": c.host}))
                        .collect()
                };
                all.iter().map(|r| (r.id.to_string(), keys(r))).collect::<serde_json::Map<_, _>>().into()
            }
            "basket.get" => {
                let (found, _) = self.ask(cancel, operator.resolve(&target(args)?))?;
                let function = text(args, "function")?;
                let published = self.ask(cancel, operator.basket(&found.peels))?;
                let of = published
                    .iter()
                    .filter_map(|(peel, all)| Some((peel.clone(), json!(all.get(&function)?))));
                of.collect::<serde_json::Map<_, _>>().into()
            }
            "event.send" => {
                let tag = text(args, "tag")?.replace('/', ".");
                check_tag(&tag)?;
                let data = map(args, "data")?;
                self.ask(cancel, operator.announce(&tag, data))?;
                let comment = Some(format!("the event `{tag}` was sent"));
                return Ok(Answer { value: Value::Null, changed: true, comment });
            }
            "test.sleep" => {
                let seconds = number(args, "seconds", 0.0)?;
                if !(0.0..=MAX_SLEEP_S).contains(&seconds) {
                    return Err(format!("`seconds` is {seconds}; it must be from 0 to a day"));
                }
                let end = Instant::now() + Duration::from_secs_f64(if test { 0.0 } else { seconds });
                while Instant::now() < end && !cancel.is_cancelled() {
                    let left = end.saturating_duration_since(Instant::now());
                    std::thread::sleep(left.min(Duration::from_millis(50)));
                }
                let comment = Some(format!("{seconds} seconds"));
                return Ok(Answer { value: Value::Null, changed: false, comment });
            }
            other => return Err(format!("there is no runner `{other}`")),
        };
        let value = serde_json::from_value(value).map_err(|e| format!("the answer cannot be read: {e}"))?;
        Ok(Answer { value, changed: false, comment: None })
    }

    /// Who answers a ping.
    fn presence(&self, name: &str, args: &Map, cancel: &Cancel) -> Result<Answer, String> {
        let seconds = number(args, "timeout", ANSWER_S)?.clamp(1.0, 3_600.0);
        let call = Call { function: "test.ping".to_owned(), ..Call::default() };
        let sending = Sending { timeout_ms: Some((seconds * 1000.0) as u64), ..Sending::default() };
        let report = self.job(name, &target(args)?, call, &sending, cancel)?;
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for (peel, (status, _)) in &report.peels {
            if *status == PeelStatus::Done { &mut up } else { &mut down }.push(Value::from(peel.as_str()));
        }
        let comment = Some(format!("{} up, {} down", up.len(), down.len()));
        let value = match name {
            "peel.up" => Value::List(up),
            "peel.down" => Value::List(down),
            _ => Value::Map(Map::from_iter([
                ("up".to_owned(), Value::List(up)),
                ("down".to_owned(), Value::List(down)),
            ])),
        };
        let told = value.to_string();
        Ok(Answer { comment: if told.len() < 400 { Some(told) } else { comment }, value, changed: false })
    }

    /// Runs another orchestration of the project, as a part of this one.
    fn orchestrate(&self, args: &Map, test: bool, cancel: &Cancel) -> Result<Answer, String> {
        let refs: Vec<String> = match args.get("ref") {
            Some(Value::List(items)) => items.iter().map(Value::to_string).collect(),
            Some(value @ Value::Str(_)) => {
                value.to_string().split(',').map(|r| r.trim().to_owned()).collect()
            }
            other => {
                let found = other.map_or("nothing", Value::describe);
                return Err(format!("`ref` is the ref of an orchestration, not {found}"));
            }
        };
        let mut set = self.options.set.clone();
        for (key, value) in map(args, "settings")? {
            set.push(format!("{key}={}", serde_json::to_string(&value).map_err(|e| e.to_string())?));
        }
        let env = args.get("env").map(Value::to_string).or_else(|| self.options.env.clone());
        // One that only says what would change has changed nothing, unless that is what the whole run is about.
        let own = args.get("test") == Some(&Value::Bool(true));
        let options = LocalOptions { set, env, test: test || own, ..self.options.clone() };
        let name = refs.join(",");
        let inner = Arc::new(self.within(name.clone(), options)?);
        let local = inner.local(cancel);
        local.set_fleet(inner.clone());
        let (made, found) = plan(&local, &refs).map_err(|e| e.to_string())?;
        let Some(made) = made else { return Err(told(&local, &found)) };
        inner.hide(made.mask.clone());
        if made.waits() {
            inner.listen().map_err(|e| format!("events cannot be listened to: {e}"))?;
        }
        let result = made.run(&local, false, &Silent);
        let mut changes = Map::new();
        let mut failures = Vec::new();
        for state in &result.states {
            match state.result {
                Outcome::Changed | Outcome::WouldChange => {
                    changes.insert(state.id.clone(), Value::from(state.comment.as_str()));
                }
                Outcome::Failed => {
                    let at = &state.origin;
                    failures.push(format!(
                        "`{}` ({}) failed: {}\nat {}:{}:{}",
                        state.id, state.function, state.comment, at.file, at.line, at.column
                    ));
                }
                Outcome::Unchanged | Outcome::Skipped => {}
            }
        }
        match result.status {
            Status::Failed => Err(format!("`{name}` failed\n{}", failures.join("\n"))),
            Status::Cancelled => Err(format!("`{name}` was interrupted")),
            Status::Done => Ok(Answer {
                changed: !changes.is_empty() && (test || !own),
                comment: Some(format!(
                    "`{name}`: {} of {} steps changed something",
                    changes.len(),
                    result.states.len()
                )),
                value: Value::Map(changes),
            }),
        }
    }
}

fn told(local: &crate::local::Local, found: &[Diagnostic]) -> String {
    let errors: Vec<String> = found
        .iter()
        .filter(|d| d.is_error())
        .take(SHOWN)
        .map(|d| {
            let (path, at) = local.project.files().locate(d.span);
            format!("{path}:{}:{}: {} [{}]", at.line, at.column, d.message, d.rule.code)
        })
        .collect();
    format!("the orchestration has errors\n{}", errors.join("\n"))
}

fn text(args: &Map, name: &str) -> Result<String, String> {
    match args.get(name) {
        Some(value @ (Value::Str(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_))) => {
            Ok(value.to_string())
        }
        other => {
            Err(format!("`{name}` is {}, where text is expected", other.map_or("missing", Value::describe)))
        }
    }
}

fn target(args: &Map) -> Result<String, String> {
    match args.get("target") {
        None => Ok("*".to_owned()),
        Some(Value::List(items)) => {
            let names: Vec<String> = items.iter().map(Value::to_string).collect();
            Ok(format!("L@{}", names.join(",")))
        }
        Some(_) => text(args, "target"),
    }
}

fn number(args: &Map, name: &str, usual: f64) -> Result<f64, String> {
    match args.get(name) {
        None | Some(Value::Null) => Ok(usual),
        Some(Value::Int(number)) => Ok(*number as f64),
        Some(Value::Float(number)) if number.is_finite() => Ok(*number),
        Some(other) => Err(format!("`{name}` is {}, where a number is expected", other.describe())),
    }
}

fn map(args: &Map, name: &str) -> Result<Map, String> {
    match args.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Map(map)) => Ok(map.clone()),
        Some(other) => Err(format!("`{name}` is {}, where a map is expected", other.describe())),
    }
}

fn jobs(jobs: &[JobRecord]) -> Json {
    let one = |job: &JobRecord| {
        json!({"function": job.call.function, "target": job.expression, "user": job.user, "status": job.status,
            "peels": job.targets, "created_ms": job.created_ms})
    };
    jobs.iter().map(|job| (job.jid.to_string(), one(job))).collect::<serde_json::Map<_, _>>().into()
}

fn returns(report: &Report) -> Json {
    let one = |status: PeelStatus, result: Option<&crate::job::message::JobReturn>| {
        let answer = match result.map(|r| &r.outcome) {
            Some(JobOutcome::Value(value)) => json!(value),
            Some(JobOutcome::States(states)) => json!(states.counts),
            _ => Json::Null,
        };
        json!({"status": status.word(), "return": answer, "error": result.and_then(|r| r.error.clone())})
    };
    let peels = report.peels.iter();
    peels
        .map(|(peel, (status, result))| (peel.to_string(), one(*status, result.as_ref())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
