//! `zester settings`

use super::facts::shown;
use crate::{
    options::Common,
    output::{Exit, Failure, findings, print},
};
use clap::{Args, Subcommand};
use std::io::IsTerminal;
use zester_executor::local::Local;

/// The settings of this machine, and where they come from.
#[derive(Args)]
pub struct SettingsArgs {
    #[command(subcommand)]
    pub command: SettingsCommand,
}

/// What is asked of settings.
#[derive(Subcommand)]
pub enum SettingsCommand {
    /// Prints a setting, or all of them.
    Get {
        /// A dotted path; all settings without one.
        path: Option<String>,
        /// Shows every place that touched the path, and which of them won.
        #[arg(long)]
        why: bool,
    },
}

/// Runs the command.
pub fn run(common: &Common, args: &SettingsArgs) -> Result<Exit, Failure> {
    let SettingsCommand::Get { path, why } = &args.command;
    let local = Local::open(common.local(true), zester_stdlib::Cancel::default())?;
    let (settings, diagnostics) = local.settings()?;
    local.report_problems();
    findings(&diagnostics, local.project.files(), common.colored(std::io::stderr().is_terminal()));
    if diagnostics.iter().any(|d| d.is_error()) {
        return Ok(Exit::Problems);
    }
    let path_text = path.clone().unwrap_or_default();
    let found = settings.why(&path_text);
    let value = if path.is_some() { found.value.clone() } else { Some(settings.masked()) };
    if *why {
        let mut text = String::new();
        for origin in &found.origins {
            let (file, at) = origin.place(local.project.files());
            let mark = if origin.wins { "*" } else { " " };
            let how = if origin.appended { " (appended)" } else { "" };
            text.push_str(&format!(
                "{mark} {file}:{}:{}: {} = {}{how}\n",
                at.line, at.column, origin.path, origin.value
            ));
        }
        print(&text);
    }
    match value {
        Some(value) => {
            if !*why {
                print(&shown(common, &value)?);
            }
            Ok(Exit::Fine)
        }
        None => Err(Failure::new(format!("no settings file says `{path_text}` for this peel"))),
    }
}
