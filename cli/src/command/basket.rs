//! `zester basket`

use super::facts::shown;
use crate::{
    fleet::{block_on, connect, failure},
    options::Common,
    output::{Exit, Failure, print},
};
use clap::Args;
use zester_compiler::{
    diagnostic::nearest,
    types::{Map, Value},
};

/// What peels publish for each other: `basket_functions` and `mine_functions` of their settings.
#[derive(Args)]
pub struct BasketArgs {
    /// Only what is published under this name.
    pub name: Option<String>,
    /// Which peels.
    #[arg(short, long, value_name = "TARGET", default_value = "*")]
    pub target: String,
}

/// Runs the command.
pub fn run(common: &Common, args: &BasketArgs) -> Result<Exit, Failure> {
    block_on(async {
        let operator = connect(common).await?;
        let (targets, _) = operator.resolve(&args.target).await.map_err(failure)?;
        if targets.count == 0 {
            eprintln!("zester: no peel matches `{}`", args.target);
            return Ok(Exit::NoPeel);
        }
        if targets.peels.is_empty() {
            return Err(Failure::new("so many peels cannot be shown at once; name a narrower target"));
        }
        let all = operator.basket(&targets.peels).await.map_err(failure)?;
        let shown_of: Map = match &args.name {
            None => all.into_iter().map(|(peel, values)| (peel, Value::Map(values))).collect(),
            Some(name) => {
                let names: Vec<String> = all.values().flat_map(|m| m.keys().cloned()).collect();
                let found: Map = all
                    .into_iter()
                    .filter_map(|(peel, mut values)| Some((peel, values.swap_remove(name)?)))
                    .collect();
                if found.is_empty() {
                    let near = nearest(name, names.iter().map(String::as_str));
                    let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
                    return Err(Failure::new(format!("no peel publishes `{name}`{hint}")));
                }
                found
            }
        };
        print(&shown(common, &Value::Map(shown_of))?);
        Ok(Exit::Fine)
    })
}
