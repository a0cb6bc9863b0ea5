//! `zester.function`

use super::{
    fleet,
    fleet::{Done, End, Order},
    foreseen,
    step::{Step, changes, plural, sentence},
};
use crate::{Changes, Context, Failure, Outcome, Plan, State};
use zester_compiler::types::{Effect, FunctionKind, Map, Seconds, Value};
use zester_stdlib_derive::Arguments;

/// How long peels have if nothing is said, in seconds.
const USUAL_S: f64 = 300.0;
/// Longest answer that a comment repeats, in characters.
const SHOWN: usize = 200;

/// A function is called on the peels that match a target, as a step of an orchestration (`zester orch`).
///
/// The step is `changed` where the function can change something, and fails when a peel failed or did not answer. A
/// command (`cmd.run`) fails with an exit status other than 0. In test mode nothing is called, except that functions
/// that run states say what would change.
///
/// ```yaml
/// out of the balancer:
///   zester.function:
///     - name: cmd.run
///     - tgt: 'lb-*'
///     - arg: ['disable web-1']
///     - kwarg:
///         runas: balancer
/// ```
#[derive(Arguments)]
#[state("zester.function", fleet)]
pub(crate) struct Function {
    /// The function: `module.function`.
    #[arg(primary)]
    name: String,
    /// Which peels: a target, or a list of ids.
    #[arg(ty = Type::Str.or(Type::List(Box::new(Type::Str))))]
    tgt: Value,
    /// What kind of target that is; the whole target language (`compound`) if nothing is said.
    #[arg(
        alias = "expr_form",
        one_of(
            "compound",
            "glob",
            "pcre",
            "list",
            "grain",
            "fact",
            "grain_pcre",
            "fact_pcre",
            "pillar",
            "pillar_exact",
            "settings",
            "pillar_pcre",
            "settings_pcre",
            "ipcidr",
            "subnet",
            "nodegroup"
        )
    )]
    tgt_type: Option<String>,
    /// Positional arguments.
    #[arg(alias = "args", ty = Type::List(Box::new(Type::Any)))]
    arg: Vec<Value>,
    /// Named arguments.
    #[arg(alias = "kwargs")]
    kwarg: Map,
    /// So many peels at a time: a number, or a share as `10%`.
    #[arg(ty = Type::Int { min: 1, max: i64::MAX }.or(Type::Str))]
    batch: Option<Value>,
    /// The pause after each portion.
    batch_wait: Option<Seconds>,
    /// Only so many of the peels, by chance.
    subset: Option<u64>,
    /// How long the peels have; five minutes if nothing is said (an hour for states), at most a day.
    timeout: Option<Seconds>,
    /// Whether a peel that does not answer is a failure.
    #[arg(default = true)]
    expect_minions: bool,
    /// Ids of peels whose failure is none.
    fail_minions: Vec<String>,
    /// So many peels may fail.
    #[arg(default = 0)]
    allow_fail: u64,
    /// Where returns are sent.
    #[arg(inert = "returns are kept with the job; `zester job show` has them")]
    ret: Option<Value>,
    /// Configuration of that.
    #[arg(inert = "returns are kept with the job; `zester job show` has them")]
    ret_config: Option<Value>,
    /// Arguments of that.
    #[arg(inert = "returns are kept with the job; `zester job show` has them")]
    ret_kwargs: Option<Value>,
    /// Whether machines are reached over SSH.
    #[arg(inert = "machines are reached as peels only")]
    ssh: Option<bool>,
    /// Machines that are reached over SSH.
    #[arg(inert = "machines are reached as peels only")]
    roster: Option<Value>,
}

impl Function {
    fn step(&self) -> Step<'_> {
        Step {
            tgt: &self.tgt,
            tgt_type: self.tgt_type.as_deref(),
            batch: self.batch.as_ref(),
            batch_wait: self.batch_wait,
            subset: self.subset,
            timeout: self.timeout,
            expect_minions: self.expect_minions,
            fail_minions: &self.fail_minions,
            allow_fail: self.allow_fail,
        }
    }

    fn runs_states(&self) -> bool {
        crate::STATE_FUNCTIONS.contains(&self.name.as_str()) && !self.name.starts_with("state.show_")
    }

    /// A command's exit status is only in the answer of the function that gives all of it.
    fn is_command(&self) -> bool {
        matches!(self.name.as_str(), "cmd.run" | "cmd.shell" | "cmd.run_all")
    }

    fn order(&self, cx: &Context) -> Result<Order, Failure> {
        cx.library.check_call(&self.name, &self.arg, &self.kwarg).map_err(|e| {
            let mut letters = e.chars();
            Failure::new(letters.next().map_or(String::new(), |c| c.to_uppercase().chain(letters).collect()))
        })?;
        let called = if self.is_command() { "cmd.run_all" } else { &self.name };
        let usual = if self.runs_states() { super::state::USUAL_S } else { USUAL_S };
        let mut order = self.step().order(cx, called, usual)?;
        order.args.clone_from(&self.arg);
        order.kwargs.clone_from(&self.kwarg);
        order.test |= matches!(order.kwargs.get("test"), Some(Value::Bool(true)));
        order.kwargs.shift_remove("test");
        Ok(order)
    }

    /// Whether it can change something.
    fn changes(&self, cx: &Context) -> bool {
        let signature = self
            .name
            .split_once('.')
            .and_then(|(module, name)| cx.library.registry().get(FunctionKind::Exec, module, name));
        signature.is_none_or(|s| matches!(s.effect, Effect::Command | Effect::Mutating))
    }

    /// The answers, by peel; a command that ended with another exit status than 0 has failed.
    fn read(&self, done: &mut Done) -> Changes {
        let judged =
            self.is_command() && !matches!(self.kwarg.get("ignore_retcode"), Some(Value::Bool(true)));
        let mut answers = Changes::new();
        for (peel, on) in &mut done.peels {
            let Some(value) = &on.value else { continue };
            let field = |name: &str| value.as_map().and_then(|map| map.get(name));
            let shown = match field("stdout") {
                Some(text) if self.is_command() && self.name != "cmd.run_all" => text.clone(),
                _ => value.clone(),
            };
            let status = field("retcode").and_then(Value::as_int).unwrap_or(0);
            if judged && status != 0 && on.end == End::Done {
                on.end = End::Failed;
                let said = |name: &str| field(name).map(Value::to_string).unwrap_or_default();
                let words = if said("stderr").trim().is_empty() { said("stdout") } else { said("stderr") };
                on.error = format!("the command exited with {status}: {}", words.trim());
            }
            answers.insert(peel.clone(), shown);
        }
        answers
    }
}

/// What peels answered, where all of them say the same and it is short.
fn answered(done: &Done, answers: &Changes) -> String {
    let count = done.peels.len();
    let first = answers.values().next();
    let same = first.filter(|first| answers.len() == count && answers.values().all(|value| value == *first));
    match same.map(Value::to_string).filter(|text| text.chars().count() <= SHOWN) {
        Some(text) => format!("{count} {}: {text} (job {})", plural(count, "peel"), done.jid),
        None => sentence(done, "changed on", "called on"),
    }
}

impl State for Function {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let fleet = fleet(cx, "zester.function")?;
        let order = self.order(cx)?;
        let changing = self.changes(cx);
        if cx.test && self.runs_states() {
            let done = fleet.run(&order, &cx.cancel).map_err(Failure::new)?;
            let changes = changes(&done);
            self.step().judge(&done, changes.clone())?;
            let comment = sentence(&done, "would change on", "unchanged on");
            return Ok(foreseen(!changes.is_empty(), changes, comment));
        }
        if cx.test {
            let peels = fleet.matching(&order.target).map_err(Failure::new)?;
            if peels.is_empty() {
                return Err(Failure::new(format!("no peel matches `{}`", order.target)));
            }
            let count = peels.len();
            let comment = format!("`{}` would be called on {count} {}", self.name, plural(count, "peel"));
            return Ok(foreseen(changing, Map::new(), comment));
        }
        let comment = format!("`{}` is called on `{}`", self.name, order.target);
        Ok(Plan::change(Map::new(), comment, move |cx| {
            let mut done = fleet.run(&order, &cx.cancel).map_err(Failure::new)?;
            let answers = self.read(&mut done);
            let changes = if self.runs_states() { changes(&done) } else { answers.clone() };
            let changes = if changing { changes } else { Changes::new() };
            self.step().judge(&done, changes.clone())?;
            let comment = if self.runs_states() {
                sentence(&done, "changed on", "unchanged on")
            } else {
                answered(&done, &answers)
            };
            let unchanged = !changing || order.test || self.runs_states() && changes.is_empty();
            Ok(Outcome { changes, comment: Some(comment), unchanged })
        }))
    }
}
