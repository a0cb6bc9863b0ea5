//! `zester.state`

use super::{
    fleet,
    fleet::{Done, Order},
    foreseen,
    step::{Step, changes, sentence},
};
use crate::{Context, Failure, Outcome, Plan};
use zester_compiler::types::{Map, Seconds, Type, Value};
use zester_stdlib_derive::Arguments;

/// How long peels have if nothing is said, in seconds.
pub(super) const USUAL_S: f64 = 3_600.0;

/// States are applied on the peels that match a target, as a step of an orchestration (`zester orch`).
///
/// The peels apply the published tree. The step is `changed` when a peel changed something, and fails when a peel
/// failed or did not answer. In test mode the peels say what would change.
///
/// ```yaml
/// databases first:
///   zester.state:
///     - tgt: 'G@role:database'
///     - sls: [postgres, postgres.backup]
/// then the web:
///   zester.state:
///     - tgt: 'web*'
///     - highstate: true
///     - batch: 25%
///     - require:
///       - zester: databases first
/// ```
#[derive(Arguments)]
#[state("zester.state", fleet, any_of("sls", "highstate"))]
pub(crate) struct State {
    /// What the step is called.
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
    /// Refs of state files.
    sls: Vec<String>,
    /// Applies the highstate: what the top file selects for each peel.
    #[arg(default = false)]
    highstate: bool,
    /// What is left out: refs of state files, or `sls: REF` and `id: ID`. What remains may not need it.
    #[arg(ty = excluded())]
    exclude: Option<Value>,
    /// Settings for this run, over those that the peels have.
    #[arg(alias = "settings")]
    pillar: Map,
    /// `true`: the peels only say what would change, in an apply too.
    test: Option<bool>,
    /// So many peels at a time: a number, or a share as `10%`.
    #[arg(ty = Type::Int { min: 1, max: i64::MAX }.or(Type::Str))]
    batch: Option<Value>,
    /// The pause after each portion.
    batch_wait: Option<Seconds>,
    /// Only so many of the peels, by chance.
    subset: Option<u64>,
    /// How long the peels have; an hour if nothing is said, at most a day.
    timeout: Option<Seconds>,
    /// Whether a peel that does not answer is a failure.
    #[arg(default = true)]
    expect_minions: bool,
    /// Ids of peels whose failure is none.
    fail_minions: Vec<String>,
    /// So many peels may fail.
    #[arg(default = 0)]
    allow_fail: u64,
    /// The environment of the states.
    #[arg(alias = "env")]
    saltenv: Option<String>,
    /// The environment of the settings.
    #[arg(inert = "settings are those of the states' environment")]
    pillarenv: Option<String>,
    /// Whether peels run it beside other runs.
    #[arg(inert = "a peel applies states one run after the other")]
    concurrent: Option<bool>,
    /// Whether peels wait for other runs.
    #[arg(inert = "a peel always finishes other runs first")]
    queue: Option<Value>,
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
    /// The id of the orchestration's own job.
    #[arg(inert = "jobs of an orchestration have its ref in their record")]
    orchestration_jid: Option<Value>,
}

/// A ref, an id, or several of them.
fn excluded() -> Type {
    let named = || {
        let fields = ["id", "sls"].map(|name| (name.to_owned(), Type::Str, true));
        Type::Record(fields.to_vec())
    };
    Type::Str.or(named()).or(Type::List(Box::new(Type::Str.or(named()))))
}

impl State {
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

    fn order(&self, cx: &Context) -> Result<Order, Failure> {
        if self.highstate && !self.sls.is_empty() {
            return Err(Failure::new("`highstate` and `sls` exclude each other; remove one of the two"));
        }
        if !self.highstate && self.sls.is_empty() {
            return Err(Failure::new("nothing is to be applied: `sls` is empty and `highstate` is false"));
        }
        let mut order = self.step().order(cx, "state.apply", USUAL_S)?;
        if *cx.state_id != self.name {
            // `names` makes several steps of one id.
            order.step = format!("{} ({})", cx.state_id, self.name).into();
        }
        order.args = self.sls.iter().map(|name| Value::from(name.as_str())).collect();
        if let Some(env) = &self.saltenv {
            order.kwargs.insert("saltenv".to_owned(), Value::from(env.as_str()));
        }
        if let Some(exclude) = self.exclude.as_ref().filter(|value| !value.is_null()) {
            order.kwargs.insert("exclude".to_owned(), exclude.clone());
        }
        if !self.pillar.is_empty() {
            order.kwargs.insert("pillar".to_owned(), Value::Map(self.pillar.clone()));
        }
        // A test run stays one, whatever the step says.
        order.test = cx.test || self.test == Some(true);
        Ok(order)
    }

    fn what(&self) -> String {
        if self.highstate { "the highstate".to_owned() } else { format!("`{}`", self.sls.join("`, `")) }
    }

    fn told(&self, done: &Done, test: bool) -> String {
        let changed = if test { "would change on" } else { "changed on" };
        sentence(done, changed, "unchanged on")
    }
}

impl crate::State for State {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let fleet = fleet(cx, "zester.state")?;
        let order = self.order(cx)?;
        if !cx.test {
            let comment = format!("{} is applied on `{}`", self.what(), order.target);
            return Ok(Plan::change(Map::new(), comment, move |cx| {
                let done = fleet.run(&order, &cx.cancel).map_err(Failure::new)?;
                let changes = changes(&done);
                self.step().judge(&done, changes.clone())?;
                Ok(Outcome {
                    unchanged: changes.is_empty() || order.test,
                    changes,
                    comment: Some(self.told(&done, order.test)),
                })
            }));
        }
        // What would change is what the peels say.
        let done = fleet.run(&order, &cx.cancel).map_err(Failure::new)?;
        let changes = changes(&done);
        self.step().judge(&done, changes.clone())?;
        let comment = self.told(&done, true);
        Ok(foreseen(!changes.is_empty() && self.test != Some(true), changes, comment))
    }
}
