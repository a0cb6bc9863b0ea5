//! `zester explain`

use crate::{
    options::Common,
    output::{Exit, Failure, print},
};
use clap::Args;
use zester_compiler::diagnostic::{catalogue, explain};

/// What does a diagnostic mean? Prints the page of a code, or the list of all without one.
#[derive(Args)]
pub struct ExplainArgs {
    /// A code (Z0203) or a name (unknown-parameter).
    pub code: Option<String>,
}

/// Runs the command.
pub fn run(_common: &Common, args: &ExplainArgs) -> Result<Exit, Failure> {
    let Some(code) = &args.code else {
        let mut list = String::new();
        for rule in catalogue() {
            list.push_str(&format!("{}  {:8} {}\n", rule.code, rule.severity.to_string(), rule.name));
        }
        print(&list);
        return Ok(Exit::Fine);
    };
    match explain(code) {
        Ok(page) => {
            print(&page);
            Ok(Exit::Fine)
        }
        Err(nearest) => {
            let hint = nearest.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
            Err(Failure::new(format!("there is no diagnostic `{code}`{hint}")))
        }
    }
}
