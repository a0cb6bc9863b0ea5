//! `zester facts`

use crate::{
    options::{Common, Output},
    output::{Exit, Failure, print},
};
use clap::Args;
use zester_compiler::{diagnostic::nearest, types::Value};
use zester_executor::local::Local;

/// What is known about this machine? Prints all facts, or the one under a path.
#[derive(Args)]
pub struct FactsArgs {
    /// A dotted path (os.family) or a grain (os_family).
    pub path: Option<String>,
    /// The same facts under Salt's flat names.
    #[arg(long)]
    pub grains: bool,
}

/// Runs the command.
pub fn run(common: &Common, args: &FactsArgs) -> Result<Exit, Failure> {
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
