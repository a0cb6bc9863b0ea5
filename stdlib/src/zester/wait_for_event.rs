//! `zester.wait_for_event`

use super::{fleet, fleet::Wait};
use crate::{Context, Failure, Plan, State};
use zester_compiler::types::{Seconds, Value};
use zester_stdlib_derive::Arguments;

/// Longest wait, in seconds.
const LIMIT_S: f64 = 86_400.0;

/// An orchestration waits for events: those that `zester event watch` shows.
///
/// Events count from the start of the orchestration, so that what happens during an earlier step is not missed; an
/// event that one step has waited for is not there for the next one. In test mode nothing is waited for.
///
/// ```yaml
/// deploy.done:
///   zester.wait_for_event:
///     - id_list: [web-1, web-2]
///     - timeout: 600
///     - require:
///       - zester: deploy
/// ```
#[derive(Arguments)]
#[state("zester.wait_for_event", fleet, never_changes)]
pub(crate) struct WaitForEvent {
    /// The tag, in which `*` stands for anything: `deploy.*`. Slashes are read as dots.
    #[arg(primary)]
    name: String,
    /// Ids of which an event each has to come. Without any, one event is enough.
    id_list: Vec<String>,
    /// The key of an event's data that holds its id; `id` is the peel that sent it.
    #[arg(default = "id")]
    event_id: String,
    /// How long; five minutes if nothing is said, at most a day.
    #[arg(default = 300.0)]
    timeout: Seconds,
    /// Whose events.
    #[arg(inert = "all events of the fleet are in one stream", ty = Type::Str)]
    node: Option<Value>,
}

impl State for WaitForEvent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let fleet = fleet(cx, "zester.wait_for_event")?;
        let timeout_s = self.timeout.0;
        if timeout_s.is_nan() || timeout_s <= 0.0 || timeout_s > LIMIT_S {
            return Err(Failure::new(format!(
                "`timeout` is {timeout_s} seconds; it must be more than 0 and at most a day"
            )));
        }
        let wait = Wait {
            tag: self.name.replace('/', "."),
            ids: self.id_list.clone(),
            id_key: self.event_id.clone(),
            timeout_s,
        };
        if cx.test {
            return Ok(Plan::unchanged(format!("would wait for `{}`", wait.tag)));
        }
        let events = fleet.wait(&wait, &cx.cancel).map_err(Failure::new)?;
        let from: Vec<String> = events.iter().map(|e| format!("{} from {}", e.tag, e.origin)).collect();
        Ok(Plan::unchanged(format!("came: {}", from.join(", "))))
    }
}
