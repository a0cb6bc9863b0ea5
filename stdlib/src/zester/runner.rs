//! `zester.runner`

use super::{fleet, foreseen, runners};
use crate::{Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::{Map, Value};
use zester_stdlib_derive::Arguments;

/// Longest answer that a comment repeats, in characters.
const SHOWN: usize = 400;

/// An orchestration asks about jobs, peels and machines that enroll, says that something has happened, or runs another
/// orchestration.
///
/// | runner | Salt's name | arguments | answer |
/// |---|---|---|---|
/// | `orch` | `state.orchestrate`, `state.orch` | `ref`, `env`, `test`, `settings` | runs another orchestration |
/// | `job.list` | `jobs.list_jobs` | `limit` | the newest jobs |
/// | `job.active` | `jobs.active` | | jobs that have not ended |
/// | `job.show` | `jobs.lookup_jid` | `jid` | what each peel returned |
/// | `peel.list` | | `target` | peels that are known |
/// | `peel.up`, `peel.down`, `peel.status` | `manage.up`, `manage.down`, `manage.status` | `target`, `timeout` | who answers, who does not, both |
/// | `enroll.list` | | | machines that asked to be peels |
/// | `basket.get` | `mine.get` | `target`, `function` | what peels publish |
/// | `event.send` | | `tag`, `data` | an event for whoever waits |
/// | `test.sleep` | | `seconds` | waits |
///
/// ```yaml
/// all is well:
///   zester.runner:
///     - name: event.send
///     - tag: rollout.done
///     - data: {version: 7}
///     - require:
///       - zester: rollout
/// ```
#[derive(Arguments)]
#[state("zester.runner", fleet)]
pub(crate) struct Runner {
    /// The runner.
    #[arg(
        primary,
        one_of(
            "orch",
            "state.orchestrate",
            "state.orch",
            "job.list",
            "jobs.list_jobs",
            "job.active",
            "jobs.active",
            "job.show",
            "jobs.lookup_jid",
            "peel.list",
            "peel.status",
            "manage.status",
            "peel.up",
            "manage.up",
            "peel.down",
            "manage.down",
            "enroll.list",
            "basket.get",
            "mine.get",
            "event.send",
            "test.sleep"
        )
    )]
    name: String,
    /// Positional arguments.
    #[arg(alias = "args", ty = Type::List(Box::new(Type::Any)))]
    arg: Vec<Value>,
    /// Named arguments; they may stand beside `name` as well.
    #[arg(alias = "kwargs")]
    kwarg: Map,
    /// Named arguments.
    #[arg(rest)]
    rest: Map,
}

impl State for Runner {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let fleet = fleet(cx, "zester.runner")?;
        let runner = runners::find(&self.name).map_err(Failure::new)?;
        let mut named = self.rest.clone();
        named.retain(|key, _| !key.starts_with("__"));
        for (key, value) in &self.kwarg {
            if named.insert(key.clone(), value.clone()).is_some() {
                return Err(Failure::new(format!("`{key}` is given twice")));
            }
        }
        let args = runner.bind(&self.arg, &named).map_err(Failure::new)?;
        let short = |value: &Value| match value {
            Value::Null => None,
            value => Some(value.to_string()).filter(|text| text.chars().count() <= SHOWN),
        };
        let told = move |answer: &super::Answer| {
            answer.comment.clone().or_else(|| Some(format!("{}: {}", runner.name, short(&answer.value)?)))
        };
        let plain = format!("`{}` is called", runner.name);
        if cx.test && runner.changes && runner.name != "orch" {
            let comment = format!("`{}` would be called", runner.name);
            return Ok(foreseen(true, Map::new(), comment));
        }
        if cx.test || !runner.changes {
            // A question may be asked in any run; another orchestration is told that this is a test.
            let answer = fleet.call(runner.name, &args, cx.test, &cx.cancel).map_err(Failure::new)?;
            let comment = told(&answer).unwrap_or(plain);
            return Ok(foreseen(answer.changed, Map::new(), comment));
        }
        Ok(Plan::change(Map::new(), plain, move |cx| {
            let answer = fleet.call(runner.name, &args, false, &cx.cancel).map_err(Failure::new)?;
            let comment = told(&answer);
            let changes = match answer.value {
                _ if !answer.changed => Map::new(),
                Value::Map(map) => map,
                Value::Null => Map::new(),
                value => Map::from_iter([(runner.name.to_owned(), change(Value::Null, value))]),
            };
            Ok(Outcome { changes, comment, unchanged: !answer.changed })
        }))
    }
}
