//! `zester render`

use crate::{
    options::Common,
    output::{Exit, Failure, findings, print},
};
use clap::Args;
use std::io::IsTerminal;
use zester_executor::local::Local;

/// What do the templates make of a file? Prints its rendered text, with --origins each line's source before it.
#[derive(Args)]
pub struct RenderArgs {
    /// A file of the project.
    pub file: String,
    /// Puts the source's file, line and column before each line.
    #[arg(long)]
    pub origins: bool,
}

/// Runs the command.
pub fn run(common: &Common, args: &RenderArgs) -> Result<Exit, Failure> {
    let local = Local::open(common.local(true), zester_stdlib::Cancel::default())?;
    let color = common.colored(std::io::stderr().is_terminal());
    let path = super::check::relative(&local.root, &args.file)?;
    let facts = local.facts()?;
    let (settings, mut diagnostics) = local.settings()?;
    local.report_problems();
    let failed = diagnostics.iter().any(|d| d.is_error());
    let rendered = if failed {
        None
    } else {
        match local.render(&path, &facts, &settings.value) {
            Ok(rendered) => Some(rendered),
            Err(errors) => {
                diagnostics.extend(errors);
                None
            }
        }
    };
    findings(&diagnostics, local.project.files(), color);
    let Some(rendered) = rendered else { return Ok(Exit::Problems) };
    if !args.origins {
        print(&rendered.text);
        return Ok(Exit::Fine);
    }
    let mut text = String::new();
    let mut offset = 0;
    for line in rendered.text.split_inclusive('\n') {
        let lead = line.len() - line.trim_start().len();
        let at = if lead < line.len() { offset + lead } else { offset };
        let place = rendered.provenance.origin(at).map(|place| {
            let (file, at) = local.project.files().locate(place.span);
            format!("{file}:{}:{}", at.line, at.column)
        });
        text.push_str(&format!("{:40} | {line}", place.unwrap_or_default()));
        offset += line.len();
    }
    print(&text);
    Ok(Exit::Fine)
}
