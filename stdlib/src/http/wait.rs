//! `http.wait_for_successful_query`

use super::request::{Expected, Request};
use crate::{Context, Failure, Plan, State};
use std::time::{Duration, Instant};
use zester_compiler::types::{Map, Url, Value};
use zester_stdlib_derive::Arguments;

/// A web server is asked until it answers as expected. In test mode nobody is asked.
///
/// ```yaml
/// "http://localhost:9200/":
///   http.wait_for_successful_query:
///     - status: 200
///     - wait_for: 60
///     - request_interval: 5
/// ```
#[derive(Arguments)]
#[state("http.wait_for_successful_query", never_changes)]
pub(crate) struct Successful {
    /// The address.
    #[arg(primary)]
    name: Url,
    /// Seconds after which it is given up.
    #[arg(default = 300.0)]
    wait_for: f64,
    /// Seconds between two requests.
    #[arg(default = 1.0)]
    request_interval: f64,
    /// What the answer has to have in it.
    r#match: Option<String>,
    /// Whether that is a text or a regular expression.
    #[arg(default = "string", one_of("string", "pcre"))]
    match_type: String,
    /// The status that is expected; without it every one that is no error.
    #[arg(ty = Type::INT.or(Type::Str).or(Type::List(Box::new(Type::Any))))]
    status: Option<Value>,
    /// Whether that is one, a regular expression, or a list.
    #[arg(default = "string", one_of("string", "pcre", "list"))]
    status_type: String,
    /// The rest of the request: the parameters of the function `http.query`.
    #[arg(rest)]
    options: Map,
}

/// Longest time that a state waits, in seconds.
const LIMIT_S: f64 = 86_400.0;

/// Asks until the answer is as expected, or the time is up: then the last answer's fault is the reason.
pub(super) fn until(
    cx: &Context,
    request: &Request,
    expected: &Expected<'_>,
    limit_s: f64,
    interval_s: f64,
) -> Result<i64, Failure> {
    let begin = Instant::now();
    let limit = Duration::from_secs_f64(limit_s.clamp(0.0, LIMIT_S));
    let interval = Duration::from_secs_f64(interval_s.clamp(0.05, LIMIT_S));
    loop {
        let reason = match request.ask(cx, expected) {
            Ok(status) => return Ok(status),
            Err(reason) => reason,
        };
        if begin.elapsed() + interval > limit {
            return Err(Failure::new(format!("after {limit_s} seconds of asking: {reason}")));
        }
        let next = Instant::now() + interval;
        // Short sleeps, so that the end of a run is not waited for.
        while Instant::now() < next {
            if cx.cancel.is_cancelled() {
                return Err(Failure::new("the run was cancelled"));
            }
            std::thread::sleep(
                next.saturating_duration_since(Instant::now()).min(Duration::from_millis(100)),
            );
        }
    }
}

impl State for Successful {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let request = Request::of(&self.name, &self.options)?;
        if cx.test {
            return Ok(Plan::unchanged(format!("would ask `{}` until it answers", self.name)));
        }
        let expected = Expected {
            text: self.r#match.as_deref(),
            text_kind: &self.match_type,
            status: self.status.as_ref(),
            status_kind: &self.status_type,
        };
        let status = until(cx, &request, &expected, self.wait_for, self.request_interval)?;
        Ok(Plan::unchanged(format!("`{}` answered with status {status}", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::server, *};
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::Arguments;

    #[test]
    fn asked_until_it_answers() {
        let url = server(&[("503 Busy", "no"), ("503 Busy", "no"), ("200 OK", "yes")]);
        let json =
            format!(r#"{{"name": "{url}", "wait_for": 60, "request_interval": 0.05, "match": "yes"}}"#);
        let args = serde_json::from_str(&json).unwrap();
        let outcome = FakeMachine::new().converge::<Successful>(&args).unwrap();
        assert!(outcome.changes.is_empty());
        assert_eq!(outcome.comment, Some(format!("`{url}` answered with status 200")));
    }

    #[test]
    fn given_up_with_the_last_reason() {
        let url = server(&[("503 Busy", "no")]);
        let json = format!(r#"{{"name": "{url}", "wait_for": 0.1, "request_interval": 0.05}}"#);
        let state = Successful::from_values(&serde_json::from_str(&json).unwrap()).unwrap();
        let message = state.plan(&FakeMachine::new().context()).err().unwrap().message;
        assert!(message.starts_with("after 0.1 seconds of asking: ") && message.contains("503"), "{message}");
    }
}
