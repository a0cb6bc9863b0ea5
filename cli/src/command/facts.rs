//! `zester facts`

use crate::{
    fleet::{block_on, connect, failure},
    options::{Common, Output},
    output::{Exit, Failure, print},
};
use clap::Args;
use zester_compiler::{
    diagnostic::nearest,
    types::{Facts, Map, Value},
};
use zester_executor::local::Local;

/// What is known about this machine? Prints all facts, or the one under a path.
#[derive(Args)]
pub struct FactsArgs {
    /// A dotted path (os.family) or a grain (os_family).
    pub path: Option<String>,
    /// The same facts under Salt's flat names.
    #[arg(long)]
    pub grains: bool,
    /// Of the fleet's peels that match, as they were last stored; facts of this machine without it.
    #[arg(short, long, value_name = "TARGET")]
    pub target: Option<String>,
}

/// Runs the command.
pub fn run(common: &Common, args: &FactsArgs) -> Result<Exit, Failure> {
    if let Some(target) = &args.target {
        return of_fleet(common, args, target);
    }
    let local = Local::open(common.local(true), zester_stdlib::Cancel::default())?;
    let facts = local.facts()?;
    local.report_problems();
    let value = match &args.path {
        Some(path) => match facts.get(path) {
            Some(value) => value.clone(),
            None => {
                let names = facts.values.keys().chain(facts.grains.keys()).map(String::as_str);
                let hint = nearest(path, names).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
                return Err(Failure::new(format!("there is no fact `{path}`{hint}")));
            }
        },
        None if args.grains => Value::Map(facts.grains.clone()),
        None => Value::Map(facts.values.clone()),
    };
    print(&shown(common, &value)?);
    Ok(Exit::Fine)
}

/// Facts of peels, from where the masters look for them.
fn of_fleet(common: &Common, args: &FactsArgs, target: &str) -> Result<Exit, Failure> {
    block_on(async {
        let operator = connect(common).await?;
        let (targets, _) = operator.resolve(target).await.map_err(failure)?;
        if targets.count == 0 {
            eprintln!("zester: no peel matches `{target}`");
            return Ok(Exit::NoPeel);
        }
        if targets.peels.is_empty() {
            return Err(Failure::new("so many peels cannot be shown at once; name a narrower target"));
        }
        let all = operator.facts(&targets.peels).await.map_err(failure)?;
        let of = |facts: &Facts| match &args.path {
            Some(path) => facts.get(path).cloned().unwrap_or(Value::Null),
            None if args.grains => Value::Map(facts.grains.clone()),
            None => Value::Map(facts.values.clone()),
        };
        let shown_of: Map = all.iter().map(|(peel, facts)| (peel.clone(), of(facts))).collect();
        print(&shown(common, &Value::Map(shown_of))?);
        Ok(Exit::Fine)
    })
}

/// A value in the form that was asked for; YAML for people.
pub fn shown(common: &Common, value: &Value) -> Result<String, Failure> {
    let unprintable = |e: String| Failure::new(format!("the value cannot be written: {e}"));
    match (common.output, value) {
        (Output::Json | Output::Jsonl, _) => {
            serde_json::to_string(value).map(|s| s + "\n").map_err(|e| unprintable(e.to_string()))
        }
        (_, Value::List(_) | Value::Map(_)) => {
            serde_yaml::to_string(value).map_err(|e| unprintable(e.to_string()))
        }
        (Output::Yaml, _) => serde_yaml::to_string(value).map_err(|e| unprintable(e.to_string())),
        _ => Ok(format!("{value}\n")),
    }
}
