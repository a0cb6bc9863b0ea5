//! `zester settings`

use super::{facts::shown, run::Sending};
use crate::{
    options::Common,
    output::{Exit, Failure, findings, print},
};
use clap::{Args, Subcommand};
use std::io::IsTerminal;
use zester_compiler::{
    diagnostic::nearest,
    types::{Map, Value},
};
use zester_executor::{job::message::Call, local::Local};

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
        #[arg(long, conflicts_with = "target")]
        why: bool,
        /// Of the fleet's peels that match: each is asked for its own.
        #[arg(short, long, value_name = "TARGET")]
        target: Option<String>,
    },
}

/// Runs the command.
pub fn run(common: &Common, args: &SettingsArgs) -> Result<Exit, Failure> {
    let SettingsCommand::Get { path, why, target } = &args.command;
    if let Some(target) = target {
        let (function, args) = match path {
            Some(path) => {
                let delimiter = ("delimiter".to_owned(), ".".into());
                ("settings.get", (vec![path.as_str().into()], Map::from_iter([delimiter])))
            }
            None => ("settings.items", (Vec::new(), Map::new())),
        };
        let call = Call { function: function.to_owned(), args: args.0, kwargs: args.1, test: false };
        return super::run::send(common, target, call, &Sending::default(), false);
    }
    let local = Local::open(common.local_without_secrets()?, zester_stdlib::Cancel::default())?;
    let (settings, mut diagnostics) = local.settings()?;
    let mask = settings.mask();
    mask.diagnostics(&mut diagnostics);
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
        print(&mask.text(text));
    }
    // A secret may be within another setting.
    match value.map(|value| mask.value(value)) {
        Some(value) => {
            if !*why {
                print(&shown(common, &value)?);
            }
            Ok(Exit::Fine)
        }
        None => {
            let hint = meant(&settings.masked(), &path_text)
                .map(|path| format!("; did you mean `{path}`?"))
                .unwrap_or_default();
            Err(Failure::new(format!("no settings file says `{path_text}` for this peel{hint}")))
        }
    }
}

/// The path with its first wrong key replaced by the nearest there is.
fn meant(settings: &Value, path: &str) -> Option<String> {
    let mut keys: Vec<&str> = path.split(['.', ':']).collect();
    let mut at = settings;
    for index in 0..keys.len() {
        let Value::Map(map) = at else { return None };
        match map.get(keys[index]) {
            Some(value) => at = value,
            None => {
                keys[index] = nearest(keys[index], map.keys().map(String::as_str))?;
                return Some(keys.join("."));
            }
        }
    }
    None
}
